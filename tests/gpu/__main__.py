"""Runs the steps, each in a process of its own and within its budget, and writes what they found.

    python -m tests.gpu                             # on the first GPU, under 8 minutes
    python -m tests.gpu --device cpu --size 0.01    # the script itself, where there is none

Prints a table for docs, and writes results as JSON. The exit status is 1 where a step failed, and 2
where the device is not there, of which nothing is shown.
"""

import argparse
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
import json
import os
from pathlib import Path
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any, Literal

import torch

from configs.errors import ModelError
from model_zoo.engines.machine import machine_kind
from model_zoo.engines.machine_code_trial import describe_end
from model_zoo.scoring.devices import resolve_devices
from tests.gpu.bench import Bench, NotHere
from tests.gpu.steps import STEPS

_WITHOUT_GPU = "a small part of the check needs no GPU: --device cpu --size 0.01"
# Budgets are a GPU's: a small part takes a CPU with two cores longer, and is not to be measured there.
_PATIENCE_ON_CPU = 10.0
_ROOT = Path(__file__).parent.parent.parent
_HEADER = "| what is shown | is it so | took | figures, or why not |\n|---|---|---|---|"
_WORDS = {"ok": "yes", "failed": "**no**", "not here": "not here", "out of time": "out of time"}


@dataclass(frozen=True)
class Result:
    """What came of a step.

    Attributes:
        why: of a step that failed, or that cannot be run here.
    """

    step: str
    outcome: Literal["ok", "failed", "not here", "out of time"]
    seconds: float = 0.0
    figures: dict[str, Any] = field(default_factory=dict)
    why: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line names, and return the exit status."""
    arguments = _parse(argv)
    if arguments.child:
        return _run_here(arguments)
    try:
        resolve_devices(arguments.device, "--device")
    except ModelError as error:
        print(f"{error}\n{_WITHOUT_GPU}", file=sys.stderr)
        return 2
    print(_HEADER)
    results = []
    for name in arguments.steps or list(STEPS):
        result = _run_in_child(name, arguments)
        results.append(result)
        print(_make_line(result), flush=True)
        # After each: a check that is stopped keeps what it has found.
        _write(results, arguments)
    print(f"results: {arguments.json}")
    bad = [result.step for result in results if result.outcome in ("failed", "out of time")]
    return 1 if bad else 0


def _write(results: Sequence[Result], arguments: argparse.Namespace) -> None:
    machine = machine_kind(torch.device(arguments.device))
    found = {"machine": machine, "steps": [asdict(result) for result in results]}
    path = Path(arguments.json)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=1) + "\n")


def _run_in_child(name: str, arguments: argparse.Namespace) -> Result:
    """Run a step in a process of its own: a lost device, or a hang, ends no other step."""
    command = [
        *(sys.executable, "-m", "tests.gpu", "--child", name),
        *("--device", arguments.device, "--size", str(arguments.size)),
    ]
    began = time.monotonic()
    budget = STEPS[name].seconds * arguments.patience
    try:
        done = run_for(command, budget)
    except subprocess.TimeoutExpired:
        return Result(name, "out of time", time.monotonic() - began, why=f"over {budget:g} s")
    seconds = time.monotonic() - began
    if done.returncode != 0:
        return Result(name, "failed", seconds, why=describe_end(done.returncode, done.stderr))
    # The last line: libraries print what they like above it.
    said = json.loads(done.stdout.splitlines()[-1])
    return Result(name, said["outcome"], seconds, said["figures"], said["why"])


def run_for(command: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str]:
    """Run a command, and end it with all that it has started once its time is up."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=_ROOT, stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        try:
            said, errors = process.communicate(timeout=seconds)
        except BaseException:
            # What a step has started would keep the GPU from the next one; an interrupt does not reach it.
            os.killpg(process.pid, signal.SIGKILL)
            raise
    return subprocess.CompletedProcess(command, process.returncode, said, errors)


def _run_here(arguments: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(arguments.device, Path(folder), arguments.size)
        try:
            figures = STEPS[arguments.child].run(bench)
        except NotHere as reason:
            said = {"outcome": "not here", "figures": {}, "why": str(reason)}
        else:
            said = {"outcome": "ok", "figures": figures, "why": ""}
    print(json.dumps(said))
    return 0


def _make_line(result: Result) -> str:
    """Return a line of the table: what is shown, whether it is so, seconds, figures."""
    shown = [f"{name} {_format(value)}" for name, value in result.figures.items()]
    cells = [
        STEPS[result.step].shows,
        _WORDS[result.outcome],
        f"{result.seconds:.0f} s",
        "; ".join(shown) or result.why,
    ]
    return f"| {' | '.join(cells)} |"


def _format(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda:0", help="as a job names it (default: cuda:0)")
    parser.add_argument("--size", type=float, default=1.0, help="part of the rows (default: all)")
    patience = f"times the budget of a step (default: 1; on a CPU {_PATIENCE_ON_CPU:g})"
    parser.add_argument("--patience", type=float, help=patience)
    parser.add_argument("--json", default="build/gpu_check.json", help="where results go")
    parser.add_argument("--child", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("steps", nargs="*", help=f"of {', '.join(STEPS)} (default: all)")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.steps if name not in STEPS]
    if unknown:
        parser.error(f"there is no step {unknown[0]}; there are {', '.join(STEPS)}")
    if arguments.patience is None:
        arguments.patience = _PATIENCE_ON_CPU if arguments.device == "cpu" else 1.0
    return arguments


if __name__ == "__main__":
    sys.exit(main())
