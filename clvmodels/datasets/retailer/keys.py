"""Whose key is whose: the simulated retailer's systems know their customers by shop accounts, e-mail addresses, loyalty
cards and numbers of the CRM, and a table of the CRM says which belong together, with a few contradictions.

The customer's own number in the CRM is the customer_id of the truth. Some customers were entered a second time, a few
of them a third, and merged later.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.story import stream

SECOND_ACCOUNT, NO_EMAIL, CARD = 0.10, 0.03, 0.55  # shares of customers
ENTERED_AGAIN, AGAIN_AND_AGAIN = 0.01, 0.1  # share of customers; of those, who have a third number
LISTED_TWICE = 0.01  # e-mail addresses that stand in the identity table in capitals, too
CONFLICTS = {"shop": 1500, "email": 1000, "card": 1500}  # one key of two customers for so many customers
_GIVEN_NAMES = (
    "Anna",
    "Ben",
    "Chloé",
    "Dörte",
    "Emil",
    "Greta",
    "Inés",
    "Jürgen",
    "Karim",
    "Lea",
    "Noah",
    "Sören",
    "Zoë",
)
_FAMILY_NAMES = (
    "Bauer",
    "Becker",
    "Frank",
    "Günther",
    "Keller",
    "Koch",
    "König",
    "Krüger",
    "Lüthi",
    "Müller",
    "Schäfer",
)
CARDS = "4711"  # first digits of all cards that were given to customers
_HOSTS = ("mail.example", "post.example", "web.example")


class Keys(NamedTuple):
    """What the systems call the customers.

    Parameters
    ----------
    accounts
        account, customer_id: of the shop, one or two a customer.
    email, card, name
        By customer_id: lower case, or missing; digits, or missing.
    duplicates
        crm_id, customer_id: numbers that the CRM has merged.
    conflicts
        By system, keys that the identity table gives to two customers.
    identity
        system, key, crm_id: as the CRM exports it.
    """

    accounts: pd.DataFrame
    email: pd.Series
    card: pd.Series
    name: pd.Series
    duplicates: pd.DataFrame
    conflicts: Mapping[str, frozenset[str]]
    identity: pd.DataFrame


def simulate_keys(
    customers: pd.DataFrame, users: Mapping[str, Iterable[str]], referred: Iterable[str], seed: int
) -> Keys:
    """Keys of all customers. Conflicts are among keys of the `users` of a system (shop, email, card), so that something
    happens under them. Who brought and who was `referred` has a loyalty card for certain."""
    # The order of the draws is that of the lines: another one would make another company of the same seed.
    rng, n, ids = stream(seed, "keys"), len(customers), customers.index
    given_name = rng.choice(_GIVEN_NAMES, n)
    family_name = rng.choice(_FAMILY_NAMES, n)
    host = rng.choice(_HOSTS, n)
    number = 100 + rng.permutation(n)
    people = list(zip(given_name, family_name, host, number, strict=True))
    email = pd.Series([f"{given}.{family}{i}@{host}".lower() for given, family, host, i in people], ids)
    name = pd.Series([f"{given} {family}" for given, family, *_ in people], ids)
    digits = max(6, len(str(n)) + 1)  # enough for all, with gaps
    card_numbers = rng.choice(10 ** (digits + 1), n, replace=False)
    card = pd.Series([f"{CARDS}{i:0{digits + 1}d}" for i in card_numbers], ids)
    has_card = (rng.uniform(size=n) < CARD) | ids.isin([*users["card"], *referred])
    entered_again = _some(ids, max(1, round(ENTERED_AGAIN * n)), rng)
    has_second = (rng.uniform(size=n) < SECOND_ACCOUNT) | ids.isin(entered_again)
    owners = np.concatenate([ids, np.sort(ids[has_second])])
    account_numbers = rng.choice(10**digits, len(owners), replace=False)
    accounts = pd.DataFrame({"account": [f"S{i:0{digits}d}" for i in account_numbers], "customer_id": owners})
    duplicates = _duplicates(entered_again, n, len(ids[0]) - 1, rng)
    email = email.where(rng.uniform(size=n) >= NO_EMAIL)
    card = card.where(has_card)
    second_accounts = accounts.iloc[n:].set_index("customer_id")["account"]
    conflicts = {}
    for system, keys in (("shop", second_accounts), ("email", email), ("card", card)):
        eligible = keys.index.isin(list(users[system])) & ~keys.index.isin(entered_again)
        conflicts[system] = _some(keys[eligible].dropna(), max(1, round(n / CONFLICTS[system])), rng)
    crm_ids = np.concatenate([ids, duplicates["crm_id"]])
    rows = pd.concat(
        [
            _rows("crm", crm_ids, crm_ids),
            _rows("customer_id", duplicates["crm_id"], duplicates["into"]),
            _rows("shop", accounts["account"], _entered_under(accounts, duplicates, n)),
            *_email_rows(email, duplicates, rng),
            _rows("card", _hyphens(card.dropna()), card.dropna().index),
            *(_contradictions(system, keys, accounts, email, card, rng) for system, keys in conflicts.items()),
        ]
    )
    identity = rows.iloc[rng.permutation(len(rows))].reset_index(drop=True)
    merged = duplicates[["crm_id", "customer_id"]]
    of_two = {system: frozenset(keys) for system, keys in conflicts.items()}
    return Keys(accounts, email, card, name, merged, of_two, identity)


def _some(values: Iterable[str], count: int, rng: np.random.Generator) -> np.ndarray:
    """As many of the values as that, or all where there are not so many."""
    choices = np.asarray(list(values), dtype=object)
    return rng.choice(choices, min(count, len(choices)), replace=False)


def _duplicates(again: np.ndarray, n: int, width: int, rng: np.random.Generator) -> pd.DataFrame:
    """crm_id, into (the number that it was merged into), customer_id (at the end of the chain)."""
    chained = again[: max(1, round(AGAIN_AND_AGAIN * len(again)))]
    order = rng.permutation(len(again) + len(chained))
    numbers = [f"C{n + 1 + place:0{width}d}" for place in order]
    second_numbers = numbers[: len(again)]
    into = [*again, *second_numbers[: len(chained)]]  # a third number was merged into the second
    return pd.DataFrame({"crm_id": numbers, "into": into, "customer_id": [*again, *chained]})


def _entered_under(accounts: pd.DataFrame, duplicates: pd.DataFrame, n: int) -> np.ndarray:
    """Second accounts of customers who were entered again belong to the last number that they were given."""
    last = duplicates.drop_duplicates("customer_id", keep="last").set_index("customer_id")["crm_id"]
    owner = accounts["customer_id"].to_numpy(dtype=object)
    of_second_accounts = [last.get(customer_id, customer_id) for customer_id in owner[n:]]
    return np.concatenate([owner[:n], of_second_accounts])


def _email_rows(email: pd.Series, duplicates: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Some are listed in capitals too, and some under both numbers of a customer: neither is a contradiction."""
    addresses = email.dropna()
    capitals = addresses[rng.uniform(size=len(addresses)) < LISTED_TWICE].str.upper()
    under_both = duplicates[duplicates["customer_id"].isin(addresses.index)].iloc[::2]
    return [
        _rows("email", addresses, addresses.index),
        _rows("email", capitals, capitals.index),
        _rows("email", addresses.loc[under_both["customer_id"]], under_both["crm_id"]),
    ]


def _contradictions(
    system: str, keys: np.ndarray, accounts: pd.DataFrame, email: pd.Series, card: pd.Series, rng: np.random.Generator
) -> pd.DataFrame:
    """A second row for each of these keys, which gives it to somebody else."""
    if system == "shop":
        owner_of = accounts.set_index("account")["customer_id"]
    else:
        by_owner = (email if system == "email" else card).dropna()
        owner_of = pd.Series(by_owner.index, index=by_owner.to_numpy())
    everybody = email.index
    somebody_else = [rng.choice(everybody[everybody != owner_of[key]]) for key in keys]
    written = _hyphens(pd.Series(keys, dtype=object)) if system == "card" else keys
    return _rows(system, written, somebody_else)


def _hyphens(cards: pd.Series) -> pd.Series:
    """As the identity table writes cards; the till writes the digits alone."""
    return cards.str.slice(0, 4) + "-" + cards.str.slice(4, 8) + "-" + cards.str.slice(8)


def _rows(system: str, keys: Iterable[str], crm_ids: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame({"system": system, "key": list(keys), "crm_id": list(crm_ids)})
