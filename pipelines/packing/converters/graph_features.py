"""Columns of an ONNX graph as it grows, and what is done to them, in float64.

features.apply("Sub", mean)  ->  a constant that holds the mean, and a node Sub behind the features
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np


class Growing(Protocol):
    """A graph that nodes and constants are added to."""

    def add(self, operator: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node of one output, and return the output's name."""

    def hold(self, values: Any) -> str:
        """Add a constant, and return its name."""


@dataclass(frozen=True)
class Features:
    """What one node or constant of a graph gives; numbers are float64 (rows, columns).

    Attributes:
        graph: that grows.
        name: in the graph.
    """

    graph: Growing
    name: str

    def hold(self, values: np.ndarray) -> "Features":
        """Add a constant of the array's own dtype."""
        name = self.graph.hold(values)
        return Features(self.graph, name)

    def apply(self, operator: str, *operands: Any, **attributes: Any) -> "Features":
        """Add a node that takes these features first.

        Args:
            operator: of ONNX.
            operands: that it takes behind them: features, or numbers, which become a constant.
            attributes: of the node.
        """
        inputs = [self.name]
        for operand in operands:
            held = self._hold_operand(operand)
            inputs.append(held)
        name = self.graph.add(operator, inputs, **attributes)
        return Features(self.graph, name)

    def take_columns(self, places: Any) -> "Features":
        """Add a choice of columns by their numbers."""
        numbers = np.asarray(places, np.int64)
        held = self.hold(numbers)
        return self.apply("Gather", held, axis=1)

    def to_numbers(self) -> "Features":
        """Add what makes 1 and 0 of a mask."""
        from onnx import TensorProto

        return self.apply("Cast", to=TensorProto.DOUBLE)

    def _hold_operand(self, operand: Any) -> str:
        if isinstance(operand, Features):
            return operand.name
        # In float64, in which scikit-learn computes.
        numbers = np.asarray(operand, np.float64)
        return self.graph.hold(numbers)
