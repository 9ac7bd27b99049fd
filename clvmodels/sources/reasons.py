"""Why a row does not count, the policies that say what is done with such rows, and what a refusal says of them.

The reasons are data: whoever reads a table, of orders or of anything else, judges its rows in these words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Annotated, Any, ClassVar, Literal, get_args, get_origin, get_type_hints

from pydantic import AfterValidator, BeforeValidator

from clvmodels.errors import ConfigError, Problem, unknown

UNREADABLE = "row cannot be read"
NOT_KEPT = "left out by where, the filter of rows"
NO_ID, NO_DATE, NO_AMOUNT = "no customer id", "no date", "no amount"
NO_ORDER, NO_KIND, NO_CURRENCY, NO_NAME = "no order id", "no kind", "no currency", "name or key is empty"
BAD_DATE, BAD_AMOUNT = "date cannot be read", "amount cannot be read"
BAD_NUMBER, BAD_KIND = "number cannot be read", "kind is not known"
OUT_OF_SCALE, BAD_ARM = "score is outside of its scale", "arm is neither treatment nor control"
LOST_DIGITS = "id in scientific notation, its digits are lost"
AFTER_END = "after the stated end of the data"
AFTER_TODAY = "after today"
TOO_EARLY, TOO_LATE = "before the earliest date that the policy takes", "after the latest date that the policy takes"
BAD_END, AFTER_ENDED = "end of the customer cannot be read", "after the customer's own end"
ORPHAN, SEVERAL = "key is in no identity table", "key belongs to several customers"
UNKNOWN_ORDER, UNUSED_ORDER = "order is in no table of orders", "its order was not used"
ORDER_OF_SEVERAL = "order of several customers"
NO_RATE = "no date, which the rate of its currency needs"
BELOW_ZERO = "number is below 0"
ORDER_AT_RATES = "its order has several currencies"
NEGATIVE, ZERO, DUPLICATE = "negative amount", "zero amount", "duplicate of an earlier row"
NOTHING_TO_NET, NETTED_OUT = "refund on a day without an order", "order refunded in full"
NETTED = "negative amount, subtracted from the orders of that day"
MATCHED = "refund of a later day, subtracted from the order of its number"
RETURNED = "negative amount, taken as a return"
REFERRED = "referred customer is not known, left empty"
UNDECIDED = "values contradict each other, left empty"
USED = "rows used"

# In the order in which they are looked for.
REASONS = (
    UNREADABLE,
    NOT_KEPT,
    NO_ID,
    LOST_DIGITS,
    NO_ORDER,
    NO_NAME,
    NO_DATE,
    BAD_DATE,
    NO_KIND,
    BAD_KIND,
    NO_AMOUNT,
    BAD_AMOUNT,
    NO_CURRENCY,
    NO_RATE,
    BAD_NUMBER,
    BELOW_ZERO,
    OUT_OF_SCALE,
    BAD_ARM,
    BAD_END,
    TOO_EARLY,
    TOO_LATE,
    AFTER_END,
    AFTER_TODAY,
    ORPHAN,
    SEVERAL,
    UNKNOWN_ORDER,
    UNUSED_ORDER,
    ORDER_OF_SEVERAL,
    ORDER_AT_RATES,
    AFTER_ENDED,
    NEGATIVE,
    ZERO,
    DUPLICATE,
    NOTHING_TO_NET,
    NETTED_OUT,
)

ORPHANED = (ORPHAN, UNKNOWN_ORDER)
"""Reasons that lie in another table: nothing is wrong with the row, but it meets no customer."""

# reason -> (policy that decides, what a refusal says of the rows)
REFUSABLE = {
    UNREADABLE: ("unreadable", "cannot be split into the file's columns"),
    NO_ID: ("missing_id", "have no customer id"),
    LOST_DIGITS: ("unreadable", "have an id in scientific notation, of which digits are lost"),
    NO_ORDER: ("missing_id", "have no order id"),
    NO_NAME: ("missing_id", "have an empty name or key"),
    NO_DATE: ("missing_date", "have no date"),
    BAD_DATE: ("unreadable", "have a date that cannot be read"),
    NO_KIND: ("unreadable", "have no kind"),
    BAD_KIND: ("unreadable", "are of a kind that is not known"),
    NO_AMOUNT: ("missing_amount", "have no amount"),
    BAD_AMOUNT: ("unreadable", "have an amount that cannot be read"),
    NO_CURRENCY: ("missing_amount", "have an amount and no currency"),
    NO_RATE: ("missing_date", "have money in another currency and no date to convert it by"),
    BAD_NUMBER: ("unreadable", "have a number that cannot be read"),
    BELOW_ZERO: ("unreadable", "have a number below 0"),
    BAD_ARM: ("unreadable", "have an arm that is neither treatment nor control"),
    NEGATIVE: ("refunds", "have a negative amount"),
    BAD_END: ("unreadable", "have an end that cannot be read"),
    AFTER_ENDED: ("after_ended", "lie after the customer's own end"),
    AFTER_TODAY: ("dates", "are dated after today"),
}

ABOUT = {
    NO_ID: ("customer_id", "key"),
    LOST_DIGITS: ("customer_id", "key"),
    NO_ORDER: ("order_id",),
    NO_NAME: ("system", "key", "customer_id", "channel", "currency"),
    NO_DATE: ("date",),
    BAD_DATE: ("date",),
    AFTER_TODAY: ("date",),
    NO_KIND: ("kind",),
    BAD_KIND: ("kind",),
    NO_AMOUNT: ("amount",),
    BAD_AMOUNT: ("amount",),
    NO_CURRENCY: ("currency",),
    BAD_ARM: ("arm",),
    BAD_END: ("ended",),
    BAD_NUMBER: ("cost", "discount", "count", "minutes", "score", "rate", "responded"),
    BELOW_ZERO: ("count", "minutes"),
    NO_RATE: ("currency", "date"),
    NEGATIVE: ("amount",),
}
"""Meanings of the columns that a reason is about."""

HINTS = {
    LOST_DIGITS: "Customers may be one id now: export the ids again, as text. ",
    AFTER_TODAY: "An open end, or a mistyped year? ",
    BAD_DATE: "State date_format, e.g. '%d/%m/%Y'; without one dates are YYYY-MM-DD. ",
    BAD_END: "Ends are dates as the others are, and empty where the customer has not ended. ",
    BAD_AMOUNT: "Amounts are plain numbers below 1e15, with a decimal point unless decimal: ',' is stated. ",
    BAD_NUMBER: "Numbers have a decimal point, unless decimal: ',' is stated, and nothing else. ",
}


WAYS_OUT = {
    AFTER_TODAY: "The policy dates: {latest: today} leaves such rows out and counts them; a day takes all up to it"
}
"""How to go on without mending the table, where that is not the policy `drop`."""


# Policies ---------------------------------------------------------------------------------------------------------

SameRule = Literal["width", "blanks", "casefold", "point_zero", "leading_zeros"]
SAME: tuple[str, ...] = get_args(SameRule)
"""In which ways ids may differ and yet be one, in the order in which they are undone: full-width letters and digits,
blanks within, capitals, a trailing .0, leading zeros."""
TODAY = "today"


def _as_words(value: Any) -> Any:
    """Words of a list; a file's own null, true and numbers are the words that were typed."""
    return tuple(map(_as_word, value)) if isinstance(value, list | tuple) else value


def _as_word(value: Any) -> Any:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool | int | float) else value


def _as_list(value: Any) -> Any:
    """One rule, or several."""
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _as_day(value: Any) -> Any:
    return value.isoformat()[:10] if isinstance(value, date) else value


def _day(text: str) -> str:
    if text != TODAY:
        try:
            date.fromisoformat(text)
        except ValueError:
            raise ValueError(DAY_WORDS) from None
    return text


DAY_WORDS = f"must be a day, written as 2024-06-30, or {TODAY}"
DayText = Annotated[str, BeforeValidator(_as_day), AfterValidator(_day)]


@dataclass(frozen=True)
class SameIds:
    """In which ways ids may differ and yet be one customer's: `SAME`. Without any they are compared as they stand."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    same: Annotated[tuple[SameRule, ...], BeforeValidator(_as_list)] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "same", _as_list(self.same))

    def problems(self) -> Iterator[Problem]:
        """Rules that there are none of."""
        for rule in self.same:
            if rule not in SAME:
                yield unknown("rule of policy ids, same,", rule, SAME)


@dataclass(frozen=True)
class Dates:
    """The days that are believed, both ends among them; rows of others are left out and counted. Days are written as
    2024-06-30; `latest` may be "today". Without `latest`, an order of a day after today is refused."""

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

    earliest: DayText | None = None
    latest: DayText | None = None

    def __post_init__(self) -> None:
        for name in ("earliest", "latest"):
            object.__setattr__(self, name, _as_day(getattr(self, name)))

    def problems(self) -> Iterator[Problem]:
        """What is no day."""
        for name in ("earliest", "latest"):
            day = getattr(self, name)
            try:
                _day(day or TODAY)
            except (ValueError, TypeError):
                yield Problem(f"{name} of policy dates {DAY_WORDS}", got=repr(day))


@dataclass(frozen=True)
class Policies:
    """What is done with rows that are not plain orders. "refuse" ends in an error that lists them.

    Parameters
    ----------
    unreadable
        Rows with the wrong number of columns, or whose date, amount, end, kind or other number is there but cannot be
        understood.
    missing_id, missing_date, missing_amount
        Rows where the field is empty.
    duplicates
        Rows equal to an earlier row in every mapped column (order id and groups too, where given).
    refunds
        Negative amounts. "net" subtracts them from the order of the same number where order ids are read, else from the
        customer's orders of the same day: a day whose orders are refunded in full is dropped, and so is a refund that
        meets no order. An order is as large as it is in the end, also on days before its refund. "returns" takes them
        out of the orders and keeps them as returns, so that they can be modelled: it and netting exclude each other. In
        a table of events, "net" keeps them as corrections.
    zero_amounts
        Orders of nothing (gifts, samples).
    after_ended
        Orders of a day after the customer's own end, where a column tells the end.
    empty
        Words that stand where there is no customer, as in ["NULL", "guest", "0"], whatever their capitals: rows with
        such an id have none.
    ids
        Which ids are one customer's although they differ, as in {"same": "casefold"}; see `SameIds`.
    dates
        The days that are believed, as in {"latest": "today"}; see `Dates`.
    """

    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}  # as the sections of an experiment file

    unreadable: Literal["refuse", "drop"] = "refuse"
    missing_id: Literal["drop", "refuse"] = "drop"
    missing_date: Literal["refuse", "drop"] = "refuse"
    missing_amount: Literal["refuse", "drop"] = "refuse"
    duplicates: Literal["keep", "drop"] = "keep"
    refunds: Literal["drop", "net", "returns", "refuse"] = "drop"
    zero_amounts: Literal["keep", "drop"] = "keep"
    after_ended: Literal["refuse", "drop"] = "refuse"
    empty: Annotated[tuple[str, ...], BeforeValidator(_as_words)] = ()
    ids: SameIds = SameIds()
    dates: Dates = Dates()

    def __post_init__(self) -> None:
        object.__setattr__(self, "empty", _as_words(self.empty))
        for name, kind in (("ids", SameIds), ("dates", Dates)):
            value = getattr(self, name)
            if isinstance(value, Mapping):
                object.__setattr__(self, name, _of_mapping(kind, value, name))

    def problems(self) -> list[Problem]:
        """Values that are none of the allowed ones."""
        problems = []
        for name, hint in get_type_hints(type(self)).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                problems.append(unknown(f"value of policy {name}", value, get_args(hint)))
        if not isinstance(self.empty, tuple) or not all(isinstance(word, str) for word in self.empty):
            problems.append(Problem("policy empty must be a list of words", got=repr(self.empty)))
        for name, kind in (("ids", SameIds), ("dates", Dates)):
            value = getattr(self, name)
            if isinstance(value, kind):
                problems += value.problems()
            else:
                example = "{'same': 'casefold'}" if name == "ids" else "{'latest': 'today'}"
                problems.append(Problem(f"policy {name} must be a mapping", got=repr(value), known=f"As in {example}"))
        return problems

    def refuses(self, reason: str) -> bool:
        """Whether rows with this reason end in an error."""
        if reason == AFTER_TODAY:
            return True  # no row has it where the policy says what is done with such days
        return reason in REFUSABLE and getattr(self, REFUSABLE[reason][0]) == "refuse"

    def within(self, whole: Policies) -> Policies:
        """These policies of one table, with the whole's ids where they say nothing of them: keys of all tables are
        compared in one way."""
        of_keys = {}
        for name in ("empty", "ids"):
            if getattr(self, name) == getattr(DEFAULT_POLICIES, name):
                of_keys[name] = getattr(whole, name)
        return replace(self, **of_keys)


def _of_mapping(kind: type, value: Mapping[str, Any], name: str) -> Any:
    known = [field.name for field in fields(kind)]
    problems = [unknown(f"key of policy {name}", key, known) for key in value if key not in known]
    if problems:
        raise ConfigError(problems)
    return kind(**value)


DEFAULT_POLICIES = Policies()
