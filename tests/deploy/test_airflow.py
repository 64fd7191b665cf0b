"""The Airflow DAG file, imported and run by real Airflow, which lives in an environment of its own: `make airflow-check` makes one."""

import importlib.util
import json
import os
from pathlib import Path
import shutil
import subprocess
import sys
from typing import Any

import pytest

from tests.deploy.nightly import NIGHTLY

DAG_FILE = NIGHTLY / "airflow_dag.py"
PYTHON = os.environ.get("AIRFLOW_PYTHON") or (
    sys.executable if importlib.util.find_spec("airflow") else None
)

pytestmark = [
    pytest.mark.program,
    pytest.mark.skipif(
        PYTHON is None, reason="Airflow is not installed; `make airflow-check` runs this with it"
    ),
]


@pytest.fixture
def airflow(nightly: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """Environment of an Airflow with nothing in it but the DAG, whose settings are those of the nightly example."""
    (tmp_path / "dags").mkdir()
    shutil.copy(DAG_FILE, tmp_path / "dags")
    folders = {
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
    }
    return {**nightly, **folders, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "HOME": str(tmp_path)}


def in_airflow(environment: dict[str, str], *arguments: str) -> str:
    run = subprocess.run(
        [str(PYTHON), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


_IMPORTED = """
import json, os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
(dag,) = bag.dags.values()
print(json.dumps({
    "errors": bag.import_errors, "dag": dag.dag_id, "catchup": dag.catchup, "max_active_runs": dag.max_active_runs,
    "tasks": {t.task_id: [t.retries, sorted(t.downstream_task_ids), t.module, t.arguments] for t in dag.tasks},
}))
"""


def test_airflow_imports_the_dag_without_an_error_or_a_warning(airflow: dict[str, str]) -> None:
    found: dict[str, Any] = json.loads(
        in_airflow(airflow, "-W", "error", "-c", _IMPORTED).splitlines()[-1]
    )
    assert found["errors"] == {}
    assert (found["dag"], found["catchup"], found["max_active_runs"]) == (
        "batch_prediction",
        True,
        1,
    )
    assert {name: task[:3] for name, task in found["tasks"].items()} == {
        "score": [3, ["verify"], "pipelines.score"],
        "verify": [3, [], "pipelines.verify"],
    }


_ENDED = """
import os, pathlib, sys, threading, time
sys.path.insert(0, os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
import airflow_dag
def kill_once_running():
    while not pathlib.Path(airflow_dag.CHECKOUT, "running").exists() or airflow_dag.score._hook.sub_process is None:
        time.sleep(0.05)
    airflow_dag.score.on_kill()
try:
    if sys.argv[1] == "killed":
        threading.Thread(target=kill_once_running).start()
    airflow_dag.score.execute({})
    print("success")
except Exception as error:
    print(type(error).__name__, str(error).partition(":")[0])
"""
_RUNS_UNTIL_KILLED = "trap 'exit 143' TERM; sleep 100 & touch running; wait"


@pytest.mark.parametrize(
    ("how", "ended"),
    [
        ("0", "success"),
        ("1", "AirflowException pipelines.score ended with 1"),
        ("2", "AirflowFailException pipelines.score ended with 2"),
        ("3", "AirflowFailException pipelines.score ended with 3"),
        ("4", "AirflowFailException pipelines.score ended with 4"),
        ("5", "AirflowException pipelines.score ended with 5"),
        ("killed", "AirflowException pipelines.score ended with 143"),
    ],
)
def test_a_retry_follows_the_exit_status(how: str, ended: str, airflow: dict[str, str]) -> None:
    python = Path(airflow["CHECKOUT"]) / ".venv/bin/python"
    python.write_text(f"#!/bin/sh\n{_RUNS_UNTIL_KILLED if how == 'killed' else f'exit {how}'}\n")
    assert in_airflow(airflow, "-c", _ENDED, how).splitlines()[-1] == ended


def test_airflow_scores_and_verifies_a_partition(airflow: dict[str, str], tmp_path: Path) -> None:
    """By hand on the first of February: the interval that has then ended is that of the 31st of January."""
    in_airflow(airflow, "-m", "airflow", "db", "migrate")
    in_airflow(
        airflow, "-m", "airflow", "dags", "test", "batch_prediction", "2026-02-01T02:30:00+00:00"
    )
    assert [p.name for p in (tmp_path / "scores").iterdir()] == ["dt=2026-01-31"]
    assert (tmp_path / "scores/dt=2026-01-31/CURRENT").exists()
