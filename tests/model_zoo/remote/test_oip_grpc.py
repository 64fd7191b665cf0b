"""The Open Inference Protocol over gRPC, against a server that does what it is told."""

from collections.abc import Callable, Iterator
from contextlib import suppress
import struct
import threading
import time
from typing import Any

import grpc
import numpy as np
import pytest

from model_zoo.remote import grpc_channel
from model_zoo.remote.client import Client, Description, TensorSpec
from model_zoo.remote.failures import (
    BusyError,
    DeniedError,
    GoneError,
    MissingError,
    RefusedError,
    RemoteError,
    TooLargeError,
    WrongError,
)
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target
from tests.remote.oip_grpc_server import OipGrpcServer, fail, make, serve, tensor

Code = grpc.StatusCode
ROWS = np.array([[1, 2, 3], [4, 5, 6]], "float32")
SUMS = np.array([6, 15], "float32")


def add_up(request: Any, context: Any) -> Any:
    """Answer with the sums of rows of float32, in raw bytes, beside a second output that comes first."""
    shape = list(request.inputs[0].shape)
    rows = np.frombuffer(request.raw_input_contents[0], "<f4").reshape(shape)
    answer = make(
        "ModelInferResponse",
        model_name=request.model_name,
        model_version=request.model_version,
        id=request.id,
    )
    answer.outputs.add(name="most", datatype="FP32", shape=[len(rows), 1])
    answer.outputs.add(name="sum", datatype="FP32", shape=[len(rows)])
    answer.raw_output_contents.append(rows.max(axis=1).tobytes())
    answer.raw_output_contents.append(rows.sum(axis=1).tobytes())
    return answer


@pytest.fixture
def told() -> Iterator[OipGrpcServer]:
    model = make("ModelMetadataResponse", name="sums", versions=["3"])
    model.inputs.append(tensor("x", "FP32", -1, 3))
    model.outputs.append(tensor("sum", "FP32", -1))
    model.outputs.append(tensor("most", "FP32", -1, 1))
    with serve(OipGrpcServer(add_up, model=model)) as told:
        yield told


@pytest.fixture
def client(told: OipGrpcServer) -> Iterator[Client]:
    client = connect(target_of(told))
    yield client
    client.close()


def target_of(told: OipGrpcServer, **fields: Any) -> Target:
    return Target("oip-grpc", told.url, "sums", **fields)


def altered(alter: Callable[[Any], None]) -> Callable[[Any, Any], Any]:
    """Return an answer that is right but for one thing."""

    def answer(request: Any, context: Any) -> Any:
        right = add_up(request, context)
        alter(right)
        return right

    return answer


def test_server_and_model_are_described(client: Client) -> None:
    assert client.describe() == Description(
        server="faulty 1.0",
        model_version="3",
        inputs={"x": TensorSpec("float32", (3,))},
        outputs={"sum": TensorSpec("float32", ()), "most": TensorSpec("float32", (1,))},
    )


def test_a_batch_is_answered_by_name(told: OipGrpcServer, client: Client) -> None:
    outputs = client.infer({"x": ROWS}, "unit 7, row 4096")
    np.testing.assert_array_equal(outputs["sum"], SUMS)
    np.testing.assert_array_equal(outputs["most"], [[3], [6]])
    (request,) = told.requests
    assert (request.model_name, request.model_version, request.id) == (
        "sums",
        "3",
        "unit 7, row 4096",
    )


def test_an_answer_may_be_written_to(client: Client) -> None:
    outputs = client.infer({"x": ROWS}, "1")
    outputs["sum"][0] = 7


@pytest.mark.parametrize(
    "rows", [ROWS.astype(">f4"), np.asfortranarray(ROWS), np.repeat(ROWS, 2, axis=0)[::2]]
)
def test_any_layout_is_sent_row_by_row(client: Client, rows: np.ndarray) -> None:
    np.testing.assert_array_equal(client.infer({"x": rows}, "1")["sum"], SUMS)


TYPED = [
    ("BOOL", "bool_contents", [True, False], np.array([True, False])),
    ("INT8", "int_contents", [-128, 127], np.array([-128, 127], "int8")),
    ("INT16", "int_contents", [-1, 300], np.array([-1, 300], "int16")),
    ("INT32", "int_contents", [-1, 2**31 - 1], np.array([-1, 2**31 - 1], "int32")),
    ("INT64", "int64_contents", [-(2**63), 2**53 + 1], np.array([-(2**63), 2**53 + 1], "int64")),
    ("UINT8", "uint_contents", [0, 255], np.array([0, 255], "uint8")),
    ("UINT16", "uint_contents", [0, 65535], np.array([0, 65535], "uint16")),
    ("UINT32", "uint_contents", [0, 2**32 - 1], np.array([0, 2**32 - 1], "uint32")),
    ("UINT64", "uint64_contents", [0, 2**64 - 1], np.array([0, 2**64 - 1], "uint64")),
    ("FP32", "fp32_contents", [0.1, float("nan")], np.array([0.1, np.nan], "float32")),
    ("FP64", "fp64_contents", [0.1, float("inf")], np.array([0.1, np.inf], "float64")),
    ("BYTES", "bytes_contents", [b"Ann", b""], np.array([b"Ann", b""], object)),
]


@pytest.mark.parametrize(("datatype", "field", "values", "expected"), TYPED)
def test_typed_contents_are_read(
    told: OipGrpcServer,
    client: Client,
    datatype: str,
    field: str,
    values: list,
    expected: np.ndarray,
) -> None:
    del told.model.outputs[:]
    told.model.outputs.append(tensor("y", datatype, -1))
    told.infer = typed(datatype, field, values)
    actual = client.infer({"x": ROWS}, "1")["y"]
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def typed(datatype: str, field: str, values: list) -> Callable[[Any, Any], Any]:
    def answer(request: Any, context: Any) -> Any:
        response = make("ModelInferResponse")
        output = response.outputs.add(name="y", datatype=datatype, shape=[2])
        getattr(output.contents, field).extend(values)
        return response

    return answer


RAW = [
    ("BOOL", b"\1\0", np.array([True, False])),
    ("INT64", struct.pack("<2q", -(2**63), 2**53 + 1), np.array([-(2**63), 2**53 + 1], "int64")),
    ("FP16", np.array([0.1, 2], "<f2").tobytes(), np.array([0.1, 2], "float16")),
    ("BF16", b"\x80\x3f\x49\x40", np.array([1, 3.140625], "float32")),
    ("BYTES", b"\3\0\0\0Ann\0\0\0\0", np.array([b"Ann", b""], object)),
]


@pytest.mark.parametrize(("datatype", "content", "expected"), RAW)
def test_raw_contents_are_read(
    told: OipGrpcServer, client: Client, datatype: str, content: bytes, expected: np.ndarray
) -> None:
    del told.model.outputs[:]
    told.model.outputs.append(tensor("y", datatype, -1))
    told.infer = raw(datatype, content)
    actual = client.infer({"x": ROWS}, "1")["y"]
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def raw(
    datatype: str, *contents: bytes, shape: tuple[int, ...] = (2,)
) -> Callable[[Any, Any], Any]:
    def answer(request: Any, context: Any) -> Any:
        response = make("ModelInferResponse", raw_output_contents=contents)
        response.outputs.add(name="y", datatype=datatype, shape=shape)
        return response

    return answer


SENT = [
    ("BF16", np.array([1, 3.1415927], "float32"), b"\x80\x3f\x49\x40"),
    ("BYTES", np.array(["Zoë", b"\xff"], object), b"\4\0\0\0Zo\xc3\xab\1\0\0\0\xff"),
    ("FP16", np.array([0.5, 2], "float16"), b"\x00\x38\x00\x40"),
    ("INT64", np.array([1, -1], ">i8"), struct.pack("<2q", 1, -1)),
]


@pytest.mark.parametrize(("datatype", "rows", "content"), SENT)
def test_inputs_are_sent_in_the_servers_bytes(
    told: OipGrpcServer, client: Client, datatype: str, rows: np.ndarray, content: bytes
) -> None:
    del told.model.inputs[:], told.model.outputs[:]
    told.model.inputs.append(tensor("x", datatype, -1))
    told.infer = raw("FP32", bytes(8))
    client.infer({"x": rows}, "1")
    (request,) = told.requests
    assert list(request.raw_input_contents) == [content]
    assert request.inputs[0].datatype == datatype


WRONG = {
    "fewer rows": (
        raw("FP32", bytes(4), shape=(1,)),
        "output y has 1 rows for the 2 that were sent",
    ),
    "more rows": (raw("FP32", bytes(12), shape=(3,)), "3 rows"),
    "no rows": (raw("FP32", bytes(4), shape=()), "must have rows and sizes"),
    "a free size": (raw("FP32", bytes(4), shape=(-1, 2)), "must have rows and sizes"),
    "a huge shape": (raw("FP32", b"", shape=(2**62, 0, 2**62)), "output y has 0 elements"),
    "many texts in few bytes": (raw("BYTES", b"", shape=(2**60,)), "its bytes end before"),
    "a text that is cut": (raw("BYTES", b"\3\0\0\0Ann\2\0\0\0A"), "do not end"),
    "bytes behind the texts": (raw("BYTES", b"\0\0\0\0\0\0\0\0\0"), "do not end"),
    "too few bytes": (raw("FP32", bytes(7)), "must have 8 bytes, got 7"),
    "too many bytes": (raw("FP32", bytes(9)), "must have 8 bytes, got 9"),
    "contents of no output": (raw("FP32", bytes(8), bytes(8)), "1 outputs and the bytes of 2"),
    "a third truth": (raw("BOOL", b"\1\2"), "neither 0 nor 1"),
    "a datatype that is none": (raw("FP33", bytes(8)), "'FP33'; did you mean FP32?"),
    "typed contents of FP16": (typed("FP16", "fp32_contents", [1, 2]), "must come as raw bytes"),
    "typed contents that overflow": (typed("INT8", "int_contents", [1, 128]), "INT8 cannot hold"),
    "typed contents of fewer": (typed("FP32", "fp32_contents", [1]), "1 elements"),
    "typed contents elsewhere": (typed("FP32", "fp64_contents", [1, 2]), "0 elements"),
    "no message": (lambda request, context: b"\xff\xff", "the answer is no ModelInferResponse"),
    "nothing": (lambda request, context: b"", "the answer has no output"),
}


@pytest.mark.parametrize(("answer", "message"), WRONG.values(), ids=WRONG)
def test_an_answer_that_is_not_whole_is_wrong(
    told: OipGrpcServer, client: Client, answer: Any, message: str
) -> None:
    del told.model.outputs[:]
    told.infer = answer
    with pytest.raises(WrongError) as failure:
        client.infer({"x": ROWS}, "1")
    assert str(failure.value).startswith(f"{told.url}: ")
    assert message in str(failure.value)


OTHERS = {
    "id": (
        lambda answer: setattr(answer, "id", "2"),
        "request 1 got the answer of another request",
    ),
    "version": (
        lambda answer: setattr(answer, "model_version", "4"),
        "version '4' of sums answered, and the run began with 3",
    ),
    "model": (
        lambda answer: setattr(answer, "model_name", "means"),
        "model 'means' answered for sums",
    ),
    "output": (
        lambda answer: setattr(answer.outputs[0], "name", "sums"),
        "output most is missing; there are sum, sums",
    ),
    "dtype": (
        lambda answer: setattr(answer.outputs[0], "datatype", "INT32"),
        "output most must be float32, got int32",
    ),
    "shape": (
        lambda answer: answer.outputs[0].shape.pop(),
        "output most must have rows of shape (1), got ()",
    ),
    "twice": (lambda answer: setattr(answer.outputs[0], "name", "sum"), "two outputs sum"),
}


@pytest.mark.parametrize(("alter", "message"), OTHERS.values(), ids=OTHERS)
def test_an_answer_that_is_another_is_wrong(
    told: OipGrpcServer, client: Client, alter: Any, message: str
) -> None:
    told.infer = altered(alter)
    with pytest.raises(WrongError) as failure:
        client.infer({"x": ROWS}, "1")
    assert message in str(failure.value)


def test_an_answer_may_leave_out_what_it_says_of_itself(
    told: OipGrpcServer, client: Client
) -> None:
    def forget(answer: Any) -> None:
        for field in ("id", "model_version", "model_name"):
            answer.ClearField(field)

    told.infer = altered(forget)
    np.testing.assert_array_equal(client.infer({"x": ROWS}, "1")["sum"], SUMS)


def test_an_answer_must_tell_the_version_that_was_asked_for(told: OipGrpcServer) -> None:
    told.infer = altered(lambda answer: answer.ClearField("model_version"))
    client = connect(target_of(told, version="3"))
    with pytest.raises(WrongError, match="version 3 of sums was asked for"):
        client.infer({"x": ROWS}, "1")
    client.close()


FAILURES = [
    (Code.INVALID_ARGUMENT, "no", RefusedError),
    (Code.OUT_OF_RANGE, "no", RefusedError),
    (Code.INTERNAL, "oh", RefusedError),
    (Code.UNKNOWN, "oh", RefusedError),
    (Code.RESOURCE_EXHAUSTED, "queue is full", BusyError),
    (Code.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)", TooLargeError),
    (Code.UNAVAILABLE, "stopping", GoneError),
    (Code.ABORTED, "stopping", GoneError),
    (Code.NOT_FOUND, "no such model", MissingError),
    (Code.UNAUTHENTICATED, "who", DeniedError),
    (Code.PERMISSION_DENIED, "you", DeniedError),
    (Code.UNIMPLEMENTED, "what", WrongError),
    (Code.FAILED_PRECONDITION, "oh", RefusedError),
    (Code.DATA_LOSS, "oh", RefusedError),
    (Code.CANCELLED, "stopping", GoneError),
    (Code.DEADLINE_EXCEEDED, "late", GoneError),
    # Words of grpc or of a server say something with one code alone.
    (Code.UNAVAILABLE, "the queue is full", BusyError),
    (Code.ABORTED, "the queue is full", GoneError),
    (Code.UNAVAILABLE, "CERTIFICATE_VERIFY_FAILED", DeniedError),
    (Code.UNKNOWN, "CERTIFICATE_VERIFY_FAILED", RefusedError),
    (Code.INTERNAL, "Compression algorithm gzip", WrongError),
    (Code.UNKNOWN, "Compression algorithm gzip", RefusedError),
    (Code.INVALID_ARGUMENT, "larger than max", RefusedError),
]


@pytest.mark.parametrize(("code", "details", "kind"), FAILURES)
def test_each_failure_has_its_class(
    told: OipGrpcServer, client: Client, code: Code, details: str, kind: type[RemoteError]
) -> None:
    told.infer = fail(code, details)
    with pytest.raises(RemoteError) as failure:
        client.infer({"x": ROWS}, "1")
    assert type(failure.value) is kind
    assert str(failure.value).startswith(f"{told.url}: {code.name}: ")


@pytest.mark.parametrize(
    ("code", "is_certain"), [(Code.INVALID_ARGUMENT, True), (Code.INTERNAL, False)]
)
def test_a_server_that_may_have_failed_by_itself_is_told_apart(
    told: OipGrpcServer, client: Client, code: Code, is_certain: bool
) -> None:
    told.infer = fail(code, "oh")
    with pytest.raises(RefusedError) as failure:
        client.infer({"x": ROWS}, "1")
    assert failure.value.is_certain is is_certain


def test_a_busy_server_says_when_to_come_back(told: OipGrpcServer, client: Client) -> None:
    told.infer = fail(Code.RESOURCE_EXHAUSTED, "later", grpc_retry_pushback_ms="1500")
    with pytest.raises(BusyError) as failure:
        client.infer({"x": ROWS}, "1")
    assert failure.value.retry_after_seconds == 1.5


def test_a_servers_words_hold_no_value_of_a_row(told: OipGrpcServer, client: Client) -> None:
    told.infer = fail(Code.INVALID_ARGUMENT, "cannot parse 'Ann' of 4711")
    with pytest.raises(RefusedError) as failure:
        client.infer({"x": ROWS}, "1")
    assert str(failure.value) == f"{told.url}: INVALID_ARGUMENT: cannot parse *** of ***"


def test_a_batch_that_is_too_large_is_told_apart(told: OipGrpcServer, client: Client) -> None:
    with pytest.raises(TooLargeError):
        client.infer({"x": np.zeros((400_000, 3), "float32")}, "1")


def test_an_answer_that_is_too_large_is_cut(
    told: OipGrpcServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(grpc_channel._OPTIONS, "grpc.max_receive_message_length", 1_000)
    client = connect(target_of(told))
    client.describe()
    with pytest.raises(TooLargeError):
        client.infer({"x": np.zeros((1_000, 3), "float32")}, "1")
    client.close()


def test_a_packed_answer_is_refused_unread() -> None:
    with serve(OipGrpcServer(add_up), compression=grpc.Compression.Gzip) as told:
        client = connect(target_of(told))
        with pytest.raises(WrongError, match="answers must not be packed"):
            client.infer({"x": np.zeros((1_000, 3), "float32")}, "1")
        client.close()


def test_a_server_that_is_gone_is_gone(told: OipGrpcServer) -> None:
    with serve(OipGrpcServer(add_up)) as gone:
        target = target_of(gone)
    client = connect(target)
    with pytest.raises(GoneError):
        client.describe()
    client.close()


def test_a_server_that_is_back_is_found_at_once(told: OipGrpcServer) -> None:
    with serve(OipGrpcServer(add_up)) as first:
        client = connect(target_of(first))
        client.infer({"x": ROWS}, "1")
    with pytest.raises(GoneError):
        client.infer({"x": ROWS}, "2")
    end = time.monotonic() + 60
    with serve(OipGrpcServer(add_up), port=first.port):
        outputs = {}
        while not outputs and time.monotonic() < end:
            with suppress(GoneError):
                outputs = client.infer({"x": ROWS}, "3")
    np.testing.assert_array_equal(outputs["sum"], SUMS)
    client.close()


def test_a_slow_server_is_gone_after_the_deadline(told: OipGrpcServer) -> None:
    answered = threading.Event()

    def wait(request: Any, context: Any) -> Any:
        answered.wait(60)
        return add_up(request, context)

    client = connect(target_of(told, deadline_seconds=0.2))
    # Asked for again, as this answer may come too late, too, on a machine that is busy.
    described = None
    while described is None:
        with suppress(GoneError):
            described = client.describe()
    told.infer = wait
    with pytest.raises(GoneError, match="DEADLINE_EXCEEDED"):
        client.infer({"x": ROWS}, "1")
    answered.set()
    client.close()
