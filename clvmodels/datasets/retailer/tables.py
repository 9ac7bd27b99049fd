"""The simulated retailer's raw tables: what happened, written down by ten departments, each with its own keys and its
own mistakes, and the account of these mistakes.

While a table is made, the column `fate` says what an honest consolidation does with each row. A row has one mistake at
most, so that its fate depends on no order of rules.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.keys import Keys
from clvmodels.datasets.retailer.story import stream

USED = "used"
NO_KEY, CONFLICT, TWICE, NO_SCORE = "no key", "key of two customers", "entered twice", "score out of range"
UNKNOWN, UNKNOWN_ORDER, NO_CUSTOMER = "unknown key", "unknown order", "order without a customer"
KINDS = {
    USED: "used",
    NO_KEY: "dropped",
    CONFLICT: "dropped",
    TWICE: "dropped",
    NO_SCORE: "dropped",
    UNKNOWN: "orphaned",
    UNKNOWN_ORDER: "orphaned",
    NO_CUSTOMER: "orphaned",
}
"""What is done with a row of each fate. Rows read = used + dropped + orphaned."""
MERGED, NOT_ANSWERED, NOBODY_YET, STRANGER = "customer was merged", "not answered", "nobody joined", "unknown friend"
"""Noted of rows that are used."""

ENTERED_TWICE, GUESTS, BLANK = 0.004, 0.003, 0.01  # shares of rows of orders: copies, guests, accounts with a blank
VISITORS, STRANGERS, TYPOS, DELETED = 0.02, 0.05, 0.002, 0.002  # rows of somebody who is in no table
WRONG_SCORE, REFUSED_TO_SAY = 0.003, 99

Facts = Mapping[str, pd.DataFrame]


def raw_tables(facts: Facts, customers: pd.DataFrame, keys: Keys, seed: int) -> dict[str, pd.DataFrame]:
    """The tables by the names of `SOURCES`, each row with its `fate`, which is not written (`as_written`)."""
    orders = _orders(facts["orders"], keys, stream(seed, "raw orders"))
    return {
        "customers": _customers(customers, keys),
        "identity": keys.identity.assign(fate=USED),
        "orders": orders,
        "order_lines": _of_orders(_lines(facts["order_lines"], orders), orders, stream(seed, "raw lines")),
        "returns": _of_orders(_returns(facts["returns"]), orders, stream(seed, "raw returns")),
        "payments": _of_orders(_payments(facts["payments"], orders), orders, stream(seed, "raw payments")),
        "service": _service(facts["contacts"], keys, stream(seed, "raw service")),
        "surveys": _surveys(facts["surveys"], keys, stream(seed, "raw surveys")),
        "referrals": _referrals(facts["referrals"], keys, stream(seed, "raw referrals")),
        "campaigns": _campaigns(facts["campaigns"], keys, stream(seed, "raw campaigns")),
        "marketing": _marketing(facts["channel_costs"]),
        "rates": facts["rates"].assign(fate=USED),
    }


def as_written(table: pd.DataFrame) -> pd.DataFrame:
    """A table without what only the account of it knows."""
    return table.drop(columns=["fate", "template"], errors="ignore")


def count_dirt(tables: Facts, keys: Keys) -> pd.DataFrame:
    """table, kind (read, used, dropped, orphaned, noted), reason, rows; see `retailer.generate`."""
    rows = []
    for name, table in tables.items():
        rows.append((name, "read", "", len(table)))
        fates = table["fate"].value_counts()
        for fate, kind in KINDS.items():
            if fate in fates:
                reason = "" if fate == USED else fate
                rows.append((name, kind, reason, fates[fate]))
        for reason, count in _noted(name, table[table["fate"] == USED], keys):
            if count:
                rows.append((name, "noted", reason, count))
    dirt = pd.DataFrame(rows, columns=["table", "kind", "reason", "rows"])
    kinds = ["read", "used", "dropped", "orphaned", "noted"]
    place = dirt["table"].map(list(tables).index) * len(kinds) + dirt["kind"].map(kinds.index)
    return dirt.assign(place=place).sort_values(["place", "reason"], ignore_index=True).drop(columns="place")


def _noted(name: str, used: pd.DataFrame, keys: Keys) -> list[tuple[str, int]]:
    """Reasons to say something of used rows, and of how many."""
    identity = keys.identity
    if name == "identity":
        conflicting = {key.lower() for keys_of_system in keys.conflicts.values() for key in keys_of_system}
        plain = identity["key"].str.replace("-", "").str.lower()
        return [(MERGED, (identity["system"] == "customer_id").sum()), (CONFLICT, plain.isin(conflicting).sum())]
    if name == "orders":
        shop = identity[identity["system"] == "shop"]
        merged = shop.loc[shop["crm_id"].isin(keys.duplicates["crm_id"]), "key"]
        return [(MERGED, used["account"].str.strip().isin(merged).sum())]
    if name in ("customers", "campaigns"):
        return [(MERGED, used["crm_id"].isin(keys.duplicates["crm_id"]).sum())]
    if name == "surveys":
        return [(NOT_ANSWERED, used["score"].isna().sum())]
    if name == "referrals":
        card = used["new_card"]
        resolved = card.isin(set(keys.card.dropna()) - keys.conflicts["card"])
        return [(NOBODY_YET, card.isna().sum()), (STRANGER, (card.notna() & ~resolved).sum())]
    return []


def _orders(orders: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> pd.DataFrame:
    """Each order under one of its customer's accounts; guests, who are in no other table; lost accounts; copies."""
    is_second = keys.accounts["customer_id"].duplicated()
    first = keys.accounts[~is_second].set_index("customer_id")["account"]
    second = keys.accounts[is_second].set_index("customer_id")["account"]
    second_account = orders["customer_id"].map(second)
    uses_second = second_account.notna() & (rng.uniform(size=len(orders)) < 0.5)
    account = orders["customer_id"].map(first).mask(uses_second, second_account)
    raw = _columns(orders, order_no=None, ordered_at="time", gross=None, discount=None, paid=None, currency=None)
    raw.insert(2, "account", account)
    raw["fate"] = np.where(account.isin(keys.conflicts["shop"]), CONFLICT, USED)
    raw["template"] = raw["order_no"]
    guests = _strangers(raw[raw["fate"] == USED], GUESTS, rng)
    guests["account"] = [f"G{i}" for i in range(len(guests))]
    guests["order_no"] = [f"B{100000 + i}" for i in range(len(guests))]
    raw = pd.concat([raw, guests.assign(fate=UNKNOWN)]).sort_values("ordered_at", kind="stable", ignore_index=True)
    usable = np.flatnonzero(raw["fate"] == USED)
    lost = rng.choice(usable, min(len(usable), 1 + len(orders) // 5000), replace=False)
    raw.loc[lost, ["account", "fate"]] = [None, NO_KEY]
    is_copied = (rng.uniform(size=len(raw)) < ENTERED_TWICE) & (raw["fate"] == USED)
    copies = raw[is_copied].assign(fate=TWICE)
    raw = pd.concat([raw, copies]).sort_values("ordered_at", kind="stable", ignore_index=True)
    has_blank = (rng.uniform(size=len(raw)) < BLANK) & (raw["fate"] == USED)
    # An order and its copy are alike to the last character, or nobody could tell that it is one.
    has_blank &= ~raw["order_no"].isin(copies["order_no"])
    raw.loc[has_blank, "account"] += " "
    return raw


def _of_orders(rows: pd.DataFrame, orders: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Rows that are reached by the number of an order: without a customer where the order has none, and a few typos."""
    fate_of = orders[orders["fate"] != TWICE].set_index("order_no")["fate"]
    has_customer = rows["order_no"].map(fate_of) == USED
    rows = rows.assign(fate=np.where(has_customer, USED, NO_CUSTOMER))
    typos = _strangers(rows[rows["fate"] == USED], TYPOS, rng)
    typos["order_no"] = "X" + typos["order_no"].str.slice(1)
    return pd.concat([rows, typos.assign(fate=UNKNOWN_ORDER)], ignore_index=True)


def _with_guests(rows: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """Guests' orders have lines and fees, too: those of the order that they were made after."""
    guests = orders.loc[orders["fate"] == UNKNOWN, ["order_no", "template"]]
    copied = guests.merge(rows.rename(columns={"order_no": "template"}), on="template").drop(columns="template")
    return pd.concat([rows, copied[rows.columns]], ignore_index=True)


def _lines(lines: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    return _with_guests(lines[["order_no", "product_group", "amount", "cost"]], orders)


def _returns(returns: pd.DataFrame) -> pd.DataFrame:
    rows = _columns(returns, order_no=None, returned_on="time", refund="amount")
    return rows.assign(returned_on=rows["returned_on"].dt.normalize())


def _payments(payments: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    rows = _columns(payments, order_no=None, day="time", status="kind", amount=None)
    fees = _with_guests(rows[rows["status"] == "fee"], orders)
    rows = pd.concat([fees, rows[rows["status"] != "fee"]]).sort_values("day", kind="stable", ignore_index=True)
    status = rows["status"].replace({"late": "paid_late", "bad_debt": "written_off"})
    return rows.assign(day=rows["day"].dt.normalize(), status=status)


def _service(contacts: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> pd.DataFrame:
    """Addresses as people type them; empty where somebody without one called."""
    rows = _columns(contacts, day="time", topic="kind", minutes=None)
    rows.insert(0, "e_mail", contacts["customer_id"].map(keys.email))
    return _by_email(rows.assign(day=rows["day"].dt.normalize()), keys, VISITORS, rng)


def _surveys(surveys: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> pd.DataFrame:
    """Sent by e-mail only, so that nobody is asked who has none; some scores are a code for "no answer"."""
    rows = _columns(surveys, asked_on="time", survey="kind", score=None)
    rows.insert(0, "e_mail", surveys["customer_id"].map(keys.email))
    rows = rows[rows["e_mail"].notna()].assign(asked_on=rows["asked_on"].dt.normalize())
    rows = _by_email(rows, keys, TYPOS, rng)
    wrong = (rng.uniform(size=len(rows)) < WRONG_SCORE) & (rows["fate"] == USED) & rows["score"].notna()
    rows.loc[wrong, ["score", "fate"]] = [REFUSED_TO_SAY, NO_SCORE]
    return rows.assign(score=rows["score"].astype("Int64"))


def _by_email(rows: pd.DataFrame, keys: Keys, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Rows that are reached by an address, as people type it; a share of them of strangers."""
    missing, of_two = rows["e_mail"].isna(), rows["e_mail"].isin(keys.conflicts["email"])
    rows = rows.assign(fate=np.select([missing, of_two], [NO_KEY, CONFLICT], USED))
    strangers = _strangers(rows[rows["fate"] == USED], share, rng)
    strangers["e_mail"] = [f"visitor{i}@elsewhere.example" for i in range(len(strangers))]
    rows = pd.concat([rows, strangers.assign(fate=UNKNOWN)])
    rows = rows.sort_values("day" if "day" in rows else "asked_on", kind="stable", ignore_index=True)
    habit, address = rng.uniform(size=len(rows)), rows["e_mail"]
    in_capitals, in_title_case, with_blank = habit < 0.1, habit < 0.25, habit < 0.3
    typed = np.select(
        [in_capitals, in_title_case, with_blank], [address.str.upper(), address.str.title(), " " + address], address
    )
    return rows.assign(e_mail=typed)


def _referrals(referrals: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> pd.DataFrame:
    """The cards of who brought and of the new customer. Some friends who did not join took a card all the same."""
    rows = pd.DataFrame(
        {
            "card": referrals["customer_id"].map(keys.card),
            "day": referrals["time"].dt.normalize(),
            "new_card": referrals["referred"].map(keys.card),
        }
    )
    took_a_card = rows["new_card"].isna() & (rng.uniform(size=len(rows)) < 0.5)
    rows.loc[took_a_card, "new_card"] = [f"4712{i:07d}" for i in range(took_a_card.sum())]
    rows["fate"] = np.where(rows["card"].isin(keys.conflicts["card"]), CONFLICT, USED)
    strangers = _strangers(rows[rows["fate"] == USED], STRANGERS, rng).assign(fate=UNKNOWN, new_card=None)
    strangers["card"] = [f"4713{i:07d}" for i in range(len(strangers))]
    return pd.concat([rows, strangers]).sort_values("day", kind="stable", ignore_index=True)


def _campaigns(campaigns: pd.DataFrame, keys: Keys, rng: np.random.Generator) -> pd.DataFrame:
    """Mail goes to one of a customer's numbers, merged ones and deleted ones among them."""
    rows = _columns(campaigns, sent_on="time", campaign="kind", arm=None, cost=None, responded=None)
    duplicates = keys.duplicates.drop_duplicates("customer_id").set_index("customer_id")["crm_id"]
    merged = campaigns["customer_id"].map(duplicates)
    uses_merged = merged.notna() & (rng.uniform(size=len(rows)) < 0.5)
    rows.insert(0, "crm_id", campaigns["customer_id"].mask(uses_merged, merged))
    mail = rows.assign(fate=USED)
    deleted = _strangers(mail[mail["campaign"] == "newsletter"], DELETED, rng).assign(fate=UNKNOWN)
    deleted["crm_id"] = [f"DELETED{i}" for i in range(len(deleted))]
    return pd.concat([mail, deleted]).sort_values("sent_on", kind="stable", ignore_index=True)


def _customers(customers: pd.DataFrame, keys: Keys) -> pd.DataFrame:
    """One row a number of the CRM, merged ones too, and those of the people who tested it."""
    crm_id = np.concatenate([customers.index, keys.duplicates["crm_id"]])
    customer_id = np.concatenate([customers.index, keys.duplicates["customer_id"]])
    rows = customers.loc[customer_id, ["channel", "segment", "joined"]].reset_index(drop=True)
    rows = rows.assign(joined=rows["joined"].dt.normalize(), fate=USED)
    rows.insert(0, "crm_id", crm_id)
    rows.insert(1, "name", keys.name.loc[customer_id].to_numpy())
    tests = rows.head(1 + len(customers) // 1000).assign(name="Test Test", fate=UNKNOWN)
    tests["crm_id"] = [f"TEST{i}" for i in range(len(tests))]
    return pd.concat([rows, tests]).sort_values("crm_id", ignore_index=True)


def _marketing(costs: pd.DataFrame) -> pd.DataFrame:
    return _columns(costs, channel=None, month="time", eur="amount").assign(fate=USED)


def _columns(table: pd.DataFrame, **names: str | None) -> pd.DataFrame:
    """The table's columns under these names, in this order; None where the name stays."""
    return pd.DataFrame({new: table[old or new] for new, old in names.items()})


def _strangers(rows: pd.DataFrame, share: float, rng: np.random.Generator) -> pd.DataFrame:
    """Copies of a share of the rows, one at least, to be made somebody else's."""
    count = min(len(rows), max(1, round(share * len(rows))))
    places = np.sort(rng.choice(len(rows), count, replace=False))
    return rows.iloc[places].copy()
