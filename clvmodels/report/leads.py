"""What each chapter begins with, and what the numbers do not say. All computed."""

from __future__ import annotations

import pandas as pd

from clvmodels import words
from clvmodels.figures import (
    concentration,
    data_cleaning,
    leaving,
    model_comparison,
    p_alive,
    payback,
    phrases,
    tracking,
    value_parts,
)
from clvmodels.figures.concentration import share_range
from clvmodels.figures.figure import row_of, rows_of
from clvmodels.figures.top_odds import counts
from clvmodels.report import totals
from clvmodels.report.first_screen import entry_label, total_value
from clvmodels.report.stored import Stored
from clvmodels.results.folder import About

JUDGED = (
    ("tracking", ("held_out_total",), "the total"),
    ("tracking", ("periods_inside",), "the {unit}s"),
    ("calibration", ("groups_inside",), "groups by past frequency"),
    ("pit", ("pit_band", "pit_share", "pit_groups"), "single customers"),
    ("reliability", ("reliability_band",), "chances of buying again"),
    ("money_total", ("money_total",), "money in total"),
    ("money_fifths", ("money_fifths",), "money by fifths"),
    ("money_pit", ("money_pit", "money_pit_share", "money_crps"), "a customer's money"),
    ("money_capture", ("money_capture",), "the share that the best bring"),
    ("money_capture", ("best_named",), "the names of the best"),
)
"""What the forecast is judged for: the figure that shows it, the checks that decide, its name in a sentence. It holds
where none of them failed."""
COSTS = {
    "returns": "returns",
    "fulfilment": "fulfilment",
    "service": "service",
    "payments": "payments",
    "retention": "retention marketing",
}
"""The parts of value that are costs, in words: a report of a stored folder needs no models, so it asks no registry what
else could have been subtracted. What a run has beside these is told by the name of its part."""
PAID, FIRST_LEVEL = "paid", "first_level"
"""Parameters of a spend model: the mean share of purchases that bring money, and a first amount's level."""
WINNING = "what it cost to win customers"


def worth(stored: Stored) -> str:
    """What the base will earn, how few carry it, and the largest cost."""
    tables, about = stored.tables, stored.about
    clauses = []
    value = total_value(tables)
    if value is not None and totals.is_broken(stored):
        clauses.append(f"what the base will earn {totals.NOT_TOLD}: {totals.instead(stored)}")
    elif value is not None:
        ends = words.span(value.q5, value.q95, currency=about.currency)
        clauses.append(f"the base will earn {ends} in {phrases.horizon(about)} (90%)")
    if "concentration" in tables:
        share = share_range(concentration.top_of(tables["concentration"], "worth"))
        clauses.append(f"the best {words.rate(about.top_share)} of customers carry {share} of what all are worth")
    sentences = [_sentence(clauses)] if clauses else []
    if "value_parts" in tables:
        largest = value_parts.largest(tables["value_parts"])
        if largest.kind == "part":
            sentences.append(f"Largest cost: {value_parts.title(largest)}.")
    return " ".join(sentences)


def _sentence(clauses: list[str]) -> str:
    return f"{words.capital('; '.join(clauses))}."


def best(stored: Stored) -> str:
    """How many are surely among the best, by worth and by what luck leaves of it."""
    if "top_odds" not in stored.tables:
        return "A place in the list is a range, not a number."
    if wrongly := totals.named_wrongly(stored):
        return f"Who is surely among the best {totals.NOT_TOLD}: {wrongly}."
    sure = counts(stored.tables["top_odds"])["sure"]
    sure_by_luck = counts(stored.tables["top_odds"], "realised")["sure"]
    return (
        f"{words.counted(sure, 'customer is', 'customers are')} surely among the best "
        f"{words.rate(stored.about.top_share)} by their worth; {words.count(sure_by_luck)} by what "
        f"{phrases.horizon(stored.about)} will bring, luck included."
    )


def leave(stored: Stored) -> str:
    """How much worth is at risk; without worth, of how many it is not known whether they have left."""
    tables = stored.tables
    if "leaving" in tables:
        return leaving.lead(tables["leaving"], stored.about)
    alive = tables["p_alive"]
    return f"{p_alive.share_in_doubt(alive)} of {p_alive.of_whom(alive)} are in doubt: gone, or only silent."


def spend(stored: Stored) -> str:
    """What may be paid for a new customer."""
    tables = stored.tables.get("payback")
    if tables is None:
        return "What may be spent, and on whom."
    past = totals.failed(stored, "payback_past")
    if past is not None:
        channels = f"{words.count(past.value)} of {words.counted(past.of, 'channel')}"
        return f"What may be paid {totals.NOT_TOLD}: past customers made what is told of new ones in {channels} only."
    return payback.lead(tables, stored.about)


def strategy(stored: Stored) -> str:
    """What grew or shrank, and what a new customer costs."""
    tables, about = stored.tables, stored.about
    clauses = []
    if "kpi_base_value" in tables:
        totals = rows_of(tables["kpi_base_value"].values, level="total")
        first, last = totals.iloc[0], totals.iloc[-1]
        if len(totals) > 1:
            dates = f"from {words.date(first.date)} to {words.date(last.date)}"
            clauses.append(f"{dates} the expected value of the base {_change(first, last)}")
    if "kpi_win_keep" in tables:
        base = row_of(tables["kpi_win_keep"], by="all")
        if pd.notna(base.win):
            clauses.append(f"a new customer cost {words.money(base.win, about.currency)} to win")
    return _sentence(clauses or ["what the tables tell of each period, counted and not modelled"])


def _change(first: pd.Series, last: pd.Series) -> str:
    """A change is named where the middle of now lies outside of the 90% interval of then."""
    if last.q50 > first.q95:
        return "grew"
    if last.q50 < first.q5:
        return "shrank"
    return "stayed within its range"


def trust(stored: Stored) -> str:
    """What holds on data that no model saw, and what fails, each by its check."""
    window = phrases.window(stored.about)
    results = _results(stored)
    holding = [name for name, result in results if result == "passed"]
    failing = [name for name, result in results if result == "failed"]
    if not results and not stored.about.holdout:
        return "Nothing was held out: what follows compares how well each history is predicted from all others."
    if not results:
        return f"What follows was judged on {window} that no model saw."
    start = f"On {window} that no model saw, the forecast"
    if not failing:
        return f"{start} holds for {words.listing(holding)}."
    if not holding:
        return f"{start} fails for {words.listing(failing)}."
    return f"{start} holds for {words.listing(holding)}; it fails for {words.listing(failing)}."


def _results(stored: Stored) -> list[tuple[str, str]]:
    """Of the chapter's figures, what each is about and the result of its check of the recommended entry."""
    tables = stored.tables
    table = tables.get("checks", pd.DataFrame(columns=["code", "entry", "result"]))
    of_entry = rows_of(table, entry=stored.about.recommended)
    results = []
    for figure, codes, name in JUDGED:
        found = set(of_entry.loc[of_entry["code"].isin(codes), "result"])
        if figure in tables and found & {"passed", "failed"}:
            unit = tracking.period_name(tables[figure]) if figure == "tracking" else ""
            results.append((name.format(unit=unit), "failed" if "failed" in found else "passed"))
    return results


def data(stored: Stored) -> str:
    """How many rows were used."""
    return data_cleaning.lead(stored.tables["data_cleaning"], stored.about)


def model(stored: Stored) -> str:
    """Which entry the numbers come from, and why it."""
    about = stored.about
    lead = f"The numbers come from {entry_label(about)}"
    table = stored.tables.get("model_comparison")
    if table is not None:
        lead += _compared(len(table), about, model_comparison.is_of_money(table))
    if about.value_at and about.holdout and about.value_at != about.calibration_end:
        lead += f", fitted again on all data to {words.date(about.value_at)}"
    return f"{lead}.{_first_amounts(stored)}{_free_orders(stored)}"


def _free_orders(stored: Stored) -> str:
    """What is taken to be paid of the purchases to come, where some of the past were not; the sentence before it has
    ended."""
    share = _parameter(stored, PAID)
    if share is None:
        return ""
    middle = words.probability(share["q50"])
    interval = words.probability_span(share["q5"], share["q95"])
    return (
        f" Some past purchases brought no money: of those to come {middle} are taken to bring some "
        f"(90% interval {interval}), and free ones cost what they cost."
    )


def _first_amounts(stored: Stored) -> str:
    """What a first order brings beside later ones, where that differs; the sentence before it has ended."""
    level = _parameter(stored, FIRST_LEVEL)
    if level is None:
        return ""
    middle, interval = words.number(level["q50"], 0.01), words.span(level["q5"], level["q95"], step=0.01)
    return (
        f" First amounts have a level of their own: a first order brings {middle} times what a later one of the same "
        f"customer does (90% interval {interval})."
    )


def _parameter(stored: Stored, name: str) -> pd.Series | None:
    """The row of one parameter of the models that the numbers come from, where they have it."""
    parameters = stored.tables.get("parameters")
    if parameters is None:
        return None
    found = parameters[parameters["parameter"] == name]
    return None if found.empty else found.iloc[0]


def _compared(entries: int, about: About, with_money: bool) -> str:
    if entries > 2:
        judged_by = "on held-out purchases" if about.holdout else "by leave-one-out scores"
        judged_by += " and money" if with_money else ""
        return f", the best of {entries} {judged_by}"
    return ", better than 1 other entry"  # a comparison is of two or more


LEADS = {
    "worth": worth,
    "best": best,
    "leave": leave,
    "spend": spend,
    "strategy": strategy,
    "trust": trust,
    "data": data,
    "model": model,
}


def limits(stored: Stored) -> list[str]:
    """What the numbers do not say."""
    about, tables = stored.about, stored.tables
    sentences = _limits_of_value(about) if "total_value" in tables else []
    if not about.holdout:
        sentences.append("Nothing was held out: how well the model forecasts is not known from this run.")
    if about.totals == "backtested":
        sentences.append(
            "Totals are widened and moved by what the model's forecasts of earlier days missed by; single customers, "
            "groups and periods are told as the model has them."
        )
    trend = "no season and no trend: whole years are little affected, single weeks and months are"
    if about.time != "continuous":
        trend = f"no trend: a {about.time_unit} that is good or bad for all comes as a surprise"
    sentences.append(f"The model knows {trend}.")
    if "group_effects" in tables:
        sentences.append("Differences between groups are associations, not effects of belonging to a group.")
        if len(tables["group_effects"].covariates):
            sentences.append(
                "What differs with satisfaction, complaints or other covariates is associated with them only."
            )
    if about.time != "renewals":
        sentences.append("That a customer has left is never observed; it is inferred from silence.")
    return sentences


def _limits_of_value(about: About) -> list[str]:
    sentences = [
        "They are forecasts of present customers under present prices and service; customers won later are not in "
        "the totals."
    ]
    if phrases.gain(about) != "revenue":
        sentences.append(_profit(about))
    if about.horizon and about.holdout and about.horizon > about.holdout:
        ahead, judged_over = phrases.horizon(about), phrases.window(about)
        sentences.append(f"Value looks {ahead} ahead; the forecast was judged over {judged_over}.")
    sentences.append("A customer's spend per purchase is taken as independent of how often the customer buys.")
    return sentences


def _profit(about: About) -> str:
    """What profit is, what is subtracted, and what is not."""
    margin = "each customer's own share" if about.margin is None else words.rate(about.margin)
    subtracted = [COSTS.get(name, name) for name in phrases.subtracted(about)]
    less = f" less {words.listing(subtracted)}" if subtracted else ""
    left_out = [title for name, title in COSTS.items() if name not in about.parts]
    left_out.append(WINNING)
    are = words.agreeing(len(left_out), "is", "are")
    return f"Profit is {margin} of sales{less}: {words.listing(left_out)} {are} not subtracted."
