"""The type in which a column comes out, of what a contract or a job declares and what files have."""

import pyarrow as pa
import pytest

from transforms.formats.column import Column
from transforms.formats.columns import choose_type


@pytest.mark.parametrize(
    ("declared", "found", "finest"),
    [
        (pa.timestamp("s"), [pa.timestamp("s"), pa.timestamp("ns")], pa.timestamp("ns")),
        (pa.duration("ms"), [pa.duration("us")], pa.duration("us")),
        (pa.decimal128(5, 2), [pa.decimal128(12, 2)], pa.decimal128(12, 2)),
    ],
)
def test_what_the_model_alone_takes_keeps_the_digits_of_the_files(
    declared: pa.DataType, found: list[pa.DataType], finest: pa.DataType
) -> None:
    for_model = Column("a", declared, castable=True)
    assert choose_type(for_model, found) == finest
    # What the job states is what comes out.
    stated = Column("a", declared, castable=True, stated=True)
    assert choose_type(stated, found) == declared
    carried = Column("a", declared, carried=True)
    assert choose_type(carried, found) == declared
