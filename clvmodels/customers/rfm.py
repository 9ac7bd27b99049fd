"""RFM tables as users of lifetimes and PyMC-Marketing have them, checked before anything is computed."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from clvmodels.customers.statistics import STATISTICS
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.cleaning import AROUND, LARGEST_AMOUNT
from clvmodels.sources.doubts import NOBODY
from clvmodels.sources.opening import scan
from clvmodels.sources.reading import DEFAULT_LAYOUT, Layout, arrow_column, connect, open_source
from clvmodels.words import MISSING_GROUP

NUMBERS = ("frequency", "recency", "T")
OPTIONAL = tuple(name for name in STATISTICS if name not in (*NUMBERS, "status"))
STATUSES = ("unknown", "alive", "ended")
MEANINGS = ("customer_id", *NUMBERS, *OPTIONAL, "status")
"""What columns of an RFM table may mean."""
MOST_PURCHASES = 1_000_000
"""A purchase a day in over two thousand years: a larger frequency is another column."""
_LISTED = 5  # ids named in an error


def read_rfm(source: str | Path, layout: Layout = DEFAULT_LAYOUT) -> pd.DataFrame:
    """An RFM table of a file or database, as `read_transactions` opens those of orders: of a CSV all values are text,
    so that 007 is not 7, and NA is a label like others.

    Raises
    ------
    DataError
        It cannot be read, or has no rows.
    """
    opened = open_source(source, layout=layout)
    raw = scan(connect(), opened, list(opened.columns))
    if len(raw.rejects):
        first = raw.rejects.iloc[0]
        what = f"{len(raw.rejects)} rows cannot be split into the file's columns, first at line {first['line']}"
        raise DataError(Problem(what, opened.where, f"{first['reason']}: {str(first['text'])[:80]}"))
    rows = raw.kept.order_by("row").select(*(f"c{place}" for place in range(len(opened.columns)))).execute()
    return rows.set_axis(list(opened.columns), axis=1)


def checked_rfm(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    groups: Sequence[str],
    covariates: Sequence[str] = (),
    time: str = "continuous",
    longest: float = math.inf,
) -> pd.DataFrame:
    """The table by its canonical names, index customer_id as sorted text; DataError with every violation. `longest` is
    the largest T that there can be."""
    names = {meaning: columns.get(meaning, meaning) for meaning in _present_meanings(frame, columns)}
    problems = [*_name_problems(frame, columns, names, [*dict.fromkeys((*groups, *covariates))])]
    if "customer_id" not in names and _is_numbered(frame.index):
        problem = unknown("column", "customer_id", map(str, frame.columns), "RFM table")
        advice = "; say which column it is: columns: {customer_id: ...}, or make the ids the index"
        problems.append(Problem(problem.what + advice, problem.where))
    if problems:
        raise DataError(problems)
    ids = plain_ids(frame[names["customer_id"]] if "customer_id" in names else frame.index.to_series())
    problems += _id_problems(ids)
    table = pd.DataFrame(index=pd.Index(ids.fillna("").astype("str").to_numpy(), name="customer_id"))
    for name in (*NUMBERS, *OPTIONAL):
        if name in names:
            numbers = pd.to_numeric(_plain_numbers(frame[names[name]]), errors="coerce").astype("float64").to_numpy()
            table[name] = numbers
            problems += _violation(table.index, ~np.isfinite(numbers), f"{name} must be a finite number")
    problems += [*_number_problems(table), *_amount_problems(table), *_gap_problems(table)]
    problems += _violation(table.index, (table["T"] > longest).to_numpy(), _TOO_OLD)
    if time == "opportunities":
        problems += _opportunity_problems(table)
    if "status" in names:
        status = plain_ids(frame[names["status"]]).str.lower().fillna("unknown").astype("str").to_numpy()
        advice = f"Known: {', '.join(STATUSES)}"
        problems += _violation(table.index, ~np.isin(status, STATUSES), "status must be one of three words", advice)
        table["status"] = status
    of_covariates = {name: _covariate(frame[name], table.index, problems) for name in covariates}
    if table.empty:
        problems.append(Problem("the table has no rows"))
    if problems:
        raise DataError(problems)
    table = _with_amounts(table.astype({"frequency": "int64"}))
    for group in groups:
        if group not in covariates:
            table[group] = plain_ids(frame[group]).fillna(MISSING_GROUP).astype("str").to_numpy()
    return table.assign(**of_covariates).sort_index()


def _covariate(column: pd.Series, ids: pd.Index, problems: list[Problem]) -> np.ndarray:
    """Numbers and booleans as float64, gaps as nan; anything else is added to the problems."""
    text = column.astype("object").astype("string").str.strip().str.lower()
    gap = (text.isna() | text.isin(["", "nan", "na", "null", "none"])).to_numpy()
    as_digits = text.replace({"true": "1", "false": "0"})
    plain = column if pd.api.types.is_numeric_dtype(column) else as_digits
    numbers = pd.to_numeric(plain, errors="coerce").to_numpy("float64", na_value=np.nan)
    wrong = ~np.isfinite(numbers) & ~gap
    what = f"covariate '{column.name}' must be a number, true or false"
    problems += _violation(ids, wrong, what, "Name a column of words in groups")
    return numbers


def _plain_numbers(column: pd.Series) -> pd.Series:
    """Numbers, and texts that are numbers: no truth values, no times, nothing that pandas would make numbers of."""
    is_plain = pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
    return column if is_plain else column.astype("object").astype("string").str.strip()


def _with_amounts(table: pd.DataFrame) -> pd.DataFrame:
    """Number and sum of the amounts from their mean, where the table does not tell them; in the registry's order."""
    if "monetary_value" in table:
        if "amount_count" not in table:
            table["amount_count"] = table["frequency"].where(table["monetary_value"] > 0, 0)
        if "amount_sum" not in table:
            table["amount_sum"] = table["frequency"] * table["monetary_value"]
        table["amount_count"] = table["amount_count"].astype("int64")
    return table[[name for name in STATISTICS if name in table]]


def _is_numbered(index: pd.Index) -> bool:
    """Whether an index is but the numbers of the rows, as pandas makes it: no ids."""
    return isinstance(index, pd.RangeIndex) and index.name is None


def plain_ids(values: pd.Series) -> pd.Series:
    """The rule of `read_transactions` on a pandas column: text without blanks around, accents composed, whole floats
    without their point."""
    values = arrow_column(values).to_pandas().set_axis(values.index)
    text = values.astype("string")
    if pd.api.types.is_float_dtype(values.dtype):
        is_whole = (values % 1 == 0) & (values.abs() < 2.0**63)
        text = text.mask(is_whole, values.where(is_whole).astype("Int64").astype("string"))
    text = text.map(_plain, na_action="ignore").astype("string")
    return text.mask(text == "", pd.NA)


_AROUND = re.compile(AROUND)


def _plain(text: str) -> str:
    return _AROUND.sub("", unicodedata.normalize("NFC", text))


def doubtful_ids(table: pd.DataFrame) -> list[str]:
    """A warning of ids that are words for nobody, where there are some."""
    ids = [str(name) for name in table.index if str(name).lower() in NOBODY]
    if not ids:
        return []
    of_all = f"{len(ids):,} of {len(table):,} ids are words that may mean nobody"
    return [f"{of_all}, such as {', '.join(ids[:_LISTED])}: leave out the rows that are no customers"]


def _present_meanings(frame: pd.DataFrame, columns: Mapping[str, str]) -> list[str]:
    """What the table is to tell: the numbers of every customer, and of the rest what is named or there."""
    present = [str(column) for column in frame.columns]
    return [name for name in MEANINGS if name in columns or name in NUMBERS or name in present]


def _name_problems(
    frame: pd.DataFrame, columns: Mapping[str, str], names: Mapping[str, str], groups: Sequence[str]
) -> Iterator[Problem]:
    for meaning in columns:
        if meaning not in MEANINGS:
            yield unknown("column meaning", meaning, MEANINGS, "columns")
    for group in set(groups) & {*MEANINGS, "first_purchase"}:
        what = f"a group column cannot be called '{group}', nor a covariate"
        yield Problem(what, "groups", known="Rename the column")
    present = [str(column) for column in frame.columns]
    for column in (*names.values(), *groups):
        count = present.count(column)
        if count == 0:
            yield unknown("column", column, present, "RFM table")
        elif count > 1:
            yield Problem(f"{count} columns are called '{column}'", "RFM table")


def _id_problems(ids: pd.Series) -> Iterator[Problem]:
    missing = int(ids.isna().sum())
    if missing:
        first = int(np.flatnonzero(ids.isna())[0]) + 1
        yield Problem(f"{missing} of {len(ids)} rows have no customer id, first at row {first}", "RFM table")
    present = ids.dropna()
    yield from _violation(present, present.duplicated().to_numpy(), "customer_id must be unique")


def _number_problems(table: pd.DataFrame) -> Iterator[Problem]:
    x, t_x, T = (table[name].to_numpy() for name in NUMBERS)
    ids = table.index
    cut = np.isfinite(x) & (x % 1 != 0)
    yield from _violation(ids, (x < 0) | cut, "frequency must be a whole number >= 0")
    yield from _violation(ids, x > MOST_PURCHASES, f"frequency must be at most {MOST_PURCHASES:,}, of purchases")
    yield from _violation(ids, (t_x < 0) | (t_x > T), "recency must lie in 0 <= recency <= T", _RECENCY)
    yield from _violation(ids, (x == 0) & (t_x > 0), "recency must be 0 where frequency is 0", _RECENCY)
    yield from _violation(ids, (x > 0) & (t_x == 0), "recency must be above 0 where frequency is", _RECENCY)
    if "monetary_value" in table:
        m = table["monetary_value"].to_numpy()
        yield from _violation(ids, m < 0, "monetary_value must be >= 0")
        yield from _violation(
            ids, np.isfinite(m) & (m >= LARGEST_AMOUNT), f"monetary_value must be below {LARGEST_AMOUNT:g}"
        )
        advice = "It is the mean amount of the repeat purchases; the first does not count"
        yield from _violation(ids, (x == 0) & (m > 0), "monetary_value must be 0 where frequency is 0", advice)


def _opportunity_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Ages that count no opportunities, and more purchases than there were."""
    x, t_x, T = (table[name].to_numpy() for name in NUMBERS)
    no_counts = (t_x % 1 != 0) | (T % 1 != 0)
    cut = np.isfinite(t_x) & np.isfinite(T) & no_counts
    advice = "Where time counts opportunities, ages are numbers of periods since that of the first purchase"
    yield from _violation(table.index, cut, "recency and T must be whole numbers", advice)
    yield from _violation(table.index, x > t_x, "frequency must be at most recency", advice)


def _amount_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Numbers, sums and logs of amounts that no purchases have."""
    x, ids = table["frequency"].to_numpy(), table.index
    n = table.get("amount_count", table["frequency"]).to_numpy()
    if "amount_count" in table:
        wrong = (n < 0) | (n > x) | (n % 1 != 0)
        yield from _violation(ids, wrong, "amount_count must be a whole number 0 to frequency")
    for name in ("amount_sum", "amount_log_sum", "amount_log_ss"):
        if name in table:
            of_nothing = (n == 0) & (table[name] != 0).to_numpy()
            yield from _violation(ids, of_nothing, f"{name} must be 0 without amounts")
    for name in ("amount_sum", "amount_log_ss"):
        if name in table:
            yield from _violation(ids, (table[name] < 0).to_numpy(), f"{name} must be >= 0")
    if {"amount_sum", "amount_log_sum"} <= set(table.columns):
        above = _above_equal_parts(table["amount_log_sum"], n, table["amount_sum"])
        what = "amount_log_sum is above that of any amounts of this number and sum"
        yield from _violation(ids, above, what, _LOGS)


def _gap_problems(table: pd.DataFrame) -> Iterator[Problem]:
    """Logs of gaps that no purchases have."""
    if "sum_log_gaps" not in table:
        return
    x, ids = table["frequency"].to_numpy(), table.index
    logs = table["sum_log_gaps"]
    yield from _violation(ids, (x == 0) & (logs != 0).to_numpy(), "sum_log_gaps must be 0 where frequency is 0")
    above = _above_equal_parts(logs, x, table["recency"])
    yield from _violation(ids, above, "sum_log_gaps is above that of any gaps that add up to recency", _LOGS)


def _above_equal_parts(logs: pd.Series, number: np.ndarray, total: pd.Series) -> np.ndarray:
    """Whether logs add up to more than those of `number` equal parts of the total, which is the most there can be."""
    some = (number > 0) & (total > 0).to_numpy()
    part = total.where(some, 1.0) / np.where(some, number, 1.0)
    most = number * np.log(part)
    rounding = 1e-6 * (1.0 + number + most.abs())
    return some & (logs > most + rounding).to_numpy()


_TOO_OLD = "T is longer than there are calendars: the first purchase would lie before 1700"
_LOGS = "Natural logarithms, of amounts or gaps in the table's own units"
_RECENCY = "Recency is the age at the last purchase (last minus first), not the time since"


def _violation(ids: pd.Index | pd.Series, wrong: np.ndarray, what: str, advice: str = "") -> list[Problem]:
    """The problem of the customers marked wrong, with the first of them; none where there are none."""
    if not wrong.any():
        return []
    named = list(dict.fromkeys(ids[wrong]))[:_LISTED]
    first = ", ".join(f"'{str(label)[:40]}'" for label in named)
    count = f"not so for {int(wrong.sum())} of {len(ids)} customers"
    return [Problem(f"{what}; {count}", "RFM table", f"first {first}", advice)]
