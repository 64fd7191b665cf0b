"""What a training came to, as one HTML file that needs nothing else: no script, no network.

It holds figures, names of columns and names of classes, and no value of any row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from configs.fields import Names
from model_zoo.training.epoch import Epoch
from pipelines.pages.drawing import can_draw
from pipelines.pages.page import Part, Picture, Rows, Section, Source, Table, render_page
from pipelines.training.figures import Scored, Task
from pipelines.training.report_figures import make_figures_section
from pipelines.training.report_plots import draw_learning, draw_learning_rate
from pipelines.training.report_tasks import make_error_sections
from storage import files

_KINDS: Mapping[Task, str] = {
    "classification": "A class for each row",
    "multi_label": "Any number of labels for each row",
    "regression": "A number for each row, or several",
}
_WITHOUT_PICTURES = (
    "There are tables in place of pictures, as matplotlib is not installed: it comes with the extra "
    "train."
)
# Of longer trainings every so many epochs are listed.
_SHOWN_EPOCHS = 40
_MOST_UNFOLDED_COLUMNS = 30
Epochs: TypeAlias = Sequence[Epoch]


@dataclass(frozen=True)
class ReportedColumn:
    """A column of the data.

    Attributes:
        dtype: its Arrow type, as text.
        role: `key`, `label`, `feature`, or another word that tells what it is for.
        missing: what a missing value does, as the package says it; empty for other columns.
    """

    name: str
    dtype: str
    role: str
    missing: str = ""


@dataclass(frozen=True)
class Report:
    """What the report tells.

    Attributes:
        name, version: of the model.
        package, digest: where it is, and of what content.
        task: what its scores are.
        labels: names of classes by class number, of labels, or of a regression's numbers.
        job: the whole training job as it was understood, as YAML.
        network: builder of the network, and its parameters in words.
        weights: how many numbers training has fitted.
        recipe: the choices of training by name, each in words.
        columns: of the data, in their order.
        parts: rows by part of the split, in the order training, validation, test.
        left_out: rows of the data that are in no part, by the reason.
        steps: fitted preprocessing in their order, each in words.
        epochs: of the training, with the losses.
        scored: validation and test, by name; what the figures are made of.
        seconds: how long which part of the work took, by its name.
        machine: what it was computed on, in words.
        notes: what else a person should know, a sentence each.
    """

    name: str
    version: str
    package: str
    digest: str
    task: Task
    labels: Names
    job: str
    network: str
    weights: int
    recipe: Mapping[str, str]
    columns: tuple[ReportedColumn, ...]
    parts: Mapping[str, int]
    epochs: tuple[Epoch, ...]
    scored: Mapping[str, Scored]
    left_out: Mapping[str, int] = field(default_factory=dict)
    steps: Names = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    machine: str = ""
    notes: Names = ()


def write_report(url: str, report: Report) -> None:
    """Write the report.

    Args:
        url: of the HTML file; one that stands there is replaced.
        report: what it tells.

    Raises:
        InputError: a part of the split has no rows, or a score is not finite.
        OSError: the file cannot be written.
    """
    page = render_report(report)
    content = page.encode()
    files.put(url, content)


def render_report(report: Report) -> str:
    """Return the report as HTML.

    Raises:
        InputError: a part of the split has no rows, or a score is not finite.
    """
    is_drawn = can_draw()
    words = [_describe(report), *report.notes]
    if not is_drawn:
        words.append(_WITHOUT_PICTURES)
    scored = report.scored
    sections = [
        make_figures_section(report.task, report.labels, scored),
        _make_learning_section(report, is_drawn),
        *make_error_sections(report.task, report.labels, scored, is_drawn),
        _make_data_section(report),
        _make_training_section(report),
    ]
    title = f"{report.name}, version {report.version}"
    return render_page(title, words, sections)


def _describe(report: Report) -> str:
    kind = _KINDS[report.task]
    return f"{kind}. Package {report.package}, digest {report.digest}."


def _make_learning_section(report: Report, is_drawn: bool) -> Section:
    epochs = report.epochs
    best = _find_best(epochs)
    there_were = len(epochs)
    kept = (
        f"The weights of epoch {best.number} of {there_were} were kept, whose loss in "
        f"validation was the lowest, {best.validation_loss:.6g}."
    )
    words = [kept]
    # Whoever is best at the end may get better.
    was_falling = best is epochs[-1]
    # A training of one epoch has nothing that could fall.
    if was_falling and there_were > 1:
        words.append("It was still falling in the last epoch: more epochs may do better.")

    parts: list[Part] = []
    if is_drawn:
        parts += _draw_learning(epochs, best)
    # Folded behind the pictures, which tell the same at a glance.
    table = _tabulate_epochs(epochs, is_folded=is_drawn)
    parts.append(table)
    return Section(
        title="How it learned",
        words=tuple(words),
        parts=tuple(parts),
    )


def _draw_learning(epochs: Epochs, best: Epoch) -> list[Part]:
    losses = draw_learning(epochs, best.number)
    parts: list[Part] = [Picture("Loss", losses)]
    rates = {epoch.learning_rate for epoch in epochs}
    # One rate for all epochs is told by the recipe.
    if len(rates) > 1:
        drawn = draw_learning_rate(epochs)
        picture = Picture("Learning rate", drawn)
        parts.append(picture)
    return parts


def _find_best(epochs: Epochs) -> Epoch:
    # The first one is the best so far, so there always is one.
    bests = [epoch for epoch in epochs if epoch.best]
    return bests[-1]


def _tabulate_epochs(epochs: Epochs, is_folded: bool) -> Table:
    """Return losses by epoch; of many epochs some, the best and the last ones among them."""
    wanted = len(epochs) // _SHOWN_EPOCHS
    step = max(1, wanted)
    best = _find_best(epochs)
    last = epochs[-1]
    rows = []
    for epoch in epochs:
        is_one_of_some = (epoch.number - 1) % step == 0
        is_told_anyway = epoch is last or epoch is best
        if not is_one_of_some and not is_told_anyway:
            continue
        row = (
            epoch.number,
            f"{epoch.training_loss:.6g}",
            f"{epoch.validation_loss:.6g}",
            f"{epoch.learning_rate:.3g}",
        )
        rows.append(row)
    head = ("epoch", "training loss", "validation loss", "learning rate")
    return Table("Epochs", head, rows, folded=is_folded)


def _make_data_section(report: Report) -> Section:
    of_parts = _tabulate_parts(report.parts)
    tables: list[Part] = [of_parts]
    if report.left_out:
        left_out = _tabulate_left_out(report.left_out)
        tables.append(left_out)
    columns = _tabulate_columns(report.columns)
    tables.append(columns)
    return Section("The data", (), tuple(tables))


def _tabulate_left_out(rows_by_reason: Mapping[str, int]) -> Table:
    lines: Rows = []
    for why, rows in rows_by_reason.items():
        lines.append((why, f"{rows:,}"))
    head = ("why", "rows")
    return Table("Rows that are in no part", head, lines)


def _tabulate_columns(columns: Sequence[ReportedColumn]) -> Table:
    there_are = len(columns)
    rows = []
    for column in columns:
        row = (
            column.name,
            column.dtype,
            column.role,
            column.missing,
        )
        rows.append(row)
    return Table(
        caption=f"{there_are} columns",
        head=("column", "type", "role", "missing values"),
        rows=rows,
        folded=there_are > _MOST_UNFOLDED_COLUMNS,
        of_numbers=False,
    )


def _tabulate_parts(rows_by_part: Mapping[str, int]) -> Table:
    all_rows = sum(rows_by_part.values())
    # At least one row, so that shares of none are 0.
    total = max(all_rows, 1)
    lines: Rows = []
    for name, rows in rows_by_part.items():
        share = rows / total
        line = (name, f"{rows:,}", f"{share:.1%}")
        lines.append(line)
    head = ("part", "rows", "share")
    return Table("Rows", head, lines)


def _make_training_section(report: Report) -> Section:
    network = f"Network {report.network}, of {report.weights:,} fitted numbers."
    words = [network]
    if report.machine:
        words.append(f"Computed on {report.machine}.")
    tables: list[Part] = []
    if report.steps:
        steps = [(step,) for step in report.steps]
        fitted = Table("Steps, fitted in the training rows", (), steps)
        tables.append(fitted)
    choices = report.recipe.items()
    recipe = Table("Recipe", (), list(choices), of_numbers=False)
    tables.append(recipe)
    if report.seconds:
        seconds = _tabulate_seconds(report.seconds)
        tables.append(seconds)
    job = Source("The whole job, which runs again as it stands", report.job)
    tables.append(job)
    return Section(
        title="How it was trained",
        words=tuple(words),
        parts=tuple(tables),
    )


def _tabulate_seconds(seconds_by_name: Mapping[str, float]) -> Table:
    lines: Rows = []
    for name, seconds in seconds_by_name.items():
        lines.append((name, f"{seconds:.1f}"))
    return Table("Seconds", (), lines)
