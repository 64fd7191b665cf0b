"""Reuse what a published run has scored: `--reuse_from RUN`.

Units in which nothing was rejected, and whose shard is as it was, are recorded as done in the new
run, with a link to (on a store: a copy of) the file that was published, after its digest was
checked. The graph then finds them done, as after an interruption. So the new run is, byte for byte,
what scoring everything would have given.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
import re
from typing import Any, NamedTuple, TypeAlias

from configs.errors import JobError, VerifyError
from pipelines.planning.identity import output_settings
from storage import files
from storage.input_version import is_folder_version
from storage.layout import find_partition, read_manifest
from storage.run_folder import RunFolder
from transforms.batches import (
    LEFT_OUT,
    ROW_COUNTS,
    ShardCounts,
    WorkUnit,
    WrittenFile,
    WrittenPart,
)
from transforms.output.done_record import finish_unit
from transforms.output.manifest import SERVED_BY, SUMMARY_SOURCES
from transforms.output.published_files import find_summary_name

_PART = re.compile(r"part-(\d+)[-.]")
_ATTEMPT = "reused"
_DIGEST_CHARACTERS = 12
Manifest: TypeAlias = Mapping[str, Any]
# Of a file, or of a unit's books, in a manifest.
Entry: TypeAlias = Mapping[str, Any]


class PublishedRun(NamedTuple):
    """A published run's folder, and its manifest."""

    run: RunFolder
    manifest: Manifest


class _Compared(NamedTuple):
    """What must be the same in both runs: its name, then, and now."""

    name: str
    then: Any
    now: Any


class _Match(NamedTuple):
    """A unit, and the number of the one that it was in the published run."""

    unit: WorkUnit
    number: int


def find_run_to_reuse(
    new: RunFolder,
    head: Manifest,
    run_id: str,
) -> PublishedRun:
    """Return folder and manifest of the published run that has scored shards as they are now.

    Args:
        new: the run that is to be scored now.
        head: what is known of it for its manifest.
        run_id: the published run's id, or `current`.

    Raises:
        JobError: its settings or model are others, or no shard was changed or added since.
        VerifyError: it is not published.
    """
    wanted: str | None = run_id
    if run_id == "current":
        wanted = None
    run, manifest = read_manifest(new.output, wanted)
    what = f"--reuse_from {run_id}"
    if run.run_id == new.run_id:
        raise JobError(
            f"{what}: model, settings and shards are as they were in that run, so there is nothing "
            "to score again; correct its rejected rows in their shards first"
        )
    for compared in _compare(manifest, head):
        if compared.then != compared.now:
            raise JobError(
                f"{what}: that run had another {compared.name}, "
                "so its scores cannot stand beside new ones; "
                "score everything, without this flag"
            )
    return PublishedRun(run, manifest)


def reuse_units(
    new: RunFolder,
    units: Sequence[WorkUnit],
    run: RunFolder,
    manifest: Manifest,
) -> int:
    """Record as done every unit that need not be scored again, and return how many those are.

    Args:
        new, units: the run that is to be scored now.
        run, manifest: the published run.

    Raises:
        VerifyError: a published file is not what the manifest says.
    """
    published = _group_by_unit(manifest["files"])
    summarised = _group_by_unit(manifest.get("summary_parts", ()))
    reused = 0
    for unit, number in _match_units(units, manifest):
        entries = published.get(number, [])
        linked = tuple(_link_files(new, unit, run, entries))
        # They are of all rows of the unit, as no row of it was rejected.
        of_unit = summarised.get(number, [])
        summaries = tuple(_link_files(new, unit, run, of_unit, is_summary=True))
        books = manifest["units"][number]
        part = _make_part(unit, manifest, books, linked, summaries)
        # Last: once it is recorded as done, nobody scores it.
        finish_unit(new, unit, part)
        reused += 1
    return reused


def _group_by_unit(entries: Sequence[Entry]) -> dict[int, list[Entry]]:
    """Return a manifest's files by the number of the unit that they are of."""
    published: dict[int, list[Entry]] = {}
    for entry in entries:
        number = _find_unit_number(entry)
        of_unit = published.setdefault(number, [])
        of_unit.append(entry)
    return published


def _match_units(units: Sequence[WorkUnit], manifest: Manifest) -> Iterator[_Match]:
    """Yield units that were scored without a rejected row or a broken shard."""
    versions = {}
    urls = []
    for entry in manifest["inputs"]:
        url = entry["url"]
        urls.append(url)
        versions[url] = entry["version"]
    numbers = {}
    for position, books in enumerate(manifest["units"]):
        place = _find_place(books, urls)
        numbers[place] = position
    # Of some nobody knows how many rows are lost, so that none was rejected.
    broken = {shard["url"] for shard in manifest.get("broken_shards", ())}

    for unit in units:
        pieces = unit.members or (unit,)
        place = tuple((piece.shard, piece.first_row) for piece in pieces)
        number = numbers.get(place)
        if number is None:
            continue
        if any(piece.shard in broken for piece in pieces):
            continue
        books = manifest["units"][number]
        if not _is_as_it_was(unit, versions, books):
            continue
        # Other rows: the shard may have been cut in other places.
        has_same_rows = unit.rows in (None, books["in"])
        if has_same_rows and not books["rejected"]:
            yield _Match(unit, number)


def _find_place(
    books: Entry,
    urls: Sequence[str],
) -> tuple[tuple[str, int], ...]:
    """Return the shards of a published unit, and the row that it begins with in each.

    Args:
        books: of the unit.
        urls: of the published run's inputs.
    """
    shards = books.get("shards")
    if shards is None:
        return ((books["shard"], books["first_row"]),)
    # What is put together with others is a whole shard.
    return tuple((urls[number], 0) for number, *_ in shards)


def _is_as_it_was(unit: WorkUnit, versions: Mapping[str, str], books: Entry) -> bool:
    """Tell whether a unit's shards, and the files that its rows name, are as they were.

    Args:
        unit: the unit.
        versions: of shards, in the published run.
        books: of the unit, in the published run.
    """
    if books.get("files", "") != unit.files:
        return False
    for piece in unit.members or (unit,):
        # Of a folder of files those of the unit count, and not the others.
        is_folder = bool(piece.files) and is_folder_version(piece.version)
        if not is_folder and versions.get(piece.shard) != piece.version:
            return False
    return True


def _compare(then: Manifest, now: Manifest) -> Iterator[_Compared]:
    """Yield what must be the same in both runs."""
    model_then = then["model"]
    model_now = now["model"]
    yield _Compared("model", model_then["digest"], model_now["digest"])

    settings_then = output_settings(then["job"])
    settings_now = output_settings(now["job"])
    yield _Compared("job", settings_then, settings_now)

    # Manifests of older versions have none.
    yield _Compared("setting of speed", then.get("computing"), now["computing"])
    yield _Compared("libraries", then["libraries"], now["libraries"])
    # None where no summary is a user's own.
    yield _Compared("summary", then.get(SUMMARY_SOURCES), now.get(SUMMARY_SOURCES))
    # None where no server computed.
    yield _Compared("server or model there", then.get(SERVED_BY), now.get(SERVED_BY))
    # What a shard of another form does to all of them: one run has one schema.
    yield _Compared("schema", then["schema"], now["schema"])


def _link_files(
    new: RunFolder,
    unit: WorkUnit,
    run: RunFolder,
    entries: Sequence[Entry],
    is_summary: bool = False,
) -> Iterator[WrittenFile]:
    """Give the published files of a unit a second name, among the attempts of the new run."""
    files.make_folder(new.attempts)
    for number, entry in enumerate(entries):
        path = entry["path"]
        digest = entry["sha256"]
        url = files.join(run.published, path)
        suffix = PurePosixPath(path).suffix
        if is_summary:
            suffix = f"-{find_summary_name(path)}{suffix}"
        # The same name at every try: a launch that was killed in between finds its links made.
        short_digest = digest[:_DIGEST_CHARACTERS]
        name = f"{unit.index:07d}-{_ATTEMPT}-{short_digest}-{number:03d}{suffix}"
        try:
            # What was altered since must not get a new manifest's word for it.
            if files.compute_sha256(url) != digest:
                raise VerifyError(
                    f"{url}: its content was altered (sha256 differs), so it is not reused; "
                    "score everything again"
                )
            second_url = files.join(new.attempts, name)
            files.link_or_copy(url, second_url)
        except FileNotFoundError as error:
            raise VerifyError(
                f"{url}: is gone, so it cannot be reused; score everything, without --reuse_from"
            ) from error
        rows = entry["rows"]
        size_bytes = entry["bytes"]
        partition = "" if is_summary else find_partition(path)
        yield WrittenFile(name, rows, size_bytes, digest, partition)


def _make_part(
    unit: WorkUnit,
    manifest: Manifest,
    books: Entry,
    scored: tuple[WrittenFile, ...],
    summaries: tuple[WrittenFile, ...],
) -> WrittenPart:
    placement = "; ".join(manifest["computed_by"])
    return WrittenPart(
        unit=unit.index,
        attempt=_ATTEMPT,
        first_row=unit.first_row,
        rows_in=books["in"],
        rows_scored=books["scored"],
        rows_filtered=books["filtered"],
        rows_rejected=0,
        last=True,
        scored=scored,
        rejected=(),
        shards=_list_shard_counts(unit, books),
        placement=placement,
        rows_left_out=books.get(LEFT_OUT, 0),
        summaries=summaries,
    )


def _list_shard_counts(unit: WorkUnit, books: Entry) -> tuple[ShardCounts, ...]:
    """Return what became of the rows of each member of a unit, by the books of a published run."""
    if not unit.members:
        return ()
    # A member that is alone has all of its unit's rows.
    rows_by_outcome = [books[name] for name in ROW_COUNTS]
    alone = [0, *rows_by_outcome, books.get(LEFT_OUT, 0)]
    shards = books.get("shards", [alone])
    counts: list[ShardCounts] = []
    # Numbers of a manifest are those of inputs, and here those of members.
    for number, (_, *rows) in enumerate(shards):
        rows_in, scored, filtered, rejected, left_out = rows
        counts.append((number, rows_in, scored, filtered, rejected, left_out))
    return tuple(counts)


def _find_unit_number(entry: Entry) -> int:
    path = entry["path"]
    _, _, name = path.rpartition("/")
    match = _PART.match(name)
    if match is None:
        raise VerifyError(f"{path}: is not the name of a published file")
    return int(match[1])
