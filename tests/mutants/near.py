"""Test files that are about a file of ours: by their names, or because they import it, or what imports it."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.mutants.mutations import REPOSITORY, ROOMS

# So many that several are about it, and so few that each mutation takes seconds.
_FEWEST_FILES, _MOST_FILES = 4, 8
# From the test to the file: imports of imports.
_MOST_STEPS = 3
# What starts programs alone.
_NEVER_QUICK = ("flink", "object_stores", "dataflow", "benchmarks", "mutants")


def own_test_files(file: str, root: Path = REPOSITORY) -> tuple[str, ...]:
    """Return the test files that mirror a file of a room, whose names may say of what of it they are.

    >>> own_test_files("storage/lock.py")
    ('tests/storage/test_lock.py',)
    """
    mirrored = Path("tests", file)
    folder = root / mirrored.parent
    siblings = sorted(Path(file).stem for file in (root / file).parent.glob("*.py"))
    found = []
    for path in sorted(folder.glob(f"test_{mirrored.stem}*.py")):
        name = path.stem.removeprefix("test_")
        # `test_csv_output_sizes.py` is about `csv_output.py`, and not about `csv.py`.
        alike = [s for s in siblings if name == s or name.startswith(f"{s}_")]
        if max(alike, key=len, default="") == mirrored.stem:
            found.append(path.relative_to(root).as_posix())
    return tuple(found)


def near_test_files(file: str, root: Path = REPOSITORY) -> tuple[str, ...]:
    """Return the other test files that are nearest by what they import, those of its room first."""
    module = _name_module(Path(file))
    imports = _read_imports(root)
    known, level = {module}, {module}
    found: list[str] = []
    for _ in range(_MOST_STEPS):
        here = sorted(test for test, names in imports.tests.items() if not names.isdisjoint(level))
        others = [test for test in here if test not in (*found, *own_test_files(file, root))]
        of_room = [test for test in others if test.split("/")[1] == file.split("/")[0]]
        found += of_room or others
        if len(found) >= _FEWEST_FILES:
            break
        level = {user for name in level for user in imports.users[name]} - known
        known |= level
    return tuple(found[:_MOST_FILES])


def importing_test_files(file: str, root: Path = REPOSITORY) -> frozenset[str]:
    """Return the test files that import a file of a room themselves, as those do that look at its constants."""
    module = _name_module(Path(file))
    tests = _read_imports(root).tests
    return frozenset(test for test, names in tests.items() if module in names)


class _Imports:
    """What files import.

    Attributes:
        tests: names that each test file imports.
        users: modules of ours by the name that they import.
    """

    def __init__(self, root: Path) -> None:
        self.tests: dict[str, set[str]] = {}
        self.users: dict[str, set[str]] = defaultdict(set)
        for path in (path for room in ROOMS for path in (root / room).rglob("*.py")):
            for name in _list_imported(path):
                self.users[name].add(_name_module(path.relative_to(root)))
        for path in (root / "tests").rglob("test_*.py"):
            below = path.relative_to(root)
            if below.parts[1] not in _NEVER_QUICK:
                self.tests[below.as_posix()] = set(_list_imported(path))


@cache
def _read_imports(root: Path) -> _Imports:
    return _Imports(root)


def _list_imported(path: Path) -> Iterator[str]:
    """Yield the modules that a file names, and whatever it takes from them, which may be modules."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _name_module(path: Path) -> str:
    return path.with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
