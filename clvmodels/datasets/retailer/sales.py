"""The orders of the simulated retailer: what was asked, conceded and paid, in which currency, and what goods cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.habits import GROUPS, ORDER_MARGIN_SD
from clvmodels.datasets.retailer.story import DAYS, START, split_visits, stream

DISCOUNTS = (0.05, 0.10, 0.15, 0.20)
VOUCHER_DISCOUNT = 0.10
MOST_LINES = 4
FRANC, FRANC_SD = 1.05, 0.004  # EUR for one CHF at the start; sd of the log's weekly steps


def simulate_rates(seed: int) -> pd.DataFrame:
    """currency, date (Mondays), rate (EUR for one): the franc walks at random."""
    days = pd.date_range(START, periods=DAYS // 7, freq="7D")
    steps = stream(seed, "rates").normal(0, FRANC_SD, len(days))
    rate = np.round(FRANC * np.exp(np.cumsum(steps)), 4)
    return pd.DataFrame({"currency": "CHF", "date": days, "rate": rate})


def simulate_orders(customers: pd.DataFrame, visits: pd.DataFrame, rates: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row an order, by time.

    order_no, visit (label of the visits), customer_id, time, currency, rate (EUR for one), gross, discount, paid (gross
    less discount; in the currency, to the cent), amount (paid in EUR: the revenue), margin_rate.
    """
    rng = stream(seed, "orders")
    orders = split_visits(visits.rename_axis("visit").reset_index(), rng)
    own = customers.loc[orders["customer_id"]]
    currency = own["currency"].to_numpy()
    week = (orders["time"] - START).dt.days.to_numpy() // 7
    rate = np.where(currency == "EUR", 1.0, rates["rate"].to_numpy()[week])
    share = np.where(rng.uniform(size=len(orders)) < own["discount_rate"], rng.choice(DISCOUNTS, len(orders)), 0.0)
    share = np.where(orders["voucher"], VOUCHER_DISCOUNT, share)
    paid = np.maximum(np.round(orders["amount"].to_numpy() / rate, 2), 0.01)
    discount = np.round(paid * share / (1 - share), 2)
    margin = own["margin_rate"].to_numpy() + rng.normal(0, ORDER_MARGIN_SD, len(orders))
    return orders.drop(columns=["amount", "voucher"]).assign(
        currency=currency,
        rate=rate,
        gross=np.round(paid + discount, 2),
        discount=discount,
        paid=paid,
        amount=paid * rate,
        margin_rate=margin,
    )


def simulate_lines(customers: pd.DataFrame, orders: pd.DataFrame, seed: int) -> pd.DataFrame:
    """One row an order line: order_no, customer_id, time, product_group, amount (paid, EUR), cost (of goods, EUR).

    The amounts of an order's lines sum to its own, whole cents of its currency each. A customer buys from the groups it
    likes; the margin rate is the order's.
    """
    rng = stream(seed, "lines")
    cents = np.round(orders["paid"].to_numpy() * 100).astype(np.int64)
    count = np.minimum(rng.integers(1, MOST_LINES + 1, len(orders)), cents)
    of = np.repeat(np.arange(len(orders)), count)
    total, last = np.cumsum(rng.gamma(2.0, 1.0, len(of))), np.cumsum(count) - 1
    before = np.concatenate([[0.0], total[last[:-1]]])
    # Every line has a cent; weights share the rest, and the last line takes what is left.
    spare = (cents - count)[of]
    ends = np.floor(spare * (total - before[of]) / (total[last] - before)[of]).astype(np.int64)
    ends[last] = spare[last]
    starts = np.where(of == np.roll(of, 1), np.roll(ends, 1), 0)
    starts[0] = 0  # of a single order, too
    paid = (1 + ends - starts) / 100
    amount = paid * orders["rate"].to_numpy()[of]
    return pd.DataFrame(
        {
            "order_no": orders["order_no"].to_numpy()[of],
            "customer_id": orders["customer_id"].to_numpy()[of],
            "time": orders["time"].to_numpy()[of],
            "product_group": _groups(customers, orders["customer_id"].to_numpy()[of], rng),
            "amount": amount,
            "cost": np.round(amount * (1 - orders["margin_rate"].to_numpy()[of]), 2),
        }
    )


def _groups(customers: pd.DataFrame, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A group for each line, even among those that its customer likes."""
    order = np.argsort(rng.uniform(size=(len(customers), len(GROUPS))), axis=1)
    place = customers.index.get_indexer(ids)
    pick = np.floor(rng.uniform(size=len(ids)) * customers["groups_liked"].to_numpy()[place]).astype(int)
    return np.array(GROUPS, dtype=object)[order[place, pick]]
