"""What a programme earned, where chance decided whom it reached: the return on what was spent on it.

Of customers who were dealt to two arms by chance, and only of these, the difference of the arms' profits is the
programme's effect. Where nothing says so, or the arms differ beyond chance before the programme began, it is refused:
a programme that chose its customers (the best, the willing) shows whom it chose, not what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.accounts.bench import Bench, bench
from clvmodels.accounts.entries import Book, Terms, keep_book
from clvmodels.accounts.winning import ACQUISITION
from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.kpis.margins import usual_so_far
from clvmodels.kpis.programme import Programme
from clvmodels.kpis.trial import ARMS, BEFORE, Arms, effect_rows, imbalance, imbalance_limit
from clvmodels.models import get_costs
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

LEAST = 30
"""Customers in each arm."""
WEEK = pd.Timedelta(days=7)
COLUMNS = (
    "campaign",
    "weeks",
    "verdict",
    "reason",
    "first_day",
    "last_day",
    "treatment",
    "control",
    "balance",
    "balance_limit",
    "of",
    "value",
    "q5",
    "q25",
    "q50",
    "q75",
    "q95",
)


def programmes(
    company: Company, customers: Customers, terms: Terms, tests: Sequence[Programme], *, least: int = LEAST
) -> pd.DataFrame:
    """What each programme earned for each customer treated, or why that cannot be said.

    The effect is the difference of the arms' mean profits (margin less costs, without acquisition and without the
    programme's own cost) of the purchases and contacts from the day of the assignment on, for so many weeks. Those who
    did not answer, or never bought, are among them; of other cohorts than the customers' nobody is. Its posterior is
    Student's t with Welch's degrees of freedom, that of the means with the reference prior. A cost that differs from
    customer to customer is uncertain with the profit: the gain is the difference of the arms' means of profit less
    cost. Nothing after the customers' end of observation is looked at.

    Returns
    -------
    DataFrame
        campaign, weeks, verdict (tested or refused), reason, first_day and last_day of the assignments, customers in
        treatment and control, balance (largest standardised difference of `BEFORE`) and its limit (exceeded by one
        sound experiment in 100), and for each `of` a value and its quantiles: profit in treatment and in control,
        effect, cost, gain (effect - cost), all for one treated customer; roi (gain / cost), P(roi > 0) as a value. A
        refused programme has one row.

    Raises
    ------
    ConfigError
        No economics.
    DataError
        A campaign that no row tells of.
    """
    _check(company, terms, tests)
    rows: list[dict] = []
    for programme in tests:
        with bench(company.transactions.backend) as workbench:
            rows += _programme(company, customers, terms, programme, least, workbench)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _check(company: Company, terms: Terms, tests: Sequence[Programme]) -> None:
    if terms.economics is None:
        raise ConfigError(Problem("a programme's profit needs economics", "programmes"))
    campaigns = company.events.filter(_.role == "campaigns").select("kind").distinct().order_by("kind").execute()
    names = list(campaigns["kind"].dropna())
    problems = []
    for programme in tests:
        if programme.campaign not in names:
            problems.append(unknown("campaign", programme.campaign, names, "programmes"))
    if problems:
        raise DataError(problems)


def _programme(
    company: Company, customers: Customers, terms: Terms, programme: Programme, least: int, bench: Bench
) -> list[dict]:
    """The rows of one programme: its effect, or one that says why it is refused."""
    end = customers.observation_end
    assigned = _of_these(company, customers, _assigned(company, programme, end))
    row: dict[str, Any] = {"campaign": programme.campaign, "weeks": float(programme.weeks), "verdict": "refused"}
    if assigned.empty:
        nobody = f"none of these customers was assigned by {end:%Y-%m-%d}"
        return [row | {"treatment": 0, "control": 0, "reason": nobody}]
    first, last = assigned["day"].min(), assigned["day"].max()
    row |= {"first_day": first.date().isoformat(), "last_day": last.date().isoformat()}
    row |= _sizes(assigned)
    over = last + programme.weeks * WEEK - pd.Timedelta(days=1)
    reason = _not_random(assigned, least) or _not_over(over, _days_watched(terms), end)
    if reason:
        return [row | {"reason": reason}]
    # last, since it costs most: the book without this campaign, and what the weeks brought
    arms = _outcomes(company, customers, terms, programme, assigned, bench)
    worst, balance = imbalance(arms)
    row |= {"balance": balance, "balance_limit": imbalance_limit()}
    if balance > row["balance_limit"]:
        return [row | {"reason": f"the arms differ in {worst} by more than chance explains"}]
    return [row | {"verdict": "tested", "reason": "", **effect} for effect in effect_rows(arms)]


# ------------------------------------------------------------------------------------------------- who, and by chance


def _assigned(company: Company, programme: Programme, end: pd.Timestamp) -> pd.DataFrame:
    """One row a customer: arms (how many different), arm, rows without one, first day, cost of the weeks from it on."""
    is_due = _.date.isnull() | (_.date <= ibis.date(end.date()))  # one without a day is told of, and refused
    campaigns = company.events.filter(_.role == "campaigns", _.kind == programme.campaign, _.customer_id.notnull())
    campaigns = campaigns.filter(is_due).mutate(arm=_.detail.strip().lower().nullif(""))
    first = campaigns.date.min().over(ibis.window(group_by="customer_id"))
    campaigns = campaigns.mutate(days=campaigns.date.delta(first, unit="day"))
    cost = _.amount.cast(EXACT).sum(where=_.days < _length(programme))
    by_customer = campaigns.group_by("customer_id").agg(
        arms=_.arm.nunique(),
        arm=_.arm.min(),
        unarmed=_.arm.isnull().sum(),
        day=_.date.min(),
        cost=cost.fill_null(0).cast("float64"),
    )
    rows = by_customer.order_by("customer_id").execute()
    return rows.assign(day=pd.to_datetime(rows["day"]).astype("datetime64[us]"))


def _length(programme: Programme) -> int:
    """Days in which the outcome counts."""
    return int(np.ceil(programme.weeks * 7))


def _of_these(company: Company, customers: Customers, assigned: pd.DataFrame) -> pd.DataFrame:
    """Without those who had bought and are not among the customers: of another cohort, they have no outcome here."""
    last_day = ibis.date(customers.observation_end.date())
    orders = company.transactions.table.filter(_.date <= last_day)
    buyers = orders.select("customer_id").distinct().execute()["customer_id"]
    other_cohorts = set(buyers) - set(customers.table.index)
    is_other = assigned["customer_id"].isin(other_cohorts)
    return assigned[~is_other].reset_index(drop=True)


def _days_watched(terms: Terms) -> int:
    """For how many days after a purchase something may come of it, by the costs in use."""
    longest = 0
    for name in get_costs(terms.costs):
        longest = max(longest, terms.windows.days.get(name, 0))
    return longest


def _sizes(assigned: pd.DataFrame) -> dict[str, int]:
    return {arm: int((assigned["arm"] == arm).sum()) for arm in ARMS}


def _not_random(assigned: pd.DataFrame, least: int) -> str:
    """Why nothing says that chance decided; empty where something does."""
    sizes = _sizes(assigned)
    smallest = min(ARMS, key=lambda arm: sizes[arm])
    unarmed = int((assigned["unarmed"] > 0).sum())
    in_both = int((assigned["arms"] > 1).sum())
    undated = int(assigned["day"].isna().sum())
    if assigned["arm"].isna().all():
        return "no row tells an arm: its customers were chosen, not dealt by chance"
    if unarmed:
        return f"{unarmed:,} of {len(assigned):,} customers have rows without an arm"
    if in_both:
        return f"{words.counted(in_both, 'customer is', 'customers are')} in both arms"
    if not sizes[smallest]:
        return f"there is one arm only: nobody is in {smallest}"
    if undated:
        return f"{words.counted(undated, 'customer has', 'customers have')} no day of assignment"
    if sizes[smallest] < least:
        return f"too few in {smallest}: {sizes[smallest]:,}, at least {least} are needed"
    return ""


def _not_over(last: pd.Timestamp, days_watched: int, end: pd.Timestamp) -> str:
    """Why not all is known of its weeks; empty where it is."""
    ends = f"they end on {last:%Y-%m-%d}, the data on {end:%Y-%m-%d}"
    if last > end:
        return f"its weeks are not over: {ends}"
    if last + pd.Timedelta(days=days_watched) > end:
        return f"what comes back of its weeks is not known for {words.counted(days_watched, 'day')} after them: {ends}"
    return ""


# ------------------------------------------------------------------------------------------------- before and after


def _outcomes(
    company: Company, customers: Customers, terms: Terms, programme: Programme, assigned: pd.DataFrame, bench: Bench
) -> Arms:
    """Everybody who was assigned, with what was before and with the profit of the weeks after."""
    terms = replace(terms, without=(programme.campaign,))
    start = company.transactions.data_start
    people = pd.DataFrame(index=customers.table.index)
    book = keep_book(company, customers, terms, people, bench, usual_so_far(start))
    days = bench.keep(pd.DataFrame({"customer_id": assigned["customer_id"], "day": assigned["day"].dt.date}))
    table = assigned.set_index("customer_id")
    table = table.join(_before(book, days)).join(_profit(book, days, programme))
    table = table.fillna({"purchases": 0.0, "revenue": 0.0, "profit": 0.0})
    day = table["day"]
    never = -float((day.max() - start).days)  # nobody was silent for longer
    last_purchase = (pd.to_datetime(table["last"]) - day).dt.days.fillna(never)
    assignment = (day - day.min()).dt.days
    before = table["purchases"], table["revenue"], last_purchase, assignment
    return Arms(table.assign(**dict(zip(BEFORE, before, strict=True))))


def _before(book: Book, assigned: ibis.Table) -> pd.DataFrame:
    """Purchases, revenue and last purchase of the days before the assignment."""
    days = book.days.inner_join(assigned, "customer_id").filter(_.date < _.day)
    revenue = _.revenue.cast(EXACT).sum().cast("float64")
    before = days.group_by("customer_id").agg(purchases=_.count(), revenue=revenue, last=_.date.max())
    return before.execute().set_index("customer_id")


def _profit(book: Book, assigned: ibis.Table, programme: Programme) -> pd.DataFrame:
    """What the purchases and contacts of the weeks from the assignment on brought, but for acquisition."""
    entries = book.earned.filter(_.part != ACQUISITION).inner_join(assigned, "customer_id")
    since = entries.bought.delta(entries.day, unit="day")
    entries = entries.filter(since >= 0, since < _length(programme))
    profit = _.amount.cast(EXACT).sum().cast("float64")
    by_customer = entries.group_by("customer_id").agg(profit=profit)
    return by_customer.execute().set_index("customer_id")
