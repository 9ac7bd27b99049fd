"""The mean of a beta distribution as something that an effect may move."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from clvmodels.models.parameters import Theta, Value


def moved_mean(a: str, b: str) -> Callable[[Theta[Value], Value, ModuleType], dict[str, Value]]:
    """logit(a / (a + b)) + coefficient, a + b as it was."""

    def move(theta: Theta[Value], coefficient: Value, xp: ModuleType) -> dict[str, Value]:
        total = theta[a] + theta[b]
        odds = theta[a] / theta[b] * xp.exp(coefficient)
        return {a: total * odds / (1.0 + odds), b: total / (1.0 + odds)}

    return move
