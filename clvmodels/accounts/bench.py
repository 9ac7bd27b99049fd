"""Tables that are read several times on the way, and leave the engine afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import ibis
import pandas as pd


class Bench:
    """Where tables of one computation are kept; see `bench`."""

    def __init__(self, backend: ibis.BaseBackend):
        self.backend, self.names = backend, list[str]()

    def keep(self, table: ibis.Table | pd.DataFrame) -> ibis.Table:
        """The table, computed now and once."""
        self.names.append(ibis.util.gen_name("bench"))
        return self.backend.create_table(self.names[-1], table, temp=True)


@contextmanager
def bench(backend: ibis.BaseBackend) -> Iterator[Bench]:
    """A place for tables, empty again at the end."""
    tables = Bench(backend)
    try:
        yield tables
    finally:
        for name in tables.names:
            backend.drop_table(name, force=True)
