"""Effects: what is said of them and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from contracts.cases import table_of
from fakes.effects import SEVERAL, on

from clvmodels.errors import ConfigError, DataError
from clvmodels.inference.effect_problems import check_effects
from clvmodels.inference.effects import Effect, columns_of, group_labels, raises
from clvmodels.models import MODELS
from clvmodels.models.prior import Prior


def test_an_effect_survives_its_mapping():
    tight = Prior("Normal", {"mu": 0.1, "sigma": 0.2})
    for effect in (
        Effect("purchases", ("alpha",), "channel", Prior("HalfNormal", {"sigma": 1.0})),
        Effect("lifetime", ("a", "b"), covariates=("nps", "age"), coefficient_prior=tight, missing="indicator"),
    ):
        assert Effect.from_mapping(json.loads(json.dumps(effect.to_mapping()))) == effect
    assert Effect.from_mapping({"part": "spend", "parameters": ["v"], "covariates": ["age"]}).missing == "refuse"
    assert columns_of(SEVERAL) == (["channel"], ["age", "business", "score"])
    assert Effect("lifetime", ("a", "b"), covariates=("x/y", "z")).name == "a_b_on_x_y_z"


def test_what_a_positive_coefficient_raises():
    model = MODELS["bg_nbd"]
    assert raises(model, SEVERAL[0]) == "purchase rate"
    assert raises(model, SEVERAL[2]) == "dropout and staying"
    assert raises(model, SEVERAL[3]) == "dropout"


def test_labels_of_groups_are_text_whatever_the_column():
    assert group_labels(pd.Series([1.0, 2.5, np.nan])).tolist() == ["1", "2.5", "(missing)"]
    assert group_labels(pd.Series([3, 4])).tolist() == ["3", "4"]
    assert group_labels(pd.Series(["a", None])).tolist() == ["a", "(missing)"]


def refused(error, *effects, **columns) -> list[str]:
    table = table_of().assign(channel="x", nps=np.arange(8.0), **columns)
    with pytest.raises(error) as caught:
        check_effects(MODELS["bg_nbd"], effects, table)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("effect", "text"),
    [
        (on("nsp"), "Unknown covariate 'nsp'; did you mean 'nps'"),
        (on("flat"), "'flat' does not vary; got 1 for all customers. Leave it out"),
        (on("empty", missing="mean"), "'empty' does not vary; got nothing"),
        (
            on("nps", part="lifetime", parameters=("a", "dropout_mean")),
            "'dropout_mean' moves several parameters already",
        ),
        (on("nps", parameters=("dropout_mean",)), "'dropout_mean' belongs to the part 'lifetime'"),
        (on("r"), "cannot be called 'r'"),
    ],
)
def test_effects_that_cannot_be_meant_are_refused(effect, text):
    told = refused((ConfigError, DataError), effect, flat=1.0, empty=np.nan, r=np.arange(8.0))
    assert any(text in one for one in told), told


def test_covariates_that_are_no_numbers_or_missing_are_refused_with_what_to_do():
    gaps = np.where(np.arange(8) < 3, np.nan, np.arange(8.0))
    told = refused(DataError, on("words", "gaps", "endless"), words="a", gaps=gaps, endless=np.r_[np.inf, np.ones(7)])
    assert len(told) == 3, told
    assert "'words' holds str, not numbers. Use a column of words as a group" in told[0]
    assert "'gaps' is missing for 3 of 8 customers" in told[1] and "missing: indicator" in told[1]
    assert "'endless' is infinite for 1" in told[2]


def test_the_same_column_moves_a_parameter_once():
    told = refused(ConfigError, on("nps"), on("nps", "age"), age=np.arange(8.0))
    assert "'nps' on 'alpha' is already there" in told[0]
    check_effects(MODELS["bg_nbd"], [on("nps"), on("nps", parameters=("r",))], table_of().assign(nps=np.arange(8.0)))


def test_a_group_with_one_label_has_nothing_to_compare():
    table = table_of().assign(channel="web")
    with pytest.raises(DataError, match="the group 'channel' has one label; got 'web' for all customers"):
        check_effects(MODELS["bg_nbd"], [Effect("purchases", ("alpha",), "channel")], table)


def test_what_models_explain_is_no_group():
    with pytest.raises(ConfigError, match="'frequency' is what models explain, no group"):
        Effect("purchases", ("alpha",), "frequency")


def test_customers_without_columns_say_where_columns_come_from():
    bare = table_of()[["frequency", "recency", "T"]]
    with pytest.raises(ConfigError, match="no column beside what models explain") as refused:
        check_effects(MODELS["bg_nbd"], [Effect("purchases", ("alpha",), "channel")], bare)
    assert "groups: [channel]" in str(refused.value) and "recency" not in str(refused.value)


@pytest.mark.parametrize(
    ("noise", "part", "refused"),
    [(0.0, "purchases", True), (0.0, "lifetime", True), (3.0, "purchases", False), (0.0, "spend", False)],
)
def test_purchases_under_another_name_explain_no_purchases(noise, part, refused):
    """The number of orders, and the same with so much else in it that only its tendency is left."""
    rng = np.random.default_rng(1)
    frequency = rng.poisson(rng.gamma(1.0, 3.0, 200))
    orders = 1.0 + frequency + noise * rng.standard_normal(200)
    table = pd.DataFrame({"frequency": frequency, "n_orders": orders})
    model, parameter = {
        "purchases": ("bg_nbd", "alpha"),
        "lifetime": ("bg_nbd", "a"),
        "spend": ("gamma_gamma", "v"),
    }[part]
    effects = [Effect(part, (parameter,), covariates=("n_orders",))]
    if not refused:
        check_effects(MODELS[model], effects, table)
        return
    with pytest.raises(DataError, match="has the order of the numbers of purchases, which it would explain"):
        check_effects(MODELS[model], effects, table)
