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


def _without_case(name: str) -> str:
    stripped = name.strip()
    return stripped.casefold()
