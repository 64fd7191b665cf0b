"""What makes two runs the same work: inputs, model, settings, and the libraries that compute."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
import hashlib
from importlib.metadata import PackageNotFoundError, version
import json
import platform
from typing import Any

from pipelines.planning.jobs import ScoringJob
from transforms.formats.format import Shard

# Settings that change nothing in the output; paths count by what they lead to, and what makes the
# network faster by `computing`.
_NOT_IN_THE_OUTPUT = {
    "source": {"paths", "recursive", "max_expansion"},
    "model": {
        "package",
        "timeout_seconds",
        "dtype",
        "batch_rows",
        "tuning_report",
        # The old name of the one above, in manifests of older versions.
        "certificate",
        "tolerance",
    },
    "sink": {"path"},
    "errors": {"max_rejected_rows", "max_rejected_percent"},
}
# 64 bits: two of a million runs have the same with a chance of one in ten million.
_DIGITS = 16
_LIBRARIES = ("apache-beam", "numpy", "pandas", "pillow", "pyarrow", "torch")
_EXTRAS = ("tokenizers", "torchvision")


def make_run_id(
    job: ScoringJob, model_digest: str, computing: Mapping[str, Any], shards: Sequence[Shard]
) -> str:
    """Return the digest of what decides the output: the same work has the same id.

    Args:
        job: the job.
        model_digest: the package's.
        computing: how the network computes, as plain values.
        shards: with the versions of their files.
    """
    inputs = [[shard.file.url, shard.file.version] for shard in shards]
    work = {
        "inputs": inputs,
        "model": model_digest,
        "settings": output_settings(job.model_dump(mode="json")),
        "computing": computing,
    }
    # Sorted: the order of a job's keys is no difference.
    text = json.dumps(work, sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return digest[:_DIGITS]


def output_settings(job: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a dumped job that decides the output, beside inputs and model."""
    settings = {}
    for section, fields in job.items():
        # A job may be renamed.
        if section == "name":
            continue
        left_out = _NOT_IN_THE_OUTPUT.get(section, set())
        settings[section] = {name: fields[name] for name in fields if name not in left_out}
    return settings


def list_libraries() -> dict[str, str]:
    """Return the versions of what computes and writes."""
    versions = {"python": platform.python_version()}
    versions |= {name: version(name) for name in _LIBRARIES}
    for name in _EXTRAS:
        with suppress(PackageNotFoundError):
            versions[name] = version(name)
    return versions
