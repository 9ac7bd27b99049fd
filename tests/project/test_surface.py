"""`import clvmodels as clv`: what it offers, what it costs, and how its results show themselves."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

import clvmodels as clv
from clvmodels.futures.forecast import Futures
from clvmodels.valuation.economics import Economics
from clvmodels.valuation.valuation import Values


def test_the_import_alone_imports_nothing_heavy():
    heavy = [
        "pymc",
        "pytensor",
        "arviz",
        "duckdb",
        "ibis",
        "pandas",
        "numpy",
        "scipy",
        "matplotlib",
        "pydantic",
        "typer",
    ]
    code = f"import sys, clvmodels; dir(clvmodels); print('heavy:', sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout


def test_a_model_and_a_cost_load_no_engine():
    """They work on tables that are handed to them."""
    code = "import sys, clvmodels.models; print('engines:', sorted({'ibis', 'duckdb'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "engines: []" in done.stdout


def test_a_posterior_is_read_without_a_sampler_or_an_engine():
    heavy = ["pymc", "nutpie", "arviz", "arviz_stats", "matplotlib", "ibis", "duckdb"]
    code = f"import sys, clvmodels.inference.posterior; print('heavy:', sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "heavy: []" in done.stdout


@pytest.mark.parametrize("name", clv.__all__)
def test_every_name_leads_to_something_of_that_name(name):
    found = getattr(clv, name)
    assert name in dir(clv)
    if callable(found):
        assert name.startswith(found.__name__)


def test_no_name_is_also_a_module_which_would_take_its_place():
    """Importing clvmodels.figures sets clvmodels.figures to the module, whatever the attribute was before."""
    modules = {module.name for module in pkgutil.iter_modules(clv.__path__)}
    assert "figures" in modules
    assert modules & set(clv.__all__) == set()


def test_an_unknown_name_is_an_attribute_error_that_knows_the_nearest():
    assert not hasattr(clv, "fitt")
    code = "import clvmodels as clv; clv.sumarize"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "module 'clvmodels' has no attribute 'sumarize'" in done.stderr
    assert "Did you mean: 'summarize'" in done.stderr


def _futures(draws: int = 50, customers: int = 40) -> Futures:
    ones = np.ones((draws, customers))
    ids = np.array([f"c{i}" for i in range(customers)])
    return Futures(ids, np.arange(4.0), 3 * ones, np.full((draws, 3), 40.0), 2 * ones, 0.5 * ones, np.ones(customers))


def test_futures_show_themselves_in_a_line_and_their_totals_in_a_notebook():
    futures = _futures()
    assert repr(futures) == "Futures(40 customers, 50 draws, 3 periods)"
    page = "".join(futures._repr_html_().split())  # 5, 50 and 95% of sums over 40 customers
    for name, total in (
        ("purchases,realised", 120),
        ("purchases,expected", 80),
        ("aliveattheorigin,of40customerswhomayhaveleft,expected", 20),
    ):
        assert f"{name}</th>" + 3 * f"<td>{total}</td>" in page


def test_whom_the_model_lets_not_leave_yet_is_no_customer_that_is_alive():
    futures = _futures()
    futures.p_alive[:, :30] = 1.0
    page = "".join(futures._repr_html_().split())
    assert "aliveattheorigin,of10customerswhomayhaveleft,expected</th><td>5</td>" in page
    futures.p_alive[:] = 1.0
    assert "aliveattheorigin" not in futures._repr_html_()


def test_values_show_themselves_in_a_line_and_their_totals_in_a_notebook():
    draws = np.linspace(0.0, 100.0, 101)[:, None] * np.ones(30)
    names = np.array([f"c{i}" for i in range(30)])
    values = Values(
        names, 0 * draws, 0 * draws, draws, Economics(0.3, 0.12, 52.0), "week", "<b>", pd.Timestamp("1997-09-30")
    )
    line = "Values(30 customers, 101 draws, the 52 weeks after 1997-09-30, margin 0.3, annual discount rate 0.12, <b>)"
    assert repr(values) == line
    page = values._repr_html_()
    assert "<b>)" not in page
    for total in ("150", "1,500", "2,850"):
        assert f"<td>{total}</td>" in page
