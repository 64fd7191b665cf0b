"""Calls methods of a gRPC server with bytes, and tells its failures apart.

Messages are made and read elsewhere: what grpc's own reading of a message raises is told as a
failure of the server, and logged with the message in it.
"""

from typing import Any

import grpc

from model_zoo.remote.certificates import read_pem
from model_zoo.remote.failures import (
    BusyError,
    DeniedError,
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    TooLargeError,
    WrongError,
    quote_server,
)
from model_zoo.remote.target import Target, Tls
from model_zoo.remote.tokens import read_token
from model_zoo.remote.urls import Address, read_grpc_url

# More than any batch of scores has; a server that sends more without an end fills no memory.
MOST_ANSWER_BYTES = 256 * 2**20
_OPTIONS = {
    # Ours is as large as the batch, which the job bounds.
    "grpc.max_send_message_length": -1,
    "grpc.max_receive_message_length": MOST_ANSWER_BYTES,
    # Identity alone: a small answer that is unpacked to gigabytes is refused unread.
    "grpc.compression_enabled_algorithms_bitset": 1,
    # Who asks again, and when, is decided in calls.py, which counts.
    "grpc.enable_retries": 0,
    # grpc would wait up to two minutes before it looks again for a server that has been restarted.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 1_000,
    "grpc.max_reconnect_backoff_ms": 1_000,
    # A text record in DNS may name settings of the server's choice.
    "grpc.service_config_disable_resolution": 1,
    # A connection of its own: another client's trouble in this process is not ours.
    "grpc.use_local_subchannel_pool": 1,
}
_TOO_LARGE = "larger than max"
# As grpc words a server's certificate that is not signed by whom it must be, or is another host's.
_BAD_CERTIFICATE = ("CERTIFICATE_VERIFY_FAILED", "Hostname Verification", "Peer name")
# grpc's own words for an answer that is packed, though nothing was said to be understood.
_PACKED = "Compression algorithm"
# As Triton and TensorFlow Serving word a full queue: the server is there.
_QUEUE = " queue "
_PUSHBACK = "grpc-retry-pushback-ms"

_Code = grpc.StatusCode
_DENIED = {_Code.UNAUTHENTICATED, _Code.PERMISSION_DENIED}
_ROWS = {_Code.INVALID_ARGUMENT, _Code.OUT_OF_RANGE}
# A server may fail so on a row, and by itself.
_MAYBE_ROWS = {_Code.INTERNAL, _Code.UNKNOWN, _Code.FAILED_PRECONDITION, _Code.DATA_LOSS}
_GONE = {_Code.UNAVAILABLE, _Code.DEADLINE_EXCEEDED, _Code.CANCELLED, _Code.ABORTED}


class GrpcChannel:
    """A connection to a gRPC server, made when it is first needed and again when it is lost."""

    def __init__(self, target: Target) -> None:
        """Take note of where the server is.

        Args:
            target: whose URL is one of gRPC.

        Raises:
            JobError: it is not, or a file of a certificate cannot be read.
        """
        self._target = target
        self._channel = _open_channel(read_grpc_url(target), target.tls)
        self._methods: dict[str, Any] = {}

    def call(self, method: str, request: bytes) -> bytes:
        """Return the answer of a method.

        Args:
            method: as `/package.Service/Method`.
            request: a message.

        Raises:
            RemoteError: there is no answer; its class says what is to be done.
            JobError: there is no token where the job says that there is one.
        """
        token = read_token(self._target.token)
        metadata = [] if token is None else [("authorization", f"Bearer {token}")]
        send = self._find_method(method)
        try:
            answer: bytes = send(
                request,
                timeout=self._target.deadline_seconds,
                metadata=metadata,
            )
        except grpc.RpcError as error:
            secrets = [] if token is None else [token]
            raise self._tell(error, secrets) from None
        return answer

    def close(self) -> None:
        """Let the connection go."""
        self._channel.close()

    def _find_method(self, method: str) -> Any:
        # One for all calls: making one takes as long as a small call.
        if method not in self._methods:
            self._methods[method] = self._channel.unary_unary(method)
        return self._methods[method]

    def _tell(self, error: Any, secrets: list[str]) -> RemoteError:
        code = error.code()
        details = error.details() or ""
        words = quote_server(details, secrets)
        message = f"{code.name}: {words}"
        # grpc's own words for a certificate stand in what it says of the connection.
        is_certificate = any(sign in details for sign in _BAD_CERTIFICATE)
        if code is _Code.UNAVAILABLE and is_certificate:
            return DeniedError(f"{message}; model.tls.ca must name who has signed its certificate")
        if code is _Code.RESOURCE_EXHAUSTED and _TOO_LARGE in details:
            return TooLargeError(message)
        has_full_queue = code is _Code.UNAVAILABLE and _QUEUE in details
        if code is _Code.RESOURCE_EXHAUSTED or has_full_queue:
            return BusyError(message, _read_pushback(error))
        if code in _DENIED:
            return DeniedError(message)
        if code is _Code.NOT_FOUND:
            return MissingError(message)
        if code in _GONE:
            return GoneError(message)
        if code is _Code.INTERNAL and _PACKED in details:
            return WrongError(f"{message}; answers must not be packed: switch that off there")
        if code in _ROWS:
            return RefusedError(message)
        if code in _MAYBE_ROWS:
            return RefusedError(message, is_certain=False)
        return WrongError(message)


def _open_channel(address: Address, tls: Tls) -> Any:
    options = dict(_OPTIONS)
    if address.is_loopback:
        # A proxy that is named for everything else does not know of this machine's own servers.
        options["grpc.enable_http_proxy"] = 0
    host = f"[{address.host}]" if ":" in address.host else address.host
    place = f"{host}:{address.port}"
    if not address.has_tls:
        return grpc.insecure_channel(place, list(options.items()))
    pem = read_pem(tls)
    credentials = grpc.ssl_channel_credentials(pem.ca, pem.key, pem.certificate)
    return grpc.secure_channel(place, credentials, list(options.items()))


def _read_pushback(error: Any) -> float | None:
    """Return how many seconds the server asks to be left alone."""
    for key, value in error.trailing_metadata() or ():
        if key == _PUSHBACK and str(value).isdigit():
            return int(value) / 1_000
    return None
