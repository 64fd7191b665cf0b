"""The benchmark beside a client that only asks: its clients get answers, and its figures are those of both."""

import numpy as np
import pytest

from tests.benchmarks.remote import Figures, measure_overhead
from tests.benchmarks.remote_clients import measure
from tests.remote.jobs import address, random_features
from tests.remote.servers import RealServer

pytestmark = pytest.mark.program


@pytest.mark.parametrize("protocol", ["oip-grpc", "oip-http"])
def test_a_client_that_only_asks_is_answered(mlserver: RealServer, protocol: str) -> None:
    url = address(mlserver, protocol)
    batches = np.split(random_features(8), 2)
    assert measure(protocol, url, batches, in_flight=2, seconds=0.1) > 0


def test_what_our_client_adds_is_told_in_milliseconds(mlserver: RealServer) -> None:
    assert measure_overhead(mlserver, random_features(8), requests=20) < 1_000


def test_the_shares_are_of_the_faster_client() -> None:
    figures = Figures(
        same=200_000, other=180_000, job=160_000, steady=190_000, ends=0.7, process=90_000
    )
    rates = ["200,000", "180,000", "160,000", "190,000", "90,000"]
    assert figures.render("mlserver").split() == ["mlserver", *rates, "0.80", "0.95", "0.70"]
