"""Score again only what was rejected: the units of a published run in which nothing was rejected are taken over into the new run.

Each is recorded as done in the new run, with a link to (on a store: a copy of) the file that was published, after its digest was checked.
The graph then finds it done, as after an interruption. So the new run is, byte for byte, what scoring everything would have given.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
import re
from typing import Any

from configs.errors import JobError, VerifyError
from pipelines.plan import Plan, libraries, output_settings
from storage import files
from storage.layout import RunFolder, read_manifest
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.write import finish_unit

_PART = re.compile(r"part-(\d+)[-.]")
_ATTEMPT = "taken-over"
Place = tuple[str, int, int, int]


def run_to_correct(plan: Plan, run_id: str) -> tuple[RunFolder, Mapping[str, Any]]:
    """Folder and manifest of the published run whose rejected rows were corrected.

    Raises:
        JobError: nothing was rejected there, its settings or model are others, or no shard was changed since.
        VerifyError: it is not published.
    """
    run, manifest = read_manifest(plan.run.output, None if run_id == "current" else run_id)
    what = f"--only_rejected {run_id}"
    if run.run_id == plan.run.run_id:
        raise JobError(
            f"{what}: model, settings and shards are as they were in that run; correct its rejected rows in their shards first"
        )
    if manifest["rows"]["rejected"] == 0:
        raise JobError(f"{what}: no row was rejected in that run, so there is nothing to score again")
    for name, then, now in (
        ("model", manifest["model"]["digest"], plan.package.digest),
        ("job", output_settings(manifest["job"]), output_settings(plan.job.model_dump(mode="json"))),
        ("setting of speed", manifest.get("computing"), plan.speed.settings.as_dict()),
        ("libraries", manifest["libraries"], libraries()),
    ):
        if then != now:
            raise JobError(
                f"{what}: that run had another {name}, so its scores cannot stand beside new ones; score everything, without this flag"
            )
    return run, manifest


def take_over(plan: Plan, run: RunFolder, manifest: Mapping[str, Any]) -> int:
    """Record as done every unit whose shard is unchanged and of which nothing was rejected; how many those are.

    Raises:
        VerifyError: a published file is not what the manifest says.
    """
    versions = {entry["url"]: entry["version"] for entry in manifest["inputs"]}
    before = {_place(unit): number for number, unit in enumerate(manifest["units"])}
    entries: dict[int, list[Mapping[str, Any]]] = {}
    for entry in manifest["files"]:
        entries.setdefault(_unit_of(entry), []).append(entry)
    taken = 0
    for unit in plan.units:
        number = before.get((unit.shard, unit.first_row_group, unit.row_groups, unit.first_row))
        if number is None or versions.get(unit.shard) != unit.version:
            continue
        books = manifest["units"][number]
        if books["rejected"] or unit.rows not in (None, books["in"]):  # a CSV file may have been cut in other places
            continue
        part = _part(unit, manifest, books, list(_linked(plan.run, unit, run, entries.get(number, []))))
        finish_unit(plan.run, unit, part)
        taken += 1
    return taken


def _linked(new: RunFolder, unit: WorkUnit, run: RunFolder, entries: Sequence[Mapping[str, Any]]) -> Iterator[WrittenFile]:
    files.make_folder(new.attempts)
    for number, entry in enumerate(entries):
        url, digest = files.join(run.published, entry["path"]), entry["sha256"]
        name = f"{unit.index:07d}-{_ATTEMPT}-{digest[:12]}-{number:03d}{PurePosixPath(entry['path']).suffix}"
        try:
            if files.sha256_of(url) != digest:
                raise VerifyError(
                    f"{url}: its content was altered (sha256 differs), so it is not taken over; score everything again"
                )
            files.link_or_copy(url, files.join(new.attempts, name))
        except FileNotFoundError as error:
            raise VerifyError(f"{url}: is gone, so it cannot be taken over; score everything, without --only_rejected") from error
        yield WrittenFile(name, entry["rows"], entry["bytes"], digest)


def _part(unit: WorkUnit, manifest: Mapping[str, Any], books: Mapping[str, Any], scored: Sequence[WrittenFile]) -> WrittenPart:
    return WrittenPart(
        unit=unit.index,
        attempt=_ATTEMPT,
        first_row=unit.first_row,
        rows_in=books["in"],
        rows_scored=books["scored"],
        rows_filtered=books["filtered"],
        rows_rejected=0,
        last=True,
        scored=tuple(scored),
        rejected=(),
        placement="; ".join(manifest["computed_by"]),
    )


def _place(unit: Mapping[str, Any]) -> Place:
    return unit["shard"], unit["first_row_group"], unit["row_groups"], unit["first_row"]


def _unit_of(entry: Mapping[str, Any]) -> int:
    match = _PART.match(entry["path"])
    if match is None:
        raise VerifyError(f"{entry['path']}: is not the name of a published file")
    return int(match[1])
