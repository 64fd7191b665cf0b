"""The smallest and largest values of the types of fields that many sections share."""

from typing import Any

from pydantic import TypeAdapter, ValidationError
import pytest

from configs import fields

MOST = 9_223_372_036_854_775_807


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Count, 1),
        (fields.Count, MOST),
        (fields.Length, 1),
        (fields.Text, "a"),
        (fields.Character, ";"),
        (fields.SomeNames, ("a",)),
        (fields.Name, "a-1.b_2"),
        (fields.AnyNames, ()),
    ],
)
def test_what_a_field_holds_at_its_ends(kind: Any, value: Any) -> None:
    assert TypeAdapter(kind).validate_python(value) == value


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (fields.Count, 0),
        (fields.Count, MOST + 1),
        (fields.Length, 0),
        (fields.Text, ""),
        (fields.Character, ""),
        (fields.Character, ";;"),
        (fields.SomeNames, ()),
        (fields.OneOrMore, ()),
        (fields.Name, "-a"),
        (fields.Version, ""),
        (fields.Version, 1.1),
        (fields.Version, True),
    ],
)
def test_what_is_beyond_them_is_refused(kind: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("kind", "given", "value"),
    [
        (fields.OneOrMore, "a", ("a",)),
        (fields.AnyNames, "a", ("a",)),
        (fields.Version, 3, "3"),
        (fields.Version, "3", "3"),
    ],
)
def test_what_is_taken_for_another_spelling(kind: Any, given: Any, value: Any) -> None:
    assert TypeAdapter(kind).validate_python(given) == value


@pytest.mark.parametrize(
    ("url", "is_secret"),
    [
        ("s3://bucket/a", False),
        ("https://host:8080/a", False),
        ("https://user@host/a", True),
        ("https://user:word@host/a", True),
        ("https://host/a?sig=x", True),
        ("/data/a@b?c=d", False),
    ],
)
def test_a_url_that_names_a_user_or_is_signed_is_told_from_others(
    url: str, is_secret: bool
) -> None:
    assert fields.holds_credentials(url) is is_secret
