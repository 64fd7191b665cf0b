"""README and docs: links lead somewhere, and every command of ours that is shown names programs and flags that there are."""

from collections.abc import Iterator
from functools import cache
import importlib
from pathlib import Path
import re
import shlex
import shutil
from typing import Any

import duckdb
import pytest
import yaml

from model_zoo.steps.table import STEPS
from pipelines.planning.jobs import ScoringJob
from pipelines.runners.flags import known_flags
from tests.support.programs import Programs
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
_TO_A_HEADING = re.compile(r"\]\((?!https?://)([^)#]*)#([^)]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
PROGRAM = re.compile(r"-m (pipelines\.\w+)(.*)")
# What stands for something of the user's own, or is made by something else than our programs.
_OF_THE_USER = ("...", "s3://", "gs://", "FlinkRunner", "DataflowRunner", "/srv/")
_QUERY = re.compile(r'duckdb -c "(.+)"')
_BLOCK = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
_NEXT_LINE = re.compile(r"\\\n\s*")
# Fields of a job that do not stand among the others on the page about scoring, by their own page.
_ON_OTHER_PAGES = {
    "docs/input.md": {"csv", "files"},
    "docs/lakes.md": {"version", "snapshot", "ref", "timestamp", "catalog", "outside", "sparse"},
    "docs/remote.md": {"protocol", "name", "version", "columns", "inputs", "outputs", "server"},
}
# By page, a program of which it names every flag but these.
_ALL_FLAGS = {
    "docs/your_model.md": "pipelines.package",
    "docs/train.md": "pipelines.train",
    "docs/tune.md": "pipelines.tune",
    "docs/report.md": "pipelines.report",
}
_EVERYWHERE = {"--help", "--quiet", "--debug", "--input", "--model", "--output", "--key"}
# By a word of a command: what says how much of something long is enough here.
_SOONER = {
    "pipelines.train": ("--set", "training.epochs=6"),
    "pipelines.tune": ("--minutes", "0.1"),
    # Each worker process imports for seconds.
    "--direct_running_mode=multi_processing": ("--direct_num_workers=1",),
}


def commands(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield (program, words after it) of every command of ours that a page shows in a block of code."""
    for line in code_lines(page):
        if found := PROGRAM.search(line):
            # `run=$(python -m ...)` takes what the command prints.
            words = found[2].partition(")")[0] if "$(" in line else found[2]
            yield found[1], shlex.split(words, comments=True)


def code_lines(page: Path) -> Iterator[str]:
    """Yield the lines of a page's blocks of code; one that ends with a backslash goes on with the next."""
    text = _NEXT_LINE.sub(" ", page.read_text())
    return (line for line in text.splitlines() if line.startswith("    "))


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


def test_every_link_to_a_heading_finds_one() -> None:
    broken = [
        f"{page.relative_to(REPOSITORY)}: {target}#{anchor}"
        for page in PAGES
        for target, anchor in _TO_A_HEADING.findall(page.read_text())
        if anchor not in anchors_of(page.parent / target if target else page)
    ]
    assert broken == []


@cache
def anchors_of(page: Path) -> set[str]:
    """Return the anchors that a page's headings have, as GitHub makes them: small letters, no marks, a hyphen for each space."""
    headings = _HEADING.findall(page.read_text())
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_command_names_flags_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    shown = [(page, *command) for page in PAGES for command in commands(page)]
    programs = {program for _, program, _ in shown}
    assert len(shown) > 10
    assert {"pipelines.score", "pipelines.train", "pipelines.tune", "pipelines.verify"} <= programs
    # Beam's parser takes a tenth of a second to make.
    of_all = {*known_flags()}
    known = {program: flags_of(program, capsys) | of_all for program in programs}
    unknown = [
        f"{page.relative_to(REPOSITORY)}: {program} {word}"
        for page, program, words in shown
        for word in words
        if word.startswith("--") and word.partition("=")[0] not in known[program]
    ]
    assert unknown == []


def test_the_steps_that_are_shown_are_steps() -> None:
    lines = [line.strip() for line in code_lines(REPOSITORY / "docs/steps.md")]
    shown = yaml.safe_load("\n".join(line for line in lines if line.startswith("- {step: ")))
    words = {step.step for step in STEPS.validate_python(shown)}
    assert {"fill", "scale", "one_hot", "function"} <= words


@pytest.mark.parametrize("page", _ALL_FLAGS)
def test_a_page_about_a_program_names_all_of_its_flags(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told = set(re.findall(r"--\w+", (REPOSITORY / page).read_text()))
    flags = flags_of(_ALL_FLAGS[page], capsys)
    assert len(flags) > 5
    assert flags - _EVERYWHERE <= told


def read_jobs_of_scoring() -> list[Any]:
    """Return the short job of the page about scoring, and the one with all fields, as YAML has them."""
    page = (REPOSITORY / "docs/score.md").read_text()
    jobs = [block for block in _BLOCK.findall(page) if block.startswith("    name: ")]
    return [yaml.safe_load(job) for job in jobs]


def test_every_field_of_a_job_is_told() -> None:
    short, shown = read_jobs_of_scoring()
    left_out = {
        field
        for section, fields in ScoringJob.model_validate(short).model_dump().items()
        if isinstance(fields, dict)
        for field in fields.keys() - shown[section].keys()
    }
    assert left_out == set().union(*_ON_OTHER_PAGES.values())
    for page, fields in _ON_OTHER_PAGES.items():
        assert fields <= set(re.findall(r"\w+", (REPOSITORY / page).read_text()))


def test_the_fields_are_shown_as_they_are_where_a_job_does_not_say_them() -> None:
    """But for the columns of the sample's output."""
    short, shown = map(ScoringJob.model_validate, read_jobs_of_scoring())
    keep = shown.postprocess.keep
    postprocess = short.postprocess.model_copy(update={"keep": keep})
    assert keep is not None
    assert short.model_copy(update={"postprocess": postprocess}) == shown


def test_what_the_page_about_the_code_names_is_there() -> None:
    """`name` in [file](../path): the file holds that name."""
    text = (REPOSITORY / "docs/code.md").read_text()
    named = re.findall(r"`(\w+)`,?\s+in\s+\[[^]]+\]\(\.\./([^)]+\.py)\)", text)
    missing = [
        (name, path)
        for name, path in named
        if not re.search(rf"\b{name}\b", (REPOSITORY / path).read_text())
    ]
    assert len(named) > 15
    assert missing == []


def test_every_command_stands_in_a_block_of_code() -> None:
    loose = [
        f"{page.relative_to(REPOSITORY)}: {line}"
        for page in PAGES
        for line in page.read_text().splitlines()
        if line.startswith(("python -m", "make ", "duckdb -c"))
    ]
    assert loose == []


@pytest.mark.program
@pytest.mark.slow
@pytest.mark.parametrize("page", ["README", "docs/score", "docs/tune", "docs/runners", "docs/object_stores",
                                  "docs/every_night"])  # fmt: skip
def test_what_a_page_shows_works_as_it_is_written(
    page: str, programs: Programs, tmp_path: Path
) -> None:
    """Its commands of ours, and its queries of what they left, in their order, where only the samples and their jobs are."""
    for folder in ("configs", "samples"):
        shutil.copytree(REPOSITORY / folder, tmp_path / folder)
    ours = list(commands(REPOSITORY / f"{page}.md"))
    shown = [(program, words) for program, words in ours if not _is_of_the_user(" ".join(words))]
    for program, words in shown:
        # Nothing is rejected in the samples, so there is no folder of rejected rows, nor a file.
        if "--rejected" in words:
            continue
        sooner = [flag for word in (program, *words) for flag in _SOONER.get(word, ())]
        run = programs.run(program, *words, *sooner, cwd=tmp_path)
        assert run.returncode == 0, (program, words, run.stderr)
    queries = [found[1] for line in code_lines(REPOSITORY / f"{page}.md") if (found := _QUERY.search(line))]  # fmt: skip
    # What `scored=$(python -m pipelines.path ...)` stands for.
    scored = f"{tmp_path}/scores/breast_cancer/current"
    for query in queries:
        if not _is_of_the_user(query) and "$rejected" not in query:
            assert duckdb.sql(query.replace("$scored", scored)).fetchall()
    assert shown


def _is_of_the_user(text: str) -> bool:
    return any(word in text for word in _OF_THE_USER)


def test_the_readme_is_a_front_door() -> None:
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    assert len(lines) <= 90
