"""Find the fastest engine and settings whose scores stay close to those of the reference.

For example `python -m pipelines.tune --config configs/digits.yaml`. It scores a sample of the job's
own rows with the job's own model on this machine, setting by setting, and leaves the fastest one
that is within `model.tolerance` in the file `model.tuning_report`, which jobs with `model.dtype:
auto` score with. The reference is float32, eager; of a package without a network, its own engine.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from configs.errors import JobError
from model_zoo.engines.table import ENGINES
from pipelines.cli.command_line import run_program, stop_on_terminate
from pipelines.cli.job_flags import add_job_flags
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports

# What a job is made of takes longer to import than help and a wrong flag take in all.
if TYPE_CHECKING:
    from pipelines.planning.jobs import ScoringJob

# Kinds of settings.
WITHOUT = ("bfloat16", "float16", "int8", "channels_last", "compile")
# A few seconds of a small network.
_ROWS = 1 << 17
_MINUTES = 5.0


def main(argv: Sequence[str]) -> int:
    """Tune as the command line says, and return the exit status."""
    arguments = _parse(argv)
    with quick_imports():
        from pipelines.cli.load_job import load_job

    job = load_job(arguments)
    _refuse_untunable(job)
    # Engines take seconds, which a wrong job does without.
    with quick_imports():
        from pipelines.tuning.tune_job import tune_job

    tune_job(job, arguments)
    return 0


def _refuse_untunable(job: "ScoringJob") -> None:
    """Refuse a job that leaves no report, or whose model is computed elsewhere.

    Raises:
        JobError: it is such a job.
    """
    if job.model.tuning_report is None:
        raise JobError(
            "model.tuning_report is not set; name the file that pipelines.tune shall write"
        )
    # The speed of such a model is that of its server.
    if job.model.engine == "remote":
        raise JobError(
            "model.engine remote: a server computes the model, and its settings are the server's, so "
            "nothing is tuned here; how many requests are open adapts while a run goes on, up to "
            "model.server.max_in_flight, and model.batch_rows can be tried by hand"
        )


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.tune",
        "Find the fastest engine and settings whose scores stay close to float32, eager.",
        EXIT_STATUSES,
    )
    add_job_flags(parser)
    add = parser.add_argument
    rows = f"rows of the sample, at most (default: {_ROWS})"
    add("--rows", type=int, default=_ROWS, help=rows)
    minutes = f"the time that it may take, about (default: {_MINUTES:g})"
    add("--minutes", type=float, default=_MINUTES, help=minutes)
    night = (
        "rows of a run, which the time to load a model is weighed against "
        "(default: those of the job's input)"
    )
    add("--rows_per_night", type=int, metavar="N", help=night)
    without = "leave this out, a kind of setting or an engine; may be repeated"
    words = (*WITHOUT, *ENGINES)
    add("--without", action="append", default=[], choices=words, metavar="WORD", help=without)
    add("--quiet", action="store_true", help="print nothing but errors")
    add("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_whole(argv)
    refuse_less_than = partial(_refuse_less_than, arguments)
    refuse_less_than("rows", 1)
    refuse_less_than("rows_per_night", 1)
    # No time at all would conclude from nothing; NaN is no more than anything.
    if not 0 < arguments.minutes < float("inf"):
        raise JobError(f"--minutes must be > 0, got {arguments.minutes}")
    return arguments


def _refuse_less_than(arguments: argparse.Namespace, flag: str, least: int) -> None:
    value = getattr(arguments, flag)
    if value is not None and value < least:
        raise JobError(f"--{flag} must be >= {least}, got {value}")


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
