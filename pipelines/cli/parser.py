"""The words of a command line: flags that are not dropped in silence, help that tells all exit statuses.

What a program does with them, and how it ends, is `command_line.py`.
"""

import argparse
from collections.abc import Sequence
from typing import Any, NoReturn, Protocol, TypeAlias

from configs.errors import JobError
from configs.suggest import nearest
from pipelines.cli.python_private import list_flags, list_values

EXIT_MEANINGS = {
    "0": "published, or published before",
    "1": "internal error",
    "2": "bad usage or bad job",
    "3": "input or model refused",
    "4": "error budget exceeded: nothing published",
    "5": "publishing failed, or lost to other content or a newer run; or a model's server does not answer",
    "6": "held back: a run by its monitor, or a promotion that is not better by the margin",
    "130, 143": "interrupted; the same command resumes",
}
EXIT_STATUSES = "exit status:\n"
for _status, _meaning in EXIT_MEANINGS.items():
    EXIT_STATUSES += f"  {_status:8}  {_meaning}\n"
Words: TypeAlias = Sequence[str]


class TakesFlags(Protocol):
    """A parser, or a group of one, whose own type argparse keeps to itself."""

    def add_argument(self, *names: str, **options: Any) -> Any:
        """Add one flag."""


class HelpShownError(SystemExit):
    """The end of a program that was only asked for its help."""


class Parser(argparse.ArgumentParser):
    """Whole flags only, defaults in the help, and errors that name the nearest flag."""

    def __init__(
        self,
        program: str,
        description: str,
        epilog: str = "",
    ) -> None:
        super().__init__(
            prog=f"python -m {program}",
            description=description,
            epilog=epilog,
            # A flag that is cut short today may stand for two of them tomorrow.
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        # By a class of its own: nobody else may end the program so, with a status of theirs.
        raise HelpShownError(status)

    def error(self, message: str) -> NoReturn:
        raise JobError(f"{message}; see {self.prog} --help")

    def parse_whole(self, argv: Words) -> argparse.Namespace:
        """Return what the flags say, of a command line that has no flags but ours.

        Raises:
            JobError: it has another.
        """
        # argparse's own way to refuse those names no nearest flag.
        arguments, unknown = self.parse_known_args(list(argv))
        self.refuse_unknown(unknown)
        self.refuse_empty(arguments)
        return arguments

    def refuse_empty(self, arguments: argparse.Namespace) -> None:
        """Refuse a value that is an empty text: what a script gives whose variable is not set.

        It would be taken for a flag that is not there, or for the current folder.

        Args:
            arguments: what the flags say.

        Raises:
            JobError: there is one, and it is not what the flag says without it.
        """
        for name, value, default in list_values(self, arguments):
            values = value if isinstance(value, list) else [value]
            if "" in values and default != "":
                self.refuse_value(name)

    def refuse_value(self, name: str) -> NoReturn:
        """Refuse the empty value of a flag.

        Args:
            name: the flag's.

        Raises:
            JobError: always.
        """
        raise JobError(
            f"{name}: its value is empty; give one, or leave the flag out (is a variable of a "
            f"script not set?); see {self.prog} --help"
        )

    def refuse_unknown(self, unknown: Words, more_flags: Words = ()) -> None:
        """Refuse the first word that is no flag of ours or of the runner.

        Args:
            unknown: words that nobody took.
            more_flags: the runner's flags, to recommend.

        Raises:
            JobError: there is one.
        """
        if not unknown:
            return
        word = unknown[0]
        if not word.startswith("-"):
            raise JobError(
                f"{word}: stands behind no flag that takes it; name it by its flag; "
                f"see {self.prog} --help"
            )
        flag = word.partition("=")[0]
        known = [*list_flags(self), *more_flags]
        hint = nearest(flag, known)
        raise JobError(f"unknown flag {flag}{hint}; see {self.prog} --help")


def parse_count(text: str) -> int:
    """Return a flag's whole number of 1 or more; for argparse, as a flag's type."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, got {text!r}")
    return int(text)
