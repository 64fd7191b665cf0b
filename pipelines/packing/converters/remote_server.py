"""A model in a server -> what its package says of it: the server's own words, and its scores of the sample."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.packaging import PackagingJob
from configs.server import Remote
from model_zoo.arrays import Arrays
from model_zoo.remote.called_model import CalledModel
from model_zoo.remote.calls import Calls
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.table import connect
from model_zoo.remote.target import Target, describe_target
from model_zoo.remote.texts import TEXT_DTYPE, TEXTS
from model_zoo.steps.table import AnyStep
from model_zoo.steps.text_bytes import TextBytes
from pipelines.packing.contract.logical_types import to_logical_type
from pipelines.packing.converters.converted import Converted
from pipelines.packing.converters.text_lengths import choose_text_length
from pipelines.planning.plan_server import ask_server, target_of

# Rows of a request where the server sets no limit; the sample is scored but twice.
_ROWS = 256
_PATIENCE_SECONDS = 3.0


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the model as its server describes it.

    Args:
        job: names server and model.
        sample: its texts tell how long those of an input may be.

    Raises:
        JobError: an input or output that no card holds, or one that nothing is known of.
        Refusal: the server does not answer.
    """
    remote = job.remote
    assert remote is not None  # noqa: S101 - `remote` is the kind of the job's model
    target = _make_target(remote)
    calls = Calls(connect(target), target)
    described = _ask(target)
    # The package is of the version that answers now.
    target = replace(target, version=described.model_version or None)
    wanted = _choose_outputs(job, described)
    model = CalledModel(calls, described)
    where = describe_target(target, described.server)
    return Converted(
        graph=None,
        dtypes=_find_dtypes(job, described, where),
        native=lambda rows, inputs: _score(model, inputs, wanted),
        library="the server",
        lengths=_find_lengths(described),
        steps=tuple(_make_text_steps(job, described, sample, where)),
        notes=(where, *_note_left_out(wanted, described)),
        target=target,
        most_rows=described.most_rows,
    )


def _ask(target: Target) -> Description:
    # Its author waits for it: a server that is not there is told soon.
    patience = min(target.patience_seconds, _PATIENCE_SECONDS)
    return ask_server(replace(target, patience_seconds=patience))


def _make_target(remote: Remote) -> Target:
    return target_of(
        protocol=remote.protocol,
        url=remote.url,
        name=remote.name,
        version=remote.version,
        server=remote.server,
    )


def _find_dtypes(
    job: PackagingJob[AnyStep],
    described: Description,
    where: str,
) -> dict[str, str]:
    """Return the dtype of each input.

    Args:
        job: says it where the server does not.
        described: what the server says.
        where: model and server, for messages.
    """
    dtypes: dict[str, str] = {}
    for name, spec in described.inputs.items():
        dtypes[name] = TEXT_DTYPE if _is_text(spec) else spec.our_dtype
    if not dtypes:
        dtypes = {**dict.fromkeys(job.inputs, "float32"), **job.dtypes}
    if not dtypes:
        raise JobError(
            f"remote: {where}, does not say what it takes; say inputs, the columns of each: "
            "inputs.x=[age,income]"
        )
    return dtypes


def _make_text_steps(
    job: PackagingJob[AnyStep],
    described: Description,
    sample: pa.Table,
    where: str,
) -> Iterator[TextBytes]:
    """Yield a step for each column of texts that the server takes.

    Args:
        job: says which column an input takes, where it has another name.
        described: what the server says.
        sample: with these columns.
        where: model and server, for messages.

    Raises:
        JobError: an input of texts has no column, or one of something else.
    """
    inputs = _list_texts(described)
    columns = [job.inputs.get(name, name) for name in inputs]
    # In their order, and each once.
    for column in dict.fromkeys(columns):
        if not isinstance(column, str) or column not in sample.column_names:
            names = ", ".join(inputs)
            raise JobError(
                f"remote: {where}, takes texts in {names}; say which "
                "column each takes: inputs.NAME=COLUMN"
            )
        texts = sample.column(column).combine_chunks()
        if not pa.types.is_string(to_logical_type(texts.type)):
            raise JobError(
                f"remote: {where}, takes texts, and column {column!r} is {texts.type}; say a column of "
                "texts: inputs.NAME=COLUMN"
            )
        length = job.lengths.get(column) or choose_text_length(texts)
        yield TextBytes(step="text_bytes", column=column, length=length)


def _list_texts(described: Description) -> list[str]:
    return [name for name, spec in described.inputs.items() if _is_text(spec)]


def _find_lengths(described: Description) -> dict[str, int]:
    """Return the length of each list that an input takes."""
    lengths: dict[str, int] = {}
    for name, spec in described.inputs.items():
        first = spec.shape[0] if spec.shape else None
        if first is not None:
            lengths[name] = first
    return lengths


def _choose_outputs(job: PackagingJob[AnyStep], described: Description) -> tuple[str, ...]:
    """Return the outputs that become scores; none where all do that the server gives.

    Raises:
        JobError: the server has no such output, or it is of texts.
    """
    known = described.outputs
    if not job.outputs:
        return tuple(name for name, spec in known.items() if not _is_text(spec))
    for name in job.outputs:
        if known and (name not in known or _is_text(known[name])):
            raise JobError(f"outputs: the server gives no numbers {name!r}, but {', '.join(known)}")
    return job.outputs


def _is_text(spec: TensorSpec) -> bool:
    return spec.dtype == TEXTS


def _note_left_out(wanted: tuple[str, ...], described: Description) -> list[str]:
    left_out = [name for name in described.outputs if name not in wanted]
    if not left_out:
        return []
    return [f"left out, of what it gives: {', '.join(left_out)}"]


def _score(model: CalledModel, inputs: Arrays, wanted: tuple[str, ...]) -> Arrays:
    """Return the outputs of all rows, from requests of a few."""
    first_input = next(iter(inputs.values()))
    rows = len(first_input)
    most_rows = model.described.most_rows or _ROWS
    size = min(_ROWS, most_rows)
    parts: dict[str, list[np.ndarray]] = {}
    for start in range(0, rows, size):
        stop = start + size
        some = {name: array[start:stop] for name, array in inputs.items()}
        outputs = model(some)
        for name in wanted or outputs:
            of_output = parts.setdefault(name, [])
            of_output.append(outputs[name])
    return {name: np.concatenate(arrays) for name, arrays in parts.items()}
