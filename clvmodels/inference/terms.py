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
import pytensor.tensor as pt

from clvmodels.draws import Array
from clvmodels.inference.effects import Effect, covariate, group_labels
from clvmodels.randomness import keyed_generator

START_SD = 0.2
"""Between-group sd from which a mode is searched: groups that differ by a fifth. The coordinate is its log: not 0."""
Draws = Callable[[str], Array]
"""From the name of a variable to its draws, all chains one after the other."""


class Scale(NamedTuple):
    """Mean and standard deviation of a covariate among the fit's customers."""

    mean: float
    sd: float


class Coefficient(NamedTuple):
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

    @property
    @abstractmethod
    def blank(self) -> np.ndarray:
        """A design of one row: what the graph holds while it has no customers. [1] or [1, J]"""

    @abstractmethod
    def design(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        """What the coefficients of each customer are picked or multiplied by. [C] or [C, J]"""

    @abstractmethod
    def log_prior(self, block: Any, centring: Any) -> Any:
        """Log density of the block's coordinates, in the graph."""

    @abstractmethod
    def per_row(self, block: Any, design: Any, centring: Any) -> Any:
        """The coefficient of each row, in the graph. [R]"""

    @abstractmethod
    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        """Named variables of the posterior, from draws of the block."""

    @abstractmethod
    def per_customer(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        """The coefficient of each customer in each draw. [D, C]"""

    @abstractmethod
    def coefficients(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Coefficient]:
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
        return str(self.effect.group).replace("/", "_")  # which a stored file takes for a folder

    @property
    def start(self) -> Array:
        return np.r_[np.log(START_SD), np.zeros(len(self.labels))]

    @property
    def blank(self) -> np.ndarray:
        return np.zeros(1, dtype="int64")

    def design(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        labels = group_labels(table[self.effect.group])
        return pd.Categorical(labels, categories=list(self.labels)).codes.astype("int64")

    def log_prior(self, block: Any, centring: Any) -> Any:
        log_sd, z = block[0], block[1:]
        return self.log_prior_of_scale(log_sd) + self.log_prior_of_groups(log_sd, z, centring).sum()

    def log_prior_of_scale(self, log_sd: Any) -> Any:
        """Log density of the block's first coordinate, in the graph."""
        # The prior is of the sd, the coordinate its log: + log_sd is the Jacobian.
        return self.effect.sd_prior.log_density(pt.exp(log_sd)) + log_sd

    def log_prior_of_groups(self, log_sd: Any, z: Any, centring: Any) -> Any:
        """Log density of each of the others given the first, in the graph."""
        log_width = centring * log_sd
        return -0.5 * (z * pt.exp(-log_width)) ** 2 - log_width - 0.5 * np.log(2.0 * np.pi)

    def per_row(self, block: Any, design: Any, centring: Any) -> Any:
        return self.of_groups(block[0], block[1:], centring)[design]

    def of_groups(self, log_sd: Any, z: Any, centring: Any) -> Any:
        """The coefficient of each group, in the graph."""
        return z * pt.exp((1.0 - centring) * log_sd)

    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        log_sd, z = block[..., :1], block[..., 1:]
        coefficients = z * np.exp((1.0 - centring) * log_sd)
        return {f"{self.name}_sd": np.exp(log_sd[..., 0]), self.name: coefficients}

    def per_customer(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        coefficients, sd = draws(self.name), draws(f"{self.name}_sd")
        labels = group_labels(table[self.effect.group])
        strangers = sorted(set(labels) - set(self.labels))
        for label in strangers:
            # A fresh draw of the population of groups; keyed by the label, the same whoever else is in the table.
            rng = keyed_generator(seed, "group", f"{self.name}={label}")
            coefficients = np.column_stack([coefficients, sd * rng.standard_normal(len(sd))])
        column_of = {label: g for g, label in enumerate([*self.labels, *strangers])}
        return coefficients[:, labels.map(column_of).to_numpy(dtype=int)]

    def coefficients(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Coefficient]:
        of_groups = draws(self.name)
        rows = [Coefficient("group", label, of_groups[:, g]) for g, label in enumerate(self.labels)]
        return [*rows, Coefficient("sd between groups", self.dimension, draws(f"{self.name}_sd"))]


@dataclass(frozen=True)
class Covariates(Term):
    """A coefficient per standard deviation of each covariate; and, where the effect says so, one for being missing."""

    effect: Effect

    @property
    def labels(self) -> tuple[str, ...]:
        names = self.effect.covariates
        if self.effect.missing != "indicator":
            return names
        return (*names, *map(missing_label, names))

    @property
    def dimension(self) -> str:
        return f"covariate of {self.name}"

    @property
    def start(self) -> Array:
        return np.zeros(len(self.labels))

    @property
    def blank(self) -> np.ndarray:
        return np.zeros((1, len(self.labels)))

    def design(self, table: pd.DataFrame, scales: Mapping[str, Scale]) -> np.ndarray:
        """Standardised covariates, 0 where missing (the mean); then, with an indicator, 1 where missing."""
        names = self.effect.covariates
        raw = np.column_stack([covariate(table, name) for name in names])
        gaps = np.isnan(raw)
        mean = np.array([scales[name].mean for name in names])
        sd = np.array([scales[name].sd for name in names])
        standard = np.where(gaps, 0.0, (raw - mean) / sd)
        if self.effect.missing != "indicator":
            return standard
        return np.column_stack([standard, gaps])

    def log_prior(self, block: Any, centring: Any) -> Any:
        return self.effect.coefficient_prior.log_density(block).sum()

    def per_row(self, block: Any, design: Any, centring: Any) -> Any:
        return pt.sum(design * block, axis=1)

    def variables(self, block: Array, centring: Array) -> dict[str, Array]:
        return {self.name: block}

    def per_customer(self, draws: Draws, table: pd.DataFrame, scales: Mapping[str, Scale], seed: int) -> Array:
        coefficients = draws(self.name)
        design = self.design(table, scales)
        # One product after the other: the last digit of a matrix product depends on who else is in the block.
        products = [coefficients[:, [j]] * design[None, :, j] for j in range(len(self.labels))]
        return np.asarray(sum(products))

    def coefficients(self, draws: Draws, scales: Mapping[str, Scale]) -> list[Coefficient]:
        per_sd = dict(zip(self.labels, draws(self.name).T, strict=True))
        names = self.effect.covariates
        rows = [Coefficient("per sd", name, per_sd[name]) for name in names]
        rows += [Coefficient("per unit", name, per_sd[name] / scales[name].sd) for name in names]
        indicators = self.labels[len(names) :]
        return rows + [Coefficient("missing", label, per_sd[label]) for label in indicators]


def missing_label(name: str) -> str:
    """What the coefficient for a missing covariate is called."""
    return f"{name} (missing)"


def make_terms(effects: Sequence[Effect], groups: Mapping[str, Sequence[str]]) -> tuple[Term, ...]:
    """The terms of effects, from the labels of each group column."""
    terms: list[Term] = []
    for effect in effects:
        if effect.group is None:
            terms.append(Covariates(effect))
        else:
            terms.append(PooledGroup(effect, tuple(groups[effect.group])))
    return tuple(terms)


def learn(effects: Sequence[Effect], table: pd.DataFrame) -> tuple[dict[str, tuple[str, ...]], dict[str, Scale]]:
    """What a fit keeps of its customers: the labels of each group column, the scale of each covariate."""
    groups: dict[str, tuple[str, ...]] = {}
    scales: dict[str, Scale] = {}
    for effect in effects:
        if effect.group is not None:
            groups[effect.group] = tuple(sorted(group_labels(table[effect.group]).unique()))
        for name in effect.covariates:
            scales[name] = _scale(covariate(table, name))
    return groups, scales


def _scale(values: Array) -> Scale:
    present = np.sort(values[~np.isnan(values)])  # sorted, so that a permuted table gives the same to the last bit
    return Scale(float(present.mean()), float(present.std()))
