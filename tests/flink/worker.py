"""A worker of a pool, as Beam's pool starts it: `python -m tests.flink.worker CONTROL_ADDRESS WORKER_ID`."""

import sys

from apache_beam.runners.worker.sdk_worker import SdkHarness

if __name__ == "__main__":
    SdkHarness(
        sys.argv[1], worker_id=sys.argv[2], state_cache_size=0, data_buffer_time_limit_ms=0
    ).run()
