"""The worked example of a nightly job: the wrapper is run, and cron, systemd, Airflow and Prometheus files are read by what reads them."""

from contextlib import suppress
import os
from pathlib import Path
import re
import shutil
import signal
import subprocess
import time

import pytest
import yaml

from configs import errors
from pipelines.cli.metrics_file import write_metrics
from pipelines.cli.parser import EXIT_MEANINGS
from pipelines.cli.run_facts import RunFacts
from tests.deploy.nightly import NIGHTLY, yesterday
from tests.support.repository import REPOSITORY

INSTALLED = "/opt/batch-prediction"


def score_nightly(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(NIGHTLY / "score-nightly"), *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_the_wrapper_back_fills_a_date_without_touching_the_metrics(
    forked_nightly: dict[str, str], tmp_path: Path
) -> None:
    run = score_nightly(forked_nightly, "2026-01-31")
    assert run.returncode == 0, run.stderr
    assert [p.name for p in (tmp_path / "scores").iterdir()] == ["dt=2026-01-31"]
    assert not (tmp_path / "m.prom").exists()


@pytest.mark.parametrize(
    ("date", "status", "words"),
    [("2026-02-01", 3, "matches no file"), ("31.1.2026", 2, "must be YYYY-MM-DD")],
)
def test_the_wrapper_passes_the_exit_status_on(
    date: str, status: int, words: str, forked_nightly: dict[str, str]
) -> None:
    run = score_nightly(forked_nightly, date)
    assert run.returncode == status
    assert words in run.stderr


def test_the_wrapper_waits_for_the_run_before(
    forked_nightly: dict[str, str], tmp_path: Path
) -> None:
    command = ["flock", forked_nightly["LOCK"], "sh", "-c", "echo held; read line"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with subprocess.Popen(
            [str(NIGHTLY / "score-nightly"), "2026-02-01"],
            env=forked_nightly,
            stderr=subprocess.DEVNULL,
        ) as waiting:
            wait_until_blocked_on_lock(waiting)
            assert not (tmp_path / "scores").exists()
            holder.communicate("go\n")
            assert waiting.wait(timeout=120) == 3


def wait_until_blocked_on_lock(process: subprocess.Popen[bytes]) -> None:
    """Until a child of the process is `flock`, which waits."""
    children, deadline = (
        Path(f"/proc/{process.pid}/task/{process.pid}/children"),
        time.monotonic() + 180,
    )
    while "flock" not in map(program_of, children.read_text().split()):
        assert process.poll() is None
        assert time.monotonic() < deadline


def program_of(pid: str) -> str:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


SCHEDULE = re.compile(r"^[\d*,/-]+$")
LIMITS = (59, 23, 31, 12, 7)


def cron_lines() -> list[str]:
    lines = (NIGHTLY / "crontab").read_text().splitlines()
    return [
        line for line in lines if line and not line.startswith("#") and not re.match(r"^\w+=", line)
    ]


@pytest.mark.program
def test_crontab_lines_are_what_cron_takes() -> None:
    assert len(cron_lines()) == 3
    for line in cron_lines():
        *schedule, user, command = line.split(maxsplit=6)
        assert len(schedule) == 5
        for field, most in zip(schedule, LIMITS, strict=True):
            assert SCHEDULE.match(field), line
            assert all(int(number) <= most for number in re.findall(r"\d+", field)), line
        assert user == "batch-prediction"
        assert not re.search(r"(?<!\\)%", command), "cron ends a command at a bare %"
        subprocess.run(["sh", "-n", "-c", command], check=True)


@pytest.mark.program
def test_the_crons_command_scores_yesterday_and_leaves_metrics(
    nightly: dict[str, str], tmp_path: Path
) -> None:
    """As cron runs it: sh, no environment but cron's own, and programs that are really started; only the paths differ."""
    (tmp_path / "nightly.env").write_text(
        "".join(f"{name}={value}\n" for name, value in nightly.items() if name != "PATH")
    )
    command = cron_lines()[0].split(maxsplit=6)[-1].partition(" 2>&1 |")[0]
    command = command.replace("/etc/batch-prediction", str(tmp_path)).replace(
        INSTALLED, str(REPOSITORY)
    )
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin"}
    run = subprocess.run(
        ["sh", "-c", command],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("verified: run ")
    assert (tmp_path / f"scores/dt={yesterday()}/CURRENT").exists()
    assert (
        'batch_prediction_exit_status{job="breast_cancer"} 0.0' in (tmp_path / "m.prom").read_text()
    )


@pytest.fixture
def units(tmp_path: Path) -> list[Path]:
    """The units with this checkout's path, because systemd wants to see the program that they start."""
    paths = []
    for unit in sorted(NIGHTLY.glob("*.service")) + sorted(NIGHTLY.glob("*.timer")):
        path = tmp_path / unit.name
        path.write_text(unit.read_text().replace(INSTALLED, str(REPOSITORY)))
        paths.append(path)
    assert len(paths) == 3
    return paths


@pytest.mark.program
@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian package: systemd)",
)
def test_systemd_takes_the_units(units: list[Path]) -> None:
    run = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


@pytest.mark.program
@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is not installed (Debian package: systemd)",
)
def test_the_timer_elapses_every_night() -> None:
    (calendar,) = re.findall(
        r"^OnCalendar=(.*)$", (NIGHTLY / "batch-prediction.timer").read_text(), re.MULTILINE
    )
    command = [
        "systemd-analyze",
        "calendar",
        "--iterations=2",
        "--base-time=2026-01-31 12:00:00 UTC",
        calendar,
    ]
    found = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, "TZ": "UTC"}
    ).stdout
    assert re.findall(r"(?:Next elapse|Iteration #2|Iter\. #2): \w+ (\S+ \S+)", found) == [
        "2026-02-01 02:30:00",
        "2026-02-02 02:30:00",
    ]


def test_no_retry_where_a_person_is_needed() -> None:
    unit = (NIGHTLY / "batch-prediction.service").read_text()
    (listed,) = re.findall(r"^RestartPreventExitStatus=(.*)$", unit, re.MULTILINE)
    (in_dag,) = re.findall(
        r"^FINAL_STATUSES = \((.*)\)$", (NIGHTLY / "airflow_dag.py").read_text(), re.MULTILINE
    )
    final = {row[0] for row in status_rows(NIGHTLY / "README.md") if row[-1] == "no"}
    assert set(listed.split()) == set(in_dag.split(", ")) == final == {"2", "3", "4", "6"}
    assert "Restart=on-failure" in unit


def status_rows(path: Path) -> list[list[str]]:
    """Rows of the table whose first column is exit statuses."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in path.read_text().splitlines()
        if line.startswith("|")
    ]
    return [row for row in rows if re.match(r"^\d", row[0])]


@pytest.mark.parametrize(
    "path",
    [REPOSITORY / "docs/score.md", NIGHTLY / "README.md"],
    ids=["docs/score", "deploy/nightly/README"],
)
def test_the_tables_of_exit_statuses_are_those_of_the_help(path: Path) -> None:
    rows = {row[0]: row[1] for row in status_rows(path) if row[0] in EXIT_MEANINGS}
    assert rows == EXIT_MEANINGS


def test_every_status_that_a_refusal_ends_with_has_a_meaning() -> None:
    classes = [
        c for c in vars(errors).values() if isinstance(c, type) and issubclass(c, errors.Refusal)
    ]
    interrupted = {128 + signal.SIGINT, 128 + signal.SIGTERM}
    known = {int(status) for key in EXIT_MEANINGS for status in key.split(", ")}
    assert known == {0, *interrupted, *(c.status for c in classes)}


def test_alerts_name_only_metrics_and_labels_that_a_run_leaves(tmp_path: Path) -> None:
    rows = dict.fromkeys(("in", "scored", "filtered", "rejected"), 1)
    facts = RunFacts("job", {"run_id": "r"}, rows, 1, published=True, findings={"warn": 1})
    facts.stage_seconds = {"read": 1.0}
    facts.rows_per_second = 1.0
    write_metrics(str(tmp_path / "m.prom"), facts, 0, 1.0)
    written = (tmp_path / "m.prom").read_text()
    (group,) = yaml.safe_load((NIGHTLY / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]:
        names = re.findall(r"batch_prediction_\w+", rule["expr"])
        assert names
        assert all(f"# TYPE {name} gauge\n" in written for name in names), rule["alert"]
        assert all(pair in written for pair in re.findall(r'\w+="\w+"', rule["expr"])), rule[
            "alert"
        ]
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("page", "ticket")


@pytest.mark.program
@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not installed (comes with Prometheus)"
)
def test_prometheus_takes_the_rules() -> None:
    run = subprocess.run(
        ["promtool", "check", "rules", NIGHTLY / "alerts.yml"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
