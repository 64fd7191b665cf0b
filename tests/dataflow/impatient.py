"""`pipelines.score` whose client asks the service how its job is after a fifth of a second, where it would wait for five seconds.

`python -m tests.dataflow.impatient FLAG...`, forked as the program is. The stand-in for the service answers at once.
"""

import runpy
import time
from types import SimpleNamespace

from apache_beam.runners.dataflow import dataflow_runner

_TIMES_AS_FAST = 25


def _sleep(seconds: float) -> None:
    time.sleep(seconds / _TIMES_AS_FAST)


if __name__ == "__main__":
    # Beam has no setting for it.
    vars(dataflow_runner)["time"] = SimpleNamespace(time=time.time, sleep=_sleep)
    runpy.run_module("pipelines.score", run_name="__main__", alter_sys=True)
