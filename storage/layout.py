"""Where the files of a run stand, and what readers follow: CURRENT -> manifest -> files.

OUTPUT/CURRENT                        id of the run to read
OUTPUT/current                        symbolic link to its scored rows (local disks)
OUTPUT/runs/<run_id>/_manifest.json   every file with rows, bytes, sha256; written last
OUTPUT/runs/<run_id>/scored/part-...  scored rows, and nothing else; in folders column=value below
                                      that where the job asks for them
OUTPUT/runs/<run_id>/_rejected/...    rejected rows
OUTPUT/runs/<run_id>/_files/...       the files that rows name, where they do
OUTPUT/_tmp/<run_id>/                 plan, attempts, done-records, progress; removed once published

Some that read a folder of Parquet skip names that begin with _ (pandas, pyarrow, Spark), others take
whatever there is, at any depth (Polars, DuckDB's `**`): so scored rows have a folder of their own.
Runs of earlier versions have their parts beside the manifest, and the oldest ones `manifest.json`
and `rejected/`; all are still read.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
import json
from pathlib import Path
import re
from typing import Any

from configs.errors import Refusal, VerifyError
from storage import files
from storage.disk import leads_out
from storage.output_names import CURRENT, MANIFEST, RUNS, SCORED
from storage.partition_names import is_path_of_names

LINK = "current"
REJECTED = "_rejected"
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
        return files.join(self.output, f"{RUNS}/{self.run_id}")

    @property
    def manifest(self) -> str:
        return f"{self.published}/{MANIFEST}"

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
    def former_rejected(self) -> str:
        """Return where an earlier version has put the rejected rows."""
        return f"{self.published}/{FORMER_REJECTED}"

    @property
    def temporary(self) -> str:
        return files.join(self.output, f"_tmp/{self.run_id}")

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


def find_scored(run: RunFolder, manifest: Mapping[str, Any]) -> str:
    """Return the folder in which the scored rows of a published run are.

    Args:
        run: the run.
        manifest: its manifest.
    """
    # Earlier versions put them into the run's own folder.
    if any("/" not in entry["path"] for entry in manifest.get("files", ())):
        return run.published
    return run.scored


def find_rejected(run: RunFolder, manifest: Mapping[str, Any]) -> str | None:
    """Return the folder in which the rejected rows of a published run are; None where it has none.

    Args:
        run: the run.
        manifest: its manifest.
    """
    for entry in manifest.get("rejected_files", ()):
        folder, _, _ = entry["path"].rpartition("/")
        return f"{run.published}/{folder}"
    return None


def find_current_run(output: str) -> str | None:
    """Return the id of the run that readers should use, or None when nothing is published.

    Raises:
        VerifyError: CURRENT holds what cannot be the id of a run.
    """
    current = files.join(output, CURRENT)
    content = files.read(current)
    if not content:
        return None
    run_id = content.decode(errors="replace").strip()
    if not is_plain(run_id):
        raise VerifyError(
            f"{output}: CURRENT does not hold the id of a run; publish again, "
            "or write the id of a folder in runs/ there"
        )
    return run_id


def find_manifest(run: RunFolder) -> str | None:
    """Return where the manifest of a run stands, or None when the run is not published."""
    # The name of today first: nearly all runs have it.
    for url in (run.manifest, run.former_manifest):
        if files.exists(url):
            return url
    return None


def is_published(run: RunFolder) -> bool:
    """Tell whether the manifest of a run stands, under whichever name."""
    return find_manifest(run) is not None


def remove_temporary(run: RunFolder) -> None:
    """Remove a run's temporary files.

    Its done-records go first, so that what a killed removal leaves names no file that is gone.
    """
    files.remove(run.done)
    # Not found: they are gone already.
    with suppress(FileNotFoundError):
        files.sync_folder(run.temporary)
    files.remove(run.temporary)


def read_manifest(output: str, run_id: str | None = None) -> tuple[RunFolder, dict[str, Any]]:
    """Return folder and manifest of a published run.

    Every file that it lists is in the run's folder.

    Args:
        output: the output folder.
        run_id: which run; None for the current one.

    Raises:
        VerifyError: nothing is published there, or the manifest cannot be read, or leads out of the
            run's folder.
    """
    named_by = "the command line" if run_id else "CURRENT"
    run_id = run_id or find_current_run(output)
    if run_id is None:
        raise VerifyError(
            f"{output}: nothing is published there (no CURRENT); "
            f"run pipelines.score with --output {output}"
        )
    if not is_plain(run_id):
        raise VerifyError(
            f"{output}: {run_id!r} cannot be the id of a run; name a folder in {output}/runs"
        )
    absolute = files.to_absolute(output)
    folder = RunFolder(absolute, run_id)
    refuse_links(folder, VerifyError)
    manifest = find_manifest(folder)
    content = None if manifest is None else files.read(manifest)
    # Somebody may have removed it since it was found.
    if manifest is None or content is None:
        raise VerifyError(
            f"{output}: {named_by} names run {run_id}, but {folder.manifest} is missing; "
            f"name a folder in {output}/runs, or publish the run again"
        )
    return folder, _parse_manifest(folder, manifest, content)


def refuse_links(run: RunFolder, refusal: type[Refusal]) -> None:
    """Refuse a run of which a folder, or one above it in the output, is a link that leads out.

    Args:
        run: the run.
        refusal: what to raise.
    """
    listed = run.published_file_list
    published = (run.published, run.scored, run.rejected, run.manifest, listed)
    former = (run.former_rejected, run.former_manifest)
    in_use = (run.listed_files, run.table_files, run.attempts, run.done, run.progress)
    temporary = (run.temporary, *in_use)
    for url in (*published, *former, *temporary):
        refuse_link(run, url, refusal)


def refuse_link(run: RunFolder, url: str, refusal: type[Refusal]) -> None:
    """Refuse a name in the output that is, through links, a place outside.

    Args:
        run: the run.
        url: the name.
        refusal: what to raise.
    """
    # Only a disk has links.
    if not files.is_local(url):
        return
    if leads_out(Path(url), Path(run.output)):
        raise refusal(
            f"{url}: is, or is below, a link that leads out of {run.output}; "
            "put a folder there instead of the link"
        )


def is_plain(name: str) -> bool:
    """Tell whether a name from a file stays, as a part of a path or URL, in the folder before it.

    >>> [is_plain(n) for n in ("part-00007-0123456789ab.parquet", "..", "/etc/passwd", "a/b", "")]
    [True, False, False, False, False]
    """
    return _PLAIN.fullmatch(name) is not None


def _parse_manifest(folder: RunFolder, url: str, content: bytes) -> dict[str, Any]:
    """Return the manifest, whose entries name files below the run's folder."""
    try:
        manifest: dict[str, Any] = json.loads(content)
        paths = _list_paths(manifest)
        outside = [path for path in paths if not _is_below_run(path)]
    except ValueError as error:
        raise VerifyError(f"{url}: not valid JSON: {error}; publish the run again") from error
    except (AttributeError, KeyError, TypeError) as error:
        raise VerifyError(f"{url}: is not a manifest; publish the run again") from error
    if outside:
        raise VerifyError(
            f"{url}: lists {outside[0]!r}, which is not in the run's folder; "
            "do not trust this output"
        )
    for path in paths:
        refuse_link(folder, f"{folder.published}/{path}", VerifyError)
    return manifest


def _is_below_run(path: str) -> bool:
    # There are no other folders below a run's, and below that of scored rows only those of columns.
    folder, slash, name = path.rpartition("/")
    if not is_plain(name):
        return False
    if not slash or folder in (SCORED, REJECTED, FORMER_REJECTED):
        return True
    top, _, below = folder.partition("/")
    return top == SCORED and is_path_of_names(below)


def find_partition(path: str) -> str:
    """Return the folders of columns' values that a file of scored rows is in; nothing of most.

    >>> find_partition("scored/dt=1/region=n/part-00000-0123456789ab.parquet")
    'dt=1/region=n'
    """
    folder, _, _ = path.rpartition("/")
    _, _, partition = folder.partition("/")
    return partition


def list_below_scored(run: RunFolder, folder: str = SCORED) -> list[str]:
    """Return what there is in a run's folder of scored rows, as paths below the run's.

    Folders of columns are looked into, and not told.

    Args:
        run: the run.
        folder: where to look.
    """
    found = []
    for name in files.list_names(files.join(run.published, folder)):
        path = f"{folder}/{name}"
        if is_path_of_names(name):
            found += list_below_scored(run, path)
        else:
            found.append(path)
    return found


def _list_paths(manifest: dict[str, Any]) -> list[str]:
    paths = []
    for name in ("files", "rejected_files"):
        entries = manifest.get(name, ())
        paths += [entry["path"] for entry in entries]
    return paths
