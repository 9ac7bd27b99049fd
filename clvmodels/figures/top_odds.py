"""Who is surely among the best: each customer's chance, most certain first, by worth and by what luck leaves of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

SERIES = ("worth", "realised")
SURE, OUT = 0.9, 0.1
POINTS, SMALL, ROWS = 120, 60, 25


class Tables(NamedTuple):
    """Who is among the best, by worth and by realised value."""

    counts: pd.DataFrame
    """Of each series the places at the top, and how many customers are sure of one, in doubt, and surely out."""
    curves: pd.DataFrame
    """At most 120 points of each curve: the odds of the customer at a place, the most certain first."""
    names: pd.DataFrame
    """Of a small base the first customers by name, with their odds by each series; of a large one none."""


def table(run: Run) -> Tables | None:
    """Counts of the sure, the doubtful and those surely not, and the odds, most certain first."""
    ranking = run.valued.ranking
    if ranking is None:
        return None
    top = math.ceil(run.about.top_share * len(ranking))
    counts = []
    for series in SERIES:
        odds = ranking[f"{series}_odds_top"]
        sure, out = int((odds >= SURE).sum()), int((odds <= OUT).sum())
        counts.append({"series": series, "top": top, "sure": sure, "doubt": len(odds) - sure - out, "out": out})
    table = typed(counts, series=str, top=int, sure=int, doubt=int, out=int)
    likely = int(table["sure"].iloc[0] + table["doubt"].iloc[0])
    last = min(len(ranking), math.ceil(1.75 * max(top, likely)))
    names = _names(ranking, run.about.public) if len(ranking) <= SMALL else []
    return Tables(
        table,
        typed(_points(ranking, last), series=str, place=int, odds=float),
        typed(names, series=str, place=int, name=str, odds=float),
    )


def _points(ranking: pd.DataFrame, last: int) -> list[dict]:
    """The odds at some of the places to the last one that is drawn, most certain first."""
    places = np.round(np.linspace(1, last, min(POINTS, last))).astype(int)
    points = []
    for series in SERIES:
        odds = np.sort(ranking[f"{series}_odds_top"].to_numpy())[::-1]
        points += [{"series": series, "place": place, "odds": odds[place - 1]} for place in np.unique(places)]
    return points


def _names(ranking: pd.DataFrame, public: bool) -> list[dict]:
    """Of a small base: the customers themselves, most certain first."""
    best = ranking.sort_values(["worth_odds_top", "expected_mean"], ascending=False, kind="stable")[:ROWS]
    rows = []
    for place, (customer, row) in enumerate(best.iterrows(), 1):
        name = words.ordinal(place) if public else str(customer)
        for series in SERIES:
            rows.append({"series": series, "place": place, "name": name, "odds": row[f"{series}_odds_top"]})
    return rows


def counts(tables: Tables, series: str = "worth") -> pd.Series:
    """Number of customers: top, sure, doubt, out."""
    return row_of(tables.counts, series=series)


def heading(tables: Tables, about: About) -> str:
    return f"Who is surely among the best {words.rate(about.top_share)}"


def describe(tables: Tables, about: About) -> Words:
    n, luck = counts(tables), counts(tables, "realised")
    gain, long, top = phrases.gain(about), phrases.horizon(about), words.count(n["top"])
    marks = ("dots", "diamonds") if len(tables.names) else ("solid", "dashed")
    sub = (
        f"Each customer's chance of belonging to the {top} most valuable: by worth, the {gain} that its own habits "
        f"bring in {long} on average ({marks[0]}), and by the {gain} that {long} will bring ({marks[1]}). Sure: at "
        "least 90%; surely not: at most 10%."
    )
    caption = (
        f"**{words.counted(n['sure'], 'customer')}** {words.agreeing(n['sure'], 'is', 'are')} in the "
        f"{phrases.top(about)} with at least 90% probability, {words.counted(n['out'], 'has', 'have')} at most 10%, "
        f"and {words.counted(n['doubt'], 'stands', 'stand')} between: a list of exactly "
        f"{words.counted(n['top'], 'name')} promises more than the data know. Counting the luck of {long}, "
        f"{words.counted(luck['sure'], 'is', 'are')} that sure."
    )
    alt = (
        f"Falling curve of the chance of being in the {phrases.top(about)} over customers: {words.count(n['sure'])} "
        f"above 90%, {words.count(n['doubt'])} between, {words.count(n['out'])} below 10%. With luck it is flatter."
    )
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    return _dots(tables.names, about, width) if len(tables.names) else _curves(tables, about, width)


def _curves(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, 300 if width >= 500 else 270)
    axes = style.panel(figure, 42, 18, 74, 40)
    solid, dashed = (rows_of(tables.curves, series=series) for series in SERIES)
    last = float(solid.place.max())
    axes.set(xlim=(0, last), ylim=(0, 1.0))
    _regions(axes, counts(tables), last)
    axes.plot(dashed.place, dashed.odds, "--", color=style.TEAL, linewidth=1.6, clip_on=False)
    axes.plot(solid.place, solid.odds, color=style.BLUE, clip_on=False)
    style.y_ticks(axes, [0, OUT, 0.5, SURE], ["0%", "10%", "50%", "90%"])
    style.x_ticks(axes, style.ticks(0, last, 6 if width >= 500 else 4, whole=True))
    style.name_x(axes, "customers, most certain first")
    style.name_y(axes, f"chance of being in the {phrases.top(about)}", rise=52)
    _label_luck(axes, solid, dashed, about, last)
    return figure


class Region(NamedTuple):
    """Places from left to right whose odds are alike, and what stands above them."""

    left: float
    right: float
    customers: str
    name: str


def _regions(axes: Axes, number: pd.Series, last: float) -> None:
    """Shades of those who are sure and in doubt; above each region its customers and its name."""
    sure, likely = number["sure"], number["sure"] + number["doubt"]
    axes.axvspan(0.0, sure, color=style.BLUE, alpha=style.BAND_90, linewidth=0)
    axes.axvspan(sure, likely, color=style.BLUE, alpha=0.1, linewidth=0)
    regions = [
        Region(0.0, sure, words.count(number["sure"]), "sure"),
        Region(sure, likely, words.count(number["doubt"]), "in doubt"),
        Region(likely, last, words.count(number["out"]), "surely not"),
    ]
    across, up = style.pixels(axes)
    middles, widths = [], []
    for region in regions:
        middles.append((region.left + region.right) / 2 / last * across)
        widths.append(max(style.text_width(region.customers, "bold"), style.text_width(region.name)))
    centres = style.spread(middles, widths, -20, across + 10, 14)
    options: dict = {"ha": "center", "va": "bottom", "transform": axes.transAxes}
    for x, region in zip(centres, regions, strict=True):
        style.say(axes, x / across, 1 + 26 / up, region.customers, weight="bold", **options)
        style.say(axes, x / across, 1 + 9 / up, region.name, style.MUTED, **options)


def _label_luck(axes: Axes, solid: pd.DataFrame, dashed: pd.DataFrame, about: About, last: float) -> None:
    """Above the dashed curve, where it and the solid one leave the most room for words; rather at the right."""
    across, up = style.pixels(axes)
    text = f"counting the luck of {phrases.horizon(about)}" if across > 400 else "counting luck"
    reach = last * (style.text_width(text) + 8) / across

    def highest(curve: pd.DataFrame, end: float) -> float:
        """The curve's highest point below words that end there; NaN where it has none."""
        return float(curve.odds[curve.place.between(end - reach, end)].max())

    least, chosen_end = np.inf, last
    for end in np.linspace(last, reach, 12):
        over_solid, over_dashed = highest(solid, end), highest(dashed, end)
        ceiling = max(over_solid, over_dashed)
        cost = ceiling + (ceiling - over_dashed)  # high words, and words far above the curve that they name
        if cost < least:  # never so where a curve has no point
            least, chosen_end = cost, end
    ceiling = np.fmax(highest(solid, chosen_end), highest(dashed, chosen_end))
    height = min(ceiling + 8 / up, 0.98 - 14 / up)
    style.say(axes, chosen_end, height, text, style.TEAL, ha="right", va="bottom")


def _dots(named: pd.DataFrame, about: About, width: int) -> Canvas:
    solid, dashed = (rows_of(named, series=series) for series in SERIES)
    labels = [words.label(name, 18 if width >= 500 else 12) for name in solid["name"]]
    left = max(60, max(map(style.text_width, labels)) + 14)
    figure = style.canvas(width, 20 * len(solid) + 92)
    axes = style.panel(figure, left, 22, 52, 40)
    y = -np.arange(len(solid))
    axes.set(xlim=(0, 1), ylim=(y.min() - 0.7, 0.7))
    axes.plot(dashed.odds, y, "D", markersize=5, color=style.TEAL, markerfacecolor=style.PAPER, clip_on=False)
    axes.plot(solid.odds, y, "o", markersize=8, color=style.BLUE, clip_on=False)
    style.y_ticks(axes, y, labels, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=10)
    style.x_ticks(axes, [OUT, 0.5, SURE], ["10%", "50%", "90%"])
    axes.grid(axis="x")
    style.name_x(axes, f"chance of being in the {phrases.top(about)}")
    style.name_y(axes, "customer", rise=26)
    up = style.pixels(axes)[1]
    options: dict = {"ha": "right", "va": "bottom", "transform": axes.transAxes}
    style.say(axes, 1, 1 + 26 / up, "● by worth", style.BLUE, **options)
    style.say(axes, 1, 1 + 8 / up, f"◇ with the luck of {phrases.horizon(about)}", style.TEAL, **options)
    return figure


def numbers(tables: Tables, about: About) -> Numbers:
    by_worth, realised = (counts(tables, series) for series in SERIES)
    rows = []
    for kind, title in (("sure", "Sure, 90% or more"), ("doubt", "In doubt"), ("out", "Surely not, 10% or less")):
        rows.append((title, words.count(by_worth[kind]), words.count(realised[kind])))
    gain = phrases.gain(about)
    return Numbers(("Customers", "By worth", f"By {gain} with the luck of {phrases.horizon(about)}"), rows)


FIGURE = Figure(
    "top_odds",
    "each customer's probability of being in the top share",
    "best",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
