"""Tell what a run was like, on one page or as JSON.

    python -m pipelines.report OUTPUT
    python -m pipelines.report OUTPUT --json

The page needs nothing else, no network and no script: may the scores be used, the books, drift, scores,
rejected rows by reason, where the time went, the model, what changed since the run before, and the last
runs. It is put beside the run's manifest, where `monitor.report` puts it, too.
"""

import argparse
from collections.abc import Sequence
import json

from configs.errors import JobError, PublishError, VerifyError
from pipelines.cli.command_line import run_program, say
from pipelines.cli.parser import EXIT_STATUSES, Parser, parse_count
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import make_unicode, write_result
from pipelines.reporting.document import RunReport
from pipelines.reporting.make import LAST_RUNS, make_report
from pipelines.reporting.reading import ToldRun, read_run
from pipelines.reporting.write import write_report
from pipelines.reporting.written_page import locate_report
from storage import files


def main(argv: Sequence[str]) -> int:
    """Report as the command line says, and return the exit status."""
    arguments = _parse(argv)
    told = _read_run(arguments.output, arguments.run)
    against = None
    if arguments.against is not None:
        against = _read_run(arguments.output, arguments.against)
    report = _make(told, arguments.last, against)
    if arguments.json:
        text = json.dumps(report.as_dict(), indent=1)
        write_result(make_unicode(text), "the report")
        return 0
    url = files.to_absolute(arguments.to) if arguments.to else locate_report(told.run)
    try:
        write_report(url, report)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(
            f"{url}: cannot be written: {reason}; mend the folder, or name another file with --to"
        ) from error
    say(f"report: {url}")
    return 0


def _read_run(output: str, run_id: str | None) -> ToldRun:
    with told_as_unreadable(output):
        return read_run(output, run_id)


def _make(told: ToldRun, last: int, against: ToldRun | None) -> RunReport:
    try:
        return make_report(told, last, against)
    # A manifest that was altered may lack, or hold, anything.
    except (KeyError, TypeError) as error:
        kind = type(error).__name__
        raise VerifyError(
            f"{told.run.manifest}: is not a manifest: {kind}: {error}; publish the run again"
        ) from error


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
