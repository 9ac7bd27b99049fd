"""Randomness keyed by customer: a customer's draws depend on the seed, the stage and the id, on nothing else.

Not on the block, the order of rows, the number of workers or the process. Every method takes parameters of shape
[draw, customer_id] (or broadcastable to it) and fills each column from that customer's own stream.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodels.draws import Array


def keyed_generator(seed: int, stage: str, label: str) -> np.random.Generator:
    """A generator for one stage of one customer (or group): Philox keyed by blake2b of (seed, stage, label)."""
    digest = hashlib.blake2b(
        label.encode(), digest_size=16, key=int(seed).to_bytes(16, "little", signed=True), person=_person(stage)
    ).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest, "little")))


def _person(stage: str) -> bytes:
    """Blake2b takes 16 bytes of personalisation: longer stage names are hashed down to them."""
    raw = stage.encode()
    return raw if len(raw) <= 16 else hashlib.blake2b(raw, digest_size=16).digest()


class KeyedRandom:
    """One stream per customer, vectorised over draws.

    The number of draws belongs to the key's contract: other draws, other streams. Successive calls continue each
    customer's stream, so a stage must make the same calls for each customer.

    Parameters
    ----------
    seed, stage
        Key of the streams, together with each label.
    labels
        Customer ids of the block, in column order.
    draws
        Number of posterior draws (rows of every array returned).
    """

    def __init__(self, seed: int, stage: str, labels: Sequence[str], draws: int):
        self.draws = draws
        self.shape = (draws, len(labels))
        self._generators = [keyed_generator(seed, stage, str(label)) for label in labels]

    @property
    def streams(self) -> Sequence[np.random.Generator]:
        """Each customer's generator, for draws whose number depends on the customer."""
        return self._generators

    def _fill(self, draw: Callable[..., NDArray], *parameters: ArrayLike) -> Array:
        columns = [np.broadcast_to(np.asarray(p, dtype=float), self.shape) for p in parameters]
        out = np.empty(self.shape)
        for c, generator in enumerate(self._generators):
            out[:, c] = draw(generator, *(p[:, c] for p in columns))
        return out

    def uniform(self) -> Array:
        """Uniform on [0, 1). [draw, customer_id]"""
        return self._fill(lambda g: g.random(self.draws))

    def normal(self) -> Array:
        """Standard normal. [draw, customer_id]"""
        return self._fill(lambda g: g.standard_normal(self.draws))

    def exponential(self) -> Array:
        """Standard exponential. [draw, customer_id]"""
        return self._fill(lambda g: g.standard_exponential(self.draws))

    def gamma(self, shape: ArrayLike) -> Array:
        """Gamma of the given shape (0 allowed: 0) and scale 1. [draw, customer_id]"""
        return self._fill(lambda g, a: g.standard_gamma(a), shape)

    def beta(self, a: ArrayLike, b: ArrayLike) -> Array:
        """Beta(a, b). [draw, customer_id]"""
        return self._fill(lambda g, a, b: g.beta(a, b), a, b)

    def poisson(self, mean: ArrayLike) -> Array:
        """Poisson counts, as floats (means beyond 1e18 are refused by NumPy). [draw, customer_id]"""
        return self._fill(lambda g, m: g.poisson(m), mean)

    def _fill_periods(self, draw: Callable[[np.random.Generator, int], NDArray], shape: tuple[int, ...]) -> Array:
        """What draw(generator, c) gives of each customer c. shape: draw, customer_id, period"""
        out = np.empty(shape)
        for c, generator in enumerate(self._generators):
            out[:, c] = draw(generator, c)
        return out

    def poisson_periods(self, mean: Array) -> Array:
        """Poisson counts of several periods at once. mean and result: [draw, customer_id, period]"""
        return self._fill_periods(lambda g, c: g.poisson(mean[:, c]), mean.shape)

    def binomial_periods(self, n: Array, p: ArrayLike) -> Array:
        """Binomial counts of several periods. n and result: [draw, customer_id, period]; p as [draw, customer_id]"""
        chance = np.broadcast_to(np.asarray(p, dtype=float), self.shape)
        return self._fill_periods(lambda g, c: g.binomial(n[:, c].astype(np.int64), chance[:, c, None]), n.shape)

    def beta_periods(self, a: Array, b: Array) -> Array:
        """Beta(a, b) for several periods at once. a, b and result: [draw, customer_id, period]"""
        return self._fill_periods(lambda g, c: g.beta(a[:, c], b[:, c]), a.shape)

    def normal_periods(self, periods: int) -> Array:
        """Standard normal for several periods at once. [draw, customer_id, period]"""
        return self._fill_periods(lambda g, c: g.standard_normal((self.draws, periods)), (*self.shape, periods))

    def gamma_periods(self, shape: Array) -> Array:
        """Gamma of scale 1 for several periods at once (shape 0: 0). shape and result: [draw, customer_id, period]"""
        return self._fill_periods(lambda g, c: g.standard_gamma(shape[:, c]), shape.shape)
