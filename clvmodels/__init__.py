"""Bayesian customer lifetime value: from a table of transactions to decisions, with honest uncertainty.

`import clvmodels as clv` gives the stages of the line by name, `clv.summarize`, `clv.fit`, `clv.rank`. Each is imported
when it is first asked for, so that the import itself costs nothing.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from clvmodels.caches import use_writable_caches

__version__ = "0.1.0"

use_writable_caches()

_MODULES: dict[str, tuple[str, ...]] = {  # in the order of the line
    "errors": ("ClvError",),
    "sources.reasons": ("Policies",),
    "sources.transactions": ("Transactions", "read_transactions"),
    "sources.consolidation": ("Company", "Table", "consolidate"),
    "sources.calendars": ("SuppliedCalendar", "holiday_weeks", "read_calendar"),
    "datasets": ("DATASETS",),
    "customers.table": ("Customers", "Holdout", "Split"),
    "customers.summarize": ("summarize",),
    "models.prior": ("Prior",),
    "models": ("COSTS", "MODELS", "get_model"),
    "inference.effects": ("Effect",),
    "inference.posterior": ("Posterior", "load"),
    "inference.fitting": ("fit",),
    "inference.leave_one_out": ("loo",),
    "inference.choice_of_k": ("choose_k",),
    "futures.individuals": ("individuals",),
    "futures.expectations": ("dert", "expected_cumulative"),
    "futures.forecast": ("Futures", "forecast"),
    "valuation.economics": ("Economics", "Referral", "Retention"),
    "valuation.valuation": ("Values", "value", "value_customers"),
    "valuation.scoring": ("score",),
    "decisions": ("concentration", "gini", "leaving", "losses", "payback", "rank"),
    "metrics": ("METRICS", "Judged"),
    "metrics.compare": ("compare",),
    "figures": ("FIGURES", "plot"),
    "config.experiment": ("Experiment", "load_experiment"),
    "runs.experiment": ("run",),
    "report": ("write_report",),
}
_FORMER_NAMES = {"value_customers": "value"}
"""Names that were public once, and what they are called now."""

_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name, obj=sys.modules[__name__])
    found = getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), _FORMER_NAMES.get(name, name))
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
