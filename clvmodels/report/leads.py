"""The sentences that carry the report: the answer, the four numbers, the chapters' leads, the limits. All computed."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from clvmodels import words
from clvmodels.figures import (
    checks,
    data_cleaning,
    model_comparison,
    payback,
    phrases,
    tracking,
    value_parts,
)
from clvmodels.figures.concentration import share_range
from clvmodels.figures.figure import row_of, rows_of
from clvmodels.figures.top_odds import counts
from clvmodels.metrics.checks import told
from clvmodels.report.stored import Stored
from clvmodels.results.folder import About

FAILURE_WORDS = 35
AND_MORE = "And {} more."
JUDGED = (
    ("tracking", "held_out_total", "the total"),
    ("tracking", "periods_inside", "the {unit}s"),
    ("calibration", "groups_inside", "groups by past frequency"),
    ("pit", "pit_band", "single customers"),
)
"""What the forecast is judged for: the figure that shows it, the check that decides, its name in a sentence."""


class Answer(NamedTuple):
    """One of the first screen's four numbers."""

    title: str
    value: str
    note: str
    target: str
    link: str


def _total(tables: dict[str, pd.DataFrame]) -> pd.Series | None:
    table = tables.get("total_value")
    return None if table is None else row_of(table, kind="total", series="realised")


def answer(stored: Stored) -> str:
    """The answer: at most three sentences."""
    tables, about = stored.tables, stored.about
    said: list[str] = []
    total = _total(tables)
    if total is not None:
        ends = words.span(total.q5, total.q95, currency=about.currency)
        said.append(
            f"The {words.count(about.customers)} customers will earn **{ends}** of {phrases.gain(about)} in "
            f"{phrases.horizon(about)} (90% probability)."
        )
    if "top_odds" in tables:
        n = counts(tables["top_odds"])
        are = "is" if n["sure"] == 1 else "are"
        said.append(f"{words.count(n['sure'])} {are} surely among the best {words.count(n['top'])}.")
    if "tracking" in tables:
        row = row_of(tables["tracking"], kind="total")
        said.append(
            f"In {phrases.window(about)} held out, {words.count(row.actual)} purchases came; the forecast was "
            f"{words.count_span(row.q5, row.q95)}."
        )
    if len(said) < 3 and "p_alive" in tables:
        said.append(f"{_doubt(tables['p_alive'])} of customers are in doubt: gone, or only silent.")
    if not said:
        said.append(f"{words.count(about.customers)} customers were modelled by {_label(about)}.")
    return " ".join(said[:3])


def _doubt(table: pd.DataFrame) -> str:
    shares = rows_of(table, kind="share")
    return words.share(row_of(shares, level="doubt").customers, shares.customers.sum())


def answers(stored: Stored) -> list[Answer]:
    """The first four numbers that this run has."""
    makers = (_worth, _sure, _held_out, _best_model, _alive, _rows, _passed, _base)
    found = (maker(stored) for maker in makers)
    return [one for one in found if one is not None][:4]


def _worth(stored: Stored) -> Answer | None:
    total, about = _total(stored.tables), stored.about
    if total is None:
        return None
    middle = words.money(total.q50, about.currency, words.width_step(total.q5, total.q95))
    title = f"{words.capital(phrases.gain(about))} in {phrases.horizon(about)}"
    value = words.compact_span(total.q5, total.q95, about.currency)
    return Answer(title, value, f"90% interval; middle {middle}.", "total_value", "Chances")


def _sure(stored: Stored) -> Answer | None:
    if "top_odds" not in stored.tables:
        return None
    n = counts(stored.tables["top_odds"])
    note = f"{words.count(n['doubt'])} more cannot be told apart."
    value = f"{words.count(n['sure'])} of {words.count(n['top'])}"
    return Answer(f"Surely in the {phrases.top(stored.about)}", value, note, "top_odds", "Who")


def _held_out(stored: Stored) -> Answer | None:
    table = stored.tables.get("tracking")
    if table is None:
        return None
    row = row_of(table, kind="total")
    side = "inside" if tracking.total_side(table) == "inside" else "outside"
    note = f"forecast {words.count_span(row.q5, row.q95)} (90%): {side}."
    link = words.capital(tracking.each(table)) + "s"
    return Answer("Held-out purchases", words.count(row.actual), note, "tracking", link)


def _best_model(stored: Stored) -> Answer | None:
    table = stored.tables.get("model_comparison")
    if table is None:
        return None
    same = len(model_comparison.verdicts(table)["same within noise"])
    note = f"{words.counted(same, 'other')} as good within noise." if same else "The others predict worse."
    title = "Best forecast" if stored.about.holdout else "Best prediction"
    return Answer(title, _label(stored.about), note, "model_comparison", "Compare")


def _alive(stored: Stored) -> Answer | None:
    if "p_alive" not in stored.tables:
        return None
    return Answer(
        "Customers in doubt", _doubt(stored.tables["p_alive"]), "10 to 90% likely to be there.", "p_alive", "Who"
    )


def _rows(stored: Stored) -> Answer | None:
    if "data_cleaning" not in stored.tables:
        return None
    kept, read = data_cleaning.used(stored.tables["data_cleaning"])
    note = f"{words.count(kept)} of {words.count(read)}."
    return Answer("Rows used", words.share(kept, read), note, "data_cleaning", "Why")


def _passed(stored: Stored) -> Answer | None:
    if "checks" not in stored.tables:
        return None
    n = checks.tally(stored.tables["checks"])
    note = f"{n['failed']} failed, {n['look']} to look at."
    return Answer("Checks passed", f"{n['passed']} of {sum(n.values())}", note, "checks", "All")


def _base(stored: Stored) -> Answer:
    note = f"{words.count(stored.about.transactions)} purchases."
    return Answer("Customers", words.count(stored.about.customers), note, "reproduce", "Run")


def _label(about: About) -> str:
    return words.label(about.entries.get(about.recommended, about.recommended), 40)


def failures(stored: Stored) -> tuple[str, str] | None:
    """How many checks failed, and what: at most 35 words, the recommended entry's first; None when none failed."""
    table = stored.tables.get("checks", pd.DataFrame(columns=["result"]))
    failed = rows_of(table, result="failed")
    if failed.empty:
        return None
    count = f"{len(failed)} of {words.counted(len(table), 'check')} failed."
    of_one_check = [rows for _, rows in failed.groupby(["code", "check"], sort=False)]
    sentences = [_failure(of_one_check[0], stored.about, FAILURE_WORDS)]
    named = len(of_one_check[0])
    for rows in of_one_check[1:]:
        room = FAILURE_WORDS - _length(sentences)
        sentence = _failure(rows, stored.about, room)
        if len(sentence.split()) > room:
            break
        sentences.append(sentence)
        named += len(rows)
    if named < len(failed) and _length(sentences) <= FAILURE_WORDS - len(AND_MORE.split()):
        sentences.append(AND_MORE.format(len(failed) - named))
    return count, shorten(" ".join(sentences), FAILURE_WORDS)


def _length(sentences: list[str]) -> int:
    """In words."""
    return len(" ".join(sentences).split())


def _failure(rows: pd.DataFrame, about: About, room: int) -> str:
    """One check that failed, for one entry or for several: what, where, found and limit, what not to do.

    Where this takes more words than there is room for, found and limit are left to the table of checks.
    """
    first = rows.iloc[0]
    title = words.capital(words.label(first.check, 60)) + _where(rows, about)
    found, limit = told(first)
    numbers = f": {found}, limit {limit}" if found else ""
    whole, short = (f"{title}{middle}. {checks.consequence(first)}".strip() for middle in (numbers, ""))
    return whole if len(whole.split()) <= room else short


def _where(rows: pd.DataFrame, about: About) -> str:
    """In brackets the entry, or the first of several."""
    first = rows.iloc[0]
    if first.entry not in about.entries:
        return ""
    others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
    return f" ({checks.entry_label(first, about, 24)}{others})"


def shorten(text: str, most: int) -> str:
    """A text of at most so many words."""
    parts = text.split(" ")
    return text if len(parts) <= most else " ".join(parts[:most]).rstrip(".,;:") + words.ELLIPSIS


def worth(stored: Stored) -> str:
    total, tables, about = _total(stored.tables), stored.tables, stored.about
    said = []
    if total is not None:
        ends = words.span(total.q5, total.q95, currency=about.currency)
        said.append(f"the base will earn {ends} in {phrases.horizon(about)} (90%)")
    if "concentration" in tables:
        held = share_range(row_of(tables["concentration"], kind="top", series="expected"))
        said.append(f"the best {words.rate(about.top_share)} of customers carry {held} of what is expected")
    sentences = [f"{words.capital('; '.join(said))}."] if said else []
    if "value_parts" in tables:
        most = value_parts.largest(tables["value_parts"])
        sentences += [f"Largest cost: {value_parts.title(most)}."] if most.kind == "part" else []
    return " ".join(sentences)


def best(stored: Stored) -> str:
    said = "A place in the list is a range, not a number."
    if "top_odds" not in stored.tables:
        return said
    n = counts(stored.tables["top_odds"])
    luck = counts(stored.tables["top_odds"], "realised")["sure"]
    return (
        f"{words.counted(n['sure'], 'customer')} {'is' if n['sure'] == 1 else 'are'} surely among the best "
        f"{words.rate(stored.about.top_share)} by what is expected of them; {words.count(luck)} by what "
        f"{phrases.horizon(stored.about)} will bring, luck included."
    )


def spend(stored: Stored) -> str:
    table = stored.tables.get("payback")
    return "What may be spent, and on whom." if table is None else payback.lead(table, stored.about)


def trust(stored: Stored) -> str:
    """What holds on data that no model saw, and what fails, each by its check."""
    window = phrases.window(stored.about)
    judged = _judged(stored)
    holding, failing = ([name for name, result in judged if result == wanted] for wanted in ("passed", "failed"))
    if not judged and not stored.about.holdout:
        return "Nothing was held out: what follows compares how well each history is predicted from all others."
    if not judged:
        return f"What follows was judged on {window} that no model saw."
    start = f"On {window} that no model saw, the forecast"
    if not failing:
        return f"{start} holds for {words.listing(holding)}."
    if not holding:
        return f"{start} fails for {words.listing(failing)}."
    return f"{start} holds for {words.listing(holding)}; it fails for {words.listing(failing)}."


def _judged(stored: Stored) -> list[tuple[str, str]]:
    """Of the chapter's figures, what each is about and the result of its check of the recommended entry."""
    tables = stored.tables
    table = tables.get("checks", pd.DataFrame(columns=["code", "entry", "result"]))
    results = rows_of(table, entry=stored.about.recommended).set_index("code")["result"]
    judged = []
    for figure, code, name in JUDGED:
        if figure in tables and results.get(code) in ("passed", "failed"):
            unit = tracking.each(tables[figure]) if figure == "tracking" else ""
            judged.append((name.format(unit=unit), results[code]))
    return judged


def strategy(stored: Stored) -> str:
    """What grew or shrank, and what a new customer costs."""
    tables, about, said = stored.tables, stored.about, []
    if "kpi_base_value" in tables:
        totals = rows_of(tables["kpi_base_value"], level="total")
        first, last = totals.iloc[0], totals.iloc[-1]
        change = "stayed within its range"
        if last.q5 > first.q95 or last.q95 < first.q5:
            change = "grew" if last.q5 > first.q95 else "shrank"
        if len(totals) > 1:
            said.append(
                f"from {words.date(first.date)} to {words.date(last.date)} the expected worth of the base {change}"
            )
    if "kpi_win_keep" in tables:
        whole = row_of(tables["kpi_win_keep"], by="all")
        if pd.notna(whole.win):
            cost = words.money(whole.win, about.currency, words.value_step(whole.win, 3))
            said.append(f"a new customer cost {cost} to win")
    said = said or ["what the tables tell of each period, counted and not modelled"]
    return f"{words.capital('; '.join(said))}."


def data(stored: Stored) -> str:
    return data_cleaning.lead(stored.tables["data_cleaning"], stored.about)


def model(stored: Stored) -> str:
    about = stored.about
    said = f"The numbers come from {_label(about)}"
    table = stored.tables.get("model_comparison")
    if table is not None:
        others = words.counted(len(table) - 1, "other entry", "other entries")
        judged = "on held-out purchases" if about.holdout else "by leave-one-out scores"
        said += f", the best of {len(table)} {judged}" if len(table) > 2 else f", better than {others}"
    if about.value_at and about.holdout and about.value_at != about.calibration_end:
        said += f", fitted again on all data to {words.date(about.value_at)}"
    return said + "."


def limits(stored: Stored) -> list[str]:
    """What the numbers do not say."""
    about, tables = stored.about, stored.tables
    said = []
    if "total_value" in tables:
        said.append(
            "They are forecasts of present customers under present prices and service; customers won later are not in "
            "the totals."
        )
        said += _costs(about)
        if about.horizon and about.holdout and about.horizon > about.holdout:
            said.append(
                f"Value looks {phrases.horizon(about)} ahead; the forecast was judged over {phrases.window(about)}."
            )
        said.append("A customer's spend per purchase is taken as independent of how often the customer buys.")
    if not about.holdout:
        said.append("Nothing was held out: how well the model forecasts is not known from this run.")
    trend = "no season and no trend: whole years are little affected, single weeks and months are"
    if about.time != "continuous":
        trend = f"no trend: a {about.time_unit} that is good or bad for all comes as a surprise"
    said.append(f"The model knows {trend}.")
    if "group_effects" in tables:
        said.append("Differences between groups are associations, not effects of belonging to a group.")
        if "covariate" in set(tables["group_effects"]["kind"]):
            said.append("What differs with satisfaction, complaints or other covariates is associated with them only.")
    if about.time != "renewals":
        said.append("That a customer has left is never observed; it is inferred from silence.")
    return said


def _costs(about: About) -> list[str]:
    """What profit is, what is subtracted, and what is not."""
    if phrases.gain(about) == "revenue":
        return []
    margin = "each customer's own share" if about.margin is None else words.rate(about.margin)
    told = [COSTS[name] for name in phrases.subtracted(about)]
    left = [text for name, text in COSTS.items() if name not in about.parts] + ["what it cost to win customers"]
    less = f" less {words.listing(told)}" if told else ""
    said = (
        f"Profit is {margin} of sales{less}: {words.listing(left)} {'are' if len(left) > 1 else 'is'} not subtracted."
    )
    return [said]


COSTS = {
    "returns": "returns",
    "fulfilment": "fulfilment",
    "service": "service",
    "payments": "payments",
    "retention": "retention marketing",
}
"""The parts of value that are costs, in words."""
LEADS = {
    "worth": worth,
    "best": best,
    "spend": spend,
    "strategy": strategy,
    "trust": trust,
    "data": data,
    "model": model,
}
