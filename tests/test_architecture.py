"""The shape of the code: which room may import which, how large things are, and that every package imports without a warning."""

import ast
from collections.abc import Callable, Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path
import re
import subprocess
import sys
from typing import TypeVar

import pytest

from tests.code_shape import find_longest_chain, may_import_tests, nodes_of, read_imports
from tests.faults.steps import LOOKS, steps_of
from tests.format_parts import FORMAT_PARTS
from tests.support.repository import REPOSITORY
from tests.support.siblings import (
    FOUNDATION_OF_LAKES,
    SIBLINGS_OF_CSV,
    SIBLINGS_OF_LAKES,
    SIBLINGS_OF_SUMMARIES,
)

Node = TypeVar("Node", bound=ast.AST)
ROOMS = ("configs", "model_zoo", "pipelines", "storage", "transforms")
FILES = sorted(path for room in ROOMS for path in (REPOSITORY / room).rglob("*.py"))
TESTS = sorted((REPOSITORY / "tests").rglob("*.py"))

# configs is the vocabulary: its errors and messages are words for every room, but a Job is seen by pipelines alone.
MAY_IMPORT = {
    "configs": {"configs"},
    "storage": {"storage", "configs.errors"},
    "model_zoo": {
        "model_zoo",
        "storage.files",
        "storage.parquet_chunks",
        "storage.parquet_depth",
        "configs.errors",
        "configs.fields",
        "configs.redaction",
        "configs.safe_yaml",
        "configs.suggest",
        "configs.tolerance",
        "configs.user_code",
    },
    "transforms": {
        "transforms",
        "storage",
        "configs.errors",
        "configs.lookalikes",
        "configs.redaction",
        "configs.several_refusals",
        "configs.suggest",
        "configs.user_code",
        "model_zoo.activations",
        "model_zoo.arrays",
        "model_zoo.engines.child",
        "model_zoo.evaluation",
        "model_zoo.halving",
        "model_zoo.package.card",
        "model_zoo.scoring.listener",
        "model_zoo.scoring.scored",
        "model_zoo.steps",
        "model_zoo.tensor_columns",
    },
    "pipelines": {"pipelines", "transforms", "model_zoo", "storage", "configs"},
}
# Transforms and steps know little of each other: beside the edges' own types and the stage clock, each imports only the files that are
# parts of it, or that wrote what it reads.
APART = ("transforms.", "model_zoo.steps.")
SIBLINGS = {
    "transforms.announce": {"transforms.output.published_files"},
    "transforms.postprocess": {
        "transforms.output.partitioned_rows",
        "transforms.postprocess_rows",
        "transforms.written_columns",
        "transforms.score_columns",
        "transforms.source_columns",
        "transforms.scores.options",
        "transforms.token_places",
    },
    "transforms.postprocess_rows": {
        "transforms.score_columns",
        "transforms.scores.options",
        "transforms.scores.tokens",
        "transforms.where",
        "transforms.written_columns",
    },
    "transforms.written_columns": {"transforms.scores.options"},
    "transforms.score_columns": {
        f"transforms.scores.{kind}"
        for kind in ("classes", "label_sets", "makers", "numbers", "options", "tokens")
    },
    "transforms.token_places": {"transforms.scores.tokens"},
    **{
        f"transforms.scores.{kind}": {"transforms.scores.makers"}
        for kind in ("classes", "label_sets", "numbers", "tokens")
    },
    "transforms.predict": {"transforms.output.progress_note"},
    "transforms.read": {
        "transforms.formats.read_ahead",
        "transforms.output.done_record",
        "transforms.read_unit",
    },
    "transforms.read_unit": {"transforms.lost_rows", "transforms.shards_together"},
    "transforms.write": {"transforms.output.done_record", "transforms.output.part_writer"},
    **SIBLINGS_OF_CSV,
    **SIBLINGS_OF_SUMMARIES,
    "transforms.formats.parquet_ways": {
        "transforms.formats.checked_rows",
        "transforms.formats.parquet_int96",
    },
    "transforms.formats.parquet_inspection": {
        "transforms.formats.parquet_footer",
        "transforms.formats.parquet_prefix",
    },
    "transforms.formats.parquet_layout": {
        f"transforms.formats.parquet_{part}" for part in ("footer", "int96", "sizes", "ways")
    },
    "transforms.formats.csv_blocks": {
        f"transforms.formats.csv_{part}"
        for part in ("bytes", "dialect", "fields", "numbers", "record_reader", "records", "text")
    },
    "transforms.formats.csv_record_reader": {
        f"transforms.formats.csv_{part}" for part in ("dialect", "records", "text")
    },
    "transforms.formats.csv_fields": {
        "transforms.formats.csv_dialect",
        "transforms.formats.csv_numbers",
        "transforms.formats.csv_records",
    },
    "transforms.formats.csv_records": {
        "transforms.formats.csv_bits",
        "transforms.formats.csv_dialect",
        "transforms.formats.csv_quotes",
    },
    "transforms.formats.csv_quotes": {
        "transforms.formats.csv_bits",
        "transforms.formats.csv_dialect",
    },
    "transforms.formats.csv_bytes": {"transforms.formats.csv_archives"},
    "transforms.formats.csv_split": {
        "transforms.formats.csv_archives",
        "transforms.formats.csv_bytes",
        "transforms.formats.csv_dialect",
    },
    "transforms.formats.csv_text": {
        "transforms.formats.csv_archives",
        "transforms.formats.csv_dialect",
    },
    **{
        f"transforms.formats.{name}": {f"transforms.formats.{part}" for part in parts}
        for name, parts in FORMAT_PARTS.items()
    },
    "transforms.formats.csv_table": {
        "transforms.formats.csv_blocks",
        "transforms.formats.csv_dialect",
        "transforms.formats.csv_values",
    },
    "transforms.formats.partitions": {
        "transforms.formats.constant_columns",
        "transforms.formats.csv_values",
    },
    "transforms.formats.filtered": {"transforms.where", "transforms.where_bounds"},
    **SIBLINGS_OF_LAKES,
    "transforms.formats.contents": {"transforms.formats.file_list", "transforms.formats.load"},
    "transforms.formats.files": {
        "transforms.formats.contents",
        "transforms.formats.file_list",
        "transforms.formats.load",
    },
    "transforms.formats.loading": {
        "transforms.formats.contents",
        "transforms.formats.file_list",
        "transforms.formats.load",
        "transforms.formats.row_spans",
    },
    "transforms.where": {"transforms.exact_comparison"},
    "transforms.where_bounds": {"transforms.exact_comparison", "transforms.where"},
    "transforms.output.part_writer": {
        "transforms.output.part_file",
        "transforms.output.partitioned_rows",
        "transforms.output.progress_note",
        "transforms.output.row_groups",
        "transforms.output.sorted_rows",
    },
    "transforms.output.sorted_rows": {"transforms.output.row_groups"},
    "transforms.output.books": {
        "transforms.output.done_record",
        "transforms.output.many_requests",
    },
    "transforms.output.published_files": {
        "transforms.formats.file_list",
        "transforms.output.many_requests",
    },
    # Each step that there is: a new one is its own file and its line there, and none here.
    "model_zoo.steps.table": {
        f"model_zoo.steps.{path.stem}" for path in (REPOSITORY / "model_zoo/steps").glob("*.py")
    },
    "model_zoo.steps.select": {"model_zoo.steps.feature_scores", "model_zoo.steps.fitting"},
    **{
        f"model_zoo.steps.{step}": {"model_zoo.steps.fitting"}
        for step in ("encode", "fill", "pca", "scale")
    },
}
FOUNDATION = {
    "transforms.batch_function",
    "transforms.batches",
    "transforms.bounds",
    "transforms.formats.changed",
    "transforms.formats.column",
    "transforms.formats.columns",
    "transforms.formats.csv_marks",
    "transforms.formats.csv_numbers",
    "transforms.formats.format",
    "transforms.formats.held_shards",
    "transforms.formats.output",
    "transforms.formats.read_failures",
    "transforms.formats.stored_parts",
    "transforms.formats.table",
    "transforms.formats.unchanged",
    "transforms.inside",
    "transforms.joined_types",
    *FOUNDATION_OF_LAKES,
    "transforms.logical_types",
    "transforms.model_types",
    "transforms.output.input_numbers",
    "transforms.output.plan_file",
    "transforms.publish_errors",
    "transforms.record_batches",
    "transforms.rejected",
    "transforms.row_bytes",
    "transforms.row_sizes",
    "transforms.on_beam",
    "transforms.shard_counts",
    "transforms.summaries.chosen_rows",
    "transforms.summaries.summary",
    "transforms.timing",
    "transforms.unit_members",
    "model_zoo.steps.arrays",
    "model_zoo.steps.categories",
    "model_zoo.steps.chosen_columns",
    "model_zoo.steps.columns",
    "model_zoo.steps.lists",
    "model_zoo.steps.missing",
    "model_zoo.steps.moments",
    "model_zoo.steps.step",
    "model_zoo.steps.target",
}
FORBIDDEN = {
    "configs": {"apache_beam", "torch", "pyarrow"},
    "model_zoo": {"apache_beam"},
    "storage": {"apache_beam", "torch"},
}

# Outside storage, what changes a file or folder without it, and why it may.
CHANGES_FILES = {
    "pipelines.cli.metrics_file.write_metrics": "one mode, for a file that storage has replaced",
    "model_zoo.package.cache.read_copy": "copies that nobody trusts unread: a lost or broken one is fetched again",
    "model_zoo.package.cache.private_folder": "as above",
    "model_zoo.package.cache._write_copy": "as above",
    "model_zoo.package.cache._drop_oldest": "as above",
    "model_zoo.package.cache.leave_mark": "a lost one lets what it stands for be done again",
    "pipelines.runners.beam_private._make_folder": "for Beam's own temporary files, of which none outlives the process",
    "pipelines.runners.beam_private._remove_own": "as above",
    "model_zoo.engines.torch_private._remove_unpacked": "torch's own temporary files, which torch would remove later",
    "model_zoo.engines.onnx_int8.quantise_graph": "as below",
    "model_zoo.engines.onnx_int8._quantise": "a graph for a library that reads and writes files, in a temporary folder of one call",
    "model_zoo.engines.compiled._compile": "machine code, which torch writes by itself, to a name of its own, and which any worker can make again",
}
# Libraries write to paths where they are given one; these are given a file that is open, or a place in memory.
WRITES_TO_A_SINK = {
    "model_zoo.training.digit_sets": {"image.save(sink"},
    "pipelines.training.held_out": {"pq.write_table(table, sink", "pacsv.write_csv(table, sink"},
    "pipelines.pages.drawing": {"figure.savefig(sink"},
    "transforms.output.part_file": {"self._writer.write_table(table"},
    "transforms.formats.orc_child": {"pa.FixedSizeBufferWriter(pa.py_buffer("},
    "transforms.formats.parquet_output": {"pq.ParquetWriter(sink", "pq.write_table(table, sink"},
    "transforms.output.broken_shards": {"writer.write_table(records"},
    "transforms.output.encoded_table": {"writer.write_table(table"},
    "transforms.formats.file_list": {
        "pq.ParquetWriter(self._sink",
        "self._writer.write_table(table",
    },
    "transforms.formats.arrow_ipc_output": {"pa.ipc.new_file(sink"},
    "transforms.formats.csv_output": {
        "self._writer.write_table(escaped",
        "pacsv.CSVWriter(sink",
    },
}
WRITERS = re.compile(
    r"(\w*Writer|dump|new_file|save\w*|to_csv|to_parquet|write_(csv|dataset|feather|table))"
)


@cache
def text_of(path: Path) -> str:
    return path.read_text()


def statements_of(path: Path) -> Iterator[ast.stmt]:
    """Every statement of a file, none of its expressions: a tenth of its nodes."""
    waiting: list[ast.AST] = [ast.parse(text_of(path))]
    while waiting:
        node = waiting.pop()
        # An `except` or a `case` holds statements, and is none.
        blocks = [value for value in vars(node).values() if isinstance(value, list)]
        waiting += [part for block in blocks for part in block if isinstance(part, _HOLDS)]
        if isinstance(node, ast.stmt):
            yield node


_HOLDS = (ast.stmt, ast.excepthandler, ast.match_case)


def nodes_of_kind(path: Path, kind: type[Node]) -> list[Node]:
    return [node for node in nodes_of(path) if isinstance(node, kind)]


def module(path: Path) -> str:
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield from (
                f"{node.module}.{alias.name}" if node.module in ROOMS else str(node.module)
                for alias in node.names
            )


def violations_in(paths: list[Path], check: Callable[[Path], Iterator[str]]) -> list[str]:
    """What a check has against each file, all of it at once."""
    return [f"{path.relative_to(REPOSITORY)}{what}" for path in paths for what in check(path)]


def test_files_are_found() -> None:
    assert len(FILES) > 80
    assert len(TESTS) > 100
    assert {path.parts[len(REPOSITORY.parts)] for path in FILES} == set(ROOMS)


def test_arrows_point_one_way() -> None:
    assert violations_in(FILES, wrong_imports) == [], "siblings stand here, and in format_parts.py"


def wrong_imports(path: Path) -> Iterator[str]:
    name = module(path)
    room = name.partition(".")[0]
    allowed = MAY_IMPORT[room]
    for target in imports(path):
        if target.partition(".")[0] in ROOMS:
            if not any(target == a or target.startswith(f"{a}.") for a in allowed):
                yield f" imports {target}"
            is_sibling = any(name.startswith(f) and target.startswith(f) for f in APART)
            if is_sibling and target not in FOUNDATION | SIBLINGS.get(name, set()):
                yield f" imports its sibling {target}"
        if target.partition(".")[0] in FORBIDDEN.get(room, set()):
            yield f" imports {target}"


def test_chains_of_imports_are_short() -> None:
    """Who reads a file follows its imports; a type that others need stands in a file that imports little."""
    imports = read_imports(REPOSITORY)
    # A program's own file holds flags, and imports what works once these are right; nobody imports it.
    programs = {f"pipelines.{path.stem}" for path in (REPOSITORY / "pipelines").glob("*.py")}
    below = {name: targets for name, targets in imports.items() if name not in programs}
    chain = find_longest_chain(below)
    assert len(chain) <= 9, " -> ".join(chain)


def test_files_and_functions_are_small() -> None:
    assert violations_in(FILES, large_parts) == []


def large_parts(path: Path) -> Iterator[str]:
    if text_of(path).count("\n") > 400:
        yield ": split it"
    for node in nodes_of_kind(path, ast.FunctionDef):
        body = node.body[1:] if ast.get_docstring(node) and len(node.body) > 1 else node.body
        lines = (node.end_lineno or 0) - body[0].lineno + 1
        if lines > 40:
            yield f":{node.lineno}: {node.name} has {lines} lines"


def test_functions_are_short_as_a_rule() -> None:
    sizes = sorted(
        (n.end_lineno or 0) - (n.body[1:] or n.body)[0].lineno + 1
        for path in FILES
        for n in nodes_of_kind(path, ast.FunctionDef)
    )
    assert sizes[len(sizes) // 2] <= 8
    assert sizes[len(sizes) * 9 // 10] <= 25


def test_files_of_tests_are_small() -> None:
    assert violations_in(TESTS, long_tests) == []


def long_tests(path: Path) -> Iterator[str]:
    lines = text_of(path).count("\n")
    if lines > 600:
        yield f" has {lines} lines, more than 600"


def test_no_future_annotations() -> None:
    """In the rooms and in tests."""
    assert violations_in([*FILES, *TESTS], future_imports) == []


def future_imports(path: Path) -> Iterator[str]:
    if "__future__" not in text_of(path):
        return
    yield from (f" imports {name}" for name in imports(path) if name.startswith("__future__"))


def test_nothing_beside_the_programs_has_a_librarys_name() -> None:
    """A launcher of templates runs `pipelines/score.py` by its path, and what lies beside it is then found first."""
    folder = REPOSITORY / "pipelines"
    names = {path.stem for path in folder.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert {"cli", "score"} < names
    # What Python itself writes everywhere.
    names -= {"__init__", "__pycache__"}
    assert [name for name in sorted(names) if is_of_a_library(name)] == []


def is_of_a_library(name: str) -> bool:
    """Whether the standard library has a module of this name, or a folder where packages are installed."""
    elsewhere = [entry for entry in sys.path if Path(entry).resolve() != REPOSITORY]
    return name in sys.stdlib_module_names or PathFinder.find_spec(name, elsewhere) is not None


@pytest.mark.parametrize("name", ["json", "torch", "pytest"])
def test_a_librarys_name_is_seen(name: str) -> None:
    assert is_of_a_library(name)


def test_no_test_module_is_imported() -> None:
    """What several of them share is in a module of its own; a test module is no library, and a conftest belongs to pytest."""
    assert violations_in(list(filter(may_import_tests, TESTS)), imported_test_modules) == []


def imported_test_modules(path: Path) -> Iterator[str]:
    importer, is_package = module(path), path.name == "__init__.py"
    names = {
        name
        for node in statements_of(path)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in modules_named_in(node, importer, is_package)
    }
    yield from (f" imports {name}" for name in sorted(names) if is_for_pytest(name))


def is_for_pytest(name: str) -> bool:
    """Whether a module is one that pytest finds by its name."""
    last = name.rpartition(".")[2]
    return last == "conftest" or last.startswith("test_")


def modules_named_in(node: ast.AST, importer: str, is_package: bool) -> Iterator[str]:
    """Modules of tests that an import may mean: `from tests.x import y` names `tests.x.y` if that is a file; relative ones are resolved."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        above = (
            importer.split(".")[: len(importer.split(".")) - node.level + is_package]
            if node.level
            else []
        )
        origin = ".".join([*above, *([node.module] if node.module else [])])
        names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
    else:
        return
    yield from (name for name in names if name.startswith("tests.") and is_module(name))


def is_module(name: str) -> bool:
    return (REPOSITORY / f"{name.replace('.', '/')}.py").exists()


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from tests.faults.test_disk import job", ["tests.faults.test_disk"]),
        (
            "import tests.faults.test_disk as disk, tests.conftest",
            ["tests.faults.test_disk", "tests.conftest"],
        ),
        ("from tests import conftest, support", ["tests.conftest"]),
        ("from . import conftest", ["tests.conftest"]),
        ("from .faults.conftest import world", ["tests.faults.conftest"]),
        ("from tests.faults.world import test_me, conftest", []),
    ],
)
def test_imports_of_test_modules_are_seen_however_they_are_written(
    line: str, found: list[str]
) -> None:
    (node,) = ast.parse(line).body
    assert [
        name
        for name in modules_named_in(node, "tests.test_a", is_package=False)
        if is_for_pytest(name)
    ] == found


@pytest.mark.program
def test_every_module_imports_without_a_warning_of_ours() -> None:
    """Warnings are errors, but for those that Beam and its own dependencies raise among themselves; nothing may be imported before."""
    modules = ", ".join(module(p) for p in FILES)
    code = f"import warnings, apache_beam, torch, sklearn\nwarnings.simplefilter('error')\nimport {modules}"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


def test_every_package_of_the_tree_is_installed() -> None:
    setup = (REPOSITORY / "setup.py").read_text()
    assert [room for room in ROOMS if f'"{room}"' not in setup] == []
    assert [path for path in FILES if not (path.parent / "__init__.py").exists()] == []


def test_only_storage_changes_files() -> None:
    """So that every such step is one of those at which the tests of faults kill, fail and look."""
    assert violations_in(FILES, changes_of_files) == [], "call storage.files instead"


def changes_of_files(path: Path) -> Iterator[str]:
    name = module(path)
    if not name.startswith("storage."):
        found = {
            step.name.partition(":")[0] for step in steps_of(text_of(path), name) if step.primitive
        }
        known = {place for place in CHANGES_FILES if place.rpartition(".")[0] == name}
        yield from (f": {place} changes files" for place in sorted(found - known))
        yield from (
            f": {place} changes no file, as CHANGES_FILES says" for place in sorted(known - found)
        )
    calls = [
        c
        for c in nodes_of_kind(path, ast.Call)
        if isinstance(c.func, ast.Attribute) and WRITERS.fullmatch(c.func.attr)
    ]
    writers = [ast.unparse(call) for call in calls]
    sinks = WRITES_TO_A_SINK.get(name, set())
    yield from (
        f": {sink} is not there"
        for sink in sorted(sinks)
        if not any(text.startswith(sink) for text in writers)
    )
    yield from (
        f": {text} may write to a path" for text in writers if not text.startswith(tuple(sinks))
    )


def test_what_changes_files_is_called_by_its_modules_name() -> None:
    """An alias, a function imported by name or passed on: none is seen by who looks for steps in the code."""
    assert violations_in(FILES, hidden_changes) == []


def hidden_changes(path: Path) -> Iterator[str]:
    nodes = nodes_of(path)
    imported = [
        (getattr(node, "module", None), alias)
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    for origin, alias in imported:
        if alias.name in LOOKS and alias.asname is not None:
            yield f": import {alias.name} as {alias.asname}"
        looks = LOOKS.get((origin or "").removeprefix("storage."), alias.name).split()
        if alias.name not in looks and not alias.name[0].isupper():
            yield f": from {origin} import {alias.name}"
    functions = {
        id(part) for node in nodes if isinstance(node, ast.Call) for part in ast.walk(node.func)
    }
    names = {alias.name for _, alias in imported} & set(LOOKS)
    for node in nodes_of_kind(path, ast.Attribute):
        if (
            isinstance(node.value, ast.Name)
            and node.value.id in names
            and id(node) not in functions
        ):
            harmless = [*LOOKS[node.value.id].split(), "devnull", "environ", "path", "pathsep"]
            if node.attr not in harmless and not node.attr.isupper():
                yield f":{node.lineno}: {ast.unparse(node)} is not called here"
