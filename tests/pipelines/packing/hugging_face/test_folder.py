"""`--huggingface FOLDER`, packaged and scored by the programs: equal to the library's own forward on 1,000 texts."""

from collections.abc import Callable, Iterator
import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from PIL import Image as Pillow
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from configs.errors import JobError
from configs.packaging import PackagingJob
from model_zoo.steps.table import AnyStep
from pipelines import package
from pipelines.cli.command_line import run_program
from pipelines.packing.hugging_face import folder
from tests.support.without_beam import run_without_beam

transformers = pytest.importorskip("transformers")
tiny = pytest.importorskip("tests.support.tiny_transformers")
AggregationStrategy = pytest.importorskip(
    "transformers.pipelines.token_classification"
).AggregationStrategy

Tell = Callable[..., str]


@pytest.fixture(autouse=True)
def _without_beam(monkeypatch: pytest.MonkeyPatch) -> None:
    run_without_beam(monkeypatch)


@pytest.fixture
def reviews(tmp_path: Path) -> list[str]:
    """1,000 texts, also in the sample."""
    texts: list[str] = tiny.make_texts(1000)
    pq.write_table(pa.table({"id": range(1000), "review": texts}), tmp_path / "reviews.parquet")
    return texts


@pytest.fixture
def tell(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Tell:
    """Package a folder, and return all that was said."""

    def run(*flags: str, refused: bool = False) -> str:
        arguments = ["--huggingface", str(tmp_path / "hf"), "--key", "id"]
        capsys.readouterr()
        actual = run_program(package.main, [*arguments, *flags, "--output", str(tmp_path / "m")])
        out, err = capsys.readouterr()
        assert (actual in (2, 3)) == refused, out + err
        return out + err

    return run


@pytest.fixture
def score(tmp_path: Path, tell: Tell, run_score: Callable[..., int]) -> Callable[..., pa.Table]:
    """Package a folder, run the job that was written beside it, and return its scores by key."""

    def run(*flags: str) -> pa.Table:
        tell(*flags)
        assert run_score("--config", str(tmp_path / "m.job.yaml")) == 0
        files = sorted((tmp_path / "scores").glob("current/*"))
        return pa.concat_tables(pq.read_table(file) for file in files).sort_by("id")

    return run


def _text_flags(tmp_path: Path) -> tuple[str, ...]:
    return ("--text", "review", "--sample", str(tmp_path / "reviews.parquet"))


def _encode(texts: list[str], most: int) -> dict[str, torch.Tensor]:
    encoded = tiny.make_tokenizer()(
        texts, padding="max_length", truncation=True, max_length=most, return_tensors="pt"
    )
    return {name: encoded[name] for name in ("input_ids", "attention_mask")}


@pytest.mark.slow
@pytest.mark.parametrize("family", ["Bert", "DistilBert", "Roberta", "MPNet", "Electra", "Albert"])
def test_a_text_classifier(
    family: str, tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    changes = {"pad_token_id": 1} if family in ("Roberta", "MPNet") else {}
    native = tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification", family, **changes)
    scores = score(*_text_flags(tmp_path))
    with torch.inference_mode():
        expected = native(**_encode(reviews, tiny.MOST_TOKENS)).logits.softmax(dim=1).numpy()
    assert np.ptp(expected) > 0.05
    np.testing.assert_allclose(scores["probability"], expected.max(axis=1), atol=1e-5)
    assert scores["label"].to_pylist() == [tiny.LABELS[best] for best in expected.argmax(axis=1)]


@pytest.mark.slow
def test_a_classifier_of_several_labels_a_text(
    tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    kind = {"problem_type": "multi_label_classification"}
    native = tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification", **kind)
    scores = score(*_text_flags(tmp_path))
    with torch.inference_mode():
        expected = native(**_encode(reviews, tiny.MOST_TOKENS)).logits.sigmoid().numpy()
    np.testing.assert_allclose(scores["probabilities"].to_pylist(), expected, atol=1e-5)
    for labels, row in zip(scores["labels"].to_pylist(), expected, strict=True):
        assert labels == [tiny.LABELS[place] for place in np.flatnonzero(row >= 0.5)]


TAGS = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC", "MISC", "E-ORG")


@pytest.mark.slow
def test_a_token_classifier(
    tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    """Tokens and spans are those of the library's own pipeline."""
    tags = dict(enumerate(TAGS))
    native = tiny.make_text_folder(tmp_path / "hf", "ForTokenClassification", id2label=tags)
    scores = score(*_text_flags(tmp_path))
    pipeline = transformers.pipeline(
        "token-classification", model=native, tokenizer=tiny.make_tokenizer(), device="cpu"
    )
    count = 0
    for strategy, name, column in (
        ("none", "entity", "tokens"),
        ("simple", "entity_group", "spans"),
    ):
        ignored = [] if strategy == "none" else ["O"]
        for row, given in enumerate(_given(native, reviews)):
            found = pipeline.postprocess([given], AggregationStrategy(strategy), ignored)
            expected = [(e[name], e["start"], e["end"]) for e in found]
            actual = scores[column][row].as_py()
            assert [(e["label"], e["start"], e["end"]) for e in actual] == expected
            means = [float(e["score"]) for e in found]
            np.testing.assert_allclose([e["score"] for e in actual], means, atol=1e-5)
            count += len(found)
    assert count > 10_000


def _given(native: Any, texts: list[str]) -> Iterator[dict[str, Any]]:
    """Yield what the library's pipeline gives to its last step, of each text."""
    encoded = tiny.make_tokenizer()(
        texts,
        truncation=True,
        padding=True,
        return_tensors="pt",
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    with torch.inference_mode():
        logits = native(
            input_ids=encoded["input_ids"], attention_mask=encoded["attention_mask"]
        ).logits
    for row, text in enumerate(texts):
        length = int(encoded["attention_mask"][row].sum())
        own = {name: tensor[row : row + 1, :length] for name, tensor in encoded.items()}
        yield own | {"sentence": text, "logits": logits[row : row + 1, :length], "is_last": True}


@pytest.mark.slow
def test_the_logits_of_tokens_are_lists_of_a_rows_own_length(
    tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    native = tiny.make_text_folder(tmp_path / "hf", "ForTokenClassification")
    scores = score(*_text_flags(tmp_path), "--activation", "none")
    encoded = _encode(reviews, tiny.MOST_TOKENS)
    with torch.inference_mode():
        logits = native(**encoded).logits
    for row, length in enumerate(encoded["attention_mask"].sum(1).tolist()):
        actual = np.array(scores["logits"][row].as_py())
        np.testing.assert_allclose(actual, logits[row, :length], atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("normalises", [True, False])
def test_a_sentence_encoder(
    normalises: bool, tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    native = tiny.make_sentence_folder(tmp_path / "hf", normalises)
    scores = score(*_text_flags(tmp_path))
    encoded = _encode(reviews, 16)
    with torch.inference_mode():
        vectors = native(**encoded).last_hidden_state
    means = []
    for row in range(len(reviews)):
        mean = vectors[row, : int(encoded["attention_mask"][row].sum())].mean(dim=0)
        means.append(mean / mean.norm() if normalises else mean)
    actual = np.stack(scores["embedding"].to_pylist())
    np.testing.assert_allclose(actual, torch.stack(means), atol=1e-5)


def _weigh(vectors: torch.Tensor) -> torch.Tensor:
    places = torch.arange(1, len(vectors) + 1)[:, None]
    return (vectors * places).sum(dim=0) / places.sum()


# As sentence-transformers documents its Pooling, of one text without padding.
_POOLINGS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "cls_token": lambda vectors: vectors[0],
    "max_tokens": lambda vectors: vectors.max(dim=0).values,
    "mean_sqrt_len_tokens": lambda vectors: vectors.sum(dim=0) / len(vectors) ** 0.5,
    "weightedmean_tokens": _weigh,
    "lasttoken": lambda vectors: vectors[-1],
}


@pytest.mark.slow
@pytest.mark.parametrize("modes", [*((mode,) for mode in _POOLINGS), ("lasttoken", "cls_token")])
def test_a_sentence_encoder_of_another_pooling(
    modes: tuple[str, ...], tmp_path: Path, reviews: list[str], score: Callable[..., pa.Table]
) -> None:
    native = tiny.make_sentence_folder(tmp_path / "hf", normalises=True, modes=modes)
    scores = score(*_text_flags(tmp_path))
    encoded = _encode(reviews, 16)
    with torch.inference_mode():
        vectors = native(**encoded).last_hidden_state
    in_the_librarys_order = [mode for mode in _POOLINGS if mode in modes]
    expected = []
    for row, tokens in enumerate(encoded["attention_mask"].sum(dim=1).tolist()):
        parts = [_POOLINGS[mode](vectors[row, :tokens]) for mode in in_the_librarys_order]
        vector = torch.cat(parts)
        expected.append(vector / vector.norm())
    actual = np.stack(scores["embedding"].to_pylist())
    np.testing.assert_allclose(actual, torch.stack(expected), atol=1e-5)


@pytest.mark.parametrize(
    ("file", "content", "why"),
    [
        ("1_Pooling/config.json", {"pooling_mode": "median"}, "says ['median']; taken are cls, max"),
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False}, "says no mode"),
        ("config_sentence_transformers.json", {"default_prompt_name": "query"}, "before every text"),
        ("modules.json", [{"type": "a.Transformer"}, {"type": "a.Pooling"}, {"type": "a.Dense"}], "'Dense'"),
    ],
)  # fmt: skip
def test_what_is_not_taken_of_a_sentence_encoder_is_said(
    file: str, content: Any, why: str, tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    tiny.make_sentence_folder(tmp_path / "hf", normalises=True)
    (tmp_path / "hf" / file).write_text(json.dumps(content))
    said = tell(*_text_flags(tmp_path), refused=True)
    assert why in said
    assert len(said.splitlines()) == 1, said


@pytest.mark.parametrize("family", ["GPT2", "Llama", "Qwen2"])
def test_classifiers_that_read_a_last_token_are_refused_by_name(
    family: str, tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    """They look for a padding token among the numbers, and of the zeros behind a text none is one."""
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification", family)
    said = tell(*_text_flags(tmp_path), refused=True)
    assert f"no network '{family}ForSequenceClassification' that is taken" in said
    assert len(said.splitlines()) == 1, said


def _make_photos(count: int) -> list[bytes]:
    draw = np.random.default_rng(0)
    photos = []
    for _ in range(count):
        sink = io.BytesIO()
        pixels = draw.integers(0, 256, (*draw.integers(20, 90, 2), 3), dtype=np.uint8)
        Pillow.fromarray(pixels).save(sink, "PNG")
        photos.append(sink.getvalue())
    return photos


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "processor", "config", "settings"),
    [
        ("ViT", "ViTImageProcessor", {"image_size": 32, "patch_size": 8}, {"height": 32, "width": 32}),
        ("ConvNext", "ConvNextImageProcessor", {"depths": [1, 1, 1, 1]}, {"shortest_edge": 33}),
        ("ResNet", "ConvNextImageProcessor", {"depths": [1, 1, 1, 1]}, {"shortest_edge": 48}),
    ],
)  # fmt: skip
def test_an_image_classifier(
    family: str,
    processor: str,
    config: dict[str, Any],
    settings: dict[str, int],
    tmp_path: Path,
    score: Callable[..., pa.Table],
) -> None:
    photos = _make_photos(60)
    sample = tmp_path / "photos.parquet"
    pq.write_table(pa.table({"id": range(60), "photo": pa.array(photos, pa.binary())}), sample)
    small = {"hidden_sizes": [8, 8, 8, 8]} if family != "ViT" else {"hidden_size": 16}
    heads = {"num_attention_heads": 2, "intermediate_size": 32, "num_hidden_layers": 2}
    fields = {**config, **small, **(heads if family == "ViT" else {}), "initializer_range": 0.5}
    torch.manual_seed(0)
    built = getattr(transformers, f"{family}Config")(**fields, num_labels=3)
    native = getattr(transformers, f"{family}ForImageClassification")(built).eval()
    native.save_pretrained(tmp_path / "hf")
    prepare = getattr(transformers, processor)(size=settings)
    prepare.save_pretrained(tmp_path / "hf")
    scores = score("--image", "photo", "--sample", str(sample))
    pictures = [Pillow.open(io.BytesIO(photo)) for photo in photos]
    with torch.inference_mode():
        expected = native(**prepare(pictures, return_tensors="pt")).logits.softmax(dim=1)
    np.testing.assert_allclose(scores["probability"], expected.max(dim=1).values, atol=1e-4)


def _change(path: Path, **changes: Any) -> None:
    fields = json.loads(path.read_text()) | changes
    path.write_text(
        json.dumps({name: value for name, value in fields.items() if value is not None})
    )


@pytest.mark.parametrize(
    ("file", "changes", "why"),
    [
        ("config.json", {"auto_map": {"AutoModel": "planted.Net"}}, "auto_map"),
        ("config.json", {"_attn_implementation": "kernels-community/x"}, "is not taken"),
        ("config.json", {"quantization_config": {"quant_method": "x"}}, "is not taken"),
        ("config.json", {"architectures": None}, "must name the network's class"),
        ("config.json", {"architectures": ["PlantedModel"]}, "has no network 'PlantedModel'"),
        ("config.json", {"num_hidden_layers": 3}, "lacks 16 weights"),
        ("config.json", {"id2label": {"0": "x"}}, "transformers cannot load"),
        ("tokenizer_config.json", {"padding_side": "left"}, "only right is taken"),
    ],
)
def test_what_is_not_taken_is_said_in_one_line(
    file: str, changes: dict[str, Any], why: str, tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification")
    (tmp_path / "hf/planted.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    _change(tmp_path / "hf" / file, **changes)
    said = tell(*_text_flags(tmp_path), refused=True)
    assert why in said
    assert len(said.splitlines()) == 1, said
    assert not (tmp_path / "ran").exists()


def test_all_files_that_are_missing_are_named(
    tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification")
    (tmp_path / "hf/model.safetensors").rename(tmp_path / "hf/pytorch_model.bin")
    (tmp_path / "hf/tokenizer.json").unlink()
    said = tell(*_text_flags(tmp_path), refused=True)
    assert "has no model.safetensors and no tokenizer.json" in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "activation"),
    [
        ({"problem_type": "regression", "id2label": {0: "stars"}}, "none"),
        ({"problem_type": "multi_label_classification"}, "sigmoid"),
        ({"problem_type": "single_label_classification"}, "softmax"),
    ],
)
def test_the_activation_is_that_of_the_librarys_own_pipeline(
    changes: dict[str, Any], activation: str, tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification", **changes)
    assert f"activation {activation}" in tell(*_text_flags(tmp_path))


@pytest.mark.slow
def test_one_label_without_a_problem_type_is_asked_for(
    tmp_path: Path, reviews: list[str], tell: Tell
) -> None:
    tiny.make_text_folder(tmp_path / "hf", "ForSequenceClassification", id2label={0: "stars"})
    assert "activation is needed" in tell(*_text_flags(tmp_path), refused=True)
    assert "activation sigmoid" in tell(*_text_flags(tmp_path), "--activation", "sigmoid")


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"huggingface": "hf", "text": "a", "image": "b"}, "texts or pictures"),
        ({"huggingface": "hf", "text": "a", "network": "mine:Net"}, "holds one model"),
        ({"network": "mine:Net", "weights": "w.pt", "text": "a"}, "takes a tokenize step"),
        ({"exported": "m.pt2", "image": "a"}, "takes an image step in preprocess"),
        ({"exported": "m.pt2", "torchscript": "m.pt"}, "names exported and torchscript"),
        ({"torchscript": "m.pt", "weights": "w.pt"}, "the other kinds hold their own"),
    ],
)
def test_a_job_names_one_model(fields: dict[str, str], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        PackagingJob[AnyStep].model_validate({"sample": "s.parquet", "output": "o", **fields})


@pytest.mark.parametrize(("length", "shown"), [(299, 299), (300, 300), (301, 300), (9_000, 300)])
def test_what_the_library_says_of_a_file_is_cut_to_a_line(length: int, shown: int) -> None:
    """Some of its errors quote whole files, which no small file of a test makes it do."""

    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("x" * length)

    silent = SimpleNamespace(logging=SimpleNamespace(disable_progress_bar=lambda: None))
    library = SimpleNamespace(utils=silent, Net=SimpleNamespace(from_pretrained=fail))
    with pytest.raises(JobError) as refused:
        folder._load(library, Path("hf"), "Net", {})
    said = "x" * shown
    assert str(refused.value) == f"huggingface hf: transformers cannot load it: {said}"


@pytest.fixture
def library() -> Any:
    """Stands in for transformers: it keeps how a network is asked for, and says what its file lacks."""
    asked: dict[str, Any] = {}
    report: dict[str, Any] = {"missing_keys": set(), "mismatched_keys": set()}

    def from_pretrained(path: str, **options: Any) -> Any:
        asked.update(options, path=path)
        return SimpleNamespace(eval=lambda: "network"), report

    quiet = SimpleNamespace(disable_progress_bar=lambda: None)
    utils = SimpleNamespace(logging=quiet)
    net = SimpleNamespace(from_pretrained=from_pretrained)
    return SimpleNamespace(utils=utils, Net=net, asked=asked, report=report)


def test_no_code_and_nothing_from_elsewhere_is_loaded(library: Any) -> None:
    assert folder._load(library, Path("there"), "Net", {"add_pooling_layer": False}) == "network"
    asked = library.asked
    assert (asked["path"], asked["add_pooling_layer"]) == ("there", False)
    assert (asked["trust_remote_code"], asked["local_files_only"]) == (False, True)
    assert asked["use_safetensors"] is True


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing_keys", r"lacks 1 weights of Net, the first \['w'\]"),
        ("mismatched_keys", "lacks 0"),
    ],
)
def test_weights_that_the_library_would_draw_are_refused(
    library: Any, kind: str, said: str
) -> None:
    library.report[kind] = {"w"}
    with pytest.raises(JobError, match=said):
        folder._load(library, Path("there"), "Net", {})
