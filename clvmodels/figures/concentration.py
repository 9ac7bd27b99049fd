"""How few customers carry the value: the share held by the best customers, by worth and by outcome."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES, quantiles
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

POINTS, SERIES = 60, ("worth", "realised")

MADE = "made"
"""The series of what was made so far, before what winning the customers cost: known, and so without a band."""
NAMES = {"worth": "by worth", "realised": "realised", MADE: "made so far"}


class Tables(NamedTuple):
    """How the value is shared among customers."""

    curves: pd.DataFrame
    """Quantiles of the share held by the best customers, by worth, realised and, where its total is positive, made so
    far, at 60 points and at the top share."""
    losing: pd.DataFrame
    """One row: quantiles of the number of customers who are expected to cost more than they bring."""
    gini: pd.DataFrame
    """A row a series: quantiles of its Gini coefficient, over the draws whose total is positive; missing without
    any."""


def table(run: Run) -> Tables | None:
    """The curves of concentration, and customers at a loss."""
    from clvmodels.decisions.concentration import concentration, gini_draws, own_draws

    values = run.valued.values
    if values is None:
        return None
    shares = concentration(values, points=POINTS, top_share=run.about.top_share)
    is_top = shares["customers"] == math.ceil(round(run.about.top_share * len(values.customer_id), 9))
    curves = []
    for series in SERIES:
        curve = shares[[f"{series}_{name}" for name in QUANTILES]].set_axis(list(QUANTILES), axis=1)
        curve.insert(0, "share_of_customers", shares["share_of_customers"])
        curve.insert(0, "series", series)
        curve.insert(0, "top", is_top)
        curves.append(curve)
    coefficients = {series: gini_draws(values, series) for series in SERIES}
    so_far = _so_far(run)
    if so_far is not None:
        share, coefficient = _of_the_past(so_far, shares["customers"].to_numpy())
        coefficients[MADE] = np.array([coefficient])
        curve = pd.DataFrame(dict.fromkeys(QUANTILES, share))
        curve.insert(0, "share_of_customers", shares["share_of_customers"])
        curve.insert(0, "series", MADE)
        curve.insert(0, "top", is_top)
        curves.append(curve)
    losing = np.array([np.count_nonzero(draw < 0) for draw in own_draws(values, "expected")])
    gini = [{"series": series, **_defined_quantiles(draws)} for series, draws in coefficients.items()]
    return Tables(pd.concat(curves, ignore_index=True), pd.DataFrame([quantiles(losing)]), pd.DataFrame(gini))


def _so_far(run: Run) -> np.ndarray | None:
    """What each customer has brought before what winning the customer cost, which what is to come leaves out too; None
    where the total is not positive: shares of it, and its Gini coefficient, mean nothing."""
    if run.losses is None:
        return None
    made = run.losses.customers["made_before_acquisition"].to_numpy()
    return made if made.sum() > 0 else None


def _of_the_past(made: np.ndarray, best: np.ndarray) -> tuple[np.ndarray, float]:
    """The share held by so many of the best, and the Gini coefficient."""
    from clvmodels.decisions.concentration import concentration_so_far, gini

    return concentration_so_far(made, best), gini(made)


def _defined_quantiles(draws: np.ndarray) -> dict[str, float]:
    """The quantiles over those draws that are defined."""
    defined = draws[np.isfinite(draws)]
    return quantiles(defined) if len(defined) else dict.fromkeys(QUANTILES, np.nan)


def top_of(tables: Tables, series: str) -> pd.Series:
    """Quantiles of the share held by the top share of customers."""
    return row_of(tables.curves, top=True, series=series)


def heading(tables: Tables, about: About) -> str:
    return f"How few customers carry the {phrases.gain(about)}"


def describe(tables: Tables, about: About) -> Words:
    by_worth, realised = (top_of(tables, series) for series in SERIES)
    losing, best = row_of(tables.losing), f"best {words.rate(about.top_share)}"
    share, share_later = share_range(by_worth), share_range(realised)
    sub = "Customers ordered from best to worst; bands: 90% intervals. Dashed grey: if all were equal."
    if _has_past(tables):
        sub += " Thin line: profit made so far, before what winning them cost."
    caption = (
        f"The {best} of customers carry **{share}** of what all are worth (90%), whoever the best are. Looking back "
        f"after {phrases.horizon(about)}, the share of whoever then turned out best will be {share_later}: part of "
        "that is luck, and luck cannot be targeted."
    )
    if _has_past(tables):
        caption += f" Of the profit made so far the {best} hold {share_range(top_of(tables, MADE))}."
    if losing.q95 >= 1:
        customers = words.count_span(losing.q5, losing.q95)
        caption += f" The curves pass 100% and fall back: {words.counted(customers, 'customer is', 'customers are')} "
        caption += f"expected to cost more than {words.agreeing(customers, 'it brings', 'they bring')}."
    if phrases.CREDIT in about.parts:
        caption += " Credit for customers they bring is left out."
    alt = (
        f"Two concentration curves over customers, best first. At the {best}: {share} by worth, {share_later} realised."
    )
    return Words(sub, caption, alt)


def _has_past(tables: Tables) -> bool:
    return MADE in set(tables.curves["series"])


def share_range(row: pd.Series) -> str:
    """A share of the whole value; it may pass 100% where some customers lose money."""
    step = max(0.01, words.width_step(row.q5, row.q95))
    low = words.number(100 * row["q5"], 100 * step)
    high = words.number(100 * row["q95"], 100 * step)
    return f"{low}%" if low == high else f"{low} to {high}%"


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, width * 0.86 if width < 500 else 400)
    axes = style.panel(figure, 46, 24, 38, 40)
    ceiling = max(1.0, float(tables.curves["q95"].max()))
    axes.set(xlim=(0, 1), ylim=(0, ceiling))
    axes.plot([0, 1], [0, 1], "--", color=style.RULE, linewidth=1)
    for series, colour, dash in (("realised", style.TEAL, "--"), ("worth", style.BLUE, "-")):
        curve = rows_of(tables.curves, series=series).sort_values("share_of_customers")
        x = curve["share_of_customers"]
        axes.fill_between(x, curve["q5"], curve["q95"], color=colour, alpha=style.BAND_90, linewidth=0)
        axes.plot(x, curve["q50"], dash, color=colour, clip_on=False)
    if _has_past(tables):
        past = rows_of(tables.curves, series=MADE).sort_values("share_of_customers")
        axes.plot(past["share_of_customers"], past["q50"], color=style.INK, linewidth=1.2, clip_on=False)
    _mark_top(axes, tables, about)
    marks = [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    names = [f"{100 * mark:.0f}%" for mark in marks]
    style.y_ticks(axes, marks, names)
    style.x_ticks(axes, marks, names)
    style.name_x(axes, "customers, best first")
    style.name_y(axes, f"share of the base's {phrases.gain(about)}")
    return figure


def _mark_top(axes: Axes, tables: Tables, about: About) -> None:
    axes.plot([about.top_share] * 2, [0, 1], color=style.RULE, linewidth=1)
    up = style.pixels(axes)[1]
    labels = [(f"with the best {words.rate(about.top_share)}", style.MUTED, "normal")]
    colours = {"worth": style.BLUE, "realised": style.TEAL, MADE: style.INK}
    for series, colour in colours.items():
        if series == MADE and not _has_past(tables):
            continue
        row = top_of(tables, series)
        axes.plot(about.top_share, row.q50, "o", color=colour, markeredgecolor=style.PAPER, markersize=7, zorder=5)
        labels.append((f"{share_range(row)} {NAMES[series]}", colour, "bold"))
    options: dict = {"ha": "right", "va": "bottom", "transform": axes.transAxes}
    for place, (text, colour, weight) in enumerate(labels):
        style.say(axes, 0.985, (9 + 18 * place) / up, text, colour, weight=weight, **options)


def numbers(tables: Tables, about: About) -> Numbers:
    curve = tables.curves
    stored = np.unique(curve["share_of_customers"])
    nearest = [float(stored[np.abs(stored - share).argmin()]) for share in (0.02, 0.05, 0.1, about.top_share, 0.5)]
    shown = [*SERIES, MADE] if _has_past(tables) else list(SERIES)
    rows = []
    for share in sorted(set(nearest)):
        cells = [share_range(row_of(curve, share_of_customers=share, series=series)) for series in shown]
        rows.append((words.rate(round(share, 3)), *cells))
    rows.append(("Gini coefficient", *(_gini(row_of(tables.gini, series=series)) for series in shown)))
    gain = phrases.gain(about)
    titles = ["Best share of customers", "Share of worth, 90%", f"Share of realised {gain}, 90%", "Made so far"]
    return Numbers(tuple(titles[: 1 + len(shown)]), rows)


def _gini(row: pd.Series) -> str:
    """A range, or what stands in its place where no total is positive."""
    if not np.isfinite(row.q50):
        return "none: the total is not positive"
    return words.span(row.q5, row.q95, step=max(0.01, words.width_step(row.q5, row.q95)))


FIGURE = Figure(
    "concentration",
    "the share of the value held by the best customers",
    "worth",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
