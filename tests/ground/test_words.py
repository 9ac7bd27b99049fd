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
    assert words.rank_span(1, 571) == "1 to 580"
    assert words.rank_span(12, 571) == "12 to 580"
    assert words.rank_span(2.5, 1234) == "2 to 1,300"
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


def plain(text: str) -> str:
    return text.replace(words.SPACE, " ").replace(words.MINUS, "-")


@pytest.mark.parametrize(
    ("value", "step", "text"),
    [
        (0, None, "0"),
        (0.5, None, "0.500"),
        (123.4, 10, "120"),
        (5_000, 50, "5,000"),  # thousands are shortened from 10,000 on, or where nothing is lost by it
        (9_990, None, "9,990"),
        (1_000, 100, "1.0k"),
        (10_000, 10, "10.00k"),
        (10_000, None, "10.0k"),
        (122_314, 10_000, "120k"),
        (1e6, 1e4, "1.00M"),
        (1e9, 1e7, "1.00bn"),
        (math.nan, None, "—"),
        (None, None, "—"),
    ],
)
def test_compact_numbers_by_their_unit(value, step, text):
    assert words.compact(value, step) == text


@pytest.mark.parametrize(
    ("lower", "upper", "text"),
    [
        (122_314, 148_790, "EUR 122k to 149k"),
        (123_456, 987_654, "EUR 120k to 990k"),
        (0, 25_000, "EUR 0 to 25k"),
        (122_314, 122_314, "EUR 122k"),
        (950, 1_800, "EUR 950 to 1,800"),
        (9_500, 10_200, "EUR 9,500 to 10,200"),  # the ends would have two units: both are written out
        (600_000, 1_200_000, "EUR 600k to 1.20M"),
    ],
)
def test_compact_ranges_by_their_units(lower, upper, text):
    assert plain(words.compact_span(lower, upper, "EUR")) == text


def test_ranges_of_counts_are_whole():
    assert words.count_span(1.2, 5.9) == "1 to 6"
    assert words.count_span(100, 2_345) == "100 to 2,300"
    assert words.count_span(3, 3) == "3"
    assert [words.rank_span(low, 105) for low in (4, 5)] == ["4 to 110", "5 to 110"]  # each end has its own step
    assert words.rank_span(0.3, 0.8) == "1"  # no place is better than the first


def test_shares_and_rates_at_their_limits():
    assert [words.share(n, 1000) for n in (1, 999)] == ["0.1%", "99.9%"]
    assert [words.rate(r) for r in (0, 0.005, 0.1, 0.2, 0.12345, 1.0)] == ["0%", "0.5%", "10%", "20%", "12.35%", "100%"]
    assert [words.of_hundred(share) for share in (0.0099, 0.01, 0.125, 0.99, 0.991)] == [
        "under 1 of 100",
        "1 of 100",
        "13 of 100",
        "99 of 100",
        "over 99 of 100",
    ]
    assert words.probability_span(0.05, 0.5) == "5 to 50%"
    assert words.probability_span(0.02, 0.05) == "2 to 5%"
    assert words.probability_span(0.5, 0.999) == "50% to over 99%"


def test_steps_of_numbers_without_a_width():
    assert [words.value_step(value) for value in (0, 1e-291, math.inf, 999, 1000)] == [1, 1, 1, 1, 10]
    assert words.value_step(1000, 2) == 100
    assert [words.width_step(0, width) for width in (0, 1e-291, 9.9, 10)] == [1, 1, 0.1, 1]
    assert words.width_step(5, 5) == 0.01
    assert words.number(None) == "—"
    assert words.number(1234.5) == "1,230"


def test_signs_and_plurals():
    assert [plain(words.signed(value, 1.0)) for value in (0, 5, -5, 1000)] == ["0", "+5", "-5", "+1,000"]
    assert words.signed(math.nan, 1.0) == "—"
    assert [words.counted(n, "customer") for n in (0, 1, 2)] == ["0 customers", "1 customer", "2 customers"]
    assert words.counted(2, "entry", "entries") == "2 entries"


def test_groups_months_and_places_at_their_limits():
    names = ("1997-12", "1997-00", "19-7-12", "1997-01-2", "a997-01", "1997-0a")
    assert [words.group(name) for name in names] == ["December 1997", *names[1:]]
    assert words.month(datetime.date(1997, 12, 1)) == "Dec"
    assert words.date(datetime.datetime(1997, 1, 2, 3)) == "2 January 1997"
    assert [words.ordinal(n) for n in (99, 101, 111, 113, 212)] == ["99th", "101st", "111th", "113th", "212th"]
    times = (59, 59.6, 60, 3599, 3600, 3660, 7320)
    assert [words.seconds(s) for s in times] == [
        "59 s",
        "1 min 0 s",
        "1 min 0 s",
        "59 min 59 s",
        "1 h 0 min",
        "1 h 1 min",
        "2 h 2 min",
    ]


def test_names_are_cut_at_their_length():
    assert words.label("x" * 24) == "x" * 24
    assert words.label("x" * 25) == "x" * 23 + "…"
    assert words.label("abcd efgh", 6) == "abcd…"
    assert [words.capital(text) for text in ("eBay", "", "a")] == ["EBay", "", "A"]


@pytest.mark.parametrize("value", [50.0, -50.0, 0.0, 499.9])
def test_what_is_rounded_to_nothing_is_0_without_a_unit(value):
    assert words.compact(value, 1000.0) == "0"
    assert words.compact(1000.0 * value, 1e6) == "0"


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 customers are"), (1, "1 customer is"), (1.2, "1 customer is"), (2, "2 customers are")]
    + [("1", "1 customer is"), ("0 to 1", "0 to 1 customers are"), (1e6, "1,000,000 customers are")],
)
def test_nouns_and_verbs_go_with_the_number_as_it_reads(number, text):
    assert words.counted(number, "customer is", "customers are") == text
    assert f"{words.counted(number, 'customer')} {words.agreeing(number, 'is', 'are')}" == text
