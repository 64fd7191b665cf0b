"""Which unit a network takes moments in: the question, where nothing tells."""

from collections.abc import Sequence

from configs.errors import JobError


class UnitsNeededError(JobError):
    """A network takes moments, and nothing tells as which numbers.

    Attributes:
        columns: of moments.
    """

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        question = ask_for_numbers(columns)
        super().__init__(question)


def ask_for_numbers(names: Sequence[str]) -> str:
    """Return the question in which unit the network takes columns of moments."""
    quoted = ", ".join(map(repr, names))
    words = ", ".join(f"numbers.{name}=days" for name in names)
    return (
        f"the network takes numbers, and nothing tells which numbers the moments in "
        f"{quoted} are; say {words} (or hours, minutes, seconds, milliseconds, "
        "microseconds, since 1970-01-01 or since midnight)"
    )
