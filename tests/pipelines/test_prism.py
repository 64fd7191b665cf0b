"""The same graph behind Prism: the same bytes as the local run, and the same ends of a run. Prism is built with Go where that is present."""

from pathlib import Path
import signal

import pytest

from tests.pipelines import portable
from tests.pipelines.portable import Score
from tests.support.go_tools import PRISM, go_tool
from tests.support.programs import Programs

pytestmark = [pytest.mark.program, pytest.mark.beam]


@pytest.fixture(scope="module")
def prism() -> list[str]:
    """The flags that a user gives."""
    return ["--runner=PrismRunner", f"--prism_location={go_tool(PRISM)}"]


def test_breast_cancer_is_byte_equal_to_the_local_run(
    prism: list[str], run_score: Score, tmp_path: Path
) -> None:
    portable.compare_breast_cancer_with_local_run(prism, run_score, tmp_path)


def test_digits_are_byte_equal_to_the_local_run_also_with_rejected_rows(
    prism: list[str],
    run_score: Score,
    tmp_path: Path,
    digits: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    portable.compare_digits_with_local_run(prism, run_score, tmp_path, digits, capsys)


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_a_stopped_run_leaves_no_worker_behind_and_resumes_to_the_same_bytes(
    stop: signal.Signals,
    prism: list[str],
    work: list[str],
    local: dict[str, bytes],
    programs: Programs,
    tmp_path: Path,
) -> None:
    portable.stop_and_resume(stop, prism, work, local, programs, tmp_path)


def test_a_refused_run_ends_in_one_line_and_leaves_no_process(
    prism: list[str], programs: Programs, tmp_path: Path
) -> None:
    portable.refuse_in_one_line(prism, programs, tmp_path)
