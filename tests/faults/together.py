"""Be one of several launchers that begin at one moment: `python -m tests.faults.together FOLDER LAUNCHERS FLAG...`.

It is `pipelines.score` that, having found nothing published and before it writes its plan, waits until so many launchers stand there: each
leaves its mark in the folder.
"""

import os
from pathlib import Path
import sys
import time
from typing import Any

from pipelines import score
from pipelines.cli.command_line import run_program, stop_on_terminate
from pipelines.cli.shutdown import end_process
from pipelines.scoring import launch as launching

_TOGETHER_SECONDS = 200


def main(folder: str, launchers: str, *flags: str) -> None:
    """Score together with the others."""
    launch = launching.launch

    def launch_together(*arguments: Any) -> int:
        Path(folder, str(os.getpid())).touch()
        deadline = time.monotonic() + _TOGETHER_SECONDS
        while len(os.listdir(folder)) < int(launchers):
            assert time.monotonic() < deadline, "the other launchers do not come"
            time.sleep(0.001)
        return launch(*arguments)

    launching.launch = launch_together
    stop_on_terminate()
    end_process(run_program(score.main, flags))


if __name__ == "__main__":
    main(*sys.argv[1:])
