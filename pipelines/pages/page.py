"""A page of a report: sections of words, tables and pictures in, one HTML file out.

jinja2, which torch needs itself, escapes whatever it is given, but for pictures that are SVG already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from configs.fields import Names
from pipelines.pages.template import PAGE

if TYPE_CHECKING:
    from jinja2 import Template

# How a page shows what is told: as it should be, to be looked at, not to be used, or by the way.
Level: TypeAlias = Literal["good", "care", "bad", "note"]


@dataclass(frozen=True)
class Mark:
    """A word that is seen at a glance; its colour says nothing that the word does not."""

    level: Level
    text: str
    kind: str = "mark"


# Whatever has a text.
Cell: TypeAlias = str | int | float | Mark
Rows: TypeAlias = list[tuple[Cell, ...]]


@dataclass(frozen=True)
class Table:
    """Rows of cells below a head.

    Attributes:
        folded: shown only to who opens it.
        of_numbers: whether all columns but the first hold numbers, which stand to the right.
    """

    caption: str
    head: Names
    rows: Sequence[Sequence[Cell]]
    folded: bool = False
    of_numbers: bool = True
    kind: str = "table"


@dataclass(frozen=True)
class Shaded:
    """Counts by two names, the darker the larger their share of the row.

    Attributes:
        corner: what rows and columns are.
        shades: of each count, from 0 to 1.
    """

    caption: str
    corner: str
    names: Names
    counts: Sequence[Sequence[int]]
    shades: Sequence[Sequence[float]]
    kind: str = "shaded"


@dataclass(frozen=True)
class Picture:
    """A picture as SVG."""

    caption: str
    svg: str
    kind: str = "picture"


@dataclass(frozen=True)
class Card:
    """One of several things side by side: its name, what is to say of it, and a small picture.

    Attributes:
        mark: how it is; None where there is nothing to say.
        words: lines below its name.
        svg: the picture; empty where there is none.
    """

    title: str
    mark: Mark | None
    words: Names
    svg: str
    kind: str = "card"


@dataclass(frozen=True)
class Source:
    """Text that is shown as it is written.

    Attributes:
        folded: shown only to who opens it.
    """

    caption: str
    text: str
    folded: bool = True
    kind: str = "source"


Part: TypeAlias = Table | Shaded | Picture | Card | Source


@dataclass(frozen=True)
class Section:
    """A part of the page under a title of its own."""

    title: str
    words: Names
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class Answer:
    """What most readers want to know, before all else.

    Attributes:
        question: what is answered.
        mark: the answer, in a word or two.
        sentence: the answer.
        why: reasons, a sentence each.
    """

    question: str
    mark: Mark
    sentence: str
    why: Names = ()


def render_page(
    title: str,
    words: Sequence[str],
    sections: Sequence[Section],
    answer: Answer | None = None,
    with_contents: bool = False,
) -> str:
    """Return the page.

    Args:
        title: of the page.
        words: sentences below it.
        sections: in their order.
        answer: shown before all else.
        with_contents: whether links to the sections come before them.
    """
    template = _compile_page()
    return template.render(
        title=title,
        words=words,
        sections=sections,
        answer=answer,
        with_contents=with_contents,
    )


@cache
def _compile_page() -> "Template":
    """Return the page's template, which takes longer to compile than most pages to render."""
    # A tenth of a second, and only a report needs it.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        keep_trailing_newline=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    return environment.from_string(PAGE)
