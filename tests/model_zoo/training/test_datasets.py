import io

import numpy as np
from PIL import Image
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from sklearn import datasets

from model_zoo.training.datasets import DATASETS, breast_cancer, digits, encode_png


@pytest.mark.parametrize(("name", "rows"), [("breast_cancer", 569), ("digits", 1797)])
def test_every_row_has_its_own_id(name: str, rows: int) -> None:
    table = DATASETS[name]()
    assert table.schema.field("id").type == pa.int64()
    assert table.num_rows == rows == pc.count_distinct(table.column("id")).as_py()
    assert sum(column.null_count for column in table.columns) == 0


def test_breast_cancer_is_scikit_learns_bit_for_bit() -> None:
    table, found = breast_cancer(), datasets.load_breast_cancer()
    assert table.column_names == ["id", *found.feature_names, "diagnosis"]
    for number, name in enumerate(found.feature_names):
        np.testing.assert_array_equal(table.column(name).to_numpy(), found.data[:, number])
    assert table.column("diagnosis").to_pylist() == [
        ("malignant", "benign")[t] for t in found.target
    ]


def test_digits_decode_to_scikit_learns_pixels() -> None:
    table, found = digits(), datasets.load_digits()
    assert table.schema == pa.schema(
        [("id", pa.int64()), ("image", pa.binary()), ("digit", pa.string())]
    )
    for row in range(0, table.num_rows, 97):
        with Image.open(io.BytesIO(table.column("image")[row].as_py())) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "L", (8, 8))
            levels = np.asarray(image).astype(float) * 16 / 255
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
    extremes = set()
    for encoded in digits().column("image").to_pylist()[:50]:
        with Image.open(io.BytesIO(encoded)) as image:
            extremes.add(image.getextrema())
    assert {low for low, _ in extremes} == {0}
    assert max(high for _, high in extremes) == 255
