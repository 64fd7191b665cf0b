"""Lines of JSON that a parser must not be given: they are no object by their first and last bytes.

pyarrow's parser takes no lines but values that follow each other: two on a line are two rows to it,
and one may go over several lines. Where each line begins with `{` and ends with `}`, every line break
is between two rows: behind a `}` only a row can begin with `{`, and no text holds a line break as
such. Then as many rows as lines are one row a line. And a first line of `null` ends the process
(pyarrow 25).
"""

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from configs.errors import RowError
from transforms.formats.csv_dialect import BLOCK_BYTES
from transforms.formats.csv_records import Records

# By position among the lines of a block, why a line is rejected.
Reasons: TypeAlias = dict[int, Exception]
_OPENING = ord("{")
_CLOSING = ord("}")
# Those of JSON; a line break is none of a line.
_SPACES = b" \t"
# One for all lines: a file may have millions.
_OVERLONG = RowError(f"line has more than {BLOCK_BYTES:,} bytes")
_NO_OBJECT = RowError("line is no JSON object {...}")
_NO_UTF8 = RowError("line is not UTF-8")
_HOLDS_NUL = RowError("line holds a NUL byte")


def find_misshapen(lines: Records) -> Reasons:
    """Return why some lines of a block must not be given to the parser."""
    odd = _find_odd_ends(lines)
    reasons: Reasons = dict.fromkeys(odd, _NO_OBJECT)
    reasons |= _find_no_text(lines)
    # Of an overlong line nothing else is told: the reader may have seen its end alone.
    reasons |= dict.fromkeys(lines.malformed, _OVERLONG)
    return reasons


def get_line(lines: Records, position: int) -> bytes:
    """Return one line of a block, without its line end.

    Args:
        lines: the block.
        position: of the line.
    """
    start = lines.starts[position]
    stop = lines.stops[position]
    return lines.text[start:stop]


def _find_no_text(lines: Records) -> Reasons:
    """Return the lines that are not UTF-8, or hold NUL: Arrow checks texts no more than CSV's."""
    text = lines.text
    has_nul = b"\0" in text
    # In one pass, as nearly always there are none.
    if not has_nul and (text.isascii() or _is_utf8(text)):
        return {}
    reasons: Reasons = {}
    for position in range(len(lines)):
        line = get_line(lines, position)
        if b"\0" in line:
            reasons[position] = _HOLDS_NUL
        elif not _is_utf8(line):
            reasons[position] = _NO_UTF8
    return reasons


def _find_odd_ends(lines: Records) -> Iterator[int]:
    """Yield the positions of lines that do not begin with `{` and end with `}`."""
    codes = np.frombuffer(lines.text, dtype=np.uint8)
    last_places = lines.stops - 1
    first_codes = codes[lines.starts]
    last_codes = codes[last_places]
    opens = first_codes == _OPENING
    closes = last_codes == _CLOSING
    is_odd = ~(opens & closes)
    odd = np.flatnonzero(is_odd)
    for position in odd.tolist():
        line = get_line(lines, position)
        # Blanks may stand around an object.
        stripped = line.strip(_SPACES)
        opened = stripped.startswith(b"{")
        closed = stripped.endswith(b"}")
        if not opened or not closed:
            yield position


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
