"""The table of kinds of tables with a log: a new one is a file in this folder, and its line here."""

from collections.abc import Callable
from importlib import import_module

from transforms.lakes.choice import Choice
from transforms.lakes.snapshot import Snapshot

# By format, what reads its log: `module:attribute`, imported only when it is asked for.
LAKES = {
    "delta": "transforms.lakes.delta:read_delta",
    "iceberg": "transforms.lakes.iceberg:read_iceberg",
}


def read_snapshot(kind: str, url: str, choice: Choice) -> Snapshot:
    """Return a table as it was at the chosen moment.

    Args:
        kind: one of `LAKES`.
        url: the table.
        choice: which moment, and where its files may be.

    Raises:
        InputError, JobError: it cannot be read, or had no such moment.
    """
    module, _, attribute = LAKES[kind].partition(":")
    read: Callable[[str, Choice], Snapshot] = getattr(import_module(module), attribute)
    return read(url, choice)
