"""Why a row does not count, the policies that say what is done with such rows, and what a refusal says of them.

The reasons are data: whoever reads a table, of orders or of anything else, judges its rows in these words.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import ClassVar, Literal, get_args, get_type_hints

from clvmodels.errors import Problem, unknown

UNREADABLE = "row cannot be read"
NOT_KEPT = "left out by where, the filter of rows"
NO_ID, NO_DATE, NO_AMOUNT = "no customer id", "no date", "no amount"
NO_ORDER, NO_KIND, NO_CURRENCY, NO_NAME = "no order id", "no kind", "no currency", "name or key is empty"
BAD_DATE, BAD_AMOUNT = "date cannot be read", "amount cannot be read"
BAD_NUMBER, BAD_KIND = "number cannot be read", "kind is not known"
OUT_OF_SCALE, BAD_ARM = "score is outside of its scale", "arm is neither treatment nor control"
AFTER_END = "after the stated end of the data"
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
    AFTER_END,
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
}

ABOUT = {
    NO_ID: ("customer_id", "key"),
    NO_ORDER: ("order_id",),
    NO_NAME: ("system", "key", "customer_id", "channel", "currency"),
    NO_DATE: ("date",),
    BAD_DATE: ("date",),
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
    BAD_DATE: "State date_format, e.g. '%d/%m/%Y'; without one dates are YYYY-MM-DD. ",
    BAD_END: "Ends are dates as the others are, and empty where the customer has not ended. ",
    BAD_AMOUNT: "Amounts are plain numbers below 1e15, with a decimal point unless decimal: ',' is stated. ",
    BAD_NUMBER: "Numbers have a decimal point, unless decimal: ',' is stated, and nothing else. ",
}


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

    def problems(self) -> list[Problem]:
        """Values that are none of the allowed ones."""
        hints = get_type_hints(type(self))
        return [
            unknown(f"value of policy {f.name}", getattr(self, f.name), get_args(hints[f.name]))
            for f in fields(self)
            if getattr(self, f.name) not in get_args(hints[f.name])
        ]


DEFAULT_POLICIES = Policies()
