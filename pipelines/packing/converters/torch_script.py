"""An author's TorchScript program (torch.jit.save) -> an ONNX graph.

It names what it takes and says no more, so the sample's rows show dtypes and shapes. Two ways lead to
a graph, and each is closed to some programs: the older exporter takes branches and loops; exporting
anew takes attention.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
import io
from pathlib import Path
from typing import Any, TypeAlias

import pyarrow as pa
import torch

from configs.errors import InputError, JobError, ModelError
from configs.packaging import PackagingJob
from model_zoo.architectures.signature import Signature
from model_zoo.arrays import Arrays
from model_zoo.package.card import Contract
from model_zoo.steps.table import AnyStep
from pipelines.packing.asking.activation import squeeze
from pipelines.packing.contract.contract import (
    choose_columns,
    find_contract,
    take_complete_rows,
    to_plain_form,
)
from pipelines.packing.contract.dtypes import Wiring, list_dtypes, list_fractions
from pipelines.packing.contract.inputs import (
    fit,
    list_sources,
    prepare,
    wire,
)
from pipelines.packing.contract.lists import PaddedLists, find_too_long, pad_lists
from pipelines.packing.converters.converted import Converted
from pipelines.packing.converters.graph_files import compute_graph
from pipelines.packing.converters.torch_archives import find_program
from pipelines.packing.converters.torch_graph import (
    Exportable,
    clean_graph,
    make_example,
    make_graph,
)
from pipelines.packing.converters.torch_program import (
    Argument,
    Program,
    list_weight_dtypes,
    quiet,
    refuse_size,
    shorten,
)
from pipelines.packing.libraries import import_library
from pipelines.packing.proof.differences import choose_tolerance, find_difference

Job: TypeAlias = PackagingJob[AnyStep]

_OPSET = 20
_TENSORS = ("Tensor", "Optional[Tensor]")
_Way: TypeAlias = Callable[[Program, Arrays, Sequence[str]], Any]


def convert(job: Job, sample: pa.Table) -> Converted:
    """Return the graph of a TorchScript program.

    Args:
        job: names the file, and says that it is to be trusted.
        sample: rows to call the program on.

    Raises:
        JobError: there is no such file, it is not to be trusted, or no way leads to a graph.
        ModelError: it cannot be read, or fails on the sample.
    """
    import_library("onnxscript", "onnx")
    url = str(job.torchscript)
    what = f"torchscript {url}"
    path = find_program("torchscript", url, job.trust_this_file)
    module = _load(path, what)
    weights = list(module.parameters())
    constants = list(module.buffers())
    refuse_size(what, weights + constants)
    program, inputs = _call(job, module, sample, what)
    dtypes = program.list_dtypes()
    example = {}
    for name, array in make_example(inputs, unlike=program.rows).items():
        # As a package gives it, and the graph casts it.
        example[name] = array.astype(dtypes[name])
    graph = _make_graph(program, example)

    def compute(_: pa.Table, inputs: Arrays) -> Arrays:
        return program.compute(inputs)

    return Converted(
        graph=graph,
        dtypes=dtypes,
        native=compute,
        library="the TorchScript program",
        computed_in=list_weight_dtypes(weights),
        notes=("written from the TorchScript program, which the package does not hold",),
    )


def _load(path: Path, what: str) -> Any:
    try:
        with quiet():
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # its reader's classes are torch's own
        why = shorten(error)
        raise ModelError(
            f"{what}: torch {torch.__version__} does not read it: {why}; it is cut off, or "
            "needs a library of operators; save it again with torch.jit.save"
        ) from error
    return module.eval()


def _call(
    job: Job,
    module: Any,
    sample: pa.Table,
    what: str,
) -> tuple[Program, Arrays]:
    """Find out how the program takes the sample, and return it with the sample as it takes it."""
    columns = choose_columns(job, sample)
    contract = find_contract(job, sample, columns)
    plain = to_plain_form(sample, columns)
    too_long = find_too_long(job, plain)
    rows = take_complete_rows(plain, contract, too_long)

    fitted, made = fit(job, rows, contract)
    lists = pad_lists(job, made, rows.num_rows)
    signature = _read_signature(module, what)
    wiring = wire(job, signature, lists.columns, lists.masks)
    taken = list_sources(wiring)
    steps = (*fitted, *lists.keep_taken(taken))

    failures: list[InputError | ModelError] = []
    for dtypes in _list_dtypes(job, module, wiring, lists, contract):
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            inputs = prepared.inputs
            program = _describe(module, inputs, job.outputs, what)
            # Some rows tell whether it takes these dtypes.
            some = slice(program.rows)
            first = {name: array[some] for name, array in inputs.items()}
            program.compute(first)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        return program, inputs
    # Of the likeliest dtypes.
    raise failures[0]


def _read_signature(module: Any, what: str) -> Signature:
    """Return what the program takes.

    Raises:
        JobError: it takes something else than tensors.
    """
    required = []
    known = []
    problems = []
    # The first one is the module itself.
    _, *arguments = module.forward.schema.arguments
    for argument in arguments:
        name = argument.name
        kind = str(argument.type)
        is_needed = not argument.has_default_value()
        if argument.kwarg_only:
            problems.append(f"{name!r} is taken by name only")
        elif kind in _TENSORS:
            known.append(name)
        elif is_needed:
            problems.append(f"{name!r} is a {kind}")
        if is_needed:
            required.append(name)
    if problems:
        found = ", ".join(problems)
        raise JobError(
            f"{what}: takes something else than tensors ({found}); wrap it in a module "
            "whose forward takes tensors alone, and save that"
        )
    return Signature(tuple(required), frozenset(known), takes_any=False)


def _list_dtypes(
    job: Job,
    module: Any,
    wiring: Wiring,
    lists: PaddedLists,
    contract: Contract,
) -> Iterator[dict[str, str]]:
    """Yield dtypes of the arguments, the likeliest first."""
    fractions = list_fractions(module.parameters(), contract)
    yield from list_dtypes(job, wiring, lists.columns, lists.masks, fractions)
    # A whole number that is taken by itself may be one to compute with.
    for fraction in fractions:
        dtypes = dict.fromkeys(wiring, fraction)
        yield dtypes | job.dtypes


def _describe(
    module: Any,
    inputs: Arrays,
    outputs: tuple[str, ...],
    what: str,
) -> Program:
    schema = module.forward.schema.arguments[1:]
    # In the program's own order.
    names = [argument.name for argument in schema if argument.name in inputs]
    arguments = []
    for name in names:
        array = inputs[name]
        dtype = getattr(torch, str(array.dtype))
        argument = Argument(name, dtype, row_shape=array.shape[1:])
        arguments.append(argument)

    def call(module: Any, tensors: Sequence[torch.Tensor]) -> Any:
        by_name = dict(zip(names, tensors, strict=True))
        given = _list_given(schema, by_name)
        return module(*given)

    return Program(what, module, call, tuple(arguments), outputs)


def _list_given(
    schema: Sequence[Any],
    tensors: Mapping[str, torch.Tensor],
) -> list[Any]:
    """Return all that the program is called with: exported, it has no defaults any more."""
    return [tensors.get(argument.name, argument.default_value) for argument in schema]


def _make_graph(program: Program, example: Arrays) -> Any:
    reasons = []
    for way in (_write_traced, _write_exported):
        try:
            return _write(way, program, example)
        except ModelError as error:
            reasons.append(str(error))
    why = "; or ".join(reasons)
    raise JobError(
        f"{program.what}: cannot be written as an ONNX graph: {why}; export the network "
        "with torch.export and give it to --exported, or trace it (torch.jit.trace) if it was scripted"
    )


def _write(way: _Way, program: Program, example: Arrays) -> Any:
    """Return the graph that one way leads to, once it gives what the program gives.

    Raises:
        ModelError: it does not, or the way is closed to this program.
    """
    own = program.compute(example)
    wanted = squeeze(own)
    try:
        graph = way(program, example, list(wanted))
    except Exception as error:  # torch's classes are many
        why = shorten(error)
        raise ModelError(why) from error
    computed = compute_graph(graph, example)
    found = squeeze(computed)
    # As for the whole sample; here it decides between two ways.
    weights = list_weight_dtypes(program.module.parameters())
    tolerance = choose_tolerance(weights)
    for name, expected in wanted.items():
        difference = find_difference(found[name], expected)
        if difference > tolerance:
            raise ModelError("the graph gives other numbers")
    return graph


def _write_traced(program: Program, example: Arrays, outputs: Sequence[str]) -> Any:
    """Write the graph by torch's older exporter, which follows branches and loops."""
    onnx = import_library("onnx", "onnx")
    tensors = tuple(program.make_tensors(example))
    names = [argument.name for argument in program.arguments]
    file = io.BytesIO()
    # The exporter leaves a module in the mode that it found it in, and a new one is in training.
    whole = Exportable(program, program.module).eval()
    with quiet():
        # Branches and loops of what was scripted stay what they are; the rest becomes one program
        # of tensors alone.
        traced = torch.jit.trace(whole, tensors, check_trace=False)  # type: ignore[no-untyped-call]
        torch.onnx.export(
            traced,
            tensors,
            file,  # type: ignore[arg-type]
            input_names=names,
            output_names=list(outputs),
            dynamic_axes={name: {0: "rows"} for name in (*names, *outputs)},
            opset_version=_OPSET,
            dynamo=False,
        )
    written = onnx.ModelProto.FromString(file.getvalue())
    return clean_graph(written)


def _write_exported(program: Program, example: Arrays, outputs: Sequence[str]) -> Any:
    """Write the graph by way of an exported program."""
    from torch._export.converter import TS2EPConverter

    schema = program.module.forward.schema.arguments[1:]
    names = [argument.name for argument in program.arguments]
    made = program.make_tensors(example)
    # Without what casts around it, which is put around the exported program again.
    taken = program.cast(made)
    tensors = dict(zip(names, taken, strict=True))
    given = _list_given(schema, tensors)
    with quiet():
        converter = TS2EPConverter(program.module, tuple(given))
        exported = converter.convert()
    module = exported.module(check_guards=False)
    return make_graph(program, module, example, outputs)
