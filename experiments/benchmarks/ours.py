"""The measured work of clvmodels, a function a task; run by run.py, each time in a fresh process (see child.py)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import child

if TYPE_CHECKING:
    import pandas as pd

    from clvmodels.customers.table import Customers
    from clvmodels.inference.posterior import Posterior

CALIBRATION_END, HOLDOUT = "2025-06-30", 26
"""Of the transactions, as customers.sql has them."""
FITTING = ("clvmodels.inference.fitting", "pymc", "nutpie", "arviz_stats.base")
IMPORTS = {
    "fit": FITTING,
    "second_fit": FITTING,
    "nuts": FITTING,
    "customers": ("clvmodels.sources.transactions", "clvmodels.customers.summarize"),
    "customers_by_hand": ("duckdb", "pandas", "clvmodels.sources.reading"),
}


def fit(clock: child.Clock, model: str, table: str, draws: int, method: str, groups: Sequence[str] = ()) -> dict:
    """A posterior, from a table of customers in memory."""
    from clvmodels.errors import FitError
    from clvmodels.inference.effects import Effect
    from clvmodels.inference.fitting import fit as fit_model

    customers = _customers(table, model, groups)
    effects = [Effect("purchases", ("alpha",), group=group) for group in groups]
    try:
        with clock:
            posterior = fit_model(model, customers, effects=effects, method=method, draws=draws)
    except FitError as refusal:
        return {"passed": False, "refused": str(refusal)}
    return _told(posterior)


def second_fit(clock: child.Clock, model: str, table: str, draws: int) -> dict:
    """A posterior where the process has fitted that structure before: nothing is compiled or loaded."""
    from clvmodels.inference.fitting import fit as fit_model

    customers = _customers(table, model)
    fit_model(model, customers, method="laplace", draws=draws, seed=1)
    with clock:
        posterior = fit_model(model, customers, method="laplace", draws=draws, seed=2)
    return _told(posterior)


def nuts(clock: child.Clock, model: str, table: str, draws: int, tune: int, chains: int) -> dict:
    """Chains of NUTS with their compilation before the clock, their effective draws a second of the worst parameter."""
    from arviz_stats.base import array_stats

    from clvmodels.inference.fitting import fit as fit_model

    customers = _customers(table, model)
    fit_model(model, customers, method="nuts", draws=50, tune=50, chains=2, seed=1)
    with clock:
        posterior = fit_model(model, customers, method="nuts", draws=draws, tune=tune, chains=chains, seed=2)
    sampled = posterior.data["posterior"]
    bulk = {p.name: float(array_stats.ess(sampled[p.name].to_numpy())) for p in posterior.model.parameters}
    return {"ess": min(bulk.values()), "ess_per_second": min(bulk.values()) / clock.seconds, **_told(posterior)}


def customers(clock: child.Clock, table: str) -> dict:
    """Transactions of a Parquet file to customers."""
    from clvmodels.customers.summarize import summarize
    from clvmodels.sources.transactions import read_transactions

    with clock:
        transactions = read_transactions(table)
        split = summarize(transactions, calibration_end=CALIBRATION_END, holdout=HOLDOUT)
    return {"rows": int(transactions.account["rows"].iloc[0]), "customers": len(split.customers)}


def customers_by_hand(clock: child.Clock, table: str) -> dict:
    """The same customers by SQL."""
    with clock:
        frame = by_hand(table)
    return {"customers": len(frame)}


def by_hand(table: str) -> pd.DataFrame:
    """customers.sql on a Parquet file, with the memory and the threads that ours is allowed."""
    import duckdb

    from clvmodels.sources.reading import MEMORY_LIMIT

    query = (Path(__file__).parent / "customers.sql").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(Path(folder) / "work.duckdb") as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute(f"SET threads = {os.cpu_count()}")
        connection.execute(f"SET temp_directory = '{folder}/spill'")
        return connection.execute(query, {"file": table}).df()


def command(clock: child.Clock, argv: Sequence[str], status: Sequence[int] = (0,)) -> dict:
    """A command as a user types it; `{python}` is this one, `{scratch}` a folder that is empty before."""
    with tempfile.TemporaryDirectory() as scratch:
        words = [word.format(python=sys.executable, scratch=scratch) for word in argv]
        with clock:
            done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode not in status:
        raise RuntimeError(f"{json.dumps(words)} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return {}


def _customers(table: str, model: str, groups: Sequence[str] = ()) -> Customers:
    import pandas as pd

    from clvmodels.customers.table import Customers
    from clvmodels.models import get_model

    counts = get_model(model).counts
    unit = "week" if counts == "continuous" else "year"
    return Customers.from_rfm(
        pd.read_parquet(table), time_unit=unit, observation_end="1997-09-30", groups=groups, time=counts
    )


def _told(posterior: Posterior) -> dict[str, Any]:
    """What is said of a posterior beside its time."""
    by_name = {check.check: check.found for check in posterior.checks}
    return {
        "method": posterior.method,
        "passed": posterior.passed,
        "importance_ess": by_name.get("importance ESS"),
        "pareto_k": by_name.get("Pareto k-hat"),
        "refused_before": [attempt.reason for attempt in posterior.attempts],
    }


TASKS: Mapping[str, child.Task] = {
    "fit": fit,
    "second_fit": second_fit,
    "nuts": nuts,
    "customers": customers,
    "customers_by_hand": customers_by_hand,
    "command": command,
}

if __name__ == "__main__":
    child.main(TASKS, IMPORTS)
