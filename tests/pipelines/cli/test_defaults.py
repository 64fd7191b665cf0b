"""What a command line means where it says nothing, and the least that its numbers may be."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from configs.errors import JobError
from pipelines import evaluate, promote, prune, release, report, train, tune, verify

Parse = Callable[[Sequence[str]], Any]
JOIN = ["--output", "o", "--labels", "l", "--key", "k", "--label", "y"]
DEFAULTS: list[tuple[Parse, list[str], dict[str, Any]]] = [
    (evaluate._parse, JOIN, {"k": 10, "json": False, "debug": False, "prediction": []}),
    (promote._parse, ["m/1"], {"margin": None, "why": "", "by": "", "roll_back": False}),
    (
        prune._parse,
        ["o", "--older_than_days", "1"],
        {"older_than_days": 1, "held": False, "dry_run": False, "debug": False},
    ),
    (release._parse, ["o", "r", "--reason", "w"], {"discard": False, "by": "", "debug": False}),
    (report._parse, ["o"], {"last": 30, "json": False, "to": None, "run": None, "against": None}),
    (train._parse, [], {"overwrite": False, "quiet": False, "debug": False, "set": []}),
    (
        tune._parse,
        ["--config", "c"],
        {"rows": 131_072, "minutes": 5.0, "rows_per_night": None, "without": [], "quiet": False},
    ),
    (verify._parse, ["o"], {"inputs": False, "run": None, "debug": False}),
]


@pytest.mark.parametrize(("parse", "words", "expected"), DEFAULTS)
def test_what_a_command_line_means_that_says_little(
    parse: Parse, words: list[str], expected: dict[str, Any]
) -> None:
    parsed = vars(parse(words))
    assert {name: parsed[name] for name in expected} == expected


TUNE = ["--config", "c"]
NUMBERS: list[tuple[Parse, list[str], list[str], list[str]]] = [
    (evaluate._parse, [*JOIN, "--k"], ["1"], ["0", "-1", "1.5"]),
    (
        promote._parse,
        ["m/1", "--as", "x", "--metric", "f1", "--margin"],
        ["0", "0.5", "2"],
        ["-0.1", "inf", "nan"],
    ),
    (prune._parse, ["o", "--older_than_days"], ["1", "30"], ["0", "-1", "0.5"]),
    (report._parse, ["o", "--last"], ["1"], ["0"]),
    (tune._parse, [*TUNE, "--rows"], ["1"], ["0", "-1"]),
    (tune._parse, [*TUNE, "--rows_per_night"], ["1"], ["0"]),
    (tune._parse, [*TUNE, "--minutes"], ["0.01", "90"], ["0", "-1", "inf", "nan"]),
]


@pytest.mark.parametrize(("parse", "words", "taken", "refused"), NUMBERS)
def test_a_number_has_a_least_one(
    parse: Parse, words: list[str], taken: list[str], refused: list[str]
) -> None:
    name = words[-1].removeprefix("--")
    for text in taken:
        assert vars(parse([*words, text]))[name] == float(text)
    for text in refused:
        with pytest.raises(JobError, match=r"must be|>= 1|above 0"):
            parse([*words, text])


@pytest.mark.parametrize(
    ("parse", "words", "rule"),
    [
        (
            promote._parse,
            ["m/1", "--margin", "much"],
            "--margin: must be a number of 0 or more, got",
        ),
        (promote._parse, ["m/1", "--as", "../x"], "--as: must be of letters, digits, - and _, got"),
        (release._parse, ["o", "r", "--reason", " "], "--reason: must say something"),
    ],
)
def test_a_text_that_is_none_is_refused_with_the_rule(
    parse: Parse, words: list[str], rule: str
) -> None:
    with pytest.raises(JobError, match=rule):
        parse(words)


@pytest.mark.parametrize(
    ("words", "is_taken"),
    [
        (["o", "--json"], True),
        (["o", "--to", "page.html"], True),
        (["o", "--json", "--to", "page.html"], False),
    ],
)
def test_a_report_is_a_page_or_json(words: list[str], is_taken: bool) -> None:
    if is_taken:
        report._parse(words)
        return
    with pytest.raises(JobError, match="--json goes to stdout"):
        report._parse(words)


@pytest.mark.parametrize(
    ("words", "is_taken"),
    [
        (["m", "--roll_back"], False),
        (["m", "--roll_back", "--as", "champion"], True),
        (["m", "--as", "champion"], True),
        (["m", "--as", "../champion"], False),
    ],
)
def test_a_name_goes_back_where_it_is_named(words: list[str], is_taken: bool) -> None:
    if is_taken:
        assert promote._parse(words).name == "champion"
        return
    with pytest.raises((JobError, SystemExit)):
        promote._parse(words)
