"""What models on a supplied calendar observe of each customer, and what keeps a calendar from being theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.customers.summary_window import Window
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.errors import Problem
from clvmodels.sources.calendars import SuppliedCalendar, days_since_1970
from clvmodels.sources.cleaning import EXACT_LOG


def calendar_problems(calendar: SuppliedCalendar, customers: pd.DataFrame, window: Window) -> Iterator[Problem]:
    """What keeps it from being the calendar of customers (with `first_purchase`) in a window."""
    where = f"calendar '{calendar.name}'"
    firsts = customers["first_purchase"]
    start, end = calendar.bounds[0], calendar.until
    if firsts.min() < start:
        what = f"its first row is of {start:%Y-%m-%d}, and the first customer bought on {firsts.min():%Y-%m-%d}"
        yield Problem(what, where, known="Supply rows from there on")
    if window.until > end:
        what = f"its rows end on {end:%Y-%m-%d}, and the data are used until {window.until:%Y-%m-%d}"
        yield Problem(what, where, known="Supply rows until there, and for what is to be forecast after")
    if calendar.patterns is not None:
        strangers = customers.index.difference(calendar.patterns.index)
        if len(strangers):
            advice = "Supply a row for every customer and step"
            what = f"{words.counted(len(strangers), 'customer has', 'customers have')} no rows"
            yield Problem(what, where, f"first '{strangers[0]}'", advice)
    if calendar.since is not None:
        late = customers.index[firsts < calendar.since.reindex(customers.index)]
        if len(late):
            what = f"the rows of {words.counted(len(late), 'customer')} begin after their first purchase"
            got = f"first '{late[0]}', who bought on {firsts[late[0]]:%Y-%m-%d}"
            yield Problem(what, where, got, "Supply rows from the first purchase on")


def calendar_columns(
    calendar: SuppliedCalendar, customers: pd.DataFrame, days: ibis.Table, window: Window
) -> dict[str, pd.Series]:
    """What models on this calendar observe of customers: when each was born and, summed over the repeat purchases
    until the end of observation, the logs of the index and the covariates.

    A purchase lies at the end of its day, and so does the birth.
    """
    birth = days_since_1970(customers["first_purchase"] + pd.Timedelta(days=1)) / DAYS_PER_UNIT[window.time_unit]
    columns = {"birth": pd.Series(birth, index=customers.index)}
    if calendar.patterns is not None:
        pattern = calendar.patterns.reindex(customers.index)
        columns[f"{calendar.name}.pattern"] = pattern.astype("float64")  # as all that a model observes
    sums = _sums_over_purchases(calendar, days).reindex(customers.index, fill_value=0.0)
    names = [*(["log_index"] if calendar.index is not None else []), *calendar.covariates]
    for i, name in enumerate(names):
        columns[f"{calendar.name}.{name}"] = sums[f"x{i}"]
    return columns


def _sums_over_purchases(calendar: SuppliedCalendar, days: ibis.Table) -> pd.DataFrame:
    """x0, x1, ... of `_steps`, summed over the observed repeat purchases of each customer that has any."""
    with ExitStack() as tables:
        steps = tables.enter_context(_in_backend(days, _steps(calendar)))
        firsts = days.group_by("customer_id").agg(first=_.date.min())
        repeat = days.filter(_.observed).inner_join(firsts, "customer_id").filter(_.date > _.first)
        repeat = repeat.select("customer_id", "date")
        keys: list[str] = []
        if calendar.patterns is not None:
            patterns = tables.enter_context(_in_backend(days, _patterns(calendar.patterns)))
            repeat = repeat.inner_join(patterns, "customer_id")
            keys = ["pattern"]
        at_step = repeat.asof_join(steps, on=repeat.date >= steps.start, predicates=keys)
        # Exact decimals: the order in which the engine adds changes nothing.
        exact = {name: at_step[name].cast(EXACT_LOG).sum() for name in steps.columns if name.startswith("x")}
        sums = at_step.group_by("customer_id").agg(**exact).execute()
    return sums.set_index("customer_id").astype("float64")


def _steps(calendar: SuppliedCalendar) -> pd.DataFrame:
    """start, x0, x1, ... (log index and covariates, as far as there are), with pattern where there are several."""
    patterns, steps = len(calendar.values), len(calendar.bounds) - 1
    columns: dict[str, np.ndarray] = {}
    if calendar.patterns is not None:
        columns["pattern"] = np.repeat(np.arange(patterns), steps)
    columns["start"] = np.tile(calendar.bounds[:-1].date, patterns)
    values = [calendar.values[..., k].ravel() for k in range(len(calendar.covariates))]
    if calendar.index is not None:
        values.insert(0, np.tile(np.log(calendar.index), patterns))
    return pd.DataFrame(columns | {f"x{i}": column for i, column in enumerate(values)})


def _patterns(patterns: pd.Series) -> pd.DataFrame:
    return pd.DataFrame({"customer_id": patterns.index.astype(object), "pattern": patterns.to_numpy()})


@contextmanager
def _in_backend(days: ibis.Table, frame: pd.DataFrame) -> Iterator[ibis.Table]:
    """The frame as a table beside `days`, for as long as it is needed."""
    backend, name = days.get_backend(), ibis.util.gen_name("calendar")
    table = backend.create_table(name, frame, temp=True)
    try:
        yield table
    finally:
        backend.drop_table(name)
