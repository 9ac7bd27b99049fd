"""Numbers as readers see them: the rules of rounding, money, probability, dates and names, one by one."""

from __future__ import annotations

import datetime
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from clvmodels import words

JOINER = "\u2060"


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (122_314, 148_790, "122,000 to 149,000"),
        (0.2312, 0.2781, "0.231 to 0.278"),
        (1, 41, "1 to 41"),
        (-1_040, 18_210, f"\u2212{JOINER}1,000 to 18,000"),
        (3.14, 3.14, "3.14"),
        (0, 0, "0"),
        (-0.004, 12.0, "0 to 12"),
        (99.6, 199.4, "100 to 199"),
    ],
)
def test_a_range_is_rounded_to_the_second_digit_of_its_width(lower, upper, text):
    assert words.span(lower, upper) == text


def test_the_middle_takes_the_step_of_its_range():
    step = words.width_step(122_314, 148_790)
    assert words.money(134_499, "EUR", step) == "EUR\u00a0134,000"


def test_currency_stands_before_the_amount_and_once():
    assert words.span(122_314, 148_790, currency="EUR") == "EUR\u00a0122,000 to 149,000"
    assert words.compact_span(122_314, 148_790, "EUR") == "EUR\u00a0122k to 149k"
    assert words.compact_span(950, 1_800, "USD") == "USD\u00a0950 to 1,800"
    assert words.money(5, None, 1) == "5"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "under 1%"),
        (0.0099, "under 1%"),
        (0.01, "1%"),
        (0.125, "13%"),
        (0.99, "99%"),
        (0.9901, "over 99%"),
        (1.0, "over 99%"),
        (math.nan, "—"),
    ],
)
def test_a_probability_from_draws_is_never_0_or_100(value, text):
    assert words.probability(value) == text


def test_ranges_of_probabilities_name_the_sign_once():
    assert words.probability_span(0.77, 0.79) == "77 to 79%"
    assert words.probability_span(0.001, 0.2) == "under 1% to 20%"
    assert words.probability_span(0.999, 1.0) == "over 99%"


def test_no_rank_is_better_than_the_first():
    assert words.rank_span(1, 571) == "1 to 570"
    assert words.rank_span(12, 571) == "10 to 570"
    assert words.rank_span(1, 1) == "1"


def test_counted_shares_reach_0_and_100_only_exactly():
    assert [words.share(n, 100_000) for n in (0, 1, 97_123, 99_999, 100_000)] == [
        "0%",
        "under 0.1%",
        "97.1%",
        "over 99.9%",
        "100%",
    ]
    assert words.share(1, 0) == "—"


def test_minus_is_glued_to_its_number_and_zero_has_none():
    assert words.number(-1234.4, 1) == f"\u2212{JOINER}1,234"
    assert words.number(-0.4, 1) == "0"
    assert words.number(-0.0, 0.1) == "0.0"
    assert words.signed(0.04, 0.1) == "0.0"
    assert words.signed(2.25, 0.1) == "+2.3"


@given(st.floats(-1e12, 1e12), st.floats(-1e12, 1e12))
@example(-1054266523.9739237, -1054266523.9739249)
@example(4.358189753325883e-309, 4.35818975332589e-309)
def test_a_range_is_in_order_and_never_has_a_plain_hyphen_or_minus_zero(a, b):
    low, high = sorted((a, b))
    text = words.span(low, high)
    assert "-" not in text
    assert f"\u2212{JOINER}0 " not in text + " "
    ends = [float(end.replace("\u2212\u2060", "-").replace(",", "")) for end in text.split(" to ")]
    assert ends == sorted(ends)
    if high - low > 1e-11 * max(abs(low), abs(high), 1e-200):
        step = words.width_step(low, high)
        assert all(abs(end - true) <= 0.5001 * step + 1e-9 for end, true in zip(ends, (low, high), strict=False))


@given(st.floats(0.001, 1e14))
def test_compact_numbers_keep_three_digits(value):
    text = words.compact(value)
    scale = {"k": 1e3, "M": 1e6, "n": 1e9}.get(text[-1], 1.0)
    shown = float(text.removesuffix("bn").rstrip("kM").replace(",", "")) * scale
    assert shown == pytest.approx(value, rel=0.0051)


def test_dates_durations_places_and_lists():
    assert words.date("2025-06-30T12:00:00") == "30 June 2025"
    assert words.date(datetime.date(1997, 1, 2)) == "2 January 1997"
    assert words.month("2025-12-01") == "Dec"
    assert [words.group(name) for name in ("1997-01", "1997-13", "E-mail", "")] == [
        "January 1997",
        "1997-13",
        "E-mail",
        "",
    ]
    assert [words.duration(n, "week") for n in (1, 52, 52.18, 0.5)] == ["1 week", "52 weeks", "52.2 weeks", "0.5 weeks"]
    assert [words.ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112, 1000)] == [
        "1st",
        "2nd",
        "3rd",
        "4th",
        "11th",
        "12th",
        "13th",
        "21st",
        "112th",
        "1,000th",
    ]
    assert [words.listing(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert [words.seconds(s) for s in (48.2, 108, 7500)] == ["48 s", "1 min 48 s", "2 h 5 min"]
    assert words.rate(0.075) == "7.5%"
    assert words.counted(1, "entry", "entries") == "1 entry"
    assert words.of_hundred(0.678) == "68 of 100"


def test_names_are_one_short_line_without_marks_that_turn_or_hide_text():
    assert words.label("a\n b\tc") == "a b c"
    assert words.label("\u202eevil\u0007\x00") == "evil"
    assert words.label("n" * 300) == "n" * 23 + "…"
    assert len(words.label("word " * 100, 40)) <= 40
    assert words.label("日本語") == "日本語"
