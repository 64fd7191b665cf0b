"""Finds the token that a server asks for, on the machine that shows it."""

import os
from pathlib import Path
import re

from configs.errors import JobError
from model_zoo.remote.target import TokenSource

# What a header may hold of a token (RFC 6750); anything else could end the header and begin another.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=:-]+")


def read_token(source: TokenSource | None) -> str | None:
    """Return the token as it is now; None for a server that asks for none.

    A file is read anew each time, as whoever gives tokens out replaces it before one runs out.

    Raises:
        JobError: there is no token in that place, or it is none; the message never holds it.
    """
    if source is None:
        return None
    if source.variable is not None:
        place = f"environment variable {source.variable}"
        text = os.environ.get(source.variable, "")
    else:
        place = f"file {source.file}"
        text = _read_file(str(source.file))
    token = text.strip()
    if not token:
        raise JobError(f"the {place}, which is to hold the server's token, is empty or not there")
    if _TOKEN.fullmatch(token) is None:
        raise JobError(f"the {place} holds no token: there are characters that no header may have")
    return token


def _read_file(path: str) -> str:
    try:
        return Path(path).read_text()
    # A file of other bytes is no text.
    except (OSError, UnicodeDecodeError):
        return ""
