"""Economics: what turns purchases into profit, for Python and for an experiment's `economics`.

Money is in the data's amounts times `amount_unit`, the currency. Nothing heavy is imported here: reading an experiment
needs these classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated

from pydantic import AfterValidator, Field, PlainSerializer, ValidationInfo, field_validator

from clvmodels.errors import ConfigError, Problem
from clvmodels.strict import FrozenDict, Money, Share, Text, strict

ROUNDING = 1e-9
"""By how much sums and ratios of stated numbers may miss what they should be."""


Labels = Annotated[Mapping[Text, Text], AfterValidator(FrozenDict), PlainSerializer(dict)]
"""Column -> label."""
NO_LABELS: FrozenDict[str, str] = FrozenDict({})


@strict
@dataclass(frozen=True)
class Retention:
    """What the firm spends to keep customers, by a rule that it can follow: it does not see who has left.

    At the date of value, and every `every` time units from then on, each customer who has bought within the last
    `until_silent` time units is contacted, at `cost` in the currency. `campaigns` names those of the past that were
    such contacts, whose costs count in the profit made; all of them where none is named.

    Raises
    ------
    ConfigError
        A number that is not above 0 and finite; `until_silent` that is no multiple of `every`: who has been silent for
        how long is known at the dates of contacts only.
    """

    cost: Annotated[float, Field(gt=0)]
    every: Annotated[float, Field(gt=0)]
    until_silent: Annotated[float, Field(gt=0)]
    campaigns: tuple[Text, ...] = ()

    @field_validator("until_silent")
    @classmethod
    def _whole_steps(cls, until_silent: float, checked: ValidationInfo) -> float:
        every = checked.data.get("every")
        if every is None:
            return until_silent
        steps = until_silent / every
        if steps < 1 or abs(steps - round(steps)) > ROUNDING:
            nearest = max(1, round(steps)) * every
            numbers = f"{until_silent:g} and {every:g}"
            remedy = f"Such as {nearest:g}: contacts fall on whole steps"
            raise ConfigError(Problem("Must be a multiple of every", got=numbers, known=remedy))
        return until_silent


@strict
@dataclass(frozen=True)
class Referral:
    """What a customer who is brought by a customer counts for.

    credit = referrals x incremental x (value of a new customer before acquisition - reward)

    Parameters
    ----------
    incremental
        Share of the customers brought who would not have come on their own.
    reward
        What the one who brings a customer is paid, in the currency.
    group
        Labels of the new customers in the models' group columns, as in {"channel": "Referral"}.

    Raises
    ------
    ConfigError
        A share that is none, or an amount below 0.
    """

    incremental: Share
    reward: Money = 0.0
    group: Labels = NO_LABELS


@strict
@dataclass(frozen=True)
class Economics:
    """What turns purchases into profit. All costs are 0 unless stated, and then value is revenue x margin.

    Parameters
    ----------
    margin
        Share of the amounts that is profit before any cost of the relation; None where a cost model of margins tells
        each customer's own.
    annual_discount_rate
        d: an amount t days after the valuation date counts (1 + d)^(-t / 365.25).
    horizon
        Time units that are counted; finite, since undiscounted moments may not be.
    cost_per_order, cost_per_return, cost_per_contact
        In the currency: of each purchase; of each that comes back, beside what it loses; of each service contact,
        where no cost model tells it.
    cost_per_minute
        Of service, in the currency, where contacts are told in minutes: it makes them the costs that a cost model of
        handling reads.
    resold, written_off
        Of what comes back: the share of its value sold again at its price, which loses no margin; and the share whose
        goods are worth nothing any more, which loses their cost too. Together at most 1.
    payment_fee, payment_fee_per_order
        A share of the amounts, and an amount in the currency for each purchase.
    recovered
        Share of unpaid amounts that is paid after all.
    retention, referral
        See there; None where nothing is spent on the one, or nothing is credited for the other.

    Raises
    ------
    ConfigError
        A share, rate or amount outside of its range, all of them at once.
    """

    margin: Annotated[float, Field(gt=0, le=1, description="A share of revenue: 0.3 means 30%")] | None
    annual_discount_rate: Annotated[float, Field(gt=-1, lt=1, description="A yearly rate: 0.12 means 12%")]
    horizon: Annotated[float, Field(gt=0, description="A number of the data's time units, such as 52 with weeks")]
    cost_per_order: Money = 0.0
    cost_per_return: Money = 0.0
    cost_per_contact: Money = 0.0
    cost_per_minute: Money = 0.0
    resold: Share = 0.0
    written_off: Share = 0.0
    payment_fee: Share = 0.0
    payment_fee_per_order: Money = 0.0
    recovered: Share = 0.0
    retention: Retention | None = None
    referral: Referral | None = None

    @field_validator("written_off")
    @classmethod
    def _of_one_value(cls, written_off: float, checked: ValidationInfo) -> float:
        resold = checked.data.get("resold", 0.0)
        if resold + written_off > 1 + ROUNDING:
            message = "resold and written_off are shares of the same returned value"
            raise ConfigError(Problem(message, got=f"{resold:g} and {written_off:g}", known="Together at most 1"))
        return written_off

    def stated(self) -> dict[str, object]:
        """What differs from the defaults, and margin, rate and horizon; for people."""
        needed = ("margin", "annual_discount_rate", "horizon")
        stated = {}
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in needed or value not in (0.0, None):
                stated[field.name] = value
        return stated
