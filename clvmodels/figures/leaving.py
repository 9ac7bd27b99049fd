"""Who may leave, and how much worth with them: a list, the most value at risk first."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.figures import phrases, style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, typed

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

LISTED, ROW = 12, 24
SURE, OUT = 0.9, 0.1


class Tables(NamedTuple):
    """Customers who may leave."""

    people: pd.DataFrame
    """The twelve with the most value at risk: customer, silence, silence_odds, p_alive, p_alive_then, next_q5,
    next_q95, worth, value_at_risk."""
    together: pd.DataFrame
    """One row: within (time units ahead), customers of whom it is known, late, in_doubt (of the late), worth and
    at_risk of all, half (the fewest customers who hold half of what is at risk)."""


def table(run: Run) -> Tables | None:
    """The customers with the most value at risk, and all of them together."""
    from clvmodels.decisions.leaving import LATE

    if run.leaving is None:
        return None
    found = run.leaving.customers
    known = found[found["value_at_risk"].notna()]
    if known.empty:
        return None
    people = known[known["value_at_risk"] > 0][:LISTED]
    columns = ["silence", "silence_odds", "p_alive", "p_alive_then", "next_q5", "next_q95", "worth", "value_at_risk"]
    named = people[columns].reset_index(drop=True)
    names = [words.ordinal(place) for place in range(1, len(people) + 1)] if run.about.public else people.index
    named.insert(0, "customer", [str(name) for name in names])
    is_late = known["silence_odds"] <= LATE
    is_in_doubt = known["p_alive"].between(OUT, SURE)
    at_risk = known["value_at_risk"].to_numpy()
    together = {
        "within": run.leaving.within,
        "customers": len(known),
        "late": int(is_late.sum()),
        "in_doubt": int((is_late & is_in_doubt).sum()),
        "worth": float(known["worth"].clip(lower=0.0).sum()),
        "at_risk": float(at_risk.sum()),
        "half": int(np.searchsorted(at_risk.cumsum(), 0.5 * at_risk.sum()) + 1),
    }
    types = {"customer": str} | dict.fromkeys(columns, float)
    return Tables(typed(named.to_dict("records"), **types), pd.DataFrame([together]))


def heading(tables: Tables, about: About) -> str:
    return "Who may leave, and how much worth with them"


def _ahead(tables: Tables, about: About) -> str:
    return words.duration(float(row_of(tables.together).within), about.time_unit)


def describe(tables: Tables, about: About) -> Words:
    whole, ahead = row_of(tables.together), _ahead(tables, about)
    sub = (
        f"The most value at risk first: worth times the odds of having left by then. Filled: the chance of being a "
        f"customer now; hollow: {ahead} on."
    )
    step = words.value_step(whole.at_risk, 2)
    at_risk, worth = (words.money(amount, about.currency, step) for amount in (whole.at_risk, whole.worth))
    caption = (
        f"**{at_risk} of {worth}** worth is at risk with customers who may have left in {ahead}, half of it with "
        f"{words.counted(whole.half, 'customer')}. {words.counted(whole.late, 'is', 'are')} late for "
        f"{words.agreeing(whole.late, 'its', 'their')} own rhythm (so long a silence: at most 10 of 100); of "
        f"{words.count(whole.in_doubt)} of them it is in doubt whether they are still there (10 to 90%)."
    )
    caption += phrases.all_in(about, "leaving.csv")
    alt = f"For each of {words.counted(len(tables.people), 'customer')} two dots: the chance of being there now, and "
    alt += f"in {ahead}. Together {at_risk} of {worth} is at risk."
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    people = tables.people
    is_wide = width >= 500
    names = [words.label(name, 18 if is_wide else 10) for name in people["customer"]]
    columns = _columns(people, about, is_wide)
    right = sum(size + 18 for _, size, _ in columns)
    figure = style.canvas(width, ROW * len(people) + 84)
    axes = style.panel(figure, style.room(names), right, 44, 40)
    heights = -np.arange(len(people), dtype=float)
    axes.set(xlim=(0, 1), ylim=(min(heights, default=0) - 0.5, 0.5))
    for y, line in zip(heights, people.itertuples(), strict=True):
        axes.plot([line.p_alive_then, line.p_alive], [y, y], color=style.GRID, linewidth=3, zorder=1)
        axes.plot(line.p_alive, y, "o", color=style.BLUE, markersize=8, clip_on=False, zorder=3)
        hollow: dict = {"markerfacecolor": style.PAPER, "markeredgecolor": style.BLUE, "markeredgewidth": 1.5}
        axes.plot(line.p_alive_then, y, "o", color=style.BLUE, markersize=7, clip_on=False, zorder=3, **hollow)
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    marks = [0, 0.25, 0.5, 0.75, 1.0] if is_wide else [0, 0.5, 1.0]
    style.x_ticks(axes, marks, [f"{100 * mark:.0f}%" for mark in marks])
    axes.grid(axis="x")
    style.name_x(axes, "chance of being a customer")
    style.name_y(axes, "customer", rise=8)
    style.write_columns(axes, columns, heights)
    return figure


def _columns(people: pd.DataFrame, about: About, is_wide: bool) -> list[style.Column]:
    """Title, width and cells of the columns at the right: on a phone the one that decides."""
    step = words.value_step(float(people["value_at_risk"].min()) if len(people) else 1.0, 2)
    cells = {f"at risk{phrases.in_currency(about)}": [words.number(value, step) for value in people["value_at_risk"]]}
    if is_wide:
        cells["so long a silence"] = [words.of_hundred(odds) for odds in people["silence_odds"]]
        cells[f"silent, {about.time_unit}s"] = [words.number(silence, 0.1) for silence in people["silence"]]
    return [style.column(title, texts) for title, texts in cells.items()]


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for line in tables.people.itertuples():
        rows.append(
            (
                words.label(line.customer, 40),
                words.duration(round(line.silence, 1), about.time_unit),
                words.of_hundred(line.silence_odds),
                words.probability(line.p_alive),
                words.probability(line.p_alive_then),
                _next(line.next_q5, line.next_q95),
                words.money(line.worth, about.currency),
                words.money(line.value_at_risk, about.currency),
            )
        )
    ahead = _ahead(tables, about)
    titles = ("Customer", "Silent for", "So long a silence", "There now", f"There in {ahead}")
    when = f"Next purchase, if one comes, in {about.time_unit}s, 90%"
    return Numbers((*titles, when, "Worth", "At risk"), rows)


def _next(first: float, last: float) -> str:
    if not np.isfinite(first):
        return "none"
    return words.span(first, last, step=max(0.1, words.width_step(first, last)))


def lead(tables: Tables, about: About) -> str:
    """The chapter's sentence: how much is at risk, and with how many."""
    whole, ahead = row_of(tables.together), _ahead(tables, about)
    share = words.share(whole.at_risk, whole.worth)
    return (
        f"{share} of all worth is at risk with customers who may have left in {ahead}; half of that with "
        f"{words.counted(whole.half, 'customer')} of {words.count(whole.customers)}."
    )


FIGURE = Figure(
    "leaving",
    "who may leave, the most value at risk first",
    "leave",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
