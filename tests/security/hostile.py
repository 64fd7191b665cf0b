"""Model files as an attacker writes them. Each would leave a canary file behind if anything of it ran."""

from collections.abc import Callable
from functools import cache
import io
import os
from pathlib import Path
import pickle
import struct
from typing import Any
import warnings
import zipfile

import joblib
from safetensors.torch import save
import torch

from tests.support.builders import tiny_network

_ENTRY, _END_BYTES = (
    b"PK\x01\x02",
    22,
)  # how a zip archive's list of records begins, and the length of its end


class Payload:
    """Unpickled by anything that follows instructions, it touches the canary."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, (f"touch '{self.canary}'",)


def weights() -> dict[str, torch.Tensor]:
    return dict(tiny_network().state_dict())


def torch_saved(value: Any, **how: Any) -> bytes:
    sink = io.BytesIO()
    torch.save(value, sink, **how)
    return sink.getvalue()


def joblib_dumped(value: Any) -> bytes:
    sink = io.BytesIO()
    joblib.dump(value, sink)
    return sink.getvalue()


class _Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = tiny_network().layers

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)[:, 0]


@cache
def torchscript() -> bytes:
    """A scripted network, with code of its own in the archive."""
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(_Net(), torch.zeros(2, 3)), sink)
    return sink.getvalue()


def torchscript_with_payload(canary: Path) -> bytes:
    """A scripted network whose pickle of attributes holds a payload, too."""
    return rewritten(
        torchscript(),
        lambda name, content: (
            pickle.dumps(Payload(canary), 2) if name.endswith("data.pkl") else content
        ),
    )


@cache
def exported() -> bytes:
    """A `.pt2` of torch.export."""
    sink = io.BytesIO()
    torch.export.save(torch.export.export(_Net(), (torch.zeros(2, 3),)), sink)
    return sink.getvalue()


def exported_with_payload(canary: Path) -> bytes:
    """A `.pt2` whose example of an input is a pickle that calls os.system; torch.export.load follows it without being asked."""
    example = with_payload_in_archive(canary)
    return rewritten(
        exported(),
        lambda name, content: example if name.endswith("sample_inputs/model.pt") else content,
    )


def rewritten(
    archive: bytes, change: Callable[[str, bytes], bytes], packed: int = zipfile.ZIP_STORED
) -> bytes:
    """The archive with other content in its records."""
    sink = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as old, zipfile.ZipFile(sink, "w", packed) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return sink.getvalue()


def with_records(archive: bytes, records: dict[str, bytes]) -> bytes:
    """The archive, or whatever it is, with more records."""
    sink = io.BytesIO(archive)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is there twice
        with zipfile.ZipFile(sink, "a") as archive_file:
            for name, content in records.items():
                archive_file.writestr(name, content)
    return sink.getvalue()


def records(archive: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(archive)) as archive_file:
        return {name: archive_file.read(name) for name in archive_file.namelist()}


def with_payload_in_archive(canary: Path) -> bytes:
    """A `.pt` whose tensors are told apart by a pickle that calls os.system first."""
    return torch_saved({**weights(), "extra": Payload(canary)})


def with_hidden_call(canary: Path) -> bytes:
    """A pickle that names what it calls by computed strings."""
    instructions = pickle.dumps(Payload(canary), protocol=4)
    assert b"\x93" in instructions
    return rewritten(
        torch_saved(weights()),
        lambda name, content: instructions if name.endswith("data.pkl") else content,
    )


def with_archive_in_comment(canary: Path) -> bytes:
    """A clean archive whose comment is a hostile one; a reader of zip files goes by the last end that it finds."""
    clean, hostile = torch_saved(weights()), with_payload_in_archive(canary)
    return clean[:-2] + struct.pack("<H", len(hostile)) + hostile


def with_two_lists_of_records(canary: Path) -> bytes:
    """A hostile archive, and a clean one behind it whose end says where the hostile list is.

    Python goes to right before the end, where the clean list is, and torch to where the end says.
    """
    hostile, clean = (
        with_payload_in_archive(canary),
        rewritten(torch_saved(weights()), lambda name, content: content),
    )
    hostile_list = hostile.index(_ENTRY)
    records, clean_list, end = (
        clean[: clean.index(_ENTRY)],
        clean[clean.index(_ENTRY) : -_END_BYTES],
        clean[-_END_BYTES:],
    )
    end = end[:12] + struct.pack("<LLH", len(clean_list), hostile_list, 0)
    return hostile[:-_END_BYTES] + records.ljust(hostile_list, b"\0") + clean_list + end


def with_pickle_before_archive(canary: Path) -> bytes:
    """A clean archive that begins as a file of torch before 1.6, which has no archive; torch goes by how a file begins."""
    return with_records(
        torch_saved(Payload(canary), _use_new_zipfile_serialization=False),
        records(torch_saved(weights())),
    )


def safetensors_file(header: bytes, numbers: bytes = b"", length: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if length is None else length) + header + numbers


def pickled(value: Any) -> bytes:
    return pickle.dumps(value)


def lying_headers() -> dict[str, bytes]:
    """Safetensors files whose header lies; the network's own weights are in most of them."""
    good = save(weights())
    length = int.from_bytes(good[:8], "little")
    header, numbers = good[8 : 8 + length], good[8 + length :]
    one = b'{"layers.0.weight":{"dtype":"F32","shape":%s,"data_offsets":%s}}'
    return {
        "length beyond any memory": safetensors_file(header, numbers, 2**63),
        "length beyond the file": safetensors_file(header, numbers, len(good) * 2),
        "length of zero": safetensors_file(header, numbers, 0),
        "cut": good[:-4],
        "more behind": good + b"\0" * 4,
        "offsets outside": safetensors_file(one % (b"[8,3]", b"[0,96000]"), numbers),
        "negative offsets": safetensors_file(one % (b"[8,3]", b"[-96,96]"), numbers),
        "overlapping": safetensors_file(header.replace(b"[32,128]", b"[0,96]"), numbers),
        "the same name twice": safetensors_file(
            header.rstrip()[:-1] + b"," + header.strip()[1:], numbers
        ),
        "another dtype": safetensors_file(header.replace(b'"F32"', b'"F16"'), numbers),
        "integers": safetensors_file(header.replace(b'"F32"', b'"I32"'), numbers),
        "an unknown dtype": safetensors_file(header.replace(b'"F32"', b'"PY"'), numbers),
        "a dtype that torch lacks": safetensors_file(
            one.replace(b"F32", b"F4") % (b"[8,6]", b"[0,24]"), numbers[:24]
        ),
        "larger than the file": safetensors_file(
            one % (b"[1099511627776]", b"[0,96]"), numbers[:96]
        ),
        "a size that overflows": safetensors_file(
            one % (b"[4611686018427387904,8]", b"[0,96]"), numbers[:96]
        ),
        "no JSON": safetensors_file(b"{" * len(header), numbers),
        "deep JSON": safetensors_file(b"[" * 100_000),
        "empty": b"",
    }
