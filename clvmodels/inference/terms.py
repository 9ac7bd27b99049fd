"""Effects in one fit: coordinates, log density, the coefficient of each row in the graph and of each customer in draws.

Shapes: R = unique rows, D = draw, C = customer_id, G = group, J = covariate (those for being missing among them).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
import pytensor
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.inference.effects import Effect, covariate, group_labels
from clvmodels.randomness import keyed_generator

START_SD = 0.2
Draws = Callable[[str], Array]


class Scale(NamedTuple):
    """Mean and standard deviation of a covariate among the fit's customers."""

    mean: float
    sd: float


class Told(NamedTuple):
    """Draws [D] of a coefficient: of what kind, and of what."""

    kind: Literal["group", "sd between groups", "per sd", "per unit", "missing"]
    label: str
    draws: Array


class Term(ABC):
    """An effect with what the fit's customers say of it."""

    effect: Effect

    @property
    @abstractmethod
    def labels(self) -> tuple[str, ...]:
        """Names of its coefficients."""

    @property
    def coordinates(self) -> tuple[str, ...]:
        """Names of its block of the flat vector."""
        return tuple(f"{self.name}[{label}]" for label in self.labels)

    @property
    def name(self) -> str:
        """As the effect's."""
        return self.effect.name

    @property
    def scale(self) -> int | None:
        """Place of the log between-group sd in the block, if there is one."""
        return None

    @property
    @abstractmethod
    def dimension(self) -> str:
        """Name of the coefficients' dimension in the posterior."""

    @property
    @abstractmethod
    def start(self) -> Array:
        """Where the search for a mode begins."""

    @abstractmethod
    def read(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        """What the graph needs of each customer. [C] or [C, J]"""

    @abstractmethod
    def shared(self) -> Any:
        """The PyTensor variable that holds it for the unique rows."""

    @abstractmethod
    def log_prior(self, block: Any, centring: Any) -> Any:
        """Log density of the block's coordinates."""

    @abstractmethod
    def per_row(self, block: Any, data: Any, centring: Any) -> Any:
        """The coefficient of each row, in the graph. [R]"""

    @abstractmethod
    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        """Named variables of the posterior, from draws of the block."""

    @abstractmethod
    def coefficient(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        """The coefficient of each customer in each draw. [D, C]"""

    @abstractmethod
    def told(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Told]:
        """Its coefficients as people read them."""


@dataclass(frozen=True)
class PooledGroup(Term):
    """c_g ~ N(0, sd). The block is log sd and, for each group, z_g with

        c_g = z_g sd^(1 - w_g),        z_g ~ N(0, sd^w_g),

    w the centring: 1 samples the coefficient itself, which suits a group that the data determine; 0 standardises it,
    which suits one that they say little of; see Papaspiliopoulos, Roberts & Skold (2003), section 3.
    """

    effect: Effect
    groups: tuple[str, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        return self.groups

    @property
    def coordinates(self) -> tuple[str, ...]:
        return (f"log sd {self.name}", *super().coordinates)

    @property
    def scale(self) -> int:
        return 0

    @property
    def dimension(self) -> str:
        return str(self.effect.group).replace("/", "_")

    @property
    def start(self) -> Array:
        return np.r_[np.log(START_SD), np.zeros(len(self.labels))]

    def read(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        labels = group_labels(table[self.effect.group])
        return pd.Categorical(labels, categories=list(self.labels)).codes.astype("int64")

    def shared(self) -> Any:
        return pytensor.shared(np.zeros(1, dtype="int64"), name=f"data {self.name}", shape=(None,))

    def log_prior(self, block: Any, centring: Any) -> Any:
        log_sd, z = block[0], block[1:]
        log_width = centring * log_sd
        of_z = -0.5 * (z * pt.exp(-log_width)) ** 2 - log_width - 0.5 * np.log(2.0 * np.pi)
        return self.effect.sd_prior.log_density(pt.exp(log_sd)) + log_sd + of_z.sum()

    def per_row(self, block: Any, data: Any, centring: Any) -> Any:
        return (block[1:] * pt.exp((1.0 - centring) * block[0]))[data]

    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        log_sd = block[..., :1]
        own = block[..., 1:] * np.exp((1.0 - centring) * log_sd)
        return {f"{self.name}_sd": np.exp(log_sd[..., 0]), self.name: own}

    def coefficient(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        fitted, sd = draws(self.name), draws(f"{self.name}_sd")
        known = {label: g for g, label in enumerate(self.labels)}
        names = group_labels(table[self.effect.group])
        for label in sorted(set(names) - set(known)):  # a fresh draw of the population of groups
            rng = keyed_generator(seed, "group", f"{self.name}={label}")
            known[label] = len(known)
            fitted = np.column_stack([fitted, sd * rng.standard_normal(len(sd))])
        return fitted[:, names.map(known).to_numpy(dtype=int)]

    def told(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Told]:
        own = draws(self.name)
        sd = Told("sd between groups", self.dimension, draws(f"{self.name}_sd"))
        return [*(Told("group", label, own[:, g]) for g, label in enumerate(self.labels)), sd]


@dataclass(frozen=True)
class Covariates(Term):
    """A coefficient per standard deviation of each covariate; and, where the effect says so, one for being missing."""

    effect: Effect

    @property
    def labels(self) -> tuple[str, ...]:
        names = self.effect.covariates
        return (*names, *map(missing_label, names)) if self.effect.missing == "indicator" else names

    @property
    def dimension(self) -> str:
        return f"covariate of {self.name}"

    @property
    def start(self) -> Array:
        return np.zeros(len(self.labels))

    def read(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        raw = np.column_stack([covariate(table, name) for name in self.effect.covariates])
        gaps = np.isnan(raw)
        mean, sd = np.array([scales[name] for name in self.effect.covariates]).T
        standard = np.where(gaps, 0.0, (raw - mean) / sd)
        return np.column_stack([standard, gaps]) if self.effect.missing == "indicator" else standard

    def shared(self) -> Any:
        empty = np.zeros((1, len(self.labels)))
        return pytensor.shared(empty, name=f"data {self.name}", shape=(None, len(self.labels)))

    def log_prior(self, block: Any, centring: Any) -> Any:
        return self.effect.coefficient_prior.log_density(block).sum()

    def per_row(self, block: Any, data: Any, centring: Any) -> Any:
        return pt.sum(data * block, axis=1)

    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        return {self.name: block}

    def coefficient(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        # one product after the other: the last digit of a matrix product depends on who else is in the block
        fitted, read = draws(self.name), self.read(table, scales)
        return np.asarray(sum(fitted[:, [j]] * read[None, :, j] for j in range(len(self.labels))))

    def told(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Told]:
        own, names = draws(self.name), self.effect.covariates
        found = [Told("per sd", name, own[:, j]) for j, name in enumerate(names)]
        found += [Told("per unit", name, own[:, j] / scales[name].sd) for j, name in enumerate(names)]
        return found + [Told("missing", label, own[:, j]) for j, label in enumerate(self.labels) if label not in names]


def missing_label(name: str) -> str:
    """What the coefficient for a missing covariate is called."""
    return f"{name} (missing)"


def make_terms(effects: Sequence[Effect], groups: Mapping[str, Sequence[str]]) -> tuple[Term, ...]:
    """The terms of effects, from the labels of each group column."""
    return tuple(Covariates(e) if e.group is None else PooledGroup(e, tuple(groups[e.group])) for e in effects)


def learn(effects: Sequence[Effect], table: pd.DataFrame) -> tuple[dict[str, tuple[str, ...]], dict[str, Scale]]:
    """What a fit keeps of its customers: the labels of each group column, the scale of each covariate."""
    groups = {e.group: tuple(sorted(group_labels(table[e.group]).unique())) for e in effects if e.group is not None}
    return groups, {name: _scale(covariate(table, name)) for e in effects for name in e.covariates}


def _scale(values: Array) -> Scale:
    known = np.sort(values[~np.isnan(values)])  # sorted, so that a permuted table gives the same to the last bit
    return Scale(float(known.mean()), float(known.std()))
