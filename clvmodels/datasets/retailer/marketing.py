"""What the simulated retailer's marketing does: newsletters, a randomised voucher, calls to the best customers, a
programme for referrals, and what it pays its channels.

Only the voucher changes anything, and only for customers who are still there: it brings some of them back once more.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.aftermath import exported
from clvmodels.datasets.retailer.habits import HABITS
from clvmodels.datasets.retailer.story import END, START, stream, visit_spend

NEWSLETTER, VOUCHER, CALL = "newsletter", "welcome-back voucher", "VIP call"
COST = {NEWSLETTER: 0.9, VOUCHER: 0.9, CALL: 12.0}  # EUR a customer
WINDOW = {NEWSLETTER: 14, VOUCHER: 56, CALL: 28}  # days in which an order is taken for a response
EVERY, ACTIVE = pd.Timedelta(weeks=4), pd.Timedelta(weeks=24)  # of newsletters; silent for longer: none
VOUCHER_DAY, SILENT = pd.Timestamp("2025-03-03"), pd.Timedelta(weeks=13)
VOUCHER_EFFECT = 0.15  # probability of one more visit, of treated customers who are still there
CALL_DAYS, BEST = (pd.Timestamp("2024-11-04"), pd.Timestamp("2025-06-02")), 0.05  # share of the active customers
INVITED_DAYS, JOINED_DAYS = 14, 42  # from a visit to an invitation, and from there to the friend's first visit
NOISE = 0.1  # sd of the log of a month's cost of a channel


def simulate_voucher(customers: pd.DataFrame, visits: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A coin for each customer who has been silent; the visits that the voucher adds.

    Returns
    -------
    customers
        With voucher_arm (treatment, control, or missing: not silent then) and voucher_effect (expected visits that the
        voucher adds or would have added; 0 for those who are gone).
    visits
        With those that were added, marked `voucher`.
    """
    rng, n = stream(seed, "voucher"), len(customers)
    last = visits[visits["time"] < VOUCHER_DAY].groupby("customer_id")["time"].max().reindex(customers.index)
    silent = (last < VOUCHER_DAY - SILENT).to_numpy()
    arm = pd.Series(np.where(rng.uniform(size=n) < 0.5, "treatment", "control"), customers.index).where(silent)
    left = customers["lifetime"].to_numpy() - (VOUCHER_DAY - customers["joined"]).dt.total_seconds() / (7 * 86400)
    effect = np.where(silent & (left > 0).to_numpy(), VOUCHER_EFFECT, 0.0)
    comes, when, spend = rng.uniform(size=n) < effect, rng.uniform(size=n), visit_spend(customers["mean_spend"], rng)
    weeks = np.minimum(WINDOW[VOUCHER] / 7, left) * when
    added = pd.DataFrame(
        {
            "time": VOUCHER_DAY + pd.to_timedelta(np.round(weeks * 7 * 86400), unit="s"),
            "customer_id": customers.index,
            "amount": spend,
            "voucher": True,
        }
    )[comes & (arm == "treatment").to_numpy()]
    known = customers.assign(voucher_arm=arm, voucher_effect=effect)
    return known, pd.concat([visits.assign(voucher=False), added], ignore_index=True)


def simulate_referrals(customers: pd.DataFrame, visits: pd.DataFrame, seed: int) -> pd.DataFrame:
    """visit, customer_id (who brought), time, referred (the customer who joined, missing where nobody did so far).

    Invitations are Poisson about each visit. Each is taken up by the next customer who joins through the channel
    Referral within some weeks and was brought by nobody else, and is recorded at that time.
    """
    rng = stream(seed, "referrals")
    count = rng.poisson(customers["referral_rate"].loc[visits["customer_id"]].to_numpy())
    rows = visits.rename_axis("visit").reset_index()[["visit", "customer_id", "time"]]
    rows = rows.loc[np.repeat(np.arange(len(rows)), count)]
    rows["time"] += pd.to_timedelta(np.round(rng.uniform(0, INVITED_DAYS * 86400, len(rows))), unit="s")
    rows = exported(rows)
    friends = customers.loc[customers["channel"] == "Referral", "joined"].sort_values(kind="stable")
    taken = _matched(rows["time"].to_numpy(), friends.to_numpy(), np.timedelta64(JOINED_DAYS, "D"))
    found = taken >= 0
    rows["referred"] = pd.Series(friends.index.to_numpy(dtype=object)[taken[found]], rows.index[found], dtype=object)
    rows.loc[found, "time"] = friends.to_numpy()[taken[found]]
    return exported(rows)


def _matched(invited: np.ndarray, joined: np.ndarray, within: np.timedelta64) -> np.ndarray:
    """For each invitation (by time) the place of the first free joiner (by time) after it and in time; -1: none."""
    taken, j = np.full(len(invited), -1), 0
    for i, time in enumerate(invited):
        while j < len(joined) and joined[j] < time:
            j += 1
        if j < len(joined) and joined[j] <= time + within:
            taken[i], j = j, j + 1
    return taken


def simulate_campaigns(customers: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """customer_id, time, kind (the campaign), arm (of the voucher), cost (EUR), responded (ordered in time, by END)."""
    visits = orders[["customer_id", "time"]]
    sent = [(NEWSLETTER, day, _active(visits, day)) for day in pd.date_range(START, END, freq=EVERY)[1:]]
    sent += [(VOUCHER, VOUCHER_DAY, customers.index[customers["voucher_arm"].notna()])]
    sent += [(CALL, day, _best(orders, day)) for day in CALL_DAYS]
    mails = [pd.DataFrame({"customer_id": ids, "time": day, "kind": kind}) for kind, day, ids in sent]
    rows = pd.concat(mails).sort_values("time", kind="stable", ignore_index=True)
    rows["customer_id"] = rows["customer_id"].astype(visits["customer_id"].dtype)  # if nobody was written to, too
    rows["cost"] = rows["kind"].map(COST)
    voucher = rows["kind"] == VOUCHER
    rows["arm"] = rows["customer_id"].map(customers["voucher_arm"]).where(voucher)
    rows.loc[rows["arm"] == "control", "cost"] = 0.0
    came = visits.assign(came=visits["time"])
    after = pd.merge_asof(rows, came, on="time", by="customer_id", direction="forward")["came"]
    rows["responded"] = (after - rows["time"]) < pd.to_timedelta(rows["kind"].map(WINDOW), unit="D")
    return rows


def _active(visits: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    return np.sort(visits.loc[visits["time"].between(day - ACTIVE, day, "left"), "customer_id"].unique())


def _best(orders: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    """By revenue of a year, of the active customers."""
    year = orders[orders["time"].between(day - pd.Timedelta(weeks=52), day, "left")]
    revenue = year.groupby("customer_id")["amount"].sum().loc[_active(orders, day)]
    return np.sort(revenue.nlargest(round(BEST * len(revenue))).index)


def simulate_channel_costs(customers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """channel, time (first of the month), amount (EUR): customers who joined x cost to win one, and noise."""
    month = customers["joined"].dt.to_period("M").dt.to_timestamp()
    joined = customers.groupby([month.rename("time"), "channel"]).size().rename("customers").reset_index()
    each = joined["channel"].map({name: habits.cost_to_win for name, habits in HABITS.items()})
    noise = np.exp(stream(seed, "channel costs").normal(0, NOISE, len(joined)))
    return joined.assign(amount=np.round(joined["customers"] * each * noise, 2))
