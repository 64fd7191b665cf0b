"""Options that make runners behave, and the number of workers that share a machine."""

import os

import pytest

from configs.errors import JobError
from pipelines.runners import known_flags, refuse_unreachable, runner_options, unknown_flags, workers_per_machine


@pytest.mark.parametrize(
    ("flags", "workers"),
    [
        ([], os.cpu_count()),
        (["--direct_num_workers=3"], 3),
        (["--direct_running_mode=in_memory"], 1),
        (["--direct_running_mode=multi_processing", "--direct_num_workers=2"], 2),
    ],
)
def test_workers_of_the_local_runner(flags: list[str], workers: int) -> None:
    assert workers_per_machine(runner_options("DirectRunner", flags)) == workers


def test_a_flag_of_the_users_wins_over_the_profile() -> None:
    options = runner_options("DirectRunner", ["--direct_running_mode=multi_processing"]).get_all_options()
    assert options["direct_running_mode"] == "multi_processing"
    assert options["save_main_session"] is False


def test_unknown_flags_are_found_and_known_ones_are_not() -> None:
    assert unknown_flags(["--direct_num_workers=2", "--no_such_flag=1", "word"]) == ["--no_such_flag=1", "word"]
    assert "--direct_running_mode" in known_flags()
    with pytest.raises(JobError, match="direct_running_mode"):
        unknown_flags(["--direct_running_mode=often"])


def test_memory_paths_need_one_process() -> None:
    refuse_unreachable(runner_options("DirectRunner", []), ["memory://out"])
    with pytest.raises(JobError, match="one process only"):
        refuse_unreachable(runner_options("DirectRunner", ["--direct_running_mode=multi_processing"]), ["memory://out"])
