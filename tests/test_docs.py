"""README and docs: links lead somewhere, and every command of ours that is shown names programs and flags that there are."""

from collections.abc import Iterator
import importlib
from pathlib import Path
import re
import shlex

import pytest

from pipelines.runners.flags import known_flags
from tests.support.repository import REPOSITORY

PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*.md"),
        *REPOSITORY.glob("deploy/*/README.md"),
        REPOSITORY / "tests/README.md",
    ]
)
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")
PROGRAM = re.compile(r"-m (pipelines\.\w+)(.*)")
_NEXT_LINE = re.compile(r"\\\n\s*")


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (program, words after it) of every command of ours that a page shows in a block of code."""
    text = _NEXT_LINE.sub(" ", page.read_text())
    for line in text.splitlines():
        found = PROGRAM.search(line) if line.startswith("    ") else None
        if found:
            yield found[1], shlex.split(found[2], comments=True)


def flags_of(program: str, capsys: pytest.CaptureFixture[str]) -> set[str]:
    """Return the flags that a program's help shows."""
    capsys.readouterr()
    with pytest.raises(SystemExit):
        importlib.import_module(program).main(["--help"])
    return set(re.findall(r"--\w+", capsys.readouterr().out))


def test_every_link_leads_to_a_file() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}"
        for page in PAGES
        for target in LINK.findall(page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_command_names_flags_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [(page, *command) for page in PAGES for command in commands(page)]
    programs = {program for _, program, _ in shown}
    assert len(shown) > 10
    assert {"pipelines.score", "pipelines.train", "pipelines.tune", "pipelines.verify"} <= programs
    known = {program: flags_of(program, capsys) | {*known_flags()} for program in programs}
    unknown = [
        f"{page.relative_to(REPOSITORY)}: {program} {word}"
        for page, program, words in shown
        for word in words
        if word.startswith("--") and word.partition("=")[0] not in known[program]
    ]
    assert unknown == []


def test_the_readme_is_a_front_door() -> None:
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    assert len(lines) <= 90
