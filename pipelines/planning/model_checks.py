"""Checks of a model package that need a job, or the preprocessing that scoring uses."""

import numpy as np

from configs.errors import (
    JobError,
    ModelError,
    Refusal,
    RejectedRows,
    WorkerError,
    crashes_as_errors,
)
from configs.redaction import shown
from model_zoo.architectures.users_own import check_users_network
from model_zoo.engines.engine import make_engine
from model_zoo.engines.settings import DEFAULT_ENGINE
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package
from model_zoo.steps.function import Function
from model_zoo.steps.load_file import LoadFile
from model_zoo.tensor_columns import from_column
from pipelines.planning.jobs import ScoringJob
from transforms.preprocess_rows import preprocess_rows

_MEND = "pack the model again with these library versions"
# Preprocessing computes in float32 and float64; other library versions may round the last digit
# otherwise.
_RELATIVE = 1e-5
_ABSOLUTE = 1e-6


def check_users_code(job: ScoringJob, package: Package) -> None:
    """Refuse a package with a user's function or network from a module that the job does not list.

    A job that names an engine of another form of the model, its graph for example, runs nothing of
    the network, and needs no module of it.

    Args:
        job: the job.
        package: its model.

    Raises:
        JobError: the first such step, or the network.
        ModelError: the network's module is not the one that the package was made with.
    """
    card = package.card
    if _may_load_network(job, card):
        check_users_network(card.builder, card.source_sha256, job.model.modules)
    allowed = job.preprocess.modules
    for step in package.steps:
        if isinstance(step, LoadFile):
            raise JobError(
                f"{package.url}: its steps read files ({step.column!r} -> {step.into!r}), and no "
                "package may say which; let the job read them, with load_file in preprocess.steps, "
                f"and pack the model with a column {step.into!r} of contents"
            )
    for step in package.steps:
        if isinstance(step, Function) and step.module not in allowed:
            raise JobError(
                f"the model package calls {step.function}; "
                f"list {step.module} in preprocess.modules to allow it"
            )


def _may_load_network(job: ScoringJob, card: ModelCard) -> bool:
    # Of `auto` a tuning report may say torch, and without one it is.
    if job.model.engine in ("auto", DEFAULT_ENGINE):
        return True
    engine = make_engine(job.model.engine)
    return engine.reads(card) == card.weights


def check_preprocessing(package: Package, timeout_seconds: float | None = None) -> None:
    """Preprocess the smoke batch, and compare with what training handed to the network.

    Args:
        package: the job's model.
        timeout_seconds: the longest time that one picture, or some texts, may take; None for any.

    Raises:
        ModelError: other values, a picture or text that takes too long, or a smoke batch that does not fit the contract.
    """
    # Before any worker starts: it is the cheapest proof that scoring prepares rows as training did.
    try:
        with crashes_as_errors():
            other = _find_other_input(package, timeout_seconds)
    except WorkerError as error:
        raise ModelError(f"{package.url}: on its own smoke batch, {error}") from error
    except Refusal:
        raise
    except RejectedRows as rejected:
        reason = next(iter(rejected.reasons.values()))
        raise ModelError(
            f"{package.url}: preprocessing rejects a row of the smoke batch: {shown(reason)}; {_MEND}"
        ) from rejected
    except Exception as error:  # whatever a library has against what a stranger packed
        raise ModelError(
            f"{package.url}: the smoke batch does not fit the contract: {shown(error)}; {_MEND}"
        ) from error
    if other is not None:
        raise ModelError(
            f"{package.url}: preprocessing of the smoke batch gives other values of {other} "
            f"than in training; {_MEND}"
        )


def _find_other_input(package: Package, timeout_seconds: float | None) -> str | None:
    """Return the first input that comes out otherwise than in training; None when none does."""
    card = package.card
    # One chunk a column, and so one batch of them all.
    smoke = package.smoke.combine_chunks()
    names = [column.name for column in card.columns]
    columns = smoke.select(names)
    rows = columns.to_batches()[0]
    arrays = preprocess_rows(rows, card.columns, package.steps, card.inputs, timeout_seconds)
    for name, actual in arrays.items():
        chunked = smoke.column(f"input.{name}")
        column = chunked.combine_chunks()
        expected = from_column(column, actual.shape[1:])
        # Missing values of models that know how to take them are NaN on both sides.
        if not np.allclose(actual, expected, rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True):
            return name
    return None
