"""Check a published run: `python -m pipelines.verify OUTPUT`.

Exit status 0 when all is as its manifest says, else 3.
"""

import argparse
from collections.abc import Sequence

from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports


def main(argv: Sequence[str]) -> int:
    """Verify as the command line says, and return the exit status."""
    arguments = _parse(argv)
    # What reads a run takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.verifying.verify_run import verify_run

    verify_run(arguments.output, arguments.run, arguments.inputs)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.verify",
        "Check that a published run is what its manifest says.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    inputs_too = "check too that no input file changed since (size, times and inode, or entity tag)"
    parser.add_argument("--inputs", action="store_true", help=inputs_too)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
