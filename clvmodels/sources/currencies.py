"""Money of several currencies in one: by a table of rates, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import ibis
import pandas as pd
from ibis import _

from clvmodels import words
from clvmodels.errors import DataError, Problem
from clvmodels.sources.cleaning import id_text
from clvmodels.sources.reading import Raw

_GIVE_RATES = (
    "State the currency of the result and give a table of rates (role rates; columns currency, rate, and date)"
)
_GIVE_DATES = "The rates are of days and this table tells none: give it a date, or a rate for all days"


class Rates(NamedTuple):
    """What one unit of a currency is in the currency of the result.

    `table` holds code, since (day; null where a rate is for all days) and their_rate; None: there are no rates.
    """

    currency: str | None = None
    table: ibis.Table | None = None
    dated: bool = False


def currency_code(column: ibis.Value) -> ibis.Value:
    """EUR, whether it was written eur or EUR."""
    return id_text(column).upper()


def rows_by_currency(table: ibis.Table, column: ibis.Value) -> pd.Series:
    """Number of rows by currency; those without one are left out."""
    codes = table.select(code=currency_code(column)).filter(_.code.notnull())
    return codes.group_by("code").agg(rows=_.count()).order_by("code").execute().set_index("code")["rows"]


def result_currency(codes: Sequence[str], stated: str | None) -> str | None:
    """The currency of the result: as stated, or the only one there is."""
    if stated is not None:
        return stated
    return codes[0] if len(codes) == 1 else None


def with_rate(raw: Raw, column: str, day: ibis.Value | None, where: str, rates: Rates) -> Raw:
    """The rows and `rate`, which turns their money into the result's; with dates, the last one on or before the day.

    Rows that name no currency have no rate, nor have those without a day where the rates are dated.

    Raises
    ------
    DataError
        Naming the currencies that no rate turns into the result's, and their numbers of rows.
    """
    rows = raw.table
    table = rows.mutate(code=currency_code(rows[column]), on_day=ibis.null("date") if day is None else day)
    if rates.table is None:
        table = table.mutate(their_rate=ibis.null("float64"))
    elif rates.dated:
        table = table.asof_join(rates.table, on=table.on_day >= rates.table.since, predicates="code")
    else:
        table = table.left_join(rates.table, "code")
    # The result's own currency needs no rate, and tables of rates rarely hold one.
    is_result = (table.code == _code(rates.currency)).fill_null(False)
    rated = table.select(*rows.columns, "code", "on_day", rate=is_result.ifelse(1.0, table.their_rate))
    _refuse_unrated(rated, raw, where, rates, has_days=day is not None)
    return raw._replace(table=rated.drop("code", "on_day"))


def _refuse_unrated(rated: ibis.Table, raw: Raw, where: str, rates: Rates, has_days: bool) -> None:
    unrated = rated.filter(_.rate.isnull(), _.code.notnull())
    if "is_kept" in rated.columns:
        unrated = unrated.filter(_.is_kept)
    if rates.dated and has_days:
        unrated = unrated.filter(_.on_day.notnull())  # a day that is missing or cannot be read has its own reason
    table = unrated.group_by("code").agg(rows=_.count(), first=_["row"].min()).order_by("code").execute()
    if table.empty:
        return
    lines = raw.line_of(table["first"].to_numpy())
    places = []
    for code, count, line in zip(table["code"], table["rows"], lines, strict=True):
        places.append(f"{code} in {words.counted(count, 'row')}, first at {raw.place} {line}")
    got = "; ".join(places)
    known = _GIVE_DATES if rates.dated and not has_days else _GIVE_RATES
    what = f"no rate turns these currencies into {rates.currency}" if rates.currency else "several currencies"
    raise DataError(Problem(what, where, got, known))


def read_rates(judged: ibis.Table, raw: Raw, where: str, currency: str | None) -> Rates:
    """Rates from rows that count: currency, rate and date, if there is one.

    Raises
    ------
    DataError
        A rate that is no positive number; two different ones of a currency (and day); one of the result's own that is
        not 1; a result without a currency.
    """
    dated = "date" in judged.columns
    day = _.date if dated else ibis.null("date")
    rows = judged.select("row", code=_.currency.upper(), since=day, their_rate=_.rate)
    problems = []
    if currency is None:
        problems.append(Problem("rates to what currency?", where, known="State the currency of the result"))
    problems += _wrong_rates(rows, raw, where, currency)
    problems += _different_rates(rows, raw, where)
    if problems:
        raise DataError(problems)
    return Rates(currency, rows.select("code", "since", "their_rate").distinct(), dated)


def _wrong_rates(rows: ibis.Table, raw: Raw, where: str, currency: str | None) -> list[Problem]:
    """The first rate that is not positive, or of the result's currency to itself and not 1."""
    wrong = rows.filter((_.their_rate <= 0) | ((_.code == _code(currency)) & (_.their_rate != 1)))
    table = wrong.order_by("row").limit(1).execute()
    if table.empty:
        return []
    first, line = table.iloc[0], int(raw.line_of(table["row"].to_numpy())[0])
    what = f"a rate must be positive, and that of {currency} to itself 1, at {raw.place} {line}"
    return [Problem(what, where, f"{first['their_rate']:g} for {first['code']}")]


def _different_rates(rows: ibis.Table, raw: Raw, where: str) -> list[Problem]:
    """The first currency (and day) with two rates."""
    days = rows.group_by(["code", "since"]).agg(n=_.their_rate.nunique(), first=_["row"].min(), last=_["row"].max())
    table = days.filter(_.n > 1).order_by(["code", "since"]).limit(1).execute()
    if table.empty:
        return []
    lines = raw.line_of(table[["first", "last"]].to_numpy()[0])
    code = table["code"].iloc[0]
    what = f"different rates of {code} for one day, at {raw.place} {lines[0]} and {lines[1]}"
    return [Problem(what, where, known="Give dates, or leave one out")]


def _code(currency: str | None) -> str:
    return (currency or "").strip().upper()
