"""Who is still a customer: counted from 90% up and 10% down, and when silence crosses a level."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, check
from fakes.tiny import END, entry, forecast_run, tiny_run

from clvmodels.customers.table import Customers, Split
from clvmodels.figures import FIGURES
from clvmodels.figures.p_alive import ROWS, _last_row
from clvmodels.figures.style import NARROW


def falling(**told):
    """Eleven customers of one frequency, silent for 0, 10 .. 100 weeks, with 100%, 90% .. 0%; half of a level lies
    where the silence does."""
    silence = 10.0 * np.arange(11)
    table = pd.DataFrame({"frequency": 3, "recency": 120 - silence, "T": 120.0}, index=[f"c{k}" for k in range(11)])
    customers = Customers(table, "week", END, "EUR")
    valued = entry(p_alive=1 - silence / 100)
    return tiny_run(about=about(customers=11, **told), valued=valued, value_split=Split(customers, None, None))


CASES = {
    "half in doubt": Says(
        forecast_run,
        heading="Who is still a customer",
        sub=(
            "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
            "Lines: where the probability of still being a customer is 90%, 50% and 10%."
        ),
        caption=(
            "**50.0% of customers are in doubt**: between 10% and 90% likely to be still there. 50.0% "
            "have at least 90%, 0% at most 10%. Leaving is never seen: this is the model's inference "
            "from silence."
        ),
        alt=(
            "Density of customers by silence and frequency with lines of equal probability of being "
            "alive; 50.0% lie between 10% and 90%, 50.0% above."
        ),
        titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
        rows=[("0", "20", "—", "—", "—"), ("2", "20", "—", "—", "—")],
    ),
    "silence that crosses the levels": Says(
        falling,
        heading="Who is still a customer",
        sub=(
            "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
            "Lines: where the probability of still being a customer is 90%, 50% and 10%."
        ),
        caption=(
            "**63.6% of customers are in doubt**: between 10% and 90% likely to be still there. 18.2% "
            "have at least 90%, 18.2% at most 10%. Leaving is never seen: this is the model's inference "
            "from silence."
        ),
        alt=(
            "Density of customers by silence and frequency with lines of equal probability of being "
            "alive; 63.6% lie between 10% and 90%, 18.2% above."
        ),
        titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
        rows=[("3", "11", "10.0", "50.0", "90.0")],
    ),
}


def falling_sooner():
    """Twelve customers of each of two frequencies: those who bought more are silent for a week where the others are
    for ten. Levels are crossed at half of one's own silence."""
    silence = np.linspace(0, 110, 12)
    table = pd.DataFrame(
        {"frequency": np.repeat([1, 2], 12), "recency": 120 - np.r_[silence, silence / 10], "T": 120.0},
        index=[f"c{k:02d}" for k in range(24)],
    )
    customers = Customers(table, "week", END, "EUR")
    valued = entry(p_alive=np.tile(1 - silence / 110, 2))
    return tiny_run(about=about(customers=24), valued=valued, value_split=Split(customers, None, None))


CASES["two frequencies, joined by lines"] = Says(
    falling_sooner,
    heading="Who is still a customer",
    sub=(
        "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
        "Lines: where the probability of still being a customer is 90%, 50% and 10%."
    ),
    caption=(
        "**66.7% of customers are in doubt**: between 10% and 90% likely to be still there. 16.7% "
        "have at least 90%, 16.7% at most 10%. Leaving is never seen: this is the model's inference "
        "from silence."
    ),
    alt=(
        "Density of customers by silence and frequency with lines of equal probability of being "
        "alive; 66.7% lie between 10% and 90%, 16.7% above."
    ),
    titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
    rows=[("1", "12", "11.0", "55.0", "99.0"), ("2", "12", "1.1", "5.5", "9.9")],
)


def half_without_answer():
    """The eleven of whom it can be told, and nine who never bought again: of them a model like BG/NBD cannot tell."""
    table = falling().value_split.customers.table
    once = pd.DataFrame({"frequency": 0, "recency": 0.0, "T": 120.0}, index=[f"d{k}" for k in range(9)])
    customers = Customers(pd.concat([table, once]), "week", END, "EUR")
    valued = entry(p_alive=np.r_[1 - np.arange(11) / 10, np.full(9, np.nan)])
    return tiny_run(about=about(customers=20), valued=valued, value_split=Split(customers, None, None))


CASES["of some it cannot be told"] = Says(
    half_without_answer,
    heading="Who is still a customer",
    sub=(
        "Dots: customers by repeat purchases and weeks since the last one; larger: more of them. "
        "Lines: where the probability of still being a customer is 90%, 50% and 10%."
    ),
    caption=(
        "**63.6% of customers who bought again are in doubt**: between 10% and 90% likely to be still there. 18.2% "
        "have at least 90%, 18.2% at most 10%. Leaving is never seen: this is the model's inference "
        "from silence. Of 9 customers without a repeat purchase this model cannot tell: before one, it lets nobody "
        "leave."
    ),
    alt=(
        "Density of customers by silence and frequency with lines of equal probability of being "
        "alive; 63.6% lie between 10% and 90%, 18.2% above."
    ),
    titles=("Repeat purchases", "Customers", "90% after, weeks of silence", "50% after", "10% after"),
    rows=[("3", "11", "10.0", "50.0", "90.0")],
)


def test_they_are_counted_and_not_among_those_who_are_surely_there():
    (shares,) = FIGURES["p_alive"].table(half_without_answer()).shares.to_dict("records")
    assert shares == {"alive": 2, "doubt": 7, "gone": 2, "unknown": 9}


def test_where_it_can_be_told_of_nobody_there_is_no_figure():
    found = falling()
    assert (
        FIGURES["p_alive"].table(tiny_run(valued=entry(p_alive=np.full(11, np.nan)), value_split=found.value_split))
        is None
    )


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("p_alive", case)


def test_it_draws(accept_drawings):
    check_drawings("p_alive", CASES, accept_drawings)


def test_whole_opportunities_stand_in_the_middle_of_their_cells():
    """Silent for 0, 10 .. 100 chances: five to a cell, from half a chance before the first on."""
    tables = FIGURES["p_alive"].table(falling(time="opportunities"))
    cells = tables.cells.sort_values("silence_from")
    silence = 10 * np.arange(11)
    first = -0.5 + 5 * (silence // 5)
    assert cells["silence_from"].tolist() == first.tolist()
    assert cells["silence_to"].tolist() == (first + 5).tolist()
    assert (cells["customers"] == 1).all()


def test_a_large_base_is_shaded_and_a_small_one_has_dots():
    """The eleven cells of one customer each; with fifty more customers in the first they are more than sixty."""
    tables, told = FIGURES["p_alive"].table(falling()), falling().about
    customers = tables.cells["customers"].to_numpy()
    (dots,) = drawn(tables, customers + 49 * (np.arange(11) == 0), told).collections
    assert len(dots.get_offsets()) == 11
    faint, strong = drawn(tables, customers + 50 * (np.arange(11) == 0), told).patches
    assert (faint.get_alpha(), strong.get_alpha()) == (0.24, 0.78)
    (left, bottom), (right, top) = strong.get_path().vertices.min(axis=0), strong.get_path().vertices.max(axis=0)
    first = tables.cells.iloc[0]
    assert (left, right, bottom, top) == (first.silence_from, first.silence_to, 2.5, 3.5)
    assert faint.get_path().vertices[:, 1].min() == 2.5 and faint.get_path().vertices[:, 1].max() == 3.5


def drawn(tables, customers, told):
    """The axes of the drawing with other numbers of customers in the cells."""
    return (
        FIGURES["p_alive"].draw(tables._replace(cells=tables.cells.assign(customers=customers)), told, NARROW).axes[0]
    )


@pytest.mark.parametrize(("more", "start"), [(49, "Dots: customers"), (50, "Cells: customers")])
def test_words_tell_dots_and_cells_as_they_are_drawn(more, start):
    """Eleven customers, and as many more as make them sixty, or one more than that."""
    found = falling()
    tables = FIGURES["p_alive"].table(found)
    tables = tables._replace(shares=tables.shares.assign(alive=tables.shares["alive"] + more))
    sub = FIGURES["p_alive"].words(tables, found.about).sub
    stronger = {"Dots: customers": "larger", "Cells: customers": "stronger blue"}[start]
    assert sub.startswith(f"{start} by repeat purchases and weeks since the last one; {stronger}: more of them.")


def test_each_frequency_has_its_own_silences_and_the_last_is_open():
    tables = FIGURES["p_alive"].table(falling())
    cells = tables.cells.assign(frequency=[2] * 5 + [3] * 6, open=[False] * 5 + [True] * 6)
    lines = pd.DataFrame({"frequency": [2, 2, 3], "silence": [5.04, 123.44, 20.0], "p_alive": [0.9, 0.5, 0.9]})
    rows = FIGURES["p_alive"].numbers(tables._replace(cells=cells, lines=lines), falling().about).rows
    assert rows == [("2", "5", "5.0", "123.4", "—"), ("3+", "6", "20.0", "—", "—")]


@pytest.mark.parametrize(
    ("frequency", "last"),
    [
        ([0] * 98 + [7, 7], 8),  # two of a hundred are not under 2%
        ([0] * 99 + [7], 1),
        ([0, 1, 2], 3),
        (list(range(100)), ROWS - 1),
    ],
)
def test_the_last_row_is_the_first_beyond_which_hardly_anybody_lies(frequency, last):
    assert _last_row(np.array(frequency)) == last


def test_of_contracts_nothing_is_inferred_from_silence():
    assert FIGURES["p_alive"].table(falling()) is not None
    assert FIGURES["p_alive"].table(falling(time="renewals")) is None
