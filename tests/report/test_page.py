"""A tiny page, every tag of it: what stands where, and what is linked to what, as it is stored in tiny_page.txt."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from fakes.run import CHECK_ROWS, store
from fakes.says import stored
from fakes.tiny import forecast_run, tiny_run, worth_run

from clvmodels.errors import ResultsError
from clvmodels.figures import FIGURES
from clvmodels.report import svg, write_report
from clvmodels.report.page import build, prose
from clvmodels.report.stored import Stored, read

PAGE = Path(__file__).with_name("tiny_page.txt")
RUNS = {
    "total_value": worth_run,
    "calibration": forecast_run,
    "data_cleaning": tiny_run,
    "checks": lambda: tiny_run(checks=CHECK_ROWS),
}


def tiny() -> Stored:
    """Two drawings and two tables, of the tiny runs."""
    tables = {name: stored(FIGURES[name].table(run())) for name, run in RUNS.items()}
    return Stored(replace(worth_run().about, holdout=4.0), tables)


def told(page: str) -> str:
    """The page without its style, a tag a line."""
    return re.sub(r"<style>.*?</style>", "<style>", page, flags=re.DOTALL).replace("><", ">\n<")


def test_the_page_is_the_stored_one(accept_drawings):
    page, drawings = build(tiny())
    if accept_drawings:
        PAGE.write_text(told(page), encoding="utf-8")
    assert told(page) == PAGE.read_text(encoding="utf-8"), "make drawings, and look at the difference"
    assert sorted(drawings) == [
        f"{name}-{width}.svg" for name in ("calibration", "total_value") for width in (328, 688)
    ]
    assert all(text.startswith("<?xml") and text.endswith("</svg>\n") for text in drawings.values())


def test_a_folder_that_is_damaged_is_refused_at_its_line(tmp_path):
    with pytest.raises(ResultsError, match="Cannot read the run's description"):
        read(tmp_path)
    (tmp_path / "run.json").write_text("{\n", encoding="utf-8")
    with pytest.raises(ResultsError, match=r"run\.json:2: Not valid JSON"):
        read(tmp_path)


def test_a_report_is_written_from_what_its_folder_holds(tmp_path):
    store(worth_run(), tmp_path)
    page, drawings = build(read(tmp_path))
    assert "The 10 customers will earn" in page and len(drawings) > 4
    assert write_report(str(tmp_path)) == tmp_path / "report.html"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page
    assert {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "figures").iterdir()} == drawings


def test_coordinates_are_rounded_and_colours_follow_the_theme():
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10.26 5"><g id="a"><path d="M 0.123 4.567 L 1 2" '
        'style="stroke: #0072b2"/></g><text style="font-size: 12px" x="3.14159">0.25 #0072b2</text></svg>'
    )
    text = svg.for_page(raw, "name", "small", "alt")
    assert 'd="M0.1 4.6L1 2"' in text and 'x="3.1"' in text and "stroke:var(--blue)" in text
    assert ">0.25 #0072b2<" in text


def test_names_of_files_are_set_as_code_whole():
    text = prose("See group_effects.groups.csv, customers.parquet and **config.yaml**; a < b.")
    files = "<code>group_effects.groups.csv</code>, <code>customers.parquet</code> and <b><code>config.yaml</code></b>"
    assert text == f"See {files}; a &lt; b."
