"""What readers follow in an output: CURRENT -> manifest -> files. Where each of them stands is in `run_folder.py`."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from configs.errors import Refusal, VerifyError
from storage import files
from storage.disk import leads_out
from storage.json_pieces import decode_fields
from storage.output_names import CURRENT, SCORED
from storage.partition_names import is_path_of_names
from storage.run_folder import FORMER_REJECTED, REJECTED, SUMMARIES, RunFolder, is_plain

# Of a manifest: as many as there were shards.
_LARGE = {"inputs", "ignored_inputs", "units"}


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


def find_document(run: RunFolder) -> str | None:
    """Return where the manifest of a run stands, or what will be that of one that is held back; None of others."""
    url = find_manifest(run)
    if url is None and files.exists(run.held):
        return run.held
    return url


def is_held(run: RunFolder) -> bool:
    """Tell whether a run stands whole, and is held back from being published."""
    return files.exists(run.held) and not is_published(run)


def read_held(run: RunFolder) -> dict[str, Any] | None:
    """Return what will be the manifest of a run that is held back; None of any other.

    Args:
        run: the run.

    Raises:
        VerifyError: it cannot be read, or leads out of the run's folder.
    """
    refuse_links(run, VerifyError)
    content = files.read(run.held)
    if content is None:
        return None
    return _parse_manifest(run, run.held, content)


def remove_temporary(run: RunFolder) -> None:
    """Remove a run's temporary files.

    Its done-records go first, so that what a killed removal leaves names no file that is gone.
    """
    files.remove(run.done)
    # Not found: they are gone already.
    with suppress(FileNotFoundError):
        files.sync_folder(run.temporary)
    files.remove(run.temporary)


def read_manifest(
    output: str,
    run_id: str | None = None,
) -> tuple[RunFolder, dict[str, Any]]:
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
    content = None
    if manifest is not None:
        content = files.read(manifest)
    # Somebody may have removed it since it was found.
    if manifest is None or content is None:
        _refuse_held(folder)
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
    published = (
        run.published,
        run.scored,
        run.rejected,
        run.summaries,
        run.manifest,
        run.held,
        run.published_file_list,
    )
    former = (
        run.former_rejected,
        run.former_manifest,
    )
    temporary = (
        run.temporary,
        run.listed_files,
        run.table_files,
        run.reference,
        run.attempts,
        run.done,
        run.progress,
    )
    no_links: set[str] = set()
    for url in (*published, *former, *temporary):
        refuse_link(run, url, refusal, no_links)


def refuse_link(
    run: RunFolder,
    url: str,
    refusal: type[Refusal],
    no_links: set[str],
) -> None:
    """Refuse a name in the output that is, through links, a place outside.

    Args:
        run: the run.
        url: the name.
        refusal: what to raise.
        no_links: folders that were looked at for other names just before, as for `leads_out`.
    """
    # Only a disk has links.
    if not files.is_local(url):
        return
    if leads_out(url, run.output, no_links):
        raise refusal(
            f"{url}: is, or is below, a link that leads out of {run.output}; "
            "put a folder there instead of the link"
        )


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
    url = files.join(run.published, folder)
    for name in files.list_names(url):
        path = f"{folder}/{name}"
        if is_path_of_names(name):
            found += list_below_scored(run, path)
        else:
            found.append(path)
    return found


def _refuse_held(run: RunFolder) -> None:
    """Refuse a run that is held back, where only a published one will do."""
    if files.exists(run.held):
        raise VerifyError(
            f"{run.published}: is held back by its monitor, and not published; look at it with "
            f"python -m pipelines.verify {run.output} --run {run.run_id}, and publish or drop it with "
            "python -m pipelines.release"
        )


def _parse_manifest(folder: RunFolder, url: str, content: bytes) -> dict[str, Any]:
    """Return the manifest, whose entries name files below the run's folder."""
    try:
        manifest: dict[str, Any] = decode_fields(content, _LARGE)
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
    no_links: set[str] = set()
    for path in paths:
        refuse_link(folder, f"{folder.published}/{path}", VerifyError, no_links)
    return manifest


def _is_below_run(path: str) -> bool:
    """Tell whether an entry of a manifest names a file in one of a run's own folders."""
    # There are no other folders below a run's, and below that of scored rows only those of columns.
    folder, slash, name = path.rpartition("/")
    if not is_plain(name):
        return False
    if not slash or folder in (SCORED, REJECTED, FORMER_REJECTED, SUMMARIES):
        return True
    top, _, below = folder.partition("/")
    return top == SCORED and is_path_of_names(below)


def _list_paths(manifest: dict[str, Any]) -> list[str]:
    """Return the paths of all files that a manifest lists."""
    paths = []
    for name in ("files", "rejected_files", "summary_parts", "summaries"):
        entries = manifest.get(name, ())
        paths += [entry["path"] for entry in entries]
    return paths
