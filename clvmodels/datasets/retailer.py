"""A simulated retailer with known truth: the orders of a web shop as an importer meets them.

The story: customers join evenly over two years through five channels. Each shops at times of a Poisson process of its
own rate until its lifetime, exponential, is over; rates and hazards are gamma distributed within a channel, a
customer's mean spend is lognormal, and each visit's spend is gamma about it. Now and then a visit becomes two orders
of one day, and a part is sent back some days later. Then the dirt: orders entered twice, ids that were lost.

This generator stands alone (NumPy only) and shares nothing with the models, so that it tests them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.sources import Policies, Transactions, read_transactions

START, DAYS = pd.Timestamp("2024-01-01"), 728  # 104 weeks from a Monday
END = START + pd.Timedelta(days=DAYS - 1)
RATE_SHAPE, HAZARD_SHAPE, SPEND_SD, VISIT_SHAPE = 1.4, 1.6, 0.45, 3.0
TWO_ORDERS, RETURNED, ENTERED_TWICE = 0.06, 0.04, 0.004  # shares of visits, orders, rows
SEED = 0


class Channel(NamedTuple):
    """What the customers of a channel are like on average."""

    share: float
    rate: float  # visits a week
    lifetime: float  # weeks; the inverse of the mean hazard
    spend: float  # EUR a visit, median customer


CHANNELS = {
    "Referral": Channel(0.14, 0.22, 75.0, 46.0),
    "E-mail": Channel(0.20, 0.26, 55.0, 38.0),
    "Search": Channel(0.30, 0.15, 45.0, 42.0),
    "Marketplace": Channel(0.22, 0.11, 28.0, 30.0),
    "Social": Channel(0.14, 0.13, 20.0, 26.0),
}


def load(seed: int = SEED, n_customers: int = 3000) -> Transactions:
    """The cleaned orders of the retailer: returns and duplicates dropped, groups: channel."""
    orders, _ = generate(n_customers, seed)
    return read_transactions(
        orders,
        columns={"date": "time"},
        currency="EUR",
        groups=("channel",),
        policies=Policies(duplicates="drop"),
        data_end=END,
        name="retailer",
    )


def truth(seed: int = SEED, n_customers: int = 3000) -> pd.DataFrame:
    """What the generator knows of each customer, in the order of their ids; see `generate`."""
    return generate(n_customers, seed)[1]


def generate(n_customers: int = 3000, seed: int = SEED) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Simulate the retailer.

    Parameters
    ----------
    n_customers
        Customers who join over the two years.
    seed
        The same seed gives the same company.

    Returns
    -------
    orders
        order_id, time (local), customer_id, channel, amount (EUR; returns are negative), by time.
    truth
        Index customer_id. channel, joined (time of the first order), purchase_rate (visits a week while active),
        lifetime (weeks from the first order; it may pass the end of the data), mean_spend (EUR a visit, returns not
        taken off).
    """
    rng = np.random.default_rng(seed)
    customers = _customers(n_customers, rng)
    visits = _visits(customers, rng)
    orders = _with_returns(_orders(visits, rng), rng)
    orders = orders[orders["time"] < END + pd.Timedelta(days=1)].sort_values("time", ignore_index=True)
    orders.insert(0, "order_id", [f"A{100000 + i}" for i in range(len(orders))])
    return _with_dirt(orders, rng), customers


def _customers(n: int, rng: np.random.Generator) -> pd.DataFrame:
    channel = rng.choice(list(CHANNELS), size=n, p=[c.share for c in CHANNELS.values()])
    of = pd.DataFrame(CHANNELS, index=Channel._fields).T.loc[channel]
    hazard = rng.gamma(HAZARD_SHAPE, 1 / (HAZARD_SHAPE * of["lifetime"].to_numpy()))
    width = max(5, len(str(n)))
    return pd.DataFrame(
        {
            "channel": channel,
            "joined": START + pd.to_timedelta(np.round(rng.uniform(0, DAYS * 86400, n)), unit="s"),
            "purchase_rate": rng.gamma(RATE_SHAPE, of["rate"].to_numpy() / RATE_SHAPE),
            "lifetime": rng.exponential(1 / hazard),
            "mean_spend": of["spend"].to_numpy() * np.exp(rng.normal(0, SPEND_SD, n)),
        },
        index=pd.Index([f"C{i:0{width}d}" for i in 1 + rng.permutation(n)], name="customer_id"),
    ).sort_index()


def _visits(customers: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The first visit of each customer, and those of a Poisson process until the lifetime or the data end."""
    observed = (END + pd.Timedelta(days=1) - customers["joined"]).dt.total_seconds().to_numpy() / (7 * 86400)
    active = np.minimum(customers["lifetime"].to_numpy(), observed)
    repeats = rng.poisson(customers["purchase_rate"].to_numpy() * active)
    of = np.concatenate([np.arange(len(customers)), np.repeat(np.arange(len(customers)), repeats)])
    weeks = np.concatenate([np.zeros(len(customers)), rng.uniform(size=repeats.sum()) * np.repeat(active, repeats)])
    spend = customers["mean_spend"].to_numpy()[of] * rng.gamma(VISIT_SHAPE, 1 / VISIT_SHAPE, len(of))
    return pd.DataFrame(
        {
            "time": customers["joined"].to_numpy()[of] + pd.to_timedelta(np.round(weeks * 7 * 86400), unit="s"),
            "customer_id": customers.index.to_numpy()[of],
            "channel": customers["channel"].to_numpy()[of],
            "amount": np.maximum(np.round(spend, 2), 0.01),
        }
    )


def _orders(visits: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Some visits become two orders of the same day, which share the visit's spend."""
    two = (rng.uniform(size=len(visits)) < TWO_ORDERS) & (visits["amount"] >= 2).to_numpy()
    second = visits[two].copy()
    second["amount"] = np.round(second["amount"] * rng.uniform(0.1, 0.5, len(second)), 2)
    first = visits.copy()
    first.loc[two, "amount"] = np.round(first.loc[two, "amount"] - second["amount"], 2)
    midnight = second["time"].dt.normalize() + pd.Timedelta(days=1) - pd.Timedelta(seconds=1)
    second["time"] = np.minimum(second["time"] + pd.Timedelta(minutes=17), midnight)
    return pd.concat([first, second], ignore_index=True)


def _with_returns(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    back = orders[rng.uniform(size=len(orders)) < RETURNED].copy()
    part = np.where(rng.uniform(size=len(back)) < 0.5, 1.0, rng.uniform(0.2, 0.9, len(back)))
    back["amount"] = -np.maximum(np.round(back["amount"] * part, 2), 0.01)
    back["time"] += pd.to_timedelta(np.round(rng.uniform(1, 20, len(back)) * 86400), unit="s")
    return pd.concat([orders, back], ignore_index=True)


def _with_dirt(orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Rows entered twice, and a lost id or two in every thousand customers' orders."""
    twice = orders[rng.uniform(size=len(orders)) < ENTERED_TWICE]
    orders = pd.concat([orders, twice]).sort_values("time", kind="stable", ignore_index=True)
    lost = rng.choice(len(orders), size=min(len(orders), 1 + len(orders) // 5000), replace=False)
    orders.loc[lost, "customer_id"] = None
    return orders
