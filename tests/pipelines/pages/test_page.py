"""The page of a report: what is open at first sight, what is folded, and on which side numbers stand."""

from html.parser import HTMLParser

import pytest

from pipelines.pages.page import (
    Part,
    Picture,
    Section,
    Shaded,
    Source,
    Table,
    render_page,
)

ROWS = [("a", 1), ("b", 2)]


class Tags(HTMLParser):
    """Tags of a page, each with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def of(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag in names]


def render(*parts: Part) -> str:
    section = Section("A section", ("Some words.",), parts)
    return render_page("A page", ["What it is of."], [section])


@pytest.mark.parametrize(
    ("part", "is_open"),
    [
        (Source("The job", "name: a"), False),
        (Source("The job", "name: a", folded=True), False),
        (Source("The job", "name: a", folded=False), True),
    ],
)
def test_a_text_is_folded_unless_it_says_otherwise(part: Source, is_open: bool) -> None:
    (details,) = Tags(render(part)).of("details")
    assert ("open" in details) is is_open


@pytest.mark.parametrize(
    ("part", "is_folded"),
    [
        (Table("Figures", ("name", "value"), ROWS), False),
        (Table("Figures", ("name", "value"), ROWS, folded=False), False),
        (Table("Figures", ("name", "value"), ROWS, folded=True), True),
    ],
)
def test_a_table_is_in_sight_unless_it_says_otherwise(part: Table, is_folded: bool) -> None:
    tags = Tags(render(part))
    # It has its name once: above it, or where it is opened.
    assert len(tags.of("details")) == len(tags.of("summary")) == int(is_folded)
    assert len(tags.of("caption")) == int(not is_folded)


@pytest.mark.parametrize(
    ("part", "classes"),
    [
        (Table("Figures", ("name", "value"), ROWS), [None, "number"] * 3),
        (Table("Figures", ("name", "value"), ROWS, of_numbers=False), [None] * 6),
        (Table("Figures", (), ROWS), [None, "number"] * 2),
    ],
)
def test_numbers_stand_to_the_right_and_names_to_the_left(
    part: Table, classes: list[str | None]
) -> None:
    cells = Tags(render(part)).of("th", "td")
    assert [cell.get("class") for cell in cells] == classes


def test_counts_on_a_dark_ground_are_white() -> None:
    shades = [[0.6, 0.61], [0.0, 1.0]]
    part = Shaded("Who is taken for whom", "truth", ("a", "b"), [[3, 5], [0, 7]], shades)
    cells = Tags(render(part)).of("td")
    assert [cell.get("class") for cell in cells] == [None, "dark", None, "dark"]
    grounds = [str(cell["style"]).rpartition(" ")[2] for cell in cells]
    assert grounds == ["0.60)", "0.61)", "0.00)", "1.00)"]


def test_pictures_are_as_they_are_and_all_else_is_text() -> None:
    drawn = "<svg><rect/></svg>"
    text = render(Picture("<b>", drawn), Source("<i>", "<script>"), Table("<u>", ("<s>",), ROWS))
    tags = Tags(text)
    assert drawn in text
    assert not tags.of("b", "i", "u", "s", "script")
    # Beside each other, before what is read.
    assert text.index(drawn) < text.index("&lt;script&gt;")
