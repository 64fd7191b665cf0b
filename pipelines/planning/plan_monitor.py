"""From a Job to the thresholds from which its run is warned of, or held back."""

from collections.abc import Sequence

from pydantic import BaseModel

from configs.job import AnyJob
from configs.monitor import DEFAULT
from model_zoo.evaluation.findings import Limit, Rules


def make_rules(job: AnyJob, of_model: Sequence[str]) -> Rules:
    """Return the thresholds of a job.

    Args:
        job: the job.
        of_model: columns of its model, which have those of `default` where they have none of their own.
    """
    monitor = job.monitor
    named = {}
    for name, section in monitor.columns.items():
        named[name] = _read_limits(section)
    default = named.pop(DEFAULT, {})
    # Key and pass-through columns have their own alone.
    columns = dict(named)
    for name in of_model:
        own = named.get(name, {})
        columns[name] = {**default, **own}
    rows = _read_limits(monitor.rows)
    return Rules(
        columns=columns,
        others=default,
        scores=_read_limits(monitor.scores),
        fewer_rows=rows.get("fewer_than", Limit()),
        more_rows=rows.get("more_than", Limit()),
    )


def _read_limits(section: BaseModel) -> dict[str, Limit]:
    """Return the thresholds that a section of the job sets."""
    limits = {}
    for name, limit in section:
        if limit is not None:
            limits[name] = Limit(limit.warn, limit.hold)
    return limits
