"""Texts by length: the scores of rows that were never padded, in the order of the rows, for less work."""

from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
import numpy as np
import pyarrow as pa
import pytest

from configs.errors import ModelError
from model_zoo.engines.settings import Settings
from model_zoo.package.package import Package, read_package
from model_zoo.scoring.length_buckets import cut_to_longest, score_by_length
from model_zoo.scoring.scored import Scored
from model_zoo.scoring.scorer import Scorer, load_scorer
from model_zoo.steps.tokenize import tokenize
from tests.support.text_models import TOKENS, embeddings, encoder, step, text_package, texts

Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Package:
    return read_package(text_package(tmp_path_factory.mktemp("texts") / "model"))


def scorer_of(package: Package, batch_rows: int = 4, threads: int = 1) -> Scorer:
    scorer = load_scorer(package, "cpu", Settings(batch_rows), threads)
    assert isinstance(scorer, Scorer)
    return scorer


def tokens_of(rows: list[str]) -> Arrays:
    numbers, mask = tokenize(pa.array(rows), step())
    return {"input_ids": numbers, "attention_mask": mask}


@pytest.mark.parametrize("threads", [1, 2])
def test_scores_are_those_of_rows_without_padding_in_their_order(
    package: Package, threads: int
) -> None:
    rows = texts(50)
    scored = scorer_of(package, threads=threads)(tokens_of(rows)).outputs["embedding"]
    np.testing.assert_allclose(scored, embeddings(encoder(), rows), atol=1e-6)


def test_mini_batches_hold_as_many_tokens_as_there_is_room_for_and_little_padding(
    package: Package,
) -> None:
    rows = texts(200)
    shapes = []

    def score(inputs: Arrays, slots: int) -> Scored:
        lengths = inputs["attention_mask"].sum(axis=1)
        width = inputs["input_ids"].shape[1]
        shapes.append((slots, width))
        mini_batches = -(-len(lengths) // slots)
        assert (
            mini_batches * slots - len(lengths) < mini_batches
        )  # less than one empty slot in each
        assert width - lengths.max() < 4
        assert width - lengths.min() < 4
        return Scored({"embedding": np.zeros((len(lengths), 16), np.float32)})

    score_by_length(score, package.card, tokens_of(rows), 4)
    assert [width for _, width in shapes] == list(range(64, 0, -4))
    assert all(slots * width <= 4 * TOKENS for slots, width in shapes)
    assert max(slots for slots, _ in shapes) > 2 * 4


def test_the_network_gets_more_short_texts_at_once_than_long_ones(package: Package) -> None:
    scorer, seen = scorer_of(package), set[tuple[int, ...]]()
    scorer.mini_batches.network.register_forward_pre_hook(
        lambda _, __, given: seen.add(tuple(given["input_ids"].shape)), with_kwargs=True
    )  # type: ignore[attr-defined]
    words = ["word"] * 100 + [" ".join(["word"] * TOKENS)] * 9
    scorer(tokens_of(words))
    assert {(slots, width) for slots, width in seen if width == TOKENS} == {(3, TOKENS)}
    ((slots, width),) = ((slots, width) for slots, width in seen if width < TOKENS)
    assert slots > 20
    assert slots * width <= 4 * TOKENS


def test_a_mini_batch_is_cut_to_its_longest_text(package: Package) -> None:
    rows = tokens_of(["one", "one two three"])
    cut = cut_to_longest(package.card, rows)
    longest = int(rows["attention_mask"].sum(axis=1).max())
    assert {name: a.shape for name, a in cut.items()} == {
        "input_ids": (2, longest),
        "attention_mask": (2, longest),
    }
    np.testing.assert_array_equal(cut["input_ids"], rows["input_ids"][:, :longest])


@pytest.mark.slow
@settings(deadline=None, max_examples=25)
@given(bad=st.sets(st.integers(0, 39), min_size=1, max_size=6))
def test_rows_that_fail_are_named_by_their_place_in_the_call(
    package: Package, bad: set[int]
) -> None:
    rows = tokens_of(texts(40))
    rows["input_ids"][sorted(bad), 0] = 10_000  # no such word: the embedding raises
    scored = scorer_of(package)(rows)
    assert set(scored.rejected) == bad
    good = np.setdiff1d(np.arange(40), sorted(bad))
    expected = embeddings(encoder(), texts(40))[good]
    np.testing.assert_allclose(scored.outputs["embedding"][good], expected, atol=1e-6)


def test_padding_before_tokens_is_refused(package: Package) -> None:
    rows = tokens_of(texts(3))
    rows["attention_mask"] = rows["attention_mask"][:, ::-1].copy()
    rows["attention_mask"][:, 0] = 0
    with pytest.raises(ModelError, match="padding before or between tokens"):
        scorer_of(package)(rows)


def test_a_mask_that_is_no_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mask must be an input of one dimension"):
        text_package(tmp_path / "model", mask="mask")


def test_a_text_of_no_tokens_keeps_one_position(package: Package) -> None:
    rows = tokens_of(["", ""])
    cut = cut_to_longest(package.card, rows)
    assert {name: a.shape for name, a in cut.items()} == {
        "input_ids": (2, 1),
        "attention_mask": (2, 1),
    }
    scored = scorer_of(package)(tokens_of(["", "word1", ""]))
    assert not scored.rejected
    assert np.isfinite(scored.outputs["embedding"]).all()


@pytest.mark.parametrize(
    ("tokens", "padded"), [(0, 4), (1, 4), (4, 4), (5, 8), (60, 60), (61, 64), (64, 64)]
)
def test_a_text_is_padded_to_the_next_multiple_of_four(
    package: Package, tokens: int, padded: int
) -> None:
    shapes = []

    def score(inputs: Arrays, _: int) -> Scored:
        shapes.append(inputs["input_ids"].shape)
        return Scored({"embedding": np.zeros((1, 16), np.float32)}, copy_nanoseconds=5)

    rows = tokens_of([" ".join(["word1"] * tokens)])
    scored = score_by_length(score, package.card, rows, 4)
    assert shapes == [(1, padded)]
    assert scored.copy_nanoseconds == 5


def test_the_times_of_all_lengths_are_added_up(package: Package) -> None:
    times = iter([3, 40, 500])

    def score(inputs: Arrays, _: int) -> Scored:
        outputs = {"embedding": np.zeros((len(inputs["input_ids"]), 16), np.float32)}
        return Scored(outputs, copy_nanoseconds=next(times))

    rows = tokens_of(["word1", " ".join(["word1"] * 9), " ".join(["word1"] * 30)])
    assert score_by_length(score, package.card, rows, 4).copy_nanoseconds == 543


def test_no_rows_are_scored_as_they_are(package: Package) -> None:
    nothing = {name: values[:0] for name, values in tokens_of(["word1"]).items()}
    scored = scorer_of(package)(nothing)
    assert scored.outputs["embedding"].shape == (0, 16)
    (alone,) = scorer_of(package)(tokens_of(["word1"])).outputs["embedding"]
    assert alone.shape == (16,)
