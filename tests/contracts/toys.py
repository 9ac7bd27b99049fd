"""Small models made in the tests from the package's parts: what holds for the registry holds for them."""

from __future__ import annotations

import numpy as np
import pytensor.tensor as pt
from contracts import stories
from contracts.cases import Case
from scipy import stats

from clvmodels.models import Parameter
from clvmodels.models.compose import Composed
from clvmodels.models.parts.clock import ClockLifetime
from clvmodels.models.parts.poisson_gamma import PoissonGamma
from clvmodels.models.prior import log_normal


class OneHazard(ClockLifetime):
    """Everybody leaves by the clock at the same hazard mu."""

    parameters = (Parameter("mu", "lifetime", "1/time", log_normal(0.05, 1.0), 1, "hazard", "everyone's hazard"),)

    def log_survival(self, t, theta):
        return -theta["mu"] * t

    def log_density(self, t, theta):
        return pt.log(theta["mu"]) - theta["mu"] * t

    def log_ratio(self, t, tau, theta):
        return -theta["mu"] * tau

    def decay(self, t, theta):
        return theta["mu"] + 0.0 * t

    def reach(self, t, theta):
        return 45.0 / theta["mu"] + 0.0 * t

    def survival_ratio(self, t, tau, theta):
        return np.exp(-theta["mu"] * tau) + 0.0 * t

    def own_survival(self, rows, theta, state, tau):
        return np.exp(-np.asarray(theta["mu"])[..., None] * tau)

    def residual_at(self, t, survived, theta):
        return -np.log(survived) / theta["mu"] + 0.0 * t

    def draw_residual(self, rows, theta, rng):
        return rng.exponential() / theta["mu"], {}

    def draw_ended(self, death, theta, rng):
        return {"death_age": death}

    def expected_time(self, rows, theta, t):
        mu = np.asarray(theta["mu"])[..., None]
        return -np.expm1(-mu * t) / mu + 0.0 * np.asarray(rows["T"])[..., None]


class OneHazardStory(stories.ExponentialEnd, stories.PurchaseStory):
    """lambda ~ Gamma(r, alpha), one hazard mu."""

    def individual(self, theta):
        self.mu = theta["mu"]
        return {"purchase_rate": stats.gamma(theta["r"], scale=1 / theta["alpha"])}

    def _own(self, own):
        return own | {"dropout_rate": self.mu}

    def alive(self, row, own):
        return super().alive(row, self._own(own))

    def ended(self, row, own):
        return super().ended(row, self._own(own))

    def expected(self, own, t):
        return super().expected(self._own(own), t)

    def lasts(self, own, t):
        return np.exp(-self.mu * t) + 0.0 * own["purchase_rate"]


def composed(name: str, lifetime, purchases=None) -> Composed:
    return Composed(name, name, "made in the tests", purchases or PoissonGamma(), lifetime)


TOYS = {
    "one hazard": Case(
        composed("one hazard", OneHazard()),
        OneHazardStory(),
        ({"r": 0.6, "alpha": 8.0, "mu": 0.04}, {"r": 2.0, "alpha": 3.0, "mu": 0.3}),
    ),
}
