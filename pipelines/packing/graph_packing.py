"""A model that another library trained, and a sample of rows -> a package that holds it as an ONNX graph.

Where ONNX does not say all of the model, or not exactly, the package holds the library's own file.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pyarrow as pa

from configs.errors import JobError
from configs.missing import DEFAULT
from configs.packaging import PackagingJob
from model_zoo.architectures.signature import Signature
from model_zoo.arrays import Arrays
from model_zoo.package.card import Contract, InputColumn
from model_zoo.package.package import read_package
from model_zoo.steps.lists import is_list, list_lengths
from model_zoo.steps.missing import fill_missing
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.activation import settle_activation, squeeze
from pipelines.packing.asking.assumed_units import call_in_assumed_units
from pipelines.packing.asking.gaps import ask_for_gaps
from pipelines.packing.asking.questions import Questions
from pipelines.packing.asking.score_names import refuse_name_of_key
from pipelines.packing.contract.contract import ModelRows, take_rows
from pipelines.packing.contract.inputs import (
    fit,
    list_sources,
    prepare,
    wire,
)
from pipelines.packing.contract.lists import pad_lists
from pipelines.packing.contract.missing import refuse_unfilled
from pipelines.packing.contract.prepared import Prepared
from pipelines.packing.converters.converted import Converted, keep_own
from pipelines.packing.converters.graph_files import compute_graph
from pipelines.packing.converters.table import check_file, find_converter
from pipelines.packing.graph_content import choose_tolerance_of, list_engines, make_content
from pipelines.packing.material import Material
from pipelines.packing.networks.computed import failures_told
from pipelines.packing.proof.differences import find_difference
from pipelines.packing.proof.expected import check_expected
from pipelines.packing.proof.finite import describe_not_finite, find_finite, refuse_without_scores
from pipelines.packing.proof.proof import prove
from pipelines.packing.proof.scores import describe_scores
from pipelines.packing.writing.packed import Packed
from pipelines.packing.writing.starter_job import write_package_and_job


@dataclass(frozen=True)
class _Called:
    """Rows of the sample as the model took them, what it gave, and what the library gave."""

    contract: Contract
    prepared: Prepared
    outputs: Arrays
    wanted: Arrays


@dataclass(frozen=True)
class _Examined:
    """All that a package of a graph is made of.

    Attributes:
        job: with all that was found out.
        sample: the whole of it.
        converted: what the package holds.
        called: the model and the library, on the rows that the contract takes.
    """

    job: PackagingJob[AnyStep]
    sample: pa.Table
    converted: Converted
    called: _Called


def pack_converted(material: Material, questions: Questions) -> Packed:
    """Write the package, once nothing is left to be asked.

    Args:
        material: what is known.
        questions: what is asked already.

    Raises:
        JobError: what cannot be found out, all of it.
        InputError, ModelError: a sample or a model that do not go together.
    """
    ask_for_gaps(material, questions)
    examined = _examine(material, questions)
    questions.refuse()
    assert examined is not None  # noqa: S101 - whatever hinders it was asked
    return _write(examined, material)


def _examine(material: Material, questions: Questions) -> _Examined | None:
    """Look at whatever is there; None where the model cannot be called on the sample."""
    sample = material.sample
    if sample is None:
        questions.ask(check_file, material.job)
        return None
    converted = questions.ask(_convert, material.job, sample)
    if converted is None:
        questions.ask(take_rows, material.job, sample)
        return None
    examined = _examine_as(converted, material, sample, questions)
    if examined is None or converted.graph is None:
        return examined
    difference = _find_difference(examined)
    # Whatever the sample gives that ONNX computes otherwise, the library itself computes as it does.
    if not difference <= choose_tolerance_of(examined.called.outputs, converted):
        reason = f"its ONNX graph gives scores that differ by {difference:.3g}, so it is left out"
        own = keep_own(converted, reason)
        if own is not None:
            return _examine_as(own, material, sample, questions)
    return examined


def _find_difference(examined: _Examined) -> float:
    """Return how far the graph's scores of the sample are from the library's."""
    found = examined.converted.finish(examined.called.outputs)
    largest = 0.0
    for name, wanted in examined.called.wanted.items():
        difference = find_difference(found[name], wanted)
        largest = max(largest, difference)
    return largest


def _examine_as(
    converted: Converted,
    material: Material,
    sample: pa.Table,
    questions: Questions,
) -> _Examined | None:
    """Look at a model in one of its forms; None where it cannot be called on the sample.

    Args:
        converted: the form.
        material: what is known.
        sample: rows as the job will have them.
        questions: what hinders is asked there.
    """
    job = _complete(material.job, converted, sample)
    call = partial(_call, converted)
    change = partial(_pass_missing, job=job, converted=converted)
    called = call_in_assumed_units(call, job, sample, questions, change)
    if called is None:
        return None
    questions.ask(_refuse_without_scores, called)
    settled = questions.ask(settle_activation, job, called.outputs)
    if settled is not None:
        questions.ask(refuse_name_of_key, settled, called.outputs)
    return _Examined(settled or job, sample, converted, called)


def _call(
    converted: Converted,
    job: PackagingJob[AnyStep],
    taken: ModelRows,
) -> _Called:
    """Call the library on the sample, and the graph."""
    prepared = _prepare(job, taken.rows, taken.contract, converted)
    rows = _fill_as_said(job, taken)
    with failures_told(f"{converted.library} fails on the sample"):
        wanted = squeeze(converted.native(rows, prepared.inputs))
    if converted.graph is None:
        outputs = squeeze(converted.begin(wanted))
    else:
        outputs = squeeze(compute_graph(converted.graph, prepared.inputs))
    return _Called(taken.contract, prepared, outputs, wanted)


def _fill_as_said(job: PackagingJob[AnyStep], taken: ModelRows) -> pa.Table:
    """Return the rows as the library has them: with the values that the author puts for missing ones.

    What the conversion itself puts there stands for a value that the library takes as missing.
    """
    rows = taken.rows
    for place, name in enumerate(rows.column_names):
        rule = next((rule for rule in taken.contract if rule.name == name), None)
        if rule is None or rule.fill is None or name not in job.fill:
            continue
        column = rows.column(name).combine_chunks()
        filled = fill_missing(column, rule.fill)
        rows = rows.set_column(place, name, filled)
    return rows


def _refuse_without_scores(called: _Called) -> None:
    prepared = called.prepared
    refuse_unfilled(called.contract, prepared.steps, prepared.rows, called.wanted)
    refuse_without_scores(called.outputs)


def _convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    kind, _ = _kind_of(job)
    converted = find_converter(kind)(job, sample)
    # Beside the graph where both take the same inputs, and in its place where they do not.
    if job.native and converted.make_own is not None:
        reason = "native: its graph would take other inputs, and is left out"
        return keep_own(converted, reason) or converted
    if job.native and converted.own is None:
        raise JobError(
            f"native: {kind} has no form of its own that a package can hold; leave native out"
        )
    return converted


def _write(examined: _Examined, material: Material) -> Packed:
    """Prove the package, and write it."""
    job, called, converted = examined.job, examined.called, examined.converted
    prepared, outputs = called.prepared, called.outputs
    scored_as = describe_scores(job, prepared.rows, prepared.inputs)
    content = make_content(job, called.contract, prepared, outputs, scored_as, converted)
    tolerance = choose_tolerance_of(outputs, converted)
    prove_with = partial(
        prove,
        content,
        (),
        prepared.inputs,
        called.wanted,
        tolerance,
        converted.finish,
        target=converted.target,
        most_rows=converted.most_rows,
    )
    difference = 0.0
    # With each engine that a job may name.
    for engine in list_engines(content.card):
        difference = max(difference, prove_with(engine))
    expected = check_expected(job, material.expected, prepared.rows, outputs, scored_as)
    rows = prepared.rows.num_rows
    scored_rows = np.count_nonzero(find_finite(outputs))
    written = write_package_and_job(
        job, content, examined.sample, int(scored_rows), material.reading
    )
    return Packed(
        card=read_package(job.output, written.digest).card,
        written=written,
        steps=prepared.steps,
        notes=converted.notes,
        rows=rows,
        left_out=examined.sample.num_rows - rows,
        difference=difference,
        compared_with=f"{converted.library} called directly",
        expected=tuple(expected),
        warnings=describe_not_finite(outputs),
    )


def _kind_of(job: PackagingJob[AnyStep]) -> tuple[str, str]:
    assert job.converted is not None  # noqa: S101 - whoever calls this has asked
    return job.converted


def _complete(
    job: PackagingJob[AnyStep], converted: Converted, sample: pa.Table
) -> PackagingJob[AnyStep]:
    """Return the job with what the model itself says, where the author does not."""
    found: dict[str, object] = {}
    if job.columns is None and converted.columns:
        found["columns"] = converted.columns
    if job.activation is None:
        found["activation"] = converted.activation
    if not job.labels:
        found["labels"] = converted.labels
    if not job.inputs:
        found["inputs"] = dict(converted.inputs)
    found["lengths"] = {**_find_lengths(job, converted, sample), **job.lengths}
    found["preprocess"] = (*job.preprocess, *converted.steps)
    return job.model_copy(update=found)


def _find_lengths(
    job: PackagingJob[AnyStep], converted: Converted, sample: pa.Table
) -> dict[str, int]:
    """Return the length of each column of lists that an input takes as it is."""
    lengths = {}
    for name, length in converted.lengths.items():
        column = job.inputs.get(name, name)
        if not isinstance(column, str) or column not in sample.column_names:
            continue
        lists = sample.column(column).combine_chunks()
        # Where all are that long, a shorter one is none to be padded.
        if is_list(lists.type) and not (list_lengths(lists) == length).all():
            lengths[column] = length
    return lengths


def _pass_missing(
    contract: Contract,
    job: PackagingJob[AnyStep],
    converted: Converted,
) -> Contract:
    """Let the missing values through that the model knows how to take, unless the author objects."""
    rules = []
    for rule in contract:
        name = rule.name
        changes: dict[str, object] = {}
        # What holds where the job says nothing, to reject, is no objection.
        if DEFAULT in job.missing or name in job.missing:
            rules.append(rule)
            continue
        if name in converted.fill and name not in job.fill:
            changes = {"missing": "fill", "fill": converted.fill[name]}
        elif name in converted.takes_missing and rule.missing != "fill":
            changes = {"missing": "fill"}
        fields = {**rule.model_dump(), **changes}
        rules.append(InputColumn.model_validate(fields))
    return tuple(rules)


def _prepare(
    job: PackagingJob[AnyStep],
    rows: pa.Table,
    contract: Contract,
    converted: Converted,
) -> Prepared:
    names = tuple(converted.dtypes)
    signature = Signature(required=names, known=frozenset(names), takes_any=False)
    fitted, columns = fit(job, rows, contract)
    lists = pad_lists(job, columns, rows.num_rows)
    wiring = wire(job, signature, lists.columns, lists.masks)
    # Lists that no input takes are not padded.
    taken = list_sources(wiring)
    padding = lists.keep_taken(taken)
    steps = (*fitted, *padding)
    return prepare(rows, contract, steps, wiring, lists.columns, converted.dtypes)
