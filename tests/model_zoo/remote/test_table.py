"""Which client a target has, and which targets have none."""

import sys

import pytest

from configs.errors import JobError
from model_zoo.remote.table import PROTOCOLS, connect
from model_zoo.remote.target import Target, Tls, TokenSource
from model_zoo.remote.urls import read_grpc_url, read_http_url


def target_of(url: str, tls: Tls | None = None, token: TokenSource | None = None) -> Target:
    return Target("oip-http", url, "sums", tls=tls or Tls(), token=token)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_a_client(protocol: str) -> None:
    scheme = protocol.rpartition("-")[2]
    client = connect(Target(protocol, f"{scheme}://127.0.0.1:1", "sums"))
    client.close()


def test_another_protocol_has_none() -> None:
    with pytest.raises(JobError, match="'oip_grpc' is unknown; did you mean oip-grpc"):
        connect(Target("oip_grpc", "grpc://127.0.0.1:1", "sums"))


def test_a_library_that_is_not_there_is_named_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "model_zoo.remote.oip_grpc", raising=False)
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.delitem(sys.modules, "model_zoo.remote.grpc_channel", raising=False)
    with pytest.raises(JobError, match=r"pip install '\.\[remote\]'"):
        connect(Target("oip-grpc", "grpc://127.0.0.1:1", "sums"))


@pytest.mark.parametrize(
    ("url", "host", "port", "path"),
    [
        ("http://scorer", "scorer", 80, ""),
        ("https://scorer/team/", "scorer", 443, "/team"),
        ("http://[::1]:8000", "::1", 8000, ""),
    ],
)
def test_an_address_of_http_is_read(url: str, host: str, port: int, path: str) -> None:
    address = read_http_url(target_of(url))
    assert (address.host, address.port, address.path) == (host, port, path)


WRONG = {
    "grpc://scorer": "must name a port",
    "grpc://scorer:x": "is no URL",
    "grpc://scorer:99999": "is no URL",
    "http://scorer:8001": "must begin with grpc:// or grpcs://",
    "scorer:8001": "must begin with grpc:// or grpcs://",
    "grpc://:8001": "and a host",
    "grpc://scorer:8001/a": "gRPC has no paths",
    "grpc://scorer:8001?a": "must end with its path",
    "grpc://scorer:8001#a": "must end with its path",
    "grpc://[::1:8001": "is no URL",
}


@pytest.mark.parametrize("url", WRONG)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(JobError, match=WRONG[url]):
        read_grpc_url(target_of(url))


@pytest.mark.parametrize(
    "url", ["http://me:hunter2@scorer", "http://hunter2@scorer", "http://scorer?key=hunter2"]
)
def test_a_secret_in_the_address_is_refused_and_not_told(url: str) -> None:
    with pytest.raises(JobError) as refusal:
        read_http_url(target_of(url))
    assert "hunter2" not in str(refusal.value)
    assert "model.url must hold no user" in str(refusal.value)


def test_a_token_is_shown_over_tls_alone_but_on_this_machine() -> None:
    token = TokenSource(variable="TOKEN")
    with pytest.raises(
        JobError, match="over TLS alone, and http://scorer has none; write https://"
    ):
        read_http_url(target_of("http://scorer", token=token))
    read_http_url(target_of("https://scorer", token=token))
    read_http_url(target_of("http://127.0.0.1:80", token=token))


@pytest.mark.parametrize("tls", [Tls(ca="a"), Tls(certificate="a"), Tls(key="a")])
def test_certificates_without_tls_are_refused(tls: Tls) -> None:
    with pytest.raises(JobError, match="certificates are for a server with TLS"):
        read_http_url(target_of("http://127.0.0.1", tls))
