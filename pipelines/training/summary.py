"""What a training tells: what was found in the data before it, and how good the model is after it."""

from collections.abc import Iterator
import shlex

from configs.joined_words import join_some
from model_zoo.evaluation.metrics import Evaluation, render
from pipelines.packing.writing.packed import Packed
from pipelines.training.described import held_out_folder
from pipelines.training.described_steps import describe_step
from pipelines.training.figures import Figures
from pipelines.training.fitting_job import FittingJob
from pipelines.training.held_out import LABELS
from pipelines.training.learned import Learned
from pipelines.training.prepared import Prepared
from pipelines.training.split import PARTS
from pipelines.training.understood import Understood
from storage import files

_DIGEST_CHARACTERS = 12
_SHOWN_LABELS = 10


def describe_understood(understood: Understood, prepared: Prepared) -> Iterator[str]:
    """Yield lines that say what is trained, and on which rows.

    Args:
        understood: the job.
        prepared: its network.
    """
    job = understood.job
    packaging = prepared.packaging
    parts = prepared.parts
    yield f"model      {job.name}, version {job.version}"
    label = ", ".join(job.data.label)
    shown = join_some(job.data.labels, _SHOWN_LABELS)
    yield f"label      {label}: {job.task} of {shown}"
    schema = parts["training"].rows.schema
    for name in packaging.columns or ():
        field = schema.field(name)
        yield f"column     {name}: {field.type}"
    for step in packaging.preprocess:
        yield f"step       {describe_step(step)}"
    for note in understood.notes:
        yield f"note       {note}"

    sizes = []
    for name in PARTS:
        rows = parts[name].rows.num_rows
        sizes.append(f"{rows:,} {name}")
    listed = ", ".join(sizes)
    yield f"split      {job.split.by}: {listed}"
    for name in PARTS:
        left_out = parts[name].left_out
        if left_out:
            yield (
                f"note       {left_out:,} rows of the {name} part are left out: "
                "scoring would reject them"
            )
    weights = sum(tensor.numel() for tensor in prepared.network.parameters())
    yield f"network    {packaging.network} {packaging.parameters}, {weights:,} weights"


def describe_training(
    job: FittingJob,
    learned: Learned,
    packed: Packed,
    written: str,
) -> Iterator[str]:
    """Yield lines that say how good the model is, and where all of it lies.

    Args:
        job: complete.
        learned: the figures.
        packed: the package.
        written: where the job is.
    """
    epochs = learned.epochs
    # The first one is the best so far, so there always is one.
    bests = [epoch for epoch in epochs if epoch.best]
    best = bests[-1]
    yield (
        f"trained    {len(epochs)} epochs; kept the weights of epoch {best.number}, "
        f"validation loss {best.validation_loss:.4f}"
    )
    for note in learned.notes:
        yield f"note       {note}"
    for name, figures in learned.figures.items():
        yield f"\n{name}\n{_render(figures)}\n"
    yield f"proven     {packed.rows:,} rows scored as a job does, at most {packed.difference:.1g} from the network"
    for note in packed.forms:
        yield f"forms      {note}"
    written_package = packed.written
    digest = written_package.digest[:_DIGEST_CHARACTERS]
    yield f"package    {job.output}  (digest {digest})"
    yield f"job        {written}"
    yield f"score      {written_package.command}"
    yield f"evaluate   {_make_evaluation(job)}"


def _make_evaluation(job: FittingJob) -> str:
    """Return the command that compares the scores of the held-out rows with their labels."""
    labels = files.join(held_out_folder(job), LABELS)
    words = ["--output", f"scores/{job.name}"]
    words += ["--labels", labels]
    words += ["--key", str(job.data.key)]
    for name in job.data.label:
        words += ["--label", name]
    # A column may have spaces in its name.
    flags = shlex.join(words)
    return f"python -m pipelines.evaluate {flags}"


def _render(figures: Figures) -> str:
    if isinstance(figures, Evaluation):
        return render(figures)
    return figures.render()
