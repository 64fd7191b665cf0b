"""The names in an output folder by which it is known for one."""

from collections.abc import Collection

CURRENT = "CURRENT"
RUNS = "runs"
SCORED = "scored"
MANIFEST = "_manifest.json"
# Of a run that its monitor keeps from being published: the same, where no reader looks for it.
HELD = "_held.json"
PART_PREFIX = "part-"
# A page about a run, for people.
REPORT = "report.html"


def holds_runs(names: Collection[str]) -> bool:
    """Tell whether a folder in which there are these names is an output folder.

    >>> holds_runs(["CURRENT", "current", "runs"]), holds_runs(["runs"])
    (True, False)
    """
    return CURRENT in names and RUNS in names


def is_scored_folder(name: str, names: Collection[str]) -> bool:
    """Tell whether a folder holds the scored rows of a run, all of them.

    Args:
        name: its name.
        names: what there is in the folder that it is in.

    >>> is_scored_folder("scored", ["_manifest.json", "scored"])
    True
    >>> is_scored_folder("scored", ["scored"])
    False
    >>> is_scored_folder("scored", ["_manifest.json", "part-00000-0123456789ab.parquet", "scored"])
    False
    """
    if name != SCORED or MANIFEST not in names:
        return False
    # Beside parts it is not: those are all that an earlier version scored.
    return not any(map(is_part, names))


def is_report(name: str, names: Collection[str]) -> bool:
    """Tell whether a file is the page about a run, which is no file of rows.

    Args:
        name: its name.
        names: what there is in the folder that it is in.

    >>> is_report("report.html", ["_manifest.json", "report.html", "scored"])
    True
    >>> is_report("report.html", ["report.html"])
    False
    """
    return name == REPORT and MANIFEST in names


def is_part(name: str) -> bool:
    """Tell whether a name is one that publishing gives to files of rows.

    >>> is_part("part-00007-0123456789ab.parquet"), is_part("_manifest.json")
    (True, False)
    """
    return name.startswith(PART_PREFIX)
