"""Give a name to a version of a model, take it back, and tell where names point.

    python -m pipelines.promote models/churn/2 --as champion --why "better in May"
    python -m pipelines.promote models/churn --as champion --roll_back
    python -m pipelines.promote models/churn

A job that says `--model models/churn@champion` finds at its launch what the name points to.
`--metric`, `--margin` and `--evaluation` make a promotion depend on figures.
"""

import argparse
from collections.abc import Sequence
import math

from pipelines.cli.command_line import run_program
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports
from pipelines.versions.words import is_name

# Flags that make a promotion depend on figures, and all that say something of a move.
_OF_FIGURES = ("metric", "margin", "evaluation", "standing_evaluation")
_OF_MOVES = ("roll_back", "why", "by", *_OF_FIGURES)


def main(argv: Sequence[str]) -> int:
    """Move a name as the command line says, or tell of all, and return the exit status."""
    arguments = _parse(argv)
    # What reads packages takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.versions.moving import move_name

    move_name(arguments)
    return 0


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.promote",
        "Point a name (champion, candidate) to a version of a model, or back to the one before; "
        "without --as, tell the versions, the names, and who moved them when and why.",
        EXIT_STATUSES,
    )
    model = "a version's folder, models/churn/2, or the one above it (to list, and to roll back)"
    parser.add_argument("model", metavar="FOLDER", help=model)
    name = "the name; jobs say models/churn@NAME"
    parser.add_argument("--as", dest="name", type=_parse_name, metavar="NAME", help=name)
    back = "point the name to the version that was promoted before"
    parser.add_argument("--roll_back", action="store_true", help=back)
    why = "the reason, for the log"
    parser.add_argument("--why", default="", metavar="TEXT", help=why)
    metric = "promote only if this figure is better than the standing version's"
    parser.add_argument("--metric", metavar="NAME", help=metric)
    margin = "by how much; with 0 it may be equal"
    parser.add_argument("--margin", type=_parse_margin, metavar="NUMBER", help=margin)
    evaluation = "what pipelines.evaluate --json printed of this version"
    parser.add_argument("--evaluation", metavar="FILE", help=evaluation)
    standing = "the same of the version that stands"
    parser.add_argument("--standing_evaluation", metavar="FILE", help=standing)
    by = "who, for the log; by default this account's name"
    parser.add_argument("--by", default="", metavar="WHO", help=by)
    parser.add_argument("--debug", action="store_true", help="show tracebacks")
    arguments = parser.parse_whole(argv)
    _refuse_idle(arguments, parser)
    return arguments


def _refuse_idle(arguments: argparse.Namespace, parser: Parser) -> None:
    """Refuse a flag that says nothing beside the others: who gave it would take figures to have been asked for.

    Raises:
        JobError: there is one.
    """
    given = [name for name in _OF_MOVES if getattr(arguments, name) != parser.get_default(name)]
    if given and arguments.name is None:
        parser.error(f"--{given[0]} needs --as NAME")
    of_figures = [name for name in _OF_FIGURES if name in given]
    if not of_figures:
        return
    if arguments.roll_back:
        parser.error(f"--{of_figures[0]}: --roll_back asks for no figures; leave one of them out")
    if arguments.metric is None:
        parser.error(f"--{of_figures[0]} needs --metric NAME")


def _parse_name(text: str) -> str:
    if not is_name(text):
        raise argparse.ArgumentTypeError(f"must be of letters, digits, - and _, got {text!r}")
    return text


def _parse_margin(text: str) -> float:
    refusal = argparse.ArgumentTypeError(f"must be a number of 0 or more, got {text!r}")
    try:
        margin = float(text)
    except ValueError as error:
        raise refusal from error
    if not 0 <= margin < math.inf:
        raise refusal
    return margin


if __name__ == "__main__":
    end_process(run_program(main))
