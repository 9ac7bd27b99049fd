"""Opportunities and contracts in the line: what is refused with what to write instead, and runs to a report."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from contracts.cases import CASES, customers_of, posterior_of, table_of

from clvmodels.config.experiment import Experiment
from clvmodels.datasets import donations, subscriptions
from clvmodels.errors import ConfigError, DataError
from clvmodels.inference.fitting import fit
from clvmodels.metrics.compare import compare_elpd
from clvmodels.models import MODELS, discrete
from clvmodels.report import write_report
from clvmodels.runs.experiment import run
from clvmodels.valuation.scoring import score


def contract(**columns):
    table = table_of({"a": (2, 2.0, 5.0, 0.0), "b": (5, 5.0, 5.0, 0.0)}).assign(**columns)
    table.attrs["time"] = "opportunities"
    return customers_of(table)


@pytest.mark.parametrize(
    ("model", "columns", "said"),
    [
        (
            "sbg",
            {"recency": [4.0, 5.0]},
            "1 customer came back after a missed renewal; got first 'a'. Take them for two",
        ),
        ("sbg", {"T": [5.5, 5.0]}, "must be numbers of opportunities; of 1 customer they are not; got first 'a'"),
        (
            "bg_bb",
            {"frequency": [3, 5]},
            "must be numbers of opportunities; of 1 customer they are not; got first 'a'",
        ),
        (
            "bg_nbd",
            {},
            "BG/NBD needs continuous time, and that of these customers counts opportunities. Write time: cont",
        ),
    ],
)
def test_tables_that_a_model_cannot_read_are_refused(model, columns, said):
    with pytest.raises(DataError) as caught:
        fit(model, contract(**columns), method="mle")
    assert said in str(caught.value)


def test_continuous_customers_are_refused_with_what_to_write():
    with pytest.raises(
        DataError, match=r"BG/BB counts opportunities.*Write time: opportunities.*or take nbd, pareto_nbd"
    ):
        fit("bg_bb", customers_of(table_of()), method="mle")
    posterior = posterior_of(MODELS["sbg"], CASES["sbg"].theta, 10)
    with pytest.raises(ConfigError, match="differ in their time; got opportunities and continuous"):
        score({"purchases": posterior}, customers_of(table_of()), horizon=5)


def test_sums_too_long_are_refused(monkeypatch):
    monkeypatch.setattr(discrete, "MOST_TERMS", 5)
    with pytest.raises(DataError, match=r"BG/BB would add up 6 terms, and 5 is the most. Count longer periods"):
        fit("bg_bb", contract(), method="mle")
    assert MODELS["sbg"].refusals(contract().table) == []


def test_customers_who_ended_need_a_model_that_reads_it():
    customers = customers_of(table_of().assign(status=["alive"] * 7 + ["ended"]))
    with pytest.raises(
        DataError, match=r"BG/NBD does not read the end of a customer, and 1 have ended; got first 'twice'"
    ):
        fit("bg_nbd", customers, method="mle")
    assert MODELS["bg_nbd"].refusals(customers.table.assign(status="alive")) == []


def test_an_experiment_tells_all_that_its_time_forbids():
    mapping = {
        "title": "x",
        "data": {
            "transactions": "o.csv",
            "time": "opportunities",
            "time_unit": "month",
            "columns": {"ended": "e"},
            "calibration_end": "2024-05-30",
            "holdout": 1.5,
        },
        "models": {name: {"purchases": name, "spend": "gamma_gamma"} for name in ("bg_nbd", "sbg")},
        "economics": {"margin": 0.3, "annual_discount_rate": 0.1, "horizon": 2.5},
    }
    with pytest.raises(ConfigError) as caught:
        Experiment.from_dict(mapping)
    told = str(caught.value)
    for text in (
        "5 problems",
        "data.calibration_end: Must be the last day of a month",
        "The next is 2024-05-31",
        "data.holdout: Opportunities are whole months; got 1.5",
        "data.columns.ended: The day of an end needs",
        "models.bg_nbd.purchases: BG/NBD needs continuous time",
        "or take bg_bb, bb, sbg or bdw",
        "economics.horizon: Must be a whole number of opportunities; got 2.5",
    ):
        assert text in told, text
    mapping["data"] = {"dataset": "donations", "calibration_end": "1999-12-31"}
    with pytest.raises(ConfigError, match=r"does not tell the years of all gifts, so that these data cannot be split"):
        Experiment.from_dict(mapping)


# ---------------------------------------------------------------------------------------------- the line


def test_entries_are_compared_by_elpd_customer_by_customer():
    index = pd.Index([f"c{k}" for k in range(100)])
    best = pd.DataFrame({"elpd_i": np.full(100, -1.0)}, index=index)
    step = np.where(np.arange(100) % 2, -0.3, -0.1)
    worse = pd.DataFrame({"elpd_i": -1.0 + step}, index=index).sample(frac=1.0, random_state=1)
    found = compare_elpd({"worse": worse, "best": best}).set_index("entry")
    assert found["verdict"].to_dict() == {"best": "recommended", "worse": "worse"}
    assert (found.loc["worse", "difference"], found.loc["worse", "se"]) == pytest.approx(
        (-20.0, np.sqrt(100 * step.var(ddof=1)))
    )
    with pytest.raises(DataError, match="other customers"):
        compare_elpd({"a": best, "b": worse.iloc[1:]})


def experiment(tmp_path, data, **more):
    mapping = {
        "title": "Who stays?",
        "data": {"time": "opportunities", "time_unit": "year", **data},
        "sampler": {"draws": 200},
        **more,
    }
    outcome = run(Experiment.from_dict(mapping, config_dir=tmp_path), tmp_path / "r", config_dir=tmp_path)
    return outcome, write_report(outcome.folder).read_text(encoding="utf-8")


def test_contracts_go_from_a_table_of_payments_to_a_report(tmp_path):
    subscriptions.payments().assign(amount=120.0).to_csv(tmp_path / "p.csv", index=False)
    outcome, page = experiment(
        tmp_path,
        {
            "transactions": "p.csv",
            "calibration_end": "2007-12-31",
            "holdout": 5,
            "data_end": "2012-12-31",
            "groups": ["segment"],
        },
        models={
            "sbg": {"purchases": "sbg"},
            "by_segment": {
                "purchases": "sbg",
                "effects": [{"part": "lifetime", "parameters": ["beta"], "group": "segment"}],
            },
        },
    )
    assert outcome.exit_status == 0
    tracking = pd.read_csv(outcome.folder / "tables" / "tracking.periods.csv")
    assert tracking["start"].tolist() == [f"{year}-01-01" for year in range(2001, 2013)]
    assert set(tracking["unit"]) == {"year"} and set(tracking["side"].dropna()) == {"inside"}
    assert "Purchases per year" in page and "5 held-out years" in page and "week" not in page
    assert "never observed" not in page and not any((outcome.folder / "tables").glob("p_alive*"))
    scores = outcome.run.scores.set_index(["entry", "score"])["value"]
    assert (
        scores["by_segment", "total_purchases.actual"] == 3123 and scores["by_segment", "elpd"] > scores["sbg", "elpd"]
    )
    customers = pd.read_parquet(outcome.folder / "customers.parquet")
    assert set(customers["p_alive"]) == {0.0, 1.0}


@pytest.mark.slow
def test_without_a_holdout_entries_are_compared_by_elpd(tmp_path):
    gifts = donations.gifts()
    few = gifts[gifts["customer_id"].isin(gifts["customer_id"].unique()[::40])]
    few.to_csv(tmp_path / "g.csv", index=False)
    outcome, page = experiment(
        tmp_path,
        {"transactions": "g.csv", "data_end": "2001-12-31"},
        models={"bb": {"purchases": "bb"}, "bg_bb": {"purchases": "bg_bb"}},
    )
    assert outcome.exit_status == 0 and outcome.run.recommended == "bg_bb"
    assert outcome.run.comparison.set_index("entry")["verdict"].to_dict() == {"bg_bb": "recommended", "bb": "worse"}
    assert set(outcome.run.scores["score"]) == {"elpd", "elpd_pareto_k_bad"}
    assert "Which model predicts histories best" in page and "better than 1 other entry" in page
    assert (
        "years since the last purchase" in page
        and "week" not in page
        and "nan" not in page.lower().replace("finan", "")
    )
