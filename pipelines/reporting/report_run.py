"""Report on a run: read it, and print its report as JSON or leave it as a page."""

import argparse
import json

from configs.errors import PublishError, VerifyError
from pipelines.cli.command_line import say
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.terminal import make_unicode, write_result
from pipelines.reporting.document import RunReport
from pipelines.reporting.make import make_report
from pipelines.reporting.reading import ToldRun, read_run
from pipelines.reporting.write import write_report
from pipelines.reporting.written_page import locate_report
from storage import files


def report_run(arguments: argparse.Namespace) -> None:
    """Print a run's report, or leave it as a page.

    Args:
        arguments: output and run, what it is compared with, and where the report goes.

    Raises:
        PublishError: the page cannot be written.
    """
    told = _read_run(arguments.output, arguments.run)
    against = None
    if arguments.against is not None:
        against = _read_run(arguments.output, arguments.against)
    report = _make(told, arguments.last, against)
    if arguments.json:
        text = json.dumps(report.as_dict(), indent=1)
        write_result(make_unicode(text), "the report")
        return
    url = files.to_absolute(arguments.to) if arguments.to else locate_report(told.run)
    try:
        write_report(url, report)
    except OSError as error:
        reason = error.strerror or error
        raise PublishError(
            f"{url}: cannot be written: {reason}; mend the folder, or name another file with --to"
        ) from error
    say(f"report: {url}")


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
