"""From how many rows on a small Avro file is one that somebody made to fill a memory."""

import pytest

from configs.errors import InputError
from storage.input_file import InputFile
from transforms.formats.avro import AvroFormat, make_avro_format
from transforms.formats.avro_blocks import Block
from transforms.formats.avro_types import AvroField, make_primitive
from transforms.formats.format import InputOptions

GIB = 1_073_741_824
# Of eight bytes a row.
DOUBLES = [AvroField("a", make_primitive("double"))]


def refuse_bomb(rows: int, size_bytes: int = 100, max_expansion: int | None = None) -> None:
    blocks = [Block(0, 2, 20, rows - 1), Block(20, 22, 40, 1)]
    options = InputOptions({}, max_expansion=max_expansion)
    file = InputFile("/in/a.avro", size_bytes, "v")
    make_avro_format(options)._refuse_bomb(file, DOUBLES, blocks, "deflate")


@pytest.mark.parametrize(
    ("most_bytes", "size_bytes", "max_expansion"),
    [
        # Up to a GiB, a thousand times its size, or as many times as the job says.
        (GIB, 100, None),
        (2_000_000_000, 2_000_000, None),
        (2_000_000_000, 1_000_000, 2_000),
    ],
)
def test_rows_come_to_no_more_than_is_said(
    most_bytes: int, size_bytes: int, max_expansion: int | None
) -> None:
    refuse_bomb(most_bytes // 8, size_bytes, max_expansion)
    with pytest.raises(InputError, match="so it may be a bomb"):
        refuse_bomb(most_bytes // 8 + 1, size_bytes, max_expansion)


def test_a_plain_block_holds_as_many_rows_as_fit_into_it() -> None:
    file = InputFile("/in/a.avro", 100, "v")
    # Sixteen bytes are its mark.
    AvroFormat()._refuse_bomb(file, DOUBLES, [Block(0, 2, 34, 2)], "null")
    with pytest.raises(InputError, match="3 rows, which do not fit into it"):
        AvroFormat()._refuse_bomb(file, DOUBLES, [Block(0, 2, 34, 3)], "null")
