"""A few words of a package do not stand for a network, an array or a text that fills the memory."""

from collections.abc import Callable, Iterator
import json
from pathlib import Path
import time
from typing import Any

import psutil
import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from configs.errors import JobError, ModelError
from model_zoo.package.package import read_package
from model_zoo.package.weights import load_network
from model_zoo.steps.graph import Graph
from model_zoo.steps.image import Image
from model_zoo.steps.pad import Pad
from model_zoo.steps.stack import Stack
from model_zoo.steps.tokenize import Tokenize, tokenize
from model_zoo.tokenizer_growth import find_growth, refuse_growth
from tests.security.refusals import Shown, refused
from tests.support.builders import FEATURES, tiny_package
from tests.support.text_models import PARAMETERS, text_package, tokenizer

SECONDS, BYTES = 20.0, 300 << 20
STACK = Stack(step="stack", columns=FEATURES, into="x")


@pytest.fixture(autouse=True)
def _cheaply() -> Iterator[None]:
    """Refusing takes seconds at most, and no memory to speak of."""
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()
    yield
    assert time.process_time() - began < SECONDS
    assert process.memory_info().rss - before < BYTES


# Twenty times as many layers as are taken; the card that lists them is to be read soon.
MANY = 20_000
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "layers": ("sentence_encoder", {**PARAMETERS, "layers": 10**8}),
    "no layers of any width": ("mlp", {"in_features": 0, "hidden": [0] * MANY, "out_features": 1}),
    "layers of an LSTM": ("lstm", {"features": 1, "hidden": 1, "out_features": 1, "layers": 10**8}),
    "layers of a discriminator": ("discriminator", {"channels": 1, "height": 1, "width": 1, "hidden": [1] * MANY}),
    "layers of a generator": ("generator", {"noise": 1, "channels": 1, "height": 1, "width": 1, "hidden": [1] * MANY}),
    "layers by a list": ("mlp", {"in_features": 3, "hidden": [1] * MANY, "out_features": 1}),
    "blocks": ("cnn", {"channels": 1, "height": 1 << 40, "width": 1 << 40, "classes": 1, "widths": [1] * 40}),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@pytest.mark.parametrize("kind", [k for k in NETWORKS if k != "blocks"])
def test_a_network_has_as_many_layers_as_weights_were_delivered(kind: str, tmp_path: Path) -> None:
    builder, parameters = NETWORKS[kind]
    package = tiny_package(tmp_path / "model", builder=builder, parameters=parameters)
    with pytest.raises(ModelError, match=r"a network of more than [\d,]+ layers and weights"):
        load_network(read_package(package))


def test_a_network_of_huge_pictures_is_refused(tmp_path: Path) -> None:
    builder, parameters = NETWORKS["blocks"]
    package = tiny_package(tmp_path / "model", builder=builder, parameters=parameters)
    with pytest.raises(ModelError):
        load_network(read_package(package))


@pytest.mark.parametrize(
    ("builder", "parameters"),
    [
        ("lstm", {"features": 1 << 20, "hidden": 1 << 20, "out_features": 1}),
        ("gru", {"features": 1, "hidden": 1, "out_features": 1 << 40}),
        ("discriminator", {"channels": 1, "height": 1 << 20, "width": 1 << 20, "hidden": []}),
        (
            "generator",
            {"noise": 1, "channels": 9, "height": 1 << 16, "width": 1 << 16, "hidden": []},
        ),
    ],
)
def test_a_network_has_as_many_numbers_as_were_delivered(
    builder: str, parameters: dict[str, Any], tmp_path: Path
) -> None:
    package = tiny_package(tmp_path / "model", builder=builder, parameters=parameters)
    with pytest.raises(ModelError, match=r"the card describes [\d,]+ numbers, and the file has"):
        load_network(read_package(package))


def test_another_thread_may_build_what_it_likes_meanwhile(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from model_zoo.architectures.builders import build

    bad = read_package(
        tiny_package(tmp_path / "model", builder="sentence_encoder", parameters={**PARAMETERS, "layers": 10**8})
    )  # fmt: skip
    with ThreadPoolExecutor(1) as other:
        large = other.submit(
            build, "mlp", {"in_features": 3, "hidden": [3] * 3_000, "out_features": 1}
        )
        with pytest.raises(ModelError):
            load_network(bad)
        assert sum(1 for _ in large.result().parameters()) == 2 * 3_001


WIDE: dict[str, tuple[Any, ...]] = {
    "nested stacks": (
        STACK,
        *(Stack(step="stack", columns=("x", "x"), into="x") for _ in range(34)),
    ),
    "many stacks": (
        *(Stack(step="stack", columns=FEATURES * 10, into=f"x{n}") for n in range(200)),
        STACK,
    ),
    "a picture": (
        STACK,
        Image(step="image", column="a", into="y", height=10**5, width=10**5, max_pixels=10**11),
    ),
    "a list": (STACK, Pad(step="pad", column="a", shape=(1 << 27,), into="y")),
    "lists of lists": (STACK, Pad(step="pad", column="a", shape=(1 << 20, 1 << 20), into="y")),
    "a graph": (
        STACK,
        Graph(step="graph", nodes="a", edges=("b", "c"), nodes_shape=(9,), most_edges=1 << 27),
    ),
    "tokens": (STACK, Tokenize(step="tokenize", column="a", max_tokens=10**9, tokenizer="{}")),
}


@pytest.mark.parametrize("kind", WIDE)
def test_steps_make_as_many_numbers_as_the_model_takes(
    kind: str, tmp_path: Path, score_with: Callable[..., Shown]
) -> None:
    line = refused(score_with(tiny_package(tmp_path / "model", steps=WIDE[kind])))
    assert "numbers of a row, and the model takes 3; leave out" in line


def test_steps_that_make_somewhat_more_are_taken(tmp_path: Path) -> None:
    more = Stack(step="stack", columns=FEATURES * 1_000, into="y")
    steps = (STACK, more)
    assert read_package(tiny_package(tmp_path / "model", steps=steps)).steps == steps
    assert read_package(text_package(tmp_path / "texts")).card.name == "texts"


def with_parts(**parts: Any) -> str:
    return json.dumps({**json.loads(tokenizer()), **parts})


def sequence(*parts: Any) -> dict[str, Any]:
    return {"type": "Sequence", "normalizers": list(parts)}


def replace(kind: str, pattern: str, content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


BYTES_PART = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}
WHOLE = {"Sequence": {"id": "A", "type_id": 0}}
TEMPLATE = {"type": "TemplateProcessing", "pair": [WHOLE, {"Sequence": {"id": "B", "type_id": 0}}], "special_tokens": {}}  # fmt: skip
GROWING: dict[str, dict[str, Any]] = {
    "34 doublings": {"normalizer": sequence(*[replace("String", "a", "aa")] * 34)},
    "34 doublings of a pattern": {"normalizer": sequence(*[replace("Regex", "a", "aa")] * 34)},
    "doublings by turns": {
        "normalizer": sequence(*[replace("String", "a", "bb"), replace("String", "b", "aa")] * 17)
    },
    "doublings of nothing": {"normalizer": sequence(*[replace("Regex", "x*", "aa")] * 34)},
    "doublings that Python cannot read": {
        "normalizer": sequence(*[replace("Regex", r"\h", "aa")] * 34)
    },
    "doublings in a nest": {
        "normalizer": sequence(*[sequence(*[replace("String", "a", "aa")] * 6)] * 6)
    },
    "one that is long": {"normalizer": replace("String", "a", "a" * 100_000)},
    "a long beginning, doubled": {
        "normalizer": sequence(
            {"type": "Prepend", "prepend": "a" * 90}, replace("String", "a", "aa")
        )
    },
    "bytes of bytes": {
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [BYTES_PART] * 34}
    },
    "a thousand parts": {"normalizer": sequence(*[{"type": "Lowercase"}] * 1_000)},
    "tokens twice": {"post_processor": {**TEMPLATE, "single": [WHOLE, WHOLE]}},
    "tokens twice, 34 times": {
        "post_processor": {
            "type": "Sequence",
            "processors": [{**TEMPLATE, "single": [WHOLE, WHOLE]}] * 34,
        }
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", GROWING)
def test_a_tokenizer_that_makes_texts_or_tokens_many_is_refused_before_it_sees_one(
    kind: str,
) -> None:
    step = Tokenize(
        step="tokenize", column="text", max_tokens=4, tokenizer=with_parts(**GROWING[kind])
    )
    with pytest.raises(
        JobError, match=r"^preprocess step tokenize: the tokenizer is not taken: it "
    ):
        tokenize(pa.array(["a"]), step)


# Parts of the tokenizers of well-known models.
REAL: dict[str, dict[str, Any]] = {
    "bert": {"normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True, "strip_accents": None, "lowercase": True}, "pre_tokenizer": {"type": "BertPreTokenizer"}},
    "gpt2": {"pre_tokenizer": {**BYTES_PART, "use_regex": True}},
    "clip": {"normalizer": sequence({"type": "NFC"}, replace("Regex", r"\s+", " "), {"type": "Lowercase"}), "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": r"\p{L}+|\p{N}"}, "behavior": "Removed", "invert": True}, BYTES_PART]}},
    "albert": {"normalizer": sequence(replace("String", "``", '"'), replace("String", "''", '"'), {"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}, replace("Regex", " {2,}", " "))},
    "llama": {"normalizer": sequence({"type": "Prepend", "prepend": "▁"}, replace("String", " ", "▁"))},
    "spelled out": {"normalizer": sequence(*[replace("String", c, f":{c * 20}_of_joy:") for c in "😀😁😂½€"])},
    "many patterns": {"normalizer": sequence(*[replace("Regex", p, " ") for p in (r"\d+", r"[^a-z]", r"(?:ab|c)+", r"\s{2,}", "x|y", r"\t", r"\.", r"[a-f]{3}", "u", "v", "w")])},
    "special tokens": {"post_processor": {**TEMPLATE, "single": [{"SpecialToken": {"id": "[UNK]", "type_id": 0}}, WHOLE], "special_tokens": {"[UNK]": {"id": "[UNK]", "ids": [0], "tokens": ["[UNK]"]}}}},
}  # fmt: skip


@pytest.mark.parametrize("kind", REAL)
def test_tokenizers_of_real_models_are_taken(kind: str) -> None:
    refuse_growth(Tokenizer.from_str(with_parts(**REAL[kind])))


TEXTS = ["a" * 6, "b" * 6, "c" * 6, "ab" * 3, "xxxxxa"]


def test_the_bound_is_no_smaller_than_what_really_comes_out() -> None:
    """Parts in every order, against the library's own answer for short texts."""
    parts = [("String", "a", "bb"), ("String", "b", "ccc"), ("String", "ab", "a")]
    parts += [("Regex", "c+", "ab"), ("Regex", "x*", "c"), ("String", "c", "")]
    for first in parts:
        for second in parts:
            for third in parts:
                chain = sequence(*[replace(*part) for part in (first, second, third)])
                made = Tokenizer.from_str(with_parts(normalizer=chain))
                # What is found before nothing is found once more, at the end.
                longest = max(len(made.normalizer.normalize_str(text)) / 7 for text in TEXTS)
                assert longest <= find_growth(made) <= 27 * max(longest, 1)
