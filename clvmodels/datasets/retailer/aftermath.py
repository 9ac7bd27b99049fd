"""What follows a visit to the simulated retailer: returns, payments, contacts with the service, surveys.

All of them end with `END`, so that the last weeks' are not complete, as in any export.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.habits import CONTACT_MINUTES_SD
from clvmodels.datasets.retailer.story import END, stream

WHOLE, RETURN_DAYS = 0.5, 20  # share of returns that are of the whole visit; days until then, at most
FEE, FEE_SHARE = 0.30, 0.015  # EUR an order, and of what was paid
WRITTEN_OFF_DAYS = 60
CONTACT_DAYS = 10
ASKED, ASKED_AGAIN, UNANSWERED = 0.20, 0.50, 0.45  # surveys: share of visits, of contacts; of both not answered
GRUDGE, GRUDGE_DAYS = 0.9, 90  # what a complaint takes from contentment, and how long


def simulate_returns(customers: pd.DataFrame, orders: pd.DataFrame, seed: int) -> pd.DataFrame:
    """order_no, visit, customer_id, time, amount (EUR, positive).

    A visit is returned with the customer's own probability, the orders of one visit together: whole or a share.
    """
    rng = stream(seed, "returns")
    visits = orders.drop_duplicates("visit")[["visit", "customer_id"]]
    n = len(visits)
    probability = customers["return_rate"].loc[visits["customer_id"]].to_numpy()
    back = visits.assign(
        share=np.where(rng.uniform(size=n) < WHOLE, 1.0, rng.uniform(0.2, 0.9, n)),
        days=rng.integers(1, RETURN_DAYS + 1, n),
    )[rng.uniform(size=n) < probability]
    rows = orders[["order_no", "visit", "customer_id", "time", "amount"]].merge(back[["visit", "share", "days"]])
    part = np.maximum(np.round(rows["amount"] * rows["share"], 2), 0.01)
    # Of a whole return exactly what was paid, francs too.
    amount = np.where(rows["share"] == 1, rows["amount"], np.minimum(part, rows["amount"]))
    rows = rows.assign(amount=amount, time=rows["time"] + pd.to_timedelta(rows["days"], unit="D"))
    return exported(rows[["order_no", "visit", "customer_id", "time", "amount"]])


def simulate_payments(customers: pd.DataFrame, orders: pd.DataFrame, returns: pd.DataFrame, seed: int) -> pd.DataFrame:
    """order_no, visit, customer_id, time, kind (fee, late, bad_debt), amount (EUR).

    A fee for every order. The orders of a visit are never paid with the customer's own probability, and what was not
    sent back of them is written off; otherwise they are late with another probability of its own.
    """
    rng = stream(seed, "payments")
    keys = ["order_no", "visit", "customer_id", "time"]
    owed = orders["amount"].to_numpy() - orders["order_no"].map(returns.groupby("order_no")["amount"].sum()).fillna(0)
    of = orders.groupby("visit").ngroup().to_numpy()
    chance, days = rng.uniform(size=of.max() + 1)[of], rng.integers(31, 46, of.max() + 1)[of]
    own = customers.loc[orders["customer_id"]]
    never = chance < own["bad_debt_rate"].to_numpy()
    late = ~never & (chance < (own["bad_debt_rate"] + (1 - own["bad_debt_rate"]) * own["late_rate"]).to_numpy())
    fee = np.round(FEE + FEE_SHARE * orders["amount"], 2)
    after = orders["time"] + pd.to_timedelta(days, unit="D")
    written = orders["time"] + pd.Timedelta(days=WRITTEN_OFF_DAYS)
    never = never & (owed > 0.005).to_numpy()
    return exported(
        pd.concat(
            [
                orders[keys].assign(kind="fee", amount=fee),
                orders[keys].assign(kind="late", amount=orders["amount"], time=after)[late],
                orders[keys].assign(kind="bad_debt", amount=np.round(owed, 2), time=written)[never],
            ]
        )
    )


def simulate_contacts(customers: pd.DataFrame, visits: pd.DataFrame, seed: int) -> pd.DataFrame:
    """visit, customer_id, time, kind (question, complaint), minutes: Poisson about each visit, within some days."""
    rng = stream(seed, "contacts")
    count = rng.poisson(customers["contact_rate"].loc[visits["customer_id"]].to_numpy())
    rows = visits.rename_axis("visit").reset_index()[["visit", "customer_id", "time"]]
    rows = rows.loc[np.repeat(np.arange(len(rows)), count)]
    own = customers.loc[rows["customer_id"]]
    seconds = np.round(rng.uniform(0, CONTACT_DAYS * 86400, len(rows)))
    minutes = own["contact_minutes"].to_numpy() * np.exp(rng.normal(0, CONTACT_MINUTES_SD, len(rows)))
    return exported(
        rows.assign(
            time=rows["time"] + pd.to_timedelta(seconds, unit="s"),
            kind=np.where(rng.uniform(size=len(rows)) < own["complaint_share"].to_numpy(), "complaint", "question"),
            minutes=np.maximum(np.round(minutes, 1), 0.1),
        )
    )


def simulate_surveys(customers: pd.DataFrame, visits: pd.DataFrame, contacts: pd.DataFrame, seed: int) -> pd.DataFrame:
    """customer_id, time, kind (nps after visits, csat after contacts), score (missing where not answered).

    The score is the customer's contentment, less for some months after a complaint, and noise. Whether it is answered
    says nothing of it.
    """
    rng = stream(seed, "surveys")
    after_visits = visits[rng.uniform(size=len(visits)) < ASKED][["customer_id", "time"]].assign(kind="nps")
    after_contacts = contacts[rng.uniform(size=len(contacts)) < ASKED_AGAIN][["customer_id", "time"]]
    rows = pd.concat([after_visits, after_contacts.assign(kind="csat")], ignore_index=True)
    rows["time"] += pd.to_timedelta(np.round(rng.uniform(1, 3, len(rows)) * 86400), unit="s")
    rows = exported(rows)
    complaints = contacts.loc[contacts["kind"] == "complaint", ["customer_id", "time"]].assign(cross=True)
    cross = pd.merge_asof(
        rows, complaints, on="time", by="customer_id", tolerance=pd.Timedelta(days=GRUDGE_DAYS), direction="backward"
    )["cross"].notna()
    mood = customers["contentment"].loc[rows["customer_id"]].to_numpy() - GRUDGE * cross.to_numpy()
    mood = mood + 0.6 * rng.normal(size=len(rows))
    score = np.where(
        rows["kind"] == "nps", np.clip(np.round(7.6 + 1.6 * mood), 0, 10), np.clip(np.round(3.8 + 0.8 * mood), 1, 5)
    )
    return rows.assign(score=np.where(rng.uniform(size=len(rows)) < UNANSWERED, np.nan, score))


def exported(rows: pd.DataFrame) -> pd.DataFrame:
    """What had happened when the tables were exported, by time."""
    known = rows[rows["time"] < END + pd.Timedelta(days=1)]
    return known.sort_values("time", kind="stable", ignore_index=True)
