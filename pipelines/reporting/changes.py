"""What is another than it was in the run before: inputs, model, settings, libraries, columns."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from pipelines.cli.log_format import redacted
from pipelines.reporting.books import describe_computing, describe_model
from pipelines.reporting.document import Change, Changes

Manifest: TypeAlias = Mapping[str, Any]
Words: TypeAlias = Mapping[str, str]

# Longer settings, as lists of steps, are cut.
_MOST_CHARACTERS = 200


def find_changes(then: Manifest | None, now: Manifest) -> Changes:
    """Return what changed since another run.

    Args:
        then: that run's manifest; None where there is no such run.
        now: this run's.
    """
    if then is None:
        return Changes(None, None, ())
    changes = [
        *_compare_inputs(then, now),
        *_compare("model", describe_model(then), describe_model(now)),
        *_compare("settings", _flatten(then["job"]), _flatten(now["job"])),
        *_compare("computing", describe_computing(then), describe_computing(now)),
        *_compare("libraries", then.get("libraries", {}), now.get("libraries", {})),
        *_compare("columns", _list_types(then), _list_types(now)),
    ]
    return Changes(
        since=then["run_id"],
        published_at=then["published_at"],
        changes=tuple(changes),
    )


def _compare(about: str, then: Words, now: Words) -> Iterator[Change]:
    """Yield what differs by its name, in the order of the names of now."""
    names = dict.fromkeys([*now, *then])
    for name in names:
        before = then.get(name, "")
        after = now.get(name, "")
        if before == after:
            continue
        yield Change(
            about=about,
            name=name,
            before=_shorten(before),
            now=_shorten(after),
        )


def _compare_inputs(then: Manifest, now: Manifest) -> Iterator[Change]:
    """Yield counts: a night has other files as a rule, which nobody reads one by one."""
    before = _list_versions(then)
    after = _list_versions(now)
    new = after.keys() - before.keys()
    gone = before.keys() - after.keys()
    both = before.keys() & after.keys()
    changed = [url for url in both if before[url] != after[url]]
    counts_then = {
        "rows": then["rows"]["in"],
        "files": len(before),
    }
    counts = {
        "rows": now["rows"]["in"],
        "files": len(after),
        "new files": len(new),
        "files that are gone": len(gone),
        "files that changed": len(changed),
    }
    for name, count in counts.items():
        count_then = counts_then.get(name, 0)
        if count == count_then:
            continue
        shown_then = f"{count_then:,}" if name in counts_then else ""
        yield Change("inputs", name, shown_then, f"{count:,}")


def _list_versions(manifest: Manifest) -> Words:
    return {entry["url"]: entry["version"] for entry in manifest["inputs"]}


def _flatten(
    settings: Mapping[str, Any],
    above: str = "",
) -> dict[str, str]:
    """Return settings by their whole names, as texts.

    >>> _flatten({"sink": {"format": "csv"}, "name": "a"})
    {'sink.format': 'csv', 'name': 'a'}
    """
    words: dict[str, str] = {}
    for name, value in settings.items():
        whole_name = f"{above}{name}"
        if isinstance(value, Mapping) and value:
            words |= _flatten(value, f"{whole_name}.")
            continue
        words[whole_name] = redacted(str(value))
    return words


def _list_types(manifest: Manifest) -> Words:
    columns = manifest.get("schema", ())
    return {column["name"]: column["type"] for column in columns}


def _shorten(text: str) -> str:
    if len(text) <= _MOST_CHARACTERS:
        return text
    # One character less, for the ellipsis.
    beginning = text[: _MOST_CHARACTERS - 1]
    return f"{beginning}…"
