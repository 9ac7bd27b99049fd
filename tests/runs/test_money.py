"""Held-out money in a run, from tables of known truth: sound forecasts pass, and what is planted in the tables shows.

The customers are simulated here, from the parameters that the posteriors in place of the fits lie around; a purchase
may come back within twenty days, and goods cost what the margin leaves.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.known_company import COSTS, DRAWS, END, HOLDOUT, LAST, outcome, simulated

from clvmodels.runs.experiment import Outcome


def failed(done: Outcome) -> set[str]:
    """The checks of money that failed, each with the kind of money."""
    checks = done.run.checks
    of_money = checks[checks["code"].str.startswith("money") & (checks["result"] == "failed")]
    return {f"{row.code}: {row.check}" for row in of_money.itertuples()}


def of_purchases(done: Outcome) -> list[str]:
    """The results of the checks of held-out purchases."""
    checks = done.run.checks.set_index("code")["result"]
    return checks[["held_out_total", "periods_inside", "groups_inside", "pit_share", "pit_band"]].tolist()


def of_holdout(table: pd.DataFrame) -> pd.Series:
    return table["date"] > END


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Outcome:
    with pytest.MonkeyPatch.context() as monkeypatch:
        return outcome(tmp_path_factory.mktemp("money"), simulated(), monkeypatch)


def test_what_came_is_what_the_tables_say(sound):
    tables = simulated()
    orders, returns = (table[of_holdout(table)] for table in (tables["orders"], tables["returns"]))
    until = END + pd.Timedelta(weeks=HOLDOUT)
    orders = orders[orders["date"] <= until]
    returns = returns[returns["order"].isin(orders["order"])]
    margin = (1 - tables["orders"]["cost"] / tables["orders"]["amount"])[returns.index]
    lost = returns["amount"] * (margin + 0.2 * (1 - margin))
    came = {
        "spend": orders["amount"].sum(),
        "gross margin": (orders["amount"] - orders["cost"]).sum(),
        "cost of returns": lost.sum(),
    }
    came["profit"] = came["gross margin"] - came["cost of returns"] - 2.0 * len(orders)
    money = sound.run.judgement.judged.money
    assert list(money) == list(came)
    for name, kind in money.items():
        assert kind.actual_total == pytest.approx(came[name], rel=1e-6), name
        assert kind.until == until  # 25 days of returns after it: all are known
        mean = kind.mean.sum()
        assert abs(kind.totals.mean() - mean) < 4.5 * kind.totals.std() / np.sqrt(DRAWS), name
        assert mean == pytest.approx(came[name], rel=0.2), name


def test_a_sound_forecast_of_money_lies_where_its_own_futures_do(sound):
    """What came is one more future: beyond 3.3 standard deviations once in a thousand simulations."""
    for name, kind in sound.run.judgement.judged.money.items():
        z = (kind.actual_total - kind.totals.mean()) / kind.totals.std()
        assert abs(z) < 3.3, name
        assert kind.crps.mean() < np.quantile(kind.own_crps, 0.999), name
        assert 0.01 < (kind.pit < 0.05).mean() < 0.1 and 0.01 < (kind.pit > 0.95).mean() < 0.1, name


def test_amounts_of_the_holdout_cut_to_three_tenths_turn_the_checks_of_money_red(sound, tmp_path, monkeypatch):
    tables = simulated()
    for name, columns in (("orders", ["amount", "cost"]), ("returns", ["amount"])):
        of_order = tables["orders"].set_index("order").loc[tables[name]["order"], "date"].to_numpy() > END
        tables[name].loc[of_order, columns] *= 0.3
    cut = outcome(tmp_path, tables, monkeypatch)
    red = failed(cut)
    for kind in ("spend", "gross margin", "cost of returns", "profit"):
        assert f"money_total: Held-out {kind} in its 90% interval" in red
        assert f"money_fifths: Fifths of customers by forecast {kind} inside their 90% interval" in red
    for kind in ("spend", "profit"):
        assert f"money_pit: Randomised PIT of customers' {kind} in its 99% band" in red
    assert of_purchases(cut) == of_purchases(sound)


def test_goods_of_large_buyers_that_come_back_more_and_leave_less_show(sound, tmp_path, monkeypatch):
    """In the holdout who pays more sends more back, at a smaller margin: spend is right, profit is not."""
    tables = simulated()
    orders = tables["orders"]
    usual = orders.groupby("customer")["amount"].transform("mean")
    is_large = (usual > orders["amount"].mean()) & of_holdout(orders)
    orders.loc[is_large, "cost"] = 0.8 * orders["amount"]
    orders.loc[is_large & (np.arange(len(orders)) % 3 == 0), "back"] = True
    returns = orders[orders["back"]]
    returns = returns.assign(date=returns["date"] + pd.to_timedelta(returns["days"], unit="D"))
    tables["returns"] = returns[returns["date"] <= LAST]
    red = failed(outcome(tmp_path, tables, monkeypatch))
    assert {name for name in red if "spend" in name} == {name for name in failed(sound) if "spend" in name}
    assert "money_total: Held-out profit in its 90% interval" in red
    assert "money_total: Held-out gross margin in its 90% interval" in red
    assert "money_total: Held-out cost of returns in its 90% interval" in red


def test_the_value_is_held_against_the_accounts_of_the_last_year(sound):
    """The parts of a sound forecast are those of the year before, and no cohort is to bring more than it did."""
    checks = sound.run.checks.set_index("check")
    parts = [
        f"Share of revenue in the forecast beside the last year's accounts: {part}" for part in sound.run.about.parts
    ]
    assert set(parts) <= set(checks.index)
    tables, until = simulated(), sound.run.valued.values.valued_at - pd.Timedelta(days=21)
    orders = tables["orders"]
    orders = orders[orders["date"].between(until - pd.Timedelta(days=364), until)]
    margin = 1 - orders["cost"].sum() / orders["amount"].sum()
    row = checks.loc[parts[0]]
    assert (row.at_least + row.at_most) / 2 == pytest.approx(margin, abs=1e-6)
    values = sound.run.valued.values
    assert row.value == pytest.approx(
        values.parts["gross margin"].expected.mean(axis=0).sum() / values.sales.sum(), rel=1e-5
    )
    assert "cohorts" in set(checks["code"])


def test_what_may_still_come_back_is_not_judged(tmp_path, monkeypatch):
    """With a window of 60 days, purchases of the last 60 days of the data tell nothing of returns yet."""
    costs = COSTS | {"returns": {"model": "beta_binomial_returns", "window": 60}}
    done = outcome(tmp_path, simulated(), monkeypatch, costs=costs)
    money = done.run.judgement.judged.money
    settled = LAST - pd.Timedelta(days=60)
    assert (money["spend"].until, money["cost of returns"].until) == (END + pd.Timedelta(weeks=HOLDOUT), settled)
    tables = simulated()
    bought = tables["orders"].set_index("order")["date"]
    of_old = bought[tables["returns"]["order"]].between(END + pd.Timedelta(days=1), settled).to_numpy()
    assert (money["cost of returns"].actual > 0).sum() == tables["returns"][of_old]["customer"].nunique()


def test_spend_alone_is_judged_without_economics_and_what_is_a_share_of_it_is_not_told_twice(tmp_path, monkeypatch):
    done = outcome(tmp_path, simulated(), monkeypatch, costs={}, economics=None)
    assert list(done.run.judgement.judged.money) == ["spend"]
    shared = {"margin": 0.3, "annual_discount_rate": 0.1, "horizon": 52}
    done = outcome(tmp_path, simulated(), monkeypatch, costs={}, economics=shared)
    assert list(done.run.judgement.judged.money) == ["spend"]
