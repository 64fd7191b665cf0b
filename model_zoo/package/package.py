"""The model package: a folder that holds all that scoring needs to know about a model.

    model.yaml           the card: name, version, builder, contract, sha256 and size of every file
    weights.safetensors  (or weights.pt, a state dict)
    model.onnx           in its place, or beside it: the model as a graph
    model.keras, model.tflite, model.ubj, model.txt, model.skops
                         likewise: the model as its own library keeps it
    preprocess.json      fitted preprocessing steps, in order
    smoke.parquet        a few rows of input columns with the outputs that they must give
    profile.parquet      the training data's column and score profile

What comes in: a path or fsspec URL. What goes out: a `Package`, every byte of it checked against the
card. Large files are hashed and not kept; whoever loads them reads and checks them again. Files of a
remote package are kept on this machine by their digest (cache.py).
"""

from dataclasses import dataclass
import hashlib
import json
from typing import Any

import pyarrow as pa
from pyarrow import types
from pydantic import ValidationError
import yaml

from configs.errors import ModelError
from configs.fields import Names
from configs.safe_yaml import MOST_BYTES, NotPlainYaml, parse_yaml
from model_zoo.package.cache import keep_copy, read_copy
from model_zoo.package.card import CARD, FileEntry, ModelCard
from model_zoo.package.files import ListedFile, is_remote, read_file
from model_zoo.package.smoke_batch import parse_smoke_batch
from model_zoo.remote.target import Target
from model_zoo.steps.table import STEPS, AnyStep, find_widest
from storage import files

PREPROCESS = "preprocess.json"
SMOKE = "smoke.parquet"
PROFILE = "profile.parquet"
_OF_OTHERS_NETWORKS = ("source_sha256", "call", "onnx", "forms", "remote", "graph")
_OF_NETWORKS = ("builder", "parameters", "weights")
# Columns, what is made of them, and that side by side are two or three times what the model takes.
_MADE_FOR_ONE_TAKEN = 8
# Of a small model, columns that are made and not taken may be many.
_MADE_AT_LEAST = 4096


@dataclass(frozen=True)
class Package:
    """A checked model package.

    Attributes:
        digest: sha256 of `model.yaml`, which holds the sha256 of every other file: it names the
            whole package.
        steps: fitted preprocessing.
        smoke: the smoke batch: the contract's input columns, and what the network takes and gives.
        modules: users' own modules that its network may come from.
        target: the server that computes it, as the job reaches it.
    """

    url: str
    card: ModelCard
    digest: str
    steps: tuple[AnyStep, ...]
    smoke: pa.Table
    modules: Names = ()
    target: Target | None = None

    def read_file(self, name: str) -> bytes:
        """Return the content of a listed file.

        Raises:
            ModelError: it is not what the card lists any more.
        """
        return _list_file(self.url, self.card, name).read()


def read_package(
    url: str,
    expected_digest: str | None = None,
    modules: Names = (),
) -> Package:
    """Open a package, and check every file of it.

    Args:
        url: folder, as path or fsspec URL.
        expected_digest: refuse a package that is not this one (a worker passes what the launcher
            saw).
        modules: users' own modules that the job allows its network to come from.

    Raises:
        ModelError: a file is missing, altered or unlisted, or the card, the steps or the smoke batch
            are not valid.
    """
    remote = is_remote(url)
    copy = None
    # By its digest the card may come from this machine too. A launcher has none, and asks the store.
    if remote and expected_digest is not None:
        copy = read_copy(expected_digest)
    content = copy
    if content is None:
        content = read_file(url, CARD, MOST_BYTES)

    digest = hashlib.sha256(content).hexdigest()
    if expected_digest not in (None, digest):
        raise ModelError(
            f"{url}: the package changed since the run was planned; start the run again"
        )
    card = _parse_card(url, content)
    _check_files(url, card)
    # A copy stands for a folder that was looked through when it was made.
    if copy is None:
        _refuse_unlisted(url, card)
        if remote:
            keep_copy(content)

    content = _list_file(url, card, PREPROCESS).read()
    steps = _parse_steps(url, content)
    content = _list_file(url, card, SMOKE).read()
    smoke = parse_smoke_batch(content, path=f"{url}/{SMOKE}")
    _refuse_wide_steps(url, card, steps, smoke)
    return Package(
        url=url,
        card=card,
        digest=digest,
        steps=steps,
        smoke=smoke,
        modules=modules,
    )


def write_package(
    url: str,
    card: dict[str, Any],
    steps: tuple[AnyStep, ...],
    contents: dict[str, bytes],
) -> str:
    """Write a package folder and return its digest.

    Args:
        url: folder that must not hold a package yet: packages are immutable.
        card: fields of ModelCard without `files`.
        steps: fitted preprocessing.
        contents: weights, smoke batch, profile, by file name.

    Raises:
        ModelError: the folder holds a package already.
        ValueError: the card is not valid.
    """
    if files.exists(files.join(url, CARD)):
        raise ModelError(
            f"{url}: holds a model package already, and packages never change; "
            "choose another folder or remove it"
        )
    contents = {**contents, PREPROCESS: _dump_steps(steps)}
    entries = {}
    # Sorted, so that the same files give the same card.
    for name, content in sorted(contents.items()):
        entries[name] = _describe_file(content)

    # Before anything is written: a card that is not valid leaves no files behind.
    checked = ModelCard.model_validate({**card, "files": entries})
    for name, content in contents.items():
        path = files.join(url, name)
        files.put(path, content)

    content = _dump_card(checked)
    # Last, and in one move: without its card a folder is no package, and with half of one it is
    # none that could be read or written again.
    path = files.join(url, CARD)
    files.replace(path, content)
    return hashlib.sha256(content).hexdigest()


def _list_file(url: str, card: ModelCard, name: str) -> ListedFile:
    entry = card.files[name]
    return ListedFile(url, name, entry)


def _dump_steps(steps: tuple[AnyStep, ...]) -> bytes:
    fields = STEPS.dump_python(steps, mode="json")
    text = json.dumps(fields, indent=1) + "\n"
    return text.encode()


def _dump_card(card: ModelCard) -> bytes:
    # What says nothing of a network of ours is left out of its card.
    unsaid = {name for name in _OF_OTHERS_NETWORKS if name not in card.model_fields_set}
    if not card.has_network:
        unsaid.update(_OF_NETWORKS)
    fields = card.model_dump(mode="json", exclude=unsaid)
    for column in fields["columns"]:
        if column["number"] is None:
            del column["number"]
    for tensors in (fields["inputs"], fields["outputs"]):
        for tensor in tensors.values():
            if tensor["column"] is None:
                del tensor["column"]
    # Not sorted: the keys stand in the order of the fields, and the digest depends on it.
    text = yaml.safe_dump(fields, sort_keys=False, allow_unicode=True, width=140)
    return text.encode()


def _describe_file(content: bytes) -> FileEntry:
    digest = hashlib.sha256(content)
    return FileEntry(
        sha256=digest.hexdigest(),
        bytes=len(content),
    )


def _check_files(url: str, card: ModelCard) -> None:
    """Refuse a card that lists what cannot be a file of a package, and files that were altered."""
    for name in card.files:
        _refuse_strange_name(url, name)
        # The small ones are checked when they are read.
        if name not in (PREPROCESS, SMOKE):
            _list_file(url, card, name).check()

    for needed in (*card.list_representations(), PREPROCESS, SMOKE):
        if needed not in card.files:
            raise ModelError(
                f"{url}: {CARD} does not list {needed}; "
                "write the package again with pipelines.train"
            )


def _refuse_strange_name(url: str, name: str) -> None:
    # Anything else could lead out of the folder, or hide in a terminal.
    has_separator = "/" in name or "\\" in name
    is_hidden = name.startswith(".")
    is_readable = bool(name) and name.isprintable()
    if has_separator or is_hidden or not is_readable:
        raise ModelError(
            f"{url}: {CARD} lists {name!r}; a file of a package must be a plain name in its folder"
        )


def _refuse_unlisted(url: str, card: ModelCard) -> None:
    listed = {CARD, *card.files}
    found = files.list_names(url)
    unlisted = set(found) - listed
    # What is not listed is not covered by the digest, and could be put there to be found.
    if unlisted:
        first = min(unlisted)
        raise ModelError(f"{url}: holds {first!r}, which {CARD} does not list; remove it")


def _parse_card(url: str, content: bytes) -> ModelCard:
    try:
        fields = parse_yaml(content.decode())
        return ModelCard.model_validate(fields)
    except (ValidationError, NotPlainYaml, UnicodeDecodeError) as error:
        problem = _first_problem(error)
        raise ModelError(f"{url}/{CARD}: not a valid model card: {problem}") from error


def _parse_steps(url: str, content: bytes) -> tuple[AnyStep, ...]:
    try:
        steps = STEPS.validate_json(content)
    except ValidationError as error:
        problem = _first_problem(error)
        raise ModelError(f"{url}/{PREPROCESS}: {problem}") from error

    # A card may list steps that only training could complete; scoring has nothing to fit them on.
    for number, step in enumerate(steps):
        if not step.is_fitted:
            raise ModelError(
                f"{url}/{PREPROCESS}: step {number} ({step.step}) is not fitted; "
                "train the model again"
            )
    return steps


def _refuse_wide_steps(
    url: str,
    card: ModelCard,
    steps: tuple[AnyStep, ...],
    smoke: pa.Table,
) -> None:
    """Refuse steps that make far more numbers of a row than the model takes.

    What it takes is in the smoke batch, so that was delivered; a few words of a step are not.
    """
    columns = [column.name for column in card.columns]
    taken = 0
    for name in card.inputs:
        taken += _count_numbers(smoke, f"input.{name}")
    most = len(columns) + _MADE_FOR_ONE_TAKEN * taken + _MADE_AT_LEAST
    widest = find_widest(steps, columns)
    if widest > most:
        raise ModelError(
            f"{url}/{PREPROCESS}: its steps make {widest:,} numbers of a row, and the model takes "
            f"{taken:,}; leave out what it does not take, and pack the model again"
        )


def _count_numbers(smoke: pa.Table, name: str) -> int:
    """Return how many numbers of a row a column of the smoke batch holds; 0 where there is none."""
    if name not in smoke.column_names:
        return 0
    column = smoke.column(name).combine_chunks()
    numbers = column
    # As `model_zoo.tensor_columns` writes them, or other writers.
    dtype = column.type
    if types.is_fixed_size_list(dtype) or types.is_list(dtype):
        numbers = column.flatten()
    return -(-len(numbers) // smoke.num_rows)


def _first_problem(error: Exception) -> str:
    """Return one line: the others of a card are often consequences of the first."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    # Names and positions, from the outermost in.
    place = ".".join(map(str, first["loc"]))
    return f"{place}: {first['msg']}"
