"""From how many bytes on a small ORC file is one that somebody made to fill a memory."""

from types import SimpleNamespace

import pyarrow as pa
import pytest

from configs.errors import InputError
from storage.input_file import InputFile
from transforms.formats.format import InputOptions
from transforms.formats.orc import make_orc_format

GIB = 1_073_741_824
# Eight bytes a row, and of a text no one knows more than that it takes a bit.
SCHEMA = pa.schema([("a", pa.float64()), ("s", pa.string())])


def refuse_bomb(told_bytes: int, rows: int, size_bytes: int, max_expansion: int | None) -> None:
    file = InputFile("/in/a.orc", size_bytes, "v")
    options = InputOptions({}, max_expansion=max_expansion)
    stored = SimpleNamespace(schema=SCHEMA, nrows=rows)
    make_orc_format(options)._refuse_bomb(file, stored, told_bytes)


@pytest.mark.parametrize(
    ("most_bytes", "size_bytes", "max_expansion"),
    [
        (GIB, 100, None),
        (2_000_000_000, 2_000_000, None),
        (2_000_000_000, 1_000_000, 2_000),
    ],
)
def test_columns_come_to_no_more_than_is_said(
    most_bytes: int, size_bytes: int, max_expansion: int | None
) -> None:
    refuse_bomb(most_bytes, 0, size_bytes, max_expansion)
    with pytest.raises(InputError, match="so it may be a bomb"):
        refuse_bomb(most_bytes + 1, 0, size_bytes, max_expansion)


def test_rows_count_where_statistics_are_left_out() -> None:
    # 65 bits each.
    most_rows = ((GIB + 1) * 8 - 1) // 65
    refuse_bomb(0, most_rows, 100, None)
    with pytest.raises(InputError, match="so it may be a bomb"):
        refuse_bomb(0, most_rows + 1, 100, None)
