"""Hostile and unlucky networks: what fails costs the rows that fail, and nothing is called for ever."""

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pytest
import torch

from configs.errors import ModelError
from model_zoo.package.card import Tensor
from model_zoo.scoring.mini_batches import MiniBatches
from tests.model_zoo.scoring.networks import (
    CPU,
    Network,
    failed,
    mini_batches,
    rows_of,
)


@pytest.mark.parametrize("position", [0, 1, 31, 32, 63])
def test_one_bad_row_of_64_costs_at_most_14_calls_and_leaves_the_others_their_bits(
    position: int,
) -> None:
    undisturbed = mini_batches(Network())({"x": rows_of(64)}).outputs["logit"]
    network = Network({position})
    result = failed(network, rows_of(64))
    assert {row: (type(e).__name__, str(e)) for row, e in result.rejected.items()} == {
        position: ("RuntimeError", "no such row")
    }
    good = np.arange(64) != position
    assert result.outputs["logit"][good].tobytes() == undisturbed[good].tobytes()
    assert len(network.slots) <= 14
    assert set(network.slots) == {64}


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 150),
    slots=st.sampled_from([1, 3, 16, 64]),
    bad=st.sets(st.integers(0, 149), max_size=7),
    threads=st.sampled_from([1, 3]),
)
def test_exactly_the_bad_rows_fail_and_the_others_keep_their_bits(
    rows: int, slots: int, bad: set[int], threads: int
) -> None:
    x = rows_of(rows)
    undisturbed = mini_batches(Network(), slots)({"x": x}).outputs["logit"]
    here = {row for row in bad if row < rows}
    if not here:
        assert (
            mini_batches(Network(bad), slots, threads)({"x": x}).outputs["logit"].tobytes()
            == undisturbed.tobytes()
        )
        return
    result = failed(Network(bad), x, slots=slots, threads=threads)
    assert set(result.rejected) == here
    good = np.setdiff1d(np.arange(rows), list(here))
    assert result.outputs["logit"][good].tobytes() == undisturbed[good].tobytes()


def test_a_failing_mini_batch_does_not_cost_its_neighbours_a_call() -> None:
    network = Network({70})
    failed(network, rows_of(64 * 10))
    assert len(network.slots) == 10 + 12


@pytest.mark.parametrize("rows", [64, 5_000])
def test_a_model_that_fails_on_everything_ends_the_run_after_few_calls(rows: int) -> None:
    network = Network(set(range(rows)))
    with pytest.raises(
        ModelError,
        match=r"failed on each of 16 rows that were tried one by one.*RuntimeError: no such row",
    ):
        mini_batches(network)({"x": rows_of(rows)})
    assert len(network.slots) < 50


def test_many_bad_rows_in_a_row_are_rejected_when_others_are_good() -> None:
    assert set(failed(Network(set(range(100))), rows_of(200)).rejected) == set(range(100))


def calls_of(scorer: MiniBatches, numbers: Sequence[int], rows_per_call: int) -> list[int]:
    """Score rows of these numbers, a few in each call: the numbers of those that failed."""
    everything, bad = rows_of(max(numbers) + 1), []
    for first in range(0, len(numbers), rows_per_call):
        some = list(numbers[first : first + rows_per_call])
        bad += [some[position] for position in scorer({"x": everything[some]}).rejected]
    return bad


@pytest.mark.parametrize(("rows_per_call", "tried"), [(1, 8), (3, 9), (7, 14), (12, 12)])
def test_a_model_that_fails_on_everything_ends_a_run_of_small_calls(
    rows_per_call: int, tried: int
) -> None:
    network = Network(set(range(200)))
    with pytest.raises(
        ModelError,
        match=rf"failed on each of {tried} rows that were tried one by one, and on no row it did not",
    ):
        calls_of(mini_batches(network), range(200), rows_per_call)
    assert len(network.slots) < 40


@pytest.mark.parametrize("rows_per_call", [1, 3, 7])
def test_a_model_that_fails_on_everything_from_some_row_on_ends_a_run_of_small_calls(
    rows_per_call: int,
) -> None:
    network, x = Network(), rows_of(200)
    scorer = mini_batches(network)
    scorer({"x": x[:5]})
    network.bad = set(range(200))
    with pytest.raises(ModelError, match="rows that were tried one by one"):
        calls_of(scorer, range(5, 200), rows_per_call)


@pytest.mark.parametrize("rows_per_call", [1, 3, 7])
def test_small_calls_of_bad_rows_are_rejected_when_a_row_scored_before_still_goes_through(
    rows_per_call: int,
) -> None:
    bad = list(range(20, 90))
    network = Network(set(bad))
    assert calls_of(mini_batches(network, slots=8), range(200), rows_per_call) == bad
    assert len(network.slots) < 200 + 2 * len(bad)


def test_single_rows_that_fail_between_good_ones_raise_no_doubt() -> None:
    network = Network(set(range(0, 100, 2)))
    assert calls_of(mini_batches(network), range(100), 1) == list(range(0, 100, 2))
    assert len(network.slots) == 100


def test_an_error_that_no_half_repeats_costs_no_row() -> None:
    calls = []

    def flaky(x: torch.Tensor) -> Any:
        calls.append(len(x))
        if len(calls) == 1:
            raise RuntimeError("once")
        return {"logit": x[:, 0]}

    assert (
        mini_batches(flaky)({"x": rows_of(64)}).outputs["logit"].tolist()
        == rows_of(64)[:, 0].tolist()
    )
    assert len(calls) == 3


def generator(x: torch.Tensor) -> Any:
    yield {"logit": x[:, 0]}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x: {"logit": x[:-1, 0]}, "shape (15,) instead of (16,)"),
        (lambda x: {"logit": torch.cat([x[:, 0], x[:1, 0]])}, "shape (17,) instead of (16,)"),
        (lambda x: {"logit": x[:0, 0]}, "shape (0,) instead of (16,)"),
        (lambda x: {"logit": x.sum()}, "shape () instead of (16,)"),
        (lambda x: {"logit": x}, "shape (16, 3) instead of (16,)"),
        (lambda x: {"logit": 1.0}, "output logit is a float instead of a tensor"),
        (lambda x: {"logit": x[:, 0].tolist()}, "output logit is a list instead of a tensor"),
        (lambda x: {"logit": x[:, 0] + 1j}, "is torch.complex64, which does not become float32"),
        (
            lambda x: {"logit": x[:, 0], "more": x[:3]},
            "gave ['logit', 'more'], but its package declares the outputs ['logit']",
        ),
        (lambda x: {0: x}, "gave ['0']"),
        (lambda x: x[:, 0], "gave Tensor"),
        (lambda x: None, "gave NoneType"),
        (generator, "gave generator"),
    ],
)
def test_a_wrong_answer_is_refused_and_not_asked_for_again(
    answer: Callable[[torch.Tensor], Any], words: str
) -> None:
    calls = []

    def network(x: torch.Tensor) -> Any:
        calls.append(len(x))
        return answer(x)

    with pytest.raises(ModelError) as caught:
        mini_batches(network, slots=16)({"x": rows_of(16)})
    assert words in str(caught.value)
    assert calls == [16]


@pytest.mark.parametrize(
    ("given", "declared"),
    [
        (torch.int64, "int32"),
        (torch.uint64, "int64"),
        (torch.uint32, "int32"),
        (torch.float32, "int64"),
        (torch.complex64, "int64"),
        (torch.complex64, "float64"),
        (torch.bfloat16, "int32"),
    ],
)
def test_an_output_whose_type_cannot_hold_every_value_is_refused(
    given: torch.dtype, declared: Any
) -> None:
    """2**40 as int32 would be 0."""
    scorer = MiniBatches(
        lambda x: {"y": torch.zeros(len(x), dtype=given)},
        {"y": Tensor(dtype=declared, shape=())},
        CPU,
        torch.float32,
        4,
        1,
        60.0,
    )
    with pytest.raises(ModelError, match=f"output y is {given}, which does not become {declared}"):
        scorer({"x": rows_of(4)})


@pytest.mark.parametrize(
    ("given", "declared"),
    [
        (torch.bool, "int32"),
        (torch.uint8, "int32"),
        (torch.uint32, "int64"),
        (torch.int32, "int64"),
        (torch.int64, "float32"),
        (torch.bfloat16, "float32"),
        (torch.float64, "float32"),
        (torch.bool, "float64"),
    ],
)
def test_an_output_of_a_smaller_type_or_of_another_precision_is_stored_as_declared(
    given: torch.dtype, declared: Any
) -> None:
    scorer = MiniBatches(
        lambda x: {"y": x[:, 0].bool().to(given)},
        {"y": Tensor(dtype=declared, shape=())},
        CPU,
        torch.float32,
        4,
        1,
        60.0,
    )
    y = scorer({"x": rows_of(3)}).outputs["y"]
    assert (y.dtype.name, y.tolist()) == (declared, [0, 1, 1])


def test_the_rows_of_a_ragged_answer_are_counted_output_by_output() -> None:
    outputs = {"a": Tensor(shape=()), "b": Tensor(shape=(2,))}
    ragged = MiniBatches(
        lambda x: {"a": x[:, 0], "b": x[:-1, :2]},
        outputs,
        CPU,
        torch.float32,
        4,
        1,
        timeout_seconds=60.0,
    )
    with pytest.raises(ModelError, match=r"output b has shape \(3, 2\) instead of \(4, 2\)"):
        ragged({"x": rows_of(4)})


def test_slots_without_a_row_of_their_own_hold_a_valid_row() -> None:
    """A network may not be able to take rows of zeros: sequences of length 0, for one."""

    def network(x: torch.Tensor) -> Any:
        assert (x[:, 1] > 0).all()
        return {"logit": x[:, 0]}

    assert mini_batches(network)({"x": rows_of(70)}).outputs["logit"].tolist() == list(range(70))


def test_the_message_of_an_error_of_the_model_names_no_value() -> None:
    with pytest.raises(ModelError) as caught:
        mini_batches(Network(set(range(99)), lambda: ValueError("cannot take 'Ann' of 1234")))(
            {"x": rows_of(99)}
        )
    assert "Ann" not in str(caught.value)
    assert "1234" not in str(caught.value)
