"""What exporters write into a graph beside what it computes."""

from typing import Any


def forget_origin(model: Any) -> None:
    """Leave out notes of the exporter, among them paths of its source files."""
    del model.metadata_props[:]
    model.doc_string = ""
    _forget_notes(model.graph)


def _forget_notes(graph: Any) -> None:
    graph.doc_string = ""
    del graph.metadata_props[:]
    tensors = (*graph.initializer, *graph.input, *graph.output, *graph.value_info)
    for part in (*graph.node, *tensors):
        part.doc_string = ""
        del part.metadata_props[:]
    for node in graph.node:
        for attribute in node.attribute:
            attribute.doc_string = ""
            # Branches and loops.
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    _forget_notes(inner)
