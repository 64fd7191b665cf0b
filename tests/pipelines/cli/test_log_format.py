"""Which values of the environment are secrets, and what becomes of them in a line."""

import json

import pytest

from pipelines.cli.log_format import json_line, redacted


@pytest.mark.parametrize(
    ("variables", "text", "expected"),
    [
        ({"API_TOKEN": "abcdefgh"}, "said abcdefgh", "said ***"),
        ({"API_TOKEN": "abcdefg"}, "said abcdefg", "said abcdefg"),  # too short to be told apart
        ({"my_password": "abcdefgh"}, "said abcdefgh", "said ***"),
        ({"MY_HOME": "abcdefgh"}, "said abcdefgh", "said abcdefgh"),
        ({"A_SECRET": "abcdefgh", "B_SECRET": "abcdefgh12"}, "abcdefgh12 abcdefgh", "*** ***"),
        ({"B_SECRET": "abcdefgh12", "A_SECRET": "abcdefgh"}, "abcdefgh12 abcdefgh", "*** ***"),
        (
            {"TOKENIZER_DIR": "/models/x", "API_TOKEN_FILE": "/run/api"},
            "/models/x/1 /run/api",
            "/models/x/1 /run/api",
        ),
        # The secret itself, where its place was asked for.
        ({"API_TOKEN_FILE": "abc/defgh"}, "said abc/defgh", "said ***"),
        ({"API_TOKEN_PATH": "s3://b/api"}, "said s3://b/api", "said s3://b/api"),
        ({"TOKENIZERS_API_KEY": "abcdefgh"}, "said abcdefgh", "said ***"),
        ({"PRIVATE_KEY": "BEGIN\nline of a key\nEND"}, "a line of a key", "a ***"),
    ],
)
def test_values_of_variables_with_a_secret_s_name_are_blotted_out_whole(
    variables: dict[str, str], text: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert redacted(text) == expected


def test_fields_of_any_depth_are_redacted_and_those_that_are_not_known_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_TOKEN", "abcdefgh")
    fields = {"list": ["abcdefgh", 1], "pair": ("abcdefgh", None), "deep": {"a": {"b": "abcdefgh"}}}
    line = json.loads(json_line("info", "log", "abcdefgh", unknown=None, zero=0, **fields))
    assert "unknown" not in line
    assert (line["message"], line["zero"]) == ("***", 0)
    assert (line["list"], line["pair"], line["deep"]) == (
        ["***", 1],
        ["***", None],
        {"a": {"b": "***"}},
    )
