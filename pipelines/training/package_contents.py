"""A trained network and its training rows -> the content of a model package."""

from collections.abc import Mapping
from typing import TypeAlias

from safetensors.torch import save
from torch import nn

from model_zoo.evaluation.metrics import Evaluation
from model_zoo.package.card import InputColumn
from model_zoo.package.package import PROFILE, SMOKE, write_package
from model_zoo.steps.table import AnyStep
from pipelines.packing.contents import (
    Fields,
    ScoredRows,
    describe_arrays,
    list_versions,
    make_profile,
    make_smoke_table,
)
from pipelines.packing.scores import ScoredAs
from pipelines.planning.jobs import FittingJob
from pipelines.training.contract import make_contract
from pipelines.training.held_out import to_parquet
from storage import files
from transforms.score_columns import ScoreColumns

# What trains the model: other versions of it may round otherwise.
_LIBRARIES = ("numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "torch")
# By name of the part of the split.
Evaluations: TypeAlias = Mapping[str, Evaluation]


def pack(
    job: FittingJob,
    network: nn.Module,
    steps: tuple[AnyStep, ...],
    training: ScoredRows,
    evaluations: Evaluations,
) -> str:
    """Write `model/` below the job's output, and return the package's digest.

    Args:
        job: the job.
        network: the trained network.
        steps: fitted preprocessing.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    weights = {}
    for name, tensor in network.state_dict().items():
        # safetensors takes no tensor that is a view of another.
        weights[name] = tensor.contiguous()
    smoke = make_smoke_table(training)
    how = ScoreColumns(job.network.activation, job.data.labels)
    profile = make_profile(training, ScoredAs(how))
    contents = {
        "weights.safetensors": save(weights),
        SMOKE: to_parquet(smoke),
        PROFILE: to_parquet(profile),
    }
    card = make_card(job, training, evaluations)
    folder = files.join(job.output, "model")
    return write_package(folder, card, steps, contents)


def make_card(
    job: FittingJob,
    training: ScoredRows,
    evaluations: Evaluations,
) -> Fields:
    """Return the fields of `model.yaml`.

    What the network takes and gives is read off what it took and gave.

    Args:
        job: the job.
        training: the rows that the network was trained on.
        evaluations: by name of the part of the split.
    """
    network = job.network
    contract = make_contract(job, training.rows.schema)
    columns = [_describe_column(rule) for rule in contract]
    metrics = {name: evaluation.as_dict() for name, evaluation in evaluations.items()}
    # The digest of a package depends on the order of these keys.
    return {
        "name": job.name,
        "version": job.version,
        "builder": network.builder,
        "parameters": network.parameters,
        "columns": columns,
        "inputs": describe_arrays(training.inputs),
        "outputs": describe_arrays(training.outputs),
        "activation": network.activation,
        "labels": list(job.data.labels),
        "metrics": metrics,
        "libraries": list_versions(_LIBRARIES),
    }


def _describe_column(rule: InputColumn) -> Fields:
    # Without a value that is none: the digest of a package depends on what is written.
    return rule.model_dump(mode="json", exclude_none=True)
