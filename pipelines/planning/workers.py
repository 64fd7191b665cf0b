"""How many work on one machine, and how many models they have there."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Workers:
    """What scores on one machine.

    Attributes:
        count: workers that share its cores.
        processes: that these workers are in; each process has one model, whose calls it counts.
    """

    count: int
    processes: int
