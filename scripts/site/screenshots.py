"""Make the screenshots of a report that the site shows: docs/report.png, report-dark.png, report-narrow.png.

    .venv/bin/python scripts/site/screenshots.py [PAGE NAME]

Runs the sweep of docs/tutorials/report.md, writes its page and takes three pictures of it in headless Chromium, cut
down to 256 colours. With a page, such as `out/demo/report.html demo-report` after scripts/demo, those of that one.
Needs the extra `dev` and a Chromium: /usr/bin/chromium, or that of `playwright install chromium`.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests import documents  # noqa: E402

PAGE = ROOT / "docs" / "tutorials" / "report.md"
SHOTS = {  # what follows the name: width, height, scheme, pixels of the picture for one of the page
    "": (1280, 1500, "light", 1.0),
    "-dark": (1280, 1500, "dark", 1.0),
    "-narrow": (390, 844, "light", 1.5),
}
MOST = 250_000  # bytes of a picture
DRAWN_MS = 1500  # until figures stand


def main() -> None:
    """The page, and three pictures of it."""
    with tempfile.TemporaryDirectory(prefix="screenshots-") as folder:
        page, stem = (Path(sys.argv[1]).resolve(), sys.argv[2]) if sys.argv[1:] else (made(Path(folder)), "report")
        chromium = Path("/usr/bin/chromium")
        with sync_playwright() as play:
            browser = play.chromium.launch(executable_path=chromium if chromium.exists() else None)
            for ending, (width, height, scheme, scale) in SHOTS.items():
                tab = browser.new_page(
                    viewport={"width": width, "height": height},
                    color_scheme="dark" if scheme == "dark" else "light",
                    device_scale_factor=scale,
                )
                tab.goto(page.as_uri())
                tab.wait_for_timeout(DRAWN_MS)
                path = ROOT / "docs" / f"{stem}{ending}.png"
                tab.screenshot(path=path)
                Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
                size = path.stat().st_size
                print(f"{path.relative_to(ROOT)}: {size / 1000:.0f} kB")
                if size > MOST:
                    sys.exit(f"{path.name} has {size} bytes, more than the {MOST} of a page that loads fast")


def made(folder: Path) -> Path:
    """The report of the tutorial, by its own blocks."""
    for block in documents.blocks(PAGE.read_text("utf-8")):
        if block.language == "toml":
            (folder / block.title).write_text(block.text, encoding="utf-8")
        for one in documents.typed(block) if block.language == "console" else ():
            if one.here:
                command = [sys.executable, "-m", "distest", *one.here]
                subprocess.run(command, cwd=folder, env={"PYTHONPATH": str(ROOT), "HOME": str(Path.home())}, check=True)
    return folder / "report.html"


if __name__ == "__main__":
    main()
