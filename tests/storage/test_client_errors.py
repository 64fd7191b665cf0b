"""Errors of stores' clients become OSErrors with one line, and no other error changes."""

from collections.abc import Callable
from types import FunctionType

import pytest

from storage.client_errors import is_of_a_client, plain_errors


class Odd(Exception):
    """An error of a library below a client."""


def make_class(module: str) -> type[Exception]:
    """Return a class of errors that a module defines."""
    return type("Refused", (Exception,), {"__module__": module})


def fail(error: Exception) -> None:
    raise error


def fail_in(module: str) -> Callable[[Exception], None]:
    """Return a function of another module that fails."""
    return FunctionType(fail.__code__, {"__name__": module})


def run(failing: Callable[[Exception], None], error: Exception) -> None:
    """Fail as a client does under our own code."""
    with plain_errors():
        failing(error)


@pytest.mark.parametrize(
    ("module", "answer"),
    [
        ("botocore.exceptions", True),
        ("s3fs", True),
        ("google.api_core.exceptions", True),
        ("botocores.exceptions", False),
        ("my.botocore", False),
        ("builtins", False),
    ],
)
def test_a_client_is_known_by_its_package(module: str, answer: bool) -> None:
    assert is_of_a_client(make_class(module)("no")) is answer


@pytest.mark.parametrize("module", ["gcsfs.core", "aiohttp.client_exceptions", "requests"])
def test_an_error_of_a_client_is_an_oserror_of_one_line(module: str) -> None:
    error = make_class(module)("not\n  allowed ")
    with pytest.raises(OSError, match=r"^not allowed$") as caught:
        run(fail, error)
    assert caught.value.strerror == "not allowed"
    assert caught.value.__cause__ is error


def test_an_error_that_a_client_lets_pass_is_an_oserror_too() -> None:
    with pytest.raises(OSError, match=r"^no route$") as caught:
        run(fail_in("aiobotocore.session"), Odd("no route"))
    assert caught.value.strerror == "no route"


def test_an_error_without_a_text_is_told_by_its_class() -> None:
    with pytest.raises(OSError, match=r"^Refused$"):
        run(fail, make_class("s3fs")())


def test_our_own_errors_stay_as_they_are() -> None:
    error = Odd("our own")
    with pytest.raises(Odd) as caught:
        run(fail, error)
    assert caught.value is error
    with pytest.raises(Odd):
        run(fail_in("storage.files"), error)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError("of a text\nalone"), "of a text alone"),
        (OSError(), "OSError"),
        (FileNotFoundError(2, "No such file"), "No such file"),
    ],
)
def test_an_oserror_stays_the_same_and_has_a_reason(error: OSError, reason: str) -> None:
    with pytest.raises(type(error)) as caught:
        run(fail, error)
    assert caught.value is error
    assert caught.value.strerror == reason
