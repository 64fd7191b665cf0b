"""Trees that are written by hand, as a graph, against a walk through them; `test_tree_models.py` packs files."""

import math
from pathlib import Path
import subprocess
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from configs.errors import JobError  # noqa: E402
from pipelines.packing.converters import trees  # noqa: E402
from pipelines.packing.converters.converted import OwnForm  # noqa: E402
from pipelines.packing.converters.trees import (  # noqa: E402
    Forest,
    Node,
    TreeGraph,
    choose_features,
    find_file,
    to_converted,
)

SMALL = 1e-3
# Around each threshold that is asked for here, and around what is taken for 0.
VALUES = [-2.0, -SMALL, -SMALL / 2, 0.0, SMALL, 2 * SMALL, 0.5, np.nextafter(0.5, 1), 1, 2, 5, 7]
VALUES.append(math.nan)
ROWS = np.array([[a, b] for a in VALUES for b in VALUES])


def walk(node: Node | float, row: np.ndarray) -> float:
    """Return the leaf of a row, question by question."""
    if not isinstance(node, Node):
        return node
    value = row[node.column]
    if math.isnan(value):
        goes_left = node.missing_left
    elif node.mode == "in":
        goes_left = value in node.members
    elif node.mode == "<":
        goes_left = value < node.threshold
    else:
        goes_left = value <= node.threshold
    return walk(node.left if goes_left else node.right, row)


def compute(forest: Forest, base: list[float], is_log: bool = False) -> np.ndarray:
    """Compute a forest's graph with ONNX Runtime."""
    graph = forest.make_graph(2, base, "y", is_log)
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = ROWS.astype(forest.dtype)
    (scores,) = session.run(["y"], {"x": rows})
    assert scores.dtype == forest.dtype
    return scores


def sum_up(forest: Forest, base: list[float]) -> np.ndarray:
    """Return the sums of leaves by walks."""
    sums = np.tile(np.array(base), (len(ROWS), 1))
    for place, row in enumerate(ROWS.astype(forest.dtype)):
        asked = row
        if forest.zero_up_to is not None:
            asked = np.where(np.abs(row) <= forest.zero_up_to, 0.0, row)
        for target, tree in forest.trees:
            sums[place, target] += walk(tree, asked)
    return sums


DEEP = Node(
    0,
    "<",
    0.5,
    True,
    left=Node(1, "<", 1.0, False, left=1.0, right=2.0),
    right=Node(1, "<", 2.0, True, left=Node(0, "<", 2.0, False, 4.0, 8.0), right=16.0),
)
CATEGORIES = Node(
    1,
    "in",
    0.0,
    False,
    left=32.0,
    right=Node(0, "in", 0.0, False, 64.0, 128.0, members=(2, 5)),
    members=(1, 7),
)
CLOSED = Node(0, "<=", 0.5, False, left=0.25, right=Node(1, "<=", 0.0, True, 512.0, 1024.0))


@pytest.mark.parametrize(
    "forest",
    [
        Forest("float32", [(0, DEEP)]),
        Forest("float32", [(0, DEEP), (0, 256.0)]),
        Forest("float64", [(0, CLOSED), (0, CATEGORIES)]),
        # Trees of several classes, whose nodes are numbered through.
        Forest("float64", [(1, DEEP), (0, CATEGORIES), (2, 3.0), (1, CLOSED)], classes=3),
        Forest("float64", [(0, CLOSED)], zero_up_to=SMALL),
        # A tree of one leaf, whatever the value that it asks for.
        Forest("float32", [(0, 5.0)]),
    ],
)
def test_a_graph_goes_the_ways_of_its_trees(forest: Forest) -> None:
    base = [0.5 * number for number in range(forest.classes)]
    expected = sum_up(forest, base)
    assert len(np.unique(expected)) > 1 or not isinstance(forest.trees[0][1], Node)
    np.testing.assert_array_equal(compute(forest, base), expected)


def test_sums_of_logarithms_are_made_numbers() -> None:
    forest = Forest("float64", [(0, Node(0, "<", 0.5, True, -1.0, 2.0))])
    expected = np.exp(sum_up(forest, [0.25]))
    np.testing.assert_allclose(compute(forest, [0.25], is_log=True), expected, rtol=1e-12)


def test_trees_may_be_deeper_than_pythons_stack() -> None:
    tree: Node | float = 0.0
    for depth in range(2000):
        tree = Node(0, "<", float(depth), False, left=float(depth), right=tree)
    lists = trees._Lists()
    lists.add_tree(tree, 0)
    # Each node leads to its leaf and to the next node; the last one to two leaves, the right one first.
    assert lists.lefts == [*range(1999), 2000]
    assert lists.rights == [*range(1, 2000), 1999]
    assert sum(lists.right_is_leaf) == 1


def test_what_a_package_keeps_of_a_forest() -> None:
    graph = TreeGraph(None, "sigmoid", "margin", "a note")
    own = OwnForm("xgboost", b"x")
    kept = to_converted(graph, ("a", "b"), "float32", "XGBoost", lambda *_: {}, own)
    assert kept.inputs == {"x": ("a", "b")}
    assert kept.takes_missing == {"a", "b"}
    assert kept.notes == ("a note",)
    assert graph.factor == 1.0


@pytest.mark.parametrize(
    ("names", "columns", "count", "expected"),
    [
        (["b", "a"], ["a", "b", "c"], 2, ("b", "a")),
        (None, ["b", "a"], 2, ("b", "a")),
        ([], ["b", "a"], 2, ("b", "a")),
    ],
)
def test_columns_are_the_models_or_all_of_the_samples(
    names: list[str] | None, columns: list[str], count: int, expected: tuple[str, ...]
) -> None:
    assert choose_features(names, columns, count) == expected


@pytest.mark.parametrize(
    ("names", "count", "why"),
    [
        (["a", "x", "y"], 3, r"that the sample lacks: x, y; .* there are a, b$"),
        (None, 1, r"takes 1 columns .* the sample has 2: a, b;"),
        (None, 3, r"takes 3 columns .* the sample has 2: a, b;"),
    ],
)
def test_other_columns_are_asked_for_by_name(names: list[str] | None, count: int, why: str) -> None:
    with pytest.raises(JobError, match=why):
        choose_features(names, ["a", "b"], count)


def test_a_file_that_a_process_reads_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.txt"
    path.touch()
    started: list[Any] = []

    def run(command: list[str], **options: Any) -> Any:
        started.append((command, options))
        return SimpleNamespace(returncode=0, stderr="a warning")

    monkeypatch.setattr(subprocess, "run", run)
    assert find_file("xgboost", str(path), "read(path)") == path
    (((*_, program, given), options),) = started
    assert program == "import sys; path = sys.argv[1]; read(path)"
    assert given == str(path)
    # What it writes is looked through, and how it ends is no error of this program's.
    assert options["capture_output"]
    assert options["text"]
    assert not options["check"]
    with pytest.raises(JobError, match=r"^xgboost .*other: there is no such file$"):
        find_file("xgboost", str(tmp_path / "other"), "read(path)")
    # A folder is none either.
    with pytest.raises(JobError, match="there is no such file"):
        find_file("xgboost", str(tmp_path), "read(path)")
    assert len(started) == 1


@pytest.mark.parametrize(
    ("status", "stderr", "reason"),
    [
        (-11, "", "its process ended with -11"),
        (1, " \n", "its process ended with 1"),
        (1, "Traceback\n  File x\nValueError: no tree\n", "ValueError: no tree"),
        (1, "xgboost.core.XGBoostError: torn\nStack trace:\n [bt] 7\n", "xgboost.core.*: torn"),
        (1, "killed\nby hand", "by hand"),
        (1, "ValueError: first\nKeyError: last\nTail", "KeyError: last"),
    ],
)
def test_what_ends_the_librarys_process_is_told_in_a_line(
    status: int, stderr: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.txt"
    path.touch()
    done = SimpleNamespace(returncode=status, stderr=stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(JobError, match=f"the library does not read it: {reason}$"):
        find_file("xgboost", str(path), "read(path)")


@pytest.mark.program
def test_words_of_the_library_may_hold_bytes_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "m.txt"
    path.touch()
    torn = r"import os; os.write(2, b'ValueError: tree \xd0('); os._exit(1)"
    with pytest.raises(JobError, match="the library does not read it: ValueError: tree \ufffd"):
        find_file("xgboost", str(path), torn)


def test_a_long_reason_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.txt"
    path.touch()
    done = SimpleNamespace(returncode=1, stderr="ValueError: " + "x" * 300)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(JobError) as refused:
        find_file("xgboost", str(path), "read(path)")
    _, _, reason = str(refused.value).partition("does not read it: ")
    assert reason == "ValueError: " + "x" * 188
