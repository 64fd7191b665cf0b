"""From a Plan to what the graph's Predict needs: which model scores, and how.

A file of its own, because all else that reads a Plan loads no model.
"""

from model_zoo.scoring.scoring import Scoring
from pipelines.planning.plan import Plan
from pipelines.planning.workers import Workers


def scoring_of(plan: Plan, workers: Workers) -> Scoring:
    """Return which model scores, and how.

    Args:
        plan: the run's.
        workers: of one machine.

    Raises:
        JobError: they are more than a server may be asked by at once.
    """
    model = plan.job.model
    return Scoring(
        package=plan.package.url,
        digest=plan.package.digest,
        device=model.device,
        settings=plan.inference.settings,
        timeout_seconds=model.timeout_seconds,
        workers=workers.count,
        machine=plan.inference.machine,
        modules=model.modules,
        target=None if plan.served is None else plan.served.share(workers),
        # No folder holds it, from which a worker could read it.
        made=plan.package if model.package is None else None,
    )
