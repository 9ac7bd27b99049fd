"""The registry of data sets: what each says of itself fits its data."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fakes.datasets import defaults_fit

from clvmodels.config.experiment import DataSection
from clvmodels.datasets import DATASETS


@pytest.fixture
def real(shared_data, monkeypatch):
    monkeypatch.setenv("CLVMODELS_DATA", str(shared_data))
    return shared_data


def test_the_registry_says_what_it_holds_and_imports_nothing_heavy():
    assert set(DATASETS) >= {"retailer", "cdnow", "cdnow_master", "online_retail", "apparel"}
    for name, dataset in DATASETS.items():
        assert dataset.name == name
        assert dataset.title and dataset.source and dataset.licence and dataset.columns
        assert set(dataset.defaults) >= {"time_unit", "groups"}
        assert ("calibration_end" in dataset.defaults) == ("holdout" in dataset.defaults)
        assert set(dataset.defaults) <= set(DataSection.model_fields), "an experiment may say it otherwise"
    code = (
        "import sys, clvmodels.datasets; sys.exit(sum(m in sys.modules for m in ('pandas', 'ibis', 'duckdb', 'numpy')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("name", ["cdnow", "apparel"])  # and online_retail in its file, where it is read once
def test_public_defaults_fit_the_data(real, name):
    defaults_fit(name, DATASETS[name].load())
