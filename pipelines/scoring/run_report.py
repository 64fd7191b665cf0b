"""The report of a run that is published, or held back, where the job asks for it.

The run stands, whatever becomes of its report: what hinders it is said in a line.
"""

from configs.redaction import shown_with_class
from pipelines.cli.run_log import RunLog
from pipelines.reporting.make import find_digest, make_report
from pipelines.reporting.reading import read_run
from pipelines.reporting.write import write_report
from pipelines.reporting.written_page import find_page_problem, locate_report
from storage import files
from storage.run_folder import RunFolder


def leave_report(run: RunFolder, log: RunLog) -> None:
    """Put the report of a run beside its manifest, unless it is there.

    Args:
        run: the run.
        log: where to say it.
    """
    try:
        url = _write_missing(run)
    except Exception as error:  # noqa: BLE001 - readers have the scores, whatever fails now
        reason = shown_with_class(error)
        log.tell_trouble(
            "report_not_written",
            f"the run stands, but its report was not written: {reason}; "
            f"python -m pipelines.report {run.output} --run {run.run_id} tries again",
        )
        return
    if url is not None:
        log.tell("report", f"report: {url}")


def _write_missing(run: RunFolder) -> str | None:
    """Write the page, and return where it is; None where it was there."""
    url = locate_report(run)
    told = read_run(run.output, run.run_id)
    content = files.read(url)
    # A launch that was killed once the run was published has left none, or part of one.
    if content is not None and find_page_problem(content, find_digest(told)) is None:
        return None
    write_report(url, make_report(told))
    return url
