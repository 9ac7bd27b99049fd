"""Payback of channels that truly differ in all that they do, from raw tables and real fits."""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Customers
from clvmodels.datasets import retailer
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.samplers.checks import CHECK_NAMES
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import valuation

decision = importlib.import_module("clvmodels.decisions.payback")  # the package has the function under this name
ECONOMICS = Economics(0.35, 0.12, 52.0, cost_per_order=2.5)
SEED, DRAWS = 4, 400


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Company:
    folder = tmp_path_factory.mktemp("retailer")
    retailer.write(folder, 900, SEED)
    tables = {name: Table.from_mapping(source) for name, source in retailer.SOURCES.items()}
    return consolidate(tables, folder=folder, currency="EUR", data_end=retailer.END)


@pytest.fixture(scope="module")
def customers(company) -> Customers:
    summarised = summarize(company.transactions).customers
    channel = company.attributes["channel"].reindex(summarised.table.index)
    return dataclasses.replace(summarised, table=summarised.table.assign(channel=channel))


def told(company, customers, **posteriors) -> decision.Payback:
    return decision.payback(posteriors, company, customers, ECONOMICS, seed=SEED, draws=DRAWS, allow_failed=CHECK_NAMES)


def fitted(model, customers, **options):
    return fit(model, customers, draws=DRAWS, seed=SEED, **options)


def test_one_effect_on_the_rate_is_no_payback_and_one_line_is(company, customers):
    """With `alpha` alone a customer of the worst channel was told to bring more than twice what its customers made."""
    on_rate = [Effect("purchases", ("alpha",), "channel")]
    of_rate = {
        "purchases": fitted("mbg_nbd", customers, effects=on_rate),
        "spend": fitted("gamma_gamma", customers),
    }
    withheld = told(company, customers, **of_rate)
    assert withheld.alike["part"].tolist() == ["lifetime", "spend"] and withheld.withheld
    assert withheld.channels[list(decision.FORECAST)].isna().all(axis=None)
    past = withheld.channels.set_index("channel")["made"]

    newcomers = valuation(of_rate, customers, ECONOMICS, seed=SEED, draws=DRAWS, allow_failed=CHECK_NAMES)
    once_told = decision.payback_rows(newcomers, withheld.channels, "week").set_index("channel")
    assert once_told["most_q5"]["Social"] > 1.5 * past["Social"]

    given = told(
        company,
        customers,
        purchases=fitted("mbg_nbd", customers, by="channel"),
        spend=fitted("gamma_gamma", customers, by="channel"),
    )
    assert not given.withheld and given.reason == ""
    channels = given.channels.set_index("channel")
    pd.testing.assert_series_equal(channels["made"], past)
    assert (channels["cohort"] > 20).all()
    middle = channels["most_q50"]
    assert np.corrcoef(np.log(middle), np.log(past))[0, 1] > 0.9
    assert abs(middle["Social"] - past["Social"]) < 0.5 * abs(once_told["most_q50"]["Social"] - past["Social"])
