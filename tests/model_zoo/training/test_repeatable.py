import random

import numpy as np
import pytest
import torch

from model_zoo.training.repeatable import derive_seed, repeatable, seed_generators


def draw() -> tuple[float, float, float]:
    drawn = random.random()  # noqa: S311 - what networks draw from
    return torch.rand(1).item(), drawn, float(np.random.rand())


def test_every_generator_draws_alike_again_and_is_given_back_as_it_was() -> None:
    before = (torch.random.get_rng_state(), random.getstate(), np.random.get_state()[1].copy())
    with repeatable(7):
        first = draw()
    with repeatable(7):
        assert draw() == first
        seed_generators(8)
        other = draw()
        assert all(one != another for one, another in zip(first, other, strict=True))
    assert torch.equal(torch.random.get_rng_state(), before[0])
    assert random.getstate() == before[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before[2])


@pytest.mark.parametrize("threads", [1, 2])
def test_torch_computes_on_so_many_threads_and_alike(threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with repeatable(0, threads):
            assert torch.get_num_threads() == threads
            assert torch.are_deterministic_algorithms_enabled()
        assert torch.get_num_threads() == 2
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.set_num_threads(before)


def test_an_error_leaves_nothing_behind() -> None:
    state = torch.random.get_rng_state()
    with pytest.raises(ZeroDivisionError), repeatable(3):
        raise ZeroDivisionError
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.are_deterministic_algorithms_enabled()


def test_no_two_places_have_one_seed() -> None:
    seeds = {
        derive_seed(seed, epoch, batch)
        for seed in (0, 1)
        for epoch in range(20)
        for batch in range(20)
    }
    assert len(seeds) == 800
    assert all(0 <= seed < 2**32 for seed in seeds)


@pytest.mark.parametrize(("kind", "seeded"), [("cuda", [5]), ("cpu", []), ("meta", [])])
def test_a_gpus_own_generator_is_seeded_where_there_is_one(
    kind: str, seeded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed", found.append)
    with repeatable(0):
        seed_generators(5, torch.device(kind))
    assert found == seeded
