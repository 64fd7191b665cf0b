"""Score where a package is not installed: `python -m tests.object_stores.without_extra PACKAGE URL OUTPUT`.

The URL stands for the input, then for the model and then for the output; the exit statuses are printed, one a line.
"""

import sys
from typing import Any

from pipelines import score
from pipelines.cli.command_line import run_program

WORDS = ("--config", "configs/breast_cancer.yaml", "--quiet")


def main(package: str, url: str, output: str) -> None:
    modules: dict[str, Any] = sys.modules
    modules[package] = None  # importing it fails from now on
    for flag in ("--input", "--model", "--output"):
        print(run_program(score.main, [*WORDS, "--output", output, flag, url]))


if __name__ == "__main__":
    main(*sys.argv[1:])
