"""Who has lost money so far, what cost the most, and how many of them will go on losing it."""

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

MOST_CAUSES, NAMED, ROW = 8, 10, 30
CENT = 0.01
"""No amount is told finer: what is to come may be next to nothing."""
ACQUISITION = "acquisition"
"""The part that is spent before the first purchase, and that what is to come leaves out (`accounts/winning.py`)."""
SURE = "80%"
"""From these odds on a customer is named as one who will lose money (`decisions/losses.py`)."""


class Tables(NamedTuple):
    """Customers who have lost money so far."""

    causes: pd.DataFrame
    """A row a largest cost: cause, customers, lost, sure, and quantiles of how many lose money in the horizon too."""
    together: pd.DataFrame
    """One row of all of them; without_acquisition, and how many customers there are."""
    people: pd.DataFrame
    """The ten of whom the greatest loss to come is expected: customer, profit_made, largest_cost, to_come,
    odds_of_loss."""


def table(run: Run) -> Tables | None:
    """Customers whose profit so far is below zero, by the part that cost the most; None where nothing that the tables
    tell cost anything, and nobody could have lost money."""
    losses = run.losses
    if losses is None or losses.customers["largest_cost"].isna().all():
        return None
    customers = losses.customers
    lost = customers[customers["profit_made"] < 0].sort_values("to_come", kind="stable")
    places = customers["to_come"].rank(method="first").astype(int)
    people = []
    for name, row in lost[lost["to_come"] < 0][:NAMED].iterrows():
        customer = f"{words.ordinal(int(places[name]))} from the end" if run.about.public else str(name)
        people.append({"customer": customer, **row[["profit_made", "largest_cost", "to_come", "odds_of_loss"]]})
    types = {"customer": str, "profit_made": float, "largest_cost": str, "to_come": float, "odds_of_loss": float}
    together = losses.together.assign(of=len(customers))
    return Tables(losses.causes[:MOST_CAUSES], together, typed(people, **types))


def heading(tables: Tables, about: About) -> str:
    return "Who has lost money so far, and why"


def describe(tables: Tables, about: About) -> Words:
    causes, all_of_them = tables.causes, row_of(tables.together)
    sub = (
        f"Customers whose profit to {words.date(about.value_at or about.data_end)} is below zero, by what cost the "
        f"most. Filled: how many; blue: how many of these will cost money in {phrases.horizon(about)} too, 50% and 90%."
    )
    if not all_of_them.customers:
        nobody = f"None of the {words.counted(all_of_them.of, 'customer')} has lost money so far."
        return Words(sub, nobody, "An empty panel: no customer has lost money so far.")
    amount = words.money(abs(all_of_them.lost), about.currency)
    again = words.count_span(all_of_them.q5, all_of_them.q95)
    have = words.agreeing(all_of_them.customers, "has", "have")
    first = causes.iloc[0]
    without = ""
    if ACQUISITION in set(causes["cause"]):
        without = f" ({words.count(all_of_them.without_acquisition)} before {ACQUISITION})"
    caption = (
        f"**{words.count(all_of_them.customers)} of {words.counted(all_of_them.of, 'customer')}** {have} lost money so "
        f"far{without}, {amount} together; the largest cost is most often {first.cause} "
        f"({words.count(first.customers)}). In {phrases.horizon(about)} {again} of them will lose money again (90%), "
        f"{ACQUISITION} left out: of {words.count(all_of_them.sure)} the odds are {SURE} or more."
    )
    caption += phrases.all_in(about, "profit.csv")
    alt = f"For each of {words.counted(len(causes), 'largest cost')} a dot, customers who lost money so far, and an "
    alt += f"interval, those who will again. Together {words.count(all_of_them.customers)}, and {again}."
    return Words(sub, caption, alt)


@style.styled
def draw(tables: Tables, about: About, width: int) -> Canvas:
    causes = tables.causes
    is_wide = width >= 500
    names = style.row_names([words.capital(cause) for cause in causes["cause"]], is_wide)
    columns = _columns(causes, about)
    right = sum(size + 18 for _, size, _ in columns) if is_wide else 18
    figure = style.canvas(width, ROW * len(causes) + 84)
    axes = style.panel(figure, style.room(names), right, 44, 40)
    heights = -np.arange(len(causes), dtype=float)
    most = float(max([1, *causes["customers"], *causes["q95"]]))
    axes.set(xlim=(0, 1.04 * most), ylim=(min(heights, default=0) - 0.5, 0.5))
    for y, (_, line) in zip(heights, causes.iterrows(), strict=True):
        style.interval(axes, y, phrases.quantiles(line))
        axes.plot(line.customers, y, "o", color=style.INK, markersize=8, clip_on=False, zorder=4)
    style.y_ticks(axes, heights, names, grid=False)
    axes.tick_params(axis="y", labelcolor=style.INK, pad=8)
    style.x_ticks(axes, style.ticks(0, most, 6 if is_wide else 4, whole=True))
    axes.grid(axis="x")
    style.name_x(axes, "customers who have lost money so far")
    style.name_y(axes, "largest cost", rise=8)
    if is_wide:
        style.write_columns(axes, columns, heights)
    return figure


def _columns(causes: pd.DataFrame, about: About) -> list[style.Column]:
    """Title, width and cells of the columns at the right."""
    cells = {
        f"lost{phrases.in_currency(about)}": [words.number(abs(lost)) for lost in causes["lost"]],
        f"odds {SURE} or more": [words.count(sure) for sure in causes["sure"]],
    }
    return [style.column(title, texts) for title, texts in cells.items()]


def numbers(tables: Tables, about: About) -> Numbers:
    rows = []
    for line in tables.people.itertuples():
        rows.append(
            (
                words.label(line.customer, 40),
                words.money(line.profit_made, about.currency),
                str(line.largest_cost),
                words.money(line.to_come, about.currency, max(words.value_step(line.to_come), CENT)),
                words.probability(line.odds_of_loss),
            )
        )
    title = "The greatest losses to come"
    ahead = f"Expected in {phrases.horizon(about)}"
    return Numbers((title, "Profit so far", "Largest cost so far", ahead, "Odds of a loss"), rows)


FIGURE = Figure(
    "losses",
    "who has lost money so far, why, and how many will again",
    "worth",
    "wide",
    heading,
    table,
    describe,
    draw,
    numbers,
    Tables,
)
