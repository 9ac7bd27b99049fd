"""What contracts are tried on: each model with its story, truths, histories, and posteriors made without a fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
from contracts import stories, stories_discrete

from clvmodels.customers.table import Customers
from clvmodels.futures.histories import simulate_histories
from clvmodels.inference.effects import Effect
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.unique_rows import numbers
from clvmodels.models import MODELS, Model
from clvmodels.models.prior import log_normal

END = pd.Timestamp("2025-06-30")
HISTORIES = {  # frequency, recency, T, monetary_value; by the model's time
    "continuous": {
        "new": (0, 0.0, 0.0, 0.0),
        "once, long ago": (0, 0.0, 38.9, 0.0),
        "once, just now": (0, 0.0, 0.1, 0.0),
        "twice": (1, 20.0, 38.9, 31.5),
        "bought on the last day": (3, 30.0, 30.0, 12.0),
        "regular": (12, 35.0, 39.0, 55.0),
        "heavy, silent for a week": (40, 9.0, 10.0, 8.0),
        "early, then silent": (2, 4.0, 39.0, 140.0),
    },
    "opportunities": {
        "new": (0, 0.0, 0.0, 0.0),
        "one missed": (0, 0.0, 1.0, 0.0),
        "never": (0, 0.0, 6.0, 0.0),
        "bought at the last": (3, 6.0, 6.0, 12.0),
        "always": (6, 6.0, 6.0, 20.0),
        "early, then silent": (2, 2.0, 7.0, 9.0),
        "once": (1, 3.0, 7.0, 31.5),
        "long": (20, 30.0, 33.0, 8.0),
    },
    "renewals": {
        "new": (0, 0.0, 0.0, 0.0),
        "ended at the first": (0, 0.0, 1.0, 0.0),
        "renewed once": (1, 1.0, 1.0, 5.0),
        "ended early": (1, 1.0, 7.0, 31.5),
        "ended late": (5, 5.0, 6.0, 2.0),
        "alive": (6, 6.0, 6.0, 12.0),
        "alive for long": (30, 30.0, 30.0, 4.0),
        "ended long ago": (3, 3.0, 40.0, 2.0),
    },
}


@dataclass(frozen=True)
class Case:
    """A model, its story, and two truths in weeks and dollars; the first is used for draws.

    `columns` are what the model observes beside the usual: name -> function of a table of customers.
    """

    model: Model
    story: Any
    thetas: tuple[dict[str, float], ...]
    columns: Mapping[str, Callable[[pd.DataFrame], Any]] = field(default_factory=dict)

    @property
    def theta(self) -> dict[str, float]:
        return self.thetas[0]

    def complete(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table with all that the model observes."""
        return table.assign(**{name: column(table) for name, column in self.columns.items()})

    def table(self) -> pd.DataFrame:
        """The histories on which contracts are tried."""
        return self.of_its_time(self.complete(table_of(HISTORIES[self.model.time])))

    def new_customers(self, size: int) -> pd.DataFrame:
        """Customers who have just come."""
        return self.of_its_time(self.complete(new_customers(size)))

    def of_its_time(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table, which now says what its time is; `customers_of` reads it."""
        table.attrs["time"] = self.model.counts
        return table

    def rows(self, table: pd.DataFrame | None = None) -> dict[str, np.ndarray]:
        """What the model observes, as its log density takes it. [R] each"""
        table = self.table() if table is None else table
        return {name: numbers(table, name) for name in self.model.observes}


GAPS = {
    "sum_log_gaps": lambda table: [np.log(stories.gaps_of(row)).sum() for row in table.to_dict("records")],
}

CASES = {
    "nbd": Case(MODELS["nbd"], stories.NBD(), ({"r": 0.6, "alpha": 8.0}, {"r": 2.0, "alpha": 3.0})),
    "pareto_nbd": Case(
        MODELS["pareto_nbd"],
        stories.ParetoNBD(),
        ({"r": 0.55, "alpha": 10.6, "s": 0.6, "beta": 11.7}, {"r": 2.5, "alpha": 4.0, "s": 1.7, "beta": 30.0}),
    ),
    "gg_nbd": Case(
        MODELS["gg_nbd"],
        stories.GGNBD(),
        (
            {"r": 0.55, "alpha": 10.6, "b": 0.02, "s": 0.6, "beta": 0.25},
            {"r": 2.5, "alpha": 4.0, "b": 0.1, "s": 1.7, "beta": 5.0},
        ),
    ),
    "bg_nbd": Case(
        MODELS["bg_nbd"],
        stories.BGNBD(),
        ({"r": 0.24, "alpha": 4.4, "a": 0.8, "b": 2.4}, {"r": 2.5, "alpha": 4.0, "a": 1.7, "b": 1.0}),
    ),
    "mbg_nbd": Case(
        MODELS["mbg_nbd"],
        stories.MBGNBD(),
        ({"r": 0.5, "alpha": 6.0, "a": 0.8, "b": 2.4}, {"r": 2.5, "alpha": 4.0, "a": 1.7, "b": 1.0}),
    ),
    "bg_cnbd_k": Case(
        MODELS["bg_cnbd_k"],
        stories.CNBDk(k=2, first=False),
        ({"r": 0.8, "alpha": 5.0, "a": 0.8, "b": 2.4}, {"r": 2.5, "alpha": 2.0, "a": 1.7, "b": 1.0}),
        GAPS,
    ),
    "mbg_cnbd_k": Case(
        MODELS["mbg_cnbd_k"],
        stories.CNBDk(k=2, first=True),
        ({"r": 0.8, "alpha": 5.0, "a": 0.8, "b": 2.4}, {"r": 2.5, "alpha": 2.0, "a": 1.7, "b": 1.0}),
        GAPS,
    ),
    "bg_bb": Case(
        MODELS["bg_bb"],
        stories_discrete.BGBB(),
        (
            {"alpha": 1.2, "beta": 0.75, "gamma": 0.66, "delta": 2.78},
            {"alpha": 0.6, "beta": 2.0, "gamma": 1.0, "delta": 5.0},
        ),
    ),
    "bb": Case(MODELS["bb"], stories_discrete.BB(), ({"alpha": 1.2, "beta": 0.75}, {"alpha": 0.6, "beta": 2.0})),
    "sbg": Case(MODELS["sbg"], stories_discrete.SBG(), ({"alpha": 0.67, "beta": 3.8}, {"alpha": 1.0, "beta": 1.2})),
    "bdw": Case(
        MODELS["bdw"],
        stories_discrete.BdW(),
        ({"alpha": 0.8, "beta": 3.0, "c": 0.7}, {"alpha": 1.5, "beta": 1.2, "c": 1.6}),
    ),
    "gamma_gamma": Case(
        MODELS["gamma_gamma"],
        stories.GammaGamma(),
        ({"p": 6.25, "q": 3.74, "v": 15.4}, {"p": 1.2, "q": 1.3, "v": 3.0}),
    ),
    "gamma_gamma_mean": Case(
        MODELS["gamma_gamma_mean"],
        stories.GammaGammaMean(),
        ({"p": 6.25, "q": 3.74, "v": 15.4}, {"p": 1.2, "q": 1.3, "v": 3.0}),
    ),
    "lognormal_spend": Case(
        MODELS["lognormal_spend"],
        stories.LogNormalSpend(),
        ({"m": 27.0, "tau": 0.35, "sigma": 0.3}, {"m": 4.0, "tau": 0.7, "sigma": 0.9}),
    ),
}


def case_of(name: str) -> Case:
    """The case of a registered model; a model without one is a failure, not a skip."""
    assert name in CASES, f"write the story of {name} in stories.py, and its case here"
    return CASES[name]


def table_of(histories: dict[str, tuple] | None = None) -> pd.DataFrame:
    columns = ["frequency", "recency", "T", "monetary_value"]
    table = pd.DataFrame.from_dict(histories or HISTORIES["continuous"], orient="index", columns=columns)
    table = table.astype({"frequency": "int64"}).rename_axis("customer_id").sort_index()
    table = table.assign(**{name: column(table) for name, column in GAPS.items()})
    paid = [amount_statistics(stories.amounts_of(row)) for row in table.to_dict("records")]
    return table.join(pd.DataFrame(paid, index=table.index))


def amount_statistics(amounts: np.ndarray) -> dict[str, Any]:
    """What spend models observe of amounts. [..., n] -> [...] each"""
    n, logs = amounts.shape[-1], np.log(amounts)
    off = logs - logs.mean(axis=-1, keepdims=True) if n else logs
    return {
        "amount_count": np.full(amounts.shape[:-1], n)[()],
        "amount_sum": amounts.sum(axis=-1),
        "amount_log_sum": logs.sum(axis=-1),
        "amount_log_ss": (off**2).sum(axis=-1),
    }


def rescaled(table: pd.DataFrame, time: float = 1.0, money: float = 1.0) -> pd.DataFrame:
    """The same customers in other units: so many of the new for one of the old."""
    factors = {"recency": time, "T": time, "monetary_value": money, "amount_sum": money}
    shifts = {"amount_log_sum": ("amount_count", money), "sum_log_gaps": ("frequency", time)}
    times = {name: table[name] * factor for name, factor in factors.items() if name in table}
    plus = {name: table[name] + table[n] * np.log(by) for name, (n, by) in shifts.items() if name in table}
    return table.assign(**times, **plus)


def customers_of(table: pd.DataFrame, time_unit: str = "week", amount_unit: float = 1.0) -> Customers:
    return Customers(table, time_unit, END, "USD", amount_unit, time=table.attrs.get("time", "continuous"))


def new_customers(size: int) -> pd.DataFrame:
    return table_of({f"c{k:05d}": (0, 0.0, 0.0, 0.0) for k in range(size)})


def row_arrays(table: pd.DataFrame) -> dict[str, np.ndarray]:
    return {name: table[name].to_numpy(dtype=float) for name in table}


def as_theta(theta: dict[str, float]) -> dict[str, np.ndarray]:
    return {name: np.array([[float(value)]]) for name, value in theta.items()}


def posterior_of(model: Model, theta: dict[str, float], draws: int, spread: float = 0.1, seed: int = 1) -> Posterior:
    """A posterior whose draws lie around theta, each parameter's log (of its excess) with sd `spread`."""
    rng = np.random.default_rng([seed, len(model.name)])
    around = {p.name: p.moved(theta[p.name], spread * rng.standard_normal((1, draws)), np) for p in model.parameters}
    priors = {p.name: p.prior for p in model.parameters}
    tree = az.from_dict({"posterior": around})
    return Posterior(model, tree, "laplace", priors, (), {}, "week", 1.0, "USD", seed)


def by_channel(plain: Posterior, parameter: str, labels: Sequence[str]) -> Posterior:
    """The posterior with a pooled group on one parameter, its coefficients drawn at random."""
    draws = len(plain.stacked(parameter))
    own = next(p for p in plain.model.parameters if p.name == parameter)
    effect = Effect(own.part, (parameter,), "channel")
    contents = {p.name: plain.stacked(p.name)[None] for p in plain.model.parameters}
    contents[effect.name] = np.random.default_rng(1).normal(size=(1, draws, len(labels)))
    contents[f"{effect.name}_sd"] = np.full((1, draws), 0.7)
    tree = az.from_dict({"posterior": contents}, dims={effect.name: ["channel"]}, coords={"channel": list(labels)})
    return replace(plain, data=tree, effects=(effect,), groups={"channel": tuple(labels)})


def pair_of(case: Case, draws: int, seed: int = 1) -> tuple[Posterior, Posterior]:
    """Posteriors of purchases and of spend: the case's own and, for the other part, a partner's."""
    partner = CASES["gamma_gamma" if "purchases" in case.model.provides else "bg_nbd"]
    own, other = (posterior_of(c.model, c.theta, draws, seed=seed) for c in (case, partner))
    return (own, other) if "purchases" in case.model.provides else (other, own)


def roles_of(case: Case, draws: int, seed: int = 1) -> dict[str, Posterior]:
    """The same, by role."""
    return dict(zip(("purchases", "spend"), pair_of(case, draws, seed), strict=True))


def simulated(case: Case, size: int = 150, seed: int = 1) -> pd.DataFrame:
    """Histories of customers with amounts, of the case's truth where it has a say."""
    purchases, spend = (posterior.model for posterior in pair_of(case, 1))
    truth = {m.name: case.theta if m is case.model else CASES[m.name].theta for m in (purchases, spend)}
    ages = np.random.default_rng(seed).uniform(20, 60, size)
    ages = ages if purchases.counts == "continuous" else np.floor(ages / 5)
    table = simulate_histories(purchases, truth[purchases.name], ages, seed, (spend, truth[spend.name]))
    return case.of_its_time(table) if purchases is case.model else table


def priors_around(case: Case) -> dict[str, Any]:
    """Priors that hold a fit to few customers together."""
    return {p.name: log_normal(case.theta[p.name] - p.lower, 0.5) for p in case.model.parameters}
