"""Messages of errors as records and logs may hold them: without the values of a row."""

from collections.abc import Iterable, Sequence
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
        line = _blotted(line[: 4 * _SHOWN_BYTES], list(values))
    return line.encode(errors="replace")[:_SHOWN_BYTES].decode(errors="ignore")


def _blotted(line: str, values: Sequence[str]) -> str:
    for value in sorted({" ".join(v.split()) for v in values if v.strip()}, key=len, reverse=True):
        line = _whole(value).sub("***", line)
    words = {word.casefold() for value in values for word in _WORD.findall(value)}
    line = _WORD.sub(lambda found: "***" if found.group().casefold() in words else found.group(), line)
    for pattern in (_QUOTED, _MAIL, _NUMBER, _WITH_DIGITS):
        line = pattern.sub("***", line)
    return line


def _whole(value: str) -> re.Pattern[str]:
    """The value in a message, whatever its case; one of few characters not inside a word."""
    edge = r"(?<!\w){}(?!\w)" if len(value) < 4 else "{}"
    return re.compile(edge.format(re.escape(value)), re.IGNORECASE)
