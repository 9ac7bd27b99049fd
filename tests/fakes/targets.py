"""Targets whose mode, moments and quantiles are known, and a density that stalls or fails."""

from __future__ import annotations

import threading

import numpy as np
import pytensor.tensor as pt
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

from clvmodels.inference.target import Target

NAMES = ("a", "b", "c")
MEAN = np.array([1.0, -2.0, 0.5])
COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.3], [0.0, -0.3, 0.2]])


def spread_starts(size: int, count: int = 6, scale: float = 3.0) -> np.ndarray:
    return np.random.default_rng(1).normal(0, scale, (count, size))


def gaussian(mean: np.ndarray, covariance: np.ndarray) -> Target:
    precision = np.linalg.inv(covariance)

    def graph(u):
        d = u - mean
        return -0.5 * pt.sum(d[:, None] * precision * d[None, :])

    return Target(tuple(f"u{i}" for i in range(len(mean))), graph, spread_starts(len(mean)))


def skewed_graph(u):
    """Logs of gammas of shapes 3 and 8, the third leaning on the first: skewed, smooth, moments known."""
    rest = u[2] - 0.5 * u[0]
    return 3 * u[0] - pt.exp(u[0]) + 8 * u[1] - pt.exp(u[1]) - 0.5 * rest**2


SKEWED = Target(NAMES, skewed_graph, spread_starts(3, scale=1.0))


class Hold(Op):
    """The identity; after some evaluations each takes some seconds, unless released, or raises.

    `sat_out` counts the evaluations that took their seconds to the end.
    """

    def __init__(self, seconds: float = 0.0, error: str = "", after: int = 0):
        self.seconds, self.error, self.after, self.calls = seconds, error, after, 0
        self.release, self.sat_out = threading.Event(), 0

    def make_node(self, x):
        x = pt.as_tensor(x)
        return Apply(self, [x], [x.type()])

    def perform(self, node, inputs, outputs):
        self.calls += 1
        if self.calls > self.after:
            self.sat_out += not self.release.wait(self.seconds)
        if self.calls > self.after and self.error:
            raise RuntimeError(self.error)
        outputs[0][0] = np.array(inputs[0])

    def pullback(self, inputs, outputs, cotangents):
        return cotangents


def two_bumps(apart: float, drop: float):
    return lambda u: pt.logaddexp(-0.5 * pt.sum((u - apart / 2) ** 2), -0.5 * pt.sum((u + apart / 2) ** 2) - drop)
