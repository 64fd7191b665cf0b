"""Tiny Hugging Face folders of random weights, made by the libraries themselves."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
import torch
import transformers

_WORDS = (
    "good",
    "bad",
    "film",
    "very",
    "not",
    "plot",
    "actor",
    "boring",
    "nice",
    "the",
    "a",
    "was",
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_NAMES = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
LABELS = ("negative", "N/A", "positive")
MOST_TOKENS = 24


def make_texts(count: int) -> list[str]:
    """Return texts of 0 to 40 words, so that some are cut."""
    draw = np.random.default_rng(0)
    # Of their numbers, as an array of the words would be made for each text.
    drawn = [draw.choice(len(_WORDS), draw.integers(0, 41)).tolist() for _ in range(count)]
    return [" ".join(_WORDS[number] for number in numbers) for numbers in drawn]


def make_tokenizer() -> Any:
    """Return a tokenizer of WordPiece, trained on such texts."""
    words = dict(zip(_NAMES, _SPECIAL, strict=True))
    tokenizer = Tokenizer(models.WordPiece(unk_token=words["unk_token"]))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=120, special_tokens=list(_SPECIAL))
    tokenizer.train_from_iterator(make_texts(100), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=MOST_TOKENS, **words
    )


def make_text_folder(folder: Path, kind: str, family: str = "Bert", **changes: Any) -> Any:
    """Save a model and its tokenizer, and return the library's own network.

    Args:
        folder: where to.
        kind: what follows the family in the class's name, `ForSequenceClassification` for example.
        family: of the class.
        changes: fields of its config.
    """
    tokenizer = make_tokenizer()
    # Weights so large that texts get different scores.
    fields = {
        "vocab_size": len(tokenizer),
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 32,
        "initializer_range": 0.2,
        "id2label": dict(enumerate(LABELS)),
        "label2id": {label: number for number, label in enumerate(LABELS)},
        "pad_token_id": 0,
    }
    config = getattr(transformers, f"{family}Config")(**fields | changes)
    torch.manual_seed(0)
    network = getattr(transformers, f"{family}{kind}")(config).eval()
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return network


def make_sentence_folder(
    folder: Path, normalises: bool, modes: tuple[str, ...] = ("mean_tokens",)
) -> Any:
    """Save an encoder as sentence-transformers does, and return the library's own network.

    Args:
        folder: where to.
        normalises: whether embeddings have length 1.
        modes: of pooling, as older versions of the library write them.
    """
    network = make_text_folder(folder, "Model")
    names = ["Transformer", "Pooling", *["Normalize"] * normalises]
    modules = [{"type": f"sentence_transformers.models.{name}"} for name in names]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, **{f"pooling_mode_{mode}": True for mode in modes}}
    (folder / "1_Pooling/config.json").write_text(json.dumps(pooling))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 16}')
    return network
