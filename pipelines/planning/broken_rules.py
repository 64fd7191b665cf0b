"""From a Job to what it says of shards that cannot be read."""

from configs.job import AnyJob
from transforms.broken_budget import BrokenRules


def find_broken_rules(job: AnyJob) -> BrokenRules:
    """Return how many broken shards a job allows."""
    errors = job.errors
    return BrokenRules(errors.max_broken_shards, errors.max_broken_percent)
