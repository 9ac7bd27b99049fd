"""What models on a supplied calendar observe of each customer, and what keeps a calendar from being theirs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import ibis
import numpy as np
import pandas as pd
from ibis import _

from clvmodels.customers.window import Window
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.errors import Problem
from clvmodels.sources.calendars import SuppliedCalendar, days_since_1970
from clvmodels.sources.cleaning import EXACT_LOG


def calendar_problems(calendar: SuppliedCalendar, customers: pd.DataFrame, window: Window) -> list[Problem]:
    """What keeps it from being the calendar of customers (with `first_purchase`) in a window."""
    where, found = f"calendar '{calendar.name}'", []
    first = pd.Timestamp(customers["first_purchase"].min())
    if first < calendar.bounds[0]:
        what = f"its first row is of {calendar.bounds[0]:%Y-%m-%d}, and the first customer bought on {first:%Y-%m-%d}"
        found.append(Problem(what, where, known="Supply rows from there on"))
    if window.until > calendar.until:
        what = f"its rows end on {calendar.until:%Y-%m-%d}, and the data are used until {window.until:%Y-%m-%d}"
        found.append(Problem(what, where, known="Supply rows until there, and for what is to be forecast after"))
    strangers = [] if calendar.patterns is None else customers.index.difference(calendar.patterns.index)
    if len(strangers):
        known = "Supply a row for every customer and step"
        what = f"{len(strangers):,} customers have no rows"
        found.append(Problem(what, where, f"first '{strangers[0]}'", known))
    if calendar.since is not None:
        firsts = customers["first_purchase"]
        late = customers.index[firsts < calendar.since.reindex(customers.index)]
        if len(late):
            what = f"the rows of {len(late):,} customers begin after their first purchase"
            got = f"first '{late[0]}', who bought on {firsts[late[0]]:%Y-%m-%d}"
            found.append(Problem(what, where, got, "Supply rows from the first purchase on"))
    return found


def calendar_columns(
    calendar: SuppliedCalendar, customers: pd.DataFrame, days: ibis.Table, window: Window
) -> dict[str, pd.Series]:
    """What models on this calendar observe of customers: when each was born and, summed over the repeat purchases
    until the end of observation, the logs of the index and the covariates.

    A purchase lies at the end of its day, and so does the birth.
    """
    with ExitStack() as tables:
        steps = tables.enter_context(_in_backend(days, _steps(calendar)))
        sums = [name for name in steps.columns if name.startswith("x")]
        firsts = days.group_by("customer_id").agg(first=_.date.min())
        repeat = days.filter(_.observed).inner_join(firsts, "customer_id").filter(_.date > _.first)
        repeat = repeat.select("customer_id", "date")
        keys: list[str] = []
        if calendar.patterns is not None:
            patterns = tables.enter_context(_in_backend(days, _patterns(calendar)))
            repeat, keys = repeat.inner_join(patterns, "customer_id"), ["pattern"]
        met = repeat.asof_join(steps, on=repeat.date >= steps.start, predicates=keys)
        exact = {name: met[name].cast(EXACT_LOG).sum() for name in sums}
        added = met.group_by("customer_id").agg(**exact).execute()
    added = added.set_index("customer_id").astype("float64").reindex(customers.index, fill_value=0.0)
    index = ["log_index"] if calendar.index is not None else []
    named = {f"{calendar.name}.{n}": added[s] for n, s in zip([*index, *calendar.covariates], sums, strict=True)}
    born = days_since_1970(customers["first_purchase"] + pd.Timedelta(days=1)) / DAYS_PER_UNIT[window.time_unit]
    whose = (
        {}
        if calendar.patterns is None
        else {f"{calendar.name}.pattern": calendar.patterns.reindex(customers.index) + 0.0}
    )
    return {"birth": pd.Series(born, index=customers.index)} | whose | named


def _steps(calendar: SuppliedCalendar) -> pd.DataFrame:
    """start, x0, x1, ... (log index and covariates, as far as there are), with pattern where there are several."""
    count = len(calendar.bounds) - 1
    logs = [] if calendar.index is None else [np.tile(np.log(calendar.index), len(calendar.values))]
    each = [*logs, *(calendar.values[..., k].ravel() for k in range(len(calendar.covariates)))]
    frame = pd.DataFrame({f"x{i}": column for i, column in enumerate(each)})
    frame.insert(0, "start", np.tile(calendar.bounds[:-1].date, len(calendar.values)))
    if calendar.patterns is not None:
        frame.insert(0, "pattern", np.repeat(np.arange(len(calendar.values)), count))
    return frame


def _patterns(calendar: SuppliedCalendar) -> pd.DataFrame:
    assert calendar.patterns is not None
    ids = calendar.patterns.index.astype(object)
    return pd.DataFrame({"customer_id": ids, "pattern": calendar.patterns.to_numpy()})


@contextmanager
def _in_backend(days: ibis.Table, frame: pd.DataFrame) -> Iterator[ibis.Table]:
    """The frame as a table beside `days`, for as long as it is needed."""
    backend, name = days.get_backend(), ibis.util.gen_name("calendar")
    table = backend.create_table(name, frame, temp=True)
    try:
        yield table
    finally:
        backend.drop_table(name)
