"""Rolling origins: what is refused at once, which fits they share, what they leave, and how a stopped one goes on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from fakes.experiments import MAPPING, Fits, experiment, no_fit

from clvmodels.config.experiment import load_experiment
from clvmodels.errors import ConfigError, DataError, FitError, Problem
from clvmodels.inference import fitting
from clvmodels.runs.experiment import run

DAYS = ["2025-03-30", "2025-07-27"]
DATA = {**MAPPING["data"], "origins": DAYS, "holdouts": [8, "end"]}
CHEAP = {"economics": None, "metrics": ["total_purchases", "crps", "money_total"], "figures": ["rolling_origins"]}


def rolled(**data):
    return experiment(**CHEAP, data={**DATA, **data})


@pytest.fixture(scope="module")
def fits() -> Fits:
    return Fits()


@pytest.fixture(scope="module")
def done(tmp_path_factory, fits):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fitting, "fit", fits)
        return run(rolled(), tmp_path_factory.mktemp("results") / "rolled")


def test_a_row_of_each_entry_origin_holdout_and_score(done):
    scores = pd.read_csv(done.folder / "rolling.csv")
    keys = ["entry", "dataset", "origin", "until", "holdout"]
    assert (
        list(scores.columns) == ["entry", "dataset", "origin", "metric", "score", "value", "lower", "upper"] + keys[3:]
    )
    windows = scores[keys].drop_duplicates()
    assert list(zip(windows["origin"], windows["until"], strict=True)) == [
        ("2025-03-30", "2025-05-25"),
        ("2025-03-30", "2025-12-28"),
        ("2025-07-27", "2025-09-21"),
        ("2025-07-27", "2025-12-28"),
    ]
    assert windows["holdout"].tolist() == [8.0, 39.0, 8.0, 22.0]
    assert (scores.groupby(["origin", "until"])["score"].apply(lambda names: names.is_unique)).all()
    assert set(scores["metric"]) == {"total_purchases", "crps", "money_total"}


def test_totals_are_those_of_the_scores(done):
    totals, scores = done.run.rolling.totals, done.run.rolling.scores
    assert set(totals["quantity"]) == {"purchases", "spend"} and set(totals["totals"]) == {"plain"}
    for row in totals[totals["quantity"] == "purchases"].itertuples():
        window = scores[(scores["origin"] == row.origin) & (scores["until"] == row.until)].set_index("score")
        assert window.loc["total_purchases.actual", "value"] == row.actual
        assert window.loc["total_purchases.forecast", "lower"] == pytest.approx(row.q5)
        assert window.loc["total_purchases.interval_holds", "value"] == (row.side == "inside")
    assert (totals[["q5", "q25", "q50", "q75", "q95"]].diff(axis=1).iloc[:, 1:] >= 0).all().all()


def test_what_came_is_counted_in_the_transactions(done):
    """Of customers whose first purchase lies by the origin, the days of purchase after it."""
    table = done.run.company.transactions.table.execute()
    day = pd.to_datetime(table["date"]).dt.normalize()
    days = table.assign(day=day).drop_duplicates(["customer_id", "day"])
    first = days.groupby("customer_id")["day"].transform("min")
    for row in done.run.rolling.totals.query("quantity == 'purchases'").itertuples():
        came = days[(first <= row.origin) & (days["day"] > row.origin) & (days["day"] <= row.until)]
        assert row.actual == len(came)


def test_holdouts_share_the_fit_of_their_origin(done, fits):
    asked = [day for model, day in fits.asked if model == "bg_nbd"]
    assert sorted(asked) == ["2025-03-30", "2025-06-29", "2025-07-27", "2025-12-28"]
    assert len(fits.asked) == len(set(fits.asked))


def test_an_origin_is_the_run_of_that_calibration(done, tmp_path, monkeypatch):
    """The same numbers as of a run whose calibration ends there."""
    monkeypatch.setattr(fitting, "fit", Fits())
    single = {**MAPPING["data"], "calibration_end": DAYS[0], "holdout": 8}
    alone = run(experiment(**CHEAP, data=single), tmp_path / "alone").run.scores
    window = done.run.rolling.scores.query("origin == '2025-03-30' and until == '2025-05-25'")
    columns = ["entry", "metric", "score", "value", "lower", "upper"]
    pd.testing.assert_frame_equal(window[columns].reset_index(drop=True), alone[columns])


def test_a_stopped_run_goes_on_at_its_origin(tmp_path, monkeypatch):
    stopped, resumed = Fits({5: KeyboardInterrupt()}), Fits()
    monkeypatch.setattr(fitting, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        run(rolled(), tmp_path)
    monkeypatch.setattr(fitting, "fit", resumed)
    run(rolled(), tmp_path)
    assert stopped.asked[-1] == resumed.asked[0]
    assert len(set(stopped.asked) | set(resumed.asked)) == len(stopped.asked) + len(resumed.asked) - 1
    monkeypatch.setattr(fitting, "fit", no_fit)
    run(rolled(), tmp_path)


def test_a_fit_that_fails_is_told_with_its_origin(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", Fits({3: FitError(Problem("the chains stalled"))}))
    with pytest.raises(FitError, match=r"origin 2025-03-30, bg_nbd"):
        run(rolled(), tmp_path)


def test_the_number_of_origins_is_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", Fits())
    outcome = run(rolled(origins=3, holdouts=[20]), tmp_path)
    days = load_experiment(tmp_path / "config.yaml").data.origins
    assert len(days) == 3 and days == tuple(sorted(days))
    assert days[-1] == date(2025, 12, 28) - pd.Timedelta(weeks=20)  # the last that 20 weeks can be judged from
    gaps = np.diff([pd.Timestamp(day) for day in days]) / pd.Timedelta(weeks=1)
    assert (gaps % 1 == 0).all() and np.ptp(gaps) <= 1
    assert set(outcome.run.rolling.totals["origin"]) == {day.isoformat() for day in days}


def test_all_that_the_data_do_not_allow_is_told_before_anything_is_fitted(tmp_path, monkeypatch):
    monkeypatch.setattr(fitting, "fit", no_fit)
    impossible = rolled(
        origins=["2020-01-05", "2025-03-30", "2025-12-14"],
        holdouts=[8, 500],
        acquired_between=["2024-12-01", "2025-12-28"],
    )
    with pytest.raises(DataError) as caught:
        run(impossible, tmp_path)
    told = str(caught.value)
    assert "origin 2020-01-05, calibration_end: lies before the first purchase" in told
    assert "origin 2025-03-30, holdout: would end on" in told
    assert "origin 2025-12-14, holdout: would end on 2026-02-08, after the data" in told
    assert [problem.path for problem in caught.value.problems][:2] == [("data", "origins", 0), ("data", "origins", 1)]
    with pytest.raises(DataError) as caught:  # told of the day once, whatever its holdouts
        run(rolled(origins=["2025-12-28"], holdouts=[8, 20, "end"]), tmp_path)
    assert [problem.what for problem in caught.value.problems] == ["nothing comes after it to be held out"]
    with pytest.raises(DataError, match="origin 2024-06-30"):  # nobody was acquired by then
        run(rolled(origins=["2024-06-30"], acquired_between=["2024-12-01", "2025-12-28"]), tmp_path)


def test_what_the_file_says_wrongly_is_told_at_once():
    with pytest.raises(ConfigError) as caught:
        experiment(data={**MAPPING["data"], "origins": [*DAYS, DAYS[0]], "holdouts": [8, "end", 8]})
    told = str(caught.value)
    assert "'2025-03-30' is listed twice" in told and "'8' is listed twice" in told
    for wrong in (0, 61, "9", ["2025-02-30"], [3]):
        with pytest.raises(ConfigError, match="origins"):
            experiment(data={**MAPPING["data"], "origins": wrong})
    for wrong in ([0], [-3], ["begin"], [True]):
        with pytest.raises(ConfigError, match="holdouts"):
            experiment(data={**MAPPING["data"], "origins": DAYS, "holdouts": wrong})
    with pytest.raises(ConfigError, match="'holdouts' are of origins"):
        experiment(data={**MAPPING["data"], "holdouts": [8]})


def test_origins_are_last_days_of_periods_where_time_counts_those():
    with pytest.raises(ConfigError) as caught:
        experiment(
            data={**DATA, "time": "opportunities", "time_unit": "month", "holdouts": [1.5, "end"], "holdout": 2},
            models={"bg_bb": {"purchases": "bg_bb"}},
            economics=None,
        )
    told = str(caught.value)
    assert "Must be the last day of a month" in told and "Opportunities are whole months" in told


def test_a_data_set_without_days_has_no_origins():
    with pytest.raises(ConfigError, match="Remove origins"):
        experiment(
            data={"dataset": "donations", "origins": 3}, models={"bg_bb": {"purchases": "bg_bb"}}, economics=None
        )
