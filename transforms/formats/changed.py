"""What is said of a shard that is not what it was when the run was planned, or cannot be looked at."""

from configs.errors import ChangedError, InputError
from transforms.batches import WorkUnit


def refuse_changed(unit: WorkUnit) -> ChangedError:
    """Return the error of a shard that is not what it was when the plan was made, or is gone."""
    return ChangedError(
        f"{unit.shard}: changed after the run was planned; "
        "start the run again to score the new content"
    )


def refuse_unreadable(unit: WorkUnit, error: OSError) -> InputError:
    """Return the error of a shard that cannot be looked at.

    Args:
        unit: the unit that it is of.
        error: what the disk or store says.
    """
    return InputError(
        f"{unit.shard}: cannot be read: {error.strerror}; start the run again to resume"
    )
