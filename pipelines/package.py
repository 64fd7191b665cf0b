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
from pathlib import Path
import sys
from typing import Any, TypeAlias

from pipelines.cli.command_line import run_program, stop_on_terminate
from pipelines.cli.parser import EXIT_STATUSES, Parser
from pipelines.cli.shutdown import end_process
from pipelines.cli.startup import quick_imports
from pipelines.cli.terminal import write_result

# Of a parser: adds a flag.
Add: TypeAlias = Callable[..., Any]


def main(argv: Sequence[str]) -> int:
    """Package as the command line says, and return the exit status."""
    arguments = _parse(argv)
    # What a job is made of takes longer to import than help and a wrong flag take in all.
    with quick_imports():
        from pipelines.packing.load_job import load_job

    job = load_job(arguments)
    # What packs takes seconds, which a wrong job does without.
    with quick_imports():
        from pipelines.packing.asking.questions import Questions
        from pipelines.packing.gather import gather_material
        from pipelines.packing.graph_packing import pack_converted
        from pipelines.packing.network_packing import pack_network
        from pipelines.packing.summary import say_packed

    # Last, so that a file that happens to lie there takes no library's place.
    sys.path.append(str(Path.cwd()))
    questions = Questions()
    material = gather_material(job, questions)
    pack = pack_network if job.converted is None else pack_converted
    packed = pack(material, questions)
    if not arguments.quiet:
        say_packed(material, packed)
    write_result(packed.written.starter, "the job's path")
    return 0


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
