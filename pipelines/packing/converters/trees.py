"""Trees -> an ONNX graph, number for number: every threshold, leaf and way of a missing value as it was.

One operator, TreeEnsemble of ai.onnx.ml 5, in the number type that the library itself compares in:

    x (rows, columns) -> TreeEnsemble: sum of leaves -> + base -> [Exp] -> output (rows, classes)

We write it ourselves: converters round the thresholds of trees in float64 to float32, and a row whose
value lies between the two takes another way.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
import math
from pathlib import Path
import re
import subprocess
import sys
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from configs.errors import JobError
from configs.fields import Names
from pipelines.packing.converters.converted import Activation, Converted, Native, OwnForm
from storage import files

# How a node compares, as TreeEnsemble numbers it.
Mode: TypeAlias = Literal["<=", "<", "in"]
_MODES: dict[Mode, int] = {"<=": 0, "<": 1, "in": 6}
_SUM = 1
_OPSETS = (("", 20), ("ai.onnx.ml", 5))
_IR_VERSION = 10
# As Python writes an error: its name, in its module, and what it says.
_ERROR = re.compile(r"[\w.]*(Error|Exception): ")
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

    def make_graph(
        self,
        columns: int,
        base: Sequence[float],
        output: str,
        is_log: bool,
    ) -> Any:
        """Return the graph, `onnx.ModelProto`, from `x` to the output.

        Args:
            columns: numbers of a row.
            base: what each class begins with.
            output: name of the output.
            is_log: whether the sums are logarithms of what is wanted.
        """
        from onnx import helper

        dtype = np.dtype(self.dtype)
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        x = helper.make_tensor_value_info("x", kind, ["rows", columns])
        y = helper.make_tensor_value_info(output, kind, ["rows", self.classes])

        constants = [self._hold(base, "base")]
        nodes = []
        asked = "x"
        if self.zero_up_to is not None:
            constants.append(self._hold(self.zero_up_to, "small"))
            constants.append(self._hold(0.0, "zero"))
            nodes.extend(_round_to_zero("x", "rounded"))
            asked = "rounded"
        ensemble = self._make_ensemble(asked)
        nodes.append(ensemble)
        total = "total" if is_log else output
        add = helper.make_node("Add", ["leaves", "base"], [total])
        nodes.append(add)
        if is_log:
            exp = helper.make_node("Exp", [total], [output])
            nodes.append(exp)

        graph = helper.make_graph(nodes, "trees", [x], [y], constants)
        opsets = [helper.make_opsetid(domain, number) for domain, number in _OPSETS]
        return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def _hold(self, values: Any, name: str = "") -> Any:
        """Return numbers as a tensor, in the type in which values are compared."""
        from onnx import numpy_helper

        array = np.array(values, self.dtype)
        return numpy_helper.from_array(array, name)

    def _make_ensemble(self, asked: str) -> Any:
        from onnx import helper, numpy_helper

        lists = _Lists()
        for target, tree in self.trees:
            lists.add_tree(tree, target)
        modes = np.array(lists.modes, np.uint8)
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
            "nodes_modes": numpy_helper.from_array(modes),
            "nodes_splits": self._hold(lists.splits),
            "leaf_weights": self._hold(lists.weights),
        }
        if lists.members:
            attributes["membership_values"] = self._hold(lists.members)
        return helper.make_node(
            "TreeEnsemble",
            inputs=[asked],
            outputs=["leaves"],
            domain="ai.onnx.ml",
            **attributes,
        )


def _round_to_zero(given: str, rounded: str) -> list[Any]:
    """Return nodes that make 0 of what is small, as a library does that takes it for none.

    Args:
        given: name of the values.
        rounded: name of what is made of them.
    """
    from onnx import helper

    size = helper.make_node("Abs", [given], ["size"])
    is_zero = helper.make_node("LessOrEqual", ["size", "small"], ["is_zero"])
    chosen = helper.make_node("Where", ["is_zero", "zero", given], [rounded])
    return [size, is_zero, chosen]


class _Waiting(NamedTuple):
    """A node to be added, and the list of children in which its parent is told its number."""

    node: Node
    parent: int = 0
    siblings: list[int] | None = None


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
        root = len(self.columns)
        self.roots.append(root)
        # Not by calls of calls: a tree may be deeper than Python's stack.
        waiting = [_Waiting(tree)]
        while waiting:
            node, parent, siblings = waiting.pop()
            number = self._add_node(node)
            if siblings is not None:
                siblings[parent] = number
            # The left one last, so that it is the next to be taken.
            right = (node.right, self.rights)
            left = (node.left, self.lefts)
            for child, children in (right, left):
                if isinstance(child, Node):
                    waiting.append(_Waiting(child, number, children))
                else:
                    children[number] = self._add_leaf(child, target)

    def _add_node(self, node: Node) -> int:
        number = len(self.columns)
        left_is_leaf = not isinstance(node.left, Node)
        right_is_leaf = not isinstance(node.right, Node)
        self.columns.append(node.column)
        self.modes.append(_MODES[node.mode])
        self.splits.append(node.threshold)
        self.missing_left.append(int(node.missing_left))
        # The places of both children are filled in once those are added.
        self.lefts.append(0)
        self.left_is_leaf.append(int(left_is_leaf))
        self.rights.append(0)
        self.right_is_leaf.append(int(right_is_leaf))
        if node.mode == "in":
            self.members.extend(node.members)
            # NaN ends the members of a node.
            self.members.append(math.nan)
        return number

    def _add_leaf(self, value: float, target: int) -> int:
        number = len(self.weights)
        self.targets.append(target)
        self.weights.append(value)
        return number


class TreeGraph(NamedTuple):
    """A Booster as a graph.

    Attributes:
        graph: `onnx.ModelProto`, from `x` to its output; None of one that is no such graph.
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
    trees: TreeGraph,
    columns: Names,
    dtype: str,
    library: str,
    native: Native,
    own: OwnForm,
) -> Converted:
    """Return a Booster as packages keep it: one input, of all of its columns, missing values among them.

    Args:
        trees: of the Booster.
        columns: those that it takes, in its order.
        dtype: in which the library compares.
        library: its name.
        native: what the library gives.
        own: the library's file.
    """
    return Converted(
        graph=trees.graph,
        dtypes={"x": dtype},
        native=native,
        library=library,
        own=own,
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
    command = [sys.executable, "-c", program, str(path)]
    done = subprocess.run(  # noqa: S603 - Python itself, and a path
        command,
        capture_output=True,
        text=True,
        # A library's words about a torn file may hold bytes of it.
        errors="replace",
        timeout=_READ_SECONDS,
        check=False,
    )
    if done.returncode:
        reason = _find_reason(done.stderr) or f"its process ended with {done.returncode}"
        raise JobError(f"{flag} {url}: the library does not read it: {reason[:200]}")
    return path


def _find_reason(stderr: str) -> str:
    """Return the line that names an error; nothing where a signal ended the process without a word."""
    lines = stderr.strip().splitlines()
    # Behind its error XGBoost writes the addresses of its own stack.
    errors = [line for line in lines if _ERROR.match(line)]
    said = errors or lines
    return said[-1] if said else ""


def choose_features(
    names: Sequence[str] | None,
    columns: Sequence[str],
    count: int,
) -> Names:
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
        lacking = ", ".join(missing)
        there = ", ".join(columns)
        raise JobError(
            f"the model was trained on columns that the sample lacks: {lacking}; call the "
            f"sample's as the model does; there are {there}"
        )
    if len(wanted) != count:
        chosen = ", ".join(wanted)
        raise JobError(
            f"the model takes {count} columns and does not name them; the sample has {len(wanted)}: "
            f"{chosen}; name them in columns, in the model's order"
        )
    return wanted
