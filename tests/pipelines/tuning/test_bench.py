"""How many rows are timed, how often, and on how many workers, on a clock of the test's own."""

from dataclasses import replace
import threading

import numpy as np
import pytest

from model_zoo.engines.settings import Settings
from model_zoo.scoring.scored import Scored
from pipelines.tuning.bench import time_pass
from pipelines.tuning.loading import _score
from pipelines.tuning.sample import ReadRows, count_all_rows, cut_batches, join_parts
from pipelines.tuning.workers import list_numbers
from tests.pipelines.tuning.clocked_bench import Clock, Loader, Model, make_bench, use_clock

SETTINGS = Settings(8)


@pytest.mark.parametrize(
    ("rows_per_second", "batch_rows", "cores", "rows"),
    [
        (50, 8, 1, [10] * 5),  # a second of work
        (41, 8, 1, [10] * 5),  # in whole parts
        (41, 8, 2, [10] * 6),  # as many for each core
        (1_000, 8, 1, [10] * 10),  # there are no more
        (0.1, 8, 1, [10]),  # at least one call
        (0.1, 8, 3, [10] * 3),  # for each core
        (50, 25, 1, [30, 20]),  # in parts of a mini-batch
    ],
)
def test_so_many_rows_keep_all_cores_busy_for_a_second(
    rows_per_second: float,
    batch_rows: int,
    cores: int,
    rows: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = Loader(lambda _: Model(1.0))
    bench = make_bench(loader, [10] * 10)
    use_clock(monkeypatch, loader.clock, cores)
    parts = bench.choose_parts(rows_per_second, batch_rows)
    assert [len(part["x"]) for part in parts] == rows


@pytest.mark.parametrize(
    ("rows_per_second", "cores", "workers", "pieces"),
    [
        # Two pieces for each worker, for about a second.
        (50, 1, 1, [(0, 0, 15), (0, 15, 15), (1, 0, 15), (1, 15, 15)]),
        (40, 2, 2, [(0, 0, 10), (0, 10, 10), (0, 20, 10), (1, 0, 10)]),
        # At most a batch, as that is what a worker takes.
        (80, 1, 1, [(0, 0, 30), (1, 0, 30), (2, 0, 30)]),
        # As many for each worker, and there are no more.
        (1_000, 2, 2, [(0, 0, 30), (1, 0, 30)]),
        # Unless there are fewer.
        (1_000, 4, 4, [(0, 0, 30), (1, 0, 30), (2, 0, 30)]),
        # Of a slow model a mini-batch of 8 for each thread.
        (0.1, 2, 2, [(0, 0, 7), (0, 7, 8), (0, 15, 7), (0, 22, 8)]),
        (0.1, 2, 1, [(0, 0, 15), (0, 15, 15)]),
        (0.1, 3, 1, [(0, 0, 15), (0, 15, 15)]),
        (0.1, 4, 2, [(0, 0, 15), (0, 15, 15), (1, 0, 15), (1, 15, 15)]),
    ],
)
def test_workers_preprocess_whole_batches_or_of_a_slow_model_pieces(
    rows_per_second: float,
    cores: int,
    workers: int,
    pieces: list[tuple[int, int, int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loader = Loader(lambda _: Model(1.0))
    bench = make_bench(loader, [30] * 3)
    use_clock(monkeypatch, loader.clock, cores)
    assert bench.choose_read_rows(rows_per_second, 8, workers) == pieces


def test_of_texts_a_piece_has_several_mini_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many short ones as fill one of the longest would leave one thread of two without any."""
    loader = Loader(lambda _: Model(1.0))
    bench = make_bench(loader, [30] * 9)
    bench.package.card.mask = "mask"  # type: ignore[misc]
    use_clock(monkeypatch, loader.clock, cores=2)
    assert bench.choose_read_rows(0.1, 3, workers=1) == [(0, 0, 15), (0, 15, 15)]
    assert bench.choose_read_rows(0.1, 3, workers=2) == [
        (0, 0, 10),
        (0, 10, 10),
        (0, 20, 10),
        (1, 0, 10),
    ]


def test_a_worker_waits_for_what_it_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """4 rows: 0.5 s each to read, and 1 s for all to score."""
    loader = Loader(lambda _: Model(4.0))
    use_clock(monkeypatch, loader.clock)
    bench = make_bench(loader, [8])
    bench = replace(bench, sample=replace(bench.sample, read_seconds=0.5))
    bench.prepare_and_score(bench.load(SETTINGS, 1), ReadRows(0, 0, 4))
    assert loader.clock.now == 3.0


def test_rows_that_preprocessing_rejects_are_not_scored() -> None:
    loader = Loader(lambda _: Model(1.0))
    bench = make_bench(loader, [4])
    score = bench.load(SETTINGS, 1)
    bench.prepare_and_score(score, ReadRows(0, 4, 0))
    assert loader.calls == []
    bench.prepare_and_score(score, ReadRows(0, 3, 1))
    assert loader.calls == [(SETTINGS, 1)]


@pytest.mark.parametrize(
    ("batches", "most", "pieces"),
    [
        ([5], 5, [(0, 0, 5)]),
        ([5, 2], 4, [(0, 0, 2), (0, 2, 3), (1, 0, 2)]),
        ([7], 3, [(0, 0, 2), (0, 2, 2), (0, 4, 3)]),
        ([], 3, []),
    ],
)
def test_batches_are_cut_into_equal_pieces(
    batches: list[int], most: int, pieces: list[tuple[int, int, int]]
) -> None:
    assert cut_batches(batches, most) == pieces


@pytest.mark.parametrize(
    ("passes", "times"), [([0.1] * 9, 5), ([0.03] * 20, 9), ([0.06] * 9, 5), ([0.5, 0.5, 9.0], 2), ([0.6, 0.5, 9.0], 2), ([0.6, 0.3, 0.2, 9.0], 3), ([5.0], 1)]
)  # fmt: skip
def test_a_pass_is_repeated_for_a_second_or_five_times_and_a_quarter_and_the_median_is_told(
    passes: list[float], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, left = Clock(), list(passes)
    use_clock(monkeypatch, clock)

    def score(number: int) -> None:
        if number == 0:
            clock.now += left.pop(0)

    assert time_pass(score, 3) == pytest.approx(np.median(passes[:times]))
    assert len(left) == len(passes) - times


def test_scores_come_in_the_order_of_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    # One pass is enough, as nobody asks how long it takes.
    monkeypatch.setattr("pipelines.tuning.bench.SECONDS", 1e-9)
    loader = Loader(lambda _: Model(1e9))
    bench = make_bench(loader, [3, 5, 2])
    score = bench.load(SETTINGS, 1)
    scores, _ = bench.score_parts(score, bench.sample.inputs)
    expected = np.concatenate([part["x"] for part in bench.sample.inputs])
    np.testing.assert_array_equal(scores["score"], expected)


def test_rows_that_the_network_fails_on_have_no_score() -> None:
    outputs = {"label": np.arange(4), "score": np.arange(4.0)}
    failing = _score(lambda _: Scored(outputs, {1: ValueError()}, "cpu", 0.0), {})
    for values in failing.values():
        np.testing.assert_array_equal(values, [0, np.nan, 2, 3])
    whole = _score(lambda _: Scored(outputs, {}, "cpu", 0.0), {})
    assert whole["label"].dtype == np.int64


@pytest.mark.parametrize(
    ("rows_per_second", "cores", "parts"),
    [
        (1_000.0, 1, 2_000),  # what 20 seconds suffice for
        (40.0, 2, 160),  # on all cores
        (1.0, 1, 52),  # but 512 rows
        (1.0, 64, 128),
        (0.1, 64, 64),  # and a part for each core
    ],
)
def test_of_a_slow_model_so_many_parts_are_scored(
    rows_per_second: float, cores: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(lambda _: Model(rows_per_second))
    bench = make_bench(loader, [10] * 3)
    use_clock(monkeypatch, loader.clock, cores)
    assert bench.count_affordable_parts(bench.load(SETTINGS, 1)) == parts


@pytest.mark.parametrize(
    ("parts", "rows", "joined"),
    [
        ([4, 4, 4], 4, [4, 4, 4]),
        ([4, 4, 1], 4, [4, 4, 1]),
        ([4, 4, 4], 5, [8, 4]),
        ([4, 4, 4, 4], 8, [8, 8]),
        ([4, 4, 4, 4], 5, [8, 8]),
        ([1, 5, 1], 3, [6, 1]),
        ([2], 8, [2]),
    ],
)
def test_parts_are_joined_until_they_hold_a_mini_batch(
    parts: list[int], rows: int, joined: list[int]
) -> None:
    values = np.arange(sum(parts) * 2.0).reshape(-1, 2)
    cuts = np.cumsum(parts)[:-1]
    found = join_parts([{"x": part} for part in np.split(values, cuts)], rows)
    assert [len(part["x"]) for part in found] == joined
    np.testing.assert_array_equal(np.concatenate([part["x"] for part in found]), values)
    assert count_all_rows(found) == len(values)


def test_joined_parts_keep_their_layout_in_memory() -> None:
    """A network is slower on columns than on rows, or faster: it must meet what preprocessing makes."""
    columns = [{"x": np.zeros((3, 4)).T} for _ in range(2)]
    [joined] = join_parts(columns, 8)
    assert joined["x"].flags.f_contiguous
    assert not joined["x"].flags.c_contiguous


@pytest.mark.parametrize(("part_rows", "parts"), [(8, 64), (511, 2), (512, 1), (513, 1)])
def test_of_the_slowest_model_512_rows_are_scored(
    part_rows: int, parts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(lambda _: Model(0.01))
    bench = make_bench(loader, [part_rows])
    use_clock(monkeypatch, loader.clock)
    assert bench.count_affordable_parts(bench.load(SETTINGS, 1)) == parts
    assert len(bench.choose_parts(0.01, 8)) == 1


def test_as_many_threads_score_as_there_are_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that wait for each other would wait for ever in fewer."""
    use_clock(monkeypatch, clock := Clock(), cores=1)
    together = threading.Barrier(2, action=lambda: setattr(clock, "now", clock.now + 5))
    assert time_pass(lambda _: together.wait(60), parts=2, workers=2) == 5


@pytest.mark.parametrize(
    ("cores", "rows", "numbers"),
    [
        (1, 1_000, [1]),
        (2, 1_000, [2, 1]),
        (3, 1_000, [3, 1]),
        (4, 1_000, [4, 2, 1]),
        (8, 1_000, [8, 4, 2, 1]),
        (9, 1_000, [9, 4, 2, 1]),
        # Two mini-batches for each core, or nothing can be told.
        (2, 32, [2, 1]),
        (2, 31, [2]),
    ],
)
def test_one_worker_per_core_is_compared_with_fewer(
    cores: int, rows: int, numbers: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loader = Loader(lambda _: Model(100.0))
    use_clock(monkeypatch, loader.clock, cores)
    assert list_numbers(make_bench(loader, [rows]).sample, batch_rows=8) == numbers
