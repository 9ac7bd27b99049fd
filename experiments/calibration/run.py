"""Are posteriors as wide as they should be? Simulation-based calibration of every model on its own histories.

    python experiments/calibration/run.py [--models bg_nbd ...] [--seeds 200] [--jobs 2] [--confirm]

For each seed a truth is drawn from the prior stated below, histories of 300 customers are simulated from it, and the
model is fitted with that same prior. The rank of the truth among 400 posterior draws is uniform if simulator, density
and sampler are right (Talts et al. 2018): for each population parameter and for the own variables of three customers,
who are alive or have left. One model with pooled groups is fitted by NUTS; all others by laplace. `bg_nbd_wide` is
the judgement's own test: its simulator draws from a prior twice as wide as the one fitted, and has to be found out.

One CSV a model under reports/calibration, written whole after each seed: an interrupted run goes on where it was; rows
of other code are dropped, unless the code as it is was seen to replay them (`--confirm`, see stored.py). A refused fit
counts as rank 0 of all. Neither seeds nor priors are chosen by their results.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from code_version import NUTS, files_of, files_of_fits, version_of
from judge import verdicts
from stored import confirm, confirmation_text, present_rows, write

from clvmodels.customers.table import Customers
from clvmodels.errors import FitError
from clvmodels.futures.histories import labels_of, newcomers, simulate_amounts, simulate_purchases, statistics
from clvmodels.futures.individuals import individuals, rows_of
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import Posterior
from clvmodels.models import MODELS, Model, PurchaseModel, SpendModel, get_model
from clvmodels.models.contract import Array
from clvmodels.models.prior import Prior, log_normal
from clvmodels.randomness import KeyedRandom

FOLDER = Path(__file__).parents[2] / "reports" / "calibration"
DIGITS = "%.6g"
"""Of stored numbers."""
CUSTOMERS, DRAWS, WATCHED = 300, 400, 3
AGES = {"continuous": (26.0, 52.0), "opportunities": (6, 13), "renewals": (6, 13)}
"""Ages of the customers, uniform between these: weeks, or whole opportunities (the last not among them)."""
SPREAD = 0.5
"""Sd of the log of each parameter (of its excess over its lower bound): a factor of 2.3 up or down in 90 of 100."""
MEDIANS = {
    "r": 0.6,
    "alpha": 8.0,
    "s": 0.8,
    "beta": 12.0,
    "a": 0.8,
    "b": 2.5,
    "p": 4.0,
    "q": 2.5,
    "v": 15.0,
    "m": 20.0,
    "tau": 0.5,
    "sigma": 0.6,
}
"""Of the truths: the size of the published estimates on retail data, in weeks and dollars. q's is of its excess."""
OTHERS = {
    "gg_nbd": {"b": 0.02, "s": 0.8, "beta": 0.4},
    "bg_bb": {"alpha": 1.2, "beta": 0.8, "gamma": 0.7, "delta": 2.8},
    "bb": {"alpha": 1.2, "beta": 0.8},
    "sbg": {"alpha": 0.7, "beta": 2.5},
    "bdw": {"alpha": 0.7, "beta": 2.5, "c": 1.0},
}
"""Where a letter means something else: published estimates again (donors, contracts), or the same lifetimes."""


@dataclass(frozen=True)
class Study:
    """One calibration: a model, perhaps with pooled groups, and how it is fitted."""

    name: str
    model: str
    seeds: int = 200
    groups: int = 0
    simulator_spread: float = SPREAD


STUDIES = {
    **{name: Study(name, name) for name in MODELS},
    "bg_nbd_by_group": Study("bg_nbd_by_group", "bg_nbd", seeds=50, groups=6),
    "bg_nbd_wide": Study("bg_nbd_wide", "bg_nbd", simulator_spread=2 * SPREAD),
}
MUST_FAIL = ("bg_nbd_wide",)
PASSING = ("phase",)
"""Not a customer's own for good: a newcomer's is that at age 0, a regular buyer's that at the end of observation."""
EFFECT = Effect("purchases", ("alpha",), group="channel")


def stated_priors(model: Model, spread: float = SPREAD) -> dict[str, Prior]:
    """The prior from which the truth is drawn and which is fitted."""
    medians = MEDIANS | OTHERS.get(model.name, {})
    return {p.name: log_normal(medians[p.name], spread) for p in model.parameters}


def draw_truth(study: Study, model: Model, seed: int) -> dict[str, float]:
    """One value of each parameter."""
    rng = np.random.default_rng([seed, 1])
    priors = stated_priors(model, study.simulator_spread)
    return {p.name: p.value(float(priors[p.name].draw(1, rng)[0])) for p in model.parameters}


@dataclass(frozen=True)
class Simulated:
    """Customers of a known truth: their table, and own variables by name [C]."""

    customers: Customers
    own: dict[str, Array]


def simulate(model: Model, truth: Mapping[str, float | Array], seed: int) -> Simulated:
    """Customers of a model with these parameters."""
    rng = np.random.default_rng([seed, 2])
    if isinstance(model, PurchaseModel):
        low, high = AGES[model.time]
        ages = rng.uniform(low, high, CUSTOMERS) if model.time == "continuous" else rng.integers(low, high, CUSTOMERS)
        purchases = simulate_purchases(model, truth, ages.astype(float), seed)
        table, state = statistics(purchases, ages), newcomers(model, truth, CUSTOMERS, seed)
        own = {"purchase_rate": state.purchase_rate[0]} | {n: v[0] for n, v in state.extra.items() if n not in PASSING}
        if not state.alive.all():
            own |= _of_those_gone_at_once(model, truth, seed, state.alive[0], own)
        if model.time == "continuous":
            lasting = (state.residual_lifetime[0] > ages) & (table["frequency"] < state.residual_purchases[0])
            own["alive"] = np.asarray(state.alive[0] & lasting, dtype=float)
    else:
        assert isinstance(model, SpendModel)
        table, own = _spend_histories(model, truth, seed, rng)
    table.index = pd.Index(labels_of(CUSTOMERS), name="customer_id")
    unit = "week" if model.time == "continuous" else "year"
    more = {} if model.time == "continuous" else {"time": "opportunities"}
    return Simulated(Customers(table, unit, pd.Timestamp("2024-12-31"), "USD", **more), own)


def _of_those_gone_at_once(
    model: PurchaseModel, truth: Mapping[str, float | Array], seed: int, alive: Array, own: Mapping[str, Array]
) -> dict[str, Array]:
    """Own variables, of those who left with their first purchase drawn given that they did: their chance to leave is
    the larger for it. (`newcomers` draws all as if they had stayed, since nothing else of their histories asks.)"""
    empty = {name: np.zeros((1, CUSTOMERS)) for name in model.observes}
    wide = {name: np.atleast_2d(np.asarray(value, dtype=float)) for name, value in truth.items()}
    gone = model.draw_ended(empty, wide, KeyedRandom(seed, "history gone", labels_of(CUSTOMERS), 1))
    found = {"purchase_rate": gone.purchase_rate, **gone.extra}
    return {name: np.where(alive, value, found[name][0]) for name, value in own.items() if name in found}


def _spend_histories(
    model: SpendModel, truth: Mapping[str, float | Array], seed: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, dict[str, Array]]:
    """Frequencies as of retail customers (half buy once), amounts by the model; and own spend variables."""
    frequency = rng.poisson(rng.gamma(0.6, 3.0, CUSTOMERS))
    labels = np.array(labels_of(CUSTOMERS))
    purchases = pd.DataFrame({"customer_id": np.repeat(labels, frequency + 1)})
    purchases["age"] = purchases.groupby("customer_id").cumcount().astype(float)
    purchases["amount"] = simulate_amounts(model, truth, purchases, seed)
    empty = {name: np.zeros((1, CUSTOMERS)) for name in model.observes}
    wide = {name: np.atleast_2d(value) for name, value in truth.items()}
    state = model.draw(empty, wide, KeyedRandom(seed, "history spend", list(labels), 1))
    own = {name: np.asarray(v)[0] for name, v in state.items() if np.shape(v) == (1, CUSTOMERS)}
    return statistics(purchases, purchases.groupby("customer_id")["age"].max().to_numpy()), own


def drawn_individuals(posterior: Posterior, table: pd.DataFrame, seed: int) -> dict[str, Array]:
    """Own variables of the customers of a table, drawn given their histories. [D, C] each"""
    model, draws = posterior.model, DRAWS
    if isinstance(model, PurchaseModel):
        state = individuals(posterior, table, draws, seed)
        return {"purchase_rate": state.purchase_rate, "alive": state.alive.astype(float), **state.extra}
    assert isinstance(model, SpendModel)
    rng = KeyedRandom(seed, "spend state", list(table.index), draws)
    return dict(model.draw(rows_of(table, model.conditions_on), posterior.theta(table, draws), rng))


def rank_of(truth: float, draws: Array, rng: np.random.Generator) -> float:
    """Place of the truth among the draws, in (0, 1), ties broken at random: uniform under calibration."""
    below = int((draws < truth).sum())
    equal = int((draws == truth).sum())
    place = below + rng.integers(0, equal + 1) + rng.random()  # anywhere among its equals, and between two draws
    return place / (len(draws) + 1)


def replicate(study: Study, seed: int) -> pd.DataFrame:
    """One seed: a row a quantity, with its rank; a refusal has rank 0 everywhere."""
    model = get_model(study.model)
    truth = draw_truth(study, model, seed)
    effects: tuple[Effect, ...] = ()
    per_customer: dict[str, float | Array] = dict(truth)
    quantities = dict(truth)
    if study.groups:
        effects, rng = (EFFECT,), np.random.default_rng([seed, 3])
        sd = float(EFFECT.sd_prior.draw(1, rng)[0])
        coefficients = sd * rng.standard_normal(study.groups)
        group = np.arange(CUSTOMERS) % study.groups
        per_customer["alpha"] = truth["alpha"] * np.exp(-coefficients[group])
        quantities |= {f"{EFFECT.name}_sd": sd, f"{EFFECT.name}[g0]": coefficients[0]}
    simulated = simulate(model, per_customer, seed)
    if study.groups:
        simulated.customers.table["channel"] = [f"g{g}" for g in group]
    watched = simulated.customers.table.index[:WATCHED]
    for name, values in simulated.own.items():
        quantities |= {f"{name} of {label}": values[k] for k, label in enumerate(watched)}
    rng = np.random.default_rng([seed, 4])
    try:
        posterior = _fit(model, simulated.customers, effects, seed)
    except FitError as error:
        ranks, refused = dict.fromkeys(quantities, 0.0), " ".join(str(error).split())
    else:
        draws = _draws(posterior, simulated.customers.table.loc[watched], effects, seed)
        ranks = {name: rank_of(value, draws[name], rng) for name, value in quantities.items() if name in draws}
        refused = ""
    rows = pd.DataFrame({"quantity": list(ranks), "rank": list(ranks.values())})
    rows["truth"] = rows["quantity"].map(quantities)
    return rows.assign(seed=seed, refused=refused)[["seed", "quantity", "truth", "rank", "refused"]]


def _fit(model: Model, customers: Customers, effects: tuple[Effect, ...], seed: int) -> Posterior:
    priors = stated_priors(model)
    if effects:
        return fit(model, customers, priors=priors, effects=effects, method="nuts", draws=250, tune=600, seed=seed)
    return fit(model, customers, priors=priors, method="laplace", draws=DRAWS, seed=seed)


def _draws(posterior: Posterior, table: pd.DataFrame, effects: tuple[Effect, ...], seed: int) -> dict[str, Array]:
    """Posterior draws of everything that is ranked. [D] each"""
    draws = {p.name: posterior.stacked(p.name, DRAWS) for p in posterior.model.parameters}
    for effect in effects:
        draws[f"{effect.name}_sd"] = posterior.stacked(f"{effect.name}_sd", DRAWS)
        draws[f"{effect.name}[g0]"] = posterior.stacked(effect.name, DRAWS)[:, 0]
    for name, values in drawn_individuals(posterior, table, seed).items():
        if np.shape(values)[-1] != len(table):  # what all customers share
            continue
        of_customers = np.broadcast_to(values, (DRAWS, len(table)))
        for k, label in enumerate(table.index):
            draws[f"{name} of {label}"] = of_customers[:, k]
    return draws


def code_version(study: Study) -> str:
    """The version of all that a study's ranks rest on."""
    of_sampler = files_of(NUTS) if study.groups else set()
    return version_of({*files_of_fits([get_model(study.model)]), *of_sampler, Path(__file__)})


def path_of(study: Study) -> Path:
    """Where its rows are stored."""
    return FOLDER / f"{study.name}.csv"


def run(name: str, seeds: int | None = None) -> pd.DataFrame:
    """Seeds 1 to `seeds` of a study, those that are stored left as they are."""
    study = STUDIES[name]
    path, code, began = path_of(study), code_version(study), time.monotonic()
    rows = present_rows(path, code)
    for seed in range(1, (seeds or study.seeds) + 1):
        if len(rows) and (rows["seed"] == seed).any():
            continue
        rows = pd.concat([rows, replicate(study, seed).assign(code=code)], ignore_index=True)
        write(rows, path, DIGITS)
        if seed % 10 == 0:
            print(f"{name}: seed {seed} of {seeds or study.seeds}, {time.monotonic() - began:.0f} s", flush=True)
    return rows


def confirmed(name: str, pool: Executor) -> bool:
    """Whether the code as it is replays the stored rows of a study; says what differs."""
    study = STUDIES[name]

    def replay(seeds: Sequence[int]) -> pd.DataFrame:
        return pd.concat(pool.map(partial(replicate, study), seeds))

    differing = confirm(path_of(study), code_version(study), replay, DIGITS)
    print(confirmation_text(name, differing), flush=True)
    return not differing


def judge_stored() -> pd.DataFrame:
    """Judge every study that is stored and of this code; write summary.csv and calibration.svg."""
    runs = {}
    for name, study in STUDIES.items():
        rows = present_rows(path_of(study), code_version(study))
        if len(rows):
            runs[name] = rows, study.seeds
    return verdicts(FOLDER, runs, MUST_FAIL)


def main() -> int:
    """Run, judge, draw, or confirm; the exit status says whether every verdict is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="*", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="models at a time")
    parser.add_argument("--confirm", action="store_true", help="see whether this code replays what is stored")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        if arguments.confirm:
            agree = [confirmed(name, pool) for name in arguments.models]
            return 0 if all(agree) else 1
        for done in [pool.submit(run, name, arguments.seeds) for name in arguments.models]:
            done.result()
    table = judge_stored()
    print(table.to_string())
    return 0 if table["as_expected"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
