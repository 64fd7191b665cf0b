"""Roaring bitmaps against the library that writes them, and what is no bitmap."""

from collections.abc import Sequence

import numpy as np
import pytest

from transforms.lakes.roaring import read_bitmap

pyroaring = pytest.importorskip("pyroaring")


def dump(numbers: Sequence[int], runs: bool = False) -> bytes:
    bitmap = pyroaring.BitMap64(numbers)
    if runs:
        bitmap.run_optimize()
    content: bytes = bitmap.serialize()
    return content


@pytest.mark.parametrize("runs", [False, True])
@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [0],
        [7, 65_535, 65_536, 1 << 32, (1 << 33) + 5],
        range(5_000),
        range(0, 200_000, 2),
        range(65_536),
        [*range(10), *range(70_000, 70_100), *range(200_000, 300_000), 900_000],
        [1 << 16, 2 << 16, 3 << 16, 4 << 16, 5 << 16],
        # With runs there are offsets from four containers on.
        [*range(10), *range(70_000, 70_100), *range(140_000, 140_100)],
        [*range(10), *range(70_000, 70_100), *range(140_000, 140_100), *range(200_000, 200_100)],
        # Of so many numbers a container is a list, and of one more a bit for each that may be.
        range(0, 2 * 4_096, 2),
        range(0, 2 * 4_097, 2),
    ],
)
def test_all_numbers_are_read(numbers: Sequence[int], runs: bool) -> None:
    rows = max(numbers, default=0) + 1
    content = dump(numbers, runs)
    assert read_bitmap(content, rows).tolist() == list(numbers)
    if numbers:
        with pytest.raises(ValueError, match="a row that the file does not have"):
            read_bitmap(content, rows - 1)


def test_random_numbers_are_read() -> None:
    random = np.random.default_rng(5)
    for count in (10, 1_000, 50_000):
        numbers = np.unique(random.integers(0, 400_000, count))
        for runs in (False, True):
            assert read_bitmap(dump(numbers.tolist(), runs), 400_000).tolist() == numbers.tolist()


def test_what_is_cut_or_altered_gives_numbers_of_the_file_or_is_refused() -> None:
    content = dump([*range(100, 9_000), 70_000, 80_000], runs=True)
    for length in range(len(content)):
        with pytest.raises(ValueError, match="is cut short"):
            read_bitmap(content[:length], 80_001)
    random = np.random.default_rng(6)
    for _ in range(500):
        altered = bytearray(content)
        altered[random.integers(len(content))] = random.integers(256)
        try:
            numbers = read_bitmap(bytes(altered), 80_001)
        except ValueError:
            continue
        assert len(numbers) <= 80_001
        assert len(numbers) == 0 or 0 <= numbers[0] <= numbers[-1] <= 80_000


def test_a_bitmap_that_repeats_its_keys_is_refused() -> None:
    content = dump([5])
    part = content[8:]
    twice = (2).to_bytes(8, "little") + part + part
    with pytest.raises(ValueError, match="does not have"):
        read_bitmap(twice, 100)
