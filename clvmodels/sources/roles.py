"""What a table can be of, and what its columns mean: a role a line. And how a table is told of: `Table`.

Most tables are events of customers in one shape: whose, when, of what kind, how many, for how much money.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pandas as pd

from clvmodels.errors import Problem, unknown
from clvmodels.sources.identity import CUSTOMER, rule_problems
from clvmodels.sources.reading import Raw, Source
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import RESERVED, argument_problems, own_column

AS_ORDER = "order"
"""Instead of a table's currency: amounts are in the currency of the order they belong to."""


@dataclass(frozen=True)
class Role:
    """What a table is of.

    Parameters
    ----------
    title
        As in a report.
    required, optional
        Meanings of its columns.
    reached_by
        How a row meets its customer: by `key`, or by `order_id`, where there is no column of keys. Empty: it is of no
        customer.
    kinds
        Kinds that are known; `open` where a table may have others.
    kind
        Of every row, where no column tells it.
    to
        Meaning -> column of the events that it becomes, where they are called otherwise.
    """

    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reached_by: tuple[str, ...] = ("key",)
    kinds: tuple[str, ...] = ()
    open: bool = True
    kind: str = ""
    to: Mapping[str, str] = field(default_factory=dict)
    is_event: bool = True

    @property
    def meanings(self) -> tuple[str, ...]:
        """All meanings that its columns can have."""
        return tuple(dict.fromkeys((*self.reached_by, *self.required, *self.optional)))


_MONEY = ("amount", "currency")
ROLES: dict[str, Role] = {
    "orders": Role(
        "Orders",
        ("date",),
        ("amount", "order_id", "cost", "discount", "currency", "ended"),
        is_event=False,
    ),
    "order_lines": Role(
        "Order lines",
        ("order_id",),
        ("amount", "cost", "discount", "product_group", "key", "date", "currency"),
        ("order_id",),
        is_event=False,
    ),
    "returns": Role(
        "Returns and refunds",
        ("date", "amount"),
        ("currency", "order_id"),
        ("key", "order_id"),
        kind="return",
    ),
    "payments": Role(
        "Payments",
        ("date", "kind"),
        (*_MONEY, "order_id"),
        ("key", "order_id"),
        kinds=("late", "bad_debt", "fee", "paid"),
        open=False,
    ),
    "discounts": Role(
        "Discounts conceded",
        ("date", "amount"),
        ("currency", "order_id"),
        ("key", "order_id"),
        kind="discount",
    ),
    "contacts": Role(
        "Service contacts",
        ("date",),
        ("kind", "minutes", *_MONEY, "order_id"),
        kinds=("contact", "complaint"),
        kind="contact",
        to={"minutes": "value"},
    ),
    "surveys": Role(
        "Satisfaction surveys",
        ("date", "kind"),
        ("score",),
        kinds=("nps", "csat", "ces"),
        open=False,
        to={"score": "value"},
    ),
    "engagement": Role("Engagement", ("date", "kind"), ("count",)),
    "referrals": Role("Referrals", ("date",), ("referred",), kind="referral", to={"referred": "detail"}),
    "campaigns": Role(
        "Campaigns",
        ("date", "kind"),
        ("arm", "responded", *_MONEY),
        to={"arm": "detail", "responded": "value"},
    ),
    "acquisition": Role(
        "Acquisition costs",
        ("amount",),
        ("date", "channel", "currency"),
        kind="acquisition",
        to={"channel": "detail"},
    ),
    "channel_costs": Role(
        "Costs by channel and month", ("channel", "date", "amount"), ("currency",), (), is_event=False
    ),
    "attributes": Role("Attributes of customers", (), is_event=False),
    "identity": Role("Identity", ("system", "key", "customer_id"), (), (), is_event=False),
    "rates": Role("Exchange rates", ("currency", "rate"), ("date",), (), is_event=False),
}
"""By name, in the order of a report."""
SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""Lowest and highest score of a survey."""


@dataclass(frozen=True)
class Table:
    """One table of a company, and what it is of.

    Parameters
    ----------
    path
        A file or the URL of a database, as in `read_transactions`; paths are relative to the folder given.
    frame
        Or the table itself.
    role
        From `ROLES`.
    system
        Whose keys its customers are told by; by default those of the result.
    table
        The table of a database or the sheet of a workbook.
    columns
        From the role's meanings to the table's own names; names not given stand for themselves.
    date_format, delimiter, encoding
        As in `read_transactions`.
    kinds
        From the table's own words to kinds; in an identity table, to systems.
    groups, covariates
        Columns of orders or attributes to keep, by the table's own names.
    rules
        Of an identity table: how keys are compared, by system, from `identity.RULES`; others are compared exactly.
    policies
        What is done with rows that are not as they should be; by default as for the other tables.
    sign
        "negative" where money that the firm gives (sent back, conceded, paid) is written as negative amounts.
    currency
        Of all its amounts, where no column tells it: by default the result's, of order lines the order's. "order":
        that of the order.
    """

    path: str | Path | None = None
    frame: pd.DataFrame | None = field(default=None, repr=False)
    role: str = "orders"
    system: str = CUSTOMER
    table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    date_format: str | None = None
    delimiter: str | None = None
    encoding: str = "utf-8"
    kinds: Mapping[str, str] = field(default_factory=dict)
    groups: Sequence[str] = ()
    covariates: Sequence[str] = ()
    rules: Mapping[str, str] = field(default_factory=dict)
    policies: Policies | None = None
    sign: Literal["positive", "negative"] = "positive"
    currency: str | None = None

    @classmethod
    def from_mapping(cls, told: Mapping[str, Any]) -> Table:
        """A table as an experiment file tells of it, its policies a mapping too."""
        policies = told.get("policies")
        return cls(**{**told, "policies": None if policies is None else Policies(**policies)})

    def problems(self, name: str) -> list[Problem]:
        """What is wrong with what was said, before the table is looked at."""
        where = f"source '{name}'"
        if self.role not in ROLES:
            return [unknown("role", self.role, ROLES, where)]
        role = ROLES[self.role]
        found = argument_problems(self.policies or Policies(), "UTC", self.encoding, self.date_format)
        found = [Problem(p.what, f"{where}, {p.where}" if p.where else where, p.got, p.known) for p in found]
        if (self.path is None) == (self.frame is None):
            found.append(Problem("needs a path or a frame, one of them", where))
        found += [unknown("column meaning", m, role.meanings, where) for m in self.columns if m not in role.meanings]
        if not role.open:
            found += [
                unknown("kind", kind, role.kinds, where) for kind in self.kinds.values() if kind not in role.kinds
            ]
        if self.kinds and "kind" not in role.meanings and self.role != "identity":
            found.append(Problem("has no kinds", where, known=f"Kinds are told by {', '.join(_with('kind'))}"))
        if self.sign not in ("positive", "negative"):
            found.append(unknown("sign", self.sign, ("positive", "negative"), where))
        if self.policies and self.policies.refunds == "returns" and self.role not in ("orders", "order_lines"):
            found.append(Problem("only orders have refunds: returns", where, known="Keep, drop or refuse negatives"))
        if (self.groups or self.covariates) and self.role not in ("orders", "order_lines", "attributes"):
            found.append(Problem("only orders and attributes have groups and covariates", where))
        for column in (*self.groups, *self.covariates):
            if column in RESERVED or column in KEPT_BY_ORDERS:
                what = f"a group column cannot be called '{column}', nor a covariate"
                found.append(Problem(what, where, known="Rename the column"))
        if self.rules and self.role != "identity":
            found.append(Problem("rules belong to the identity table", where))
        return found + rule_problems(self.rules, where)


KEPT_BY_ORDERS = ("key", "cost", "discount", "product_group", "currency")


def _with(meaning: str) -> list[str]:
    return [name for name, role in ROLES.items() if meaning in role.meanings]


class Told(NamedTuple):
    """A table that was found, its columns known, and its rows in the engine."""

    name: str
    table: Table
    source: Source
    names: dict[str, str]  # meaning, group or covariate -> the table's own name, in the order of raw's columns
    raw: Raw

    @property
    def role(self) -> Role:
        return ROLES[self.table.role]

    @property
    def where(self) -> str:
        return self.source.where

    @property
    def kept(self) -> tuple[str, ...]:
        """Columns that mean nothing but are kept."""
        return tuple(dict.fromkeys((*self.table.groups, *self.table.covariates)))

    def column(self, meaning: str) -> str:
        """What the engine calls the column of a meaning that the table has."""
        return own_column(self.names, meaning)


def map_columns(table: Table, source: Source, is_base: bool) -> tuple[dict[str, str], list[Problem]]:
    """Meaning -> own name of each column that is read, and what is wrong with them. `is_base`: the lines are the
    orders, since no other table is."""
    role, where = ROLES[table.role], source.where
    kept = dict.fromkeys((*table.groups, *table.covariates))
    required = [*role.required]
    if table.role == "order_lines":
        required += ["key", "date"] if is_base else []
    elif role.reached_by:
        reach = [m for m in role.reached_by if m in table.columns or m in source.columns]
        required = [*(reach[:1] or role.reached_by[:1]), *required]
    itself = {*source.columns} - {*kept, "ended"}  # ended, as of transactions, only where a column is named for it
    own = [m for m in role.meanings if m in table.columns or m in itself]
    if table.role == "order_lines" and not is_base:
        own = [m for m in own if m not in ("key", "date")]
    names = {m: table.columns.get(m, m) for m in dict.fromkeys((*required, *own))} | {k: k for k in kept}
    problems = []
    if table.currency == AS_ORDER and table.role != "order_lines" and ("key" in names or "order_id" not in names):
        what = f"currency: {AS_ORDER} is of rows that are reached by their order_id"
        problems.append(Problem(what, where, known="Name the column of order ids and none of keys"))
    for meaning, name in names.items():
        if (n := source.columns.count(name)) > 1:
            problems.append(Problem(f"{n} columns are called '{name}'", where))
        if n == 0:
            problems.append(_absent(meaning, name, table, role, source))
    return names, problems


def _absent(meaning: str, name: str, table: Table, role: Role, source: Source) -> Problem:
    problem = unknown("column", name, source.columns, source.where)
    if meaning in table.columns or meaning not in role.meanings:
        return problem
    other = " or 'order_id'" if meaning == "key" and "order_id" in role.reached_by else ""
    return Problem(
        f"{problem.what}; say which column is its '{meaning}'{other}: columns={{'{meaning}': ...}}", problem.where
    )
