"""A tokenizer that is made of training texts."""

import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from configs.errors import JobError, RejectedRows
from model_zoo.steps.table import STEPS, fit_steps
from model_zoo.steps.tokenize import Tokenize
from model_zoo.tokenizer_fitting import fit_tokenizer
from tests.support.repository import REPOSITORY

TEXTS = ["The cat sat.", "the CAT ran", "a dog, a cat", "Dogs & cats"] * 20


def fit(vocabulary: int = 80, max_tokens: int = 12) -> Tokenize:
    step = Tokenize(step="tokenize", column="text", max_tokens=max_tokens, vocabulary=vocabulary)
    (fitted,), _ = fit_steps((step,), {"text": pa.array(TEXTS)}, len(TEXTS))
    assert isinstance(fitted, Tokenize)
    return fitted


def tokens_of(step: Tokenize, *texts: str) -> list[list[str]]:
    """The tokens of texts, by the words that stand for them."""
    words = {n: word for word, n in json.loads(step.tokenizer)["model"]["vocab"].items()}
    made = step.apply({"text": pa.array(texts)}, len(texts))
    numbers, mask = np.asarray(made["input_ids"]), np.asarray(made["attention_mask"])
    return [[words[n] for n in row[ones == 1]] for row, ones in zip(numbers, mask, strict=True)]


def test_frequent_words_are_one_token_in_any_case_and_rare_ones_are_pieces() -> None:
    step = fit()
    assert step.is_fitted
    assert tokens_of(step, "CAT the", "cats", "a dog") == [
        ["[CLS]", "cat", "the"],
        ["[CLS]", "cats"],
        ["[CLS]", "a", "dog"],
    ]
    (pieces,) = tokens_of(step, "tacos")
    assert pieces[0] == "[CLS]"
    assert "".join(pieces[1:]) == "tacos"


def test_an_empty_text_has_a_token_and_unknown_characters_are_unknown() -> None:
    step = fit()
    assert tokens_of(step, "", "cat \u6f22") == [["[CLS]"], ["[CLS]", "cat", "[UNK]"]]
    made = step.apply({"text": pa.array(["cat"])}, 1)
    # Padding is zeros, which is a token of its own.
    assert np.asarray(made["input_ids"])[0, 2:].tolist() == [0] * 10
    assert json.loads(step.tokenizer)["model"]["vocab"]["[PAD]"] == 0


@pytest.mark.parametrize("vocabulary", [64, 80, 1000])
def test_it_knows_no_more_tokens_than_were_asked_for(vocabulary: int) -> None:
    known = json.loads(fit(vocabulary).tokenizer)["model"]["vocab"]
    assert sorted(known.values()) == list(range(len(known)))
    assert len(known) <= vocabulary


def test_half_of_the_tokens_are_kept_for_characters_and_the_others_for_pairs() -> None:
    # 60 characters, and more pairs than there is room for.
    letters = [chr(0x4E00 + number) for number in range(60)]
    texts = ["".join(letters[start:] + letters[:start]) for start in range(60)]
    model = json.loads(fit_tokenizer(texts, vocabulary=40))["model"]
    single = [word for word in model["vocab"] if len(word) == 1]
    assert len(single) == 20


def test_a_package_holds_the_tokenizer_and_takes_it_up() -> None:
    step = fit()
    content = STEPS.dump_json((step,))
    assert STEPS.validate_json(content) == (step,)
    elsewhere = Tokenize(step="tokenize", column="a", max_tokens=4, tokenizer="{}")
    assert "vocabulary" not in json.loads(STEPS.dump_json((elsewhere,)))[0]


def test_one_that_is_given_stays_as_it_is() -> None:
    given = fit()
    ((again,), _) = fit_steps((given,), {"text": pa.array(["another", "text"])}, 2)
    assert again == given


@pytest.mark.program
def test_another_process_makes_the_same_one() -> None:
    """The library's trainer of WordPiece would not."""
    code = (
        "from model_zoo.tokenizer_fitting import fit_tokenizer\n"
        f"print(fit_tokenizer({TEXTS!r}, 80))"
    )
    expected = fit_tokenizer(TEXTS, 80)
    command = [sys.executable, "-c", code]
    for _ in range(2):
        answer = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
        assert answer.stdout.rstrip("\n") == expected


def test_texts_that_are_none_are_refused_or_rejected() -> None:
    step = Tokenize(step="tokenize", column="text", max_tokens=4, vocabulary=80)
    with pytest.raises(JobError, match="column 'text' is int64, not text"):
        fit_steps((step,), {"text": pa.array([1])}, 1)
    with pytest.raises(RejectedRows):
        fit_steps((step,), {"text": pa.array(["a", None])}, 2)
