"""The whole decision on channels, of newcomers and costs that are made up: who is judged, by what rule, and told of."""

from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest
from decisions.test_payback import WEEKS_A_MONTH, made, won

from clvmodels.customers.table import Customers
from clvmodels.inference.effects import Effect
from clvmodels.valuation.economics import Economics, Referral

COMPANY: Any = object()
decision = importlib.import_module("clvmodels.decisions.payback")  # the package has the function under this name


KNOWN = (("purchases", "channel"), ("spend", "channel"))
"""Effects of the channel on every part."""


def asked(
    monkeypatch,
    costs: dict[str, tuple[int, float]],
    *effects: tuple[str, str],
    traits=(),
    newcomers=None,
    past=(),
    **more,
):
    """The decision on channels with (customers, cost to win), and what the valuation was asked for.

    `effects` are (model, group column), by default of the channel on both; `past` what customers of channel A made.
    """
    told: dict = {}

    def value_newcomers(posteriors, customers, economics, *, seed, draws, allow_failed):
        told.update(models=list(posteriors), customers=customers, economics=economics, seed=seed, draws=draws)
        return made(np.full(9, 4.0), np.full(9, 52.0)) if newcomers is None else newcomers

    monkeypatch.setattr(decision, "valuation", value_newcomers)

    def spent(company, customers):
        told.update(company=company, of=customers)
        return won(**costs)

    monkeypatch.setattr(decision, "costs_to_win", spent)

    def made_in_first_days(company, customers, economics, days, *, costs, windows):
        told.update(days=days, costs=costs, windows=windows)
        return pd.Series(list(past), customers.table.index[: len(past)], dtype=float)

    monkeypatch.setattr(decision, "profit_of_first_days", made_in_first_days)
    posteriors = {
        name: SimpleNamespace(
            model=SimpleNamespace(traits=traits, parameters=[Level(name)], handles=(), levels=("level",)),
            effects=[Effect(name, ("level",), group) for model, group in effects or KNOWN if model == name],
        )
        for name in ("purchases", "spend")
    }
    customers = Customers(pd.DataFrame({"channel": ["A", "A", "B"]}), "week", pd.Timestamp("2025-06-30"), "EUR")
    economics = Economics(0.3, 0.12, 52.0, referral=Referral(1.0))
    return decision.payback(posteriors, COMPANY, customers, economics, seed=7, **more), told


class Level(NamedTuple):
    """The only parameter of a made-up part."""

    part: str
    name: str = "level"


def test_newcomers_are_valued_without_those_whom_they_bring(monkeypatch):
    found, told = asked(monkeypatch, {"A": (50, 30.0), "B": (60, 60.0)})
    assert told["economics"] == Economics(0.3, 0.12, 52.0)
    assert (told["models"], told["seed"], told["draws"]) == (["purchases", "spend"], 7, 1000)
    assert told["company"] is COMPANY and told["customers"] is told["of"]
    assert told["customers"].table["channel"].tolist() == ["A", "A", "B"]
    channels = found.channels
    assert channels["channel"].tolist() == ["B", "A"] and found.small.empty
    assert channels["q50"].tolist() == pytest.approx([np.inf, 26 / WEEKS_A_MONTH])
    assert channels["customers"].tolist() == [60, 50] and channels["cost"].tolist() == [60, 30]


def test_what_models_take_as_alike_is_said_and_payback_withheld(monkeypatch):
    """A channel that one part does not know is forecast with the average of all in it: no number is told of it."""
    costs = {"A": (50, 30.0)}

    def alike(*effects: tuple[str, str]) -> list[str]:
        found, told = asked(monkeypatch, costs, *effects)
        assert found.withheld == ("economics" not in told) == bool(found.reason)  # nobody was valued for nothing
        assert found.channels[list(decision.FORECAST)].isna().all(axis=None) == found.withheld
        return found.alike["part"].tolist()

    assert alike(("purchases", "region")) == ["purchases", "spend"]
    assert alike(("spend", "channel"), ("purchases", "region")) == ["purchases"]
    assert alike(*KNOWN) == []


def test_the_reason_says_which_parts_and_what_to_write(monkeypatch):
    found, _ = asked(monkeypatch, {"A": (50, 30.0)}, ("purchases", "region"))
    assert found.reason == "purchases and spend take all channels as alike; write by: channel"
    assert found.alike["write"].tolist() == ["by: channel"] * 2
    (line,) = found.channels.itertuples()
    assert (line.channel, line.customers, line.cost) == ("A", 50, 30.0)
    assert line.rule == line.horizon == pytest.approx(52 / WEEKS_A_MONTH)
    one, _ = asked(monkeypatch, {"A": (50, 30.0)}, ("purchases", "channel"))
    assert one.reason == "spend takes all channels as alike; write by: channel"


@pytest.mark.parametrize("effects", [KNOWN, (("spend", "region"),)], ids=["told", "withheld"])
def test_beside_it_stands_what_past_customers_made(monkeypatch, effects):
    found, told = asked(monkeypatch, {"A": (50, 30.0), "B": (40, 30.0)}, *effects, past=(10.0, 20.0), windows="these")
    assert (told["days"], told["costs"], told["windows"]) == (364, [], "these")
    first, second = found.channels.itertuples()
    assert (first.channel, first.cohort, first.made) == ("A", 2, 15.0)
    assert (second.channel, second.cohort) == ("B", 0) and np.isnan(second.made)


def test_without_channels_or_costs_there_is_nothing_to_decide(monkeypatch):
    costs = {"A": (50, 0.5)}
    assert asked(monkeypatch, costs)[0] is not None
    assert asked(monkeypatch, {"A": (50, 0.0)})[0] is None
    assert asked(monkeypatch, costs, traits=("birth",))[0] is None  # on a calendar newcomers have no day
    nobody = Customers(pd.DataFrame({"frequency": [1]}), "week", pd.Timestamp("2025-06-30"), "EUR")
    without_costs: Any = SimpleNamespace(roles=("orders",))
    assert decision.payback({}, without_costs, nobody, Economics(0.3, 0.12, 52.0), seed=1) is None


def test_twenty_channels_are_judged_the_largest_first(monkeypatch):
    costs = {f"c{k:02d}": (100 - k, 10.0 + k) for k in range(22)}
    found, _ = asked(monkeypatch, costs)
    assert found.channels["channel"].tolist() == [f"c{k:02d}" for k in range(20)]
    (small,) = found.small.itertuples()
    assert (small.channels, small.customers) == (2, 80 + 79)
    assert small.cost == pytest.approx((80 * 30 + 79 * 31) / 159)


def test_channels_of_one_size_stand_by_name_and_a_rule_ends_with_the_horizon(monkeypatch):
    found, _ = asked(monkeypatch, {"b": (20, 30.0), "a": (20, 30.0), "c": (19, 30.0)})
    channels = found.channels
    assert channels["channel"].tolist() == ["a", "b"]
    assert channels["rule"].iloc[0] == channels["horizon"].iloc[0] == pytest.approx(52 / WEEKS_A_MONTH)
    assert channels["odds"].iloc[0] == 1
    assert not channels.drop(columns=["made", "made_error"]).isna().any(axis=None)


def test_small_channels_are_counted_and_not_judged(monkeypatch):
    found, _ = asked(monkeypatch, {"A": (19, 10.0), "B": (20, 5.0), "C": (1, 30.0)})
    assert found.channels["channel"].tolist() == ["B"]
    (small,) = found.small.itertuples()
    assert (small.channels, small.customers) == (2, 20)
    assert small.cost == pytest.approx((190 + 30) / 20)


def test_the_rule_is_twelve_months_of_a_longer_horizon(monkeypatch):
    """4 at once and 104 in two years, evenly: 56 are there after a year."""
    newcomers = made(np.full(9, 4.0), np.full(9, 104.0), weeks=24 * WEEKS_A_MONTH)
    found, _ = asked(monkeypatch, {"A": (50, 55.9), "B": (40, 57.0)}, newcomers=newcomers)
    channels = found.channels
    assert channels["rule"].tolist() == [12.0, 12.0] and channels["horizon"].tolist() == pytest.approx([24, 24])
    assert channels["odds"].tolist() == [1.0, 0.0]
    assert channels["q50"].tolist() == pytest.approx([24 * 51.9 / 104, 24 * 53 / 104])


def test_the_time_within_a_period_is_that_of_the_period_itself():
    """8, then 12: 11 is reached after three quarters of it; 10 and 12 in the period before would say otherwise."""
    total = np.array([[0.0, 10.0, 8.0, 12.0], [11.0, 8.0, 8.0, 8.0], [0.0, 1.0, 2.0, 3.0]])
    assert decision.reached(total, 11.0, np.arange(4.0)).tolist() == [2.75, 0.0, np.inf]


def test_how_many_customers_a_channel_needs_may_be_said(monkeypatch):
    found, _ = asked(monkeypatch, {"A": (50, 30.0), "B": (49, 30.0)}, smallest=50)
    assert found.channels["channel"].tolist() == ["A"] and found.small["customers"].tolist() == [49]


def test_each_channel_has_newcomers_of_its_own(monkeypatch):
    newcomers = made(np.full(9, 4.0), np.full(9, 52.0))
    of_all, groups = newcomers.new_customers, []

    def new_customers(size, group):
        groups.append(group["channel"])
        return of_all(size, group)

    newcomers.new_customers = new_customers
    asked(monkeypatch, {"A": (50, 30.0), "B": (49, 30.0), "C": (19, 30.0)}, newcomers=newcomers)
    assert groups == ["A", "B"]
