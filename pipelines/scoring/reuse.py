"""Reuse what a published run has scored: `--reuse_from RUN`.

Units in which nothing was rejected, and whose shard is as it was, are recorded as done in the new
run, with a link to (on a store: a copy of) the file that was published, after its digest was
checked. The graph then finds them done, as after an interruption. So the new run is, byte for byte,
what scoring everything would have given.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
import re
from typing import Any

from configs.errors import JobError, VerifyError
from pipelines.planning.identity import list_libraries, output_settings
from pipelines.planning.plan import Plan
from storage import files
from storage.layout import RunFolder, read_manifest
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.output.done_record import finish_unit
from transforms.output.manifest import describe_schema

_PART = re.compile(r"part-(\d+)[-.]")
_ATTEMPT = "reused"
Entry = Mapping[str, Any]


def find_run_to_reuse(plan: Plan, run_id: str) -> tuple[RunFolder, Mapping[str, Any]]:
    """Return folder and manifest of the published run whose rejected rows were corrected.

    Args:
        plan: what is to be scored now.
        run_id: its id, or `current`.

    Raises:
        JobError: nothing was rejected there, its settings or model are others, or no shard was
            changed since.
        VerifyError: it is not published.
    """
    run, manifest = read_manifest(plan.run.output, None if run_id == "current" else run_id)
    what = f"--reuse_from {run_id}"
    if run.run_id == plan.run.run_id:
        raise JobError(
            f"{what}: model, settings and shards are as they were in that run; "
            "correct its rejected rows in their shards first"
        )
    if manifest["rows"]["rejected"] == 0:
        raise JobError(
            f"{what}: no row was rejected in that run, so there is nothing to score again"
        )
    for name, then, now in _compare(plan, manifest):
        if then != now:
            raise JobError(
                f"{what}: that run had another {name}, so its scores cannot stand beside new ones; "
                "score everything, without this flag"
            )
    return run, manifest


def reuse_units(plan: Plan, run: RunFolder, manifest: Mapping[str, Any]) -> int:
    """Record as done every unit that need not be scored again, and return how many those are.

    Args:
        plan: what is to be scored now.
        run, manifest: the published run.

    Raises:
        VerifyError: a published file is not what the manifest says.
    """
    published: dict[int, list[Entry]] = {}
    for entry in manifest["files"]:
        published.setdefault(_find_unit_number(entry), []).append(entry)
    reused = 0
    for unit, number in _match_units(plan.units, manifest):
        linked = tuple(_link_files(plan.run, unit, run, published.get(number, [])))
        part = _make_part(unit, manifest, manifest["units"][number], linked)
        finish_unit(plan.run, unit, part)
        reused += 1
    return reused


def _match_units(
    units: Sequence[WorkUnit], manifest: Mapping[str, Any]
) -> Iterator[tuple[WorkUnit, int]]:
    """Yield units that were scored without a rejected row, and their numbers in that run."""
    versions = {entry["url"]: entry["version"] for entry in manifest["inputs"]}
    numbers = {}
    for position, books in enumerate(manifest["units"]):
        numbers[books["shard"], books["first_row"]] = position
    for unit in units:
        number = numbers.get((unit.shard, unit.first_row))
        if number is None or versions.get(unit.shard) != unit.version:
            continue
        books = manifest["units"][number]
        # Other rows: the shard may have been cut in other places.
        has_same_rows = unit.rows in (None, books["in"])
        if has_same_rows and not books["rejected"]:
            yield unit, number


def _compare(plan: Plan, manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield what must be the same in both runs: its name, then, and now."""
    job = plan.job.model_dump(mode="json")
    yield "model", manifest["model"]["digest"], plan.package.digest
    yield "job", output_settings(manifest["job"]), output_settings(job)
    yield "setting of speed", manifest.get("computing"), plan.inference.settings.as_dict()
    yield "libraries", manifest["libraries"], list_libraries()
    # What a shard of another form does to all of them: one run has one schema.
    schema = describe_schema(plan.output.file_format.schema)
    yield "schema", manifest["schema"], schema


def _link_files(
    new: RunFolder, unit: WorkUnit, run: RunFolder, entries: Sequence[Entry]
) -> Iterator[WrittenFile]:
    """Give the published files of a unit a second name, among the attempts of the new run."""
    files.make_folder(new.attempts)
    for number, entry in enumerate(entries):
        url, digest = files.join(run.published, entry["path"]), entry["sha256"]
        suffix = PurePosixPath(entry["path"]).suffix
        # The same name at every try: a launch that was killed in between finds its links made.
        name = f"{unit.index:07d}-{_ATTEMPT}-{digest[:12]}-{number:03d}{suffix}"
        try:
            # What was altered since must not get a new manifest's word for it.
            if files.compute_sha256(url) != digest:
                raise VerifyError(
                    f"{url}: its content was altered (sha256 differs), so it is not reused; "
                    "score everything again"
                )
            files.link_or_copy(url, files.join(new.attempts, name))
        except FileNotFoundError as error:
            raise VerifyError(
                f"{url}: is gone, so it cannot be reused; score everything, without --reuse_from"
            ) from error
        yield WrittenFile(name, entry["rows"], entry["bytes"], digest)


def _make_part(
    unit: WorkUnit, manifest: Mapping[str, Any], books: Entry, scored: tuple[WrittenFile, ...]
) -> WrittenPart:
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
        placement="; ".join(manifest["computed_by"]),
    )


def _find_unit_number(entry: Entry) -> int:
    match = _PART.match(entry["path"])
    if match is None:
        raise VerifyError(f"{entry['path']}: is not the name of a published file")
    return int(match[1])
