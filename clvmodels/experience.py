"""What the tables beside the orders say of each customer at a day: satisfaction, complaints, late payment, range.

One row a customer; each column is a number with its role and unit. They may be named as covariates of effects, and then
only what is known at the customers' end of observation is used. They are associated with behaviour; they do not say
what a change of them would bring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.cleaning import EXACT
from clvmodels.consolidation import Company
from clvmodels.customers import Customers
from clvmodels.errors import ConfigError, DataError, Problem, unknown

Aggregate = Callable[[ibis.Table], ibis.Value]


class Experience(NamedTuple):
    """A column: the role of the tables that it comes from, its unit, what it says, and how it is made.

    `keep` tells the events that count, `of` makes one number of a customer's. `a_purchase`: divided by the number of
    purchases. Where `absent` is nan, a customer without such events has no answer; otherwise it is the number.
    """

    role: str
    unit: str
    says: str
    keep: Callable[[ibis.Table], ibis.Value]
    of: Aggregate
    absent: float = 0.0
    a_purchase: bool = False


def _answers(kind: str, scale: str) -> Experience:
    return Experience(
        "surveys", f"points, {scale}", f"mean of the {kind.upper()} answers",
        lambda t: (t.kind == kind) & t.value.notnull(), lambda t: t.value.mean(), np.nan,
    )  # fmt: skip


def _count(t: ibis.Table) -> ibis.Value:
    return t["count"].sum()


def _money(t: ibis.Table) -> ibis.Value:
    return t.amount.cast(EXACT).sum().cast("float64")


EXPERIENCE: dict[str, Experience] = {
    "nps": _answers("nps", "0 to 10"),
    "csat": _answers("csat", "1 to 5"),
    "ces": _answers("ces", "1 to 7"),
    "complaint_rate": Experience(
        "contacts", "a purchase", "complaints", lambda t: t.kind == "complaint", _count, a_purchase=True
    ),
    "contact_rate": Experience("contacts", "a purchase", "service contacts", lambda t: t.kind != "", _count,
                               a_purchase=True),
    "late_payment_rate": Experience("payments", "a purchase", "late payments", lambda t: t.kind == "late", _count,
                                    a_purchase=True),
    "return_rate": Experience("returns", "a purchase", "returns", lambda t: t.amount > 0, _count, a_purchase=True),
    "discount": Experience("discounts", "currency a purchase", "discounts conceded", lambda t: t.amount > 0, _money,
                           a_purchase=True),
    "engagement_count": Experience("engagement", "", "reviews, questions and the like", lambda t: t.kind != "", _count),
    "referral_rate": Experience("referrals", "a purchase", "customers brought", lambda t: t.kind != "", _count,
                                a_purchase=True),
    "product_groups": Experience("range", "", "product groups bought from", lambda t: t.kind != "",
                                 lambda t: t.kind.nunique()),
    "campaign_contacts": Experience("campaigns", "", "campaign contacts", lambda t: t.kind != "", _count),
    "response_rate": Experience("campaigns", "share", "answers to campaigns", lambda t: t.value.notnull(),
                                lambda t: t.value.mean(), np.nan),
    "acquisition_cost": Experience("acquisition", "currency", "own cost of acquisition", lambda t: t.amount.notnull(),
                                   _money),
}  # fmt: skip
"""By name. Means of answers and sums are made with what is known at the day."""


def available(roles: Iterable[str]) -> tuple[str, ...]:
    """The columns that tables of these roles give."""
    roles = set(roles)
    return tuple(name for name, column in EXPERIENCE.items() if column.role in roles)


def experience(company: Company, customers: Customers, names: Iterable[str] | None = None) -> pd.DataFrame:
    """One row a customer, in their order: the columns of those names, or all that the company's tables give.

    Raises
    ------
    ConfigError
        An unknown name.
    DataError
        A column of a role that no table has.
    """
    known = available(company.roles)
    names = known if names is None else tuple(names)
    if problems := [unknown("column of experience", name, EXPERIENCE) for name in names if name not in EXPERIENCE]:
        raise ConfigError(problems)
    if problems := [
        Problem(f"no table tells of '{name}'", "covariates", known=f"Add a table with role: {EXPERIENCE[name].role}")
        for name in names if name not in known
    ]:  # fmt: skip
        raise DataError(problems)
    end = ibis.date(customers.observation_end.date())
    table = company.transactions.table.filter(_.date <= end)
    bought = table.group_by("customer_id").agg(n=_.date.nunique()).execute().set_index("customer_id")["n"]
    bought = bought.reindex(customers.table.index).astype(float)
    columns = {}
    for name in names:
        column = EXPERIENCE[name]
        events = company.events.filter(_.role == column.role, _.date <= end)
        events = events.filter(column.keep(events))
        found = events.group_by("customer_id").agg(value=column.of(events)).execute().set_index("customer_id")["value"]
        found = found.astype(float).reindex(customers.table.index).fillna(column.absent)
        columns[name] = found / bought if column.a_purchase else found
    return pd.DataFrame(columns, index=customers.table.index)


def with_experience(company: Company, customers: Customers, names: Iterable[str]) -> Customers:
    """The customers with these columns, which effects may read as covariates; see `experience`."""
    return replace(customers, table=customers.table.assign(**experience(company, customers, names)))
