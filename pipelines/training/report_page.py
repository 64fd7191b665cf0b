"""The report's page: sections of words, tables and pictures in, HTML out.

jinja2, which torch needs itself, escapes whatever it is given, but for pictures that are SVG already.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from configs.fields import Names

# Whatever has a text.
Cell: TypeAlias = str | int | float
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
class Source:
    """Text that is shown as it is written.

    Attributes:
        folded: shown only to who opens it.
    """

    caption: str
    text: str
    folded: bool = True
    kind: str = "source"


Part: TypeAlias = Table | Shaded | Picture | Source


@dataclass(frozen=True)
class Section:
    """A part of the page under a title of its own."""

    title: str
    words: Names
    parts: tuple[Part, ...]


def render_page(title: str, words: Sequence[str], sections: Sequence[Section]) -> str:
    """Return the page.

    Args:
        title: of the page.
        words: sentences below it.
        sections: in their order.
    """
    # A tenth of a second, and only a report needs it.
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        lstrip_blocks=True,
        trim_blocks=True,
        undefined=StrictUndefined,
    )
    template = environment.from_string(_PAGE)
    return template.render(title=title, words=words, sections=sections)


# The policy forbids the page to load or run anything, whatever a name may hold.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0.2rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: 0.5rem 0 1rem; }
caption, figcaption, summary { text-align: left; color: #555; padding: 0.2rem 0; }
summary { cursor: pointer; }
th, td { text-align: left; padding: 0.15rem 0.9rem 0.15rem 0; border-bottom: 1px solid #eee; vertical-align: top; overflow-wrap: anywhere; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
table.shaded td { min-width: 2.6rem; padding: 0.2rem 0.4rem; text-align: right; border: 1px solid #fff; }
table.shaded th { padding-right: 0.6rem; }
td.dark { color: #fff; }
.wide { overflow-x: auto; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; max-width: 100%; }
svg { max-width: 100%; height: auto; }
pre { background: #f6f6f6; padding: 0.8rem; overflow-x: auto; font-size: 13px; line-height: 1.4; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for sentence in words %}
<p>{{ sentence }}</p>
{% endfor %}
{% for section in sections %}
<section>
<h2>{{ section.title }}</h2>
{% for sentence in section.words %}
<p>{{ sentence }}</p>
{% endfor %}
{% set pictures = section.parts | selectattr("kind", "equalto", "picture") | list %}
{% if pictures %}
<div class="pictures">
{% for part in pictures %}
<figure>
<figcaption>{{ part.caption }}</figcaption>
{{ part.svg | safe }}
</figure>
{% endfor %}
</div>
{% endif %}
{% for part in section.parts if part.kind != "picture" %}
{% if part.kind == "table" %}
{% if part.folded %}
<details><summary>{{ part.caption }}</summary>
{% endif %}
<div class="wide"><table>
{% if not part.folded %}
<caption>{{ part.caption }}</caption>
{% endif %}
{% if part.head %}
<tr>{% for name in part.head %}<th{% if part.of_numbers and not loop.first %} class="number"{% endif %}>{{ name }}</th>{% endfor %}</tr>
{% endif %}
{% for row in part.rows %}
<tr>{% for cell in row %}<td{% if part.of_numbers and not loop.first %} class="number"{% endif %}>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% if part.folded %}
</details>
{% endif %}
{% elif part.kind == "shaded" %}
<div class="wide"><table class="shaded">
<caption>{{ part.caption }}</caption>
<tr><th>{{ part.corner }}</th>{% for name in part.names %}<th class="number">{{ name }}</th>{% endfor %}</tr>
{% for name in part.names %}
{% set place = loop.index0 %}
<tr><th>{{ name }}</th>{% for count in part.counts[place] %}{% set shade = part.shades[place][loop.index0] %}<td{% if shade > 0.6 %} class="dark"{% endif %} style="background: rgba(0, 114, 178, {{ "%.2f" | format(shade) }})">{{ count }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% else %}
<details{% if not part.folded %} open{% endif %}><summary>{{ part.caption }}</summary>
<pre>{{ part.text }}</pre>
</details>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</body>
</html>
"""
