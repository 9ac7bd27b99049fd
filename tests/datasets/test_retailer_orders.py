"""The retailer's list of orders: a function of its seed, with an importer's dirt, true to its own truth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS, retailer


def test_retailer_defaults_fit_the_data():
    options = {k: v for k, v in DATASETS["retailer"].defaults.items() if k != "currency"}
    split = summarize(DATASETS["retailer"].load(n_customers=100), **options)
    assert split.customers.table["channel"].isin(list(retailer.CHANNELS)).all()
    assert split.holdout.end == retailer.END
    assert split.holdout.periods == 26


def test_retailer_is_a_function_of_its_seed():
    made, again = retailer.generate(100, seed=3), retailer.generate(100, seed=3)
    orders, truth = made.orders, made.truth
    pd.testing.assert_frame_equal(orders, again.orders)
    pd.testing.assert_frame_equal(truth, again.truth)
    pd.testing.assert_frame_equal(truth, retailer.truth(3, 100))
    assert not orders.equals(retailer.generate(100, seed=4).orders)
    assert len(truth) == 100 and truth.index.is_unique


def test_retailer_has_what_an_importer_meets():
    made = retailer.generate(3000, seed=1)
    orders, truth = made.orders, made.truth
    assert orders["time"].is_monotonic_increasing
    assert orders["time"].min() >= retailer.START and orders["time"].max() < retailer.END + pd.Timedelta(days=1)
    assert 1 <= orders["customer_id"].isna().sum() <= 20
    assert orders.duplicated().sum() > 20
    assert 0.03 < (orders["amount"] < 0).mean() < 0.07
    per_day = orders[orders["amount"] > 0].groupby(["customer_id", orders["time"].dt.normalize()]).size()
    assert (per_day > 1).mean() > 0.03
    assert set(orders["customer_id"].dropna()) <= set(truth.index)
    assert np.array_equal(np.round(orders["amount"], 2), orders["amount"])


def test_retailer_follows_its_own_truth():
    made = retailer.generate(20_000, seed=2)
    orders, truth = made.orders, made.truth
    table = retailer.load(seed=2, n_customers=20_000)
    assert len(table) == len(orders) - table.account.loc[table.account["kind"] == "dropped", "rows"].sum()
    customers = summarize(table, groups=("channel",)).customers.table
    known = truth.loc[customers.index]
    assert (customers["channel"] == known["channel"]).all()
    active = np.minimum(known["lifetime"], (retailer.END + pd.Timedelta(days=1) - known["joined"]).dt.days / 7)
    expected = (known["purchase_rate"] * active).groupby(known["channel"]).sum()
    # Visits on one day merge into one purchase, so a few per cent are missing.
    ratio = customers["frequency"].groupby(customers["channel"]).sum() / expected
    assert ratio.between(0.93, 1.02).all()
    repeat = customers[customers["frequency"] >= 5]
    spend = repeat["monetary_value"] / known.loc[repeat.index, "mean_spend"]
    assert spend.mean() == pytest.approx(1.02, abs=0.03)
    median = {channel: c.rate for channel, c in retailer.CHANNELS.items()}
    found = truth.groupby("channel")["purchase_rate"].mean()
    assert all(found[channel] == pytest.approx(rate, rel=0.1) for channel, rate in median.items())
