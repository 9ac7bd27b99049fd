"""Do ranges of totals hold? The models' own beside those that have learned from earlier forecasts, from many days.

    python experiments/totals/run.py [--only NAME ...]

Each experiment beside this file is run into results/totals: every entry is fitted at nine days, and forecasts purchases
and money as far as two holdouts. Totals are told twice: as the model has them (plain), and corrected by what its
forecasts of still earlier days missed by (backtested), which is what a user gets on that day without another word: no
forecast has read anything later than its own day. Then companies are simulated from a model, with and without factors
that all customers share week by week: what the correction costs where nothing is wrong, and what it is worth where
something is.

All rows go to reports/totals/rows.csv, their summary to summary.csv and README.md. Fits are kept: a run that was
stopped goes on. `--only` runs some again and keeps the rows of the others.
"""
# ruff: noqa: T201  (a command: it prints)

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from clvmodels import words
from clvmodels.config.experiment import Experiment, load_experiment
from clvmodels.datasets import DATASETS
from clvmodels.results.folder import Run
from clvmodels.runs.experiment import run

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS, REPORT = ROOT / "results" / "totals", ROOT / "reports" / "totals"
NOT_POSSIBLE = ("donations",)
PLAIN, BACKTESTED = "plain", "backtested"
MONEY = "money"
AIM = "85 to 95%"
# ------------------------------------------------------------------------------------------- simulated companies
OMEGAS = (0.0, 0.3)
"""Standard deviations of the log of the weekly factors that all customers share; 0: the model itself."""
COMPANIES, CUSTOMERS, WEEKS, JOINING = 6, 800, 104, 26
PERSISTENCE = 0.8
TRUTH = {"r": 0.6, "alpha": 8.0, "s": 0.8, "beta": 20.0}
"""Of Pareto/NBD, in weeks."""


def simulated(omega: float, seed: int) -> pd.DataFrame:
    """Orders of customers who join in the first half-year, buy at rates of their own times the week's factor, and leave
    by the clock. The factors are an AR(1) with mean 1."""
    rng = np.random.default_rng([seed, round(100 * omega)])
    log_factor = np.empty(WEEKS)
    log_factor[0] = rng.normal(0, omega)
    for week in range(1, WEEKS):
        innovation = omega * np.sqrt(1 - PERSISTENCE**2) * rng.normal()
        log_factor[week] = PERSISTENCE * log_factor[week - 1] + innovation
    factor = np.exp(log_factor - omega**2 / 2)
    rows = []
    for customer in range(CUSTOMERS):
        rate = rng.gamma(TRUTH["r"]) / TRUTH["alpha"]
        life = rng.exponential(TRUTH["beta"] / rng.gamma(TRUTH["s"]))
        joined = rng.uniform(0, JOINING)
        times = [joined]
        for week in range(WEEKS):
            times += list(week + rng.uniform(size=rng.poisson(rate * factor[week])))
        for moment in times:
            if joined <= moment <= min(joined + life, WEEKS):
                rows.append((f"c{customer:04d}", moment))
    frame = pd.DataFrame(rows, columns=["customer_id", "week"])
    days = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.floor(7 * frame["week"]), unit="D")
    return frame.assign(date=days.dt.strftime("%Y-%m-%d"))[["customer_id", "date"]].drop_duplicates()


def rows_of_simulations() -> pd.DataFrame:
    """Each company's totals from three days; omega stands in the name of the data."""
    tables = []
    for omega in OMEGAS:
        for seed in range(1, COMPANIES + 1):
            with tempfile.TemporaryDirectory() as folder:
                simulated(omega, seed).to_csv(Path(folder) / "orders.csv", index=False)
                experiment = Experiment.from_dict(
                    {
                        "title": "A simulated company",
                        "data": {"transactions": "orders.csv", "time_unit": "week", "origins": 3, "holdouts": [13, 26]},
                        "models": {"pareto_nbd": {"purchases": "pareto_nbd"}},
                        "sampler": {"draws": 400},
                        "metrics": ["total_purchases"],
                        "figures": ["checks"],
                        "seed": seed,
                    }
                )
                done = run(experiment, Path(folder) / "results", config_dir=folder).run
            tables.append(_labelled(done, f"simulated, omega {omega:g}", seed))
            print(f"simulated, omega {omega:g}: company {seed} of {COMPANIES}", flush=True)
    return pd.concat(tables, ignore_index=True)


# ---------------------------------------------------------------------------------------------------- experiments


def rows_of_experiment(path: Path) -> pd.DataFrame:
    """The totals of an experiment's rolling origins."""
    experiment = load_experiment(path)
    outcome = run(
        experiment, RESULTS / path.stem, config_dir=path.parent, progress=lambda text: print(text, flush=True)
    )
    return _labelled(outcome.run, path.stem, 1)


def _labelled(done: Run, data: str, company: int) -> pd.DataFrame:
    """A run's totals, with what they are of and the commit that made them."""
    about = done.about
    assert done.rolling is not None and about.commit, "an experiment with origins, run in a checkout"
    commit = f"{about.commit} and changes" if about.dirty else about.commit
    return done.rolling.totals.assign(data=data, company=company, commit=commit)


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Of each data set, quantity, horizon and way: cases, shares of intervals that hold, width and interval score over
    what came. The horizon is the shorter or the longer of an origin's."""
    size = rows["actual"].abs()
    rows = rows.assign(
        kind=np.where(rows["quantity"] == "purchases", "purchases", MONEY),
        holds_90=rows["actual"].between(rows["q5"], rows["q95"]),
        holds_50=rows["actual"].between(rows["q25"], rows["q75"]),
        width=(rows["q95"] - rows["q5"]) / size,
        score=rows["interval_score"] / size,
        real=~rows["data"].str.startswith("simulated"),
    )
    parts = [_means(rows, ["data", "kind", "totals"])]
    pooled = rows[rows["real"]].assign(data="all but simulated bases")
    parts.append(_means(pooled, ["data", "kind", "totals"]))
    parts.append(_means(pooled.assign(kind="all"), ["data", "kind", "totals"]))
    return pd.concat(parts, ignore_index=True)


def _means(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    means = {name: (name, "mean") for name in ("holds_90", "holds_50", "width", "score")}
    return rows.groupby(keys, sort=False).agg(cases=("actual", "size"), **means).reset_index()


def readme(found: pd.DataFrame, about: dict) -> str:
    """The summary as a page: a row a data set and quantity, plain beside backtested."""
    wide = found.pivot_table(index=["data", "kind"], columns="totals", sort=False)
    lines = [
        "# Do ranges of totals hold?",
        "",
        "Written by `make totals`; see experiments/totals/run.py. Plain: the model's own total. Backtested: corrected",
        "by what the same model's forecasts of earlier days missed by; nothing later than the forecast's day is read.",
        "A case is a total of an entry, an origin and a holdout. Width and score (of the 90% interval) are over what",
        "came.",
        f"The aim is {AIM} of the 90% intervals, backtested.",
        "",
        f"Commit {about['commit']}, {words.seconds(about['seconds'])}.",
        "",
        "| data | total of | cases | 90% hold, plain | backtested | 50% hold, plain | backtested | width, plain "
        "| backtested | score, plain | backtested |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, kind), row in wide.iterrows():
        cells = [data, kind, f"{row['cases', PLAIN]:.0f}"]
        for name in ("holds_90", "holds_50"):
            cells += [f"{row[name, way]:.0%}" for way in (PLAIN, BACKTESTED)]
        for name in ("width", "score"):
            cells += [f"{row[name, way]:.2f}" for way in (PLAIN, BACKTESTED)]
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", *(f"- {sentence}" for sentence in _not_possible())]
    return "\n".join(lines) + "\n"


def _not_possible() -> Iterator[str]:
    for name in NOT_POSSIBLE:
        yield f"{name}: no origins. {DATASETS[name].no_split}."


def main() -> None:
    paths = {path.stem: path for path in sorted(HERE.glob("*.yaml"))}
    names = [*paths, "simulated"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names)
    chosen = parser.parse_args().only
    began = time.monotonic()
    REPORT.mkdir(parents=True, exist_ok=True)
    stored = REPORT / "rows.csv"
    tables = []
    if stored.is_file():
        before = pd.read_csv(stored)
        source = before["data"].where(~before["data"].str.startswith("simulated"), "simulated")
        tables.append(before[~source.isin(chosen)])
    for name in chosen:
        tables.append(rows_of_simulations() if name == "simulated" else rows_of_experiment(paths[name]))
    rows = pd.concat(tables, ignore_index=True)
    rows.to_csv(stored, index=False, float_format="%.6g")
    found = summary(rows)
    found.to_csv(REPORT / "summary.csv", index=False, float_format="%.4g")
    about = {"commit": " and ".join(sorted(set(rows["commit"]))), "seconds": time.monotonic() - began, "ran": chosen}
    (REPORT / "about.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    text = readme(found, about)
    (REPORT / "README.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
