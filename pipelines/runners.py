"""What differs between runners: options, set here and nowhere else. A flag of the user's always wins.

profile    runner          where the workers are
local      DirectRunner    threads or processes of the launcher
prism      PrismRunner     the launcher's own process, driven by a Prism binary
portable   PortableRunner  wherever a job service puts them (--job_endpoint)
flink      FlinkRunner     without --flink_master: processes beside the launcher; with it: a cluster
dataflow   DataflowRunner  virtual machines of the service
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
import json
import os
from pathlib import Path
import shutil
import sys
from urllib.error import URLError
from urllib.request import urlopen

from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from configs.errors import JobError
from configs.load import nearest
from pipelines.import_path import keep_current_folder_from_workers
from pipelines.runner_flags import LISTED_FLAGS, given_names, name_of

# Workers import the installed packages; a pickled main session would carry the launcher's state along instead.
_EVERYWHERE = ("--no_save_main_session",)
# A job service drops its client after five minutes without a new message, which is one long unit.
_PATIENT = "--job_server_timeout=86400"
_QUIET_WORKERS = "--default_sdk_harness_log_level=CRITICAL"
# A job server in Java reads it too, and refuses a level that is Python's alone.
_ONLY_ERRORS = "--default_sdk_harness_log_level=ERROR"
_LOOPBACK = "--environment_type=LOOPBACK"
_HERE = ("[auto]", "[local]")
_OVERVIEW_SECONDS = 10


@dataclass(frozen=True)
class Profile:
    """The options that make one runner behave, each unless the user gave it."""

    name: str
    flags: tuple[str, ...]


def runner_named(name: str) -> str:
    """The runner that a `--runner` means, in Beam's own spelling; dotted names are classes and stand as they are.

    Raises:
        JobError: there is no such runner.
    """
    if "." in name:
        return name
    wanted = name.lower().removesuffix("runner")
    for runner in _PROFILES:
        if runner.lower().removesuffix("runner") == wanted:
            return runner
    raise JobError(f"--runner {name}: there is no such runner{nearest(name, list(_PROFILES))}")


def profile_of(runner: str, flags: Sequence[str]) -> Profile:
    """The profile of a runner, without what the user's flags say otherwise."""
    name, make = _PROFILES.get(runner, ("none", lambda _: ()))
    given = given_names(flags)
    kept = [
        f for f in (*make(flags), *_EVERYWHERE) if name_of(f) not in given or (name_of(f) in LISTED_FLAGS and not _denied(f, flags))
    ]
    return Profile(name, tuple(kept))


def runner_options(runner: str, flags: Sequence[str]) -> PipelineOptions:
    """Options of a runner: its profile, then the user's own flags."""
    return PipelineOptions([f"--runner={runner}", *profile_of(runner, flags).flags, *flags])


def workers_per_machine(options: PipelineOptions) -> int:
    """How many workers share one machine's cores."""
    runner = options.view_as(StandardOptions).runner
    if runner == "DirectRunner":
        return options.view_as(DirectOptions).direct_num_workers or os.cpu_count() or 1
    return max(1, int(options.view_as(PortableOptions).sdk_worker_parallelism or 1))


def use_tuned_workers(options: PipelineOptions, workers: int | None) -> None:
    """As many workers beside the launcher as pipelines.tune found fastest, unless the user gave a number."""
    direct = options.view_as(DirectOptions)
    if workers is not None and options.view_as(StandardOptions).runner == "DirectRunner" and not direct.direct_num_workers:
        direct.direct_num_workers = workers


def settle_process() -> None:
    """What runners need of the launcher's process and no option says.

    Beam starts loopback workers as `python -c ...`, and hangs when that one lacks the packages. And its local runner flushes the
    data between stages by a timer, from another thread than the one that writes: some 10 000 units of work are then cut in the
    middle of one, and read as garbage. Flushed by size alone, as on every cluster, they arrive whole. Workers beside the launcher are
    Python processes that would import from the folder that it stands in.
    """
    folder = str(Path(sys.executable).parent)
    path = os.environ.get("PATH", "")
    if path.split(os.pathsep)[0] != folder:
        os.environ["PATH"] = f"{folder}{os.pathsep}{path}"
    keep_current_folder_from_workers()
    worker_handlers.DATA_BUFFER_TIME_LIMIT_MS = 0


def _denied(flag: str, flags: Sequence[str]) -> bool:
    """Whether the user named the opposite of a profile's experiment: `x` for `no_x`."""
    value = flag.partition("=")[2]
    opposite = value.removeprefix("no_") if value.startswith("no_") else f"no_{value}"
    return any(opposite in f.partition("=")[2].split(",") for f in flags if name_of(f) == name_of(flag))


def _value(flags: Sequence[str], name: str) -> str | None:
    values = [f.partition("=")[2] for f in flags if name_of(f) == name]
    return values[-1] if values else None


def _local(flags: Sequence[str]) -> tuple[str, ...]:
    """The embedded runner, with a thread per core.

    Without a Prism location it would look for a binary on the network, with no time-out. Threads share one process and one model;
    torch and pyarrow leave the interpreter lock while they work.
    """
    workers = "1" if "--direct_running_mode=in_memory" in flags else "0"
    mode = ("--direct_running_mode=multi_threading", f"--direct_num_workers={workers}")
    return ("--prism_location=/nonexistent", *mode, _QUIET_WORKERS)


def _prism(flags: Sequence[str]) -> tuple[str, ...]:
    """Prism as found on PATH; Beam would download one in silence."""
    found = shutil.which("prism")
    location = (f"--prism_location={found}",) if found else ()
    return (*location, _LOOPBACK, "--prism_log_kind=text", _PATIENT, _QUIET_WORKERS)


def _portable(flags: Sequence[str]) -> tuple[str, ...]:
    """A job service: where its workers are is for the user to say."""
    return (_PATIENT, _ONLY_ERRORS)


def _flink(flags: Sequence[str]) -> tuple[str, ...]:
    """Whole units in a bundle, and Java 17 allowed to look into what Flink needs."""
    opened = [f"--job_server_jvm_properties=--add-opens=java.base/java.{p}=ALL-UNNAMED" for p in ("lang", "nio", "util", "time")]
    common = ("--flink_version=1.19", "--max_bundle_time_mills=86400000", _PATIENT, _ONLY_ERRORS, *opened)
    master = _value(flags, "--flink_master") or _HERE[0]
    if master in _HERE:
        cores = os.cpu_count() or 1
        workers = (f"--parallelism={cores}", f"--sdk_worker_parallelism={cores}")
        return (*common, *workers, _LOOPBACK, "--experiments=use_loopback_process_worker")
    return (*common, f"--parallelism={_slots(master)}") if _value(flags, "--parallelism") is None else common


@cache
def _slots(master: str) -> int:
    """Task slots of a Flink cluster, as its REST API tells; its own default is to use one of them."""
    address = master if "://" in master else f"http://{master}"
    try:
        with urlopen(f"{address.rstrip('/')}/overview", timeout=_OVERVIEW_SECONDS) as answer:  # noqa: S310 - the user's own cluster
            return max(1, int(json.load(answer)["slots-total"]))
    except (OSError, URLError, ValueError, KeyError) as error:
        raise JobError(
            f"--flink_master {master}: does not tell its number of task slots ({error}); start the cluster, correct the address, "
            "or give --parallelism"
        ) from error


def _dataflow(flags: Sequence[str]) -> tuple[str, ...]:
    """One process, and so one model, per machine, with threads inside."""
    return ("--experiments=no_use_multiple_sdk_containers",)


_PROFILES = {
    "DirectRunner": ("local", _local),
    "PrismRunner": ("prism", _prism),
    "PortableRunner": ("portable", _portable),
    "FlinkRunner": ("flink", _flink),
    "DataflowRunner": ("dataflow", _dataflow),
}


def is_cluster(options: PipelineOptions) -> bool:
    """Whether workers may run on other machines than the launcher's."""
    runner = options.view_as(StandardOptions).runner
    if runner == "FlinkRunner":
        master = options.view_as(FlinkRunnerOptions).flink_master
        return master not in _HERE and not is_this_machine(master)
    if runner == "PortableRunner":
        return not is_this_machine(options.view_as(PortableOptions).job_endpoint or "")
    return runner == "DataflowRunner"


def is_this_machine(address: str) -> bool:
    """Whether `host:port` is a port of this machine's loopback.

    >>> is_this_machine("http://localhost:8081"), is_this_machine("flink.example:8081")
    (True, False)
    """
    host = address.rpartition("://")[2].partition("/")[0]
    host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return host in ("localhost", "::1", "embed") or host.startswith("127.")


def starts_elsewhere(options: PipelineOptions) -> bool:
    """Whether running only describes the job, and a flex template's launcher starts it: it needs one even when nothing is left to do."""
    return bool(options.view_as(GoogleCloudOptions).template_location)
