"""The results of a run: what figures are computed from, and the folder it is stored in."""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from clvmodels.results.customer_list import customer_list, write_workbook
from clvmodels.results.export import write_table
from clvmodels.results.tables import named, store_tables, write_atomically

if TYPE_CHECKING:
    from clvmodels.customers.table import Split
    from clvmodels.decisions.leaving import Leaving
    from clvmodels.decisions.losses import Losses
    from clvmodels.decisions.payback import Payback
    from clvmodels.kpis.indicators import Kpis
    from clvmodels.inference.posterior import Posterior
    from clvmodels.metrics.discrepancy import Learned
    from clvmodels.metrics.judged import Judged
    from clvmodels.metrics.judgement import Judgement
    from clvmodels.sources.consolidation import Company
    from clvmodels.valuation.valuation import Values


@dataclass(frozen=True)
class About:
    """What a run is, beside its tables; stored as run.json. Dates are ISO text, so that JSON holds all of it."""

    name: str
    title: str
    dataset: str
    customers: int
    transactions: int
    currency: str | None
    time_unit: str
    data_end: str
    calibration_end: str
    holdout_start: str | None
    holdout_end: str | None
    holdout: float | None
    value_at: str | None
    horizon: float | None
    margin: float | None
    annual_discount_rate: float | None
    top_share: float
    entries: dict[str, str]
    recommended: str
    seed: int
    draws: int
    public: bool
    made: str
    commit: str | None
    dirty: bool
    versions: dict[str, str]
    data_sha256: str
    config_sha256: str
    wall_seconds: float
    peak_memory_mib: float
    cores: int
    time: str = "continuous"
    """How the recommended model counts it: continuous, opportunities or renewals."""
    totals: str = "plain"
    """Whose totals are told: the models' own (plain), or corrected by earlier forecasts (backtested)."""
    parts: list[str] = field(default_factory=list)
    """The parts that value is made of, by name; without value none."""
    question: str = "worth"
    """The kind of question that the report answers first: one of `report.questions.QUESTIONS`."""
    commands: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class EntryResult:
    """One entry of the experiment at one origin."""

    name: str
    label: str
    posteriors: dict[str, Posterior]
    judged: Judged | None = None
    values: Values | None = None
    ranking: pd.DataFrame | None = None
    calibration_weeks: np.ndarray | None = None
    """Purchases of the whole base in the fitted weeks, as the model would have them from the start. [D, weeks]"""
    p_alive: np.ndarray | None = None
    """Mean over draws, in the order of the customers' table at the entry's own origin; nan where the model lets nobody
    of that history leave. [C]"""
    withheld: tuple[str, ...] = ()
    """Sampling checks that failed, for which value is withheld although economics ask for it."""
    elpd: pd.DataFrame | None = None
    """Leave-one-out scores of the purchase model, where nothing is held out to judge it on; as `Judged.elpd`."""
    learned: Learned | None = None
    """What its forecasts of earlier days say of its totals; None where these are the model's own."""

    @cached_property
    def judgement(self) -> Judgement | None:
        """The statistics of its forecast, each computed once; None where nothing is held out."""
        from clvmodels.metrics.judgement import Judgement  # here: a report of a stored folder judges nothing

        return None if self.judged is None else Judgement(self.judged, self.calibration_weeks)


class Rolling(NamedTuple):
    """What rolling origins gave: rows of one entry, origin and holdout."""

    scores: pd.DataFrame
    """As the scores of a run, with until (the holdout's last day) and holdout (its length in time units)."""
    totals: pd.DataFrame
    """entry, label, quantity (purchases, or a kind of money), totals (how they were forecast), actual, q5 to q95, side,
    interval_score, origin, until, holdout."""


@dataclass(frozen=True)
class Run:
    """All that a run has computed; what figures' tables are made from."""

    about: About
    account: pd.DataFrame
    split: Split
    value_split: Split
    entries: dict[str, EntryResult]
    recommended: str
    valued: EntryResult
    comparison: pd.DataFrame | None
    checks: pd.DataFrame
    scores: pd.DataFrame
    company: Company | None = None
    """The tables that all of it was read from."""
    consolidated: pd.DataFrame | None = None
    """One row a customer at the date of value: statistics, groups, and all that the tables tell beside the orders."""
    made: pd.DataFrame | None = None
    """Revenue and profit of each customer up to the date of value, by part; see `accounts.profit_made`."""
    last_year: pd.DataFrame | None = None
    """The same of the last year of which all is known; see `accounts.last_year`."""
    losses: Losses | None = None
    """Who has lost money so far, and the odds that it goes on."""
    leaving: Leaving | None = None
    """Who may leave, and what is at risk with them."""
    payback: Payback | None = None
    """What a new customer of each channel costs and brings."""
    kpis: Kpis | None = None
    rolling: Rolling | None = None

    @property
    def judgement(self) -> Judgement | None:
        """That of the recommended entry."""
        return self.entries[self.recommended].judgement


def machine(started: float) -> dict[str, Any]:
    """What a run used: versions, wall time in seconds, peak memory in MiB, cores."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)
    packages = ("clvmodels", "pymc", "pytensor", "nutpie", "arviz", "numpy", "pandas", "duckdb")
    return {
        "versions": {name: version(name) for name in packages} | {"python": platform.python_version()},
        "wall_seconds": time.monotonic() - started,
        "peak_memory_mib": peak,
        "cores": os.cpu_count() or 1,
    }


def store(
    folder: Path,
    run: Run,
    tables: Mapping[str, pd.DataFrame | NamedTuple | None],
    customers: pd.DataFrame,
    config: str,
) -> None:
    """Write the results folder, each file whole, in place of an older run's.

    `run.json`, which a report begins with, goes first and comes last: no report mixes two runs.
    """
    (folder / "run.json").unlink(missing_ok=True)
    for old in (folder / "tables").glob("*.csv"):
        old.unlink()
    of_figures: dict[str, pd.DataFrame] = {}
    for name, table in tables.items():
        if table is not None:
            of_figures |= named(f"tables/{name}", table)
    of_the_run = {"account": run.account, "scores": run.scores, "checks": run.checks}
    store_tables(folder, of_figures | of_the_run)
    write_atomically(folder / "config.yaml", config)
    _store_kpis(folder, run.kpis)
    (folder / "rolling.csv").unlink(missing_ok=True)
    if run.rolling is not None:
        write_table(run.rolling.scores.set_index("entry"), folder / "rolling.csv")
    if run.company is not None:
        _store_company(folder, run.company)
    _store_customers(folder, run, customers)
    by_customer = {
        "consolidated": run.consolidated,
        "profit": _profit(run),
        "leaving": None if run.leaving is None else run.leaving.customers,
    }
    for name, table in by_customer.items():
        for ending in ("parquet", "csv"):
            (folder / f"{name}.{ending}").unlink(missing_ok=True)
            if table is not None:
                write_table(table, folder / f"{name}.{ending}")
    write_table(totals(run), folder / "totals.parquet")
    write_atomically(folder / "run.json", json.dumps(asdict(run.about), indent=1, ensure_ascii=False))


def _store_customers(folder: Path, run: Run, customers: pd.DataFrame) -> None:
    """The list to work with, for spreadsheets; and all that is known, by entry and date."""
    listed, meanings = customer_list(run, customers)
    write_table(listed.set_index("place"), folder / "customers.csv")
    write_workbook(listed, meanings, folder / "customers.xlsx")
    by_entry = customers.set_index("customer_id")
    write_table(by_entry, folder / "customers.parquet")
    write_table(by_entry, folder / "customers.by_entry.csv")


def _profit(run: Run) -> pd.DataFrame | None:
    """One row a customer: the profit made so far and to come, part by part, the greatest loss to come first."""
    from clvmodels.decisions.losses import profit_table  # here: a report of a stored folder decides nothing

    if run.made is None or run.valued.values is None or run.losses is None:
        return None
    return profit_table(run.made, run.valued.values, run.losses).sort_values("to_come", kind="stable")


def _store_kpis(folder: Path, kpis: Kpis | None) -> None:
    """The tables of the strategy, in place of an older run's."""
    for name in ("kpis", "migration", "programmes", "base_value"):
        (folder / f"{name}.csv").unlink(missing_ok=True)
    if kpis is None:
        return
    for name, table in kpis.tables().items():
        write_table(table.set_index(table.columns[0]), folder / f"{name}.csv")


def _store_company(folder: Path, company: Company) -> None:
    """What became of the rows that do not count, what contradicts itself, who was merged, where columns come from."""
    write_table(company.dropped.execute().set_index(["source", "line"]), folder / "dropped.csv")
    for name in ("conflicts", "merged", "origins"):
        table: pd.DataFrame = getattr(company, name)
        write_table(table.set_index(table.columns[0]), folder / f"{name}.csv")


def totals(run: Run) -> pd.DataFrame:
    """Per draw: held-out purchases of each entry; of the recommended one the base's value, expected, by worth and
    realised, and each part of it, and what was made so far with it. The value is the sum of the parts but for the credit for
    referrals."""
    # here: a report of a stored folder needs no models, and judges nothing
    from clvmodels.accounts.lifetime import lifetime_total
    from clvmodels.metrics.total_purchases import total_draws

    parts = []
    for entry in run.entries.values():
        if entry.judged is not None:
            counts = total_draws(entry.judged).astype(float)
            parts.append(pd.DataFrame({"entry": entry.name, "total": "held-out purchases", "value": counts}))
    values = run.valued.values
    if values is not None:
        for kind in ("expected", "worth", "realised"):
            sums = {"value": values.base(kind)}
            if run.made is not None:
                sums["lifetime value"] = lifetime_total(run.made, values, kind)
            if len(values.parts) > 1:  # of one part alone, the part is the whole
                for name, part in values.parts.items():
                    sums[name] = getattr(part, kind).sum(axis=1, dtype=float)
            for name, draws in sums.items():
                rows = {"entry": run.recommended, "total": f"{kind} {name}", "value": draws}
                parts.append(pd.DataFrame(rows))
    table = pd.concat(parts) if parts else pd.DataFrame({"entry": [], "total": [], "value": []})
    return table.rename_axis("draw")
