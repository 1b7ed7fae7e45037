"""A page in headless Chromium: what a test needs to open one, or a reason not to."""

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
LIBRARIES = ("jinja2", "plotly", "playwright")
PATIENCE_MS = 120_000  # with a page that other jobs slow down


def require() -> None:
    """Skip where a page cannot be made or opened; in CI, where .ci/run installs all of it, fail."""
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if CHROMIUM is None:
        missing.append("chromium")
    if missing and "CI" in os.environ:
        pytest.fail(f"CI has no {', '.join(missing)}")
    if missing:
        pytest.skip(f"no {', '.join(missing)}: pip install 'distest[dev]', apt-get install chromium")


class Opened:
    """A page that has been opened, with every complaint of its console and every request it made."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))

    def _said(self, said: Any) -> None:
        if said.type in ("error", "warning"):
            self.complaints.append(said.text)

    def goto(self, path: Path) -> None:
        """Open a file and wait until its figures are drawn."""
        self.page.goto(path.as_uri())
        self.drawn()

    def drawn(self) -> None:
        """Wait until the figures near the window are drawn."""
        self.page.wait_for_selector("html[data-ready=true]")

    def show(self, figure: str) -> None:
        """Move to a figure and wait until it is drawn."""
        self.page.evaluate(f"document.getElementById('{figure}').scrollIntoView({{behavior: 'instant'}})")
        self.page.wait_for_selector(f"#{figure} .plot .main-svg", state="attached")
        self.drawn()


@contextmanager
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
