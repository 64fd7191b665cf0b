"""Images as cameras, scanners, servers and attackers leave them, through a model that shows what the network was given."""

from collections.abc import Callable
import io
from pathlib import Path
import resource
import struct
import zlib

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pytest
from safetensors.torch import save
import torch

from model_zoo.architectures.builders import build
from model_zoo.package.package import write_package
from model_zoo.steps.image import Image, decode_images
from tests.support.builders import parquet
from tests.support.jobs import Outcome, small_table, write_job, write_parquet

SIDE = 8
STEP = Image(step="image", column="image", into="image", height=SIDE, width=SIDE, mode="RGB")


def encoded(image: Pillow.Image, format: str = "PNG", **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, format, **options)
    return sink.getvalue()


def gray(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (SIDE, SIDE), dtype=np.uint8)


def png_that_claims(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b"")]
    body = b"".join(
        struct.pack(">I", len(c)) + t + c + struct.pack(">I", zlib.crc32(t + c)) for t, c in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.fixture(scope="session")
def image_job(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A job whose model reads a binary column `image`."""
    folder = tmp_path_factory.mktemp("images")
    torch.manual_seed(1)
    parameters = {"channels": 3, "height": SIDE, "width": SIDE, "classes": 2, "widths": [4]}
    network = build("cnn", parameters).eval()
    images = [encoded(Pillow.fromarray(gray(i))) for i in range(8)]
    x = decode_images(pa.array(images), STEP)
    with torch.inference_mode():
        logits = network(image=torch.from_numpy(x))["logits"].numpy()
    smoke = {
        "image": images,
        "input.image": pa.FixedSizeListArray.from_arrays(pa.array(x.reshape(-1)), 3 * SIDE * SIDE),
        "output.logits": pa.FixedSizeListArray.from_arrays(pa.array(logits.reshape(-1)), 2),
    }
    card = {
        "name": "images",
        "version": "1",
        "builder": "cnn",
        "parameters": parameters,
        "columns": [{"name": "image", "type": "binary", "missing": "reject"}],
        "inputs": {"image": {"shape": [3, SIDE, SIDE]}},
        "outputs": {"logits": {"shape": [2]}},
        "activation": "none",
    }
    files = {
        "weights.safetensors": save(network.state_dict()),
        "smoke.parquet": parquet(pa.table(smoke)),
    }
    write_package(str(folder / "model"), card, (STEP,), files)
    return write_job(folder, folder / "model", postprocess={"keep": ["logits"]})


@pytest.fixture
def score_images(
    score_it: Callable[..., Outcome], image_job: Path, tmp_path: Path
) -> Callable[..., Outcome]:
    def run(*images: bytes | None) -> Outcome:
        rows = small_table(len(images), image=pa.array(images, pa.binary())).select(["id", "image"])
        return score_it(write_parquet(tmp_path / "in.parquet", rows), config=image_job)

    return run


def logits(outcome: Outcome) -> np.ndarray:
    return np.stack(outcome.rows()["logits"].to_pylist())


def test_broken_images_and_bombs_are_rejected_alone_and_take_no_memory(
    score_images: Callable[..., Outcome],
) -> None:
    good = encoded(Pillow.fromarray(gray()))
    noise = encoded(
        Pillow.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)),
        "JPEG",
    )
    bad = {
        1: noise[: len(noise) // 2],
        2: png_that_claims(0, 0),
        3: b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        4: png_that_claims(20_000, 20_000),
        5: encoded(Pillow.fromarray(gray()))[:60],
        6: encoded(Pillow.new("F", (SIDE, SIDE)), "TIFF"),
        7: encoded(Pillow.new("I", (SIDE, SIDE)), "TIFF"),
        8: png_that_claims(4_000, 4_000),  # within max_pixels, and there is nothing in it
        9: None,
        10: png_that_claims(5_000, 5_000),
    }
    score_images(good)
    before = peak_megabytes()
    outcome = score_images(*[bad.get(i, good) for i in range(12)])
    assert peak_megabytes() - before < 100  # the bomb's pixels would be 400 MB in grey
    assert outcome.rows()["id"].to_pylist() == [0, 11]
    rejected = outcome.rejected()
    assert [(r["row"], r["key"], r["stage"]) for r in rejected] == [
        (n, n, "preprocess") for n in sorted(bad)
    ]
    messages = {record["row"]: record["message"] for record in rejected}
    assert "bomb" in messages[4]
    assert messages[10] == "image of 5000 x 5000 pixels, more than max_pixels 16777216"
    assert "32 bits per pixel" in messages[6]
    assert "html" not in messages[3]


def peak_megabytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def test_16_bit_grey_gives_what_its_upper_byte_gives(score_images: Callable[..., Outcome]) -> None:
    pixels = np.random.default_rng(2).integers(0, 1 << 16, (SIDE, SIDE), dtype=np.uint16)
    clipped = np.minimum(pixels, 255).astype(np.uint8)
    images = [
        encoded(Pillow.fromarray(p)) for p in (pixels, (pixels >> 8).astype(np.uint8), clipped)
    ]
    deep, plain, wrong = logits(score_images(*images))
    np.testing.assert_allclose(deep, plain, atol=1e-6)
    assert not np.allclose(deep, wrong, atol=1e-2)


def test_cmyk_gives_what_rgb_gives(score_images: Callable[..., Outcome]) -> None:
    inks = Pillow.fromarray(
        np.random.default_rng(3).integers(0, 256, (SIDE, SIDE, 4), dtype=np.uint8), "CMYK"
    )
    four, three = logits(score_images(encoded(inks, "TIFF"), encoded(inks.convert("RGB"))))
    np.testing.assert_allclose(four, three, atol=1e-6)


def test_a_cmyk_jpeg_gives_what_its_colour_gives(score_images: Callable[..., Outcome]) -> None:
    """Such files hold their inks inverted, and say so."""
    inks = Pillow.new("CMYK", (SIDE, SIDE), (230, 20, 120, 10))
    inverted = Pillow.new("CMYK", (SIDE, SIDE), (25, 235, 135, 245))
    images = [
        encoded(inks, "JPEG", quality=100),
        encoded(inks.convert("RGB")),
        encoded(inverted.convert("RGB")),
    ]
    four, three, wrong = logits(score_images(*images))
    np.testing.assert_allclose(four, three, atol=2e-3)
    assert not np.allclose(four, wrong, atol=5e-3)


def test_a_turned_photograph_gives_what_the_upright_one_gives(
    score_images: Callable[..., Outcome],
) -> None:
    upright, exif = gray(4), Pillow.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned to the right
    turned = Pillow.fromarray(np.ascontiguousarray(np.rot90(upright)))
    images = [encoded(turned, exif=exif), encoded(Pillow.fromarray(upright)), encoded(turned)]
    noted, expected, lying = logits(score_images(*images))
    np.testing.assert_allclose(noted, expected, atol=1e-6)
    assert not np.allclose(noted, lying, atol=1e-3)
