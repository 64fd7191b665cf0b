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
from model_zoo.package.package import CARD
from pipelines.packing.material import Material, Reading, Trained
from pipelines.packing.networks.state import Weights
from pipelines.planning.jobs import FittingJob
from pipelines.training.described import held_out_folder
from pipelines.training.figures import Figures
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
    above, _, _ = files.to_absolute(output).rstrip("/").rpartition("/")
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
    if not overwrite and files.exists(files.join(output, CARD)):
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
    url = f"{str(job.output).rstrip('/')}.train.yaml"
    files.replace(files.to_absolute(url), text.encode())
    return url


def locate_report(job: FittingJob) -> str:
    """Return where the report goes."""
    return files.to_absolute(f"{str(job.output).rstrip('/')}.html")


def write_test_rows(job: FittingJob, test: Part) -> None:
    """Write the held-out rows in place of earlier ones.

    Args:
        job: complete.
        test: the part.
    """
    folder = held_out_folder(job)
    for name in WRITTEN:
        files.remove(files.join(folder, name))
    write_held_out(test.rows, folder, str(job.data.key), job.data.label, job.shards)


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
    state = {name: tensor.detach() for name, tensor in prepared.network.state_dict().items()}
    sample = _thin_out(prepared.parts["training"].rows)
    shards = files.join(held_out_folder(job), SHARDS)
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
    places = np.linspace(0, rows.num_rows - 1, _MOST_PROVEN_ROWS).astype(np.int64)
    return rows.take(pa.array(places)).combine_chunks()
