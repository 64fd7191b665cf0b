"""How many workers of one machine are compared: one per core, one for all, or between.

4 cores: 4 workers x 1 thread, 2 x 2, 1 x 4
"""

from model_zoo.engines.machine import cores
from pipelines.tuning.sample import Sample

# Beside one per core: a half, a quarter, and one for all.
_SHARES = (2, 4)


def list_numbers(sample: Sample, batch_rows: int) -> list[int]:
    """Return the numbers of workers to compare, one per core first.

    Of a sample that is too small to tell them apart that is the only one.

    Args:
        sample: the rows.
        batch_rows: of a mini-batch.
    """
    most = cores()
    needed_rows = 2 * most * batch_rows
    if most == 1 or sample.rows < needed_rows:
        return [most]

    numbers = [most]
    for share in _SHARES:
        workers = most // share
        if workers > 1:
            numbers.append(workers)
    numbers.append(1)
    return numbers
