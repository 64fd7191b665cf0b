"""Trees -> an ONNX graph, number for number: every threshold, leaf and way of a missing value as it was.

One operator, TreeEnsemble of ai.onnx.ml 5, in the number type that the library itself compares in:

    x (rows, columns) -> TreeEnsemble: sum of leaves -> + base -> [Exp] -> output (rows, classes)

We write it ourselves: converters round the thresholds of trees in float64 to float32, and a row whose
value lies between the two takes another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
import subprocess
import sys
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from configs.errors import JobError
from pipelines.packing.converters.converted import Activation, Converted, Native
from storage import files

# How a node compares, as TreeEnsemble numbers it.
Mode: TypeAlias = Literal["<=", "<", "in"]
_MODES: dict[Mode, int] = {"<=": 0, "<": 1, "in": 6}
_SUM = 1
_OPSETS = (("", 20), ("ai.onnx.ml", 5))
_IR_VERSION = 10
_READ_SECONDS = 300


@dataclass(frozen=True)
class Node:
    """A question to a row; those whose answer is yes go left.

    Attributes:
        column: number of the column that is asked for.
        mode: how its value is compared with `threshold`, or that it is one of `members`.
        missing_left: whether a missing value goes left.
        left, right: the next question, or a leaf's value.
    """

    column: int
    mode: Mode
    threshold: float
    missing_left: bool
    left: "Node | float"
    right: "Node | float"
    members: tuple[int, ...] = ()


@dataclass
class Forest:
    """Trees, and the class that each of them adds to.

    Attributes:
        dtype: in which values are compared.
        trees: each with the number of its class.
        zero_up_to: the largest absolute value that is taken for 0; None where only 0 is.
    """

    dtype: str
    trees: list[tuple[int, Node | float]]
    classes: int = 1
    zero_up_to: float | None = None

    def make_graph(self, columns: int, base: Sequence[float], output: str, is_log: bool) -> Any:
        """Return the graph, `onnx.ModelProto`, from `x` to the output.

        Args:
            columns: numbers of a row.
            base: what each class begins with.
            output: name of the output.
            is_log: whether the sums are logarithms of what is wanted.
        """
        from onnx import helper, numpy_helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(self.dtype))
        x = helper.make_tensor_value_info("x", kind, ["rows", columns])
        y = helper.make_tensor_value_info(output, kind, ["rows", self.classes])
        begin = numpy_helper.from_array(np.array(base, self.dtype), "base")
        total = "total" if is_log else output
        constants = [begin]
        nodes = []
        asked = "x"
        if self.zero_up_to is not None:
            for name, value in {"small": self.zero_up_to, "zero": 0.0}.items():
                constants.append(numpy_helper.from_array(np.array(value, self.dtype), name))
            nodes += [
                helper.make_node("Abs", ["x"], ["size"]),
                helper.make_node("LessOrEqual", ["size", "small"], ["is_zero"]),
                helper.make_node("Where", ["is_zero", "zero", "x"], ["rounded"]),
            ]
            asked = "rounded"
        nodes.append(self._make_ensemble(asked))
        nodes.append(helper.make_node("Add", ["leaves", "base"], [total]))
        if is_log:
            nodes.append(helper.make_node("Exp", [total], [output]))
        graph = helper.make_graph(nodes, "trees", [x], [y], constants)
        opsets = [helper.make_opsetid(domain, number) for domain, number in _OPSETS]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _make_ensemble(self, asked: str) -> Any:
        from onnx import helper, numpy_helper

        lists = _Lists()
        for target, tree in self.trees:
            lists.add_tree(tree, target)
        attributes = {
            "n_targets": self.classes,
            "aggregate_function": _SUM,
            "tree_roots": lists.roots,
            "nodes_featureids": lists.columns,
            "nodes_truenodeids": lists.lefts,
            "nodes_trueleafs": lists.left_is_leaf,
            "nodes_falsenodeids": lists.rights,
            "nodes_falseleafs": lists.right_is_leaf,
            "nodes_missing_value_tracks_true": lists.missing_left,
            "leaf_targetids": lists.targets,
            "nodes_modes": numpy_helper.from_array(np.array(lists.modes, np.uint8)),
            "nodes_splits": numpy_helper.from_array(np.array(lists.splits, self.dtype)),
            "leaf_weights": numpy_helper.from_array(np.array(lists.weights, self.dtype)),
        }
        if lists.members:
            members = np.array(lists.members, self.dtype)
            attributes["membership_values"] = numpy_helper.from_array(members)
        return helper.make_node(
            "TreeEnsemble", [asked], ["leaves"], domain="ai.onnx.ml", **attributes
        )


@dataclass
class _Lists:
    """The trees as TreeEnsemble has them: one list per property, all nodes of all trees."""

    roots: list[int] = field(default_factory=list)
    columns: list[int] = field(default_factory=list)
    modes: list[int] = field(default_factory=list)
    splits: list[float] = field(default_factory=list)
    missing_left: list[int] = field(default_factory=list)
    lefts: list[int] = field(default_factory=list)
    left_is_leaf: list[int] = field(default_factory=list)
    rights: list[int] = field(default_factory=list)
    right_is_leaf: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    members: list[float] = field(default_factory=list)

    def add_tree(self, tree: Node | float, target: int) -> None:
        # There is no tree of a leaf alone; this one asks, and both answers lead to the leaf.
        if not isinstance(tree, Node):
            tree = Node(0, "<=", 0.0, missing_left=True, left=tree, right=tree)
        self.roots.append(len(self.columns))
        # Not by calls of calls: a tree may be deeper than Python's stack.
        waiting: list[tuple[Node, int | None, bool]] = [(tree, None, False)]
        while waiting:
            node, parent, is_left = waiting.pop()
            number = self._add_node(node)
            if parent is not None:
                (self.lefts if is_left else self.rights)[parent] = number
            for child, children, is_left_child in (
                (node.right, self.rights, False),
                (node.left, self.lefts, True),
            ):
                if isinstance(child, Node):
                    waiting.append((child, number, is_left_child))
                else:
                    children[number] = self._add_leaf(child, target)

    def _add_node(self, node: Node) -> int:
        self.columns.append(node.column)
        self.modes.append(_MODES[node.mode])
        self.splits.append(node.threshold)
        self.missing_left.append(int(node.missing_left))
        self.lefts.append(0)
        self.left_is_leaf.append(int(not isinstance(node.left, Node)))
        self.rights.append(0)
        self.right_is_leaf.append(int(not isinstance(node.right, Node)))
        if node.mode == "in":
            # NaN ends the members of a node.
            self.members.extend((*node.members, float("nan")))
        return len(self.columns) - 1

    def _add_leaf(self, value: float, target: int) -> int:
        self.targets.append(target)
        self.weights.append(value)
        return len(self.weights) - 1


class TreeGraph(NamedTuple):
    """A Booster as a graph.

    Attributes:
        graph: `onnx.ModelProto`, from `x` to its output.
        activation: what makes scores of the output.
        output: its name.
        note: what it is, in words.
        factor: what the library's own logits are multiplied with, to be the graph's.
    """

    graph: Any
    activation: Activation
    output: str
    note: str
    factor: float = 1.0


def to_converted(
    trees: TreeGraph, columns: tuple[str, ...], dtype: str, library: str, native: Native
) -> Converted:
    """Return a Booster as packages keep it: one input, of all of its columns, missing values among them.

    Args:
        trees: of the Booster.
        columns: those that it takes, in its order.
        dtype: in which the library compares.
        library: its name.
        native: what the library gives.
    """
    return Converted(
        graph=trees.graph,
        dtypes={"x": dtype},
        native=native,
        library=library,
        columns=columns,
        inputs={"x": columns},
        takes_missing=frozenset(columns),
        activation=trees.activation,
        notes=(trees.note,),
    )


def find_file(flag: str, url: str, read: str) -> Path:
    """Return the path of a model's file, once a process of its own has read it.

    Args:
        flag: that names it.
        url: of the file.
        read: Python that reads the file `path`; a torn file ends the library's process, and not ours.

    Raises:
        JobError: it is not there, or the library does not read it.
    """
    path = Path(files.to_absolute(url))
    if not path.is_file():
        raise JobError(f"{flag} {url}: there is no such file")
    program = f"import sys; path = sys.argv[1]; {read}"
    done = subprocess.run(  # noqa: S603 - Python itself, and a path
        [sys.executable, "-c", program, str(path)],
        capture_output=True,
        text=True,
        timeout=_READ_SECONDS,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"its process ended with {done.returncode}"]
        # Of XGBoost the line with the reason comes first, and then a stack of addresses.
        raise JobError(f"{flag} {url}: the library does not read it: {lines[-1][:200]}")
    return path


def choose_features(
    names: Sequence[str] | None, columns: Sequence[str], count: int
) -> tuple[str, ...]:
    """Return the columns that the model takes, in its order.

    Args:
        names: those that the model says; None where it says none.
        columns: those of the sample that it may see.
        count: how many it takes.

    Raises:
        JobError: they are not there, or others.
    """
    wanted = tuple(names) if names else tuple(columns)
    missing = [name for name in wanted if name not in columns]
    if missing:
        raise JobError(
            f"the model was trained on columns that the sample lacks: {', '.join(missing)}; call the "
            f"sample's as the model does; there are {', '.join(columns)}"
        )
    if len(wanted) != count:
        raise JobError(
            f"the model takes {count} columns and does not name them; the sample has {len(wanted)}: "
            f"{', '.join(wanted)}; name them in columns, in the model's order"
        )
    return wanted
