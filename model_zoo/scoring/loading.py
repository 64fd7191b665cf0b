"""Load the model that a launcher has named, in a worker: checked anew, and within the package's limits."""

from dataclasses import replace
from functools import partial

from model_zoo.library_caches import refuse_shared_caches
from model_zoo.load_limits import load_within_limits
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.devices import threads_for
from model_zoo.scoring.freed_memory import keep_freed_memory
from model_zoo.scoring.replicas import Replicas
from model_zoo.scoring.scorer import Scorer, load_scorer
from model_zoo.scoring.scoring import Scoring


def load_model(scoring: Scoring) -> Scorer | Replicas:
    """Return the model, ready to score.

    Raises:
        ModelError, JobError: it cannot be loaded here, or not safely.
    """
    # Here too: a worker's environment may be another than the launcher's.
    refuse_shared_caches()
    # Before the first batch, and in every process that scores.
    keep_freed_memory()
    package = _open_package(scoring)
    threads = threads_for(scoring.workers)
    load = partial(
        load_scorer,
        package,
        scoring.device,
        scoring.settings,
        threads,
        scoring.timeout_seconds,
        scoring.machine,
    )
    return load_within_limits(load, package.url, package.card)


def _open_package(scoring: Scoring) -> Package:
    # The launcher's digest, so that a package that changed since is refused.
    package = scoring.made or read_package(scoring.package, scoring.digest, scoring.modules)
    return replace(package, target=scoring.target)
