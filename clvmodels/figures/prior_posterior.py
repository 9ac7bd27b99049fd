"""What the data added to the priors: prior and posterior on natural scales, in small panels."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import Array, quantiles
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words, rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.inference.posterior import Posterior
    from clvmodels.models.contract import Meaning
    from clvmodels.results.folder import About, Run

POINTS, DRAWS, MOST, FEWEST, QUANTITIES = 41, 2000, 12, 50, 40
MOST_NAMED = 4


class Quantity(NamedTuple):
    """What is drawn in a panel: its name, its title, draws of the prior and of the posterior; the part of the model
    that it is of (purchases, returns, ...), and its place among that model's quantities."""

    name: str
    title: str
    prior: Array
    posterior: Array
    part: str = ""
    place: int = 0


class Tables(NamedTuple):
    """What the data added, quantity by quantity."""

    quantiles: pd.DataFrame
    """Of each quantity, prior and posterior."""
    curves: pd.DataFrame
    """Of at most 12 quantities the densities of both at 41 points, heights up to 1."""


def table(run: Run) -> Tables | None:
    """Quantiles and densities of each quantity, prior and posterior.

    Each model is drawn before any has a second panel. Several models may call a quantity the same: then its name
    begins with the model's part.
    """
    quantities_of_all = _all(run)
    in_turn = sorted(range(len(quantities_of_all)), key=lambda number: quantities_of_all[number].place)
    drawn = set(in_turn[:MOST])
    rows, curves = [], []
    for number, quantity in enumerate(quantities_of_all[:QUANTITIES]):
        named = {"part": quantity.part, "name": quantity.name, "title": quantity.title}
        for series in ("prior", "posterior"):
            rows.append({"series": series, **named, **quantiles(getattr(quantity, series))})
        if number in drawn:
            curves += [named | row for row in _curves(quantity)]
    return Tables(pd.DataFrame(rows), pd.DataFrame(curves)) if rows else None


def _all(run: Run) -> list[Quantity]:
    """All quantities that have a posterior: the maximum of the likelihood is a point, not a posterior."""
    of_models = [
        quantity._replace(part=part, place=place)
        for part, posterior in run.valued.posteriors.items()
        for place, quantity in enumerate(quantities(posterior, run.about))
        if len(quantity.posterior) >= FEWEST
    ]
    models = Counter(quantity.name for quantity in of_models)
    return [_with_part(quantity) if models[quantity.name] > 1 else quantity for quantity in of_models]


def _with_part(quantity: Quantity) -> Quantity:
    part = quantity.part.replace("_", " ")
    return quantity._replace(name=f"{part}: {quantity.name}", title=f"{part}: {quantity.title}")


def _curves(quantity: Quantity) -> list[dict]:
    x = _window(quantity.prior, quantity.posterior)
    rows = []
    for series in ("prior", "posterior"):
        height = _density(getattr(quantity, series), x)
        # a prior may rise without end at 0: its peak, drawn whole, would hide the rest
        scale = np.quantile(height, 0.95) if series == "prior" else height.max()
        for point, share in zip(x, np.minimum(height / scale, 1.0), strict=True):
            rows.append({"series": series, "x": float(point), "height": float(share)})
    return rows


def quantities(posterior: Posterior, about: About) -> list[Quantity]:
    """What a model's parameters mean.

    A model that says what its parameters mean together (`meanings`: title, unit, of(theta)) is shown by these and by
    its coefficients (a calendar's), as factors; another by its parameters one by one.
    """
    model, data = posterior.model, posterior.data["posterior"]
    after = {p.name: np.asarray(data[p.name].values, dtype=float).reshape(-1) for p in model.parameters}
    before = {name: np.asarray(posterior.prior_draws[name], dtype=float).reshape(-1) for name in after}
    if not model.meanings:
        return [Quantity(p.name, f"{p.name}: {p.meaning}", before[p.name], after[p.name]) for p in model.parameters]
    together = [_meaning(meaning, posterior.amount_unit, before, after, about) for meaning in model.meanings]
    coefficients = [p for p in model.parameters if p.support == "real" and p.part == "purchases"]
    factors = [
        Quantity(p.name, f"{p.name}: factor on the {p.raises}", np.exp(before[p.name]), np.exp(after[p.name]))
        for p in coefficients
    ]
    return together + factors


def _meaning(meaning: Meaning, amount: float, before: dict, after: dict, about: About) -> Quantity:
    """Money in the currency, whatever the unit of the amounts."""
    scale = amount if "{currency}" in meaning.unit else 1.0
    prior, posterior = (_finite(scale * np.asarray(meaning.of(theta), dtype=float)) for theta in (before, after))
    return Quantity(meaning.title, f"{meaning.title}{_unit(meaning.unit, about)}", prior, posterior)


def _unit(unit: str, about: About) -> str:
    text = unit.format(time_unit=about.time_unit, currency=about.currency or "")
    return f", {text}" if text.strip() else ""


def _finite(draws: Array) -> Array:
    return np.asarray(draws)[np.isfinite(draws)]


def _window(prior: Array, found: Array) -> Array:
    """Where both can be seen: the posterior whole, and of a wide prior as much as leaves the posterior some width."""
    low, middle, high = np.quantile(found, (0.002, 0.5, 0.998))
    width = max(high - low, 1e-9 * abs(middle), 1e-12)
    near, far = np.quantile(prior, (0.02, 0.9))
    positive = min(prior.min(), found.min()) > 0
    start, end = max(min(low, near), low - 7 * width), min(max(high, far), high + 7 * width)
    if positive and start < 0.2 * end:  # near enough to 0 to begin there
        start = 1e-4 * end
    return np.linspace(start, end, POINTS)


def _density(draws: Array, x: Array) -> Array:
    """A kernel density, on the log scale where all draws are positive."""
    from scipy.stats import gaussian_kde

    thin = draws[:: max(1, len(draws) // DRAWS)]
    if np.ptp(thin) == 0:
        return (np.abs(x - thin[0]) <= (x[1] - x[0]) / 2).astype(float) + 1e-12
    if thin.min() > 0 and x[0] > 0:
        return gaussian_kde(np.log(thin))(np.log(x)) / x
    return gaussian_kde(thin)(x)


def heading(tables: Tables, about: About) -> str:
    return "What the data added to the priors"


def ratios(frame: pd.DataFrame) -> pd.Series:
    """Width of the prior's 90% interval over the posterior's, by quantity."""
    width = (frame["q95"] - frame["q5"]).groupby([frame["name"], frame["series"]], sort=False).first().unstack()
    return width["prior"] / width["posterior"].where(width["posterior"] > 0)


def describe(tables: Tables, about: About) -> Words:
    narrowed = ratios(tables.quantiles)
    worst = narrowed.idxmin()
    ratio = words.number(math.floor(10 * narrowed.min()) / 10, 1.0 if narrowed.min() >= 10 else 0.1)
    drawn = tables.curves["name"].nunique()
    left = len(narrowed) - drawn
    sub = "Grey: prior. Blue: posterior. Heights are scaled, a prior's peak may be cut: compare widths and places."
    sub += f" {words.counted(left, 'quantity', 'quantities')} more in the numbers below." if left else ""
    if narrowed.min() >= 2:
        caption = (
            f"Every posterior is at least **{ratio} times narrower** than its prior (90% intervals; the least: {worst})"
            ": the data decide, more than the priors."
        )
    else:
        few = words.listing([str(name) for name in narrowed.index[narrowed < 2]][:MOST_NAMED])
        more = int((narrowed < 2).sum()) - MOST_NAMED
        few += f" (and {more} more)" if more > 0 else ""
        caption = (
            f"The data add little on **{few}**: the posterior is less than 2 times narrower than the prior "
            "(90% intervals), so the prior matters there."
        )
    panels = words.counted(drawn, "small panel")
    alt = f"{panels}: grey prior, blue posterior; the least narrowed by a factor of {ratio}."
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    table = tables.curves
    names = list(dict.fromkeys(table["name"]))
    columns = 2 if width < 500 else 3 if len(names) in (3, 5, 6, 9) else 4
    gap, side = 22, 18
    each = (width - 2 * side - gap * (columns - 1)) / columns
    titles = {row.name: row.title for row in table[["name", "title"]].drop_duplicates().itertuples(index=False)}
    lines = {name: style.wrap(titles[name], each, 3 if width >= 500 else 4) for name in names}
    head, height = 15 * max(map(len, lines.values())) + 6, 74
    rows = math.ceil(len(names) / columns)
    figure = style.canvas(width, rows * (head + height + 34) + 4)
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        left, top = side + column * (each + gap), row * (head + height + 34) + head
        axes = style.panel(figure, left, width - left - each, top, rows * (head + height + 34) + 4 - top - height)
        curves = rows_of(table, name=name)
        for series, colour, alpha in (("prior", style.RULE, 0.35), ("posterior", style.BLUE, 0.55)):
            curve = rows_of(curves, series=series)
            axes.fill_between(curve["x"], curve["height"], color=colour, alpha=alpha, linewidth=0)
        start, end = curves["x"].min(), curves["x"].max()
        axes.set(xlim=(0 if 0 < start < 1e-3 * end else start, end), ylim=(0, 1.05))
        axes.set_yticks([])
        style.x_ticks(axes, style.ticks(*axes.get_xlim(), 3))
        for line, text in enumerate(reversed(lines[name])):
            style.say(axes, 0, 1, text, style.MUTED, va="bottom", transform=style.above(axes, 4 + 15 * line))
    return figure


def numbers(tables: Tables, about: About) -> Numbers:
    narrowed = ratios(tables.quantiles)
    rows = []
    for name, group in tables.quantiles.groupby("name", sort=False):
        q = group.set_index("series")
        ranges = [words.span(q.loc[s, "q5"], q.loc[s, "q95"]) for s in ("prior", "posterior")]
        middle = words.number(
            q.loc["posterior", "q50"], words.width_step(q.loc["posterior", "q5"], q.loc["posterior", "q95"])
        )
        rows.append(
            (words.label(group["title"].iloc[0], 80), ranges[0], middle, ranges[1], words.number(narrowed[name], 0.1))
        )
    return Numbers(("Quantity", "Prior, 90%", "Posterior, middle", "Posterior, 90%", "Times narrower"), rows)


FIGURE = Figure(
    "prior_posterior",
    "prior and posterior of what the parameters mean",
    "model",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
