"""The profiles that make runners behave, and what is refused before a submission."""

from http.server import BaseHTTPRequestHandler
import os
from pathlib import Path
import sys

import pytest

from configs.errors import JobError
from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.runners.checks import refuse_flags, refuse_unreachable, refuse_wrong_options
from pipelines.runners.flag_words import join_values
from pipelines.runners.flags import known_flags, unknown_flags
from pipelines.runners.options import (
    is_cluster,
    is_this_machine,
    processes_per_machine,
    runner_options,
    use_tuned_workers,
    workers_per_machine,
)
from pipelines.runners.profiles import Profile, prepare_process, profile_of, runner_named
from tests.support.loopback import LoopbackServer, run_server

DATAFLOW = ["--project=p", "--region=r", "--temp_location=gs://b/t", "--sdk_container_image=i"]


@pytest.mark.parametrize(
    ("flags", "workers", "processes"),
    [
        ([], os.cpu_count(), 1),
        (["--direct_num_workers=3"], 3, 1),
        (["--direct_running_mode=in_memory"], 1, 1),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=2"], 2, 2),
    ],
)
def test_workers_of_the_local_runner(flags: list[str], workers: int, processes: int) -> None:
    options = runner_options("DirectRunner", flags)
    assert workers_per_machine(options) == workers
    assert processes_per_machine(options) == processes


@pytest.mark.parametrize(
    ("runner", "flags", "workers"),
    [
        ("DirectRunner", [], 7),
        ("DirectRunner", ["--direct_running_mode=multi_processing"], 7),
        ("DirectRunner", ["--direct_num_workers=3"], 3),
        ("DirectRunner", ["--direct_num_workers=0"], os.cpu_count()),
        ("DirectRunner", ["--direct_running_mode=in_memory"], 1),
        ("PrismRunner", [], 1),
    ],
)
def test_as_many_workers_as_tuning_found_unless_the_user_says_a_number(
    runner: str, flags: list[str], workers: int
) -> None:
    options = runner_options(runner, flags)
    use_tuned_workers(options, flags, 7)
    assert workers_per_machine(options) == workers
    use_tuned_workers(options, flags, None)
    assert workers_per_machine(options) == workers


def test_workers_of_a_cluster_machine_are_its_sdk_workers() -> None:
    flags = ["--flink_master=h:1", "--parallelism=8"]
    assert workers_per_machine(runner_options("FlinkRunner", flags)) == 1
    assert (
        workers_per_machine(runner_options("FlinkRunner", [*flags, "--sdk_worker_parallelism=4"]))
        == 4
    )


def test_flink_has_a_process_for_each_worker() -> None:
    options = runner_options("FlinkRunner", ["--sdk_worker_parallelism=4"])
    assert processes_per_machine(options) == 4


@pytest.mark.parametrize(("told", "workers"), [("3", 3), ("0", 1), ("-1", 1)])
def test_a_machine_has_a_worker_at_least(told: str, workers: int) -> None:
    flags = ["--flink_master=h:1", "--parallelism=8", f"--sdk_worker_parallelism={told}"]
    assert workers_per_machine(runner_options("FlinkRunner", flags)) == workers


def test_a_machine_whose_cores_nobody_can_count_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert workers_per_machine(runner_options("DirectRunner", [])) == 1
    assert "--parallelism=1" in profile_of("FlinkRunner", []).flags


@pytest.mark.parametrize("name", ["flink", "FlinkRunner", "flinkrunner", "FLINK"])
def test_runners_are_known_by_their_usual_spellings(name: str) -> None:
    assert runner_named(name) == "FlinkRunner"


def test_an_unknown_runner_is_refused_with_the_nearest_one_and_a_class_is_taken_as_it_is() -> None:
    with pytest.raises(JobError, match="did you mean DirectRunner"):
        runner_named("DirctRunner")
    dotted = "apache_beam.runners.direct.direct_runner.BundleBasedDirectRunner"
    assert runner_named(dotted) == dotted
    assert profile_of(dotted, []) == Profile("none", ("--no_save_main_session",))


def test_a_flag_of_the_users_wins_over_the_profile() -> None:
    options = runner_options(
        "DirectRunner", ["--direct_running_mode=multi_processing"]
    ).get_all_options()
    assert options["direct_running_mode"] == "multi_processing"
    assert options["save_main_session"] is False
    shown = profile_of("DirectRunner", ["--direct_running_mode=multi_processing"]).flags
    assert not any(flag.startswith("--direct_running_mode") for flag in shown)


def test_listed_flags_add_up_and_their_opposite_takes_one_away() -> None:
    both = runner_options("DataflowRunner", ["--experiments=other"]).get_all_options()[
        "experiments"
    ]
    assert set(both) == {"no_use_multiple_sdk_containers", "other"}
    mine = runner_options(
        "DataflowRunner", ["--experiments=use_multiple_sdk_containers"]
    ).get_all_options()["experiments"]
    assert set(mine) == {"use_multiple_sdk_containers"}


def test_every_flag_of_a_profile_is_one_that_the_runner_knows() -> None:
    for runner in (
        "DirectRunner",
        "PrismRunner",
        "PortableRunner",
        "FlinkRunner",
        "DataflowRunner",
    ):
        assert unknown_flags(profile_of(runner, []).flags) == []


def test_unknown_flags_are_found_and_known_ones_are_not() -> None:
    assert unknown_flags(["--direct_num_workers=2", "--no_such_flag=1", "word"]) == [
        "--no_such_flag=1",
        "word",
    ]
    assert unknown_flags(["--max_bundle_time_mills=5"]) == []
    assert {"--direct_running_mode", "--max_bundle_time_mills"} <= set(known_flags())
    with pytest.raises(JobError, match="direct_running_mode"):
        unknown_flags(["--direct_running_mode=often"])


@pytest.mark.parametrize(
    ("runner", "flags", "cluster"),
    [
        ("DirectRunner", [], False),
        ("FlinkRunner", [], False),
        ("FlinkRunner", ["--flink_master=localhost:8081", "--parallelism=2"], False),
        ("FlinkRunner", ["--flink_master=http://127.0.0.1:8081", "--parallelism=2"], False),
        ("FlinkRunner", ["--flink_master=flink.example:8081", "--parallelism=2"], True),
        ("PortableRunner", ["--job_endpoint=localhost:8099"], False),
        ("PortableRunner", ["--job_endpoint=jobs.example:8099"], True),
        ("DataflowRunner", [], True),
    ],
)
def test_a_cluster_is_what_runs_on_other_machines(
    runner: str, flags: list[str], cluster: bool
) -> None:
    assert is_cluster(runner_options(runner, flags)) is cluster


def test_a_flag_and_its_value_may_be_two_words() -> None:
    flags = join_values(["--flink_master", "flink.example:8081", "--parallelism", "2", "--no_auth"])
    assert flags == ["--flink_master=flink.example:8081", "--parallelism=2", "--no_auth"]
    assert is_cluster(runner_options("FlinkRunner", flags))
    assert join_values(["word", "--a=1", "other"]) == ["word", "--a=1", "other"]


class _Overview(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert self.path == "/overview"
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"slots-total": 6}')

    def log_message(self, *_: object) -> None:
        pass


def test_a_flink_cluster_is_used_with_all_its_slots() -> None:
    server = LoopbackServer(_Overview)
    with run_server(server):
        flags = profile_of("FlinkRunner", [f"--flink_master={server.address}"]).flags
    assert "--parallelism=6" in flags


def test_a_flink_cluster_that_does_not_answer_is_refused() -> None:
    with pytest.raises(
        JobError, match="start the cluster, correct the address, or give --parallelism"
    ):
        profile_of("FlinkRunner", ["--flink_master=127.0.0.1:1"])


FLINK = ["--flink_master=flink.example:8081", "--parallelism=2"]


@pytest.mark.parametrize(
    ("runner", "flags", "message"),
    [
        ("FlinkRunner", FLINK, "--environment_type: say where"),
        ("FlinkRunner", [*FLINK, "--environment_type=LOOPBACK"], "use EXTERNAL"),
        ("FlinkRunner", [*FLINK, "--environment_type=EXTERNAL"], "HOST:PORT"),
        ("FlinkRunner", [*FLINK, "--environment_type=DOCKER"], "IMAGE"),
        ("FlinkRunner", [*FLINK, "--environment_type=PROCESS"], "boot"),
        (
            "FlinkRunner",
            [*FLINK, "--environment_type=PROCESS", "--environment_config=boot"],
            'JSON with a "command"',
        ),
        ("PortableRunner", [], "--job_endpoint"),
        ("DataflowRunner", [], "--project"),
        ("DataflowRunner", DATAFLOW[:1], "--region"),
        ("DataflowRunner", DATAFLOW[:2], "--temp_location=gs://"),
        ("DataflowRunner", DATAFLOW[:3], "--sdk_container_image"),
        ("FlinkRunner", ["--no_wait_until_finish"], "needs this process"),
    ],
)
def test_options_that_cannot_work_are_refused_with_the_fix(
    runner: str, flags: list[str], message: str
) -> None:
    with pytest.raises(JobError, match=message):
        refuse_wrong_options(runner_options(runner, flags))


@pytest.mark.parametrize(
    ("runner", "flags"),
    [
        ("DirectRunner", []),
        ("FlinkRunner", []),
        (
            "FlinkRunner",
            [*FLINK, "--environment_type=EXTERNAL", "--environment_config=localhost:50000"],
        ),
        (
            "FlinkRunner",
            [*FLINK, "--environment_type=PROCESS", '--environment_config={"command": "boot"}'],
        ),
        ("PortableRunner", ["--job_endpoint=localhost:8099", "--environment_type=LOOPBACK"]),
        ("DataflowRunner", DATAFLOW),
        ("DataflowRunner", [*DATAFLOW[:3], "--setup_file=./setup.py", "--no_wait_until_finish"]),
    ],
)
def test_options_that_work_are_taken(runner: str, flags: list[str]) -> None:
    refuse_wrong_options(runner_options(runner, flags))


def test_prism_is_not_downloaded_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(JobError, match="go install"):
        refuse_wrong_options(runner_options("PrismRunner", []))
    refuse_wrong_options(runner_options("PrismRunner", ["--prism_location=/opt/prism"]))


@pytest.mark.parametrize(
    "flag",
    [
        "--template_location=gs://b/t",
        "--streaming",
        "--save_main_session",
        "--s3_secret_access_key=abc",
        "--output_executable_path=x",
    ],
)
def test_flags_that_cannot_be_followed_are_refused_and_never_repeated_with_their_value(
    flag: str,
) -> None:
    with pytest.raises(JobError) as refused:
        refuse_flags([flag])
    assert flag.partition("=")[0] in str(refused.value)
    assert "abc" not in str(refused.value)


def test_memory_paths_need_one_process() -> None:
    refuse_unreachable(
        runner_options("DirectRunner", []), ["memory://out"], shared_filesystem=False
    )
    for runner, flags in (
        ("DirectRunner", ["--direct_running_mode=multi_processing"]),
        ("FlinkRunner", []),
    ):
        with pytest.raises(JobError, match="one process only"):
            refuse_unreachable(
                runner_options(runner, flags), ["memory://out"], shared_filesystem=False
            )


@pytest.mark.parametrize(
    ("runner", "flags"), [("DataflowRunner", DATAFLOW), ("FlinkRunner", FLINK)]
)
def test_paths_of_this_machine_are_refused_where_workers_are_on_others(
    runner: str, flags: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(
        "NO_GCE_CHECK", "true"
    )  # or the library of gs:// looks for a cloud's credentials for many seconds
    with pytest.raises(JobError, match="/data/out: is a path of this machine"):
        refuse_unreachable(
            runner_options(runner, flags), ["gs://b/in", "/data/out"], shared_filesystem=False
        )
    refuse_unreachable(
        runner_options(runner, flags), ["gs://b/in", "s3://b/out"], shared_filesystem=False
    )


def test_a_shared_file_system_is_the_users_word_and_none_of_dataflows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    refuse_unreachable(runner_options("FlinkRunner", FLINK), ["/data/out"], shared_filesystem=True)
    with pytest.raises(JobError, match="gs://"):
        refuse_unreachable(
            runner_options("DataflowRunner", DATAFLOW), ["gs://b/out"], shared_filesystem=True
        )


def test_the_program_shows_the_profile_once_and_refuses_before_it_writes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_program(score.main, ["--output", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert shown.count("profile local --direct_running_mode=multi_threading") == 1
    assert (
        run_program(
            score.main, ["--runner=DataflowRunner", *DATAFLOW, "--output", str(tmp_path / "other")]
        )
        == 2
    )
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "DataflowRunner's workers cannot see" in error
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("address", "is_here"),
    [
        ("localhost:8081", True),
        ("localhost", True),
        ("http://localhost:8081/jobs/x", True),
        ("127.0.0.1:8081", True),
        ("127.1.2.3", True),
        ("[::1]:8081", True),
        ("https://[::1]:8081/", True),
        ("embed", True),
        ("", False),
        ("localhost.example:8081", False),
        ("[2001:db8::1]:8081", False),
        ("http://flink.example/localhost", False),
        ("1.127.0.0:8081", False),
    ],
)
def test_a_port_of_this_machine_is_told_by_its_host(address: str, is_here: bool) -> None:
    assert is_this_machine(address) is is_here


def test_the_launcher_s_own_python_is_the_first_that_workers_find(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = str(Path(sys.executable).parent)
    for before, after in (
        ("/usr/bin", f"{own}:/usr/bin"),
        (f"/usr/bin:{own}", f"{own}:/usr/bin:{own}"),
        (f"{own}:/usr/bin", f"{own}:/usr/bin"),
        (own, own),
    ):
        monkeypatch.setenv("PATH", before)
        prepare_process()
        assert os.environ["PATH"] == after


def test_a_prism_on_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prism = tmp_path / "prism"
    prism.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert f"--prism_location={prism}" in profile_of("PrismRunner", []).flags
    refuse_wrong_options(runner_options("PrismRunner", []))
