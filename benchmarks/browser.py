"""A headless Chromium, driven over its DevTools protocol: it opens a page, and tells what the page asks its server.

The library that speaks to it is brought by uvicorn.
"""

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 120.0
"""Seconds after which something that was waited for is given up."""

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class NoBrowser(Exception):
    """There is no Chromium on the PATH."""


@dataclass
class Asked:
    """A request of the page's."""

    name: str
    """Of a GraphQL operation its name, otherwise the path."""
    seconds: float | None = None
    """Until the whole answer was there; None while it is not."""
    size: int = 0
    """Bytes of the answer as they were transferred."""


class Page:
    """A tab."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self._opened = 0.0
        self._open: dict[str, tuple[Asked, float]] = {}
        self.asked: list[Asked] = []

    def open(self, url: str) -> None:
        """Begin to load a page."""
        for domain in ("Page", "Network", "Runtime"):
            self._call(f"{domain}.enable")
        self._call("Network.setCacheDisabled", cacheDisabled=True)
        self._open.clear()
        self.asked.clear()
        self._opened = time.perf_counter()
        self._call("Page.navigate", url=url)

    def until(self, expression: str) -> float:
        """Wait until an expression is true in the page; return the seconds since it was opened.

        Raises:
            TimeoutError: it never was.
        """
        while not self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value"):
            if time.perf_counter() - self._opened > PATIENCE:
                raise TimeoutError(f"Not within {PATIENCE:g} s: {expression}")
            self._listen(0.05)
        return time.perf_counter() - self._opened

    def _call(self, method: str, **arguments: object) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": arguments}))
        while True:
            told = json.loads(self._socket.recv(PATIENCE))
            if told.get("id") == self._number:
                assert "error" not in told, told
                result: dict[str, Any] = told["result"]
                return result
            self._hear(told)

    def _listen(self, seconds: float) -> None:
        """Hear what is told for some time."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            try:
                self._hear(json.loads(self._socket.recv(left)))
            except TimeoutError:
                return

    def _hear(self, told: dict[str, Any]) -> None:
        what, about = told.get("method"), told.get("params", {})
        if what == "Network.requestWillBeSent" and about["request"]["url"].startswith("http"):
            self.asked.append(Asked(_name(about["request"])))
            self._open[about["requestId"]] = self.asked[-1], about["timestamp"]
        elif what == "Network.loadingFinished" and about["requestId"] in self._open:
            asked, began = self._open.pop(about["requestId"])
            asked.seconds, asked.size = about["timestamp"] - began, int(about["encodedDataLength"])


def _name(request: dict[str, Any]) -> str:
    path = "/" + request["url"].split("://", 1)[1].partition("/")[2].split("?")[0]
    return str(json.loads(request["postData"])["operationName"]) if "postData" in request else path


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """Start a browser with an empty profile and one tab.

    Raises:
        NoBrowser: it is not installed.
    """
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise NoBrowser
    folder.mkdir()
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0"]
    options += [f"--user-data-dir={folder}", "--window-size=1600,1200", "about:blank"]
    process = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with connect(_tab(folder), max_size=None) as socket:
            yield Page(socket)
    finally:
        process.terminate()
        process.wait()


def _tab(folder: Path) -> str:
    """Return the address of the first tab, once the browser has written down where it listens."""
    told, until = folder / "DevToolsActivePort", time.monotonic() + PATIENCE
    while not (told.exists() and "\n" in told.read_text(encoding="ascii")):
        if time.monotonic() > until:
            raise TimeoutError("The browser does not start.")
        time.sleep(0.05)
    port = told.read_text(encoding="ascii").splitlines()[0]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list", timeout=PATIENCE) as answer:
        tabs = json.load(answer)
    address: str = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
    return address
