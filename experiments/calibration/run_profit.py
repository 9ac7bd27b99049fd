"""Are expected profits as uncertain as they should be? Simulation-based calibration of the value and each of its parts.

    python experiments/calibration/run_profit.py [--studies stated] [--seeds 200] [--jobs 2] [--confirm]

For each seed a truth of eight models is drawn from the priors stated in `simulated_company`: purchases (BG/NBD, whose
density is closed, so that the time goes into the value), amounts (Gamma-Gamma) and the six cost models. A company of
300 customers is simulated from it, each model is fitted by laplace with the same priors, and the base is valued with
every part of the economics. Ranked among 400 posterior draws, uniform if all is right (Talts et al. 2018):

- value: the true expected total, with and without the credit for referrals, each part's, and three customers' own;
- each model: its parameters and, of the cost models, the own rates of those three customers.

The true expected total is what `value` makes of the true parameters and the same histories: the truth is valued as one
more draw of the same call. Every part is expected exactly, given the parameters.

What these ranks cannot see is a formula of `value` that is wrong for truth and draws alike: that is for tests against
brute force. They see fits, joint draws and histories that do not go together. `returns_shifted` is the study's own
test: its simulator's return rates are twice as high as the prior fitted says, which the data cannot wholly mend; the
returns model and the part of the value have to find it out.

One CSV a study under reports/profit-calibration, written whole after each seed: an interrupted run goes on where it
was; rows of other code are dropped, unless the code as it is was seen to replay them (`--confirm`). A refused fit
counts as rank 0 of all of its model and of the value. Neither seeds nor priors are chosen by their results. Ranks alone
are judged: of the 90% intervals of some forty quantities, one would hold the truth too rarely or too often by chance in
every third run.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import arviz as az
import numpy as np
import pandas as pd
from code_version import files_of, files_of_fits, version_of
from judge import verdicts
from run import DIGITS, DRAWS, WATCHED, rank_of
from simulated_company import PRIORS, ROLES, Company, Truth, draw_truths, simulate
from stored import confirm, confirmation_text, present_rows, write

from clvmodels.customers.table import Customers
from clvmodels.errors import FitError
from clvmodels.futures.individuals import rows_of
from clvmodels.inference.fitting import fit
from clvmodels.inference.posterior import Posterior
from clvmodels.inference.samplers.checks import CHECK_NAMES
from clvmodels.models import CostModel, SpendModel
from clvmodels.models.contract import Array
from clvmodels.models.prior import Prior
from clvmodels.randomness import KeyedRandom
from clvmodels.valuation.economics import Economics, Referral, Retention
from clvmodels.valuation.valuation import value

FOLDER = Path(__file__).parents[2] / "reports" / "profit-calibration"
ECONOMICS = Economics(
    margin=None,
    annual_discount_rate=0.12,
    horizon=52.0,
    cost_per_order=1.5,
    cost_per_return=3.0,
    resold=0.5,
    written_off=0.2,
    payment_fee=0.02,
    payment_fee_per_order=0.25,
    recovered=0.3,
    retention=Retention(cost=0.8, every=8.0, until_silent=24.0),
    referral=Referral(incremental=0.6, reward=5.0),
)
"""All parts on: margins modelled, every rule of account at work."""
COLUMNS = ["seed", "part", "quantity", "truth", "rank", "refused"]


@dataclass(frozen=True)
class Study:
    """One calibration: the simulator's priors, and of which parts (the models' roles and value) it tells."""

    name: str
    seeds: int
    priors: Mapping[str, Mapping[str, Prior]]
    parts: tuple[str, ...]


SHIFTED = {**PRIORS, "returns": {**PRIORS["returns"], "mu": Prior("Beta", {"alpha": 40.0, "beta": 60.0})}}
STUDIES = {
    study.name: study
    for study in (
        Study("stated", 200, PRIORS, (*ROLES, "value")),
        Study("returns_shifted", 100, SHIFTED, ("returns", "value")),
    )
}
MUST_FAIL = ("returns_shifted",)
TITLE = "Blue: population parameters, totals and parts. Brown: customers' own. Grey: chance alone, 99%."


class Quantity(NamedTuple):
    """A quantity's truth and its posterior draws; none of them where a fit was refused."""

    truth: float
    draws: Array

    def rank(self, rng: np.random.Generator) -> float:
        return rank_of(self.truth, self.draws, rng) if len(self.draws) else 0.0


def replicate(parts: Collection[str], truth: Truth, seed: int) -> pd.DataFrame:
    """One seed: a row a quantity of these parts, with its rank; a refusal has rank 0 in all that rests on it."""
    simulated = simulate(truth, seed)
    posteriors, refused = fits(simulated.customers, seed)
    quantities = {role: of_model(role, posteriors.get(role), truth[role], simulated, seed) for role in ROLES}
    quantities["value"] = of_value({} if refused else posteriors, truth, simulated.customers, seed)
    refused["value"] = "; ".join(f"{role}: {why}" for role, why in refused.items())
    rng = np.random.default_rng([seed, 4])
    rows = [
        (seed, part, name, quantity.truth, quantity.rank(rng), refused.get(part, ""))
        for part, of_part in quantities.items()
        for name, quantity in of_part.items()
    ]
    table = pd.DataFrame(rows, columns=COLUMNS)
    return table[table["part"].isin(parts)]


def fits(customers: Customers, seed: int) -> tuple[dict[str, Posterior], dict[str, str]]:
    """Each model's posterior, or why there is none, by role."""
    posteriors, refused = {}, {}
    for role, model in ROLES.items():
        try:
            posteriors[role] = fit(model, customers, priors=PRIORS[role], method="laplace", draws=DRAWS, seed=seed)
        except FitError as error:
            refused[role] = " ".join(str(error).split())
    return posteriors, refused


def of_model(
    role: str, posterior: Posterior | None, truth: Mapping[str, float], simulated: Company, seed: int
) -> dict[str, Quantity]:
    """A model's parameters and, of a cost model, the own rates of the watched customers."""
    table = simulated.customers.table.iloc[:WATCHED]
    draws = {name: posterior.stacked(name) if posterior else np.empty(0) for name in truth}
    quantities = {name: Quantity(true, draws[name]) for name, true in truth.items()}
    if role in simulated.own:
        own = drawn_own(posterior, table, seed) if posterior else np.empty((0, WATCHED))
        for k, customer in enumerate(table.index):
            quantities[f"rate of {customer}"] = Quantity(float(simulated.own[role][k]), own[:, k])
    return quantities


def drawn_own(posterior: Posterior, table: pd.DataFrame, seed: int) -> Array:
    """Own rates of the customers of a table, drawn given their histories; of handling, own median costs. [D, C]"""
    model, theta = posterior.model, posterior.theta(table)
    rng, rows = KeyedRandom(seed, "calibrated own", list(table.index), DRAWS), rows_of(table, model.observes)
    if isinstance(model, SpendModel):
        return model.draw(rows, theta, rng)["median_spend"]
    assert isinstance(model, CostModel)
    return model.draw_own(rows, theta, rng)


def of_value(posteriors: Mapping[str, Posterior], truth: Truth, customers: Customers, seed: int) -> dict[str, Quantity]:
    """Expected totals of the base, whole and by part, and of the watched customers. The truth is the last draw."""
    together = {role: with_truth(role, posteriors.get(role), truth[role]) for role in ROLES}
    # what a fit is worth is what the study judges, whatever its checks said
    values = value(together, customers, ECONOMICS, seed=seed, draws=DRAWS + 1, allow_failed=CHECK_NAMES)
    totals = {"total": values.expected.sum(axis=1, dtype=float), "base total": values.base("expected")}
    for name, part in values.parts.items():
        totals[name] = part.expected.sum(axis=1, dtype=float)
    for k, customer in enumerate(values.customer_id[:WATCHED]):
        totals[f"total of {customer}"] = values.expected[:, k].astype(float)
    return {name: Quantity(float(total[-1]), total[:-1]) for name, total in totals.items()}


def with_truth(role: str, posterior: Posterior | None, truth: Mapping[str, float]) -> Posterior:
    """The posterior's draws and, after them, the truth as one more; the truth alone where there is no posterior."""
    draws = {name: posterior.stacked(name) if posterior else np.empty(0) for name in truth}
    with_last = {name: np.append(draws[name], true) for name, true in truth.items()}
    tree = az.from_dict({"posterior": {name: values[np.newaxis] for name, values in with_last.items()}})  # one chain
    return Posterior(ROLES[role], tree, "laplace", PRIORS[role], (), {}, "week", 1.0, "USD", 1)


def code_version() -> str:
    """The version of all that ranks rest on: the models and their fits, the value, the studies and their company."""
    here = Path(__file__).parent
    studies = {here / "run.py", here / "run_profit.py", here / "simulated_company.py"}
    return version_of(files_of_fits(ROLES.values()) | files_of("clvmodels.valuation") | studies)


def path_of(name: str) -> Path:
    """Where a study's rows are stored."""
    return FOLDER / f"{name}.csv"


def run(name: str, pool: Executor, seeds: int | None = None) -> pd.DataFrame:
    """Seeds 1 to `seeds` of a study, those that are stored left as they are."""
    study, code, began = STUDIES[name], code_version(), time.monotonic()
    path, seeds = path_of(name), seeds or study.seeds
    rows = present_rows(path, code)
    there = set(rows["seed"]) if len(rows) else set()
    truths = draw_truths(study.priors)
    waiting = [
        pool.submit(replicate, study.parts, truths[seed], seed) for seed in range(1, seeds + 1) if seed not in there
    ]
    for done, future in enumerate(as_completed(waiting), 1):
        rows = pd.concat([rows, future.result().assign(code=code)]).sort_values("seed", kind="stable")
        write(rows, path, DIGITS)
        if done % 10 == 0:
            print(f"{name}: {done} of {len(waiting)} seeds, {time.monotonic() - began:.0f} s", flush=True)
    return rows


def confirmed(name: str, pool: Executor) -> bool:
    """Whether the code as it is replays the stored rows of a study; says what differs."""
    study = STUDIES[name]
    truths = draw_truths(study.priors)

    def replay(seeds: Sequence[int]) -> pd.DataFrame:
        waiting = [pool.submit(replicate, study.parts, truths[seed], seed) for seed in seeds]
        return pd.concat([future.result() for future in waiting])

    differing = confirm(path_of(name), code_version(), replay, DIGITS)
    print(confirmation_text(name, differing), flush=True)
    return not differing


def by_part(name: str, rows: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, int]]:
    """The study's rows and seeds, by what is judged on its own: each model, and the value."""
    study = STUDIES[name]
    prefix = "" if name not in MUST_FAIL else f"{name}, "
    return {f"{prefix}{part}": (rows[rows["part"] == part], study.seeds) for part in study.parts}


def judge_stored() -> pd.DataFrame:
    """Judge every study that is stored and of this code; write summary.csv and calibration.svg."""
    runs: dict[str, tuple[pd.DataFrame, int]] = {}
    for name in STUDIES:
        rows = present_rows(path_of(name), code_version())
        runs |= by_part(name, rows) if len(rows) else {}
    must_fail = [run for run in runs if run.startswith(MUST_FAIL)]
    return verdicts(FOLDER, runs, must_fail, intervals=False, title=TITLE)


def main() -> int:
    """Run, judge, draw, or confirm; the exit status says whether every verdict is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", nargs="*", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--seeds", type=int, default=None)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="seeds at a time")
    parser.add_argument("--confirm", action="store_true", help="see whether this code replays what is stored")
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.jobs, mp_context=get_context("spawn")) as pool:
        if arguments.confirm:
            agree = [confirmed(name, pool) for name in arguments.studies]
            return 0 if all(agree) else 1
        for name in arguments.studies:
            run(name, pool, arguments.seeds)
    table = judge_stored()
    print(table.to_string())
    return 0 if table["as_expected"].all() else 1


if __name__ == "__main__":
    sys.exit(main())
