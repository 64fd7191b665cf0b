"""As many units of work as a large night has arrive whole behind the shuffle of the local runner."""

import subprocess
import sys

from tests.conftest import REPOSITORY

_UNITS = 40_000
# A process of its own, with an end to its memory: units that are cut in the middle are read as lengths of gigabytes.
_PROGRAM = f"""
import resource
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
import apache_beam as beam
from apache_beam.runners.portability.fn_api_runner import worker_handlers
from pipelines.runners import runner_options, settle_process
from tests.builders import make_unit
from transforms.batches import WorkUnit

def units(_):
    return [make_unit(i, 20, f"/some/folder/part-{{i:06d}}.parquet", version="size=3000,mtime_ns=1795244,ino=1") for i in range({_UNITS})]

def total(numbers):
    return sum(numbers), len(numbers)

def check(found):
    assert found == (sum(range({_UNITS})), {_UNITS}), found
    print("arrived:", found[1])

worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 1  # a slow machine, made slower: the timer meets the writer in every run
settle_process()
with beam.Pipeline(options=runner_options("DirectRunner", [])) as root:
    spread = root | beam.Create([1]) | beam.FlatMap(units).with_output_types(WorkUnit) | beam.Reshuffle()
    spread | beam.Map(lambda unit: unit.index) | beam.combiners.ToList() | beam.Map(total) | beam.Map(check)
"""


def test_units_by_the_ten_thousand_arrive_whole() -> None:
    run = subprocess.run([sys.executable, "-c", _PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, timeout=500, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    assert f"arrived: {_UNITS}" in run.stdout
