"""The story of the simulated retailer: who joins when, who shops when, and for how much.

Customers join evenly over two years through five channels. Each shops at times of a Poisson process of its own rate
until its lifetime, exponential, is over; rates and hazards are gamma distributed within a channel, a customer's mean
spend is lognormal, and each visit's spend is gamma about it. Now and then a visit becomes two orders of one day.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import numpy as np
import pandas as pd

START, DAYS = pd.Timestamp("2024-01-01"), 728  # 104 weeks from a Monday
END = START + pd.Timedelta(days=DAYS - 1)
"""The last day of every table: all are exported in the evening of this day."""
RATE_SHAPE, HAZARD_SHAPE, SPEND_SD, VISIT_SHAPE = 1.4, 1.6, 0.45, 3.0
TWO_ORDERS = 0.06  # share of visits


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


def stream(seed: int, process: str) -> np.random.Generator:
    """Random numbers of one process: a change in one leaves the others as they are."""
    return np.random.default_rng([seed, zlib.crc32(process.encode())])


def simulate_customers(n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Index customer_id: channel, joined (time of the first visit), purchase_rate, hazard, lifetime, mean_spend."""
    # The order of the draws is that of the lines: another one would make another company of the same seed.
    channel = rng.choice(list(CHANNELS), size=n, p=[channel.share for channel in CHANNELS.values()])
    usual = pd.DataFrame(CHANNELS, index=Channel._fields).T.loc[channel]
    hazard = rng.gamma(HAZARD_SHAPE, 1 / (HAZARD_SHAPE * usual["lifetime"].to_numpy()))
    columns = {
        "channel": channel,
        "joined": START + pd.to_timedelta(np.round(rng.uniform(0, DAYS * 86400, n)), unit="s"),
        "purchase_rate": rng.gamma(RATE_SHAPE, usual["rate"].to_numpy() / RATE_SHAPE),
        "hazard": hazard,
        "lifetime": rng.exponential(1 / hazard),
        "mean_spend": usual["spend"].to_numpy() * np.exp(rng.normal(0, SPEND_SD, n)),
    }
    digits = max(5, len(str(n)))
    ids = [f"C{number:0{digits}d}" for number in 1 + rng.permutation(n)]
    return pd.DataFrame(columns, index=pd.Index(ids, name="customer_id")).sort_index()


def simulate_visits(customers: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """The first visit of each customer, and those of a Poisson process until the lifetime or the data end."""
    observed = (END + pd.Timedelta(days=1) - customers["joined"]).dt.total_seconds().to_numpy() / (7 * 86400)
    active = np.minimum(customers["lifetime"].to_numpy(), observed)
    repeats = rng.poisson(customers["purchase_rate"].to_numpy() * active)
    everyone = np.arange(len(customers))
    visitor = np.concatenate([everyone, np.repeat(everyone, repeats)])
    weeks_of_repeats = rng.uniform(size=repeats.sum()) * np.repeat(active, repeats)
    weeks = np.concatenate([np.zeros(len(customers)), weeks_of_repeats])
    return pd.DataFrame(
        {
            "time": customers["joined"].to_numpy()[visitor] + pd.to_timedelta(np.round(weeks * 7 * 86400), unit="s"),
            "customer_id": customers.index.to_numpy()[visitor],
            "amount": visit_spend(customers["mean_spend"].to_numpy()[visitor], rng),
        }
    )


def visit_spend(mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """EUR paid at visits of customers with these means."""
    return np.maximum(np.round(mean * rng.gamma(VISIT_SHAPE, 1 / VISIT_SHAPE, len(mean)), 2), 0.01)


def split_visits(visits: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Orders by time: some visits become two orders of the same day, which share the visit's spend."""
    large = (visits["amount"] >= 2).to_numpy()  # so that both orders cost something
    divided = (rng.uniform(size=len(visits)) < TWO_ORDERS) & large
    second = visits[divided].copy()
    second["amount"] = np.round(second["amount"] * rng.uniform(0.1, 0.5, len(second)), 2)
    first = visits.copy()
    first.loc[divided, "amount"] = np.round(first.loc[divided, "amount"] - second["amount"], 2)
    midnight = second["time"].dt.normalize() + pd.Timedelta(days=1) - pd.Timedelta(seconds=1)
    second["time"] = np.minimum(second["time"] + pd.Timedelta(minutes=17), midnight)
    orders = pd.concat([first, second]).sort_values("time", kind="stable", ignore_index=True)
    orders.insert(0, "order_no", [f"A{100000 + i}" for i in range(len(orders))])
    return orders
