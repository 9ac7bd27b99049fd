"""What a reader sees first: what failed, the answer, and four numbers, each with a range and a link. All computed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures import checks, data_cleaning, model_comparison, p_alive, payback, phrases, tracking
from clvmodels.figures.figure import row_of, rows_of
from clvmodels.figures.top_odds import counts
from clvmodels.figures.total_value import value_of
from clvmodels.metrics.checks import value_and_limit
from clvmodels.metrics.compare import SAME
from clvmodels.report import totals
from clvmodels.report.questions import NUMBERS_OF, QUESTIONS
from clvmodels.report.stored import Stored
from clvmodels.results.folder import About

MOST_SENTENCES, MOST_NUMBERS = 3, 4
ANSWER_WORDS, FAILURE_WORDS = 45, 35
PURCHASES = "held_out_total"
TOTALS = (PURCHASES, "money_total")
"""Checks of a total, which are told as what came and what was forecast."""
AND_MORE = "And {} more."


class Answer(NamedTuple):
    """One of the four numbers."""

    title: str
    value: str
    note: str
    target: str
    link: str


# ---------------------------------------------------------------------------------------------- what failed


def failures(stored: Stored) -> tuple[str, str] | None:
    """How many checks failed, and what: at most 35 words, the recommended entry's first; None when none failed."""
    table = stored.tables.get("checks", pd.DataFrame(columns=["result"]))
    failed = rows_of(table, result="failed")
    if failed.empty:
        return None
    count = f"{len(failed)} of {words.counted(len(table), 'check')} failed."
    by_check = [rows for _, rows in failed.groupby(["code", "check"], sort=False)]
    sentences = [_failure(by_check[0], stored.about, FAILURE_WORDS)]
    rows_named = len(by_check[0])
    for rows in by_check[1:]:
        room = FAILURE_WORDS - _length(sentences)
        sentence = _failure(rows, stored.about, room)
        if _length([sentence]) > room:
            break
        sentences.append(sentence)
        rows_named += len(rows)
    left = len(failed) - rows_named
    if left and _length([*sentences, AND_MORE]) <= FAILURE_WORDS:
        sentences.append(AND_MORE.format(left))
    return count, shorten(" ".join(sentences), FAILURE_WORDS)


def _length(sentences: list[str]) -> int:
    """In words."""
    return len(" ".join(sentences).split())


def _failure(rows: pd.DataFrame, about: About, room: int) -> str:
    """One check that failed, for one entry or for several: what, where, found and limit, what not to do.

    Where this takes more words than there is room for, found and limit are left to the table of checks.
    """
    first = rows.iloc[0]
    title = words.capital(words.label(first.check, 90)) + _entries(rows, about)
    found, limit = value_and_limit(first)
    consequence = checks.consequence(first)
    if first.code in TOTALS and found:
        return f"{_came(first, about, found, limit)}{_entries(rows, about)}. {consequence}".strip()
    full = f"{title}: {found}, limit {limit}. {consequence}" if found else f"{title}. {consequence}"
    if _length([full]) <= room:
        return full.strip()
    return f"{title}. {consequence}".strip()


def _came(check: pd.Series, about: About, found: str, limit: str) -> str:
    """A total that failed its check, as a sentence: what came, and what was forecast."""
    if check.code == PURCHASES:
        return f"{found} held-out purchases came, {limit} were forecast"
    return f"{words.with_currency(found, about.currency)} of held-out money came, {limit} was forecast"


def _entries(rows: pd.DataFrame, about: About) -> str:
    """In brackets the entry, or the first of several."""
    first = rows.iloc[0]
    if first.entry not in about.entries:
        return ""
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f" ({checks.entry_label(first, about, 24)}{others})"


def shorten(text: str, most: int) -> str:
    """A text of at most so many words."""
    pieces = text.split(" ")
    if len(pieces) <= most:
        return text
    return " ".join(pieces[:most]).rstrip(".,;:") + words.ELLIPSIS


# ---------------------------------------------------------------------------------------------- the answer


def answer(stored: Stored) -> str:
    """The answer to the experiment's question: at most three sentences, as many as fit into 45 words, of what the run
    has; where that does not answer it, what is said of every run."""
    sentences: list[str] = []
    for sentence in list(QUESTIONS[stored.about.question](stored)) or _sentences(stored):
        fits = not sentences or _length([*sentences, sentence]) <= ANSWER_WORDS
        if fits and len(sentences) < MOST_SENTENCES:
            sentences.append(sentence)
    if not sentences:
        customers = words.counted(stored.about.customers, "customer was", "customers were")
        sentences = [f"{customers} modelled by {entry_label(stored.about)}."]
    return " ".join(sentences)


def _sentences(stored: Stored) -> Iterator[str]:
    tables, about = stored.tables, stored.about
    value = total_value(tables)
    total_is_broken = value is not None and totals.is_broken(stored)
    if total_is_broken:
        who = words.counted(about.customers, "customer")
        yield f"What the {who} will earn {totals.NOT_TOLD}: {totals.instead(stored)}."
    elif value is not None:
        ends = words.span(value.q5, value.q95, currency=about.currency)
        yield (
            f"The {words.counted(about.customers, 'customer')} will earn **{ends}** of {phrases.gain(about)} in "
            f"{phrases.horizon(about)} (90% probability)."
        )
    if "top_odds" in tables:
        best = counts(tables["top_odds"])
        if wrongly := totals.named_wrongly(stored):
            yield f"Who is among the best {words.count(best['top'])} {totals.NOT_TOLD}: {wrongly}."
        else:
            yield f"{words.counted(best['sure'], 'is', 'are')} surely among the best {words.count(best['top'])}."
    if "tracking" in tables and not total_is_broken:  # the holdout's money was told already
        purchases = row_of(tables["tracking"].total)
        came = words.counted(purchases.actual, "purchase")
        forecast = words.count_span(purchases.q5, purchases.q95)
        yield f"In {phrases.window(about)} held out, {came} came; the forecast was {forecast}."
    if "p_alive" in tables:
        alive = tables["p_alive"]
        share, customers = p_alive.share_in_doubt(alive), p_alive.of_whom(alive)
        yield f"{share} of {customers} are in doubt: gone, or only silent.{p_alive.without_answer(alive)}"


def total_value(tables: dict[str, Any]) -> pd.Series | None:
    """Quantiles of what the base will earn, where that was computed."""
    return value_of(tables["total_value"]) if "total_value" in tables else None


def entry_label(about: About) -> str:
    """The recommended entry, as it is called."""
    return words.label(about.entries.get(about.recommended, about.recommended), 40)


# ---------------------------------------------------------------------------------------------- the four numbers


def answers(stored: Stored) -> list[Answer]:
    """The first four numbers that this run has."""
    of_question = [BY_NAME[name] for name in NUMBERS_OF[stored.about.question]]
    numbers = (number(stored) for number in dict.fromkeys((*of_question, *NUMBERS)))
    return [number for number in numbers if number is not None][:MOST_NUMBERS]


def _worth(stored: Stored) -> Answer | None:
    value, about = total_value(stored.tables), stored.about
    if value is None or totals.is_broken(stored):
        return None
    middle = words.money(value.q50, about.currency, words.width_step(value.q5, value.q95))
    title = f"{words.capital(phrases.gain(about))} in {phrases.horizon(about)}"
    ends = words.compact_span(value.q5, value.q95, about.currency)
    return Answer(title, ends, f"90% interval; middle {middle}.", "total_value", "Chances")


def _sure(stored: Stored) -> Answer | None:
    if "top_odds" not in stored.tables:
        return None
    best = counts(stored.tables["top_odds"])
    title = f"Surely in the {phrases.top(stored.about)}"
    if wrongly := totals.named_wrongly(stored):
        return Answer(title, "not told", f"{words.capital(wrongly)}.", "top_odds", "Who")
    note = f"{words.count(best['doubt'])} more cannot be told apart."
    return Answer(title, f"{words.count(best['sure'])} of {words.count(best['top'])}", note, "top_odds", "Who")


def _losing(stored: Stored) -> Answer | None:
    if "losses" not in stored.tables:
        return None
    lost = row_of(stored.tables["losses"].together)
    again = words.count_span(lost.q5, lost.q95)
    note = f"{again} of them will in {phrases.horizon(stored.about)} too (90%)."
    return Answer("Have lost money", f"{words.count(lost.customers)} of {words.count(lost.of)}", note, "losses", "Why")


def _at_risk(stored: Stored) -> Answer | None:
    if "leaving" not in stored.tables:
        return None
    whole, about = row_of(stored.tables["leaving"].together), stored.about
    amount = words.with_currency(words.compact(whole.at_risk, words.value_step(whole.at_risk, 2)), about.currency)
    note = f"half of it with {words.counted(whole.half, 'customer')}."
    within = words.duration(float(whole.within), about.time_unit)
    return Answer(f"Worth at risk in {within}", amount, note, "leaving", "Who")


def _late(stored: Stored) -> Answer | None:
    if "leaving" not in stored.tables:
        return None
    whole = row_of(stored.tables["leaving"].together)
    note = f"of {words.count(whole.in_doubt)} it is in doubt whether they left."
    return Answer(
        "Late for their rhythm", f"{words.count(whole.late)} of {words.count(whole.customers)}", note, "leaving", "Who"
    )


def _pay_at_most(stored: Stored) -> Answer | None:
    tables, title = stored.tables.get("payback"), "Pay at most for a customer"
    if tables is None:
        return None
    if payback.is_withheld(tables):
        parts = words.counted(len(tables.alike), "part")
        note = f"{parts} of value {words.agreeing(len(tables.alike), 'takes', 'take')} all channels as alike."
        return Answer(title, "not told", note, "payback", "Why")
    past = totals.failed(stored, "payback_past")
    if past is not None:
        note = f"past customers made what is told in {words.count(past.value)} of {words.count(past.of)} channels."
        return Answer(title, "not told", note, "payback", "Why")
    dear, channels = len(payback.too_dear(tables)), words.counted(len(tables.channels), "channel")
    cost = words.agreeing(dear, "costs", "cost")
    note = f"by channel; {dear or 'none'} of {channels} {cost} more now."
    return Answer(title, payback.most_paid(tables, stored.about), note, "payback", "Channels")


def _held_out_money(stored: Stored) -> Answer | None:
    row = totals.sold(stored)
    if row is None:
        return None
    side = "inside" if row.side == "inside" else "outside"
    step = words.width_step(row.q5, row.q95)
    came = words.with_currency(words.compact(row.actual, step), stored.about.currency)
    note = f"forecast {words.compact_span(row.q5, row.q95)} (90%): {side}."
    return Answer(f"Held-out {row.money}", came, note, "money_total", "Money")


def _held_out(stored: Stored) -> Answer | None:
    tables = stored.tables.get("tracking")
    if tables is None:
        return None
    purchases = row_of(tables.total)
    side = "inside" if purchases.side == "inside" else "outside"
    note = f"forecast {words.count_span(purchases.q5, purchases.q95)} (90%): {side}."
    link = words.capital(tracking.period_name(tables)) + "s"
    return Answer("Held-out purchases", words.count(purchases.actual), note, "tracking", link)


def _best_model(stored: Stored) -> Answer | None:
    table = stored.tables.get("model_comparison")
    if table is None:
        return None
    rivals = len(model_comparison.verdicts(table)[SAME])
    worse = "The others predict worse." if len(table) > 2 else "The other predicts worse."
    note = f"{words.counted(rivals, 'other')} as good within noise." if rivals else worse
    title = "Best forecast" if stored.about.holdout else "Best prediction"
    return Answer(title, entry_label(stored.about), note, "model_comparison", "Compare")


def _in_doubt(stored: Stored) -> Answer | None:
    if "p_alive" not in stored.tables:
        return None
    table = stored.tables["p_alive"]
    customers = p_alive.of_whom(table)
    note = "10 to 90% likely to be there." if customers == "customers" else f"Of {customers}: 10 to 90% likely there."
    return Answer("Customers in doubt", p_alive.share_in_doubt(table), note, "p_alive", "Who")


def _rows_used(stored: Stored) -> Answer | None:
    if "data_cleaning" not in stored.tables:
        return None
    used, read = data_cleaning.used(stored.tables["data_cleaning"].account)
    note = f"{words.count(used)} of {words.count(read)}."
    return Answer("Rows used", words.share(used, read), note, "data_cleaning", "Why")


def _checks_passed(stored: Stored) -> Answer | None:
    if "checks" not in stored.tables:
        return None
    tally = checks.tally(stored.tables["checks"])
    note = f"{tally['failed']} failed, {tally['look']} to look at."
    return Answer("Checks passed", f"{tally['passed']} of {sum(tally.values())}", note, "checks", "All")


def _customers(stored: Stored) -> Answer:
    note = f"{words.counted(stored.about.transactions, 'purchase')}."
    return Answer("Customers", words.count(stored.about.customers), note, "reproduce", "Run")


BY_NAME = {
    "worth": _worth,
    "sure": _sure,
    "losing": _losing,
    "at_risk": _at_risk,
    "late": _late,
    "pay_at_most": _pay_at_most,
    "best_model": _best_model,
    "held_out": _held_out,
    "in_doubt": _in_doubt,
    "checks_passed": _checks_passed,
}
"""Those that a question may ask for (`questions.NUMBERS_OF`)."""
NUMBERS = (
    _worth,
    _sure,
    _pay_at_most,
    _held_out_money,
    _held_out,
    _best_model,
    _in_doubt,
    _rows_used,
    _checks_passed,
    _customers,
)
"""The first four that a run has are shown."""
