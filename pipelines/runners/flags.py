"""The flags of Beam's runners: which there are.

A word that nobody knows is not dropped in silence.
"""

import argparse
from collections.abc import Sequence
from functools import cache

from apache_beam.options.pipeline_options import PipelineOptions

from configs.errors import JobError
from pipelines.cli.python_private import list_flags
from pipelines.runners.beam_private import add_flags
from pipelines.runners.flag_words import JOB_SERVER_FLAGS, name_of


@cache
def known_flags() -> tuple[str, ...]:
    """Return every flag that Beam or a job server knows."""
    of_beam = list_flags(_beam_parser())
    known = {*of_beam, *JOB_SERVER_FLAGS}
    return tuple(sorted(known))


def unknown_flags(flags: Sequence[str]) -> list[str]:
    """Return the words that Beam would drop with a warning.

    Raises:
        JobError: a flag of Beam's with a value that it does not take.
    """
    left = _beam_parser().parse_known_args(list(flags))[1]
    return [word for word in left if not _is_for_job_server(word)]


def _is_for_job_server(word: str) -> bool:
    return "=" in word and name_of(word) in JOB_SERVER_FLAGS


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise JobError(f"runner option: {message}")


@cache
def _beam_parser() -> argparse.ArgumentParser:
    # Several of Beam's classes define the same flag.
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    pending: list[type[PipelineOptions]] = [PipelineOptions]
    while pending:
        options = pending.pop()
        pending += options.__subclasses__()
        add_flags(options, parser)
    return parser
