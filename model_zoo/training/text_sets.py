"""Texts that come with Python itself, as an Arrow table with a unique key."""

import math
import sys
from typing import TypeAlias
import unicodedata

import pyarrow as pa

# Code, name, and kind.
Character: TypeAlias = tuple[int, str, str]
# Not the newest one, which is another in every Python.
_DATABASE = unicodedata.ucd_3_2_0
# By the first letter of a character's category; of spaces, controls and the like there are too few.
_KINDS = {
    "L": "letter",
    "M": "mark",
    "N": "number",
    "P": "punctuation",
    "S": "symbol",
}
# Blocks that are numbered through: of their thousands of names each tells as much as any other.
_NUMBERED = (
    "CANADIAN SYLLABICS",
    "CJK",
    "ETHIOPIC SYLLABLE",
    "HANGUL SYLLABLE",
    "YI SYLLABLE",
)
# Letters are ten times as many as punctuation, and a network may not live by always saying letter.
_MOST_OF_A_KIND = 600


def character_names() -> pa.Table:
    """Return the names of characters, with what kind of character each is: some 2300 short texts.

    Columns: `id` int64, the character's code point; `name` string (`GREEK SMALL LETTER DELTA`);
    `kind` string (letter, mark, number, punctuation, symbol). Source: the Unicode Character
    Database, version 3.2, as it is part of every Python and never changes.
    """
    by_kind: dict[str, list[Character]] = {}
    for kind in _KINDS.values():
        by_kind[kind] = []
    for code in range(sys.maxunicode + 1):
        character = chr(code)
        category = _DATABASE.category(character)
        kind = _KINDS.get(category[0], "")
        # Nine of ten codes are no character, and a name takes long to look for.
        if not kind:
            continue
        name = _DATABASE.name(character, "")
        is_numbered = name.startswith(_NUMBERED)
        if not name or is_numbered:
            continue
        row = (code, name, kind)
        by_kind[kind].append(row)

    rows: list[Character] = []
    for found in by_kind.values():
        # Evenly from all scripts: those of one script stand together.
        every = math.ceil(len(found) / _MOST_OF_A_KIND)
        rows += found[::every]
    rows.sort()
    codes, names, kinds = zip(*rows, strict=True)
    columns = {
        "id": pa.array(codes),
        "name": pa.array(names),
        "kind": pa.array(kinds),
    }
    return pa.table(columns)
