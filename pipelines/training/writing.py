"""A trained network -> its package, proven, and all that lies beside it.

    OUTPUT                the package
    OUTPUT.train.yaml     the whole job as it was understood
    OUTPUT.job.yaml       a job that scores the held-out rows
    OUTPUT.checkpoint/    how far a training is, until its end
    OUTPUT.held_out/      the test rows, without and with their labels

The package is last: where it stands, all of it does.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa

from configs.errors import JobError, PublishError
from model_zoo.package.card import CARD
from pipelines.packing.material import Material, Reading, Trained
from pipelines.packing.networks.state import Weights
from pipelines.training.described import held_out_folder
from pipelines.training.figures import Figures
from pipelines.training.fitting_job import FittingJob
from pipelines.training.held_out import SHARDS, WRITTEN, write_held_out
from pipelines.training.prepared import Packaging, Part, Prepared
from storage import files

# Enough for a smoke batch, a profile and a proof.
_MOST_PROVEN_ROWS = 10_000
# What fits steps and splits rows, beside what any network has.
_LIBRARIES = ("scikit-learn",)


@contextmanager
def written_to(output: str) -> Iterator[None]:
    """Refuse, in words of its own, a place that a block cannot write to.

    Raises:
        PublishError: the block could not write.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise PublishError(
            f"output {output}: cannot be written: {reason}; mend its place and run the same command "
            "again, which goes on from where it was, or choose another --output"
        ) from error


def make_place(output: str) -> None:
    """Make the folder that the package and all beside it go to, or find out that it cannot be.

    Raises:
        PublishError: it cannot.
    """
    absolute = files.to_absolute(output)
    folder = absolute.rstrip("/")
    above, _, _ = folder.rpartition("/")
    with written_to(output):
        files.make_folder(above)


def refuse_standing_output(output: str, overwrite: bool) -> None:
    """Refuse a package that stands at once, and not after hours of training.

    Args:
        output: of the job.
        overwrite: whether it is replaced.

    Raises:
        JobError: there is one.
    """
    card = files.join(output, CARD)
    if not overwrite and files.exists(card):
        raise JobError(
            f"output {output}: holds a model package already, and packages never change; choose "
            "another --output, a new version for example, or replace it with --overwrite"
        )


def write_job(job: FittingJob, text: str) -> str:
    """Write the job beside its package, and return where.

    Args:
        job: complete.
        text: of the file.
    """
    url = _name_beside(job, ".train.yaml")
    absolute = files.to_absolute(url)
    content = text.encode()
    files.replace(absolute, content)
    return url


def locate_report(job: FittingJob) -> str:
    """Return where the report goes."""
    url = _name_beside(job, ".html")
    return files.to_absolute(url)


def _name_beside(job: FittingJob, ending: str) -> str:
    """Return where a file lies beside the package, whose name it begins with."""
    folder = str(job.output).rstrip("/")
    return f"{folder}{ending}"


def write_test_rows(job: FittingJob, test: Part) -> None:
    """Write the held-out rows in place of earlier ones.

    Args:
        job: complete.
        test: the part.
    """
    folder = held_out_folder(job)
    for name in WRITTEN:
        url = files.join(folder, name)
        files.remove(url)
    data = job.data
    write_held_out(
        test.rows,
        output=folder,
        key=str(data.key),
        labels=data.label,
        shards=job.shards,
    )


def make_material(
    job: FittingJob,
    packaging: Packaging,
    prepared: Prepared,
    figures: Mapping[str, Figures],
    overwrite: bool,
) -> Material:
    """Return what the package is made of.

    Args:
        job: complete.
        packaging: as packing takes it.
        prepared: the trained network.
        figures: by part.
        overwrite: whether a package that stands is replaced.
    """
    metrics = {name: _to_metrics(part) for name, part in figures.items()}
    weights = prepared.network.state_dict()
    state = {name: tensor.detach() for name, tensor in weights.items()}
    training = prepared.parts["training"]
    sample = _thin_out(training.rows)
    folder = held_out_folder(job)
    shards = files.join(folder, SHARDS)
    source = {"paths": [files.to_absolute(shards)]}
    return Material(
        packaging,
        sample,
        weights=Weights(state, ()),
        reading=Reading(source),
        trained=Trained(metrics, _LIBRARIES, replaces=overwrite),
    )


def _to_metrics(figures: Figures) -> dict[str, Any]:
    return figures.as_dict()


def _thin_out(rows: pa.Table) -> pa.Table:
    """Return rows of all of a table, evenly: its first may be the oldest."""
    if rows.num_rows <= _MOST_PROVEN_ROWS:
        return rows
    last = rows.num_rows - 1
    spaced = np.linspace(0, last, _MOST_PROVEN_ROWS)
    places = spaced.astype(np.int64)
    some = rows.take(pa.array(places))
    return some.combine_chunks()
