"""At which places of which shards a dry run looks at rows; `test_dry_run.py` scores them."""

import random
from types import SimpleNamespace
from typing import Any

import pytest

from pipelines.scoring.trial_rows import (
    Place,
    _choose_places_of,
    _choose_shards,
    _is_among,
    _is_beginning,
    _is_short,
    _list_units,
    count_begun,
)
from tests.support.builders import make_unit, raw_batch
from transforms.formats.files import FilesFormat
from transforms.formats.loading import LoadingFormat


@pytest.mark.parametrize(
    ("count", "numbers"),
    [
        (1, [0]),
        (2, [0, 1]),
        (8, list(range(8))),
        (9, [0, 1, 2, 3, 5, 6, 7, 8]),
        (15, [0, 2, 4, 6, 8, 10, 12, 14]),
        (8_000, [0, 1143, 2285, 3428, 4571, 5714, 6856, 7999]),
    ],
)
def test_shards_are_at_even_distances_with_the_first_and_the_last(
    count: int, numbers: list[int]
) -> None:
    shards: Any = list(range(count))
    assert _choose_shards(shards) == numbers


def choose(units: list[Any], most_rows: int = 1_000) -> list[Place]:
    chance = random.Random(0)  # noqa: S311 - no secret
    return list(_choose_places_of(units, chance, most_rows))


def test_of_several_units_one_in_the_middle_is_looked_at() -> None:
    units = [make_unit(number, rows=50, first_row=50 * number) for number in range(9)]
    first, middle, last = choose(units)
    assert first == Place(units[0])
    assert middle.unit in units[1:-1]
    assert middle.batch == 0
    assert last == Place(units[-1], batch=None)


@pytest.mark.parametrize(
    ("rows", "batch"), [(10, 1), (50, 1), (149, 1), (200, 2), (1_000, 10), (0, 1)]
)
def test_of_one_unit_the_batch_in_the_middle_is(rows: int, batch: int) -> None:
    unit = make_unit(rows=rows)
    assert choose([unit]) == [Place(unit), Place(unit, batch), Place(unit, batch=None)]


def test_two_units_have_no_other_between_them() -> None:
    units = [make_unit(0, rows=100), make_unit(1, rows=100, first_row=100)]
    assert choose(units) == [Place(units[0]), Place(units[0], 1), Place(units[1], batch=None)]


def test_what_is_long_is_not_read_up_to_its_end() -> None:
    long = [make_unit(number, rows=2_000, first_row=2_000 * number) for number in range(2)]
    assert choose(long) == [Place(long[0]), Place(long[1])]
    # Of one alone the beginning is all that is seen at once.
    assert choose(long[:1]) == [Place(long[0])]
    unknown = make_unit(rows=None)
    assert choose([unknown]) == [Place(unknown)]
    assert choose([]) == []


@pytest.mark.parametrize(
    ("rows", "short"), [(999, True), (1_000, True), (1_001, False), (0, True), (None, False)]
)
def test_a_unit_is_short_if_its_rows_are_known_and_few(rows: int | None, short: bool) -> None:
    assert _is_short(make_unit(rows=rows), 1_000) is short


@pytest.mark.parametrize("kind", [FilesFormat, LoadingFormat])
def test_units_of_files_are_those_of_the_run(kind: Any) -> None:
    units = [make_unit(0, shard="a"), make_unit(1, shard="b"), make_unit(2, shard="a")]
    plan: Any = SimpleNamespace(format=object.__new__(kind), units=units)

    def list_numbers(url: str, rows: int | None) -> list[int]:
        shard: Any = SimpleNamespace(rows=rows, file=SimpleNamespace(url=url))
        return [unit.index for unit in _list_units(plan, shard)]

    assert list_numbers("a", 20) == [0, 2]
    assert list_numbers("b", None) == [1]
    assert list_numbers("c", 20) == []
    # In a shard without rows there is nothing to look at.
    assert list_numbers("a", 0) == []


@pytest.mark.parametrize(
    ("place", "begins"),
    [
        (Place(make_unit(0)), True),
        (Place(make_unit(0), batch=1), False),
        (Place(make_unit(0), batch=None), False),
        (Place(make_unit(1, first_row=10)), False),
        (Place(make_unit(1, shard="other")), False),
    ],
)
def test_the_first_rows_are_looked_at_once(place: Place, begins: bool) -> None:
    assert _is_beginning(place, make_unit(0)) is begins


@pytest.mark.parametrize(
    ("first_row", "shard", "among"),
    [(0, "a", True), (9, "a", True), (10, "a", False), (0, "b", False)],
)
def test_rows_that_begin_within_the_first_ones_were_seen(
    first_row: int, shard: str, among: bool
) -> None:
    first = raw_batch({"id": range(10)}, unit=make_unit(shard="a"))
    batch = raw_batch({"id": range(5)}, first_row=first_row, unit=make_unit(shard=shard))
    assert _is_among(batch, first) is among


@pytest.mark.parametrize(
    ("batches", "begun"),
    [
        ([], 0),
        ([("a", None, False)], 1),
        # All of it was read, or how many rows it has is known.
        ([("a", None, True)], 0),
        ([("a", 10, False)], 0),
        ([("a", None, False), ("a", None, True)], 0),
        ([("a", None, False), ("b", None, False), ("b", None, False)], 2),
    ],
)
def test_shards_of_which_the_beginning_alone_was_seen(batches: list[Any], begun: int) -> None:
    trials: list[Any] = []
    for shard, rows, last in batches:
        unit = make_unit(rows=rows, shard=shard)
        batch = raw_batch({"id": range(3)}, unit=unit, last=last)
        trials.append(SimpleNamespace(batch=batch))
    assert count_begun(trials) == begun
