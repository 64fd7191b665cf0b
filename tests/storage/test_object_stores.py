"""A store's conditional put, and what a client raises: by the answers that a store gives, with no store.

The same against real servers: tests/object_stores.
"""

from typing import Any

from botocore.exceptions import NoCredentialsError
import pytest

from configs.errors import JobError
from storage import files
from storage.client_errors import plain_errors
from storage.object_stores import (
    _USER,
    can_publish_to,
    is_object_store,
    is_s3,
    locate,
    put_if_absent,
    whole_in_one_request,
)


def refused(status: int) -> OSError:
    """What s3fs raises of a response that is not the one it wished for."""
    error, answer = OSError("refused"), RuntimeError("the client's own")
    answer.response = {"ResponseMetadata": {"HTTPStatusCode": status}}  # type: ignore[attr-defined]
    error.__cause__ = answer
    return error


class Store:
    """A store of one object, which first raises what stands in `answers` (None: the put went through)."""

    def __init__(
        self,
        *answers: Exception | None,
        standing: bytes | None = None,
        protocol: Any = ("s3", "s3a"),
    ) -> None:
        self.answers, self.content, self.protocol = list(answers), standing, protocol
        self.puts: list[dict[str, Any]] = []

    def pipe_file(self, path: str, content: bytes, **flags: Any) -> None:
        self.puts.append(flags)
        if self.answers and (error := self.answers.pop(0)) is not None:
            raise error
        self.content = content

    def cat_file(self, path: str) -> bytes:
        if self.content is None:
            raise FileNotFoundError(path)
        return self.content


def test_a_name_that_is_free_is_taken_in_one_request_whatever_the_size() -> None:
    for content in (b"", b"content", bytes(100_000)):
        store = Store()
        assert put_if_absent(store, "bucket/a", content)
        (put,) = store.puts
        assert put["mode"] == "create"
        assert (
            len(content) < put["chunksize"] <= 5 << 30
        )  # shorter than a piece, of which none may be larger


class Large(bytes):
    """As many bytes as no test has."""

    def __len__(self) -> int:
        return 6 << 30


def test_no_request_is_larger_than_5_gib() -> None:
    store = Store()
    assert put_if_absent(store, "bucket/a", Large())
    assert [put["chunksize"] for put in store.puts] == [5 << 30]


@pytest.mark.parametrize("protocol", [("s3", "s3a"), "s3"])
def test_of_s3_an_object_is_read_by_one_request_of_one_part(protocol: Any) -> None:
    assert is_s3(Store(protocol=protocol))
    assert whole_in_one_request(Store(protocol=protocol)) == {"max_concurrency": 1}
    for other in ("memory", ("gs", "gcs")):
        assert not is_s3(Store(protocol=other))
        assert whole_in_one_request(Store(protocol=other)) == {}


def test_what_is_no_object_store_knows_no_pieces() -> None:
    store = Store(protocol="memory")
    assert put_if_absent(store, "a", b"content")
    assert store.puts == [{"mode": "create"}]


@pytest.mark.parametrize("answer", [refused(412), FileExistsError()])
@pytest.mark.parametrize(
    ("standing", "ours"), [(b"content", True), (b"other", False), (None, False)]
)
def test_a_name_that_is_taken_is_ours_if_our_content_stands_there(
    answer: Exception, standing: bytes | None, ours: bool
) -> None:
    """An answer was lost, and the client has asked again."""
    store = Store(answer, standing=standing)
    assert put_if_absent(store, "bucket/a", b"content") is ours
    assert (len(store.puts), store.content) == (1, standing)


@pytest.mark.parametrize("conflicts", [1, 4])
def test_a_put_beside_another_is_tried_again(conflicts: int) -> None:
    store = Store(*[refused(409)] * conflicts)
    assert put_if_absent(store, "bucket/a", b"content")
    assert (len(store.puts), store.content) == (conflicts + 1, b"content")


def test_the_fifth_conflict_counts() -> None:
    store = Store(*[refused(409)] * 5)
    with pytest.raises(OSError, match="refused"):
        put_if_absent(store, "bucket/a", b"content")
    assert len(store.puts) == 5


@pytest.mark.parametrize(
    "answer", [refused(403), refused(411), refused(413), PermissionError("no"), TimeoutError()]
)
def test_any_other_answer_is_an_error(answer: OSError) -> None:
    store = Store(answer, standing=b"content")
    with pytest.raises(type(answer)):
        put_if_absent(store, "bucket/a", b"content")
    assert len(store.puts) == 1


def test_a_bucket_that_is_not_there_is_named() -> None:
    with pytest.raises(FileNotFoundError, match="there is no bucket bucket, or none"):
        put_if_absent(Store(FileNotFoundError("a/b/c")), "bucket/a/b", b"")


@pytest.mark.parametrize(
    ("error", "kind", "strerror"),
    [
        (OSError("two\n  lines"), OSError, "two lines"),
        (OSError(28, "No space left"), OSError, "No space left"),
        (FileNotFoundError(), FileNotFoundError, "FileNotFoundError"),
        (NoCredentialsError(), OSError, "Unable to locate credentials"),
    ],
)
def test_what_goes_wrong_is_an_oserror_of_one_line(
    error: Exception, kind: type[OSError], strerror: str
) -> None:
    with pytest.raises(kind) as caught, plain_errors():
        raise error
    assert caught.value.strerror == strerror
    assert caught.value is error or caught.value.__cause__ is error


def test_an_error_in_a_program_stays_what_it_is() -> None:
    with pytest.raises(KeyError), plain_errors():
        raise KeyError("ours")


def test_an_error_that_a_client_met_in_a_library_of_its_own_is_the_clients() -> None:
    """What s3fs raises of an XML parser, for one: the class is nobody's, but a frame of s3fs is on its way."""
    namespace = {"__name__": "s3fs.core"}
    exec("def call():\n    raise ValueError('no XML')", namespace)  # noqa: S102 - a frame of that name
    with pytest.raises(OSError, match="no XML"), plain_errors():
        namespace["call"]()  # type: ignore[operator]


@pytest.mark.parametrize(
    ("url", "can"),
    [
        ("scores", True),
        ("/data/a::b", True),
        ("file:///data", True),
        ("memory://a", True),
        ("gs://bucket/a", True),
        ("gcs://bucket/a", True),
        ("s3a://bucket/a", True),
        ("https://host/a", False),
        ("simplecache::s3://bucket/a", False),
        ("s3://bucket/a::b", False),
    ],
)
def test_where_a_run_can_be_published(url: str, can: bool) -> None:
    assert can_publish_to(url) is can


def test_which_file_systems_are_object_stores() -> None:
    assert [
        is_object_store(Store(protocol=p))
        for p in ("s3", ("gs", "gcs"), ("file", "local"), "memory")
    ] == [
        True,
        True,
        False,
        False,
    ]


def test_a_file_whose_writing_fails_is_closed_and_raises_its_own_error(tmp_path: Any) -> None:
    writing = files.open_synced(f"{tmp_path}/a")
    file = writing.__enter__()
    file.write(b"half")
    error = KeyError("ours")
    assert not writing.__exit__(KeyError, error, None)
    assert file._file.closed


def test_a_path_is_a_path_whatever_stands_in_it(tmp_path: Any) -> None:
    files.put(f"{tmp_path}/zip::memory::a", b"content")
    assert (tmp_path / "zip::memory::a").read_bytes() == b"content"


@pytest.mark.parametrize(
    "url",
    ["s3://key:canary@b/x", "s3://key:can/ary@b/x", "https://canary@h:80/x", "gs://:canary@b"],
)
def test_an_address_with_a_user_goes_to_no_client_which_would_quote_it(url: str) -> None:
    with pytest.raises(JobError, match=r"^\w+://\*\*\*: must hold no credentials") as refused:
        locate(url)
    assert "ary" not in str(refused.value).replace("library", "")


def test_an_at_sign_behind_a_host_or_a_port_is_a_letter() -> None:
    assert locate("memory://a/b@c").path == "/a/b@c"
    assert not _USER.search("http://localhost:9000/a@b")
