"""What follows a visit to the simulated retailer: returns, payments, contacts with the service, surveys.

All of them end with `END`, so that the last weeks' are not complete, as in any export.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.habits import CONTACT_MINUTES_SD
from clvmodels.datasets.retailer.story import END, stream

WHOLE_VISIT, RETURN_DAYS = 0.5, 20  # share of returns that are of the whole visit; days until then, at most
FEE, FEE_SHARE = 0.30, 0.015  # EUR an order, and of what was paid
WRITTEN_OFF_DAYS = 60
CONTACT_DAYS = 10
SURVEYED_VISITS, SURVEYED_CONTACTS, UNANSWERED = 0.20, 0.50, 0.45  # shares; the last is of the surveys
GRUDGE, GRUDGE_DAYS = 0.9, 90  # what a complaint takes from contentment, and how long
MOOD_SD = 0.6  # of the day's mood about contentment


def simulate_returns(customers: pd.DataFrame, orders: pd.DataFrame, seed: int) -> pd.DataFrame:
    """order_no, visit, customer_id, time, amount (EUR, positive).

    A visit is returned with the customer's own probability, the orders of one visit together: whole or a share.
    """
    rng = stream(seed, "returns")
    visits = orders.drop_duplicates("visit")[["visit", "customer_id"]]
    n = len(visits)
    probability = customers["return_rate"].loc[visits["customer_id"]].to_numpy()
    is_whole = rng.uniform(size=n) < WHOLE_VISIT
    share = np.where(is_whole, 1.0, rng.uniform(0.2, 0.9, n))
    days = rng.integers(1, RETURN_DAYS + 1, n)
    returned = visits.assign(share=share, days=days)[rng.uniform(size=n) < probability]
    columns = ["order_no", "visit", "customer_id", "time", "amount"]
    rows = orders[columns].merge(returned[["visit", "share", "days"]])
    part = np.maximum(np.round(rows["amount"] * rows["share"], 2), 0.01)
    # Of a whole return exactly what was paid, francs too.
    amount = np.where(rows["share"] == 1, rows["amount"], np.minimum(part, rows["amount"]))
    rows = rows.assign(amount=amount, time=rows["time"] + pd.to_timedelta(rows["days"], unit="D"))
    return exported(rows[columns])


def simulate_payments(customers: pd.DataFrame, orders: pd.DataFrame, returns: pd.DataFrame, seed: int) -> pd.DataFrame:
    """order_no, visit, customer_id, time, kind (fee, late, bad_debt), amount (EUR).

    A fee for every order. The orders of a visit are never paid with the customer's own probability, and what was not
    sent back of them is written off; otherwise they are late with another probability of its own.
    """
    rng = stream(seed, "payments")
    keys = ["order_no", "visit", "customer_id", "time"]
    sent_back = orders["order_no"].map(returns.groupby("order_no")["amount"].sum()).fillna(0)
    owed = orders["amount"].to_numpy() - sent_back
    visit = orders.groupby("visit").ngroup().to_numpy()
    chance = rng.uniform(size=visit.max() + 1)[visit]  # one of all orders of a visit, as are the days
    days = rng.integers(31, 46, visit.max() + 1)[visit]
    buyer = customers.loc[orders["customer_id"]]
    late_or_never = buyer["bad_debt_rate"] + (1 - buyer["bad_debt_rate"]) * buyer["late_rate"]
    never = chance < buyer["bad_debt_rate"].to_numpy()
    late = ~never & (chance < late_or_never.to_numpy())
    written_off = never & (owed > 0.005).to_numpy()  # half a cent is rounding
    fee = np.round(FEE + FEE_SHARE * orders["amount"], 2)
    late_day = orders["time"] + pd.to_timedelta(days, unit="D")
    written_off_day = orders["time"] + pd.Timedelta(days=WRITTEN_OFF_DAYS)
    rows = [
        orders[keys].assign(kind="fee", amount=fee),
        orders[keys].assign(kind="late", amount=orders["amount"], time=late_day)[late],
        orders[keys].assign(kind="bad_debt", amount=np.round(owed, 2), time=written_off_day)[written_off],
    ]
    return exported(pd.concat(rows))


def simulate_contacts(customers: pd.DataFrame, visits: pd.DataFrame, seed: int) -> pd.DataFrame:
    """visit, customer_id, time, kind (question, complaint), minutes: Poisson about each visit, within some days."""
    rng = stream(seed, "contacts")
    count = rng.poisson(customers["contact_rate"].loc[visits["customer_id"]].to_numpy())
    rows = visits.rename_axis("visit").reset_index()[["visit", "customer_id", "time"]]
    rows = rows.loc[np.repeat(np.arange(len(rows)), count)]
    caller = customers.loc[rows["customer_id"]]
    seconds = np.round(rng.uniform(0, CONTACT_DAYS * 86400, len(rows)))
    minutes = caller["contact_minutes"].to_numpy() * np.exp(rng.normal(0, CONTACT_MINUTES_SD, len(rows)))
    complains = rng.uniform(size=len(rows)) < caller["complaint_share"].to_numpy()
    return exported(
        rows.assign(
            time=rows["time"] + pd.to_timedelta(seconds, unit="s"),
            kind=np.where(complains, "complaint", "question"),
            minutes=np.maximum(np.round(minutes, 1), 0.1),
        )
    )


def simulate_surveys(customers: pd.DataFrame, visits: pd.DataFrame, contacts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """customer_id, time, kind (nps after visits, csat after contacts), score (missing where not answered).

    The score is the customer's contentment, less for some months after a complaint, and noise. Whether it is answered
    says nothing of it.
    """
    rng = stream(seed, "surveys")
    columns = ["customer_id", "time"]
    is_surveyed = rng.uniform(size=len(visits)) < SURVEYED_VISITS
    after_visits = visits.loc[is_surveyed, columns].assign(kind="nps")
    is_surveyed = rng.uniform(size=len(contacts)) < SURVEYED_CONTACTS
    after_contacts = contacts.loc[is_surveyed, columns].assign(kind="csat")
    rows = pd.concat([after_visits, after_contacts], ignore_index=True)
    seconds = np.round(rng.uniform(1, 3, len(rows)) * 86400)
    rows["time"] += pd.to_timedelta(seconds, unit="s")
    rows = exported(rows)
    contentment = customers["contentment"].loc[rows["customer_id"]].to_numpy()
    mood = contentment - GRUDGE * _bears_a_grudge(rows, contacts)
    mood = mood + MOOD_SD * rng.normal(size=len(rows))
    nps = np.clip(np.round(7.6 + 1.6 * mood), 0, 10)
    csat = np.clip(np.round(3.8 + 0.8 * mood), 1, 5)
    score = np.where(rows["kind"] == "nps", nps, csat)
    is_unanswered = rng.uniform(size=len(rows)) < UNANSWERED
    return rows.assign(score=np.where(is_unanswered, np.nan, score))


def _bears_a_grudge(surveys: pd.DataFrame, contacts: pd.DataFrame) -> np.ndarray:
    """Whether the customer complained in the months before."""
    complaints = contacts.loc[contacts["kind"] == "complaint", ["customer_id", "time"]].assign(complained=True)
    latest = pd.merge_asof(
        surveys, complaints, on="time", by="customer_id", tolerance=pd.Timedelta(days=GRUDGE_DAYS), direction="backward"
    )
    return latest["complained"].notna().to_numpy()


def exported(rows: pd.DataFrame) -> pd.DataFrame:
    """What had happened when the tables were exported, by time."""
    past = rows[rows["time"] < END + pd.Timedelta(days=1)]
    return past.sort_values("time", kind="stable", ignore_index=True)
