"""RFM tables as users of lifetimes and PyMC-Marketing have them, checked before anything is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from clvmodels.customers.statistics import MISSING_GROUP, STATISTICS
from clvmodels.errors import DataError, Problem, unknown
from clvmodels.sources.reading import arrow_column

NUMBERS = ("frequency", "recency", "T")
OPTIONAL = tuple(name for name in STATISTICS if name not in (*NUMBERS, "status"))
STATUSES = ("unknown", "alive", "ended")
_LISTED = 5  # ids named in an error


def checked_rfm(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    groups: Sequence[str],
    covariates: Sequence[str] = (),
    time: str = "continuous",
) -> pd.DataFrame:
    """The table by its canonical names, index customer_id as sorted text; DataError with every violation."""
    names, problems = _names(frame, columns, [*dict.fromkeys((*groups, *covariates))])
    if problems:
        raise DataError(problems)
    ids = plain_ids(frame[names["customer_id"]] if "customer_id" in names else frame.index.to_series())
    problems = _id_problems(ids)
    table = pd.DataFrame(index=pd.Index(ids.fillna("").astype("str").to_numpy(), name="customer_id"))
    for name in (*NUMBERS, *OPTIONAL):
        if name in names:
            numbers = pd.to_numeric(frame[names[name]], errors="coerce").astype("float64").to_numpy()
            table[name] = numbers
            problems += _violation(table.index, ~np.isfinite(numbers), f"{name} must be a finite number")
    problems += _number_problems(table)
    if time == "opportunities":
        problems += _opportunity_problems(table)
    if "status" in names:
        status = plain_ids(frame[names["status"]]).str.lower().fillna("unknown").astype("str").to_numpy()
        known = f"Known: {', '.join(STATUSES)}"
        problems += _violation(table.index, ~np.isin(status, STATUSES), "status must be one of three words", known)
        table["status"] = status
    given = {name: _covariate(frame[name], table.index, problems) for name in covariates}
    if table.empty:
        problems.append(Problem("the table has no rows"))
    if problems:
        raise DataError(problems)
    table = _with_amounts(table.astype({"frequency": "int64"}))
    for group in [group for group in groups if group not in covariates]:
        table[group] = plain_ids(frame[group]).fillna(MISSING_GROUP).astype("str").to_numpy()
    return table.assign(**given).sort_index()


def _covariate(column: pd.Series, ids: pd.Index, problems: list[Problem]) -> np.ndarray:
    """Numbers and booleans as float64, gaps as nan; anything else is added to the problems."""
    text = column.astype("object").astype("string").str.strip().str.lower()
    gap = text.isna() | text.isin(["", "nan", "na", "null", "none"])
    plain = column if pd.api.types.is_numeric_dtype(column) else text.replace({"true": "1", "false": "0"})
    number = pd.to_numeric(plain, errors="coerce").to_numpy("float64", na_value=np.nan)
    what = f"covariate '{column.name}' must be a number, true or false"
    problems += _violation(ids, ~np.isfinite(number) & ~gap.to_numpy(), what, "Name a column of words in groups")
    return number


def _with_amounts(table: pd.DataFrame) -> pd.DataFrame:
    """Number and sum of the amounts from their mean, where they are not given; columns in the registry's order."""
    if "monetary_value" in table:
        count = table["frequency"].where(table["monetary_value"] > 0, 0)
        given = {"amount_count": count, "amount_sum": table["frequency"] * table["monetary_value"]}
        table = table.assign(**{name: values for name, values in given.items() if name not in table})
        table["amount_count"] = table["amount_count"].astype("int64")
    return table[[name for name in STATISTICS if name in table]]


def plain_ids(values: pd.Series) -> pd.Series:
    """The rule of `read_transactions` on a pandas column: trimmed text, whole floats without their point."""
    values = arrow_column(values).to_pandas().set_axis(values.index)
    if pd.api.types.is_float_dtype(values.dtype) and (values.isna() | (values % 1 == 0)).all():
        values = values.astype("Int64")
    text = values.astype("string").str.strip()
    return text.mask(text == "", pd.NA)


def _names(
    frame: pd.DataFrame, columns: Mapping[str, str], groups: Sequence[str]
) -> tuple[dict[str, str], list[Problem]]:
    known = ("customer_id", *NUMBERS, *OPTIONAL, "status")
    present = [str(c) for c in frame.columns]
    problems = [unknown("column meaning", key, known, "columns") for key in columns if key not in known]
    wanted = {key: columns.get(key, key) for key in known if key in columns or key in NUMBERS or key in present}
    for group in set(groups) & {*known, "first_purchase"}:
        what = f"a group column cannot be called '{group}', nor a covariate"
        problems.append(Problem(what, "groups", known="Rename the column"))
    for own in (*wanted.values(), *groups):
        if present.count(own) == 0:
            problems.append(unknown("column", own, present, "RFM table"))
        elif present.count(own) > 1:
            problems.append(Problem(f"{present.count(own)} columns are called '{own}'", "RFM table"))
    return wanted, problems


def _id_problems(ids: pd.Series) -> list[Problem]:
    problems = []
    if missing := int(ids.isna().sum()):
        first = int(np.flatnonzero(ids.isna())[0]) + 1
        problems.append(Problem(f"{missing} of {len(ids)} rows have no customer id, first at row {first}", "RFM table"))
    known = ids.dropna()
    problems += _violation(known, known.duplicated().to_numpy(), "customer_id must be unique")
    return problems


def _number_problems(table: pd.DataFrame) -> list[Problem]:
    x, t_x, T = (table[name].to_numpy() for name in NUMBERS)
    ids, problems = table.index, []
    problems += _violation(ids, (x < 0) | (np.isfinite(x) & (x % 1 != 0)), "frequency must be a whole number >= 0")
    problems += _violation(ids, (t_x < 0) | (t_x > T), "recency must lie in 0 <= recency <= T", _RECENCY)
    problems += _violation(ids, (x == 0) & (t_x > 0), "recency must be 0 where frequency is 0", _RECENCY)
    problems += _violation(ids, (x > 0) & (t_x == 0), "recency must be above 0 where frequency is", _RECENCY)
    if "monetary_value" in table:
        m = table["monetary_value"].to_numpy()
        problems += _violation(ids, m < 0, "monetary_value must be >= 0")
        advice = "It is the mean amount of the repeat purchases; the first does not count"
        problems += _violation(ids, (x == 0) & (m > 0), "monetary_value must be 0 where frequency is 0", advice)
    return problems + _amount_problems(table)


def _opportunity_problems(table: pd.DataFrame) -> list[Problem]:
    """Ages that count no opportunities, and more purchases than there were."""
    x, t_x, T = (table[name].to_numpy() for name in NUMBERS)
    cut = np.isfinite(t_x) & np.isfinite(T) & ((t_x % 1 != 0) | (T % 1 != 0))
    advice = "Where time counts opportunities, ages are numbers of periods since that of the first purchase"
    problems = _violation(table.index, cut, "recency and T must be whole numbers", advice)
    return problems + _violation(table.index, x > t_x, "frequency must be at most recency", advice)


def _amount_problems(table: pd.DataFrame) -> list[Problem]:
    """Numbers, sums and logs of amounts and gaps that no purchases have."""
    x, ids, problems = table["frequency"].to_numpy(), table.index, []
    n = table.get("amount_count", table["frequency"]).to_numpy()
    if "amount_count" in table:
        wrong = (n < 0) | (n > x) | (n % 1 != 0)
        problems += _violation(ids, wrong, "amount_count must be a whole number 0 to frequency")
    for name in ("amount_sum", "amount_log_sum", "amount_log_ss"):
        if name in table:
            problems += _violation(ids, (n == 0) & (table[name] != 0).to_numpy(), f"{name} must be 0 without amounts")
    for name in ("amount_sum", "amount_log_ss"):
        if name in table:
            problems += _violation(ids, (table[name] < 0).to_numpy(), f"{name} must be >= 0")
    if {"amount_sum", "amount_log_sum"} <= {*table.columns}:
        far = _above_all(table["amount_log_sum"], n, table["amount_sum"])
        problems += _violation(ids, far, "amount_log_sum is above that of any amounts of this number and sum", _LOGS)
    if "sum_log_gaps" in table:
        gaps = table["sum_log_gaps"].to_numpy()
        problems += _violation(ids, (x == 0) & (gaps != 0), "sum_log_gaps must be 0 where frequency is 0")
        far = _above_all(table["sum_log_gaps"], x, table["recency"])
        problems += _violation(ids, far, "sum_log_gaps is above that of any gaps that add up to recency", _LOGS)
    return problems


def _above_all(logs: pd.Series, number: np.ndarray, total: pd.Series) -> np.ndarray:
    """Whether logs add up to more than those of `number` equal parts of the total, which is the most there can be."""
    some = (number > 0) & (total > 0).to_numpy()
    most = number * np.log(total.where(some, 1.0) / np.where(some, number, 1.0))
    return (some & (logs > most + 1e-6 * (1.0 + number + most.abs()))).to_numpy()


_LOGS = "Natural logarithms, of amounts or gaps in the table's own units"
_RECENCY = "Recency is the age at the last purchase (last minus first), not the time since"


def _violation(ids: pd.Index | pd.Series, wrong: np.ndarray, what: str, advice: str = "") -> list[Problem]:
    """The problem of the customers marked wrong, with the first of them; none where there are none."""
    if not wrong.any():
        return []
    first = ", ".join(f"'{str(label)[:40]}'" for label in list(dict.fromkeys(ids[wrong]))[:_LISTED])
    return [
        Problem(f"{what}; not so for {int(wrong.sum())} of {len(ids)} customers", "RFM table", f"first {first}", advice)
    ]
