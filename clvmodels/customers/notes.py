"""What a reader of a customers' table should know although nothing was refused: who is left out, what is in doubt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.customers.summary_window import Acquired, Window
from clvmodels.sources.transactions import Transactions

OFTEN, MANY = 1 / 3, 0.05
"""A share of a customer's days, and of the customers who buy on more."""
FEWEST_PURCHASES = 5
"""Repeat purchases of a customer whose share of days means something."""
TRUNCATION_DAYS = 30
"""A month of first purchases: long enough to count them, short beside the years of a table."""
FEWEST_PERIODS = 4
"""The first one and three others, of which a median means something."""
TRUNCATION_FACTOR, TRUNCATION_MARGIN = 2, 20
"""How many times as many first purchases as usual the first period must hold, and how many more: twice a handful may
be chance."""


def notes(
    transactions: Transactions,
    window: Window,
    everyone: ibis.Table,
    table: pd.DataFrame,
    acquired: Acquired | None,
    groups: Sequence[str],
) -> list[str]:
    """What was left out, and what gives reason for doubt.

    `everyone` has a row for each customer up to the window's last day, `table` those that are used.
    """
    return [
        *_left_out_by_day(transactions, window, everyone),
        *(_merged(transactions, window) if window.time == "opportunities" else ()),
        *_in_doubt(table, groups),
        *_near_the_limit(table, window),
        *_acquisition(everyone, window, acquired, len(table)),
    ]


def _left_out_by_day(transactions: Transactions, window: Window, everyone: ibis.Table) -> Iterator[str]:
    later = _count(transactions.table.filter(_.date > ibis.date(window.until.date())))
    if later:
        rows, are = words.counted(later, "transaction"), words.agreeing(later, "is", "are")
        yield f"{rows} after {window.until:%Y-%m-%d} {are} not used"
    new = _count(everyone.filter(_.first_purchase > window.end_day))
    if new:
        customers, are = words.counted(new, "customer"), words.agreeing(new, "is", "are")
        yield f"{customers} first bought after the calibration end, {window.end:%Y-%m-%d}, and {are} left out"


def _merged(transactions: Transactions, window: Window) -> Iterator[str]:
    """What counting opportunities makes of purchases, and of a last period that the data do not cover."""
    unit = window.time_unit
    used = transactions.table.filter(_.date <= ibis.date(window.until.date()))
    purchases = used.select("customer_id", "date", period=window.number(used.date))
    days = _count(purchases.select("customer_id", "date").distinct())
    periods = _count(purchases.select("customer_id", "period").distinct())
    if days > periods:
        merged = words.counted(days - periods, "purchase day falls", "purchase days fall")
        yield f"{merged} in a {unit} in which the customer had bought before; it counts once"
    if transactions.data_end < window.until:
        yield (
            f"the last {unit} is taken as a whole opportunity, but the data end on {transactions.data_end:%Y-%m-%d}: "
            "who buys later in it counts as not having bought. "
            f"Where the table covers the {unit}, say data_end: {window.until:%Y-%m-%d}"
        )


def _in_doubt(table: pd.DataFrame, groups: Sequence[str]) -> Iterator[str]:
    if {"frequency", "amount_count"} <= set(table.columns):
        free = int((table["frequency"] - table["amount_count"]).sum())
        if free:
            purchases = words.counted(free, "repeat purchase")
            yield f"{purchases} brought no money: of those to come some are taken to bring none"
    for i, group in enumerate(groups):
        conflicts = int(table[f"conflict{i}"].sum())
        if conflicts:
            customers = words.counted(conflicts, "customer has", "customers have")
            yield f"{customers} several values of '{group}': the first by date counts"


def _near_the_limit(table: pd.DataFrame, window: Window) -> Iterator[str]:
    """Purchases are days with an order: of one a day at most a model in continuous time knows nothing."""
    if window.time == "opportunities" or not {"frequency", "T"} <= set(table.columns):
        return
    again = table[table["frequency"] >= FEWEST_PURCHASES]
    on_most_days = int((again["frequency"] > OFTEN * again["T"] * window.days_per_unit).sum())
    if on_most_days and on_most_days >= MANY * len(table):
        yield (
            f"{words.counted(on_most_days, 'customer buys', 'customers buy')} on more than a third of their days: a "
            "purchase is a day with an order, so their counts are near the limit of one a day, which models in "
            "continuous time do not know. Take time: opportunities with time_unit: day, and bg_bb"
        )


def _acquisition(everyone: ibis.Table, window: Window, acquired: Acquired | None, used: int) -> Iterator[str]:
    if acquired is None:
        yield from _left_truncation(everyone, window)
        return
    outside = _count(everyone.filter(_.first_purchase <= window.end_day)) - used
    if outside:
        customers, are = words.counted(outside, "customer"), words.agreeing(outside, "is", "are")
        yield f"{customers} first bought outside acquired_between and {are} left out"


def _left_truncation(everyone: ibis.Table, window: Window) -> Iterator[str]:
    """The rule is in the notes of `summarize`."""
    firsts = everyone.filter(_.first_purchase <= window.end_day).group_by("first_purchase").agg(n=_.count()).execute()
    day = pd.to_datetime(firsts["first_purchase"])
    period = (day - day.min()).dt.days // TRUNCATION_DAYS
    covered = int((day.max() - day.min()).days) + 1
    whole_periods = covered // TRUNCATION_DAYS
    if whole_periods < FEWEST_PERIODS:
        return
    counts = firsts.groupby(period)["n"].sum().reindex(range(whole_periods), fill_value=0)
    first, usual = counts.iloc[0], counts.iloc[1:].median()
    if first > TRUNCATION_FACTOR * usual and first >= usual + TRUNCATION_MARGIN:
        yield (
            f"the first 30 days hold {first:,} first purchases, later 30 days about {usual:,.0f}: many of these "
            "customers may have bought before the table begins; acquired_between leaves them out"
        )


def _count(table: ibis.Table) -> int:
    return int(table.count().execute())
