"""The line that says why a run is held back."""

import pytest

from storage.run_folder import RunFolder
from transforms.hold import describe_held

RUN = RunFolder("/out", "abc")


def describe(*levels: str) -> str:
    findings = [{"level": level, "says": f"finding {n}"} for n, level in enumerate(levels)]
    return describe_held(RUN, {"monitor": {"findings": findings}})


def test_what_holds_it_is_told_and_what_only_warns_is_not() -> None:
    told = describe("warn", "hold", "warn", "hold")
    assert "not published: finding 1; finding 3; publish it all the same" in told
    assert "python -m pipelines.release /out abc" in told


@pytest.mark.parametrize(("count", "more"), [(5, ""), (6, f"; and 1 more in {RUN.held}")])
def test_five_of_them_are_told_and_the_others_counted(count: int, more: str) -> None:
    told = describe(*["hold"] * count)
    assert f"finding 4{more}; publish it" in told
    assert "finding 5" not in told


def test_of_a_document_without_findings_none_is_told() -> None:
    assert "not published: ; publish it" in describe_held(RUN, {})
