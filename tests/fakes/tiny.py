"""Tiny runs whose every number can be worked out on paper: what each figure and lead must say of them is known.

Draws are 21, numbered by z = -10 .. 10: of a quantity m + s z the 5, 25, 50, 75 and 95% quantiles are
m - 9s, m - 5s, m, m + 5s and m + 9s, and nothing is interpolated.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from fakes.run import ACCOUNT, CHECK_ROWS, about

from clvmodels.customers.table import Customers, Holdout, Split
from clvmodels.decisions.leaving import Leaving
from clvmodels.decisions.losses import losses
from clvmodels.decisions.rank import rank
from clvmodels.futures.forecast import Futures
from clvmodels.kpis.indicators import COLUMNS, Kpis
from clvmodels.metrics import Judged
from clvmodels.metrics.money import Money
from clvmodels.results.folder import EntryResult, Run
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Discounted, Values

Z = np.arange(-10.0, 11.0)
DRAWS = len(Z)
END = pd.Timestamp("2025-06-30")
VALUED = pd.Timestamp("2025-12-29")
NOTHING: Any = None

# ------------------------------------------------------------------------------------------------------------ worth

PEOPLE = [f"c{k}" for k in range(10)]
CONSTANT = np.array([50.0, 40.0, 30.0, 20.0, 10.0, 5.0, -5.0])
"""What c3 to c9 bring in every draw: c9 costs more than it brings."""


def worth() -> dict[str, np.ndarray]:
    """Ten customers, two places at the top. [D, C] each

    Worth: c0 brings 200 + 10 z and is always first; c1 and c2 bring 100 + z and 100 - z, and share the second place
    by halves. The total is 550 + 10 z. Expected: the same of c0; who c1 and c2 are is all that is in doubt of them,
    and 100 is expected of either. Realised: as the worth, but in the three highest draws c3 has the luck of c0: it
    brings 250 more and c0 250 less, so that the total is the same.
    """
    ends = np.column_stack([200 + 10 * Z, 100 + Z, 100 - Z])
    worth = np.column_stack([ends, np.tile(CONSTANT, (DRAWS, 1))])
    expected, realised = worth.copy(), worth.copy()
    expected[:, 1:3] = 100.0
    lucky = Z >= 8
    realised[lucky, 3] += 250
    realised[lucky, 0] -= 250
    return {"expected": expected, "worth": worth, "realised": realised}


def values(*, credit: float = 0.0, shares: dict[str, float] | None = None) -> Values:
    """The worth as `Values`.

    With `shares` it is made of parts: each a share of twice what is earned, the gross margin that is. With `credit`
    each customer also brings that much by referring others, which the base's worth leaves out.
    """
    earned = worth()
    parts: dict[str, dict[str, np.ndarray]] = {}
    if shares is not None:
        parts["gross margin"] = {kind: 2 * draws for kind, draws in earned.items()}
        parts |= {name: {kind: share * 2 * draws for kind, draws in earned.items()} for name, share in shares.items()}
    if credit:
        parts.setdefault("gross margin", earned)
        parts["referrals"] = {kind: np.full_like(draws, credit) for kind, draws in earned.items()}
    whole = {kind: (draws + credit).astype(np.float32) for kind, draws in earned.items()}
    return Values(
        np.array(PEOPLE),
        whole["expected"],
        whole["worth"],
        whole["realised"],
        Economics(0.3, 0.12, 52.0),
        "week",
        "EUR",
        VALUED,
        {name: Discounted(**part) for name, part in parts.items()},
    )


# --------------------------------------------------------------------------------------------------------- forecast

SILENT, REGULAR = 20, 20
"""Customers without a repeat purchase, and with two of them."""


def judged() -> Judged:
    """Forty customers beside what came. In draw d = z + 10 of 0 .. 20

    - d of the 20 silent customers buy once: a mean of d / 20, and 10 of the 20 did;
    - each regular customer buys twice, d of the 20 once more: a mean of 2 + d / 20, and 62 purchases came, a mean of
      3.1, which is beyond every draw.

    The total is 40 + 2 d: 42, 50, 60, 70, 78 by its quantiles, and 72 came. The four weeks hold 10, 10 + d, 10 + d and
    10 of them; what came is 10, 20, 31 and 11: two weeks inside their 90% intervals, and two above.
    """
    ids = [f"c{k:02d}" for k in range(SILENT + REGULAR)]
    more = np.arange(SILENT)[None, :] < (Z + 10)[:, None]
    purchases = np.hstack([more, 2 + more]).astype(np.int32)
    frequency = np.repeat([0, 2], [SILENT, REGULAR])
    came = np.array([1] * 10 + [0] * 10 + [3] * 18 + [4] * 2)
    d = Z + 10
    weeks = np.column_stack([np.full(DRAWS, 10), 10 + d, 10 + d, np.full(DRAWS, 10)]).astype(int)
    futures = Futures(
        np.array(ids),
        np.arange(5.0),
        purchases,
        weeks,
        purchases.astype(np.float32),
        np.tile(np.repeat([0.5, 0.95], [SILENT, REGULAR]), (DRAWS, 1)),
        np.repeat([0.25, 0.75], [SILENT, REGULAR]),
    )
    table = pd.DataFrame({"frequency": frequency, "recency": 0.0, "T": 26.0}, index=pd.Index(ids, name="customer_id"))
    table.loc[frequency == 2, "recency"] = 20.0
    start = END + pd.Timedelta(days=1)
    starts = [start + pd.Timedelta(weeks=k) for k in range(-2, 4)]
    weekly = pd.DataFrame(
        {"start": starts, "purchases": [12, 8, 10, 20, 31, 11], "held_out": [s >= start for s in starts]}
    )
    holdout = Holdout(pd.DataFrame({"purchases": came}, index=table.index), 4.0, start, END + pd.Timedelta(weeks=4))
    return Judged(Customers(table, "week", END, "EUR"), holdout, futures, weekly, None, 42)


# -------------------------------------------------------------------------------------------------------------- run


def entry(name: str = "pareto", **changes: Any) -> EntryResult:
    """One entry's results; what is not named is not there."""
    return EntryResult(**{"name": name, "label": about().entries[name], "posteriors": {}, **changes})


def tiny_run(**changes: Any) -> Run:
    """A run with checks and an account of cleaning alone, and with what is named."""
    base = Run(
        about=about(customers=10, draws=DRAWS),
        account=ACCOUNT,
        split=NOTHING,
        value_split=NOTHING,
        entries={"pareto": entry()},
        recommended="pareto",
        valued=NOTHING,
        comparison=None,
        checks=CHECK_ROWS,
        scores=pd.DataFrame(
            {"entry": [], "dataset": [], "metric": [], "score": [], "value": [], "lower": [], "upper": []}
        ),
    )
    return replace(base, **{"valued": entry(), **changes})


def made() -> pd.DataFrame:
    """What the ten customers brought so far: 60, 50, 40, 30, 20, 10, 5, 0, 0 and 5 of margin; c6, c8 and c9 cost more.

    c6 cost 12 to win and has lost 7; c8 called for 4 and has lost them; c9 called for 30 and cost 12 to win, and has
    lost 37. Together 48 are lost, and 36 without what winning them cost: 12 of each but c7 and c8.
    """
    margin = [60.0, 50.0, 40.0, 30.0, 20.0, 14.0, 5.0, 0.0, 0.0, 5.0]
    service = [0.0] * 8 + [-4.0, -30.0]
    acquisition = [-12.0] * 7 + [0.0, 0.0, -12.0]
    parts = {"gross margin": margin, "service": service, "acquisition": acquisition}
    table = pd.DataFrame(parts, index=pd.Index(PEOPLE, name="customer_id"))
    return table.assign(revenue=3 * table["gross margin"], purchases=2.0, profit=table.sum(axis=1))


def may_leave(found: Values) -> Leaving:
    """Who of the ten may leave in a quarter: c2 is late and in doubt, c9 late and gone; of c0 it is not known.

    In the order of the value at risk: c1 0.5 of 100, c2 0.4, c3 0.9 of 50, ..., c9 costs money, and is no loss.
    """
    now = np.array([np.nan, 0.9, 0.6, 0.3, 0.95, 0.95, 0.95, 0.95, 0.95, 0.02])
    then = np.array([np.nan, 0.5, 0.6, 0.1, 0.9, 0.9, 0.9, 0.9, 0.9, 0.01])
    silence_odds = np.array([0.6, 0.4, 0.05, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5, 0.01])
    mean = found.worth.mean(axis=0, dtype=float)
    next_purchase = {"next_q5": 0.5, "next_q50": 4.0, "next_q95": [*[20.0] * 9, np.nan]}
    columns = {
        "silence": np.arange(10.0),
        "silence_odds": silence_odds,
        "p_alive": now,
        "p_alive_then": then,
        "odds_of_leaving": 1 - then,
        "p_purchase": 0.5,
        **next_purchase,
        "worth": mean,
        "value_at_risk": mean.clip(0.0) * (1 - then),
    }
    table = pd.DataFrame(columns, index=pd.Index(PEOPLE, name="customer_id"))
    return Leaving(13.0, table.sort_values("value_at_risk", ascending=False, kind="stable"))


def worth_run(
    *,
    credit: float = 0.0,
    shares: dict[str, float] | None = None,
    so_far: pd.DataFrame | None = None,
    **told: Any,
) -> Run:
    """The run of the ten customers' worth, with what was made so far where it is given; `told` is said of it
    (`About`)."""
    worth = values(credit=credit, shares=shares)
    valued = entry(values=worth, ranking=rank(worth, top_share=0.2))
    said = {"customers": len(PEOPLE), "draws": DRAWS, "parts": list(worth.parts) or ["gross margin"], **told}
    found = None if so_far is None else losses(so_far, worth)
    return tiny_run(about=about(**said), valued=valued, made=so_far, losses=found, leaving=may_leave(worth))


def forecast_run(**told: Any) -> Run:
    """The run of the forty customers' forecast."""
    found = judged()
    calibration = np.column_stack([12 + Z, 8 + 0 * Z])
    first = entry(judged=found, calibration_weeks=calibration)
    split = Split(found.customers, found.holdout, found.weekly)
    said = {"customers": SILENT + REGULAR, "draws": DRAWS, "holdout": 4.0, "holdout_end": "2025-07-28", **told}
    return tiny_run(about=about(**said), split=split, value_split=split, entries={"pareto": first})


def judged_as(run: Run, found: Judged) -> Run:
    """The run with another forecast beside what came."""
    return replace(run, entries={"pareto": replace(run.entries["pareto"], judged=found)})


def kpis(*rows: tuple, migration: Any = None, programmes: Any = None, base_value: Any = None) -> Kpis:
    """Tables of a strategy: rows of (period, by, label, kpi, value, n, whole)."""
    full = [(*row[:5], np.nan, np.nan, *row[5:]) if len(row) == 7 else row for row in rows]
    tables = [pd.DataFrame() if table is None else table for table in (migration, programmes, base_value)]
    return Kpis(pd.DataFrame(full, columns=list(COLUMNS)), *tables)


def strategy_run(found: Kpis, **told: Any) -> Run:
    """A run with these tables of a strategy."""
    return tiny_run(about=about(**{"customers": 10, **told}), kpis=found)


# ------------------------------------------------------------------------------------------------------------ money


def money() -> dict[str, Money]:
    """What the forty customers bring, in fifths of eight: in draw z a customer of fifth j spends j (100 + z).

    The total is 120 (100 + z): 10,920, 11,400, 12,000, 12,600 and 13,080 by its quantiles. A customer of the fifths
    spent 100, 200, 300, 350 and 600: the fourth brought less and the fifth more than 90% of its forecast; 12,400
    together. Of spend 40% is profit by the forecast, and half as much came: 2,480, where 4,368 to 5,232 was forecast.
    Goods that came back count up to the third week.
    """
    ids = np.array([f"c{k:02d}" for k in range(SILENT + REGULAR)])
    fifth = np.repeat(np.arange(1.0, 6.0), 8)
    realised = np.outer(100 + Z, fifth)
    came = np.repeat([100.0, 200.0, 300.0, 350.0, 600.0], 8)
    last, settled = END + pd.Timedelta(weeks=4), END + pd.Timedelta(weeks=3)
    return {
        "spend": Money("spend", ids, realised, 100 * fifth, came, last, 42),
        "profit": Money("profit", ids, 0.4 * realised, 40 * fifth, 0.2 * came, settled, 42),
    }


def money_run(kinds: dict[str, Money] | None = None) -> Run:
    """The forecast of purchases and of that money."""
    run = forecast_run()
    found = run.entries["pareto"].judged
    return judged_as(run, replace(found, money=money() if kinds is None else kinds))
