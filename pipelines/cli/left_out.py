"""What is told of rows that a job's filter of its input left out."""

from collections.abc import Mapping

# As `transforms.batches` calls it, which imports Beam.
_LEFT_OUT = "left_out"


def left_out_rows(rows: Mapping[str, int]) -> str:
    """Return the end of a run's equation of rows; nothing of a job that reads all rows.

    Args:
        rows: of the run's manifest, by outcome.

    >>> left_out_rows({"in": 9, "left_out": 4}), left_out_rows({"in": 9})
    (' + 4 left out', '')
    """
    if _LEFT_OUT not in rows:
        return ""
    return f" + {rows[_LEFT_OUT]:,} left out"
