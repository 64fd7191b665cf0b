"""Draw the page of a run's report, and put it into its place."""

from pipelines.reporting.document import RunReport
from pipelines.reporting.run_page import render_report
from pipelines.reporting.written_page import add_digests
from storage import files


def write_report(url: str, report: RunReport) -> None:
    """Write the page, in place of any older one.

    Args:
        url: of the page.
        report: what it tells.

    Raises:
        OSError: it cannot be written.
    """
    page = render_report(report).encode()
    files.replace(url, add_digests(page, report.manifest_sha256))
