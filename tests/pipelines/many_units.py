"""Send as many units of work as a large night has through the shuffle of the local runner: `python -m tests.pipelines.many_units`.

It has an end to its memory: units that are cut in the middle are read as lengths of gigabytes.
"""

import resource

import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import worker_handlers
import psutil

from pipelines.runners.beam_private import flush_by_size_alone
from pipelines.runners.options import runner_options
from tests.support.builders import make_unit
from transforms.batches import WorkUnit

UNITS = 40_000
# Beyond what is mapped already: the process that this one is forked from has imported everything.
_MEMORY_BYTES = 6 << 30


def _units(_: int) -> list[WorkUnit]:
    return [
        make_unit(
            i, 20, f"/some/folder/part-{i:06d}.parquet", version="size=3000,mtime_ns=1795244,ino=1"
        )
        for i in range(UNITS)
    ]


def _total(numbers: list[int]) -> tuple[int, int]:
    return sum(numbers), len(numbers)


def _check(found: tuple[int, int]) -> None:
    assert found == (sum(range(UNITS)), UNITS), found
    print("arrived:", found[1])


def main() -> None:
    """Print how many arrived, once all have."""
    limit = psutil.Process().memory_info().vms + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = (
        1  # a slow machine, made slower: the timer meets the writer in every run
    )
    flush_by_size_alone()
    with beam.Pipeline(options=runner_options("DirectRunner", [])) as root:
        spread = (
            root
            | beam.Create([1])
            | beam.FlatMap(_units).with_output_types(WorkUnit)
            | beam.Reshuffle()
        )
        (
            spread
            | beam.Map(lambda unit: unit.index)
            | beam.combiners.ToList()
            | beam.Map(_total)
            | beam.Map(_check)
        )


if __name__ == "__main__":
    main()
