import numpy as np
import pytest
import torch

from model_zoo.training.mini_batches import cut_mini_batches, group, transfer_rows


@pytest.mark.parametrize(("rows", "batch_rows"), [(1, 4), (4, 4), (5, 4), (6, 4), (9, 4), (3, 1)])
def test_mini_batches_hold_every_row_once_and_never_a_single_leftover(
    rows: int, batch_rows: int
) -> None:
    batches = cut_mini_batches(rows, batch_rows, seed=0, epoch=1)
    assert sorted(np.concatenate(batches).tolist()) == list(range(rows))
    assert all(0 < len(b) <= batch_rows + 1 for b in batches)
    assert rows == 1 or batch_rows == 1 or min(map(len, batches)) > 1


def test_each_epoch_has_an_order_of_its_own_and_the_same_again() -> None:
    orders = [
        np.concatenate(cut_mini_batches(50, 8, seed, epoch)).tolist()
        for seed, epoch in [(0, 1), (0, 2), (1, 1), (0, 1)]
    ]
    assert orders[0] == orders[3]
    assert len({tuple(order) for order in orders}) == 3
    assert sorted(orders[0]) == list(range(50))


def test_mini_batches_of_a_step() -> None:
    batches = cut_mini_batches(10, 2, seed=0, epoch=1)
    steps = group(batches, 2)
    assert [len(step) for step in steps] == [2, 2, 1]
    assert [rows.tolist() for step in steps for rows in step] == [b.tolist() for b in batches]


def test_arrays_of_any_strides_become_tensors() -> None:
    array = np.arange(12.0).reshape(3, 4)[::-1, ::2]
    (tensor,) = transfer_rows({"x": array}, slice(1, 3), torch.device("cpu")).values()
    assert tensor.tolist() == [[4, 6], [0, 2]]
