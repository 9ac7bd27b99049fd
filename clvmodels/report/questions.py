"""What a report answers first: each kind of question has its sentences and the numbers that belong to it.

An experiment names its kind (`question:`); its title puts it in the reader's words. What cannot be told is said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from clvmodels import words
from clvmodels.figures import concentration, leaving, model_comparison, phrases
from clvmodels.figures.figure import row_of
from clvmodels.figures.top_odds import counts
from clvmodels.metrics.compare import SAME
from clvmodels.report import totals
from clvmodels.report.stored import Stored

type Sentences = Callable[[Stored], Iterator[str]]


def worth(stored: Stored) -> Iterator[str]:
    """What all are worth is what the first screen says of every run."""
    yield from ()


def which_model(stored: Stored) -> Iterator[str]:
    """Which entry forecasts best, undecided where chance alone could have put another first."""
    table = stored.tables.get("model_comparison")
    if table is None:
        return
    verdicts = model_comparison.verdicts(table)
    best, same = verdicts["recommended"], verdicts[SAME]
    judged_by = "forecasts" if stored.about.holdout else "predicts"
    if same:
        yield (
            f"It cannot be told: **{words.listing(best)}** {judged_by} best, and {words.listing(same)} "
            f"{words.agreeing(len(same), 'is', 'are')} as good within noise."
        )
        return
    others = words.counted(len(table) - 1, "other is", "others are")
    yield f"**{words.listing(best)}** {judged_by} best; the {others} worse."


def who_earns(stored: Stored) -> Iterator[str]:
    """Who brings most of the profit and how surely, who has lost money, and how many of them will again."""
    tables, about = stored.tables, stored.about
    if "top_odds" in tables and not totals.named_wrongly(stored):
        best = counts(tables["top_odds"])
        sentence = f"**{words.counted(best['sure'], 'customer is', 'customers are')}** surely among the best "
        sentence += words.count(best["top"])
        if "concentration" in tables:
            share = concentration.share_range(concentration.top_of(tables["concentration"], "worth"))
            sentence += f", who carry {share} of what all are worth"
        yield f"{sentence}."
    if "losses" in tables:
        lost = row_of(tables["losses"].together)
        have = words.agreeing(lost.customers, "has", "have")
        sentence = f"**{words.count(lost.customers)} of {words.count(lost.of)}** {have} lost money so far"
        if lost.customers:
            again = words.count_span(lost.q5, lost.q95)
            sentence += f"; {again} of them will in {phrases.horizon(about)} too (90%)"
        yield f"{sentence}."


def who_leaves(stored: Stored) -> Iterator[str]:
    """How much worth is at risk, and with how many customers."""
    if "leaving" in stored.tables:
        yield leaving.lead(stored.tables["leaving"], stored.about)


QUESTIONS: dict[str, Sentences] = {
    "worth": worth,
    "which_model": which_model,
    "who_earns": who_earns,
    "who_leaves": who_leaves,
}
"""By the name that an experiment gives: the sentences that answer, in place of those of every run."""

NUMBERS_OF = {
    "worth": ("worth", "sure", "pay_at_most"),
    "which_model": ("best_model", "held_out", "worth", "checks_passed"),
    "who_earns": ("sure", "losing", "at_risk", "pay_at_most"),
    "who_leaves": ("at_risk", "late", "in_doubt", "sure"),
}
"""The numbers that belong to each question, the first ones first; what a run does not have is left out, and those of
every run follow."""
