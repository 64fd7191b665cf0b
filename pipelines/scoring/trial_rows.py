"""Rows for a dry run: from the beginning, the middle and the end of several shards, through the real stages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
import random
import time

from pipelines.planning.plan import Plan
from transforms.batches import BatchId, RawBatch, RowRecord, ScoredBatch, WorkUnit
from transforms.formats.format import Format, ReadsListedFiles, Shard, make_unit, split_for_sample
from transforms.postprocess import postprocess_batch
from transforms.predict import Score, predict_batch
from transforms.preprocess import preprocess_batch
from transforms.read_unit import read_unit
from transforms.unit_members import list_pieces

# Enough to tell rows per second, few enough to wait for.
FIRST_ROWS = 1_000
# Of each other place, and of how many shards: together about as many.
_ROWS = 50
_SHARDS = 8
# What has more rows is not read through, only to see its middle and its last rows.
_MOST_ROWS_READ = 1 << 15
# And fewer where each row is a file.
_MOST_FILES_READ = 1 << 10


@dataclass(frozen=True)
class Trial:
    """Rows that were scored, and how long that took, but for reading them."""

    batch: RawBatch
    scored: ScoredBatch
    seconds: float


@dataclass(frozen=True)
class Place:
    """Where rows are taken from.

    Attributes:
        unit: what is read there.
        batch: which batch of it; None for the last one.
    """

    unit: WorkUnit
    batch: int | None = 0


def try_first_rows(plan: Plan, score: Score) -> Trial:
    """Score the first rows of the first unit.

    Args:
        plan: what a run would do.
        score: the model.

    Raises:
        Refusal: what would end the run.
    """
    first_unit = plan.units[0]
    batches = _read(plan, first_unit, FIRST_ROWS)
    first = next(batches)
    return try_batch(plan, score, first)


def try_places(plan: Plan, score: Score, first: Trial) -> list[Trial]:
    """Score rows of places all over the input, but for those that were scored before.

    Args:
        plan: what a run would do.
        score: the model.
        first: the first rows.

    Raises:
        Refusal: what would end the run.
    """
    tried: dict[BatchId, Trial] = {}
    for place in choose_places(plan):
        batch = _read_place(plan, place)
        # A short shard's middle may be its end, and all of it among the first rows.
        if batch is None or batch.id in tried:
            continue
        if _is_among(batch, first.batch):
            continue
        tried[batch.id] = try_batch(plan, score, batch)
    return list(tried.values())


def count_begun(trials: Sequence[Trial]) -> int:
    """Return of how many shards nothing but the beginning was looked at, as they are cut nowhere.

    Args:
        trials: all of them.
    """
    begun: set[str] = set()
    looked_into: set[str] = set()
    for trial in trials:
        batch = trial.batch
        unit = batch.unit
        is_beginning = unit.rows is None and not batch.last
        if is_beginning:
            begun.add(unit.shard)
        else:
            looked_into.add(unit.shard)
    only_begun = begun - looked_into
    return len(only_begun)


def choose_places(plan: Plan) -> list[Place]:
    """Return the beginning, a place in the middle and the end of some shards; the same ones every time.

    What the first unit begins with is looked at anyway.
    """
    # The same places for the same run, every time.
    chance = random.Random(plan.run.run_id)  # noqa: S311 - which rows are looked at is no secret
    most_rows = _count_most_rows(plan.format)
    places: list[Place] = []
    for shard in _choose_shards(plan.shards):
        units = _list_units(plan, shard)
        places += _choose_places_of(units, chance, most_rows)
    first = plan.units[0]
    return [place for place in places if not _is_beginning(place, first)]


def try_batch(plan: Plan, score: Score, batch: RawBatch) -> Trial:
    """Let a batch go through the stages.

    Args:
        plan: what a run would do.
        score: the model.
        batch: the rows.

    Raises:
        Refusal: what would end the run.
    """
    job = plan.job
    card = plan.package.card
    # Reading and loading do not count: a run does the one while it scores, and the other once.
    began = time.perf_counter()
    features = preprocess_batch(
        batch,
        contract=plan.contract,
        steps=plan.steps,
        inputs=card.inputs,
        timeout_seconds=job.model.timeout_seconds,
        checks=plan.checks,
    )
    prediction = predict_batch(score, features, job.model.not_finite)
    scored = postprocess_batch(
        prediction,
        wanted=plan.written_columns,
        format=job.sink.format,
        partition_by=job.sink.partition_by,
    )
    seconds = time.perf_counter() - began
    return Trial(batch, scored, seconds)


def _choose_shards(shards: Sequence[Shard]) -> list[Shard]:
    """Return shards at even distances, the first and the last among them; all of a few."""
    last = len(shards) - 1
    distances = _SHARDS - 1
    # At least 1: the same shard is not looked at twice.
    step = max(1, last / distances)
    numbers = set()
    for place in range(_SHARDS):
        number = round(step * place)
        numbers.add(min(last, number))
    in_order = sorted(numbers)
    return [shards[number] for number in in_order]


def _is_among(batch: RawBatch, first: RawBatch) -> bool:
    """Tell whether a batch begins within the first rows."""
    begin = batch.id
    first_begin = first.id
    if begin.shard != first_begin.shard:
        return False
    seen = first_begin.first_row + first.rows_in
    return begin.first_row < seen


def _is_beginning(place: Place, first: WorkUnit) -> bool:
    unit = place.unit
    if unit.shard != first.shard:
        return False
    return place.batch == 0 and unit.first_row == 0


def _list_units(plan: Plan, shard: Shard) -> list[WorkUnit]:
    """Return the rows of a shard in units, cut as finely as they can be."""
    if shard.rows == 0:
        return []
    # What files were is listed for the run's own units, by their numbers.
    reader = plan.format
    if isinstance(reader, ReadsListedFiles):
        url = shard.file.url
        planned = list_pieces(plan.units)
        return [piece for piece in planned if piece.shard == url]
    # Where a piece begins is found at once.
    pieces = reader.split(shard, _ROWS)
    if shard.rows is None:
        pieces = split_for_sample(reader, shard) or pieces
    return [make_unit(0, shard, piece) for piece in pieces]


def _count_most_rows(format: Format) -> int:
    """Return how many rows a unit may have to be read through."""
    if isinstance(format, ReadsListedFiles):
        return _MOST_FILES_READ
    return _MOST_ROWS_READ


def _choose_places_of(
    units: Sequence[WorkUnit],
    chance: random.Random,
    most_rows: int,
) -> Iterator[Place]:
    if not units:
        return
    first = units[0]
    last = units[-1]
    yield Place(first)
    last_number = len(units) - 1
    if last_number > 1:
        number = chance.randrange(1, last_number)
        between = units[number]
        yield Place(between)
    elif _is_short(first, most_rows):
        # Of what is cut nowhere, after the rows before it.
        rows = first.rows or 0
        batches = rows // _ROWS
        middle = max(1, batches // 2)
        yield Place(first, batch=middle)

    if _is_short(last, most_rows):
        yield Place(last, batch=None)
    elif last_number > 0:
        # The last rows of a long unit are not read up to, but its first ones.
        yield Place(last)


def _is_short(unit: WorkUnit, most_rows: int) -> bool:
    return unit.rows is not None and unit.rows <= most_rows


def _read_place(plan: Plan, place: Place) -> RawBatch | None:
    batches = _read(plan, place.unit, _ROWS)
    number = place.batch
    if number is not None:
        from_there = islice(batches, number, None)
        return next(from_there, None)
    last = None
    for batch in batches:
        last = batch
    return last


def _read(plan: Plan, unit: WorkUnit, rows: int) -> Iterator[RawBatch]:
    return read_unit(
        unit=unit,
        schema=plan.schema,
        format=plan.format,
        rows_per_batch=rows,
        record=RowRecord(),
        goes_on=plan.broken_rules.goes_on,
    )
