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
_GIVEN = ("Anna", "Ben", "Chloé", "Dörte", "Emil", "Greta", "Inés", "Jürgen", "Karim", "Lea", "Noah", "Sören", "Zoë")
_FAMILY = ("Bauer", "Becker", "Frank", "Günther", "Keller", "Koch", "König", "Krüger", "Lüthi", "Müller", "Schäfer")
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
    rng, n, ids = stream(seed, "keys"), len(customers), customers.index
    given, family, host = (rng.choice(words, n) for words in (_GIVEN, _FAMILY, _HOSTS))
    numbers = 100 + rng.permutation(n)
    email = pd.Series([f"{g}.{f}{i}@{h}".lower() for g, f, h, i in zip(given, family, host, numbers, strict=True)], ids)
    digits = max(6, len(str(n)) + 1)  # enough for all, with gaps
    card = pd.Series([f"{CARDS}{i:0{digits + 1}d}" for i in rng.choice(10 ** (digits + 1), n, replace=False)], ids)
    has_card = (rng.uniform(size=n) < CARD) | ids.isin([*users["card"], *referred])
    again = _some(ids, max(1, round(ENTERED_AGAIN * n)), rng)
    second = np.sort(ids[(rng.uniform(size=n) < SECOND_ACCOUNT) | ids.isin(again)])
    account = [f"S{i:0{digits}d}" for i in rng.choice(10**digits, n + len(second), replace=False)]
    accounts = pd.DataFrame({"account": account, "customer_id": np.concatenate([ids, second])})
    duplicates = _duplicates(again, n, len(ids[0]) - 1, rng)
    email, card = email.where(rng.uniform(size=n) >= NO_EMAIL), card.where(has_card)
    held = {"shop": accounts.iloc[n:].set_index("customer_id")["account"], "email": email, "card": card}
    conflicts = {
        system: _some(
            keys[keys.index.isin(list(users[system])) & ~keys.index.isin(again)].dropna(),
            max(1, round(n / CONFLICTS[system])),
            rng,
        )
        for system, keys in held.items()
    }
    rows = pd.concat(
        [
            _rows("crm", np.concatenate([ids, duplicates["crm_id"]]), np.concatenate([ids, duplicates["crm_id"]])),
            _rows("customer_id", duplicates["crm_id"], duplicates["into"]),
            _rows("shop", accounts["account"], _entered_under(accounts, duplicates, n)),
            *_email_rows(email, duplicates, rng),
            _rows("card", _hyphens(card.dropna()), card.dropna().index),
            *(_contradictions(system, keys, accounts, email, card, rng) for system, keys in conflicts.items()),
        ]
    )
    identity = rows.iloc[rng.permutation(len(rows))].reset_index(drop=True)
    merged = duplicates[["crm_id", "customer_id"]]
    name = pd.Series([f"{g} {f}" for g, f in zip(given, family, strict=True)], ids)
    return Keys(accounts, email, card, name, merged, {s: frozenset(keys) for s, keys in conflicts.items()}, identity)


def _some(values: Iterable[str], count: int, rng: np.random.Generator) -> np.ndarray:
    known = np.asarray(list(values), dtype=object)
    return rng.choice(known, min(count, len(known)), replace=False)


def _duplicates(again: np.ndarray, n: int, width: int, rng: np.random.Generator) -> pd.DataFrame:
    """crm_id, into (the number that it was merged into), customer_id (at the end of the chain)."""
    chained = again[: max(1, round(AGAIN_AND_AGAIN * len(again)))]
    numbers = [f"C{n + 1 + i:0{width}d}" for i in rng.permutation(len(again) + len(chained))]
    second, third = numbers[: len(again)], numbers[len(again) :]
    into = [*again, *second[: len(chained)]]
    return pd.DataFrame({"crm_id": [*second, *third], "into": into, "customer_id": [*again, *chained]})


def _entered_under(accounts: pd.DataFrame, duplicates: pd.DataFrame, n: int) -> np.ndarray:
    """Second accounts of customers who were entered again belong to the last number that they were given."""
    last = duplicates.drop_duplicates("customer_id", keep="last").set_index("customer_id")["crm_id"]
    owner = accounts["customer_id"].to_numpy(dtype=object)
    return np.concatenate([owner[:n], [last.get(c, c) for c in owner[n:]]])


def _email_rows(email: pd.Series, duplicates: pd.DataFrame, rng: np.random.Generator) -> list[pd.DataFrame]:
    """Some are listed in capitals too, and some under both numbers of a customer: neither is a contradiction."""
    known = email.dropna()
    capitals = known[rng.uniform(size=len(known)) < LISTED_TWICE].str.upper()
    both = duplicates[duplicates["customer_id"].isin(known.index)].iloc[::2]
    return [
        _rows("email", known, known.index),
        _rows("email", capitals, capitals.index),
        _rows("email", known.loc[both["customer_id"]], both["crm_id"]),
    ]


def _contradictions(
    system: str, keys: np.ndarray, accounts: pd.DataFrame, email: pd.Series, card: pd.Series, rng: np.random.Generator
) -> pd.DataFrame:
    """A second row for each of these keys, which gives it to somebody else."""
    owners = {"shop": accounts.set_index("account")["customer_id"]}
    for name, held in (("email", email), ("card", card)):
        owners[name] = pd.Series(held.dropna().index, index=held.dropna().to_numpy())
    others = [rng.choice(email.index[email.index != owners[system][key]]) for key in keys]
    written = _hyphens(pd.Series(keys, dtype=object)) if system == "card" else keys
    return _rows(system, written, others)


def _hyphens(cards: pd.Series) -> pd.Series:
    """As the identity table writes cards; the till writes the digits alone."""
    return cards.str.slice(0, 4) + "-" + cards.str.slice(4, 8) + "-" + cards.str.slice(8)


def _rows(system: str, keys: Iterable[str], crm_ids: Iterable[str]) -> pd.DataFrame:
    return pd.DataFrame({"system": system, "key": list(keys), "crm_id": list(crm_ids)})
