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
from pipelines.packing.converters.converted import Converted, import_library
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
from pipelines.packing.proof.differences import choose_tolerance, find_difference

_OPSET = 20
_TENSORS = ("Tensor", "Optional[Tensor]")
_Way: TypeAlias = Callable[[Program, Arrays, Sequence[str]], Any]


def convert(job: PackagingJob[AnyStep], sample: pa.Table) -> Converted:
    """Return the graph of a TorchScript program.

    Args:
        job: names the file, and says that it is to be trusted.
        sample: rows to call the program on.

    Raises:
        JobError: there is no such file, it is not to be trusted, or no way leads to a graph.
        ModelError: it cannot be read, or fails on the sample.
    """
    import_library("onnxscript", "exported")
    url = str(job.torchscript)
    what = f"torchscript {url}"
    module = _load(find_program("torchscript", url, job.trust_this_file), what)
    refuse_size(what, [*module.parameters(), *module.buffers()])
    program, inputs = _call(job, module, sample, what)
    dtypes = program.list_dtypes()
    example = {}
    for name, array in make_example(inputs, unlike=program.rows).items():
        # As a package gives it, and the graph casts it.
        example[name] = array.astype(dtypes[name])
    return Converted(
        graph=_make_graph(program, example),
        dtypes=dtypes,
        native=lambda rows, inputs: program.compute(inputs),
        library="the TorchScript program",
        computed_in=list_weight_dtypes(module.parameters()),
        notes=("written from the TorchScript program, which the package does not hold",),
    )


def _load(path: Path, what: str) -> Any:
    try:
        with quiet():
            module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # its reader's classes are torch's own
        raise ModelError(
            f"{what}: torch {torch.__version__} does not read it: {shorten(error)}; it is cut off, or "
            "needs a library of operators; save it again with torch.jit.save"
        ) from error
    return module.eval()


def _call(
    job: PackagingJob[AnyStep], module: Any, sample: pa.Table, what: str
) -> tuple[Program, Arrays]:
    """Find out how the program takes the sample, and return it with the sample as it takes it."""
    contract = find_contract(job, sample, columns := choose_columns(job, sample))
    plain = to_plain_form(sample, columns)
    rows = take_complete_rows(plain, contract, find_too_long(job, plain))
    fitted, made = fit(job, rows, contract)
    lists = pad_lists(job, made, rows.num_rows)
    wiring = wire(job, _read_signature(module, what), lists.columns, lists.masks)
    steps = (*fitted, *lists.keep_taken(list_sources(wiring)))
    failures: list[InputError | ModelError] = []
    for dtypes in _list_dtypes(job, module, wiring, lists, contract):
        try:
            prepared = prepare(rows, contract, steps, wiring, lists.columns, dtypes)
            program = _describe(module, prepared.inputs, job.outputs, what)
            first = {name: array[: program.rows] for name, array in prepared.inputs.items()}
            program.compute(first)
        except (InputError, ModelError) as error:
            failures.append(error)
            continue
        return program, prepared.inputs
    raise failures[0]


def _read_signature(module: Any, what: str) -> Signature:
    """Return what the program takes.

    Raises:
        JobError: it takes something else than tensors.
    """
    required = []
    known = []
    problems = []
    for argument in module.forward.schema.arguments[1:]:
        if argument.kwarg_only:
            problems.append(f"{argument.name!r} is taken by name only")
        elif str(argument.type) in _TENSORS:
            known.append(argument.name)
        elif not argument.has_default_value():
            problems.append(f"{argument.name!r} is a {argument.type}")
        if not argument.has_default_value():
            required.append(argument.name)
    if problems:
        raise JobError(
            f"{what}: takes something else than tensors ({', '.join(problems)}); wrap it in a module "
            "whose forward takes tensors alone, and save that"
        )
    return Signature(tuple(required), frozenset(known), takes_any=False)


def _list_dtypes(
    job: PackagingJob[AnyStep],
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
        yield {**dict.fromkeys(wiring, fraction), **job.dtypes}


def _describe(module: Any, inputs: Arrays, outputs: tuple[str, ...], what: str) -> Program:
    schema = module.forward.schema.arguments[1:]
    # In the program's own order.
    names = [argument.name for argument in schema if argument.name in inputs]
    arguments = tuple(
        Argument(name, getattr(torch, str(inputs[name].dtype)), inputs[name].shape[1:])
        for name in names
    )

    def call(module: Any, tensors: Sequence[torch.Tensor]) -> Any:
        return module(*_list_given(schema, dict(zip(names, tensors, strict=True))))

    return Program(what, module, call, arguments, outputs)


def _list_given(schema: Sequence[Any], tensors: Mapping[str, torch.Tensor]) -> list[Any]:
    """Return all that the program is called with: exported, it has no defaults any more."""
    return [tensors.get(argument.name, argument.default_value) for argument in schema]


def _make_graph(program: Program, example: Arrays) -> Any:
    reasons = []
    for way in (_write_traced, _write_exported):
        try:
            return _write(way, program, example)
        except ModelError as error:
            reasons.append(str(error))
    raise JobError(
        f"{program.what}: cannot be written as an ONNX graph: {'; or '.join(reasons)}; export the network "
        "with torch.export and give it to --exported, or trace it (torch.jit.trace) if it was scripted"
    )


def _write(way: _Way, program: Program, example: Arrays) -> Any:
    """Return the graph that one way leads to, once it gives what the program gives.

    Raises:
        ModelError: it does not, or the way is closed to this program.
    """
    wanted = squeeze(program.compute(example))
    try:
        graph = way(program, example, list(wanted))
    except Exception as error:  # torch's classes are many
        raise ModelError(shorten(error)) from error
    found = squeeze(compute_graph(graph, example))
    # As for the whole sample; here it decides between two ways.
    weights = list_weight_dtypes(program.module.parameters())
    tolerance = choose_tolerance(weights)
    if any(find_difference(found[name], wanted[name]) > tolerance for name in wanted):
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
    return clean_graph(onnx.ModelProto.FromString(file.getvalue()))


def _write_exported(program: Program, example: Arrays, outputs: Sequence[str]) -> Any:
    """Write the graph by way of an exported program."""
    from torch._export.converter import TS2EPConverter

    schema = program.module.forward.schema.arguments[1:]
    names = [argument.name for argument in program.arguments]
    # Without what casts around it, which is put around the exported program again.
    taken = program.cast(program.make_tensors(example))
    tensors = dict(zip(names, taken, strict=True))
    given = tuple(_list_given(schema, tensors))
    with quiet():
        exported = TS2EPConverter(program.module, given).convert()
    return make_graph(program, exported.module(check_guards=False), example, outputs)
