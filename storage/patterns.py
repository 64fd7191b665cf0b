"""Which paths a pattern stands for: `*`, `?` and `[...]` in its parts as in a shell, `**` for folders.

Only text is looked at here, no storage. A pattern is followed down a path part by part; `Places` are
the parts of the pattern that may come next, of which `**` makes several.

    data/**/p*.parquet      root data, parts ** and p*.parquet
    x                       -> may be a folder of **, so ** and p*.parquet may come next
    x/p1.parquet            -> complete: the pattern names it
"""

from collections.abc import Set
from dataclasses import dataclass
from fnmatch import fnmatchcase

from configs.errors import InputError

Places = frozenset[int]
_WILD = frozenset("*?[")
_ANY_FOLDERS = "**"


@dataclass(frozen=True)
class Pattern:
    """A path, split where it begins to stand for several.

    Attributes:
        root: all above the first part with a wildcard.
        parts: that part and those behind it; none of a path that stands for itself.
    """

    root: str
    parts: tuple[str, ...] = ()

    @property
    def start(self) -> Places:
        """Return what may come first below the root."""
        return self._pass_any_folders({0})

    def advance(self, places: Places, name: str) -> Places:
        """Return what may come next below a file or folder; nothing where the pattern leaves it.

        Args:
            places: what may come at its place.
            name: the last part of its path.
        """
        reached = set()
        for place in places:
            if place == len(self.parts):
                continue
            part = self.parts[place]
            if part == _ANY_FOLDERS:
                reached.add(place)
            elif fnmatchcase(name, part):
                reached.add(place + 1)
        return self._pass_any_folders(reached)

    def is_complete(self, places: Places) -> bool:
        """Tell whether the pattern names what stands before these places."""
        return len(self.parts) in places

    def may_lead_into(self, folder: str) -> bool:
        """Tell whether the pattern names a folder, or one above it, or may name what is in it.

        >>> pattern = split_pattern("data/*/*.parquet")
        >>> folders = ("data/scores", "data/x/y.parquet/scores", "scores", "data/x/scores")
        >>> [pattern.may_lead_into(folder) for folder in folders]
        [True, True, False, False]
        """
        names = find_parts_below(folder, self.root)
        if names is None:
            return False
        places = self.start
        for name in names:
            if self.is_complete(places):
                return True
            places = self.advance(places, name)
        return bool(places)

    def _pass_any_folders(self, places: Set[int]) -> Places:
        """Add what comes behind each `**`, which may stand for no folder at all."""
        reached = set(places)
        for place, part in enumerate(self.parts):
            if part == _ANY_FOLDERS and place in reached:
                reached.add(place + 1)
        return frozenset(reached)


def split_pattern(path: str) -> Pattern:
    """Return the pattern that a path is.

    >>> split_pattern("data/dt=*/x.parquet")
    Pattern(root='data', parts=('dt=*', 'x.parquet'))

    Raises:
        InputError: a part holds `**` and more.
    """
    parts = path.split("/")
    for part in parts:
        # Shells read it as one star, and other programs as any folders.
        if _ANY_FOLDERS in part and part != _ANY_FOLDERS:
            raise InputError(
                f"source.paths {path}: {part!r} holds **, which must stand alone between slashes; "
                "write * for any letters of one name"
            )
    first = 0
    while first < len(parts) and not is_wild(parts[first]):
        first += 1
    # A shell takes [^a] for [!a].
    below = [part.replace("[^", "[!") for part in parts[first:]]
    # All that is in a folder and below it, but not a file in the place of the folder.
    if below and below[-1] == _ANY_FOLDERS:
        below.append("*")
    root = "/".join(parts[:first])
    return Pattern(root, tuple(below))


def is_wild(text: str) -> bool:
    """Tell whether a path, or a part of one, may stand for several."""
    return not _WILD.isdisjoint(text)


def find_parts_below(path: str, folder: str) -> list[str] | None:
    """Return the parts of a path below a folder, none where they are one; None when it is not below.

    Args:
        path: the path.
        folder: the folder; the root of a disk is the empty text.

    >>> find_parts_below("a/b/c", "a"), find_parts_below("a", "a"), find_parts_below("ab", "a")
    (['b', 'c'], [], None)
    """
    if path == folder:
        return []
    above = folder
    if folder:
        above = f"{folder}/"
    if not path.startswith(above):
        return None
    below = path.removeprefix(above)
    parts = below.split("/")
    return [part for part in parts if part]
