"""What the makers of inputs share: a folder that is there whole or not at all, and their command line."""

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
import shutil


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to fill, which gets its name once the block has ended well."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    yield partial
    partial.rename(target)


def make(
    make_shards: Callable[[Path, int, int], None], make_package: Callable[[Path], None]
) -> None:
    """Read the command line `FOLDER --sizes ROWS/SHARDS ...`, and make what is not there yet."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--sizes", nargs="+", required=True, metavar="ROWS/SHARDS")
    arguments = parser.parse_args()
    for size in arguments.sizes:
        rows, shards = map(int, size.split("/"))
        if not (arguments.folder / f"rows-{rows}-{shards}").exists():
            make_shards(arguments.folder, rows, shards)
    if not is_whole(arguments.folder / "package"):
        make_package(arguments.folder)


def is_whole(package: Path) -> bool:
    """Tell whether a package is there, with a graph for other engines where this environment can make one."""
    if not (package / "model.yaml").exists():
        return False
    if (package / "model.onnx").exists():
        return True
    # Only now, as it imports torch.
    from tests.benchmarks.graphs import list_absent

    return bool(list_absent())
