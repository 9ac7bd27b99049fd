"""Numbers, money, ranges, dates and probabilities as a reader sees them: all text of figures and reports is made here.

Rules: the ends and the middle of a range are rounded to the second digit of its width; thousands have a comma; the
minus is U+2212, glued to its number; currency stands before the amount, named once; probabilities that come from
draws are whole percent, never 0% or 100%.
"""

from __future__ import annotations

import datetime
import math
import unicodedata
from collections.abc import Sequence

MINUS = "\u2212\u2060"
SPACE = "\u00a0"
ELLIPSIS = "…"
MISSING_GROUP = "(missing)"
"""The group of those of whom it is not known."""
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
_UNKNOWN = "—"
_TINY = 1e-290
"""Smaller numbers count as 0, before the step of their third digit falls below the smallest float."""
_DUST = 1e-9
"""By how much binary floating point may miss a decimal number: 0.285 x 100 is a little less than 28.5."""


def width_step(lower: float, upper: float) -> float:
    """The rounding step of a range: the place of the second digit of its width.

    >>> width_step(122_314, 148_790)
    1000.0
    """
    width = abs(upper - lower)
    largest = max(abs(lower), abs(upper))
    if not math.isfinite(width) or width <= max(1e-12 * largest, _TINY):  # dust of floating point is no width
        return value_step(largest)
    return 10.0 ** (math.floor(math.log10(width)) - 1)


def value_step(value: float, digits: int = 3) -> float:
    """The rounding step that leaves `value` this many digits, for a number without a range."""
    if abs(value) <= _TINY or not math.isfinite(value):
        return 1.0
    return 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)


def number(value: float, step: float | None = None) -> str:
    """A number rounded to a multiple of `step`, with thousands separated and no "-0".

    >>> number(122_314, 1000)
    '122,000'
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    if step is None:
        step = value_step(value)
    decimals = max(0, -math.floor(math.log10(step) + _DUST))
    rounded = round(_half_up(value / step) * step, decimals)
    text = f"{abs(rounded):,.{decimals}f}"
    return MINUS + text if rounded < 0 else text


def _half_up(value: float) -> float:
    """Round half away from zero, as readers do; binary dust does not decide."""
    return math.copysign(math.floor(abs(value) + 0.5 + _DUST), value)


def signed(value: float, step: float | None = None) -> str:
    """As `number`, with a plus where it is positive."""
    text = number(value, step)
    is_zero = not text.strip("0.,")
    if text.startswith(MINUS) or is_zero or text == _UNKNOWN:
        return text
    return "+" + text


def count(value: float) -> str:
    """A whole number, never rounded further."""
    return number(value, 1.0)


def counted(value: float | str, singular: str, plural: str = "") -> str:
    """A number, or a range in words, with its noun: `1 customer`, `2 customers`, `0 to 1 customers`.

    >>> counted(1, "customer has", "customers have")
    '1 customer has'
    """
    text = value if isinstance(value, str) else count(value)
    return f"{text} {agreeing(text, singular, plural)}"


def agreeing(value: float | str, singular: str, plural: str = "") -> str:
    """The noun or verb that goes with a number, or with a range in words, as it reads: `is` with 1, `are` with 2."""
    text = value if isinstance(value, str) else count(value)
    return singular if text == "1" else plural or singular + "s"


def compact(value: float, step: float | None = None) -> str:
    """A number for an axis or a headline: 122k, 1.3M.

    >>> compact(122_314, 1000)
    '122k'
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    if step is None:
        step = value_step(value)
    if not _half_up(value / step):  # no "0k"
        return "0"
    size = max(abs(value), step)
    # 1,234 is as short as 1.234k: below ten thousand only rounder numbers take the k
    smallest_thousands = 1e4 if step < 100 else 1e3
    for unit, name, smallest in ((1e9, "bn", 1e9), (1e6, "M", 1e6), (1e3, "k", smallest_thousands)):
        if size >= smallest:
            return number(value / unit, step / unit) + name
    return number(value, step)


def with_currency(text: str, currency: str | None) -> str:
    """The currency before the amount, and before the amount's minus."""
    if not currency:
        return text
    return f"{currency}{SPACE}{text}"


def money(value: float, currency: str | None, step: float | None = None) -> str:
    """An amount, its currency named: `EUR 134,000`."""
    return with_currency(number(value, step), currency)


def span(
    lower: float, upper: float, *, currency: str | None = None, step: float | None = None, joint: str = "to"
) -> str:
    """A range: both ends rounded to the second digit of its width, the currency named once.

    >>> span(122_314, 148_790)
    '122,000 to 149,000'
    """
    if step is None:
        step = width_step(lower, upper)
    text = _joined(number(lower, step), joint, number(upper, step))
    return with_currency(text, currency)


def _joined(low: str, joint: str, high: str) -> str:
    """Both ends; once where they read the same."""
    if low == high:
        return low
    return f"{low} {joint} {high}"


def compact_span(lower: float, upper: float, currency: str | None = None) -> str:
    """A range for a headline: `EUR 122k to 149k`, each end unbroken by its unit."""
    step = width_step(lower, upper)
    low, high = compact(lower, step), compact(upper, step)
    has_unit_once = low[-1:].isalpha() != high[-1:].isalpha()
    if has_unit_once and low != "0":  # 950 to 1.2k is harder to read than the numbers themselves
        return span(lower, upper, currency=currency, step=step)
    return with_currency(_joined(low, "to", high), currency)


def count_span(lower: float, upper: float) -> str:
    """A range of counts that are few enough to be told one by one."""
    return span(lower, upper, step=max(1.0, width_step(lower, upper)))


def rank_span(lower: float, upper: float) -> str:
    """A range of ranks: as counts of two digits, each end by its own size, rounded outwards and never better than 1.

    >>> rank_span(12, 571)
    '12 to 580'
    """
    low, high = max(lower, 1.0), max(upper, 1.0)
    low_step, high_step = (max(1.0, value_step(end, 2)) for end in (low, high))
    first = max(1.0, math.floor(low / low_step + _DUST) * low_step)
    last = math.ceil(high / high_step - _DUST) * high_step
    return _joined(count(first), "to", count(last))


def probability(value: float) -> str:
    """A probability that was estimated from draws: whole percent, never 0% or 100%.

    >>> probability(0.996), probability(0.004), probability(0.42)
    ('over 99%', 'under 1%', '42%')
    """
    if value is None or not math.isfinite(value):
        return _UNKNOWN
    if value < 0.01:
        return "under 1%"
    if value > 0.99:
        return "over 99%"
    return f"{_half_up(100 * value):.0f}%"


def probability_span(lower: float, upper: float) -> str:
    """A range of shares or probabilities: `77 to 79%`."""
    low, high = probability(lower), probability(upper)
    are_numbers = low[0].isdigit() and high[0].isdigit()
    if low != high and are_numbers:  # "under 1%" keeps its sign
        low = low.removesuffix("%")
    return _joined(low, "to", high)


def share(part: float, whole: float) -> str:
    """A share that was counted: one decimal, and 0% or 100% only where it is exactly that."""
    if not whole:
        return _UNKNOWN
    if part == 0:
        return "0%"
    if part == whole:
        return "100%"
    if part / whole < 0.001:
        return "under 0.1%"
    if part / whole > 0.999:
        return "over 99.9%"
    return f"{_half_up(1000 * part / whole) / 10:.1f}%"


def rate(value: float) -> str:
    """A rate that was set, not estimated: `12%`, `7.5%`."""
    return f"{value * 100:.2f}".rstrip("0").rstrip(".") + "%"


def of_hundred(value: float) -> str:
    """A frequency among customers: `68 of 100`."""
    if value < 0.01:
        return "under 1 of 100"
    if value > 0.99:
        return "over 99 of 100"
    return f"{_half_up(100 * value):.0f} of 100"


def date(value: str | datetime.date) -> str:
    """A date written out: `30 June 2025`."""
    day = _day(value)
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def group(name: object) -> str:
    """A group's name as it stands in the data; a month is told by its name: `1997-01` is `January 1997`."""
    text = str(name)
    year, _, number = text.partition("-")
    are_numbers = year.isdigit() and number.isdigit()
    if len(text) == 7 and are_numbers and 1 <= int(number) <= 12:
        return f"{MONTHS[int(number) - 1]} {year}"
    return text


def month(value: str | datetime.date) -> str:
    """The first three letters of a month's name, for an axis."""
    return MONTHS[_day(value).month - 1][:3]


def _day(value: str | datetime.date) -> datetime.date:
    if isinstance(value, datetime.date):
        return value
    return datetime.date.fromisoformat(str(value)[:10])  # without the time of a timestamp


def duration(length: float, unit: str) -> str:
    """A length of time with its unit: `39 weeks`, `1 day`, `6.5 months`."""
    text = f"{length:,.1f}".removesuffix(".0")
    return counted(text, unit)


def ordinal(value: int) -> str:
    """A place: `1st`, `12th`, `1,000th`."""
    suffix = {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    if value % 100 in (11, 12, 13):  # eleventh, not eleven-first
        suffix = "th"
    return f"{value:,}{suffix}"


def seconds(value: float) -> str:
    """A wall time: `48 s`, `1 min 48 s`, `2 h 5 min`."""
    whole_seconds = round(value)
    if whole_seconds < 60:
        return f"{whole_seconds} s"
    minutes, remaining_seconds = divmod(whole_seconds, 60)
    if minutes < 60:
        return f"{minutes} min {remaining_seconds} s"
    hours, remaining_minutes = divmod(minutes, 60)
    return f"{hours} h {remaining_minutes} min"


def listing(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"


def capital(text: str) -> str:
    """The first letter raised, the others left as they are."""
    return text[:1].upper() + text[1:]


def label(text: object, length: int = 24) -> str:
    """A name from the data as one short line: no control or direction marks, cut with an ellipsis."""
    characters = []
    for character in str(text):
        if character.isspace():  # first: a line break is a control character too, and parts words
            characters.append(" ")
        elif unicodedata.category(character)[0] != "C":
            characters.append(character)
    line = " ".join("".join(characters).split())
    if len(line) <= length:
        return line
    return line[: length - 1].rstrip() + ELLIPSIS
