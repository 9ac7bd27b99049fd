"""Chromium by its own command line: what a page looks like and measures, at a width, in a theme, in a font.

The page stands in a frame of exactly the width wanted (a window has a smallest width of its own), in a copy without
its policy line, so that the frame's page can be measured from outside.
"""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]
_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy"[^>]*>')

MEASURE = """
const found = {problems: [], width: view.innerWidth, texts: 0, figures: 0};
const root = page.documentElement, problem = text => found.problems.push(text);
if (root.scrollWidth > view.innerWidth) problem(`page overflows: ${root.scrollWidth} > ${view.innerWidth}`);
for (const element of page.querySelectorAll('body *')) {
  if (element.closest('svg, .scroll, .vh, [hidden], .skip') || !element.getClientRects().length) continue;
  const box = element.getBoundingClientRect();
  if (box.right > view.innerWidth + 0.5) problem(`${element.tagName} ${element.className} ends at ${box.right}`);
}
for (const svg of page.querySelectorAll('figure svg')) {
  const frame = svg.getBoundingClientRect();
  if (!frame.width) continue;
  found.figures += 1;
  const name = svg.closest('figure').id;
  const boxes = [];
  for (const text of svg.querySelectorAll('text')) {
    const box = text.getBoundingClientRect();
    const size = parseFloat(view.getComputedStyle(text).fontSize) * frame.width / svg.viewBox.baseVal.width;
    found.texts += 1;
    if (size < 11) problem(`${name}: '${text.textContent}' is ${size.toFixed(1)} px`);
    const side = Math.max(frame.left - box.left, box.right - frame.right);
    if (Math.max(side, frame.top - box.top, box.bottom - frame.bottom) > 0.5)
      problem(`${name}: '${text.textContent}' leaves its drawing`);
    boxes.push([text.textContent, box]);
  }
  boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
    const x = Math.min(p.right, q.right) - Math.max(p.left, q.left);
    const y = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
    if (x > 0.5 && y > 3) problem(`${name}: '${a}' and '${b}' overlap`);
  }));
}
for (const sign of page.querySelectorAll('script, img, [onerror], [onload], iframe, link'))
  problem(`active: ${sign.outerHTML}`);
"""


def harness(
    report: Path, width: int, *, dark: bool = False, font: str = "", folds: bool = True, script: str = MEASURE
) -> str:
    """A page that holds the report in a frame, measures it when it has loaded, and writes the findings as JSON."""
    text = _POLICY.sub("", report.read_text(encoding="utf-8"), count=1)
    if dark:
        text = text.replace("@media screen and (prefers-color-scheme: dark)", "@media screen")
    if font:
        text = text.replace("</head>", f"<style>body, text {{ font-family: '{font}' !important }}</style></head>")
    if folds:
        text = re.sub(r"<details\b", "<details open", text)
    frame = f'<iframe style="width:{width}px;height:900px;border:0" srcdoc="{html.escape(text)}"></iframe>'
    return (
        f"<!doctype html><meta charset=utf-8><body style='margin:0'>{frame}<pre id=found></pre><script>"
        "onload = () => { const frame = document.querySelector('iframe');"
        "const view = frame.contentWindow, page = frame.contentDocument;"
        f"{script}\nfound.height = page.documentElement.scrollHeight;"
        "document.getElementById('found').textContent = JSON.stringify(found);"
        "frame.removeAttribute('srcdoc'); }</script>"
    )


def measure(report: Path, scratch: Path, width: int, **options) -> dict:
    """What the page measures at this width, and the messages that the browser wrote."""
    page = scratch / f"measure-{width}.html"
    page.write_text(harness(report, width, **options), encoding="utf-8")
    window = f"--window-size={max(width, 600)},900"
    done = _run(scratch, "--dump-dom", "--enable-logging=stderr", "--v=0", window, page.as_uri())
    found = re.search(r"<pre id=\"found\">(.*?)</pre>", done.stdout, re.DOTALL)
    if found is None:
        raise AssertionError(f"no measurement: {done.stdout[-500:]} {done.stderr[-2000:]}")
    messages = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return {**json.loads(html.unescape(found[1])), "console": messages}


def console(report: Path, scratch: Path) -> list[str]:
    """What the browser says on loading the page itself, with its policy."""
    done = _run(scratch, "--dump-dom", "--enable-logging=stderr", "--v=0", report.resolve().as_uri())
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def screenshot(report: Path, scratch: Path, width: int, height: int, picture: Path, **options) -> Path:
    """A picture of the page in a frame of this width."""
    page = scratch / f"picture-{width}.html"
    text = harness(report, width, folds=False, **options, script="const found = {};")
    text = text.replace("height:900px", f"height:{height}px").replace("frame.removeAttribute('srcdoc');", "")
    page.write_text(text.replace("<pre id=found>", "<pre id=found hidden>"), encoding="utf-8")
    _run(scratch, f"--screenshot={picture}", f"--window-size={width},{height}", page.as_uri())
    return picture


def _run(scratch: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={scratch / 'profile'}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def print_pdf(report: Path, scratch: Path, target: Path) -> Path:
    """The page as it is printed."""
    _run(scratch, "--no-pdf-header-footer", f"--print-to-pdf={target}", report.resolve().as_uri())
    return target
