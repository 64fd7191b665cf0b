"""What cannot work on a runner, or would show a secret, at the edges of each rule."""

import pytest

from configs.errors import JobError
from pipelines.runners.checks import refuse_flags, refuse_unreachable, refuse_wrong_options
from pipelines.runners.options import runner_options

DATAFLOW = ["--project=p", "--region=r", "--temp_location=gs://b/t"]
FLINK = ["--flink_master=flink.example:8081", "--parallelism=2"]
IN_LAUNCHER = "FLEX_TEMPLATE_PYTHON_PY_FILE"


@pytest.fixture(autouse=True)
def _not_in_a_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    # Else the library of gs:// looks for a cloud's credentials for many seconds.
    monkeypatch.setenv("NO_GCE_CHECK", "true")


def test_a_template_s_launcher_alone_gives_a_place_for_the_job_s_description(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    template = "--template_location=gs://b/t"
    with pytest.raises(JobError, match="would freeze today's input files"):
        refuse_flags([template])
    monkeypatch.setenv(IN_LAUNCHER, "/template/main.py")
    refuse_flags([template])
    refuse_flags(["--no_save_main_session"])
    with pytest.raises(JobError, match="--streaming: this is a batch pipeline"):
        refuse_flags([template, "--streaming"])


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--s3_session_token", "--s3_access_key_id=a"], "--s3_access_key_id"),
        (["--region=r", "--azure_connection_string=a"], "--azure_connection_string"),
        (["--region=r", "--job_endpoint=https://user:secret@host"], "--job_endpoint"),
    ],
)
def test_the_first_flag_with_a_secret_is_named(flags: list[str], name: str) -> None:
    with pytest.raises(JobError, match=f"^{name}: would be readable in the job's options"):
        refuse_flags(flags)


@pytest.mark.parametrize(
    ("runner", "flags"),
    [
        ("DataflowRunner", [*DATAFLOW, "--sdk_container_image=i"]),
        ("DataflowRunner", [*DATAFLOW, "--setup_file=./setup.py"]),
        ("DataflowRunner", [*DATAFLOW, "--extra_package=a.tar.gz"]),
        ("FlinkRunner", [*FLINK, "--environment_type=EXTERNAL", "--environment_option=a=b"]),
        ("FlinkRunner", [*FLINK, "--environment_type=DOCKER", "--environment_config=image"]),
    ],
)
def test_one_of_several_ways_to_say_it_is_enough(runner: str, flags: list[str]) -> None:
    refuse_wrong_options(runner_options(runner, flags))


def test_fewer_workers_than_none_are_refused() -> None:
    with pytest.raises(JobError, match=r"--direct_num_workers: must be >= 0, got -3; 0 is one"):
        refuse_wrong_options(runner_options("DirectRunner", ["--direct_num_workers=-3"]))
    refuse_wrong_options(runner_options("DirectRunner", ["--direct_num_workers=0"]))


@pytest.mark.parametrize(
    ("runner", "flags", "ending"),
    [
        ("DataflowRunner", DATAFLOW, "use gs:// or s3://"),
        ("FlinkRunner", FLINK, "if every worker mounts this folder, say --shared_filesystem"),
    ],
)
def test_a_path_of_this_machine_is_refused_with_what_the_runner_can_reach(
    runner: str, flags: list[str], ending: str
) -> None:
    options = runner_options(runner, flags)
    with pytest.raises(JobError) as refused:
        refuse_unreachable(options, ["/data/in"], shared_filesystem=False)
    assert str(refused.value).endswith(ending)


def test_a_kind_of_storage_that_nobody_knows_is_for_planning_to_refuse() -> None:
    refuse_unreachable(runner_options("FlinkRunner", FLINK), ["nowhere://a"], False)


def test_paths_of_this_machine_are_fine_where_all_workers_are_on_it() -> None:
    for runner in ("DirectRunner", "FlinkRunner"):
        for is_shared in (False, True):
            refuse_unreachable(runner_options(runner, []), ["/data/in", "gs://b"], is_shared)


@pytest.mark.parametrize("endpoint", ["", "localhost:8099"])
def test_a_portable_runner_needs_its_job_service(endpoint: str) -> None:
    flags = [f"--job_endpoint={endpoint}", "--environment_type=LOOPBACK"]
    options = runner_options("PortableRunner", flags if endpoint else flags[1:])
    if endpoint:
        refuse_wrong_options(options)
        return
    with pytest.raises(JobError, match="give --job_endpoint=HOST:PORT"):
        refuse_wrong_options(options)
