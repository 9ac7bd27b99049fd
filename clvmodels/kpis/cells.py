"""What KPIs are made of: sums by period and label, from the engine, and small from here on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from clvmodels.accounts.bench import Bench
from clvmodels.accounts.entries import RETENTION, Book, Terms, keep_book
from clvmodels.accounts.winning import ACQUISITION, CHANNEL, won_by
from clvmodels.customers.table import Customers
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.kpis.margins import usual_so_far
from clvmodels.kpis.periods import Length, Period, periods, place, places, quarter_names
from clvmodels.models import known_costs
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

ALL, COHORT, BY = "all", "cohort", "by_"
MOST_LABELS = 200
MONEY = ("profit", "winning", "keeping")


@dataclass(frozen=True)
class Cells:
    """One way of dividing the customers: sums by label (rows) and period (columns).

    Parameters
    ----------
    earlier
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

    earlier: pd.DataFrame
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
        customer_id, period, profit, winning, keeping; None without economics.
    answers
        customer_id, period, kind, score, n; None without surveys.
    idle
        channel, month, amount: costs of channels that won nobody.
    has_winning, has_keeping
        Whether the tables tell what was spent on the one and on the other, be it that nothing was.
    """

    people: ibis.Table
    extent: ibis.Table
    money: ibis.Table | None
    answers: ibis.Table | None
    idle: pd.DataFrame
    periods: list[Period]
    has_winning: bool
    has_keeping: bool


# ------------------------------------------------------------------------------------------ by customer and period


def sum_up(
    company: Company, customers: Customers, terms: Terms, by: Sequence[str], length: Length, bench: Bench
) -> Sums:
    """The sums of these customers by month or quarter, up to their end of observation, on the bench."""
    people = labels(customers, by).join(won_by(company, customers.table))
    start = company.transactions.data_start
    book = keep_book(company, customers, terms, people, bench, usual_so_far(start, length))
    days = book.days.mutate(period=place(_.date, start, length))
    revenue = _.revenue.cast(EXACT).sum().cast("float64")
    extent = days.group_by(["customer_id", "period"]).agg(purchases=_.count(), revenue=revenue)
    return Sums(
        people=book.people,
        extent=bench.keep(extent),
        money=_money_by_period(book, length, bench),
        answers=_answers_by_period(company, book, length, bench),
        idle=book.idle,
        periods=periods(start, book.end, length),
        has_winning=ACQUISITION in book.parts,
        has_keeping=bool(set(keeping_parts()) & set(book.parts)),
    )


def keeping_parts() -> tuple[str, ...]:
    """The parts of profit that are spent to keep customers."""
    return (RETENTION, *(cost.part for cost in known_costs().values() if cost.keeps_customers))


def _money_by_period(book: Book, length: Length, bench: Bench) -> ibis.Table | None:
    if book.entries is None:
        return None
    entries = book.entries.mutate(period=place(_.date, book.start, length), amount=_.amount.cast(EXACT))
    sums = {"profit": entries.amount.sum().cast("float64")}
    for name, parts in (("winning", (ACQUISITION,)), ("keeping", keeping_parts())):
        spent = -entries.amount.sum(where=entries.part.isin(parts))  # costs are negative in the book
        sums[name] = spent.fill_null(0).cast("float64")
    return bench.keep(entries.group_by(["customer_id", "period"]).agg(**sums))


def _answers_by_period(company: Company, book: Book, length: Length, bench: Bench) -> ibis.Table | None:
    if "surveys" not in company.roles:
        return None
    last_day = ibis.date(book.end.date())
    surveys = company.events.filter(_.role == "surveys", _.value.notnull(), _.date <= last_day)
    surveys = surveys.inner_join(book.people.select("customer_id", "first"), "customer_id")
    day = ibis.greatest(surveys.date, surveys.first)  # as all that came before the first purchase
    period = place(day, book.start, length)
    score = surveys.value.round(1)  # so that 7.0 and 7.0000001 are one answer
    by_answer = surveys.mutate(period=period, score=score).group_by(["customer_id", "period", "kind", "score"])
    return bench.keep(by_answer.agg(n=_.count()))


# ---------------------------------------------------------------------------------------- what customers are divided by


def labels(customers: Customers, by: Sequence[str]) -> pd.DataFrame:
    """What the customers are divided by: everybody, the quarter of the first purchase, and these groups.

    Raises
    ------
    DataError
        Columns that are no groups, or have too many.
    """
    table = customers.table
    if problems := list(_no_groups(table, by)):
        raise DataError(problems)
    columns = {ALL: ALL, COHORT: quarter_names(table["first_purchase"])}
    for name in by:
        columns[name] = table[name]
    people = pd.DataFrame(columns, index=table.index).astype("str")
    return people.add_prefix(BY)  # a group may be named as a column of our own


def _no_groups(table: pd.DataFrame, by: Sequence[str]) -> Iterator[Problem]:
    groups = [name for name in table if _is_text(table[name])]
    for name in by:
        if name not in groups:
            yield unknown("group", name, groups, "kpis, by")
            continue
        count = table[name].nunique()
        if count > MOST_LABELS:
            yield Problem(f"'{name}' has {count:,} groups", "kpis, by", known=f"At most {MOST_LABELS}")


def _is_text(column: pd.Series) -> bool:
    return not (pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column))


# ------------------------------------------------------------------------------------------ by label and period


def cells(sums: Sums, by: str) -> Cells:
    """The sums by period and label of one column of the people."""
    people = sums.people.select("customer_id", "first", label=f"{BY}{by}")
    first = people.group_by(["label", "first"]).agg(new=_.count()).execute()
    first["period"] = places(first["first"], sums.periods)
    labels = sorted(first["label"].unique())

    def grid(table: pd.DataFrame, column: str) -> pd.DataFrame:
        """One column by label and period, 0 where there is nothing."""
        values = table[["label", "period"]].assign(value=table[column].astype(float))
        wide = values.pivot_table(index="label", columns="period", values="value", aggfunc="sum")
        return wide.reindex(index=labels, columns=range(len(sums.periods))).fillna(0.0)

    def grid_of_money(column: str) -> pd.DataFrame | None:
        return grid(money, column) if column in money else None

    extent = sums.extent.inner_join(people, "customer_id")
    of_period = _extent(extent)
    has_revenue = of_period["revenue"].notna().any()
    money = _money(sums, people, by)
    new = grid(first, "new")
    return Cells(
        earlier=(new.cumsum(axis=1) - new).astype(float),
        new=new,
        active=grid(of_period, "active"),
        again=grid(_again(sums, extent), "again"),
        purchases=grid(of_period, "purchases"),
        revenue=grid(of_period, "revenue") if has_revenue else None,
        profit=grid_of_money("profit"),
        winning=grid_of_money("winning"),
        keeping=grid_of_money("keeping"),
        answers=_answers(sums, people),
    )


def _extent(extent: ibis.Table) -> pd.DataFrame:
    """label, period, active, purchases, revenue."""
    revenue = _.revenue.cast(EXACT).sum().cast("float64")
    by_cell = extent.group_by(["label", "period"])
    return by_cell.agg(active=_.count(), purchases=_.purchases.sum(), revenue=revenue).execute()


def _again(sums: Sums, extent: ibis.Table) -> pd.DataFrame:
    """Customers who bought in a period and in the one before it: label, period, again."""
    before = sums.extent.select("customer_id", period=_.period + 1)
    again = extent.semi_join(before, ["customer_id", "period"])
    return again.group_by(["label", "period"]).agg(again=_.count()).execute()


def _money(sums: Sums, people: ibis.Table, by: str) -> pd.DataFrame:
    """label, period, and of profit, winning and keeping what the tables tell."""
    if sums.money is None:
        return pd.DataFrame()
    by_cell = sums.money.inner_join(people, "customer_id").group_by(["label", "period"])
    table = by_cell.agg(**{name: _[name].cast(EXACT).sum().cast("float64") for name in MONEY}).execute()
    if len(sums.idle) and by in (ALL, CHANNEL):
        table = pd.concat([table, _idle_rows(sums, by)])
    # a column of zeros would say that nothing was spent, where the tables are silent
    if not sums.has_winning:
        table = table.drop(columns="winning")
    if not sums.has_keeping:
        table = table.drop(columns="keeping")
    return table


def _idle_rows(sums: Sums, by: str) -> pd.DataFrame:
    """What won nobody counts where its channel, or everybody, is told of; costs before the first period nowhere."""
    amount = sums.idle["amount"]
    columns = {
        "label": sums.idle["channel"] if by == CHANNEL else ALL,
        "period": places(sums.idle["month"], sums.periods),
        "profit": -amount,
        "winning": amount,
        "keeping": 0.0,
    }
    rows = pd.DataFrame(columns)
    return rows[rows["period"] >= 0]


def _answers(sums: Sums, people: ibis.Table) -> pd.DataFrame:
    """label, period, kind, score, n; no row where there are no surveys."""
    keys = ["label", "period", "kind", "score"]
    if sums.answers is None:
        return pd.DataFrame({name: [] for name in (*keys, "n")})
    by_answer = sums.answers.inner_join(people, "customer_id").group_by(keys)
    return by_answer.agg(n=_.n.sum()).execute()
