"""What a trained model will ask of its rows: training follows it as scoring will."""

import pyarrow as pa

from configs.errors import JobError
from model_zoo.steps.encode import OneHot, Ordinal
from pipelines.packing.missing import Contract, list_filled, settle_missing
from pipelines.planning.jobs import FittingJob


def make_contract(job: FittingJob, features: pa.Schema) -> Contract:
    """Return the contract that the package will have.

    Args:
        job: the job.
        features: names and types of what the model sees.

    Raises:
        JobError: columns that are to be filled, and that nothing fills.
    """
    types = dict(zip(features.names, features.types, strict=True))
    data = job.data
    contract = settle_missing(types, job.preprocess, data.fill, data.missing, otherwise="error")
    filled = list_filled(job.preprocess, types)
    for step in job.preprocess:
        # To an encoder a missing value is one that it does not know.
        if isinstance(step, OneHot | Ordinal):
            named = step.name_columns(types)
            filled.update(named.columns)
    left_to_steps = [rule.name for rule in contract if rule.missing == "fill" and rule.fill is None]
    unfilled = [name for name in left_to_steps if name not in filled]
    if unfilled:
        raise JobError(
            f"data.missing says fill, and nothing fills {', '.join(unfilled)}: "
            f"add a fill step with their names, or a value, data.fill.{unfilled[0]}"
        )
    return contract
