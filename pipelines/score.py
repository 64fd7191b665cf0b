"""Score shards with a model: `python -m pipelines.score --config configs/breast_cancer.yaml`.

The flags stand here, the graph in `pipelines/scoring/graph.py`, what comes before it in `plan_job.py`
beside that, and what comes after it in `launch.py`.
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from model_zoo.meta_kernels import meta_kernels_left_out
from pipelines.cli.command_line import (
    add_log_flags,
    let_resume,
    open_log,
    run_program,
    stop_on_terminate,
)
from pipelines.cli.job_flags import add_job_flags
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.run_log import RunLog
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import is_program, pandas_left_out, quick_imports
from pipelines.cli.torch_libraries import load_torch_libraries_aside
from pipelines.runners.flag_words import join_values
from pipelines.runners.quoted_flags import find_nobodys, list_quoted_flags

# What a job is made of takes longer to import than help and a wrong flag take in all.
if TYPE_CHECKING:
    from pipelines.planning.jobs import ScoringJob


def main(argv: Sequence[str]) -> int:
    """Score as the command line says, and return the exit status."""
    # Before all else: a bad flag must be in the log that the flags ask for.
    log = open_log(argv)
    let_resume()
    arguments, flags = _parse(argv)
    with quick_imports():
        from pipelines.cli.load_job import load_job

    job = load_job(arguments)
    log.facts.job = job.name
    try:
        return _score(job, arguments, flags, log)
    finally:
        # Also of a run that is held back, which ends with an error.
        if job.monitor.report and log.facts.run is not None:
            # Its libraries take half a second, which other jobs do without.
            with quick_imports():
                from pipelines.scoring.run_report import leave_report

            leave_report(log.facts.run, log)


def _score(
    job: "ScoringJob",
    arguments: argparse.Namespace,
    flags: Sequence[str],
    log: RunLog,
) -> int:
    # Planning reads tables, whose libraries a wrong job does without.
    with quick_imports():
        from pipelines.scoring.plan_job import plan_job

    # Only users' code works with pandas here.
    no_pandas = is_program() and not job.users_modules
    with pandas_left_out(no_pandas):
        planned = plan_job(job, arguments, flags, log)
    if planned is None:
        return 0
    plan = planned.plan
    no_meta_kernels = is_program() and plan.calls_our_network_alone
    # Beam and torch take seconds, which a run that is published already does without.
    with (
        quick_imports(),
        pandas_left_out(no_pandas),
        meta_kernels_left_out(no_meta_kernels),
    ):
        from pipelines.scoring.dry_run import try_plan
        from pipelines.scoring.graph import build
        from pipelines.scoring.launch import launch_planned

    if arguments.dry_run:
        return try_plan(plan)
    return launch_planned(planned, build, log)


class _Parsed(NamedTuple):
    """Our own flags, and those for the runner."""

    arguments: argparse.Namespace
    flags: list[str]


def _parse(argv: Sequence[str]) -> _Parsed:
    parser = Parser(
        "pipelines.score",
        "Score Parquet or CSV shards with a model package and publish the scores.",
        _EPILOG,
    )
    what = parser.add_argument_group("what to score")
    add_job_flags(what)
    reuse = (
        "score only shards that changed since run RUN (an id, or current) "
        "and units in which rows were rejected; take the rest from that run"
    )
    what.add_argument("--reuse_from", metavar="RUN", help=reuse)
    what.add_argument("--only_rejected", metavar="RUN", help=argparse.SUPPRESS)
    how = parser.add_argument_group("how to run")
    runner = "Beam runner (default: DirectRunner)"
    how.add_argument("--runner", default="DirectRunner", metavar="NAME", help=runner)
    shared = "local paths are mounted on every machine of the cluster"
    how.add_argument("--shared_filesystem", action="store_true", help=shared)
    dry = "plan and check everything, score a few rows in memory, write nothing"
    how.add_argument("--dry_run", action="store_true", help=dry)
    how.add_argument("--quiet", action="store_true", help="print nothing but errors")
    add_log_flags(how)
    how.add_argument("--debug", action="store_true", help="show tracebacks and the runner's log")
    arguments, words = parser.parse_known_args(list(argv))
    parser.refuse_empty(arguments)
    flags = join_values(words)
    if is_program():
        _refuse_nobodys(flags, parser)
        # Beside the imports that come now, of which a wrong flag needs none.
        with quick_imports():
            load_torch_libraries_aside()
    if not flags:
        return _Parsed(arguments, [])
    _refuse_empty(flags, parser)
    # The rest is Beam's, who would drop what it does not know with a warning.
    with quick_imports():
        from pipelines.runners.flags import known_flags, unknown_flags

    parser.refuse_unknown(unknown_flags(flags), known_flags())
    return _Parsed(arguments, flags)


def _refuse_nobodys(flags: Sequence[str], parser: Parser) -> None:
    """Refuse a flag that nobody takes, before Beam is imported to tell what it takes.

    Raises:
        JobError: there is one.
    """
    if not flags:
        return
    quoted = list_quoted_flags()
    nobodys = find_nobodys(flags, quoted)
    parser.refuse_unknown(nobodys, quoted)


def _refuse_empty(flags: Sequence[str], parser: Parser) -> None:
    """Refuse a runner's flag whose value is an empty text: a runner may take it for its own default.

    Raises:
        JobError: there is one.
    """
    for flag in flags:
        name, equals, value = flag.partition("=")
        if equals and not value:
            parser.refuse_value(name)


_EPILOG = f"""runner options:
  Runners: DirectRunner, PrismRunner, PortableRunner, FlinkRunner, DataflowRunner.
  Every other flag goes to the runner; one that it does not know is an error. What a runner needs
  is set for it, and yields to a flag of yours; --debug shows all of it. For the DirectRunner:
    --direct_running_mode   multi_threading (default here), in_memory (one worker),
                            or multi_processing
    --direct_num_workers    number of workers; 0, the default here, is one per core

{EXIT_STATUSES}"""


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
