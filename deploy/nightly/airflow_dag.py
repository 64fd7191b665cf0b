"""Every night: score yesterday's partition, then verify what was published. For Airflow 3.3; copy it into the DAGs folder.

Each date has an output folder of its own, so that nights can be run again, late, or backwards without touching one another. The
settings are those of nightly.env, read from the worker's environment; credentials belong there too, or in the machine's role.
"""

from datetime import timedelta
import os
from typing import Any

from airflow.providers.standard.hooks.subprocess import SubprocessHook
from airflow.sdk import DAG, BaseOperator, CronDataIntervalTimetable
from airflow.sdk.exceptions import AirflowException, AirflowFailException
import pendulum

CHECKOUT = os.environ.get("CHECKOUT", "/opt/batch-prediction")
CONFIG = os.environ.get("CONFIG", "configs/breast_cancer.yaml")
INPUT = os.environ.get("INPUT", "/srv/batch-prediction/input")
OUTPUT = os.environ.get("OUTPUT", "/srv/batch-prediction/scores")

# Not `ds`: for a run by hand that is today.
PARTITION = "dt={{ data_interval_start | ds }}"
# A job, an input, a budget or a run that is held back, which wait for a person: another try would end alike.
FINAL_STATUSES = (2, 3, 4, 6)


class Program(BaseOperator):
    """One of the programs in pipelines/, its lines in the task's log.

    BashOperator would retry whatever the exit status. Airflow's wish to stop reaches the program as SIGTERM: it ends with 143, and
    the next try resumes.
    """

    template_fields = ("arguments",)

    def __init__(self, module: str, arguments: list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.module = module
        self.arguments = arguments

    def execute(self, context: Any) -> None:
        """Run the program.

        Raises:
            AirflowFailException: the exit status says that a retry would end alike.
            AirflowException: any other status but 0.
        """
        self._hook = SubprocessHook()
        command = [f"{CHECKOUT}/.venv/bin/python", "-m", self.module, *self.arguments]
        status = self._hook.run_command(command, cwd=CHECKOUT).exit_code
        if status in FINAL_STATUSES:
            raise AirflowFailException(
                f"{self.module} ended with {status}: mend what its last line names, then clear this task"
            )
        if status != 0:
            raise AirflowException(f"{self.module} ended with {status}")

    def on_kill(self) -> None:
        """Pass it on."""
        self._hook.send_sigterm()


with DAG(
    dag_id="batch_prediction",
    schedule=CronDataIntervalTimetable("30 2 * * *", timezone="UTC"),
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=True,  # nights that the scheduler slept through are made up for, oldest first
    max_active_runs=1,  # one at a time: for the machine's sake, two launchers would be safe
    default_args={
        "retries": 3,
        "retry_delay": timedelta(minutes=10),
        "execution_timeout": timedelta(hours=4),
    },
):
    score = Program(
        task_id="score",
        module="pipelines.score",
        arguments=[
            *("--config", CONFIG),
            *("--input", f"{INPUT}/{PARTITION}/"),
            *("--output", f"{OUTPUT}/{PARTITION}"),
            "--log_format=json",
        ],
    )
    verify = Program(
        task_id="verify", module="pipelines.verify", arguments=[f"{OUTPUT}/{PARTITION}"]
    )
    score >> verify
