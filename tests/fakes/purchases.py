"""Transactions from a few rows, and what is said where they cannot be summarised."""

from __future__ import annotations

import pandas as pd
import pytest

from clvmodels.customers.summarize import summarize
from clvmodels.errors import DataError
from clvmodels.sources.transactions import Transactions, read_transactions


def transactions(*rows: tuple, groups=(), **options) -> Transactions:
    names = ["customer_id", "date", "amount", *groups]
    return read_transactions(pd.DataFrame(rows, columns=names), groups=groups, **options)


def message(table: Transactions, **options) -> str:
    with pytest.raises(DataError) as caught:
        summarize(table, **options)
    return str(caught.value)
