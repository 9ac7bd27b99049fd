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


class _Quantity(NamedTuple):
    """What a model's parameters mean, told of one model: its part (purchases, returns, ...), and the place in it."""

    part: str
    place: int
    name: str
    title: str
    prior: Array
    found: Array


def table(run: Run) -> pd.DataFrame | None:
    """Quantiles of each quantity, prior and posterior, and of at most 12 their densities at 41 points, heights up to 1.

    Each model is drawn before any has a second panel. Several models may call a quantity the same: then its name
    begins with the model's part.
    """
    all_of_them = _all(run)
    first = sorted(all_of_them, key=lambda one: one.place)[:MOST]
    rows: list[dict] = []
    for one in all_of_them[:QUANTITIES]:
        base = {"part": one.part, "name": one.name, "title": one.title}
        series = {"prior": one.prior, "posterior": one.found}
        rows += [{"kind": "quantiles", "series": s, **base, **quantiles(draws)} for s, draws in series.items()]
        if any(one is other for other in first):
            rows += [base | row for row in _curves(one, series)]
    return pd.DataFrame(rows) if rows else None


def _all(run: Run) -> list[_Quantity]:
    """All quantities that have a posterior: the maximum of the likelihood is a point, not a posterior."""
    told = [
        _Quantity(part, place, *quantity)
        for part, posterior in run.valued.posteriors.items()
        for place, quantity in enumerate(quantities(posterior, run.about))
        if len(quantity[3]) >= FEWEST
    ]
    count = Counter(one.name for one in told)
    alike = {name for name, number in count.items() if number > 1}
    return [
        one._replace(name=f"{_model(one)}: {one.name}", title=f"{_model(one)}: {one.title}")
        if one.name in alike
        else one
        for one in told
    ]


def _model(one: _Quantity) -> str:
    return one.part.replace("_", " ")


def _curves(one: _Quantity, series: dict[str, Array]) -> list[dict]:
    x = _window(one.prior, one.found)
    rows = []
    for name, draws in series.items():
        height = _density(draws, x)
        scale = np.quantile(height, 0.95) if name == "prior" else height.max()
        points = zip(x, np.minimum(height / scale, 1.0), strict=True)  # a prior's peak at 0 hides the rest
        rows += [{"kind": "curve", "series": name, "x": float(a), "height": float(b)} for a, b in points]
    return rows


def quantities(posterior: Posterior, about: About) -> list[tuple[str, str, Array, Array]]:
    """Name, title, prior draws and posterior draws of what a model's parameters mean.

    A model that says what its parameters mean together (`meanings`: title, unit, of(theta)) is shown by these and by
    its coefficients (a calendar's), as factors; another by its parameters one by one.
    """
    data = posterior.data["posterior"]
    found = {p.name: np.asarray(data[p.name].values, dtype=float).reshape(-1) for p in posterior.model.parameters}
    prior = {name: np.asarray(posterior.prior_draws[name], dtype=float).reshape(-1) for name in found}
    meanings = posterior.model.meanings
    if meanings:
        together = [_meaning(m, posterior.amount_unit, prior, found, about) for m in meanings]
        return together + [
            (p.name, f"{p.name}: factor on the {p.raises}", np.exp(prior[p.name]), np.exp(found[p.name]))
            for p in posterior.model.parameters
            if p.support == "real" and p.part == "purchases"
        ]
    return [(p.name, f"{p.name}: {p.meaning}", prior[p.name], found[p.name]) for p in posterior.model.parameters]


def _meaning(meaning: Meaning, amount: float, prior: dict, found: dict, about: About) -> tuple[str, str, Array, Array]:
    """Title, title with unit, prior and posterior draws; money in the currency, whatever the unit of the amounts."""
    scale = amount if "{currency}" in meaning.unit else 1.0
    both = [_finite(scale * np.asarray(meaning.of(theta), dtype=float)) for theta in (prior, found)]
    return meaning.title, f"{meaning.title}{_unit(meaning.unit, about)}", both[0], both[1]


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


def heading(table: pd.DataFrame, about: About) -> str:
    return "What the data added to the priors"


def ratios(table: pd.DataFrame) -> pd.Series:
    """Width of the prior's 90% interval over the posterior's, by quantity."""
    frame = rows_of(table, kind="quantiles")
    width = (frame["q95"] - frame["q5"]).groupby([frame["name"], frame["series"]], sort=False).first().unstack()
    return width["prior"] / width["posterior"].where(width["posterior"] > 0)


def describe(table: pd.DataFrame, about: About) -> Words:
    narrowed = ratios(table)
    worst = narrowed.idxmin()
    ratio = words.number(math.floor(10 * narrowed.min()) / 10, 1.0 if narrowed.min() >= 10 else 0.1)
    drawn = rows_of(table, kind="curve")["name"].nunique()
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
    alt = f"{drawn} small panels: grey prior, blue posterior; the least narrowed by a factor of {ratio}."
    return Words(sub, caption, alt)


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    table = rows_of(table, kind="curve")
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
        curves = rows_of(table, kind="curve", name=name)
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


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    narrowed = ratios(table)
    frame = rows_of(table, kind="quantiles")
    rows = []
    for name, group in frame.groupby("name", sort=False):
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
)
