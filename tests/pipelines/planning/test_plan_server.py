"""How a job reaches a server's model, and what it may not say of it; `test_score_remote.py` scores with one."""

from types import SimpleNamespace
from typing import Any

import pytest

from configs.errors import JobError
from configs.server import Server
from model_zoo.remote.target import Tls, TokenSource
from pipelines.planning.plan_server import make_target, refuse_settings, target_of

ASKED: dict[str, Any] = {
    "engine": "remote",
    "device": "cpu",
    "dtype": "float32",
    "timeout_seconds": 600.0,
    "package": "m/1",
    "protocol": None,
    "url": None,
}


def make_job(server: Any = None, **fields: Any) -> Any:
    model = {**ASKED, "server": server or Server(), **fields}
    return SimpleNamespace(model=SimpleNamespace(**model))


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_a_job_that_allows_a_server_is_taken(device: str) -> None:
    refuse_settings(make_job(device=device), "grpc://host:1")


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"engine": None}, "model.package m/1: a server computes it, grpc://host:1"),
        ({"engine": "torch"}, "set model.engine to remote to allow that"),
        ({"device": "cuda"}, "model.device cuda: a server computes the model"),
        ({"dtype": "bfloat16"}, "model.dtype bfloat16: a server computes in the model's own"),
    ],
)
def test_what_a_server_does_not_do_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(JobError, match=told):
        refuse_settings(make_job(**fields), "grpc://host:1")


@pytest.mark.parametrize(("timeout", "is_taken"), [(50.0, False), (49.0, False), (50.1, True)])
def test_a_run_waits_longer_for_the_model_than_for_its_server(
    timeout: float, is_taken: bool
) -> None:
    server: Any = SimpleNamespace(patience_seconds=30.0, deadline_seconds=20.0)
    job = make_job(server, timeout_seconds=timeout)
    if is_taken:
        refuse_settings(job, "grpc://host:1")
        return
    with pytest.raises(JobError, match=r"must be more than .* together, 50; raise it"):
        refuse_settings(job, "grpc://host:1")


REMOTE: Any = SimpleNamespace(protocol="oip-grpc", url="grpc://card:1", name="churn", version="3")


@pytest.mark.parametrize(
    ("fields", "protocol", "url"),
    [
        ({}, "oip-grpc", "grpc://card:1"),
        ({"url": "grpc://job:2"}, "oip-grpc", "grpc://job:2"),
        ({"protocol": "oip-http", "url": "http://job:2"}, "oip-http", "http://job:2"),
    ],
)
def test_a_job_may_name_another_address(fields: dict[str, Any], protocol: str, url: str) -> None:
    target = make_target(make_job(**fields), REMOTE)
    assert (target.protocol, target.url) == (protocol, url)
    assert (target.name, target.version) == ("churn", "3")


@pytest.mark.parametrize(
    ("said", "token"),
    [
        ({}, None),
        ({"token_variable": "TOKEN"}, TokenSource("TOKEN", None)),
        ({"token_file": "/token"}, TokenSource(None, "/token")),
    ],
)
def test_a_token_is_shown_where_the_job_names_its_place(said: dict[str, str], token: Any) -> None:
    server = Server(**said, deadline_seconds=7, patience_seconds=9)
    target = target_of("oip-grpc", "grpcs://host:1", "churn", None, server)
    assert target.token == token
    assert target.tls == Tls(None, None, None)
    assert (target.deadline_seconds, target.patience_seconds) == (7, 9)
