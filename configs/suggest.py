"""Help with a name that nobody knows: the nearest one that there is."""

from collections.abc import Sequence
import difflib

# More names than these would hide the message.
_MOST_NAMES = 20
# Of difflib's similarity, 0 to 1: its own default, which a slip of one or two letters passes.
_ALIKE = 0.6


def nearest(name: str, known: Sequence[str]) -> str:
    """Return `; did you mean x?` for the most similar name, else all names if they are few.

    Args:
        name: as the user wrote it.
        known: the names that there are.

    >>> nearest("batchrows", ["batch_rows", "device"])
    '; did you mean batch_rows?'
    """
    wanted = _without_case(name)
    # difflib minds case and spaces, so a name that differs in these alone may look far away to it.
    for other in known:
        if _without_case(other) == wanted:
            return f"; did you mean {other}?"
    close = difflib.get_close_matches(name, known, n=1, cutoff=_ALIKE)
    if close:
        return f"; did you mean {close[0]}?"
    if not known or len(known) > _MOST_NAMES:
        return ""
    names = ", ".join(sorted(known))
    return f"; there are {names}"


def nearest_at_all(name: str, known: Sequence[str]) -> str:
    """Return what `nearest` does; of many names the nearest one however far it is.

    Args:
        name: as the user wrote it.
        known: the names that there are.

    >>> nearest_at_all("nope", [f"net{number}" for number in range(10, 99)])
    '; of 89 names the nearest is net98'
    """
    hint = nearest(name, known)
    if hint or not known:
        return hint
    # Without a cutoff there always is one.
    (far,) = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; of {len(known):,} names the nearest is {far}"


def _without_case(name: str) -> str:
    stripped = name.strip()
    return stripped.casefold()
