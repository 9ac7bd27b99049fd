"""What KPIs are made of: sums by period and label, from the engine, and small from here on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.accounts.profit_made import ACQUISITION, CHANNEL
from clvmodels.customers.table import Customers
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.kpis.book import KEEPING, WON_BY, Terms, keep_book
from clvmodels.kpis.engine import Bench
from clvmodels.kpis.periods import Length, Period, periods, place, quarter_names
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

ALL, COHORT, BY = "all", "cohort", "by_"
MOST_LABELS = 200


@dataclass(frozen=True)
class Cells:
    """One way of dividing the customers: sums by label (rows) and period (columns).

    Parameters
    ----------
    known
        Customers who had bought before the period.
    new, active, again
        Customers who first bought in it, who bought in it, and of these those who bought in the period before too.
    purchases, revenue
        Of the period.
    profit, winning, keeping
        What was earned, what was spent on acquisition, on service and retention (both positive). None without economics
        or where the tables tell nothing of it.
    answers
        label, period, kind of survey, score, n.
    """

    known: pd.DataFrame
    new: pd.DataFrame
    active: pd.DataFrame
    again: pd.DataFrame
    purchases: pd.DataFrame
    revenue: pd.DataFrame | None
    profit: pd.DataFrame | None
    winning: pd.DataFrame | None
    keeping: pd.DataFrame | None
    answers: pd.DataFrame


@dataclass(frozen=True)
class Sums:
    """By customer and period, in the engine: what cells are summed up from.

    Parameters
    ----------
    extent
        customer_id, period, purchases, revenue: one row where there was a purchase.
    money
        customer_id (null: a channel's cost that won nobody), period, profit, winning, keeping; None without economics.
    answers
        customer_id, period, kind, score, n.
    """

    people: ibis.Table
    extent: ibis.Table
    money: ibis.Table | None
    answers: ibis.Table | None
    idle: pd.DataFrame
    periods: list[Period]
    told: frozenset[str]


def sum_up(
    company: Company, customers: Customers, terms: Terms, by: Sequence[str], length: Length, bench: Bench
) -> Sums:
    """The sums of these customers by month or quarter, up to their end of observation, on the bench."""
    columns = labels(customers, by)
    if CHANNEL in customers.table:
        columns[WON_BY] = customers.table[CHANNEL].astype("str")
    elif CHANNEL in company.attributes:  # channels cost what they cost, whether they are groups or not
        columns[WON_BY] = company.attributes[CHANNEL].reindex(customers.table.index).astype("str")
    book = keep_book(company, customers, terms, columns, bench, length)
    days = book.days.mutate(period=place(_.date, book.start, length))
    extent = days.group_by(["customer_id", "period"]).agg(
        purchases=_.count(), revenue=_.revenue.cast(EXACT).sum().cast("float64")
    )
    money, told = None, frozenset[str]()
    if book.entries is not None:
        entries = book.entries.mutate(period=place(_.date, book.start, length), amount=_.amount.cast(EXACT))
        sums = {"profit": _.amount.sum().cast("float64")}
        for name, parts in (("winning", (ACQUISITION,)), ("keeping", KEEPING)):
            sums[name] = -entries.amount.sum(where=entries.part.isin(parts)).fill_null(0).cast("float64")
        money = bench.keep(entries.group_by(["customer_id", "period"]).agg(**sums))
        told = book.told
    answers = None
    if "surveys" in company.roles:
        events = company.events.filter(_.role == "surveys", _.value.notnull(), _.date <= ibis.date(book.end.date()))
        events = events.inner_join(book.people.select("customer_id", "first"), "customer_id")
        events = events.mutate(period=place(ibis.greatest(_.date, _.first), book.start, length), score=_.value.round(1))
        answers = bench.keep(events.group_by(["customer_id", "period", "kind", "score"]).agg(n=_.count()))
    return Sums(
        book.people,
        bench.keep(extent),
        money,
        answers,
        book.idle,
        periods(book.start, book.end, length),
        told,
    )


def labels(customers: Customers, by: Sequence[str]) -> pd.DataFrame:
    """What the customers are divided by: everybody, the quarter of the first purchase, and these groups.

    Raises
    ------
    DataError
        Columns that are no groups, or have too many.
    """
    table = customers.table
    problems = [
        unknown("group", name, [c for c in table if _is_text(table[c])], "kpis, by")
        for name in by
        if name not in table or not _is_text(table[name])
    ]
    problems += [
        Problem(f"'{name}' has {table[name].nunique():,} groups", "kpis, by", known=f"At most {MOST_LABELS}")
        for name in by
        if name in table and _is_text(table[name]) and table[name].nunique() > MOST_LABELS
    ]
    if problems:
        raise DataError(problems)
    columns = {ALL: ALL, COHORT: quarter_names(table["first_purchase"]), **{name: table[name] for name in by}}
    frame = pd.DataFrame(columns, index=table.index).astype("str")
    return frame.add_prefix(BY)  # beside columns of our own


def _is_text(column: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column))


def cells(sums: Sums, by: str) -> Cells:
    """The sums by period and label of one column of the people."""
    people = sums.people.select("customer_id", "first", label=f"{BY}{by}")
    every = range(len(sums.periods))
    starts = np.array([p.start for p in sums.periods], dtype="datetime64[us]")
    first = people.group_by(["label", "first"]).agg(n=_.count()).execute()
    first["period"] = np.searchsorted(starts, pd.to_datetime(first["first"]).to_numpy("datetime64[us]"), "right") - 1
    names = sorted(first["label"].unique())

    def grid(table: pd.DataFrame, value: str) -> pd.DataFrame:
        wide = table.assign(**{value: table[value].astype(float)}).pivot_table(
            index="label", columns="period", values=value, aggfunc="sum"
        )
        return wide.reindex(index=names, columns=every).fillna(0.0)

    extent = sums.extent.inner_join(people, "customer_id")
    found = (
        extent.group_by(["label", "period"])
        .agg(active=_.count(), purchases=_.purchases.sum(), revenue=_.revenue.cast(EXACT).sum().cast("float64"))
        .execute()
    )
    before = sums.extent.select("customer_id", period=_.period + 1)
    again = extent.semi_join(before, ["customer_id", "period"]).group_by(["label", "period"]).agg(n=_.count()).execute()
    new = grid(first, "n")
    revenue = None if found["revenue"].isna().all() else grid(found, "revenue")
    profit, winning, keeping = _money(sums, people, by, grid)
    known = (new.cumsum(axis=1) - new).astype(float)
    return Cells(
        known,
        new,
        grid(found, "active"),
        grid(again, "n"),
        grid(found, "purchases"),
        revenue,
        profit,
        winning,
        keeping,
        _answers(sums, people),
    )


def _money(sums: Sums, people: ibis.Table, by: str, grid: Callable) -> list[pd.DataFrame | None]:
    """Profit, winning and keeping; what won nobody counts where its channel, or everybody, is told of."""
    if sums.money is None:
        return [None, None, None]
    of = {name: _[name].cast(EXACT).sum().cast("float64") for name in ("profit", "winning", "keeping")}
    found = sums.money.inner_join(people, "customer_id").group_by(["label", "period"]).agg(**of).execute()
    if len(sums.idle) and by in (ALL, CHANNEL):
        label = sums.idle["channel"] if by == CHANNEL else ALL
        at = np.array([p.start for p in sums.periods], dtype="datetime64[us]")
        period = np.searchsorted(at, sums.idle["month"].to_numpy("datetime64[us]"), "right") - 1
        idle = pd.DataFrame(
            {
                "label": label,
                "period": period,
                "profit": -sums.idle["amount"],
                "winning": sums.idle["amount"],
                "keeping": 0.0,
            }
        )
        found = pd.concat([found, idle[idle["period"] >= 0]])
    known = {"profit": True, "winning": ACQUISITION in sums.told, "keeping": bool(sums.told & set(KEEPING))}
    return [grid(found, name) if there else None for name, there in known.items()]


def _answers(sums: Sums, people: ibis.Table) -> pd.DataFrame:
    if sums.answers is None:
        return pd.DataFrame({name: [] for name in ("label", "period", "kind", "score", "n")})
    told = sums.answers.inner_join(people, "customer_id")
    return told.group_by(["label", "period", "kind", "score"]).agg(n=_.n.sum()).execute()
