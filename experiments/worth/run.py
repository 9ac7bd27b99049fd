"""Are the odds of belonging to the best fifth right? Simulated bases, whose customers' true worth is known.

    python experiments/worth/run.py [--seeds 20] [--jobs 2] [--confirm]

For each seed and each of four pairs of models, 750 customers are simulated here, by NumPy alone: what is true of
each, when each buys and leaves, what each pays. The models are fitted to what a firm would have seen, and each
customer's odds of being among the 150 of the highest worth are held against who truly is: the worth of one whose own
rate, life and spend are known is a formula, written a second time here. If the odds are right, of those told 70% seven
in ten are.

The same is asked of the odds by expected value, each customer's own unknown rate integrated out, which nobody should
read so: it says what was wrong with them.

A row a seed, pair and tenth of the odds in reports/worth/odds.csv, written whole after each seed: an interrupted run
goes on where it was; rows of other code are dropped, unless the code as it is was seen to replay them (`--confirm`).
The customers of a refused fit count as told 20%, none of whom is among the best. reliability.csv beside it adds all
seeds up, and reliability.svg draws it.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import special

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "experiments" / "calibration"))
from code_version import files_of_all, files_of_fits, version_of  # noqa: E402
from stored import add_seeds, command, confirmed_seeds, missing_seeds, write  # noqa: E402

PATH = ROOT / "reports" / "worth" / "odds.csv"
SUMMARY, DRAWING = PATH.with_name("reliability.csv"), PATH.with_name("reliability.svg")
CUSTOMERS, DRAWS, TOP, WEEKS = 750, 1000, 0.2, 52.0
AGES = (26.0, 78.0)
"""Weeks for which customers have been seen, evenly between."""
SPREAD = 0.2
"""Sd of the logs of a seed's parameters about the middles."""
READINGS = ("worth", "expected")
TENTHS = 10
REFUSED, ALL = "refused", "all"
STORED = "%.6f"
SURE_OF_BAND = 2.576
"""Standard errors, between bases, of a band that chance leaves once in a hundred."""


class Pair(NamedTuple):
    """Models of purchases and spend, and the middles of what is true of the populations (weeks and euros)."""

    purchases: str
    spend: str
    theta: Mapping[str, float]
    k: int = 1
    coin: bool = True


PAIRS = {
    "Pareto/NBD, Gamma-Gamma": Pair(
        "pareto_nbd",
        "gamma_gamma",
        {"r": 0.8, "alpha": 8.0, "s": 0.7, "beta": 15.0, "p": 4.0, "q": 3.5, "v": 20.0},
        coin=False,
    ),
    "Pareto/NBD, log-normal spend": Pair(
        "pareto_nbd",
        "lognormal_spend",
        {"r": 0.5, "alpha": 6.0, "s": 1.2, "beta": 40.0, "m": 25.0, "tau": 0.6, "sigma": 0.7},
        coin=False,
    ),
    "MBG/NBD, Gamma-Gamma": Pair(
        "mbg_nbd", "gamma_gamma", {"r": 0.7, "alpha": 6.0, "a": 0.8, "b": 3.0, "p": 4.0, "q": 3.5, "v": 20.0}
    ),
    "MBG/CNBD-2, log-normal spend": Pair(
        "mbg_cnbd_k",
        "lognormal_spend",
        {"r": 1.0, "alpha": 3.0, "a": 0.8, "b": 3.5, "m": 25.0, "tau": 0.6, "sigma": 0.7},
        k=2,
    ),
}


def code_version() -> str:
    """The version of all that an odd rests on: the models and their fit, customers, the value, ranks, this study."""
    from clvmodels.models import get_model

    names = {name for pair in PAIRS.values() for name in (pair.purchases, pair.spend)}
    of_fits = files_of_fits(get_model(name) for name in sorted(names))
    stages = files_of_all(("clvmodels.customers", "clvmodels.valuation", "clvmodels.decisions.rank"))
    return version_of({*of_fits, *stages, Path(__file__)})


# What is true ------------------------------------------------------------------------------------------------------


class Base(NamedTuple):
    """Simulated customers: what a firm has seen of them, a row a purchase; their ages; what each is truly worth. [C]"""

    purchases: pd.DataFrame
    ages: np.ndarray
    worth: np.ndarray


def simulated(pair: Pair, seed: int) -> Base:
    """The customers of one seed, followed one by one."""
    rng = np.random.default_rng([seed, list(PAIRS.values()).index(pair)])
    theta = {name: middle * np.exp(SPREAD * rng.standard_normal()) for name, middle in pair.theta.items()}
    ages = rng.uniform(*AGES, CUSTOMERS)
    stages_a_week = rng.gamma(theta["r"], 1.0 / theta["alpha"], CUSTOMERS)
    seen, worth = [], np.zeros(CUSTOMERS)
    for c in range(CUSTOMERS):
        if pair.coin:
            one = coin_falls(pair, theta, stages_a_week[c], ages[c], rng)
        else:
            one = clock_strikes(theta, stages_a_week[c], ages[c], rng)
        amounts, mean_amount = paid(theta, 1 + len(one.bought), rng)
        label = f"c{c:05d}"
        seen.append(pd.DataFrame({"customer_id": label, "age": np.r_[0.0, one.bought], "amount": amounts}))
        worth[c] = one.to_come * mean_amount
    return Base(pd.concat(seen, ignore_index=True), ages, worth)


class Followed(NamedTuple):
    """One customer: ages at repeat purchases, and the mean number of those to come in a year from now on."""

    bought: np.ndarray
    to_come: float


def clock_strikes(theta: Mapping[str, float], rate: float, age: float, rng: np.random.Generator) -> Followed:
    """Leaves at a hazard of its own, anywhere."""
    hazard = rng.gamma(theta["s"], 1.0 / theta["beta"])
    end = rng.exponential(1.0 / hazard)
    until = min(end, age)
    bought = np.sort(until * rng.random(rng.poisson(rate * until)))
    return Followed(bought, rate * -np.expm1(-hazard * WEEKS) / hazard if end > age else 0.0)


def coin_falls(pair: Pair, theta: Mapping[str, float], rate: float, age: float, rng: np.random.Generator) -> Followed:
    """May leave after each purchase, the first too; buys at every k-th stage."""
    chance = rng.beta(theta["a"], theta["b"])
    bought = list[float]()
    last, passed = 0.0, 0
    stays = rng.random() >= chance
    while stays:
        stage = last + rng.exponential(1.0 / rate)
        if stage > age:
            break
        last, passed = stage, passed + 1
        if passed == pair.k:
            bought.append(stage)
            passed, stays = 0, rng.random() >= chance
    return Followed(np.array(bought), to_come(pair.k, passed, rate, chance) if stays else 0.0)


def to_come(k: int, passed: int, rate: float, chance: float) -> float:
    """The sum over n of P(the n-th purchase comes within a year) P(the coins before it stay up)."""
    most = int(50 + 3 * rate * WEEKS / k)
    n = np.arange(1, most + 1)
    in_time = special.gammainc(k * n - passed, rate * WEEKS)
    return float((in_time * (1.0 - chance) ** (n - 1)).sum())


def paid(theta: Mapping[str, float], n: int, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """n amounts of one customer, and the mean of all that it might pay."""
    if "tau" in theta:
        log_median = np.log(theta["m"]) + theta["tau"] * rng.standard_normal()
        amounts = np.exp(log_median + theta["sigma"] * rng.standard_normal(n))
        return amounts, float(np.exp(log_median + theta["sigma"] ** 2 / 2.0))
    scale = 1.0 / rng.gamma(theta["q"], 1.0 / theta["v"])
    return rng.gamma(theta["p"], scale, n), theta["p"] * scale


# What is told ------------------------------------------------------------------------------------------------------


def odds_of(pair: Pair, base: Base, seed: int) -> dict[str, np.ndarray]:
    """The odds of the best fifth by each reading, as the package tells them (or would). [C] each"""
    from clvmodels.customers.table import Customers
    from clvmodels.decisions.rank import rank, top_count
    from clvmodels.futures.histories import statistics
    from clvmodels.inference.fitting import fit
    from clvmodels.inference.samplers.checks import CHECK_NAMES
    from clvmodels.models import get_model
    from clvmodels.valuation.economics import Economics
    from clvmodels.valuation.valuation import value

    table = statistics(base.purchases, base.ages)
    customers = Customers(table, "week", pd.Timestamp("2025-06-29"), "EUR")
    models = {"purchases": get_model(pair.purchases), "spend": get_model(pair.spend)}
    if pair.k > 1:
        models["purchases"] = models["purchases"].given(k=pair.k)
    posteriors = {
        role: fit(model, customers, method="laplace", draws=DRAWS, seed=seed) for role, model in models.items()
    }
    # what a fit is worth is what the study judges, whatever its checks said
    values = value(posteriors, customers, Economics(1.0, 0.0, WEEKS), seed=seed, draws=DRAWS, allow_failed=CHECK_NAMES)
    top = top_count(CUSTOMERS, TOP)
    among_best = np.argsort(np.argsort(-np.asarray(values.expected), axis=1), axis=1) < top
    return {
        "worth": rank(values, top_share=TOP, seed=seed)["worth_odds_top"].to_numpy(),
        "expected": among_best.mean(axis=0),
    }


def truly_best(worth: np.ndarray) -> np.ndarray:
    """1 for the best fifth by what is true; where the last place is tied (many who have left), its share. [C]"""
    top = int(TOP * len(worth))
    cut = np.sort(worth)[::-1][top - 1]
    is_above, is_tied = worth > cut, worth == cut
    return is_above + is_tied * (top - is_above.sum()) / is_tied.sum()


def rows(seed: int) -> pd.DataFrame:
    """One seed: by pair, reading and tenth of the odds, how many customers, the sum of their odds and of the truth."""
    from clvmodels.errors import FitError

    tables = []
    for name, pair in PAIRS.items():
        began = time.monotonic()
        base = simulated(pair, seed)
        best = truly_best(base.worth)
        try:
            told = odds_of(pair, base, seed)
            table = pd.concat([by_tenth(reading, odds, best) for reading, odds in told.items()])
        except FitError as error:
            print(f"seed {seed}, {name}: refused: {error}")
            refused = [(f"{reading} {REFUSED}", CUSTOMERS, TOP * CUSTOMERS, 0.0) for reading in READINGS]
            table = pd.DataFrame(refused, columns=["quantity", "customers", "odds", "best"])
        seconds = round(time.monotonic() - began, 1)
        tables.append(table.assign(seed=seed, part=name, seconds=seconds))
    columns = ["seed", "part", "quantity", "customers", "odds", "best", "seconds"]
    return pd.concat(tables, ignore_index=True)[columns]


def by_tenth(reading: str, odds: np.ndarray, best: np.ndarray) -> pd.DataFrame:
    """A row a tenth of the odds in which there are customers: quantity, customers, odds and best (sums)."""
    tenth = np.minimum((odds * TENTHS).astype(int), TENTHS - 1)
    sums = pd.DataFrame({"tenth": tenth, "odds": odds, "best": best}).groupby("tenth")
    table = sums.sum().assign(customers=sums.size())
    table["quantity"] = [f"{reading} {t / TENTHS:.1f}" for t in table.index]
    return table.reset_index(drop=True)


# The run -----------------------------------------------------------------------------------------------------------


def main() -> int:
    return command(__doc__, run, confirmed, tell)


def tell(table: pd.DataFrame) -> None:
    reliability = summarized(table)
    write(reliability, SUMMARY, STORED)
    print(sentence(table))
    draw(reliability, DRAWING, sentence(table))


def run(pool: Executor, seeds: int) -> pd.DataFrame:
    """Seeds 1 to `seeds`, those that are stored left as they are."""
    code = code_version()
    add_seeds(pool, rows, missing_seeds(PATH, code, seeds), PATH, code, said, STORED)
    return pd.read_csv(PATH, keep_default_na=False)


def said(rows_of_seed: pd.DataFrame) -> str:
    return f"{rows_of_seed.groupby('part')['seconds'].first().sum():.1f} s"


def confirmed(pool: Executor) -> bool:
    """Whether the code as it is replays the stored odds; says what differs."""
    return confirmed_seeds(pool, rows, PATH, code_version(), STORED)


def summarized(table: pd.DataFrame) -> pd.DataFrame:
    """By reading, pair (and all together) and tenth: customers, the mean of their odds, the share of them that is truly
    among the best, and the band in which that would lie in 99 of 100 cases were the odds right.

    Customers of one base share its posterior: the band is by how far bases differ, not by the number of customers.
    """
    table = table.assign(base=table["seed"].astype(str) + table["part"])
    table[["reading", "tenth"]] = table["quantity"].str.split(expand=True)
    summaries = []
    for reading in READINGS:
        of_reading = table[table["reading"] == reading]
        for pair in (ALL, *PAIRS):
            of_pair = of_reading if pair == ALL else of_reading[of_reading["part"] == pair]
            summaries += [(reading, pair, tenth, *_reliability(rows)) for tenth, rows in of_pair.groupby("tenth")]
    columns = ["reading", "pair", "tenth", "customers", "odds", "best", "low", "high"]
    return pd.DataFrame(summaries, columns=columns)


def _reliability(rows: pd.DataFrame) -> tuple[int, float, float, float, float]:
    """Of one tenth of the odds: customers, mean odds, truly best, and the ends of the band."""
    by_base = rows.groupby("base")[["customers", "odds", "best"]].sum()
    customers, odds, best = by_base.sum()
    off = by_base["best"] - by_base["odds"]
    room = SURE_OF_BAND * float(np.sqrt((off**2).sum())) / customers
    mean = odds / customers
    return int(customers), mean, best / customers, max(mean - room, 0.0), min(mean + room, 1.0)


def calibration_error(reliability: pd.DataFrame, reading: str = "worth", pair: str = ALL) -> float:
    """Expected calibration error: how far odds are from what came, in the mean over customers."""
    rows = reliability[(reliability["reading"] == reading) & (reliability["pair"] == pair)]
    off = (rows["best"] - rows["odds"]).abs()
    return float((rows["customers"] * off).sum() / rows["customers"].sum())


def sentence(table: pd.DataFrame) -> str:
    """All seeds in a sentence."""
    reliability = summarized(table)
    all_pairs = reliability[(reliability["reading"] == "worth") & (reliability["pair"] == ALL)]
    bases = table.groupby(["seed", "part"]).ngroups
    error, by_expected = (calibration_error(reliability, reading) for reading in READINGS)
    return (
        f"{all_pairs['customers'].sum():,} customers of {bases} simulated bases: their odds of the best fifth are off "
        f"by {error:.2%} in the mean; by expected value they would be by {by_expected:.1%}"
    )


def draw(reliability: pd.DataFrame, path: Path, title: str) -> None:
    """The share that is truly among the best over the odds, with the band; faint by pair, crosses by expected value."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    whole = reliability[reliability["pair"] == ALL]
    worth, expected = (whole[whole["reading"] == reading].sort_values("odds") for reading in READINGS)
    with plt.rc_context({"svg.hashsalt": "worth", "font.size": 8}):
        figure, axes = plt.subplots(figsize=(5.4, 5), layout="constrained")
        axes.plot([0, 100], [0, 100], color="0.7", linewidth=0.8)
        for name in PAIRS:
            of_pair = reliability[(reliability["pair"] == name) & (reliability["reading"] == "worth")]
            of_pair = of_pair.sort_values("odds")
            axes.plot(100 * of_pair["odds"], 100 * of_pair["best"], color="#7fa8c4", linewidth=0.8)
        axes.vlines(100 * worth["odds"], 100 * worth["low"], 100 * worth["high"], color="#7fa8c4", linewidth=4)
        axes.plot(100 * worth["odds"], 100 * worth["best"], "o", color="#1b1e23", markersize=4)
        axes.plot(100 * expected["odds"], 100 * expected["best"], "x", color="#b4483b", markersize=5)
        axes.set_xlim(0, 100)
        axes.set_ylim(0, 100)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(
            "odds of belonging to the best fifth, %\n(dots: by worth; lines: of each pair of models; bars: 99% band "
            "were they right;\ncrosses: by expected value)"
        )
        axes.set_ylabel("truly among the best fifth by worth, %")
        axes.set_title(title.replace(": ", ":\n", 1).replace("; ", ";\n"), loc="left")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
