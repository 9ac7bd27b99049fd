"""Parameters as data: where they live, what is believed of them, and what may move them.

In the graph of a density a parameter is a scalar or [R]; in draws and expectations it is NumPy's, [D, 1] or [D, C].
Annotations say where a function lives: `Graph` in a density, `Array` in draws and expectations, `Value` in both. What
lives in both takes `xp`, the one library or the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType, ModuleType
from typing import Literal, NamedTuple

import numpy as np
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.models.prior import Prior

type Graph = pt.TensorVariable
"""An expression of PyTensor."""
type Value = Graph | Array
"""An expression of PyTensor or NumPy's numbers, as `xp` says."""
type Rows[V] = Mapping[str, V]
"""What a model observes, by name: Rows[Graph], [R] each, in a density; Rows[Array], [1, C] each, elsewhere."""
type Theta[V] = Mapping[str, V]
"""Parameters by name: Theta[Graph], scalars or [R], in a density; Theta[Array], [D, 1] or [D, C], elsewhere."""

STATUS: Mapping[str, float] = MappingProxyType({"unknown": 0.0, "alive": 1.0, "ended": -1.0})
"""How a contract's `status` is written in the rows."""


class Parameter(NamedTuple):
    """A population parameter, as data.

    It lives in (lower, upper) and is sampled on its free scale: log(value - lower) where only the lower bound is
    finite, the logit of its place between both, the value itself where there are none. The prior is of what
    `bounded` says: the excess over the lower bound, the place between the bounds, the value. A coefficient g of an
    effect adds direction * g on the free scale; a positive one raises `raises`. `unit` is none, time, 1/time or money;
    `part` is purchases, lifetime, spend or the role of a cost model. `between` is the scale of the half-normal prior of
    how far groups lie apart on the free scale, where the parameter is a level that they are pooled by.
    """

    name: str
    part: str
    unit: Literal["none", "time", "1/time", "money"]
    prior: Prior
    direction: Literal[1, -1]
    raises: str
    meaning: str
    lower: float = 0.0
    upper: float = np.inf
    between: float = 0.5

    @property
    def support(self) -> Literal["positive", "interval", "real"]:
        """Where the prior's quantity lives: above 0, between 0 and 1, or anywhere."""
        if math.isfinite(self.upper):
            return "interval"
        return "positive" if math.isfinite(self.lower) else "real"

    @property
    def free_name(self) -> str:
        """The free coordinate in words, for messages and checks."""
        if self.support == "interval":
            return f"logit {self.name}"
        if self.support == "real":
            return self.name
        return f"log {self.name}" if not self.lower else f"log({self.name} - {self.lower:g})"

    def stated(self, free: Value, xp: ModuleType = np) -> Value:
        """The quantity of which the prior speaks, from the free coordinate."""
        if self.support == "real":
            return free
        if self.support == "positive":
            return xp.exp(free)
        return 1.0 / (1.0 + xp.exp(-free))

    def free_from_stated(self, stated: Array) -> Array:
        """The free coordinate of a draw of the prior."""
        if self.support == "real":
            return stated
        if self.support == "positive":
            return np.log(stated)
        return np.log(stated) - np.log1p(-stated)

    def value(self, stated: Value) -> Value:
        """The parameter, from the quantity of which the prior speaks."""
        if self.support == "real":
            return stated
        if self.support == "positive":
            return self.lower + stated
        return self.lower + (self.upper - self.lower) * stated

    def log_jacobian(self, free: Value, stated: Value, xp: ModuleType = np) -> Value:
        """log |d stated / d free|."""
        if self.support == "real":
            return 0.0 * free
        if self.support == "positive":
            return free
        return xp.log(stated) + xp.log1p(-stated)

    def slopes(self, stated: Array) -> tuple[Array, Array, Array]:
        """The derivatives by the free coordinate: of the stated quantity, the parameter and `log_jacobian`."""
        if self.support == "real":
            return np.ones_like(stated), np.ones_like(stated), np.zeros_like(stated)
        if self.support == "positive":
            return stated, stated, np.ones_like(stated)
        by_free = stated * (1.0 - stated)
        return by_free, (self.upper - self.lower) * by_free, 1.0 - 2.0 * stated

    def moved(self, value: Value, coefficient: Value, xp: ModuleType = np) -> Value:
        """The parameter of a row whose coefficients add up to `coefficient`."""
        step = self.direction * coefficient
        if self.support == "real":
            return value + step
        if self.support == "positive":
            return self.lower + (value - self.lower) * xp.exp(step)
        odds = (value - self.lower) / (self.upper - value) * xp.exp(step)
        return self.lower + (self.upper - self.lower) * odds / (1.0 + odds)


class Handle(NamedTuple):
    """A quantity that is no parameter but that an effect may move: a name, what a positive coefficient raises, and
    `move(theta, coefficient, xp)`, the parameters that it changes; `between` is as of a parameter."""

    name: str
    part: str
    raises: str
    meaning: str
    move: Callable[[Theta[Value], Value, ModuleType], Mapping[str, Value]]
    between: float = 0.5


class Meaning(NamedTuple):
    """What parameters mean together, for people: a title, its unit ({time_unit}, {currency} or none), its formula."""

    title: str
    unit: str
    of: Callable[[Theta[Array]], Array]
