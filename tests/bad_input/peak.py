"""Run `pipelines.score`, then print the megabytes that this process took at most: `python -m tests.bad_input.peak --config ...`."""

import resource
import sys

from pipelines import score
from pipelines.cli.command_line import run_program

if __name__ == "__main__":
    status = run_program(score.main)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
    sys.exit(status)
