"""What differs between runners: options, set here and nowhere else. A user's flag always wins.

profile    runner          where the workers are
local      DirectRunner    threads or processes of the launcher
prism      PrismRunner     the launcher's own process, driven by a Prism binary
portable   PortableRunner  wherever a job service puts them (--job_endpoint)
flink      FlinkRunner     without --flink_master: processes beside the launcher; with it: a cluster
dataflow   DataflowRunner  virtual machines of the service
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
import os
from pathlib import Path
import shutil
import sys
from typing import NamedTuple, TypeAlias

from configs.errors import JobError
from configs.suggest import nearest
from pipelines.cli.import_path import keep_current_folder_from_workers
from pipelines.runners.flag_words import LISTED_FLAGS, given_names, name_of, value_of
from pipelines.runners.flink_slots import count_slots

# Workers import the installed packages; a pickled main session would carry the launcher's state
# along.
_EVERYWHERE = ("--no_save_main_session",)
# A job service drops its client after five minutes without a new message, which is one long unit.
_PATIENT = "--job_server_timeout=86400"
_QUIET_WORKERS = "--default_sdk_harness_log_level=CRITICAL"
# A job server in Java reads it too, and refuses a level that is Python's alone.
_ONLY_ERRORS = "--default_sdk_harness_log_level=ERROR"
_LOOPBACK = "--environment_type=LOOPBACK"
# Flink inside the job server.
HERE = ("[auto]", "[local]")
# Of what the profiles set, what a user chooses by the size of the work and of the machine.
_OF_THE_USER = (
    "--direct_running_mode",
    "--direct_num_workers",
    "--environment_type",
    "--flink_master",
    "--job_endpoint",
    "--parallelism",
    "--sdk_worker_parallelism",
)
# Each one word: `--name` or `--name=value`.
Flags: TypeAlias = Sequence[str]


@dataclass(frozen=True)
class Profile:
    """The options that make one runner behave, each unless the user gave it."""

    name: str
    flags: tuple[str, ...]


def runner_named(name: str) -> str:
    """Return the runner that a `--runner` means, in Beam's own spelling.

    Raises:
        JobError: there is no such runner.
    """
    # A dotted name is a class, and stands as it is.
    if "." in name:
        return name
    wanted = name.lower().removesuffix("runner")
    for runner in _PROFILES:
        if runner.lower().removesuffix("runner") == wanted:
            return runner
    hint = nearest(name, list(_PROFILES))
    raise JobError(f"--runner {name}: there is no such runner{hint}")


def profile_of(runner: str, flags: Flags) -> Profile:
    """Return the profile of a runner, without what the user's flags say otherwise.

    Args:
        runner: in Beam's spelling.
        flags: of the user's, each one word.
    """
    template = _PROFILES.get(runner, _NONE)
    given = given_names(flags)
    kept = []
    for flag in (*template.make(flags), *_EVERYWHERE):
        name = name_of(flag)
        adds_up = name in LISTED_FLAGS and not _is_denied(flag, flags)
        if adds_up or name not in given:
            kept.append(flag)
    return Profile(template.name, tuple(kept))


def users_own(flags: Flags) -> list[str]:
    """Return the flags of a profile that a user may want otherwise: where and how many workers.

    The others keep a runner from what would do harm.
    """
    return [flag for flag in flags if name_of(flag) in _OF_THE_USER]


def prepare_process() -> None:
    """Give runners what they need of the launcher's process and no option says."""
    python = Path(sys.executable)
    folder = str(python.parent)
    path = os.environ.get("PATH", "")
    # Beam starts loopback workers as `python -c ...`, and hangs when that one lacks the packages.
    first_folder, _, _ = path.partition(os.pathsep)
    if first_folder != folder:
        os.environ["PATH"] = f"{folder}{os.pathsep}{path}"
    # They would import from the folder that they stand in, too.
    keep_current_folder_from_workers()


def count_cores() -> int:
    """Return the cores of this machine."""
    return os.cpu_count() or 1


def _is_denied(flag: str, flags: Flags) -> bool:
    """Tell whether the user named the opposite of a profile's experiment: `x` for `no_x`."""
    name = name_of(flag)
    value = value_of(flag)
    opposite = f"no_{value}"
    if value.startswith("no_"):
        opposite = value.removeprefix("no_")
    for given in flags:
        if name_of(given) != name:
            continue
        # One flag may name several experiments.
        if opposite in value_of(given).split(","):
            return True
    return False


def _find_value(flags: Flags, name: str) -> str | None:
    """Return the last value of a flag, as argparse takes it; None where it was not given."""
    value = None
    for flag in flags:
        if name_of(flag) == name:
            value = value_of(flag)
    return value


def _make_nothing(flags: Flags) -> tuple[str, ...]:
    """Add nothing for a runner that nobody here knows."""
    return ()


def _make_local(flags: Flags) -> tuple[str, ...]:
    """Return flags for the DirectRunner, with a thread per core.

    Threads share one process and one model; torch and pyarrow leave the interpreter lock while they
    work.
    """
    workers = "0"
    if "--direct_running_mode=in_memory" in flags:
        workers = "1"
    mode = ("--direct_running_mode=multi_threading", f"--direct_num_workers={workers}")
    # The DirectRunner would rather run Prism, and look for its binary on the network, with no time-out.
    return ("--prism_location=/nonexistent", *mode, _QUIET_WORKERS)


def _make_prism(flags: Flags) -> tuple[str, ...]:
    """Return flags for Prism as found on PATH; Beam would download one in silence."""
    common = (_LOOPBACK, "--prism_log_kind=text", _PATIENT, _QUIET_WORKERS)
    found = shutil.which("prism")
    if found is None:
        return common
    return (f"--prism_location={found}", *common)


def _make_portable(flags: Flags) -> tuple[str, ...]:
    """Return flags for a job service: where its workers are is for the user to say."""
    return (_PATIENT, _ONLY_ERRORS)


def _make_flink(flags: Flags) -> tuple[str, ...]:
    # Whole units in a bundle.
    bundles = ("--flink_version=1.19", "--max_bundle_time_mills=86400000")
    # Java 17 must be allowed to look into what Flink needs.
    opened = []
    for package in ("lang", "nio", "util", "time"):
        jvm_property = f"--add-opens=java.base/java.{package}=ALL-UNNAMED"
        opened.append(f"--job_server_jvm_properties={jvm_property}")
    common = (*bundles, _PATIENT, _ONLY_ERRORS, *opened)
    master = _find_value(flags, "--flink_master") or HERE[0]
    if master in HERE:
        cores = count_cores()
        workers = (f"--parallelism={cores}", f"--sdk_worker_parallelism={cores}")
        return (*common, *workers, _LOOPBACK, "--experiments=use_loopback_process_worker")
    if _find_value(flags, "--parallelism") is not None:
        return common
    # Flink's own default is to use one of its slots.
    return (*common, f"--parallelism={count_slots(master)}")


def _make_dataflow(flags: Flags) -> tuple[str, ...]:
    """Return flags for one process, and so one model, per machine, with threads inside."""
    return ("--experiments=no_use_multiple_sdk_containers",)


class _Template(NamedTuple):
    """A profile's name, and what makes its flags of the user's."""

    name: str
    make: Callable[[Flags], tuple[str, ...]]


_PROFILES = {
    "DirectRunner": _Template("local", _make_local),
    "PrismRunner": _Template("prism", _make_prism),
    "PortableRunner": _Template("portable", _make_portable),
    "FlinkRunner": _Template("flink", _make_flink),
    "DataflowRunner": _Template("dataflow", _make_dataflow),
}
_NONE = _Template("none", _make_nothing)
