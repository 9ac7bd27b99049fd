"""Leave-one-out scores summed, and the customers that they cannot be trusted for."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes.judging import make_judged, scores


def test_elpd_sums_customers_and_counts_bad_k():
    elpd = pd.DataFrame(
        {"elpd_i": [-1.0, -2.0, -6.0, -3.0], "pareto_k": [0.1, 0.71, np.nan, 0.7]},
        index=[f"c{i:06d}" for i in range(4)],
    )
    got = scores(make_judged([[1] * 4] * 2, [1] * 4, elpd=elpd), "elpd")
    reach = 1.6448536269514722 * np.sqrt(4 * np.var([1, 2, 6, 3], ddof=1))
    assert got["elpd"][1:] == pytest.approx((-12.0, -12.0 - reach, -12.0 + reach))
    assert got["elpd_pareto_k_bad"].value == 2.0


def test_elpd_of_spend_is_named_by_the_data_that_it_is_a_density_of():
    judged = make_judged([[1] * 4] * 2, [1] * 4)
    assert scores(judged, "elpd_spend") == {}
    elpd = pd.DataFrame(
        {"elpd_i": [0.0, -2.0, -7.5, 0.0], "pareto_k": [-np.inf, 0.1, 0.9, -np.inf]},
        index=[f"c{i:06d}" for i in range(4)],
    )
    for of, name in (("amounts", "elpd_spend"), ("means", "elpd_spend_of_means")):
        got = scores(dataclasses.replace(judged, spend_elpd=elpd, spend_density_of=of), "elpd_spend")
        assert list(got) == [name, f"{name}_pareto_k_bad"]
        assert (got[name].value, got[f"{name}_pareto_k_bad"].value) == (-9.5, 1.0)
        assert got[name].lower < -9.5 < got[name].upper
