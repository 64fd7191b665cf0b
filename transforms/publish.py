"""WrittenPart -> Published: choose one attempt per unit, balance the books, and make the whole run visible at once.

Every step can be repeated: files get names that carry their content's digest, the manifest is created if absent, and `CURRENT` is
replaced in one move. So a retried bundle, a second launcher, or a worker that wakes up late cannot change a published run.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
import errno
import json
import math
from typing import Any, TypeVar

import apache_beam as beam

from configs.errors import BudgetError, OtherContentError, PublishError
from storage import files
from storage.layout import RunFolder, current_run, make_current, read_manifest, refuse_link, refuse_links, remove_temporary
from transforms.batches import WorkUnit, WrittenFile, WrittenPart
from transforms.manifest import ROW_COUNTS, books_of_units, description, manifest_text
from transforms.plan_file import read_plan
from transforms.write import read_done_record

T = TypeVar("T")
R = TypeVar("R")
# An object store answers in tens of milliseconds, many requests at a time.
_REQUESTS_AT_ONCE = 32


@dataclass(frozen=True)
class Published:
    """The totals of a published run."""

    run_id: str
    rows_in: int
    rows_scored: int
    rows_filtered: int
    rows_rejected: int


@dataclass
class PublishRun(beam.PTransform):
    """Publish the run once every unit is written, or nothing at all.

    Attributes:
        manifest: what the launcher knows about the run (job, model); the plan's inputs, files and totals are added.
        max_rejected_rows, max_rejected_percent: the error budget; with more rejected rows than both allow, nothing is published.
    """

    run: RunFolder
    manifest: dict[str, Any]
    max_rejected_rows: int
    max_rejected_percent: float

    def expand(self, parts: beam.PCollection[WrittenPart]) -> beam.PCollection[Published]:
        publish = _Publish(self.run, self.manifest, self.max_rejected_rows, self.max_rejected_percent)
        return parts | "Together" >> beam.combiners.ToList() | "Publish" >> beam.ParDo(publish)


@dataclass
class _Publish(beam.DoFn):
    run: RunFolder
    manifest: dict[str, Any]
    max_rejected_rows: int
    max_rejected_percent: float

    def process(self, parts: list[WrittenPart]) -> Iterator[Published]:
        yield publish_run(self.run, parts, self.manifest, self.max_rejected_rows, self.max_rejected_percent)


def publish_run(
    run: RunFolder, parts: Iterable[WrittenPart], manifest: dict[str, Any], max_rejected_rows: int, max_rejected_percent: float
) -> Published:
    """Publish what the done-records and `parts` say was written.

    Raises:
        PublishError: a unit is missing, or the books do not balance.
        OtherContentError: this run was published first, with other content.
        BudgetError: more rejected rows than allowed.
    """
    refuse_links(run, PublishError)
    with _storage_errors(run):
        if files.exists(run.manifest):
            return announce(run, late=True)
        plan = read_plan(run.plan)
        chosen = choose_parts(run, plan.units, parts)
        totals = balance(chosen)
        check_budget(totals, max_rejected_rows, max_rejected_percent, _where_to_look(run, chosen))
        entries = _move_files(run, chosen)
        inputs = {"inputs": plan.inputs, "ignored_inputs": plan.ignored_inputs, "units": list(books_of_units(plan, chosen))}
        content = {**manifest, **inputs, **description(run, chosen, totals, entries)}
        created = _create_manifest(run, content)
        return announce(run, late=not created)


def announce(run: RunFolder, late: bool = False) -> Published:
    """Point readers at a run whose manifest stands, and drop its temporary files.

    `late` says that nobody asked for it: an attempt found the run published. Readers whom a newer run has by then stay with that.
    """
    with _storage_errors(run, "cannot be made the current run"):
        manifest = read_manifest(run.output, run.run_id)[1]
        _remove_strays(run, manifest)  # here, because a publication may have been killed once its manifest stood
        if not (late and _is_superseded(run, manifest)):
            make_current(run)
    with _storage_errors(run, f"is published, but its temporary files in {run.temporary} cannot be removed"):
        remove_temporary(run)
    rows = manifest["rows"]
    return Published(run.run_id, rows["in"], rows["scored"], rows["filtered"], rows["rejected"])


def _is_superseded(run: RunFolder, manifest: dict[str, Any]) -> bool:
    """Whether readers follow another run, which was published later."""
    current = current_run(run.output)
    content = files.read(RunFolder(run.output, current).manifest) if current not in (None, run.run_id) else None
    return content is not None and _published_at(json.loads(content)) >= _published_at(manifest)


def _published_at(manifest: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(manifest["published_at"])


@contextmanager
def _storage_errors(run: RunFolder, what: str = "cannot be published") -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PublishError(f"{run.published}: {what}: {error}; mend the folder and run again to resume") from error


def choose_parts(run: RunFolder, units: Sequence[WorkUnit], parts: Iterable[WrittenPart]) -> list[WrittenPart]:
    """For each unit the parts that cover its rows exactly once: the recorded attempt, else pieces that fit together.

    Raises:
        PublishError: a unit whose rows are not covered.
    """
    of_unit: dict[int, list[WrittenPart]] = {}
    for part in parts:
        of_unit.setdefault(part.unit, []).append(part)
    chosen: list[WrittenPart] = []
    records = _at_once(run, lambda unit: read_done_record(run, unit.index), units)
    for unit, recorded in zip(units, records, strict=True):
        candidates = [recorded] if recorded is not None else of_unit.get(unit.index, [])
        cover = _cover(candidates, unit.first_row)
        if cover is None or (unit.rows is not None and sum(p.rows_in for p in cover) != unit.rows):
            raise PublishError(
                f"{unit.shard}: unit {unit.index} was not written whole, so nothing is published; run again to complete it"
            )
        chosen += cover
    return chosen


def balance(parts: Sequence[WrittenPart]) -> dict[str, int]:
    """Totals of rows in, scored, filtered, rejected.

    Raises:
        PublishError: a part whose rows in are not the sum of the others.
    """
    for part in parts:
        if part.rows_in != part.rows_scored + part.rows_filtered + part.rows_rejected:
            raise PublishError(
                f"unit {part.unit}: {part.rows_in} rows in, but {part.rows_scored} scored + {part.rows_filtered} filtered + "
                f"{part.rows_rejected} rejected: rows were lost or doubled, so nothing is published"
            )
    return {name: sum(getattr(p, f"rows_{name}") for p in parts) for name in ROW_COUNTS}


def check_budget(totals: dict[str, int], max_rejected_rows: int, max_rejected_percent: float, where: str = "") -> None:
    """Refuse a run with more rejected rows than both limits allow.

    Raises:
        BudgetError: always when over budget.
    """
    allowed = max(max_rejected_rows, math.floor(totals["in"] * max_rejected_percent / 100 + 1e-9))
    if totals["rejected"] > allowed:
        raise BudgetError(
            f"{totals['rejected']} of {totals['in']} rows were rejected, but errors.max_rejected_rows is {max_rejected_rows} and "
            f"errors.max_rejected_percent {max_rejected_percent:g}: nothing is published; {where}"
        )


def _cover(parts: Sequence[WrittenPart], first_row: int) -> list[WrittenPart] | None:
    """Parts that stand end to end from `first_row` to a part that is the last; longer parts first."""
    fitting: dict[int, WrittenPart] = {}
    for part in sorted(parts, key=lambda p: (-p.first_row, -p.rows_in, p.attempt)):
        if part.last or (part.rows_in > 0 and part.first_row + part.rows_in in fitting):
            fitting.setdefault(part.first_row, part)
    cover: list[WrittenPart] = []
    while (next_part := fitting.get(first_row)) is not None:
        cover.append(next_part)
        if next_part.last:
            return cover
        first_row += next_part.rows_in
    return None


def _move_files(run: RunFolder, parts: Sequence[WrittenPart]) -> dict[str, list[dict[str, Any]]]:
    """Give every chosen file its final name, and describe it as the manifest does."""
    scored, rejected = list(_scored_names(parts)), list(_rejected_names(parts))
    for file, _ in (*scored, *rejected):
        refuse_link(run, files.join(run.attempts, file.path), PublishError)
    files.make_folder(run.published)
    if rejected:
        files.make_folder(f"{run.published}/rejected")
    try:
        entries = {"files": _at_once(run, lambda f: _move(run, *f), scored)}
        entries["rejected_files"] = _at_once(run, lambda f: _move(run, *f), rejected)
    except FileNotFoundError:
        _forget_units_without_files(run, [*scored, *rejected])
        raise
    files.sync_folder(run.published)
    if rejected:
        files.sync_folder(f"{run.published}/rejected")
    return entries


def _scored_names(parts: Sequence[WrittenPart]) -> Iterator[tuple[WrittenFile, str]]:
    by_unit: dict[int, list[WrittenFile]] = {}
    for part in parts:
        by_unit.setdefault(part.unit, []).extend(part.scored)
    for unit, stored in by_unit.items():
        for number, file in enumerate(stored):
            middle = f"-{number:03d}" if len(stored) > 1 else ""
            yield file, f"part-{unit:05d}{middle}-{file.sha256[:12]}.{file.path.rsplit('.', 1)[1]}"


def _rejected_names(parts: Sequence[WrittenPart]) -> Iterator[tuple[WrittenFile, str]]:
    for part in parts:
        for file in part.rejected:
            yield file, f"rejected/part-{part.unit:05d}-{file.sha256[:12]}.parquet"


def _move(run: RunFolder, file: WrittenFile, name: str) -> dict[str, Any]:
    files.move(files.join(run.attempts, file.path), files.join(run.published, name))
    return {"path": name, "rows": file.rows, "bytes": file.bytes, "sha256": file.sha256}


def _forget_units_without_files(run: RunFolder, moves: Sequence[tuple[WrittenFile, str]]) -> None:
    """Somebody removed files of finished units; drop the records of those, so that the next run writes them again."""
    for file, name in moves:
        if not files.exists(files.join(run.attempts, file.path)) and not files.exists(files.join(run.published, name)):
            files.remove(run.done_record(int(file.path.partition("-")[0])))


def _at_once(run: RunFolder, call: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Results of storage requests in the order of `items`; of a store many at a time, while a disk is faster than threads are."""
    if files.is_local(run.output):
        return [call(item) for item in items]
    with ThreadPoolExecutor(_REQUESTS_AT_ONCE) as pool:
        return list(pool.map(call, items))


def _create_manifest(run: RunFolder, content: dict[str, Any]) -> bool:
    """Name all that is published: True when done, False when another launcher has named the very same."""
    created = False
    with suppress(FileNotFoundError):  # another launcher of this run was faster, and cleaned up
        created = files.create(run.manifest, manifest_text(content).encode(), scratch=run.temporary)
    if not created:
        _refuse_other_content(run, content)
    return created


def _refuse_other_content(run: RunFolder, content: dict[str, Any]) -> None:
    standing = json.loads(files.read(run.manifest) or b"{}")
    if not standing:
        raise FileNotFoundError(errno.ENOENT, "somebody removed the folder", run.temporary)
    if standing.get("content_sha256") != content["content_sha256"]:
        if "files" in standing:
            _remove_strays(run, standing)
        raise OtherContentError(
            f"{run.published}: another launcher published this run first, with other content; the published run stands; "
            "compare the machines and library versions of both (manifest: computed_by)"
        )


def _remove_strays(run: RunFolder, manifest: dict[str, Any]) -> None:
    """Drop files that an interrupted or losing publication left in the run's folder and that its manifest does not list."""
    listed = {e["path"] for e in manifest["files"] + manifest["rejected_files"]}
    present = [*files.names_in(run.published), *(f"rejected/{name}" for name in files.names_in(f"{run.published}/rejected"))]
    for name in present:
        if name.removeprefix("rejected/").startswith("part-") and name not in listed:
            files.remove(files.join(run.published, name))


def _where_to_look(run: RunFolder, parts: Sequence[WrittenPart]) -> str:
    """The first file of rejected rows, by its place before publication."""
    names = [f.path for p in parts for f in p.rejected]
    return (
        f"the rows, stages and reasons are in {run.attempts}/*-rejected.parquet; mend the input or raise the budget"
        if names
        else ""
    )
