"""Every hold on what Python's library keeps to itself, and what breaks when that changes."""

import argparse
import atexit
from typing import Any


def list_flags(parser: argparse.ArgumentParser) -> list[str]:
    """Return the names of a parser's flags, `--name`, groups' included."""
    # argparse has no public list. Should the attribute go, unknown flags raise an AttributeError.
    flags = []
    for action in parser._actions:
        flags += [name for name in action.option_strings if name.startswith("--")]
    return flags


def list_values(
    parser: argparse.ArgumentParser,
    arguments: argparse.Namespace,
) -> list[tuple[str, Any, Any]]:
    """Return each flag, or what stands without one, with its value and its default."""
    values = []
    # Should the attribute go, every command line ends in an AttributeError.
    for action in parser._actions:
        flags = [name for name in action.option_strings if name.startswith("--")]
        name = flags[0] if flags else str(action.metavar or action.dest)
        value = getattr(arguments, action.dest, None)
        values.append((name, value, action.default))
    return values


def run_exit_functions() -> None:
    """Call what was registered with `atexit`, as the end of the process would."""
    # Nothing public does. Should it go, Beam's job servers outlive the program that started them.
    atexit._run_exitfuncs()
