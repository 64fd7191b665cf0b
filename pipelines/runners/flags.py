"""The flags of Beam's runners: which there are, and what a command line gave.

A word that nobody knows is not dropped in silence.
"""

import argparse
from collections.abc import Sequence
from functools import cache

from apache_beam.options.pipeline_options import PipelineOptions

from configs.errors import JobError
from pipelines.cli.python_private import list_flags
from pipelines.runners.beam_private import add_flags

# Flink's job server takes options of its own, which Beam's Python side hands on without knowing
# them.
_JOB_SERVER_FLAGS = (
    "--max_bundle_size",
    "--max_bundle_time_mills",
    "--object_reuse",
    "--operator_chaining",
    "--number_of_execution_retries",
    "--execution_retry_delay",
    "--execution_mode_for_batch",
    "--flink_conf_dir",
    "--disable_metrics",
)
# Values of these flags add up, so a profile's stand beside the user's.
LISTED_FLAGS = ("--experiments", "--job_server_jvm_properties", "--dataflow_service_options")
# Beam takes both of each; a profile's flag must yield to either.
_OTHER_SPELLINGS = {
    "--experiment": "--experiments",
    "--job_server_jvm_property": "--job_server_jvm_properties",
    "--dataflow_service_option": "--dataflow_service_options",
    "--job-server-timeout": "--job_server_timeout",
    "--machine_type": "--worker_machine_type",
    "--save_main_session": "--no_save_main_session",
}


def name_of(flag: str) -> str:
    """Return the name of `--name=value` or `--name`, in its usual spelling.

    >>> name_of("--experiment=a")
    '--experiments'
    """
    name = flag.partition("=")[0]
    return _OTHER_SPELLINGS.get(name, name)


def value_of(flag: str) -> str:
    """Return the value of `--name=value`; nothing of `--name`.

    >>> value_of("--experiment=a=b")
    'a=b'
    """
    return flag.partition("=")[2]


def join_values(words: Sequence[str]) -> list[str]:
    """Return every flag as one word: `--name value` becomes `--name=value`.

    >>> join_values(["--flink_master", "localhost:8081", "--no_auth", "--region=r"])
    ['--flink_master=localhost:8081', '--no_auth', '--region=r']
    """
    flags: list[str] = []
    for word in words:
        is_value = bool(flags) and not word.startswith("--")
        # Whether the flag takes a value is Beam's to know; one that takes none is refused there.
        if is_value and _may_take_value(flags[-1]):
            flags[-1] += f"={word}"
        else:
            flags.append(word)
    return flags


def _may_take_value(flag: str) -> bool:
    return flag.startswith("--") and "=" not in flag


def given_names(flags: Sequence[str]) -> set[str]:
    """Return the names of the flags on a command line."""
    return {name_of(flag) for flag in flags if flag.startswith("--")}


@cache
def known_flags() -> tuple[str, ...]:
    """Return every flag that Beam or a job server knows."""
    of_beam = list_flags(_beam_parser())
    known = {*of_beam, *_JOB_SERVER_FLAGS}
    return tuple(sorted(known))


def unknown_flags(flags: Sequence[str]) -> list[str]:
    """Return the words that Beam would drop with a warning.

    Raises:
        JobError: a flag of Beam's with a value that it does not take.
    """
    left = _beam_parser().parse_known_args(list(flags))[1]
    return [word for word in left if not _is_for_job_server(word)]


def _is_for_job_server(word: str) -> bool:
    return "=" in word and name_of(word) in _JOB_SERVER_FLAGS


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
