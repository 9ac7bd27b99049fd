"""Units of time and their periods: those of the calendar, and those that are counted back from the end."""

from __future__ import annotations

import pandas as pd
import pytest

from clvmodels.dates import DAYS_PER_UNIT, FIXED, period_end, period_of


@pytest.mark.parametrize("unit", [unit for unit in DAYS_PER_UNIT if unit != "hour"])
def test_periods_follow_each_other_and_each_of_their_days_is_in_them(unit):
    end = period_end(pd.Timestamp("2024-03-10"), unit)
    for later in range(-9, 10):
        first = period_end(end, unit, later - 1) + pd.Timedelta(days=1)
        last = period_end(end, unit, later)
        assert period_of(first, end, unit) == period_of(last, end, unit) == later
        days = (last - first).days + 1
        assert days == DAYS_PER_UNIT[unit] if unit in FIXED else abs(days - DAYS_PER_UNIT[unit]) < 3


def test_quarters_are_the_calendars_and_a_month_of_30_days_has_a_name_of_its_own():
    assert period_end(pd.Timestamp("2024-02-10"), "quarter") == pd.Timestamp("2024-03-31")
    assert period_of(pd.Timestamp("2023-12-31"), pd.Timestamp("2024-03-31"), "quarter") == -1
    assert DAYS_PER_UNIT["month30"] == 30 and DAYS_PER_UNIT["month"] == 365.25 / 12
    assert DAYS_PER_UNIT["hour"] == 1 / 24 and DAYS_PER_UNIT["quarter"] == 365.25 / 4
