"""The tables of a company, opened and judged, all their problems told at once: what `consolidate` puts together.

The order is that of their needs: identity and rates, the lines of orders, orders, then everything that meets its
customer by a key or by an order. A table with a problem is left aside so that the others can tell theirs.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import ibis
import pandas as pd
from ibis import _

from clvmodels.errors import DataError, Problem, attempt, unknown
from clvmodels.sources import cleaning, rollup, tally
from clvmodels.sources.cleaning import IDS, check_covariates, check_types, id_problems
from clvmodels.sources.currencies import Rates, only_currency, read_rates, rows_by_currency
from clvmodels.sources.events import Judged, Owners, judge, rated
from clvmodels.sources.identity import Identity, known_systems, read_identity, systems_problem
from clvmodels.sources.reading import ENCODINGS, Source, is_url, open_source
from clvmodels.sources.reasons import Policies
from clvmodels.sources.roles import AS_ORDER, ROLES, Table, Told, map_columns
from clvmodels.sources.tally import stored, with_lines
from clvmodels.sources.transactions import Transactions, argument_problems, clean, scan

DERIVED = ("first_month",)  # groups that the summary makes itself


@dataclass
class Found:
    """What the tables hold: transactions by table of orders, the judged rows of all others."""

    sha256: str
    identity: Identity
    orders: dict[str, Transactions] = field(default_factory=dict)
    judged: list[Judged] = field(default_factory=list)
    ranges: list[ibis.Table] = field(default_factory=list)
    conflicts: list[pd.DataFrame] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(
    backend: ibis.BaseBackend,
    sources: Mapping[str, Table],
    folder: Path,
    policies: Policies,
    timezone: str,
    wanted: tuple[Sequence[str], Sequence[str]],
    problems: list[Problem],
) -> list[Told]:
    """The tables in the engine, in the order of the roles; those that cannot be read are among the problems."""
    problems += argument_problems(policies, timezone, "utf-8", None)
    base = not any(table.role == "orders" for table in sources.values())
    problems += _set_problems(sources)
    opened = {}
    for name, table in sources.items():
        wrong = table.problems(name)
        problems += wrong
        if table.role not in ROLES or (table.path is None) == (table.frame is None):
            continue
        source = attempt(problems, partial(_open, table, name, folder))
        if source is not None and not wrong:
            opened[name] = (table, source)
    _take(opened, wanted, base, problems)
    told = []
    for name, (table, source) in opened.items():
        names, wrong = map_columns(table, source, base)
        problems += wrong
        raw = None if wrong else attempt(problems, partial(scan, backend, source, list(names.values())))
        if raw is not None:
            one = Told(name, table, source, names, raw)
            before = len(problems)
            attempt(problems, partial(check_types, raw, names, one.where, table.date_format, one.kept))
            attempt(problems, partial(check_covariates, raw, names, table.covariates, one.where))
            told += [one] if len(problems) == before else []
            ids = {m: own for m, own in names.items() if m in IDS and m not in one.kept}
            problems += id_problems(raw, names, ids, one.where)
    return told


def _open(table: Table, name: str, folder: Path) -> Source:
    place = table.frame if table.frame is not None else table.path
    if table.frame is None and not is_url(place):
        place = folder / Path(str(place)).expanduser()
    encoding = table.encoding if table.encoding in ENCODINGS else "latin-1"  # an unknown one is a problem already
    shown = name if table.frame is not None else ""
    return open_source(place, name=shown, delimiter=table.delimiter, encoding=encoding, table=table.table)


def _set_problems(sources: Mapping[str, Table]) -> list[Problem]:
    """What is wrong with the tables together."""
    roles = [table.role for table in sources.values()]
    orders, lines = roles.count("orders"), roles.count("order_lines")
    found = []
    if not orders and not lines:
        found.append(Problem("no table of orders", "sources", known="One has the role orders, or order_lines"))
    if lines > 1 or (lines and orders > 1):
        what = f"{orders} tables of orders and {lines} of their lines: which lines are of which?"
        found.append(Problem(what, "sources", known="Give one table of lines, and one of orders at most"))
    if roles.count("rates") > 1:
        found.append(Problem("more than one table of rates", "sources"))
    if orders:
        found += [
            Problem(f"groups and covariates are those of orders: '{column}' of their lines means nothing", name)
            for name, table in sources.items()
            if table.role == "order_lines"
            for column in (*table.groups, *table.covariates)
        ]
    systems = dict.fromkeys(t.system for t in sources.values() if t.role in ROLES and "key" in ROLES[t.role].reached_by)
    if "identity" not in roles and len(systems) > 1:
        what = f"keys of several systems and no table that says whose they are: {', '.join(systems)}"
        found.append(Problem(what, "sources", known="Give a table of the role identity, or one system to all"))
    return found


def _take(
    opened: dict[str, tuple[Table, Source]],
    wanted: tuple[Sequence[str], Sequence[str]],
    base: bool,
    problems: list[Problem],
) -> None:
    """Name the groups and covariates that are wanted of the whole in the one table that has them."""
    can = {"orders", "attributes", *(["order_lines"] if base else [])}
    for kind, names in zip(("groups", "covariates"), wanted, strict=True):
        for column in names:
            if column in DERIVED or any(column in getattr(table, kind) for table, _source in opened.values()):
                continue
            having = [n for n, (table, source) in opened.items() if table.role in can and column in source.columns]
            if len(having) == 1:
                table, source = opened[having[0]]
                more: Any = {kind: (*getattr(table, kind), column)}
                opened[having[0]] = (dataclasses.replace(table, **more), source)
                problems += [p for p in opened[having[0]][0].problems(having[0]) if column in p.what]
            elif having:
                what = f"'{column}' is a column of {len(having)} tables: {', '.join(having)}"
                problems.append(Problem(what, kind, known=f"Name it in the {kind} of one of them"))
            else:
                columns = [c for t, source in opened.values() if t.role in can for c in source.columns]
                problems.append(unknown(kind.removesuffix("s"), column, columns, kind))
    owners: dict[str, str] = {}
    for name, (table, _source) in opened.items():
        for column in dict.fromkeys((*table.groups, *table.covariates)):
            first = owners.setdefault(column, name)
            if first != name and "attributes" in (table.role, opened[first][0].role):
                problems.append(Problem(f"'{column}' is kept of two tables: {first}, {name}", "sources"))


def judge_all(
    backend: ibis.BaseBackend,
    told: list[Told],
    sources: Mapping[str, Table],
    currency: str | None,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
    problems: list[Problem],
) -> Found:
    """Judge the rows of all tables; what is wrong with them is among the problems, and then the rest means nothing."""
    by_role: dict[str, list[Told]] = {role: [one for one in told if one.table.role == role] for role in ROLES}
    whole = {role: len(by_role[role]) == [t.role for t in sources.values()].count(role) for role in ROLES}

    def judged(one: Told, rates: Rates | None = None, owners: Owners | None = None) -> Judged | None:
        own = one.table.policies or policies
        return attempt(problems, lambda: judge(backend, one, timezone, data_end, own, rates, owners))

    keys = [rows for one in by_role["identity"] if (rows := judged(one)) is not None]
    complete = whole["identity"] and len(keys) == len(by_role["identity"])
    identity = _identity(backend, keys, problems) if complete else None
    found = Found(_sum(told), identity or Identity())
    found.judged += _used_keys(keys, found.identity)
    found.conflicts += [] if found.identity.conflicts is None else [found.identity.conflicts]
    if identity is not None:
        known = known_systems(identity)
        for one in told:
            if one.role.reached_by and "key" in one.names and identity.keys is not None:
                problems += systems_problem(one.table.system, known, one.where)
        for one in by_role["identity"]:
            unmet = [system for system in one.table.rules if system not in known]
            problems += [unknown("system", system, known, f"{one.where}, rules") for system in unmet]
    rates = _rates(by_role["rates"], told, currency, whole["rates"], judged, found, problems)
    index = _orders(backend, by_role, found, rates, timezone, data_end, policies, judged, problems)

    orders_are_whole = whole["orders"] and whole["order_lines"]
    numbered = not orders_are_whole or any(
        "order_id" in one.names for one in by_role["orders"] or by_role["order_lines"]
    )

    def owners(one: Told, table: ibis.Table) -> ibis.Table:
        if "key" not in one.names:
            return rollup.by_order(table, one.column("order_id"), index)
        table = found.identity.resolve(table, one.column("key"), one.table.system)
        if "referred" not in one.names:
            return table
        return found.identity.resolve(table, one.column("referred"), one.table.system, "whom", "why").drop("why")

    for one in (one for one in told if one.role.is_event or one.table.role in ("attributes", "channel_costs")):
        by_its_order = bool(one.role.reached_by) and "key" not in one.names
        if by_its_order and not numbered:
            advice = "No table of orders has order_id: name its column"
            problems.append(Problem("rows are reached by their orders", one.where, known=advice))
        can = not (by_its_order and index is None)
        if (result := judged(one, rates, owners if can else None)) is not None:
            found.judged.append(result)
    return found


def _sum(told: list[Told]) -> str:
    """A sum of all tables, by name."""
    content = sorted((one.name, one.table.role, one.raw.sha256) for one in told)
    return hashlib.sha256(repr(content).encode()).hexdigest()


def _identity(backend: ibis.BaseBackend, keys: list[Judged], problems: list[Problem]) -> Identity | None:
    """Whose each key is, by all identity tables; None where they cannot tell."""
    if not keys:
        return Identity()
    rows: list[ibis.Table] = []
    rules: dict[str, str] = {}
    for one in keys:
        rules |= one.told.table.rules
        lined = with_lines(backend, one.raw, one.used)
        own = [(lined.system == word, system) for word, system in one.told.table.kinds.items()]
        system = ibis.cases(*own, else_=lined.system) if own else lined.system
        place = {"source": ibis.literal(one.told.name), "where": ibis.literal(one.told.where)}
        rows.append(lined.select("row", "line", "key", "customer_id", system=system, **place))
    table = stored(backend, "identity", ibis.union(*rows) if rows[1:] else rows[0])
    return attempt(problems, lambda: read_identity(backend, table, rules))


def _used_keys(keys: Sequence[Judged], identity: Identity) -> list[Judged]:
    """The identity tables, their rows that lead to nobody marked."""
    if identity.unused is None:
        return []
    found = []
    for one in keys:
        why = identity.unused.filter(_.source == one.told.name).select("row", why="reason")
        rows = one.used.inner_join(why, "row")
        text = cleaning.as_text({name: rows[name] for name in ("system", "key", "customer_id")}, one.told.names)
        marks = stored(one.raw.table.get_backend(), "marks", rows.select("row", reason=rows.why, text=text))
        marks = marks if one.marks is None else one.marks.select("row", "reason", "text").union(marks)
        found.append(one._replace(marks=marks, counts=tally.marks_counted(tally.count(one.table, one.raw), marks)))
    return found


def _rates(
    tables: list[Told],
    told: list[Told],
    currency: str | None,
    whole: bool,
    judged: Callable[[Told], Judged | None],
    found: Found,
    problems: list[Problem],
) -> Rates | None:
    """The currency of the result and the rates to it; None where a table of rates could not be read."""
    codes = set()
    for one in (one for one in told if "amount" in one.role.meanings):
        if "currency" in one.names:
            codes |= set(rows_by_currency(one.raw.table, one.raw.table[one.column("currency")]).index)
        elif one.table.currency not in (None, AS_ORDER):
            codes.add(one.table.currency.strip().upper())
    result = only_currency(sorted(codes), currency)
    if not tables:
        return Rates(result) if whole else None
    rows = judged(tables[0])
    if rows is None:
        return None
    found.judged.append(rows)
    return attempt(
        problems, lambda: read_rates(rows.used.mutate(reason=ibis.null("string")), rows.raw, tables[0].where, result)
    )


def _orders(
    backend: ibis.BaseBackend,
    by_role: Mapping[str, list[Told]],
    found: Found,
    rates: Rates | None,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
    judged: Callable[..., Judged | None],
    problems: list[Problem],
) -> ibis.Table | None:
    """Transactions of the tables of orders, their lines rolled up; returns what order numbers lead to."""
    tables, lines, base = by_role["orders"], None, False
    if by_role["order_lines"] and tables:
        first = judged(by_role["order_lines"][0], rates)
        lines = None if first is None else rollup.sum_lines(backend, first)
    elif by_role["order_lines"]:
        tables, base = by_role["order_lines"], "key" in by_role["order_lines"][0].names
    known = []

    def read_one(one: Told) -> tuple[Transactions, ibis.Table | None]:
        own = one.table.policies or policies
        return _transactions(backend, one, lines, found.identity, rates, timezone, data_end, own)

    for one in tables if base or by_role["orders"] else []:
        if (result := attempt(problems, partial(read_one, one))) is not None:
            transactions, numbers = result
            if base:
                transactions, ranges = rollup.lines_as_orders(backend, transactions, one.name)
                found.ranges += [] if ranges is None else [ranges]
            found.orders[one.name] = transactions
            known += [] if numbers is None else [(numbers, transactions)]
    if len({one.has_amount for one in found.orders.values()}) > 1:
        problems.append(Problem("some tables of orders have amounts and others none", "sources"))
    if not known or problems:
        return None
    index = _index(backend, known, found)
    if lines is not None:
        _meet(backend, lines, index, found)
    return index


def _transactions(
    backend: ibis.BaseBackend,
    one: Told,
    lines: rollup.Lines | None,
    identity: Identity,
    rates: Rates | None,
    timezone: str,
    data_end: pd.Timestamp | None,
    policies: Policies,
) -> tuple[Transactions, ibis.Table | None]:
    """The transactions of a table of orders, and its order numbers."""
    problems: list[Problem] = []
    day = cleaning.calendar_day(one.raw.table[one.column("date")], one.table.date_format, timezone)
    raw = None if rates is None else attempt(problems, partial(rated, one, day, rates))
    raw = raw or one.raw._replace(table=one.raw.table.mutate(rate=ibis.literal(1.0)))
    resolved = identity.resolve(raw.table, one.column("key"), one.table.system)
    one = one._replace(raw=raw._replace(table=stored(backend, "resolved", resolved)))
    day = cleaning.calendar_day(one.raw.table[one.column("date")], one.table.date_format, timezone)
    known, own = rollup.known_orders(backend, one, day), one.names
    converted: tuple[str, ...] = ()
    if lines is not None:
        if known is None:
            known_as = "Name its column: columns={'order_id': ...}"
            raise DataError(Problem("order lines need the order ids of the orders", one.where, known=known_as))
        one, converted = rollup.with_sums(one, known, lines)
    names = {"customer_id" if meaning == "key" else meaning: own for meaning, own in one.names.items()}
    transactions = attempt(
        problems,
        partial(
            clean,
            backend,
            one.raw,
            one.where,
            names,
            rates or Rates(),
            date_format=one.table.date_format,
            timezone=timezone,
            data_end=data_end,
            policies=policies,
            groups=one.table.groups,
            covariates=one.table.covariates,
            converted=converted,
            needs_order=one.table.role == "order_lines",
            borrowed=one.names.keys() - own.keys(),
        ),
    )
    if problems or transactions is None:
        raise DataError(problems)
    return transactions, known


def _index(backend: ibis.BaseBackend, known: Sequence[tuple[ibis.Table, Transactions]], found: Found) -> ibis.Table:
    """What the order numbers of all tables lead to; those of several customers are conflicts."""
    each = [rollup.order_index(backend, numbers, transactions) for numbers, transactions in known]
    index = each[0] if not each[1:] else rollup.together(backend, each)
    where = ", ".join(one.source for one in found.orders.values())
    several = index.filter(_.owners > 1)
    if n := int(several.count().execute()):
        found.warnings.append(f"{n:,} order ids belong to several customers: what is reached by them is left out")
        found.conflicts.append(rollup.conflicts(several, "owners", where))
    if "tables" in index.columns:
        shared = index.filter(_.tables > 1, _.owners <= 1)
        if n := int(shared.count().execute()):
            found.warnings.append(
                f"{n:,} order ids stand in several tables of orders: each row counts, as if they were several orders"
            )
            found.conflicts.append(rollup.conflicts(shared, "tables", where))
    return index


def _meet(backend: ibis.BaseBackend, lines: rollup.Lines, index: ibis.Table, found: Found) -> None:
    """Order lines beside the orders they belong to."""
    met = rollup.lines_met(backend, lines, index)
    found.judged.append(met)
    conflicts, warnings = rollup.differences(lines, index, met.told.where)
    found.conflicts.append(conflicts)
    found.warnings += warnings
    if "product_group" in met.told.names:
        found.ranges.append(rollup.range_events(backend, met, lines, index))
