"""Write what a run of the tests took into the table of tests/README.md: `python -m tests.support.seconds_table`.

Comes in: `build/seconds.json`, which a run with `-p tests.support.seconds` leaves. Goes out: the table's last two columns: seconds of
the clock of all tests, and seconds of a core of the quick ones. A run of a part of the tests changes only the lines of that part.
"""

from collections.abc import Iterable, Sequence
import json
from pathlib import Path, PurePath
import re
import sys

from tests.support.repository import REPOSITORY
from tests.support.seconds import SAVED, Took

_PAGE = REPOSITORY / "tests/README.md"
# A line of the table: places, what they prove, two figures.
_LINE = re.compile(r"^\| (`[^|]*) \| ([^|]*) \|([^|]*)\|([^|]*)\|$")
_PLACE = re.compile(r"`([\w./]+)`")


def fill_table(page: str, tests: Sequence[Took]) -> str:
    """Return a page with the figures of its table made anew.

    Args:
        page: the whole text.
        tests: what each test took; a line that none of them belongs to stays as it is.
    """
    lines = page.splitlines(keepends=True)
    rows = {number: _LINE.match(line) for number, line in enumerate(lines)}
    places = {number: _PLACE.findall(row[1]) for number, row in rows.items() if row is not None}
    by_line: dict[int, list[Took]] = {}
    for test in tests:
        number = _line_of(test.name, places)
        by_line.setdefault(number, []).append(test)
    for number, own in by_line.items():
        row = rows.get(number)
        if row is not None:
            lines[number] = _render(row, own)
    return "".join(lines)


def _line_of(name: str, places: dict[int, list[str]]) -> int:
    """Return the line with the longest place that a test lies in, or -1."""
    path = PurePath(name.partition("::")[0]).relative_to("tests")
    best, longest = -1, 0
    for number, found in places.items():
        for place in found:
            parts = len(PurePath(place).parts)
            if path.is_relative_to(place) and parts > longest:
                best, longest = number, parts
    return best


def _render(row: re.Match[str], tests: Iterable[Took]) -> str:
    clock = core = 0.0
    for test in tests:
        clock += test.clock
        core += test.core if test.quick else 0.0
    return f"| {row[1]} | {row[2]} | {clock:.0f} | {core:.0f} |\n"


def main(saved: Path = SAVED, page: Path = _PAGE) -> int:
    """Rewrite the page, and return the exit status.

    Args:
        saved: what the last run left.
        page: with the table.
    """
    if not saved.exists():
        print(f"{saved} is not there: run tests with -p tests.support.seconds first")
        return 1
    tests = [Took(*values) for values in json.loads(saved.read_text())]
    text = fill_table(page.read_text(), tests)
    page.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
