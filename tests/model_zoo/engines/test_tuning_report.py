"""A tuning report as a file, and the lines that refuse one; `tests/pipelines/test_tune.py` scores by reports."""

from dataclasses import replace
import json

from pydantic import TypeAdapter
import pytest
import torch

from configs.errors import JobError
from configs.tolerance import Tolerance
from model_zoo.engines.machine import machine_kind
from model_zoo.engines.settings import Scale, Settings
from model_zoo.engines.tuning_report import (
    Choice,
    TuningReport,
    describe_machine,
    parse_tuning_report,
    refuse_elsewhere,
    refuse_other_machine,
    refuse_other_model,
)
from model_zoo.evaluation.agreement import Agreement

DIGITS = "0123456789abcdef" * 4
REPORT = TuningReport(
    model={"name": "m", "version": "1", "digest": DIGITS},
    job={},
    machine={"cores": "4"},
    settings=Settings(8),
    workers=4,
    agreement=Agreement(9, 0.0, 1.0, None),
    tolerance=Tolerance(),
    rows_per_second=1.0,
    speed_up=1.0,
    made_at="2026-01-01T00:00:00Z",
)


def test_its_file_is_a_line_for_each_field_and_says_its_format() -> None:
    content = REPORT.to_json()
    assert content.startswith(b'{\n "model": {\n  "name": "m",\n')
    assert content.endswith(b"}\n")
    assert json.loads(content)["format"] == 3
    assert parse_tuning_report(content, "r") == REPORT


def test_all_its_choices_come_back_the_fastest_first() -> None:
    bfloat16 = Choice(Settings(8, "bfloat16"), "torch 2", REPORT.agreement, 2.0, 1.5, workers=1)
    report = replace(REPORT, library="onnxruntime 1", threads=2, next_best=(bfloat16,))
    read = parse_tuning_report(report.to_json(), "r")
    fastest = Choice(REPORT.settings, "onnxruntime 1", REPORT.agreement, 1.0, 1.0, workers=4)
    assert read.choices == (fastest, bfloat16)


def test_a_report_of_before_there_were_several_engines_is_read() -> None:
    values = json.loads(REPORT.to_json())
    for name in ("library", "threads", "rows_per_night", "next_best"):
        del values[name]
    # They named no engine, as there was one.
    del values["settings"]["engine"]
    content = json.dumps({**values, "format": 2}).encode()
    read = parse_tuning_report(content, "r")
    assert read == replace(REPORT, format=2)
    assert read.settings.engine == "torch"
    assert describe_machine(read.machine, read.choices[0]) == {"cores": "4"}


def test_the_empty_field_of_older_reports_is_read() -> None:
    bfloat16 = Choice(Settings(8, "bfloat16"), "torch 2", REPORT.agreement, 2.0, 1.5)
    report = replace(REPORT, next_best=(bfloat16,))
    values = json.loads(report.to_json())
    values["settings"]["linear_scales"] = []
    values["next_best"][0]["settings"]["linear_scales"] = []
    assert parse_tuning_report(json.dumps(values).encode(), "r") == report


LINEAR = {"batch_rows": 8, "dtype": "int8_linear", "linear_scales": [{"place": "a"}]}


def test_a_next_best_setting_that_is_gone_is_no_choice() -> None:
    bfloat16 = Choice(Settings(8, "bfloat16"), "torch 2", REPORT.agreement, 2.0, 1.5)
    report = replace(REPORT, next_best=(bfloat16,))
    values = json.loads(report.to_json())
    gone = {**values["next_best"][0], "settings": LINEAR}
    values["next_best"].insert(0, gone)
    assert parse_tuning_report(json.dumps(values).encode(), "r") == report


def test_a_fastest_setting_that_is_gone_is_refused_with_what_to_use() -> None:
    values = {**json.loads(REPORT.to_json()), "settings": LINEAR}
    with pytest.raises(JobError) as raised:
        parse_tuning_report(json.dumps(values).encode(), "r.json")
    assert str(raised.value) == (
        "r.json: its fastest setting is int8_linear, which is not computed any more; run "
        "pipelines.tune again, which tries int8 of OpenVINO and ONNX Runtime, or set model.dtype to "
        "bfloat16"
    )


@pytest.mark.parametrize("linear_scales", [[{"place": "a"}], None, 3])
def test_a_field_of_older_reports_that_holds_something_is_not_read(linear_scales: object) -> None:
    values = json.loads(REPORT.to_json())
    values["settings"]["linear_scales"] = linear_scales
    with pytest.raises(JobError, match="is not a tuning report of this version"):
        parse_tuning_report(json.dumps(values).encode(), "r")


@pytest.mark.parametrize(
    ("cores", "fewest", "most"),
    [
        ("4", 1, 4),
        # Of a number that no machine has, the first six digits count.
        ("1234567", 1, 123_456),
    ],
)
def test_as_many_workers_as_cores_are_taken_and_no_more(cores: str, fewest: int, most: int) -> None:
    of_machine = replace(REPORT, machine={"cores": cores})
    for workers in (fewest, most):
        content = replace(of_machine, workers=workers).to_json()
        assert parse_tuning_report(content, "r").workers == workers
    for workers in (fewest - 1, most + 1):
        with pytest.raises(JobError, match=f"^r: names {workers:,} workers for a machine of"):
            parse_tuning_report(replace(of_machine, workers=workers).to_json(), "r")
        next_best = replace(of_machine.choices[0], workers=workers)
        with pytest.raises(JobError, match=f"^r: names {workers:,} workers for a machine of"):
            parse_tuning_report(replace(of_machine, next_best=(next_best,)).to_json(), "r")


@pytest.mark.parametrize(
    ("figures", "name"),
    [
        ({"rows": 0}, "agreement.rows is 0"),
        ({"rows": -5}, "agreement.rows is -5"),
        ({"max_difference": -1.0}, "agreement.max_difference is -1.0"),
        ({"max_difference": float("nan")}, "agreement.max_difference is nan"),
        ({"max_difference": float("inf")}, "agreement.max_difference is inf"),
        ({"label_agreement": 7.0}, "agreement.label_agreement is 7.0"),
        ({"label_agreement": -0.1}, "agreement.label_agreement is -0.1"),
        ({"cosine": 2.0}, "agreement.cosine is 2.0"),
        ({"cosine": float("nan")}, "agreement.cosine is nan"),
    ],
)
def test_agreement_that_nobody_can_have_measured_is_refused(
    figures: dict[str, float], name: str
) -> None:
    edited = replace(REPORT.agreement, **figures)
    fastest = replace(REPORT, agreement=edited)
    choice = Choice(Settings(8, "bfloat16"), "torch 2", edited, 2.0, 1.5)
    next_best = replace(REPORT, next_best=(choice,))
    for report in (fastest, next_best):
        content = _write(report)
        with pytest.raises(JobError) as raised:
            parse_tuning_report(content, "r.json")
        assert f"r.json: says that {name}, which nobody" in str(raised.value)


@pytest.mark.parametrize("field", ["speed_up", "rows_per_second"])
@pytest.mark.parametrize("value", [-1.0, float("nan"), float("inf")])
def test_speed_that_nobody_can_have_measured_is_refused(field: str, value: float) -> None:
    content = _write(replace(REPORT, **{field: value}))
    with pytest.raises(JobError, match=f"r.json: says that {field} is {value}"):
        parse_tuning_report(content, "r.json")


@pytest.mark.parametrize(
    "figures",
    [
        {"rows": 1},
        {"max_difference": 0.0},
        {"max_difference": 1e30},
        {"label_agreement": 0.0},
        {"label_agreement": 1.0},
        {"label_agreement": None},
        {"cosine": -1.0},
        {"cosine": 0.0},
        {"cosine": 1.0},
    ],
)
def test_agreement_that_can_be_measured_is_read(figures: dict[str, float | None]) -> None:
    measured = replace(REPORT.agreement, **figures)
    report = replace(REPORT, agreement=measured)
    assert parse_tuning_report(report.to_json(), "r") == report


@pytest.mark.parametrize("field", ["speed_up", "rows_per_second"])
@pytest.mark.parametrize("value", [0.0, 0.25, 1e9])
def test_settings_may_be_slow_and_even_slower_than_before(field: str, value: float) -> None:
    report = replace(REPORT, **{field: value})
    assert parse_tuning_report(report.to_json(), "r") == report


def test_a_cosine_that_rounding_made_larger_than_one_is_read() -> None:
    rounded = replace(REPORT.agreement, cosine=1.0000000000000002)
    report = replace(REPORT, agreement=rounded)
    assert parse_tuning_report(report.to_json(), "r") == report


def test_an_engine_that_there_is_not_is_refused_with_the_file_and_the_nearest_name() -> None:
    report = replace(REPORT, settings=Settings(8, engine="onnxruntim"))
    with pytest.raises(JobError) as raised:
        parse_tuning_report(report.to_json(), "r.json")
    expected = "r.json: engine 'onnxruntim' is unknown; did you mean onnxruntime?; run"
    assert str(raised.value).startswith(expected)


def _write(report: TuningReport) -> bytes:
    """Return a report as somebody edits it: pydantic writes null for what is not a number."""
    plain = TypeAdapter(TuningReport).dump_python(report)
    return json.dumps(plain).encode()


def test_another_format_is_not_read() -> None:
    content = REPORT.to_json().replace(b'"format": 3', b'"format": 4')
    with pytest.raises(JobError, match="is not a tuning report of this version"):
        parse_tuning_report(content, "r")


def test_models_are_told_apart_by_twelve_digits() -> None:
    refuse_other_model(REPORT, DIGITS, "r")
    with pytest.raises(JobError) as caught:
        refuse_other_model(REPORT, "f" * 64, "r")
    assert str(caught.value) == (
        "r: is the tuning report of another model, m 1 (0123456789ab), not of ffffffffffff; "
        "run pipelines.tune again, or set model.dtype to float32"
    )


@pytest.mark.parametrize(
    ("there", "here"),
    [({"torch": "1"}, {"torch": "2"}), ({"torch": "1"}, {}), ({}, {"torch": "2"})],
)
def test_what_either_machine_alone_says_is_a_difference(
    there: dict[str, str], here: dict[str, str]
) -> None:
    refuse_other_machine(there, dict(there))
    with pytest.raises(JobError) as caught:
        refuse_other_machine(there, here)
    said = [machine.get("torch", "unknown") for machine in (there, here)]
    assert f"torch {said[0]!r} there, {said[1]!r} here" in str(caught.value)


def test_another_version_of_the_engine_is_refused_where_it_was_written_down() -> None:
    cpu = torch.device("cpu")
    here = machine_kind(cpu)
    refuse_elsewhere(here, cpu, "any version")
    of_graph = Choice(Settings(8, engine="onnxruntime"), "ort 1", REPORT.agreement, 1.0, 1.0)
    measured_on = describe_machine(here, of_graph)
    refuse_elsewhere(measured_on, cpu, "ort 1")
    with pytest.raises(JobError) as caught:
        refuse_elsewhere(measured_on, cpu, "ort 2")
    assert str(caught.value) == (
        "model.tuning_report: was made with ort 1, and ort 2 is installed here; "
        "run pipelines.tune again, or set model.dtype to float32"
    )
    # Of torch every kind of machine says it.
    of_torch = Choice(Settings(8), "torch 1", REPORT.agreement, 1.0, 1.0)
    assert describe_machine(here, of_torch) == here


def test_an_engine_whose_version_nobody_wrote_down_is_refused() -> None:
    cpu = torch.device("cpu")
    of_graph = Choice(Settings(8, engine="openvino"), "", REPORT.agreement, 1.0, 1.0)
    measured_on = describe_machine(machine_kind(cpu), of_graph)
    with pytest.raises(JobError, match="was made with an unknown version, and openvino 1 is"):
        refuse_elsewhere(measured_on, cpu, "openvino 1")


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": float("nan")},
        {"scale": float("inf")},
        {"scale": 0.0},
        {"scale": -0.5},
        {"zero_point": -1},
        {"zero_point": 256},
        {"zero_point": 10**30},
        {"low": -1},
        {"high": 256},
        {"low": 4},
        {"high": 2},
    ],
)
def test_scales_that_nobody_can_have_measured_are_refused(changes: dict[str, float]) -> None:
    edited = replace(Scale("a", 0.5, 3, 0, 255), **changes)  # type: ignore[arg-type]
    report = replace(REPORT, settings=Settings(8, "int8", scales=(edited,)))
    with pytest.raises(JobError, match=r"^r: has a scale of int8 that nobody can have measured"):
        parse_tuning_report(_write(report), "r")


@pytest.mark.parametrize("scale", [Scale("a", 1e-9, 0, 0, 255), Scale("a", 1e9, 127, 0, 127)])
def test_scales_that_can_be_measured_are_read(scale: Scale) -> None:
    report = replace(REPORT, settings=Settings(8, "int8", scales=(scale,)))
    assert parse_tuning_report(report.to_json(), "r") == report


@pytest.mark.parametrize("activation", ["sigmoid", "softmax"])
def test_a_choice_whose_labels_were_not_compared_is_refused(activation: str) -> None:
    unmeasured = Agreement(9, 0.0, None, None)
    choice = Choice(Settings(8, "bfloat16"), "torch 2", unmeasured, 2.0, 1.5)
    job = {"postprocess.activation": activation}
    report = replace(REPORT, job=job, next_best=(choice,))
    with pytest.raises(JobError) as raised:
        parse_tuning_report(report.to_json(), "r.json")
    assert str(raised.value) == (
        "r.json: says of bfloat16 no agreement.label_agreement, which was not measured then; "
        "run pipelines.tune again"
    )
    # Without an activation there are no labels.
    parse_tuning_report(replace(report, job={"postprocess.activation": "none"}).to_json(), "r")


def test_a_choice_whose_cosine_was_not_compared_as_that_of_the_others_is_refused() -> None:
    measured, unmeasured = Agreement(9, 0.0, None, 1.0), Agreement(9, 0.0, None, None)
    choice = Choice(Settings(8, "bfloat16"), "torch 2", unmeasured, 2.0, 1.5)
    report = replace(REPORT, agreement=measured, next_best=(choice,))
    with pytest.raises(JobError, match=r"says of bfloat16 no agreement\.cosine, which was not"):
        parse_tuning_report(report.to_json(), "r")
    # Outputs of one number have none.
    parse_tuning_report(replace(report, agreement=unmeasured).to_json(), "r")


_DEEP = 100_000


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * _DEEP,
        b'{"tried":' * _DEEP,
        b'{"workers": ' + b"9" * 6_000 + b"}",
    ],
)
def test_what_is_no_report_is_one_plain_line(content: bytes) -> None:
    with pytest.raises(JobError) as raised:
        parse_tuning_report(content, "r")
    expected = "r: is not a tuning report of this version; run pipelines.tune again"
    assert str(raised.value) == expected


@pytest.mark.parametrize("place", ["settings", "tried", "job", "next_best"])
def test_a_report_that_nests_without_end_is_one_plain_line(place: str) -> None:
    values = {**json.loads(REPORT.to_json()), place: "HERE"}
    nested = "[" * _DEEP + "]" * _DEEP
    content = json.dumps(values).replace('"HERE"', nested)
    with pytest.raises(JobError, match=r"^r: is not a tuning report of this version"):
        parse_tuning_report(content.encode(), "r")
