"""Physical forms of one logical type: which join, to what, and that no cast changes a value; values as Python reads them."""

from collections.abc import Iterator
import itertools

import pyarrow as pa
import pytest

from transforms.joined_types import join_types
from transforms.logical_types import (
    cast_exactly,
    nullable_type,
    storable_type,
    take_values,
    type_with_kernels,
)

TEXTS = pa.array(["a", None, "b", "a", ""])


def dictionary(values: pa.DataType, index: pa.DataType, ordered: bool = False) -> pa.Array:
    indices = pa.array([0, None, 1, 0, 2], index)
    return pa.DictionaryArray.from_arrays(
        indices, pa.array(["a", "b", ""], values), ordered=ordered
    )


# The same five texts, made without our casts; and a column that is all missing.
FORMS = [
    TEXTS,
    TEXTS.cast(pa.large_string()),
    TEXTS.cast(pa.string_view()),
    dictionary(pa.string(), pa.int32()),
    dictionary(pa.large_string(), pa.int64()),
    dictionary(pa.string(), pa.int8()),
    dictionary(pa.string(), pa.int8(), ordered=True),
    dictionary(pa.string(), pa.uint32()),
    dictionary(pa.string_view(), pa.int16()),
    pa.nulls(5),
]


def nest(texts: pa.Array) -> Iterator[pa.Array]:
    """Lists of all kinds, structs and maps around five texts, with nulls, empty ones, and an order of their own."""
    short, long = pa.array([0, 2, None, 3, 5], pa.int32()), pa.array([0, 2, None, 3, 5], pa.int64())
    yield texts
    yield pa.ListArray.from_arrays(short, texts)
    yield pa.LargeListArray.from_arrays(long, texts)
    yield pa.ListViewArray.from_arrays(
        pa.array([3, 0, 1, 0], pa.int32()),
        pa.array([2, 1, 3, 0], pa.int32()),
        texts,
        mask=pa.array([False, True, False, False]),
    )
    mask = pa.array([False, True, False, False, True])
    yield pa.StructArray.from_arrays([texts, pa.array(range(5))], ["x", "y"], mask=mask)
    yield pa.MapArray.from_arrays(short, pa.array(list("pqrst")), texts)
    yield pa.FixedSizeListArray.from_arrays(texts, 1)


KINDS = [list(forms) for forms in zip(*(nest(form) for form in FORMS), strict=True)]


@pytest.mark.parametrize("forms", KINDS, ids=lambda forms: str(forms[0].type)[:20])
def test_every_two_forms_join_and_no_cast_changes_a_value(forms: list[pa.Array]) -> None:
    for one, other in itertools.product(forms, forms):
        joined = join_types(one.type, other.type)
        assert joined is not None
        assert joined == join_types(other.type, one.type)
        for array in (one, one.slice(1), one.slice(1, 2), one.slice(0, 0)):
            cast = cast_exactly(array, joined)
            cast.validate(full=True)
            assert (cast.type, cast.to_pylist()) == (joined, array.to_pylist())


@pytest.mark.parametrize("forms", KINDS, ids=lambda forms: str(forms[0].type)[:20])
def test_three_forms_join_to_one_type_in_any_order(forms: list[pa.Array]) -> None:
    for first, second, third in itertools.product([form.type for form in forms], repeat=3):
        left = join_types(join_types(first, second), third)
        assert left == join_types(first, join_types(second, third))


@pytest.mark.parametrize("forms", KINDS, ids=lambda forms: str(forms[0].type)[:20])
def test_rows_are_taken_of_every_form(forms: list[pa.Array]) -> None:
    for array in forms:
        taken = take_values(array.slice(1), pa.array([2, None, 0, 2]))
        values = array.to_pylist()
        assert taken.type == array.type
        assert taken.to_pylist() == [values[3], None, values[1], values[3]]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.int32(), pa.int64()),
        (pa.string(), pa.binary()),
        (pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int8(), pa.int64())),
        (pa.list_(pa.int32()), pa.list_(pa.int64())),
        (pa.list_(pa.int32(), 2), pa.list_(pa.int32(), 3)),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
        (pa.map_(pa.string(), pa.int8()), pa.map_(pa.string(), pa.int16())),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.timestamp("us"), pa.timestamp("us", tz="UTC")),
        (pa.decimal128(5, 2), pa.decimal128(6, 2)),
        (pa.binary(2), pa.binary()),
    ],
    ids=str,
)
def test_what_differs_logically_does_not_join(first: pa.DataType, second: pa.DataType) -> None:
    assert join_types(first, second) is None
    assert join_types(second, first) is None


def test_fields_inside_may_hold_nulls_where_one_of_them_may() -> None:
    never = pa.struct([pa.field("a", pa.string(), nullable=False)])
    joined = join_types(never, pa.struct([("a", pa.large_string())]))
    assert joined == pa.struct([("a", pa.large_string())])


def test_types_for_taking_storing_and_missing_values() -> None:
    view = pa.struct([("a", pa.list_(pa.string_view())), ("b", pa.binary_view())])
    plain = pa.struct([("a", pa.list_(pa.large_string())), ("b", pa.large_binary())])
    assert type_with_kernels(view) == plain

    small = pa.dictionary(pa.int8(), pa.string())
    assert storable_type(small) == small
    assert storable_type(pa.list_(small)) == pa.list_(pa.dictionary(pa.int32(), pa.string()))
    for index in (pa.int32(), pa.uint32(), pa.int64()):
        wide = pa.list_(pa.dictionary(index, pa.string(), True))
        assert storable_type(wide) == wide

    views = pa.dictionary(pa.int8(), pa.string_view(), True)
    assert storable_type(views) == pa.dictionary(pa.int8(), pa.large_string(), True)
    inside = pa.dictionary(pa.int32(), pa.large_string(), True)
    assert storable_type(pa.list_(views)) == pa.list_(inside)

    fixed = pa.struct([("a", pa.list_(pa.int8(), 2))])
    assert nullable_type(fixed) == pa.struct([("a", pa.list_(pa.int8()))])
    missing = pa.array([None, [1, 2]], pa.list_(pa.int8(), 2))
    assert cast_exactly(missing, pa.list_(pa.int8())).to_pylist() == [None, [1, 2]]
    with pytest.raises(pa.ArrowInvalid, match="not 2 long"):
        cast_exactly(pa.array([None, [1, 2]]), pa.list_(pa.int64(), 2))


def test_lists_become_lists_of_one_length_where_all_have_it() -> None:
    wanted = pa.list_(pa.int64(), 2)
    given = pa.array([[1, 2], [3, 4]], pa.list_(pa.int8()))
    assert cast_exactly(given, wanted).to_pylist() == [[1, 2], [3, 4]]
    for odd in ([[1, 2], [3]], [[1, 2], None]):
        with pytest.raises(pa.ArrowInvalid, match="a list that is not 2 long"):
            cast_exactly(pa.array(odd, pa.list_(pa.int8())), wanted)
