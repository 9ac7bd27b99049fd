"""Transactions to customers: one row a customer, the calibration/holdout split, the holdout truth.

The conventions are those of the literature and of CLVTools, BTYD and lifetimes: orders of a customer on one day are
one purchase with their amounts added; frequency counts purchases after the first; recency is the age at the last
purchase and T the age at the end of observation, both in fractional time units; the end day belongs to observation.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import pandas as pd
from ibis import _

from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources import Transactions
from clvmodels.summary import STATISTICS, Window, by_customer, purchase_days, weekly_purchases

DAYS_PER_UNIT = {"day": 1.0, "week": 7.0, "month": 365.25 / 12}
DERIVED_GROUPS = ("first_month",)
Day = str | pd.Timestamp


@dataclass(frozen=True)
class Customers:
    """One row a customer: the statistics that the models ask for, at the end of observation.

    Parameters
    ----------
    table
        Index customer_id: text, unique, sorted as text. Columns: frequency (whole number of repeat purchases),
        recency and T (in time units), monetary_value (mean amount of the repeat purchases, 0 where there are none;
        absent without amounts), first_purchase (day), and group columns (text), first_month always among them.
    time_unit
        "day", "week" or "month" (365.25 / 12 days).
    observation_end
        Last day of observation; it belongs to it.
    currency
        Of the amounts, e.g. "EUR".
    amount_unit
        Value of one unit of the amounts in the currency: 0.01 where amounts are in cents.
    warnings
        What a reader should know although nothing was refused.
    """

    table: pd.DataFrame
    time_unit: str
    observation_end: pd.Timestamp
    currency: str | None = None
    amount_unit: float = 1.0
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.table)

    @property
    def has_spend(self) -> bool:
        """Whether the amounts are known."""
        return "monetary_value" in self.table.columns

    def __repr__(self) -> str:
        return f"Customers({_sentence(self)})"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(w)}</li>" for w in self.warnings)
        head = self.table.head(5).to_html(escape=True, border=0)
        return f"<p><b>{html.escape(_sentence(self))}</b></p>{head}" + (f"<ul>{notes}</ul>" if notes else "")


def _sentence(customers: Customers) -> str:
    repeat = int(customers.table["frequency"].sum())
    money = f", amounts in {customers.currency or 'an unnamed currency'}" if customers.has_spend else ", no amounts"
    end = f"{customers.observation_end:%Y-%m-%d}, time in {customers.time_unit}s"
    return f"{len(customers):,} customers with {repeat:,} repeat purchases to {end}{money}"


@dataclass(frozen=True)
class Holdout:
    """What came after the calibration; no model sees it.

    Parameters
    ----------
    table
        Index as that of the customers. Columns: purchases (distinct purchase days), spend (absent without amounts).
    periods
        Length in time units.
    start, end
        First and last day; both belong to it.
    """

    table: pd.DataFrame
    periods: float
    start: pd.Timestamp
    end: pd.Timestamp

    def __len__(self) -> int:
        return len(self.table)


@dataclass(frozen=True)
class Split:
    """Customers at the calibration end, what came after, and the base's purchases by week.

    Parameters
    ----------
    weekly
        start (first day of the week), purchases (repeat purchases of all these customers), held_out. Whole weeks of
        7 days counted back and forth from the calibration end, so that a boundary falls exactly behind it.
    """

    customers: Customers
    holdout: Holdout | None
    weekly: pd.DataFrame

    def _repr_html_(self) -> str:
        if self.holdout is None:
            return self.customers._repr_html_() + "<p>No holdout.</p>"
        h = self.holdout
        text = f"Holdout {h.start:%Y-%m-%d} to {h.end:%Y-%m-%d}: {h.table['purchases'].sum():,} purchases"
        return self.customers._repr_html_() + f"<p>{text}</p>"


def summarize(
    transactions: Transactions,
    *,
    calibration_end: Day | None = None,
    holdout: float | Day | None = None,
    time_unit: str = "week",
    groups: Sequence[str] = (),
    acquired_between: tuple[Day | None, Day | None] | None = None,
    amount_unit: float = 1.0,
    statistics: Sequence[str] = tuple(STATISTICS),
) -> Split:
    """One row a customer at the calibration end, and what came after it.

    Parameters
    ----------
    calibration_end
        Last day of observation. By default the last day of the data, and then there is no holdout.
    holdout
        Length of the holdout in time units (rounded to whole days), or its last day.
    groups
        Columns of the transactions, constant per customer: the first value by date that is not missing, "(missing)"
        where there is none; customers with several values are counted in the warnings.
    acquired_between
        First and last day (either may be None) on which a customer's first purchase in the table must lie.
    amount_unit
        Value of one unit of the amounts in the currency.
    statistics
        Names from `STATISTICS`.

    Notes
    -----
    Customers first seen after the calibration end are left out and counted in the warnings, as are transactions after
    the last day used. Money is added in whole millionths, so the order of the rows changes nothing.

    Without `acquired_between` a warning says where the table seems to begin in the middle of the customers' lives
    (their first order in it is not their first): if its first 30 days hold more than twice as many first purchases,
    and at least 20 more, as the median of the later 30-day periods (3 or more) up to the last first purchase.

    Raises
    ------
    DataError
        With every argument that does not fit the data.
    """
    problems: list[Problem] = []
    window = _window(transactions, calibration_end, holdout, time_unit, problems)
    acquired = _acquired(acquired_between, problems)
    problems += [
        unknown("group", g, (*transactions.groups, *DERIVED_GROUPS)) for g in groups if not _known(transactions, g)
    ]
    problems += [unknown("statistic", s, STATISTICS) for s in statistics if s not in STATISTICS]
    if not (math.isfinite(amount_unit) and amount_unit > 0):
        problems.append(Problem("must be a positive number", "amount_unit", str(amount_unit)))
    if problems or window is None:
        raise DataError(problems)
    own = [group for group in groups if group not in DERIVED_GROUPS]
    backend, name = transactions.backend, ibis.util.gen_name("days")
    days = backend.create_table(name, purchase_days(transactions.table, window, own), temp=True)
    everyone = backend.create_table(f"{name}_c", by_customer(days, window, own, statistics), temp=True)
    try:
        return _split(transactions, window, days, everyone, acquired, own, time_unit, amount_unit)
    finally:
        backend.drop_table(f"{name}_c")
        backend.drop_table(name)


def _known(transactions: Transactions, group: str) -> bool:
    return group in transactions.groups or group in DERIVED_GROUPS


def _day(value: object, where: str, problems: list[Problem]) -> pd.Timestamp | None:
    """A day given as text, date or timestamp."""
    try:
        day = pd.Timestamp(value)  # pyright: ignore
    except (ValueError, TypeError):
        day = pd.NaT
    if isinstance(value, int | float) or day is pd.NaT or day.tzinfo is not None:
        problems.append(Problem("is no day", where, repr(value), "Days are written YYYY-MM-DD"))
        return None
    return day.normalize()


def _window(
    transactions: Transactions, calibration_end: Day | None, holdout: float | Day | None, time_unit: str,
    problems: list[Problem],
) -> Window | None:  # fmt: skip
    """The days of the summary; what is wrong with them is added to `problems`."""
    start, last = transactions.data_start, transactions.data_end
    span = f"The data cover {start:%Y-%m-%d} to {last:%Y-%m-%d}"
    if time_unit not in DAYS_PER_UNIT:
        problems.append(unknown("time unit", time_unit, DAYS_PER_UNIT))
        return None
    unit = DAYS_PER_UNIT[time_unit]
    if calibration_end is None and holdout is not None:
        problems.append(Problem("a holdout needs a calibration end", "calibration_end", known=span))
    end = last if calibration_end is None else _day(calibration_end, "calibration_end", problems)
    if end is None:
        return None
    if end < start:
        problems.append(Problem("lies before the first purchase", "calibration_end", f"{end:%Y-%m-%d}", span))
    if end > last:
        problems.append(Problem("lies after the data", "calibration_end", f"{end:%Y-%m-%d}", span))
    until = _holdout_end(holdout, end, unit, problems)
    if until is not None and until > last and end <= last:
        most = f"{span}: at most {math.floor((last - end).days / unit * 100) / 100:g} {time_unit}s"
        problems.append(Problem(f"would end on {until:%Y-%m-%d}, after the data", "holdout", str(holdout), most))
    return Window(end, until or end, unit)


def _holdout_end(
    holdout: float | Day | None, end: pd.Timestamp, unit: float, problems: list[Problem]
) -> pd.Timestamp | None:
    if holdout is None:
        return None
    if isinstance(holdout, int | float) and not isinstance(holdout, bool):
        if not (math.isfinite(holdout) and round(holdout * unit) >= 1):
            problems.append(Problem("must last a day at least", "holdout", str(holdout)))
            return None
        return end + pd.Timedelta(days=round(holdout * unit))
    until = _day(holdout, "holdout", problems)
    if until is not None and until <= end:
        problems.append(
            Problem(
                "must end after the calibration", "holdout", f"{until:%Y-%m-%d}", f"Calibration ends on {end:%Y-%m-%d}"
            )
        )
    return until


def _acquired(
    between: tuple[Day | None, Day | None] | None, problems: list[Problem]
) -> tuple[pd.Timestamp | None, pd.Timestamp | None] | None:
    if between is None:
        return None
    if isinstance(between, str) or len(between) != 2:
        problems.append(Problem("takes two days, from and to", "acquired_between", repr(between)))
        return None
    start, stop = (None if day is None else _day(day, "acquired_between", problems) for day in between)
    if start is not None and stop is not None and start > stop:
        problems.append(Problem("ends before it begins", "acquired_between", repr(between)))
    return start, stop


def _split(
    transactions: Transactions, window: Window, days: ibis.Table, everyone: ibis.Table,
    acquired: tuple[pd.Timestamp | None, pd.Timestamp | None] | None, groups: Sequence[str], time_unit: str,
    amount_unit: float,
) -> Split:  # fmt: skip
    kept = everyone.filter(everyone.first_purchase <= window.end_day)
    start, stop = acquired or (None, None)
    kept = kept.filter(_.first_purchase >= ibis.date(start.date())) if start is not None else kept
    kept = kept.filter(_.first_purchase <= ibis.date(stop.date())) if stop is not None else kept
    table = kept.execute().set_index("customer_id").sort_index()
    if table.empty:
        raise DataError(_nobody(everyone, window, acquired))
    table.index = table.index.astype("str")
    warnings = (*transactions.warnings, *_notes(transactions, window, everyone, table, acquired, groups))
    held = table[["held_purchases", *(["held_spend"] if transactions.has_amount else [])]]
    held = held.rename(columns={"held_purchases": "purchases", "held_spend": "spend"})
    held = held.astype({c: "int64" if c == "purchases" else "float64" for c in held})
    customers = Customers(
        _finished(table, groups), time_unit, window.end, transactions.currency, float(amount_unit), warnings
    )
    holdout = None
    if window.until > window.end:
        length = (window.until - window.end).days / window.days_per_unit
        holdout = Holdout(held, length, window.end + pd.Timedelta(days=1), window.until)
    return Split(customers, holdout, weekly_purchases(days, kept, window))


def _nobody(everyone: ibis.Table, window: Window, acquired: object) -> Problem:
    first, last = (
        pd.Timestamp(d) for d in everyone.aggregate([_.first_purchase.min(), _.first_purchase.max()]).execute().iloc[0]
    )
    asked = f"acquired_between {acquired!r}" if acquired else f"calibration_end {window.end:%Y-%m-%d}"
    return Problem(
        "no customer is left", asked, known=f"First purchases lie between {first:%Y-%m-%d} and {last:%Y-%m-%d}"
    )


def _finished(table: pd.DataFrame, groups: Sequence[str]) -> pd.DataFrame:
    """Statistics, first_purchase, groups: the columns of `Customers.table`."""
    statistics = [name for name in STATISTICS if name in table]
    first = pd.to_datetime(table["first_purchase"]).astype("datetime64[us]")
    own = {group: table[f"g{i}"].astype("str") for i, group in enumerate(groups)}
    derived = {"first_month": first.dt.strftime("%Y-%m").astype("str")}
    return table[statistics].assign(first_purchase=first, **own, **derived)


def _notes(
    transactions: Transactions, window: Window, everyone: ibis.Table, table: pd.DataFrame, acquired: object,
    groups: Sequence[str],
) -> list[str]:  # fmt: skip
    """What was left out, and what gives reason for doubt."""
    notes = []
    later = int(transactions.table.filter(_.date > ibis.date(window.until.date())).count().execute())
    if later:
        notes.append(f"{later:,} transactions after {window.until:%Y-%m-%d} are not used")
    new = int(everyone.filter(_.first_purchase > window.end_day).count().execute())
    if new:
        notes.append(
            f"{new:,} customers first bought after the calibration end, {window.end:%Y-%m-%d}, and are left out"
        )
    for i, group in enumerate(groups):
        if conflicts := int(table[f"conflict{i}"].sum()):
            notes.append(f"{conflicts:,} customers have several values of '{group}': the first by date counts")
    if acquired is None:
        notes += _left_truncation(everyone, window)
    elif outside := int(everyone.filter(_.first_purchase <= window.end_day).count().execute()) - len(table):
        notes.append(f"{outside:,} customers first bought outside acquired_between and are left out")
    return notes


def _left_truncation(everyone: ibis.Table, window: Window) -> list[str]:
    """The rule is in the notes of `summarize`."""
    firsts = everyone.filter(_.first_purchase <= window.end_day).group_by("first_purchase").agg(n=_.count()).execute()
    day = pd.to_datetime(firsts["first_purchase"])
    period = (day - day.min()).dt.days // 30
    whole = (int((day.max() - day.min()).days) + 1) // 30
    counts = firsts.groupby(period)["n"].sum().reindex(range(whole), fill_value=0)
    if whole < 4:
        return []
    usual = counts.iloc[1:].median()
    if counts.iloc[0] <= 2 * usual or counts.iloc[0] < usual + 20:
        return []
    return [
        f"the first 30 days hold {counts.iloc[0]:,} first purchases, later 30 days about {usual:,.0f}: many of these "
        "customers may have bought before the table begins; acquired_between leaves them out"
    ]
