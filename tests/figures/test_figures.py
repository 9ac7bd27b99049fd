"""Figures: bounded tables, words computed from the table alone, drawings by the rules of the style."""

from __future__ import annotations

import re

import pytest
from fakes.company_run import with_company
from fakes.run import HOSTILE, fake_run
from fakes.says import stored

from clvmodels.figures import FIGURES, style
from clvmodels.report import svg
from clvmodels.results.tables import named

DRAWN = [name for name, figure in FIGURES.items() if figure.draw is not None]


def size(table) -> int:
    """Rows of a figure's table, or of its several together."""
    return sum(map(len, named("table", table).values()))


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows_from_its_stored_table(name, company_run, company_tables):
    figure, table = FIGURES[name], company_tables[name]
    assert figure.name == name
    said = figure.words(table, company_run.about)
    assert figure.heading(table, company_run.about)
    assert len(said.alt) < 250
    for text in said:
        assert "-0" not in re.sub(r"held-out|C-\d+", "", text)
        assert "nan" not in text.split()
        assert "±" not in text
        assert not re.search(r"(?<!\d)(?:0|100)% probability", text)
    if figure.draw is not None:
        assert said.alt
        assert said.caption != said.alt


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("width", [688, 328])
def test_drawings_use_the_roles_and_12_px_only(name, width, company_run, company_tables):
    text = svg.render(FIGURES[name].draw(company_tables[name], company_run.about, width))
    assert f'viewBox="0 0 {width} ' in text
    assert set(re.findall(r"#[0-9a-f]{6}", text)) <= set(style.COLOURS.values())
    assert set(re.findall(r"font-size: ([\d.]+)px", text)) == {"12"}
    assert "<image" not in text


def test_tables_do_not_grow_with_the_base(company_tables):
    assert (company_tables["top_odds"].curves.groupby("series").size() <= 120).all()
    assert len(company_tables["value_ranking"]) <= 25
    assert (company_tables["concentration"].curves.groupby("series").size() <= 120).all()
    assert len(company_tables["p_alive"].cells) <= 25 * 25
    assert all(size(table) <= 1200 for table in company_tables.values())


def test_a_run_without_results_for_a_figure_has_none():
    bare = fake_run(200, draws=100, holdout=False, value=False)
    absent = {name for name, figure in FIGURES.items() if figure.table(bare) is None}
    of_value_or_forecast = {
        name for name, figure in FIGURES.items() if figure.chapter in ("worth", "best", "spend", "strategy", "trust")
    }
    # one table has no origins of columns to tell, and who may leave is asked of those who are valued
    assert absent == of_value_or_forecast | {"origins", "leaving"}


def test_public_tables_name_customers_by_place_only():
    public = with_company(fake_run(50, draws=100, public=True))
    for name, figure in FIGURES.items():
        for table in named(name, figure.table(public)).values():
            assert "C-0" not in table.to_csv(), name
    assert FIGURES["value_ranking"].table(public)["customer"].iloc[0] == "1st"


def test_hostile_names_are_words_in_a_drawing():
    hostile = fake_run(50, draws=100, ids=[f"{HOSTILE[i % 5]}{i}" for i in range(50)], groups=list(HOSTILE))
    for name in ("value_ranking", "top_odds", "group_effects", "kpi_win_keep"):
        table = stored(FIGURES[name].table(hostile))
        raw = svg.render(FIGURES[name].draw(table, hostile.about, 328))
        text = svg.for_page(raw, name, "small", "alt")
        assert "<script" not in text
        assert "<img" not in text
        assert "&lt;script&gt;" in text
        assert "…" in text


@pytest.mark.slow
def test_a_million_customers_give_the_same_size_of_table_and_drawing():
    big = with_company(
        fake_run(1_000_000, draws=12)
    )  # too few draws for a posterior's density, which no customer is in
    for name, figure in FIGURES.items():
        made = figure.table(big)
        if made is None:
            assert name == "prior_posterior"
            continue
        table = stored(made)
        assert size(table) <= 1200, name
        if figure.draw is not None:
            drawn = [svg.for_page(svg.render(figure.draw(table, big.about, w)), name, "w", "a") for w in (688, 328)]
            assert sum(map(len, drawn)) < 40_000, name
