"""Rows judged: each cell read as what it means, each row given at most one reason not to count, the first that applies.

Here all rows of all tables are judged: those of orders, and those of the other roles. First one by one, then against
each other (duplicates, refunds). What other tables know of a row stands beside it already, in columns of the engine:
`owner` and `unowned` (whose the key is, or why it is nobody's), `rate` (of its money to the result's currency), and of
rows that are reached by their order `order_rate`.

A judged row has: row, reason (null where it counts), text (the row as it stood, where there is a reason), moment (the
date as it came: two orders of one day at different times are no duplicates), and a column a meaning.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import ibis
from ibis import _

from clvmodels import words
from clvmodels.sources import reasons
from clvmodels.sources.cleaning import (
    DAYS,
    EXACT,
    MONEY,
    NUMBERS,
    OWNERS,
    SCIENTIFIC,
    amount_number,
    as_text,
    calendar_day,
    covariate_number,
    id_text,
    is_empty,
    owner_text,
    yes_or_no,
)
from clvmodels.sources.columns import engine_column
from clvmodels.sources.conventions import Conventions, today
from clvmodels.sources.opening import OpenTable
from clvmodels.sources.reading import Raw
from clvmodels.sources.roles import AS_ORDER, TABLE_ROLES, TableRole

type Cells = Mapping[str, ibis.Value]
"""Meaning -> column of the engine."""
type Case = tuple[ibis.Value, str]
"""When a row has a reason, and which. Cases are looked at in their order."""

SCALES = {"nps": (0, 10), "csat": (1, 5), "ces": (1, 7)}
"""Lowest and highest score of a survey."""
ARMS = ("treatment", "control")
"""Of a test in a campaign."""


# Orders -----------------------------------------------------------------------------------------------------------


class OrderRows(NamedTuple):
    """Rows of a table of orders, and how they are to be read."""

    raw: Raw
    where: str
    names: Mapping[str, str]  # meaning -> the table's own name, in the order of raw's columns
    conventions: Conventions
    groups: Sequence[str] = ()
    covariates: Sequence[str] = ()
    converted: Collection[str] = ()  # meanings that are in the result's currency already
    borrowed: Collection[str] = ()  # meanings that another table tells: they do not tell copies apart
    needs_order: bool = False  # whether a row without an order id does not count

    @property
    def extra(self) -> tuple[str, ...]:
        """Groups and covariates."""
        return (*self.groups, *self.covariates)

    def cell(self, meaning: str) -> ibis.Value:
        """The column of a meaning as it came."""
        return self.raw.table[engine_column(self.names, meaning)]

    def day(self) -> ibis.Value:
        """The local calendar day of each row."""
        return calendar_day(self.cell("date"), self.conventions, open_ends=True)


def judge_orders(orders: OrderRows) -> ibis.Table:
    """Every row of a table of orders, judged by itself."""
    columns = {meaning: orders.cell(meaning) for meaning in orders.names}
    cells = {meaning: column for meaning, column in columns.items() if meaning not in orders.extra}
    values = _order_values(orders, columns, cells)
    cases = _order_cases(orders, cells, values)
    return _with_reasons(orders.raw.table, cases, columns, orders.names, moment=cells["date"], **values)


def _order_values(orders: OrderRows, columns: Cells, cells: Cells) -> dict[str, ibis.Value]:
    """What each cell means. Whatever is no day, money or covariate is text, as groups are."""
    table, conventions = orders.raw.table, orders.conventions
    values = {}
    is_owned = "owner" in table.columns
    values["customer_id"] = table.owner if is_owned else owner_text(cells["customer_id"], conventions.policies)
    values["date"] = orders.day()
    for meaning in (meaning for meaning in MONEY if meaning in cells):
        is_rated = "rate" in table.columns and meaning not in orders.converted
        values[meaning] = amount_number(cells[meaning], conventions) * (table.rate if is_rated else 1.0)
    if "ended" in cells:
        values["ended"] = calendar_day(cells["ended"], conventions, open_ends=True)
    for name in orders.covariates:
        values[name] = covariate_number(columns[name], conventions)
    for name, column in columns.items():
        if name not in values:
            values[name] = id_text(column)
    return values


def _order_cases(orders: OrderRows, cells: Cells, values: Cells) -> list[Case]:
    """Why an order does not count.

    What is missing or cannot be read comes first, then what other tables say of the key, then what the policies are
    asked: a row is told by what its reader could mend.
    """
    table, conventions = orders.raw.table, orders.conventions
    is_owned = "owner" in table.columns
    nobody = table.unowned == reasons.NO_ID if is_owned else values["customer_id"].isnull()
    cases = [(nobody, reasons.NO_ID), (has_lost_digits(cells["customer_id"]), reasons.LOST_DIGITS)]
    if orders.needs_order:
        cases.append((id_text(cells["order_id"]).isnull(), reasons.NO_ORDER))
    cases.append((is_empty(cells["date"]), reasons.NO_DATE))
    cases.append((values["date"].isnull(), reasons.BAD_DATE))
    cases += _number_cases(cells, conventions, needs_amount="amount" in cells)
    if "ended" in cells:
        cases.append((~is_empty(cells["ended"]) & values["ended"].isnull(), reasons.BAD_END))
    cases += _disbelieved_days(values["date"], conventions)
    if conventions.data_end is None and conventions.policies.dates.latest is None:
        cases.append((values["date"] > ibis.date(today().date()), reasons.AFTER_TODAY))
    if is_owned:
        cases += [(table.unowned == reason, reason) for reason in (reasons.ORPHAN, reasons.SEVERAL)]
    if "ended" in cells:
        # Of several ends of a customer the last counts, as for the customers' status.
        last_end = values["ended"].max().over(ibis.window(group_by=values["customer_id"]))
        cases.append((values["date"] > last_end, reasons.AFTER_ENDED))
    if "amount" in cells and conventions.policies.refunds not in ("net", "returns"):
        cases.append((values["amount"] < 0, reasons.NEGATIVE))
    if "amount" in cells and conventions.policies.zero_amounts == "drop":
        cases.append((values["amount"] == 0, reasons.ZERO))
    return cases


def has_lost_digits(column: ibis.Value) -> ibis.Value:
    """Whether an id is a number as spreadsheets shorten it: several ids may be one by now."""
    if not column.type().is_string():
        return ibis.literal(False)
    return id_text(column).re_search(SCIENTIFIC).fill_null(False)


def _disbelieved_days(day: ibis.Value, conventions: Conventions) -> list[Case]:
    """Days that the policies do not take, and those after the stated end of the data."""
    believed = conventions.policies.dates
    cases = []
    if believed.earliest is not None:
        cases.append(((day < ibis.date(believed.earliest)).fill_null(False), reasons.TOO_EARLY))
    if believed.latest is not None:
        latest = today().date().isoformat() if believed.latest == reasons.TODAY else believed.latest
        cases.append(((day > ibis.date(latest)).fill_null(False), reasons.TOO_LATE))
    if conventions.data_end is not None:
        cases.append(((day > ibis.date(conventions.data_end.date())).fill_null(False), reasons.AFTER_END))
    return cases


# Other roles ------------------------------------------------------------------------------------------------------


def judge_rows(open_table: OpenTable, rows: ibis.Table) -> ibis.Table:
    """Every row of a table that is not of orders, judged by itself by the table's role."""
    columns = {meaning: rows[open_table.column(meaning)] for meaning in open_table.names}
    cells = {meaning: column for meaning, column in columns.items() if meaning not in open_table.extra}
    values = _row_values(open_table, rows, columns, cells)
    cases = _row_cases(open_table, rows, cells, values)
    beside = {}
    if "date" in cells:
        beside["moment"] = cells["date"]
    if "order_rate" in rows.columns:
        beside["order_rate"] = rows.order_rate
    return _with_reasons(rows, cases, columns, open_table.names, **beside, **values)


def _row_values(open_table: OpenTable, rows: ibis.Table, columns: Cells, cells: Cells) -> dict[str, ibis.Value]:
    """What each cell means."""
    values = {meaning: _row_value(meaning, column, rows, open_table) for meaning, column in cells.items()}
    for name in open_table.table.groups:
        values[name] = id_text(columns[name])
    for name in open_table.table.covariates:
        values[name] = covariate_number(columns[name], open_table.conventions)
    if "kind" in open_table.role.meanings:
        values["kind"] = _kind(open_table, cells.get("kind"))
    if open_table.role.day_of_order and "order_day" in rows.columns:
        values["date"] = ibis.coalesce(values["date"], rows.order_day) if "date" in cells else rows.order_day
    if "owner" in rows.columns:
        values["customer_id"] = rows.owner
    if "whom" in rows.columns:
        values |= {"referred": rows.whom, "referred_key": id_text(cells["referred"])}
    return values


def _row_value(meaning: str, column: ibis.Value, rows: ibis.Table, open_table: OpenTable) -> ibis.Value:
    if meaning in DAYS:
        return calendar_day(column, open_table.conventions)
    if meaning in MONEY:
        return _money(column, rows, open_table)
    if meaning in NUMBERS:
        return amount_number(column, open_table.conventions)
    if meaning == "responded":
        return yes_or_no(column)
    if meaning == "arm":
        return id_text(column).lower()
    return _row_text(meaning, column, open_table.conventions)


def _money(column: ibis.Value, rows: ibis.Table, open_table: OpenTable) -> ibis.Value:
    """Money in the result's currency, positive where it is what the role is of."""
    sign = -1.0 if open_table.table.sign == "negative" else 1.0
    money = amount_number(column, open_table.conventions) * sign
    if open_table.table.currency == AS_ORDER and "order_rate" in rows.columns:
        return money * rows.order_rate
    if "rate" in rows.columns:
        return money * rows.rate
    return money


def _kind(open_table: OpenTable, column: ibis.Value | None) -> ibis.Value:
    """The kind of each row: the table's own word by its mapping, known kinds whatever their capitals."""
    role = open_table.role
    default = ibis.literal(role.kind) if role.kind else ibis.null("string")
    if column is None:
        return default
    word = id_text(column)
    # The table's own words first: one of them may be called as a known kind and mean another.
    kinds = [(word == table_word, kind) for table_word, kind in open_table.table.kinds.items()]
    kinds += [(word.lower() == kind, kind) for kind in role.kinds]
    return ibis.coalesce(ibis.cases(*kinds, else_=word) if kinds else word, default)


def _row_cases(open_table: OpenTable, rows: ibis.Table, cells: Cells, values: Cells) -> list[Case]:
    """Why a row does not count, in the same order as of orders."""
    role, conventions = open_table.role, open_table.conventions
    cases = [
        *_nobody_cases(open_table, cells),
        *_name_cases(open_table, cells),
        *_day_cases(role, cells, values),
        *_kind_cases(role, values),
        *_number_cases(
            cells, conventions, needs_amount="amount" in role.required or role is TABLE_ROLES["order_lines"]
        ),
        *_rate_cases(role, rows, cells, values),
        *_answer_cases(cells, values),
    ]
    if "date" in cells:
        cases += _disbelieved_days(values["date"], conventions)
    cases += _unowned_cases(rows)
    if role.day_of_order and "date" in values:  # of an order that does not count there is no day, which is told first
        cases.append((values["date"].isnull(), reasons.NO_DATE))
    # A negative amount of an event is a correction where refunds are netted.
    if "amount" in cells and role.is_event and conventions.policies.refunds != "net":
        cases.append((values["amount"] < 0, reasons.NEGATIVE))
    return cases


def _nobody_cases(open_table: OpenTable, cells: Cells) -> list[Case]:
    """Nothing is written where a row says whose it is."""
    reason_of = {"key": reasons.NO_ID, "order_id": reasons.NO_ORDER}
    reached_by = [meaning for meaning in open_table.role.reached_by if meaning in cells]
    if open_table.table.role == "order_lines" and "key" in cells:
        reached_by = [*reached_by[:1], "key"]  # without a table of orders, lines tell both
    else:
        reached_by = reached_by[:1]
    cases = []
    for meaning in reached_by:
        text = _row_text(meaning, cells[meaning], open_table.conventions)
        cases.append((text.isnull(), reason_of[meaning]))
        if meaning == "key":
            cases.append((has_lost_digits(cells[meaning]), reasons.LOST_DIGITS))
    return cases


def _name_cases(open_table: OpenTable, cells: Cells) -> list[Case]:
    required = open_table.role.required
    names = [m for m in ("system", "key", "customer_id", "channel", "currency") if m in required]
    cases = [(_row_text(m, cells[m], open_table.conventions).isnull(), reasons.NO_NAME) for m in names]
    cases += [(has_lost_digits(cells[m]), reasons.LOST_DIGITS) for m in names if m in OWNERS]
    return cases


def _row_text(meaning: str, column: ibis.Value, conventions: Conventions) -> ibis.Value:
    """A cell of words or ids; those that say whose the row is as the policies compare them."""
    return owner_text(column, conventions.policies) if meaning in OWNERS else id_text(column)


def _day_cases(role: TableRole, cells: Cells, values: Cells) -> list[Case]:
    if "date" not in cells:
        return []
    cases = []
    if "date" in role.required and not role.day_of_order:
        cases.append((is_empty(cells["date"]), reasons.NO_DATE))
    cases.append((~is_empty(cells["date"]) & values["date"].isnull(), reasons.BAD_DATE))
    return cases


def _kind_cases(role: TableRole, values: Cells) -> list[Case]:
    if "kind" not in role.meanings:
        return []
    cases = [(values["kind"].isnull(), reasons.NO_KIND)]
    if not role.open:
        cases.append((values["kind"].notin(role.kinds), reasons.BAD_KIND))
    return cases


def _rate_cases(role: TableRole, rows: ibis.Table, cells: Cells, values: Cells) -> list[Case]:
    cases = []
    # Rates of days: money without a day has none. (A day that cannot be read has its own reason, before this one.)
    if "rate" in rows.columns and "date" in cells:
        is_paid = ibis.or_(*(~is_empty(cells[meaning]) for meaning in MONEY if meaning in cells))
        cases.append((is_paid & values["date"].isnull() & rows.rate.isnull(), reasons.NO_RATE))
    if "rate" in role.required:
        cases.append((values["rate"].isnull(), reasons.BAD_NUMBER))
    return cases


def _answer_cases(cells: Cells, values: Cells) -> list[Case]:
    """Answers, counts and scores that cannot be meant."""
    cases = []
    if "responded" in cells:
        cases.append((~is_empty(cells["responded"]) & values["responded"].isnull(), reasons.BAD_NUMBER))
    for meaning in ("count", "minutes"):
        if meaning in cells:
            cases.append((values[meaning] < 0, reasons.BELOW_ZERO))
    if "score" in cells:
        for kind, (lowest, highest) in SCALES.items():
            is_outside = ~values["score"].between(lowest, highest)
            cases.append(((values["kind"] == kind) & is_outside, reasons.OUT_OF_SCALE))
    if "arm" in cells:
        cases.append((values["arm"].notin(ARMS), reasons.BAD_ARM))
    return cases


def _unowned_cases(rows: ibis.Table) -> list[Case]:
    """What other tables say of the key or the order that a row carries."""
    if "unowned" not in rows.columns:
        return []
    return [
        (rows.unowned == reason, reason)
        for reason in (
            reasons.NO_ID,
            reasons.ORPHAN,
            reasons.SEVERAL,
            reasons.UNKNOWN_ORDER,
            reasons.UNUSED_ORDER,
            reasons.ORDER_OF_SEVERAL,
            reasons.ORDER_AT_RATES,
        )
    ]


# All rows ---------------------------------------------------------------------------------------------------------


def _number_cases(cells: Cells, conventions: Conventions, needs_amount: bool) -> list[Case]:
    """What can be wrong with money and other numbers."""
    cases = []
    if "amount" in cells:
        amount = cells["amount"]
        if needs_amount:
            cases.append((is_empty(amount), reasons.NO_AMOUNT))
        cases.append((~is_empty(amount) & amount_number(amount, conventions).isnull(), reasons.BAD_AMOUNT))
    money = [cells[meaning] for meaning in MONEY if meaning in cells]
    if "currency" in cells and money:
        is_paid = ibis.or_(*(~is_empty(column) for column in money))
        cases.append((is_paid & is_empty(cells["currency"]), reasons.NO_CURRENCY))
    for meaning, column in cells.items():
        if meaning in NUMBERS and meaning != "amount":
            cases.append((~is_empty(column) & amount_number(column, conventions).isnull(), reasons.BAD_NUMBER))
    return cases


def _with_reasons(
    rows: ibis.Table, cases: Sequence[Case], columns: Cells, names: Mapping[str, str], **values: ibis.Value
) -> ibis.Table:
    if "is_kept" in rows.columns:  # what is wrong with a row that is not asked for is of no interest
        cases = [(~rows.is_kept, reasons.NOT_KEPT), *cases]
    reason = ibis.cases(*cases) if cases else ibis.null("string")
    # The text of a row is as long as the row: it is kept only of those that do not count.
    text = reason.notnull().ifelse(as_text(columns, names), ibis.null("string"))
    return rows.select("row", reason=reason, text=text, **values)


def duplicate_rows(judged: ibis.Table, meanings: Sequence[str]) -> ibis.Table:
    """Rows that equal an earlier one in all meanings, to the second: row, reason, text."""
    first = judged.group_by(as_moments(meanings)).agg(row=_.row.min()).select("row")
    return _marked(judged.anti_join(first, "row"), ibis.literal(reasons.DUPLICATE), meanings)


def as_moments(meanings: Sequence[str]) -> list[str]:
    """The columns that tell copies apart: times where there are times, and not their days."""
    return ["moment" if meaning == "date" else meaning for meaning in meanings]


def where_copies(copies: int) -> str:
    """What to do about rows that equal earlier ones, if they are no rows of their own."""
    they_are, them = words.agreeing(copies, "it is a copy", "they are copies"), words.agreeing(copies, "it", "them")
    return f"if {they_are}, the policy duplicates: drop leaves {them} out"


def count_copies(judged: ibis.Table, meanings: Sequence[str]) -> int:
    """How many rows equal an earlier one in all meanings."""
    size = "of these"  # a name that no column is likely to have
    groups = judged.group_by(as_moments(meanings)).agg(**{size: _.count()})
    copies = groups.aggregate(copies=(groups[size] - 1).sum()).execute().iloc[0, 0]
    return int(copies or 0)


def at_their_orders(judged: ibis.Table) -> ibis.Table:
    """Rows of which refunds have the day of the order whose number they carry, the customer's first of that number, and
    `own_day`, theirs."""
    is_refund = judged.amount < 0
    orders = judged.filter(~is_refund, _.order_id.notnull())
    orders = orders.group_by(["customer_id", "order_id"]).agg(bought=_.date.min())
    joined = judged.left_join(orders, ["customer_id", "order_id"])
    meets = (is_refund & (joined.bought <= joined.date)).fill_null(False)
    return joined.select(
        *(column for column in judged.columns if column != "date"),
        own_day=joined.date,
        date=meets.ifelse(joined.bought, joined.date),
    )


def unnettable_rows(judged: ibis.Table, meanings: Sequence[str]) -> ibis.Table:
    """Refunds without an order of that day, and days refunded in full: row, reason, text."""
    days = judged.group_by(["customer_id", "date"]).agg(
        refunds=(_.amount < 0).sum(),
        orders=(_.amount >= 0).sum(),
        net=_.amount.cast(EXACT).sum(),
    )
    days = days.filter(_.refunds > 0, (_.net <= 0) | (_.orders == 0))
    rows = judged.inner_join(days.select("customer_id", "date", "orders"), ["customer_id", "date"])
    reason = ibis.ifelse(rows.orders == 0, reasons.NOTHING_TO_NET, reasons.NETTED_OUT)
    return _marked(rows, reason, meanings)


def _marked(rows: ibis.Table, reason: ibis.Value, meanings: Sequence[str]) -> ibis.Table:
    text = as_text({meaning: rows[meaning] for meaning in meanings}, {meaning: meaning for meaning in meanings})
    return rows.select("row", reason=reason, text=text)
