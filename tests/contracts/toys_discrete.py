"""A toy that counts opportunities: everybody leaves with one and the same chance before each."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from contracts import stories_discrete
from contracts.cases import Case
from scipy import stats

from clvmodels.models import Parameter
from clvmodels.models.discrete import Discrete, DiscreteLifetime
from clvmodels.models.parts.beta_bernoulli import BetaBernoulli
from clvmodels.models.prior import Prior


class OneChance(DiscreteLifetime):
    """S(t) = (1 - chance)^t; all that is not said here follows."""

    parameters = (
        Parameter(
            "chance",
            "lifetime",
            "none",
            Prior("Beta", {"alpha": 1.0, "beta": 3.0}),
            1,
            "dropout",
            "everyone's chance to leave",
            upper=1.0,
        ),
    )

    def log_survival(self, t, theta, xp=pt):
        return t * xp.log1p(-theta["chance"])

    def log_ended(self, t, theta, xp=pt):
        return self.log_survival(t, theta, xp) + xp.log(theta["chance"])

    def survival_ratio(self, t, k, theta):
        return (1.0 - theta["chance"]) ** k + 0.0 * t

    def own_survival(self, t, k, theta, variables):
        return self.survival_ratio(t, k, theta)

    def draw_residual(self, t, theta, rng):
        return np.floor(np.log1p(-rng.uniform()) / np.log1p(-theta["chance"])), {}

    def draw_ended(self, t, theta, rng):
        return {}


class OneChanceStory(stories_discrete.BGBB):
    """p ~ Beta(alpha, beta), one chance to leave."""

    def individual(self, theta):
        self.chance = theta["chance"]
        return {"purchase_rate": stats.beta(theta["alpha"], theta["beta"])}

    def stays(self, own, i, age=0):
        return (1.0 - self.chance) ** i + 0.0 * own["purchase_rate"]


DISCRETE_TOYS = {
    "one chance": Case(
        Discrete("one chance", "one chance", "made in the tests", BetaBernoulli(), OneChance()),
        OneChanceStory(),
        ({"alpha": 1.2, "beta": 0.75, "chance": 0.03}, {"alpha": 0.6, "beta": 2.0, "chance": 0.4}),
    ),
}
