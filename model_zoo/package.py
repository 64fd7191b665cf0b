"""The model package: a folder that says everything scoring needs to know about a model.

    model.yaml           the card: name, version, builder, contract, smoke tolerance, metrics, sha256 and size of every file
    weights.safetensors  (or weights.pt, a state dict)
    preprocess.json      fitted preprocessing steps, in order
    smoke.parquet        a few rows of input columns with the outputs that they must give
    profile.parquet      the training data's column and score profile

What comes in: a path or fsspec URL. What goes out: a `Package`, every byte of it checked against the card. A file is read once,
and what was hashed is what is loaded. Files of a remote package are kept on this machine by their digest (package_cache.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
import errno
import hashlib
import json
import os
import stat
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
import pyarrow as pa
from pydantic import TypeAdapter, ValidationError
import yaml

from configs.errors import ModelError
from configs.plain_yaml import MOST_BYTES, NotPlainYaml, parse_yaml
from configs.steps import Step
from model_zoo.card import FileEntry, ModelCard
from model_zoo.package_cache import cached, keep

CARD = "model.yaml"
PREPROCESS = "preprocess.json"
SMOKE = "smoke.parquet"
PROFILE = "profile.parquet"
_MOST_SMOKE_BYTES = 256 << 20
_SMOKE_BATCH_ROWS = 64
_STEPS: TypeAdapter[tuple[Step, ...]] = TypeAdapter(tuple[Step, ...])


@dataclass(frozen=True)
class Package:
    """A checked model package in memory.

    Attributes:
        digest: sha256 of `model.yaml`, which holds the sha256 of every other file: it names the whole package.
        steps: fitted preprocessing.
        files: content of every listed file, by name.
    """

    url: str
    card: ModelCard
    digest: str
    steps: tuple[Step, ...]
    files: dict[str, bytes]


def read_package(url: str, expected_digest: str | None = None) -> Package:
    """Read and check a whole package.

    Args:
        url: folder, as path or fsspec URL.
        expected_digest: refuse a package that is not this one (a worker passes what the launcher saw).

    Raises:
        ModelError: a file is missing, altered or unlisted, or the card is not valid.
    """
    remote = _is_remote(url)
    kept = cached(expected_digest) if remote and expected_digest is not None else None
    card_bytes = _read(url, CARD, MOST_BYTES) if kept is None else kept
    digest = hashlib.sha256(card_bytes).hexdigest()
    if expected_digest is not None and digest != expected_digest:
        raise ModelError(f"{url}: the package changed since the run was planned; start the run again")
    card = _parse_card(url, card_bytes)
    files = {name: _read_checked(url, name, entry, remote) for name, entry in card.files.items()}
    for needed in (card.weights, PREPROCESS, SMOKE):
        if needed not in files:
            raise ModelError(f"{url}: {CARD} does not list {needed}; write the package again with pipelines.train")
    if kept is None:
        _refuse_unlisted(url, card)
        if remote:
            keep(card_bytes)
    return Package(url, card, digest, _parse_steps(url, files[PREPROCESS]), files)


def write_package(url: str, card: dict[str, Any], steps: tuple[Step, ...], files: dict[str, bytes]) -> str:
    """Write a package folder, the card last, and return its digest.

    Args:
        url: folder that must not hold a package yet: packages are immutable.
        card: fields of ModelCard without `files`.
        steps: fitted preprocessing.
        files: weights, smoke batch, profile, by file name.

    Raises:
        ModelError: the folder holds a package already.
    """
    fs, root = _locate(url)
    if fs.exists(f"{root}/{CARD}"):
        raise ModelError(f"{url}: holds a model package already, and packages never change; choose another folder or remove it")
    preprocess = json.dumps(_STEPS.dump_python(steps, mode="json"), indent=1).encode() + b"\n"
    files = {**files, PREPROCESS: preprocess}
    entries = {name: FileEntry(sha256=hashlib.sha256(c).hexdigest(), bytes=len(c)) for name, c in sorted(files.items())}
    checked = ModelCard.model_validate({**card, "files": entries})
    if not _is_remote(url):  # an object store has no folders, and would be asked for a bucket
        fs.makedirs(root, exist_ok=True)
    for name, content in files.items():
        _write(fs, f"{root}/{name}", content)
    text = yaml.safe_dump(checked.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=140).encode()
    _write(fs, f"{root}/{CARD}", text)
    return hashlib.sha256(text).hexdigest()


def smoke_rows(package: Package) -> pa.Table:
    """The smoke batch: the contract's input columns, then one column `output.<name>` per model output.

    Raises:
        ModelError: it is not Parquet, is far larger than a smoke batch, or has no rows and so proves nothing.
    """
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(pa.BufferReader(package.files[SMOKE])) as file:
            table = pa.Table.from_batches(_few_batches(file), schema=file.schema_arrow)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ModelError(f"{package.url}/{SMOKE}: is not a readable Parquet file: {error}") from error
    if table.num_rows == 0:
        raise ModelError(f"{package.url}/{SMOKE}: has no rows; write the package again with a smoke batch")
    return table


def _few_batches(file: Any) -> Iterator[pa.RecordBatch]:
    """Read a few rows at a time, so that a small file that stands for a huge table is refused on the way."""
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    values = sum(g.column(c).num_values for g in groups for c in range(g.num_columns))
    stored = sum(g.total_byte_size for g in groups)
    for batch in file.iter_batches(_SMOKE_BATCH_ROWS) if max(values, stored) <= _MOST_SMOKE_BYTES else ():
        stored += batch.nbytes
        if stored > _MOST_SMOKE_BYTES:
            break
        yield batch
    if max(values, stored) > _MOST_SMOKE_BYTES:
        raise ValueError(f"it holds more than {_MOST_SMOKE_BYTES >> 20} MiB; a smoke batch is a few rows")


def _parse_card(url: str, content: bytes) -> ModelCard:
    try:
        return ModelCard.model_validate(parse_yaml(content.decode()))
    except (ValidationError, NotPlainYaml, UnicodeDecodeError) as error:
        raise ModelError(f"{url}/{CARD}: not a valid model card: {_first_problem(error)}") from error


def _parse_steps(url: str, content: bytes) -> tuple[Step, ...]:
    try:
        steps = _STEPS.validate_json(content)
    except ValidationError as error:
        raise ModelError(f"{url}/{PREPROCESS}: {_first_problem(error)}") from error
    for number, step in enumerate(steps):
        if not step.is_fitted:
            raise ModelError(f"{url}/{PREPROCESS}: step {number} ({step.step}) is not fitted; train the model again")
    return steps


def _first_problem(error: Exception) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(str(p) for p in first['loc'])}: {first['msg']}"


def _locate(url: str) -> tuple[Any, str]:
    return url_to_fs(url, use_listings_cache=False)


def _is_remote(url: str) -> bool:
    """Whether reading it goes over a network."""
    try:
        return not isinstance(_locate(url)[0], LocalFileSystem | MemoryFileSystem)
    except (ValueError, ImportError) as error:
        raise ModelError(f"{url}: cannot be read: {error}; install the extra for this kind of storage (s3, gcs)") from error


def _read(url: str, name: str, most_bytes: int) -> bytes:
    """Content of one file, once, and no more of it than one byte too many."""
    try:
        fs, root = _locate(url)
        path = f"{root.rstrip('/')}/{name}"
        content: bytes = _read_file(path, most_bytes + 1) if isinstance(fs, LocalFileSystem) else fs.cat_file(path)
    except FileNotFoundError as error:
        raise ModelError(f"{url}: no {name} there; model.package must be a folder written by pipelines.train") from error
    except Exception as error:  # a store's client has error classes of its own
        raise ModelError(f"{url}/{name}: cannot be read: {error}") from error
    return content


def _read_file(path: str, most_bytes: int) -> bytes:
    """A regular file of its own: a link could lead out of the package, and a pipe or a device would never end."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError("it is a link; copy the file itself into the package") from error
        raise
    try:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            raise OSError("it is not a file")
        with os.fdopen(number, "rb", closefd=False) as file:
            return file.read(most_bytes)
    finally:
        os.close(number)


def _read_checked(url: str, name: str, entry: FileEntry, remote: bool) -> bytes:
    if not name or "/" in name or "\\" in name or name.startswith(".") or not name.isprintable():
        raise ModelError(f"{url}: {CARD} lists {name!r}; a file of a package must be a plain name in its folder")
    kept = cached(entry.sha256) if remote else None
    if kept is not None:
        return kept
    content = _read(url, name, entry.bytes)
    if len(content) != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError(f"{url}/{name}: its content is not what {CARD} lists (size or sha256 differs); restore the package")
    if remote:
        keep(content)
    return content


def _write(fs: Any, path: str, content: bytes) -> None:
    """A new file, on a local disk not for everybody."""
    if not isinstance(fs, LocalFileSystem):
        fs.pipe_file(path, content)
        return
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o640)) as file:
        file.write(content)


def _refuse_unlisted(url: str, card: ModelCard) -> None:
    fs, root = _locate(url)
    paths = [path.rstrip("/") for path in fs.ls(root, detail=False)]
    present = {path.rsplit("/", 1)[-1] for path in paths if path != root.rstrip("/")}
    if unlisted := sorted(present - set(card.files) - {CARD}):
        raise ModelError(f"{url}: holds {unlisted[0]!r}, which {CARD} does not list; remove it")
