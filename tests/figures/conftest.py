"""A run of a whole company of 3,000 customers, made once: not to be changed by a test."""

from __future__ import annotations

from typing import Any

import pytest
from fakes.company_run import with_company
from fakes.run import fake_run
from fakes.says import table_of

from clvmodels.figures import FIGURES
from clvmodels.results.folder import Run


@pytest.fixture(scope="session")
def company_run() -> Run:
    return with_company(fake_run())


@pytest.fixture(scope="session")
def company_tables(company_run) -> dict[str, Any]:
    """The tables of all figures, as a results folder gives them back."""
    return {name: table_of(name, company_run) for name in FIGURES}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that need the whole company come last, so that a fault shows before it is made (seconds each mutant)."""
    items.sort(key=lambda item: "company_run" in getattr(item, "fixturenames", ()))
