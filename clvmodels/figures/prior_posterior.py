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
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.inference.posterior import Posterior
    from clvmodels.models.parameters import Meaning
    from clvmodels.results.folder import About, Run

POINTS, DRAWS, MOST, FEWEST, QUANTITIES = 41, 2000, 12, 50, 40
MOST_NAMED = 4
SIDE, GAP, HEIGHT, LINE = 18, 22, 74, 15
"""Pixels: of the margins, between panels, of a panel, of a line of its title."""


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
    model, draws = posterior.model, posterior.data["posterior"]
    after, before = {}, {}
    for parameter in model.parameters:
        name = parameter.name
        after[name] = np.asarray(draws[name].values, dtype=float).reshape(-1)
        before[name] = np.asarray(posterior.prior_draws[name], dtype=float).reshape(-1)
    shown = []
    if not model.meanings:
        for parameter in model.parameters:
            name = parameter.name
            shown.append(Quantity(name, f"{name}: {parameter.meaning}", before[name], after[name]))
        return shown
    for meaning in model.meanings:
        shown.append(_meaning(meaning, posterior.amount_unit, before, after, about))
    for parameter in model.parameters:
        name = parameter.name
        if parameter.support == "real" and parameter.part == "purchases":
            title = f"{name}: factor on the {parameter.raises}"
            shown.append(Quantity(name, title, np.exp(before[name]), np.exp(after[name])))
    return shown


def _meaning(meaning: Meaning, amount: float, before: dict, after: dict, about: About) -> Quantity:
    """Money in the currency, whatever the unit of the amounts."""
    scale = amount if "{currency}" in meaning.unit else 1.0
    prior = _finite(scale * np.asarray(meaning.of(before), dtype=float))
    posterior = _finite(scale * np.asarray(meaning.of(after), dtype=float))
    return Quantity(meaning.title, f"{meaning.title}{_unit(meaning.unit, about)}", prior, posterior)


def _unit(unit: str, about: About) -> str:
    text = unit.format(time_unit=about.time_unit, currency=about.currency or "")
    return f", {text}" if text.strip() else ""


def _finite(draws: Array) -> Array:
    return np.asarray(draws)[np.isfinite(draws)]


def _window(prior: Array, posterior: Array) -> Array:
    """Where both can be seen: the posterior whole, and of a wide prior as much as leaves the posterior some width."""
    low, middle, high = np.quantile(posterior, (0.002, 0.5, 0.998))
    width = max(high - low, 1e-9 * abs(middle), 1e-12)
    near, far = np.quantile(prior, (0.02, 0.9))
    start = max(min(low, near), low - 7 * width)
    end = min(max(high, far), high + 7 * width)
    is_positive = min(prior.min(), posterior.min()) > 0
    if is_positive and start < 0.2 * end:  # near enough to 0 to begin there
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


def ratios(table: pd.DataFrame) -> pd.Series:
    """Width of the prior's 90% interval over the posterior's, by quantity."""
    width = table["q95"] - table["q5"]
    by_series = width.groupby([table["name"], table["series"]], sort=False).first().unstack()
    posterior = by_series["posterior"]
    return by_series["prior"] / posterior.where(posterior > 0)


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
    columns = _columns(len(names), width)
    panel_width = (width - 2 * SIDE - GAP * (columns - 1)) / columns
    titles = dict(zip(table["name"], table["title"], strict=True))
    lines = {name: style.wrap(titles[name], panel_width, 3 if width >= 500 else 4) for name in names}
    head = LINE * max(map(len, lines.values())) + 6
    row_height = head + HEIGHT + 34
    height = math.ceil(len(names) / columns) * row_height + 4
    figure = style.canvas(width, height)
    for place, name in enumerate(names):
        row, column = divmod(place, columns)
        left, top = SIDE + column * (panel_width + GAP), row * row_height + head
        axes = style.panel(figure, left, width - left - panel_width, top, height - top - HEIGHT)
        _panel(axes, rows_of(table, name=name), lines[name])
    return figure


def _columns(panels: int, width: int) -> int:
    if width < 500:
        return 2
    return 3 if panels in (3, 5, 6, 9) else 4  # with four the last row would be nearly empty


def _panel(axes: Axes, curves: pd.DataFrame, title: list[str]) -> None:
    """Both densities of a quantity, below its title."""
    for series, colour, alpha in (("prior", style.RULE, 0.35), ("posterior", style.BLUE, 0.55)):
        curve = rows_of(curves, series=series)
        axes.fill_between(curve["x"], curve["height"], color=colour, alpha=alpha, linewidth=0)
    start, end = curves["x"].min(), curves["x"].max()
    if 0 < start < 1e-3 * end:
        start = 0
    axes.set(xlim=(start, end), ylim=(0, 1.05))
    axes.set_yticks([])
    style.x_ticks(axes, style.ticks(*axes.get_xlim(), 3))
    for line, text in enumerate(reversed(title)):
        style.say(axes, 0, 1, text, style.MUTED, va="bottom", transform=style.above(axes, 4 + LINE * line))


def numbers(tables: Tables, about: About) -> Numbers:
    narrowed = ratios(tables.quantiles)
    rows = []
    for name, group in tables.quantiles.groupby("name", sort=False):
        prior, posterior = row_of(group, series="prior"), row_of(group, series="posterior")
        title = words.label(group["title"].iloc[0], 80)
        before, after = words.span(prior.q5, prior.q95), words.span(posterior.q5, posterior.q95)
        middle = words.number(posterior.q50, words.width_step(posterior.q5, posterior.q95))
        rows.append((title, before, middle, after, words.number(narrowed[name], 0.1)))
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
