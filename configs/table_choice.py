"""Which fields of `source` say what is read of a table that has a log, and which go together."""

from collections.abc import Mapping, Sequence
from typing import Any

# By format: the fields of which one at most chooses a version of the table.
TABLE_FORMATS = {
    "delta": ("version", "timestamp"),
    "iceberg": ("snapshot", "ref", "timestamp"),
}
# The others that only tables have.
_MORE = {"delta": ("outside",), "iceberg": ("outside", "catalog")}
_ALL = ("version", "snapshot", "ref", "timestamp", "catalog", "outside")


def check_table_fields(format: str, fields: Mapping[str, Any]) -> None:
    """Refuse fields that the format does not have, and two that choose a version.

    Args:
        format: the job's.
        fields: of `source`.

    Raises:
        ValueError: what does not go together.
    """
    # Zero is a version, too.
    said = [name for name in _ALL if fields[name] not in (None, ())]
    _refuse_foreign(format, said)
    choosing = TABLE_FORMATS.get(format, ())
    if not choosing:
        return
    if len(fields["paths"]) != 1:
        raise ValueError(f"format {format} reads one table; name one in paths")
    if fields["partitions"] is not None:
        raise ValueError("partitions: a table's log tells them; leave it out")
    chosen = [name for name in said if name in choosing]
    if len(chosen) > 1:
        names = " and ".join(chosen)
        raise ValueError(f"{names} choose a version each; leave all but one out")


def _refuse_foreign(format: str, said: Sequence[str]) -> None:
    """Refuse fields that a source has in other formats alone."""
    allowed = _list_fields(format)
    foreign = [name for name in said if name not in allowed]
    if not foreign:
        return
    names = ", ".join(foreign)
    first = foreign[0]
    having = [kind for kind in TABLE_FORMATS if first in _list_fields(kind)]
    formats = " or ".join(having)
    raise ValueError(
        f"{names}: a source of format {format} has none; say format: {formats}, or leave it out"
    )


def _list_fields(format: str) -> tuple[str, ...]:
    """Return the fields that are of a table of this format; none of other files."""
    choosing = TABLE_FORMATS.get(format, ())
    more = _MORE.get(format, ())
    return (*choosing, *more)
