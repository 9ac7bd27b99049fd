"""The parts of the base's value: from gross margin down to profit, cost by cost; credit for referrals apart.

A waterfall of medians. Each part's shares of the gross margin are taken draw by draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.draws import QUANTILES, quantiles, total
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

TITLES = {"retention": "Retention marketing", "referrals": "Credit for referrals"}
COINS = {"EUR": ("euro", "cents"), "USD": ("dollar", "cents"), "GBP": ("pound", "pence")}
ROW, BAR = 30, 0.56


def table(run: Run) -> pd.DataFrame | None:
    """A row a part, the whole and the credit for referrals: quantiles of the base's total, realised, and of its share
    of the gross margin; None where the gross margin is the only part."""
    values = run.valued.values
    if values is None or len(values.parts) < 2:
        return None
    totals = {name: total(part.realised) for name, part in values.parts.items()}
    gross, credit = totals[phrases.GROSS], totals.pop(phrases.CREDIT, None)
    rows = [_row("part", name, draws, gross) for name, draws in totals.items()]
    rows.append(_row("whole", phrases.gain(run.about), values.base("realised"), gross))
    if credit is not None:
        rows.append(_row("credit", phrases.CREDIT, credit, gross))
    return pd.DataFrame(rows)


def _row(kind: str, name: str, draws: np.ndarray, gross: np.ndarray) -> dict:
    """A share of a gross margin that may be zero or negative means nothing: it is left unknown."""
    shares = dict.fromkeys(QUANTILES, np.nan)
    if (gross > 0).all():
        shares = quantiles(draws / gross)
    row = {"kind": kind, "name": name, **quantiles(draws)}
    for level, share in shares.items():
        row[f"share_{level}"] = share
    return row


def _title(name: str) -> str:
    return TITLES.get(name, words.capital(name))


def heading(table: pd.DataFrame, about: About) -> str:
    return f"From gross margin to {phrases.gain(about)}"


def largest(table: pd.DataFrame) -> pd.Series:
    """The largest cost, by its median."""
    parts = rows_of(table, kind="part")
    parts = parts[parts["name"] != phrases.GROSS]
    return parts.loc[parts["q50"].idxmin()] if len(parts) else row_of(table, kind="whole")


def title(row: pd.Series) -> str:
    """A part's name inside a sentence."""
    return _title(str(row["name"])).lower()


def cents(row: pd.Series, sign: float = 1.0) -> str:
    """The share of the gross margin, in hundredths."""
    low, high = sorted((100 * sign * row.share_q5, 100 * sign * row.share_q95))
    finest = 0.1 if high < 2 else 1.0
    return words.span(low, high, step=max(finest, words.width_step(low, high)))


def describe(table: pd.DataFrame, about: About) -> Words:
    total, most, gain = row_of(table, kind="whole"), largest(table), phrases.gain(about)
    ends = words.span(total.q5, total.q95, currency=about.currency)
    sub = (
        f"{words.capital(gain)} of all {words.count(about.customers)} customers in {phrases.horizon(about)}"
        f"{phrases.in_currency(about)}, {phrases.discounted(about)}. Bar: median of the part; line: its 90% interval."
    )
    unit, coins = COINS.get(str(about.currency), (f"100 {about.currency or 'units'}", ""))
    coins = f" {coins}" if coins else ""
    name = title(most)
    caption = ""
    if np.isfinite(total.share_q50):
        caption = f"Of each {unit} of gross margin **{cents(total)}{coins}** remain as {gain} (90%)"
        caption += f"; the largest cost, {name}, takes {cents(most, -1.0)}{coins}." if most.kind == "part" else "."
    caption += " Medians of parts do not add up exactly to the median of the whole."
    credit = rows_of(table, kind="credit")
    if len(credit):
        caption += f" Credit for referrals stands apart and is not in the {gain}: those who are brought are counted as "
        caption += "customers themselves."
    costs = words.counted(len(rows_of(table, kind="part")) - 1, "cost")
    alt = f"Waterfall from the gross margin over {costs} to the {gain}, {ends}; "
    alt += f"the largest cost is {name}." if most.kind == "part" else "without costs."
    return Words(sub, caption.strip(), alt)


def _starts(table: pd.DataFrame) -> list[float]:
    """Where each bar begins: the costs where the part above ends, the others at 0."""
    starts, end = [], 0.0
    for line in table.itertuples():
        if line.kind == "part":
            starts.append(end)
            end += float(line.q50)
        else:
            starts.append(0.0)
    return starts


@style.styled
def draw(table: pd.DataFrame, about: About, width: int) -> Canvas:
    wide = width >= 500
    table = table.reset_index(drop=True)
    names = [_title(str(name)) for name in table["name"]]
    labels = _labels(table, wide)
    right = max(style.text_width(text, "bold") for text in labels) + 26
    left = style.room(names) if wide else 8
    row = ROW if wide else 46
    heights = -np.arange(len(table), dtype=float) - 0.45 * (table["kind"] == "credit").to_numpy()
    figure = style.canvas(width, row * (1 - heights.min()) + 62)
    axes = style.panel(figure, left, right if wide else 14, 24, 38)
    starts = np.array(_starts(table))
    low = min(0.0, *(starts + table["q5"]), *starts)
    high = max(0.0, *(starts + table["q95"]), *starts)
    edge = 0.01 * (high - low)
    axes.set(xlim=(low - edge, high + edge), ylim=(heights.min() - 0.5, 0.5))
    _bars(axes, table, heights, starts, wide)
    axes.axvline(0, color=style.RULE, linewidth=1)
    _write(axes, heights, names, labels, table, wide, right)
    style.x_ticks(axes, style.ticks(low, high, 5 if wide else 3))
    axes.grid(axis="x")
    style.name_x(axes, f"{phrases.gain(about)}, {phrases.horizon(about)}{phrases.in_currency(about)}")
    return figure


def _bars(axes: Axes, table: pd.DataFrame, heights: np.ndarray, starts: np.ndarray, wide: bool) -> None:
    """All bars; in the wide drawing a line leads from the end of a part to the beginning of the next."""
    height = BAR if wide else 0.34
    down = 0.0 if wide else -0.2  # in the small drawing the words stand above their bar
    for place, (y, start, line) in enumerate(zip(heights + down, starts, table.itertuples(), strict=True)):
        _bar(axes, y, start, line, height)
        if wide and line.kind == "part" and table["kind"][place + 1] == "part":
            end = start + line.q50
            axes.plot([end, end], [y - height / 2, y - 1 + height / 2], color=style.RULE, linewidth=1)


def _bar(axes: Axes, y: float, start: float, line: Any, height: float) -> None:
    """A bar to the part's median, and a line over its 90% interval."""
    axes.barh(y, line.q50, left=start, height=height, color=_colour(line), alpha=0.8, linewidth=0, zorder=2)
    ends = [start + line.q5, start + line.q95]
    axes.plot(ends, [y, y], color=style.INK, linewidth=1.5, zorder=3, clip_on=False)


def _colour(line: Any) -> str:
    if line.kind == "credit":
        return style.TEAL
    costs = line.kind == "part" and line.q50 < 0
    return style.RED if costs else style.BLUE


def _write(
    axes: Axes, heights: np.ndarray, names: list[str], labels: list[str], table: pd.DataFrame, wide: bool, right: float
) -> None:
    """Names and ranges: at the sides of the wide drawing, above their bars in the small one."""
    if wide:
        style.y_ticks(axes, heights, names, grid=False)
        axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    else:
        axes.set_yticks([])
    for y, name, label, kind in zip(heights, names, labels, table["kind"], strict=True):
        weight = "bold" if kind == "whole" else "normal"
        if wide:
            place = style.beside(axes, right - 2)
            style.say(axes, 1, y, label, ha="right", va="center", weight=weight, transform=place)
        else:
            style.say(axes, 0, y + 0.06, name, va="bottom", weight=weight, transform=style.beside(axes, 6))
            style.say(axes, 1, y + 0.06, label, ha="right", va="bottom", weight=weight, transform=style.beside(axes, 0))
    if wide:
        place = style.beside(axes, right - 2, 4)
        style.say(axes, 1, 0.5, "median (90% interval)", style.MUTED, ha="right", va="bottom", transform=place)


def _labels(table: pd.DataFrame, wide: bool) -> list[str]:
    """Ranges, all in one unit."""
    unit, suffix = style.unit_of(float(table[["q5", "q95"]].abs().to_numpy().max()), 1000)
    labels = []
    for _, row in table.iterrows():
        step = words.width_step(row.q5, row.q95)
        low, middle, high = (words.number(row[q] / unit, step / unit) + suffix for q in ("q5", "q50", "q95"))
        ends = f"{low} to {high}"
        labels.append(f"{middle} ({ends})" if wide else ends)
    return labels


def numbers(table: pd.DataFrame, about: About) -> Numbers:
    rows, tones = [], {}
    for place, (_, row) in enumerate(table.iterrows()):
        step = words.width_step(row.q5, row.q95)
        known = np.isfinite(row.share_q50)
        share = f"{cents(row)}" if known else "—"
        ends = words.span(row.q5, row.q95, currency=about.currency, step=step)
        rows.append((_title(str(row["name"])), words.money(row.q50, about.currency, step), ends, share))
        if row.kind == "whole":
            tones[place] = "total"
    return Numbers(("Part", "Middle", "90% interval", "Of 100 of gross margin, 90%"), rows, tones)


FIGURE = Figure(
    "value_parts",
    "the parts of the base's value, from gross margin to profit",
    "worth",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
)
