"""Folders of pictures, in a folder for each class, as rows: `cats/1.png` is a row of the class `cats`."""

from collections.abc import Sequence
import io

from PIL import Image as Pillow
from PIL import UnidentifiedImageError
import pyarrow as pa

from configs.errors import InputError, RowError
from configs.fields import PICTURES, Fields
from pipelines.planning.folders import list_folders
from storage import files
from storage.input_file import find_name
from storage.rooted import FileRoot

KEY = "path"
LABEL = "label"
CONTENT = "bytes"
# Pictures of other sizes are made so by default: enough to tell classes, few enough to learn from.
_SIDE = 64
_LOOKED_AT = 100
_SCHEMA = pa.schema(
    {
        KEY: pa.string(),
        LABEL: pa.string(),
        CONTENT: pa.binary(),
    }
)


def read_picture_folders(paths: Sequence[str]) -> tuple[pa.Table, tuple[str, ...]]:
    """Return a row for each picture, and what was left out, in words.

    Args:
        paths: folders that hold a folder for each class.

    Raises:
        InputError: there is no picture, or one that is in no folder of a class.
    """
    absolute = [files.to_absolute(path) for path in paths]
    folders, _ = list_folders(absolute, recursive=True, options={"suffixes": PICTURES})
    rows: list[Fields] = []
    problems: list[str] = []
    for folder in folders:
        root = FileRoot(folder.url)
        for member in folder.members:
            name = find_name(folder, member)
            try:
                described = root.describe(name)
                content = root.read(described)
            except (OSError, RowError) as error:
                problems.append(root.explain(error, name))
                continue
            # Whatever is below a class's folder is of that class.
            label, slash, _ = name.partition("/")
            # Beside the folders of the classes it is of none of them.
            of_class = label if slash else None
            rows.append({KEY: name, LABEL: of_class, CONTENT: content})
    if not rows:
        listed = ", ".join(paths)
        reason = f", the first: {problems[0]}" if problems else ""
        raise InputError(f"data.paths {listed}: no picture can be read{reason}")
    notes = []
    if problems:
        notes.append(f"{len(problems):,} files cannot be read, the first: {problems[0]}")
    table = pa.Table.from_pylist(rows, _SCHEMA)
    return table, tuple(notes)


def describe_step(pictures: pa.ChunkedArray, takes_grey: bool) -> Fields:
    """Return an image step that suits pictures, as a job says it.

    Args:
        pictures: their contents.
        takes_grey: whether the network may have one channel; those of libraries have three.
    """
    modes = set()
    sizes = set()
    for content in pictures[:_LOOKED_AT].to_pylist():
        # A row without a picture is read as an empty file, which is none.
        encoded = io.BytesIO(content or b"")
        try:
            with Pillow.open(encoded) as picture:
                modes.add(picture.mode)
                sizes.add(picture.size)
        except (OSError, UnidentifiedImageError):
            # Such a row is left out where it is decoded, and counted.
            continue
    width = height = _SIDE
    if len(sizes) == 1:
        ((width, height),) = sizes
    is_grey = takes_grey and modes == {"L"}
    channels = 1 if is_grey else 3
    return {
        "step": "image",
        "column": CONTENT,
        "into": "image",
        "height": min(height, _SIDE),
        "width": min(width, _SIDE),
        "mode": "L" if is_grey else "RGB",
        "mean": [0.5] * channels,
        "std": [0.5] * channels,
    }
