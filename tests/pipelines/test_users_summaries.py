"""A user's own summary: the example of docs/monitor.md as it stands there, what it may be, and what its failures tell."""

from collections import Counter
from pathlib import Path
import re
from textwrap import dedent
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import verify
from pipelines.cli.command_line import run_program
from tests.support.builders import tiny_package
from tests.support.jobs import Outcome, run_job, small_table, write_job, write_parquet
from tests.support.repository import REPOSITORY

REGIONS = ["north", "south", None, "north"]
_FIRST_CODE = re.compile(r"^    import pyarrow.*?(?=^\S)", re.MULTILINE | re.DOTALL)


def read_example() -> str:
    """The module that the page shows."""
    page = (REPOSITORY / "docs/monitor.md").read_text()
    found = _FIRST_CODE.search(page)
    assert found
    return dedent(found[0])


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(tmp_path / "code")
    package = tiny_package(tmp_path / "model")
    for number in range(3):
        rows = small_table(4, first=4 * number, region=pa.array(REGIONS))
        write_parquet(tmp_path / f"shards/{number}.parquet", rows)
    return write_job(tmp_path, package)


def run(
    job: Path,
    module: str,
    source: str,
    word: str = "RegionTotals",
    more: dict[str, Any] | None = None,
    flags: tuple[str, ...] = (),
) -> Outcome:
    """A run with a summary of a module of this name, which no other test imports."""
    path = job.parent / f"code/{module}.py"
    path.parent.mkdir(exist_ok=True)
    path.write_text(source)
    settings = {
        "source.passthrough": ["region"],
        "monitor.summaries": [f"{module}:{word}"],
        "monitor.modules": [module],
    }
    return run_job(job, *flags, settings={**settings, **(more or {})})


@pytest.mark.beam
def test_the_example_of_the_page_counts_rows(job: Path) -> None:
    outcome = run(job, "region_totals", read_example())
    assert outcome.status == 0, outcome.error
    (path,) = outcome.run.glob("_summaries/region_totals.RegionTotals-*.parquet")
    columns = pq.read_table(path).to_pydict()
    assert dict(zip(columns["region"], columns["rows"], strict=True)) == Counter(3 * REGIONS)
    (entry,) = outcome.manifest["summaries"]
    assert entry["name"] == "region_totals.RegionTotals"
    assert run_program(verify.main, [str(outcome.output)]) == 0


def test_it_stands_beside_the_profile_and_another_version_is_another_run(job: Path) -> None:
    both = {"monitor.summaries": ["profile", "totals_1:RegionTotals"]}
    first = run(job, "totals_1", read_example(), more=both)
    names = [entry["name"] for entry in first.manifest["summaries"]]
    assert names == ["profile", "totals_1.RegionTotals"]
    run_id = first.run.name
    assert run(job, "totals_1", read_example(), more=both).run.name == run_id
    assert run(job, "totals_1", read_example() + "\n", more=both).run.name != run_id


def test_units_are_not_taken_over_from_a_run_of_another_version(job: Path) -> None:
    first = run(job, "totals_3", read_example()).run.name
    flags = ("--reuse_from", first)
    outcome = run(job, "totals_3", read_example() + "\n", flags=flags)
    assert outcome.status == 2
    assert "that run had another summary" in outcome.error


@pytest.mark.parametrize(
    ("word", "change", "words"),
    [
        ("RegionTotals", {"monitor.modules": []}, "monitor.modules does not list"),
        ("pa", {}, "is neither a class nor a function that"),
        # What the module has imported, and an object of a class of its own.
        ("Popen", {}, "is neither a class nor a function that"),
        ("made", {}, "is neither a class nor a function that"),
        ("RegionTotal", {}, "did you mean RegionTotals"),
        ("_Hidden", {}, "is no summary, nor module:callable"),
        ("Nothing", {}, "has no of; it needs of, merge, write, read"),
        ("Fails", {}, "making it fails: ZeroDivisionError in line"),
    ],
)
def test_what_is_no_summary_is_refused(
    job: Path, word: str, change: dict[str, Any], words: str
) -> None:
    source = read_example() + (
        "\nfrom subprocess import Popen\nmade = RegionTotals()"
        "\n\nclass Nothing:\n    pass\n\n\nclass Fails:\n    def __init__(self):\n        1 / 0\n"
    )
    run(job, "totals_2", source, word, change).refused(words, status=2)


@pytest.mark.parametrize(
    "name", ["os:path", "json:JSONDecoder", "pyarrow:Table", "storage.files:join"]
)
def test_modules_that_are_nobodys_own_are_refused(job: Path, name: str) -> None:
    module, _, _ = name.partition(":")
    settings = {"monitor.summaries": [name], "monitor.modules": [module]}
    run_job(job, settings=settings).refused("name one that you wrote", status=2)


@pytest.mark.parametrize("method", ["of", "merge", "write", "read"])
def test_what_a_method_raises_is_told_by_class_and_line(job: Path, method: str) -> None:
    source = re.sub(
        rf"(def {method}\(.*\):\n)", r"\1        raise ValueError('north 4711')\n", read_example()
    )
    outcome = run(job, f"fails_in_{method}", source)
    outcome.refused(
        f"summary fails_in_{method}:RegionTotals: {method} fails: ValueError in line", status=2
    )
    assert "4711" not in outcome.error
