"""A simulated retailer with known truth: a web shop of two years, as its departments write it down.

The story of visits is in `story.py`; `habits.py` has what each customer is like beyond it, `sales.py` what is bought
and what it cost, `aftermath.py` what follows (returns, payments, service, surveys), `marketing.py` referrals, campaigns
and what channels cost. `keys.py` gives customers a key in every system, `tables.py` makes the raw tables with their
dirt and counts it, `files.py` writes them.

This generator stands alone and shares nothing with the models, so that it tests them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.aftermath import (
    simulate_contacts,
    simulate_payments,
    simulate_returns,
    simulate_surveys,
)
from clvmodels.datasets.retailer.files import SOURCES, write_tables
from clvmodels.datasets.retailer.habits import HABITS, with_habits
from clvmodels.datasets.retailer.keys import simulate_keys
from clvmodels.datasets.retailer.marketing import (
    simulate_campaigns,
    simulate_channel_costs,
    simulate_referrals,
    simulate_voucher,
)
from clvmodels.datasets.retailer.sales import simulate_lines, simulate_orders, simulate_rates
from clvmodels.datasets.retailer.story import CHANNELS, END, START, simulate_customers, simulate_visits
from clvmodels.datasets.retailer.tables import UNKNOWN, as_written, count_dirt, raw_tables
from clvmodels.sources.reasons import Policies
from clvmodels.sources.transactions import Transactions, read_transactions

__all__ = ["CHANNELS", "END", "HABITS", "SOURCES", "START", "Retailer", "generate", "load", "truth", "write"]

SEED = 0


class Retailer(NamedTuple):
    """The whole company; see `generate`."""

    orders: pd.DataFrame
    truth: pd.DataFrame
    facts: Mapping[str, pd.DataFrame]
    tables: Mapping[str, pd.DataFrame]
    dirt: pd.DataFrame


def load(seed: int = SEED, n_customers: int = 3000, dependence: float = 0.0) -> Transactions:
    """The cleaned orders of the retailer: returns and duplicates dropped, groups: channel."""
    return read_transactions(
        generate(n_customers, seed, dependence).orders,
        columns={"date": "time"},
        currency="EUR",
        groups=("channel",),
        policies=Policies(duplicates="drop"),
        data_end=END,
        name="retailer",
    )


def truth(seed: int = SEED, n_customers: int = 3000, dependence: float = 0.0) -> pd.DataFrame:
    """What the generator knows of each customer, in the order of their ids; see `generate`."""
    return generate(n_customers, seed, dependence).truth


def write(folder: str | Path, n_customers: int = 3000, seed: int = SEED, dependence: float = 0.0) -> None:
    """Write the raw tables into a folder, in the files that `SOURCES` describes; those that are there are replaced."""
    write_tables(generate(n_customers, seed, dependence).tables, Path(folder))


def generate(n_customers: int = 3000, seed: int = SEED, dependence: float = 0.0) -> Retailer:
    """Simulate the retailer.

    Parameters
    ----------
    n_customers
        Customers who join over the two years.
    seed
        The same seed gives the same company.
    dependence
        How far return and margin rates go with what a customer spends, which models take as independent; 0, the
        default: not at all. With 1, a customer who spends a standard deviation more than the channel's median
        (1.57 times as much) has 2.7 times its odds to send a visit back and 6 points less margin.

    Returns
    -------
    orders
        The shop's own list, one table: order_id, time (local), customer_id, channel, amount (paid, EUR; returns are
        negative), by time, with rows entered twice and ids that were lost.
    truth
        Index customer_id: the parameters of each customer.

        - channel, segment (private, business; it changes nothing), currency (EUR, CHF); joined (time of the first
          order).
        - purchase_rate (visits a week while active), hazard (a week), lifetime (weeks from the first order; it may
          pass the end of the data), mean_spend (EUR paid a visit: discounts taken off, returns not).
        - margin_rate (mean of its orders' (paid - cost of goods) / paid), groups_liked (product groups that it buys
          from), discount_rate (probability that an order has a discount).
        - return_rate (probability a visit), late_rate, bad_debt_rate (a visit is paid late, is never paid).
        - contact_rate (a visit), contact_minutes (median), complaint_share (of contacts), contentment (mean 0,
          variance 1; the unhappy leave sooner).
        - referral_rate (invitations a visit), referred_by (customer_id, or missing), cost_to_win (EUR, the channel's).
        - voucher_arm (treatment, control, or missing), voucher_effect (visits that the voucher adds, or would have).
    facts
        What happened, without dirt, by name: orders, order_lines, returns, payments, contacts, surveys, referrals,
        campaigns by customer_id and time, amounts in EUR; channel_costs and rates. `visit` labels the visit.
    tables
        What the departments wrote down: the raw tables by the names of `SOURCES`.
    dirt
        table, kind, reason, rows: how many rows of each raw table were read and are to be used, dropped or orphaned
        (read = used + dropped + orphaned); "noted" are rows that are used and of which something is to be said: a
        customer that was merged, a key that the identity table gives to two, a survey that was not answered.
    """
    story = np.random.default_rng(seed)
    customers = with_habits(simulate_customers(n_customers, story), seed, dependence)
    customers, visits = simulate_voucher(customers, simulate_visits(customers, story), seed)
    rates = simulate_rates(seed)
    orders = simulate_orders(customers, visits, rates, seed)
    returns = simulate_returns(customers, orders, seed)
    contacts = simulate_contacts(customers, visits, seed)
    referrals = simulate_referrals(customers, visits, seed)
    facts = {
        "orders": orders,
        "order_lines": simulate_lines(customers, orders, seed),
        "returns": returns,
        "payments": simulate_payments(customers, orders, returns, seed),
        "contacts": contacts,
        "surveys": simulate_surveys(customers, visits, contacts, seed),
        "referrals": referrals,
        "campaigns": simulate_campaigns(customers, orders),
        "channel_costs": simulate_channel_costs(customers, seed),
        "rates": rates,
    }
    joined = referrals.dropna(subset="referred")
    customers["referred_by"] = pd.Series(joined["customer_id"].to_numpy(), joined["referred"], dtype=object)
    count = orders["customer_id"].value_counts()
    users = {"shop": count.index[count > 2], "email": contacts["customer_id"], "card": referrals["customer_id"]}
    keys = simulate_keys(customers, users, joined["referred"], seed)
    with_fates = raw_tables(facts, customers, keys, seed)
    tables = {name: as_written(table) for name, table in with_fates.items()}
    shop_list = _one_list(with_fates["orders"], facts, customers)
    return Retailer(shop_list, customers, facts, tables, count_dirt(with_fates, keys))


def _one_list(raw: pd.DataFrame, facts: Mapping[str, pd.DataFrame], customers: pd.DataFrame) -> pd.DataFrame:
    """Orders of the shop's customers and their returns as one table, the way a small shop exports them."""
    of_customers = raw[raw["fate"] != UNKNOWN]
    orders = facts["orders"].set_index("order_no").loc[of_customers["order_no"]].reset_index()
    orders["lost"] = of_customers["account"].isna().to_numpy()
    returns = facts["returns"]
    negative = returns.assign(amount=-returns["amount"], order_no="R" + returns["order_no"], lost=False)
    rows = pd.concat([orders, negative]).sort_values("time", kind="stable")
    return pd.DataFrame(
        {
            "order_id": rows["order_no"],
            "time": rows["time"],
            "customer_id": rows["customer_id"].mask(rows["lost"]),
            "channel": rows["customer_id"].map(customers["channel"]),
            "amount": np.round(rows["amount"], 2),
        }
    ).reset_index(drop=True)
