"""One group on every level of a model: what is pooled, what of it was there already, and which parts know the group."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from clvmodels.customers.table import Customers
from clvmodels.errors import ConfigError
from clvmodels.inference.effects import Effect, moved, parts_alike, pooled_by, targets
from clvmodels.inference.refusals import check_data
from clvmodels.models import COSTS, MODELS, get_model

REGISTERED = {**MODELS, **COSTS}


@pytest.mark.parametrize("name", REGISTERED)
def test_every_part_of_every_model_has_a_level_that_it_can_move(name):
    """So that `by` leaves no part behind: a part that no effect can move would be alike in all channels for ever."""
    model = REGISTERED[name].widest  # with the share of paid purchases, where there is one
    moves = targets(model)
    assert set(model.levels) <= set(moves)
    parts = {parameter.part for parameter in model.parameters}
    assert {moves[level].part for level in model.levels} == parts
    effects = pooled_by(model, "channel")
    assert [(effect.part, effect.parameters, effect.group) for effect in effects] == [
        (moves[level].part, (level,), "channel") for level in model.levels
    ]
    assert parts_alike(model, effects, "channel") == ()
    assert set(parts_alike(model, (), "channel")) == set(parts_alike(model, effects, "region")) == parts


@pytest.mark.parametrize("name", [name for name, model in MODELS.items() if "purchases" in model.provides])
def test_a_level_moves_the_mean_of_purchases(name):
    """What a coefficient of a level raises, it raises in what newcomers are expected to buy; of a lifetime, lowers."""
    model = MODELS[name]
    theta = {p.name: np.full((1, 1), 0.8 if p.support == "interval" else 1.7) for p in model.parameters}
    rows = {name: np.zeros((1, 1)) for name in model.observes}

    def bought(level: str | None = None) -> float:
        coefficients = {} if level is None else {level: np.full((1, 1), 0.5)}
        return float(model.expected_if_alive(rows, moved(model, theta, coefficients), np.array([20.0]))[0, 0, 0])

    for level in model.levels:
        if targets(model)[level].part == "purchases":
            assert bought(level) > 1.02 * bought()
        else:
            assert bought(level) < 0.98 * bought()


def test_a_level_that_the_group_moves_already_is_left_to_that_effect():
    stated = (Effect("purchases", ("alpha", "r"), "channel"), Effect("lifetime", ("dropout_mean",), "region"))
    effects = pooled_by(get_model("bg_nbd"), "channel", stated)
    assert effects[:2] == stated
    assert [(effect.part, effect.parameters) for effect in effects[2:]] == [("lifetime", ("dropout_mean",))]


def test_an_effect_on_another_parameter_does_not_make_a_part_know_the_group():
    """Tied on a and b a coefficient leaves the mean dropout where it is."""
    certainty = Effect("lifetime", ("a", "b"), "channel")
    rate = Effect("purchases", ("alpha",), "channel")
    assert parts_alike(get_model("bg_nbd"), (rate, certainty), "channel") == ("lifetime",)
    assert parts_alike(get_model("nbd"), (rate,), "channel") == ()


def test_groups_of_margins_lie_hundredths_apart():
    (effect,) = pooled_by(get_model("normal_margin"), "channel")
    assert effect.sd_prior.args == {"sigma": 0.05}
    (effect,) = pooled_by(get_model("gamma_gamma"), "channel")
    assert effect == Effect("spend", ("v",), "channel")


def test_who_has_an_answer_called_the_service_so_that_having_none_explains_no_contacts():
    """An indicator of no answer doubled what a new customer, taken as one who answers, was thought to call: EUR 0
    was told of customers who truly bring EUR 8 a year."""
    table = pd.DataFrame({"purchases": [3.0, 2.0, 1.0], "contacts": [1.0, 2.0, 0.0], "csat": [4.0, 2.0, np.nan]})
    customers = Customers(table, "week", pd.Timestamp("2024-12-31"), "EUR", experienced=("csat",))
    contacts = get_model("gamma_poisson_contacts")
    leaking = Effect("contacts", ("mu",), covariates=("csat",), missing="indicator")
    with pytest.raises(ConfigError, match="whether a customer has a 'csat' grows with the contacts"):
        check_data(contacts, customers, [leaking])
    check_data(contacts, customers, [Effect("contacts", ("mu",), covariates=("csat",), missing="mean")])
