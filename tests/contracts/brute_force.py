"""Customers followed event by event, for comparison with `clvmodels.valuation.parts`, of which nothing is used here.

What is true of a customer is drawn from the population and kept as often as it explains the customer's history
(rejection), so that no posterior is written down. Then purchases come one after the other, each with its own amount,
margin, return, payment, contacts and referrals; each customer who is brought is followed in the same way. NumPy only.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

DAYS = 7.0  # in a time unit, a week
YEAR = 365.25


@dataclass(frozen=True)
class World:
    """The population (parameters by role), how customers leave ("clock" or "coin"), how they pay ("gamma" or
    "lognormal"), and the economics."""

    theta: dict[str, dict[str, float]]
    leaves: str
    pays: str
    horizon: float
    margin: float | None = None
    rate: float = 0.12
    per_order: float = 0.0
    per_return: float = 0.0
    per_contact: float = 0.0
    resold: float = 0.0
    written_off: float = 0.0
    fee: float = 0.0
    fee_per_order: float = 0.0
    recovered: float = 0.0
    contact_cost: float = 0.0
    every: float = 4.0
    until_silent: float = 8.0
    incremental: float = 0.0
    reward: float = 0.0

    @property
    def contact_dates(self) -> np.ndarray:
        dates = self.every * np.arange(0.0, self.horizon / self.every + 1.0)
        return dates[dates < self.horizon]

    def factor(self, t: np.ndarray) -> np.ndarray:
        """A purchase counts by the mean factor of its period: from one contact date to the next, or to the horizon."""
        bounds = np.unique(np.r_[0.0, self.contact_dates, self.horizon])
        assert np.diff(bounds).max() * DAYS <= YEAR / 12.0
        fine = (np.arange(2000) + 0.5) / 2000.0
        each = bounds[:-1, None] + np.diff(bounds)[:, None] * fine
        means = ((1.0 + self.rate) ** (-each * DAYS / YEAR)).mean(axis=1)
        return means[np.clip(np.searchsorted(bounds, t) - 1, 0, len(means) - 1)]


@dataclass(frozen=True)
class History:
    """Repeat purchases x at ages up to t_x, seen to age T; what they paid; and by role what came with purchases."""

    x: int = 0
    t_x: float = 0.0
    T: float = 0.0
    amounts: tuple[float, ...] = ()
    returns: tuple[int, int] = (0, 0)
    bad_debt: tuple[int, int] = (0, 0)
    contacts: tuple[int, int] = (0, 0)
    handling: tuple[float, ...] = ()
    referrals: tuple[int, int] = (0, 0)
    margin: tuple[float, ...] = ()
    silence: float = field(default=0.0, init=False)

    def __post_init__(self):
        object.__setattr__(self, "silence", self.T - self.t_x)


def individuals(world: World, history: History, size: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """What is true of `size` customers with this history."""
    own: dict[str, np.ndarray] = {}
    x, t_x, T = history.x, history.t_x, history.T
    buys = world.theta["purchases"]

    def most(power, times):  # of lambda^power exp(-lambda times)
        return power * np.log(power / times) - power if power else 0.0

    def rates(n):
        return rng.gamma(buys["r"], 1.0 / buys["alpha"], n)

    if world.leaves == "clock":

        def propose(n):
            rate, ages = rates(n), rng.exponential(1.0, n)
            hazard = rng.gamma(buys["s"], 1.0 / buys["beta"], n)
            return rate, ages / hazard, hazard

        def explains(drawn):
            rate, end, _ = drawn
            with np.errstate(divide="ignore"):
                return x * np.log(rate) - rate * np.minimum(end, T) + np.where(end >= t_x, 0.0, -np.inf)

        own["rate"], end, own["hazard"] = _kept(size, propose, explains, most(x, t_x), rng)
        own["left"] = np.maximum(end - T, 0.0)
        own["coin"] = np.zeros(size)
    else:

        def propose(n):  # the coins of the past are tossed: how many purchases until it falls
            coin = rng.beta(buys["a"], buys["b"], n)
            return rates(n), coin, rng.geometric(np.maximum(coin, 1e-300), n).astype(float)

        def explains(drawn):
            rate, _, lasts = drawn
            seen = np.where(lasts == x, t_x, T) if x else np.full(len(rate), T)
            with np.errstate(divide="ignore"):
                return x * np.log(rate) - rate * seen + np.where(lasts >= max(x, 1), 0.0, -np.inf)

        own["rate"], own["coin"], lasts = _kept(size, propose, explains, most(x, t_x), rng)
        own["left"] = np.where(lasts > x, np.inf, 0.0)
    _money(world, history, size, rng, own)
    for role in ("returns", "bad_debt"):
        if role in world.theta:
            n, k = getattr(history, role)
            law = world.theta[role]
            a, b = law["mu"] * law["phi"], (1.0 - law["mu"]) * law["phi"]

            def chance(p, n=n, k=k):
                with np.errstate(divide="ignore", invalid="ignore"):
                    return np.where(k > 0, k * np.log(p[0]), 0.0) + np.where(n > k, (n - k) * np.log1p(-p[0]), 0.0)

            top = float(chance([np.array([k / n])])[0]) if 0 < k < n else 0.0
            (own[role],) = _kept(size, lambda m, a=a, b=b: (rng.beta(a, b, m),), chance, top, rng)
    for role in ("contacts", "referrals"):
        if role in world.theta:
            (n, k), law = getattr(history, role), world.theta[role]
            (own[role],) = _kept(
                size,
                lambda m, law=law: (rng.gamma(law["r"], law["mu"] / law["r"], m),),
                lambda c, n=n, k=k: (k * np.log(c[0]) if k else 0.0) - n * c[0],
                most(k, n),
                rng,
            )
    if "margin" in world.theta:
        own["margin"] = _normal(world.theta["margin"], world.theta["margin"]["m"], history.margin, size, rng)
    if "handling" in world.theta:
        law = world.theta["handling"]
        own["handling"] = _normal(law, np.log(law["m"]), np.log(history.handling), size, rng)
    return own


def _money(world, history, size, rng, own) -> None:
    law, amounts = world.theta["spend"], np.array(history.amounts)
    if world.pays == "lognormal":
        own["pays"] = _normal(law, np.log(law["m"]), np.log(amounts), size, rng)
        return
    power, total = law["p"] * len(amounts), amounts.sum()
    top = power * np.log(power / total) - power if len(amounts) else 0.0
    (own["pays"],) = _kept(
        size,
        lambda m: (rng.gamma(law["q"], 1.0 / law["v"], m),),
        lambda nu: power * np.log(nu[0]) - total * nu[0],
        top,
        rng,
    )


def _normal(law, centre, seen, size, rng):
    seen = np.asarray(seen, dtype=float)
    mean = seen.mean() if len(seen) else 0.0

    def explains(g):
        return -len(seen) * (g[0] - mean) ** 2 / 2.0 / law["sigma"] ** 2

    return _kept(size, lambda m: (rng.normal(centre, law["tau"], m),), explains, 0.0, rng)[0]


def _kept(size, propose, log_weight, log_most, rng):
    """Proposals kept with probability exp(log_weight - log_most), `size` of them."""
    found, have = [], 0
    while have < size:
        drawn = propose(4 * size)
        excess = log_weight(drawn) - log_most
        assert np.max(excess) < 1e-9, "the weight is bounded"
        keep = np.log(1.0 - rng.random(4 * size)) < excess
        found.append([values[keep] for values in drawn])
        have += int(keep.sum())
    return [np.concatenate(parts)[:size] for parts in zip(*found, strict=True)]


def with_other_luck(own: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """The same customers, who may last for another time: those who have left have left."""
    if "hazard" not in own:
        return own
    left = rng.exponential(1.0, len(own["hazard"])) / own["hazard"]
    return own | {"left": np.where(own["left"] > 0, left, 0.0)}


PARTS = ("gross margin", "returns", "fulfilment", "service", "payments", "retention", "referrals")


def futures(
    world: World, history: History, size: int, rng: np.random.Generator, new: bool = False, own: dict | None = None
) -> dict:
    """Each part of `size` futures, discounted; of new customers the first order too, and no referrals. `own` is what is
    true of the customers, where they are known."""
    own = individuals(world, history, size, rng) if own is None else own
    money = {part: np.zeros(size) for part in PARTS}
    dates = world.contact_dates
    contacted = np.zeros((size, len(dates)), dtype=bool)
    if new:
        contacted |= dates < world.until_silent
        _order(world, own, np.arange(size), np.zeros(size), np.ones(size), money, rng, new)
    else:
        contacted |= dates < world.until_silent - history.silence
    who, t = np.arange(size), np.zeros(size)
    ends = np.minimum(own["left"], world.horizon)
    while len(who):
        with np.errstate(divide="ignore"):
            t = t + rng.exponential(1.0, len(who)) / own["rate"][who]
        who, t = who[t < ends[who]], t[t < ends[who]]
        contacted[who] |= (dates >= t[:, None]) & (dates < t[:, None] + world.until_silent)
        _order(world, own, who, t, world.factor(t), money, rng, new)
        stays = rng.random(len(who)) >= own["coin"][who]
        who, t = who[stays], t[stays]
    money["retention"] = -world.contact_cost * (contacted * (1.0 + world.rate) ** (-dates * DAYS / YEAR)).sum(axis=1)
    return money


def _order(world, own, who, t, factor, money, rng, new) -> None:
    """One purchase of each of `who`, at its own date."""
    size, theta = len(who), world.theta
    spend = theta["spend"]
    if world.pays == "lognormal":
        amount = np.exp(own["pays"][who] + spend["sigma"] * rng.standard_normal(size))
    else:
        amount = rng.gamma(spend["p"], 1.0, size) / own["pays"][who]
    margin = np.full(size, world.margin or 0.0)
    if "margin" in theta:
        margin = rng.normal(own["margin"][who], theta["margin"]["sigma"])
    np.add.at(money["gross margin"], who, factor * amount * margin)
    np.add.at(money["fulfilment"], who, -factor * world.per_order)
    paid = -world.fee * amount - world.fee_per_order
    back = np.zeros(size, dtype=bool)
    if "returns" in theta:
        law = theta["returns"]
        back = rng.random(size) < own["returns"][who]
        part = rng.beta(law["share"] * law["precision"], (1.0 - law["share"]) * law["precision"], size)
        value = amount * np.where(rng.random(size) < law["whole"], 1.0, part)
        sold, waste = world.resold * value, world.written_off * value
        lost = (value - sold - waste) * margin + waste  # sold again: nothing; useless: its margin and its cost
        np.add.at(money["returns"], who, -factor * back * (lost + world.per_return))
    if "bad_debt" in theta:
        unpaid = ~back & (rng.random(size) < own["bad_debt"][who])
        paid = paid - unpaid * amount * (1.0 - world.recovered)
    np.add.at(money["payments"], who, factor * paid)
    if "contacts" in theta:
        for i, contacts in enumerate(rng.poisson(own["contacts"][who])):
            cost = contacts * world.per_contact
            if "handling" in theta and contacts:
                each = own["handling"][who[i]] + theta["handling"]["sigma"] * rng.standard_normal(contacts)
                cost = np.exp(each).sum()
            money["service"][who[i]] -= factor[i] * cost
    if "referrals" in theta and not new:
        brought = np.repeat(np.arange(size), rng.poisson(own["referrals"][who]))
        if len(brought):
            one = futures(world, History(), len(brought), rng, new=True)
            worth = sum(one.values()) - world.reward
            np.add.at(money["referrals"], who[brought], factor[brought] * world.incremental * worth)
