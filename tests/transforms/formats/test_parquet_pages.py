"""Page headers: what pyarrow writes is found, and what is no header is refused in one line."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import InputError
from tests.transforms.formats.parts import SMALL_PAGES, make_rows, part_of, read
from transforms.formats.parquet_pages import list_data_pages


def test_pages_are_where_the_index_says(tmp_path: Path) -> None:
    """DuckDB tells nothing of pages, so the sizes are those that the writer was asked for."""
    sink = io.BytesIO()
    table = pa.table({"x": np.arange(1_000)})
    options = {"data_page_size": 1, "write_batch_size": 100, "use_dictionary": False}
    pq.write_table(table, sink, compression="none", **options)
    chunk = pq.read_metadata(sink).row_group(0).column(0)
    pages = list_data_pages(sink, chunk)
    assert [page.first_row for page in pages] == list(range(0, 1_000, 100))
    # As many values of 8 bytes each in every page, behind headers of about one size.
    gaps = np.diff([page.offset for page in pages])
    assert ((gaps > 800) & (gaps < 900)).all()


def test_a_header_with_long_statistics_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    # Lengths of which Arrow still keeps the smallest and the largest value.
    texts = [f"{row:05}" + "x" * 3_000 for row in range(200)]
    pq.write_table(
        pa.table({"text": texts}),
        path,
        use_dictionary=False,
        data_page_size=20_000,
        write_batch_size=3,
    )
    schema = pa.schema([("text", pa.string())])
    assert read(part_of(path, 150, 20), schema)["text"].to_pylist() == texts[150:170]


@pytest.mark.parametrize("seed", range(12))
def test_what_is_damaged_is_refused_or_read_as_it_stands_there(tmp_path: Path, seed: int) -> None:
    """Also where the whole row group cannot be read: then another part is refused."""
    chance = np.random.default_rng(seed)
    path = tmp_path / "p.parquet"
    table = make_rows(600).drop_columns(["plan"])
    pq.write_table(table, path, **SMALL_PAGES, write_page_checksum=True)
    whole = pq.read_table(path)
    content = bytearray(path.read_bytes())
    for place in chance.integers(4, len(content) * 9 // 10, 3):
        content[place] = chance.integers(256)
    path.write_bytes(content)
    refused = []
    for row in range(0, 600, 200):
        try:
            actual = read(part_of(path, row, 200), whole.schema)
        except InputError as error:
            refused.append(str(error))
        else:
            # A checksum tells that these pages are those that were written.
            assert actual.equals(whole.slice(row, 200))
    assert all("\n" not in message for message in refused)


def test_pages_that_hold_other_rows_than_the_footer_says_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.parquet"
    table = pa.table({"x": np.arange(1_000), "y": np.arange(1_000)})
    pq.write_table(table, path, use_dictionary=False, data_page_size=1, write_batch_size=100)
    content = path.read_bytes()
    chunk = pq.read_metadata(path).row_group(0).column(0)
    pages = list_data_pages(io.BytesIO(content), chunk)
    # The second page's 100 values (zigzag: 200) become 99.
    start = content.index(b"\x15\xc8\x01", pages[1].offset)
    path.write_bytes(content[:start] + b"\x15\xc6\x01" + content[start + 3 :])
    with pytest.raises(InputError, match=r"its pages hold .* values in place of"):
        read(part_of(path, 500, 100), table.schema)
