"""Bits of a text's bytes, against loops over the bytes; across words and blocks of comparison."""

import numpy as np
import pytest

from transforms.formats import csv_bits
from transforms.formats.csv_bits import (
    fill_between,
    find_bytes,
    find_places,
    look_up,
    move_to_next,
    move_to_previous,
    set_bit,
)

SIZES = [0, 1, 63, 64, 65, 200, 1_000]


def make_text(size: int) -> bytes:
    random = np.random.default_rng(size)
    return bytes(random.choice(list(b'ab",\n\r'), size).astype(np.uint8))


def places_of(text: bytes, letter: bytes) -> list[int]:
    return [place for place in range(len(text)) if text[place : place + 1] == letter]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("compared_bytes", [64, 1 << 17])
def test_bytes_are_found_at_their_places(
    size: int, compared_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_bits, "_COMPARED_BYTES", compared_bytes)
    text = make_text(size)
    letters = [b'"', b",", b"z"]
    found = find_bytes(np.frombuffer(text, dtype=np.uint8), letters)
    for letter, bits in zip(letters, found, strict=True):
        places = places_of(text, letter)
        assert find_places(bits).tolist() == places
        # Behind the last byte there is a bit, too.
        everywhere = np.arange(size + 1)
        assert look_up(bits, everywhere).tolist() == [place in places for place in everywhere]


@pytest.mark.parametrize("size", SIZES)
def test_bits_move_by_one_place(size: int) -> None:
    text = make_text(size)
    (bits,) = find_bytes(np.frombuffer(text, dtype=np.uint8), [b'"'])
    places = places_of(text, b'"')
    assert find_places(move_to_next(bits)).tolist() == [place + 1 for place in places]
    before = [place - 1 for place in places if place > 0]
    assert find_places(move_to_previous(bits)).tolist() == before


@pytest.mark.parametrize("size", SIZES)
def test_what_is_between_is_filled(size: int) -> None:
    text = make_text(size)
    (bits,) = find_bytes(np.frombuffer(text, dtype=np.uint8), [b'"'])
    filled = look_up(fill_between(bits), np.arange(size)).tolist()
    assert filled == [text[: place + 1].count(b'"') % 2 == 1 for place in range(size)]


def test_one_bit_is_changed() -> None:
    (bits,) = find_bytes(np.frombuffer(b"a" * 130, dtype=np.uint8), [b"b"])
    for place in (0, 63, 64, 130):
        set_bit(bits, place, True)
    set_bit(bits, 64, False)
    assert find_places(bits).tolist() == [0, 63, 130]
