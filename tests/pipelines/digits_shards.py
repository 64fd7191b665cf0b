"""Shards of digits of which some images are broken."""

from pathlib import Path
import shutil

import pyarrow as pa
import pyarrow.parquet as pq


def broken_digits(digits: Path, target: Path, bad: dict[int, bytes | None]) -> list[int]:
    """Copy the digits shards with some images of shard 1 replaced, and return the keys of those rows.

    Args:
        digits: the folder of the fixture of that name.
        target: folder of the copy, which is not there yet.
        bad: by position in the shard, what takes the place of the image.
    """
    shutil.copytree(digits / "shards", target)
    path = target / "part-00001.parquet"
    rows = pq.read_table(path)
    images = rows["image"].to_pylist()
    for position, image in bad.items():
        images[position] = image
    pq.write_table(rows.set_column(1, "image", pa.array(images, type=pa.binary())), path)
    return [rows["id"][p].as_py() for p in bad]
