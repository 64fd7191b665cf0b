"""What differs between runners: options, set here and nowhere else. A flag of the user's always wins."""

import argparse
from collections.abc import Sequence
from functools import cache
import os

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, PortableOptions, StandardOptions

from configs.errors import JobError

# The DirectRunner looks for a Prism binary on the network, without a time-out; a place where there is none keeps it to the
# embedded runner. Several threads share one process and one model; torch and pyarrow leave the interpreter lock while they work.
_LOCAL = {
    "--prism_location": "/nonexistent",
    "--direct_running_mode": "multi_threading",
    "--direct_num_workers": "0",
    "--default_sdk_harness_log_level": "CRITICAL",
}
_PROFILES = {"DirectRunner": _LOCAL}
# Workers import the installed packages; a pickled main session would carry the launcher's state along instead.
_EVERYWHERE = ("--no_save_main_session",)


def runner_options(runner: str, flags: Sequence[str]) -> PipelineOptions:
    """Options of a runner: its profile, then the user's own flags."""
    given = {flag.partition("=")[0] for flag in flags}
    defaults = _PROFILES.get(runner, {})
    if "--direct_running_mode=in_memory" in flags:
        defaults = {**defaults, "--direct_num_workers": "1"}
    profile = [f"{flag}={value}" for flag, value in defaults.items() if flag not in given]
    return PipelineOptions([f"--runner={runner}", *profile, *_EVERYWHERE, *flags])


def workers_per_machine(options: PipelineOptions) -> int:
    """How many workers share one machine's cores."""
    if options.view_as(StandardOptions).runner != "DirectRunner":
        return max(1, options.view_as(PortableOptions).sdk_worker_parallelism or 1)
    return options.view_as(DirectOptions).direct_num_workers or os.cpu_count() or 1


def refuse_unreachable(options: PipelineOptions, urls: Sequence[str]) -> None:
    """Refuse paths that this runner's workers cannot see.

    Raises:
        JobError: `memory://` with workers in other processes.
    """
    in_process = (
        options.view_as(StandardOptions).runner == "DirectRunner"
        and options.view_as(DirectOptions).direct_running_mode != "multi_processing"
    )
    if in_process:
        return
    for url in urls:
        if url.startswith("memory://"):
            raise JobError(
                f"{url}: lives in one process only; use --direct_running_mode=in_memory or multi_threading, or another path"
            )


@cache
def known_flags() -> tuple[str, ...]:
    """Every flag that Beam itself knows."""
    return tuple(sorted(s for a in _beam_parser()._actions for s in a.option_strings if s.startswith("--")))


def unknown_flags(flags: Sequence[str]) -> list[str]:
    """Words that Beam would drop with a warning.

    Raises:
        JobError: a flag of Beam's with a value that it does not take.
    """
    return _beam_parser().parse_known_args(list(flags))[1]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise JobError(f"runner option: {message}")


@cache
def _beam_parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False, conflict_handler="resolve")
    pending: list[type[PipelineOptions]] = [PipelineOptions]
    while pending:
        options = pending.pop()
        pending += options.__subclasses__()
        if "_add_argparse_args" in vars(options):
            options._add_argparse_args(parser)
    return parser
