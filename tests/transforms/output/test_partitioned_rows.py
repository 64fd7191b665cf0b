"""Which columns may become folders: those of whose values every reader takes the text for the same value."""

import pyarrow as pa
import pytest

from configs.errors import JobError
from transforms.output import partitioned_rows
from transforms.output.partitioned_rows import can_be_folders, divide

TEXT = pa.string()


@pytest.mark.parametrize(
    ("dtype", "can"),
    [
        (TEXT, True),
        (pa.large_string(), True),
        (pa.dictionary(pa.int8(), TEXT), True),
        (pa.bool_(), True),
        (pa.int8(), True),
        (pa.uint64(), True),
        (pa.date32(), True),
        (pa.float64(), False),
        (pa.decimal128(9, 2), False),
        (pa.timestamp("s"), False),
        (pa.binary(), False),
        (pa.list_(TEXT), False),
        (pa.null(), False),
    ],
    ids=str,
)
def test_texts_whole_numbers_days_and_flags_name_folders(dtype: pa.DataType, can: bool) -> None:
    assert can_be_folders(dtype) is can


def make_table(*days: str | None) -> pa.Table:
    return pa.table({"id": range(len(days)), "day": pa.array(days, TEXT)})


def test_rows_come_in_runs_of_one_folder_without_its_columns() -> None:
    first, second = make_table("a", "a", None), make_table(None, "b")
    runs = list(divide(iter([first, second]), ["day"]))
    missing = "day=__HIVE_DEFAULT_PARTITION__"
    assert [run.folder for run in runs] == ["day=a", missing, missing, "day=b"]
    assert [run.rows.to_pydict() for run in runs] == [
        {"id": [0, 1]},
        {"id": [2]},
        {"id": [0]},
        {"id": [1]},
    ]
    assert list(divide(iter([make_table()]), ["day"])) == []


@pytest.mark.parametrize("days", [("a", "b", "c"), ("a", "b", "b", "c", "c")])
def test_a_unit_has_as_many_folders_as_are_allowed_and_no_more(
    days: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitioned_rows, "_MOST_FOLDERS", 3)
    assert len(list(divide(iter([make_table(*days)]), ["day"]))) == 3
    with pytest.raises(JobError, match="more than 3 folders"):
        list(divide(iter([make_table(*days, "d")]), ["day"]))
