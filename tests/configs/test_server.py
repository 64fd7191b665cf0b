"""What a job says of a server, and what does not go together."""

from typing import Any, get_args

from pydantic import ValidationError
import pytest

from configs.server import Remote, Server, ServerProtocol
from model_zoo.remote.table import PROTOCOLS
from pipelines.planning.jobs import ScoringJob

DIRECT = {
    "engine": "remote",
    "protocol": "oip-grpc",
    "url": "grpc://churn:8001",
    "name": "churn",
    "version": "3",
    "columns": {"age": "double"},
}


def model_of(**fields: Any) -> Any:
    sections = {"source": {"paths": "a"}, "model": fields, "sink": {"path": "o"}}
    return ScoringJob.model_validate({"name": "j", **sections}).model


def test_the_protocols_are_those_that_there_are() -> None:
    assert set(get_args(ServerProtocol)) == set(PROTOCOLS)


def test_a_server_may_be_named_in_place_of_a_package_or_beside_one() -> None:
    assert model_of(**DIRECT).version == "3"
    # As a number YAML has it.
    assert model_of(**DIRECT | {"version": 3}).version == "3"
    assert model_of(package="m", engine="remote", url="grpc://staging:1").url == "grpc://staging:1"
    assert model_of(package="m", url="https://staging").engine == "auto"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"protocol": None}, "engine: remote without a package needs protocol too"),
        ({"url": None, "columns": {}}, "needs url, columns too"),
        ({"name": None}, "needs name too"),
        ({"engine": "auto"}, "a server's model needs none with engine: remote"),
        ({"url": "http://churn:8001"}, "url must begin with grpc:// or grpcs:// for oip-grpc"),
        ({"protocol": "oip-http"}, "url must begin with http:// or https:// for oip-http"),
        ({"protocol": "oip"}, "Input should be 'oip-grpc'"),
        ({"url": "grpc://me:secret@churn"}, "must hold no credentials"),
        ({"package": "m"}, "name, version, columns: the package says it"),
        ({"version": 1.1}, "must stand in quotes"),
    ],
)
def test_what_names_no_server_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        model_of(**DIRECT | changes)


def test_an_address_is_for_no_other_engine() -> None:
    with pytest.raises(ValidationError, match="url is for engine: remote, and the job says torch"):
        model_of(package="m", engine="torch", url="grpc://staging:1")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"certificate": "c.pem"}, "certificate and key go together"),
        ({"key": "k.pem"}, "certificate and key go together"),
        ({"token_variable": "T", "token_file": "t"}, "leave one out"),
        # Whoever writes a token there has written it into every manifest.
        ({"token_variable": "eyJhbGciOi.J9"}, "should match pattern"),
        ({"deadline_seconds": 0}, "greater than 0"),
        ({"patience_seconds": -1}, "greater than or equal to 0"),
        ({"max_in_flight": 0}, "greater than or equal to 1"),
    ],
)
def test_ways_to_a_server_that_are_none_are_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        Server.model_validate(fields)


def test_a_packaging_job_names_the_whole_of_it() -> None:
    remote = Remote(protocol="tensorflow-http", url="https://churn", name="churn")
    assert (remote.version, remote.server) == (None, Server())
    with pytest.raises(ValidationError, match="for tensorflow-http"):
        Remote(protocol="tensorflow-http", url="grpc://churn", name="churn")
