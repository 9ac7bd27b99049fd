"""From the retailer's raw tables to one company: every row accounted for, ids and money as the truth has them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ibis import _

from clvmodels.accounts.profit_made import profit_made
from clvmodels.customers.experience import EXPERIENCE, available, experience
from clvmodels.customers.observed import with_costs
from clvmodels.customers.purchases import purchases
from clvmodels.customers.summarize import summarize
from clvmodels.customers.windows import Windows
from clvmodels.datasets import retailer
from clvmodels.models import known_costs
from clvmodels.sources.consolidation import Company, Table, consolidate
from clvmodels.valuation.economics import Economics

SIZE, SEED = 800, 3


def tables() -> dict[str, Table]:
    return {name: Table.from_mapping(told) for name, told in retailer.SOURCES.items()}


@pytest.fixture(scope="module")
def truth():
    return retailer.generate(SIZE, SEED)


@pytest.fixture(scope="module")
def company(tmp_path_factory) -> Company:
    folder = tmp_path_factory.mktemp("retailer")
    retailer.write(folder, SIZE, SEED)
    return consolidate(tables(), folder=folder, currency="EUR", data_end=retailer.END)


@pytest.fixture(scope="module")
def customers(company):
    return summarize(company.transactions, calibration_end="2025-06-15", groups=["channel"]).customers


def test_every_row_of_every_table_is_accounted_for(company, truth):
    """As many read, used and not used as the generator made so; a key of two customers is a conflict of the map."""
    found = company.account.pivot_table(index="source", columns="kind", values="rows", aggfunc="sum", fill_value=0)
    assert (found["read"] == found["used"] + found["orphaned"] + found["dropped"]).all()
    made = truth.dirt.query("kind != 'noted'").pivot_table(
        index="table", columns="kind", values="rows", aggfunc="sum", fill_value=0
    )
    assert set(found.index) == set(made.index)
    conflicts = truth.dirt.query("table == 'identity' and reason == 'key of two customers'")["rows"].sum()
    made.loc["identity", ["used", "dropped"]] += [-conflicts, conflicts]
    assert (found["read"] == made["read"]).all() and (found["used"] == made["used"]).all()
    listed = company.dropped.group_by("source").agg(n=_.count()).execute().set_index("source")["n"]
    assert (listed == (found["orphaned"] + found["dropped"])[listed.index]).all()


def test_merged_customers_are_one(company, truth):
    merged = truth.dirt.query("table == 'customers' and reason == 'customer was merged'")["rows"].sum()
    assert len(company.merged) == merged > 0
    ids = set(company.transactions.table.customer_id.execute())
    assert ids <= set(truth.truth.index) and not ids & set(company.merged["merged"])


def test_orders_have_the_customers_and_the_money_of_the_truth(company, truth):
    orders = company.transactions.table.execute().set_index("order_id")
    own = truth.facts["orders"].set_index("order_no").loc[orders.index]
    assert (orders["customer_id"] == own["customer_id"]).all()
    np.testing.assert_allclose(orders["amount"], own["amount"], atol=0.006)
    lines = truth.facts["order_lines"].groupby("order_no")["cost"].sum()
    known = orders["cost"].notna()
    assert known.mean() > 0.98
    np.testing.assert_allclose(orders.loc[known, "cost"], lines.loc[orders.index[known]], rtol=1e-9, atol=0.011)


def test_statistics_of_cost_models_are_those_of_the_facts(company, customers, truth):
    """Counted a second time, by pandas, from what the generator knows; rows that the dirt lost are few."""
    table = with_costs(company, customers, known_costs(), windows=Windows(), cost_per_minute=0.6).table
    end = pd.Timestamp("2025-06-15")
    dated = {name: frame for name, frame in truth.facts.items() if "time" in frame}
    facts = {name: frame.assign(day=frame["time"].dt.normalize()) for name, frame in dated.items()}
    orders = facts["orders"][facts["orders"]["day"] <= end]
    days = orders.groupby(["customer_id", "day"]).agg(amount=("amount", "sum"), visit=("visit", "first")).reset_index()
    back = facts["returns"].merge(facts["orders"][["order_no", "day"]], on="order_no", suffixes=("", "_bought"))
    back = back.groupby(["customer_id", "day_bought"])["amount"].sum().rename("back").reset_index()
    days = days.merge(back, left_on=["customer_id", "day"], right_on=["customer_id", "day_bought"], how="left")
    old = days[days["day"] <= end - pd.Timedelta(days=30)]
    share = (old["back"] / old["amount"]).fillna(0.0)
    assert abs(table["returnable"].sum() - len(old)) <= 0.01 * len(old)
    assert abs(table["returned"].sum() - (share > 0).sum()) <= 0.02 * (share > 0).sum()
    assert abs(table["returned_whole"].sum() - (share >= 0.995).sum()) <= 0.03 * (share >= 0.995).sum() + 1
    contacts = facts["contacts"][facts["contacts"]["day"] <= end]
    assert 0.9 * len(contacts) <= table["contacts"].sum() <= len(contacts)  # some have no e-mail
    own = np.log(0.6 * contacts["minutes"]).groupby(contacts["customer_id"]).agg(["size", "sum"]).reindex(table.index)
    whole = table["handling_count"] == own["size"]  # all of the customer's contacts were found
    assert whole.sum() > 0.9 * own["size"].notna().sum()
    np.testing.assert_allclose(table.loc[whole, "handling_log_sum"], own.loc[whole, "sum"], atol=1e-9)
    assert table["margin_sum"].sum() / table["margin_count"].sum() == pytest.approx(0.38, abs=0.01)
    brought = facts["referrals"].dropna(subset="referred").query("day <= @end")
    assert 0.6 * len(brought) <= table["referrals"].sum() <= len(brought)


def test_a_later_row_changes_nothing_that_was_known(company, customers):
    """No look ahead: what the tables say up to a day is the same without what came after it."""
    cut = pd.Timestamp("2025-06-15")
    before = purchases(company, Windows(), cut).execute().set_index(["customer_id", "date"]).sort_index()
    later = purchases(company, Windows(), retailer.END).execute().set_index(["customer_id", "date"]).sort_index()
    assert len(later) > len(before) and (later.loc[before.index, "returned"] >= before["returned"]).all()
    early = experience(company, customers)
    assert list(early.columns) == list(available(company.roles)) and set(early) <= set(EXPERIENCE)
    assert early["nps"].between(0, 10).sum() == early["nps"].notna().sum() > 100


def test_profit_made_adds_up_and_periods_do_too(company, customers):
    e = Economics(0.4, 0.1, 52.0, cost_per_order=2.0, cost_per_return=3.0, cost_per_contact=5.0)
    costs = ("returns", "contacts", "bad_debt")
    whole = profit_made(company, customers, e, costs=costs)
    parts = whole.drop(columns=["revenue", "purchases", "profit"])
    assert set(parts) == {"gross margin", "returns", "fulfilment", "service", "payments", "acquisition"}
    pd.testing.assert_series_equal(parts.sum(axis=1), whole["profit"], check_names=False)
    np.testing.assert_allclose(whole["gross margin"], 0.4 * whole["revenue"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(whole["fulfilment"], -2.0 * whole["purchases"])
    day = pd.Timestamp("2025-01-01")
    first = profit_made(company, customers, e, costs=costs, end=day)
    second = profit_made(company, customers, e, costs=costs, start=day + pd.Timedelta(days=1))
    pd.testing.assert_frame_equal(first + second, whole, rtol=1e-6, atol=1e-5)
    assert whole["purchases"].sum() == (customers.table["frequency"] + 1).sum()


def test_acquisition_is_shared_out_in_full(company, customers):
    """The costs of the months in which a channel brought customers, and of no other."""
    made = profit_made(company, customers, Economics(0.4, 0.1, 52.0))
    table, costs = customers.table, company.channel_costs
    month = table["first_purchase"].dt.to_period("M").dt.to_timestamp()
    brought = set(zip(table["channel"], month, strict=True))
    due = sum(row.amount for row in costs.itertuples() if (row.channel, row.month) in brought)
    assert made["acquisition"].sum() == pytest.approx(-due, rel=1e-9)
