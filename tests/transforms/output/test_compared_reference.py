"""What a run is compared with, as bytes and back: where it comes from, and how many rows it is of."""

from dataclasses import replace

import pyarrow as pa
import pytest

from tests.support.builders import parquet
from transforms.output.compared_reference import (
    ComparedReference,
    ReferenceHead,
    decode_reference,
    encode_reference,
    make_empty_profile,
)
from transforms.summaries.profile import make_profile
from transforms.summaries.reference import NO_REFERENCE

HEAD = ReferenceHead("last 2", "last", "runs x and y", ("x", "y"), (10, 20), ("z is gone",))


def make_table(rows: int) -> pa.Table:
    profile = make_profile(["a", "b"], NO_REFERENCE)
    columns = {"a": pa.array(range(rows)), "b": pa.array(["x"] * rows)}
    return profile.write(profile.of("input", columns))


@pytest.mark.parametrize("rows", [None, 0, 3])
@pytest.mark.parametrize("head", [HEAD, ReferenceHead("training", "none", "nothing")])
def test_a_reference_comes_back_as_it_was(head: ReferenceHead, rows: int | None) -> None:
    table = make_empty_profile() if rows is None else make_table(rows)
    again = decode_reference(encode_reference(ComparedReference(head, table)))
    assert again.head == head
    assert again.rows == (rows or 0)
    assert again.profile.equals(table.cast(again.profile.schema))


def test_others_are_other_ones() -> None:
    assert replace(HEAD, volumes=(10, 21)) != HEAD
    assert encode_reference(ComparedReference(HEAD, make_table(1))) != encode_reference(
        ComparedReference(HEAD, make_table(2))
    )


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", parquet(pa.table({"a": [1]})), parquet(make_table(1))]
)
def test_what_is_none_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match="is no reference: "):
        decode_reference(content)
