"""A server that was asked: what of it names a run, and how workers share its requests."""

from dataclasses import replace

import pytest

from configs.errors import JobError
from model_zoo.remote.target import Target
from pipelines.planning.served import Served
from pipelines.planning.workers import Workers

SERVED = Served(Target("oip-grpc", "grpc://churn:8001", "churn", "3"), "s 1.0", max_in_flight=16)


@pytest.mark.parametrize(("processes", "share"), [(1, 16), (2, 8), (3, 5), (16, 1)])
def test_processes_share_the_requests_of_a_run(processes: int, share: int) -> None:
    assert SERVED.share(Workers(processes, processes)).max_in_flight == share


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_workers_of_one_process_have_all_requests_of_a_run(workers: int) -> None:
    assert SERVED.share(Workers(workers, processes=1)).max_in_flight == 16


@pytest.mark.parametrize(
    ("workers", "processes", "share"),
    [(1, 1, 16), (2, 2, 8), (16, 16, 1), (17, 17, 1), (64, 64, 1), (64, 1, 64)],
)
def test_where_nobody_says_how_many_each_worker_has_one(
    workers: int, processes: int, share: int
) -> None:
    usual = replace(SERVED, max_in_flight=None)
    assert usual.share(Workers(workers, processes)).max_in_flight == share


@pytest.mark.parametrize(("cores", "workers"), [(1, 2), (2, 4), (8, 16), (9, 16)])
def test_a_core_has_two_workers_as_far_as_there_are_requests(cores: int, workers: int) -> None:
    """While one waits for the server another reads and writes."""
    assert SERVED.count_workers(cores) == workers
    usual = replace(SERVED, max_in_flight=None)
    assert usual.count_workers(cores) == 2 * cores


def test_more_workers_than_requests_are_refused() -> None:
    with pytest.raises(JobError, match=r"max_in_flight 16 is less than the 17 workers .*=16\)"):
        SERVED.share(Workers(17, 17))
    # Those of one process wait for each other.
    assert SERVED.share(Workers(17, 1)).max_in_flight == 16


def test_a_run_is_named_by_model_and_server_and_not_by_its_software() -> None:
    assert SERVED.describe() == {
        "protocol": "oip-grpc",
        "url": "grpc://churn:8001",
        "name": "churn",
        "version": "3",
    }
