"""An ONNX graph as bytes, once it has been looked through. Who reads it is `whole_graph.py`, or `quantised_graph.py`."""

from collections.abc import Mapping
from typing import NamedTuple


class Graph(NamedTuple):
    """A graph that is known to be nothing but data.

    Attributes:
        path: for messages.
        content: of its file.
        data: of the files with its other numbers, by name.
        kinds: of its operators, those of its branches and loops among them.
    """

    path: str
    content: bytes
    data: Mapping[str, bytes]
    kinds: frozenset[str] = frozenset()
