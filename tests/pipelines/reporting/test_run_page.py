"""The page of a run: what it says, what it must not say, and that it needs nothing else."""

from html.parser import HTMLParser
from itertools import pairwise
import json
import re
from typing import Any
from xml.dom import minidom

import pytest

from pipelines.pages.template import PAGE
from pipelines.reporting import run_page
from pipelines.reporting.run_page import render_report
from tests.pipelines.reporting.reports import CITY, report_of
from tests.pipelines.reporting.told import make_finding, make_manifest, make_monitor

MEGABYTE = 1_000_000
# Those that have no end.
EMPTY = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Tags and texts of a page, which must be closed in their order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.fixture(autouse=True)
def _without_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures take most of the time, and most tests are about words."""
    if "drawn" in request.fixturenames and request.getfixturevalue("drawn"):
        return
    monkeypatch.setattr(run_page, "can_draw", lambda: False)


def test_the_page_loads_and_runs_nothing_and_is_the_same_again(drawn: bool) -> None:
    text = render_report(report_of())
    page = Page(text)
    assert not page.of("script", "link", "iframe", "object", "embed", "img", "form")
    links = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in ("src", "href", "xlink:href", "action") or name.startswith("on")
    ]
    assert links
    assert all(str(link).startswith("#") for link in links)
    assert not re.search(r"url\((?!#)", text)
    assert "@import" not in text
    policy = next(attributes for attributes in page.of("meta") if "http-equiv" in attributes)
    assert str(policy["content"]).startswith("default-src 'none'")
    assert bool(page.of("svg")) is drawn
    assert ("matplotlib is not installed" in text) is not drawn
    assert text == render_report(report_of())


def test_every_link_and_name_of_a_part_is_there_once(drawn: bool) -> None:
    page = Page(render_report(report_of()))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {str(link["href"]).removeprefix("#") for link in page.of("a")}
    assert wanted <= set(ids)
    assert len(wanted) == 9


def test_pictures_are_whole_are_read_aloud_and_take_the_pages_colours() -> None:
    pytest.importorskip("matplotlib")
    from pipelines.reporting.plots import draw_distribution, draw_rows

    report = report_of()
    distribution = report.columns[0].distribution
    assert distribution is not None
    for picture in (draw_distribution("a", distribution), draw_rows(report.history)):
        parsed = minidom.parseString(picture).documentElement  # noqa: S318 - our own
        assert parsed.getAttribute("role") == "img"
        assert parsed.getAttribute("aria-label")
        assert "var(--" in picture
        # Named in the style, and so another one on a dark page.
        assert not re.search("#[0-9a-f]{6}", picture)
    assert "in the reference these were 25%" in draw_distribution("a", distribution)


def test_the_first_screen_answers() -> None:
    text = render_report(report_of())
    at = [
        text.index(words) for words in ("May I use these scores?", "With care", "PSI of column_0")
    ]
    assert at == sorted(at)
    assert at[-1] < text.index("<section")


@pytest.mark.parametrize("shows_values", [True, False])
def test_values_of_rows_are_named_where_the_job_says_so(shows_values: bool, drawn: bool) -> None:
    report = report_of(shows_values=shows_values)
    pages = render_report(report) + json.dumps(report.as_dict())
    # A category, and the smallest and largest number.
    assert (CITY in pages) is shows_values
    assert "-3.125" not in pages
    assert "4.625" not in pages
    assert "leaves" in pages


def test_names_are_text() -> None:
    evil = "<script>alert(1)</script>\u202egnp"
    finding = make_finding("warn", evil, f"{evil} drifted")
    job = {**make_manifest()["job"], "name": evil}
    text = render_report(report_of(monitor=make_monitor("warned", finding), job=job))
    assert not Page(text).of("script")
    assert "&lt;script&gt;alert(1)" in text
    assert "\u202e" not in text
    assert "\\u202e" in text


def test_checks_and_broken_shards_are_told() -> None:
    broken = [
        {"url": "in/7.parquet", "stage": "read", "row": 3, "rows": 40, "message": "a bad page"},
        {"url": "in/8.csv", "stage": "plan", "row": 0, "rows": None, "message": "no header"},
    ]
    report = report_of(monitor=None, broken_shards=broken)
    assert report.verdict.use == "with care"
    words = "2 shards are broken, and 40 rows are lost with what was not read, and more"
    assert report.verdict.why[0].startswith(words)
    text = render_report(report)
    for cells in (
        "in/7.parquet</th><td>40</td><td>a bad page",
        "in/8.csv</th><td>nobody knows</td><td>no header",
        'age: max 120</th><td class="number">25</td><td class="number">2.50%</td>',
    ):
        assert cells in text


def test_a_run_without_a_profile_has_a_report() -> None:
    report = report_of(monitor=None)
    plain = type(report)(
        **{**vars(report), "columns": (), "scores": (), "labels": (), "reasons": ()}
    )
    page = Page(render_report(plain))
    words = " ".join(page.texts)
    assert "the job asks for no profile" in words
    assert "No row was rejected." in words
    assert "They balance" in words


@pytest.mark.parametrize("columns", [2_500])
def test_a_page_of_many_columns_is_small(columns: int, drawn: bool) -> None:
    report = report_of(columns=columns, runs=30, reasons=31)
    text = render_report(report)
    assert len(text.encode()) < MEGABYTE
    assert f"{columns + 1 - 1_000:,} more are in what --json prints" in text
    assert len(report.as_dict()["columns"]) == columns + 1


def test_a_table_has_heads_that_are_read_aloud() -> None:
    page = Page(render_report(report_of()))
    assert {head.get("scope") for head in page.of("th")} == {"col", "row"}
    regions = [part for part in page.of("div") if part.get("class") == "wide"]
    assert regions
    assert all(region["role"] == "region" and region["aria-label"] for region in regions)
    headings = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h\d", tag)]
    assert headings[0] == 1
    assert headings.count(1) == 1
    # No level is left out.
    assert all(now <= before + 1 for before, now in pairwise(headings))


def luminance(colour: str) -> float:
    """As WCAG 2 has it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    red, green, blue = linear
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_text_has_contrast_in_both_sets_of_colours() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    sets: list[dict[str, Any]] = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", block))
        for block in re.findall(r"color-scheme: \w+; (--.*?)\}", PAGE, re.DOTALL)
    ]
    assert len(sets) == 2
    for colours in sets:
        for ground in ("paper", "ground"):
            for name in ("ink", "soft", "good", "care", "bad", "note", "link"):
                assert contrast(colours[name], colours[ground]) >= 4.5, (name, ground)
        # What is drawn needs less.
        for name in ("first", "second", "third", "beside"):
            assert contrast(colours[name], colours["paper"]) >= 3, name
