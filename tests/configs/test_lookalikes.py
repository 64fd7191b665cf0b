"""Two names that look the same are told apart letter by letter; names that look different are not."""

import unicodedata

import pytest

from configs.lookalikes import describe_lookalike


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        (
            "gr\u00f6\u00dfe",
            "gro\u0308\u00dfe",
            "U+006F LATIN SMALL LETTER O, U+0308 COMBINING DIAERESIS instead of U+00F6 LATIN SMALL LETTER O WITH DIAERESIS",
        ),
        ("s t", "s\u00a0t", "U+00A0 NO-BREAK SPACE instead of U+0020 SPACE"),
        ("id", "\u200bid", "U+200B ZERO WIDTH SPACE instead of nothing"),
        ("id", "\ufeffid", "U+FEFF ZERO WIDTH NO-BREAK SPACE instead of nothing"),
        (
            "page",
            "p\u0430ge",
            "U+0430 CYRILLIC SMALL LETTER A instead of U+0061 LATIN SMALL LETTER A",
        ),
        ("id", "id\0", "U+0000 instead of nothing"),
        ("\ufb01t", "fit", "instead of U+FB01 LATIN SMALL LIGATURE FI"),
    ],
)
def test_what_differs_is_spelled_out(name: str, other: str, words: str) -> None:
    hint = describe_lookalike(name, ["x", other])
    assert words in hint
    assert hint.startswith(f"; but {other!a}, which looks the same: it has ")
    assert "\n" not in hint
    assert describe_lookalike(other, [name]) != ""


def test_every_composed_letter_is_known_from_its_parts() -> None:
    """Against Unicode's own tables, for all letters of Latin scripts that have parts."""
    for code in range(0xC0, 0x250):
        letter, parts = chr(code), unicodedata.normalize("NFD", chr(code))
        if parts != letter:
            assert f"instead of U+{code:04X}" in describe_lookalike(f"x{letter}", [f"x{parts}"])


@pytest.mark.parametrize("other", ["ID", "idd", "\u0438d", "i d", "id"])
def test_what_looks_different_is_not_told(other: str) -> None:
    assert describe_lookalike("id", [other]) == ""


def test_three_differences_are_spelled_out_and_no_more() -> None:
    spaces = "a b c d e"
    hint = describe_lookalike(spaces, [spaces.replace(" ", "\u00a0")])
    assert hint.count("U+00A0 NO-BREAK SPACE instead of U+0020 SPACE") == 3
