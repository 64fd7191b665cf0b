"""`--image` takes a library's own settings: compared with the library's own transforms."""

import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pytest
import torch

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.image import Image, decode_images
from model_zoo.steps.table import AnyStep
from pipelines.packing.networks.pictures import add_image_step

RANDOM = np.random.default_rng(3)


def _make_job(folder: Path, **changes: Any) -> PackagingJob[AnyStep]:
    weights = folder / "net.pth"
    weights.write_bytes(b"weights")
    fields = {"weights": str(weights), "sample": "s.parquet", "output": "o", "image": "photo"}
    return PackagingJob[AnyStep].model_validate(fields | changes)


def _find_step(job: PackagingJob[AnyStep]) -> Image:
    completed, _ = add_image_step(job)
    (step,) = completed.preprocess
    assert isinstance(step, Image)
    return step


def _make_photos(count: int) -> list[bytes]:
    photos = []
    for _ in range(count):
        sink = io.BytesIO()
        pixels = RANDOM.integers(0, 256, (*RANDOM.integers(150, 400, 2), 3), dtype=np.uint8)
        # Noise does not become smaller, and to try takes longer than all else.
        Pillow.fromarray(pixels).save(sink, "PNG", compress_level=0)
        photos.append(sink.getvalue())
    return photos


def _compare(step: Image, transform: Any) -> None:
    photos = _make_photos(5)
    expected = [transform(Pillow.open(io.BytesIO(photo)).convert("RGB")) for photo in photos]
    actual = decode_images(pa.array(photos, type=pa.binary()), step)
    np.testing.assert_allclose(actual, torch.stack(expected).numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("network", "settings"),
    [
        ("resnet18", None),
        ("resnet50", "IMAGENET1K_V1"),
        ("resnet50", "IMAGENET1K_V2"),
        ("swin_t", None),
        ("efficientnet_b1", "IMAGENET1K_V1"),
        ("vit_b_16", "IMAGENET1K_SWAG_E2E_V1"),
    ],
)
def test_torchvisions_settings(network: str, settings: str | None, tmp_path: Path) -> None:
    models = pytest.importorskip("torchvision.models")
    job = _make_job(tmp_path, network=f"torchvision:{network}", settings=settings)
    weights = models.get_model_weights(network)
    chosen = weights[settings] if settings else weights.DEFAULT
    _compare(_find_step(job), chosen.transforms())


@pytest.mark.parametrize(
    "network",
    ["resnet18", "resnet50.a1_in1k", "vit_tiny_patch16_224", "convnext_tiny", "beit_base_patch16_384"],
)  # fmt: skip
def test_timms_settings(network: str, tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    data = pytest.importorskip("timm.data")
    config = timm.get_pretrained_cfg(network).to_dict()
    wanted = data.resolve_data_config(pretrained_cfg=config)
    transform = data.create_transform(**wanted, is_training=False)
    job = _make_job(tmp_path, network=f"timm:{network}")
    _compare(_find_step(job), transform)


def test_several_settings_are_asked_for_by_name(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    job = _make_job(tmp_path, network="torchvision:resnet50")
    with pytest.raises(JobError, match="--settings IMAGENET1K_V1 or IMAGENET1K_V2"):
        add_image_step(job)


def test_all_that_is_missing_is_asked_for_at_once(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    job = _make_job(tmp_path, network="torchvision:inception_v3", settings="IMAGENET1K_V2")
    with pytest.raises(JobError) as error:
        add_image_step(job)
    assert "inception_v3 has no 'IMAGENET1K_V2'; did you mean" in str(error.value)
    assert "parameters.transform_input" in str(error.value)


def test_torchvisions_own_file_is_known_by_its_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its settings and its labels are then those that it was trained with."""
    models = pytest.importorskip("torchvision.models")
    weights = models.ResNet50_Weights.IMAGENET1K_V2
    digest = hashlib.sha256(b"weights").hexdigest()
    # The library's own file is not to be had without a network; so this one is made its own.
    monkeypatch.setattr(weights.value, "url", f"https://x/resnet50-{digest[:8]}.pth")
    job, notes = add_image_step(_make_job(tmp_path, network="torchvision:resnet50"))
    assert notes == ("pictures as of torchvision's IMAGENET1K_V2",)
    assert job.labels == tuple(weights.meta["categories"])
    _compare(job.preprocess[0], weights.transforms())


@pytest.mark.parametrize("network", ["mine:Net", "cnn", "transformers:ViTModel"])
def test_a_network_of_which_nothing_is_known_needs_a_step(network: str, tmp_path: Path) -> None:
    with pytest.raises(JobError, match="instead of image, say it as a step"):
        add_image_step(_make_job(tmp_path, network=network))
