"""By which rules a name that a pattern stands for is left out, and which folders are no loose files.

Readers of folders agree on most of these: Spark, DuckDB, pandas and pyarrow leave out what begins
with `_` or `.`.
"""

from collections import Counter
from collections.abc import Iterable

# In the order in which they are looked at; the words stand in manifests and logs.
HIDDEN = "hidden"
CHECKSUM = "checksum"
UNFINISHED = "unfinished copy"
# Of a source of files, whose endings the job may name.
OTHER_SUFFIX = "other suffix"
# What lies in the folder of a table that has a log, and whose table that is: only the log tells
# which of its files are of today's version.
TABLE_LOGS = {"_delta_log": "Delta", ".hoodie": "Hudi"}
# Iceberg's has a plain name, and tells itself by the files in it.
ICEBERG_FOLDER = "metadata"
ICEBERG_FILE = ".metadata.json"


def find_rule(name: str, is_folder: bool) -> str | None:
    """Return the rule by which a name is left out; None when it is read.

    Args:
        name: the last part of its path.
        is_folder: whether it is a folder's.

    >>> [find_rule(name, is_folder=False) for name in ("_SUCCESS", "a.crc", "a._COPYING_", "a")]
    ['hidden', 'checksum', 'unfinished copy', None]
    >>> [find_rule(name, is_folder=True) for name in ("_temporary", ".git", "_day=1", "a.crc")]
    ['hidden', 'hidden', None, None]
    """
    if name.startswith("."):
        return HIDDEN
    if name.startswith("_"):
        is_column = is_folder and is_partition(name)
        if is_column:
            return None
        return HIDDEN
    if is_folder:
        return None
    # Hadoop leaves `.part-0.parquet.crc` beside its files, and gives a file its name once it is
    # whole.
    if name.endswith(".crc"):
        return CHECKSUM
    if name.endswith("._COPYING_"):
        return UNFINISHED
    return None


def count_by_rule(urls: Iterable[str]) -> dict[str, int]:
    """Return how many of the URLs that were left out each rule left out.

    >>> count_by_rule(["in/_SUCCESS", "in/a.crc", "in/.git", "in/notes.txt"])
    {'checksum': 1, 'hidden': 2, 'other suffix': 1}
    """
    counts: Counter[str] = Counter()
    for url in urls:
        _, _, name = url.rstrip("/").rpartition("/")
        rule = find_rule(name, is_folder=False)
        # Folders are left out for being hidden alone, which their names tell.
        counts[rule or OTHER_SUFFIX] += 1
    return dict(sorted(counts.items()))


def is_partition(name: str) -> bool:
    """Tell whether a folder's name gives a column's value, as Hive, Spark and others write it.

    >>> [is_partition(name) for name in ("dt=2026-01-01", "late", "=", "_col=", ".x=1")]
    [True, False, False, True, False]
    """
    column, separator, _ = name.partition("=")
    if name.startswith("."):
        return False
    return bool(column and separator)
