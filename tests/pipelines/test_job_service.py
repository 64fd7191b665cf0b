"""The same graph behind the job service that comes with Beam: the same bytes as the local run, and the same ends of a run."""

from collections.abc import Iterator
from pathlib import Path
import signal
import subprocess
import sys
import time

import pytest

from tests.pipelines import portable
from tests.pipelines.portable import Score
from tests.support.programs import Programs

pytestmark = [pytest.mark.program, pytest.mark.beam]


@pytest.fixture(scope="module")
def job_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The flags that a user gives; Beam's job service is a process of its own."""
    folder = tmp_path_factory.mktemp("job_service")
    port_file = folder / "port"
    command = [
        sys.executable,
        "-m",
        "apache_beam.runners.portability.local_job_service_main",
        "--port=0",
    ]
    with (folder / "log").open("w") as log:
        service = subprocess.Popen(
            [*command, f"--port_file={port_file}", f"--staging_dir={folder}"],
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists() or not port_file.read_text():
            assert service.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        address = f"localhost:{port_file.read_text().strip()}"
        yield [
            "--runner=PortableRunner",
            f"--job_endpoint={address}",
            "--environment_type=LOOPBACK",
        ]
    finally:
        service.terminate()
        service.wait(timeout=20)


def test_breast_cancer_is_byte_equal_to_the_local_run(
    job_service: list[str], run_score: Score, tmp_path: Path
) -> None:
    portable.compare_breast_cancer_with_local_run(job_service, run_score, tmp_path)


def test_digits_are_byte_equal_to_the_local_run_also_with_rejected_rows(
    job_service: list[str],
    run_score: Score,
    tmp_path: Path,
    digits: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    portable.compare_digits_with_local_run(job_service, run_score, tmp_path, digits, capsys)


@pytest.mark.parametrize(
    "stop", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda s: s.name
)
def test_a_stopped_run_leaves_no_worker_behind_and_resumes_to_the_same_bytes(
    stop: signal.Signals,
    job_service: list[str],
    work: list[str],
    local: dict[str, bytes],
    programs: Programs,
    tmp_path: Path,
) -> None:
    portable.stop_and_resume(stop, job_service, work, local, programs, tmp_path)


def test_a_refused_run_ends_in_one_line_and_leaves_no_process(
    job_service: list[str], programs: Programs, tmp_path: Path
) -> None:
    portable.refuse_in_one_line(job_service, programs, tmp_path)
