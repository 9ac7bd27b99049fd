"""What the columns of a table are called, and what a column cannot be: of a wrong type, no ids, no numbers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.errors import Problem
from clvmodels.sources.appearance import day_advice, is_of_another_count, number_advice
from clvmodels.sources.cleaning import DAYS, IDS, MONEY, NUMBERS, covariate_number, is_empty
from clvmodels.sources.conventions import Conventions
from clvmodels.sources.reading import Raw
from clvmodels.sources.reasons import BAD_AMOUNT, BAD_DATE, BAD_NUMBER

LONGEST_ID = 500
"""Characters of an id; longer ones are misread columns."""
WHOLE_FLOATS = 2**53
"""Beyond it two whole numbers may be one float, and two customers one id."""
HTML, FORMULA, PHONE = r"<\s*[A-Za-z/!][^<>]*>", r"^\s*(=|[-+@].*[(|])", r"^\+?[\d\s()./-]+$"
NO_HTML = ("<na>", "<null>", "<none>")
"""Words for nobody, which are told as such."""
SIGNS = "<=(|"
"""Each of `HTML` and `FORMULA` has one of these in it."""
PLAIN = "Ids are plain text: correct the table, or name another column"
LONG, IN_HTML, AS_FORMULA = (
    f"an id of over {LONGEST_ID} characters",
    "an id that is HTML",
    "an id that is a spreadsheet's formula",
)
WRONG_IDS = {LONG: "Ids are short: is it another column?", IN_HTML: PLAIN, AS_FORMULA: PLAIN}
"""What no id is, and what to do about it."""
STATISTICS = (
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "amount_count",
    "amount_sum",
    "amount_log_sum",
    "amount_log_ss",
    "sum_log_gaps",
    "status",
    "first_purchase",
    "first_month",
)
"""Columns of the customers' table, which groups and covariates come to stand beside."""
LOOKED_AT = 1000
"""Cells by which advice is given."""
LOOKED_INTO = (
    (BAD_DATE, ("date",), day_advice),
    (BAD_AMOUNT, ("amount",), number_advice),
    (BAD_NUMBER, tuple(meaning for meaning in NUMBERS if meaning != "amount"), number_advice),
)
"""Reasons that the look of the cells explains: of which column, and by what."""
RESERVED = {
    *("row", "reason", "text", "moment"),  # of judged rows
    *("customer_id", "date", "amount", "order_id", "ended"),  # of transactions
    *STATISTICS,
}
"""Names that no group and no covariate can have."""


def engine_column(names: Mapping[str, str], meaning: str) -> str:
    """What the engine calls the column of a meaning: c0, c1, ... in the order of `names` (meaning -> own name)."""
    return f"c{list(names).index(meaning)}"


def type_problems(
    raw: Raw, names: Mapping[str, str], where: str, date_format: str | None, extra: Collection[str] = ()
) -> list[Problem]:
    """Columns whose type cannot be what they mean; `extra` ones (groups, covariates) may be of any plain type."""
    problems = []
    for meaning, name in names.items():
        column = raw.table[engine_column(names, meaning)]
        wrong = _wrong_type("" if meaning in extra else meaning, column, date_format)
        if wrong is not None:
            what, advice = wrong
            problems.append(Problem(f"column '{name}' holds {what}", where, known=advice))
    return problems


def _wrong_type(meaning: str, column: ibis.Value, date_format: str | None) -> tuple[str, str] | None:
    """What a column wrongly holds, and what to do. A date is a date, a time or text; an amount a number or text."""
    kind = column.type()
    is_number = kind.is_integer() or kind.is_floating() or kind.is_decimal()
    if kind.is_nested() or kind.is_binary():
        return f"{kind}, no plain values", ""
    if kind.is_string() or kind.is_null():
        return None
    if meaning in DAYS and is_number and date_format:
        return None
    if meaning in DAYS and is_number:
        what = "whole numbers, not dates" if kind.is_integer() else f"{kind}, not dates"
        return what, day_advice(
            column.as_table().limit(LOOKED_AT).execute().iloc[:, 0].dropna().tolist()
        ) or "State date_format, e.g. '%Y%m%d'"
    if meaning in DAYS and not (kind.is_date() or kind.is_timestamp()):
        return f"{kind}, not dates", ""
    if meaning in NUMBERS and not is_number:
        return f"{kind}, not {'amounts' if meaning in MONEY else 'numbers'}", ""
    if meaning in IDS and kind.is_floating() and _largest(column) > WHOLE_FLOATS:
        return "ids too long for floats: two may be one", "Read the column as text or whole numbers"
    return None


def _largest(column: ibis.Value) -> float:
    return column.abs().max(where=~column.isnan()).execute() or 0.0


def cell_hints(judged: ibis.Table, raw: Raw, counts: pd.Series, names: Mapping[str, str]) -> dict[str, str]:
    """What to state so that the cells can be read that could not be, by reason, from what they look like."""
    hints = {}
    for reason, meanings, advice_of in LOOKED_INTO:
        meaning = next((meaning for meaning in meanings if meaning in names), None)
        if not counts[reason] or meaning is None:
            continue
        rows = judged.filter(_.reason == reason).order_by("row").limit(LOOKED_AT).select("row")
        cells = raw.table.inner_join(rows, "row").select(cell=_[engine_column(names, meaning)])
        advice = advice_of(cells.execute()["cell"].dropna().tolist())
        if advice:
            hints[reason] = advice
    return hints


def count_problems(raw: Raw, names: Mapping[str, str], where: str, date_format: str | None) -> list[Problem]:
    """Columns of numbers that cannot be the days which their date_format counts."""
    problems: list[Problem] = []
    if date_format is None:
        return problems
    for meaning in (meaning for meaning in DAYS if meaning in names):
        column = raw.kept[engine_column(names, meaning)]
        cells = column.as_table().limit(LOOKED_AT).execute().iloc[:, 0].dropna()
        if pd.api.types.is_datetime64_any_dtype(cells):
            continue
        numbers = pd.to_numeric(cells, errors="coerce").dropna()
        if is_of_another_count(numbers, date_format):
            what = f"the numbers in column '{names[meaning]}' are no days by date_format '{date_format}'"
            problems.append(Problem(what, where, str(numbers.iloc[0]), day_advice(numbers.tolist()).strip()))
    return problems


def covariate_problems(
    raw: Raw, names: Mapping[str, str], covariates: Sequence[str], where: str, conventions: Conventions
) -> list[Problem]:
    """Covariates that hold something other than numbers, booleans and gaps."""
    known = "Covariates are numbers, true or false; name a column of words in groups"
    problems = []
    for name in (name for name in names if name in covariates):
        column = raw.kept[engine_column(names, name)]
        wrong = raw.kept.filter(~_is_gap(column), covariate_number(column, conventions).isnull()).order_by("row")
        count = int(wrong.count().execute())
        if count:
            first = wrong.limit(1).select("row", column.cast("string").name("text")).execute().iloc[0]
            what = (
                f"covariate '{name}' is no number in {words.counted(count, 'row')}, first at {raw.spot(first['row'])}"
            )
            problems.append(Problem(what, where, repr(first["text"])[:80], known))
    return problems


def _is_gap(column: ibis.Value) -> ibis.Value:
    """Empty, or what writers of tables leave where there is no number."""
    if column.type().is_string():
        return column.isnull() | column.strip().lower().isin(["", "nan", "na", "null", "none"])
    return is_empty(column)


def id_problems(raw: Raw, names: Mapping[str, str], where: str, extra: Collection[str] = ()) -> list[Problem]:
    """Columns of ids that hold none; `extra` ones (groups, covariates) are no ids, whatever they are called."""
    problems = []
    for meaning, name in names.items():
        column = raw.kept[engine_column(names, meaning)]
        if meaning not in IDS or meaning in extra or not column.type().is_string():
            continue
        first_rows = _first_wrong_ids(raw, column)
        for what, known in WRONG_IDS.items():
            if pd.isna(first_rows[what]):
                continue
            row = int(first_rows[what])
            text = raw.table.filter(raw.table.row == row).select(text=column.substr(0, 40)).execute()["text"][0]
            place = f"in column '{name}', first at {raw.spot(row)}"
            problems.append(Problem(f"{what} {place}", where, repr(text), known))
    return problems


THOUSANDS_OR_CENTS = r"^[+-]?[1-9]\d{0,2}\.\d{3}$"
"""1.250 may be 1 and a quarter, or 1250 with a point for thousands."""


def thousands_problems(raw: Raw, names: Mapping[str, str], where: str, conventions: Conventions) -> list[Problem]:
    """Columns of money in text whose points may all be for thousands, where nothing says what they are."""
    if conventions.decimal is not None or conventions.thousands is not None:
        return []
    problems = []
    for meaning, name in names.items():
        column = raw.table[engine_column(names, meaning)]
        if meaning not in MONEY or not column.type().is_string():
            continue
        text = column.strip()
        with_points = raw.table.filter(column.contains("."))
        is_unclear = text.re_search(THOUSANDS_OR_CENTS)
        counts = with_points.aggregate(unclear=is_unclear.sum(), of=_.count(), row=_.row.min(where=is_unclear))
        unclear, of, row = counts.execute().iloc[0]
        if not of or unclear < of:  # another fraction says that the point stands before cents
            continue
        cell = raw.table.filter(raw.table.row == int(row)).select(text=text).execute()["text"][0]
        rows = words.counted(int(unclear), "row has", "rows have")
        what = (
            f"{rows} three digits after a point in column '{name}', and none has fewer, first at {raw.spot(int(row))}"
        )
        advice = f"Is it {cell.replace('.', '')}? State decimal: ',' where it is, and decimal: '.' where it is {cell}"
        problems.append(Problem(what, where, repr(cell), advice))
    return problems


def _first_wrong_ids(raw: Raw, column: ibis.Value) -> pd.Series:
    """The first row of each kind of `WRONG_IDS`, in one pass; patterns are tried where one of their signs is."""
    is_long = column.length() > LONGEST_ID
    suspects = raw.kept.filter(ibis.or_(is_long, *(column.contains(sign) for sign in SIGNS)))
    is_wrong = {
        LONG: is_long,
        IN_HTML: column.re_search(HTML) & ~column.strip().lower().isin(NO_HTML),
        # A phone number may begin as a formula does: +49 (0)30 12.
        AS_FORMULA: column.re_search(FORMULA) & ~column.re_search(PHONE),
    }
    return suspects.aggregate(**{what: _.row.min(where=wrong) for what, wrong in is_wrong.items()}).execute().iloc[0]
