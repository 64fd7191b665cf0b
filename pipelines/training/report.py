"""What a training came to, as one HTML file that needs nothing else: no script, no network.

It holds figures, names of columns and names of classes, and no value of any row.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from model_zoo.training.epoch import Epoch
from pipelines.training.figures import Scored, Task
from storage import files


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
    labels: tuple[str, ...]
    job: str
    network: str
    weights: int
    recipe: Mapping[str, str]
    columns: tuple[ReportedColumn, ...]
    parts: Mapping[str, int]
    epochs: tuple[Epoch, ...]
    scored: Mapping[str, Scored]
    left_out: Mapping[str, int] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    machine: str = ""
    notes: tuple[str, ...] = ()


def write_report(url: str, report: Report) -> None:
    """Write the report.

    Args:
        url: of the HTML file; one that stands there is replaced.
        report: what it tells.

    Raises:
        OSError: the file cannot be written.
    """
    page = render_report(report)
    content = page.encode()
    files.put(url, content)


def render_report(report: Report) -> str:
    """Return the report as HTML."""
    return f"<!doctype html>\n<title>{len(report.epochs)} epochs</title>\n"
