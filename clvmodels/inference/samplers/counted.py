"""What a posterior costs: exact values of the log density, and gradients, counted as they are taken."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from clvmodels.inference.target import Target


@dataclass
class Cost:
    """Evaluations of a log density so far."""

    values: int = 0
    gradients: int = 0


@dataclass(frozen=True, eq=False)
class Counted(Target):
    """A target that counts what is asked of it, and of its conditionals."""

    joint: Target
    cost: Cost = field(default_factory=Cost)

    @classmethod
    def of(cls, target: Target, cost: Cost | None = None) -> Counted:
        """The target itself where it counts already; with a cost, what is asked for is counted there."""
        if isinstance(target, Counted):
            return target
        return cls(target.names, target.graph, target.starts, target, cost or Cost(), siblings=target.siblings)

    def value_many(self, u: np.ndarray) -> np.ndarray:
        self.cost.values += len(u)
        return self.joint.value_many(u)

    def value_and_grad(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        self.cost.gradients += 1
        return self.joint.value_and_grad(u)
