"""What the first half of a launch, which plans, hands to the second, which runs.

A file of its own, so that neither half imports the other.
"""

from typing import NamedTuple

from pipelines.planning.plan import Plan
from pipelines.runners.runner import Runner


class PlannedJob(NamedTuple):
    """What is to be done, where, and the run whose unchanged units are taken as they are."""

    plan: Plan
    runner: Runner
    reuse_from: str | None
