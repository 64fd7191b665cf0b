"""What makes two runs the same work: inputs, model, settings, and the libraries that compute."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
import hashlib
from importlib.metadata import PackageNotFoundError, version
import json
import platform
from typing import Any, TypeAlias

from model_zoo.architectures.library_names import find_distribution
from storage.few_ahead import take_some
from transforms.batches import WorkUnit
from transforms.broken_shard import BrokenShard
from transforms.formats.format import Shard
from transforms.unit_members import list_pieces

# Settings that change nothing in the output; paths count by what they lead to, and what makes the
# network faster by `computing`.
_NOT_IN_THE_OUTPUT = {
    "source": {
        "paths",
        "recursive",
        "max_expansion",
        "sparse",
        # A table's version counts as what it led to, see `make_run_id`.
        "version",
        "snapshot",
        "ref",
        "timestamp",
        "catalog",
        "outside",
    },
    "model": {
        "package",
        # Whose source is in the package's digest.
        "modules",
        "timeout_seconds",
        "engine",
        "fallback",
        "dtype",
        "batch_rows",
        "tuning_report",
        # The old name of the one above, in manifests of older versions.
        "certificate",
        "tolerance",
        # Of a server's model counts which one answers, see `make_run_id`; the rest is in its digest.
        "protocol",
        "url",
        "name",
        "version",
        "columns",
        "inputs",
        "outputs",
        "server",
    },
    "sink": {"path"},
    "errors": {
        "max_rejected_rows",
        "max_rejected_percent",
        # Which shards are broken is a part of the inputs, see `make_run_id`.
        "max_broken_shards",
        "max_broken_percent",
    },
    # Whose source counts by itself, see `make_run_id`.
    "monitor": {"modules"},
}
# Fields that jobs have had only lately, by section: with these values a run does what it did before,
# and keeps its id.
_SAYS_NOTHING_NEW: dict[str, dict[str, Any]] = {
    "csv": {"quote": '"', "escape": None, "double_quote": True, "decimal": "."},
    "postprocess": {"thresholds": {}},
    "sink": {"partition_by": [], "source_columns": False},
    "source": {"partitions": None, "where": None},
}
# 64 bits: two of a million runs have the same with a chance of one in ten million.
_DIGITS = 16
# By which rule small shards are put together to units; with another one they are other files.
_PUT_TOGETHER = 1
# Written together, as `json` prepares itself anew for each call.
_ITEMS_AT_ONCE = 256
_LIBRARIES = ("apache-beam", "numpy", "pandas", "pillow", "pyarrow", "torch")
_EXTRAS = ("onnxruntime", "tokenizers", "torchvision")
# Plain values by name, as JSON holds them.
Fields: TypeAlias = Mapping[str, Any]


def make_run_id(
    job: Fields,
    model_digest: str,
    computing: Fields,
    shards: Sequence[Shard],
    nested: Sequence[str] = (),
    units: Sequence[WorkUnit] = (),
    filled: Sequence[str] = (),
    table: Fields | None = None,
    broken: Sequence[BrokenShard] = (),
    summaries: Fields | None = None,
    served: Fields | None = None,
) -> str:
    """Return the digest of what decides the output: the same work has the same id.

    Args:
        job: the job, as plain values.
        model_digest: the package's.
        computing: how the network computes, as plain values.
        shards: with the versions of their files.
        nested: score columns that keep the shape of a row, which older versions wrote flat.
        units: with the digests of the files that their rows name.
        filled: model columns that the job fills, of which older versions rejected the rows.
        table: what is read of a table with a log, at which version.
        broken: files that are left out; with one that was mended it is other work.
        summaries: digests of the modules of users' own.
        served: which model of which server scores.
    """
    work: dict[str, Any] = {
        "inputs": ([shard.file.url, shard.file.version] for shard in shards),
        "model": model_digest,
        "settings": output_settings(job),
        "computing": computing,
    }
    # Only then: all other runs do what they did, and keep their ids.
    if nested:
        work["nested"] = list(nested)
    if filled:
        work["filled"] = list(filled)
    if table is not None:
        work["table"] = table
    if broken:
        work["broken"] = [[shard.shard, shard.version] for shard in broken]
    if summaries:
        work["summaries"] = summaries
    if served is not None:
        work["served"] = served
    # Scores of rows that share mini-batches with other shards' may differ in their last digits.
    if any(unit.members for unit in units):
        work["together"] = _PUT_TOGETHER
    # Without any a run keeps the id that it had before rows could name files.
    if any(unit.files for unit in units):
        work["files"] = [piece.files for piece in list_pieces(units) if piece.files]
    digest = hashlib.sha256()
    for text in _encode(work):
        digest.update(text.encode())
    return digest.hexdigest()[:_DIGITS]


def _encode(work: Fields) -> Iterator[str]:
    """Yield JSON with sorted keys: the order of a job's keys is no difference.

    Args:
        work: by name; an iterator is a list, of which there are some items at a time, as there may be
            a million.
    """
    before = "{"
    for name in sorted(work):
        value = work[name]
        yield f"{before}{json.dumps(name)}: "
        before = ", "
        if isinstance(value, Iterator):
            yield from _encode_items(value)
        else:
            yield json.dumps(value, sort_keys=True)
    yield "}"


def _encode_items(items: Iterator[Any]) -> Iterator[str]:
    before = "["
    for some in take_some(items, _ITEMS_AT_ONCE):
        text = json.dumps(some, sort_keys=True)
        # Without its brackets: it is a part of the list.
        yield before + text[1:-1]
        before = ", "
    # Of nothing it has not begun.
    yield "[]" if before == "[" else "]"


def output_settings(job: Fields) -> Fields:
    """Return the part of a dumped job that decides the output, beside inputs and model."""
    settings = {}
    for section, fields in job.items():
        # A job may be renamed.
        if section == "name":
            continue
        # What is scored is the same, but a run without summaries has no files of them.
        if section == "monitor":
            if fields["summaries"]:
                settings[section] = _list_summarised(fields, job["source"])
            continue
        if section == "checks":
            # Without any a run keeps the id that it had before there were checks.
            if fields:
                settings[section] = _list_checks(fields)
            continue
        left_out = _NOT_IN_THE_OUTPUT.get(section, set())
        deciding = {name: fields[name] for name in fields if name not in left_out}
        if "csv" in deciding:
            csv = deciding["csv"]
            silent = _SAYS_NOTHING_NEW["csv"]
            deciding["csv"] = _leave_out_new(csv, silent)
        deciding = _leave_out_new(deciding, _SAYS_NOTHING_NEW.get(section, {}))
        _leave_out_files(section, deciding)
        settings[section] = deciding
    return settings


def _list_summarised(monitor: Fields, source: Fields) -> Fields:
    """Return what decides the summaries; what they are compared with changes no file of scores."""
    # Jobs of older versions have a list of them. Columns of the model are summarised anyway.
    carried = {source.get("key"), *source.get("passthrough", ())}
    columns = [name for name in monitor["columns"] if name in carried]
    summaries = list(monitor["summaries"])
    decides: dict[str, Any] = {"summaries": summaries, "columns": columns}
    # Others keep the id that they had before rows were chosen.
    if monitor.get("every_row"):
        decides["every_row"] = True
    return decides


def _list_checks(columns: Fields) -> Fields:
    """Return the checks of columns as far as they change a file: which rows fail, and which are rejected."""
    deciding = {}
    for column, checks in columns.items():
        deciding[column] = [_leave_out_judgement(check) for check in checks]
    return deciding


def _leave_out_judgement(check: Fields) -> Fields:
    """Return a check without what decides only whether the run is published."""
    rejects = check["on_failure"] == "reject"
    return {
        **check,
        "on_failure": "reject" if rejects else "warn",
        "mostly": None,
        # The newest value is told, however old it may be.
        "newest_within": check["newest_within"] is not None,
    }


def _leave_out_files(section: str, deciding: dict[str, Any]) -> None:
    """Leave out what other sources do not read, and where files are, which count by what they are."""
    if section == "source" and deciding.get("format") != "files":
        deciding.pop("files", None)
    elif "files" in deciding:
        # They decide which files are read, and these count.
        deciding["files"] = {**deciding["files"], "suffixes": None}
    if section == "preprocess":
        steps = deciding["steps"]
        deciding["steps"] = [
            {**step, "root": None} if step["step"] == "load_file" else step for step in steps
        ]


def _leave_out_new(fields: Fields, unchanged: Fields) -> dict[str, Any]:
    """Return fields but those that say what was so before there was such a field."""
    return {
        name: value
        for name, value in fields.items()
        if name not in unchanged or value != unchanged[name]
    }


def list_libraries(network: str) -> dict[str, str]:
    """Return the versions of what computes and writes, among it the network's own library."""
    versions = {"python": platform.python_version()}
    for name in _LIBRARIES:
        versions[name] = _read_version(name)
    own = find_distribution(network)
    extras = _EXTRAS if own is None else (*_EXTRAS, own)
    for name in extras:
        # What is not installed computes nothing.
        with suppress(PackageNotFoundError):
            versions[name] = _read_version(name)
    return versions


@cache
def _read_version(distribution: str) -> str:
    """Return the version of an installed library, whose metadata take milliseconds to parse."""
    # Once: what a process has imported does not change.
    return version(distribution)
