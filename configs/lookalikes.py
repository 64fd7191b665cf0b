"""Names that look the same and are not: composed and decomposed letters, kinds of spaces, letters of other alphabets."""

from collections.abc import Sequence
import difflib
import unicodedata

# Cyrillic and Greek letters, and the Latin ones that they look like.
_TWINS = str.maketrans(
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0425"
    "\u03bf\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7",
    "aeopcyxijsABEKMHOPCTXoABEZHIKMNOPTYX",
)
# Format and control characters, which nobody sees.
_INVISIBLE = ("Cf", "Cc")
_MOST_DIFFERENCES = 3


def describe_lookalike(name: str, known: Sequence[str]) -> str:
    r"""Return what a name that looks the same has in other letters; nothing without such a name.

    Args:
        name: as the user wrote it.
        known: the names that there are.

    >>> describe_lookalike("s t", ["s\u00a0t"])
    "; but 's\\xa0t', which looks the same: it has U+00A0 NO-BREAK SPACE instead of U+0020 SPACE"
    """
    looks = _look(name)
    for other in known:
        if other != name and _look(other) == looks:
            differences = _compare(name, other)
            return f"; but {other!a}, which looks the same: it has {differences}"
    return ""


def _look(name: str) -> str:
    """Return what is seen of a name."""
    # Composed, and with one form of each letter and one kind of space.
    composed = unicodedata.normalize("NFKC", name)
    visible = "".join(filter(_is_visible, composed))
    latin = visible.translate(_TWINS)
    words = latin.split()
    return " ".join(words)


def _is_visible(letter: str) -> bool:
    category = unicodedata.category(letter)
    return category not in _INVISIBLE


def _compare(name: str, other: str) -> str:
    matcher = difflib.SequenceMatcher(None, name, other, autojunk=False)
    differences = []
    for kind, start, stop, other_start, other_stop in matcher.get_opcodes():
        if kind == "equal":
            continue
        here = _spell(name[start:stop])
        there = _spell(other[other_start:other_stop])
        differences.append(f"{there} instead of {here}")
    return " and ".join(differences[:_MOST_DIFFERENCES])


def _spell(letters: str) -> str:
    """Return the code points and names of letters."""
    if not letters:
        return "nothing"
    spelled = map(_spell_letter, letters)
    return ", ".join(spelled)


def _spell_letter(letter: str) -> str:
    point = ord(letter)
    # Control characters have none.
    name = unicodedata.name(letter, "")
    return f"U+{point:04X} {name}".strip()
