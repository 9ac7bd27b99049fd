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
NEWSLETTER_EVERY, ACTIVE = pd.Timedelta(weeks=4), pd.Timedelta(weeks=24)  # none to who is silent for longer
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
    coin = np.where(rng.uniform(size=n) < 0.5, "treatment", "control")
    arm = pd.Series(coin, customers.index).where(silent)
    weeks_since_joined = (VOUCHER_DAY - customers["joined"]).dt.total_seconds() / (7 * 86400)
    weeks_left = customers["lifetime"].to_numpy() - weeks_since_joined
    effect = np.where(silent & (weeks_left > 0).to_numpy(), VOUCHER_EFFECT, 0.0)
    # Drawn for everybody, treated or not, so that nobody's coin changes what another one does.
    would_come = rng.uniform(size=n) < effect
    weeks = np.minimum(WINDOW[VOUCHER] / 7, weeks_left) * rng.uniform(size=n)
    possible = pd.DataFrame(
        {
            "time": VOUCHER_DAY + pd.to_timedelta(np.round(weeks * 7 * 86400), unit="s"),
            "customer_id": customers.index,
            "amount": visit_spend(customers["mean_spend"], rng),
            "voucher": True,
        }
    )
    added = possible[would_come & (arm == "treatment").to_numpy()]
    invited = customers.assign(voucher_arm=arm, voucher_effect=effect)
    return invited, pd.concat([visits.assign(voucher=False), added], ignore_index=True)


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
    friend = _matched(rows["time"].to_numpy(), friends.to_numpy(), np.timedelta64(JOINED_DAYS, "D"))
    accepted = friend >= 0
    names = friends.index.to_numpy(dtype=object)[friend[accepted]]
    rows["referred"] = pd.Series(names, rows.index[accepted], dtype=object)
    rows.loc[accepted, "time"] = friends.to_numpy()[friend[accepted]]
    return exported(rows)


def _matched(invited: np.ndarray, joined: np.ndarray, within: np.timedelta64) -> np.ndarray:
    """For each invitation (by time) the place of the first free joiner (by time) after it and in time; -1: none."""
    joiner = np.full(len(invited), -1)
    free = 0  # all joiners before this one were brought by somebody, or joined before the invitation
    for i, time in enumerate(invited):
        while free < len(joined) and joined[free] < time:
            free += 1
        if free < len(joined) and joined[free] <= time + within:
            joiner[i] = free
            free += 1
    return joiner


def simulate_campaigns(customers: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """customer_id, time, kind (the campaign), arm (of the voucher), cost (EUR), responded (ordered in time, by END)."""
    visits = orders[["customer_id", "time"]]
    newsletter_days = pd.date_range(START, END, freq=NEWSLETTER_EVERY)[1:]
    sent = [(NEWSLETTER, day, _active(visits, day)) for day in newsletter_days]
    sent += [(VOUCHER, VOUCHER_DAY, customers.index[customers["voucher_arm"].notna()])]
    sent += [(CALL, day, _best(orders, day)) for day in CALL_DAYS]
    mails = [pd.DataFrame({"customer_id": ids, "time": day, "kind": kind}) for kind, day, ids in sent]
    rows = pd.concat(mails).sort_values("time", kind="stable", ignore_index=True)
    rows["customer_id"] = rows["customer_id"].astype(visits["customer_id"].dtype)  # if nobody was written to, too
    rows["cost"] = rows["kind"].map(COST)
    voucher = rows["kind"] == VOUCHER
    rows["arm"] = rows["customer_id"].map(customers["voucher_arm"]).where(voucher)
    rows.loc[rows["arm"] == "control", "cost"] = 0.0
    ordered = visits.assign(ordered=visits["time"])
    next_order = pd.merge_asof(rows, ordered, on="time", by="customer_id", direction="forward")["ordered"]
    rows["responded"] = (next_order - rows["time"]) < pd.to_timedelta(rows["kind"].map(WINDOW), unit="D")
    return rows


def _active(visits: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    """Who ordered lately, by id."""
    recent = visits["time"].between(day - ACTIVE, day, "left")
    return np.sort(visits.loc[recent, "customer_id"].unique())


def _best(orders: pd.DataFrame, day: pd.Timestamp) -> np.ndarray:
    """By revenue of a year, of the active customers."""
    year = orders[orders["time"].between(day - pd.Timedelta(weeks=52), day, "left")]
    revenue = year.groupby("customer_id")["amount"].sum().loc[_active(orders, day)]
    best = revenue.nlargest(round(BEST * len(revenue)))
    return np.sort(best.index)


def simulate_channel_costs(customers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """channel, time (first of the month), amount (EUR): customers who joined x cost to win one, and noise."""
    month = customers["joined"].dt.to_period("M").dt.to_timestamp()
    by_month_and_channel = customers.groupby([month.rename("time"), "channel"])
    joined = by_month_and_channel.size().rename("customers").reset_index()
    cost_of_channel = {name: habits.cost_to_win for name, habits in HABITS.items()}
    cost_to_win = joined["channel"].map(cost_of_channel)
    noise = np.exp(stream(seed, "channel costs").normal(0, NOISE, len(joined)))
    amount = joined["customers"] * cost_to_win * noise
    return joined.assign(amount=np.round(amount, 2))
