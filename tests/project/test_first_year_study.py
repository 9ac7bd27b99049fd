"""The stored study of what new customers bring, by channel: complete, of this code, and as good as it should be; and
its truth, by hand."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from contracts.cases import posterior_of
from fakes.executor import Here

from clvmodels.accounts.first_months import profit_of_first_days
from clvmodels.customers.table import Customers
from clvmodels.datasets import retailer
from clvmodels.decisions import payback
from clvmodels.decisions.payback import cumulated
from clvmodels.inference.fitting import fit
from clvmodels.models import COSTS, MODELS
from clvmodels.valuation.valuation import valuation

ROOT = Path(__file__).parents[2]
SPEC = importlib.util.spec_from_file_location("first_year_study", ROOT / "experiments" / "first_year" / "run.py")
study = importlib.util.module_from_spec(SPEC)
sys.modules[SPEC.name] = study
SPEC.loader.exec_module(study)
import truth  # noqa: E402  (the study puts its folder on the path)
from stored import present_versions  # noqa: E402

AGAIN = "run `make first-year-study`, and look at what it prints before committing reports/first-year"
CONFIRM = "run `make confirm`, which sees whether this code replays it; where it does not, `make first-year-study`"
START = pd.Timestamp("2024-01-03")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    assert study.PATH.exists(), AGAIN
    return study.stored_rows()


def test_the_stored_run_is_of_this_code_and_whole(rows):
    assert set(rows["code"]) <= present_versions(study.PATH, study.code_version()), CONFIRM
    assert list(rows["seed"]) == [seed for seed in range(1, 21) for _ in range(5)]
    assert set(rows["channel"]) == set(retailer.CHANNELS)


def test_nine_of_ten_ranges_hold_the_truth(rows):
    """85 to 95%, of all channels and seeds; a refused or withheld one holds nothing."""
    assert 0.85 <= study.holds(rows).mean() <= 0.95
    assert (rows["refused"] == "").all()


def test_no_channel_is_far_off(rows):
    """The middles of all companies about the truth, and every channel's ranges hold most of the time."""
    table = study.by_channel(rows)
    assert (table["held"] >= 14).all()
    assert (np.abs(table["middle"] - table["truth"]) < 0.1 * table["truth"] + 3.0).all()


def test_the_truth_is_known_better_than_any_range_is_wide(rows):
    stored = pd.read_csv(study.PATH.with_name("truth.csv")).set_index("channel")
    width = (rows["q95"] - rows["q5"]).groupby(rows["channel"]).mean()
    assert (stored["standard_error"] < 0.05 * width).all()
    assert (rows.groupby("channel")["truth"].nunique() == 1).all()
    np.testing.assert_allclose(rows.groupby("channel")["truth"].first(), stored["profit"].sort_index(), rtol=1e-5)


def test_the_readme_tells_what_the_table_says(rows):
    told = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert f"in {study.holds(rows).sum()} of {len(rows)} cases the told 90% range holds" in told


def test_the_picture_is_of_the_table(rows, tmp_path):
    study.draw(rows, tmp_path / "again.svg", study.summarized(rows))
    assert (tmp_path / "again.svg").read_bytes() == study.PATH.with_name("ranges.svg").read_bytes()


def test_the_version_is_of_all_that_a_range_rests_on(monkeypatch):
    rests_on = set()
    monkeypatch.setattr(study, "version_of", rests_on.update)
    study.code_version()
    entry = study.experiment(1).models[study.ENTRY]
    names = [entry.purchases, entry.spend]
    models = [MODELS[name] for name in names] + [COSTS[s.model] for s in study.experiment(1).costs.values()]
    functions = (fit, valuation, payback, profit_of_first_days, retailer.write, study.channels, truth.true_profits)
    files = {Path(inspect.getfile(thing)) for thing in (*map(type, models), *functions)}
    assert files <= rests_on


def test_another_experiment_is_another_study(tmp_path, monkeypatch):
    text = study.EXPERIMENT.read_text(encoding="utf-8")
    other = tmp_path / "retailer.yaml"
    other.write_text(text, encoding="utf-8")
    same = study.code_version()
    monkeypatch.setattr(study, "EXPERIMENT", other)
    assert study.code_version() == same
    other.write_text(text.replace("cost_per_order: 2.5", "cost_per_order: 2.6"), encoding="utf-8")
    assert study.code_version() != same


def test_an_interrupted_run_goes_on_and_other_code_is_dropped(rows, tmp_path, monkeypatch):
    asked = []

    def rows_of(seed, truth):
        asked.append(seed)
        return rows[rows["seed"] == seed].drop(columns="code").to_dict("records")

    monkeypatch.setattr(study, "PATH", tmp_path / "ranges.csv")
    monkeypatch.setattr(study, "rows", rows_of)
    monkeypatch.setattr(study, "truth_of_channels", lambda: pd.DataFrame({"channel": ["A"]}).set_index("channel"))
    monkeypatch.setattr(study, "code_version", lambda: "now")
    study.run(Here(), 2)
    assert sorted(set(study.run(Here(), 4)["seed"])) == [1, 2, 3, 4] and asked == [1, 2, 3, 4]
    monkeypatch.setattr(study, "code_version", lambda: "later")
    assert set(study.run(Here(), 1)["code"]) == {"later"} and asked[-1] == 1


def test_a_range_that_is_not_there_holds_nothing():
    table = pd.DataFrame({"truth": [1.0, 1.0, 1.0, 3.0], "q5": [0.5, np.nan, 1.0, 1.0], "q95": [2.0, np.nan, 2.0, 2.0]})
    assert study.holds(table).tolist() == [True, False, True, False]


def test_a_refused_seed_counts_with_every_channel(monkeypatch):
    withheld = SimpleNamespace(withheld=True, reason="lifetime takes all channels as alike; write by: channel")
    monkeypatch.setattr(study, "channels", lambda seed: withheld)
    of_channels = pd.DataFrame({"profit": [1.0, 2.0]}, index=pd.Index(["A", "B"], name="channel"))
    found = pd.DataFrame(study.rows(1, of_channels))
    assert found["refused"].str.startswith("lifetime").all() and not study.holds(found).any() and len(found) == 2


def test_the_truth_of_a_customer_by_hand():
    """Two visits of one day are one purchase; a visit, a return and a newsletter after the year do not count."""
    economics = SimpleNamespace(
        annual_discount_rate=0.5,
        resold=0.1,
        written_off=0.2,
        cost_per_return=4.0,
        cost_per_order=2.5,
        payment_fee=0.01,
        payment_fee_per_order=0.3,
        recovered=0.25,
        cost_per_minute=0.6,
    )
    customers = pd.DataFrame({"joined": [START, START]}, index=["a", "b"])
    days = [0.4, 0.6, 100.0, 365.5, 1.0]
    orders = pd.DataFrame({"visit": range(5), "customer_id": ["a", "a", "a", "a", "b"], "amount": 100.0})
    orders["margin_rate"] = [0.4, 0.4, 0.3, 0.3, 0.5]
    orders["time"] = START + pd.to_timedelta(days, unit="D")
    mails = pd.DataFrame({"customer_id": ["a", "a"], "kind": "newsletter", "cost": 0.9})
    facts = {
        "orders": orders,
        "returns": pd.DataFrame({"visit": [2, 3], "amount": [50.0, 100.0]}),
        "payments": pd.DataFrame({"visit": [1, 1], "kind": ["bad_debt", "fee"], "amount": [100.0, 7.0]}),
        "contacts": pd.DataFrame({"visit": [0, 0], "minutes": [5.0, 3.0]}),
        "campaigns": mails.assign(time=START + pd.to_timedelta([28, 400], unit="D")),
    }
    found = truth.profits(customers, facts, economics, 364)
    first_day = 40 + 40 - 2 * 1.0 - 2.5 - 0.3 - 0.75 * 100 - 0.6 * 8
    later = 30 - 1.0 - 2.5 - 0.3 - 50 * (0.9 * 0.3 + 0.2 * 0.7) - 4.0
    discount = {days: 1.5 ** (-days / 365.25) for days in (1, 28, 100)}
    assert found["a"] == pytest.approx(first_day + later * discount[100] - 0.9 * discount[28])
    assert found["b"] == pytest.approx((50 - 1.0 - 2.5 - 0.3) * discount[1])


TOLD = {
    "pareto_nbd": "purchases",
    "gamma_gamma": "spend",
    "normal_margin": "margin",
    "beta_binomial_returns": "returns",
    "beta_binomial_bad_debt": "bad_debt",
    "gamma_poisson_contacts": "contacts",
    "lognormal_handling": "handling",
}


def simulators_parameters(channel: str) -> dict[str, dict[str, float]]:
    """What the retailer's own numbers are in the words of the models: by model, the parameters of a channel."""
    story, habit = retailer.story.CHANNELS[channel], retailer.habits.HABITS[channel]
    r, s, p = retailer.story.RATE_SHAPE, retailer.story.HAZARD_SHAPE, retailer.story.VISIT_SHAPE
    variance = retailer.story.SPEND_SD**2
    mean, q = story.spend * np.exp(variance / 2), 2 + 1 / np.expm1(variance)  # moments of the log-normal own means
    margins = {"tau": retailer.habits.MARGIN_SD, "sigma": retailer.habits.ORDER_MARGIN_SD}
    returned = {"mu": habit.returned, "phi": retailer.habits.RETURNED_SIZE}
    minutes = {"m": 0.6 * retailer.habits.MINUTES, "tau": retailer.habits.MINUTES_SD}
    return {
        "pareto_nbd": {"r": r, "alpha": r / story.rate, "s": s, "beta": s * story.lifetime},
        "gamma_gamma": {"p": p, "q": q, "v": mean * (q - 1) / p},
        "normal_margin": {"m": habit.margin} | margins,
        "beta_binomial_returns": returned | {"whole": 0.45, "share": 0.55, "precision": 5.0},
        "beta_binomial_bad_debt": {"mu": retailer.habits.BAD_DEBT, "phi": retailer.habits.BAD_DEBT_SIZE},
        "gamma_poisson_contacts": {"mu": habit.contacts, "r": retailer.habits.CONTACTS_SHAPE},
        "lognormal_handling": minutes | {"sigma": retailer.habits.CONTACT_MINUTES_SD},
    }


@pytest.mark.parametrize("channel", retailer.story.CHANNELS)
def test_told_the_simulators_own_parameters_the_value_is_the_truth(channel):
    """Within 1.5% of the gross margin, which is what days on which two visits are one purchase make, and three standard
    errors: what is told of a channel is off by what a fit knows of it, and by nothing that comes after."""
    of_models = simulators_parameters(channel)
    posteriors = {}
    for name, role in TOLD.items():
        sure = posterior_of({**MODELS, **COSTS}[name], of_models[name], draws=2, spread=0.0)
        posteriors[role] = replace(sure, currency="EUR")
    observed = {statistic: 0.0 for posterior in posteriors.values() for statistic in posterior.model.observes}
    table = pd.DataFrame({**observed, "T": 10.0}, index=pd.Index(["c"], name="customer_id"))
    customers = Customers(table, "week", pd.Timestamp("2025-12-28"), "EUR")
    economics = replace(study.experiment(1).economics, referral=None)
    ahead = valuation(posteriors, customers, economics, seed=1, draws=2)
    _, flows = ahead.new_customers(1)
    told = float(cumulated(ahead, channel)[0, -1])
    known = pd.read_csv(study.PATH.with_name("truth.csv")).set_index("channel").loc[channel]
    margin = float(flows["gross margin"].expected[0].sum())
    assert abs(told - known.profit) <= 0.015 * margin + 3 * known.standard_error
