"""A rule stands once: what Python refuses in words, the experiment file refuses in the same words, with a line."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest
from fakes.experiment_files import problems

from clvmodels.config.document import write_document
from clvmodels.config.experiment import load_experiment
from clvmodels.customers.windows import Windows
from clvmodels.errors import ConfigError
from clvmodels.inference.effects import Effect
from clvmodels.kpis.programme import Programme
from clvmodels.models.prior import Prior
from clvmodels.valuation.economics import Economics, Referral, Retention

SOUND: dict[type, dict[str, Any]] = {
    Economics: {"margin": 0.3, "annual_discount_rate": 0.12, "horizon": 52},
    Retention: {"cost": 1, "every": 4, "until_silent": 8},
    Referral: {"incremental": 0.5},
    Windows: {"returns": 30, "bad_debt": 90},
    Programme: {"campaign": "VIP call", "weeks": 8},
    Effect: {"part": "purchases", "parameters": ["alpha"], "group": "channel"},
    Prior: {"dist": "Gamma", "mu": 5, "sigma": 5},
}
BY_COVARIATE = {"group": None, "covariates": ["score"]}

# (class, what is stated instead or besides, words of the refusal)
RULES = [
    (Economics, {"margin": 30}, "Must be less than or equal to 1; got 30. A share of revenue: 0.3 means 30%"),
    (Economics, {"margin": 0}, "Must be greater than 0"),
    (Economics, {"annual_discount_rate": 12}, "Must be less than 1; got 12. A yearly rate: 0.12 means 12%"),
    (Economics, {"annual_discount_rate": -1}, "Must be greater than -1"),
    (Economics, {"horizon": 0}, "Must be greater than 0"),
    (Economics, {"horizon": float("inf")}, "Must be a finite number"),
    (Economics, {"horizon": float("nan")}, "Must be a finite number"),
    (Economics, {"horizon": "a year"}, "Must be a number"),
    (Economics, {"horizon": True}, "Must be a number"),
    (Economics, {"cost_per_order": -0.1}, "Must be greater than or equal to 0"),
    (Economics, {"cost_per_return": -0.1}, "Must be greater than or equal to 0"),
    (Economics, {"cost_per_contact": -0.1}, "Must be greater than or equal to 0"),
    (Economics, {"cost_per_minute": -0.1}, "Must be greater than or equal to 0"),
    (Economics, {"payment_fee_per_order": -0.1}, "Must be greater than or equal to 0"),
    (Economics, {"payment_fee": 1.1}, "Must be less than or equal to 1"),
    (Economics, {"recovered": -0.1}, "Must be greater than or equal to 0; got -0.1. A share: 0.3 means 30%"),
    (Economics, {"resold": 0.7, "written_off": 0.7}, "shares of the same returned value; got 0.7 and 0.7"),
    (Economics, {"margn": 0.3}, "Unknown key 'margn'; did you mean 'margin'?"),
    (Retention, {"cost": 0}, "Must be greater than 0"),
    (Retention, {"every": -4}, "Must be greater than 0"),
    (Retention, {"until_silent": float("inf")}, "Must be a finite number"),
    (
        Retention,
        {"until_silent": 6},
        "Must be a multiple of every; got 6 and 4. Such as 8: contacts fall",
    ),
    (Retention, {"until_silent": 2}, "Must be a multiple of every; got 2 and 4. Such as 4"),
    (Retention, {"campaigns": [7]}, "Must be text; got 7. Put it in quotes"),
    (Retention, {"campaigns": "newsletter"}, "Must be a list"),
    (Referral, {"incremental": 1.1}, "Must be less than or equal to 1"),
    (Referral, {"reward": -1}, "Must be greater than or equal to 0"),
    (Referral, {"group": {"channel": 7}}, "group.channel: Must be text; got 7"),
    (Referral, {"group": ["channel"]}, "Must be a mapping of keys, as in {a: 1, b: 2}; got"),
    (Windows, {"returns": 0}, "Must be greater than or equal to 1; got 0. A whole number of days"),
    (Windows, {"bad_debt": 3661}, "Must be less than or equal to 3660"),
    (Windows, {"returns": 1.5}, "Must be a whole number"),
    (Programme, {"campaign": ""}, "Must not be empty"),
    (Programme, {"weeks": 0}, "Must be greater than 0"),
    (Programme, {"weeks": 521}, "Must be less than or equal to 520"),
    (Effect, {"parameters": []}, "Must have at least 1 of them"),
    (Effect, {"parameters": "alpha"}, "Must be a list"),
    (Effect, {"parameters": ["alpha", "alpha"]}, "The parameter 'alpha' is listed twice"),
    (Effect, {"group": None}, "An effect has no group or covariates"),
    (Effect, {"covariates": ["score"]}, "An effect has a group and covariates, and can be one"),
    (Effect, {"group": 7}, "Must be text; got 7"),
    (Effect, {"group": "chain"}, "cannot be called 'chain', as draws are"),
    (Effect, {"group": None, "covariates": ["score", "score"]}, "The covariate 'score' is listed twice"),
    (Effect, {"group": None, "covariates": ["frequency"]}, "'frequency' is what models explain, no covariate"),
    (Effect, {"missing": "mean"}, "'missing' belongs to an effect of covariates"),
    (Effect, {**BY_COVARIATE, "missing": "drop"}, "Must be 'refuse', 'mean' or 'indicator'"),
    (Effect, {**BY_COVARIATE, "sd_prior": {"dist": "HalfNormal", "sigma": 2}}, "'sd_prior' belongs to an effect of a"),
    (
        Effect,
        {"sd_prior": {"dist": "HalfNormal", "sd": 10}},
        "Unknown argument 'sd' of HalfNormal; did you mean 'sigma'?",
    ),
    (Effect, {"sd_prior": "HalfNormal"}, "Must be a prior, as in {dist: HalfNormal, sigma: 1}; got 'HalfNormal'"),
    (Effect, {"sd_prior": {"dist": "Normal"}}, "Normal is no prior of something above 0"),
    (Effect, {"grop": "channel"}, "Unknown key 'grop'; did you mean 'group'?"),
    (Prior, {"dist": "Gama"}, "Unknown prior distribution 'Gama'; did you mean 'Gamma'?"),
    (Prior, {"sigma": None, "sigmo": 5}, "Unknown argument 'sigmo' of Gamma; did you mean 'sigma'?"),
    (Prior, {"sigma": None}, "Gamma lacks sigma; got mu. State alpha and beta or mu and sigma"),
    (Prior, {"alpha": 2}, "Gamma takes one of these, and not mu and sigma and alpha together"),
    (Prior, {"mu": "five"}, "argument 'mu' of the prior is not a number; got 'five'"),
    (Prior, {"mu": True}, "argument 'mu' of the prior is not a number"),
    (Prior, {"sigma": -1}, "argument 'sigma' of Gamma must be above 0; got -1"),
    (Prior, {"time_unit": "weeks"}, "Unknown time unit 'weeks'; did you mean 'week'?"),
]


def stated(cls: type, wrong: dict[str, Any]) -> dict[str, Any]:
    whole = {**SOUND[cls], **wrong}
    return {key: value for key, value in whole.items() if value is not None}


def in_python(cls: type, arguments: dict[str, Any]) -> Any:
    """Constructed as Python does; of a prior the arguments of the distribution stand in a dict of their own."""
    if cls is not Prior:
        return cls(**arguments)
    own = {key: arguments.pop(key) for key in ("dist", "time_unit") if key in arguments}
    return Prior(args=arguments, **own)


def in_a_file(cls: type, arguments: dict[str, Any]) -> str:
    """An experiment whose part of that class is so stated; without anything wrong it is sound."""
    entry: dict[str, Any] = {"purchases": "bg_nbd", "spend": "gamma_gamma"}
    economics = stated(Economics, {})
    costs = {role: {"model": f"beta_binomial_{role}"} for role in ("returns", "bad_debt")}
    costs["referrals"] = {"model": "gamma_poisson_referrals"}
    costs["contacts"] = {"model": "gamma_poisson_contacts"}
    costs["handling"] = {"model": "lognormal_handling"}
    referral = stated(Referral, {})
    programmes = []
    if cls is Economics:
        economics = arguments
        if "cost_per_contact" in arguments:
            del costs["handling"]
    elif cls is Retention:
        economics["retention"] = arguments
    elif cls is Referral:
        referral = arguments
    elif cls is Windows:
        for role, days in arguments.items():
            costs[role]["window"] = days
    elif cls is Programme:
        programmes = [arguments]
    elif cls is Effect:
        entry["effects"] = [arguments]
    elif cls is Prior:
        entry["priors"] = {"alpha": arguments}
    return write_document(
        {
            "title": "t",
            "data": {"dataset": "retailer", "customers": 600},
            "models": {"bg": entry},
            "costs": costs,
            "economics": {**economics, "referral": referral},
            "kpis": {"programmes": programmes},
        }
    )


@pytest.mark.parametrize(("cls", "wrong", "words"), RULES)
def test_python_and_the_file_refuse_in_the_same_words(tmp_path, cls, wrong, words):
    with pytest.raises(ConfigError) as caught:
        in_python(cls, stated(cls, wrong))
    in_words = [problem for problem in caught.value.problems if words in str(problem)]
    assert in_words, caught.value
    assert not any(re.search(r":\d+:", problem.where) for problem in in_words)
    text = in_a_file(cls, stated(cls, wrong))
    (of_file,) = [one for one in problems(tmp_path, text) if words in one]
    line = int(re.match(r"e\.yaml:(\d+):\d+: ", of_file)[1])
    key = list(wrong)[-1]
    nearby = text.splitlines()[line - 1]
    assert key in nearby or str(next(iter(SOUND[cls].values()))) in nearby, (of_file, nearby)


@pytest.mark.parametrize("cls", SOUND)
def test_what_is_sound_passes_both_doors(tmp_path, cls):
    assert in_python(cls, stated(cls, {})) is not None
    (tmp_path / "e.yaml").write_text(in_a_file(cls, stated(cls, {})), encoding="utf-8")
    load_experiment(tmp_path / "e.yaml")


def test_all_problems_of_a_class_are_told_at_once():
    with pytest.raises(ConfigError) as caught:
        Economics(30, 12, -1, resold=0.7, written_off=0.7, recovered=2, margn=1)
    assert [problem.path[0] for problem in caught.value.problems] == [
        "margin",
        "annual_discount_rate",
        "horizon",
        "written_off",
        "recovered",
        "margn",
    ]
    assert str(caught.value.problems[0]).startswith("Economics.margin: Must be less than or equal to 1; got 30")


def test_a_wrong_label_stands_at_its_own_line(tmp_path):
    text = in_a_file(Referral, {"incremental": 0.5, "group": {"channel": 7}})
    text = text.replace("group: {channel: 7}", "group:\n      channel: 7")
    (problem,) = problems(tmp_path, text)
    line = int(re.match(r"e\.yaml:(\d+):\d+: ", problem)[1])
    assert text.splitlines()[line - 1].strip().startswith("channel: 7")


def test_the_labels_of_those_brought_are_read_by_column_and_not_changed():
    labels = {"channel": "Referral"}
    referral = Referral(0.5, group=labels)
    labels["channel"] = "Ads"
    assert referral.group["channel"] == "Referral"
    assert dataclasses.replace(referral, reward=1).group == {"channel": "Referral"}
    hash(referral)
