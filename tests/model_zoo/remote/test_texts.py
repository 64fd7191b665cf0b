"""Texts as a server gets them: those that step `text_bytes` has made bytes of, whatever letters they have."""

import numpy as np
import pyarrow as pa
import pytest

from model_zoo.remote.failures import RefusedError
from model_zoo.remote.texts import read_texts
from model_zoo.steps.text_bytes import TextBytes

STEP = TextBytes(step="text_bytes", column="said", length=8)


def spread(*texts: str | None) -> np.ndarray:
    made = STEP.apply({"said": pa.array(texts, pa.string())}, len(texts))["said"]
    assert isinstance(made, np.ndarray)
    return made


def test_every_text_comes_back() -> None:
    texts = ["", "ab", "ä€", "\0", "a\0\0", "12345678"]
    assert [text.decode() for text in read_texts(spread(*texts))] == texts


def test_a_text_that_is_missing_is_refused() -> None:
    with pytest.raises(RefusedError, match="a text is missing"):
        read_texts(spread("ab", None))
