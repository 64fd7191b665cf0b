"""Messages of errors as records and logs may hold them: without the values of a row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
import re

from configs.errors import Refusal, RowError

# An apostrophe inside a word opens no quotation, and one that is never closed reaches to the end.
_QUOTED = re.compile(
    r"""(?<!\w)[bBrRuU]{0,2}'(?:.*?'(?!\w)|.*)|"(?:[^"\\]|\\.?)*(?:"|$)|`[^`]*(?:`|$)|\u2018.*?(?:\u2019(?!\w)|$)|\u201c.*?(?:\u201d|$)"""
)
# The part before the @ is looked for from its first character on only: from each of them, a long text would take for ever.
_MAIL = re.compile(r"(?<![^\s<>,;:()@])[^\s<>,;:()@]+@[^\s<>,;()]+")
_NUMBER = re.compile(r"(?<!\w)[-+]?\.?\d[\w.,:+]*(?:[ -]\d[\w.,:+]*)*")
# Names of types and columns end in a few digits at most: `float32`, `column_17`; a customer's number has more.
_WITH_DIGITS = re.compile(r"(?<!\w)(?![A-Za-z_]+\d{1,3}(?!\w))(?=\w*\d)\w+")
_WORD = re.compile(r"[^\W_]{3,}")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SHOWN_BYTES = 2_000
_LOOKED_AT_CHARACTERS = 8_000
_SHORT = 4


def shown(error: BaseException, values: Iterable[str] = ()) -> str:
    """An error's message as records and logs may hold it: one line of at most 2 000 bytes (UTF-8) without a row's values.

    Messages of ours are written without values. In those of libraries, models and users' functions, what stands in quotes, numbers, mail
    addresses, every text of `values` and every longer word of one is blotted out, and addresses of objects are left out, so that the
    same bad row leaves the same record.

    >>> shown(ValueError("could not convert string to float: 'Ann' in row 17"))
    'could not convert string to float: *** in row ***'
    >>> shown(ValueError("no such town: SPRINGFIELD"), ["Springfield, Ohio"])
    'no such town: ***'
    """
    line = _ADDRESS.sub("", " ".join(str(error).split()))
    if not isinstance(error, Refusal | RowError):
        line = _blotted(_cut(line), list(values))
    return line.encode(errors="replace")[:_SHOWN_BYTES].decode(errors="ignore")


def _cut(line: str) -> str:
    """The beginning of a long line, without its last word: half a word of a value is not known for one."""
    if len(line) <= _LOOKED_AT_CHARACTERS:
        return line
    return f"{line[:_LOOKED_AT_CHARACTERS].rpartition(' ')[0]} ***".lstrip()


def _blotted(line: str, values: Sequence[str]) -> str:
    line = _without_values(line, values)
    words = {word.casefold() for value in values for word in _WORD.findall(value)}
    line = _WORD.sub(lambda found: "***" if found.group().casefold() in words else found.group(), line)
    for pattern in (_QUOTED, _MAIL, _NUMBER, _WITH_DIGITS):
        line = pattern.sub("***", line)
    return line


def _without_values(line: str, values: Iterable[str]) -> str:
    """The line without whole values, whatever their case. Not with patterns made of them: those are slow to make, and are kept."""
    folded, told = _folded(line), bytearray(len(line))
    for value in {" ".join(value.split()) for value in values}:
        if 0 < len(value) <= len(line):
            for start in _places(_folded(value), folded):
                told[start : start + len(value)] = b"\1" * len(value)
    runs = groupby(zip(told, line, strict=True), key=itemgetter(0))
    return "".join("***" if is_value else "".join(character for _, character in run) for is_value, run in runs)


def _places(value: str, line: str) -> Iterator[int]:
    """Where the value stands in the line; one of few characters not inside a word."""
    start = line.find(value)
    while start >= 0:
        stop = start + len(value)
        inside = len(value) < _SHORT and (_is_of_a_word(line[max(0, start - 1) : start]) or _is_of_a_word(line[stop : stop + 1]))
        if not inside:
            yield start
        start = line.find(value, start + 1 if inside else stop)


def _is_of_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _folded(text: str) -> str:
    """The text without case, each character in its place: those that would become several keep to lower case."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    return "".join(f if len(f := character.casefold()) == 1 else character.lower()[0] for character in text)
