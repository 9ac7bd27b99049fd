"""A tiny page, every tag of it: what stands where, and what is linked to what, as it is stored in tiny_page.txt."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import jinja2
import pytest
from fakes.run import CHECK_ROWS, store
from fakes.says import stored
from fakes.tiny import forecast_run, tiny_run, worth_run

from clvmodels.errors import ResultsError
from clvmodels.figures import FIGURES
from clvmodels.report import svg, write_report
from clvmodels.report.page import _environment, _footer, _is_numeric, _kicker, build, prose
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
    assert write_report(tmp_path) == tmp_path / "report.html"  # again, over what is there
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


def test_files_are_the_same_on_every_machine(tmp_path, monkeypatch):
    """Whatever its locale and its ends of lines."""
    store(worth_run(), tmp_path)
    kinds = []
    monkeypatch.setattr(Path, "write_text", lambda path, text, **how: kinds.append((path.suffix, how)))
    write_report(tmp_path)
    plain_utf8 = {"encoding": "utf-8", "newline": "\n"}
    assert kinds[-1] == (".html", plain_utf8) and len(kinds) > 4
    assert {suffix for suffix, _ in kinds[:-1]} == {".svg"} and all(how == plain_utf8 for _, how in kinds)


def test_a_name_that_a_template_does_not_know_is_an_error():
    template = _environment().from_string("{{ gone }}")
    with pytest.raises(jinja2.UndefinedError):
        template.render()


def test_checks_stand_in_the_order_of_their_results(tmp_path):
    passed_first = CHECK_ROWS.sort_values("result", ascending=False, kind="stable")
    store(tiny_run(checks=passed_first), tmp_path)
    for path in (tmp_path / "tables").glob("checks.*"):
        path.unlink()  # those of the run stand in for the figure's, which are in order already
    results = read(tmp_path).tables["checks"]["result"].tolist()
    assert results[0] == "failed" and results != passed_first["result"].tolist()


def refused(folder):
    with pytest.raises(ResultsError) as raised:
        read(folder)
    return str(raised.value).strip().replace(str(folder), "folder")


def test_what_is_wrong_with_a_folder_is_said_whole(tmp_path):
    assert refused(tmp_path) == (
        "folder/run.json: Cannot read the run's description. "
        "A report is made from the folder that `clvmodels run` writes"
    )
    store(forecast_run(), tmp_path)
    stored_about = json.loads((tmp_path / "run.json").read_text(encoding="utf-8"))
    (tmp_path / "tables" / "tracking.total.csv").unlink()
    assert refused(tmp_path) == (
        "folder: no table 'tables/tracking.total'. Run the experiment again; what was fitted is kept"
    )
    del stored_about["title"]
    (tmp_path / "run.json").write_text(json.dumps(stored_about), encoding="utf-8")
    assert refused(tmp_path) == "folder/run.json: 'title' is missing"


def test_a_folder_without_tables_is_refused(tmp_path):
    store(worth_run(), tmp_path)
    for path in [*(tmp_path / "tables").iterdir(), *tmp_path.glob("*.csv")]:
        path.unlink()
    assert refused(tmp_path) == "folder/tables: no table of a figure. Run the experiment again"


@pytest.mark.parametrize(
    ("cells", "numeric"),
    [
        (["12", "—", ""], True),
        (["1" * 40], True),
        (["1" * 41], False),
        (["12", "none"], False),
        (["—", ""], False),
    ],
)
def test_a_column_of_numbers_is_one_of_short_cells_with_digits(cells, numeric):
    assert _is_numeric(cells) is numeric


def test_only_paths_lose_the_spaces_around_their_letters():
    path = '<path d="M 1 2 L 3 4" transform="translate(1 2) scale(3)"/>'
    raw = f'<svg xmlns="http://www.w3.org/2000/svg"><g id="a">{path}</g></svg>'
    text = svg.for_page(raw, "name", "small", "alt")
    assert 'd="M1 2L3 4"' in text and 'transform="translate(1 2) scale(3)"' in text


def test_checks_and_the_account_of_rows_are_told_whatever_figures_were_asked_for(tmp_path):
    store(tiny_run(checks=CHECK_ROWS), tmp_path)
    for path in (tmp_path / "tables").iterdir():
        path.unlink()
    tables = read(tmp_path).tables
    assert sorted(tables) == ["checks", "data_cleaning"]
    assert len(tables["checks"]) == len(CHECK_ROWS)
    assert tables["data_cleaning"].account["rows"].tolist() == tiny_run().account["rows"].tolist()


def test_a_printed_page_carries_title_and_day_and_no_title_ends_the_style():
    """CSS reads a number after a backslash as the character of that number."""
    hostile = worth_run(title='Who "earns"; </style><b>', made="2026-11-21")
    text = str(_footer(Stored(hostile.about, {})))
    read = re.sub(r"\\([0-9a-f]+) ", lambda found: chr(int(found[1], 16)), text)
    assert read == 'Who "earns"; </style><b> · 21 November 2026'
    assert not set(text) & set('"<>;/')


def test_the_page_carries_its_style():
    style, footer = re.findall(r"<style>(.*?)</style>", build(tiny())[0], flags=re.DOTALL)
    assert "@bottom-left" in footer
    assert style.strip() == Path(svg.__file__).with_name("style.css").read_text(encoding="utf-8").strip()


def test_neither_metadata_nor_styles_of_a_drawing_reach_the_page():
    inside = "<metadata>made by</metadata><style>* {}</style>"
    raw = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 5">{inside}<text x="1">kept</text></svg>'
    text = svg.for_page(raw, "name", "small", "alt")
    assert "kept" in text and "made by" not in text and "*" not in text


@pytest.mark.parametrize(
    ("value_at", "dates"),
    [
        ("2025-12-29", "data to and value at 29 December 2025 · "),
        ("2025-06-30", "data to 29 December 2025 · value at 30 June 2025 · "),
        (None, "data to 29 December 2025 · "),
    ],
)
def test_the_line_of_origin_has_both_dates(value_at, dates):
    page = tiny()
    about = replace(page.about, dataset="x" * 70, data_end="2025-12-29", value_at=value_at, holdout_end=None)
    line = _kicker(replace(page, about=about)).replace("\N{NO-BREAK SPACE}", " ")
    assert line.startswith("x" * 59 + "\N{HORIZONTAL ELLIPSIS} · " + dates + "made ")
