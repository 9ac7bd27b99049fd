"""The orders of the simulated retailer: what was asked, conceded and paid, in which currency, and what goods cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.habits import GROUPS, ORDER_MARGIN_SD
from clvmodels.datasets.retailer.story import DAYS, START, split_visits, stream

DISCOUNTS = (0.05, 0.10, 0.15, 0.20)
VOUCHER_DISCOUNT = 0.10
MOST_LINES = 4
LINE_KEYS = ("order_no", "customer_id", "time")
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
    buyer = customers.loc[orders["customer_id"]]
    currency = buyer["currency"].to_numpy()
    week = (orders["time"] - START).dt.days.to_numpy() // 7
    rate = np.where(currency == "EUR", 1.0, rates["rate"].to_numpy()[week])
    discounted = rng.uniform(size=len(orders)) < buyer["discount_rate"]
    share = np.where(discounted, rng.choice(DISCOUNTS, len(orders)), 0.0)
    share = np.where(orders["voucher"], VOUCHER_DISCOUNT, share)
    paid = np.maximum(np.round(orders["amount"].to_numpy() / rate, 2), 0.01)
    discount = np.round(paid * share / (1 - share), 2)  # a share of what was asked, and paid is what is left of it
    margin = buyer["margin_rate"].to_numpy() + rng.normal(0, ORDER_MARGIN_SD, len(orders))
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
    place = np.repeat(np.arange(len(orders)), count)  # of each line's order
    paid = _shared_out(cents, count, place, rng.gamma(2.0, 1.0, len(place))) / 100
    of_order = {name: orders[name].to_numpy()[place] for name in (*LINE_KEYS, "rate", "margin_rate")}
    amount = paid * of_order["rate"]
    return pd.DataFrame(
        {
            **{name: of_order[name] for name in LINE_KEYS},
            "product_group": _groups(customers, of_order["customer_id"], rng),
            "amount": amount,
            "cost": np.round(amount * (1 - of_order["margin_rate"]), 2),
        }
    )


def _shared_out(cents: np.ndarray, count: np.ndarray, place: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Whole cents of each line: every line has one, weights share the rest, and the last line takes what is left."""
    total = np.cumsum(weight)
    last = np.cumsum(count) - 1
    before = np.concatenate([[0.0], total[last[:-1]]])
    spare = (cents - count)[place]
    ends = np.floor(spare * (total - before[place]) / (total[last] - before)[place]).astype(np.int64)
    ends[last] = spare[last]
    goes_on = place == np.roll(place, 1)
    starts = np.where(goes_on, np.roll(ends, 1), 0)
    starts[0] = 0  # of a single order, too
    return 1 + ends - starts


def _groups(customers: pd.DataFrame, ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A group for each line, even among those that its customer likes."""
    by_liking = np.argsort(rng.uniform(size=(len(customers), len(GROUPS))), axis=1)
    customer = customers.index.get_indexer(ids)
    liked = customers["groups_liked"].to_numpy()[customer]
    rank = np.floor(rng.uniform(size=len(ids)) * liked).astype(int)
    return np.array(GROUPS, dtype=object)[by_liking[customer, rank]]
