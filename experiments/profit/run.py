"""Is the forecast of each customer's profit right? The retailer, simulated anew for each seed, and what came.

    python experiments/profit/run.py [--seeds 20] [--jobs 2] [--confirm]

For each seed the ten raw tables of a company of 1,000 customers are written and joined; purchases (Pareto/NBD), spend
(Gamma-Gamma) and all costs but the referrals are fitted on what was known on 15 June 2025; and the realised profit of
each customer in the 24 weeks after is placed in its forecast. Places are randomised where the forecast is discrete, as
it is for the many who will not buy. If the forecast is right, 90 of 100 places lie between .05 and .95.

One row a seed in reports/profit/places.csv, written whole after each: an interrupted run goes on where it was; rows of
other code are dropped, unless the code as it is was seen to replay them (`--confirm`). A refused fit counts as no place
inside. Seeds are 1 to n, all stored. places.svg beside it draws each seed's share with the band that chance alone would
keep it in, were customers independent.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import sys
import tempfile
import time
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "experiments" / "calibration"))
from code_version import files_of_all, files_of_fits, version_of  # noqa: E402
from stored import add_seeds, command, confirmed_seeds, missing_seeds  # noqa: E402

PATH = ROOT / "reports" / "profit" / "places.csv"
CUSTOMERS, DRAWS, WEEKS, CALIBRATION_END = 1000, 1000, 24, "2025-06-15"
LEVELS = (0.05, 0.95)
ALLOWED = (0.87, 0.93)
CHANCE = (0.005, 0.995)
"""Ends of the binomial bands."""
CENT = 0.005  # profits closer than half a cent are the same
COSTS = {
    "margin": "normal_margin",
    "returns": "beta_binomial_returns",
    "bad_debt": "beta_binomial_bad_debt",
    "contacts": "gamma_poisson_contacts",
    "handling": "lognormal_handling",
}


MODELS = {"purchases": "pareto_nbd", "spend": "gamma_gamma", **COSTS}
STAGES = ("clvmodels.customers", "clvmodels.valuation", "clvmodels.accounts", "clvmodels.datasets.retailer")


def code_version() -> str:
    """The version of all that a place rests on: the models and their fit, customers, the value, the accounts, the
    simulated company, this study.

    How tables are read is not among them: the tests compare what is read with the company's truth.
    """
    from clvmodels.models import get_model

    of_fits = files_of_fits(get_model(name) for name in MODELS.values())
    return version_of({*of_fits, *files_of_all(STAGES), Path(__file__)})


def places(seed: int) -> np.ndarray:
    """Where each customer's realised profit lies in its forecast. [C]"""
    from clvmodels.accounts.profit_made import profit_made
    from clvmodels.customers.observed import with_costs
    from clvmodels.customers.summarize import summarize
    from clvmodels.customers.windows import Windows
    from clvmodels.datasets import retailer
    from clvmodels.inference.fitting import fit
    from clvmodels.inference.samplers.checks import CHECK_NAMES
    from clvmodels.sources.consolidation import Table, consolidate
    from clvmodels.valuation.economics import Economics, Retention
    from clvmodels.valuation.valuation import value

    economics = Economics(
        None,
        0.0,
        float(WEEKS),
        cost_per_order=2.5,
        cost_per_return=4.0,
        cost_per_minute=0.6,
        written_off=0.2,
        payment_fee=0.015,
        payment_fee_per_order=0.3,
        retention=Retention(0.9, 4.0, 24.0, ("newsletter",)),
    )
    windows = Windows(returns=21, bad_debt=90)
    with tempfile.TemporaryDirectory() as folder:
        retailer.write(Path(folder), CUSTOMERS, seed)
        tables = {name: Table.from_mapping(source) for name, source in retailer.SOURCES.items()}
        company = consolidate(tables, folder=folder, currency="EUR", data_end=retailer.END)
    split = summarize(company.transactions, calibration_end=CALIBRATION_END, holdout=WEEKS)
    customers = with_costs(company, split.customers, COSTS, windows=windows, cost_per_minute=economics.cost_per_minute)
    posteriors = {role: fit(name, customers, method="laplace", draws=DRAWS, seed=seed) for role, name in MODELS.items()}
    # what a fit is worth is what the study judges, whatever its checks said
    forecast = value(posteriors, customers, economics, seed=seed, draws=DRAWS, allow_failed=CHECK_NAMES).realised
    made = profit_made(
        company, customers, economics, costs=COSTS, start=split.holdout.start, end=split.holdout.end, windows=windows
    )
    came = made["profit"].to_numpy()
    below, same = (forecast < came - CENT).mean(axis=0), (np.abs(forecast - came) <= CENT).mean(axis=0)
    return below + np.random.default_rng([seed, 7]).random(len(came)) * same


def binomial_band(customers: int) -> np.ndarray:
    """Where the share inside would lie in 99 of 100 cases, of so many independent customers. [2]"""
    return stats.binom.ppf(CHANCE, customers, LEVELS[1] - LEVELS[0]) / customers


def rows(seed: int) -> list[dict[str, object]]:
    """One seed, a row: how many places lie inside, and the binomial band of their share."""
    from clvmodels.errors import FitError

    began = time.monotonic()
    try:
        placed = places(seed)
    except FitError as error:
        print(f"seed {seed}: refused: {error}")
        placed = np.zeros(1)
    inside = int(((placed > LEVELS[0]) & (placed < LEVELS[1])).sum())
    low, high = binomial_band(len(placed))
    row = {
        "seed": seed,
        "customers": len(placed),
        "inside": inside,
        "share": inside / len(placed),
        "below": float((placed <= LEVELS[0]).mean()),
        "above": float((placed >= LEVELS[1]).mean()),
        "band_low": low,
        "band_high": high,
        "ks": float(stats.kstest(placed, "uniform").statistic),
        "seconds": round(time.monotonic() - began, 1),
    }
    return [row]


def main() -> int:
    return command(__doc__, run, confirmed, tell)


def tell(table: pd.DataFrame) -> None:
    summary = summarized(table)
    print(summary)
    draw(table, PATH.with_name("places.svg"), summary)


def run(pool: Executor, seeds: int) -> pd.DataFrame:
    """Seeds 1 to `seeds`, those that are stored left as they are."""
    code = code_version()
    return add_seeds(pool, rows, missing_seeds(PATH, code, seeds), PATH, code, said)


def said(rows_of_seed: pd.DataFrame) -> str:
    row = rows_of_seed.iloc[0]
    return f"{row['share']:.3f} inside, {row['seconds']} s"


def confirmed(pool: Executor) -> bool:
    """Whether the code as it is replays the stored places; says what differs."""
    return confirmed_seeds(pool, rows, PATH, code_version())


def summarized(table: pd.DataFrame) -> str:
    """All seeds in a sentence."""
    customers = int(table["customers"].sum())
    low, high = binomial_band(customers)
    within = int(table["share"].between(*ALLOWED).sum())
    return (
        f"{table['inside'].sum() / customers:.1%} of {customers:,} places inside (of independent customers "
        f"{low:.1%} to {high:.1%}); {within} of {len(table)} seeds within {ALLOWED[0]:.0%} to {ALLOWED[1]:.0%}"
    )


def draw(table: pd.DataFrame, path: Path, title: str) -> None:
    """A row a seed: its share inside, its own binomial band, and what is allowed."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    with plt.rc_context({"svg.hashsalt": "places", "font.size": 8}):
        figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
        axes.axvspan(*(100 * end for end in ALLOWED), color="0.93", linewidth=0)
        axes.axvline(100 * (LEVELS[1] - LEVELS[0]), color="0.6", linewidth=0.8)
        axes.hlines(table["seed"], 100 * table["band_low"], 100 * table["band_high"], color="#7fa8c4", linewidth=4)
        axes.plot(100 * table["share"], table["seed"], "o", color="#1b1e23", markersize=4)
        axes.set_yticks(table["seed"])
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlabel(
            "customers whose profit lies in the middle 90% of its forecast, %\n"
            "(blue: chance alone, 99% of independent customers; grey: 90 ± 3%)"
        )
        axes.set_ylabel("simulated company (seed)")
        axes.set_title(title.replace("; ", ";\n"), loc="left")
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
