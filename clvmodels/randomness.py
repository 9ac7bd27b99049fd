"""Randomness keyed by customer: a customer's draws depend on the seed, the stage and the id, on nothing else.

Not on the block, the order of rows, the number of workers or the process. A `KeyedRandom` draws for many customers at
once, each from a stream of its own (`variates`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from clvmodels import variates
from clvmodels.draws import Array


def keyed_generator(seed: int, stage: str, label: str) -> np.random.Generator:
    """A generator for one stage of one customer (or group): Philox keyed by blake2b of (seed, stage, label)."""
    return np.random.Generator(np.random.Philox(key=int.from_bytes(_digest(seed, stage, label, 16), "little")))


def keyed_streams(seed: int, stage: str, labels: Sequence[str]) -> NDArray[np.uint64]:
    """A stream for one stage of each customer: 256 bits of blake2b of (seed, stage, label). [C, 4]"""
    digests = b"".join(_digest(seed, stage, label, 32) for label in labels)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64).reshape(len(labels), 4)


GOLDEN, FIRST_MIX, SECOND_MIX = 0x9E3779B97F4A7C15, np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def keyed_bits(keys: NDArray[np.uint64], number: int) -> NDArray[np.uint64]:
    """64 random bits for each key, those of this number: the others of its sequence need not be made before. [C]

    Steele, Lea & Flood (2014), Fast Splittable Pseudorandom Number Generators, OOPSLA: SplitMix64.
    """
    bits = keys + np.uint64((number + 1) * GOLDEN % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * FIRST_MIX
    bits = (bits ^ (bits >> np.uint64(27))) * SECOND_MIX
    return bits ^ (bits >> np.uint64(31))


def _digest(seed: int, stage: str, label: str, size: int) -> bytes:
    key = int(seed).to_bytes(16, "little", signed=True)
    return hashlib.blake2b(label.encode(), digest_size=size, key=key, person=_person(stage)).digest()


def _person(stage: str) -> bytes:
    """Blake2b takes 16 bytes of personalisation: longer stage names are hashed down to them."""
    raw = stage.encode()
    return raw if len(raw) <= 16 else hashlib.blake2b(raw, digest_size=16).digest()


class KeyedRandom:
    """One stream per customer, vectorised over draws.

    The number of draws belongs to the key's contract: other draws, other streams. Successive calls continue each
    customer's stream, so a stage must make the same calls for each customer. Every method takes parameters that are
    broadcast to `shape`.

    Parameters
    ----------
    seed, stage
        Key of the streams, together with each label.
    labels
        Customer ids of the block, in column order.
    draws
        Number of posterior draws (rows of every array returned).

    Attributes
    ----------
    shape
        Of every array returned: (draw, customer_id), or that of what `along` was given.
    columns
        The stream (place in the block) of each column of these arrays.
    streams : [C, 4]
        The customers' streams, for compiled loops that draw (`variates`).
    """

    def __init__(self, seed: int, stage: str, labels: Sequence[str], draws: int):
        self.shape: tuple[int, ...] = (draws, len(labels))
        self.streams = keyed_streams(seed, stage, [str(label) for label in labels])
        self.columns = np.arange(len(labels))

    @property
    def draws(self) -> int:
        return self.shape[0]

    def along(self, customers: NDArray[np.int64]) -> KeyedRandom:
        """The same streams, for a number of each of these customers (places in the block), one after the other."""
        other = object.__new__(KeyedRandom)
        other.shape, other.streams, other.columns = customers.shape, self.streams, customers
        return other

    def fill(self, loop: Callable[..., bool], *parameters: ArrayLike) -> Array:
        """What a loop of `variates.drawing` draws, of parameters that are broadcast to `shape`.

        Raises
        ------
        ValueError
            Parameters that cannot be meant: a negative shape, a chance above 1, one that is no number.
        """
        wide = [np.broadcast_to(np.asarray(parameter, dtype=float), self.shape) for parameter in parameters]
        out = np.empty(self.shape)
        can_be_meant = loop(self.streams, self.columns, *map(np.atleast_2d, wide), np.atleast_2d(out))
        if not can_be_meant:
            raise ValueError(f"{loop.__name__}: parameters outside of their range")
        return out

    def uniform(self) -> Array:
        """Uniform on [0, 1)."""
        return self.fill(variates.uniforms)

    def normal(self) -> Array:
        """Standard normal."""
        return self.fill(variates.normals)

    def exponential(self) -> Array:
        """Standard exponential."""
        return self.fill(variates.exponentials)

    def gamma(self, shape: ArrayLike) -> Array:
        """Gamma of the given shape (0 allowed: 0) and scale 1."""
        return self.fill(variates.gammas, shape)

    def beta(self, a: ArrayLike, b: ArrayLike) -> Array:
        """Beta(a, b)."""
        return self.fill(variates.betas, a, b)

    def poisson(self, mean: ArrayLike) -> Array:
        """Poisson counts, as floats (means beyond 1e18 are refused)."""
        return self.fill(variates.poissons, mean)

    def binomial(self, n: ArrayLike, p: ArrayLike) -> Array:
        """Binomial counts, as floats."""
        return self.fill(variates.binomials, n, p)
