"""All checks, the failed first, each counted once."""

from __future__ import annotations

import numpy as np
import pytest
from fakes.run import CHECK_ROWS, check_row
from fakes.says import Says, check
from fakes.tiny import tiny_run

from clvmodels.figures.checks import sentence
from clvmodels.metrics.checks import CHECKS, CheckRow, as_table
from clvmodels.results.folder import Run

BEST, FIT = "Pareto/NBD, by channel", "Pareto/NBD by nuts"


def run(*rows: CheckRow) -> Run:
    return tiny_run(checks=as_table(rows))


def row(code: str, result: str = "passed", entry: str = "pareto", consequence: str = "", **numbers) -> CheckRow:
    return check_row(code, result, entry, consequence, **numbers)


NUMBERS = [
    row("pareto_k_hat", entry="bg", consequence="what follows", value=-0.03, at_most=0.12345),
    row("importance_ess", "failed", "other", "stop!", value=1e3, at_least=2000.4),
    row("rhat", "look", "", value=1234567.0, at_most=1.01),
    row("divergences", "failed", consequence=" ", value=2e15, at_most=0),
    row("bulk_ess", "look", consequence="see the file", value=131.456, at_least=400),
    row("tail_ess", "failed", value=np.nan, at_least=400),
    row("maximum_found", value=1.0, at_least=1.0),
    row("held_out_total", value=1882, at_least=1403.4, at_most=1838.6),
    row("periods_inside", value=22, of=24, at_least=17),
    row("groups_inside", "look", value=3, of=8, at_least=5),
    row("pit_share", value=0.07672, at_least=0.04, at_most=0.0604),
    row("pit_groups", value=7, of=8, at_least=8),
    row("pit_band", value=0, of=101, at_most=0),
    row("pit_band", "look", value=3, of=101, at_most=0),
    row("money_total", "failed", value=3764120.4, at_least=2490000.2, at_most=2790000.0),
    row("money_crps", value=38.8953, at_most=41.2),
    row("money_pit", value=2, of=101, at_most=0),
    row("money_pit_share", value=0.061, at_least=0.04, at_most=0.06),
    row("money_fifths", value=2, of=5, at_least=3),
    row("money_capture", value=0.688847, at_least=0.5802, at_most=0.79),
    row("best_named", value=290, of=472, at_least=270),
    row("covariate_leans", value=0.612, at_least=0.63, at_most=0.7),
    row("reliability_band", value=0.9184, at_least=0.9),
    row("loo_pareto_k", value=1234, at_most=0),
    row("elpd_agrees", "look", value=1627.2, at_most=0),
    row("chosen_k", value=2, at_most=3, note="1: −12 ± 3; 4: −5 ± 2"),
    row("part_share", value=-0.0411, at_least=-0.076, at_most=-0.05),
    row("cohorts", value=1, of=4, at_most=0, note="most: 2023Q2, 2.00 times its last year"),
    row("payback_past", value=4, of=5, at_least=3, note="farthest: Social"),
    row("frequency_and_spend", value=-0.168, lower=-0.215, upper=0.114, at_least=-0.1, at_most=0.1),
    row("data_doubt", value=3, of=301, at_most=0),
    row("data_warning")._replace(check="3 rows are late"),
    row("no_data_warnings", value=0, at_most=0),
]

CASES = {
    "one of each": Says(
        lambda: tiny_run(checks=CHECK_ROWS),
        heading="Checks",
        sub="",
        caption="",
        alt="1 failed, 1 needs a look, 2 passed, 1 skipped, 1 not applicable.",
        titles=("Result", "Check", "Entry", "Found", "Limit", "Consequence"),
        rows=[
            (
                "failed",
                "Held-out weeks inside the 90% band",
                "Pareto/NBD, by channel",
                "20 of 26",
                "21 or more",
                "December is forecast too low. Do not plan a single December week with it.",
            ),
            (
                "look",
                "Customers with Pareto k above 0.7 (LOO)",
                "Pareto/NBD, by channel",
                "3",
                "0",
                "Their share of the score is uncertain.",
            ),
            ("passed", "R-hat, Pareto/NBD by nuts", "Pareto/NBD, by channel", "1.003", "1.01 or less", ""),
            ("passed", "Bulk ESS, Pareto/NBD by nuts", "Pareto/NBD, by channel", "1,840", "400 or more", ""),
            ("skipped", "Customers with Pareto k above 0.7 (LOO)", "BG/NBD", "", "", "Elpd was not asked for."),
            ("not applicable", f"Divergences, {FIT}", "BG/NBD", "", "", "The Laplace approximation has none."),
        ],
        tones={0: "bad"},
    ),
    "numbers as they are told": Says(
        lambda: run(*NUMBERS),
        heading="Checks",
        sub="",
        caption="",
        alt="4 failed, 5 need a look, 24 passed.",
        titles=("Result", "Check", "Entry", "Found", "Limit", "Consequence"),
        rows=[
            ("failed", f"Divergences, {FIT}", BEST, "2,000,000,000,000,000", "0 or less", ""),
            ("failed", f"Tail ESS, {FIT}", BEST, "not a number", "400 or more", ""),
            ("failed", "Held-out spend in its 90% interval", BEST, "3,764,120", "2,490,000 to 2,790,000", ""),
            ("failed", f"Importance ESS, {FIT}", "other", "1,000", "2,000 or more", "Stop!"),
            ("look", f"Bulk ESS, {FIT}", BEST, "131.5", "400 or more", "See the file."),
            ("look", "Groups by past frequency inside their 90% interval", BEST, "3 of 8", "5 or more", ""),
            ("look", "Randomised PIT in its 99% band", BEST, "leaves it", "inside", ""),
            (
                "look",
                "How much better another entry predicts the fitted time (elpd)",
                BEST,
                "1,627",
                "0 or less",
                "",
            ),
            ("look", f"R-hat, {FIT}", "", "1,234,567", "1.01 or less", ""),
            ("passed", f"Maximum found, {FIT}", BEST, "1", "1 or more", ""),
            ("passed", "Total of held-out purchases in its 90% interval", BEST, "1,882", "1,403 to 1,839", ""),
            ("passed", "Held-out weeks inside the 90% band", BEST, "22 of 24", "17 or more", ""),
            (
                "passed",
                "Customers in the lowest 5% of their forecast (randomised PIT)",
                BEST,
                "7.7%",
                "4% to 6%",
                "",
            ),
            (
                "passed",
                "Groups by past frequency whose randomised PIT is in its 99% band",
                BEST,
                "7 of 8",
                "8 or more",
                "",
            ),
            ("passed", "Randomised PIT in its 99% band", BEST, "inside", "inside", ""),
            (
                "passed",
                "Mean distance of a customer's spend from its forecast (CRPS)",
                BEST,
                "38.9",
                "41.2 or less",
                "",
            ),
            ("passed", "Randomised PIT of customers' spend in its 99% band", BEST, "leaves it", "inside", ""),
            ("passed", "Customers whose spend is in the lowest 5% of its forecast", BEST, "6.1%", "4% to 6%", ""),
            (
                "passed",
                "Fifths of customers by forecast spend inside their 90% interval",
                BEST,
                "2 of 5",
                "3 or more",
                "",
            ),
            (
                "passed",
                "Share of held-out spend that the fifth brought who were forecast best",
                BEST,
                "68.9%",
                "58% to 79%",
                "",
            ),
            (
                "passed",
                "Of the fifth forecast best by spend, customers who were among those that brought most",
                BEST,
                "290 of 472",
                "270 or more",
                "",
            ),
            (
                "passed",
                "Share of held-out purchases that customers of higher nps made",
                BEST,
                "61.2%",
                "63% to 70%",
                "",
            ),
            (
                "passed",
                "Reliability of P(at least one purchase) in its 99% band, share of the range",
                BEST,
                "92%",
                "90% or more",
                "",
            ),
            ("passed", "Customers with Pareto k above 0.7 (LOO)", BEST, "1,234", "0", ""),
            (
                "passed",
                "Regularity k of the purchases, by elpd (difference ± its standard error)",
                BEST,
                "2 (1: −12 ± 3; 4: −5 ± 2)",
                "less than 4, the largest tried",
                "",
            ),
            (
                "passed",
                "Share of revenue in the forecast beside the last year's accounts: returns",
                BEST,
                "-4.1%",
                "-7.6% to -5%",
                "",
            ),
            (
                "passed",
                "Cohorts that are to bring more a year than they brought in the last",
                BEST,
                "1 of 4 (most: 2023Q2, 2.00 times its last year)",
                "0",
                "",
            ),
            (
                "passed",
                "Channels whose past customers made what is told of new ones",
                BEST,
                "4 of 5 (farthest: Social)",
                "3 or more",
                "",
            ),
            (
                "passed",
                "Rank correlation of frequency and spend",
                BEST,
                "-0.17 (90%: -0.22 to 0.11)",
                "−0.1 to 0.1, or not clearly off 0",
                "",
            ),
            ("passed", "3 orders stand alone", BEST, "3 of 301", "0", ""),
            ("passed", "3 rows are late", BEST, "", "", ""),
            ("passed", "Warnings of the data", BEST, "0", "0", ""),
            ("passed", f"Pareto k-hat, {FIT}", "BG/NBD", "-0.03", "0.123 or less", "If it fails: what follows."),
        ],
        tones={0: "bad", 1: "bad", 2: "bad", 3: "bad"},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("checks", case)


def test_every_check_of_the_registry_is_told():
    assert {row.code for row in NUMBERS} == set(CHECKS)


@pytest.mark.parametrize("end", [".", "!", "?", "…"])
def test_a_sentence_that_is_closed_is_not_closed_again(end):
    assert sentence(f"do it{end}") == f"Do it{end}"
    assert sentence("do it") == "Do it."
