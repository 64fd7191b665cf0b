"""Which settings of a tuning report a job scores with, and what is refused, by engines of the test's own."""

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace

import pytest

from configs.errors import JobError, ModelError
from configs.tolerance import Tolerance
from model_zoo.engines.settings import Settings
from model_zoo.engines.tuning_report import Choice, TuningReport
from model_zoo.evaluation.agreement import Agreement
from pipelines.planning import reported_settings
from pipelines.planning.reported_settings import choose_reported, refuse_other_engine

SAME = Agreement(200, 0.0, 1.0, None)
FAR = Agreement(200, 0.5, 0.5, None)


def choice(engine: str, speed_up: float = 2.0, agreement: Agreement = SAME) -> Choice:
    return Choice(Settings(8, engine=engine), f"{engine} 1.0", agreement, 100.0, speed_up)


def report_of(fastest: Choice, *others: Choice) -> TuningReport:
    return TuningReport(
        model={},
        job={},
        machine={"cores": "2"},
        settings=fastest.settings,
        library=fastest.library,
        workers=2,
        agreement=fastest.agreement,
        tolerance=Tolerance(),
        rows_per_second=fastest.rows_per_second,
        speed_up=fastest.speed_up,
        made_at="",
        next_best=others,
    )


@pytest.fixture(autouse=True)
def _engines(monkeypatch: pytest.MonkeyPatch) -> None:
    """`there` and `here` are installed, `gone` is not; `newer` is another version by now."""
    installed = {"there": "there 1.0", "here": "here 1.0", "newer": "newer 2.0", "torch": "torch"}

    def make_engine(name: str) -> SimpleNamespace:
        return SimpleNamespace(name=name, extra=name, describe_version=lambda: installed[name])

    def find_missing(engine: SimpleNamespace) -> str | None:
        return None if engine.name in installed else f"lib{engine.name}"

    monkeypatch.setattr(reported_settings, "make_engine", make_engine)
    monkeypatch.setattr(reported_settings, "find_missing_library", find_missing)


@pytest.mark.parametrize("fallback", [True, False])
def test_the_fastest_is_taken_where_its_library_is_installed(fallback: bool) -> None:
    report = report_of(choice("here"), choice("there"))
    found = choose_reported(report, Tolerance(), fallback, "r")
    assert found.choice == replace(choice("here"), workers=report.workers)
    assert found.fallen_back == ""


def test_the_next_best_that_can_run_is_taken_where_the_job_says_so_and_told() -> None:
    others = [choice("gone", 3.0), choice("newer"), choice("here", 1.9, FAR), choice("there", 1.5)]
    report = report_of(choice("gone", 4.0), *others)
    found = choose_reported(report, Tolerance(), True, "r")
    assert found.choice == choice("there", 1.5)
    assert found.fallen_back == "gone float32 needs libgone, which is not installed here"


def test_without_that_word_it_is_refused_with_both_ways_out() -> None:
    report = report_of(choice("gone", 4.0), choice("there", 1.5))
    with pytest.raises(JobError) as refused:
        choose_reported(report, Tolerance(), False, "r")
    assert str(refused.value) == (
        "r: gone float32 needs libgone, which is not installed here; install its extra where "
        "workers run: pip install '.[gone]', or set model.fallback to true, which takes "
        "there float32, 1.50 times as fast as the reference"
    )


@pytest.mark.parametrize("others", [[], [choice("gone")], [choice("newer")]])
@pytest.mark.parametrize("fallback", [True, False])
def test_where_nothing_can_run_it_is_refused(others: Sequence[Choice], fallback: bool) -> None:
    report = report_of(choice("gone"), *others)
    with pytest.raises(JobError, match="nothing else of the report can run; install its extra"):
        choose_reported(report, Tolerance(), fallback, "r")


def test_a_fastest_that_differs_more_than_the_job_allows_falls_back_to_nothing() -> None:
    report = report_of(choice("here", agreement=FAR), choice("there"))
    with pytest.raises(JobError, match=r"agrees with float32 less than model\.tolerance"):
        choose_reported(report, Tolerance(), True, "r")


def test_a_report_of_another_engine_than_the_job_names_is_refused() -> None:
    report = report_of(choice("here"), choice("there"))
    refuse_other_engine(report, "auto", "r")
    refuse_other_engine(report, "here", "r")
    with pytest.raises(JobError) as refused:
        refuse_other_engine(report, "there", "r")
    assert str(refused.value) == (
        "r: is the tuning report of engine here, and the job says model.engine there; "
        "run pipelines.tune again, which then tries there alone, or set model.engine to auto"
    )


def test_an_engine_that_does_not_exist_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    report = report_of(replace(choice("here"), settings=Settings(8, engine="torhc")))
    with pytest.raises(ModelError, match="engine 'torhc' is unknown"):
        choose_reported(report, Tolerance(), True, "r")
