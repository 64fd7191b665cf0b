"""Which rows a job is tuned on: how many, in which parts, and from where in the input."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import InputError
from configs.load import load
from pipelines.planning.jobs import ScoringJob
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import Plan
from pipelines.tuning import sampling
from pipelines.tuning.sample import ReadRows, Sample, cut_batches
from pipelines.tuning.sampling import (
    _count_part_rows,
    _count_read_rows,
    _count_wanted_rows,
    take_sample,
    time_reading,
)
from tests.pipelines.planning.cards import make_card, make_card_of
from tests.pipelines.tuning.clocked_bench import Clock
from tests.support.builders import FEATURES, tiny_package
from tests.support.jobs import small_table, write_job, write_parquet


def use_cores(patch: pytest.MonkeyPatch, cores: int) -> None:
    patch.setattr(sampling, "cores", lambda: cores)


@pytest.mark.parametrize(
    ("numbers", "most", "wanted"),
    [
        (1 << 18, 1_000, 300),  # of a MiB each
        ((1 << 18) + 1, 1_000, 299),
        (1 << 18, 299, 299),
        (1, 131_072, 131_072),
        ((1 << 26) + (1 << 24), 1_000, 1),  # a row is more than 300 MiB
    ],
)
def test_a_sample_is_of_300_mib_at_most(numbers: int, most: int, wanted: int) -> None:
    plan: Any = SimpleNamespace(package=SimpleNamespace(card=make_card_of(numbers)))
    assert _count_wanted_rows(plan, most) == wanted


@pytest.mark.parametrize(
    ("is_of_texts", "cores", "rows"),
    [(False, 1, 8), (True, 1, 128), (True, 7, 128), (True, 8, 125), (False, 125, 8), (False, 126, 8), (False, 200, 5)],
)  # fmt: skip
def test_a_part_is_a_mini_batch_or_of_texts_16_and_every_core_has_one(
    is_of_texts: bool, cores: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cores(monkeypatch, cores)
    inputs = {"mask": {"dtype": "int64", "shape": [4]}}
    card = make_card(inputs=inputs, mask="mask") if is_of_texts else make_card()
    inference = SimpleNamespace(settings=SimpleNamespace(batch_rows=8))
    plan: Any = SimpleNamespace(package=SimpleNamespace(card=card), inference=inference)
    assert _count_part_rows(plan, wanted=1_000) == rows


def plan_of(folder: Path, rows: list[int]) -> Plan:
    """Return the plan of a job of shards with so many rows; a row's feature `a` is the number of its shard."""
    for number, count in enumerate(rows):
        a = pa.array(np.full(count, number, dtype=np.float32))
        write_parquet(folder / f"shards/{number:02d}.parquet", small_table(count, a=a))
    job = write_job(folder, tiny_package(folder / "model"))
    return make_plan(load(ScoringJob, str(job), []))


def shards_of(sample: Sample) -> list[list[int]]:
    """Return the shards that the rows of each part are of."""
    return [part["x"][:, 0].astype(int).tolist() for part in sample.inputs]


def test_rows_are_of_8_units_all_over_the_input_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of units without a row nothing is taken, of one with a single row that one."""
    plan = plan_of(tmp_path, [4, 0, 4, 1, *([4] * 15)])
    use_cores(monkeypatch, 20)
    sample = take_sample(plan, 40)
    first = [0, 3, 5, 7, 9, 11, 13, 15]
    assert sample.rows == 29
    assert shards_of(sample) == [
        [0] * 2,
        [0] * 2,
        [3],
        *([n] * 2 for n in np.repeat(first[2:], 2)),
    ]
    assert sample.batches == (4, 1, 4, 4, 4, 4, 4, 4)
    for piece, part in zip(cut_batches(sample.batches, 2), sample.inputs, strict=True):
        np.testing.assert_array_equal(sample.prepare(piece)["x"], part["x"])


@pytest.mark.parametrize(
    ("rows_per_batch", "wanted", "part_rows", "units", "rows"),
    [
        (50, 1_000, 1, 8, 50),  # as the job reads
        (50, 80, 1, 8, 10),  # of every unit
        (50, 80, 4, 8, 8),  # whole mini-batches
        (50, 80, 16, 8, 16),  # at least one
        (50, 80, 1, 1, 50),
    ],
)
def test_batches_are_as_large_as_the_job_s_if_every_unit_has_a_share(
    rows_per_batch: int, wanted: int, part_rows: int, units: int, rows: int
) -> None:
    plan: Any = SimpleNamespace(rows_per_batch=rows_per_batch)
    assert _count_read_rows(plan, wanted, part_rows, units) == rows


@pytest.mark.parametrize(
    ("most", "parts"),
    [(4, [[0] * 4]), (5, [[0] * 4, [1] * 4]), (8, [[0] * 4, [1] * 4]), (9, [[0] * 4, [1] * 4, [2] * 4]), (99, [[0] * 4, [1] * 4, [2] * 4])],
)  # fmt: skip
def test_no_more_is_read_than_is_wanted(
    most: int, parts: list[list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cores(monkeypatch, 1)
    assert shards_of(take_sample(plan_of(tmp_path, [4, 4, 4]), most)) == parts


@pytest.mark.parametrize(
    ("passes", "seconds_of_a_row"),
    [
        # The first pass finds no memory to use again; of the second one all rows came with the first batch.
        ([[(0.4, 2), (0.2, 2)], [(0.3, 2), (0.0, 2)], [(0.4, 4)]], 0.075),
        # So often and no more.
        ([[(0.05, 1)]] * 5 + [[(0.0, 1)]], 0.05),
        # A unit that takes longer than is spent on it is not read to its end.
        ([[(0.75, 2), (0.75, 1), (9.0, 9)]], 0.5),
        # A batch of which a filter left nothing takes its time.
        ([[(0.5, 0), (0.5, 2)]], 0.5),
        ([[(0.1, 0)]], 0.0),
        # The last pass has come to no row when the time is up.
        ([[(0.4, 2)], [(0.7, 0), (0.1, 2)]], 0.2),
        ([[]], 0.0),
    ],
)
def test_reading_takes_as_long_as_the_fastest_pass_over_a_unit(
    passes: list[list[tuple[float, int]]], seconds_of_a_row: float
) -> None:
    clock = Clock()
    begun = iter(passes)

    def read() -> Iterator[Any]:
        for seconds, rows in next(begun):
            clock.sleep(seconds)
            yield range(rows)

    assert time_reading(read, clock.perf_counter) == pytest.approx(seconds_of_a_row)


def test_what_is_broken_behind_the_sample_does_not_end_tuning() -> None:
    clock = Clock()

    def read() -> Iterator[Any]:
        clock.sleep(0.5)
        yield range(2)
        raise InputError("a page behind the sample is broken")

    assert time_reading(read, clock.perf_counter) == 0.25


def test_a_sample_knows_how_long_its_rows_take_to_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_cores(monkeypatch, 1)
    assert 0 < take_sample(plan_of(tmp_path, [0, 4]), 4).read_seconds < 60


def test_rows_that_preprocessing_rejects_are_no_sample(tmp_path: Path) -> None:
    columns = [{"name": name, "type": "float", "missing": "reject"} for name in FEATURES]
    missing = pa.nulls(4, pa.float32())
    write_parquet(tmp_path / "shards/0.parquet", small_table(4, a=missing))
    job = write_job(tmp_path, tiny_package(tmp_path / "model", columns=columns))
    plan = make_plan(load(ScoringJob, str(job), []))
    with pytest.raises(InputError, match="there is no row to tune on that preprocessing takes"):
        take_sample(plan, 10)
    write_parquet(tmp_path / "shards/1.parquet", small_table(3))
    plan = make_plan(load(ScoringJob, str(job), []))
    assert take_sample(plan, 10).rows == 3


def test_what_a_run_does_before_the_network_is_done_for_a_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of checks and summaries, too, a worker's time depends."""
    write_parquet(tmp_path / "shards/0.parquet", small_table(4, a=pa.array([1, 2, 3, 4], pa.float32())))  # fmt: skip
    checks = {
        "a": {"max": 3, "on_failure": "reject"},
        "b": {"not_null": True, "on_failure": "warn"},
    }
    job = write_job(tmp_path, tiny_package(tmp_path / "model"), checks=checks)
    plan = make_plan(load(ScoringJob, str(job), []))
    assert plan.summaries
    told: list[dict[str, Any]] = []
    preprocess_batch = sampling.preprocess_batch

    def noted(*args: Any, **named: Any) -> Any:
        told.append(named)
        return preprocess_batch(*args, **named)

    monkeypatch.setattr(sampling, "preprocess_batch", noted)
    sample = take_sample(plan, 10)
    assert sample.rows == 3
    assert len(sample.prepare(ReadRows(0, 1, 2))["x"]) == 2
    assert [named["summaries"] for named in told] == [plan.summaries] * 2
    assert {named["timeout_seconds"] for named in told} == {plan.job.model.timeout_seconds}
