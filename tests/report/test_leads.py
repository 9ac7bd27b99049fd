"""The sentences that carry the report, each of a tiny run whose numbers are known (`fakes.tiny`)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import pandas as pd
import pytest
from fakes.run import about, check_row
from fakes.says import cases_of, plain, stored
from fakes.tiny import forecast_run, made, money, money_run, worth_run

from clvmodels.config.experiment import Question
from clvmodels.figures import FIGURES, phrases
from clvmodels.figures.payback import most_paid
from clvmodels.metrics import check_rows, checks, money_check_rows
from clvmodels.report import first_screen, leads, questions, totals
from clvmodels.report.stored import Stored
from clvmodels.valuation.parts import CREDIT, PARTS

SHARES = {"returns": -0.3, "service": -0.2}


def of(run, *names: str, **told) -> Stored:
    """A stored folder with these figures of a run; `told` is said of the run otherwise."""
    return Stored(replace(run.about, **told), {name: stored(FIGURES[name].table(run)) for name in names})


def of_case(figure: str, title: str, **told) -> Stored:
    """A stored folder with one figure, of a case of its test."""
    return of(cases_of(figure)[title].run(), figure, **told)


def both(one: Stored, *others: Stored, **told) -> Stored:
    """A stored folder with the figures of several."""
    tables = {name: table for part in (one, *others) for name, table in part.tables.items()}
    return Stored(replace(one.about, **told), tables)


def judged(run, *names: str) -> Stored:
    """A stored folder with these figures of a run, and the checks of its forecast."""
    judgement = run.judgement
    rows = [
        check_rows.held_out_total(judgement),
        check_rows.periods_inside(judgement, "week"),
        check_rows.groups_inside(judgement),
        check_rows.pit_band(judgement),
    ]
    for kind in judgement.judged.money.values():
        rows += [money_check_rows.money_total(kind), money_check_rows.money_fifths(kind)]
        rows += money_check_rows.of_customers(kind)
    found = of(run, *names)
    found.tables["checks"] = checks.as_table([row._replace(entry=run.recommended) for row in rows])
    return found


def nothing(**told) -> Stored:
    return Stored(about(**{"customers": 10, **told}), {})


def failing(*rows: checks.CheckRow) -> Stored:
    """A stored folder of checks."""
    return Stored(about(), {"checks": stored(checks.as_table(rows))})


MONEY, HELD = of(money_run(), "money_total"), of(money_run({"spend": money()["spend"]}), "money_total")
"""Money that missed its forecast, and money that did not."""
LOST = check_row("money_total", "failed", "pareto", "do not plan profit with it", value=1.0, at_least=2.0, at_most=3.0)
WORTH, FORECAST = of(worth_run(), "total_value", "top_odds", "concentration"), of(forecast_run(), "tracking")
SURE = of_case("top_odds", "seventy, by curves")
ALIVE = of(forecast_run(), "p_alive")

ANSWERS = {  # what is stored, the answer, and the numbers of the first screen
    "value, ranks and a holdout": (
        both(WORTH, FORECAST, holdout=4.0),
        (
            "The 10 customers will earn **EUR 460 to 640** of profit in 52 weeks (90% probability). 1 is "
            "surely among the best 2. In 4 weeks held out, 72 purchases came; the forecast was 42 to 78."
        ),
        [
            ("Profit in 52 weeks", "EUR 460 to 640", "90% interval; middle EUR 550.", "total_value", "Chances"),
            ("Surely in the top 20%", "1 of 2", "2 more cannot be told apart.", "top_odds", "Who"),
            ("Held-out purchases", "72", "forecast 42 to 78 (90%): inside.", "tracking", "Weeks"),
            ("Customers", "10", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "a total that failed its check": (
        both(WORTH, FORECAST, MONEY, holdout=4.0),
        (
            "What the 10 customers will earn cannot be told: in 4 weeks held out EUR 2,480 of profit came, 4,370 to "
            "5,230 was forecast. 1 is surely among the best 2."
        ),
        [
            ("Surely in the top 20%", "1 of 2", "2 more cannot be told apart.", "top_odds", "Who"),
            ("Held-out profit", "EUR 2,480", "forecast 4,370 to 5,230 (90%): outside.", "money_total", "Money"),
            ("Held-out purchases", "72", "forecast 42 to 78 (90%): inside.", "tracking", "Weeks"),
            ("Customers", "10", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "a total that held": (
        both(WORTH, HELD, holdout=4.0),
        "The 10 customers will earn **EUR 460 to 640** of profit in 52 weeks (90% probability). 1 is surely among "
        "the best 2.",
        [
            ("Profit in 52 weeks", "EUR 460 to 640", "90% interval; middle EUR 550.", "total_value", "Chances"),
            ("Surely in the top 20%", "1 of 2", "2 more cannot be told apart.", "top_odds", "Who"),
            ("Held-out spend", "EUR 12.4k", "forecast 10.9k to 13.1k (90%): inside.", "money_total", "Money"),
            ("Customers", "10", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "a total whose check failed, its money not stored": (
        both(of(worth_run(), "total_value"), failing(LOST), holdout=4.0),
        "What the 10 customers will earn cannot be told: the forecast of held-out money failed its check.",
        [
            ("Checks passed", "0 of 1", "1 failed, 0 to look at.", "checks", "All"),
            ("Customers", "10", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "nothing but who is alive": (
        ALIVE,
        "50.0% of customers are in doubt: gone, or only silent.",
        [
            ("Customers in doubt", "50.0%", "10 to 90% likely to be there.", "p_alive", "Who"),
            ("Customers", "40", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "several are sure": (
        SURE,
        "10 are surely among the best 14.",
        [
            ("Surely in the top 20%", "10 of 14", "10 more cannot be told apart.", "top_odds", "Who"),
            ("Customers", "70", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "a holdout, and who is alive": (
        both(FORECAST, ALIVE),
        (
            "In 4 weeks held out, 72 purchases came; the forecast was 42 to 78. 50.0% of customers are "
            "in doubt: gone, or only silent."
        ),
        [
            ("Held-out purchases", "72", "forecast 42 to 78 (90%): inside.", "tracking", "Weeks"),
            ("Customers in doubt", "50.0%", "10 to 90% likely to be there.", "p_alive", "Who"),
            ("Customers", "40", "31,842 purchases.", "reproduce", "Run"),
        ],
    ),
    "nothing": (
        nothing(),
        "10 customers were modelled by Pareto/NBD, by channel.",
        [("Customers", "10", "31,842 purchases.", "reproduce", "Run")],
    ),
}


@pytest.mark.parametrize(("found", "answer", "numbers"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer_and_its_numbers(found, answer, numbers):
    assert plain(first_screen.answer(found)) == answer
    assert [tuple(plain(text) for text in number) for number in first_screen.answers(found)] == numbers


def test_purchases_beyond_their_forecast_are_told_outside():
    tables = FORECAST.tables["tracking"]
    beyond = tables._replace(total=tables.total.assign(actual=90, side="above"))
    numbers = first_screen.answers(Stored(FORECAST.about, {"tracking": beyond}))
    assert tuple(plain(text) for text in numbers[0][1:3]) == ("90", "forecast 42 to 78 (90%): outside.")


EARNING = of(worth_run(so_far=made()), "total_value", "top_odds", "concentration", "losses", "leaving")

QUESTIONS = {  # what is stored, the kind of its question, the answer, and the titles and values of the numbers
    "who earns, and who costs": (
        EARNING,
        "who_earns",
        (
            "**1 customer is** surely among the best 2, who carry 48 to 62% of what all are worth. **3 of 10** have "
            "lost money so far; 1 of them will in 52 weeks too (90%)."
        ),
        [
            ("Surely in the top 20%", "1 of 2"),
            ("Have lost money", "3 of 10"),
            ("Worth at risk in 13 weeks", "EUR 150"),
            ("Profit in 52 weeks", "EUR 460 to 640"),
        ],
    ),
    "who leaves": (
        EARNING,
        "who_leaves",
        (
            "41.0% of all worth is at risk with customers who may have left in 13 weeks; half of that with 2 customers "
            "of 9."
        ),
        [
            ("Worth at risk in 13 weeks", "EUR 150"),
            ("Late for their rhythm", "2 of 9"),
            ("Surely in the top 20%", "1 of 2"),
            ("Profit in 52 weeks", "EUR 460 to 640"),
        ],
    ),
    "which model, undecided": (
        of_case("model_comparison", "three models"),
        "which_model",
        "It cannot be told: **Pareto/NBD, by channel** forecasts best, and BG/NBD is as good within noise.",
        [("Best forecast", "Pareto/NBD, by channel"), ("Customers", "3,000")],
    ),
}


@pytest.mark.parametrize(("found", "question", "answer", "numbers"), QUESTIONS.values(), ids=QUESTIONS)
def test_the_question_of_the_experiment_is_answered_first(found, question, answer, numbers):
    asked = replace(found, about=replace(found.about, question=question))
    told = plain(first_screen.answer(asked))
    assert told == answer
    assert len(told.split()) <= 45
    assert [(plain(number.title), plain(number.value)) for number in first_screen.answers(asked)] == numbers


def test_a_model_that_is_best_beyond_noise_is_named():
    alone = of_case("model_comparison", "three models", question="which_model")
    alone.tables["model_comparison"].loc[1, "verdict"] = "worse"
    assert plain(first_screen.answer(alone)) == "**Pareto/NBD, by channel** forecasts best; the 2 others are worse."


def test_every_kind_of_question_can_be_asked():
    assert set(get_args(Question)) == set(questions.QUESTIONS) == set(questions.NUMBERS_OF)
    assert set().union(*questions.NUMBERS_OF.values()) <= set(first_screen.BY_NAME)
    for question in questions.QUESTIONS:
        assert first_screen.answer(nothing(question=question))


LEADS = {  # of each chapter: what is stored, and its sentence
    ("worth", "with costs"): (
        of(worth_run(shares=SHARES), "total_value", "concentration", "value_parts"),
        (
            "The base will earn EUR 460 to 640 in 52 weeks (90%); the best 20% of customers carry 48 to "
            "62% of what all are worth. Largest cost: returns."
        ),
    ),
    ("worth", "without costs"): (of(worth_run(credit=20.0), "value_parts"), ""),
    ("worth", "the total alone"): (
        of(worth_run(), "total_value"),
        "The base will earn EUR 460 to 640 in 52 weeks (90%).",
    ),
    ("worth", "a total that failed its check"): (
        both(of(worth_run(), "total_value", "concentration"), MONEY, holdout=4.0),
        (
            "What the base will earn cannot be told: in 4 weeks held out EUR 2,480 of profit came, 4,370 to 5,230 was "
            "forecast; the best 20% of customers carry 48 to 62% of what all are worth."
        ),
    ),
    ("worth", "nothing"): (nothing(), ""),
    ("best", "one is sure"): (
        WORTH,
        ("1 customer is surely among the best 20% by their worth; 0 by what 52 weeks will bring, luck included."),
    ),
    ("best", "ten are sure"): (
        SURE,
        ("10 customers are surely among the best 20% by their worth; 2 by what 52 weeks will bring, luck included."),
    ),
    ("best", "nothing"): (nothing(), "A place in the list is a range, not a number."),
    ("leave", "worth at risk"): (
        of(worth_run(), "leaving"),
        (
            "41.0% of all worth is at risk with customers who may have left in 13 weeks; half of that with 2 "
            "customers of 9."
        ),
    ),
    ("leave", "without worth"): (ALIVE, "50.0% of customers are in doubt: gone, or only silent."),
    ("spend", "three channels"): (
        of_case("payback", "one sure, one late, one never"),
        (
            "Pay at most EUR 40 for a customer of E-mail and EUR 22 for a customer of Social. Search and "
            "Social cost more than that now."
        ),
    ),
    ("spend", "one channel"): (
        of_case("payback", "a small channel"),
        (
            "Pay at most EUR 40 for a customer of E-mail and EUR 1.2 for a customer of Shop. Shop costs "
            "more than that now."
        ),
    ),
    ("spend", "nothing"): (nothing(), "What may be spent, and on whom."),
    ("trust", "holds for some"): (
        judged(forecast_run(), "tracking", "calibration", "pit"),
        (
            "On 4 weeks that no model saw, the forecast holds for the total, the weeks and groups by "
            "past frequency; it fails for single customers."
        ),
    ),
    ("trust", "of money, too"): (
        judged(money_run(), "tracking", "money_total", "money_fifths", "money_pit"),
        (
            "On 4 weeks that no model saw, the forecast holds for the total and the weeks; it fails "
            "for money in total, money by fifths and a customer's money."
        ),
    ),
    ("trust", "holds for all"): (
        judged(forecast_run(), "tracking", "calibration"),
        ("On 4 weeks that no model saw, the forecast holds for the total, the weeks and groups by past frequency."),
    ),
    ("trust", "fails for all"): (
        judged(cases_of("tracking")["all too low"].run(), "tracking"),
        "On 4 weeks that no model saw, the forecast fails for the total and the weeks.",
    ),
    ("trust", "other figures"): (nothing(holdout=4.0), "What follows was judged on 4 weeks that no model saw."),
    ("trust", "nothing held out"): (
        nothing(holdout=None),
        ("Nothing was held out: what follows compares how well each history is predicted from all others."),
    ),
    ("strategy", "grown, won"): (
        both(
            of_case("kpi_base_value", "two dates, one left out"), of_case("kpi_win_keep", "by channel, the last year")
        ),
        (
            "From 30 June 2025 to 29 December 2025 the expected value of the base grew; a new customer "
            "cost EUR 12.0 to win."
        ),
    ),
    ("strategy", "one date, nobody won"): (
        both(of_case("kpi_base_value", "one date"), of_case("kpi_win_keep", "nobody won")),
        "What the tables tell of each period, counted and not modelled.",
    ),
    ("strategy", "nothing"): (nothing(), "What the tables tell of each period, counted and not modelled."),
    ("data", "one table"): (
        of_case("data_cleaning", "one table"),
        ("990 of 1,000 rows were used (99.0%). The dropped rows, each with its reason, are in dropped.csv."),
    ),
    ("data", "nothing dropped"): (
        of_case("data_cleaning", "nothing dropped"),
        "990 of 990 rows were used (100%). No row was dropped.",
    ),
    ("data", "three tables"): (
        of_case("data_cleaning", "three tables"),
        ("35,716 of 36,362 rows of 3 tables were used (98.2%). The others, each with its reason, are in dropped.csv."),
    ),
    ("model", "three models, fitted again"): (
        of_case("model_comparison", "three models"),
        (
            "The numbers come from Pareto/NBD, by channel, the best of 3 on held-out purchases, fitted "
            "again on all data to 29 December 2025."
        ),
    ),
    ("model", "two models"): (
        of_case("model_comparison", "two models, few customers", value_at="2025-06-30"),
        "The numbers come from Pareto/NBD, by channel, better than 1 other entry.",
    ),
    ("model", "nothing held out"): (
        of_case("model_comparison", "nothing held out"),
        "The numbers come from Pareto/NBD, by channel, the best of 3 by leave-one-out scores.",
    ),
    ("model", "one model"): (nothing(value_at=None), "The numbers come from Pareto/NBD, by channel."),
}


@pytest.mark.parametrize("case", LEADS, ids=": ".join)
def test_a_chapter_begins_with_its_sentence(case):
    found, sentence = LEADS[case]
    assert plain(leads.LEADS[case[0]](found)) == sentence


def test_every_chapter_has_its_cases():
    assert {chapter for chapter, _ in LEADS} == set(leads.LEADS)


LIMITS = {  # what is stored, and what its numbers do not say
    "full": (
        of(worth_run(shares=SHARES, holdout=26.0), "total_value"),
        [
            (
                "They are forecasts of present customers under present prices and service; customers won "
                "later are not in the totals."
            ),
            (
                "Profit is 30% of sales less returns and service: fulfilment, payments, retention marketing "
                "and what it cost to win customers are not subtracted."
            ),
            "Value looks 52 weeks ahead; the forecast was judged over 26 weeks.",
            "A customer's spend per purchase is taken as independent of how often the customer buys.",
            ("The model knows no season and no trend: whole years are little affected, single weeks and months are."),
            "That a customer has left is never observed; it is inferred from silence.",
        ],
    ),
    "groups": (
        of_case("group_effects", "two groups", time="opportunities", holdout=None),
        [
            "Nothing was held out: how well the model forecasts is not known from this run.",
            "The model knows no trend: a week that is good or bad for all comes as a surprise.",
            "Differences between groups are associations, not effects of belonging to a group.",
            "That a customer has left is never observed; it is inferred from silence.",
        ],
    ),
    "covariates": (
        of_case("group_effects", "covariates", time="renewals"),
        [
            "The model knows no trend: a week that is good or bad for all comes as a surprise.",
            "Differences between groups are associations, not effects of belonging to a group.",
            ("What differs with satisfaction, complaints or other covariates is associated with them only."),
        ],
    ),
    "revenue": (
        of(worth_run(margin=1.0, horizon=26.0), "total_value"),
        [
            (
                "They are forecasts of present customers under present prices and service; customers won "
                "later are not in the totals."
            ),
            "A customer's spend per purchase is taken as independent of how often the customer buys.",
            ("The model knows no season and no trend: whole years are little affected, single weeks and months are."),
            "That a customer has left is never observed; it is inferred from silence.",
        ],
    ),
}


def test_nothing_of_a_total_that_failed_its_check_stands_out():
    said = FIGURES["total_value"].words(WORTH.tables["total_value"], WORTH.about)
    assert totals.guarded("total_value", said, both(WORTH, HELD)) == said
    found = both(WORTH, MONEY, holdout=4.0)
    assert totals.guarded("top_odds", said, found) == said  # no total is told there
    caption = plain(totals.guarded("total_value", said, found).caption)
    assert caption.startswith(
        "**This forecast failed its check: in 4 weeks held out EUR 2,480 of profit came, 4,370 to 5,230 was "
        "forecast.** What follows is what the model says. The base will earn EUR 460 to 640 in 52 weeks"
    )
    assert caption.count("**") == 2


@pytest.mark.parametrize(("found", "limits"), LIMITS.values(), ids=LIMITS)
def test_what_the_numbers_do_not_say(found, limits):
    assert [plain(limit) for limit in leads.limits(found)] == limits


TITLE = "Total of held-out purchases in its 90% interval"
TOTAL = {"value": 1882.0, "at_least": 1403.0, "at_most": 1838.0}
BAD = check_row("held_out_total", "failed", "pareto", "do not plan totals with it", **TOTAL)
FINE = check_row("loo_pareto_k", "passed", "pareto", value=0, at_most=0)


def named(number: int) -> checks.CheckRow:
    """A failed check of a name of its own, which takes ten words."""
    row = check_row("loo_pareto_k", "failed", "bg", "one two three four", value=number, at_most=number)
    return row._replace(check=f"Check {number}")


FAILURES = {  # what is stored, how many checks failed, and what
    "none": (failing(FINE), None),
    "no checks": (nothing(), None),
    "one": (
        failing(BAD, FINE),
        (
            "1 of 2 checks failed.",
            (
                "1,882 held-out purchases came, 1,403 to 1,838 were forecast (Pareto/NBD, by channel). Do not plan "
                "totals with it."
            ),
        ),
    ),
    "three entries": (
        failing(BAD, BAD._replace(entry="bg"), BAD._replace(entry="last")),
        (
            "3 of 3 checks failed.",
            (
                "1,882 held-out purchases came, 1,403 to 1,838 were forecast (Pareto/NBD, by channel and 2 more). Do "
                "not plan totals with it."
            ),
        ),
    ),
    "two": (
        failing(BAD, check_row("groups_inside", "failed", "", "look", value=3, of=8, at_least=5)),
        (
            "2 of 2 checks failed.",
            (
                "1,882 held-out purchases came, 1,403 to 1,838 were forecast (Pareto/NBD, by channel). Do not plan "
                "totals with it. Groups by past frequency inside their 90% interval: 3 of 8, limit 5 or more. Look."
            ),
        ),
    ),
    "many": (
        failing(BAD, *map(named, range(4))),
        (
            "5 of 5 checks failed.",
            (
                "1,882 held-out purchases came, 1,403 to 1,838 were forecast (Pareto/NBD, by channel). Do not plan "
                "totals with it. Check 0 (BG/NBD): 0, limit 0. One two three four. Check 1 (BG/NBD). One two three "
                "four."
            ),
        ),
    ),
    "long": (
        failing(BAD._replace(code="loo_pareto_k", consequence=" ".join(["word"] * 40))),
        ("1 of 1 check failed.", f"{TITLE} (Pareto/NBD, by channel). Word{' word' * 23}…"),
    ),
    "a total, long": (
        failing(BAD._replace(consequence=" ".join(["word"] * 40))),
        (
            "1 of 1 check failed.",
            "1,882 held-out purchases came, 1,403 to 1,838 were forecast (Pareto/NBD, by channel). "
            f"Word{' word' * 22}…",
        ),
    ),
    "a total of money": (
        failing(LOST._replace(value=2480.0, at_least=4368.0, at_most=5232.0)),
        (
            "1 of 1 check failed.",
            "EUR 2,480 of held-out money came, 4,368 to 5,232 was forecast (Pareto/NBD, by channel). Do not plan "
            "profit with it.",
        ),
    ),
    "long, and just fits": (
        failing(BAD._replace(code="loo_pareto_k", consequence=" ".join(["word"] * 21))),
        (
            "1 of 1 check failed.",
            f"{TITLE} (Pareto/NBD, by channel): 1,882, limit 1,838. Word{' word' * 20}.",
        ),
    ),
    "too long by a word": (
        failing(BAD._replace(code="loo_pareto_k", consequence=" ".join(["word"] * 22))),
        ("1 of 1 check failed.", f"{TITLE} (Pareto/NBD, by channel). Word{' word' * 21}."),
    ),
}


@pytest.mark.parametrize(("found", "failures"), FAILURES.values(), ids=FAILURES)
def test_what_failed_is_told_in_35_words(found, failures):
    told = first_screen.failures(found)
    assert told == failures if told is None else tuple(map(plain, told)) == failures


def test_limits_tell_what_is_subtracted_and_what_is_not():
    whole = about(margin=None, parts=["gross margin", *leads.COSTS, "referrals"])

    def said(about) -> str:
        return next((s for s in leads.limits(Stored(about, {"total_value": pd.DataFrame()})) if "subtract" in s), "")

    assert said(whole) == (
        "Profit is each customer's own share of sales less returns, fulfilment, service, payments and retention "
        "marketing: what it cost to win customers is not subtracted."
    )
    some = said(replace(whole, margin=0.3, parts=["gross margin", "returns"]))
    assert some.startswith(
        "Profit is 30% of sales less returns: fulfilment, service, payments, retention marketing and"
    )
    assert some.endswith("are not subtracted.")
    assert said(replace(whole, margin=1.0, parts=["gross margin"])) == ""
    further = said(replace(whole, parts=["gross margin", "service", "samples"]))
    assert further.startswith("Profit is each customer's own share of sales less service and samples: returns, ")


def test_limits_know_every_part_that_a_registered_cost_can_have():
    """They ask no registry, which would load the models: a cost left out would not be said to be."""
    known = {phrases.GROSS, phrases.CREDIT, *leads.COSTS}
    assert known == set(PARTS), f"write {sorted(set(PARTS) - known)} into COSTS of report/leads.py"
    assert phrases.CREDIT == CREDIT


@pytest.mark.parametrize(
    ("q5", "q95", "told"),
    [
        (111.0, 130.0, "grew"),
        (91.0, 131.0, "grew"),
        (90.0, 130.0, "stayed within its range"),
        (70.0, 110.0, "stayed within its range"),
        (69.0, 109.0, "shrank"),
        (70.0, 89.0, "shrank"),
    ],
)
def test_a_change_is_named_where_the_middle_lies_outside_the_range_of_then(q5, q95, told):
    """From 90 to 110 on the first date; the middle of the second is that of its ends."""
    values = pd.DataFrame(
        {
            "level": "total",
            "date": ["2025-06-30", "2025-12-29"],
            "q5": [90.0, q5],
            "q50": [100.0, (q5 + q95) / 2],
            "q95": [110.0, q95],
        }
    )
    found = nothing()
    found.tables["kpi_base_value"] = SimpleNamespace(values=values)
    sentence = f"From 30 June 2025 to 29 December 2025 the expected value of the base {told}."
    assert plain(leads.strategy(found)) == sentence


@pytest.mark.parametrize(("name", "told"), [("gone", "gone"), ("n" * 40, "n" * 40), ("n" * 41, "n" * 39 + "…")])
def test_an_entry_without_a_label_has_its_name(name, told):
    assert first_screen.entry_label(about(recommended=name)) == told


def test_the_numbers_of_the_first_screen_are_those_of_their_figures():
    """Of each figure alone, the first number; which model is the best, of three, of two and where none is as good."""

    def first(found: Stored) -> tuple[str, ...]:
        return tuple(map(plain, first_screen.answers(found)[0]))

    pareto = ("Pareto/NBD, by channel", "1 other as good within noise.", "model_comparison", "Compare")
    assert first(of_case("model_comparison", "three models")) == ("Best forecast", *pareto)
    assert first(of_case("model_comparison", "nothing held out")) == ("Best prediction", *pareto)
    alone = of_case("model_comparison", "three models")
    alone.tables["model_comparison"].loc[1, "verdict"] = "worse"
    assert first(alone)[1:3] == ("Pareto/NBD, by channel", "The others predict worse.")
    assert first(of_case("data_cleaning", "one table")) == (
        "Rows used",
        "99.0%",
        "990 of 1,000.",
        "data_cleaning",
        "Why",
    )
    look = check_row("loo_pareto_k", "look", "pareto", value=1, at_most=0)
    assert first(failing(BAD, FINE, FINE, look)) == (
        "Checks passed",
        "2 of 4",
        "1 failed, 1 to look at.",
        "checks",
        "All",
    )


def test_what_is_taken_to_be_paid_is_told_where_some_purchases_were_free():
    row = {"model": "Log-normal spend with free orders", "parameter": "paid", "q5": 0.853, "q50": 0.899, "q95": 0.931}
    paid = Stored(nothing().about, {"parameters": pd.DataFrame([row])})
    without = Stored(nothing().about, {"parameters": pd.DataFrame([row | {"parameter": "p"}])})
    told = leads.model(paid).removeprefix(leads.model(nothing()))
    assert told == (
        " Some past purchases brought no money: of those to come 90% are taken to bring some "
        "(90% interval 85 to 93%), and free ones cost what they cost."
    )
    assert leads.model(without) == leads.model(nothing())


def test_a_first_amounts_level_is_told_with_its_interval():
    row = {
        "model": "Gamma-Gamma with first amounts",
        "parameter": "first_level",
        "q5": 0.922,
        "q50": 0.95,
        "q95": 0.979,
    }
    told = leads.model(Stored(nothing().about, {"parameters": pd.DataFrame([row])}))
    assert told.removeprefix(leads.model(nothing())) == (
        " First amounts have a level of their own: a first order brings 0.95 times what a later one of the same "
        "customer does (90% interval 0.92 to 0.98)."
    )


def test_what_may_be_paid_stands_on_the_first_screen():
    folder = of_case("payback", "one sure, one late, one never")
    answer = first_screen._pay_at_most(folder)
    assert answer == first_screen.Answer(
        "Pay at most for a customer",
        most_paid(folder.tables["payback"], folder.about),
        "by channel; 2 of 3 channels cost more now.",
        "payback",
        "Channels",
    )
    assert plain(answer.value) == "EUR 22 to 40"
    withheld = of_case("payback", "one channel alone, the models tell nothing apart")
    answer = first_screen._pay_at_most(withheld)
    assert (answer.value, answer.target, answer.link) == ("not told", "payback", "Why")
    assert answer.note.endswith("all channels as alike.")
    assert first_screen._pay_at_most(nothing()) is None


def with_failure(folder: Stored, code: str, **numbers) -> Stored:
    """The folder with a check of the recommended entry that failed."""
    rows = [check_row(code, "failed", folder.about.recommended, **numbers)]
    return Stored(folder.about, {**folder.tables, "checks": checks.as_table(rows)})


def test_who_is_best_is_not_told_where_those_named_best_were_not():
    """Though worth names one surely: what a holdout can tell of names says that they do not hold."""
    wrong = with_failure(both(WORTH, of(worth_run(), "top_odds")), "best_named", value=3, of=10, at_least=6)
    told = "cannot be told: of 10 forecast best 3 were, 6 or more was forecast"
    assert f"Who is among the best 2 {told}." in first_screen.answer(wrong)
    assert "surely" not in first_screen.answer(wrong)
    assert first_screen._sure(wrong).value == "not told"
    assert leads.best(wrong) == f"Who is surely among the best {told}."


def test_what_may_be_paid_is_not_told_where_past_customers_made_other_sums():
    folder = of_case("payback", "one sure, one late, one never")
    wrong = with_failure(folder, "payback_past", value=1, of=3, at_least=2, note="farthest: Social")
    answer = first_screen._pay_at_most(wrong)
    assert (answer.value, answer.note) == ("not told", "past customers made what is told in 1 of 3 channels.")
    assert leads.spend(wrong) == (
        "What may be paid cannot be told: past customers made what is told of new ones in 1 of 3 channels only."
    )
