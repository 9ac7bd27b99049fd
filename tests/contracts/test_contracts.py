"""The contracts, for each member of the registry and for toys. A model owes those of the parts that it provides; nobody
is skipped: what cannot be asked of a model is a method that its class does not have."""

from __future__ import annotations

import pytest
from contracts.cases import case_of
from contracts.purchase import PURCHASE_CONTRACTS
from contracts.spend import SPEND_CONTRACTS
from contracts.toys import TOYS
from contracts.toys_calendar import CALENDAR_CASES
from contracts.toys_discrete import DISCRETE_TOYS
from contracts.toys_whole import SEASON_STATISTICS, WHOLE_TOYS

from clvmodels.customers import statistics as summary
from clvmodels.models import MODELS, Model

ALL_TOYS = TOYS | WHOLE_TOYS | DISCRETE_TOYS
SLOW = ("one hazard", "one chance")
"""A lifetime by the clock made of its parts, as `weibull` is too, and discrete opportunities, as members have them."""
BY_PART = {"purchases": PURCHASE_CONTRACTS, "spend": SPEND_CONTRACTS}


def owed(model: Model) -> list:
    """The contracts of the parts that a model provides."""
    return [contract for part in sorted(model.provides) for contract in BY_PART[part]]


def pairs(models: dict, slow: tuple[str, ...] = ()) -> list:
    return [
        pytest.param(n, c, id=f"{n}-{c.__name__}", marks=[pytest.mark.slow] if n in slow else [])
        for n, model in models.items()
        for c in owed(model)
    ]


@pytest.mark.parametrize(("name", "contract"), pairs(MODELS))
def test_member(name, contract):
    contract(case_of(name))


@pytest.mark.parametrize(("name", "contract"), pairs({name: toy.model for name, toy in ALL_TOYS.items()}, SLOW))
def test_toy(name, contract, monkeypatch):
    for statistic, made in SEASON_STATISTICS.items() if name == "season" else ():
        monkeypatch.setitem(summary.STATISTICS, statistic, made)
    contract(ALL_TOYS[name])


@pytest.mark.parametrize(("name", "contract"), pairs({name: case.model for name, case in CALENDAR_CASES.items()}))
def test_member_on_a_calendar(name, contract):
    contract(CALENDAR_CASES[name])


def test_every_model_owes_the_contracts_of_its_parts():
    for model in MODELS.values():
        assert model.provides and model.provides <= set(BY_PART)
        assert len(owed(model)) >= 5
