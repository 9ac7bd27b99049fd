"""Value draws made by hand or at random, for the decisions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Discounted, Values


def make_values(expected: Any, realised: Any = None, ids: Any = None) -> Values:
    expected = np.asarray(expected, dtype=np.float32)
    realised = expected if realised is None else np.asarray(realised, dtype=np.float32)
    ids = np.array([f"c{i:05d}" for i in range(expected.shape[1])]) if ids is None else np.asarray(ids)
    valued_at = pd.Timestamp("1998-06-30")
    return Values(ids, expected, realised, Economics(0.3, 0.1, 52.0), "week", "USD", valued_at)


def random_values(draws: int = 40, customers: int = 150, seed: int = 1) -> Values:
    """Expected value uncertain about its mean; realised value with many exact zeros."""
    rng = np.random.default_rng(seed)
    expected = rng.gamma(0.6, 30.0, customers) * rng.lognormal(0.0, 0.4, (draws, customers))
    return make_values(expected, rng.poisson(expected / 20) * 20.0)


def with_credit(values: Values, credit: Any) -> Values:
    """The same with a credit for referrals on top, expected and realised. credit: [D, C]"""
    extra = np.asarray(credit, dtype=np.float32)
    whole = {kind: getattr(values, kind) + extra for kind in ("expected", "realised")}
    parts = {"gross margin": Discounted(values.expected, values.realised), "referrals": Discounted(extra, extra)}
    return replace(values, **whole, parts=parts)
