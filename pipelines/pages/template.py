"""The template of all pages, and how they look: light and dark, on a phone, and on paper.

Pictures take their colours from here, too: see `drawing`.
"""

# Text on its ground has a contrast of 4.5 and more, in both sets; tests count it.
_LIGHT = """\
--ink: #1c1c1e; --paper: #ffffff; --soft: #55585e; --line: #d9dbe0; --ground: #f4f5f7;
--first: #0072b2; --second: #b34700; --third: #007a5a; --beside: #6b6f76; --filled: #c3c8d0;
--good: #0a6640; --care: #7a4f00; --bad: #b3261e; --note: #44546a; --link: #005a9c;"""
_DARK = """\
--ink: #e7e8ea; --paper: #17191d; --soft: #aeb2ba; --line: #3a3e46; --ground: #22252b;
--first: #5cb8ee; --second: #f2a25c; --third: #4fcf9f; --beside: #9aa0aa; --filled: #555c68;
--good: #63d49b; --care: #f0c24f; --bad: #ff8f85; --note: #b4c4dc; --link: #7cc4ff;"""

_STYLE = f"""\
:root {{ color-scheme: light; {_LIGHT} }}
@media screen and (prefers-color-scheme: dark) {{ :root {{ color-scheme: dark; {_DARK} }} }}
* {{ box-sizing: border-box; }}
body {{ font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem; margin: 0 auto; padding: 1.2rem 1rem 3rem; overflow-wrap: anywhere; }}
a {{ color: var(--link); }}
h1 {{ font-size: 1.5rem; line-height: 1.25; margin: 0 0 0.3rem; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 0.6rem; padding-bottom: 0.2rem; border-bottom: 1px solid var(--line); }}
h3 {{ font-size: 1rem; margin: 0; display: flex; justify-content: space-between; align-items: baseline; gap: 0.6rem; }}
p {{ margin: 0.4rem 0; max-width: 50rem; }}
table {{ border-collapse: collapse; margin: 0.5rem 0 1rem; }}
caption, figcaption, summary {{ text-align: left; color: var(--soft); padding: 0.2rem 0; }}
summary {{ cursor: pointer; }}
th, td {{ text-align: left; padding: 0.2rem 0.9rem 0.2rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: normal; min-width: 3rem; }}
tbody th {{ font-weight: normal; overflow-wrap: break-word; min-width: 8.5rem; }}
table.pairs td {{ overflow-wrap: anywhere; }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
td.number {{ white-space: nowrap; }}
table.shaded td {{ min-width: 2.6rem; padding: 0.2rem 0.4rem; text-align: right; border: 1px solid var(--paper); }}
table.shaded th {{ padding-right: 0.6rem; }}
table.shaded tr {{ color: #1c1c1e; background-color: #ffffff; }}
table.shaded td.dark {{ color: #ffffff; }}
.wide {{ overflow-x: auto; }}
.wide:focus-visible, a:focus-visible, summary:focus-visible {{ outline: 2px solid var(--link); outline-offset: 2px; }}
.pictures {{ display: flex; flex-wrap: wrap; gap: 1.5rem; }}
.cards {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(16rem, 100%), 1fr)); gap: 0.8rem; margin: 0.8rem 0; }}
.card {{ border: 1px solid var(--line); border-radius: 0.4rem; padding: 0.6rem 0.8rem; break-inside: avoid; }}
.card p {{ font-size: 0.9rem; margin: 0.2rem 0; }}
.card svg {{ width: 100%; margin-top: 0.4rem; }}
figure {{ margin: 0; max-width: 100%; }}
svg {{ max-width: 100%; height: auto; }}
pre {{ background: var(--ground); padding: 0.8rem; overflow-x: auto; font-size: 13px; line-height: 1.4; overflow-wrap: normal; }}
nav ul {{ display: flex; flex-wrap: wrap; gap: 0.3rem 1rem; list-style: none; padding: 0; margin: 0.8rem 0 0; }}
.mark {{ font-weight: 600; white-space: nowrap; border: 1px solid currentColor; border-radius: 0.3rem; padding: 0 0.4rem; font-size: 0.85em; }}
.good {{ color: var(--good); }} .care {{ color: var(--care); }} .bad {{ color: var(--bad); }} .note {{ color: var(--note); }}
.answer {{ background: var(--ground); border-left: 0.4rem solid currentColor; border-radius: 0.3rem; padding: 0.8rem 1rem; margin: 1rem 0; }}
.answer p, .answer li, .answer h2 {{ color: var(--ink); }}
.answer h2 {{ font-size: 0.95rem; font-weight: 600; border: 0; margin: 0; padding: 0; }}
.answer .said {{ font-size: 1.15rem; }}
.answer ul {{ margin: 0.4rem 0 0; padding-left: 1.2rem; }}
@media print {{
body {{ font-size: 10pt; max-width: none; padding: 0; }}
nav {{ display: none; }}
.wide, pre {{ overflow: visible; }}
pre {{ white-space: pre-wrap; }}
h2, h3, caption, summary {{ break-after: avoid; }}
tr, figure, .answer {{ break-inside: avoid; }}
::details-content {{ content-visibility: visible; display: block; }}
}}"""

# The policy forbids the page to load or run anything, whatever a name may hold.
_HEAD = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{{{ title }}}}</title>
<style>
{_STYLE}
</style>
</head>
"""

_BODY = """\
{% macro show_cell(cell) %}
{% if cell.kind is defined %}{{ show_mark(cell) }}{% else %}{{ cell }}{% endif %}
{% endmacro %}
{% macro show_mark(mark) %}<span class="mark {{ mark.level }}">{{ mark.text }}</span>{% endmacro %}
{% macro show_table(part) %}
<div class="wide" tabindex="0" role="region" aria-label="{{ part.caption or 'figures' }}"><table{% if not part.head %} class="pairs"{% endif %}>
{% if part.caption and not part.folded %}
<caption>{{ part.caption }}</caption>
{% endif %}
{% if part.head %}
<thead>
<tr>{% for name in part.head %}<th scope="col"{% if part.of_numbers and not loop.first %} class="number"{% endif %}>{{ name }}</th>{% endfor %}</tr>
</thead>
{% endif %}
<tbody>
{% for row in part.rows %}
<tr>{% for cell in row %}{% if loop.first and not loop.last %}<th scope="row">{{ show_cell(cell) | trim }}</th>{% else %}<td{% if part.of_numbers and not loop.first %} class="number"{% endif %}>{{ show_cell(cell) | trim }}</td>{% endif %}{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% endmacro %}
<body>
<main>
<h1>{{ title }}</h1>
{% if answer %}
<div class="answer {{ answer.mark.level }}">
<h2>{{ answer.question }}</h2>
<p class="said">{{ show_mark(answer.mark) }} {{ answer.sentence }}</p>
{% if answer.why %}
<ul>
{% for sentence in answer.why %}
<li>{{ sentence }}</li>
{% endfor %}
</ul>
{% endif %}
</div>
{% endif %}
{% for sentence in words %}
<p>{{ sentence }}</p>
{% endfor %}
{% if with_contents %}
<nav aria-label="Sections"><ul>
{% for section in sections %}
<li><a href="#section-{{ loop.index }}">{{ section.title }}</a></li>
{% endfor %}
</ul></nav>
{% endif %}
{% for section in sections %}
<section id="section-{{ loop.index }}">
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
{% set cards = section.parts | selectattr("kind", "equalto", "card") | list %}
{% if cards %}
<div class="cards">
{% for part in cards %}
<div class="card">
<h3><span>{{ part.title }}</span>{% if part.mark %}{{ show_mark(part.mark) }}{% endif %}</h3>
{% for sentence in part.words %}
<p>{{ sentence }}</p>
{% endfor %}
{% if part.svg %}
{{ part.svg | safe }}
{% endif %}
</div>
{% endfor %}
</div>
{% endif %}
{% for part in section.parts if part.kind not in ("picture", "card") %}
{% if part.kind == "table" and part.folded %}
<details><summary>{{ part.caption }}</summary>
{{ show_table(part) }}</details>
{% elif part.kind == "table" %}
{{ show_table(part) }}
{%- elif part.kind == "shaded" %}
<div class="wide" tabindex="0" role="region" aria-label="{{ part.caption }}"><table class="shaded">
<caption>{{ part.caption }}</caption>
<tr><th scope="col">{{ part.corner }}</th>{% for name in part.names %}<th scope="col" class="number">{{ name }}</th>{% endfor %}</tr>
{% for name in part.names %}
{% set place = loop.index0 %}
<tr><th scope="row">{{ name }}</th>{% for count in part.counts[place] %}{% set shade = part.shades[place][loop.index0] %}<td{% if shade > 0.6 %} class="dark"{% endif %} style="background: rgba(0, 114, 178, {{ "%.2f" | format(shade) }})">{{ count }}</td>{% endfor %}</tr>
{% endfor %}
</table></div>
{% else %}
<details{% if not part.folded %} open{% endif %}><summary>{{ part.caption }}</summary>
<pre tabindex="0">{{ part.text }}</pre>
</details>
{% endif %}
{% endfor %}
</section>
{% endfor %}
</main>
</body>
</html>
"""
PAGE = _HEAD + _BODY
