"""The page of a run in a real browser: on a phone, on a tablet and on a desk, light and dark, and on paper."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import score
from pipelines.cli.command_line import run_program
from pipelines.reporting.document import RunReport
from pipelines.reporting.run_page import render_report
from tests.pipelines.reporting.reports import report_of
from tests.support.browser import Browser, find_browser, open_browser
from tests.support.jobs import write_parquet
from tests.support.without_beam import run_without_beam

pytest.importorskip("matplotlib")
pytestmark = [
    pytest.mark.program,
    pytest.mark.slow,
    pytest.mark.skipif(find_browser() is None, reason="Chromium is not installed"),
]

# Each text that is shown, with its colour, and that of the ground that it stands on. A picture's text stands
# on what is behind the picture.
_TEXTS = """
(() => {
  const solid = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    const isDrawn = element instanceof SVGElement;
    found.push([text.slice(0, 40), isDrawn ? style.fill : style.color, solid(element)]);
  }
  return found;
})()
"""
# What reaches beyond the right edge, but for what is in a part that may be moved by itself.
_WIDE = """
[...document.querySelectorAll('body *')]
  .filter((part) => part.checkVisibility() && !part.closest('.wide, pre, svg'))
  .filter((part) => part.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
  .map((part) => part.outerHTML.slice(0, 80))
"""


# What is folded may be too wide, or pale, too.
_UNFOLD = "document.querySelectorAll('details').forEach((part) => { part.open = true; })"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(render_report(make_large_report()))
    return path


@pytest.fixture(scope="module")
def real_pages(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Pages of two nights of the sample, of which the second one drifted."""
    folder = tmp_path_factory.mktemp("nights")
    settings = [
        f"source.paths={folder}/in/*.parquet",
        "monitor.reference=training",
        "monitor.columns={default: {psi: {warn: 0.25}}}",
        "monitor.report=true",
    ]
    flags = [word for setting in settings for word in ("--set", setting)]
    job = ["--config", "configs/breast_cancer.yaml", "--output", f"{folder}/scores", "--quiet"]
    with pytest.MonkeyPatch.context() as patch:
        run_without_beam(patch)
        for factor in (1, 3):
            for shard in Path("samples/breast_cancer/shards").iterdir():
                rows = pq.read_table(shard)
                moved = pa.array(rows["mean area"].to_numpy() * factor)
                place = rows.schema.get_field_index("mean area")
                write_parquet(
                    folder / "in" / shard.name, rows.set_column(place, "mean area", moved)
                )
            assert run_program(score.main, [*job, *flags]) == 0
    pages = sorted(folder.glob("scores/runs/*/report.html"), key=lambda path: path.stat().st_mtime)
    assert len(pages) == 2
    return pages


def make_large_report() -> RunReport:
    """A report of much: long names, many runs, many reasons."""
    long_name = "a_name_without_any_space_that_is_as_long_as_some_names_of_columns_are_in_practice"
    schema = [{"name": long_name, "type": "double"}]
    return report_of(columns=45, runs=29, reasons=31, schema=schema)


def luminance(colour: str) -> float:
    """As WCAG 2 has it, of `rgb(1, 2, 3)`."""
    parts = [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 800, 1280])
def test_nothing_is_cut_off_or_hard_to_read(
    width: int, is_dark: bool, browser: Browser, page: Path, tmp_path: Path
) -> None:
    browser.show(page, width, is_dark)
    browser.run(_UNFOLD)
    assert browser.run("document.documentElement.scrollWidth") <= width
    assert browser.run(_WIDE) == []
    texts: list[Any] = browser.run(_TEXTS)
    assert len(texts) > 200
    pale = [text for text, colour, ground in texts if contrast(colour, ground) < 4.5]
    assert pale == []
    grounds = {ground for _, _, ground in texts}
    assert any(luminance(ground) < 0.1 for ground in grounds) is is_dark
    browser.photograph(tmp_path / f"{width}.png")
    assert (tmp_path / f"{width}.png").stat().st_size > 20_000
    # Neither an error of a script, nor anything that the page's policy refused, nor a request.
    assert browser.complaints == []


def test_real_runs_with_and_without_drift_are_told_apart(
    browser: Browser, real_pages: list[Path]
) -> None:
    answers = []
    for path in real_pages:
        browser.show(path, 360)
        answers.append(browser.run("document.querySelector('.answer .mark').textContent"))
        assert browser.run(_WIDE) == []
        assert path.stat().st_size < 200_000
    assert answers == ["Yes", "With care"]
    # The worst column is the first one, with its mark, and a picture.
    card = "document.querySelector('.card')"
    assert browser.run(f"{card}.querySelector('h3').textContent") == "mean areawarn"
    assert browser.run(f"{card}.querySelector('svg').getBoundingClientRect().width") > 200
    assert browser.complaints == []


def test_the_answer_is_on_the_first_screen_of_a_phone(browser: Browser, page: Path) -> None:
    browser.show(page, 360)
    place = "document.querySelector('.answer').getBoundingClientRect()"
    assert browser.run(f"{place}.top") < 200
    assert browser.run(f"{place}.bottom") < 900


def test_who_has_it_read_aloud_hears_all_of_it(browser: Browser, page: Path) -> None:
    browser.show(page, 800)
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    heard = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes]
    roles = {role for role, _ in heard}
    assert {"main", "navigation", "heading", "table", "columnheader", "rowheader", "image"} <= roles
    assert ("heading", "May I use these scores?") in heard
    # Whatever can be reached, or is a picture, has a name.
    assert [pair for pair in heard if pair[0] in ("image", "link", "region") and not pair[1]] == []


def test_on_paper_all_is_shown_dark_on_white(browser: Browser, page: Path) -> None:
    browser.show(page, 800, is_dark=True, media="print")
    texts: list[Any] = browser.run(_TEXTS)
    assert {ground for _, _, ground in texts if luminance(ground) < 0.8} == set()
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    # What is folded on a screen is open here.
    hidden = (
        "[...document.querySelectorAll('details pre')].filter((part) => !part.offsetHeight).length"
    )
    assert browser.run(hidden) == 0
    content = browser.print_on_paper()
    assert content.startswith(b"%PDF")
