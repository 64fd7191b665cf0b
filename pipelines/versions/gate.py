"""What a promotion may be asked for: figures that are better than those of the version that stands.

Figures are what `pipelines.evaluate --json` printed of either version. They say of which model they
are, and of which labels, so that no figures of other rows or of another version decide.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from configs.errors import GateError, InputError, JobError
from configs.suggest import nearest
from pipelines.versions.names import Move
from storage import files
from storage.json_pieces import parse_json

# By their names in the JSON of pipelines.evaluate; the mean of several numbers is below `mean`.
_HIGHER = frozenset({
    "accuracy", "macro_f1", "micro_f1", "roc_auc", "average_precision", "exact_match",
    "mean_average_precision", "r2", "ndcg", "mean_reciprocal_rank",
})  # fmt: skip
_LOWER = frozenset({
    "log_loss", "brier", "hamming_loss", "mean_absolute_error", "root_mean_squared_error",
})  # fmt: skip
Figures: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Gate:
    """What a promotion is asked for.

    Attributes:
        metric: name of the figure that decides.
        margin: by how much it must be better than the standing version's; with 0 it may be equal.
        evaluation, standing: files with the figures of the version, and of the one that stands.
    """

    metric: str
    margin: float
    evaluation: str
    standing: str | None


def pass_gate(
    gate: Gate,
    digest: str,
    stands: Move | None,
) -> dict[str, Any]:
    """Return the figures that a promotion is made on.

    Args:
        gate: what is asked.
        digest: of the package that is to be promoted.
        stands: the move that made the name point to what it points to; None where it does not yet.

    Raises:
        GateError: the version is not better by the margin.
        InputError: figures that are not of these versions, or not of the same labels.
        JobError: a metric that nobody can tell better from worse, or no figures to compare with.
    """
    metric = gate.metric
    margin = gate.margin
    evaluation = gate.evaluation
    standing = gate.standing
    lower_is_better = _find_direction(metric)
    figures = _read_figures(evaluation, digest)
    new = _find_figure(figures, metric, evaluation)
    passed: dict[str, Any] = {"metric": metric, "margin": margin, "figure": new}
    if stands is None:
        return passed
    if standing is None:
        raise JobError(
            f"--standing_evaluation: the name points to version {stands.version}; give its figures, "
            "which pipelines.evaluate --json prints"
        )
    standing_figures = _read_figures(standing, stands.digest)
    old_labels = standing_figures["of"]["labels_sha256"]
    new_labels = figures["of"]["labels_sha256"]
    # By their content: one file of labels may have several names, and change under one.
    if old_labels != new_labels:
        raise InputError(
            f"{standing}: is of other labels than {evaluation}; evaluate both versions on "
            "the same file of labels"
        )
    old = _find_figure(standing_figures, metric, standing)
    gain = old - new if lower_is_better else new - old
    # Not a number compares with nothing, and is no gain.
    if not gain >= margin:
        raise GateError(
            f"{metric} is {new:.6g}, and {old:.6g} of version {stands.version}, which stands: "
            f"better by {gain:.3g}, where {margin:.3g} is asked for; nothing was moved"
        )
    return {**passed, "standing": old}


def _find_direction(metric: str) -> bool:
    # `mean.r2` is better or worse as r2 is.
    _, _, name = metric.rpartition(".")
    known = sorted(_HIGHER | _LOWER)
    if name not in known:
        hint = nearest(name, known)
        listed = ", ".join(known)
        raise JobError(
            f"--metric {metric}: nothing tells whether more of it is better{hint}; "
            f"there are {listed}"
        )
    return name in _LOWER


def _read_figures(url: str, digest: str) -> Figures:
    address = files.to_absolute(url)
    try:
        content = files.read(address)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"{url}: cannot be read: {reason}; name a file that pipelines.evaluate --json printed"
        ) from error
    if content is None:
        raise InputError(f"{url}: is not there; pipelines.evaluate --json prints such a file")
    try:
        figures = parse_json(content)
        of = figures["of"]
        told = of["model_digest"]
        # Compared later, and missed here, where the file is read.
        _ = of["labels_sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{url}: is not what pipelines.evaluate --json prints; evaluate the version again"
        ) from error
    if told != digest:
        model = of.get("model")
        raise InputError(
            f"{url}: has the figures of {model}, which is another package than the one "
            "that they are asked of; evaluate scores of this very version"
        )
    found: Figures = figures
    return found


def _find_figure(figures: Figures, metric: str, url: str) -> float:
    value: Any = figures
    for name in metric.split("."):
        if not isinstance(value, Mapping):
            value = None
            break
        value = value.get(name)
    # Python's truth values are integers, too.
    is_truth = isinstance(value, bool)
    if is_truth or not isinstance(value, int | float):
        numbers = [name for name, number in figures.items() if isinstance(number, float)]
        listed = ", ".join(numbers)
        raise InputError(f"{url}: has no figure {metric!r}; it has {listed}")
    return float(value)
