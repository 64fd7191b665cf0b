"""Folders of pictures as rows: what class each is of, what cannot be read, and a step that suits them."""

import io
from pathlib import Path
from typing import Any

from PIL import Image
import pyarrow as pa
import pytest

from configs.errors import InputError
from pipelines.training.picture_folders import describe_step, read_picture_folders


def picture(size: tuple[int, int] = (5, 7), mode: str = "RGB") -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size).save(sink, "PNG")
    return sink.getvalue()


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())


def test_a_picture_is_of_the_class_of_its_folder_however_deep(tmp_path: Path) -> None:
    write(tmp_path, "cat/1.png", "cat/more/2.png", "dog/3.png", "beside.png", "cat/notes.txt")
    table, notes = read_picture_folders([str(tmp_path)])
    labels = dict(zip(table["path"].to_pylist(), table["label"].to_pylist(), strict=True))
    assert labels == {
        "cat/1.png": "cat",
        "cat/more/2.png": "cat",
        "dog/3.png": "dog",
        "beside.png": None,
    }
    assert set(table["bytes"].to_pylist()) == {picture()}
    assert notes == ()


def test_folders_without_a_picture_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "cat/notes.txt")
    with pytest.raises(InputError):
        read_picture_folders([str(tmp_path)])


def test_what_cannot_be_read_is_counted(tmp_path: Path) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(picture())
    folder = tmp_path / "in"
    write(folder, "cat/1.png")
    (folder / "cat/2.png").symlink_to(outside)
    table, (note,) = read_picture_folders([str(folder)])
    assert table["path"].to_pylist() == ["cat/1.png"]
    assert note.startswith("1 files cannot be read, the first: ")
    (folder / "cat/1.png").unlink()
    with pytest.raises(InputError, match="no picture can be read, the first: "):
        read_picture_folders([str(folder)])


def step_of(*contents: bytes | None, takes_grey: bool = True) -> Any:
    return describe_step(pa.chunked_array([pa.array(contents, pa.binary())]), takes_grey)


@pytest.mark.parametrize(
    ("sizes", "height", "width"),
    [
        ([(5, 7)], 7, 5),
        ([(5, 7), (5, 7)], 7, 5),
        # Of several sizes, and of large ones, the usual one.
        ([(5, 7), (7, 5)], 64, 64),
        ([(64, 64)], 64, 64),
        ([(65, 20)], 20, 64),
        ([(20, 200)], 64, 20),
    ],
)
def test_pictures_keep_their_size_where_all_have_one(
    sizes: list[tuple[int, int]], height: int, width: int
) -> None:
    step = step_of(*[picture(size) for size in sizes], None, b"none")
    assert (step["height"], step["width"]) == (height, width)


@pytest.mark.parametrize(
    ("modes", "takes_grey", "mode"),
    [
        (["L"], True, "L"),
        (["L", "L"], True, "L"),
        (["L"], False, "RGB"),
        (["L", "RGB"], True, "RGB"),
        (["RGB"], True, "RGB"),
    ],
)
def test_pictures_are_grey_where_all_are_and_the_network_takes_that(
    modes: list[str], takes_grey: bool, mode: str
) -> None:
    step = step_of(*[picture(mode=m) for m in modes], takes_grey=takes_grey)
    assert step["mode"] == mode
    assert len(step["mean"]) == len(step["std"]) == (1 if mode == "L" else 3)


def test_a_hundred_pictures_are_looked_at() -> None:
    same = [picture()] * 100
    assert step_of(*same, picture((9, 9)))["height"] == 7
    assert step_of(*same[:99], picture((9, 9)))["height"] == 64
