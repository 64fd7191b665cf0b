"""YAML text as data: limits that are reached and not passed, with sizes counted by hand."""

import pytest
import yaml

from configs import safe_yaml as plain_yaml
from configs.safe_yaml import NotPlainYaml, parse_yaml


def refused(text: str) -> str:
    with pytest.raises(NotPlainYaml) as caught:
        parse_yaml(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "a: [1, x, 2.5, true, null]",
        "- {a: 1}\n- &x [b]\n- *x",
        "2024-02-29",
        "a: |\n  two\n  lines\n",
        "",
    ],
)
def test_plain_values_are_those_of_a_safe_loader(text: str) -> None:
    assert parse_yaml(text) == yaml.safe_load(text)


def test_the_deepest_nesting() -> None:
    assert parse_yaml("[" * 64 + "]" * 64) is not None
    assert "line 1: nested deeper than 64 levels" in refused("[" * 65 + "]" * 65)


def test_depth_is_counted_inside_and_not_side_by_side() -> None:
    assert len(parse_yaml(f"[{', '.join(['[[1]]'] * 100)}]")) == 100


def repeated(first: str, aliases: int, singles: int) -> str:
    """A list of one anchored entry, so many aliases of it, and so many entries of one character."""
    return f"- &a {first}\n" + "- *a\n" * aliases + "- x\n" * singles


@pytest.mark.parametrize(
    ("first", "aliases", "singles"),
    [
        (f"[{', '.join('x' * 198)}]", 999, 999),  # the list, 1,000 times 1 + 198, and 999
        (
            "y" * 64 * 1_999,
            98,
            1_999,
        ),  # a text counts 1, and 1 for each 64 characters: the list, 99 times 2,000, and 1,999
    ],
)
def test_the_largest_size_with_every_alias_written_out(
    first: str, aliases: int, singles: int
) -> None:
    assert len(parse_yaml(repeated(first, aliases, singles))) == 1 + aliases + singles
    assert "stands for more than 200,000 values" in refused(repeated(first, aliases, singles + 1))


def test_a_text_of_the_largest_length_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    assert plain_yaml.MOST_BYTES == 4 << 20
    monkeypatch.setattr(plain_yaml, "MOST_BYTES", 100)
    assert parse_yaml("x" * 100) == "x" * 100
    assert "is larger than" in refused("x" * 101)


def test_what_stands_inside_itself_is_refused_and_beside_itself_is_not() -> None:
    assert "'a' stands inside itself" in refused("x: &a [1, *a]")
    assert parse_yaml("[&a [1], &b [*a], *a, *b]") == [[1], [[1]], [1], [[1]]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 2024-06-31", "a value is not what it looks like: "),
        ("a: \0", "special characters are not allowed"),
        ("a: b\n c: d\n", "line 2: mapping values are not allowed here"),
        ("a: 1\n---\nb: 2\n", "line 2: but found another document"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(text: str, words: str) -> None:
    assert words in refused(text)


@pytest.mark.parametrize("number", [2**64 - 1, -(2**64) + 1, 2**63, -(2**63), 0])
def test_integers_that_files_and_arrow_take(number: int) -> None:
    for text in (f"{number}", f"{number:#x}" if number >= 0 else f"{number}"):
        assert parse_yaml(text) == number


@pytest.mark.parametrize("number", [2**64, -(2**64), 2**65, 10**100])
def test_an_integer_of_more_bits_is_none(number: int) -> None:
    assert "an integer of more than 64 bits" in refused(f"{number}")
