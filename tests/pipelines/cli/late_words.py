"""A program that is refused, and whose runner has more to say: as it failed, and as it is stopped in the end."""

import atexit
from collections.abc import Sequence
import sys

from configs.errors import JobError
from pipelines.cli.command_line import run_program, workers_kept_quiet
from pipelines.cli.shutdown import end_process


def main(words: Sequence[str]) -> int:
    """Fail."""
    atexit.register(print, "Traceback of a server that is gone", file=sys.stderr)
    try:
        with workers_kept_quiet():
            raise JobError("no")
    finally:
        # As a thread does that goes on.
        print("Traceback of a worker", file=sys.stderr)


if __name__ == "__main__":
    end_process(run_program(main))
