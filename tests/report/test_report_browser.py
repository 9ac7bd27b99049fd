"""The report in Chromium, offline: nothing overflows, leaves its drawing, overlaps, is too small or says a word."""

from __future__ import annotations

import pytest
from fakes import browser
from fakes.run import reported

pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="no chromium on this machine: the page is not measured"
)

NAMES = ("company", "company-small", "company-hostile", "small", "groups", "bare")


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("name", NAMES)
def test_layout_in_the_widest_font(name, width, tmp_path):
    found = browser.measure(reported(name) / "report.html", tmp_path, width, font="DejaVu Sans")
    assert found["width"] == width
    assert found["texts"] > 20
    assert found["problems"] == []
    assert found["console"] == []


@pytest.mark.parametrize("width", [360, 1440])
def test_layout_in_a_common_font_and_in_the_dark(width, tmp_path):
    found = browser.measure(reported("full") / "report.html", tmp_path, width, font="Liberation Sans", dark=True)
    assert found["problems"] == []
    assert found["console"] == []


@pytest.mark.parametrize("name", ["full", "hostile"])
def test_the_page_itself_says_nothing_under_its_policy(name, tmp_path):
    assert browser.console(reported(name) / "report.html", tmp_path) == []


def test_the_measure_sees_faults(tmp_path):
    """A page with a label too wide, one too small, two on one spot and a wide box is told, so silence means sound."""
    text = (reported("full") / "report.html").read_text(encoding="utf-8")
    fault = (
        '<figure id="fault"><svg viewBox="0 0 300 40" class="both"><text x="1" y="20">one</text>'
        '<text x="2" y="22">two</text><text x="250" y="36">far too long for its drawing</text>'
        '<text x="100" y="36" style="font-size:7px">tiny</text></svg></figure><div style="width:2000px">wide</div>'
    )
    broken = tmp_path / "broken.html"
    broken.write_text(
        text.replace('<main id="main" tabindex="-1">', '<main id="main" tabindex="-1">' + fault), encoding="utf-8"
    )
    found = " ".join(browser.measure(broken, tmp_path, 768)["problems"])
    for fault in ("'one' and 'two' overlap", "leaves its drawing", "'tiny' is", "page overflows"):
        assert fault in found


PRINTED = """
const shown = element => element && element.getClientRects().length > 0 && element.getBoundingClientRect().height > 5;
const found = {
  folds: [...page.querySelectorAll('details.fold')].map(fold => shown(fold.querySelector('p, table'))),
  numbers: [...page.querySelectorAll('details.data')].some(shown), contents: shown(page.querySelector('nav')),
  paper: view.getComputedStyle(page.documentElement).getPropertyValue('--paper').trim(),
};
"""


def test_print_opens_the_folds_leaves_the_numbers_out_and_is_light(tmp_path):
    printed = tmp_path / "printed.html"
    text = (reported("full") / "report.html").read_text(encoding="utf-8").replace("@media print", "@media all")
    printed.write_text(text, encoding="utf-8")
    found = browser.measure(printed, tmp_path, 700, folds=False, script=PRINTED)
    folds = text.count('<details class="fold"')
    assert folds > 1
    assert found["folds"] == [True] * folds
    assert not found["numbers"]
    assert not found["contents"]
    assert found["paper"] == "#ffffff"
    assert text.count("@media screen and (prefers-color-scheme: dark)") == 1  # dark colours never reach paper


def test_it_prints(tmp_path):
    printed = browser.print_pdf(reported("full") / "report.html", tmp_path, tmp_path / "page.pdf")
    assert printed.read_bytes().startswith(b"%PDF")
