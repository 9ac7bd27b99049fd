"""The tables of a company, opened, to tables judged, all their problems told at once: what `consolidate` puts together.

The order is that of their needs: identity and rates, the lines of orders, orders, then everything that meets its
customer by a key or by an order. A table with a problem is left aside so that the others can tell theirs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.errors import DataError, Problem, attempt, unknown
from clvmodels.sources import rollup, tally
from clvmodels.sources.cleaning import as_text, union_of
from clvmodels.sources.currencies import Rates, read_rates, result_currency, rows_by_currency
from clvmodels.sources.events import JudgedTable, Owners, judge_table, rated
from clvmodels.sources.identity import Identity, known_systems, read_identity, systems_problem
from clvmodels.sources.judging import OrderRows
from clvmodels.sources.opening import OpenTable
from clvmodels.sources.roles import AS_ORDER, TABLE_ROLES, Table
from clvmodels.sources.tally import stored, with_lines
from clvmodels.sources.transactions import Transactions, clean

CHANNEL = "channel"
"""The group of customers that costs by channel and month are shared out by."""


@dataclass
class JudgedTables:
    """What the tables hold: transactions by table of orders, the judged rows of all others."""

    sha256: str
    """Of all tables, by name."""
    identity: Identity = field(default_factory=Identity)
    orders: dict[str, Transactions] = field(default_factory=dict)
    others: list[JudgedTable] = field(default_factory=list)
    ranges: list[ibis.Table] = field(default_factory=list)
    """Events of product groups."""
    conflicts: list[pd.DataFrame] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class OpenTables:
    """The opened tables by role; `whole` says of which roles every table could be opened.

    What a role tells is known only where it is whole: without its second table, a key that the first does not hold is
    no orphan.
    """

    backend: ibis.BaseBackend
    by_role: Mapping[str, list[OpenTable]]
    whole: Mapping[str, bool]

    @classmethod
    def of(cls, backend: ibis.BaseBackend, opened: Sequence[OpenTable], tables: Mapping[str, Table]) -> OpenTables:
        """The opened ones of the tables that were described."""
        described_roles = [table.role for table in tables.values()]
        by_role, whole = {}, {}
        for role in TABLE_ROLES:
            by_role[role] = [table for table in opened if table.table.role == role]
            whole[role] = len(by_role[role]) == described_roles.count(role)
        return cls(backend, by_role, whole)

    @property
    def orders(self) -> list[OpenTable]:
        """The tables of which transactions are made: of orders; without any, of lines that tell whose they are."""
        if self.by_role["orders"]:
            return self.by_role["orders"]
        return [table for table in self.by_role["order_lines"] if "key" in table.names]

    @property
    def lines(self) -> list[OpenTable]:
        """The tables of lines that are rolled up to orders of another table."""
        return self.by_role["order_lines"] if self.by_role["orders"] else []


def judge_tables(
    backend: ibis.BaseBackend,
    opened: Sequence[OpenTable],
    tables: Mapping[str, Table],
    currency: str | None,
    problems: list[Problem],
) -> JudgedTables:
    """Judge the rows of all tables; what is wrong with them is among the problems, and then the rest means nothing.

    `tables` are those that were described, of which some could perhaps not be opened; `currency` is the result's, where
    it is stated.
    """
    by_role = OpenTables.of(backend, opened, tables)
    if all(by_role.whole.values()):
        problems += _channel_problems(by_role.by_role["channel_costs"], opened)
    judged = JudgedTables(_sha256(opened))
    _judge_identity(by_role, opened, judged, problems)
    rates = _judge_rates(by_role, opened, currency, judged, problems)
    index = _judge_orders(by_role, rates, judged, problems)
    owners = _owners(judged.identity, index)
    numbered = _are_numbered(by_role)
    for table in opened:
        if not table.role.is_event and table.table.role not in ("attributes", "channel_costs"):
            continue
        by_its_order = bool(table.role.reached_by) and "key" not in table.names
        if by_its_order and not numbered:
            advice = "No table of orders has order_id: name its column"
            problems.append(Problem("rows are reached by their orders", table.where, known=advice))
        # Without an index nothing is known of owners: the rows are judged by themselves, for what they tell.
        can_be_owned = index is not None or not by_its_order
        rows = _attempt_judging(backend, table, rates, owners if can_be_owned else None, problems)
        if rows is not None:
            judged.others.append(rows)
    return judged


def _channel_problems(channel_costs: Sequence[OpenTable], opened: Sequence[OpenTable]) -> list[Problem]:
    """Costs of channels where no table tells which channel won whom: nobody would bear them."""
    if any(CHANNEL in table.extra for table in opened):
        return []
    advice = f"Name the column in the table of attributes: columns: {{{CHANNEL}: ...}}, groups: [{CHANNEL}]"
    what = f"costs of channels reach customers by their '{CHANNEL}', which no table tells"
    return [Problem(what, table.where, known=advice) for table in channel_costs]


def _attempt_judging(
    backend: ibis.BaseBackend,
    table: OpenTable,
    rates: Rates | None,
    owners: Owners | None,
    problems: list[Problem],
) -> JudgedTable | None:
    return attempt(problems, partial(judge_table, backend, table, rates, owners))


def _sha256(opened: Sequence[OpenTable]) -> str:
    """Of the content of all tables; by name, so that their order is nothing."""
    content = sorted((table.name, table.table.role, table.raw.sha256) for table in opened)
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _owners(identity: Identity, index: ibis.Table | None) -> Owners:
    """How rows meet their customers: by a key where they have one, else by their order."""

    def owners(table: OpenTable, rows: ibis.Table) -> ibis.Table:
        if "key" not in table.names:
            return rollup.by_order(rows, table.column("order_id"), index)
        system, policies = table.table.system, table.conventions.policies
        rows = identity.resolve(rows, table.column("key"), system, policies)
        if table.role.day_of_order and "order_id" in table.names and index is not None:
            rows = rollup.with_order_day(rows, table.column("order_id"), index)
        if "referred" not in table.names:
            return rows
        # A referred customer who is not known is left empty: the referral itself counts.
        return identity.resolve(rows, table.column("referred"), system, policies, "whom", "why").drop("why")

    return owners


def _are_numbered(tables: OpenTables) -> bool:
    """Whether orders have numbers by which others can reach them; taken as so where a table could not be opened."""
    if not (tables.whole["orders"] and tables.whole["order_lines"]):
        return True
    return any("order_id" in table.names for table in tables.by_role["orders"] or tables.by_role["order_lines"])


# Identity ---------------------------------------------------------------------------------------------------------


def _judge_identity(
    tables: OpenTables, opened: Sequence[OpenTable], judged: JudgedTables, problems: list[Problem]
) -> None:
    """Whose each key is, by all identity tables."""
    identity_tables = tables.by_role["identity"]
    attempts = [_attempt_judging(tables.backend, table, None, None, problems) for table in identity_tables]
    keys = [rows for rows in attempts if rows is not None]
    if not tables.whole["identity"] or len(keys) < len(identity_tables):
        return
    identity: Identity | None = Identity()
    if keys:
        identity = attempt(problems, partial(_read_keys, tables.backend, keys))
    if identity is None:
        return
    judged.identity = identity
    judged.others += _with_unused(keys, identity)
    if identity.conflicts is not None:
        judged.conflicts.append(identity.conflicts)
    systems = known_systems(identity)
    for table in opened:
        if table.role.reached_by and "key" in table.names and identity.keys is not None:
            problems += systems_problem(table.table.system, systems, table.where)
    for table in identity_tables:
        for system in table.table.rules:
            if system not in systems:
                problems.append(unknown("system", system, systems, f"{table.where}, rules"))


def _read_keys(backend: ibis.BaseBackend, keys: Sequence[JudgedTable]) -> Identity:
    """All identity tables as one, the tables' own words for systems replaced by the systems."""
    parts: list[ibis.Table] = []
    rules: dict[str, str] = {}
    for judged in keys:
        opened = judged.opened
        rules |= opened.table.rules
        rows = with_lines(backend, judged.raw, judged.used)
        system = rows.system
        if opened.table.kinds:
            cases = [(rows.system == word, name) for word, name in opened.table.kinds.items()]
            system = ibis.cases(*cases, else_=rows.system)
        place = {"source": ibis.literal(opened.name), "where": ibis.literal(opened.where)}
        parts.append(rows.select("row", "line", "key", "customer_id", system=system, **place))
    return read_identity(backend, stored(backend, "identity", union_of(parts)), rules)


def _with_unused(keys: Sequence[JudgedTable], identity: Identity) -> list[JudgedTable]:
    """The identity tables, their rows that lead to nobody marked."""
    if identity.unused is None:
        return []
    marked = []
    for judged in keys:
        unused = identity.unused.filter(_.source == judged.opened.name).select("row", why="reason")
        rows = judged.used.inner_join(unused, "row")
        cells = {meaning: rows[meaning] for meaning in ("system", "key", "customer_id")}
        text = as_text(cells, judged.opened.names)
        marks = stored(judged.raw.table.get_backend(), "marks", rows.select("row", reason=rows.why, text=text))
        if judged.marks is not None:
            marks = judged.marks.select("row", "reason", "text").union(marks)
        counts = tally.with_marks(tally.count(judged.table, judged.raw), marks)
        marked.append(judged._replace(marks=marks, counts=counts))
    return marked


# Currencies -------------------------------------------------------------------------------------------------------


def _judge_rates(
    tables: OpenTables,
    opened: Sequence[OpenTable],
    currency: str | None,
    judged: JudgedTables,
    problems: list[Problem],
) -> Rates | None:
    """The currency of the result and the rates to it; None where a table of rates could not be read."""
    result = result_currency(_currency_codes(opened), currency)
    if not tables.by_role["rates"]:
        return Rates(result) if tables.whole["rates"] else None
    table = tables.by_role["rates"][0]
    rows = _attempt_judging(tables.backend, table, None, None, problems)
    if rows is None:
        return None
    judged.others.append(rows)
    return attempt(problems, lambda: read_rates(rows.used, rows.raw, table.where, result))


def _currency_codes(opened: Sequence[OpenTable]) -> list[str]:
    """The currencies that the tables name, sorted."""
    codes: set[str] = set()
    for table in opened:
        currency = table.table.currency
        if "amount" not in table.role.meanings:
            continue
        if "currency" in table.names:
            codes |= set(rows_by_currency(table.raw.kept, table.raw.kept[table.column("currency")]).index)
        elif currency not in (None, AS_ORDER):
            codes.add(currency.strip().upper())
    return sorted(codes)


# Orders -----------------------------------------------------------------------------------------------------------


def _judge_orders(
    tables: OpenTables, rates: Rates | None, judged: JudgedTables, problems: list[Problem]
) -> ibis.Table | None:
    """Transactions of the tables of orders, their lines rolled up; returns what order numbers lead to."""
    backend, lines = tables.backend, None
    if tables.lines:
        rows = _attempt_judging(backend, tables.lines[0], rates, None, problems)
        lines = None if rows is None else rollup.sum_lines(backend, rows)
    numbers = []
    for table in tables.orders:
        cleaned = attempt(problems, partial(_transactions, backend, table, lines, judged.identity, rates))
        if cleaned is None:
            continue
        transactions, its_numbers = cleaned
        if table.table.role == "order_lines":
            transactions, ranges = rollup.lines_as_orders(backend, transactions, table.name)
            judged.ranges += [] if ranges is None else [ranges]
        judged.orders[table.name] = transactions
        if its_numbers is not None:
            numbers.append((its_numbers, transactions))
    if len({transactions.has_amount for transactions in judged.orders.values()}) > 1:
        problems.append(Problem("some tables of orders have amounts and others none", "sources"))
    if not numbers or problems:
        return None
    index = _index(backend, numbers, judged)
    if lines is not None:
        _judge_lines(backend, lines, index, judged)
    return index


def _transactions(
    backend: ibis.BaseBackend, table: OpenTable, lines: rollup.Lines | None, identity: Identity, rates: Rates | None
) -> tuple[Transactions, ibis.Table | None]:
    """The transactions of a table of orders, and its order numbers.

    Beside each row comes its rate, then its owner, then what only its lines tell; so judged it knows all it needs to.
    """
    problems: list[Problem] = []
    raw = None if rates is None else attempt(problems, partial(rated, table, rates))
    if raw is None:  # a problem is told already; at a rate of 1 the rows can tell theirs
        raw = table.raw._replace(table=table.raw.table.mutate(rate=ibis.literal(1.0)))
    resolved = identity.resolve(raw.table, table.column("key"), table.table.system, table.conventions.policies)
    table = table._replace(raw=raw._replace(table=stored(backend, "resolved", resolved)))
    numbers = rollup.order_numbers(backend, table)
    own_names = table.names
    converted: tuple[str, ...] = ()
    if lines is not None:
        if numbers is None:
            advice = "Name its column: columns: {order_id: ...}"
            raise DataError(Problem("order lines need the order ids of the orders", table.where, known=advice))
        table, converted = rollup.with_sums(table, numbers, lines)
    orders = OrderRows(
        table.raw,
        table.where,
        {"customer_id" if meaning == "key" else meaning: name for meaning, name in table.names.items()},
        table.conventions,
        table.table.groups,
        table.table.covariates,
        converted=converted,
        borrowed=table.names.keys() - own_names.keys(),
        needs_order=table.table.role == "order_lines",
    )
    transactions = attempt(problems, partial(clean, backend, orders, rates or Rates()))
    if problems or transactions is None:
        raise DataError(problems)
    return transactions, numbers


def _index(
    backend: ibis.BaseBackend, numbers: Sequence[tuple[ibis.Table, Transactions]], judged: JudgedTables
) -> ibis.Table:
    """What the order numbers of all tables lead to; those of several customers are conflicts."""
    indexes = [rollup.order_index(backend, its_numbers, transactions) for its_numbers, transactions in numbers]
    index = indexes[0] if len(indexes) == 1 else rollup.joint_index(backend, indexes)
    where = ", ".join(transactions.source for transactions in judged.orders.values())
    of_several = index.filter(_.owners > 1)
    count = int(of_several.count().execute())
    if count:
        ids, them = words.counted(count, "order id belongs", "order ids belong"), words.agreeing(count, "it", "them")
        judged.warnings.append(f"{ids} to several customers: what is reached by {them} is left out")
        judged.conflicts.append(rollup.shared_numbers(of_several, "owners", where))
    if "tables" in index.columns:
        in_several = index.filter(_.tables > 1, _.owners <= 1)
        count = int(in_several.count().execute())
        if count:
            what = f"{words.counted(count, 'order id stands', 'order ids stand')} in several tables of orders"
            judged.warnings.append(f"{what}: each row counts, as if they were several orders")
            judged.conflicts.append(rollup.shared_numbers(in_several, "tables", where))
    return index


def _judge_lines(backend: ibis.BaseBackend, lines: rollup.Lines, index: ibis.Table, judged: JudgedTables) -> None:
    """Order lines beside the orders they belong to."""
    rows = rollup.judge_lines(backend, lines, index)
    judged.others.append(rows)
    conflicts, warnings = rollup.differences(lines, index, rows.opened.where)
    judged.conflicts.append(conflicts)
    judged.warnings += warnings
    if "product_group" in rows.opened.names:
        judged.ranges.append(rollup.range_events(backend, rows, lines, index))
