"""Models of regular buyers who leave by a coin: one for each k, and the same one whenever it is asked for."""

from __future__ import annotations

from operator import index
from types import MappingProxyType
from typing import Any

from clvmodels.errors import ConfigError, Problem
from clvmodels.models.compose import Composed
from clvmodels.models.contract import Model
from clvmodels.models.densities.evaluation import Kernel
from clvmodels.models.densities.histories import erlang_gamma_until_coin
from clvmodels.models.parts.beta_coin import BetaCoin
from clvmodels.models.parts.contract import Purchases
from clvmodels.models.parts.erlang_gamma import ErlangGamma

MOST = 12
"""The largest k: gaps whose sd is 0.29 of their mean. For more regular buyers ask the calendar, not chance."""


class CNBDk(Composed[Purchases]):
    """Erlang-k purchases until a coin falls, after the first purchase too (`first`) or only after the repeat ones.

    `family` is the title without k. What is compiled and cached for a model is kept by the object, so that a variant
    is made once.
    """

    def __init__(self, name: str, family: str, reference: str, first: bool, k: int):
        kernel = Kernel(erlang_gamma_until_coin, (k, int(first)))
        super().__init__(name, f"{family}-{k}", reference, ErlangGamma(k), BetaCoin(first), kernel=kernel)
        self.family, self.first = family, first
        self.options = MappingProxyType({"k": k})
        self._variants: dict[int, CNBDk] = {k: self}

    def given(self, **options: Any) -> Model:
        """The variant with another k: a whole number from 1 to 12."""
        k = checked(options.pop("k", self.options["k"]), self.family)
        super().given(**options)
        if k not in self._variants:
            variant = CNBDk(self.name, self.family, self.reference, self.first, k)
            variant._variants = self._variants
            self._variants[k] = variant
        return self._variants[k]


def checked(k: Any, title: str, where: str = "") -> int:
    """k, if it is a whole number from 1 to 12.

    Raises
    ------
    ConfigError
        It is not.
    """
    try:
        number = 0 if isinstance(k, bool) else index(k)  # True is a whole number to Python, and no k
    except TypeError:
        number = 0
    if not 1 <= number <= MOST:
        known = f"A whole number from 1 (irregular) to {MOST} (nearly by the clock)"
        raise ConfigError(Problem(f"k of {title} must be a whole number", where, repr(k), known))
    return number
