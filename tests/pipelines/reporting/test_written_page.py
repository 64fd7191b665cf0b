"""A page is known for one of its run's report by its last line."""

import pytest

from pipelines.reporting.written_page import add_digests, find_page_problem

MANIFEST = "a" * 64
PAGE = add_digests(b"<p>\nscores\n</p>\n", MANIFEST)


def test_a_page_as_it_was_written_is_one() -> None:
    assert find_page_problem(PAGE, MANIFEST) is None


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (PAGE.replace(b"scores", b"Scores"), "was altered"),
        (PAGE.replace(b"scores\n", b""), "was altered"),
        (PAGE[:-20], "not all of one"),
        (PAGE[:20], "not all of one"),
        (b"", "not all of one"),
        (b"x" + PAGE, "was altered"),
        (PAGE + b"x", "not all of one"),
    ],
)
def test_any_other_is_none(content: bytes, words: str) -> None:
    assert words in str(find_page_problem(content, MANIFEST))


def test_a_page_of_another_manifest_is_none() -> None:
    assert "another manifest" in str(find_page_problem(PAGE, "b" * 64))
