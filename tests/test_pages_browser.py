"""The page of `repro report` in a real browser: Chromium, without a network to speak of."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from repro_env.pages.report import page
from tests.pages_cases import Case, agreeing, differing, hostile

NAMES = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--headless",
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",  # they would take from the widths
    "--enable-logging=stderr",
)
# The page forbids scripts, so one around it looks into its frame, at each width.
AROUND = """<!doctype html><meta charset="utf-8"><body><pre></pre><script>
const source = %s, widths = [360, 1600], seen = [];
function look(frame) {
  const inner = frame.contentDocument, root = inner.documentElement;
  const boxes = (what) => [...inner.querySelectorAll(what)].map((one) => {
    const box = one.getBoundingClientRect();
    return [box.width, box.height];
  });
  seen.push({
    width: root.clientWidth,
    needed: root.scrollWidth,
    title: inner.title,
    colour: frame.contentWindow.getComputedStyle(inner.querySelector("h1")).color,
    paper: frame.contentWindow.getComputedStyle(inner.body).backgroundColor,
    curves: boxes(".plot .line"),
    cells: boxes(".cells"),
    strangers: inner.querySelectorAll("img, script, a, iframe, link").length,
    loaded: frame.contentWindow.performance.getEntriesByType("resource").length,
  });
  if (seen.length === widths.length)
    document.querySelector("pre").textContent = JSON.stringify(seen);
}
for (const width of widths) {
  const frame = document.createElement("iframe");
  frame.width = width;
  frame.srcdoc = source;
  frame.onload = () => look(frame);
  document.body.append(frame);
}
</script>"""


def chromium(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Start a fresh browser."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    assert found, "no Chromium: scripts/test --install-engine installs it"
    return subprocess.run(
        [found, *QUIET, f"--user-data-dir={folder / 'profile'}", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def looked_at(folder: Path, text: str, *options: str) -> tuple[list[dict[str, Any]], list[str]]:
    """Return what the page is like at each width, and what the browser complains of."""
    file = folder / "around.html"
    source = json.dumps(text).replace("<", "\\u003c")
    file.write_text(AROUND % source, encoding="utf-8")
    done = chromium(folder, "--dump-dom", *options, file.as_uri())
    found = re.search("<pre>(.*?)</pre>", done.stdout, re.S)
    assert found, done.stderr
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    seen = json.loads(html.unescape(found[1]))
    return sorted(seen, key=lambda one: int(one["width"])), complaints


@pytest.mark.parametrize("made", [agreeing, differing, hostile], ids=lambda made: made.__name__)
def test_a_page_is_whole_at_any_width_and_loads_nothing(
    made: Callable[[], Case], tmp_path: Path
) -> None:
    seen, complaints = looked_at(tmp_path, page(*made()))

    assert complaints == []
    assert [one["width"] for one in seen] == [360, 1600]
    for one in seen:
        assert one["needed"] <= one["width"]
        assert (one["strangers"], one["loaded"]) == (0, 0)
        assert all(width > 100 for width, _ in one["curves"])
        assert one["curves"][0][1] > 50
        assert bool(one["cells"]) == (made is not agreeing)
        assert all(width > 10 and height > 5 for width, height in one["cells"])


def test_the_style_is_in_effect_and_heeds_a_dark_screen(tmp_path: Path) -> None:
    text = page(*agreeing())

    light, _ = looked_at(tmp_path, text, "--blink-settings=preferredColorScheme=1")
    dark, _ = looked_at(tmp_path, text, "--blink-settings=preferredColorScheme=0")

    assert (light[0]["paper"], light[0]["colour"]) == ("rgb(255, 255, 255)", "rgb(23, 105, 47)")
    assert (dark[0]["paper"], dark[0]["colour"]) == ("rgb(17, 21, 26)", "rgb(86, 208, 115)")


def test_the_browser_would_complain_of_what_the_policy_forbids(tmp_path: Path) -> None:
    text = page(*agreeing()).replace("<main>", '<main><img src="https://example.invalid/a.png">')

    _, complaints = looked_at(tmp_path, text)

    assert any("Content Security Policy" in line for line in complaints)


def test_a_page_can_be_looked_at(tmp_path: Path) -> None:
    file, blank = tmp_path / "page.html", tmp_path / "blank.html"
    file.write_text(page(*differing()), encoding="utf-8")
    blank.write_text("<!doctype html>")

    sizes = []
    for each in (file, blank):
        picture = each.with_suffix(".png")
        chromium(tmp_path, f"--screenshot={picture}", "--window-size=1280,2000", each.as_uri())
        sizes.append(picture.stat().st_size)

    assert sizes[0] > 5 * sizes[1]
