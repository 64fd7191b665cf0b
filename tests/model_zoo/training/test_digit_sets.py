"""The digits in each of their forms, against scikit-learn's pixels."""

import io
from typing import Any

import numpy as np
from PIL import Image
import pyarrow as pa
import pytest
from sklearn import datasets

from model_zoo.training.digit_sets import (
    _join_neighbours,
    digit_graphs,
    digit_sequences,
    digit_traits,
    digits,
    digits_and_others,
    encode_png,
)


@pytest.fixture(scope="module")
def found() -> Any:
    return datasets.load_digits()


def decode(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as image:
        assert (image.format, image.mode, image.size) == ("PNG", "L", (8, 8))
        return np.asarray(image)


def test_digits_decode_to_scikit_learns_pixels(found: Any) -> None:
    table = digits()
    assert table.schema == pa.schema(
        [("id", pa.int64()), ("image", pa.binary()), ("digit", pa.string())]
    )
    for row in range(0, table.num_rows, 97):
        levels = decode(table.column("image")[row].as_py()).astype(float) * 16 / 255
        np.testing.assert_array_equal(np.rint(levels), found.images[row])
    assert table.column("digit").to_pylist() == [str(t) for t in found.target]


def test_png_spans_the_whole_range_and_is_written_alike() -> None:
    pixels = np.array([[0, 255], [128, 1]], dtype=np.uint8)
    assert encode_png(pixels) == encode_png(pixels.copy())
    with Image.open(io.BytesIO(encode_png(pixels))) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    # Not packed: each line of pixels stands in the file, behind its filter.
    assert b"\0\x00\xff\0\x80\x01" in encode_png(pixels)


def test_the_darkest_digit_is_black_and_the_brightest_white() -> None:
    extremes = {
        (int(pixels.min()), int(pixels.max()))
        for pixels in map(decode, digits().column("image").to_pylist()[:50])
    }
    assert {low for low, _ in extremes} == {0}
    assert max(high for _, high in extremes) == 255


def test_sequences_are_lines_of_pixels(found: Any) -> None:
    table = digit_sequences()
    assert table.schema.field("lines").type == pa.list_(pa.list_(pa.float32()))
    lines = np.array(table.column("lines").to_pylist())
    np.testing.assert_array_equal(lines * 16, found.images)
    assert table.column("digit").to_pylist() == [str(t) for t in found.target]


def test_graphs_join_dark_pixels_that_touch(found: Any) -> None:
    table = digit_graphs()
    assert table.schema.field("nodes").type == pa.list_(pa.list_(pa.float32()))
    assert table.schema.field("sources").type == pa.list_(pa.int64())
    for row in range(0, table.num_rows, 61):
        picture = found.images[row]
        nodes = np.array(table.column("nodes")[row].as_py())
        places = np.rint(nodes[:, 1:] * 7).astype(int)
        assert {tuple(place) for place in places} == set(
            zip(*np.nonzero(picture >= 5), strict=True)
        )
        np.testing.assert_allclose(nodes[:, 0] * 16, picture[places[:, 0], places[:, 1]])
        sources = table.column("sources")[row].as_py()
        targets = table.column("targets")[row].as_py()
        actual = list(zip(sources, targets, strict=True))
        # Each pair of pixels that are one step apart, the king's on a chess board.
        expected = {
            (a, b)
            for a in range(len(places))
            for b in range(len(places))
            if a != b and np.abs(places[a] - places[b]).max() == 1
        }
        assert set(actual) == expected
        assert len(actual) == len(expected)


def test_traits_are_true_of_their_digits(found: Any) -> None:
    table = digit_traits()
    pixels = np.column_stack(
        [table.column(f"pixel_{line}_{place}") for line in range(8) for place in range(8)]
    )
    np.testing.assert_array_equal(pixels, found.data)
    expected = {
        "even": found.target % 2 == 0,
        "prime": np.isin(found.target, [2, 3, 5, 7]),
        "round": np.isin(found.target, [0, 6, 8, 9]),
        "large": found.target >= 5,
    }
    for name, is_so in expected.items():
        np.testing.assert_array_equal(table.column(name).to_numpy(), is_so)


def test_others_are_no_digits_and_always_the_same() -> None:
    table = digits_and_others()
    assert table.equals(digits_and_others())
    by_source: dict[str, list[np.ndarray]] = {}
    for row in table.to_pylist():
        assert row["kind"] == ("digit" if row["source"] == "digits" else "other")
        by_source.setdefault(row["source"], []).append(decode(row["image"]))
    assert {source: len(pictures) for source, pictures in by_source.items()} == {
        "digits": 1797,
        "noise": 300,
        "shuffled": 300,
        "photographs": 300,
    }
    originals = {picture.tobytes() for picture in by_source["digits"]}
    in_order = {bytes(sorted(picture.tobytes())) for picture in by_source["digits"]}
    for picture in by_source["shuffled"]:
        assert picture.tobytes() not in originals
        assert bytes(sorted(picture.tobytes())) in in_order
    photographs = [
        np.asarray(Image.fromarray(image).convert("L"))
        for image in datasets.load_sample_images().images
    ]
    piece = by_source["photographs"][0]
    windows = np.lib.stride_tricks.sliding_window_view(photographs[0], (8, 8))
    assert (windows == piece).all(axis=(2, 3)).any()


@pytest.mark.parametrize("places", [[[3, 3], [3, 4]], [[3, 4], [3, 3]], [[0, 0], [1, 1]]])
def test_nodes_that_touch_are_joined_both_ways_the_first_too(places: list[list[int]]) -> None:
    edges = _join_neighbours(np.array(places))
    assert sorted(map(tuple, edges.T.tolist())) == [(0, 1), (1, 0)]
