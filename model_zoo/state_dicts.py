"""The bytes of a weights file to tensors by name. Weights are data: whatever could run code, or lies about its size, is refused unread.

safetensors    a header in JSON and numbers behind it
.pt, .pth      a zip archive as `torch.save` has written it since version 1.6. What tells the tensors apart is a pickle: its
               instructions are looked through before anything follows them, and torch follows them only with `weights_only`.
"""

from collections.abc import Iterator
import io
import json
import pickle
import pickletools
import re
import struct
from typing import Any
import zipfile

from safetensors import SafetensorError
from safetensors.torch import load
import torch

StateDict = dict[str, torch.Tensor]

# Beside the pickle: the tensors' bytes, and how they are stored. A program (TorchScript, torch.export) has other files.
_RECORD = re.compile(r"[^/]+/(data\.pkl|data/\d+|version|byteorder|\.format_version|\.storage_alignment|\.data/serialization_id)")
_CALLED = re.compile(
    r"torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)|torch ([A-Z]\w*)?Storage|torch\.storage UntypedStorage|"
    r"collections OrderedDict"
)
_COULD_RUN_CODE = "and such a file could run code; save the state dict alone, best as .safetensors"
# How a zip archive begins and ends: its list of records, in a large one a wide end and where that is, and the end.
_FIRST, _WIDE_END, _WIDE_END_AT, _END = b"PK\x03\x04", b"PK\x06\x06", b"PK\x06\x07", b"PK\x05\x06"
_WIDE_END_BYTES, _WIDE_END_AT_BYTES, _END_BYTES = 56, 20, 22


def read_state_dict(name: str, content: bytes) -> StateDict:
    """The tensors of a file, by the format that its name says.

    Raises:
        ValueError: it is not of that format, or holds more than tensors.
    """
    if name.endswith(".safetensors"):
        return _from_safetensors(content)
    if name.endswith((".pt", ".pth")):
        return _from_torch(content)
    raise ValueError("only .safetensors, .pt and .pth state dicts are read; other formats can carry code")


def _from_safetensors(content: bytes) -> StateDict:
    try:
        state = load(content)
    except (SafetensorError, KeyError) as error:  # KeyError: a dtype that torch does not have
        raise ValueError(f"it is not a safetensors file: {error}") from error
    length = int.from_bytes(content[:8], "little")
    json.loads(content[8 : 8 + length], object_pairs_hook=_refuse_twins)
    return state


def _from_torch(content: bytes) -> StateDict:
    _refuse_code(_pickle_in(content))
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"it holds more than plain weights, {_COULD_RUN_CODE}") from error
    if not isinstance(state, dict) or not all(isinstance(name, str) and _is_plain(value) for name, value in state.items()):
        raise ValueError("it is not a state dict: tensors in memory, by name, and nothing else")
    return dict(state)


def _pickle_in(content: bytes) -> bytes:
    """The archive's pickle; what is no archive, is packed, or has other records than a state dict's is refused."""
    if not content.startswith(_FIRST) or content[-_END_BYTES : 4 - _END_BYTES] != _END:
        raise ValueError(f"it is not an archive of torch.save but a bare pickle or another kind of file, {_COULD_RUN_CODE}")
    if not _has_one_list(content):
        raise ValueError(f"it is not an archive of torch.save: readers would find different records in it, {_COULD_RUN_CODE}")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            records = archive.infolist()
            if other := next((r.filename for r in records if not _RECORD.fullmatch(r.filename)), None):
                raise ValueError(f"it holds {other!r}, so it is a program (TorchScript, torch.export), {_COULD_RUN_CODE}")
            if any(r.compress_type != zipfile.ZIP_STORED for r in records) or sum(r.file_size for r in records) > len(content):
                raise ValueError("its records are compressed, or said to be larger than the file; torch.save writes neither")
            names = [r.filename for r in records]
            pickles = [n for n in names if n.endswith("/data.pkl")]
            if len(set(names)) != len(names) or len(pickles) != 1:
                raise ValueError("it is not an archive of torch.save: a record is missing, or there twice")
            return archive.read(pickles[0])
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"it is not an archive of torch.save: {error}") from error


def _has_one_list(content: bytes) -> bool:
    """Whether all readers find the archive's list of records in one place: by the offset that the end states, and right before it."""
    at = len(content) - _END_BYTES
    size, offset = struct.unpack_from("<12xLL", content, at)
    stated = at - _WIDE_END_AT_BYTES
    if stated >= 0 and content.startswith(_WIDE_END_AT, stated):
        at = stated - _WIDE_END_BYTES
        if at < 0 or struct.unpack_from("<8xQ", content, stated) != (at,) or not content.startswith(_WIDE_END, at):
            return False
        size, offset = struct.unpack_from("<40xQQ", content, at)
    return bool(offset + size == at) and content.endswith(b"\0\0")  # no comment: it could be another end


def _refuse_code(instructions: bytes) -> None:
    """Look through a pickle without following it; it may call nothing but what puts tensors together."""
    for called in _calls(instructions):
        if not _CALLED.fullmatch(called):
            raise ValueError(f"it calls {called.replace(' ', '.')!r}, which is more than plain weights, {_COULD_RUN_CODE}")


def _calls(instructions: bytes) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(instructions):
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name in ("STACK_GLOBAL", "EXT1", "EXT2", "EXT4"):  # named by what was computed; torch.save has none
            yield opcode.name


def _is_plain(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it is not a safetensors file: a name stands twice in its header")
    return found
