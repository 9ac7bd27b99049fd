"""What each customer of the simulated retailer is like beyond its visits: its own parameters of every other process.

Own parameters are drawn from one population, or from one a channel where `HABITS` says so. The segment says nothing of
anything: whoever finds an effect of it has found noise.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from clvmodels.datasets.retailer.story import CHANNELS, HAZARD_SHAPE, SPEND_SD, stream


class Habits(NamedTuple):
    """What the customers of a channel do on average, and what it costs to win one."""

    returned: float  # probability a visit
    contacts: float  # a visit
    margin: float  # of what is paid; a marketplace keeps a share, and bargains sell well in social media
    cost_to_win: float  # EUR a customer who joins


HABITS = {
    "Referral": Habits(0.050, 0.20, 0.40, 10.0),
    "E-mail": Habits(0.050, 0.22, 0.40, 4.0),
    "Search": Habits(0.060, 0.25, 0.38, 18.0),
    "Marketplace": Habits(0.070, 0.32, 0.33, 9.0),
    "Social": Habits(0.075, 0.28, 0.36, 14.0),
}

BUSINESS, SWISS = 0.15, 0.07  # shares of customers
MARGIN_SD, ORDER_MARGIN_SD = 0.05, 0.06
GROUPS = ("books", "garden", "games", "kitchen", "lighting", "pets", "sport", "textiles")
RANGE = 0.35  # of the groups beyond the first, each is liked with this probability
DISCOUNTED, DISCOUNTED_SIZE = 0.25, 4.0  # mean and a + b of the beta distribution of own probabilities
RETURNED_SIZE = 12.0
LATE, LATE_SIZE = 0.06, 10.0
BAD_DEBT, BAD_DEBT_SIZE = 0.01, 30.0
CONTACTS_SHAPE, REFERRALS, REFERRALS_SHAPE = 1.2, 0.03, 0.5
MINUTES, MINUTES_SD, CONTACT_MINUTES_SD = 8.0, 0.5, 0.6  # median; sd of logs between customers, and within
LEAVING = 0.4  # minus the correlation of contentment and log hazard within a channel
COMPLAINT_LOGIT, COMPLAINT_SLOPE = -0.9, -0.6  # of the share of complaints, in contentment
RETURNS_BY_SPEND, MARGIN_BY_SPEND = 1.0, -0.06
"""With dependence, by standard deviation of the log of mean spend about the channel's: of the logit of own return
rates, and of own margin rates."""

# Mean and standard deviation of the log of a gamma variable of shape HAZARD_SHAPE and mean one.
_LOG_GAMMA = {1.6: (-0.3439561764722593, 0.9265159972307978)}


def with_habits(customers: pd.DataFrame, seed: int, dependence: float = 0.0) -> pd.DataFrame:
    """The customers with the parameters of their own; `retailer.generate` says what they mean."""
    independent = _independent_habits(customers, seed)
    return _by_spend(independent, dependence) if dependence else independent


def _by_spend(customers: pd.DataFrame, dependence: float) -> pd.DataFrame:
    """Who spends more sends more back, and leaves a smaller margin; no further random number is drawn."""
    usual = customers["channel"].map({name: channel.spend for name, channel in CHANNELS.items()})
    surplus = dependence * np.log(customers["mean_spend"] / usual) / SPEND_SD
    odds = customers["return_rate"] / (1 - customers["return_rate"]) * np.exp(RETURNS_BY_SPEND * surplus)
    return customers.assign(
        return_rate=odds / (1 + odds), margin_rate=customers["margin_rate"] + MARGIN_BY_SPEND * surplus
    )


def _independent_habits(customers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Own parameters that have nothing to do with each other, but for contentment."""
    rng, n = stream(seed, "habits"), len(customers)
    usual = pd.DataFrame(HABITS, index=Habits._fields).T.loc[customers["channel"]].set_axis(customers.index)
    contentment = _contentment(customers, rng)
    # The order of the draws is that of the lines: another one would make another company of the same seed.
    return customers.assign(
        segment=np.where(rng.uniform(size=n) < BUSINESS, "business", "private"),
        currency=np.where(rng.uniform(size=n) < SWISS, "CHF", "EUR"),
        margin_rate=rng.normal(usual["margin"].to_numpy(), MARGIN_SD),
        groups_liked=1 + rng.binomial(len(GROUPS) - 1, RANGE, n),
        discount_rate=_beta(DISCOUNTED, DISCOUNTED_SIZE, n, rng),
        return_rate=_beta(usual["returned"].to_numpy(), RETURNED_SIZE, n, rng),
        late_rate=_beta(LATE, LATE_SIZE, n, rng),
        bad_debt_rate=_beta(BAD_DEBT, BAD_DEBT_SIZE, n, rng),
        contact_rate=rng.gamma(CONTACTS_SHAPE, usual["contacts"].to_numpy() / CONTACTS_SHAPE),
        contact_minutes=MINUTES * np.exp(rng.normal(0, MINUTES_SD, n)),
        contentment=contentment,
        complaint_share=1 / (1 + np.exp(-COMPLAINT_LOGIT - COMPLAINT_SLOPE * contentment)),
        referral_rate=rng.gamma(REFERRALS_SHAPE, REFERRALS / REFERRALS_SHAPE, n),
        cost_to_win=usual["cost_to_win"],
    )


def _beta(mean: float | np.ndarray, size: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """Probabilities with this mean, as different as after `size` trials."""
    share = np.asarray(mean)
    return rng.beta(size * share, size * (1 - share), n)


def _contentment(customers: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    """Mean 0, variance 1 within a channel; the unhappy leave sooner."""
    mean_hazard = {name: 1 / channel.lifetime for name, channel in CHANNELS.items()}
    relative_hazard = customers["hazard"].to_numpy() / customers["channel"].map(mean_hazard).to_numpy()
    mean, sd = _LOG_GAMMA[HAZARD_SHAPE]
    hurry = (np.log(relative_hazard) - mean) / sd  # mean 0 and variance 1, as the noise
    noise = rng.normal(size=len(customers))
    return -LEAVING * hurry + np.sqrt(1 - LEAVING**2) * noise
