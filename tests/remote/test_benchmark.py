"""The benchmark beside a client that only asks: its clients get answers, and its figures are those of both."""

import pytest

from tests.benchmarks.remote import Figures, measure_overhead
from tests.benchmarks.remote_clients import measure
from tests.remote.jobs import address, random_features
from tests.remote.servers import RealServer

pytestmark = pytest.mark.program


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_a_client_that_only_asks_is_answered(mlserver: RealServer, protocol: str) -> None:
    url = address(mlserver, protocol)
    assert measure(protocol, url, random_features(8), in_flight=2, seconds=0.1) > 0


def test_what_our_client_adds_is_told_in_milliseconds(mlserver: RealServer) -> None:
    assert measure_overhead(mlserver, random_features(8), requests=20) < 1_000


def test_the_share_is_of_the_jobs_rows_in_the_clients() -> None:
    line = Figures(client=200_000, in_flight=4, job=190_000, process=90_000).render("mlserver")
    assert line.split() == ["mlserver", "200,000", "190,000", "90,000", "0.95", "4"]
