"""Names of score columns beside that of the key: the job that packaging writes must run as it stands."""

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.arrays import Arrays
from model_zoo.steps.table import AnyStep
from transforms.score_columns import list_default_columns
from transforms.scores.options import ScoreColumns


def refuse_name_of_key(job: PackagingJob[AnyStep], outputs: Arrays) -> None:
    """Refuse a score column that would be called like the key.

    Args:
        job: the job, with its activation.
        outputs: of the model (rows, ...), by name.

    Raises:
        JobError: one would.
    """
    is_regression = job.task == "regression"
    how = ScoreColumns(
        activation=job.activation or "none",
        labels=job.labels,
        numbers=job.labels if is_regression else (),
    )
    shapes = {name: array.shape[1:] for name, array in outputs.items()}
    written = list_default_columns(how, shapes)
    if job.key not in written:
        return
    if job.activation == "none" and job.key in job.labels:
        fix = "give the number another name in labels"
    elif job.activation == "none":
        fix = "give the output another name in forward, or in outputs where it has none there"
    else:
        fix = "give the key's column another name in the sample"
    raise JobError(
        f"key: scores have a column {job.key!r}, too, and a file has one of a name; {fix}"
    )
