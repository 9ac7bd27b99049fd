"""Synthetic histories: the tables give back what was simulated; seeded, labelled, refused where senseless."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES
from contracts.purchase import mean_is

from clvmodels.customers.summarize import summarize
from clvmodels.errors import DataError
from clvmodels.futures.histories import orders, simulate_amounts, simulate_histories, simulate_purchases, statistics
from clvmodels.models import MODELS
from clvmodels.sources.transactions import read_transactions

SIZE = 300
PURCHASES = [name for name, model in MODELS.items() if "purchases" in model.provides]
CONTINUOUS = [name for name in PURCHASES if MODELS[name].counts == "continuous"]  # the others: test_discrete
SPEND = [name for name, model in MODELS.items() if "spend" in model.provides]
START = pd.Timestamp("2024-01-01")


def simulated(name: str, spend: str, seed: int = 1):
    births = START + pd.to_timedelta(np.arange(SIZE) % 90, unit="D")
    end = START + pd.Timedelta(days=399)
    ages = ((end - births).days + 1) / 7  # the end day belongs to observation: its purchases fall before its midnight
    purchases = simulate_purchases(MODELS[name], CASES[name].theta, ages, seed)
    purchases["amount"] = simulate_amounts(MODELS[spend], CASES[spend].theta, purchases, seed).round(2)
    return purchases, births, end


@pytest.mark.parametrize("spend", SPEND)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_simulate_then_summarise_is_the_simulators_own_summary(name, spend):
    purchases, births, end = simulated(name, spend)
    dated = orders(purchases, births, "week")
    end = min(end, dated["date"].max())  # the last day of the data, where nobody bought after it
    table = summarize(read_transactions(dated), calibration_end=end, time_unit="week").customers.table
    days = dated.assign(age=(dated["date"] - dated.groupby("customer_id")["date"].transform("min")).dt.days / 7)
    merged = days.groupby(["customer_id", "age"], as_index=False)["amount"].sum()  # orders of a day are one purchase
    own = statistics(merged, (end - births).days / 7)
    assert list(table.index) == list(own.index)
    for column in own:
        np.testing.assert_allclose(table[column], own[column], rtol=1e-9, atol=1e-9, err_msg=column)
    assert table["frequency"].sum() > 100 and dated["date"].max() <= end


@pytest.mark.parametrize("name", PURCHASES)
def test_histories_are_seeded_and_do_not_depend_on_company(name):
    model, theta, ages = MODELS[name], CASES[name].theta, np.full(100, 52.0)
    whole = simulate_histories(model, theta, ages, 1)
    pd.testing.assert_frame_equal(whole, simulate_histories(model, theta, ages, 1))
    assert (whole["frequency"] != simulate_histories(model, theta, ages, 2)["frequency"]).any()
    purchases = simulate_purchases(model, theta, ages, 1)
    assert purchases["customer_id"].nunique() == 100 and (purchases.groupby("customer_id")["age"].min() == 0).all()
    assert purchases.groupby("customer_id")["age"].apply(lambda age: age.is_monotonic_increasing).all()
    assert list(whole.columns) == ["frequency", "recency", "T", "sum_log_gaps"]


def test_parameters_may_differ_by_customer():
    theta = CASES["pareto_nbd"].theta | {"alpha": np.repeat([1.0, 100.0], 1000)}
    table = simulate_histories(MODELS["pareto_nbd"], theta, np.full(2000, 10.0), 1)
    fast, slow = table["frequency"][:1000].mean(), table["frequency"][1000:].mean()
    assert fast > 5 * slow


def test_times_given_their_number_are_uniform_for_one_who_stays():
    theta = {"r": 2.0, "alpha": 4.0, "s": 1.0, "beta": 1e9}
    purchases = simulate_purchases(MODELS["pareto_nbd"], theta, np.full(2000, 10.0), 1)
    repeat = purchases[purchases["age"] > 0].groupby("customer_id")["age"]
    mean_is((repeat.mean() / 10).to_numpy(), 0.5)
    last = repeat.max()[repeat.size() == 3]
    mean_is((last / 10).to_numpy(), 0.75)  # of three uniform times


def test_amounts_are_a_customers_own():
    purchases, *_ = simulated("bg_nbd", "gamma_gamma")
    table = statistics(purchases, np.full(SIZE, 60.0))
    someone = table.index[table["frequency"] > 3][0]
    amounts = purchases.loc[purchases["customer_id"] == someone, "amount"]
    assert table.loc[someone, "monetary_value"] == pytest.approx(amounts.iloc[1:].mean())
    assert (table.loc[table["frequency"] == 0, "monetary_value"] == 0).all() and (amounts > 0).all()


@pytest.mark.parametrize("ages", [[], [[1.0]], [1.0, -1.0], [np.nan], [np.inf]])
def test_senseless_ages_are_refused(ages):
    with pytest.raises(DataError, match="age"):
        simulate_histories(MODELS["bg_nbd"], CASES["bg_nbd"].theta, np.array(ages), 1)
