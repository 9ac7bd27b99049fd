"""What a table can be of, a role a line, and how a user describes one: `Table`.

Most tables are events of customers in one shape: whose, when, of what kind, how many, for how much money.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from clvmodels.errors import Problem, unknown
from clvmodels.sources.columns import RESERVED
from clvmodels.sources.conventions import Conventions, argument_problems
from clvmodels.sources.identity import CUSTOMER, rule_problems
from clvmodels.sources.reading import Layout
from clvmodels.sources.reasons import Policies
from clvmodels.sources.selection import ColumnName, RowFilter, column_problems

AS_ORDER = "order"
"""Instead of a table's currency: amounts are in the currency of the order they belong to."""
ORDER_ROLES = ("orders", "order_lines")
"""Roles of which transactions are made."""
WITH_GROUPS = (*ORDER_ROLES, "attributes")
"""Roles whose tables may have groups and covariates."""
ORDER_COLUMNS = ("key", "cost", "discount", "product_group", "currency")
"""What orders may have beside `RESERVED`: no group and no covariate can be called so."""


@dataclass(frozen=True)
class TableRole:
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
    event_columns
        Meaning -> column of the events that it becomes, where they are called otherwise.
    day_of_order
        Whether a row that tells no day is of the day of its order, where it has the order's number.
    """

    title: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    reached_by: tuple[str, ...] = ("key",)
    kinds: tuple[str, ...] = ()
    open: bool = True
    kind: str = ""
    event_columns: Mapping[str, str] = field(default_factory=dict)
    is_event: bool = True
    day_of_order: bool = False

    @property
    def meanings(self) -> tuple[str, ...]:
        """All meanings that its columns can have."""
        return tuple(dict.fromkeys((*self.reached_by, *self.required, *self.optional)))


_MONEY = ("amount", "currency")
TABLE_ROLES: dict[str, TableRole] = {
    "orders": TableRole(
        "Orders",
        ("date",),
        ("amount", "order_id", "cost", "discount", "currency", "ended"),
        is_event=False,
    ),
    "order_lines": TableRole(
        "Order lines",
        ("order_id",),
        ("amount", "cost", "discount", "product_group", "key", "date", "currency"),
        ("order_id",),
        is_event=False,
    ),
    "returns": TableRole(
        "Returns and refunds",
        ("date", "amount"),
        ("currency", "order_id"),
        ("key", "order_id"),
        kind="return",
    ),
    "payments": TableRole(
        "Payments",
        ("date", "kind"),
        (*_MONEY, "order_id"),
        ("key", "order_id"),
        kinds=("late", "bad_debt", "fee", "paid"),
        open=False,
        day_of_order=True,
    ),
    "discounts": TableRole(
        "Discounts conceded",
        ("date", "amount"),
        ("currency", "order_id"),
        ("key", "order_id"),
        kind="discount",
        day_of_order=True,
    ),
    "contacts": TableRole(
        "Service contacts",
        ("date",),
        ("kind", "minutes", *_MONEY, "order_id"),
        ("key", "order_id"),
        kinds=("contact", "complaint"),
        kind="contact",
        event_columns={"minutes": "value"},
    ),
    "surveys": TableRole(
        "Satisfaction surveys",
        ("date", "kind"),
        ("score", "order_id"),
        ("key", "order_id"),
        day_of_order=True,
        kinds=("nps", "csat", "ces"),
        open=False,
        event_columns={"score": "value"},
    ),
    "engagement": TableRole("Engagement", ("date", "kind"), ("count",)),
    "referrals": TableRole(
        "Referrals", ("date",), ("referred",), kind="referral", event_columns={"referred": "detail"}
    ),
    "campaigns": TableRole(
        "Campaigns",
        ("date", "kind"),
        ("arm", "responded", *_MONEY),
        event_columns={"arm": "detail", "responded": "value"},
    ),
    "acquisition": TableRole(
        "Acquisition costs",
        ("amount",),
        ("date", "channel", "currency"),
        kind="acquisition",
        event_columns={"channel": "detail"},
    ),
    "channel_costs": TableRole(
        "Costs by channel and month", ("channel", "date", "amount"), ("currency",), (), is_event=False
    ),
    "attributes": TableRole("Attributes of customers", (), is_event=False),
    "identity": TableRole("Identity", ("system", "key", "customer_id"), (), (), is_event=False),
    "rates": TableRole("Exchange rates", ("currency", "rate"), ("date",), (), is_event=False),
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
        From `TABLE_ROLES`.
    system
        Whose keys its customers are told by; by default those of the result.
    table
        The table of a database or the sheet of a workbook.
    columns
        From the role's meanings to the table's own names; names not given stand for themselves. `{"value": "shop"}`
        instead of a name is one value for all rows.
    date_format, delimiter, encoding, decimal, thousands, header, escape, where
        As in `read_transactions`.
    kinds
        From the table's own words to kinds; in an identity table, to systems.
    groups, covariates
        Columns of orders or attributes to keep, by the table's own names or by those that `columns` gives them.
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
    columns: Mapping[str, ColumnName] = field(default_factory=dict)
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
    decimal: str | None = None
    thousands: str | None = None
    header: bool | int | Sequence[str] = True
    escape: str | None = None
    where: RowFilter = field(default_factory=dict)

    @property
    def layout(self) -> Layout:
        """How its file is laid out."""
        return Layout.of(self.delimiter, self.encoding, self.escape, self.header, self.table, self.decimal)

    def conventions(self, whole: Conventions) -> Conventions:
        """How its cells are read, where the tables together are read so."""
        return whole._replace(
            date_format=self.date_format,
            policies=whole.policies if self.policies is None else self.policies.within(whole.policies),
            decimal=self.decimal,
            thousands=self.thousands,
        )

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> Table:
        """A table as an experiment file describes it, its policies a mapping too."""
        policies = mapping.get("policies")
        if isinstance(policies, Mapping):
            policies = Policies(**policies)
        return cls(**{**mapping, "policies": policies})

    def problems(self, name: str) -> list[Problem]:
        """What is wrong with the description, before the table is looked at; `name` is the table's among the others."""
        where = f"source '{name}'"
        if self.role not in TABLE_ROLES:
            return [unknown("role", self.role, TABLE_ROLES, where)]
        return [
            *self._argument_problems(where),
            *self._column_problems(where),
            *self._kind_problems(where),
            *self._value_problems(where),
            *self._group_problems(where),
            *rule_problems(self.rules, where),
        ]

    def _argument_problems(self, where: str) -> list[Problem]:
        problems = []
        # The time zone is that of the whole result, and checked with it.
        conventions = self.conventions(Conventions(policies=self.policies or Policies()))
        for problem in argument_problems(conventions, self.layout):
            place = f"{where}, {problem.where}" if problem.where else where
            problems.append(Problem(problem.what, place, problem.got, problem.known))
        if (self.path is None) == (self.frame is None):
            problems.append(Problem("needs a path or a frame, one of them", where))
        return problems

    def _column_problems(self, where: str) -> list[Problem]:
        meanings = TABLE_ROLES[self.role].meanings
        problems = column_problems(self.columns, where)
        if problems:
            return problems
        allowed = (*meanings, *self.groups, *self.covariates)
        problems = [unknown("column meaning", name, allowed, where) for name in self.columns if name not in allowed]
        if self.role not in WITH_GROUPS:
            return problems
        advice = "A group or covariate is named in groups or covariates too"
        return [dataclasses.replace(problem, known=advice) for problem in problems]

    def _kind_problems(self, where: str) -> list[Problem]:
        role, problems = TABLE_ROLES[self.role], []
        for kind in self.kinds.values():
            if not role.open and kind not in role.kinds:
                problems.append(unknown("kind", kind, role.kinds, where))
        # An identity table's words are mapped to systems, in the same way.
        if self.kinds and "kind" not in role.meanings and self.role != "identity":
            with_kinds = [name for name, other in TABLE_ROLES.items() if "kind" in other.meanings]
            problems.append(Problem("has no kinds", where, known=f"Kinds are told by {', '.join(with_kinds)}"))
        return problems

    def _value_problems(self, where: str) -> list[Problem]:
        problems = []
        if self.sign not in ("positive", "negative"):
            problems.append(unknown("sign", self.sign, ("positive", "negative"), where))
        if self.policies and self.policies.refunds == "returns" and self.role not in ORDER_ROLES:
            problems.append(Problem("only orders have refunds: returns", where, known="Keep, drop or refuse negatives"))
        return problems

    def _group_problems(self, where: str) -> list[Problem]:
        problems = []
        columns = (*self.groups, *self.covariates)
        if columns and self.role not in WITH_GROUPS:
            problems.append(Problem("only orders and attributes have groups and covariates", where))
        for column in columns:
            if column in RESERVED or column in ORDER_COLUMNS:
                what = f"a group column cannot be called '{column}', nor a covariate"
                problems.append(Problem(what, where, known="Rename the column"))
        if self.rules and self.role != "identity":
            problems.append(Problem("rules belong to the identity table", where))
        return problems
