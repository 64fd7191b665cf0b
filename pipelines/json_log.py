"""A line of log as one JSON object, for those who ship logs to a place that can search them, and secrets kept out of any line."""

from datetime import UTC, datetime
import json
import logging
import os
import re
import traceback
from typing import Any

# A secret may hold a slash, so what follows a colon runs to the last @ of the word; a user name alone ends at the first.
_USER_INFO = re.compile(r"(\w://)(?:[^\s/@:'\"]*:[^\s'\"]*|[^\s/@'\"]*)@")
# A question mark alone is a glob; with an equals sign after it, a signature, a token or an account key.
_QUERY = re.compile(r"(\w://[^\s?'\"]*\?)[^\s'\"]*=[^\s'\"]*")
_KIND = r"secret|passw(?:or)?d|token|signature|api_?key|account_?key|access_?key|private_?key|connection_?string"
# As clients write them into their messages: `AccountKey=...;`, `"access_token": "..."`, `Authorization: Bearer ...`.
_ASSIGNED = re.compile(rf"""((?:{_KIND})[\w.-]*(?:['"]?\s?=|['"]\s?:)\s?['"]?)(?!\*\*\*)[^\s'",;&]+""", re.IGNORECASE)
_BEARER = re.compile(r"\b(bearer|authorization:? basic) [\w.~+/=-]{8,}", re.IGNORECASE)
_SECRET_VARIABLE = re.compile(_KIND, re.IGNORECASE)
_SHORTEST_SECRET = 8


def redacted(text: str) -> str:
    """The text with secrets blotted out: the user part and the query of every URL, what follows the name of a secret, and values of
    environment variables that have such a name.

    >>> redacted("s3://key:secret@bucket/a.parquet: gone; https://host/b?sig=abc is not")
    's3://***@bucket/a.parquet: gone; https://host/b?*** is not'
    >>> redacted("refused: AccountKey=abc+/=; Authorization: Bearer ya29.abcdefgh")
    'refused: AccountKey=***; Authorization: Bearer ***'
    """
    for secret in _secrets_of_environment():
        text = text.replace(secret, "***")
    text = _QUERY.sub(r"\1***", _USER_INFO.sub(r"\1***@", text))
    return _BEARER.sub(r"\1 ***", _ASSIGNED.sub(r"\1***", text))


def _secrets_of_environment() -> list[str]:
    """What no line may hold, the longest first; a private key counts line by line, too."""
    values = [value for name, value in os.environ.items() if _SECRET_VARIABLE.search(name)]
    pieces = {piece for value in values for piece in (value, *value.splitlines()) if len(piece) >= _SHORTEST_SECRET}
    return sorted(pieces, key=len, reverse=True)


def json_line(level: str, event: str, message: str, **fields: Any) -> str:
    """One line: time (UTC), level, event, message, then the fields that are known; no URL in it says a secret."""
    known = {name: value for name, value in fields.items() if value is not None}
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    line = {"time": now, "level": level, "event": event, "message": message, **known}
    return json.dumps(_redacted_strings(line), default=str)


class TextFormatter(logging.Formatter):
    """What libraries log with --debug, as they word it but without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """The record, with its traceback if it has one."""
        return redacted(super().format(record))


class JsonFormatter(logging.Formatter):
    """What libraries log, in the same shape; `logger` names the library."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else None
        return json_line(record.levelname.lower(), "log", record.getMessage(), logger=record.name, traceback=trace)


def _redacted_strings(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {name: _redacted_strings(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted_strings(item) for item in value]
    return value
