"""Every registered model against the truths of `hard_cases`: 200 cases a model, value and gradient."""

from __future__ import annotations

import pandas as pd
import pytest
from hard_cases.compare import compare, told
from hard_cases.generate import FOLDER

from clvmodels.models import MODELS


def stored(name: str) -> pd.DataFrame:
    return pd.read_csv(FOLDER / f"{name}.csv")


@pytest.mark.parametrize("name", MODELS)
def test_every_model_has_hard_cases(name):
    assert len(stored(name)) == 200


@pytest.mark.parametrize("name", MODELS)
def test_hard_cases(name):
    table = stored(name)
    judged = compare(name, table)
    assert (judged["excess"] <= 1).all(), told(judged, table)
