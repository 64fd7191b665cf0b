"""Weights files at their limits; `tests/security/test_model_files.py` is about those that mean harm."""

from collections.abc import Callable
import io
from pathlib import Path
import pickle
import struct
import zipfile

import pytest
from safetensors.torch import save
import torch

from model_zoo.package import state_dicts
from model_zoo.package.state_dicts import read_state_dict

STATE = {"a": torch.arange(3.0), "b": torch.zeros(2, 2, dtype=torch.int64)}
# Lengths of the ends of a zip archive, and how they begin.
END, WIDE_END, WIDE_END_AT = 22, 56, 20


def archive(state: object = STATE) -> bytes:
    sink = io.BytesIO()
    torch.save(state, sink)
    return sink.getvalue()


def with_wide_end(content: bytes) -> bytes:
    """The archive with the ends that one of more than 4 GiB has."""
    size, offset = struct.unpack_from("<12xLL", content, len(content) - END)
    # Where torch has written such an end itself, what follows the list is left out.
    body = content[: offset + size]
    (records,) = struct.unpack_from("<10xH", content, len(content) - END)
    if records == 0xFFFF:
        raise AssertionError("more records than a small archive has")
    wide = struct.pack(
        "<4sQHHLLQQQQ", b"PK\x06\x06", 44, 45, 45, 0, 0, records, records, size, offset
    )
    at = struct.pack("<4sLQL", b"PK\x06\x07", 0, len(body), 1)
    end = struct.pack("<4sHHHHLLH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 2**32 - 1, 2**32 - 1, 0)
    assert (len(wide), len(at), len(end)) == (WIDE_END, WIDE_END_AT, END)
    return body + wide + at + end


def small(content: bytes) -> bytes:
    """The archive with nothing but records, their list and its end."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return sink.getvalue()


@pytest.mark.parametrize(
    "content",
    [archive(), small(archive()), with_wide_end(small(archive()))],
    ids=["as torch writes it", "with a short end", "with a wide end"],
)
@pytest.mark.parametrize("name", ["weights.pt", "weights.pth"])
def test_an_archive_is_read_whichever_end_it_has(name: str, content: bytes) -> None:
    check_state(read_state_dict(name, content))


def check_state(found: dict[str, torch.Tensor]) -> None:
    assert set(found) == set(STATE)
    assert all(torch.equal(found[name], tensor) for name, tensor in STATE.items())


def changed(place: int, format: str, value: object) -> Callable[[bytes], bytes]:
    """Write a number so many bytes before the end."""

    def change(content: bytes) -> bytes:
        at = len(content) - place
        new = struct.pack(format, value)
        return content[:at] + new + content[at + len(new) :]

    return change


OTHER_ENDS: dict[str, Callable[[bytes], bytes]] = {
    "no wide end where it should be": changed(END + WIDE_END_AT + WIDE_END, "<4s", b"PK\x06\x05"),
    "a wide end elsewhere": changed(END + WIDE_END_AT - 8, "<Q", 0),
    "a list elsewhere": changed(END + WIDE_END_AT + 8, "<Q", 0),
    "a list of another length": changed(END + WIDE_END_AT + 16, "<Q", 1),
    "a comment": changed(2, "<H", 1),
}


@pytest.mark.parametrize("kind", OTHER_ENDS)
def test_a_wide_end_that_readers_may_understand_otherwise_is_refused(kind: str) -> None:
    content = OTHER_ENDS[kind](with_wide_end(small(archive())))
    with pytest.raises(ValueError, match="readers would find different records in it"):
        read_state_dict("weights.pt", content)


def test_an_archive_that_is_hardly_more_than_its_end_is_refused() -> None:
    for length in (0, 4, 20, 40):
        content = b"PK\x03\x04" + bytes(length) + b"PK\x05\x06" + bytes(END - 4)
        with pytest.raises(ValueError, match=r"it is not an archive of torch\.save"):
            read_state_dict("weights.pt", content)
    # Too short for the wide end that it speaks of.
    content = b"PK\x03\x04" + b"PK\x06\x07" + bytes(16) + b"PK\x05\x06" + bytes(END - 4)
    with pytest.raises(ValueError, match="readers would find different records in it"):
        read_state_dict("weights.pt", content)


def with_pickle(instructions: bytes) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive())) as old, zipfile.ZipFile(sink, "w") as new:
        for name in old.namelist():
            is_pickle = name.endswith("data.pkl")
            new.writestr(name, instructions if is_pickle else old.read(name))
    return sink.getvalue()


@pytest.mark.parametrize("sign", [1, -1])
def test_an_integer_of_64_bits_is_read_and_a_larger_one_is_not(sign: int) -> None:
    largest = pickle.dumps({sign * (2**64 - 1): 0}, 2)
    with pytest.raises(ValueError, match="it is not a state dict"):
        read_state_dict("weights.pt", with_pickle(largest))
    larger = pickle.dumps({sign * 2**64: 0}, 2)
    with pytest.raises(ValueError, match="it holds an integer of more than 64 bits"):
        read_state_dict("weights.pt", with_pickle(larger))


NO_STATE_DICTS: dict[str, object] = {
    "a list": [torch.zeros(1)],
    "a number for a name": {1: torch.zeros(1)},
    "a list in it": {"a": [torch.zeros(1)]},
    "a number behind a tensor": {"a": torch.zeros(1), "b": 1},
    "sparse": {"a": torch.eye(2).to_sparse()},
    "without memory": {"a": torch.zeros(1, device="meta")},
}


@pytest.mark.parametrize("kind", NO_STATE_DICTS)
def test_what_is_no_dict_of_tensors_in_memory_is_refused(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However torch came by it: it may learn to put other things together."""
    monkeypatch.setattr(torch, "load", lambda *_, **__: NO_STATE_DICTS[kind])
    with pytest.raises(ValueError, match="it is not a state dict"):
        read_state_dict("weights.pt", archive())


def test_an_archive_of_no_tensors_is_read() -> None:
    assert read_state_dict("weights.pt", archive({})) == {}


class Touches:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.path,)


def test_torch_itself_would_not_follow_what_was_overlooked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_dicts, "_refuse_code", lambda _: None)
    content = archive({"a": Touches(tmp_path / "canary")})
    with pytest.raises(ValueError, match="it holds more than plain weights"):
        read_state_dict("weights.pt", content)
    assert not (tmp_path / "canary").exists()


def test_records_may_be_as_large_as_the_file_says_and_no_larger() -> None:
    records = [zipfile.ZipInfo("a/data.pkl"), zipfile.ZipInfo("a/data/0")]
    for record in records:
        record.file_size = 50
    assert state_dicts._choose_record(records, 100) == "a/data.pkl"
    with pytest.raises(ValueError, match="said to be larger than the file"):
        state_dicts._choose_record(records, 99)
    records[1].compress_type = zipfile.ZIP_DEFLATED
    with pytest.raises(ValueError, match="its records are compressed"):
        state_dicts._choose_record(records, 100)


@pytest.mark.parametrize(
    "names", [["a/data/0"], ["a/data.pkl", "b/data.pkl"], ["a/data.pkl", "a/version", "a/version"]]
)
def test_there_is_one_pickle_and_no_record_twice(names: list[str]) -> None:
    records = [zipfile.ZipInfo(name) for name in names]
    with pytest.raises(ValueError, match="a record is missing, or there twice"):
        state_dicts._choose_record(records, 100)


def test_safetensors_are_read() -> None:
    check_state(read_state_dict("weights.safetensors", save(STATE)))
