"""What is legal and likely means something else: words for nobody that are ids, ids that nearly agree, days that stand
alone, an order or an id that holds much of everything.

Nothing is decided here and nothing is changed: each doubt is counted and told with its first place, with what hangs on
it, and with the policy that settles it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.sources.cleaning import SAME_TEXT, bytes_of
from clvmodels.sources.conventions import Conventions
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import NEGATIVE, NOTHING_TO_NET, SAME
from clvmodels.sources.tally import stored

FEWEST_REFUNDS, REFUNDED, MUCH = 10, 0.01, 0.05
"""Refunds that are told of when they are left out: so many, this share of revenue; from where on it is a failure, as it
is with orders of nobody, and with customers who stand there twice."""
NOBODY = frozenset(
    {
        *(
            "null",
            "\\n",
            "nan",
            "none",
            "nil",
            "na",
            "n/a",
            "#n/a",
            "<na>",
            "<null>",
            "<none>",
            "nat",
            "n.a.",
            "n.v.",
            "undefined",
        ),
        *("unknown", "unbekannt", "inconnu", "desconocido", "missing", "empty", "blank", "not set", "(not set)"),
        *("guest", "gast", "invite", "invité", "anonymous", "anonym", "anon", "nobody", "no customer", "(none)"),
        *("(null)", "(blank)", "(empty)", "(missing)", "-", "--", "---", ".", "?", "not available", "no id", "keine"),
        *("walk-in", "walkin", "walk in", "cash", "default", "dummy", "test", "false", "undef", "void", "unassigned"),
        "00000000-0000-0000-0000-000000000000",
    }
)
"""What exports and shops write where there is no customer, in small letters."""
NUMBER_FOR_NOBODY = r"^(-1|-?0+(\.0+)?|-?9{3,})(\.0+)?$"
"""Numbers that databases and forms hold where there is none; they may be ids too."""
STANDS_OUT = 3
"""Times as many orders as any other id has: then a number for nobody is one, though ids beside it are numbers."""
WORDS_SHOWN = 8
DIFFERENCES = {
    "width": "full-width letters or digits",
    "blanks": "blanks",
    "casefold": "capitals",
    "point_zero": "a trailing .0",
    "leading_zeros": "leading zeros",
}
"""In what ids differ that the rules of `ids: {same: ...}` take for one."""
NO_DAYS = ("1753-01-01", "1899-12-30", "1899-12-31", "1900-01-01", "1904-01-01", "1969-12-31", "1970-01-01")
"""Days from which systems count: a date of 0 is shown as one of these."""
LONE_DAYS = 90
"""A quarter without an order, at least, before days at an end of the table are asked about."""
LONE_GAPS = 5
"""Times as long as the longest time without an order in the rest of the table."""
LONE_ROWS, LONE_SHARE = 3, 0.01
"""How many rows at most stand alone."""
REST_DAYS = 10
"""Days with orders by which the usual time between them is known."""
FEWEST_ORDERS = 50
"""A share of all orders or revenue says little of fewer."""
LARGE_ORDER, LARGE_FACTOR = 0.05, 20
"""Share of all revenue of one order, and how many times the median it is."""
LARGE_ID, FEWEST_IDS = 0.2, 10
"""Share of all orders of one id, and of how many ids at least."""


class Doubt(NamedTuple):
    """One kind of what is suspicious in a table of orders.

    Parameters
    ----------
    kind
        id_words, nearly_equal_ids, lone_first_days, lone_last_days, large_order, large_id, refunds.
    what
        A sentence that counts it and names its first place.
    effect
        What hangs on it.
    policy
        What settles it.
    rows, of
        How many orders it is in, of how many.
    is_failure
        Whether the date of value rests on it.
    """

    kind: str
    what: str
    effect: str
    policy: str
    rows: int
    of: int
    is_failure: bool = False

    def __str__(self) -> str:
        return f"{self.what}; {self.effect}. {self.policy}"


def doubts(
    backend: ibis.BaseBackend, used: ibis.Table, raw: Raw, where: str, conventions: Conventions
) -> tuple[Doubt, ...]:
    """What is suspicious in the orders that count (row, customer_id, date, and amount where it is known)."""
    place = _Place(raw, where)
    ids = _by_id(backend, used)
    days = _by_day(used)
    found = [
        *_words_for_nobody(ids, place),
        *_nearly_equal_ids(ids, place, conventions),
        *_lone_days(days, place, conventions),
    ]
    if "amount" in used.columns:
        found += _large_order(used, place)
    return (*found, *_large_id(ids, place, found))


def refund_doubts(
    judged: ibis.Table, marks: ibis.Table | None, used: ibis.Table, conventions: Conventions
) -> tuple[Doubt, ...]:
    """Refunds that are left out of the orders, where they are a share of revenue: the value is before refunds.

    `judged` has all rows, `marks` (row, reason) those that do not count for what other rows are, `used` what counts.
    """
    netted = conventions.policies.refunds == "net"
    if netted:
        if marks is None:
            return ()
        unmet = judged.semi_join(marks.filter(_.reason == NOTHING_TO_NET), "row")
    else:
        unmet = judged.filter(_.reason == NEGATIVE)
    left_out = unmet.aggregate(rows=_.count(), money=_.amount.sum().fill_null(0.0)).execute().iloc[0]
    rows, money = int(left_out["rows"]), -float(left_out["money"])
    revenue = used.aggregate(revenue=_.amount.sum(where=_.amount > 0).fill_null(0.0)).execute().iloc[0, 0]
    all_rows = int(judged.filter((_.amount < 0).fill_null(False)).count().execute())
    share = money / float(revenue) if revenue else 0.0
    if rows < FEWEST_REFUNDS or share < REFUNDED:
        return ()
    why = "meet no order, by day or by order_id, and are left out" if netted else "are left out"
    what = f"{rows:,} of {all_rows:,} refunds {why}: {money:,.2f}, {share:.0%} of all revenue"
    other = "net subtracts them from the orders of their day or order_id, returns" if not netted else "returns"
    policy = f"The policy refunds: {other} takes them into account as returns"
    return (Doubt("refunds", what, "the value is before refunds", policy, rows, all_rows, is_failure=share >= MUCH),)


class _Place(NamedTuple):
    raw: Raw
    where: str

    def of(self, row: int) -> str:
        """Where a row stood: "orders.csv, line 17"."""
        return f"{self.where}, {self.raw.spot(int(row))}"


class _Ids(NamedTuple):
    """The ids of a table, and what one pass over them says: which doubts need to be looked into."""

    table: ibis.Table  # customer_id, orders, revenue, has_repeated, row (its first)
    orders: int
    revenue: float
    customers: int
    has_words: bool
    differences: frozenset[str]  # rules of `SAME` by which some id may equal another
    largest: str
    largest_orders: int

    def share(self, orders: int, revenue: float) -> str:
        """How much of everything some ids hold: "9 of 13 orders (69%)", and of revenue where it is known."""
        text = f"{orders:,} of {self.orders:,} orders ({_percent(orders / self.orders)})"
        if self.revenue > 0:
            text += f" and {_percent(revenue / self.revenue)} of all revenue"
        return text


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 or share <= 0 else "less than 1%"


def _by_id(backend: ibis.BaseBackend, used: ibis.Table) -> _Ids:
    revenue = used.amount.sum() if "amount" in used.columns else ibis.literal(0.0)
    table = used.group_by("customer_id").agg(
        orders=_.count(), revenue=revenue, has_repeated=_.date.min() != _.date.max(), row=_["row"].min()
    )
    table = stored(backend, "ids", table)
    text = table.customer_id
    is_wide = bytes_of(text) != text.length()
    sums = table.aggregate(
        orders=table.orders.sum(),
        revenue=table.revenue.sum(),
        customers=table.count(),
        has_words=_is_nobody(text).any(),
        width=is_wide.any(),
        blanks=(is_wide | text.contains(" ") | text.contains("\t")).any(),
        casefold=(text != text.lower()).any() & (text != text.upper()).any(),
        point_zero=text.contains(".0").any(),
        leading_zeros=text.startswith("0").any(),
        largest=text.argmax(table.orders),
        largest_orders=table.orders.max(),
    )
    row = sums.execute().iloc[0]
    return _Ids(
        table,
        int(row["orders"] or 0),
        float(row["revenue"] or 0.0),
        int(row["customers"]),
        bool(row["has_words"]),
        frozenset(rule for rule in SAME if row[rule]),
        str(row["largest"]),
        int(row["largest_orders"] or 0),
    )


def _is_nobody(text: ibis.Value) -> ibis.Value:
    return text.lower().isin(sorted(NOBODY)) | text.re_search(NUMBER_FOR_NOBODY)


# Ids --------------------------------------------------------------------------------------------------------------


def _words_for_nobody(ids: _Ids, place: _Place) -> Iterator[Doubt]:
    if not ids.has_words:
        return
    rows = ids.table.filter(_is_nobody(ids.table.customer_id)).execute()
    is_number = ~rows["customer_id"].str.lower().isin(NOBODY)
    rows = rows[~is_number | _stand_out(rows, ids)].sort_values("row")
    if rows.empty:
        return
    named = rows.sort_values("orders", ascending=False).head(WORDS_SHOWN)
    texts = [
        f"{name} ({words.counted(n, 'order')})" for name, n in zip(named["customer_id"], named["orders"], strict=True)
    ]
    more = f" and {len(rows) - len(named)} more" if len(rows) > len(named) else ""
    many = words.counted(len(rows), "id is a word", "ids are words")
    what = f"{many} that may mean nobody: {', '.join(texts)}{more}; first at {place.of(rows['row'].iloc[0])}"
    listed = ", ".join(_in_yaml(name) for name in rows["customer_id"].head(50))
    orders = int(rows["orders"].sum())
    yield Doubt(
        "id_words",
        what,
        f"taken for customers, they hold {ids.share(orders, float(rows['revenue'].sum()))}",
        f"The policy empty: [{listed}] leaves them out as orders of nobody",
        orders,
        ids.orders,
        is_failure=orders >= MUCH * ids.orders,
    )


def _stand_out(rows: pd.DataFrame, ids: _Ids) -> pd.Series:
    """Which numbers are likely for nobody: no id is the number beside it, or no other has nearly as many orders."""
    suspects = [*rows["customer_id"]]
    numbers = pd.to_numeric(rows["customer_id"], errors="coerce").fillna(0).astype("int64")
    below, above = (numbers - 1).astype(str), (numbers + 1).astype(str)
    # a suspect is no witness for another: -1 and 0 may both be for nobody
    beside = {*below, *above, ""} - {*suspects}
    present = ids.table.filter(_.customer_id.isin(sorted(beside))).customer_id.execute()
    has_neighbour = below.isin(present) | above.isin(present)
    others = ids.table.filter(_.customer_id.notin([*suspects, ""]))
    most_of_others = others.orders.max().execute()
    if pd.isna(most_of_others):  # there are no others
        most_of_others = 0
    return ~has_neighbour | (rows["orders"] >= STANDS_OUT * int(most_of_others))


def _in_yaml(word: str) -> str:
    """A word as it stands in a list of YAML: in quotes where it would be read as something else."""
    is_plain = word.replace("_", "").replace(" ", "").isalpha() and word.lower() not in ("true", "false", "null")
    return word if is_plain else "'" + word.replace("'", "''") + "'"


def _nearly_equal_ids(ids: _Ids, place: _Place, conventions: Conventions) -> Iterator[Doubt]:
    rules = [rule for rule in SAME if rule in ids.differences - {*conventions.policies.ids.same}]
    if not rules:
        return
    differing = {rule: _equal_but_for(ids.table, [rule]) for rule in rules}
    differing = {rule: groups for rule, groups in differing.items() if groups["ids"]}
    together = _equal_but_for(ids.table, rules)
    if not together["ids"]:
        return
    texts = [f"{groups['ids']:,} but for {DIFFERENCES[rule]}" for rule, groups in differing.items()]
    if not texts:  # each differs from another in several ways at once
        differing = dict.fromkeys(rules, together)
        texts = [f"{together['ids']:,} but for {', '.join(DIFFERENCES[rule] for rule in rules)}"]
    subject = words.agreeing(together["ids"], "id equals", "ids equal")
    what = f"{together['ids']:,} {subject} another ({'; '.join(texts)}), first at {place.of(together['row'])}"
    left = ids.customers - together["ids"]
    effect = f"as the same customers they would be {left:,} in place of {ids.customers:,}"
    effect += f", {together['repeat']:,} more of them with a repeat purchase"
    policy = f"Are they? The policy ids: {{same: [{', '.join(differing)}]}} takes them as one"
    are_many = together["ids"] >= MUCH * ids.customers
    yield Doubt("nearly_equal_ids", what, effect, policy, together["orders"], ids.orders, is_failure=are_many)


def _equal_but_for(table: ibis.Table, rules: Sequence[str]) -> dict[str, int]:
    """Of ids that agree once the rules are applied: how many there are beyond one of each, their orders, how many more
    customers would have bought again, and the first row of the second of them."""
    text = table.customer_id
    for rule in rules:
        text = SAME_TEXT[rule](text)
    groups = table.group_by(same=text).agg(
        ids=_.count(), orders=_.orders.sum(), repeat=_.has_repeated.sum(), row=_["row"].max()
    )
    counted = groups.filter(_.ids > 1).aggregate(
        ids=(_.ids - 1).sum(), orders=_.orders.sum(), repeat=(_.repeat == 0).sum(), row=_["row"].min()
    )
    counts = counted.execute().iloc[0].fillna(0)
    return {name: int(counts[name]) for name in ("ids", "orders", "repeat", "row")}


def _large_id(ids: _Ids, place: _Place, found: Sequence[Doubt]) -> Iterator[Doubt]:
    """One id with a large share of all orders, where it is not a word for nobody already."""
    if ids.customers < FEWEST_IDS or ids.orders < FEWEST_ORDERS:
        return
    is_told = any(doubt.kind == "id_words" and f"{ids.largest} (" in doubt.what for doubt in found)
    if ids.largest_orders < LARGE_ID * ids.orders or is_told:
        return
    largest = ids.table.filter(_.customer_id == ids.largest).execute().iloc[0]
    share = ids.share(ids.largest_orders, float(largest["revenue"]))
    name = words.label(ids.largest, 40)
    what = f"one id, '{name}', has {share}, first at {place.of(largest['row'])}"
    yield Doubt(
        "large_id",
        what,
        "as one customer it is the best by far, and models of the rest are bent by it",
        f"If it is nobody's, the policy empty: [{_in_yaml(ids.largest)}] leaves it out",
        ids.largest_orders,
        ids.orders,
    )


# Days -------------------------------------------------------------------------------------------------------------


def _by_day(used: ibis.Table) -> pd.DataFrame:
    """date, orders, row (the first): a row a day, in order."""
    days = used.group_by("date").agg(orders=_.count(), row=_["row"].min()).order_by("date").execute()
    return days.assign(date=pd.to_datetime(days["date"]))


def _lone_days(days: pd.DataFrame, place: _Place, conventions: Conventions) -> Iterator[Doubt]:
    """Days at both ends of the table that a long time without any order parts from all others."""
    first = _lone(days)
    if first:
        lone, rest = days.iloc[:first], days.iloc[first:]
        gap = (rest["date"].iloc[0] - lone["date"].iloc[-1]).days
        is_no_day = lone["date"].dt.strftime("%Y-%m-%d").isin(NO_DAYS).any()
        why = ", a day from which systems count where there is none," if is_no_day else ""
        yield Doubt(
            "lone_first_days",
            f"{_dated(lone, place, why)} {gap:,} days before all other orders",
            f"their customers count as {gap:,} days older, and as lost for as long where they bought once",
            f"The policy dates: {{earliest: {rest['date'].iloc[0]:%Y-%m-%d}}} leaves them out",
            int(lone["orders"].sum()),
            int(days["orders"].sum()),
        )
        days = rest
    last = _lone(days.iloc[::-1])
    if last:
        lone, rest = days.iloc[-last:], days.iloc[:-last]
        gap = (lone["date"].iloc[0] - rest["date"].iloc[-1]).days
        is_end = conventions.data_end is None
        effect = f"the data end {gap:,} days later by them, and whoever has not bought since counts as likely gone"
        settles = (
            f"The policy dates: {{latest: {rest['date'].iloc[-1]:%Y-%m-%d}}} leaves them out; data_end states the end"
        )
        yield Doubt(
            "lone_last_days",
            f"{_dated(lone, place, '')} {gap:,} days after all other orders",
            effect,
            settles,
            int(lone["orders"].sum()),
            int(days["orders"].sum()),
            is_failure=is_end,
        )


def _lone(days: pd.DataFrame) -> int:
    """How many days at the beginning stand alone; 0 where none do."""
    gaps = days["date"].diff().dt.days.abs().to_numpy()
    rows = days["orders"].cumsum().to_numpy()
    most = max(LONE_ROWS, LONE_SHARE * rows[-1]) if len(rows) else 0
    for number in range(1, len(days)):
        if rows[number - 1] > most:
            return 0
        rest = gaps[number + 1 :]
        is_no_day = days["date"].iloc[number - 1].strftime("%Y-%m-%d") in NO_DAYS
        if is_no_day and gaps[number] > 366:
            return number
        if len(rest) >= REST_DAYS and gaps[number] >= max(LONE_DAYS, LONE_GAPS * rest.max()):
            return number
    return 0


def _dated(lone: pd.DataFrame, place: _Place, why: str) -> str:
    orders = int(lone["orders"].sum())
    first, last = lone["date"].min(), lone["date"].max()
    on = f"of {first:%Y-%m-%d}" if first == last else f"of {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    lies = words.agreeing(orders, "lies", "lie")
    return f"{words.counted(orders, 'order')} {on}{why} (first at {place.of(int(lone['row'].min()))}) {lies}"


# Amounts ----------------------------------------------------------------------------------------------------------


def _large_order(used: ibis.Table, place: _Place) -> Iterator[Doubt]:
    paid = used.filter(_.amount > 0)
    sums = paid.aggregate(n=_.count(), total=_.amount.sum(), largest=_.amount.max(), median=_.amount.median())
    n, total, largest, median = sums.execute().iloc[0]
    if n < FEWEST_ORDERS or largest < LARGE_ORDER * total or largest < LARGE_FACTOR * median:
        return
    row = int(paid.filter(_.amount == float(largest)).row.min().execute())
    what = f"one order, of {largest:,.2f} at {place.of(row)}, is {_percent(largest / total)} of all revenue"
    yield Doubt(
        "large_order",
        what,
        f"it is {largest / median:,.0f} times the median order, and what its customer and all are worth hangs on it",
        "Is it one? Correct or leave out the row if not",
        1,
        int(n),
    )
