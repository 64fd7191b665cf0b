"""Print the folder of a run's scored rows, for scripts: `scored=$(python -m pipelines.path OUTPUT)`.

That folder never changes, so whoever reads by it sees one run, whatever is published meanwhile. A
pattern through the link `current` is another matter: it is followed file by file, and the link may
move in between.
"""

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from configs.errors import VerifyError
from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.readable import told_as_unreadable
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import write_result
from storage.layout import find_rejected, find_scored, read_manifest
from storage.run_folder import RunFolder


def main(argv: Sequence[str]) -> int:
    """Print as the command line says, and return the exit status."""
    arguments = _parse(argv)
    with told_as_unreadable(arguments.output):
        # Not the id alone: what is printed is there.
        run, manifest = read_manifest(arguments.output, arguments.run)
    folder = find_scored(run, manifest)
    if arguments.rejected:
        folder = _find_rejected(run, manifest)
    write_result(folder, "the path")
    return 0


def _find_rejected(run: RunFolder, manifest: Mapping[str, Any]) -> str:
    folder = find_rejected(run, manifest)
    if folder is None:
        raise VerifyError(
            f"{run.published}: no row was rejected in this run, so it has no such folder; "
            "without --rejected, the folder of the scored rows is printed"
        )
    return folder


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.path",
        "Print the folder, or URL, of a published run's scored rows.",
        EXIT_STATUSES,
    )
    parser.add_argument("output", metavar="OUTPUT", help="output folder of pipelines.score")
    parser.add_argument("--run", metavar="RUN_ID", help="another run than the current one")
    rejected = "print the folder of its rejected rows instead"
    parser.add_argument("--rejected", action="store_true", help=rejected)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    return parser.parse_whole(argv)


if __name__ == "__main__":
    end_process(run_program(main))
