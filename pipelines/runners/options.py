"""Beam's options of a runner: what is made of a profile and the user's flags, and what they say of the run.

Apart from the profiles, as Beam takes a second to import, and a run that is published needs none of it.
"""

from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)

from pipelines.runners.flag_words import given_names
from pipelines.runners.profiles import HERE, Flags, count_cores, profile_of

_LOOPBACK_HOSTS = ("localhost", "::1", "embed")


def runner_options(runner: str, flags: Flags) -> PipelineOptions:
    """Return the options of a runner: its profile, then the user's own flags.

    Args:
        runner: in Beam's spelling.
        flags: of the user's, each one word.
    """
    profile = profile_of(runner, flags)
    # The user's last: of a flag that is given twice argparse takes the last value.
    words = [f"--runner={runner}", *profile.flags, *flags]
    return PipelineOptions(words)


def workers_per_machine(options: PipelineOptions) -> int:
    """Return how many workers share one machine's cores."""
    if _is_direct(options):
        workers = options.view_as(DirectOptions).direct_num_workers
        # 0 is one per core.
        return workers or count_cores()
    parallelism = options.view_as(PortableOptions).sdk_worker_parallelism
    return max(1, int(parallelism or 1))


def processes_per_machine(options: PipelineOptions) -> int:
    """Return how many processes one machine's workers are in, each of which loads a model."""
    mode = options.view_as(DirectOptions).direct_running_mode
    if _is_direct(options) and mode != "multi_processing":
        return 1
    return workers_per_machine(options)


def use_tuned_workers(
    options: PipelineOptions,
    flags: Flags,
    workers: int | None,
) -> None:
    """Take as many workers beside the launcher as pipelines.tune found fastest.

    Args:
        options: changed, unless the user gave a number.
        flags: of the user's, each one word.
        workers: None where nobody measured.
    """
    if workers is None or not _is_direct(options):
        return
    direct = options.view_as(DirectOptions)
    is_given = "--direct_num_workers" in given_names(flags)
    # The profile says 0, one per core, unless the runner works in memory, where there is but one.
    if not is_given and not direct.direct_num_workers:
        direct.direct_num_workers = workers


def is_cluster(options: PipelineOptions) -> bool:
    """Tell whether workers may run on other machines than the launcher's."""
    runner = options.view_as(StandardOptions).runner
    if runner == "DataflowRunner":
        return True
    if runner == "FlinkRunner":
        master = options.view_as(FlinkRunnerOptions).flink_master
        return master not in HERE and not is_this_machine(master)
    if runner != "PortableRunner":
        return False
    endpoint = options.view_as(PortableOptions).job_endpoint
    return not is_this_machine(endpoint or "")


def is_this_machine(address: str) -> bool:
    """Tell whether `host:port` is a port of this machine's loopback.

    >>> is_this_machine("http://localhost:8081"), is_this_machine("flink.example:8081")
    (True, False)
    """
    after_scheme = address.rpartition("://")[2]
    host = after_scheme.partition("/")[0]
    # IPv6 has colons of its own, and brackets around them.
    end = ":"
    if host.startswith("["):
        end = "]"
    host = host.partition(end)[0].removeprefix("[")
    return host in _LOOPBACK_HOSTS or host.startswith("127.")


def starts_elsewhere(options: PipelineOptions) -> bool:
    """Tell whether running only describes the job, and a flex template's launcher starts it.

    That launcher needs a job even when nothing is left to do.
    """
    return bool(options.view_as(GoogleCloudOptions).template_location)


def _is_direct(options: PipelineOptions) -> bool:
    return bool(options.view_as(StandardOptions).runner == "DirectRunner")
