"""A headless Chromium that a test drives over a pair of pipes, by the protocol of its developer tools."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_LONGEST = 60.0


class Browser:
    """One page of a browser; what it logs as an error, or throws, is in `faults`."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self.faults: list[str] = []
        self._number = 0
        self._buffer = b""
        self._session: str | None = None

    def __enter__(self) -> Self:
        """Start the browser and open an empty page."""
        assert CHROMIUM is not None
        self._profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        taken, self._writing = os.pipe()
        self._reading, given = os.pipe()
        flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        flags += ["--remote-debugging-pipe", f"--user-data-dir={self._profile.name}", "about:blank"]
        # The browser reads commands from descriptor 3 and answers on 4.
        script = f'exec 3<&{taken} 4>&{given}; exec "$0" "$@"'
        self._process = subprocess.Popen(
            ["bash", "-c", script, CHROMIUM, *flags],
            pass_fds=(taken, given),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(taken)
        os.close(given)
        target = self.command("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.command("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self.command(f"{domain}.enable")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End it."""
        self._process.kill()
        self._process.wait(timeout=20)
        os.close(self._reading)
        os.close(self._writing)
        self._profile.cleanup()

    def command(self, method: str, **parameters: object) -> Any:
        """Send a command and return its result."""
        self._number += 1
        message: dict[str, object] = {"id": self._number, "method": method, "params": parameters}
        if self._session is not None:
            message["sessionId"] = self._session
        os.write(self._writing, json.dumps(message).encode() + b"\0")
        while True:
            found = self._message()
            if found.get("id") == self._number:
                assert "error" not in found, (method, found)
                return found["result"]
            self._note(found)

    def open(self, url: str) -> None:
        """Go to a page and wait until it is there."""
        self.command("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def run(self, script: str) -> Any:
        """Return the value of an expression of the page's, awaited where it is a promise."""
        found = self.command("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, (script, found)
        return found["result"].get("value")

    def wait(self, script: str, seconds: float = 20.0) -> Any:
        """Wait until an expression is true of the page, and return its value."""
        limit = time.monotonic() + seconds
        while not (value := self.run(script)):
            assert time.monotonic() < limit, (script, self.run("document.body.innerText"), self.faults)
            time.sleep(0.02)
        return value

    def press(self, key: str, text: str = "") -> None:
        """Press a key and let it go."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        for kind in ("keyDown", "keyUp"):
            more = {"text": text} if text and kind == "keyDown" else {}
            code = codes.get(key, 0)
            self.command("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, **more)

    def type(self, text: str) -> None:
        """Put text where the focus is."""
        self.command("Input.insertText", text=text)

    def look(self, path: Path, *, width: int = 1280, dark: bool = False) -> None:
        """Write a picture of the whole page."""
        media = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.command("Emulation.setEmulatedMedia", features=media)
        self.resize(width)
        taken = self.command("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(taken["data"]))

    def resize(self, width: int) -> None:
        """Make the page so wide."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.command("Emulation.setDeviceMetricsOverride", **size)

    def _message(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            assert select.select([self._reading], [], [], _LONGEST)[0], "the browser says nothing"
            received = os.read(self._reading, 1 << 20)
            assert received, "the browser has ended"
            self._buffer += received
        message, self._buffer = self._buffer.split(b"\0", 1)
        found: dict[str, Any] = json.loads(message)
        return found

    def _note(self, found: dict[str, Any]) -> None:
        if found.get("method") == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(found["params"]["exceptionDetails"]))
        if found.get("method") == "Log.entryAdded" and found["params"]["entry"]["level"] == "error":
            self.faults.append(found["params"]["entry"]["text"])
