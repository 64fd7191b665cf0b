"""What the options of a runner say of the run: how many workers share a machine, and whether there are other machines."""

from typing import Any

from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions
import pytest

from pipelines.runners import options
from pipelines.runners.options import (
    is_cluster,
    is_this_machine,
    starts_elsewhere,
    use_tuned_workers,
    workers_per_machine,
)


def read(*words: str) -> Any:
    return PipelineOptions(list(words))


@pytest.mark.parametrize(
    ("words", "workers"),
    [
        (["--runner=DirectRunner", "--direct_num_workers=3"], 3),
        (["--runner=DirectRunner", "--direct_num_workers=1"], 1),
        (["--runner=DirectRunner", "--direct_num_workers=0"], 6),
        (["--runner=FlinkRunner", "--direct_num_workers=3"], 1),
        (["--runner=FlinkRunner", "--sdk_worker_parallelism=4"], 4),
        (["--runner=FlinkRunner", "--sdk_worker_parallelism=0"], 1),
    ],
)
def test_workers_of_a_machine(
    words: list[str], workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(options, "count_cores", lambda: 6)
    assert workers_per_machine(read(*words)) == workers


@pytest.mark.parametrize(
    ("runner", "flags", "tuned", "workers"),
    [
        ("DirectRunner", ["--direct_num_workers=0"], 4, 0),
        ("DirectRunner", [], 4, 4),
        ("DirectRunner", [], None, 0),
        ("DirectRunner", ["--direct_num_workers=2"], 4, 2),
        ("FlinkRunner", [], 4, 0),
    ],
)
def test_tuned_workers_are_taken_where_the_user_says_nothing(
    runner: str, flags: list[str], tuned: int | None, workers: int
) -> None:
    # As the profile has it.
    read_options = read(f"--runner={runner}", "--direct_num_workers=0", *flags)
    use_tuned_workers(read_options, flags, tuned)
    assert read_options.view_as(DirectOptions).direct_num_workers == workers


def test_a_profile_of_one_worker_stays_so() -> None:
    read_options = read("--runner=DirectRunner", "--direct_num_workers=1")
    use_tuned_workers(read_options, [], 4)
    assert read_options.view_as(DirectOptions).direct_num_workers == 1


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--runner=DirectRunner"], False),
        (["--runner=PrismRunner"], False),
        (["--runner=DataflowRunner"], True),
        (["--runner=FlinkRunner", "--flink_master=[auto]"], False),
        (["--runner=FlinkRunner", "--flink_master=localhost:8081"], False),
        (["--runner=FlinkRunner", "--flink_master=flink.example:8081"], True),
        (["--runner=PortableRunner", "--job_endpoint=embed"], False),
        (["--runner=PortableRunner", "--job_endpoint=jobs.example:8099"], True),
        (["--runner=PortableRunner"], True),
    ],
)
def test_workers_may_be_elsewhere(words: list[str], expected: bool) -> None:
    assert is_cluster(read(*words)) is expected


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("localhost", True),
        ("localhost:8081", True),
        ("http://localhost:8081/path", True),
        ("127.0.0.1:8081", True),
        ("127.1.2.3", True),
        ("[::1]:8081", True),
        ("http://[::1]:8081", True),
        ("embed", True),
        ("", False),
        ("localhost.example:8081", False),
        ("12.7.0.1:8081", False),
        ("[2001:db8::1]:8081", False),
    ],
)
def test_an_address_of_this_machine(address: str, expected: bool) -> None:
    assert is_this_machine(address) is expected


def test_a_template_starts_elsewhere() -> None:
    assert starts_elsewhere(read("--template_location=gs://bucket/template"))
    assert not starts_elsewhere(read())
