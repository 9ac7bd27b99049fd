"""Who has paid for the cost to win by the rule, and what may be paid at most."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from fakes.drawn import check_drawings
from fakes.run import about
from fakes.says import Says, caption_of, check, plain, table_of
from fakes.tiny import tiny_run

from clvmodels import words
from clvmodels.decisions.payback import FORECAST, Payback
from clvmodels.figures import FIGURES
from clvmodels.figures.payback import lead

NAMES = ("q5", "q25", "q50", "q75", "q95")


def channel(name, customers, cost, months, odds, most, past=(0, np.nan)):
    """One channel; `most` is the 5% quantile of a new customer's worth, the others lie 2 apart; `past` is how many
    customers have made how much."""
    worth = {f"most_{q}": most + 2.0 * k for k, q in enumerate(NAMES)}
    of_one = {"channel": name, "customers": customers, "cost": cost, "cohort": past[0], "made": past[1]}
    of_one |= dict(zip(NAMES, months, strict=True))
    return of_one | {"rule": 12.0, "odds": odds, **worth, "horizon": 24.0}


SURE = channel("E-mail", 90, 12.0, (0.5, 0.8, 1.1, 1.6, 2.4), 0.97, 40.0, (50, 45.5))
LATE = channel("Search", 60, 30.0, (6.0, 8.0, 10.5, np.inf, np.inf), 0.62, 27.0, (30, 29.0))
NEVER = channel("Social", 30, 80.0, (np.inf,) * 5, 0.004, 22.0, (12, -3.0))


def run(*channels, small: tuple[int, int, float] | None = None, alike: tuple[str, ...] = (), **told):
    """Channels that are judged; of the small ones their number, customers and cost."""
    rows = pd.DataFrame([small] if small else [], columns=["channels", "customers", "cost"])
    rows = rows.astype({"channels": int, "customers": int, "cost": float})
    table = pd.DataFrame(list(channels))
    if alike:
        table[list(FORECAST)] = np.nan
    found = Payback(table, rows, pd.DataFrame({"part": list(alike), "write": "by: channel"}, dtype="str"))
    return tiny_run(about=about(horizon=104.0, **told), payback=found)


CASES = {
    "one sure, one late, one never": Says(
        lambda: run(SURE, LATE, NEVER, small=(2, 12, 30.0)),
        heading="When a channel's customers have paid for themselves",
        sub=(
            "Months until the expected profit of an average new customer, first order included, "
            "covers the cost to win. Dot: median; bars: 50% and 90% intervals; arrow: beyond 104 "
            "weeks."
        ),
        caption=(
            "**E-mail** covers the cost to win within 12 months with at least 90% probability; the "
            "others by probability: Search 62% and Social under 1%. Pay at most EUR 40 for a customer"
            " of E-mail and EUR 22 for a customer of Social: with 95% probability an average new "
            "customer is worth more than that over 104 weeks. One customer may bring much more or "
            "nothing. A past customer made EUR 46 in E-mail and EUR -3.0 in Social in the first 12 "
            "months, before the cost to win. 2 small channels with 12 customers are left out."
        ),
        alt=(
            "Intervals of months to payback of 3 channels, with a line at 12 months; E-mail is "
            "covered by then with 97% probability."
        ),
        titles=(
            "Channel",
            "Customers",
            "Cost to win",
            "Months, middle",
            "Months, 90%",
            "Within 12 months",
            "Pay at most",
            "Worth, middle",
            "Made in the first 12 months",
            "By past customers",
        ),
        rows=[
            ("E-mail", "90", "EUR 12", "1.1", "0.5 to 2.4", "97%", "EUR 40", "EUR 44", "EUR 46", "50"),
            ("Search", "60", "EUR 30", "10.5", "6.0 to beyond the horizon", "62%", "EUR 27", "EUR 31", "EUR 29", "30"),
            (
                "Social",
                "30",
                "EUR 80",
                "beyond the horizon",
                "beyond the horizon",
                "under 1%",
                "EUR 22",
                "EUR 26",
                "EUR -3.0",
                "12",
            ),
        ],
    ),
    "nobody is sure": Says(
        lambda: run(LATE, NEVER),
        heading="When a channel's customers have paid for themselves",
        sub=(
            "Months until the expected profit of an average new customer, first order included, "
            "covers the cost to win. Dot: median; bars: 50% and 90% intervals; arrow: beyond 104 "
            "weeks."
        ),
        caption=(
            "Probability of being covered within 12 months: Search 62% and Social under 1%. Pay at "
            "most EUR 27 for a customer of Search and EUR 22 for a customer of Social: with 95% "
            "probability an average new customer is worth more than that over 104 weeks. One customer"
            " may bring much more or nothing. A past customer made EUR 29 in Search and EUR -3.0 in "
            "Social in the first 12 months, before the cost to win."
        ),
        alt=(
            "Intervals of months to payback of 2 channels, with a line at 12 months; Search is "
            "covered by then with 62% probability."
        ),
        titles=(
            "Channel",
            "Customers",
            "Cost to win",
            "Months, middle",
            "Months, 90%",
            "Within 12 months",
            "Pay at most",
            "Worth, middle",
            "Made in the first 12 months",
            "By past customers",
        ),
        rows=[
            ("Search", "60", "EUR 30", "10.5", "6.0 to beyond the horizon", "62%", "EUR 27", "EUR 31", "EUR 29", "30"),
            (
                "Social",
                "30",
                "EUR 80",
                "beyond the horizon",
                "beyond the horizon",
                "under 1%",
                "EUR 22",
                "EUR 26",
                "EUR -3.0",
                "12",
            ),
        ],
    ),
    "one channel alone, the models tell nothing apart": Says(
        lambda: run(SURE, alike=("purchases", "spend")),
        heading="What a channel's customers cost, and made",
        sub=(
            "Profit of a past customer in the first 12 months, first order included and discounted to"
            " it (dot), and what it costs to win one (line), EUR."
        ),
        caption=(
            "**When a channel has paid for itself, and what may be paid, is withheld**: the value's "
            "purchases and spend take all channels as alike, and by: channel would tell them apart. A"
            " past customer made EUR 46 in E-mail in the first 12 months, before the cost to win."
        ),
        alt=(
            "Dots of the profit of a past customer in 1 channel beside a line at the cost to win; "
            "months to payback are withheld."
        ),
        titles=(
            "Channel",
            "Customers",
            "Cost to win",
            "Made in the first 12 months",
            "By past customers",
        ),
        rows=[
            ("E-mail", "90", "EUR 12", "EUR 46", "50"),
        ],
    ),
    "a small channel": Says(
        lambda: run(SURE, SURE | {"channel": "Shop", "most_q5": 1.234}, small=(1, 1, 30.0)),
        heading="When a channel's customers have paid for themselves",
        sub=(
            "Months until the expected profit of an average new customer, first order included, "
            "covers the cost to win. Dot: median; bars: 50% and 90% intervals."
        ),
        caption=(
            "**E-mail and Shop** cover the cost to win within 12 months with at least 90% "
            "probability. Pay at most EUR 40 for a customer of E-mail and EUR 1.2 for a customer of "
            "Shop: with 95% probability an average new customer is worth more than that over 104 "
            "weeks. One customer may bring much more or nothing. A past customer made EUR 46 in "
            "E-mail in the first 12 months, before the cost to win. 1 small channel with 1 customer "
            "is left out."
        ),
        alt=(
            "Intervals of months to payback of 2 channels, with a line at 12 months; E-mail is "
            "covered by then with 97% probability."
        ),
        titles=(
            "Channel",
            "Customers",
            "Cost to win",
            "Months, middle",
            "Months, 90%",
            "Within 12 months",
            "Pay at most",
            "Worth, middle",
            "Made in the first 12 months",
            "By past customers",
        ),
        rows=[
            ("E-mail", "90", "EUR 12", "1.1", "0.5 to 2.4", "97%", "EUR 40", "EUR 44", "EUR 46", "50"),
            ("Shop", "90", "EUR 12", "1.1", "0.5 to 2.4", "97%", "EUR 1.2", "EUR 44", "EUR 46", "50"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("payback", case)


def test_it_draws(accept_drawings):
    check_drawings("payback", CASES, accept_drawings)


def test_payback_names_who_meets_the_rule_and_the_odds_of_the_others(company_run):
    said = caption_of("payback", company_run)
    assert "**E-mail and Search** cover the cost to win within 12 months" in said
    assert "Marketplace 62% and Referral 6%" in said
    most, least = (words.money(value, "EUR", 1.0) for value in (40, 22))
    assert f"Pay at most {most} for a customer of E-mail and {least} for a customer of Referral" in said
    assert "1 small channel with 12 customers is left out" in said
    cells = FIGURES["payback"].numbers(table_of("payback", company_run), company_run.about).rows
    assert cells[1][4] == "6.0 to beyond the horizon" and cells[2][3] == "beyond the horizon"


def test_payback_is_withheld_where_a_part_takes_channels_as_alike(company_run):
    """With an effect on the purchase rate alone "pay at most EUR 76" was printed where EUR 21 came in a year."""
    assert "alike" not in caption_of("payback", company_run)
    channels = company_run.payback.channels.copy()
    channels[list(FORECAST)] = np.nan
    alike = pd.DataFrame({"part": ["lifetime", "spend"], "write": "by: channel"})
    other = replace(company_run, payback=company_run.payback._replace(channels=channels, alike=alike))
    said = caption_of("payback", other)
    assert "is withheld**: the value's lifetime and spend take all channels as alike, and by: channel would" in said
    assert "Pay at most" not in said and "%" not in said
    table = table_of("payback", other)
    said = plain(lead(table, other.about))
    assert said.startswith("What may be paid for a new customer is not told: the value's lifetime and spend")
    assert FIGURES["payback"].heading(table, other.about) == "What a channel's customers cost, and made"


def test_nothing_is_paid_for_customers_who_may_bring_nothing():
    found = run(SURE, NEVER | {"most_q5": -4.6})
    assert "and nothing for a customer of Social" in plain(lead(found.payback, found.about))
    assert FIGURES["payback"].numbers(found.payback, found.about).rows[1][6] == "nothing"


def test_channels_that_are_all_small_have_no_figure(company_run):
    all_small = company_run.payback._replace(channels=company_run.payback.channels[:0])
    assert FIGURES["payback"].table(replace(company_run, payback=all_small)) is None
    assert FIGURES["payback"].table(run(small=(2, 12, 30.0))) is None
    assert FIGURES["payback"].table(replace(company_run, payback=None)) is None


def test_the_lead_names_four_channels_at_most_that_cost_more_than_may_be_paid():
    dear = [channel(f"c{k}", 30, 41.0, (1.0,) * 5, 0.5, 40.0) for k in range(5)]
    fair = channel("fair", 30, 40.0, (1.0,) * 5, 0.5, 40.0)
    found = run(*dear, fair)
    assert lead(found.payback, found.about).endswith(" c0, c1, c2 and c3 cost more than that now.")
    alone = run(fair)
    assert plain(lead(alone.payback, alone.about)) == "Pay at most EUR 40 for a customer of fair."
    long = run(fair, channel("n" * 25, 30, 41.0, (1.0,) * 5, 0.5, 40.0))
    assert lead(long.payback, long.about).endswith(f" {'n' * 23}… costs more than that now.")


@pytest.mark.parametrize(
    ("count", "listed"),
    [
        (6, "c0, c1, c2, c3, c4 and c5"),
        (7, "c0, c1, c2, c3, c4 and c5 and 1 more"),
    ],
)
def test_six_channels_are_named_on_each_side_of_the_rule(count, listed):
    """Surely is from 90% on; of equal odds the others keep their order, whatever comes after them."""
    sure = [channel(f"c{k}", 90, 12.0, (1.0,) * 5, 0.9, 40.0) for k in range(count)]
    unsure = [channel(f"c{k}", 90, 12.0, (1.0,) * 5, 0.89, 40.0) for k in range(count)]
    found = run(*sure)
    caption = FIGURES["payback"].words(found.payback, found.about).caption
    assert caption.startswith(f"**{listed}** cover the cost to win within 12 months with at least 90% probability. Pay")
    found = run(*unsure)
    caption = FIGURES["payback"].words(found.payback, found.about).caption
    with_odds = ", ".join(f"c{k} 89%" for k in range(5)) + " and c5 89%" + listed.partition("c5")[2]
    assert caption.startswith(f"Probability of being covered within 12 months: {with_odds}. Pay")
