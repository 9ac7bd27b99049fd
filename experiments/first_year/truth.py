"""What a new customer of the simulated retailer truly brings in the first year, by channel: many newcomers, one year.

The simulator's own parts are called with newcomers who all join in the first four weeks, so that a year after each of
them is complete, and so is what follows its purchases; nothing of models, futures, valuation or accounts is read. The
economics are those of the experiment, applied to each order, return, contact, bill and newsletter by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.aftermath import simulate_contacts, simulate_payments, simulate_returns
from clvmodels.datasets.retailer.habits import with_habits
from clvmodels.datasets.retailer.marketing import NEWSLETTER, simulate_campaigns
from clvmodels.datasets.retailer.sales import simulate_orders, simulate_rates
from clvmodels.datasets.retailer.story import START, simulate_customers, simulate_visits

NEWCOMERS, SEED = 400_000, 2_024
JOINED_WITHIN = 28 * 86_400
"""Seconds in which all of them join: newsletters come every four weeks."""
DAY = pd.Timedelta(days=1)


def true_profits(economics: Any, days: int, newcomers: int = NEWCOMERS, seed: int = SEED) -> pd.DataFrame:
    """By channel: newcomers, profit (mean of the first `days` days, discounted to the first purchase, before the cost
    to win) and its standard error."""
    customers, facts = simulate_newcomers(newcomers, seed)
    profit = profits(customers, facts, economics, days)
    by_channel = profit.groupby(customers["channel"])
    table = by_channel.agg(["size", "mean", "sem"])
    return table.set_axis(["newcomers", "profit", "standard_error"], axis=1)


def simulate_newcomers(newcomers: int, seed: int) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Customers who join early, and what happens to them: orders, returns, payments, contacts, campaigns."""
    rng = np.random.default_rng([seed, 1])
    customers = with_habits(simulate_customers(newcomers, rng), seed)
    seconds = np.round(rng.uniform(0, JOINED_WITHIN, newcomers))
    customers = customers.assign(joined=START + pd.to_timedelta(seconds, unit="s"), voucher_arm=None)
    visits = simulate_visits(customers, rng).assign(voucher=False)
    orders = simulate_orders(customers, visits, simulate_rates(seed), seed)
    returns = simulate_returns(customers, orders, seed)
    facts = {
        "orders": orders,
        "returns": returns,
        "payments": simulate_payments(customers, orders, returns, seed),
        "contacts": simulate_contacts(customers, visits, seed),
        "campaigns": simulate_campaigns(customers, orders),
    }
    return customers, facts


def profits(customers: pd.DataFrame, facts: Mapping[str, pd.DataFrame], economics: Any, days: int) -> pd.Series:
    """Each newcomer's profit, by customer_id. What comes with a purchase counts on its day."""
    orders, returns = facts["orders"], facts["returns"].groupby("visit")["amount"].sum()
    first_day = customers["joined"].dt.normalize()
    margin = orders["amount"] * orders["margin_rate"]
    visits = orders.assign(margin=margin).groupby(["visit", "customer_id"], as_index=False)
    visits = visits.agg(time=("time", "min"), amount=("amount", "sum"), margin=("margin", "sum")).set_index("visit")
    day = visits["time"].dt.normalize()
    age = ((day - visits["customer_id"].map(first_day)) / DAY).to_numpy()
    sent_back = returns.reindex(visits.index).fillna(0.0)
    unpaid = facts["payments"].query("kind == 'bad_debt'").groupby("visit")["amount"].sum()
    minutes = facts["contacts"].groupby("visit")["minutes"].sum()
    rate = visits["margin"] / visits["amount"]
    lost = (1.0 - economics.resold) * rate + economics.written_off * (1.0 - rate)
    # all visits of a day are one purchase, which is packed once and billed once
    is_purchase = ~pd.DataFrame({"who": visits["customer_id"], "day": day}).duplicated()
    worth = (
        visits["margin"]
        - economics.payment_fee * visits["amount"]
        - is_purchase * (economics.cost_per_order + economics.payment_fee_per_order)
        - sent_back * lost
        - (sent_back > 0) * economics.cost_per_return
        - (1.0 - economics.recovered) * unpaid.reindex(visits.index).fillna(0.0)
        - economics.cost_per_minute * minutes.reindex(visits.index).fillna(0.0)
    )
    of_visits = _discounted(worth, age, economics, days).groupby(visits["customer_id"]).sum()
    mails = facts["campaigns"].query("kind == @NEWSLETTER", local_dict={"NEWSLETTER": NEWSLETTER})
    age_of_mail = ((mails["time"] - mails["customer_id"].map(first_day)) / DAY).to_numpy()
    of_mails = _discounted(-mails["cost"], age_of_mail, economics, days).groupby(mails["customer_id"]).sum()
    everybody = customers.index
    return of_visits.reindex(everybody).fillna(0.0) + of_mails.reindex(everybody).fillna(0.0)


def _discounted(amounts: pd.Series, age: np.ndarray, economics: Any, days: int) -> pd.Series:
    """Amounts of the first days, as of the first one."""
    factor = (1.0 + economics.annual_discount_rate) ** (-age / 365.25)
    return amounts * factor * (age < days)
