"""The shape of the code: which room may import which, how large things are, and that every package imports without a warning."""

import ast
from collections.abc import Iterator
from pathlib import Path
import subprocess
import sys

import pytest

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
    "transforms.columns": {"transforms.images"},
    "transforms.postprocess": {"transforms.where"},
    "transforms.read": {"transforms.read_csv"},
    "transforms.read_csv": {"transforms.csv_text"},
    "transforms.write": {"transforms.part_file"},
    "transforms.part_file": {"transforms.write_csv"},
    "transforms.publish": {"transforms.manifest", "transforms.write"},
}
FOUNDATION = {"transforms.batches", "transforms.plan_file", "transforms.rejected", "transforms.timing"}
FORBIDDEN = {"configs": {"apache_beam", "torch", "pyarrow"}, "model_zoo": {"apache_beam"}, "storage": {"apache_beam", "torch"}}


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
