"""Point readers at a run that stands.

Apart from the publication itself, as a run that is published already is announced again, without Beam.
"""

from dataclasses import dataclass
from datetime import datetime

from configs.errors import SupersededError
from storage import files
from storage.current import make_current
from storage.layout import read_manifest, remove_temporary
from storage.run_folder import RunFolder
from transforms.output.published_files import remove_strays
from transforms.publish_errors import storage_errors


@dataclass(frozen=True)
class Published:
    """The totals of a published run."""

    run_id: str
    rows_in: int
    rows_scored: int
    rows_filtered: int
    rows_rejected: int


def announce(run: RunFolder, planned_at: datetime) -> Published:
    """Point readers at a run whose manifest stands, and remove its temporary files.

    Args:
        run: the run.
        planned_at: when the launch was planned that asks for it.

    Raises:
        PublishError: a file cannot be read, written or removed.
        SupersededError: readers stay with a run that was planned later.
    """
    with storage_errors(run, "cannot be made the current run"):
        _, manifest = read_manifest(run.output, run.run_id)
        # Here, because a publication may have been killed once its manifest stood.
        remove_strays(run, manifest)
        newer = make_current(run, planned_at)
        # Of a run that was held back: its manifest decides from here on.
        if "summaries" in manifest:
            files.remove(run.held)
    left = f"is published, but its temporary files in {run.temporary} cannot be removed"
    with storage_errors(run, left):
        remove_temporary(run)
    if newer is not None:
        raise SupersededError(
            f"{run.published}: is published, but readers stay with run {newer}, which was planned "
            "later; run the same command again to make this one current"
        )
    rows = manifest["rows"]
    return Published(
        run_id=run.run_id,
        rows_in=rows["in"],
        rows_scored=rows["scored"],
        rows_filtered=rows["filtered"],
        rows_rejected=rows["rejected"],
    )
