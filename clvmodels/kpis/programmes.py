"""What a programme earned, where chance decided whom it reached: the return on what was spent on it.

Of customers who were dealt to two arms by chance, and only of these, the difference of the arms' profits is the
programme's effect. Where nothing says so, or the arms differ beyond chance before the programme began, it is refused:
a programme that chose its customers (the best, the willing) shows whom it chose, not what it did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ibis
import numpy as np
import pandas as pd
from ibis import _
from scipy import stats

from clvmodels.accounts.profit_made import ACQUISITION
from clvmodels.customers.table import Customers
from clvmodels.draws import QUANTILES
from clvmodels.errors import ConfigError, DataError, Problem, unknown
from clvmodels.kpis.book import Book, Terms, keep_book
from clvmodels.kpis.engine import Bench, bench
from clvmodels.kpis.programme import Programme
from clvmodels.sources.cleaning import EXACT
from clvmodels.sources.consolidation import Company

ARMS = ("treatment", "control")
LEAST = 30
"""Customers in each arm."""
FALSE_ALARM = 0.01
"""How often arms that chance made are refused as unlike each other."""
BEFORE = ("purchases before", "revenue before", "day of the last purchase", "day of the assignment")
"""What chance alone makes alike in both arms."""
WEEK = pd.Timedelta(days=7)
COLUMNS = (
    "campaign",
    "weeks",
    "verdict",
    "reason",
    "first_day",
    "last_day",
    "treatment",
    "control",
    "balance",
    "balance_limit",
    "of",
    "value",
    "q5",
    "q25",
    "q50",
    "q75",
    "q95",
)


class Arms(NamedTuple):
    """One customer a row: arm, day of the assignment, cost (told of its weeks; 0 where nothing is), and what is known
    of before and after."""

    table: pd.DataFrame

    def values(self, column: str) -> tuple[np.ndarray, np.ndarray]:
        """Of the treated, and of those who were not."""
        one, other = (self.table.loc[self.table["arm"] == arm, column].to_numpy(dtype=float) for arm in ARMS)
        return one, other


def programmes(
    company: Company, customers: Customers, terms: Terms, wanted: Sequence[Programme], *, least: int = LEAST
) -> pd.DataFrame:
    """What each programme earned for each customer treated, or why that cannot be said.

    The effect is the difference of the arms' mean profits (margin less costs, without acquisition and without the
    programme's own cost) of the purchases and contacts from the day of the assignment on, for so many weeks. Those who
    did not answer, or never bought, are among them; of other cohorts than the customers' nobody is. Its posterior is
    Student's t with Welch's degrees of freedom, that of the means with the reference prior. A cost that differs from
    customer to customer is uncertain with the profit: the gain is the difference of the arms' means of profit less
    cost. Nothing after the customers' end of observation is looked at.

    Returns
    -------
    DataFrame
        campaign, weeks, verdict (tested or refused), reason, first_day and last_day of the assignments, customers in
        treatment and control, balance (largest standardised difference of `BEFORE`) and its limit (exceeded by one
        sound experiment in 100), and for each `of` a value and its quantiles: profit in treatment and in control,
        effect, cost, gain (effect - cost), all for one treated customer; roi (gain / cost), P(roi > 0) as a value. A
        refused programme has one row.

    Raises
    ------
    ConfigError
        No economics.
    DataError
        A campaign that no row tells of.
    """
    _check(company, terms, wanted)
    rows = []
    for one in wanted:
        with bench(company.transactions.backend) as kept:
            rows += _programme(company, customers, terms, one, least, kept)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _check(company: Company, terms: Terms, wanted: Sequence[Programme]) -> None:
    if terms.economics is None:
        raise ConfigError(Problem("a programme's profit needs economics", "programmes"))
    rows = company.events.filter(_.role == "campaigns").select("kind").distinct().order_by("kind").execute()
    known = list(rows["kind"].dropna())
    if lacking := [
        unknown("campaign", one.campaign, known, "programmes") for one in wanted if one.campaign not in known
    ]:
        raise DataError(lacking)


def _programme(
    company: Company, customers: Customers, terms: Terms, wanted: Programme, least: int, kept: Bench
) -> list[dict]:
    rows = _of_these(company, customers, _assigned(company, wanted, customers.observation_end))
    told = {"campaign": wanted.campaign, "weeks": float(wanted.weeks), "verdict": "refused"}
    if rows.empty:
        nobody = f"none of these customers was assigned by {customers.observation_end:%Y-%m-%d}"
        return [told | {"treatment": 0, "control": 0, "reason": nobody}]
    told |= {"first_day": rows["day"].min().date().isoformat(), "last_day": rows["day"].max().date().isoformat()}
    told |= {arm: int((rows["arm"] == arm).sum()) for arm in ARMS}
    last = rows["day"].max() + wanted.weeks * WEEK - pd.Timedelta(days=1)
    reason = _not_random(rows, least) or _not_over(last, _watched(terms), customers.observation_end)
    if reason:
        return [told | {"reason": reason}]
    arms = _outcomes(company, customers, terms, wanted, rows, kept)
    found = {name: _distance(*arms.values(name)) for name in BEFORE}
    limit = float(stats.norm.isf(FALSE_ALARM / (2 * len(BEFORE))))
    worst = max(found, key=lambda name: found[name])
    told |= {"balance": found[worst], "balance_limit": limit}
    if found[worst] > limit:
        return [told | {"reason": f"the arms differ in {worst} by more than chance explains"}]
    return [told | {"verdict": "tested", "reason": "", **row} for row in _effect(arms)]


# ------------------------------------------------------------------------------------------------- who, and by chance


def _assigned(company: Company, wanted: Programme, end: pd.Timestamp) -> pd.DataFrame:
    """One row a customer: arms (how many different), arm, rows without one, first day, cost of the weeks from it on."""
    known = _.date.isnull() | (_.date <= ibis.date(end.date()))
    events = company.events.filter(_.role == "campaigns", _.kind == wanted.campaign, _.customer_id.notnull(), known)
    events = events.mutate(arm=_.detail.strip().lower().nullif(""))
    first = events.date.min().over(ibis.window(group_by="customer_id"))
    since = events.mutate(gap=events.date.delta(first, unit="day"))
    found = since.group_by("customer_id").agg(
        arms=_.arm.nunique(),
        arm=_.arm.min(),
        unarmed=_.arm.isnull().sum(),
        day=_.date.min(),
        cost=_.amount.cast(EXACT).sum(where=_.gap < _length(wanted)).fill_null(0).cast("float64"),
    )
    rows = found.order_by("customer_id").execute()
    return rows.assign(day=pd.to_datetime(rows["day"]).astype("datetime64[us]"))


def _length(wanted: Programme) -> int:
    """Days in which the outcome counts."""
    return int(np.ceil(wanted.weeks * 7))


def _of_these(company: Company, customers: Customers, rows: pd.DataFrame) -> pd.DataFrame:
    """Without those who had bought and are not among the customers: of another cohort, they have no outcome here."""
    end = ibis.date(customers.observation_end.date())
    bought = company.transactions.table.filter(_.date <= end).select("customer_id").distinct().execute()["customer_id"]
    others = set(bought) - set(customers.table.index)
    return rows[~rows["customer_id"].isin(others)].reset_index(drop=True)


def _watched(terms: Terms) -> int:
    """For how many days after a purchase something may come of it, by the cost models in use."""
    return max((getattr(terms.windows, role) for role in ("returns", "bad_debt") if role in terms.roles), default=0)


def _not_random(rows: pd.DataFrame, least: int) -> str:
    """Why nothing says that chance decided; empty where something does."""
    armed, n = rows["arm"].notna(), len(rows)
    if not armed.any():
        return "no row tells an arm: its customers were chosen, not dealt by chance"
    if (rows["unarmed"] > 0).any():
        return f"{int((rows['unarmed'] > 0).sum()):,} of {n:,} customers have rows without an arm"
    if (rows["arms"] > 1).any():
        return f"{int((rows['arms'] > 1).sum()):,} customers are in both arms"
    if missing := [arm for arm in ARMS if not (rows["arm"] == arm).any()]:
        return f"there is one arm only: nobody is in {missing[0]}"
    if rows["day"].isna().any():
        return f"{int(rows['day'].isna().sum()):,} customers have no day of assignment"
    small = min(ARMS, key=lambda arm: int((rows["arm"] == arm).sum()))
    if (count := int((rows["arm"] == small).sum())) < least:
        return f"too few in {small}: {count:,}, at least {least} are needed"
    return ""


def _not_over(last: pd.Timestamp, watched: int, end: pd.Timestamp) -> str:
    """Why not all is known of its weeks; empty where it is."""
    told = f"they end on {last:%Y-%m-%d}, the data on {end:%Y-%m-%d}"
    if last > end:
        return f"its weeks are not over: {told}"
    if last + pd.Timedelta(days=watched) > end:
        return f"what comes back of its weeks is not known for {watched} days after them: {told}"
    return ""


# ------------------------------------------------------------------------------------------------- before and after


def _outcomes(
    company: Company, customers: Customers, terms: Terms, wanted: Programme, rows: pd.DataFrame, kept: Bench
) -> Arms:
    """Everybody who was assigned, with what was before and with the profit of the weeks after."""
    terms = Terms(terms.economics, terms.roles, terms.windows, (wanted.campaign,))
    book = keep_book(company, customers, terms, pd.DataFrame(index=customers.table.index), kept)
    assigned = kept.keep(pd.DataFrame({"customer_id": rows["customer_id"], "day": rows["day"].dt.date}))
    days = book.days.inner_join(assigned, "customer_id")
    before = (
        days.filter(_.date < _.day)
        .group_by("customer_id")
        .agg(purchases=_.count(), revenue=_.revenue.cast(EXACT).sum().cast("float64"), last=_.date.max())
    )
    entries = _entries(book).filter(_.part != ACQUISITION).inner_join(assigned, "customer_id")
    gap = entries.bought.delta(entries.day, unit="day")
    profit = (
        entries.filter((gap >= 0) & (gap < _length(wanted)))
        .group_by("customer_id")
        .agg(profit=_.amount.cast(EXACT).sum().cast("float64"))
    )
    table = rows.set_index("customer_id")
    old, after = before.execute().set_index("customer_id"), profit.execute().set_index("customer_id")
    table = table.join(old).join(after).fillna({"purchases": 0.0, "revenue": 0.0, "profit": 0.0})
    last = (pd.to_datetime(table["last"]) - table["day"]).dt.days
    start = (table["day"] - table["day"].min()).dt.days
    never = -float((table["day"].max() - company.transactions.data_start).days)  # nobody was silent for longer
    names = dict(zip(BEFORE, (table["purchases"], table["revenue"], last.fillna(never), start), strict=True))
    return Arms(table.assign(**names))


def _entries(book: Book) -> ibis.Table:
    """What was earned; there are economics, or nothing was asked for."""
    if book.entries is None:
        raise ValueError("a book without economics")
    return book.entries


def _distance(one: np.ndarray, other: np.ndarray) -> float:
    """How far two means are apart: the standard normal deviate that is as unlikely as their Welch t."""
    gap = abs(one.mean() - other.mean())
    if gap <= 1e-9 * max(np.abs(one).max(), np.abs(other).max()):  # equal values have means that differ by rounding
        return 0.0
    effect = _difference(one, other)
    return float(stats.norm.isf(stats.t.sf(gap / effect.error, effect.freedom))) if effect.error > 0 else np.inf


class _Difference(NamedTuple):
    """Of two means: its standard error, and Welch's degrees of freedom."""

    middle: float
    error: float
    freedom: float


def _difference(one: np.ndarray, other: np.ndarray) -> _Difference:
    errors = [float(arm.var(ddof=1) / len(arm)) for arm in (one, other)]
    freedom = _welch(errors, (len(one), len(other)))
    return _Difference(float(one.mean() - other.mean()), float(np.sqrt(sum(errors))), freedom)


def _effect(arms: Arms) -> list[dict]:
    """Profit of both arms, effect, cost, gain and return, for one treated customer."""
    profit, costs = arms.values("profit"), arms.values("cost")
    effect, cost = _difference(*profit), float(costs[0].mean() - costs[1].mean())
    gain = _difference(profit[0] - costs[0], profit[1] - costs[1])
    made = [
        _quantiles(f"profit, {arm}", float(own.mean()), float(np.sqrt(own.var(ddof=1) / len(own))), len(own) - 1)
        for arm, own in zip(ARMS, profit, strict=True)
    ]
    made += [_quantiles("effect", *effect), {"of": "cost", "value": cost}, _quantiles("gain", *gain)]
    if not cost > 0:  # what cost nothing, or nobody told the cost of, has no return
        return made
    better = float(stats.t.sf(0.0, gain.freedom, gain.middle, gain.error)) if gain.error > 0 else float(gain.middle > 0)
    return [
        *made,
        _quantiles("roi", gain.middle / cost, gain.error / cost, gain.freedom),
        {"of": "P(roi > 0)", "value": better},
    ]


def _welch(errors: Sequence[float], sizes: Sequence[int]) -> float:
    """Degrees of freedom of the difference of two means with these squared standard errors."""
    parts = [error**2 / (size - 1) for error, size in zip(errors, sizes, strict=True)]
    return sum(errors) ** 2 / sum(parts) if sum(parts) > 0 else np.inf


def _quantiles(of: str, middle: float, scale: float, freedom: float) -> dict:
    return {
        "of": of,
        "value": middle,
        **{q: middle + scale * float(stats.t.ppf(p, freedom)) for q, p in QUANTILES.items()},
    }
