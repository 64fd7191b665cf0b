"""Our own BERT beside transformers' with the same weights, each as a package of its own: is ours worth keeping?

    python -m tests.benchmarks.encoders [--texts 2048] [--repeats 5] [--folder FOLDER]

The network has all-MiniLM-L6-v2's sizes (6 layers, 384 wide) and random weights, whose speed is that of any others. Runs are interleaved;
`network` is the network alone on the same mini-batches, one thread, in this process. CPU seconds count on a busy machine.
"""

import argparse
from collections.abc import Callable
from importlib.util import find_spec
import json
from pathlib import Path
import shutil
from statistics import median
import subprocess
import sys
import tempfile
import time

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds

from tests.benchmarks.compare import ROOT, Contender, Shards, measure
from tests.benchmarks.contenders import pipeline
from tests.benchmarks.text_data import MAX_TOKENS, WIDTH, make_shards, texts

NAMES = ("ours", "transformers")
# Both round in float32, in another order.
_MOST_DIFFERENCE = 1e-5
_VOCABULARY, _LAYERS, _HEADS, _FEED_FORWARD = 30_522, 6, 12, 1_536
_NETWORK_ROWS, _MINI_BATCH = 256, 32
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def make_folder(folder: Path, layers: int = _LAYERS) -> None:
    """Write a sentence encoder as sentence-transformers leaves it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    import torch
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = Tokenizer(models.WordPiece(unk_token=_SPECIAL[1]))
    words.normalizer = normalizers.BertNormalizer(lowercase=True)
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=_VOCABULARY, special_tokens=_SPECIAL)
    words.train_from_iterator(texts(2_000), trainer)
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=_SPECIAL[0],
        unk_token=_SPECIAL[1],
        model_max_length=MAX_TOKENS,
    )
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=_VOCABULARY, hidden_size=WIDTH, num_hidden_layers=layers,
        num_attention_heads=_HEADS, intermediate_size=_FEED_FORWARD, max_position_embeddings=512,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder)
    kinds = ("Transformer", "Pooling", "Normalize")
    modules = [{"idx": n, "type": f"sentence_transformers.models.{kind}"} for n, kind in enumerate(kinds)]  # fmt: skip
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": MAX_TOKENS}))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": WIDTH, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))


def make_packages(folder: Path, sample: Path) -> None:
    """Package the folder by its command, and the same weights, steps and smoke batch for our own network."""
    command = [
        sys.executable, "-m", "pipelines.package", "--huggingface", str(folder / "hf"), "--text", "text", "--key", "id",
        "--sample", str(sample), "--name", "encoder", "--output", str(folder / "transformers"), "--quiet",
        "--set", "onnx=false",  # networks are compared, by torch
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    from safetensors.torch import load, save

    from model_zoo.package.package import SMOKE, read_package, write_package
    from tests.support.bert_weights import parameters_of_bert, state_of_bert

    theirs = read_package(str(folder / "transformers"))
    state = state_of_bert(load((folder / "hf/model.safetensors").read_bytes()))
    card = theirs.card.model_dump(mode="json", exclude={"files", "call", "libraries", "metrics"})
    card["builder"] = "sentence_encoder"
    card["parameters"] = parameters_of_bert(json.loads((folder / "hf/config.json").read_text()))
    contents = {"weights.safetensors": save(state), SMOKE: theirs.read_file(SMOKE)}
    write_package(str(folder / "ours"), card, theirs.steps, contents)


def read_answers(output: Path) -> np.ndarray:
    """Embeddings in the order of their ids."""
    table = ds.dataset(output / "current", format="parquet").to_table().sort_by("id")
    return np.stack(table["embedding"].to_pylist())


def time_networks(folder: Path, repeats: int) -> dict[str, list[float]]:
    """CPU seconds of each network on the same mini-batches, texts of about one length together."""
    from model_zoo.engines.settings import Settings
    from model_zoo.package.package import read_package
    from model_zoo.scoring.scorer import load_scorer
    from model_zoo.steps.table import apply_steps

    scorers: dict[str, Callable[..., object]] = {}
    for name in NAMES:
        package = read_package(str(folder / name))
        scorers[name] = load_scorer(package, "cpu", Settings(_MINI_BATCH), threads=1)
    columns = {"text": pa.array(texts(_NETWORK_ROWS), pa.string())}
    made = apply_steps(package.steps, columns, _NETWORK_ROWS)
    inputs = {name: np.asarray(made[name]) for name in package.card.inputs}
    seconds: dict[str, list[float]] = {name: [] for name in NAMES}
    for _ in range(repeats):
        for name, scorer in scorers.items():
            began = time.process_time()
            scorer(inputs)
            seconds[name].append(time.process_time() - began)
    return seconds


def compare(folder: Path, rows: int, repeats: int, layers: int = _LAYERS) -> list[str]:
    """Return the table's lines.

    Args:
        folder: an empty one.
        rows: how many texts.
        repeats: how often each is run, one after the other.
        layers: of the network.
    """
    shards = Shards(folder, rows, 2)
    make_shards(folder, rows, 2)
    make_folder(folder / "hf", layers)
    make_packages(folder, shards.path)
    contenders: dict[str, Contender] = {
        name: pipeline(shards, folder / name, ("embedding",)) for name in NAMES
    }
    for _ in range(repeats):
        for name, contender in contenders.items():
            contender.runs.append(measure(contender, folder / f"out-{name}"))
    ours, theirs = (read_answers(folder / f"out-{name}") for name in NAMES)
    difference = float(np.abs(ours - theirs).max())
    if not difference <= _MOST_DIFFERENCE:
        sys.exit(f"the two differ by {difference:.1e}")
    network = time_networks(folder, repeats)
    figures = {
        "whole command, wall": _figures(contenders, lambda run: run.seconds),
        "whole command, CPU": _figures(contenders, lambda run: run.cpu_seconds),
        "work alone, wall": _figures(contenders, lambda run: run.work_seconds or 0.0),
        f"network alone, {_NETWORK_ROWS} texts, CPU": network,
    }
    lines = [f"{rows:,} texts, {repeats} repeats, largest difference {difference:.1e}"]
    for what, seconds in figures.items():
        pairs = zip(*(seconds[name] for name in NAMES), strict=True)
        ratios = [second / first for first, second in pairs]
        medians = ", ".join(f"{name} {median(seconds[name]):.2f} s" for name in NAMES)
        spread = f"{min(ratios):.2f}..{max(ratios):.2f}"
        lines.append(f"{what:35} {medians}, ratio {median(ratios):.2f} ({spread})")
    return lines


def _figures(contenders: dict[str, Contender], read: Callable) -> dict[str, list[float]]:
    return {name: [read(run) for run in contender.runs] for name, contender in contenders.items()}


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=2_048)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments = parser.parse_args()
    if find_spec("transformers") is None:
        sys.exit("transformers is not installed; pip install '.[transformers]'")
    folder = arguments.folder or Path(tempfile.mkdtemp())
    try:
        print("\n".join(compare(folder, arguments.texts, arguments.repeats)))
    finally:
        if arguments.folder is None:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
