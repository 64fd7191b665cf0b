"""Read the bytes of a weights file as tensors by name.

Weights are data: whatever could run code, or lies about its size, is refused unread.

safetensors    a header in JSON and numbers behind it
.pt, .pth      a zip archive as `torch.save` has written it since version 1.6. What tells the tensors
               apart is a pickle: its instructions are looked through before anything follows them,
               and torch follows them only with `weights_only`.
"""

from collections.abc import Iterator, Sequence
import io
import json
import pickle
import pickletools
import re
import struct
from typing import Any, TypeAlias
import zipfile

from safetensors import SafetensorError
from safetensors.torch import load
import torch

from configs.fields import Fields

StateDict: TypeAlias = dict[str, torch.Tensor]

# Beside the pickle: the tensors' bytes, and how they are stored. A program (TorchScript,
# torch.export) has other files.
_RECORD = re.compile(
    r"[^/]+/(data\.pkl|data/\d+|version|byteorder"
    r"|\.format_version|\.storage_alignment|\.data/serialization_id)"
)
# What puts tensors together, as a pickle names it.
_CALLED = re.compile(
    r"torch\._utils (_rebuild_tensor_v2|_rebuild_parameter)|torch ([A-Z]\w*)?Storage"
    r"|torch\.storage UntypedStorage|collections OrderedDict"
)
# Instructions that call what was computed before, so that only running them tells what it is.
_COMPUTED_CALLS = frozenset({"STACK_GLOBAL", "EXT1", "EXT2", "EXT4"})
_COULD_RUN_CODE = "and such a file could run code; save the state dict alone, best as .safetensors"
# How a zip archive begins and ends: its list of records, in a large one a wide end and where that
# is, and the end.
_FIRST = b"PK\x03\x04"
_WIDE_END = b"PK\x06\x06"
_WIDE_END_BYTES = 56
_WIDE_END_AT = b"PK\x06\x07"
_WIDE_END_AT_BYTES = 20
_END = b"PK\x05\x06"
_END_BYTES = 22
_INTEGER_BITS = 64
# As training programs name their files; `.pth.tar`, which is no archive of tar, is that of torch's own
# example for ImageNet.
_OF_TORCH_SAVE = (".pt", ".pth", ".ckpt", ".bin", ".pth.tar", ".pt.tar")
# Bytes of the length that a safetensors file begins with.
_LENGTH_BYTES = 8


def read_state_dict(name: str, content: bytes) -> StateDict:
    """Return the tensors of a file.

    Args:
        name: of the file, whose end says the format.
        content: of the file.

    Raises:
        ValueError: it is not of that format, or holds more than tensors.
    """
    if name.endswith(".safetensors"):
        return _read_safetensors(content)
    if name.endswith((".pt", ".pth")):
        return _read_torch(content)
    raise ValueError(
        "only .safetensors, .pt and .pth state dicts are read; other formats can carry code"
    )


def read_tensors_within(name: str, content: bytes) -> Fields:
    """Return what a checkpoint of torch.save holds: tensors by name, among them or in dicts.

    For the model's author, at the time of packaging; what scores reads `read_state_dict`. Nothing is
    run: torch unpickles tensors and plain values alone.

    Args:
        name: of the file, whose end says the format.
        content: of the file.

    Raises:
        ValueError: it is not of that format, or holds objects of classes.
    """
    if not name.endswith(_OF_TORCH_SAVE):
        known = ", ".join(_OF_TORCH_SAVE)
        raise ValueError(f"weights must be a .safetensors file, or one of torch.save: {known}")
    try:
        fields = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        raise ValueError(
            "it is no file of torch.save, or holds objects of classes, a whole model for example; "
            "where you trained it, torch.save(model.state_dict(), ...)"
        ) from error
    if not isinstance(fields, dict):
        kind = type(fields).__name__
        raise ValueError(f"it holds a {kind}; torch.save(model.state_dict(), ...)")
    return fields


def _read_safetensors(content: bytes) -> StateDict:
    try:
        state = load(content)
    except (SafetensorError, KeyError) as error:  # KeyError: a dtype that torch does not have
        raise ValueError(f"it is not a safetensors file: {error}") from error
    prefix = content[:_LENGTH_BYTES]
    length = int.from_bytes(prefix, "little")
    header_end = _LENGTH_BYTES + length
    header = content[_LENGTH_BYTES:header_end]
    # Readers differ in which of two tensors of one name they take.
    json.loads(header, object_pairs_hook=_refuse_twins)
    return state


def _read_torch(content: bytes) -> StateDict:
    _refuse_code(_find_pickle(content))
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(f"it holds more than plain weights, {_COULD_RUN_CODE}") from error
    if not _is_state_dict(state):
        raise ValueError("it is not a state dict: tensors in memory, by name, and nothing else")
    return dict(state)


def _is_state_dict(state: Any) -> bool:
    if not isinstance(state, dict):
        return False
    for name, value in state.items():
        if not isinstance(name, str) or not _is_plain(value):
            return False
    return True


def _is_plain(value: Any) -> bool:
    """Tell whether a value is a tensor whose numbers lie in memory one beside the other."""
    if not isinstance(value, torch.Tensor):
        return False
    is_strided = value.layout == torch.strided
    # On torch's meta device there would be shapes without numbers.
    is_in_memory = value.device.type == "cpu"
    return is_strided and is_in_memory


def _find_pickle(content: bytes) -> bytes:
    """Return the archive's pickle.

    Raises:
        ValueError: the content is no archive, is packed, or has other records than a state dict's.
    """
    last = content[-_END_BYTES : len(_END) - _END_BYTES]
    is_archive = content.startswith(_FIRST) and last == _END
    if not is_archive:
        raise ValueError(
            "it is not an archive of torch.save but a bare pickle or another kind of file, "
            f"{_COULD_RUN_CODE}"
        )
    if not _has_one_list(content):
        raise ValueError(
            "it is not an archive of torch.save: "
            f"readers would find different records in it, {_COULD_RUN_CODE}"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            records = archive.infolist()
            name = _choose_record(records, len(content))
            return archive.read(name)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise ValueError(f"it is not an archive of torch.save: {error}") from error


def _choose_record(records: Sequence[zipfile.ZipInfo], content_bytes: int) -> str:
    """Return the name of the pickle, once all records are as torch.save writes them."""
    names = [record.filename for record in records]
    for name in names:
        if not _RECORD.fullmatch(name):
            raise ValueError(
                f"it holds {name!r}, so it is a program (TorchScript, torch.export), "
                f"{_COULD_RUN_CODE}"
            )

    kinds = {record.compress_type for record in records}
    stated_bytes = sum(record.file_size for record in records)
    # A few bytes could stand for a terabyte.
    if kinds - {zipfile.ZIP_STORED} or stated_bytes > content_bytes:
        raise ValueError(
            "its records are compressed, or said to be larger than the file; "
            "torch.save writes neither"
        )

    pickles = [name for name in names if name.endswith("/data.pkl")]
    # Readers differ in which of two records of one name they take.
    has_twins = len(set(names)) != len(names)
    if has_twins or len(pickles) != 1:
        raise ValueError("it is not an archive of torch.save: a record is missing, or there twice")
    return pickles[0]


def _has_one_list(content: bytes) -> bool:
    """Tell whether all readers find the archive's list of records in one place.

    Some find it by the offset that the end states, others right before the end.
    """
    end = len(content) - _END_BYTES
    size, offset = struct.unpack_from("<12xLL", content, end)
    stated = end - _WIDE_END_AT_BYTES
    is_wide = stated >= 0 and content.startswith(_WIDE_END_AT, stated)
    if is_wide:
        end = stated - _WIDE_END_BYTES
        if end < 0 or not content.startswith(_WIDE_END, end):
            return False
        (stated_end,) = struct.unpack_from("<8xQ", content, stated)
        if stated_end != end:
            return False
        size, offset = struct.unpack_from("<40xQQ", content, end)

    is_before_end = bool(offset + size == end)
    # A comment could be another end; its length stands last, and is 0 without one.
    has_comment = not content.endswith(b"\0\0")
    return is_before_end and not has_comment


def _refuse_code(instructions: bytes) -> None:
    """Look through a pickle without following it.

    Raises:
        ValueError: it calls anything but what puts tensors together.
    """
    for called in _list_calls(instructions):
        if not _CALLED.fullmatch(called):
            # As Python writes it; the instruction has a space between module and name.
            place = called.replace(" ", ".")
            raise ValueError(
                f"it calls {place!r}, which is more than plain weights, {_COULD_RUN_CODE}"
            )


def _list_calls(instructions: bytes) -> Iterator[str]:
    for opcode, argument, _ in pickletools.genops(instructions):
        # Sizes and places in a file have 64 bits. Of larger integers many have one hash, and a dict
        # of such keys takes for ever.
        if isinstance(argument, int) and argument.bit_length() > _INTEGER_BITS:
            raise ValueError(f"it holds an integer of more than {_INTEGER_BITS} bits")
        if opcode.name in ("GLOBAL", "INST"):
            yield str(argument)
        elif opcode.name in _COMPUTED_CALLS:  # torch.save has none
            yield opcode.name


def _refuse_twins(pairs: list[tuple[str, Any]]) -> Fields:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("it is not a safetensors file: a name stands twice in its header")
    return found
