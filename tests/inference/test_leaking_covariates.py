"""Covariates that grow with the purchases they would explain: what they did, that they are refused, and the way out."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from clvmodels.config.experiment import Experiment
from clvmodels.customers.experience import EXPERIENCE, experience, grows_with_purchases, with_experience
from clvmodels.customers.summarize import summarize
from clvmodels.customers.table import Split
from clvmodels.errors import ConfigError
from clvmodels.futures.forecast import forecast
from clvmodels.inference.effects import Effect
from clvmodels.inference.fitting import fit
from clvmodels.inference.leave_one_out import loo
from clvmodels.inference.refusals import check_data
from clvmodels.metrics.effect_check_rows import covariate_leans
from clvmodels.metrics.judged import Judged
from clvmodels.models import MODELS
from clvmodels.sources.consolidation import Company, Table, consolidate

CUSTOMERS, WEEKS, GROUPS = 1200, 104, 12
CALIBRATION_END, WEEKS_HELD_OUT = "2024-06-30", 26


@pytest.fixture(scope="module")
def company() -> Company:
    """Customers who buy at rates of their own and leave after purchases at chances of their own. Each purchase is of
    one to three product groups by chance; of every third purchase there is an answer, of chance too."""
    rng = np.random.default_rng(12)
    start = pd.Timestamp("2023-01-01")
    rates = rng.gamma(0.8, 1 / 4, CUSTOMERS)  # purchases a week
    purchases_of_a_life = rng.geometric(rng.beta(1.0, 4.0, CUSTOMERS))
    rows = []
    for number, (rate, purchases) in enumerate(zip(rates, purchases_of_a_life, strict=True)):
        first = rng.integers(0, 26 * 7)
        later = np.cumsum(rng.exponential(7 / rate, min(purchases - 1, 400))) + first
        days = np.unique(np.r_[first, np.ceil(later[later < WEEKS * 7 - 1])])
        rows += [(f"c{number:04}", start + pd.Timedelta(days=int(day))) for day in days]
    purchases = pd.DataFrame(rows, columns=["key", "date"])
    purchases["order_id"] = [f"o{number}" for number in range(len(purchases))]
    lines = purchases.loc[purchases.index.repeat(rng.integers(1, 4, len(purchases)))]
    lines = lines.assign(amount=10.0, product_group=rng.choice([f"g{k:02}" for k in range(GROUPS)], len(lines)))
    answers = purchases[rng.random(len(purchases)) < 1 / 3][["key", "date"]]
    answers = answers.assign(kind="nps", score=rng.integers(0, 11, len(answers)))
    tables = {
        "lines": Table(frame=lines, role="order_lines", columns={"product_group": "product_group"}),
        "answers": Table(frame=answers, role="surveys"),
    }
    return consolidate(tables, currency="EUR", data_end=str((start + pd.Timedelta(weeks=WEEKS)).date()))


@pytest.fixture(scope="module")
def split(company) -> Split:
    split = summarize(company.transactions, calibration_end=CALIBRATION_END, holdout=WEEKS_HELD_OUT)
    names = ["product_groups", "product_groups_at_first_purchase", "nps", "nps_at_first_purchase"]
    return dataclasses.replace(split, customers=with_experience(company, split.customers, names))


def on_alpha(name: str, **options: str) -> Effect:
    return Effect("purchases", ("alpha",), covariates=(name,), **options)


class Trial(NamedTuple):
    """elpd, the forecast of all held-out purchases, the size of the first coefficient in its sds, and the result of the
    check of its covariate on the holdout."""

    elpd: float
    expected: float
    strength: float = 0.0
    leans: str = ""


def judged(split: Split, *effects: Effect, **columns: pd.Series) -> Trial:
    """A fit with these effects, of customers with these columns."""
    customers = dataclasses.replace(split.customers, table=split.customers.table.assign(**columns))
    posterior = fit("mbg_nbd", customers, effects=effects, method="laplace", draws=400)
    ahead = forecast(posterior, customers, WEEKS_HELD_OUT, seed=1, draws=400)
    trial = Trial(float(loo(posterior, customers)["elpd_i"].sum()), float(ahead.expected_purchases.mean(axis=0).sum()))
    if not effects:
        return trial
    draws = posterior.stacked(effects[0].name)[:, 0]
    row = covariate_leans(Judged(customers, split.holdout, ahead, split.weekly), effects[0].covariates[0])
    assert row is not None
    return trial._replace(strength=float(draws.mean() / draws.std()), leans=row.result)


def test_groups_of_chance_won_and_forecast_too_much(split):
    """What was accepted, here under another name: chance explains the past as nothing else does, and misleads."""
    came = split.holdout.table["purchases"].sum()  # 968
    fair = judged(split)
    leaking = judged(split, on_alpha("renamed"), renamed=split.customers.table["product_groups"])
    assert fair.expected == pytest.approx(came, rel=0.05)
    assert leaking.elpd > fair.elpd + 300
    assert leaking.expected > 1.15 * came
    assert leaking.leans == "failed"  # whatever its name
    # the way out of the refusal, followed
    twin = judged(split, on_alpha("product_groups_at_first_purchase"))
    assert twin.expected == pytest.approx(fair.expected, rel=0.01)
    assert abs(twin.elpd - fair.elpd) < 5 and abs(twin.strength) < 3
    assert twin.leans == "passed"


def test_to_have_no_answer_was_told_by_the_purchases_that_it_explained(split):
    elpd = judged(split).elpd
    answers = split.customers.table["nps"]
    leaking = judged(split, on_alpha("renamed", missing="indicator"), renamed=answers)
    assert leaking.elpd > elpd + 80
    for effect in (on_alpha("nps", missing="mean"), on_alpha("nps_at_first_purchase", missing="indicator")):
        fair = judged(split, effect)
        assert abs(fair.elpd - elpd) < 5 and abs(fair.strength) < 3
    with pytest.raises(ConfigError, match=r"missing: mean, or covariates: \[nps_at_first_purchase\]"):
        check_data(MODELS["mbg_nbd"], split.customers, [on_alpha("nps", missing="indicator")])
    check_data(
        MODELS["gamma_gamma"], split.customers, [Effect("spend", ("v",), covariates=("nps",), missing="indicator")]
    )


GROWING = [name for name in EXPERIENCE if grows_with_purchases(name)]


def test_which_columns_grow_with_purchases():
    assert [name for name in EXPERIENCE if name not in GROWING] == ["nps", "csat", "ces", "acquisition_cost"]


@pytest.mark.parametrize("name", GROWING)
@pytest.mark.parametrize("part", ["purchases", "lifetime"])
def test_what_grows_with_purchases_is_refused_by_name_with_the_way_out(part, name):
    for column in ({"covariates": (name,)}, {"group": name}):
        with pytest.raises(ConfigError, match=f"'{name}' grows with the purchases .*{name}_at_first_purchase"):
            Effect(part, ("alpha",), **column)
    Effect(part, ("alpha",), covariates=(f"{name}_at_first_purchase",))
    Effect("spend", ("v",), covariates=(name,))


def test_a_file_is_refused_and_its_way_out_is_accepted():
    mapping = {
        "title": "Leaking",
        "data": {},
        "sources": {
            "lines": {"path": "lines.csv", "role": "order_lines", "columns": {"key": "k", "product_group": "g"}},
        },
        "models": {
            "wide": {
                "purchases": "bg_nbd",
                "effects": [{"part": "purchases", "parameters": ["alpha"], "covariates": ["product_groups"]}],
            }
        },
    }
    with pytest.raises(ConfigError, match="product_groups_at_first_purchase") as caught:
        Experiment.from_dict(mapping)
    assert len(caught.value.problems) == 1
    mapping["models"]["wide"]["effects"][0]["covariates"] = ["product_groups_at_first_purchase"]
    assert Experiment.from_dict(mapping).models["wide"].effects


def test_what_was_known_on_the_day_of_the_first_purchase():
    """Two groups bought on the first day, one later; an answer of a later day is none yet."""
    lines = pd.DataFrame(
        {
            "key": ["a", "a", "a", "b"],
            "date": ["2024-01-01", "2024-01-01", "2024-02-01", "2024-01-05"],
            "order_id": ["1", "1", "2", "3"],
            "amount": 1.0,
            "product_group": ["x", "y", "z", "x"],
        }
    )
    answers = pd.DataFrame({"key": ["a", "b"], "date": ["2024-01-10", "2024-01-05"], "kind": "nps", "score": [9, 3]})
    contacts = pd.DataFrame(
        {"key": ["a", "a", "b"], "date": ["2024-01-01", "2024-02-01", "2024-03-01"], "kind": "complaint"}
    )
    company = consolidate(
        {
            "lines": Table(frame=lines, role="order_lines", columns={"product_group": "product_group"}),
            "answers": Table(frame=answers, role="surveys"),
            "service": Table(frame=contacts, role="contacts"),
        },
        currency="EUR",
    )
    customers = summarize(company.transactions).customers
    names = ["product_groups", "nps", "complaint_rate"]
    found = experience(company, customers, [f"{name}_at_first_purchase" for name in names])
    assert found["product_groups_at_first_purchase"].tolist() == [2, 1]
    assert np.isnan(found["nps_at_first_purchase"]["a"]) and found["nps_at_first_purchase"]["b"] == 3
    assert found["complaint_rate_at_first_purchase"].tolist() == [1, 0]
    with pytest.raises(ConfigError, match="Unknown column of experience 'groups_at_first_purchase'"):
        experience(company, customers, ["groups_at_first_purchase"])
