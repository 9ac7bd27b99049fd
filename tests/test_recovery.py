"""The stored recovery run: complete, within its limits, and of the code as it is."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from clvmodels.models import MODELS

FOLDER = Path(__file__).parents[1] / "experiments" / "recovery"
sys.path.insert(0, str(FOLDER))

import run as recovery  # noqa: E402
from code_version import code_of, code_version, model_files  # noqa: E402

AGAIN = "run `python experiments/recovery/run.py`, and look at its summary before committing reports/recovery"


@pytest.fixture(scope="module", params=list(MODELS))
def stored(request) -> tuple[str, pd.DataFrame]:
    path = recovery.FOLDER / f"{request.param}.csv"
    assert path.is_file(), f"{request.param} has no recovery run: {AGAIN}"
    return request.param, pd.read_csv(path, keep_default_na=False, na_values={"lower": [""], "upper": [""]})


def test_the_stored_run_is_of_this_code(stored):
    name, rows = stored
    assert set(rows["code"]) == {code_version(name)}, f"the code of {name} has changed since: {AGAIN}"


def test_all_seeds_are_there_once(stored):
    _, rows = stored
    seeds = rows.groupby("quantity")["seed"].apply(sorted)
    assert all(found == list(range(1, recovery.SEEDS + 1)) for found in seeds)


def test_what_is_held_follows_from_the_intervals(stored):
    _, rows = stored
    refused = rows["refused"] != ""
    held = (rows["lower"] <= rows["truth"]) & (rows["truth"] <= rows["upper"])
    assert np.array_equal(rows["held"], held) and not rows["held"][refused].any()
    assert rows[["lower", "upper"]].notna().all(axis=None) or refused.any()


def test_intervals_hold_the_truth_nine_times_in_ten(stored):
    name, rows = stored
    table = recovery.judge(rows)
    assert table["within"].all(), f"{name}, 90% intervals of {recovery.SEEDS} seeds:\n{table}"


def test_the_summary_is_that_of_the_rows():
    summary = pd.read_csv(recovery.FOLDER / "summary.csv").set_index(["model", "quantity"])
    rows = {name: pd.read_csv(recovery.FOLDER / f"{name}.csv", keep_default_na=False) for name in MODELS}
    judged = pd.concat({name: recovery.judge(table) for name, table in rows.items()}, names=["model"])
    pd.testing.assert_frame_equal(summary.loc[judged.index], judged, check_dtype=False)


def test_the_judgement_counts_a_refusal_as_a_miss_and_an_unfinished_run_as_none():
    rows = pd.DataFrame({"seed": range(1, 101), "quantity": "r", "held": [True] * 90 + [False] * 10})
    rows["refused"] = [""] * 95 + ["no mode"] * 5
    assert recovery.judge(rows).loc["r"].tolist() == [100, 90, 5, True]
    assert not recovery.judge(rows.iloc[:99])["within"].any()
    for held in (81, 97):
        assert not recovery.judge(rows.assign(held=rows["seed"] <= held))["within"].any()


def test_a_refused_fit_is_a_row_that_holds_nothing(monkeypatch):
    def refuse(*arguments, **options):
        raise recovery.FitError("no\nmode")

    monkeypatch.setattr(recovery, "fit", refuse)
    rows = recovery.replicate(MODELS["bg_nbd"], 1)
    assert not rows["held"].any() and (rows["refused"] == "no mode").all() and np.isfinite(rows["truth"]).all()


def test_an_interrupted_run_goes_on_and_older_code_is_dropped(tmp_path, monkeypatch):
    done = []

    def replicate(model, seed):
        done.append(seed)
        return pd.DataFrame({"seed": [seed], "quantity": "r", "truth": 1.0, "lower": 0.5, "upper": 2.0, "held": True,
                             "refused": ""})  # fmt: skip

    monkeypatch.setattr(recovery, "FOLDER", tmp_path)
    monkeypatch.setattr(recovery, "replicate", replicate)
    recovery.run("bg_nbd", 2)
    assert list(recovery.run("bg_nbd", 4)["seed"]) == [1, 2, 3, 4] and done == [1, 2, 3, 4]
    monkeypatch.setattr(recovery, "code_version", lambda name: "newer")
    assert set(recovery.run("bg_nbd", 1)["code"]) == {"newer"} and done[-1] == 1


def test_the_code_version_sees_code_and_not_its_words(tmp_path):
    names = {file.name for file in model_files("bg_nbd")}
    assert {"bg_nbd.py", "beta_coin.py", "compose.py", "poisson_gamma.py"} <= names
    assert "exponential_gamma.py" not in names and code_version("bg_nbd") != code_version("pareto_nbd")
    texts = [
        '"""Some words."""\nx = "a", "a title"  # why\n',
        '"""Other words."""\n\n\nx   =   "a", "a name"\n',
        'x = "b", ""\n',
    ]
    codes = []
    for k, text in enumerate(texts):
        (tmp_path / f"{k}.py").write_text(text)
        codes.append(code_of(tmp_path / f"{k}.py"))
    assert codes[0] == codes[1] != codes[2]
