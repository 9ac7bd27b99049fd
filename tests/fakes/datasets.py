"""What holds of every public data set."""

from __future__ import annotations

from clvmodels.customers.summarize import summarize
from clvmodels.datasets import DATASETS
from clvmodels.sources.transactions import Transactions


def defaults_fit(name: str, table: Transactions) -> None:
    """A data set's own windows leave a holdout worth the name."""
    defaults = DATASETS[name].defaults
    options = {option: value for option, value in defaults.items() if option != "currency"}
    assert table.currency == defaults["currency"]
    assert len(summarize(table, **options).holdout) >= 600
