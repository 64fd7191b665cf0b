"""The programs of a workload: this pipeline, loops without Beam, and other engines, those that are not here named as absent."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
import subprocess
import sys
from typing import Any

from tests.benchmarks.compare import ROOT, Contender, Shards, Workload
from tests.benchmarks.machine import absent_because
from tests.benchmarks.pipeline_job import score_command

MODULES = "tests.benchmarks"
_ENGINES = {"ray": "ray_data", "daft": "daft_udf", "spark": "spark", "stock": "stock"}
_NEVER_ABSENT = {"stock"}  # Beam is what this repository runs on


def pipeline(
    shards: Shards, package: Path, keep: tuple[str, ...], sections: Mapping[str, Any] | None = None
) -> Contender:
    """This repository's program."""
    return Contender(
        "pipeline", lambda output: score_command(output, shards, package, keep, sections), shards
    )


def loop(workload: str, name: str, shards: Shards, package: Path) -> Contender:
    """A loop without Beam."""
    arguments = [f"{MODULES}.loops", workload, str(shards.path), str(package)]
    return Contender(name, lambda output: [*arguments, str(output), name], shards)


def engines(
    workload: str, package: Path, shards: Mapping[str, Shards], wanted: Sequence[str]
) -> tuple[list[Contender], dict[str, str]]:
    """Other engines, each with its rows, and why those that are not here are not."""
    there: list[Contender] = []
    absent: dict[str, str] = {}
    for name, rows in ((n, s) for n, s in shards.items() if n in wanted):
        why = None if name in _NEVER_ABSENT else absent_because(name)
        if why is None:
            there.append(_engine(workload, name, rows, package))
        else:
            absent[name] = why
    return there, absent


def _engine(workload: str, name: str, shards: Shards, package: Path) -> Contender:
    arguments = [f"{MODULES}.{_ENGINES[name]}", workload, str(shards.path), str(package)]
    return Contender(name, lambda output: [*arguments, str(output)], shards, engine=True)


def made(module: str, folder: Path, contenders: Sequence[Contender]) -> Callable[[], None]:
    """Make what the contenders read, in a process of its own: its memory is in nobody's measurement."""
    sizes = sorted({c.shards.size for c in contenders})

    def prepare() -> None:
        command = [sys.executable, "-m", f"{MODULES}.{module}", str(folder), "--sizes", *sizes]
        subprocess.run(command, cwd=ROOT, check=True)

    return prepare


def selected(workload: Workload, wanted: Sequence[str]) -> Workload:
    """Only the contenders that are wanted; answers are compared with the reference's, or without it with the first one's."""
    chosen = [c for c in workload.contenders if c.name in wanted]
    names = [c.name for c in chosen]
    return replace(
        workload,
        contenders=chosen,
        reference=workload.reference if workload.reference in names else names[0],
    )
