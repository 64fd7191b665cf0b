"""docs/remote.md: its files and commands, as they are written, against a server of its own."""

import os
from pathlib import Path
import re
import shlex

import pytest

from tests.remote.environments import MLSERVER, server_python
from tests.remote.servers import RealServer, running
from tests.support.ports import free_port
from tests.support.programs import Programs
from tests.support.repository import REPOSITORY

PAGE = (REPOSITORY / "docs/remote.md").read_text()
# "`name.py`, what it is:" and then a block of code.
_FILE = re.compile(r"`([\w.-]+\.(?:py|json|yaml))`[^\n]*:\n\n((?:    [^\n]*\n|\n)+)")
_COMMAND = re.compile(r"^    python ([^\n]+)$", re.MULTILINE)
# Those of the page, which may be taken here.
_HTTP, _GRPC = "8080", "8081"
# The first section: commands of the others are benchmarks.
_EXAMPLE = PAGE.split("\n## ")[1]


@pytest.mark.program
@pytest.mark.slow
def test_the_page_works_as_it_is_written(programs: Programs, tmp_path: Path) -> None:
    ports = {_HTTP: free_port(), _GRPC: free_port()}

    def with_ports(text: str) -> str:
        for written, free in ports.items():
            text = text.replace(written, str(free))
        return text

    for name, block in _FILE.findall(_EXAMPLE):
        lines = [line.removeprefix("    ") for line in with_ports(block).splitlines()]
        (tmp_path / name).write_text("\n".join(lines).strip() + "\n")
    server = RealServer(
        ports[_HTTP],
        ports[_GRPC],
        [str(server_python(MLSERVER)), "-m", "mlserver.cli.main", "start", str(tmp_path)],
        {"PYTHONPATH": str(tmp_path)},
        "/v2/health/ready",
        tmp_path / "log",
    )
    with running(server):
        for command in _COMMAND.findall(_EXAMPLE):
            words = shlex.split(with_ports(command))
            module, *rest = (
                words[1:] if words[0] == "-m" else (words[0].removesuffix(".py"), *words[1:])
            )
            run = programs.run(
                module, *rest, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(tmp_path)}
            )
            assert run.returncode == 0, (command, run.stderr)
