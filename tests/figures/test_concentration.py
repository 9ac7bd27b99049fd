"""The share of the best: sorted within each draw, the losses said, the credit left out."""

from __future__ import annotations

import pytest
from fakes.drawn import check_drawings
from fakes.says import Says, check
from fakes.tiny import made, worth_run

CASES = {
    "one customer costs more than it brings": Says(
        worth_run,
        heading="How few customers carry the profit",
        sub=("Customers ordered from best to worst; bands: 90% intervals. Dashed grey: if all were equal."),
        caption=(
            "The best 20% of customers carry **48 to 62%** of what all are worth (90%), whoever the best are. Looking "
            "back after 52 weeks, the share of whoever then turned out best will be 48 to 64%: part of that is "
            "luck, and luck cannot be targeted. The curves pass 100% and fall back: 1 customer is "
            "expected to cost more than it brings."
        ),
        alt=(
            "Two concentration curves over customers, best first. At the best 20%: 48 to 62% by "
            "worth, 48 to 64% realised."
        ),
        titles=("Best share of customers", "Share of worth, 90%", "Share of realised profit, 90%"),
        rows=[
            ("0%", "0%", "0%"),
            ("10%", "24 to 45%", "24 to 47%"),
            ("20%", "48 to 62%", "48 to 64%"),
            ("50%", "87 to 91%", "87 to 91%"),
            ("Gini coefficient", "0.49 to 0.61", "0.49 to 0.62"),
        ],
    ),
    "a credit, which is left out": Says(
        lambda: worth_run(credit=20.0, top_share=0.1),
        heading="How few customers carry the profit",
        sub=("Customers ordered from best to worst; bands: 90% intervals. Dashed grey: if all were equal."),
        caption=(
            "The best 10% of customers carry **24 to 45%** of what all are worth (90%), whoever the best are. Looking "
            "back after 52 weeks, the share of whoever then turned out best will be 24 to 47%: part of that is "
            "luck, and luck cannot be targeted. The curves pass 100% and fall back: 1 customer is "
            "expected to cost more than it brings. Credit for customers they bring is left out."
        ),
        alt=(
            "Two concentration curves over customers, best first. At the best 10%: 24 to 45% by "
            "worth, 24 to 47% realised."
        ),
        titles=("Best share of customers", "Share of worth, 90%", "Share of realised profit, 90%"),
        rows=[
            ("0%", "0%", "0%"),
            ("10%", "24 to 45%", "24 to 47%"),
            ("50%", "87 to 91%", "87 to 91%"),
            ("Gini coefficient", "0.49 to 0.61", "0.49 to 0.62"),
        ],
    ),
    "profit made so far": Says(
        lambda: worth_run(so_far=made()),
        heading="How few customers carry the profit",
        sub=(
            "Customers ordered from best to worst; bands: 90% intervals. Dashed grey: if all were equal. Thin line: "
            "profit made so far, before what winning them cost."
        ),
        caption=(
            "The best 20% of customers carry **48 to 62%** of what all are worth (90%), whoever the best are. Looking "
            "back after 52 weeks, the share of whoever then turned out best will be 48 to 64%: part of that is luck, "
            "and luck cannot be targeted. Of the profit made so far the best 20% hold 58%. The curves pass 100% and "
            "fall back: 1 customer is expected to cost more than it brings."
        ),
        alt=(
            "Two concentration curves over customers, best first. At the best 20%: 48 to 62% by worth, 48 to 64% "
            "realised."
        ),
        titles=("Best share of customers", "Share of worth, 90%", "Share of realised profit, 90%", "Made so far"),
        rows=[
            ("0%", "0%", "0%", "0%"),
            ("10%", "24 to 45%", "24 to 47%", "32%"),
            ("20%", "48 to 62%", "48 to 64%", "58%"),
            ("50%", "87 to 91%", "87 to 91%", "105%"),
            ("Gini coefficient", "0.49 to 0.61", "0.49 to 0.62", "0.75"),
        ],
    ),
    "nothing made so far in total": Says(
        lambda: worth_run(so_far=made().assign(profit=lambda t: t.acquisition)),
        heading="How few customers carry the profit",
        sub="Customers ordered from best to worst; bands: 90% intervals. Dashed grey: if all were equal.",
        caption=(
            "The best 20% of customers carry **48 to 62%** of what all are worth (90%), whoever the best are. Looking "
            "back after 52 weeks, the share of whoever then turned out best will be 48 to 64%: part of that is luck, "
            "and luck cannot be targeted. The curves pass 100% and fall back: 1 customer is expected to cost more "
            "than it brings."
        ),
        alt=(
            "Two concentration curves over customers, best first. At the best 20%: 48 to 62% by worth, 48 to 64% "
            "realised."
        ),
        titles=("Best share of customers", "Share of worth, 90%", "Share of realised profit, 90%"),
        rows=[
            ("0%", "0%", "0%"),
            ("10%", "24 to 45%", "24 to 47%"),
            ("20%", "48 to 62%", "48 to 64%"),
            ("50%", "87 to 91%", "87 to 91%"),
            ("Gini coefficient", "0.49 to 0.61", "0.49 to 0.62"),
        ],
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_it_says(case):
    check("concentration", case)


def test_it_draws(accept_drawings):
    check_drawings("concentration", CASES, accept_drawings)
