"""Every engine and precision beside each other, by CPU seconds of the network alone.

    python -m tests.benchmarks.precisions [--workloads images text digits tabular wide] [--repeats 5]

The rows are a workload's own, read and preprocessed as pipelines.tune does, and the settings are those
that it tries. They take turns on one thread, so that a busy machine slows all of them alike; what a
model takes to load is not counted. Beside each ratio stands how far its scores are from the
reference's.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from statistics import median
import subprocess
import sys
import tempfile
import time

import numpy as np

from configs.errors import Refusal
from configs.load import load
from model_zoo.engines.engine import Engine
from model_zoo.engines.settings import Settings
from model_zoo.evaluation.agreement import Agreement
from model_zoo.scoring.devices import resolve_devices
from pipelines.planning.jobs import ScoringJob, choose_activation, choose_threshold
from pipelines.planning.make_plan import make_plan
from pipelines.planning.plan import Plan
from pipelines.tuning.bench import Load, Score
from pipelines.tuning.calibration import make_mini_batches
from pipelines.tuning.engines import find_engines, find_reference
from pipelines.tuning.loading import make_loader
from pipelines.tuning.reference import Reference, make_reference
from pipelines.tuning.sample import Parts
from pipelines.tuning.sampling import take_sample
from tests.benchmarks.compare import ROOT, Shards
from tests.benchmarks.pipeline_job import write_job
from tests.benchmarks.text_data import INSTALL, is_installed

# One for each core, as in a job: an engine shares them out.
_WORKERS = 2
_TIMEOUT_SECONDS = 600.0


@dataclass(frozen=True)
class _Input:
    """What is read of a workload.

    Attributes:
        module: makes shards and package, `python -m tests.benchmarks.MODULE FOLDER --sizes ROWS/FILES`.
        package: its folder, below the workload's.
        keep: the score columns of its jobs.
        rows: so many that a repeat takes a second or more.
    """

    module: str
    keep: tuple[str, ...]
    rows: int
    package: str = "package"


INPUTS: Mapping[str, _Input] = {
    "images": _Input("images_data", ("class", "probability"), 256),
    "text": _Input("text_data", ("embedding",), 512),
    "digits": _Input("digits_data", ("class", "probability"), 16_384),
    "tabular": _Input("tabular_data", ("probability",), 1_000_000, "package-32-64"),
    "wide": _Input("wide_data", ("probability",), 65_536),
}


@dataclass
class Measurement:
    """Settings, and what came of them.

    Attributes:
        refusal: why they do not compute here.
        seconds: CPU seconds of all rows, repeat by repeat.
    """

    settings: Settings
    score: Score | None = None
    refusal: str = ""
    agreement: Agreement | None = None
    seconds: list[float] = field(default_factory=list)

    def take_turn(self, parts: Parts) -> None:
        """Score all rows once more."""
        assert self.score is not None
        began = time.process_time()
        score_all(self.score, parts)
        self.seconds.append(time.process_time() - began)


def measure_workload(name: str, folder: Path, rows: int, repeats: int) -> list[Measurement]:
    """Return all settings of a workload, the reference first.

    Args:
        name: of the workload.
        folder: where its rows and package are made once, and kept.
        rows: of the sample.
        repeats: how often each takes its turn.
    """
    plan = plan_workload(name, folder, rows)
    parts = take_sample(plan, rows).inputs
    measured = load_settings(plan, parts, ())
    _take_turns(measured, parts, repeats)
    return measured


def load_settings(plan: Plan, parts: Parts, without: Sequence[str]) -> list[Measurement]:
    """Load a package with all settings that tuning would try, the reference first, and compare their scores.

    Args:
        plan: as `plan_workload` makes it.
        parts: rows of its input.
        without: words of settings to leave out.
    """
    card = plan.package.card
    load_model = make_loader(plan.package, "cpu", _TIMEOUT_SECONDS)
    batch_rows = plan.inference.settings.batch_rows

    first = Measurement(Settings(batch_rows, engine=find_reference(card)))
    first.score = load_model(first.settings, _WORKERS)
    scores = score_all(first.score, parts)
    activation = choose_activation(plan.job, card)
    reference = make_reference(scores, activation, choose_threshold(plan.job, card))
    measured = [first]
    for engine in find_engines(card, "auto", without, "cpu").usable:
        for settings in _list_settings(engine, plan, batch_rows, without):
            if settings != first.settings:
                made = _load(load_model, engine, settings, plan, parts, reference)
                measured.append(made)
    for one in measured:
        if one.score is not None:
            one.agreement = reference.compare(score_all(one.score, parts))
    return measured


def plan_workload(name: str, folder: Path, rows: int) -> Plan:
    """Make what is not there yet of a workload, and plan the job that tuning would see.

    Args:
        name: of the workload.
        folder: where its rows and package are made once, and kept.
        rows: of its input.
    """
    told = INPUTS[name]
    shards = Shards(folder / name, rows, 2)
    command = [sys.executable, "-m", f"tests.benchmarks.{told.module}", str(folder / name)]
    subprocess.run([*command, "--sizes", shards.size], cwd=ROOT, check=True)
    package = folder / name / told.package
    config = write_job(folder / f"{name}.yaml", shards, package, folder / "nothing", told.keep, {})
    job = load(ScoringJob, str(config), [])
    return make_plan(job)


def _list_settings(
    engine: Engine, plan: Plan, batch_rows: int, without: Sequence[str]
) -> list[Settings]:
    device = resolve_devices("cpu")[0]
    plain = Settings(batch_rows, engine=engine.name)
    others = engine.list_settings(plan.package.card, device, batch_rows, without)
    return [plain, *others]


def _load(
    load_model: Load,
    engine: Engine,
    settings: Settings,
    plan: Plan,
    parts: Parts,
    reference: Reference,
) -> Measurement:
    """Calibrate and load settings."""
    card = plan.package.card
    sample = partial(make_mini_batches, card, parts, reference, settings.batch_rows)
    try:
        calibrated = engine.calibrate(plan.package, settings, sample)
        score = load_model(calibrated, _WORKERS)
    except Refusal as error:
        return Measurement(settings, refusal=str(error))
    return Measurement(calibrated, score)


def _take_turns(measured: Sequence[Measurement], parts: Parts, repeats: int) -> None:
    """Score all rows with each, in turns; they have been scored once, which is slower."""
    loaded = [one for one in measured if one.score is not None]
    for _ in range(repeats):
        for one in loaded:
            one.take_turn(parts)


def score_all(score: Score, parts: Parts) -> dict[str, np.ndarray]:
    """Score parts one after the other, and return their scores by name."""
    outputs: dict[str, list[np.ndarray]] = {}
    for part in parts:
        for name, values in score(part).items():
            outputs.setdefault(name, []).append(values)
    return {name: np.concatenate(values) for name, values in outputs.items()}


def describe(name: str, measured: Sequence[Measurement], rows: int) -> list[str]:
    """Return the lines of a workload's table, as Markdown.

    Args:
        name: of the workload.
        measured: the reference first.
        rows: of the sample.
    """
    first = measured[0]
    lines = []
    for one in measured:
        engine = one.settings.engine
        words = str(replace(one.settings, engine="torch"))
        if one.refusal:
            lines.append(f"| {name} | {engine} | {words} | | | {one.refusal} |")
            continue
        pairs = zip(first.seconds, one.seconds, strict=True)
        ratios = [of_first / own for of_first, own in pairs]
        per_row = median(one.seconds) / rows * 1e6
        gain = f"{median(ratios):.2f} ({min(ratios):.2f}..{max(ratios):.2f})"
        lines.append(
            f"| {name} | {engine} | {words} | {per_row:,.1f} | {gain} | {_agree(one.agreement)} |"
        )
    return lines


def _agree(agreement: Agreement | None) -> str:
    assert agreement is not None
    words = [f"difference {agreement.max_difference:.2g}"]
    if agreement.label_agreement is not None:
        words.append(f"labels {agreement.label_agreement:.5f}")
    if agreement.cosine is not None:
        words.append(f"cosine {agreement.cosine:.5f}")
    return ", ".join(words)


def parse_flags(description: str, workloads: Sequence[str], repeats: int) -> argparse.Namespace:
    """Return what this process's command line says of workloads that are measured one after the other.

    Args:
        description: of the program.
        workloads: that it can measure.
        repeats: how often, where nothing is said.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--workloads", nargs="+", choices=workloads, default=workloads)
    parser.add_argument("--repeats", type=int, default=repeats)
    parser.add_argument("--rows", type=int, help="of each workload, in place of its own number")
    parser.add_argument("--folder", type=Path, help="where inputs are made once, and kept")
    arguments = parser.parse_args()
    # Before anything is measured.
    if "text" in arguments.workloads and not is_installed():
        sys.exit(INSTALL)
    return arguments


def main() -> None:
    """Measure, and print the table."""
    arguments = parse_flags(__doc__, list(INPUTS), repeats=5)
    with tempfile.TemporaryDirectory() as temporary:
        folder = arguments.folder or Path(temporary)
        print("| workload | engine | setting | CPU µs a row | times as fast | agreement |")
        print("|---|---|---|---|---|---|")
        for name in arguments.workloads:
            rows = arguments.rows or INPUTS[name].rows
            measured = measure_workload(name, folder, rows, arguments.repeats)
            for line in describe(name, measured, rows):
                print(line, flush=True)


if __name__ == "__main__":
    main()
