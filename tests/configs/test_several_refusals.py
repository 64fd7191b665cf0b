"""Files that are refused together: each by name, and each reason once."""

import pytest

from configs.errors import InputError
from configs.several_refusals import RefusedFile, refuse_all


def refused(url: str, message: str) -> RefusedFile:
    return RefusedFile(url, InputError(f"{url}{message}"))


@pytest.mark.parametrize(
    ("files", "is_all", "expected"),
    [
        ([refused("/a", ": cut")], True, "/a: cut"),
        ([refused("/a", ": cut")], False, "at least 1 input files cannot be scored: /a: cut"),
        (
            [refused("/a", ": cut"), refused("/b", ": of CSV"), refused("/c", ": cut")],
            True,
            "3 input files cannot be scored: /a: cut (the same of /c); /b: of CSV",
        ),
        (
            [refused(f"/{number}", ": cut") for number in range(9)],
            False,
            "at least 9 input files cannot be scored: "
            "/0: cut (the same of /1, /2, /3, /4, /5 and 3 more)",
        ),
    ],
)
def test_files_are_told_by_their_reasons(
    files: list[RefusedFile], is_all: bool, expected: str
) -> None:
    assert str(refuse_all(files, is_all)) == expected


def test_a_single_file_keeps_its_own_error() -> None:
    (file,) = [refused("/a", ": cut")]
    assert refuse_all([file]) is file.error
