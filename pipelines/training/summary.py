"""What a training tells: what was found in the data before it, and how good the model is after it."""

from collections.abc import Iterator
import shlex

from model_zoo.evaluation.metrics import Evaluation, render
from pipelines.packing.writing.packed import Packed
from pipelines.planning.jobs import FittingJob
from pipelines.training.described import held_out_folder
from pipelines.training.described_steps import describe_step
from pipelines.training.figures import Figures
from pipelines.training.held_out import LABELS
from pipelines.training.learning import Learned
from pipelines.training.preparing import Prepared
from pipelines.training.split import PARTS
from pipelines.training.understanding import Understood
from storage import files

_DIGEST_CHARACTERS = 12
_SHOWN_LABELS = 10


def describe_understood(understood: Understood, prepared: Prepared) -> Iterator[str]:
    """Yield lines that say what is trained, and on which rows.

    Args:
        understood: the job.
        prepared: its network.
    """
    job, packaging = understood.job, prepared.packaging
    labels = job.data.labels
    shown = ", ".join(labels[:_SHOWN_LABELS])
    more = f" and {len(labels) - _SHOWN_LABELS:,} more" if len(labels) > _SHOWN_LABELS else ""
    yield f"model      {job.name}, version {job.version}"
    yield f"label      {', '.join(job.data.label)}: {job.task} of {shown}{more}"
    for name in packaging.columns or ():
        yield f"column     {name}: {prepared.parts['training'].rows.schema.field(name).type}"
    for step in packaging.preprocess:
        yield f"step       {describe_step(step)}"
    for note in understood.notes:
        yield f"note       {note}"
    sizes = ", ".join(f"{prepared.parts[name].rows.num_rows:,} {name}" for name in PARTS)
    yield f"split      {job.split.by}: {sizes}"
    for name in PARTS:
        if prepared.parts[name].left_out:
            yield (
                f"note       {prepared.parts[name].left_out:,} rows of the {name} part are left out: "
                "scoring would reject them"
            )
    weights = sum(tensor.numel() for tensor in prepared.network.parameters())
    yield f"network    {packaging.network} {packaging.parameters}, {weights:,} weights"


def describe_training(
    job: FittingJob, learned: Learned, packed: Packed, written: str
) -> Iterator[str]:
    """Yield lines that say how good the model is, and where all of it lies.

    Args:
        job: complete.
        learned: the figures.
        packed: the package.
        written: where the job is.
    """
    # The first one is the best so far, so there always is one.
    best = [epoch for epoch in learned.epochs if epoch.best][-1]
    yield (
        f"trained    {len(learned.epochs)} epochs; kept the weights of epoch {best.number}, "
        f"validation loss {best.validation_loss:.4f}"
    )
    for note in learned.notes:
        yield f"note       {note}"
    for name, figures in learned.figures.items():
        yield f"\n{name}\n{_render(figures)}\n"
    yield f"proven     {packed.rows:,} rows scored as a job does, at most {packed.difference:.1g} from the network"
    yield f"package    {job.output}  (digest {packed.written.digest[:_DIGEST_CHARACTERS]})"
    yield f"job        {written}"
    yield f"score      {packed.written.command}"
    yield f"evaluate   {_make_evaluation(job)}"


def _make_evaluation(job: FittingJob) -> str:
    """Return the command that compares the scores of the held-out rows with their labels."""
    labels = files.join(held_out_folder(job), LABELS)
    words = ["--output", f"scores/{job.name}", "--labels", labels, "--key", str(job.data.key)]
    for name in job.data.label:
        words += ["--label", name]
    # A column may have spaces in its name.
    return f"python -m pipelines.evaluate {shlex.join(words)}"


def _render(figures: Figures) -> str:
    return render(figures) if isinstance(figures, Evaluation) else figures.render()
