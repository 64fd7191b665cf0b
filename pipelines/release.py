"""Publish a run that its monitor holds back, or drop it, without scoring again.

    python -m pipelines.release scores/churn 1f2e3d4c5b6a7988 --reason "the campaign began, as planned"
    python -m pipelines.release scores/churn 1f2e3d4c5b6a7988 --reason "a broken export" --discard

Every file is verified before it is published. Who released the run, when and why is in its manifest.
Killed at any step, the same command ends what it began.
"""

import argparse
from collections.abc import Sequence

from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports


def main(argv: Sequence[str]) -> int:
    """Release or discard as the command line says, and return the exit status."""
    arguments = _parse(argv)
    # What verifies and publishes takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.verifying.release_run import release_run

    release_run(arguments)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.release",
        "Publish a run that its monitor holds back, or drop it, without scoring again.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument(
        "run", metavar="RUN_ID", help="the run; the line that held it back names it"
    )
    reason = "why, for the manifest, or for the log"
    parser.add_argument("--reason", type=_parse_reason, required=True, metavar="TEXT", help=reason)
    discard = "remove the run instead of publishing it"
    parser.add_argument("--discard", action="store_true", help=discard)
    by = "who, for the manifest; by default this account's name"
    parser.add_argument("--by", default="", metavar="WHO", help=by)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


def _parse_reason(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("must say something: it stands in the manifest for good")
    return text


if __name__ == "__main__":
    end_process(run_program(main))
