"""Who a server is and who asks it, over both ways: certificates, tokens, proxies."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from configs.errors import JobError
from model_zoo.remote.client import Client
from model_zoo.remote.failures import DeniedError, GoneError, RemoteError
from model_zoo.remote.http_pool import find_proxy
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target, Tls, TokenSource
from model_zoo.remote.urls import read_http_url
from tests.remote import http_server, oip_grpc_server
from tests.remote.certificates import (
    Authority,
    Signed,
    make_authority,
    serve_grpc_with,
    serve_with,
)
from tests.remote.http_server import HttpServer, answer_json
from tests.remote.oip_grpc_server import OipGrpcServer, fail

SECRET = "abc.DEF-123"  # noqa: S105
PROTOCOLS = ["oip-grpc", "oip-http"]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def signed(authority: Authority) -> Signed:
    return authority.sign("server")


@contextmanager
def served(
    protocol: str, signed: Signed | None = None, clients: Authority | None = None
) -> Iterator[Any]:
    """Serve a model that does nothing, with TLS where a certificate is given; yield the server."""
    if protocol == "oip-grpc":
        grpc_server = OipGrpcServer(lambda request, context: b"")
        credentials = serve_grpc_with(signed, clients) if signed else None
        with oip_grpc_server.serve(grpc_server, credentials):
            yield grpc_server
        return
    answers = {"/v2": answer_json({}), "/v2/models/sums": answer_json({})}
    context = serve_with(signed, clients) if signed else None
    with http_server.serve(HttpServer(answers), context) as server:
        yield server


@contextmanager
def client_of(
    server: Any, protocol: str, host: str = "127.0.0.1", **fields: Any
) -> Iterator[Client]:
    url = server.url.replace("127.0.0.1", host)
    if "tls" in fields:
        url = url.replace("grpc://", "grpcs://")
    client = connect(Target(protocol, url, "sums", deadline_seconds=60, **fields))
    yield client
    client.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_whose_authority_is_named_is_trusted(
    protocol: str, authority: Authority, signed: Signed
) -> None:
    tls = Tls(ca=authority.path)
    with served(protocol, signed) as server, client_of(server, protocol, tls=tls) as client:
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_of_another_authority_is_not(
    protocol: str, signed: Signed, tmp_path: Path
) -> None:
    tls = Tls(ca=make_authority(tmp_path, "other").path)
    with (
        served(protocol, signed) as server,
        client_of(server, protocol, tls=tls) as client,
        pytest.raises(DeniedError, match="who has signed its certificate"),
    ):
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_certificate_of_another_host_is_not(protocol: str, authority: Authority) -> None:
    elsewhere = authority.sign("elsewhere", "192.0.2.1")
    tls = Tls(ca=authority.path)
    with (
        served(protocol, elsewhere) as server,
        client_of(server, protocol, tls=tls) as client,
        pytest.raises(DeniedError),
    ):
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_shows_its_certificate(
    protocol: str, authority: Authority, signed: Signed
) -> None:
    own = authority.sign("client")
    tls = Tls(authority.path, own.certificate, own.key)
    with (
        served(protocol, signed, authority) as server,
        client_of(server, protocol, tls=tls) as client,
    ):
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_client_without_one_is_not_let_in(
    protocol: str, authority: Authority, signed: Signed
) -> None:
    tls = Tls(ca=authority.path)
    with (
        served(protocol, signed, authority) as server,
        client_of(server, protocol, tls=tls) as client,
        pytest.raises((DeniedError, GoneError)),
    ):
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_without_tls_is_told_apart(protocol: str, authority: Authority) -> None:
    tls = Tls(ca=authority.path)
    with served(protocol) as server:
        server_url = server.url.replace("http://", "https://").replace("grpc://", "grpcs://")
        client = connect(Target(protocol, server_url, "sums", tls=tls, deadline_seconds=60))
        with pytest.raises(RemoteError):
            client.describe()
        client.close()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("field", ["ca", "certificate"])
def test_a_file_that_is_not_there_is_named(protocol: str, field: str, tmp_path: Path) -> None:
    missing = str(tmp_path / "missing.pem")
    scheme = "grpcs" if protocol == "oip-grpc" else "https"
    target = Target(protocol, f"{scheme}://127.0.0.1:1", "sums", tls=Tls(**{field: missing}))
    with pytest.raises(JobError, match=r"missing\.pem: .*No such file"):
        connect(target)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_file_that_holds_no_certificate_is_named(protocol: str, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage.pem"
    garbage.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    scheme = "grpcs" if protocol == "oip-grpc" else "https"
    target = Target(protocol, f"{scheme}://127.0.0.1:1", "sums", tls=Tls(ca=str(garbage)))
    with pytest.raises(JobError, match=r"garbage\.pem: no certificate and key in PEM"):
        connect(target)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_whom_the_machine_trusts_is_trusted(
    protocol: str, authority: Authority, signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.path)
    with served(protocol, signed) as server, client_of(server, protocol, tls=Tls()) as client:
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_key_with_a_password_is_not_asked_about(
    protocol: str, authority: Authority, tmp_path: Path
) -> None:
    own = authority.sign("locked", password=b"hunter2")
    scheme = "grpcs" if protocol == "oip-grpc" else "https"
    tls = Tls(authority.path, own.certificate, own.key)
    with pytest.raises(JobError, match=r"locked\.key: no certificate and key in PEM"):
        connect(Target(protocol, f"{scheme}://127.0.0.1:1", "sums", tls=tls))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_token_of_the_environment_is_shown(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_TOKEN", f"{SECRET}\n")
    source = TokenSource(variable="SERVER_TOKEN")
    with served(protocol) as server, client_of(server, protocol, token=source) as client:
        client.describe()
        assert list_shown(server) == {f"Bearer {SECRET}"}


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_token_that_is_replaced_is_read_again(protocol: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    source = TokenSource(file=str(path))
    with served(protocol) as server, client_of(server, protocol, token=source) as client:
        for token in ("first", "second"):
            path.write_text(token)
            client.describe()
        assert list_shown(server) == {"Bearer first", "Bearer second"}


def list_shown(server: Any) -> set[str]:
    """Return what the server was shown with its requests."""
    if isinstance(server, HttpServer):
        return {request.headers.get("authorization", "") for request in server.requests}
    return {headers.get("authorization", "") for headers in server.all_metadata}


@pytest.mark.parametrize("token", ["", " \n", "a b", "a\r\nHost: b", "\u00fc"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_what_is_no_token_is_refused_and_not_told(
    protocol: str, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_TOKEN", token)
    source = TokenSource(variable="SERVER_TOKEN")
    with (
        served(protocol) as server,
        client_of(server, protocol, token=source) as client,
        pytest.raises(JobError) as refusal,
    ):
        client.describe()
    assert "environment variable SERVER_TOKEN" in str(refusal.value)
    assert token.strip() not in str(refusal.value) or not token.strip()


def test_a_token_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = TokenSource(file=str(tmp_path / "token"))
    with (
        served("oip-http") as server,
        client_of(server, "oip-http", token=source) as client,
        pytest.raises(JobError, match="token, which is to hold the server's token, is empty"),
    ):
        client.describe()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_that_repeats_the_token_does_not_get_it_told(
    protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_TOKEN", SECRET)
    source = TokenSource(variable="SERVER_TOKEN")
    with served(protocol) as server, client_of(server, protocol, token=source) as client:
        words = f"who is Bearer {SECRET}?"
        if protocol == "oip-grpc":
            server.describe = fail(grpc.StatusCode.UNAUTHENTICATED, words)
        else:
            server.answers["/v2"] = answer_json({"error": words}, 401)
        with pytest.raises(DeniedError) as failure:
            client.describe()
    assert SECRET not in str(failure.value)


PROXIES = [
    ("http://scorer", {"http_proxy": "http://proxy:3128"}, "http://proxy:3128"),
    ("https://scorer", {"https_proxy": "http://proxy:3128"}, "http://proxy:3128"),
    ("https://scorer", {"HTTPS_PROXY": "http://proxy:3128"}, "http://proxy:3128"),
    ("https://scorer", {"all_proxy": "http://proxy:3128"}, "http://proxy:3128"),
    ("https://scorer", {"http_proxy": "http://proxy:3128"}, None),
    ("http://scorer", {"http_proxy": "http://proxy:3128", "no_proxy": "scorer"}, None),
    ("http://a.internal", {"http_proxy": "http://proxy:3128", "NO_PROXY": ".internal"}, None),
    ("http://scorer", {"http_proxy": "http://proxy:3128", "no_proxy": "*"}, None),
    ("http://localhost", {"http_proxy": "http://proxy:3128"}, None),
    ("http://127.0.0.1", {"http_proxy": "http://proxy:3128"}, None),
    ("http://[::1]", {"http_proxy": "http://proxy:3128"}, None),
    ("http://scorer", {}, None),
]


@pytest.mark.parametrize(("url", "environment", "proxy"), PROXIES)
def test_the_environments_proxy_is_asked(
    monkeypatch: pytest.MonkeyPatch, url: str, environment: dict[str, str], proxy: str | None
) -> None:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert find_proxy(read_http_url(Target("oip-http", url, "sums"))) == proxy


def test_rows_go_by_way_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "http://scorer:80/v2": answer_json({}),
        "http://scorer:80/v2/models/sums": answer_json({}),
    }
    with http_server.serve(HttpServer(answers)) as proxy:
        place = proxy.url.replace("http://", "http://me:hunter2@")
        monkeypatch.setenv("http_proxy", place)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        client = connect(Target("oip-http", "http://scorer:80", "sums"))
        client.describe()
        client.close()
    assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6aHVudGVyMg=="


def test_a_proxy_of_another_kind_is_refused_and_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "socks5://me:hunter2@proxy")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(JobError) as refusal:
        connect(Target("oip-http", "http://scorer", "sums"))
    assert "hunter2" not in str(refusal.value)
