"""What the tables beside the orders say of each customer at a day: satisfaction, complaints, late payment, range.

One row a customer; each column is a number with its role and unit. They may be named as covariates of effects, and then
only what is known at the customers' end of observation is used. They are associated with behaviour; they do not say
what a change of them would bring.

Most of them grow with the purchases that a model of purchases or lifetime explains: who buys often has bought from more
product groups, whatever the groups. As covariates of these models they would explain purchases by themselves. Each has
a twin that may be one, as of a landmark before the repeat purchases that are explained: what was known at the end of
the day of the customer's first purchase, such as `product_groups_at_first_purchase`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.models import Cost, known_costs
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

Aggregate = Callable[[ibis.Table], ibis.Value]


class Experience(NamedTuple):
    """A column: the role of the tables that it comes from, its unit, what it says, and how it is made.

    `keep` tells the events that count, `of` makes one number of a customer's. `a_purchase`: divided by the number of
    purchases. Where `absent` is nan, a customer without such events has no answer; otherwise it is the number.
    `grows`: it is made of how often the customer bought, or grows with that.
    """

    role: str
    unit: str
    says: str
    keep: Callable[[ibis.Table], ibis.Value]
    of: Aggregate
    absent: float = 0.0
    a_purchase: bool = False
    grows: bool = True


def _answers(kind: str, scale: str) -> Experience:
    return Experience(
        "surveys",
        f"points, {scale}",
        f"mean of the {kind.upper()} answers",
        lambda t: (t.kind == kind) & t.value.notnull(),
        lambda t: t.value.mean(),
        np.nan,
        grows=False,
    )


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
    "contact_rate": Experience(
        "contacts", "a purchase", "service contacts", lambda t: t.kind != "", _count, a_purchase=True
    ),
    "late_payment_rate": Experience(
        "payments", "a purchase", "late payments", lambda t: t.kind == "late", _count, a_purchase=True
    ),
    "return_rate": Experience("returns", "a purchase", "returns", lambda t: t.amount > 0, _count, a_purchase=True),
    "discount": Experience(
        "discounts", "currency a purchase", "discounts conceded", lambda t: t.amount > 0, _money, a_purchase=True
    ),
    "engagement_count": Experience("engagement", "", "reviews, questions and the like", lambda t: t.kind != "", _count),
    "referral_rate": Experience(
        "referrals", "a purchase", "customers brought", lambda t: t.kind != "", _count, a_purchase=True
    ),
    "product_groups": Experience(
        "range", "", "product groups bought from", lambda t: t.kind != "", lambda t: t.kind.nunique()
    ),
    "campaign_contacts": Experience("campaigns", "", "campaign contacts", lambda t: t.kind != "", _count),
    "response_rate": Experience(
        "campaigns", "share", "answers to campaigns", lambda t: t.value.notnull(), lambda t: t.value.mean(), np.nan
    ),
    "acquisition_cost": Experience(
        "acquisition", "currency", "own cost of acquisition", lambda t: t.amount.notnull(), _money, grows=False
    ),
}
"""By name. Means of answers and sums are made with what is known at the day."""
AT_FIRST_PURCHASE = "_at_first_purchase"
"""What the name of a column ends with that was known on the day of the first purchase."""


def available(roles: Iterable[str]) -> tuple[str, ...]:
    """The columns that tables of these roles give."""
    roles = set(roles)
    return tuple(name for name, column in EXPERIENCE.items() if column.role in roles)


def at_first_purchase(names: Iterable[str]) -> tuple[str, ...]:
    """The twins of these columns as of each customer's first purchase."""
    return tuple(f"{name}{AT_FIRST_PURCHASE}" for name in names)


def is_experience(name: str) -> bool:
    """Whether a column of this name, or of its twin as of the first purchase, can be made."""
    return name.removesuffix(AT_FIRST_PURCHASE) in EXPERIENCE


def grows_with_purchases(name: str) -> bool:
    """Whether a column of this name is made of the purchases of the observed window, or grows with them."""
    return name in EXPERIENCE and EXPERIENCE[name].grows


def experience(company: Company, customers: Customers, names: Iterable[str] | None = None) -> pd.DataFrame:
    """One row a customer, in their order: the columns of those names, or all that the company's tables give.

    Raises
    ------
    ConfigError
        An unknown name.
    DataError
        A column of a role that no table has.
    """
    names = available(company.roles) if names is None else tuple(names)
    _check_names(names, company)
    purchases = _purchases(company, customers)
    columns = {}
    for name in names:
        column = EXPERIENCE[name.removesuffix(AT_FIRST_PURCHASE)]
        at_first = name.endswith(AT_FIRST_PURCHASE)
        events = _events_of_first_day(column, company) if at_first else _events(column, company)
        values = _values(column, events, customers.observation_end).reindex(purchases.index).fillna(column.absent)
        # on the day of the first purchase there is one purchase
        columns[name] = values / purchases if column.a_purchase and not at_first else values
    return pd.DataFrame(columns, index=purchases.index)


def _check_names(names: Iterable[str], company: Company) -> None:
    names = list(names)
    if problems := [unknown("column of experience", name, EXPERIENCE) for name in names if not is_experience(name)]:
        raise ConfigError(problems)
    role_of = {name: EXPERIENCE[name.removesuffix(AT_FIRST_PURCHASE)].role for name in names}
    problems = [
        Problem(f"no table tells of '{name}'", "covariates", known=f"Add a table with role: {role}")
        for name, role in role_of.items()
        if role not in company.roles
    ]
    if problems:
        raise DataError(problems)


def _purchases(company: Company, customers: Customers) -> pd.Series:
    """How many days each customer has ordered on, up to their end of observation."""
    orders = company.transactions.table.filter(_.date <= ibis.date(customers.observation_end.date()))
    days = orders.group_by("customer_id").agg(days=_.date.nunique()).execute()
    return days.set_index("customer_id")["days"].reindex(customers.table.index).astype(float)


def _events(column: Experience, company: Company) -> ibis.Table:
    return company.events.filter(_.role == column.role)


def _events_of_first_day(column: Experience, company: Company) -> ibis.Table:
    """Events up to the day of each customer's first purchase; those without a day may be later and do not count."""
    first = company.transactions.table.group_by("customer_id").agg(first=_.date.min())
    return _events(column, company).inner_join(first, "customer_id").filter(_.date <= _.first)


def _values(column: Experience, events: ibis.Table, end: pd.Timestamp) -> pd.Series:
    """A column, of the customers who have an event that counts."""
    events = events.filter(_.date.isnull() | (_.date <= ibis.date(end.date())))
    events = events.filter(column.keep(events))
    values = events.group_by("customer_id").agg(value=column.of(events)).execute()
    return values.set_index("customer_id")["value"].astype(float)


def with_experience(company: Company, customers: Customers, names: Iterable[str]) -> Customers:
    """The customers with these columns, which effects may read as covariates; see `experience`."""
    columns = experience(company, customers, names)
    of_window = [name for name in columns if name in EXPERIENCE]
    experienced = dict.fromkeys((*customers.experienced, *of_window))
    return replace(customers, table=customers.table.assign(**columns), experienced=tuple(experienced))


def consolidated(company: Company, customers: Customers) -> pd.DataFrame:
    """One row a customer with all that is known of them at their day: the statistics of the orders, all attributes, and
    every column of experience that the tables give."""
    names = [name for name in available(company.roles) if name not in customers.table]
    table = with_experience(company, customers, names).table if names else customers.table
    others = [name for name in company.attributes if name not in table]
    if not others:
        return table
    return table.join(company.attributes[others])


def column_origins(company: Company, table: pd.DataFrame) -> pd.DataFrame:
    """Where each column of `consolidated` comes from: column, role, source, own_column, customers (who have it).

    A column of several sources has a row for each.
    """
    rows = []
    for name in table:
        customers = int(table[name].notna().sum())
        for source, origins in _origin(company, str(name)).groupby("source", sort=False):
            own_columns = ", ".join(dict.fromkeys(origins["own_column"]))
            rows.append((name, origins["role"].iloc[0], source, own_columns, customers))
    return pd.DataFrame(rows, columns=["column", "role", "source", "own_column", "customers"])


def _origin(company: Company, name: str) -> pd.DataFrame:
    """The rows of the company's origins that a column is made of."""
    origins = company.origins
    named = origins[origins["column"].eq(name) & origins["role"].isin(["attributes", "orders"])]
    if len(named):
        return named
    if is_experience(name):
        return origins[origins["role"].eq(EXPERIENCE[name.removesuffix(AT_FIRST_PURCHASE)].role)]
    cost = _observing_cost(name)
    if cost is not None and cost.source_column:
        return origins[origins["column"].eq(cost.source_column)]
    role = "orders" if cost is None else cost.source
    if role not in set(origins["role"]):
        role = "order_lines"
    return origins[origins["role"].eq(role)]


def _observing_cost(name: str) -> Cost | None:
    """The cost that observes a column. All customers have purchases, whatever comes with them: these are of orders."""
    if name == "purchases":
        return None
    return next((cost for cost in known_costs().values() if name in cost.observes), None)
