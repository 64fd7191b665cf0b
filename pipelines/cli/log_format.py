"""A line of log as one JSON object, and secrets kept out of any line.

JSON is for those who ship logs to a place that can search them.
"""

from datetime import UTC, datetime
from functools import lru_cache
import json
import logging
import os
import re
import traceback
from typing import Any

from pipelines.cli.terminal import make_unicode

# A secret may hold a slash, so what follows a colon runs to the last @ of the word; a user name
# alone ends at the first.
_USER_INFO = re.compile(r"(\w://)(?:[^\s/@:'\"]*:[^\s'\"]*|[^\s/@'\"]*)@")
# A question mark alone is a glob; with an equals sign after it, a signature, a token or an account
# key.
_QUERY = re.compile(r"(\w://[^\s?'\"]*\?)[^\s'\"]*=[^\s'\"]*")
_KINDS = (
    "secret",
    "passw(?:or)?d",
    "token",
    "signature",
    "api_?key",
    "account_?key",
    "access_?key",
    "private_?key",
    "connection_?string",
)
_KIND = "|".join(_KINDS)
# As clients write them into their messages: `AccountKey=...;`, `"access_token": "..."`.
_ASSIGNED = re.compile(
    rf"""((?:{_KIND})[\w.-]*(?:['"]?\s?=|['"]\s?:)\s?['"]?)(?!\*\*\*)[^\s'",;&]+""",
    re.IGNORECASE,
)
# `Authorization: Bearer ...`.
_BEARER = re.compile(r"\b(bearer|authorization:? basic) [\w.~+/=-]{8,}", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(_KIND, re.IGNORECASE)
# A variable that names a place holds no secret, and a tokenizer is none: with a folder of models in
# TOKENIZER_DIR, every path in it would be blotted out. But some put the secret itself there.
_PLACE_VARIABLE = re.compile(r"_(?:file|path|dir|home)$", re.IGNORECASE)
_PLACE = re.compile(r"[/~.]|\w+://")
_TOKENIZER = re.compile(r"tokeni[sz]er", re.IGNORECASE)
# A shorter value of a variable would be found in words that have nothing to do with it.
_SHORTEST_SECRET = 8
_BLOT = "***"


def redacted(text: str) -> str:
    """Return the text with secrets blotted out.

    Those are the user part and the query of every URL, what follows the name of a secret, and
    values of environment variables that have such a name.

    >>> redacted("s3://key:secret@bucket/a.parquet: gone; https://host/b?sig=abc is not")
    's3://***@bucket/a.parquet: gone; https://host/b?*** is not'
    >>> redacted("refused: AccountKey=abc+/=; Authorization: Bearer ya29.abcdefgh")
    'refused: AccountKey=***; Authorization: Bearer ***'
    """
    for secret in _list_secrets_of_environment():
        text = text.replace(secret, _BLOT)
    text = _USER_INFO.sub(rf"\1{_BLOT}@", text)
    text = _QUERY.sub(rf"\1{_BLOT}", text)
    text = _ASSIGNED.sub(rf"\1{_BLOT}", text)
    return _BEARER.sub(rf"\1 {_BLOT}", text)


def json_line(level: str, event: str, message: str, **fields: Any) -> str:
    """Return one line: time (UTC), level, event, message, then the fields that are known.

    No URL in it says a secret.

    Args:
        level: `info`, `warning` or `error`.
        event: what happened, in a word that a machine looks for.
        message: the same for people.
        fields: None where not known.
    """
    now = datetime.now(UTC)
    time = now.isoformat(timespec="milliseconds")
    line: dict[str, Any] = {
        # The ending that every reader of ISO 8601 knows; Python's own is rarer.
        "time": time.replace("+00:00", "Z"),
        "level": level,
        "event": event,
        "message": message,
    }
    known = {name: value for name, value in fields.items() if value is not None}
    line |= known
    redacted_line = _redact_strings(line)
    return json.dumps(redacted_line, default=str)


class TextFormatter(logging.Formatter):
    """What libraries log with --debug, as they word it but without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record, with its traceback if it has one."""
        text = super().format(record)
        return redacted(text)


class JsonFormatter(logging.Formatter):
    """What libraries log, in the same shape; `logger` names the library."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line."""
        trace = None
        if record.exc_info:
            lines = traceback.format_exception(*record.exc_info)
            trace = "".join(lines)
        level = record.levelname.lower()
        message = record.getMessage()
        return json_line(level, "log", message, logger=record.name, traceback=trace)


def _list_secrets_of_environment() -> list[str]:
    """Return what no line may hold, the longest first."""
    secrets: set[str] = set()
    for name, value in os.environ.items():
        if _is_secret(name, value):
            secrets.add(value)
            # A private key counts line by line, too.
            secrets.update(value.splitlines())
    long_enough = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
    # Else the rest of a long one would stay where a short one is part of it.
    return sorted(long_enough, key=len, reverse=True)


def _is_secret(name: str, value: str) -> bool:
    """Tell whether a variable holds a secret.

    >>> names = ("API_TOKEN", "API_TOKEN_FILE", "TOKENIZER", "TOKENIZER_TOKEN")
    >>> [_is_secret(name, "/run/api") for name in names]
    [True, False, False, True]
    >>> _is_secret("API_TOKEN_FILE", "x7rK")
    True
    """
    if not _names_secret(name):
        return False
    names_place = _PLACE_VARIABLE.search(name) and _PLACE.match(value)
    return not names_place


# A line of log asks for every variable, again and again.
@lru_cache(maxsize=1_000)
def _names_secret(name: str) -> bool:
    words = _TOKENIZER.sub("", name)
    return _SECRET_VARIABLE.search(words) is not None


def _redact_strings(value: Any) -> Any:
    if isinstance(value, str):
        without_secrets = redacted(value)
        return make_unicode(without_secrets)
    if isinstance(value, dict):
        return {name: _redact_strings(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redact_strings(item) for item in value]
    return value
