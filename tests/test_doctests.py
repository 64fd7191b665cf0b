"""Examples in docstrings are true."""

import doctest
import importlib
import linecache
from pathlib import Path
from types import ModuleType

import torch  # noqa: F401 - its first import starts ldconfig, and a test that is no program's starts none

from tests.support.repository import REPOSITORY

ROOMS = ("configs", "storage", "transforms", "model_zoo", "pipelines")
# As many as there were when this was written: a finder that overlooks some would find fewer.
EXAMPLES = 124


def test_every_example_in_a_docstring_gives_what_it_says() -> None:
    found, wrong = 0, list[str]()
    finder, runner = doctest.DocTestFinder(exclude_empty=True), doctest.DocTestRunner(verbose=False)
    groups = [group for path in files_with_examples() for group in finder.find(module_at(path))]
    # The finder has read every source, and the runner's debugger asks of each of them whether it has changed.
    linecache.clearcache()
    for group in groups:
        found += len(group.examples)
        runner.run(group, out=wrong.append)
    assert wrong == [], "".join(wrong)
    assert found >= EXAMPLES


def files_with_examples() -> list[Path]:
    """Return the files that hold a prompt; in all others a finder would look at each function for nothing."""
    files = (path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))
    return sorted(path for path in files if ">>>" in path.read_text())


def module_at(path: Path) -> ModuleType:
    relative = path.relative_to(REPOSITORY).with_suffix("")
    parts = relative.parts[:-1] if relative.name == "__init__" else relative.parts
    return importlib.import_module(".".join(parts))
