"""A real Chromium, driven over two pipes by its DevTools protocol."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-extensions"),
    *("--disable-component-update", "--remote-debugging-pipe"),
)
_PATIENCE = 60.0
_SILENCE = 240.0

_START = """
import fcntl, os, sys
there = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(there[0], 3), os.dup2(there[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The protocol's pipes are descriptors 3 and 4, which no shell gives to others of any number."""


class Page:
    """One page. ``asked`` are the addresses it requested, ``said`` what it logged as an error."""

    def __init__(self, into: int, out: int) -> None:
        self._into, self._out = into, out
        self._count, self._rest, self._session = 0, b"", ""
        self.asked: list[str] = []
        self.said: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        found = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = found["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log", "DOM", "Accessibility"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        """What the browser answers to one command."""
        self._count += 1
        sent = {"id": self._count, "method": method, "params": params}
        if self._session:
            sent["sessionId"] = self._session
        os.write(self._into, json.dumps(sent).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._count:
                assert "error" not in heard, heard["error"]
                return heard["result"]

    def _hear(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._out], [], [], _SILENCE)[0], "the browser says nothing"
            part = os.read(self._out, 1 << 20)
            assert part, "the browser has ended"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(first)
        about = heard.get("params", {})
        if heard.get("method") == "Network.requestWillBeSent":
            self.asked.append(about["request"]["url"])
        elif heard.get("method") == "Log.entryAdded" and about["entry"]["source"] != "network":
            self.said.append(about["entry"]["text"])
        elif heard.get("method") == "Runtime.exceptionThrown":
            self.said.append(str(about["exceptionDetails"]))
        return heard

    def open(self, url: str, width: int = 1280, height: int = 1400, scheme: str = "light") -> None:
        """Load ``url`` in a window of that size, in the colours that the person prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=1, mobile=False)  # fmt: skip
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete' && location.href !== 'about:blank'")

    def js(self, code: str) -> Any:
        """The value of an expression."""
        found = self.call(
            "Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, code: str) -> None:
        """Until an expression is true."""
        end = time.monotonic() + _PATIENCE
        while not self.js(f"Boolean({code})"):
            assert time.monotonic() < end, f"never true: {code}; {self.text()}"
            time.sleep(0.02)

    def text(self) -> str:
        """All that is seen."""
        return str(self.js("document.body.innerText"))

    def key(self, key: str, code: int) -> None:
        """Press a key: its name, and the number that Windows gives it."""
        text = {"text": "\r"} if key == "Enter" else {"text": " "} if key == " " else {}
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                      **(text if kind == "keyDown" else {}))  # fmt: skip

    def choose(self, selector: str, *files: Path) -> None:
        """Give files to an input, as its dialogue does."""
        root = self.call("DOM.getDocument")["root"]["nodeId"]
        node = self.call("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.call("DOM.setFileInputFiles", files=[str(file) for file in files], nodeId=node)

    def drop(self, x: int, y: int, *files: Path) -> None:
        """Drop files at a place of the window."""
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            self.call("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    def picture(self, file: Path) -> None:
        """The whole page as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        file.write_bytes(base64.b64decode(shot["data"]))


@contextmanager
def browsing() -> Iterator[Page]:
    """A page of a Chromium of its own, which ends with the block."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home:
        mine_in, its_out = os.pipe()
        its_in, mine_out = os.pipe()
        flags = [*_FLAGS, f"--user-data-dir={home}"]
        command = [sys.executable, "-c", _START, str(its_in), str(its_out), str(CHROMIUM), *flags]
        process = subprocess.Popen(
            command, pass_fds=(its_in, its_out), stderr=subprocess.DEVNULL, start_new_session=True
        )
        os.close(its_in), os.close(its_out)
        try:
            yield Page(mine_out, mine_in)
        finally:
            os.close(mine_out), os.close(mine_in)
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
