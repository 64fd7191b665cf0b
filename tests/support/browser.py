"""A real browser without a screen, driven through its own protocol: for tests of pages.

    with open_browser() as browser:
        browser.show(path, width=360, is_dark=True)
        browser.run("document.title")

It is asked as a debugger would, which a page's policy against scripts does not stop: the page is the one that
people get, untouched.
"""

import asyncio
import base64
from collections.abc import Iterator
from contextlib import contextmanager, suppress
import json
from pathlib import Path
import re
import shutil
import subprocess
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--no-first-run",
    "--remote-debugging-port=0",
)
_LISTENING = re.compile(r"DevTools listening on ws://[^:]+:(\d+)/")
_HEIGHT = 900
_LARGEST_ANSWER_BYTES = 64 << 20


def find_browser() -> str | None:
    """Return where Chromium is; None where it is not installed."""
    return next(filter(None, map(shutil.which, _NAMES)), None)


class Browser:
    """One page of a browser.

    Attributes:
        complaints: what the browser had to say about the page, errors of scripts and refused loads among it.
    """

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, loop: Any) -> None:
        self.complaints: list[str] = []
        self._socket = socket
        self._loop = loop
        self._number = 0
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Return the answer to a request of the protocol."""
        return self._loop.run_until_complete(self._ask(method, parameters))

    def show(self, path: Path, width: int, is_dark: bool = False, media: str = "screen") -> None:
        """Open a page, and wait until it is shown."""
        metrics = {"width": width, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": width < 500}
        self.ask("Emulation.setDeviceMetricsOverride", **metrics)
        scheme = "dark" if is_dark else "light"
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.ask("Emulation.setEmulatedMedia", media=media, features=features)
        self._loop.run_until_complete(self._open(path.as_uri()))

    def run(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript, as JSON holds it."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def photograph(self, path: Path) -> None:
        """Write the whole page as PNG."""
        answer = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(answer["data"]))

    def print_on_paper(self) -> bytes:
        """Return the page as PDF."""
        return base64.b64decode(self.ask("Page.printToPDF")["data"])

    async def _ask(self, method: str, parameters: Any) -> Any:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads(await self._socket.receive_str())
            if message.get("id") == self._number:
                assert "error" not in message, message["error"]
                return message["result"]
            self._listen(message)

    async def _open(self, url: str) -> None:
        await self._ask("Page.navigate", {"url": url})
        method = ""
        while method != "Page.loadEventFired":
            message = json.loads(await self._socket.receive_str())
            self._listen(message)
            method = message.get("method")

    def _listen(self, message: Any) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Log.entryAdded":
            self.complaints.append(parameters["entry"]["text"])
        if method in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
            self.complaints.append(json.dumps(parameters)[:500])
        if method == "Network.requestWillBeSent":
            url = parameters["request"]["url"]
            if not url.startswith(("file:", "data:")):
                self.complaints.append(f"asks for {url}")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Start a browser, and end it with the block."""
    binary = find_browser()
    assert binary is not None
    with TemporaryDirectory() as folder:
        flags = [*_FLAGS, f"--user-data-dir={folder}", "about:blank"]
        process = subprocess.Popen([binary, *flags], stderr=subprocess.PIPE, text=True)
        loop = asyncio.new_event_loop()
        try:
            port = _read_port(process)
            session, socket = loop.run_until_complete(_connect(port))
            yield Browser(socket, loop)
            loop.run_until_complete(session.close())
        finally:
            loop.close()
            process.terminate()
            # Reads what it says last, too, and closes what it said it on.
            process.communicate()
            # Its children go on writing there for a moment.
            with suppress(OSError):
                shutil.rmtree(folder, ignore_errors=True)


def _read_port(process: subprocess.Popen[str]) -> int:
    """Return the port that the browser says it listens on; it says little else."""
    assert process.stderr is not None
    for line in process.stderr:
        if found := _LISTENING.search(line):
            return int(found[1])
    raise RuntimeError(f"the browser did not start: exit status {process.wait()}")


async def _connect(port: int) -> tuple[aiohttp.ClientSession, aiohttp.ClientWebSocketResponse]:
    session = aiohttp.ClientSession()
    async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
        pages = [page for page in await answer.json() if page["type"] == "page"]
    address = pages[0]["webSocketDebuggerUrl"]
    return session, await session.ws_connect(address, max_msg_size=_LARGEST_ANSWER_BYTES)
