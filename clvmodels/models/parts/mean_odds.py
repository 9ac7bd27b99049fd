"""The mean of a beta distribution as something that an effect may move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from clvmodels.models.contract import Theta


def moved_mean(a: str, b: str) -> Callable[[Theta, Any, Any], dict[str, Any]]:
    """logit(a / (a + b)) + coefficient, a + b as it was."""

    def move(theta: Theta, coefficient: Any, xp: Any) -> dict[str, Any]:
        total = theta[a] + theta[b]
        odds = theta[a] / theta[b] * xp.exp(coefficient)
        return {a: total * odds / (1.0 + odds), b: total / (1.0 + odds)}

    return move
