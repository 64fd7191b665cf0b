"""Ports that are handed out stay free until their server listens."""

from pathlib import Path
import socket

import pytest

from tests.support import ports
from tests.support.ports import free_port


def test_nobody_else_is_given_one_by_linux(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "range"
    told.write_text("32768\t60999\n")
    monkeypatch.setattr(ports, "_RANGE", told)
    assert all(20_000 <= free_port() < 32_768 for _ in range(20))


def test_one_that_is_taken_is_not_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    other = free_port()
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        taken = held.getsockname()[1]
        monkeypatch.setattr(ports, "_ports", lambda: iter([taken, other]))
        assert free_port() == other


def test_where_linux_gives_all_of_them_any_will_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told = tmp_path / "range"
    for text in ("1024\t65535\n", None):
        told.unlink(missing_ok=True)
        if text is not None:
            told.write_text(text)
        monkeypatch.setattr(ports, "_RANGE", told)
        assert free_port() > 0
