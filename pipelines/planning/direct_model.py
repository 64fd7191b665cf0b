"""The package of a server's model that has none: made of the server's own words and the job's, in memory alone.

It has no smoke batch, so nothing tells whether the model scores as it once did. What the server does not
say, and a package would have found in a sample, the job must say.
"""

from collections.abc import Iterator, Mapping, Sequence
import hashlib
import re

import pyarrow as pa
from pydantic import ValidationError

from configs.errors import JobError, ModelError
from configs.fields import Columns, Fields
from configs.job import AnyJob
from configs.suggest import nearest
from model_zoo.package.card import ModelCard
from model_zoo.package.package import Package
from model_zoo.remote.client import Description, TensorSpec
from model_zoo.remote.texts import TEXTS
from model_zoo.steps.stack import Stack
from pipelines.planning.served import Served

# What the step makes of columns by itself.
_STACKED = ("float16", "float32", "float64", "int32", "int64")
# What a card takes for a name.
_OTHER_LETTERS = re.compile(r"[^A-Za-z0-9_.-]+")
# In place of the version of a server that tells none.
_UNKNOWN = "unknown"


def make_direct(job: AnyJob, served: Served, described: Description) -> Package:
    """Return a package of what the job and the server say of the model.

    Args:
        job: the job, which names a model and its columns, and no package.
        served: the server that it names.
        described: what that says of the model.

    Raises:
        JobError: what must be said, too.
        ModelError: the server describes no model of numbers.
    """
    model = job.model
    target = served.target
    wiring = _wire(job, described)
    card = _make_card(
        {
            "name": _OTHER_LETTERS.sub("-", target.name).strip("-._") or "model",
            "version": target.version or _UNKNOWN,
            "remote": served.describe(),
            "columns": list(_list_columns(model.columns)),
            "inputs": _describe_inputs(described, wiring),
            "outputs": _describe_outputs(described, model.outputs),
            "files": {},
        },
        target.url,
    )
    content = card.model_dump_json()
    return Package(
        url=target.url,
        card=card,
        digest=hashlib.sha256(content.encode()).hexdigest(),
        steps=tuple(_make_steps(described, wiring)),
        smoke=pa.table({}),
    )


def _make_card(fields: Fields, url: str) -> ModelCard:
    try:
        return ModelCard.model_validate(fields)
    except ValidationError as error:
        # What a server says may be anything, and nobody can mend more than one thing at a time.
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ModelError(
            f"{url}: describes no model of numbers: {place}: {first['msg']}"
        ) from error


def _list_columns(columns: Mapping[str, str]) -> Iterator[Fields]:
    for name, kind in columns.items():
        # A server gets no missing values, unless a step of the job fills them.
        yield {"name": name, "type": kind, "missing": "reject"}


def _wire(job: AnyJob, described: Description) -> dict[str, Columns]:
    """Return the column, or columns, of each input.

    Raises:
        JobError: nothing tells them.
    """
    takes = list(described.inputs)
    if not takes:
        raise JobError(
            f"model.name {job.model.name}: its server does not say what it takes; make a package "
            "that does: python -m pipelines.package --remote URL --protocol WORD --remote_name NAME"
        )
    said = job.model.inputs
    if said:
        _refuse_other_inputs(takes, said)
        return said
    columns = tuple(job.model.columns)
    if set(takes) == set(columns):
        return {name: name for name in takes}
    if len(takes) == 1:
        return {takes[0]: columns}
    raise JobError(
        f"model.inputs: is needed, too: the server takes {', '.join(takes)}, and the columns are "
        f"{', '.join(columns)}; say which column each takes, or a list of those that are stacked"
    )


def _refuse_other_inputs(takes: Sequence[str], said: Mapping[str, Columns]) -> None:
    for name in said:
        if name not in takes:
            hint = nearest(name, list(takes))
            raise JobError(f"model.inputs.{name}: the server has no such input{hint}")
    missing = [name for name in takes if name not in said]
    if missing:
        raise JobError(f"model.inputs: the server also takes {', '.join(missing)}")


def _describe_inputs(described: Description, wiring: Mapping[str, Columns]) -> Fields:
    inputs: Fields = {}
    for name, source in wiring.items():
        spec = described.inputs[name]
        _refuse_texts("inputs", name, spec)
        if not isinstance(source, str):
            inputs[name] = {"dtype": spec.our_dtype, "shape": [len(source)]}
            continue
        inputs[name] = {
            "dtype": spec.our_dtype,
            "shape": _find_sizes(name, spec),
            "column": source,
        }
    return inputs


def _find_sizes(name: str, spec: TensorSpec) -> list[int]:
    """Return the sizes of a row of an input that takes one column."""
    # One number a row, which some servers call a list of one.
    if spec.shape in ((), (1,), (None,)):
        return []
    sizes = [size for size in spec.shape if size is not None]
    if len(sizes) < len(spec.shape):
        raise JobError(
            f"model.inputs.{name}: the server does not say how long a row is; make a package, "
            "which finds it in a sample: python -m pipelines.package --remote"
        )
    return sizes


def _describe_outputs(
    described: Description,
    said: Mapping[str, Sequence[int]],
) -> Fields:
    """Return the outputs that are numbers.

    Args:
        described: what the server says.
        said: the sizes of a row, by the job.

    Raises:
        JobError: a size that nobody says, or an output that there is not.
    """
    of_job = {name: TensorSpec("float32", tuple(sizes)) for name, sizes in said.items()}
    # Some servers describe nothing.
    known = described.outputs or of_job
    for name in said:
        if name not in known:
            names = ", ".join(known)
            raise JobError(f"model.outputs.{name}: the server gives none, but {names}")
    outputs: Fields = {}
    for name, spec in known.items():
        if spec.dtype == TEXTS:
            continue
        shape = said.get(name, spec.shape)
        if None in shape:
            raise JobError(
                f"model.outputs: the server does not say how many numbers a row of {name} has; "
                f"add outputs: {{{name}: [3]}}, or whatever it is"
            )
        # A list of one is a number.
        sizes = [] if tuple(shape) == (1,) else list(shape)
        outputs[name] = {"dtype": spec.our_dtype, "shape": sizes}
    if not outputs:
        raise JobError(
            "model.outputs: is needed, too: the server does not say that it gives any numbers; "
            "add outputs: {NAME: [SIZE]}, [1] for one number a row"
        )
    return outputs


def _refuse_texts(section: str, name: str, spec: TensorSpec) -> None:
    if spec.dtype == TEXTS:
        raise JobError(
            f"model.{section}.{name}: the server takes texts, and nothing says how long they may "
            "be; make a package, which finds it in a sample: python -m pipelines.package --remote"
        )


def _make_steps(
    described: Description,
    wiring: Mapping[str, Columns],
) -> Iterator[Stack]:
    """Yield the steps that put columns side by side."""
    for name, source in wiring.items():
        if isinstance(source, str):
            continue
        dtype = described.inputs[name].our_dtype
        # What else numbers are is cast after that.
        stacked = dtype if dtype in _STACKED else "int64"
        fields = {"step": "stack", "columns": source, "into": name, "dtype": stacked}
        yield Stack.model_validate(fields)
