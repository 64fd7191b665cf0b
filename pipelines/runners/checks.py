"""What cannot work on a runner is refused here, before anything is submitted, with the fix."""

from collections.abc import Sequence
import json
import os

from apache_beam.options.pipeline_options import (
    DirectOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    WorkerOptions,
)

from configs.errors import JobError
from pipelines.cli.log_format import redacted
from pipelines.runners.options import is_cluster
from storage import files

_NOT_TAKEN = {
    "--template_location": (
        "a classic template would freeze today's input files into the graph; "
        "use the flex template (make dataflow-template)"
    ),
    "--streaming": "this is a batch pipeline; leave the flag out",
    "--save_main_session": "workers import the installed packages; leave the flag out",
    "--output_executable_path": (
        "a jar would freeze today's input files into the graph; submit the job itself"
    ),
}
# Set in the flex template's image. Its launcher runs this program anew for every job, takes the
# job's description from --template_location and starts it; so there, and only there, it freezes
# nothing.
_IN_LAUNCHER = "FLEX_TEMPLATE_PYTHON_PY_FILE"
_SECRETS = (
    "--s3_access_key_id",
    "--s3_secret_access_key",
    "--s3_session_token",
    "--azure_connection_string",
)
_CONFIG_EXAMPLES = {
    "EXTERNAL": "HOST:PORT",
    "PROCESS": '\'{"command": "/path/to/boot"}\'',
    "DOCKER": "IMAGE",
}


def refuse_flags(flags: Sequence[str]) -> None:
    """Refuse flags of Beam's that this pipeline cannot follow, or that would show a secret.

    Raises:
        JobError: the first such flag.
    """
    # As they are written: `--no_save_main_session` is taken, and its opposite is not.
    names = {flag.partition("=")[0] for flag in flags}
    is_launcher = _IN_LAUNCHER in os.environ
    for flag, reason in _NOT_TAKEN.items():
        is_allowed = is_launcher and flag == "--template_location"
        if flag in names and not is_allowed:
            raise JobError(f"{flag}: {reason}")
    secrets = [flag for flag in _SECRETS if flag in names]
    # Whatever a log would blot out must not get as far as the options that every worker shows.
    secrets += [flag for flag in flags if redacted(flag) != flag]
    if secrets:
        name, _, _ = secrets[0].partition("=")
        raise JobError(
            f"{name}: would be readable in the job's options; "
            "put credentials where the store's own library looks"
        )


def refuse_wrong_options(options: PipelineOptions) -> None:
    """Refuse options that would fail, or hang, only after the submission.

    Raises:
        JobError: the first problem.
    """
    standard = options.view_as(StandardOptions)
    runner = standard.runner
    if runner == "DirectRunner":
        _check_direct(options)
    if runner == "DataflowRunner":
        _check_dataflow(options)
    if runner == "PrismRunner":
        _check_prism(options)
    if runner == "PortableRunner":
        _check_job_service(options)
    if runner in ("PortableRunner", "FlinkRunner"):
        _check_environment(options)
    # Dataflow's workers publish by themselves; elsewhere the job dies with this process.
    if standard.no_wait_until_finish and runner != "DataflowRunner":
        raise JobError(
            f"--no_wait_until_finish: {runner} needs this process until the run is published; "
            "leave the flag out"
        )


def _is_local(url: str) -> bool:
    try:
        return files.is_local(url)
    except (ImportError, ValueError):
        # Planning says which extra or which kind of storage is missing.
        return False


def refuse_unreachable(
    options: PipelineOptions,
    urls: Sequence[str],
    shared_filesystem: bool,
) -> None:
    """Refuse paths that this runner's workers cannot see.

    Args:
        options: the runner's.
        urls: input, model package and output.
        shared_filesystem: the word of the user that every machine mounts the local paths.

    Raises:
        JobError: `memory://` with workers in other processes; a path of this machine with workers
            on others.
    """
    runner = options.view_as(StandardOptions).runner
    # Once: Beam parses all of its options anew for each that is asked for.
    is_elsewhere = is_cluster(options)
    for url in urls:
        if url.startswith("memory://") and not _works_in_this_process(options):
            raise JobError(
                f"{url}: lives in one process only; "
                "use --direct_running_mode=in_memory or multi_threading, or another path"
            )
        if is_elsewhere and _is_local(url) and not shared_filesystem:
            mounted = "; if every worker mounts this folder, say --shared_filesystem"
            raise JobError(
                f"{url}: is a path of this machine, which {runner}'s workers cannot see; "
                f"use gs:// or s3://{'' if runner == 'DataflowRunner' else mounted}"
            )
    if shared_filesystem and runner == "DataflowRunner":
        raise JobError(
            "--shared_filesystem: Dataflow's machines mount no folder of yours; use gs:// paths"
        )


def _works_in_this_process(options: PipelineOptions) -> bool:
    is_direct = options.view_as(StandardOptions).runner == "DirectRunner"
    mode = options.view_as(DirectOptions).direct_running_mode
    return is_direct and mode != "multi_processing"


def _check_direct(options: PipelineOptions) -> None:
    workers = options.view_as(DirectOptions).direct_num_workers
    if workers < 0:
        raise JobError(
            f"--direct_num_workers: must be >= 0, got {workers}; 0 is one worker per core"
        )


def _check_prism(options: PipelineOptions) -> None:
    every_option = options.get_all_options()
    if every_option["prism_location"] is None:
        raise JobError(
            "--runner PrismRunner: no prism binary on PATH; give --prism_location, "
            "or install one with `go install github.com/apache/beam/sdks/v2/go/cmd/prism@v2.77.0`"
        )


def _check_job_service(options: PipelineOptions) -> None:
    portable = options.view_as(PortableOptions)
    if not portable.job_endpoint:
        raise JobError(
            "--runner PortableRunner: give --job_endpoint=HOST:PORT, where the job service listens"
        )


def _check_dataflow(options: PipelineOptions) -> None:
    cloud = options.view_as(GoogleCloudOptions)
    needed = {
        "--project": cloud.project,
        "--region": cloud.region,
        "--temp_location=gs://BUCKET/temp": cloud.temp_location,
    }
    for flag, value in needed.items():
        if not value:
            raise JobError(f"--runner DataflowRunner: give {flag}")
    setup = options.view_as(SetupOptions)
    image = options.view_as(WorkerOptions).sdk_container_image
    if not (image or setup.setup_file or setup.extra_packages):
        raise JobError(
            "--runner DataflowRunner: its workers would not have this package; "
            "give --sdk_container_image (make dataflow-template shows how to build one) "
            "or --setup_file=./setup.py"
        )


def _check_environment(options: PipelineOptions) -> None:
    """Refuse a place of workers that is not told, or half told: that one hangs.

    A portable runner starts Docker containers unless told otherwise.
    """
    portable = options.view_as(PortableOptions)
    kind = portable.environment_type
    config = portable.environment_config
    if not kind:
        raise JobError(
            "--environment_type: say where Python workers are: "
            "EXTERNAL with --environment_config=HOST:PORT of a worker pool, "
            "PROCESS, or DOCKER with an image that holds this package"
        )
    if kind == "LOOPBACK":
        _check_loopback(options)
        return
    if not config and not portable.environment_options:
        example = _CONFIG_EXAMPLES.get(kind, "...")
        raise JobError(f"--environment_type {kind}: needs --environment_config={example}")
    if kind == "PROCESS" and config:
        _check_process(config)


def _check_loopback(options: PipelineOptions) -> None:
    if is_cluster(options):
        raise JobError(
            "--environment_type LOOPBACK: workers beside the launcher "
            "serve a runner on this machine only; use EXTERNAL"
        )


def _check_process(config: str) -> None:
    # The job server tells nobody what is wrong with it.
    try:
        json.loads(config)["command"]
    except (ValueError, KeyError, TypeError) as error:
        raise JobError(
            '--environment_config: for PROCESS it must be JSON with a "command"'
        ) from error
