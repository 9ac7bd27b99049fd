"""Is what a new customer of a channel will bring in the first year told rightly? The retailer, simulated anew for each
seed, and what newcomers of each channel truly bring.

    python experiments/first_year/run.py [--seeds 20] [--jobs 2] [--confirm]

For each seed the company of `experiments/retailer.yaml` is simulated, joined, and fitted at the end of its data by the
models of the entry that has `by: channel`, with the experiment's own sampler, costs and economics; and `payback` says
what a new customer of each channel is worth in 52 weeks, before the cost to win. The truth (`truth.py`) is the mean
profit of many simulated newcomers of the channel in their first 52 weeks: the channels' populations are the same for
all seeds, so it is computed once. If the ranges are right, 90 of 100 hold the truth.

One row a seed and channel in reports/first-year/ranges.csv, written whole after each seed: an interrupted run goes on
where it was; rows of other code are dropped, unless the code as it is was seen to replay them (`--confirm`). A refused
fit, or a payback that is withheld, counts as no range that holds. Seeds are 1 to n, all stored. ranges.svg beside it
draws every range with the truth.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "experiments" / "calibration"), str(Path(__file__).parent)]
from code_version import files_of_all, files_of_fits, version_of  # noqa: E402
from stored import add_seeds, command, confirmed_seeds, missing_seeds, write  # noqa: E402
from truth import true_profits  # noqa: E402

if TYPE_CHECKING:
    from clvmodels.config.experiment import Experiment
    from clvmodels.decisions.payback import Payback

PATH = ROOT / "reports" / "first-year" / "ranges.csv"
EXPERIMENT = ROOT / "experiments" / "retailer.yaml"
ENTRY = "by_channel"
ALLOWED = (0.85, 0.95)
DIGITS = "%.6g"
STAGES = (
    "clvmodels.customers",
    "clvmodels.valuation",
    "clvmodels.accounts",
    "clvmodels.decisions.payback",
    "clvmodels.datasets.retailer",
)


def experiment(seed: int) -> Experiment:
    """The retailer's, of a company of its own."""
    from clvmodels.config.experiment import load_experiment

    return load_experiment(EXPERIMENT).model_copy(update={"seed": seed})


def code_version() -> str:
    """The version of all that a range rests on: the models and their fit, customers, the value, the decision, the
    simulated company, the experiment, this study.

    How tables are read is not among them: the tests compare what is read with the company's truth.
    """
    from clvmodels.models import get_model

    stated = experiment(1)
    entry = stated.models[ENTRY]
    names = [entry.purchases, entry.spend, *(section.model for section in stated.costs.values())]
    of_fits = files_of_fits(get_model(name) for name in names if name is not None)
    of_study = {Path(__file__), Path(__file__).with_name("truth.py")}
    stated_text = hashlib.sha256(EXPERIMENT.read_bytes()).hexdigest()
    return f"{version_of({*of_fits, *files_of_all(STAGES), *of_study})}-{stated_text[:8]}"


def channels(seed: int) -> Payback | None:
    """What the company of a seed says of its channels."""
    from clvmodels.decisions.payback import payback
    from clvmodels.inference.fitting import fit
    from clvmodels.inference.samplers.checks import CHECK_NAMES
    from clvmodels.models import COSTS, MODELS
    from clvmodels.runs.inputs import customers_at, effects_of, read, windows_of, with_usual_windows

    stated = experiment(seed)
    with tempfile.TemporaryDirectory() as folder:
        company = read(stated, EXPERIMENT.parent, Path(folder))
        stated = with_usual_windows(stated, company)
        customers = customers_at(stated, company, {}, None).customers
        entry, draws = stated.models[ENTRY], stated.sampler.draws
        stated_effects = effects_of(entry)
        plans = {
            "purchases": (MODELS[entry.purchases], [e for e in stated_effects if e.part != "spend"]),
            "spend": (MODELS[str(entry.spend)], [e for e in stated_effects if e.part == "spend"]),
        }
        for role, section in stated.costs.items():
            plans[role] = COSTS[section.model], list(effects_of(section, role))
        posteriors = {
            role: fit(model, customers, effects=effects, by=entry.by, draws=draws, seed=seed)
            for role, (model, effects) in plans.items()
        }
        assert stated.economics is not None
        # what a fit is worth is what the study judges, whatever its checks said
        return payback(
            posteriors,
            company,
            customers,
            stated.economics,
            seed=seed,
            draws=draws,
            windows=windows_of(stated),
            allow_failed=CHECK_NAMES,
        )


def rows(seed: int, truth: pd.DataFrame) -> list[dict[str, Any]]:
    """One seed: a row a channel, the told range beside the truth."""
    from clvmodels.errors import FitError

    began = time.monotonic()
    refused, told = "", pd.DataFrame(columns=["channel"])
    try:
        found = channels(seed)
        if found is None or found.withheld:
            refused = "withheld" if found is None else found.reason
        else:
            told = found.channels
    except FitError as error:
        refused = " ".join(str(error).split())
    told = told.set_index("channel").reindex(truth.index)
    seconds = round(time.monotonic() - began, 1)
    return [
        {
            "seed": seed,
            "channel": channel,
            "truth": line.profit,
            "q5": told.loc[channel].get("most_q5", np.nan),
            "q50": told.loc[channel].get("most_q50", np.nan),
            "q95": told.loc[channel].get("most_q95", np.nan),
            "cohort": told.loc[channel].get("cohort", np.nan),
            "made": told.loc[channel].get("made", np.nan),
            "refused": refused,
            "seconds": seconds,
        }
        for channel, line in truth.iterrows()
    ]


def holds(table: pd.DataFrame) -> pd.Series:
    """Whether each range holds the truth; one that is not there does not."""
    return (table["q5"] <= table["truth"]) & (table["truth"] <= table["q95"])


def main() -> int:
    return command(__doc__, run, confirmed, tell)


def tell(table: pd.DataFrame) -> None:
    print(by_channel(table).to_string())
    summary = summarized(table)
    print(summary)
    draw(table, PATH.with_name("ranges.svg"), summary)


def truth_of_channels() -> pd.DataFrame:
    """By channel, in the experiment's economics; stored beside the ranges with its standard error."""
    economics = experiment(1).economics
    assert economics is not None
    return true_profits(economics, days=round(7 * economics.horizon))


def run(pool: Executor, seeds: int) -> pd.DataFrame:
    """Seeds 1 to `seeds`, those that are stored left as they are."""
    code = code_version()
    missing = missing_seeds(PATH, code, seeds)
    if missing:
        truth = truth_of_channels()
        write(truth.reset_index(), PATH.with_name("truth.csv"), DIGITS)
        add_seeds(pool, partial(rows, truth=truth), missing, PATH, code, said, DIGITS)
    return stored_rows()


def said(rows_of_seed: pd.DataFrame) -> str:
    return f"{holds(rows_of_seed).sum()} of {len(rows_of_seed)} hold"


def stored_rows() -> pd.DataFrame:
    """The stored ranges; `refused` is empty where there is one."""
    return pd.read_csv(PATH, dtype={"refused": str}).fillna({"refused": ""})


def confirmed(pool: Executor) -> bool:
    """Whether the code as it is replays the stored ranges; says what differs."""
    return confirmed_seeds(pool, partial(rows, truth=truth_of_channels()), PATH, code_version(), DIGITS)


def by_channel(table: pd.DataFrame) -> pd.DataFrame:
    """Of each channel the truth, the mean of the told middles, and how many ranges hold."""
    marked = table.assign(holds=holds(table))
    return marked.groupby("channel").agg(
        truth=("truth", "first"),
        middle=("q50", "mean"),
        made=("made", "mean"),
        held=("holds", "sum"),
        seeds=("seed", "size"),
    )


def summarized(table: pd.DataFrame) -> str:
    """All seeds in a sentence."""
    held = holds(table)
    return (
        f"{held.sum()} of {len(held)} ranges ({held.mean():.0%}) hold the true profit of a new customer's first year "
        f"(allowed: {ALLOWED[0]:.0%} to {ALLOWED[1]:.0%}), of {table['seed'].nunique()} simulated companies"
    )


def draw(table: pd.DataFrame, path: Path, title: str) -> None:
    """A panel a channel: a range a seed, and the truth."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    names = list(dict.fromkeys(table["channel"]))
    with plt.rc_context({"svg.hashsalt": "ranges", "font.size": 8}):
        figure, panels = plt.subplots(1, len(names), figsize=(9, 3.6), sharey=True, layout="constrained")
        for panel, name in zip(np.atleast_1d(panels), names, strict=True):
            of_channel = table[table["channel"] == name]
            panel.axvline(of_channel["truth"].iloc[0], color="#1b1e23", linewidth=1)
            panel.hlines(of_channel["seed"], of_channel["q5"], of_channel["q95"], color="#7fa8c4", linewidth=3)
            panel.plot(of_channel["q50"], of_channel["seed"], "o", color="#1f5f8b", markersize=3)
            panel.set_title(f"{name}: {holds(of_channel).sum()} of {len(of_channel)}", loc="left")
            panel.spines[["top", "right"]].set_visible(False)
        panels = np.atleast_1d(panels)
        panels[0].invert_yaxis()
        panels[0].set_ylabel("simulated company (seed)")
        figure.supxlabel("profit of a new customer in 52 weeks, EUR (bar: 90% range told; line: truth)")
        figure.suptitle(title, fontsize=8)
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


if __name__ == "__main__":
    sys.exit(main())
