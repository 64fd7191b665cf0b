"""Tell what a run was like, on one page or as JSON.

    python -m pipelines.report OUTPUT
    python -m pipelines.report OUTPUT --json

The page needs nothing else, no network and no script: may the scores be used, the books, drift, scores,
rejected rows by reason, where the time went, the model, what changed since the run before, and the last
runs. It is put beside the run's manifest, where `monitor.report` puts it, too.
"""

import argparse
from collections.abc import Sequence

from configs.errors import JobError
from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser, parse_count
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports
from pipelines.reporting.last_runs import LAST_RUNS


def main(argv: Sequence[str]) -> int:
    """Report as the command line says, and return the exit status."""
    arguments = _parse(argv)
    # What reads a run takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.reporting.report_run import report_run

    report_run(arguments)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.report",
        "Tell what a run was like that is published, or held back.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    against = "the run to compare with, in place of the reference and of the run before"
    parser.add_argument("--against", metavar="RUN_ID", help=against)
    last = f"how many runs the history has (default: {LAST_RUNS})"
    parser.add_argument("--last", type=parse_count, default=LAST_RUNS, metavar="N", help=last)
    to = "another file for the page (default: report.html beside the manifest)"
    parser.add_argument("--to", metavar="FILE", help=to)
    parser.add_argument("--json", action="store_true", help="print JSON, and write no page")
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_whole(argv)
    if arguments.json and arguments.to:
        raise JobError("--json goes to stdout, and --to names a page; leave one of them out")
    return arguments


if __name__ == "__main__":
    end_process(run_program(main))
