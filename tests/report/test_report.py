"""The report: whole for every kind of run, escaped, reproducible, small, and true to the tables beside it."""

from __future__ import annotations

import html
import itertools
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
from fakes.run import CHECK_ROWS, RUNS, check_row, fake_run, reported, store

from clvmodels.errors import ResultsError
from clvmodels.figures import FIGURES
from clvmodels.metrics.checks import as_table
from clvmodels.report import svg, write_report
from clvmodels.report.stored import read

CHAPTERS = ["worth", "best", "leave", "spend", "strategy", "trust", "data", "model", "checks", "limits", "reproduce"]


class Page(HTMLParser):
    """The parts of a page that the tests look at."""

    def __init__(self, text: str):
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.stack_errors: list[str] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.stack_errors.append(tag)

    def handle_data(self, data):
        if "style" not in self.open:
            self.words += data

    def ids(self) -> list[str]:
        return [a["id"] for _, a in self.tags if a.get("id")]


def page(folder: Path) -> Page:
    return Page((folder / "report.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", RUNS)
def test_the_page_is_sound(name):
    found = page(reported(name))
    assert found.stack_errors == []
    assert found.open == []
    ids = found.ids()
    assert len(ids) == len(set(ids))
    for tag, attributes in found.tags:
        for key in ("href", "xlink:href"):
            target = attributes.get(key)
            if target is not None:
                assert target.startswith("#"), target
                assert target[1:] in ids, (tag, target)
        for reference in (attributes.get("aria-labelledby") or "").split():
            assert reference in ids
        for reference in re.findall(r"url\(#([^)]+)\)", " ".join(str(v) for v in attributes.values())):
            assert reference in ids


@pytest.mark.parametrize("name", RUNS)
def test_the_page_runs_nothing_and_loads_nothing(name):
    found = page(reported(name))
    tags = {tag for tag, _ in found.tags}
    assert not tags & {"script", "img", "iframe", "object", "embed", "link", "base", "form", "input", "foreignobject"}
    assert not [key for _, attributes in found.tags for key in attributes if key.startswith("on")]
    policy = next(a["content"] for t, a in found.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")
    text = (reported(name) / "report.html").read_text(encoding="utf-8")
    assert "://" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL).replace(html.escape("://"), "")
    assert "@import" not in text
    assert "url(http" not in text


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("company", []),
        ("full", ["spend"]),
        ("no-value", ["worth", "best", "spend"]),
        ("no-holdout", ["spend", "trust"]),
        ("bare", ["worth", "best", "spend", "strategy", "trust"]),
    ],
)
def test_a_chapter_without_results_is_absent(name, absent):
    found = page(reported(name))
    chapters = [a["id"] for tag, a in found.tags if tag == "section"]
    assert chapters == [chapter for chapter in CHAPTERS if chapter not in absent]
    links = [a["href"][1:] for tag, a in found.tags if tag == "a" and (a.get("href") or "")[1:] in CHAPTERS]
    assert set(chapters) <= set(links)


@pytest.mark.parametrize("name", RUNS)
def test_the_first_screen(name):
    text = (reported(name) / "report.html").read_text(encoding="utf-8")
    lead = re.search(r'<p class="lead">(.*?)</p>', text, re.DOTALL)[1]
    plain = html.unescape(re.sub("<[^>]+>", "", lead))
    assert 1 <= len(re.findall(r"[.](?:\s|$)", plain)) <= 3
    assert len(plain.split()) <= 45
    assert text.count('<dd class="number">') == 4
    failed = re.search(r'<div class="failed".*?</strong>(.*?)<a ', text, re.DOTALL)
    assert len(html.unescape(failed[1]).split()) <= 35
    assert text.index('class="failed"') < text.index('class="lead"') < text.index("<main")


def test_failures_come_first_and_only_when_any(tmp_path):
    fine = fake_run(60, 100, checks=CHECK_ROWS[CHECK_ROWS.result != "failed"].reset_index(drop=True))
    text = write_report(store(fine, tmp_path)).read_text(encoding="utf-8")
    assert 'class="failed"' not in text
    rows = re.findall(r'<td class="is-([a-z-]+)">', text)
    assert rows == ["look", "passed", "passed", "skipped", "not-applicable"]


def test_every_check_is_listed_once_failed_first():
    text = (reported("full") / "report.html").read_text(encoding="utf-8")
    rows = re.findall(r'<td class="is-([a-z-]+)"><span aria-hidden="true">(.)</span>', text)
    assert [row[0] for row in rows] == ["failed", "look", "passed", "passed", "skipped", "not-applicable"]
    assert len({symbol for _, symbol in rows}) == 5


@pytest.mark.parametrize("name", ["full", "small", "public", "company", "company-small"])
def test_numbers_of_captions_stand_in_the_tables(name):
    """A caption's range is that of the CSV beside the figure, rounded by the rule."""
    from clvmodels import words

    folder = reported(name)
    about = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    text = page(folder).words
    total = (
        pd.read_csv(folder / "tables/total_value.totals.csv")
        .query("total == 'value'")
        .set_index("series")
        .loc["realised"]
    )
    assert words.span(total.q5, total.q95, currency=about["currency"]) in text
    odds = pd.read_csv(folder / "tables/top_odds.counts.csv").set_index("series").loc["worth"]
    assert f"{words.counted(odds['sure'], 'customer')} " in text
    track = pd.read_csv(folder / "tables/tracking.total.csv").iloc[0]
    assert words.count(track.actual) in text
    assert words.count_span(track.q5, track.q95) in text
    tenth = pd.read_csv(folder / "tables/value_ranking.csv").iloc[9]
    assert f"{words.rank_span(tenth.rank_q5, tenth.rank_q95)} (90%)" in text
    assert words.rank_span(tenth.realised_rank_q5, tenth.realised_rank_q95) in text


@pytest.mark.parametrize("name", ["hostile", "company-hostile"])
def test_hostile_names_are_escaped_and_short(name):
    text = (reported(name) / "report.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "<img" not in text
    assert "\u202e" not in text
    assert "\x07" not in text
    assert "n" * 250 not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    for path in (reported(name) / "figures").glob("*.svg"):
        root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        assert not [e for e in root.iter() if e.tag.rsplit("}")[-1] in ("script", "img", "foreignObject")]


def test_public_reports_name_customers_by_place():
    text = (reported("public") / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"C-\d{5}", text)
    assert "1st" in text


def test_two_builds_are_byte_identical(tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(reported("full"), copy)
    for path in [*copy.glob("figures/*"), copy / "report.html"]:
        path.unlink()
    write_report(copy)
    made = sorted(path.relative_to(copy) for path in [*copy.glob("figures/*"), copy / "report.html"])
    assert len(made) > 15
    for path in made:
        assert (copy / path).read_bytes() == (reported("full") / path).read_bytes(), path


@pytest.mark.parametrize("name", RUNS)
def test_the_budget(name):
    text = (reported(name) / "report.html").read_text(encoding="utf-8")
    assert len(text.encode()) < 600_000
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert len(style.encode()) < 12_000
    for figure in re.findall(r"<figure\b.*?</figure>", text, re.DOTALL):
        drawings = re.findall(r"<svg\b.*?</svg>", figure, re.DOTALL)
        assert sum(len(drawing.encode()) for drawing in drawings) < 40_000


def test_the_page_follows_its_theme_and_files_keep_their_colours():
    text = (reported("full") / "report.html").read_text(encoding="utf-8")
    drawings = "".join(re.findall(r"<svg\b.*?</svg>", text, re.DOTALL))
    assert not re.search(r"#[0-9a-f]{6}", drawings)
    assert "var(--blue)" in drawings
    assert "DejaVu" not in drawings
    file = (reported("full") / "figures/tracking-688.svg").read_text(encoding="utf-8")
    assert "#0072b2" in file
    assert "var(" not in file


def test_rounding_touches_coordinates_and_never_words():
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10.26 5"><g id="a"><path d="M 0.123 4.567 L 1 2" '
        'style="stroke: #0072b2"/></g><text style="font-size: 12px" x="3.14159">0.25 and 0.125 &lt;b&gt; #0072b2'
        "</text></svg>"
    )
    text = svg.for_page(raw, "name", "small", "alt")
    assert ">0.25 and 0.125 &lt;b&gt; #0072b2<" in text
    assert 'd="M0.1 4.6L1 2"' in text
    assert 'x="3.1"' in text
    assert "stroke:var(--blue)" in text


def test_alternative_text_belongs_to_its_drawing():
    found = page(reported("full"))
    drawings = [a for tag, a in found.tags if tag == "svg"]
    alts = {a["id"] for tag, a in found.tags if tag == "p" and "hidden" in a}
    assert all(a["role"] == "img" and a["aria-labelledby"] in alts for a in drawings)
    assert {a["aria-labelledby"] for a in drawings} == alts
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert all("scope" in a for tag, a in found.tags if tag == "th")
    scrolls = [a for _, a in found.tags if "scroll" in (a.get("class") or "")]
    assert all(a.get("tabindex") == "0" and a.get("aria-label") for a in scrolls)


def test_colours_of_words_have_contrast_in_both_themes():
    from clvmodels.report import page as page_module

    css = (Path(page_module.__file__).parent / "style.css").read_text(encoding="utf-8")
    themes = [
        dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in re.findall(r":root \{(.*?)\}", css, re.S)
    ]
    assert len(themes) == 2

    def light(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    for theme in themes:
        for ground in ("paper", "alarm", "soft"):
            for words in ("ink", "muted", "blue", "teal", "red"):
                high, low = sorted((light(theme[words]), light(theme[ground])), reverse=True)
                if ground == "paper" or words in ("ink", "red", "muted"):
                    assert (high + 0.05) / (low + 0.05) >= 4.5, (words, ground)


def test_a_folder_that_is_no_results_folder_is_refused(tmp_path):
    with pytest.raises(ResultsError, match=r"run\.json"):
        write_report(tmp_path)
    (tmp_path / "run.json").write_text("{", encoding="utf-8")
    with pytest.raises(ResultsError, match="Not valid JSON"):
        write_report(tmp_path)
    (tmp_path / "run.json").write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(ResultsError, match="'title' is missing"):
        write_report(tmp_path)
    shutil.copy(reported("full") / "run.json", tmp_path)
    with pytest.raises(ResultsError, match="no table of a figure"):
        write_report(tmp_path)


def test_ids_and_groups_stay_text_from_a_run_to_its_report(tmp_path):
    ids = ["007", "1e5", "NA", "null", "nan", "True", *(f"c{n}" for n in range(24))]
    groups = ["1.0", "007", "NA", "null", "1e5"]
    folder = store(fake_run(30, 100, ids=ids, groups=groups), tmp_path)
    text = write_report(folder).read_text(encoding="utf-8")
    tables = read(folder).tables
    ranked = set(tables["value_ranking"]["customer"])
    assert ranked <= set(ids) and len(ranked & {"007", "1e5", "NA", "null", "nan", "True"}) >= 3
    assert set(tables["group_effects"].groups["label"]) >= set(groups)
    for name in ranked & set(ids[:6]):
        assert f'<th scope="row">{name}</th>' in text
    for name in groups:
        assert f'<th scope="row">{name}' in text


def test_the_tables_are_enough(tmp_path):
    """A report is rebuilt from run.json and tables alone: nothing else of the run is read."""
    for name in ("run.json", "schema.json"):
        shutil.copy(reported("company") / name, tmp_path)
    shutil.copytree(reported("company") / "tables", tmp_path / "tables")
    assert write_report(tmp_path).read_bytes() == (reported("company") / "report.html").read_bytes()
    assert {p.name.partition(".")[0] for p in (tmp_path / "tables").iterdir()} == set(FIGURES)


def test_a_figure_of_several_tables_is_read_whole_or_not_at_all(tmp_path):
    shutil.copytree(reported("full"), tmp_path, dirs_exist_ok=True)
    (tmp_path / "tables" / "tracking.total.csv").unlink()
    with pytest.raises(ResultsError, match=r"no table 'tables/tracking\.total'"):
        read(tmp_path)
    for part in ("periods", "inside"):
        (tmp_path / "tables" / f"tracking.{part}.csv").unlink()
    assert "tracking" not in read(tmp_path).tables


def test_a_run_that_stored_all_kinds_of_rows_in_one_table_has_to_be_run_again(tmp_path):
    shutil.copytree(reported("full"), tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "tables").glob("tracking.*.csv"):
        path.rename(tmp_path / "tables" / "tracking.csv")
    with pytest.raises(ResultsError, match="Run the experiment again"):
        read(tmp_path)


@pytest.mark.parametrize(
    "kept", [["concentration"], ["value_ranking"], ["pit"], ["model_comparison"], ["group_effects"]]
)
def test_an_experiment_may_ask_for_one_figure_and_still_shows_all_checks(kept, tmp_path):
    (tmp_path / "tables").mkdir()
    full = reported("full")
    tables = [path.relative_to(full) for figure in kept for path in (full / "tables").glob(f"{figure}.*")]
    for name in ("run.json", "schema.json", "checks.csv", "account.csv", *tables):
        shutil.copy(full / name, tmp_path / name)
    text = write_report(tmp_path).read_text(encoding="utf-8")
    assert len(re.findall(r'<td class="is-', text)) == 6
    assert re.findall(r'<td class="is-(\w+)', text)[0] == "failed"
    assert "Rows used" in text
    assert 3 <= text.count('<dd class="number">') <= 4
    assert re.search(r'<p class="lead">\w', text)


def test_failures_of_one_check_are_told_together_the_recommended_entry_first(tmp_path):
    numbers = {"value": 1882, "at_least": 1403, "at_most": 1838}
    failed = [
        check_row("held_out_total", "failed", entry, "do not plan totals with it", **numbers)
        for entry in ("last", "bg", "pareto")
    ]
    checks = pd.concat([as_table(failed), CHECK_ROWS], ignore_index=True)
    text = write_report(store(fake_run(60, 100, checks=checks), tmp_path)).read_text(encoding="utf-8")
    box = html.unescape(re.search(r'<div class="failed".*?</div>', text, re.DOTALL)[0])
    assert "4 of 9 checks failed." in box
    came = "1,882 held-out purchases came, 1,403 to 1,838 were forecast"
    assert f"{came} (Pareto/NBD, by channel and 2 more)." in box
    assert "Do not plan totals with it." in box
    assert "And 1 more." in box
    assert "If it fails" not in box


def test_a_long_failure_keeps_its_consequence_and_leaves_its_numbers_to_the_table(tmp_path):
    consequence = (
        "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
        "seventeen eighteen nineteen twenty: stop."
    )
    numbers = {"value": 1882, "at_least": 1403, "at_most": 1838}
    row = check_row("held_out_total", "failed", "pareto", consequence, **numbers)
    row = row._replace(code="loo_pareto_k", check="A check whose name alone takes all of nine words")  # of no total
    checks = pd.concat([as_table([row]), CHECK_ROWS], ignore_index=True)
    text = write_report(store(fake_run(60, 100, checks=checks), tmp_path)).read_text(encoding="utf-8")
    box = re.sub("<[^>]+>", "", html.unescape(re.search(r'<div class="failed".*?</div>', text, re.DOTALL)[0]))
    assert "twenty: stop." in box
    assert "1,838" not in box
    assert len(box.split()) <= 35 + 8  # and the line's own words: how many failed, and the link
