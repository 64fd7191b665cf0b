"""How a job's network computes.

As the job says, or, with `dtype: auto`, as the tuning report of pipelines.tune says.
"""

from dataclasses import replace
from typing import Any

from configs.errors import JobError, ModelError
from model_zoo.engines.engine import Engine, choose_engine, find_engine, list_readers
from model_zoo.engines.machine import cores
from model_zoo.engines.settings import DEFAULT_ENGINE, Settings
from model_zoo.engines.tuning_report import (
    TuningReport,
    describe_machine,
    parse_tuning_report,
    refuse_other_job,
    refuse_other_model,
)
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package
from pipelines.planning.batch_rows import bytes_per_row, default_batch_rows
from pipelines.planning.inference_settings import InferenceSettings
from pipelines.planning.jobs import ScoringJob, choose_activation
from pipelines.planning.reported_graphs import locate_graph
from pipelines.planning.reported_settings import choose_reported, refuse_other_engine
from pipelines.planning.served import Served
from storage import files

# Far more than is ever fast, on any device.
_LARGEST_MINI_BATCH_BYTES = 8 << 30


def plan_inference(
    job: ScoringJob,
    package: Package,
    served: Served | None = None,
) -> InferenceSettings:
    """Return how the job's network computes.

    Args:
        job: the job.
        package: its model.
        served: the server that computes it; None where an engine does here.

    Raises:
        JobError: its tuning report is none, or belongs to another model or job, or allows more than
            the job's tolerance does; or a mini-batch would fill the memory.
    """
    most_rows = None if served is None else served.most_rows
    inference = _choose_inference(job, package, most_rows)
    if served is not None:
        inference = replace(inference, workers=served.count_workers(cores()))
    _refuse_unfit(inference.settings.engine, package, job.model.device)
    _refuse_large_batches(inference.settings.batch_rows, package.card)
    return inference


def _choose_inference(
    job: ScoringJob,
    package: Package,
    most_rows: int | None,
) -> InferenceSettings:
    model = job.model
    batch_rows = _choose_batch_rows(job, package.card, most_rows)
    engine = choose_engine(package.card)
    chosen_by = "the package"
    if model.engine != "auto":
        engine = model.engine
        chosen_by = "the job"
    if model.dtype != "auto":
        settings = Settings(batch_rows, model.dtype, engine=engine)
        return InferenceSettings(settings, chosen_by=chosen_by)
    url = str(model.tuning_report)
    report = _read_report(url)
    # A job may be written before it is tuned, and must run then, too.
    if report is None:
        settings = Settings(batch_rows, engine=engine)
        reference = describe_reference(engine)
        why = f"model.dtype auto: there is no {url} yet, so {reference}; pipelines.tune makes one"
        return InferenceSettings(settings, why=why, chosen_by=chosen_by)
    _check_report(report, job, package, url)
    return _take_reported(report, job, package.card, url)


def _choose_batch_rows(job: ScoringJob, card: ModelCard, most_rows: int | None) -> int:
    wanted = job.model.batch_rows
    if wanted is None:
        fitting = default_batch_rows(card)
        return fitting if most_rows is None else min(fitting, most_rows)
    if most_rows is not None and wanted > most_rows:
        raise JobError(
            f"model.batch_rows {wanted:,}: the server takes {most_rows:,} rows at once; "
            "choose as many or fewer, or leave it out"
        )
    return wanted


def _take_reported(
    report: TuningReport,
    job: ScoringJob,
    card: ModelCard,
    url: str,
) -> InferenceSettings:
    model = job.model
    reference = describe_reference(choose_engine(card))
    choice, fallen_back = choose_reported(report, model.tolerance, model.fallback, url)
    _refuse_other_size(choice.settings.batch_rows, model.batch_rows, url)
    why = (
        f"model.dtype auto: {choice.settings}, "
        f"{choice.speed_up:.2f} times as fast as {reference}, says {url}"
    )
    chosen_by = "the tuning report"
    if fallen_back:
        why += f"; the next best of it, by model.fallback, because {fallen_back}"
        chosen_by += f", by model.fallback, because {fallen_back}"
    return InferenceSettings(
        settings=locate_graph(choice.settings, url),
        machine=describe_machine(report.machine, choice),
        agreement=choice.agreement,
        # Older reports know one number for all.
        workers=choice.workers or report.workers,
        why=why,
        chosen_by=chosen_by,
    )


def _refuse_other_size(measured: int, wanted: int | None, url: str) -> None:
    """Refuse settings of other mini-batches than the job says, also where they are the next best."""
    if wanted not in (None, measured):
        raise JobError(
            f"{url}: was made with model.batch_rows {measured}, and the job says {wanted}; "
            "run pipelines.tune again"
        )


def describe_reference(engine: str) -> str:
    """Return the settings of an engine that others are compared with, in words."""
    if engine == DEFAULT_ENGINE:
        return "float32, eager"
    return f"{engine} in float32"


def _refuse_unfit(name: str, package: Package, device: str) -> None:
    """Refuse an engine that is not installed, reads nothing of the package, or is for other devices."""
    card = package.card
    # It always comes with this program and reads every network; to ask it, torch would be imported.
    if name == DEFAULT_ENGINE and card.has_network:
        return
    # Here, before anything starts; workers, whose machines may be others, look again.
    engine = find_engine(name)
    if engine.reads(card) is not None:
        _refuse_other_device(engine, device)
        return
    readers = [reader.name for reader in list_readers(card)]
    # Packaging and training tell it too, in a line that is easily missed.
    how = ""
    if card.has_network:
        how = " where what exports its ONNX graph is installed: pip install '.[onnx]'"
    raise ModelError(
        f"{package.url}: holds no form of the model that engine {name} reads; "
        f"set model.engine to {' or '.join(readers)}, or pack the model again{how or ' with one'}"
    )


def _refuse_other_device(engine: Engine, device: str) -> None:
    kind, _, _ = device.partition(":")
    # What `auto` stands for is seen by workers.
    if kind == "auto" or kind in engine.device_types:
        return
    kinds = " or ".join(engine.device_types)
    raise ModelError(
        f"engine {engine.name} computes on {kinds}, and model.device is {device}; "
        f"set model.device to {engine.device_types[0]}, or model.engine to another"
    )


def list_deciding_values(job: ScoringJob, card: ModelCard) -> dict[str, Any]:
    """Return what the job says that decides the model's inputs and labels, by its names there.

    Args:
        job: the job.
        card: its model's.
    """
    preprocess = job.preprocess.model_dump(mode="json")
    activation = choose_activation(job, card)
    threshold = None
    # Of other activations the threshold decides nothing.
    if activation == "sigmoid":
        threshold = job.postprocess.threshold
    deciding = {
        "preprocess.steps": preprocess["steps"],
        "postprocess.activation": activation,
        "postprocess.threshold": threshold,
    }
    # Only then: reports of older versions do not know the word.
    if job.postprocess.thresholds:
        deciding["postprocess.thresholds"] = dict(sorted(job.postprocess.thresholds.items()))
    return deciding


def _refuse_large_batches(batch_rows: int, card: ModelCard) -> None:
    """Refuse mini-batches that nothing computes: also of a few rows, each is filled up to its size."""
    size = batch_rows * bytes_per_row(card)
    if size > _LARGEST_MINI_BATCH_BYTES:
        most = max(1, _LARGEST_MINI_BATCH_BYTES // bytes_per_row(card))
        raise JobError(
            f"model.batch_rows {batch_rows:,}: a mini-batch of the model's input would take "
            f"{size:,} bytes, more than {_LARGEST_MINI_BATCH_BYTES:,}; "
            f"choose {most:,} or fewer"
        )


def _check_report(
    report: TuningReport,
    job: ScoringJob,
    package: Package,
    url: str,
) -> None:
    refuse_other_model(report, package.digest, url)
    deciding = list_deciding_values(job, package.card)
    refuse_other_job(report, deciding, url)
    refuse_other_engine(report, job.model.engine, url)


def _read_report(url: str) -> TuningReport | None:
    try:
        absolute = files.to_absolute(url)
        content = files.read(absolute)
    except (OSError, ImportError, ValueError) as error:
        raise JobError(
            f"model.tuning_report {url}: cannot be read: {error}; "
            "mend its place, or set model.dtype to float32"
        ) from error
    if content is None:
        return None
    return parse_tuning_report(content, url)
