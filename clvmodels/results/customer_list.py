"""The list that people work with: one row a customer of the recommended entry at the date of value, best first, few
columns with plain names, and a sheet that says what each of them is.

Everything else that a run knows of customers is in `customers.parquet`, by entry and date.
"""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.dates import DAYS_PER_UNIT
from clvmodels.results.export import harmless

if TYPE_CHECKING:
    from clvmodels.results.folder import Run

MOST_ROWS = 2**20 - 1
"""Rows of a sheet, less the one of the titles."""
WIDTH_ROWS, WIDEST = 100, 120
"""How many rows a column's width is of, and the widest, in characters."""
MOST_GROUPS = 4
"""Groups of customers (channel, segment) that are told beside each."""
LATE = 0.1
"""Odds of a silence below which a customer is late (`decisions/leaving.py`)."""


def customer_list(run: Run, customers: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The list, and what its columns mean: column, meaning.

    Without value customers are listed by the purchases that are expected of them, and what needs value is left out.

    Parameters
    ----------
    customers
        The rows of all entries and dates, as `customers.parquet` has them.
    """
    rows = _recommended(run, customers)
    ranking = run.valued.ranking
    key = "expected_purchases" if ranking is None else "expected_value_mean"
    rows = rows.sort_values(key, ascending=False, kind="stable")
    columns: dict[str, tuple[object, str]] = {"place": (np.arange(1, len(rows) + 1), _order(run))}
    columns |= {"customer": (rows.index.astype(str), "The customer's id, as the tables have it")}
    if ranking is not None:
        columns |= _of_value(run, rows)
    columns |= _of_the_book(run, rows.index)
    columns |= _of_leaving(run, rows)
    columns |= _of_history(run, rows.index)
    columns |= _of_groups(run, rows.index, columns)
    values = {name: np.asarray(column) for name, (column, _) in columns.items()}
    meanings = [(name, meaning) for name, (_, meaning) in columns.items()]
    return pd.DataFrame(values), pd.DataFrame(meanings, columns=["column", "meaning"])


def _recommended(run: Run, customers: pd.DataFrame) -> pd.DataFrame:
    """The rows of the recommended entry at the date of value, by customer_id."""
    day = run.value_split.customers.observation_end.date().isoformat()
    is_listed = (customers["entry"] == run.recommended) & (customers["valued_at"] == day)
    return customers[is_listed].set_index("customer_id")


def _order(run: Run) -> str:
    if run.valued.ranking is None:
        return "Place in this list, by the purchases expected of the customer"
    return "Place in this list, by the profit expected of the customer; for how sure it is see the odds"


def _ahead(run: Run) -> str:
    about = run.about
    return words.duration(about.horizon, about.time_unit) if about.horizon is not None else "the horizon"


def _of_value(run: Run, rows: pd.DataFrame) -> dict[str, tuple[object, str]]:
    """Worth with its range, and what may come in."""
    ahead, top = _ahead(run), words.rate(run.about.top_share)
    money = f", in {run.about.currency}" if run.about.currency else ""
    return {
        f"odds of the best {top}": (
            rows["worth_odds_top"].round(3),
            f"Probability that the customer belongs to the best {top} by worth",
        ),
        "worth": (
            rows["worth_mean"].round(2),
            f"Profit that the customer's own habits bring in {ahead} on average, discounted{money}",
        ),
        "worth low": (rows["worth_q5"].round(2), "With 95% probability the worth is higher"),
        "worth high": (rows["worth_q95"].round(2), "With 95% probability the worth is lower"),
        "money to come low": (
            rows["realised_value_q5"].round(2),
            f"With 95% probability more profit than this comes in within {ahead}, luck included{money}",
        ),
        "money to come high": (rows["realised_value_q95"].round(2), "With 95% probability less than this comes in"),
    }


def _of_the_book(run: Run, customers: pd.Index) -> dict[str, tuple[object, str]]:
    """What was made so far, the largest cost of it, and the odds of a loss to come."""
    if run.losses is None:
        return {}
    found = run.losses.customers.reindex(customers)
    day = words.date(run.value_split.customers.observation_end)
    return {
        "profit so far": (found["profit_made"].round(2), f"Made to {day}, what winning the customer cost subtracted"),
        "largest cost so far": (found["largest_cost"], "The part of the profit so far that cost the most"),
        "odds of a loss": (
            found["odds_of_loss"].round(3),
            f"Probability that the customer costs more than it brings in {_ahead(run)}",
        ),
    }


def _of_leaving(run: Run, rows: pd.DataFrame) -> dict[str, tuple[object, str]]:
    """Whether the customer is still there, late, and when the next purchase comes."""
    there = {
        "still a customer": (
            rows["p_alive"].round(3),
            "Probability of being a customer still; empty where the model cannot know it",
        )
    }
    if run.leaving is None:
        return there
    found = run.leaving.customers.reindex(rows.index)
    days = found["next_q50"] * DAYS_PER_UNIT[run.about.time_unit]
    dates = run.value_split.customers.observation_end + pd.to_timedelta(days.round(), unit="D")
    is_late = found["silence_odds"] <= LATE
    return there | {
        "late": (
            is_late.map({True: "yes", False: "no"}),
            "Silent for longer than 9 of 10 such silences of a customer of this rhythm",
        ),
        "next purchase": (dates.dt.strftime("%Y-%m-%d"), "The middle date of the next purchase, if one comes"),
        "odds of a purchase": (found["p_purchase"].round(3), f"Probability of a purchase in {_ahead(run)}"),
        "worth at risk": (
            found["value_at_risk"].round(2),
            f"Worth times the odds of having left in {words.duration(run.leaving.within, run.about.time_unit)}",
        ),
    }


def _of_history(run: Run, customers: pd.Index) -> dict[str, tuple[object, str]]:
    """The last order's day."""
    valued = run.value_split.customers
    table = valued.table.reindex(customers)
    silence = (table["T"] - table["recency"]) * DAYS_PER_UNIT[run.about.time_unit]
    last = valued.observation_end - pd.to_timedelta(silence.round(), unit="D")
    is_of_a_day = valued.time == "continuous"
    meaning = "The day of the last purchase" if is_of_a_day else "The last day of the period of the last purchase"
    return {"last order": (last.dt.strftime("%Y-%m-%d"), meaning)}


def _of_groups(run: Run, customers: pd.Index, taken: Container[str]) -> dict[str, tuple[object, str]]:
    """The groups that the customer belongs to, under names that no other column of the list has."""
    table = run.value_split.customers.table.reindex(customers)
    groups = [name for name in table if _is_group(table[name]) and name != "first_month"]
    columns: dict[str, tuple[object, str]] = {}
    for name in groups[:MOST_GROUPS]:
        title = f"{name} (group)" if name in taken else name
        columns[title] = (table[name].astype(str), f"The customer's {name.replace('_', ' ')}, as the tables have it")
    return columns


def _is_group(column: pd.Series) -> bool:
    """Whether a column holds labels."""
    is_number = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return not is_number and not pd.api.types.is_bool_dtype(column)


def write_workbook(customers: pd.DataFrame, meanings: pd.DataFrame, path: Path) -> Path:
    """Both as the sheets `customers` and `columns` of an Excel file: whole or not at all, and harmless.

    A sheet holds 1,048,575 customers: of more the best are in it, and the sheet of columns says so.
    """
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter

    left_out = len(customers) - MOST_ROWS
    if left_out > 0:
        note = {
            "column": "",
            "meaning": f"{words.counted(left_out, 'more customer is', 'more customers are')} in customers.csv",
        }
        meanings = pd.concat([meanings, pd.DataFrame([note])], ignore_index=True)
    book = Workbook(write_only=True)
    for title, table in {"customers": customers[:MOST_ROWS], "columns": meanings}.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "C2" if title == "customers" else "A2"
        ready = harmless(table)
        for place, name in enumerate(ready.columns, start=1):
            sheet.column_dimensions[get_column_letter(place)].width = _width(ready[name])
        sheet.append(list(ready.columns))
        for row in ready.itertuples(index=False):
            sheet.append([_cell(value) for value in row])
    unfinished = path.with_name(path.name + ".tmp")
    try:
        book.save(unfinished)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def _width(column: pd.Series) -> int:
    """How wide a sheet's column has to be for its name and its first rows to be read."""
    longest_cell = column.head(WIDTH_ROWS).astype(str).str.len().max()
    return min(WIDEST, 2 + max(len(str(column.name)), 0 if pd.isna(longest_cell) else int(longest_cell)))


def _cell(value: object) -> object:
    """A value that a sheet can hold: nothing where it is not known, and no control characters in text."""
    if isinstance(value, str):
        return words.label(value, 32_000)
    if value is None or pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value
