"""The stored calibration: complete, as it should be, and of the code as it is."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fakes.executor import Here

from clvmodels.models import MODELS, get_model

sys.path.insert(0, str(Path(__file__).parents[2] / "experiments" / "calibration"))

import judge as judging
import run as calibration
from stored import present_versions

AGAIN = "run `make calibration`, and look at reports/calibration before committing it"
CONFIRM = "run `make confirm`, which sees whether it replays the stored ranks; where it does not, `make calibration`"


STORED = sorted(path.stem for path in calibration.FOLDER.glob("*.csv") if path.stem not in ("summary", "confirmed"))


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
    present = present_versions(calibration.path_of(study), calibration.code_version(study))
    assert set(rows["code"]) <= present, f"the code of {study.name} has changed since: {CONFIRM}"


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


def test_a_confirmation_replays_the_stored_ranks_and_refuses_others(tmp_path, monkeypatch, capsys):
    """The first of the stored seeds, computed again; before that with one rank moved by its last stored digit."""
    study, replicate = calibration.STUDIES["gamma_gamma"], calibration.replicate
    stored = pd.read_csv(calibration.path_of(study), keep_default_na=False)
    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    stored[stored["seed"] == 1].assign(code="older").to_csv(calibration.path_of(study), index=False)

    def other(study, seed):
        rows = replicate(study, seed)
        return rows.assign(rank=rows["rank"] + 1e-6 * (rows["quantity"] == "q"))

    monkeypatch.setattr(calibration, "replicate", other)
    assert not calibration.confirmed(study.name, Here()) and not (tmp_path / "confirmed.csv").exists()
    assert "seed 1, q: rank 0." in capsys.readouterr().out
    monkeypatch.setattr(calibration, "replicate", replicate)
    assert calibration.confirmed(study.name, Here())
    confirmed = pd.read_csv(tmp_path / "confirmed.csv", dtype=str)
    version = calibration.code_version(study)
    assert confirmed.to_numpy().tolist() == [[study.name, "older", version, "1"]]
    assert present_versions(calibration.path_of(study), version) == {"older", version}


def test_the_version_is_of_all_that_the_ranks_rest_on(monkeypatch):
    """The model, its parts, histories, individuals, the fit, the study itself; NUTS where it fits."""
    rests_on = {}
    model = get_model("bg_nbd")
    for name in ("bg_nbd", "bg_nbd_by_group"):
        monkeypatch.setattr(calibration, "version_of", lambda files, name=name: rests_on.update({name: set(files)}))
        calibration.code_version(calibration.STUDIES[name])
    functions = (calibration.fit, calibration.simulate_purchases, calibration.individuals, calibration.replicate)
    used = (type(model), type(model.purchases), type(model.lifetime), *functions)
    assert {Path(inspect.getfile(thing)) for thing in used} <= rests_on["bg_nbd"]
    assert {path.stem for path in rests_on["bg_nbd_by_group"] - rests_on["bg_nbd"]} == {"nuts"}


def test_an_interrupted_run_goes_on_and_older_code_is_dropped(tmp_path, monkeypatch):
    done = []

    def replicate(study, seed):
        done.append(seed)
        return pd.DataFrame({"seed": [seed], "quantity": "r", "truth": 1.0, "rank": 0.5, "refused": ""})

    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    monkeypatch.setattr(calibration, "replicate", replicate)
    calibration.run("bg_nbd", 2)
    assert list(calibration.run("bg_nbd", 4)["seed"]) == [1, 2, 3, 4] and done == [1, 2, 3, 4]
    monkeypatch.setattr(calibration, "code_version", lambda study: "newer")
    assert set(calibration.run("bg_nbd", 1)["code"]) == {"newer"} and done[-1] == 1
