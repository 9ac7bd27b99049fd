"""Figures: bounded tables, words computed from the table alone, drawings by the rules of the style."""

from __future__ import annotations

import io
import itertools
import re

import numpy as np
import pandas as pd
import pytest
from fakes.company_run import with_company
from fakes.run import HOSTILE, fake_run

from clvmodels import words
from clvmodels.errors import DataError
from clvmodels.figures import FIGURES, plot, style
from clvmodels.figures.scores import metric_of
from clvmodels.figures.value_ranking import places
from clvmodels.metrics import METRICS
from clvmodels.metrics.checks import reliable_share
from clvmodels.report import svg

DRAWN = [name for name, figure in FIGURES.items() if figure.draw is not None]


@pytest.fixture(scope="module")
def run():
    return with_company(fake_run())


def stored(table: pd.DataFrame) -> pd.DataFrame:
    """The table as a results folder gives it back."""
    return pd.read_csv(io.StringIO(table.to_csv(index=False)))


@pytest.fixture(scope="module")
def tables(run):
    return {name: stored(figure.table(run)) for name, figure in FIGURES.items()}


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_says_what_it_shows_from_its_stored_table(name, run, tables):
    figure, table = FIGURES[name], tables[name]
    assert figure.name == name
    said = figure.words(table, run.about)
    assert figure.heading(table, run.about)
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
def test_drawings_use_the_roles_and_12_px_only(name, width, run, tables):
    text = svg.render(FIGURES[name].draw(tables[name], run.about, width))
    assert f'viewBox="0 0 {width} ' in text
    assert set(re.findall(r"#[0-9a-f]{6}", text)) <= set(style.ROLES.values())
    assert set(re.findall(r"font-size: ([\d.]+)px", text)) == {"12"}
    assert "<image" not in text


def test_tables_do_not_grow_with_the_base(tables):
    assert (tables["top_odds"].query("kind == 'curve'").groupby("series").size() <= 120).all()
    assert len(tables["value_ranking"]) <= 25
    assert (tables["concentration"].groupby("series").size() <= 120).all()
    assert len(tables["p_alive"].query("kind == 'cell'")) <= 25 * 25
    assert all(len(table) <= 1200 for table in tables.values())


def test_words_come_from_the_table(run, tables):
    """Another table, other words: no number is kept from the run."""
    table = tables["total_value"].copy()
    table[["q5", "q25", "q50", "q75", "q95"]] *= 10
    said = FIGURES["total_value"].words(table, run.about).caption
    row = table.query("kind == 'total' and series == 'realised'").iloc[0]
    assert f"{round(row.q5, -4):,.0f} to {round(row.q95, -4):,.0f}" in said


def test_the_comparison_has_the_headline_of_every_metric_that_was_scored(run, tables):
    """By the metric's own line: a column of its name, titled and written as it says."""
    titles = FIGURES["model_comparison"].numbers(tables["model_comparison"], run.about).columns
    assert titles[4:] == ("Bias of total", "CRPS", "90% coverage")
    row = FIGURES["model_comparison"].numbers(tables["model_comparison"], run.about).rows[0]
    assert row[4:] == (f"{words.MINUS}4%", "0.410", "91%")
    without = tables["model_comparison"].drop(columns="crps")
    assert "CRPS" not in FIGURES["model_comparison"].numbers(without, run.about).columns


def test_all_scores_stand_in_one_table_a_column_a_model_the_best_first(run, tables):
    found = FIGURES["scores"].numbers(tables["scores"], run.about)
    assert found.columns == ("Score", *tables["model_comparison"]["label"])
    assert [row[0].split("\n")[0] for row in found.rows] == list(run.scores["metric"].unique())
    assert found.rows[0][0].split("\n")[1] == f"{METRICS['crps'].title}; better: lower"
    with_interval = tables["scores"].assign(lower=0.4, upper=0.42)
    assert FIGURES["scores"].numbers(with_interval, run.about).rows[0][1] == "0.410 (0.400 to 0.420)"


def test_a_row_of_scores_is_of_the_metric_with_the_longest_name():
    assert [metric_of(row).name for row in ("elpd_pareto_k_bad", "elpd_spend_of_means", "coverage_90")] == [
        "elpd",
        "elpd_spend",
        "coverage",
    ]


def test_total_value_is_the_total_of_each_draw(run, tables):
    values = run.valued.values
    credit = values.parts["referrals"].realised.sum(axis=1, dtype=float)
    totals = values.realised.sum(axis=1, dtype=float) - credit
    assert (credit > 0).all()
    row = tables["total_value"].query("kind == 'total' and series == 'realised'").iloc[0]
    assert [row.q5, row.q95] == pytest.approx(np.quantile(totals, [0.05, 0.95]), rel=1e-6)
    assert len(tables["total_value"].query("kind == 'dot'")) == 50


def test_tracking_counts_weeks_and_names_the_side_of_the_total(run, tables):
    weeks = tables["tracking"].query("kind == 'period' and held_out == True")
    inside = tables["tracking"].query("kind == 'inside'").iloc[0]
    assert inside.actual == ((weeks.actual >= weeks.q5) & (weeks.actual <= weeks.q95)).sum()
    high = tables["tracking"].copy()
    high.loc[high.kind == "total", "actual"] = 10_000
    assert "**above**" in FIGURES["tracking"].words(high, run.about).caption
    high.loc[high.kind == "inside", "actual"] = 3
    assert "this check fails" in FIGURES["tracking"].words(high, run.about).caption


def test_a_rare_purchase_is_tracked_by_four_weeks():
    table = FIGURES["tracking"].table(fake_run(50, draws=100))
    periods = table.query("kind == 'period'")
    assert set(periods["units"]) == {4} and set(periods["unit"]) == {"week"}
    assert pd.Timestamp(periods.query("held_out == True")["start"].iloc[0]) == pd.Timestamp("2025-07-01")


def test_a_good_forecast_is_inside_its_bands_and_a_bad_one_is_not(run, tables):
    assert "stays inside" in FIGURES["pit"].words(tables["pit"], run.about).caption
    assert reliable_share(tables["reliability"]) > 0.9
    narrow = tables["pit"].copy()
    narrow["surplus"] = 0.1 * np.sin(2 * np.pi * narrow["place"])
    assert "leaves the band" in FIGURES["pit"].words(narrow, run.about).caption


def test_places_below_the_best_follow_the_size_of_the_base():
    assert places(3000, 600) == [100, 300, 600]
    assert places(1_000_000, 200_000) == [1000, 10_000, 100_000, 200_000]
    assert places(70, 14) == [14]


def test_a_run_without_results_for_a_figure_has_none():
    bare = fake_run(200, draws=100, holdout=False, value=False)
    absent = {name for name, figure in FIGURES.items() if figure.table(bare) is None}
    of_value_or_forecast = {
        name for name, figure in FIGURES.items() if figure.chapter in ("worth", "best", "spend", "strategy", "trust")
    }
    assert absent == of_value_or_forecast | {"origins"}  # one table has no origins to tell


def test_public_tables_name_customers_by_place_only():
    public = with_company(fake_run(50, draws=100, public=True))
    for name, figure in FIGURES.items():
        table = figure.table(public)
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


def test_plots_return_axes(run):
    from matplotlib.axes import Axes

    axes = plot("tracking", run)
    assert isinstance(axes, Axes)
    again = plot("tracking", FIGURES["tracking"].table(run), run.about, width=328)
    assert again.figure.get_size_inches()[0] * 72 == pytest.approx(328)
    import matplotlib.pyplot as plt

    assert axes.figure.number in plt.get_fignums()
    plt.close("all")


def test_plot_teaches_what_is_wrong(run):
    with pytest.raises(DataError, match="did you mean 'tracking'"):
        plot("trackin", run)
    with pytest.raises(DataError, match="needs `about`"):
        plot("tracking", FIGURES["tracking"].table(run))
    with pytest.raises(DataError, match="is a table"):
        plot("checks", run)
    with pytest.raises(DataError, match="no results"):
        plot("tracking", fake_run(60, draws=100, holdout=False))


def test_drawing_does_not_touch_the_callers_style(run, tables):
    import matplotlib

    before = matplotlib.rcParams.copy()
    FIGURES["pit"].draw(tables["pit"], run.about, 328)
    assert matplotlib.rcParams.copy() == before


def test_labels_are_pushed_apart_inside_their_room():
    placed = style.spread([5, 6, 200], [40, 40, 40], 0, 200)
    edges = [(x - 20, x + 20) for x in placed]
    assert edges[0][0] >= 0
    assert edges[-1][1] <= 200
    assert all(b[0] - a[1] >= 10 for a, b in itertools.pairwise(edges))


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
        assert len(table) <= 1200, name
        if figure.draw is not None:
            drawn = [svg.for_page(svg.render(figure.draw(table, big.about, w)), name, "w", "a") for w in (688, 328)]
            assert sum(map(len, drawn)) < 40_000, name
