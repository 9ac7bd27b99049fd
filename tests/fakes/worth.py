"""Value draws made by hand or at random, for the decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import KINDS, Discounted, Values


def make_values(worth: Any, realised: Any = None, ids: Any = None, expected: Any = None) -> Values:
    worth = np.asarray(worth, dtype=np.float32)
    realised, expected = (
        worth if other is None else np.asarray(other, dtype=np.float32) for other in (realised, expected)
    )
    ids = np.array([f"c{i:05d}" for i in range(worth.shape[1])]) if ids is None else np.asarray(ids)
    valued_at = pd.Timestamp("1998-06-30")
    return Values(ids, expected, worth, realised, Economics(0.3, 0.1, 52.0), "week", "USD", valued_at)


def random_values(draws: int = 40, customers: int = 150, seed: int = 1) -> Values:
    """Worth uncertain about its mean, which is what is expected; realised value with many exact zeros."""
    rng = np.random.default_rng(seed)
    mean = rng.gamma(0.6, 30.0, customers)
    worth = mean * rng.lognormal(0.0, 0.4, (draws, customers))
    expected = mean * np.exp(0.4**2 / 2) * rng.lognormal(0.0, 0.05, (draws, 1))
    return make_values(worth, rng.poisson(worth / 20) * 20.0, expected=expected)


def with_credit(values: Values, credit: Any) -> Values:
    """The same with a credit for referrals on top, in every reading. credit: [D, C]"""
    extra = np.asarray(credit, dtype=np.float32)
    own = Discounted(*(getattr(values, kind) for kind in KINDS))
    whole = {kind: getattr(values, kind) + extra for kind in KINDS}
    parts = {"gross margin": own, "referrals": Discounted(extra, extra, extra)}
    return replace(values, **whole, parts=parts)
