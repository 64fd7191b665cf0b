"""Where the files of a run stand, as names; who reads them is `layout.py`.

OUTPUT/CURRENT                        id of the run to read
OUTPUT/current                        symbolic link to its scored rows (local disks)
OUTPUT/runs/<run_id>/_manifest.json   every file with rows, bytes, sha256; written last
OUTPUT/runs/<run_id>/_held.json       instead of it, while the run is held back by its monitor
OUTPUT/runs/<run_id>/scored/part-...  scored rows, and nothing else; in folders column=value below
                                      that where the job asks for them
OUTPUT/runs/<run_id>/_rejected/...    rejected rows
OUTPUT/runs/<run_id>/_files/...       the files that rows name, where they do
OUTPUT/runs/<run_id>/_summaries/...   what was computed beside the scores, where the job asks for it
OUTPUT/runs/<run_id>/report.html      a page about the run, where the job asks for it; in no manifest
OUTPUT/_tmp/<run_id>/                 plan, attempts, done-records, progress; removed once published

Some that read a folder of Parquet skip names that begin with _ (pandas, pyarrow, Spark), others take
whatever there is, at any depth (Polars, DuckDB's `**`): so scored rows have a folder of their own.
Runs of earlier versions have their parts beside the manifest, and the oldest ones `manifest.json`
and `rejected/`; all are still read.
"""

from dataclasses import dataclass
import re

from storage.output_names import HELD, MANIFEST, RUNS, SCORED
from storage.urls import join

LINK = "current"
REJECTED = "_rejected"
SUMMARIES = "_summaries"
# The files that rows name, as they were when they were scored; in a folder, as DuckDB takes what
# begins with _ for a part, too.
FILE_LIST = "_files/files.parquet"
# What runs of earlier versions call them.
FORMER_REJECTED = "rejected"
_FORMER_MANIFEST = "manifest.json"
# 255 bytes is the longest name that file systems take.
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")


@dataclass(frozen=True)
class RunFolder:
    """The places of one run below an output."""

    output: str
    run_id: str

    @property
    def published(self) -> str:
        return join(self.output, f"{RUNS}/{self.run_id}")

    @property
    def manifest(self) -> str:
        return f"{self.published}/{MANIFEST}"

    @property
    def held(self) -> str:
        """Return what stands instead of the manifest while the run is held back."""
        return f"{self.published}/{HELD}"

    @property
    def former_manifest(self) -> str:
        """Return where an earlier version has written the manifest."""
        return f"{self.published}/{_FORMER_MANIFEST}"

    @property
    def scored(self) -> str:
        """Return the folder of scored rows, which readers are led to."""
        return f"{self.published}/{SCORED}"

    @property
    def published_file_list(self) -> str:
        """Return the list of the files that rows name, once the run is published."""
        return f"{self.published}/{FILE_LIST}"

    @property
    def rejected(self) -> str:
        return f"{self.published}/{REJECTED}"

    @property
    def summaries(self) -> str:
        """Return the folder of what was computed beside the scores."""
        return f"{self.published}/{SUMMARIES}"

    @property
    def former_rejected(self) -> str:
        """Return where an earlier version has put the rejected rows."""
        return f"{self.published}/{FORMER_REJECTED}"

    @property
    def temporary(self) -> str:
        return join(self.output, f"_tmp/{self.run_id}")

    @property
    def plan(self) -> str:
        return f"{self.temporary}/plan.json"

    @property
    def listed_files(self) -> str:
        """Return the list of the files that rows name."""
        return f"{self.temporary}/files.parquet"

    @property
    def table_files(self) -> str:
        """Return what a table's log says of each of its data files."""
        return f"{self.temporary}/table.json"

    @property
    def reference(self) -> str:
        """Return what the run is compared with before it is published."""
        return f"{self.temporary}/reference.parquet"

    @property
    def attempts(self) -> str:
        return f"{self.temporary}/attempts"

    @property
    def done(self) -> str:
        return f"{self.temporary}/done"

    @property
    def progress(self) -> str:
        return f"{self.temporary}/progress"

    @property
    def lock(self) -> str:
        """Return the file that the run's launchers hold as long as they live (local disks)."""
        return f"{self.temporary}/launcher.lock"

    def done_record(self, unit: int) -> str:
        """Return the record that a unit is complete."""
        return f"{self.done}/{unit:07d}.json"


def is_plain(name: str) -> bool:
    """Tell whether a name from a file stays, as a part of a path or URL, in the folder before it.

    >>> [is_plain(n) for n in ("part-00007-0123456789ab.parquet", "..", "/etc/passwd", "a/b", "")]
    [True, False, False, False, False]
    """
    return _PLAIN.fullmatch(name) is not None
