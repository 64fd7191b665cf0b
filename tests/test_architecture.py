"""The shape of the code: which room may import which, how large things are, and that every package imports without a warning."""

import ast
from collections.abc import Iterator
from pathlib import Path
import re
import subprocess
import sys

import pytest

from tests.faults.steps import LOOKS, steps_of

REPOSITORY = Path(__file__).parent.parent
ROOMS = ("configs", "model_zoo", "pipelines", "storage", "transforms")
FILES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))

# configs is the vocabulary: its errors, messages and steps are words for every room, but a Job is seen by pipelines alone.
MAY_IMPORT = {
    "configs": {"configs"},
    "storage": {"storage", "configs.errors"},
    "model_zoo": {"model_zoo", "configs.errors", "configs.messages", "configs.plain_yaml", "configs.steps"},
    "transforms": {"transforms", "storage", "configs.errors", "configs.messages", "configs.steps"},
    "pipelines": {"pipelines", "transforms", "model_zoo", "storage", "configs"},
}
# Beside the edges' own types and the stage clock, a transform imports only the files that are parts of it, or that wrote what it reads.
SIBLINGS = {
    "transforms.preprocess": {"transforms.columns"},
    "transforms.columns": {"transforms.images", "transforms.texts"},
    "transforms.postprocess": {"transforms.where"},
    "transforms.read": {"transforms.read_ahead", "transforms.read_csv"},
    "transforms.read_csv": {"transforms.csv_text"},
    "transforms.csv_text": {"transforms.csv_bytes"},
    "transforms.write": {"transforms.part_file"},
    "transforms.part_file": {"transforms.write_csv"},
    "transforms.publish": {"transforms.manifest", "transforms.write"},
}
FOUNDATION = {"transforms.batches", "transforms.plan_file", "transforms.rejected", "transforms.timing"}
FORBIDDEN = {"configs": {"apache_beam", "torch", "pyarrow"}, "model_zoo": {"apache_beam"}, "storage": {"apache_beam", "torch"}}

# Outside storage, what changes a file or folder without it, and why it may.
CHANGES_FILES = {
    "pipelines.metrics_file.write_metrics": "one mode, for a file that storage has replaced",
    "model_zoo.package.write_package": "training: model_zoo imports no storage, and a package without its card is none",
    "model_zoo.package._write": "as above; the card, which lists the others, is written last",
    "model_zoo.package_cache.cached": "copies that nobody trusts unread: a lost or broken one is fetched again",
    "model_zoo.package_cache.private_folder": "as above",
    "model_zoo.package_cache._write": "as above",
    "model_zoo.package_cache._make_room": "as above",
    "model_zoo.compiled._compile": "machine code, which torch writes by itself, to a name of its own, and which any worker can make again",
}
# Libraries write to paths where they are given one; these are given a file that is open, or a place in memory.
WRITES_TO_A_SINK = {
    "model_zoo.datasets": {"Image.fromarray(pixels).save(sink"},
    "pipelines.samples": {"pq.write_table(table, sink", "pacsv.write_csv(table, sink"},
    "transforms.part_file": {"self._writer.write_table(table", "pq.ParquetWriter(sink"},
    "transforms.write_csv": {"self._writer.write_table(self._escape(table)", "pacsv.CSVWriter(sink"},
}
WRITERS = re.compile(r"(\w*Writer|dump|new_file|save\w*|to_csv|to_parquet|write_(csv|dataset|feather|table))")


def module(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" if node.module in ROOMS else str(node.module) for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_arrows_point_one_way(path: Path) -> None:
    name = module(path)
    room = name.partition(".")[0]
    allowed = MAY_IMPORT[room] | ({"model_zoo"} if name == "transforms.predict" else set())
    for target in imports(path):
        if target.partition(".")[0] in ROOMS:
            assert any(target == a or target.startswith(f"{a}.") for a in allowed), f"{name} imports {target}"
            if room == "transforms" and target.startswith("transforms."):
                assert target in FOUNDATION | SIBLINGS.get(name, set()), f"{name} imports its sibling {target}"
        assert target.partition(".")[0] not in FORBIDDEN.get(room, set()), f"{name} imports {target}"


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_and_functions_are_small(path: Path) -> None:
    text = path.read_text()
    assert text.count("\n") <= 320, f"{path}: split it"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
            lines = (node.end_lineno or 0) - body[0].lineno + 1
            assert lines <= 40, f"{path}:{node.lineno}: {node.name} has {lines} lines"


def test_functions_are_short_as_a_rule() -> None:
    sizes = sorted(
        (n.end_lineno or 0) - (n.body[1:] or n.body)[0].lineno + 1
        for path in FILES
        for n in ast.walk(ast.parse(path.read_text()))
        if isinstance(n, ast.FunctionDef)
    )
    assert sizes[len(sizes) // 2] <= 8
    assert sizes[len(sizes) * 9 // 10] <= 25


@pytest.mark.parametrize("path", [*FILES, *sorted((REPOSITORY / "tests").rglob("*.py"))], ids=module)
def test_no_future_annotations(path: Path) -> None:
    assert not any(name.startswith("__future__") for name in imports(path))


def test_every_module_imports_without_a_warning_of_ours() -> None:
    """Warnings are errors, but for those that Beam and its own dependencies raise among themselves."""
    modules = ", ".join(module(p) for p in FILES)
    code = f"import warnings, apache_beam, torch, sklearn\nwarnings.simplefilter('error')\nimport {modules}"
    run = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_every_package_of_the_tree_is_installed() -> None:
    setup = (REPOSITORY / "setup.py").read_text()
    assert all(f'"{room}"' in setup for room in ROOMS)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_only_storage_changes_files(path: Path) -> None:
    """So that every such step is one of those at which the tests of faults kill, fail and look."""
    name = module(path)
    if not name.startswith("storage."):
        found = {step.name.partition(":")[0] for step in steps_of(path.read_text(), name) if step.primitive}
        assert found == {place for place in CHANGES_FILES if place.rpartition(".")[0] == name}, "call storage.files instead"
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    writers = [ast.unparse(c) for c in calls if isinstance(c.func, ast.Attribute) and WRITERS.fullmatch(c.func.attr)]
    sinks = WRITES_TO_A_SINK.get(name, set())
    assert {sink for text in writers for sink in sinks if text.startswith(sink)} == sinks
    assert [text for text in writers if not text.startswith(tuple(sinks))] == []


@pytest.mark.parametrize("path", FILES, ids=module)
def test_what_changes_files_is_called_by_its_modules_name(path: Path) -> None:
    """An alias, a function imported by name or passed on: none is seen by who looks for steps in the code."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    imported = [
        (getattr(node, "module", None), alias)
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    for origin, alias in imported:
        assert alias.name not in LOOKS or alias.asname is None, f"import {alias.name} as {alias.asname}"
        looks = LOOKS.get((origin or "").rpartition(".")[2], alias.name).split()
        assert alias.name in looks or alias.name[0].isupper(), f"from {origin} import {alias.name}"
    functions = {id(part) for node in nodes if isinstance(node, ast.Call) for part in ast.walk(node.func)}
    names = {alias.name for _, alias in imported} & set(LOOKS)
    for node in nodes:
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in names
            and id(node) not in functions
        ):
            harmless = [*LOOKS[node.value.id].split(), "devnull", "environ", "path", "pathsep"]
            assert node.attr in harmless or node.attr.isupper(), f"{path}:{node.lineno}: {ast.unparse(node)} is not called here"
