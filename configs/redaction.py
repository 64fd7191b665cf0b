"""Messages of errors as records and logs may hold them: without the values of a row."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
import re
from typing import NamedTuple

from configs.errors import Refusal, RowError

# An apostrophe inside a word opens no quotation, and one that is never closed reaches to the end.
_QUOTED = re.compile(
    r"""
      (?<!\w) [bBrRuU]{0,2} ' (?: .*? ' (?!\w) | .* )
    | " (?: [^"\\] | \\.? )* (?: " | $ )
    | ` [^`]* (?: ` | $ )
    | \u2018 .*? (?: \u2019 (?!\w) | $ )
    | \u201c .*? (?: \u201d | $ )
    """,
    re.VERBOSE,
)
# The part before the @ is looked for from its first character on only: from each of them, a long
# text would take for ever.
_MAIL = re.compile(r"(?<![^\s<>,;:()@])[^\s<>,;:()@]+@[^\s<>,;()]+")
_NUMBER = re.compile(r"(?<!\w)[-+]?\.?\d[\w.,:+]*(?:[ -]\d[\w.,:+]*)*")
# Names of types and columns end in a few digits at most: `float32`, `column_17`; a customer's
# number has more.
_WITH_DIGITS = re.compile(r"(?<!\w)(?![A-Za-z_]+\d{1,3}(?!\w))(?=\w*\d)\w+")
# Shorter words of a value are words of any sentence.
_WORD = re.compile(r"[^\W_]{3,}")
# What a library says of the place and the kind of a failure: the system's number of an error, a line
# of a file (a longer number may be a customer's, or be part of one), a time zone, the size of a file
# and the one that Arrow reads in a Parquet footer.
_TELLING = re.compile(
    r"""
      \[Errno[ ]\d{1,3}\]
    | \b[Ll]ine[ ]\d{1,7} (?! [ -]?\d | [\w+] | [.,:]\d )
    | (?<! [\w.,:+-] ) \d{1,12} [ ] (?: bytes | bits ) \b
    | (?<= [ ]reported[ ]by[ ]footer's[ ]\( ) \d{1,12} (?= \) )
    | (?<= zone[ ]) '(?: [A-Z]\w+ (?: / [A-Za-z][A-Za-z_-]+ ){1,2} | [+-]\d\d:\d\d )'
    """,
    re.VERBOSE,
)
# What may be a value wherever it stands.
_LIKE_VALUES = (_MAIL, _NUMBER, _WITH_DIGITS)
# Of Unicode's private use: each stands for what is set aside, and is in no text by itself.
_FIRST_MARK = "\ue000"
_LAST_MARK = "\uf8ff"
_MARKS = re.compile(f"[{_FIRST_MARK}-{_LAST_MARK}]")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")
_SHOWN_BYTES = 2_000
# More than is shown, because what is blotted out becomes shorter; the patterns take time for all of
# it.
_LOOKED_AT_CHARACTERS = 8_000
# Shorter values would be found inside many words that have nothing to do with them.
_SHORT = 4
_BLOT = "***"


def shown(
    error: BaseException,
    values: Iterable[str] = (),
    known: Iterable[str] = (),
) -> str:
    """Return an error's message as records and logs may hold it: without a row's values.

    Messages of ours are written without values. In those of libraries, models and users' functions,
    what stands in quotes, numbers, mail addresses, every text of `values` and every longer word of
    one is blotted out, and addresses of objects are left out, so that the same row leaves the same
    record. The path that the system could not open stays, unless something in it may be a value.

    Args:
        error: raised by anybody.
        values: texts of the row that it is about.
        known: names that are no values, of files and columns; they stay, unless they stand in
            `values` too.

    Returns:
        One line of at most 2 000 bytes (UTF-8).

    >>> shown(ValueError("could not convert string to float: 'Ann' in row 17"))
    'could not convert string to float: *** in row ***'
    >>> shown(ValueError("no such town: SPRINGFIELD"), ["Springfield, Ohio"])
    'no such town: ***'
    >>> shown(ValueError("line 7: 'Ann' in 'size'"), known=["size"])
    "line 7: *** in 'size'"
    """
    words = str(error).split()
    one_line = " ".join(words)
    line = _ADDRESS.sub("", one_line)
    is_ours = isinstance(error, Refusal | RowError)
    if not is_ours:
        paths = _list_plain_paths(error)
        kept = [*known, *paths]
        line = _blot_out(_cut(line), list(values), kept)
    encoded = line.encode(errors="replace")
    beginning = encoded[:_SHOWN_BYTES]
    # The cut may be inside a character.
    return beginning.decode(errors="ignore")


def shown_with_class(error: BaseException) -> str:
    """Return the class of an error, and its message as `shown` has it.

    >>> shown_with_class(ValueError("no such town: 17"))
    'ValueError: no such town: ***'
    """
    name = type(error).__name__
    message = shown(error)
    return f"{name}: {message}"


def _list_plain_paths(error: BaseException) -> Iterator[str]:
    """Yield the paths that the system's error is about, but for those that may hold a value.

    >>> list(_list_plain_paths(FileNotFoundError(2, "No such file", "/maps/towns.csv")))
    ['/maps/towns.csv']
    >>> list(_list_plain_paths(FileNotFoundError(2, "No such file", "/people/4711.png")))
    []
    """
    if not isinstance(error, OSError):
        return
    for path in (error.filename, error.filename2):
        # Texts of the row are looked for in the whole message; numbers only by what they look like.
        if isinstance(path, str) and not _looks_like_value(path):
            yield path


def _looks_like_value(text: str) -> bool:
    return any(pattern.search(text) for pattern in _LIKE_VALUES)


def _cut(line: str) -> str:
    """Return the beginning of a long line, without its last word.

    Half a word of a value is not known for one.
    """
    if len(line) <= _LOOKED_AT_CHARACTERS:
        return line
    beginning = line[:_LOOKED_AT_CHARACTERS]
    whole_words, _, _ = beginning.rpartition(" ")
    cut = f"{whole_words} {_BLOT}"
    return cut.lstrip()


def _blot_out(line: str, values: Sequence[str], known: Iterable[str]) -> str:
    # Whole values first: a value's words alone would leave what stands between them.
    line = _blot_out_values(line, values)
    line = _blot_out_words(line, values)
    # Names are set aside behind that: what is a name and a value, too, is blotted out.
    line, set_aside = _set_aside(line, known)
    patterns = (_QUOTED, *_LIKE_VALUES)
    for pattern in patterns:
        line = pattern.sub(_BLOT, line)

    def put_back(found: re.Match[str]) -> str:
        mark = found.group()
        return set_aside[mark]

    return _MARKS.sub(put_back, line)


def _blot_out_words(line: str, values: Iterable[str]) -> str:
    """Return the line without any longer word of a value, whatever its case."""
    words: set[str] = set()
    for value in values:
        found = _WORD.findall(value)
        folded = map(str.casefold, found)
        words.update(folded)

    def blot_word(found: re.Match[str]) -> str:
        word = found.group()
        if word.casefold() in words:
            return _BLOT
        return word

    return _WORD.sub(blot_word, line)


class _Marked(NamedTuple):
    """A line with marks, and what each stands for."""

    line: str
    set_aside: dict[str, str]


def _set_aside(line: str, known: Iterable[str]) -> _Marked:
    """Put a mark in the place of everything that is to stay."""
    set_aside: dict[str, str] = {}

    def mark(found: re.Match[str]) -> str:
        text = found.group()
        number = ord(_FIRST_MARK) + len(set_aside)
        character = chr(number)
        # More than there are marks is more than anybody reads.
        if character > _LAST_MARK:
            return text
        set_aside[character] = text
        return character

    # A mark that stands in the text itself would be put back as something else.
    line = _MARKS.sub(_BLOT, line)
    present = [name for name in known if name and name in line]
    if present:
        pattern = _make_pattern(present)
        line = re.sub(pattern, mark, line)
    line = _TELLING.sub(mark, line)
    return _Marked(line, set_aside)


def _make_pattern(names: Iterable[str]) -> str:
    """Return a pattern of any of some names, with its quotes or without."""
    escaped = [re.escape(name) for name in names]
    # The longest first: a name may begin as another one does.
    escaped.sort(key=len, reverse=True)
    any_name = "|".join(escaped)
    # With its quotes, as what stands in quotes is blotted out.
    quoted = rf"'(?:{any_name})'|\"(?:{any_name})\""
    return rf"(?<!\w)(?:{quoted}|(?:{any_name}))(?!\w)"


def _blot_out_values(line: str, values: Iterable[str]) -> str:
    """Return the line without whole values, whatever their case.

    Not with patterns made of them: those are slow to make, and `re` keeps them.
    """
    folded = _fold(line)
    # A byte for each character of the line: 1 where it is of a value.
    is_value = bytearray(len(line))
    for value in _list_on_one_line(values):
        length = len(value)
        # Longer ones cannot stand there.
        if not 0 < length <= len(line):
            continue
        ones = b"\1" * length
        folded_value = _fold(value)
        for start in _find_places(folded_value, folded):
            stop = start + length
            is_value[start:stop] = ones

    # Of most lines nothing is told, and letter by letter a long one takes a millisecond.
    if 1 not in is_value:
        return line
    parts = []
    marked = zip(is_value, line, strict=True)
    # Runs of characters that are, or are not, of a value.
    for is_told, run in groupby(marked, key=itemgetter(0)):
        if is_told:
            parts.append(_BLOT)
            continue
        characters = [character for _, character in run]
        parts.extend(characters)
    return "".join(parts)


def _list_on_one_line(values: Iterable[str]) -> set[str]:
    """Return values with spaces as in the line, where each is a single one; each once."""
    on_one_line = set()
    for value in values:
        words = value.split()
        on_one_line.add(" ".join(words))
    return on_one_line


def _find_places(value: str, line: str) -> Iterator[int]:
    """Yield where the value stands in the line; one of few characters not inside a word."""
    length = len(value)
    is_short = length < _SHORT
    start = line.find(value)
    while start >= 0:
        stop = start + length
        if is_short and _is_inside_a_word(line, start, stop):
            start = line.find(value, start + 1)
            continue
        yield start
        start = line.find(value, stop)


def _is_inside_a_word(line: str, start: int, stop: int) -> bool:
    # Slices, which are empty at either end of the line.
    first = max(0, start - 1)
    before = line[first:start]
    after = line[stop : stop + 1]
    return _is_of_a_word(before) or _is_of_a_word(after)


def _is_of_a_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _fold(text: str) -> str:
    """Return the text without case, each character in its place."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded
    # Of another length the places in it would not be those in the text.
    characters = map(_fold_character, text)
    return "".join(characters)


def _fold_character(character: str) -> str:
    folded = character.casefold()
    if len(folded) == 1:
        return folded
    # Those that would become several characters, as the German sharp s, keep to lower case.
    lower = character.lower()
    return lower[0]
