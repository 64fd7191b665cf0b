"""A model package is its own folder's plain files, every byte as the card lists it; and its card and smoke batch stay small."""

from collections.abc import Callable
import os
from pathlib import Path
import shutil
import stat

import numpy as np
import pyarrow as pa
import pytest
import yaml

from configs.errors import ModelError
from model_zoo.package.package import CARD, SMOKE, read_package
from tests.security import hostile
from tests.security.refusals import Shown, refused
from tests.security.yaml_bombs import BOMBS
from tests.support.builders import parquet, tiny_package

Score = Callable[..., Shown]
FLIPS = 20


@pytest.fixture
def package(tmp_path: Path) -> Path:
    return Path(tiny_package(tmp_path / "model"))


def refusal(url: Path | str) -> str:
    with pytest.raises(ModelError) as caught:
        read_package(str(url))
    return str(caught.value)


def places(size: int) -> list[int]:
    """Where to flip: from all over the file, first and last byte among them."""
    return np.linspace(0, size - 1, FLIPS, dtype=np.int64).tolist()


@pytest.mark.parametrize("name", ["weights.safetensors", "preprocess.json", SMOKE])
def test_one_flipped_bit_anywhere_is_found(name: str, package: Path) -> None:
    good = (package / name).read_bytes()
    for at in places(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1 << (at % 8)
        (package / name).write_bytes(bad)
        assert f"{name}: its content is not what {CARD} lists" in refusal(package)
    (package / name).write_bytes(good)
    read_package(str(package))


def test_one_flipped_bit_of_the_card_is_another_package_or_none(package: Path) -> None:
    good = (package / CARD).read_bytes()
    digest = read_package(str(package)).digest
    for at in places(len(good)):
        bad = bytearray(good)
        bad[at] ^= 1
        (package / CARD).write_bytes(bad)
        with pytest.raises(ModelError, match="changed since the run was planned"):
            read_package(str(package), digest)


@pytest.mark.parametrize("name", [CARD, "weights.safetensors", SMOKE])
def test_links_are_refused_but_the_folder_may_be_one(
    name: str, package: Path, score_with: Score, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(package)
    assert read_package(str(tmp_path / "link")).card.name == "tiny"
    shutil.move(package / name, tmp_path / name)
    (package / name).symlink_to(tmp_path / name)
    assert f"{name}: cannot be read: it is a link" in refused(score_with(package))


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")],
    ids=["pipe", "folder", "device"],
)
@pytest.mark.parametrize("name", [CARD, "weights.safetensors"])
def test_what_is_no_file_is_refused_at_once(
    name: str, make: Callable[[Path], object], package: Path
) -> None:
    (package / name).unlink()
    make(package / name)
    assert f"{name}: cannot be read: it is " in refusal(package)


@pytest.mark.parametrize(
    "name",
    [
        "../secret",
        "/etc/passwd",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "a\0b",
        "a\nb",
        ".hidden",
        "\x1b[31m",
    ],
)
def test_a_card_lists_plain_names_only(name: str, package: Path) -> None:
    card = yaml.safe_load((package / CARD).read_text())
    card["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    (package / CARD).write_text(yaml.safe_dump(card))
    assert "must be a plain name" in refusal(package)


@pytest.mark.parametrize(
    "weights", ["../weights.safetensors", "/etc/passwd", "s3://bucket/weights.pt", "model.yaml", ""]
)
def test_weights_are_a_listed_file(weights: str, package: Path) -> None:
    card = yaml.safe_load((package / CARD).read_text())
    (package / CARD).write_text(yaml.safe_dump({**card, "weights": weights}))
    assert f"does not list {weights}" in refusal(package)


def test_an_unlisted_file_is_refused_and_not_looked_at(
    package: Path, canary: Path, score_with: Score
) -> None:
    (package / "extra.pkl").write_bytes(hostile.pickled(hostile.Payload(canary)))
    assert "holds 'extra.pkl', which model.yaml does not list" in refused(score_with(package))
    assert not canary.exists()


def test_a_file_larger_than_listed_is_not_read_to_its_end(package: Path) -> None:
    with open(package / "weights.safetensors", "r+b") as file:
        file.truncate(1 << 40)
    assert "size or sha256 differs" in refusal(package)


@pytest.mark.parametrize("kind", BOMBS)
def test_a_card_that_would_explode_is_refused(
    kind: str, package: Path, score_with: Score, tmp_path: Path
) -> None:
    (package / CARD).write_text(BOMBS[kind])
    assert "not a valid model card" in refused(score_with(package))
    assert not Path("canary").exists()


@pytest.mark.slow
def test_a_smoke_batch_that_would_fill_memory_is_refused(tmp_path: Path) -> None:
    numbers = pa.array(np.zeros(40_000_000))
    lists = pa.ListArray.from_arrays(
        pa.array(np.arange(0, 40_000_001, 100_000, dtype=np.int32)), numbers
    )
    texts = pa.array(["x" * (1 << 20)] * 300)
    for name, column in (("lists", lists), ("texts", texts)):
        content = parquet(pa.table({name: column}))
        assert len(content) < 2 << 20
        url = tiny_package(tmp_path / name, contents={SMOKE: content})
        with pytest.raises(ModelError, match="a smoke batch is a few rows"):
            read_package(url)


def test_arrow_types_that_once_unpickled_run_nothing(
    tmp_path: Path, canary: Path, score_with: Score
) -> None:
    """Arrow before 14.0.1 unpickled the metadata of such an extension type (CVE-2023-47248)."""
    payload = {
        b"ARROW:extension:name": b"arrow.py_extension_type",
        b"ARROW:extension:metadata": hostile.pickled(hostile.Payload(canary)),
    }
    field = pa.field("a", pa.float32(), metadata=payload)
    content = parquet(pa.table([pa.array([0.0], pa.float32())], schema=pa.schema([field])))
    refused(score_with(tiny_package(tmp_path / "model", contents={SMOKE: content})))
    assert not canary.exists()


def test_a_package_is_not_for_everybody(package: Path) -> None:
    for path in package.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o137 == 0
