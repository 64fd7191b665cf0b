"""The page of a run's report as it lies beside the manifest, and how it is known for one.

It is in no manifest: it is drawn once the manifest stands, tells of the runs before it, and may be drawn
anew when a library or the past is another. So its last line has two digests instead: of the manifest
that it was drawn from, and of all above that line.
"""

import hashlib
import re

from storage.output_names import REPORT
from storage.run_folder import RunFolder

_LAST_LINE = re.compile(rb"<!-- manifest ([0-9a-f]{64}), page ([0-9a-f]{64}) -->")


def locate_report(run: RunFolder) -> str:
    """Return where the page of a run is."""
    return f"{run.published}/{REPORT}"


def add_digests(page: bytes, manifest_sha256: str) -> bytes:
    """Return a page with its last line.

    Args:
        page: all above it, which ends with a line break.
        manifest_sha256: of the manifest that it was drawn from.
    """
    digest = hashlib.sha256(page).hexdigest()
    last_line = f"<!-- manifest {manifest_sha256}, page {digest} -->\n"
    return page + last_line.encode()


def find_page_problem(content: bytes, manifest_sha256: str) -> str | None:
    """Return, in words, why a page is none of a run's report; None where it is one.

    Args:
        content: of the page.
        manifest_sha256: of the run's manifest as it is now.
    """
    lines = content.splitlines(keepends=True)
    found = _LAST_LINE.fullmatch(lines[-1].strip()) if lines else None
    if found is None:
        return "is no report, or not all of one"
    of_manifest, of_page = (digest.decode() for digest in found.groups())
    above = b"".join(lines[:-1])
    if hashlib.sha256(above).hexdigest() != of_page:
        return "its content was altered (sha256 differs)"
    if of_manifest != manifest_sha256:
        return "was drawn from another manifest than the one that is there"
    return None
