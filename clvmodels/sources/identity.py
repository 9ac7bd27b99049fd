"""Whose a key is: the keys of each system (a shop's account, an e-mail address, a loyalty card) mapped to one customer.

Keys are compared as text by a rule that is stated for their system; nothing that merely looks alike is taken for equal.
A customer who was merged into another is followed to the end. A key that belongs to two customers belongs to nobody: it
is a conflict, listed and never decided.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources import reasons
from clvmodels.sources.cleaning import id_text, owner_text
from clvmodels.sources.reasons import DEFAULT_POLICIES, Policies
from clvmodels.sources.tally import stored

CUSTOMER = "customer_id"
"""The system of the result itself: its keys are customers, and those in the table were merged into others."""
RULES: dict[str, Callable[[ibis.Value], ibis.Value]] = {
    "exact": lambda text: text,
    "email": lambda text: text.lower(),
    "digits": lambda text: text.re_replace(r"[^0-9]", ""),
    "code": lambda text: text.re_replace(r"[\s-]", "").upper(),
}
"""How keys are compared, blanks around them left out: as they stand; without capitals; by their digits alone; without
blanks, hyphens and small letters."""
CONFLICT_COLUMNS = ("what", "system", "key", "values", "where", "lines")
MERGED_COLUMNS = ("customer_id", "merged", "where", "line")
LISTED = 10_000
"""Conflicts of a kind that are listed; all are counted."""
MOST_SHOWN = 6
"""Ids of a circle, and circles, that an error names."""
PLACE = ("source", "row", "where", "line")
"""Where a row of an identity table stood."""


@dataclass(frozen=True)
class Identity:
    """The customers of the keys.

    Parameters
    ----------
    keys
        In the engine: system, key (as its rule has it), customer_id (null where there are several). None: there is no
        identity table, and every key is the customer.
    rules
        Of the systems that have another than "exact".
    conflicts
        what, system, key, values, where, lines: keys that belong to several customers.
    merged
        customer_id, merged (the id that went into it), where, line.
    unused
        In the engine: source, row, reason of rows that lead to nobody.
    """

    keys: ibis.Table | None = None
    rules: Mapping[str, str] | None = None
    conflicts: pd.DataFrame | None = None
    merged: pd.DataFrame | None = None
    unused: ibis.Table | None = None

    def resolve(
        self,
        table: ibis.Table,
        column: str,
        system: str,
        policies: Policies = DEFAULT_POLICIES,
        owner: str = "owner",
        unowned: str = "unowned",
    ) -> ibis.Table:
        """The table with `owner` (whose the key is) and `unowned` (why it is nobody's)."""
        # Names that end in _ are of no column of a company: they stand beside its own until the last line.
        key = owner_text(table[column], policies)
        rows = table.mutate(key_=normal(key, (self.rules or {}).get(system, "exact")))
        if self.keys is None:
            joined = rows.mutate(customer_=rows.key_, is_listed_=ibis.literal(True))
        else:
            keys = self.keys.filter(_.system == system)
            keys = keys.select(key_="key", customer_=CUSTOMER, is_listed_=ibis.literal(True))
            joined = rows.left_join(keys, "key_")
        is_listed, customer = joined.is_listed_.notnull(), joined.customer_
        if system == CUSTOMER:  # lists only those who were merged: any other key is the customer
            customer = is_listed.ifelse(customer, joined.key_)
        why = ibis.cases(
            (joined.key_.isnull(), reasons.NO_ID),
            (is_listed & joined.customer_.isnull(), reasons.SEVERAL),
            (customer.isnull(), reasons.ORPHAN),
        )
        return joined.select(*table.columns, **{owner: customer, unowned: why})


def normal(column: ibis.Value, rule: str) -> ibis.Value:
    """A key as it is compared; null where nothing of it is left."""
    return RULES[rule](id_text(column)).nullif("")


def rule_problems(rules: Mapping[str, str], where: str) -> list[Problem]:
    """Rules that no registry holds."""
    return [
        unknown("rule", rule, RULES, f"{where}, rule of '{system}'")
        for system, rule in rules.items()
        if rule not in RULES
    ]


def known_systems(identity: Identity) -> list[str]:
    """Systems that keys can be of, the result's own first."""
    if identity.keys is None:
        return [CUSTOMER]
    systems = set(identity.keys.select("system").distinct().execute()["system"])
    return [CUSTOMER, *sorted(systems - {CUSTOMER})]


def read_identity(backend: ibis.BaseBackend, rows: ibis.Table, rules: Mapping[str, str]) -> Identity:
    """From rows (source, row, where, line; system, key, customer_id, text and none null) to whose each key is.

    A row of the system "customer_id" says that the customer named as its key was merged into another.

    Raises
    ------
    DataError
        Naming the customers, and their lines, who were merged in a circle.
    """
    pairs = _normalised(backend, rows, rules)
    is_nameless = pairs.key.isnull() | pairs.direct.isnull()
    named = pairs.filter(~is_nameless)
    _refuse_cycles(_merges(named))
    links = _links(backend, named)
    owners = _owners(backend, links)
    nameless = pairs.filter(is_nameless).select("source", "row", reason=ibis.literal(reasons.NO_NAME))
    shared = links.semi_join(owners.filter(_.n > 1), ["system", "key"]).select("source", "row").distinct()
    shared = shared.mutate(reason=ibis.literal(reasons.SEVERAL))
    unused = stored(backend, "unused", nameless.union(shared))
    return Identity(owners.drop("n"), dict(rules), _conflicts(links, owners), _merged(links, owners), unused)


def _merges(named: ibis.Table) -> ibis.Table:
    """Rows that say that a customer was merged; into themselves nobody is."""
    return named.filter(_.system == CUSTOMER, _.key != _.direct)


def _links(backend: ibis.BaseBackend, named: ibis.Table) -> ibis.Table:
    """Each key with the customer whom its row leads to, merges followed to the end: place, system, key, end."""
    ends = _chain_ends(backend, _merges(named).select("key", "direct").distinct())
    links = named.filter((_.system != CUSTOMER) | (_.key != _.direct))
    links = links.left_join(ends.select(direct="key", end="direct"), "direct")
    return stored(backend, "links", links.select(*PLACE, "system", "key", end=ibis.coalesce(_.end, _.direct)))


def _owners(backend: ibis.BaseBackend, links: ibis.Table) -> ibis.Table:
    """The customer of each key: system, key, n (how many it leads to), customer_id (null where they are several)."""
    ends = links.group_by(["system", "key"]).agg(n=_.end.nunique(), end=_.end.min())
    customer = (ends.n == 1).ifelse(ends.end, ibis.null("string"))
    return stored(backend, "keys", ends.select("system", "key", "n", customer_id=customer))


def _normalised(backend: ibis.BaseBackend, rows: ibis.Table, rules: Mapping[str, str]) -> ibis.Table:
    """The rows with their keys, and the customers these name (`direct`), as they are compared."""
    by_rule = [(rows.system == system, normal(rows.key, rule)) for system, rule in rules.items()]
    key = ibis.cases(*by_rule, (True, normal(rows.key, "exact")))
    customer = normal(rows[CUSTOMER], rules.get(CUSTOMER, "exact"))
    return stored(backend, "pairs", rows.select(*PLACE, "system", key=key, direct=customer))


def _chain_ends(backend: ibis.BaseBackend, merges: ibis.Table) -> ibis.Table:
    """Each merged customer with the end of the chain, or the ends where chains part: a step twice as long each time,
    until nobody moves. (key, direct)"""
    steps = stored(backend, "merges", merges)
    while True:
        next_steps = steps.select(direct="key", further="direct")
        joined = steps.left_join(next_steps, "direct")
        if not int(joined.filter(_.further.notnull()).count().execute()):
            return steps
        longer = joined.select("key", direct=ibis.coalesce(joined.further, joined.direct)).distinct()
        steps = stored(backend, "merges", longer)


def _refuse_cycles(merges: ibis.Table) -> None:
    """Customers of one strongly connected component were merged in a circle."""
    edges = merges.select("key", "direct", "where", "line").execute()
    if edges.empty:
        return
    codes, ids = pd.factorize(pd.concat([edges["key"], edges["direct"]]), sort=True)
    start, stop = np.split(codes, 2)
    graph = coo_matrix((np.ones(len(edges), "int8"), (start, stop)), shape=(len(ids), len(ids)))
    _number, component = connected_components(graph, connection="strong")
    is_circular = component[start] == component[stop]
    circular = edges[is_circular].assign(component=component[start][is_circular])
    problems = [_cycle(circle) for _component, circle in circular.groupby("component", sort=False)]
    if problems:
        raise DataError(problems[:MOST_SHOWN])


def _cycle(edges: pd.DataFrame) -> Problem:
    """The problem of one circle, told from its first id."""
    merged_into = edges.sort_values(["key", "direct"]).groupby("key")["direct"].first()
    path = [min(merged_into.index)]
    while path[-1] not in path[:-1]:
        path.append(merged_into[path[-1]])
    path = path[path.index(path[-1]) :]  # without what leads into the circle
    shown_ids = [_shortened(key) for key in path]
    if len(shown_ids) > MOST_SHOWN + 1:
        shown_ids = [*shown_ids[:MOST_SHOWN], f"... ({len(path) - 1} customers)", shown_ids[-1]]
    first = edges.sort_values("line").iloc[:MOST_SHOWN]
    lines = ", ".join(f"{line}" for line in first["line"])
    more = ", ..." if len(edges) > MOST_SHOWN else ""
    what = f"customers were merged in a circle, at lines {lines}{more}"
    return Problem(what, first["where"].iloc[0], " -> ".join(shown_ids), "Leave out the row that is wrong")


def _shortened(key: str, limit: int = 60) -> str:
    return key if len(key) <= limit else key[:limit] + "..."


def _conflicts(links: ibis.Table, owners: ibis.Table) -> pd.DataFrame:
    """Keys that lead to several customers, with these and their lines."""
    shared = links.inner_join(owners.filter(_.n > 1).select("system", "key"), ["system", "key"])
    listed = shared.group_by(["system", "key"]).agg(
        values=_.end.collect(distinct=True), where=_["where"].min(), lines=_.line.collect(distinct=True)
    )
    table = listed.order_by(["system", "key"]).limit(LISTED).execute()
    return conflict_table(table.assign(what="key of several customers"))


def conflict_table(table: pd.DataFrame) -> pd.DataFrame:
    """Conflicts in their columns: `values` and `lines`, a list a row, become text, in order."""
    values = [" | ".join(sorted(map(str, row))) for row in table["values"]]
    lines = [", ".join(map(str, sorted(row))) for row in table["lines"]]
    return table.assign(values=values, lines=lines)[list(CONFLICT_COLUMNS)].astype("str")


def no_conflicts() -> pd.DataFrame:
    """The list of conflicts where there are none."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in CONFLICT_COLUMNS})


def _merged(links: ibis.Table, owners: ibis.Table) -> pd.DataFrame:
    """The customers who were merged into one other, and where it says so first."""
    decided = owners.filter(_.system == CUSTOMER, _.n == 1).select("key", "customer_id")
    rows = links.filter(_.system == CUSTOMER).inner_join(decided, "key")
    merges = rows.group_by(["customer_id", "key"]).agg(where=_["where"].min(), line=_.line.min())
    table = merges.order_by(["customer_id", "key"]).execute().rename(columns={"key": "merged"})
    return table[list(MERGED_COLUMNS)]


def no_merges() -> pd.DataFrame:
    """The list of merged customers where there are none."""
    columns = {name: pd.Series(dtype="int64" if name == "line" else "str") for name in MERGED_COLUMNS}
    return pd.DataFrame(columns)


def systems_problem(system: str, systems: Sequence[str], where: str) -> list[Problem]:
    """The problem of a system whose keys no identity table holds."""
    return [] if system in systems else [unknown("system", system, systems, f"{where}, identity")]
