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
from clvmodels.sources.cleaning import id_text
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
LISTED = 10_000  # conflicts of a kind that are listed; all are counted
_SHOWN = 6  # ids of a cycle that an error names


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
        self, table: ibis.Table, column: str, system: str, owner: str = "owner", unowned: str = "unowned"
    ) -> ibis.Table:
        """The table with `owner` (whose the key is) and `unowned` (why it is nobody's)."""
        rows = table.mutate(key_=normal(table[column], (self.rules or {}).get(system, "exact")))
        if self.keys is None:
            found = rows.mutate(theirs_=rows.key_, known_=ibis.literal(True))
        else:
            known = self.keys.filter(_.system == system).select(key_="key", theirs_=CUSTOMER, known_=ibis.literal(True))
            found = rows.left_join(known, "key_")
        new = found.known_.isnull()
        theirs = new.ifelse(found.key_, found.theirs_) if system == CUSTOMER else found.theirs_
        why = ibis.cases(
            (found.key_.isnull(), reasons.NO_ID),
            (~new & found.theirs_.isnull(), reasons.SEVERAL),
            (theirs.isnull(), reasons.ORPHAN),
        )
        return found.select(*table.columns, **{owner: theirs, unowned: why})


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
    found = identity.keys.select("system").distinct().execute()["system"]
    return [CUSTOMER, *sorted(set(found) - {CUSTOMER})]


def read_identity(backend: ibis.BaseBackend, rows: ibis.Table, rules: Mapping[str, str]) -> Identity:
    """From rows (source, row, where, line; system, key, customer_id, text and none null) to whose each key is.

    A row of the system "customer_id" says that the customer named as its key was merged into another.

    Raises
    ------
    DataError
        Naming the customers, and their lines, who were merged in a circle.
    """
    rule = rules.get(CUSTOMER, "exact")
    exact = normal(rows.key, "exact")
    keys = ibis.cases(
        *((rows.system == system, normal(rows.key, name)) for system, name in rules.items()), (True, exact)
    )
    place = ("source", "row", "where", "line")
    pairs = stored(backend, "pairs", rows.select(*place, "system", key=keys, direct=normal(rows[CUSTOMER], rule)))
    nothing = pairs.filter(_.key.isnull() | _.direct.isnull()).select(
        "source", "row", reason=ibis.literal(reasons.NO_NAME)
    )
    pairs = pairs.filter(_.key.notnull(), _.direct.notnull())
    merges = pairs.filter(_.system == CUSTOMER, _.key != _.direct)
    _refuse_cycles(merges)
    ends = _followed(backend, merges.select("key", "direct").distinct())
    each = pairs.filter((_.system != CUSTOMER) | (_.key != _.direct))
    last = ends.select(direct="key", end="direct")
    each = each.left_join(last, "direct").select(*place, "system", "key", end=ibis.coalesce(_.end, _.direct))
    each = stored(backend, "owners", each)
    owners = each.group_by(["system", "key"]).agg(n=_.end.nunique(), one=_.end.min())
    owners = owners.select("system", "key", "n", customer_id=(owners.n == 1).ifelse(owners.one, ibis.null("string")))
    owners = stored(backend, "keys", owners)
    several = each.semi_join(owners.filter(_.n > 1), ["system", "key"]).select("source", "row").distinct()
    unused = stored(backend, "unused", nothing.union(several.mutate(reason=ibis.literal(reasons.SEVERAL))))
    return Identity(owners.drop("n"), dict(rules), _conflicts(each, owners), _merged(each, owners), unused)


def _followed(backend: ibis.BaseBackend, merges: ibis.Table) -> ibis.Table:
    """Each merged customer with the end of the chain, or the ends where chains part: a step twice as long each time,
    until nobody moves."""
    steps = stored(backend, "merges", merges)
    while True:
        on = steps.select(direct="key", further="direct")
        joined = steps.left_join(on, "direct")
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
    _number, part = connected_components(graph, connection="strong")
    inside = edges[(part[start] == part[stop])].assign(part=part[start][part[start] == part[stop]])
    problems = [_cycle(found) for _part, found in inside.groupby("part", sort=False)]
    if problems:
        raise DataError(problems[:_SHOWN])


def _cycle(edges: pd.DataFrame) -> Problem:
    """The problem of one circle, told from its first id."""
    into = edges.sort_values(["key", "direct"]).groupby("key")["direct"].first()
    path = [min(into.index)]
    while path[-1] not in path[:-1]:
        path.append(into[path[-1]])
    path = path[path.index(path[-1]) :]
    shown = [_short(key) for key in path]
    shown = shown if len(shown) <= _SHOWN + 1 else [*shown[:_SHOWN], f"... ({len(path) - 1} customers)", shown[-1]]
    first = edges.sort_values("line").iloc[:_SHOWN]
    lines = ", ".join(f"{line}" for line in first["line"])
    more = ", ..." if len(edges) > _SHOWN else ""
    what = f"customers were merged in a circle, at lines {lines}{more}"
    return Problem(what, first["where"].iloc[0], " -> ".join(shown), "Leave out the row that is wrong")


def _short(key: str, limit: int = 60) -> str:
    return key if len(key) <= limit else key[:limit] + "..."


def _conflicts(each: ibis.Table, owners: ibis.Table) -> pd.DataFrame:
    several = owners.filter(_.n > 1).select("system", "key")
    found = each.inner_join(several, ["system", "key"])
    listed = found.group_by(["system", "key"]).agg(
        values=_.end.collect(distinct=True), where=_["where"].min(), lines=_.line.collect(distinct=True)
    )
    table = listed.order_by(["system", "key"]).limit(LISTED).execute()
    return conflict_table(table.assign(what="key of several customers"))


def conflict_table(found: pd.DataFrame) -> pd.DataFrame:
    """Values and lines as text, in order."""
    values = [" | ".join(sorted(map(str, values))) for values in found["values"]]
    lines = [", ".join(map(str, sorted(lines))) for lines in found["lines"]]
    return found.assign(values=values, lines=lines)[list(CONFLICT_COLUMNS)].astype("str")


def no_conflicts() -> pd.DataFrame:
    """The list of conflicts where there are none."""
    return pd.DataFrame({name: pd.Series(dtype="str") for name in CONFLICT_COLUMNS})


def _merged(each: ibis.Table, owners: ibis.Table) -> pd.DataFrame:
    good = owners.filter(_.system == CUSTOMER, _.n == 1).select("key", "customer_id")
    rows = each.filter(_.system == CUSTOMER).inner_join(good, "key")
    rows = rows.group_by(["customer_id", "key"]).agg(where=_["where"].min(), line=_.line.min())
    table = rows.order_by(["customer_id", "key"]).execute().rename(columns={"key": "merged"})
    return table[list(MERGED_COLUMNS)]


def systems_problem(system: str, known: Sequence[str], where: str) -> list[Problem]:
    """The problem of a system whose keys no identity table holds."""
    return [] if system in known else [unknown("system", system, known, f"{where}, identity")]
