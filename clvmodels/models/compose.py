"""A purchase process, a lifetime and a calendar make a model; everything a model owes follows from the three.

The lifetime leads. From the purchases on their calendar it makes the two branches of the density, and it says what is
left of those alive and when the others have ended: its families are `parts/clock.py` (anywhere in (t_x, T): one smooth
integral), `parts/coin.py` (right after the last purchase: a closed form) and `parts/no_end.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy, deepcopy
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytensor.tensor as pt
from numpy.typing import NDArray

from clvmodels.draws import Array
from clvmodels.errors import ConfigError, Problem
from clvmodels.models.contract import Model, PurchaseModel, State
from clvmodels.models.counts import Counts, poisson_counts
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.parameters import STATUS, Graph, Rows, Theta
from clvmodels.models.parts.contract import Calendar, Component, Lifetime, Memoryless, OnCalendar, Purchases
from clvmodels.models.parts.steps import Steps
from clvmodels.randomness import KeyedRandom


class Composed[P: Purchases](PurchaseModel):
    """Purchases until a lifetime ends, the two independent given the population.

    Purchases run in the calendar's operational time, lifetimes in calendar time.

    Parameters
    ----------
    observes_end
        The customers' table has a `status`: unknown, alive, or ended, and then T is the age at the end.
    kernel
        Its density as a compiled loop, where one is written for these components; a loop knows neither calendars nor
        ends that were seen, and is not taken with them.

    Raises
    ------
    ConfigError
        The purchase process does not go with the lifetime or with a calendar.
    """

    def __init__(
        self,
        name: str,
        title: str,
        reference: str,
        purchases: P,
        lifetime: Lifetime[P],
        calendar: Calendar | None = None,
        observes_end: bool = False,
        kernel: Kernel | None = None,
    ):
        self.name, self.title, self.reference = name, title, reference
        self.kernel = None if calendar or observes_end else kernel
        self.lifetime, self.observes_end = lifetime, observes_end
        self._put_together(purchases, calendar or Calendar())

    def _put_together(self, purchases: P, calendar: Calendar) -> None:
        """What the model observes and says of itself, from its components."""
        _check_together(self.title, purchases, self.lifetime, calendar)
        self.purchases, self.calendar = purchases, calendar
        self.on_calendar = OnCalendar(purchases, calendar)
        components: tuple[Component, ...] = (purchases, self.lifetime, calendar)
        observes = [name for component in components for name in component.observes]
        if self.observes_end:
            observes.append("status")
        self.observes = tuple(dict.fromkeys(observes))
        self.parameters = tuple(parameter for component in components for parameter in component.parameters)
        self.meanings = tuple(meaning for component in components for meaning in component.meanings)
        self.handles = tuple(handle for component in components for handle in component.handles)
        self.levels = tuple(level for component in components for level in component.levels)
        self.traits = calendar.traits

    @property
    def reads_ahead(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.purchases.reads_ahead, *self.calendar.traits)))

    def given(self, **options: Any) -> Model:
        """The variant with a calendar, of the numbers that `Steps` takes.

        Raises
        ------
        ConfigError
            Its purchases do not go with a calendar, or it has no such option.
        """
        numbers = options.pop("calendar", None)
        super().given(**options)
        if numbers is None:
            return self
        variant = copy(self)
        variant._put_together(self.purchases, Steps(**numbers))
        variant.kernel = None  # which knows no calendar
        variant.options = MappingProxyType({**self.options, "calendar": deepcopy(numbers)})
        return variant

    def simulated(self, purchases: pd.DataFrame) -> dict[str, pd.Series]:
        return self.calendar.simulated(purchases)

    def branches(self, rows: Rows[Graph], theta: Theta[Graph]) -> tuple[Graph, Graph]:
        alive, ended = self.lifetime.branches(self.on_calendar, rows, theta)
        if not self.observes_end:
            return alive, ended
        at_T = self.lifetime.log_ended_at_T(self.on_calendar, rows, theta)
        was_alive = pt.eq(rows["status"], STATUS["alive"])
        was_ended = pt.eq(rows["status"], STATUS["ended"])
        ended = pt.switch(was_ended, at_T, ended)
        return pt.switch(was_ended, -np.inf, alive), pt.switch(was_alive, -np.inf, ended)

    def may_have_left(self, rows: Rows[Array]) -> NDArray[np.bool_]:
        may_have_ended = self.lifetime.may_have_ended(rows)
        if not self.observes_end:
            return may_have_ended
        return may_have_ended | (rows["status"] != STATUS["unknown"])  # who was seen to be there is known to be

    def draw_alive(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        age = self.on_calendar.operational_age(rows, rows["T"], theta)
        rate, variables = self.purchases.draw(rows, age, theta, rng)
        left = self.lifetime.draw_left(rows, theta, rng)
        alive = np.ones(rng.shape, dtype=bool)
        return State(alive, rate, left.time, left.purchases, variables | left.variables)

    def draw_ended(self, rows: Rows[Array], theta: Theta[Array], rng: KeyedRandom) -> State:
        # the end first: until then the customer was silent, and the rate is drawn given that
        death, of_lifetime = self.lifetime.draw_end(self.on_calendar, rows, theta, rng)
        age = self.on_calendar.operational_age(rows, death, theta)
        rate, variables = self.purchases.draw(rows, age, theta, rng)
        alive, nothing_left = np.zeros(rng.shape, dtype=bool), np.zeros(rng.shape)
        return State(alive, rate, nothing_left, nothing_left, variables | of_lifetime)

    def expected_if_alive(self, rows: Rows[Array], theta: Theta[Array], t: Array) -> Array:
        return self.lifetime.expected_purchases(self.on_calendar, rows, theta, np.asarray(t, dtype=float))

    def purchases_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, t: Array) -> Array:
        times = np.asarray(t, dtype=float)
        return self.lifetime.purchases_given_own(self.on_calendar, rows, theta, state, times)

    def chance_given_own(self, rows: Rows[Array], theta: Theta[Array], state: State, start: float, end: float) -> Array:
        if self.purchases.stages > 1 or type(self.calendar) is not Calendar:
            return super().chance_given_own(rows, theta, state, start, end)
        return self.lifetime.chance_given_own(rows, theta, state, start, end)

    def silence_odds(self, rows: Rows[Array], theta: Theta[Array]) -> Array:
        # while the customer stays the lifetime tells nothing: it is independent of the purchases
        at_last = self.on_calendar.operational_age(rows, rows["recency"], theta)
        at_T = self.on_calendar.operational_age(rows, rows["T"], theta)
        return self.purchases.count_probability(rows, at_last, theta, np.zeros(()), at_T - at_last)

    def count_probability(self, rows: Rows[Array], theta: Theta[Array], n: Array, t: float) -> Array:
        return self.lifetime.count_probability(self.on_calendar, rows, theta, np.asarray(n, dtype=float), t)

    def chance_of_purchase(self, rows: Rows[Array], theta: Theta[Array], start: float, end: float) -> Array:
        if self.purchases.stages > 1 or type(self.calendar) is not Calendar:
            return super().chance_of_purchase(rows, theta, start, end)
        return self.lifetime.chance_of_purchase(self.on_calendar, rows, theta, start, end)

    def draw_counts(
        self, rows: Rows[Array], theta: Theta[Array], state: State, edges: Array, rng: KeyedRandom
    ) -> Counts:
        end = np.minimum(edges[..., -1], state.residual_lifetime)
        until = self.on_calendar.ahead(rows, end[..., None], theta)[..., 0]
        bounds = self.on_calendar.ahead(rows, edges, theta)
        stages = self.purchases.stages
        rate, phase = stages * state.purchase_rate, state.extra.get("phase", 0.0)
        return poisson_counts(rng, rate, bounds, until, state.residual_purchases, stages, phase)

    def draw_ages(self, own: Mapping[str, float], until: float, rng: np.random.Generator) -> Array:
        rows = {name: np.asarray(own[name]) for name in self.observes if name in own}
        theta = {name: np.asarray(value) for name, value in own.items()}
        length = self.calendar.elapsed(rows, np.asarray(0.0), np.asarray(until), theta, np)
        return self.calendar.age_at(own, self.purchases.draw_ages(own, float(length), rng))


def _check_together(title: str, purchases: Purchases, lifetime: Lifetime[Any], calendar: Calendar) -> None:
    """Refuse components that do not go together."""
    refused = []
    if type(calendar) is not Calendar and not isinstance(purchases, Memoryless):
        refused.append("a calendar")
    if not lifetime.accepts(purchases):
        refused.append(lifetime.title)
    if refused:
        what = f"{title}: its purchases do not go with {' or '.join(refused)}"
        raise ConfigError(Problem(what, known="They go with a coin"))
