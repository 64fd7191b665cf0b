"""How long a tokenizer can make a text, part by part, and where that ends to be taken."""

import json
from typing import Any

import pytest
from tokenizers import Tokenizer

from model_zoo.tokenizer_growth import find_growth, refuse_growth
from tests.support import text_models

Part = dict[str, Any]
BYTES: Part = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": False,
}
LOWER: Part = {"type": "Lowercase"}


def replace(pattern: str, content: str) -> Part:
    return {"type": "Replace", "pattern": {"String": pattern}, "content": content}


def regex(pattern: str, content: str) -> Part:
    return {"type": "Replace", "pattern": {"Regex": pattern}, "content": content}


def prepend(content: str) -> Part:
    return {"type": "Prepend", "prepend": content}


def sequence(*parts: Part) -> Part:
    return {"type": "Sequence", "normalizers": list(parts)}


def tokenizer(normalizer: Part | None = None, **parts: Part | None) -> Tokenizer:
    """The tokenizer of words with other parts."""
    content = json.loads(text_models.tokenizer())
    content.update({"normalizer": normalizer, "pre_tokenizer": None, **parts})
    return Tokenizer.from_str(json.dumps(content))


@pytest.mark.parametrize(
    ("parts", "growth"),
    [
        ([], 1),
        ([LOWER], 1),
        ([replace("a", "")], 1),
        ([replace("a", "xyz")], 3),
        # Two characters for three.
        ([replace("ab", "xyz")], 1.5),
        ([replace("a", "bb"), replace("b", "cc")], 4),
        ([replace("b", "cc"), replace("a", "bb")], 2),
        # The better of two ways to write a character.
        ([replace("a", "xx"), replace("a", "xxx")], 3),
        ([prepend("xy")], 3),
        ([prepend("aa"), replace("a", "bbb")], 9),
        # At most: what is put before a text is counted before each of its characters.
        ([replace("a", "bb"), prepend("xy")], 6),
        ([BYTES], 4),
        ([replace("a", "bb"), BYTES], 8),
        ([BYTES, replace("a", "bb")], 8),
        ([regex("[ab]", "xyz")], 3),
        ([regex("a[bc]d", "xyz")], 1),
        ([regex("a{2}", "xyz")], 1.5),
        # They find nothing before each character too.
        ([regex("a*", "xyz")], 4),
        ([regex("a?", "xyz"), replace("x", "yy")], 6),
        # Nobody here can tell what these find.
        ([regex("[[ab]c]", "xyz")], 4),
        ([regex("[a-z&&b]", "xyz")], 4),
        ([regex(r"\p{L}", "xyz")], 4),
        ([replace("a", "bb"), regex("[xy]", "xyz")], 6),
    ],
)
def test_growth_is_counted_from_the_last_part_to_the_first(
    parts: list[Part], growth: float
) -> None:
    assert find_growth(tokenizer(sequence(*parts))) == growth
    # Whichever way they are nested.
    assert find_growth(tokenizer(sequence(sequence(*parts[:1]), sequence(*parts[1:])))) == growth


def test_both_kinds_of_parts_count_and_the_second_comes_behind() -> None:
    normalizer = replace("a", "bb")
    assert find_growth(tokenizer(normalizer, pre_tokenizer=BYTES)) == 8


def test_a_text_may_become_a_hundred_times_as_long_and_no_longer() -> None:
    refuse_growth(tokenizer(replace("a", "b" * 100)))
    with pytest.raises(ValueError, match="a text more than 100 times as long"):
        refuse_growth(tokenizer(replace("a", "b" * 101)))


def test_a_tokenizer_may_have_200_parts_and_no_more() -> None:
    refuse_growth(tokenizer(sequence(*[LOWER] * 199), pre_tokenizer=BYTES))
    with pytest.raises(ValueError, match="it has 201 parts, more than 200"):
        refuse_growth(tokenizer(sequence(*[LOWER] * 200), pre_tokenizer=BYTES))


def template(*pieces: Part) -> Part:
    special = {"[S]": {"id": "[S]", "ids": [1], "tokens": ["[S]"]}}
    return {
        "type": "TemplateProcessing",
        "single": list(pieces),
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
        "special_tokens": special,
    }


TEXT: Part = {"Sequence": {"id": "A", "type_id": 0}}
SPECIAL: Part = {"SpecialToken": {"id": "[S]", "type_id": 0}}


@pytest.mark.parametrize(
    "post_processor",
    [
        None,
        BYTES,
        template(TEXT),
        template(SPECIAL, TEXT, SPECIAL, SPECIAL),
        template(SPECIAL),
        {"type": "Sequence", "processors": [BYTES, template(TEXT)]},
    ],
)
def test_a_template_that_holds_a_text_once_is_taken(post_processor: Part | None) -> None:
    refuse_growth(tokenizer(post_processor=post_processor))


@pytest.mark.parametrize(
    "post_processor",
    [
        template(TEXT, SPECIAL, TEXT),
        {"type": "Sequence", "processors": [BYTES, template(TEXT, TEXT)]},
    ],
)
def test_a_template_that_holds_a_text_twice_is_not(post_processor: Part) -> None:
    with pytest.raises(ValueError, match="the tokens of a text more than once"):
        refuse_growth(tokenizer(post_processor=post_processor))
