"""Who is still a customer: customers by silence and frequency, and where the probability of being alive is 90, 50, 10%.

Cells count customers; the lines are where the mean probability of the customers of one frequency crosses a level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clvmodels import words
from clvmodels.draws import mean_by_customer
from clvmodels.figures import style
from clvmodels.figures.figure import Figure, Numbers, Words, row_of, rows_of, typed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

    from clvmodels.results.folder import About, Run

COLUMNS, ROWS, SMALL, SMALLEST = 25, 13, 60, 10
LEVELS = (0.1, 0.5, 0.9)


class Tables(NamedTuple):
    """Who is still a customer."""

    shares: pd.DataFrame
    """One row: how many customers are surely there (alive), in doubt, and surely gone; and of how many the model cannot
    tell (unknown), because by its construction nobody of their history has left."""
    cells: pd.DataFrame
    """At most 25 x 13 cells of silence and frequency with their customers and the mean of their probabilities; the row
    of the highest frequency is open: it holds all above as well."""
    lines: pd.DataFrame
    """Of each frequency, the silence at which the probability crosses a level."""


def _customers(run: Run) -> pd.DataFrame | None:
    """Silence, frequency and mean probability of being alive of each customer, as late as the run knows it, and nan
    where it cannot; None of contracts, of which it is known who is there."""
    judged = run.entries[run.recommended].judged
    if run.about.time == "renewals":
        return None
    if run.valued.p_alive is not None:
        customers, alive = run.value_split.customers.table, np.asarray(run.valued.p_alive, dtype=float)
    elif judged is not None:
        customers = judged.customers.table.loc[judged.futures.customer_id]
        alive = mean_by_customer(judged.futures.p_alive)
    else:
        return None
    silence = (customers["T"] - customers["recency"]).to_numpy(dtype=float)
    return pd.DataFrame({"silence": silence, "frequency": customers["frequency"].to_numpy(), "alive": alive})


def table(run: Run) -> Tables | None:
    """Customers by silence and frequency; crossings of the levels; shares of customers in doubt and not."""
    everyone = _customers(run)
    if everyone is None:
        return None
    known = everyone.dropna(subset="alive").reset_index(drop=True)
    if known.empty:
        return None
    top = _last_row(known["frequency"].to_numpy())
    known["row"] = np.minimum(known["frequency"], top)
    width, start = (float(known["silence"].max()) or 1.0) / COLUMNS * (1 + 1e-9), 0.0
    if run.about.time == "opportunities":  # whole numbers stand in the middle of their cells
        width, start = float(np.ceil((known["silence"].max() + 1.0) / COLUMNS)), -0.5
    known["column"] = ((known["silence"] - start) / width).astype(int)
    cells = known.groupby(["row", "column"]).agg(customers=("alive", "size"), p_alive=("alive", "mean")).reset_index()
    rows = [
        {
            "frequency": int(r),
            "open": bool(r == top),
            "silence_from": start + c * width,
            "silence_to": start + (c + 1) * width,
            "customers": int(n),
            "p_alive": float(p),
        }
        for r, c, n, p in cells.itertuples(index=False)
    ]
    crossings = []
    for row, group in known.groupby("row"):
        crossings += _crossings(int(row), group)
    return Tables(
        pd.DataFrame([{**_shares(known["alive"].to_numpy()), "unknown": len(everyone) - len(known)}]),
        pd.DataFrame(rows),
        typed(crossings, frequency=int, silence=float, p_alive=float),
    )


def _shares(alive: NDArray) -> dict[str, int]:
    """Customers who are surely there, in doubt, and surely gone."""
    there = int(np.count_nonzero(alive >= 0.9))
    gone = int(np.count_nonzero(alive <= 0.1))
    return {"alive": there, "doubt": len(alive) - there - gone, "gone": gone}


def _last_row(frequency: NDArray) -> int:
    """The last row holds its frequency and all above: the first one beyond which under 2% of customers lie."""
    for row in range(1, ROWS):
        if (frequency >= row).mean() < 0.02:
            return row
    return int(min(frequency.max(), ROWS - 1))


def _crossings(row: int, group: pd.DataFrame) -> list[dict]:
    """Silences at which the probability, taken as non-increasing in silence, crosses each level."""
    from scipy.optimize import isotonic_regression

    if len(group) < SMALLEST:
        return []
    ordered = group.sort_values("silence")
    silence = ordered["silence"].to_numpy()
    fitted = isotonic_regression(ordered["alive"].to_numpy(), increasing=False).x
    found = []
    for level in LEVELS:
        below = int(np.searchsorted(-fitted, -level))
        if 0 < below < len(fitted):
            at = float(np.interp(-level, -fitted[below - 1 : below + 1], silence[below - 1 : below + 1]))
            found.append({"frequency": row, "silence": at, "p_alive": level})
    return found


def heading(tables: Tables, about: About) -> str:
    return "Who is still a customer"


def share_in_doubt(tables: Tables) -> str:
    """The share of customers of whom it is not clear whether they are still there, among those of whom a model can tell
    anything."""
    n = row_of(tables.shares)
    return words.share(n.doubt, _told(n))


def _told(n: Any) -> int:
    """Of how many customers the model can tell."""
    return int(n["alive"] + n["doubt"] + n["gone"])


def _unknown(tables: Tables) -> int:
    """Of how many customers it cannot; runs of older versions did not ask."""
    return int(row_of(tables.shares).get("unknown", 0))


def of_whom(tables: Tables) -> str:
    """Whom the shares are of, where that is not everyone."""
    unknown = _unknown(tables)
    return "customers who bought again" if unknown else "customers"


def without_answer(tables: Tables) -> str:
    """Of how many the model cannot tell; empty where there is nobody."""
    unknown = _unknown(tables)
    if not unknown:
        return ""
    customers = words.counted(unknown, "customer", "customers")
    return f" Of {customers} without a repeat purchase this model cannot tell: before one, it lets nobody leave."


def describe(tables: Tables, about: About) -> Words:
    n = row_of(tables.shares)
    whole = _told(n)
    shown, more = ("Dots: customers", "larger") if whole <= SMALL else ("Cells: customers", "stronger blue")
    sub = (
        f"{shown} by repeat purchases and {about.time_unit}s since the last one; {more}: more of them. "
        "Lines: where the probability of still being a customer is 90%, 50% and 10%."
    )
    caption = (
        f"**{words.share(n['doubt'], whole)} of {of_whom(tables)} are in doubt**: between 10% and 90% likely to be "
        f"still there. {words.share(n['alive'], whole)} have at least 90%, "
        f"{words.share(n['gone'], whole)} at most 10%. "
        f"Leaving is never seen: this is the model's inference from silence.{without_answer(tables)}"
    )
    alt = (
        f"Density of customers by silence and frequency with lines of equal probability of being alive; "
        f"{words.share(n['doubt'], whole)} lie between 10% and 90%, {words.share(n['alive'], whole)} above."
    )
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    figure = style.canvas(width, 310)
    axes = style.panel(figure, 34, 50, 36, 42)
    cells = tables.cells
    top, last = int(cells.frequency.max()), float(cells.silence_to.max())
    (_dots if cells.customers.sum() <= SMALL else _cells)(axes, cells)
    first = min(0.0, float(cells.silence_from.min()))
    axes.set(xlim=(first, last), ylim=(-0.5, top + 0.5))
    _lines(axes, tables.lines, last)
    every = 1 if top <= 7 else 2
    marks = [k for k in range(0, top + 1, every) if k == top or top - k >= every]
    style.y_ticks(
        axes, sorted({*marks, top}), [f"{k}+" if k == top else str(k) for k in sorted({*marks, top})], grid=False
    )
    style.x_ticks(axes, style.ticks(0, last, 5, whole=True))
    style.name_x(axes, f"{about.time_unit}s since the last purchase")
    style.name_y(axes, "repeat purchases", rise=10)
    return figure


def _cells(axes: Axes, cells: pd.DataFrame) -> None:
    boxes = np.column_stack([cells.silence_from, cells.silence_to, cells.frequency - 0.5, cells.frequency + 0.5])
    style.cells(axes, boxes, cells.customers.to_numpy())


def _dots(axes: Axes, cells: pd.DataFrame) -> None:
    """A small base: a dot for each cell, its area the number of its customers."""
    middle = (cells.silence_from + cells.silence_to) / 2
    axes.scatter(middle, cells.frequency, s=24 * cells.customers, color=style.BLUE, alpha=0.6, linewidth=0)


def _lines(axes: Axes, lines: pd.DataFrame, last: float) -> None:
    ends = []
    for level in LEVELS:
        line = rows_of(lines, p_alive=level).sort_values("frequency")
        if len(line) > 1:  # one crossing is a place, not a line
            axes.plot(line.silence, line.frequency, color=style.INK, linewidth=1.4)
            ends.append((float(line.silence.iloc[-1]), float(line.frequency.iloc[-1]), f"{100 * level:.0f}%"))
    across = style.pixels(axes)[0]
    ends.sort()
    widths = [style.text_width(text) for *_, text in ends]
    centres = style.spread([x / last * across for x, *_ in ends], widths, 0, across + 40, 8)
    for centre, (_, height, text) in zip(centres, ends, strict=True):
        x = centre / across * last
        style.say(axes, x, height, text, weight="bold", ha="center", va="bottom", transform=style.shift(axes, 0, 4))


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for frequency, group in tables.cells.groupby("frequency"):
        crossed = rows_of(tables.lines, frequency=frequency).set_index("p_alive")["silence"]
        silences = [words.number(crossed[level], 0.1) if level in crossed else "—" for level in reversed(LEVELS)]
        and_more = "+" if group["open"].iloc[0] else ""
        rows.append((f"{frequency}{and_more}", words.count(group["customers"].sum()), *silences))
    unit = f"{about.time_unit}s of silence"
    return Numbers(("Repeat purchases", "Customers", f"90% after, {unit}", "50% after", "10% after"), rows)


FIGURE = Figure(
    "p_alive",
    "customers by silence and frequency, with lines of P(alive)",
    "leave",
    "square",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
