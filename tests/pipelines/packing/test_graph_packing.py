"""What the model itself says of its rows, and what the author says against it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.package.card import InputColumn
from model_zoo.steps.table import AnyStep
from pipelines.packing import graph_packing
from pipelines.packing.converters.converted import Converted, OwnForm, keep_own
from pipelines.packing.graph_content import _name_model, list_engines
from pipelines.packing.graph_packing import (
    _complete,
    _convert,
    _fill_as_said,
    _find_difference,
    _find_lengths,
    _pass_missing,
)

Job = PackagingJob[AnyStep]


def job_of(**fields: Any) -> Job:
    return Job.model_validate({"onnx": "m.onnx", **fields})


def converted_of(graph: Any = None, **fields: Any) -> Converted:
    return Converted(graph, {"x": "float32"}, lambda *_: {}, "a library", **fields)


def rule(name: str, missing: Any = "reject", fill: Any = None) -> InputColumn:
    return InputColumn(name=name, type="double", missing=missing, fill=fill)


@pytest.mark.parametrize(
    ("fields", "changes", "expected"),
    [
        # What a model knows to take reaches it.
        ({"takes_missing": frozenset("a")}, {}, ("fill", None)),
        ({"fill": {"a": -1.0}}, {}, ("fill", -1.0)),
        ({}, {}, ("reject", None)),
        ({"takes_missing": frozenset("b")}, {}, ("reject", None)),
        # What the author says is so, of one column or of all.
        ({"takes_missing": frozenset("a")}, {"missing": {"a": "error"}}, ("reject", None)),
        ({"fill": {"a": -1.0}}, {"missing": {"default": "error"}}, ("reject", None)),
        ({"takes_missing": frozenset("a")}, {"missing": {"b": "error"}}, ("fill", None)),
        # A value of the author's is none of the model's.
        ({"fill": {"a": -1.0}}, {"fill": {"a": 5.0}}, ("reject", None)),
    ],
)
def test_missing_values_pass_that_the_model_takes(
    fields: Any, changes: Any, expected: tuple[str, Any]
) -> None:
    (passed,) = _pass_missing((rule("a"),), job_of(**changes), converted_of(**fields))
    assert (passed.missing, passed.fill) == expected


def test_a_value_that_is_filled_already_stays() -> None:
    filled = rule("a", "fill", 5.0)
    fields: Any = {"takes_missing": frozenset("a")}
    assert _pass_missing((filled,), job_of(), converted_of(**fields)) == (filled,)


@pytest.mark.parametrize(
    ("lists", "lengths"),
    [
        ([[1, 2], [3, 4]], {}),
        ([[1, 2], [3]], {"a": 2}),
        ([[1, 2, 3], [1, 2, 3]], {"a": 2}),
    ],
)
def test_lists_that_are_not_that_long_are_padded(
    lists: list[list[int]], lengths: dict[str, int]
) -> None:
    sample = pa.table({"a": lists})
    assert _find_lengths(job_of(), converted_of(lengths={"a": 2}), sample) == lengths
    # By the column that the author names for the input.
    job = job_of(inputs={"x": "a"})
    assert _find_lengths(job, converted_of(lengths={"x": 2}), sample) == lengths


def test_only_lists_of_the_sample_are_padded() -> None:
    sample = pa.table({"a": [1, 2]})
    assert _find_lengths(job_of(), converted_of(lengths={"a": 2, "b": 2}), sample) == {}
    job = job_of(inputs={"a": ["b", "c"]})
    assert _find_lengths(job, converted_of(lengths={"a": 2}), sample) == {}


def test_what_the_author_says_stands_before_what_the_model_says() -> None:
    said = converted_of(
        columns=("a", "b"),
        activation="sigmoid",
        labels=("no", "yes"),
        inputs={"x": ("a", "b")},
        lengths={"a": 2},
    )
    sample = pa.table({"a": [[1], [2]]})
    found = _complete(job_of(), said, sample)
    assert (found.columns, found.activation, found.labels) == (("a", "b"), "sigmoid", ("no", "yes"))
    assert found.inputs == {"x": ("a", "b")}
    assert found.lengths == {"a": 2}
    own = {"columns": ["b"], "activation": "none", "labels": ["n"], "inputs": {"x": ["b"]}}
    found = _complete(job_of(**own, lengths={"a": 7}), said, sample)
    assert (found.columns, found.activation, found.labels) == (("b",), "none", ("n",))
    assert found.inputs == {"x": ("b",)}
    assert found.lengths == {"a": 7}
    # A model that says nothing leaves it to be asked.
    assert _complete(job_of(), converted_of(), sample).columns is None


def test_a_value_of_the_authors_is_the_librarys_too() -> None:
    rows = pa.table({"a": [1.0, None], "b": [None, 2.0], "c": [None, 3.0], "d": [None, 4.0]})
    contract = (rule("a", "fill", 5.0), rule("b", "fill", -1.0), rule("c"))
    taken: Any = SimpleNamespace(rows=rows, contract=contract)
    filled = _fill_as_said(job_of(fill={"a": 5.0, "c": 6.0, "d": 7.0}), taken)
    assert filled.to_pydict() == {
        "a": [1.0, 5.0],
        # What the conversion puts there stands for a missing value.
        "b": [None, 2.0],
        "c": [None, 3.0],
        "d": [None, 4.0],
    }


def test_the_largest_difference_of_all_outputs_counts() -> None:
    outputs = {"p": np.array([0.5, 0.5]), "q": np.array([0.25, 0.25])}
    wanted = {"p": np.array([0.5, 0.75]), "q": np.array([0.25, 0.25])}
    for order in (("p", "q"), ("q", "p")):
        called = SimpleNamespace(outputs=outputs, wanted={name: wanted[name] for name in order})
        examined: Any = SimpleNamespace(converted=converted_of(), called=called)
        assert _find_difference(examined) == 0.25
    called = SimpleNamespace(outputs=outputs, wanted=outputs)
    examined = SimpleNamespace(converted=converted_of(), called=called)
    assert _find_difference(examined) == 0.0


OWN = OwnForm("xgboost", b"x")


@pytest.mark.parametrize(
    ("own", "has_make_own", "native", "has_graph"),
    [
        (None, False, False, True),
        (OWN, False, False, True),
        (OWN, False, True, True),
        # Of inputs of its own it is kept in the graph's place.
        (OWN, True, True, False),
        (None, True, False, True),
    ],
)
def test_the_own_form_is_kept_where_the_author_says_so(
    own: Any, has_make_own: bool, native: bool, has_graph: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = converted_of(None, notes=("made",))
    make_own = (lambda: made) if has_make_own else None
    converted = converted_of("a graph", own=own, make_own=make_own)
    monkeypatch.setattr(graph_packing, "find_converter", lambda kind: lambda *_: converted)
    found = _convert(job_of(native=native), pa.table({}))
    assert (found.graph is not None) is has_graph
    if has_graph:
        assert found is converted
    else:
        assert found.notes == ("made", "native: its graph would take other inputs, and is left out")


def test_a_model_without_an_own_form_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    converted = converted_of("a graph")
    monkeypatch.setattr(graph_packing, "find_converter", lambda kind: lambda *_: converted)
    with pytest.raises(JobError, match=r"^native: onnx has no form of its own"):
        _convert(job_of(native=True), pa.table({}))
    assert keep_own(converted, "why") is None
    own = keep_own(converted_of("a graph", own=OWN, notes=("one",)), "why")
    assert own is not None
    assert (own.graph, own.own, own.notes) == (None, OWN, ("one", "why"))


@pytest.mark.parametrize(
    ("url", "name"),
    [("/a/My Model_2.onnx", "my-model-2"), ("/a/__.onnx", "model"), ("s3://b/x.y.onnx", "x-y")],
)
def test_a_model_is_called_as_its_file(url: str, name: str) -> None:
    assert _name_model(job_of(onnx=url)) == name


def test_engines_are_those_of_what_a_package_holds() -> None:
    assert list_engines({"onnx": {}}) == ["onnxruntime"]
    assert list_engines({"forms": {"xgboost": "m"}}) == ["xgboost"]
    assert list_engines({"onnx": {}, "forms": {"xgboost": "m"}}) == ["onnxruntime", "xgboost"]
    assert list_engines({}) == []


@pytest.mark.parametrize(
    ("difference", "has_own", "kept"),
    [
        (0.0, True, "graph"),
        (0.25, True, "graph"),
        (0.5, True, "own"),
        (float("nan"), True, "own"),
        # It is refused when it is to be proven.
        (0.5, False, "graph"),
    ],
)
def test_a_graph_of_other_scores_gives_way_to_the_library_s_own_form(
    difference: float, has_own: bool, kept: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def examine(converted: Any, *_: Any) -> Any:
        return SimpleNamespace(converted=converted, called=SimpleNamespace(outputs={}))

    own = SimpleNamespace(graph=None, name="own")
    stand_ins: dict[str, Any] = {
        "_convert": lambda job, sample: SimpleNamespace(graph="a graph", name="graph"),
        "_examine_as": examine,
        "_find_difference": lambda examined: difference,
        "choose_tolerance_of": lambda outputs, converted: 0.25,
        "keep_own": lambda converted, reason: own if has_own else None,
    }
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(graph_packing, name, stand_in)
    questions: Any = SimpleNamespace(ask=lambda step, *given: step(*given))
    material: Any = SimpleNamespace(job=None, sample="rows")
    examined: Any = graph_packing._examine(material, questions)
    assert examined.converted.name == kept
