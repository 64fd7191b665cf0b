r"""Make a package of a model that somebody has, prove it, and write a job that scores with it.

    python -m pipelines.package --network churn_net:ChurnNet --parameters net.yaml --weights churn.pt \\
        --sample train.parquet --key customer_id --activation sigmoid --output models/churn/1

What can be found is found in the sample, in the weights and by running the network: columns, types,
missing values, inputs, outputs, smoke batch, data profile. This is the moment of trust: the author
runs the author's own code here. Whoever scores loads data, and code only of modules that the job
lists.
"""

import argparse
from collections.abc import Callable, Sequence
import json
from pathlib import Path
import sys
from typing import Any, TypeAlias

from configs.errors import JobError
from configs.load import Override, load, parse_set, read_fields, read_mapping
from configs.packaging import CONVERTED, PackagingJob
from model_zoo.package.card import ModelCard
from model_zoo.steps.graph import Graph
from model_zoo.steps.pad import Pad
from model_zoo.steps.table import AnyStep
from pipelines.cli.command_line import run_program, say, stop_on_terminate
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.terminal import write_result
from pipelines.packing.asking.gaps import ask_beside
from pipelines.packing.asking.questions import Questions
from pipelines.packing.gather import gather_material
from pipelines.packing.graph_packing import pack_converted
from pipelines.packing.network_packing import pack_network
from pipelines.packing.writing.packed import Packed

_TEXT_FLAGS = (
    "name",
    "network",
    "weights",
    *CONVERTED,
    "huggingface",
    "image",
    "text",
    "settings",
    "key",
    "label",
    "task",
    "activation",
    "expected",
    "output",
)
# By flag, the field of a server's model.
_OF_SERVERS = {
    "remote": "remote.url",
    "protocol": "remote.protocol",
    "remote_name": "remote.name",
    "remote_version": "remote.version",
}
_DIGEST_CHARACTERS = 12
# Of a parser: adds a flag.
Add: TypeAlias = Callable[..., Any]


def main(argv: Sequence[str]) -> int:
    """Package as the command line says, and return the exit status."""
    arguments = _parse(argv)
    job = _load_job(arguments.config, _list_overrides(arguments))
    # Last, so that a file that happens to lie there takes no library's place.
    sys.path.append(str(Path.cwd()))
    questions = Questions()
    material = gather_material(job, questions)
    if job.converted is None:
        packed = pack_network(material, questions)
    else:
        packed = pack_converted(material, questions)
    if not arguments.quiet:
        for note in material.notes:
            say(f"sample     {note}")
        for note in material.settings:
            say(f"settings   {note}")
        _say_result(job.output, packed)
        say(f"score      {packed.written.command}")
    write_result(packed.written.starter, "the job's path")
    return 0


def _load_job(config: str | None, overrides: Sequence[Override]) -> PackagingJob[AnyStep]:
    # First, so that only what is not valid is told beside what is missing.
    fields = read_fields(config, overrides)
    try:
        return load(PackagingJob[AnyStep], config, overrides)
    except JobError as error:
        raise ask_beside(error, fields) from error


def _list_overrides(arguments: argparse.Namespace) -> list[Override]:
    overrides = [parse_set(text) for text in arguments.set]
    for name in _TEXT_FLAGS:
        value = getattr(arguments, name)
        if value is not None:
            overrides.append((name, _quote(value)))
    said = [name for name in ("trust_this_file", "native") if getattr(arguments, name)]
    overrides.extend((name, "true") for name in said)
    for name in _OF_SERVERS:
        value = getattr(arguments, name)
        if value is not None:
            overrides.append((_OF_SERVERS[name], _quote(value)))
    if arguments.version is not None:
        overrides.append(("version", _quote(arguments.version)))
    if arguments.sample:
        overrides.append(("sample", json.dumps(arguments.sample, ensure_ascii=False)))
    if arguments.labels:
        names = arguments.labels.split(",")
        overrides.append(("labels", json.dumps(names, ensure_ascii=False)))
    if arguments.parameters is not None:
        overrides.append(("parameters", json.dumps(read_mapping(arguments.parameters))))
    return overrides


def _quote(text: str) -> str:
    # JSON is YAML too, in which a single-quoted text would lose its line breaks.
    return json.dumps(text, ensure_ascii=False)


def _say_result(output: str, packed: Packed) -> None:
    card = packed.card
    say(f"model      {card.name}, version {card.version}, {_describe_forms(card)}")
    for note in packed.notes:
        kind = "weights" if card.has_network else "model"
        say(f"{kind:10} {note}")
    _say_contract(card, packed.steps)
    left_out = ""
    if packed.left_out:
        left_out = (
            f"; {packed.left_out:,} rows of the sample have missing values, or lists that are too "
            "long, and would be rejected"
        )
    say(
        f"proven     {packed.rows:,} rows scored as a job does, "
        f"at most {packed.difference:.1g} from {packed.compared_with}{left_out}"
    )
    for note in packed.forms:
        say(f"forms      {note}")
    for note in packed.warnings:
        say(f"note       {note}")
    for note in packed.expected:
        say(f"expected   {note}")
    say(f"package    {output}  (digest {packed.written.digest[:_DIGEST_CHARACTERS]})")


def _say_contract(card: ModelCard, steps: Sequence[AnyStep]) -> None:
    """Say what the model takes, and what it gives."""
    _say_columns(card)
    _say_lists(steps)
    _say_tensors(card)
    labels = f", labels {list(card.labels)}" if card.labels else ""
    say(f"activation {card.activation}{labels}")
    if card.task is not None:
        say(f"task       {card.task}")


def _say_columns(card: ModelCard) -> None:
    for column in card.columns:
        taken = column.type
        if column.number is not None:
            taken = f"{taken} as {column.number}"
        missing: str = column.missing
        if column.fill is not None:
            missing = f"{missing} with {column.fill}"
        say(f"column     {column.name}: {taken}, missing: {missing}")


def _say_lists(steps: Sequence[AnyStep]) -> None:
    """Say how much room there is where rows may have any number of items."""
    for step in steps:
        if isinstance(step, Pad):
            say(f"lists      {_describe_lists(step)}")
        if isinstance(step, Graph):
            most_nodes = step.nodes_shape[0]
            say(f"graphs     of at most {most_nodes:,} nodes and {step.most_edges:,} edges")


def _say_tensors(card: ModelCard) -> None:
    for kind, tensors in (("input", card.inputs), ("output", card.outputs)):
        for name, tensor in tensors.items():
            sizes = map(str, tensor.shape)
            shape = ", ".join(["rows", *sizes])
            say(f"{kind:10} {name}: {tensor.dtype} ({shape})")


def _describe_forms(card: ModelCard) -> str:
    if card.has_network:
        return f"network {card.builder}"
    if card.remote is not None:
        return "computed by a server"
    kept_as = [] if card.onnx is None else ["an ONNX graph"]
    kept_as.extend(f"a file of {form}" for form in card.forms)
    return f"kept as {' and '.join(kept_as)}"


def _describe_lists(step: Pad) -> str:
    shape = ", ".join(map(str, step.shape))
    if step.shorter == "reject":
        return f"{step.column}: all of {step.shape[0]} items ({shape})"
    mask = "no mask is taken" if step.mask_into is None else f"mask {step.mask_into}"
    longer = "cut" if step.longer == "cut" else "rejected"
    return f"{step.column}: padded with zeros to ({shape}), longer ones are {longer}, {mask}"


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = Parser(
        "pipelines.package",
        "Make a package of your model, prove it on a sample, and write a job that scores with it.",
        EXIT_STATUSES,
    )
    _add_model(parser.add_argument)
    _add_scores(parser.add_argument)
    return parser.parse_whole(argv)


def _add_model(add: Add) -> None:
    """Add the flags that say which model, and of what rows."""
    add("--config", metavar="FILE", help="the packaging job, one YAML file; flags can say it all")
    override = "override one field: --set inputs.x=[age,income]"
    add("--set", action="append", default=[], metavar="KEY=VALUE", help=override)
    add("--network", metavar="NAME", help="module:callable, library:name, or one of ours")
    add("--parameters", metavar="FILE", help="its keyword arguments, one YAML file")
    add("--weights", metavar="FILE", help="its state dict: .safetensors, .pt, or a checkpoint")
    add("--onnx", metavar="FILE", help="an ONNX graph, in place of network and weights")
    add("--sklearn", metavar="FILE", help="a fitted estimator or Pipeline of scikit-learn: .skops")
    add("--xgboost", metavar="FILE", help="a Booster of XGBoost: .json or .ubj")
    add("--lightgbm", metavar="FILE", help="a Booster of LightGBM: .txt")
    add("--keras", metavar="FILE", help="a model of Keras 3: .keras")
    add("--tflite", metavar="FILE", help="a model of LiteRT (TensorFlow Lite): .tflite")
    add("--exported", metavar="FILE", help="a program of torch.export.save: .pt2")
    add("--torchscript", metavar="FILE", help="a TorchScript program of torch.jit.save: .pt")
    add("--remote", metavar="URL", help="a model in a server: grpc://host:8001, https://host")
    add("--protocol", metavar="WORD", help="how that server is spoken to: oip-grpc, oip-http ...")
    add("--remote_name", metavar="NAME", help="name of the model in that server")
    add("--remote_version", metavar="TEXT", help="its version (default: whichever answers)")
    trust = "read a pickle of --sklearn, --exported, --torchscript: it may run what is in the file"
    add("--trust_this_file", action="store_true", help=trust)
    native = "keep the library's own form of the model beside its graph"
    add("--native", action="store_true", help=native)
    sample = "rows as the nightly job will have them: Parquet, CSV, or a folder of pictures"
    add("--sample", action="append", metavar="PATH", help=sample)
    folder = "a model as transformers and sentence-transformers save it, instead of --network"
    add("--huggingface", metavar="FOLDER", help=folder)
    add("--text", metavar="COLUMN", help="column of texts, for --huggingface")
    image = "column of pictures, which the network takes as torchvision or timm say"
    add("--image", metavar="COLUMN", help=image)
    add("--settings", metavar="NAME", help="whose pictures: a name of the library's weights")
    add("--key", metavar="COLUMN", help="column that names a row")
    add("--label", metavar="COLUMN", help="column that the model must not see")


def _add_scores(add: Add) -> None:
    """Add the flags that say what its scores are, and where the package goes."""
    task = "classification, multi_label, tokens, regression, ranking or embedding"
    add("--task", metavar="WORD", help=f"what the scores are: {task}")
    add("--activation", metavar="WORD", help="sigmoid, softmax or none")
    labels = "class names by class number, with commas between; of regression the numbers' names"
    add("--labels", metavar="NAMES", help=labels)
    expected = "scores that you computed elsewhere, by key, to compare with"
    add("--expected", metavar="FILE", help=expected)
    add("--name", metavar="NAME", help="of the model (default: the network's)")
    add("--version", metavar="TEXT", help="of the model (default: 1)")
    add("--output", metavar="FOLDER", help="where the package goes")
    add("--quiet", action="store_true", help="print nothing but the job's path, and errors")
    add("--debug", action="store_true", help="show tracebacks")


if __name__ == "__main__":
    stop_on_terminate()
    end_process(run_program(main))
