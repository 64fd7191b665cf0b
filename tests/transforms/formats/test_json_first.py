"""What the first lines of a file of JSON lines tell, at the limits of what is looked at."""

from pathlib import Path

import pytest

from configs.errors import InputError
from storage.input_file import InputFile
from tests.support.builders import unit_of
from tests.transforms.formats.lines import SCHEMA
from transforms.formats.column import Column
from transforms.formats.json_lines import JsonLinesFormat

GOOD = '{"id":1,"x":1.5,"s":"a"}'
BAD = '{"id":1,"x":"no number","s":"a"}'
NULL = '{"id":1,"x":null,"s":"a"}'
NONE = '{"id":1,"s":"a"}'


def inspect(folder: Path, lines: list[str]) -> None:
    path = folder / "a.jsonl"
    path.write_text("\n".join(lines) + "\n")
    described = InputFile(str(path), path.stat().st_size, unit_of(path, None).version)
    columns = [Column(field.name, field.type) for field in SCHEMA]
    JsonLinesFormat().inspect(described, columns)


@pytest.mark.parametrize(
    ("lines", "is_refused"),
    [
        # A few bad values may be bad rows; so many, and no other, are another type.
        ([BAD] * 7, False),
        ([BAD] * 8, True),
        ([BAD] * 7 + [NULL] * 20, False),
        ([BAD] * 8 + [NULL] * 20, True),
        ([BAD] * 20 + [GOOD], False),
        # What stands behind the first thousand lines says nothing.
        ([BAD] * 999 + [GOOD], False),
        ([BAD] * 1_000 + [GOOD], True),
    ],
)
def test_a_type_is_another_one_where_all_values_say_so(
    tmp_path: Path, lines: list[str], is_refused: bool
) -> None:
    if not is_refused:
        inspect(tmp_path, lines)
        return
    with pytest.raises(InputError, match="column 'x' does not hold values of type double"):
        inspect(tmp_path, lines)


@pytest.mark.parametrize("before", [0, 999, 1_000, 1_001])
def test_a_column_may_stand_in_one_line_alone(tmp_path: Path, before: int) -> None:
    inspect(tmp_path, [*[NONE] * before, GOOD])
    with pytest.raises(InputError, match=f"none of its first {before + 1:,} lines has the column"):
        inspect(tmp_path, [NONE] * (before + 1))


@pytest.mark.parametrize(("count", "is_refused"), [(7, False), (8, True), (1_500, True)])
def test_lines_without_an_object_are_no_json(tmp_path: Path, count: int, is_refused: bool) -> None:
    lines = ["no json"] * count
    if not is_refused:
        inspect(tmp_path, lines)
        return
    looked_at = min(count, 1_000)
    with pytest.raises(InputError, match=f"none of its first {looked_at:,} lines is an object"):
        inspect(tmp_path, lines)
