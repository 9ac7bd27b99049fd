"""The stored calibration: complete, as it should be, and of the code as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels.models import MODELS

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "calibration"))

import judge as judging
import run as calibration
from code_version import code_of, code_version, model_files

AGAIN = "run `make calibration`, and look at reports/calibration before committing it"


STORED = sorted(path.stem for path in calibration.FOLDER.glob("*.csv") if path.stem != "summary")


@pytest.fixture(scope="module", params=STORED)
def stored(request) -> tuple[calibration.Study, pd.DataFrame]:
    path = calibration.FOLDER / f"{request.param}.csv"
    return calibration.STUDIES[request.param], pd.read_csv(path, keep_default_na=False)


def test_every_model_has_a_study():
    assert set(MODELS) <= {study.model for study in calibration.STUDIES.values()}


def test_every_study_is_stored():
    assert set(STORED) == set(calibration.STUDIES), AGAIN


def test_the_stored_run_is_of_this_code(stored):
    study, rows = stored
    assert set(rows["code"]) == {code_version(study.model)}, f"the code of {study.model} has changed since: {AGAIN}"


def test_all_seeds_are_there_once(stored):
    study, rows = stored
    seeds = rows.groupby("quantity")["seed"].apply(sorted)
    assert all(found == list(range(1, study.seeds + 1)) for found in seeds)


def test_verdicts_are_as_they_should_be(stored):
    """Calibrated, or found out where the simulator's prior is not the one fitted."""
    study, rows = stored
    table = judging.judge(rows, study.seeds)
    assert table["passed"].all() == (study.name not in calibration.MUST_FAIL), f"{study.name}:\n{table}"


def test_the_summary_is_that_of_the_rows(stored):
    study, rows = stored
    summary = pd.read_csv(calibration.FOLDER / "summary.csv")
    mine = summary[summary["study"] == study.name].drop(columns=["study", "as_expected"]).reset_index(drop=True)
    pd.testing.assert_frame_equal(mine, judging.judge(rows, study.seeds), check_dtype=False)


def uniform_rows(seeds: int, power: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    names = ["r", *(f"purchase_rate of c{k:03d}" for k in range(calibration.WATCHED))]
    rows = [(seed, name, rng.random() ** power) for seed in range(1, seeds + 1) for name in names]
    return pd.DataFrame(rows, columns=["seed", "quantity", "rank"]).assign(refused="")


def test_the_judgement_passes_uniform_ranks_and_finds_others_out():
    table = judging.judge(uniform_rows(200), 200).set_index("quantity")
    assert list(table.index) == ["r", "purchase_rate of customers"] and table["passed"].all()
    assert table.loc["purchase_rate of customers", "seeds"] == 200
    for power in (0.6, 1.6):
        assert not judging.judge(uniform_rows(200, power), 200)["passed"].any()


def test_refusals_and_missing_seeds_count():
    rows = uniform_rows(200)
    assert not judging.judge(rows[rows["seed"] > 1], 200)["passed"].any()
    refused = rows["seed"] > 160
    rows.loc[refused, ["rank", "refused"]] = [0.0, "no mode"]
    table = judging.judge(rows, 200)
    assert not table["passed"].any() and (table["refused"] == 40).all()


def test_ties_have_every_place_and_the_ends_can_be_reached():
    rng = np.random.default_rng(1)
    tied = np.array([calibration.rank_of(1.0, np.array([0.0, 1.0, 1.0, 1.0]), rng) for _ in range(2000)])
    assert 0.2 < tied.min() < 0.21 and 0.99 < tied.max() < 1.0
    assert calibration.rank_of(-1.0, np.zeros(9), rng) < 0.1 and calibration.rank_of(1.0, np.zeros(9), rng) > 0.9


def test_a_refused_fit_has_rank_zero_everywhere(monkeypatch):
    def refuse(*arguments, **options):
        raise calibration.FitError("no\nmode")

    monkeypatch.setattr(calibration, "fit", refuse)
    rows = calibration.replicate(calibration.STUDIES["bg_nbd"], 1)
    assert (rows["rank"] == 0).all() and (rows["refused"] == "no mode").all() and np.isfinite(rows["truth"]).all()
    assert set(rows["quantity"]) >= {"r", "alpha", "a", "b", "purchase_rate of c000", "alive of c002"}


def test_an_interrupted_run_goes_on_and_older_code_is_dropped(tmp_path, monkeypatch):
    done = []

    def replicate(study, seed):
        done.append(seed)
        return pd.DataFrame({"seed": [seed], "quantity": "r", "truth": 1.0, "rank": 0.5, "refused": ""})

    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    monkeypatch.setattr(calibration, "replicate", replicate)
    calibration.run("bg_nbd", 2)
    assert list(calibration.run("bg_nbd", 4)["seed"]) == [1, 2, 3, 4] and done == [1, 2, 3, 4]
    monkeypatch.setattr(calibration, "code_version", lambda name: "newer")
    assert set(calibration.run("bg_nbd", 1)["code"]) == {"newer"} and done[-1] == 1


def test_the_code_version_sees_code_and_not_its_words(tmp_path):
    names = {file.name for file in model_files("bg_nbd")}
    assert {"bg_nbd.py", "beta_coin.py", "compose.py", "poisson_gamma.py"} <= names
    assert "exponential_gamma.py" not in names and code_version("bg_nbd") != code_version("pareto_nbd")
    texts = [
        '"""Some words."""\nx = "a", "a title"  # why\n',
        '"""Other words."""\n\n\nx   =   "a", "a name"\n',
        'x = "b", ""\n',
        "def f(a: int = 1) -> int:\n    b: float = a\n    return b\n",
        "from typing import Any\n\n\ndef f(a: Any = 1):\n    b: Any = a\n    return b\n",
        "def f(a=2):\n    b: float = a\n    return b\n",
    ]
    codes = []
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.py").write_text(text)
        codes.append(code_of(tmp_path / f"{k}.py"))
    assert codes[0] == codes[1] != codes[2]
    assert codes[3] == codes[4] != codes[5]
