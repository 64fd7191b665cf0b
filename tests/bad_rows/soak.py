"""Many batches, of which one in twenty holds a row that fails: does anything grow? `python -m tests.bad_rows.soak --batches 10000`.

Prints one JSON object: memory growth per 1 000 batches (MB, a line fitted to the second half of the run), and file handles and threads at
a quarter and at the end of the run.
"""

import argparse
import json
import os
from pathlib import Path
import sys
import tempfile
import threading

import numpy as np
import pytest

from tests.bad_rows.networks import failing_on, installed
from tests.bad_rows.spoilt_job import make_job, write_shard
from tests.support.jobs import run_job

ROWS_PER_BATCH = 64
SHARDS = 20
SAMPLES_PER_SECOND = 20


class Sampler(threading.Thread):
    """Memory, handles and threads of this process, beside the number of batches scored so far."""

    def __init__(self, calls: list[int]) -> None:
        super().__init__(daemon=True)
        self.calls, self.ended = calls, threading.Event()
        self.samples: list[tuple[int, float, int, int]] = []

    def run(self) -> None:
        while not self.ended.wait(1 / SAMPLES_PER_SECOND):
            status = dict(
                line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
            )
            megabytes = int(status["VmRSS"].split()[0]) / 1024
            self.samples.append(
                (
                    len(self.calls),
                    megabytes,
                    len(os.listdir("/proc/self/fd")),
                    int(status["Threads"]),
                )
            )


def soak(folder: Path, batches: int) -> dict[str, float]:
    """Run the job and say what grew."""
    job = make_job(folder)
    rows = batches * ROWS_PER_BATCH
    bad = np.arange(batches)[::20] * ROWS_PER_BATCH + np.random.default_rng(7).integers(
        0, ROWS_PER_BATCH, len(range(0, batches, 20))
    )
    for number, numbers in enumerate(np.array_split(np.arange(rows), SHARDS)):
        write_shard(folder / f"shards/{number:02d}.parquet", numbers)
    with pytest.MonkeyPatch.context() as patch:
        calls = installed(patch, failing_on(*bad.tolist()))
        sampler = Sampler(calls)
        sampler.start()
        outcome = run_job(
            job,
            settings={
                "source.rows_per_batch": ROWS_PER_BATCH,
                "errors.max_rejected_rows": len(bad),
            },
        )
        sampler.ended.set()
        sampler.join()
    assert outcome.status == 0, outcome.error
    counts = outcome.manifest["rows"]
    assert (counts["in"], counts["rejected"]) == (rows, len(bad))
    return growth(sampler.samples, len(calls), batches)


def growth(
    samples: list[tuple[int, float, int, int]], calls: int, batches: int
) -> dict[str, float]:
    """What grew between samples of (calls, megabytes, handles, threads) that were taken while batches were scored."""
    scoring = [s for s in samples if 0 < s[0] < calls]
    late = np.array([s for s in scoring if s[0] > calls / 2])
    quarter = next(s for s in scoring if s[0] > calls / 4)
    slope = np.polyfit(late[:, 0] / calls * batches / 1000, late[:, 1], 1)[0]
    return {
        "batches": batches,
        "megabytes_per_1000_batches": round(float(slope), 3),
        "handles_quarter": quarter[2],
        "handles_end": scoring[-1][2],
        "threads_quarter": quarter[3],
        "threads_end": scoring[-1][3],
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=10_000)
    with tempfile.TemporaryDirectory() as name:
        print(json.dumps(soak(Path(name), parser.parse_args(sys.argv[1:]).batches), indent=1))
