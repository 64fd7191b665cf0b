"""Types that fit together: the joined one holds the values of both exactly, and in whatever order they are joined."""

import itertools

import pyarrow as pa
import pytest

from transforms.joined_types import join_types

TEXT, LONG = pa.string(), pa.large_string()
I8, I64 = pa.int8(), pa.int64()


def words(index: pa.DataType, values: pa.DataType, ordered: bool = False) -> pa.DataType:
    return pa.dictionary(index, values, ordered=ordered)


def struct(**fields: pa.DataType) -> pa.DataType:
    return pa.struct(list(fields.items()))


@pytest.mark.parametrize(
    ("first", "second", "joined"),
    [
        (I8, I8, I8),
        (I8, I64, None),
        (pa.null(), I8, I8),
        (TEXT, LONG, LONG),
        (TEXT, pa.string_view(), TEXT),
        (pa.string_view(), LONG, LONG),
        (TEXT, pa.binary(), None),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.binary(), pa.binary_view(), pa.binary()),
        # Of a dictionary and plain values, plain ones.
        (words(pa.int8(), TEXT), TEXT, TEXT),
        (words(pa.int8(), LONG), TEXT, LONG),
        (words(pa.int8(), I64), I64, I64),
        (words(pa.int8(), I64), I8, None),
        (words(pa.int8(), TEXT), words(pa.int16(), LONG), words(pa.int32(), LONG)),
        (words(pa.int32(), TEXT), words(pa.int8(), LONG), words(pa.int32(), LONG)),
        (words(pa.int64(), TEXT), words(pa.int8(), TEXT), words(pa.int64(), TEXT)),
        (words(pa.int8(), TEXT), words(pa.int8(), I64), None),
        (
            words(pa.int8(), TEXT, True),
            words(pa.int16(), TEXT, True),
            words(pa.int32(), TEXT, True),
        ),
        (words(pa.int8(), TEXT, True), words(pa.int16(), TEXT), words(pa.int32(), TEXT)),
        (pa.list_(TEXT), pa.list_(LONG), pa.list_(LONG)),
        (pa.list_(I8), pa.large_list(I8), pa.large_list(I8)),
        (pa.list_view(I8), pa.list_(I8), pa.list_(I8)),
        (pa.large_list_view(I8), pa.list_(I8), pa.large_list(I8)),
        (pa.list_(I8), pa.list_(I64), None),
        (pa.list_(I8), pa.list_(I8, 2), None),
        (pa.list_(TEXT, 2), pa.list_(LONG, 2), pa.list_(LONG, 2)),
        (pa.list_(TEXT, 2), pa.list_(TEXT, 3), None),
        (pa.list_(TEXT, 2), pa.list_(I8, 2), None),
        (pa.map_(TEXT, I8), pa.map_(LONG, I8), pa.map_(LONG, I8)),
        (pa.map_(TEXT, TEXT), pa.map_(TEXT, LONG), pa.map_(TEXT, LONG)),
        (pa.map_(TEXT, I8), pa.map_(I8, I8), None),
        (pa.map_(TEXT, I8), pa.map_(TEXT, I64), None),
        (struct(a=TEXT, b=I8), struct(a=LONG, b=I8), struct(a=LONG, b=I8)),
        (struct(a=TEXT), struct(b=TEXT), None),
        (struct(a=TEXT), struct(a=TEXT, b=TEXT), None),
        (struct(a=TEXT, b=I8), struct(a=TEXT, b=I64), None),
        (struct(a=I8), pa.list_(I8), None),
    ],
)
def test_a_joined_type_holds_both(
    first: pa.DataType, second: pa.DataType, joined: pa.DataType | None
) -> None:
    assert join_types(first, second) == joined
    assert join_types(second, first) == joined


def test_three_types_are_joined_in_any_order() -> None:
    types = [words(pa.int8(), TEXT), words(pa.int16(), LONG), words(pa.int64(), TEXT)]
    joined = set()
    for one, other, last in itertools.permutations(types):
        half = join_types(one, other)
        assert half is not None
        joined.add(join_types(half, last))
    assert joined == {words(pa.int64(), LONG)}


@pytest.mark.parametrize(("one", "other"), [(True, True), (True, False), (False, False)])
def test_what_may_be_null_in_one_may_be_in_the_joined(one: bool, other: bool) -> None:
    first = pa.list_(pa.field("item", TEXT, one))
    second = pa.list_(pa.field("item", LONG, other))
    joined = join_types(first, second)
    assert joined is not None
    assert joined.value_field.nullable is (one or other)
