"""The checks of a run: each in exactly one category, told with its limit, and red where a fault is planted."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from fakes.judging import make_judged, poisson_judged
from fakes.run import END, fake_run
from scipy import stats

from clvmodels import words
from clvmodels.customers.table import Customers, Split
from clvmodels.inference.samplers.checks import Check
from clvmodels.metrics import check_rows
from clvmodels.metrics.check_rows import correlation_interval
from clvmodels.metrics.checks import CHECKS, RESULTS, CheckRow, value_and_limit
from clvmodels.metrics.judgement import Judgement
from clvmodels.results.folder import Run
from clvmodels.runs.checks import ORDER, all_checks

KINDS = ("sampling", "forecast", "data")


def the_run(count: int = 400, **options) -> Run:
    """A fake run whose posteriors carry sampling checks that pass."""
    return with_checks(fake_run(count, 200, **options), [check()])


def check(name: str = "R-hat", found: float = 1.003, limit: float = 1.01, passed: bool = True) -> Check:
    return Check(name, found, limit, passed, "the chains disagree")


def with_checks(run: Run, checks: list[Check]) -> Run:
    for entry in (*run.entries.values(), run.valued):
        for posterior in entry.posteriors.values():
            posterior.checks, posterior.method = checks, "nuts"
    return run


def judged_otherwise(run: Run, **changes) -> Run:
    """The run with another judged forecast of each entry: fields of Judged or of its futures."""
    entries = {}
    for name, entry in run.entries.items():
        futures = {key: value for key, value in changes.items() if hasattr(entry.judged.futures, key)}
        own = {key: value for key, value in changes.items() if key not in futures}
        new = dataclasses.replace(entry.judged, futures=dataclasses.replace(entry.judged.futures, **futures), **own)
        entries[name] = dataclasses.replace(entry, judged=new)
    return dataclasses.replace(run, entries=entries)


def with_truth(run: Run, purchases: np.ndarray) -> Run:
    """The run as if these had been the held-out purchases, in the order of the customers."""
    judged = run.entries["pareto"].judged
    table = judged.holdout.table.assign(purchases=np.asarray(purchases, dtype=int))
    return judged_otherwise(run, holdout=dataclasses.replace(judged.holdout, table=table))


def rows(run: Run, name: str) -> list[CheckRow]:
    return list(ORDER[name](run))


def in_words(row: CheckRow) -> tuple[str, str, str]:
    """Its result, and what was found and its limit as a reader is told."""
    return row.result, *value_and_limit(row)


# ---------------------------------------------------------------------------------------------- the registry


@pytest.mark.parametrize("options", [{}, {"holdout": False}, {"value": False}, {"value": False, "holdout": False}])
def test_every_check_is_in_one_category_with_a_limit_and_a_consequence(options):
    table = all_checks(the_run(200, **options))
    assert list(table.columns) == list(CheckRow._fields)
    assert set(table["result"]) <= set(RESULTS) and set(table["kind"]) <= set(KINDS)
    assert set(table["code"]) <= set(CHECKS)
    assert not table.duplicated(["check", "entry"]).any()
    assert table["check"].str.len().gt(0).all()
    numeric = ["value", "of", "lower", "upper", "at_least", "at_most"]
    assert set(map(str, table[numeric].dtypes)) == {"float64"}
    for row in table.itertuples():
        assert all(isinstance(getattr(row, column), str) for column in table.columns.difference(numeric))
        found, limit = value_and_limit(row)
        made = row.result in ("failed", "look", "passed")
        assert bool(found and limit) == (made and row.code != "data_warning")
        assert bool(row.consequence) == (row.result != "passed"), row.check
        assert bool(row.remedy) == (row.result in ("failed", "look")), row.check


def test_the_registry_holds_every_check_and_all_of_them_are_told():
    run = the_run(200)
    said = [row.check for name in ORDER for row in rows(run, name)]
    assert sorted(said) == sorted(all_checks(run)["check"])
    for name in ORDER:
        # nothing was left out of the fake run but PSIS-LOO; no k was to be chosen, no entry has a covariate, and
        # nothing tells what a channel costs
        assert rows(run, name) or name in ("loo", "elpd_agrees", "chosen_k", "accounts", "covariates", "channels"), name


def test_without_a_holdout_forecasts_are_not_applicable():
    table = all_checks(the_run(200, holdout=False))
    forecast = table[table["kind"] == "forecast"]
    assert len(forecast) == 4 and set(forecast["result"]) == {"not applicable"}
    assert set(forecast["consequence"]) == {"There is no holdout"}


# ---------------------------------------------------------------------------------------------- sampling


def test_sampling_checks_are_told_once_a_fit_and_with_the_side_of_their_limit():
    checks = [
        check(),
        check("bulk ESS", 131.4, 400.0, False),
        check("divergences", 0.0, 0.0),
        check("Pareto k-hat", 0.71, 0.667, False),
        check("importance ESS", 5123.0, 2000.0),
    ]
    found = rows(with_checks(fake_run(100, 100), checks), "sampling")
    assert [in_words(row) for row in found] == [
        ("passed", "1.003", "1.01 or less"),
        ("failed", "131.4", "400 or more"),
        ("passed", "0", "0 or less"),
        ("failed", "0.71", "0.667 or less"),
        ("passed", "5,123", "2,000 or more"),
    ]
    assert found[1].check == "bulk ESS, Pareto/NBD by nuts" and found[1].entry == "pareto"
    assert {row.kind for row in found} == {"sampling"}
    assert [row.code for row in found] == ["rhat", "bulk_ess", "divergences", "pareto_k_hat", "importance_ess"]


def test_what_is_no_number_is_told_as_such():
    checks = [check(found=float("nan"), passed=False), check("Pareto k-hat", float("inf"), 0.7, False)]
    found = rows(with_checks(fake_run(50, 100), checks), "sampling")
    assert [in_words(row)[:2] for row in found] == [("failed", "not a number"), ("failed", "infinite")]


def test_a_fit_at_the_date_of_value_is_told_apart():
    run = the_run(100)
    other = SimpleNamespace(**vars(run.valued.posteriors["purchases"]))
    other.data, other.checks = other.data.copy(), [check(found=1.2, passed=False)]
    valued = dataclasses.replace(run.valued, posteriors={"purchases": other})
    found = rows(dataclasses.replace(run, valued=valued), "sampling")
    assert [(row.result, row.check) for row in found] == [
        ("passed", "R-hat, Pareto/NBD by nuts"),
        ("failed", "R-hat, Pareto/NBD by nuts, at the date of value"),
    ]


# ---------------------------------------------------------------------------------------------- forecasts


def test_a_total_in_its_interval_passes_and_one_outside_fails_by_its_side():
    run = the_run()
    totals = np.sort(run.entries["pareto"].judged.futures.purchases.sum(axis=1))
    share = np.full(400, 0)
    for total, result, side in (
        (int(np.median(totals)), "passed", ""),
        (totals[-1] + 50, "failed", "too few"),
        (totals[0] - 50, "failed", "too many"),
    ):
        share[:] = np.bincount(np.arange(total) % 400, minlength=400)
        row = next(row for row in rows(with_truth(run, share), "held_out_total") if row.entry == "pareto")
        assert (row.result, row.value) == (result, total) and side in row.consequence
        assert value_and_limit(row) == (f"{total:,}", f"{row.at_least:,.0f} to {row.at_most:,.0f}")
    assert totals[0] < row.at_least < np.median(totals) < row.at_most < totals[-1]
    assert [row.at_least, row.at_most] == np.quantile(totals, [0.05, 0.95]).tolist()


def test_ranges_that_are_too_narrow_or_too_wide_fail():
    run = the_run(2000)
    assert {row.result for row in rows(run, "randomised_pits") if row.entry == "pareto"} == {"passed"}
    purchases = run.entries["pareto"].judged.futures.purchases
    narrow = np.broadcast_to(np.median(purchases, axis=0).astype(np.int32), purchases.shape)
    far = purchases[0] + 3
    low, high = rows(with_truth(judged_otherwise(run, purchases=narrow), far), "randomised_pits")[:2]
    assert high.result == "failed" and "too often at their highest end" in high.consequence
    assert low.result == "failed" and "too seldom at their lowest end" in low.consequence
    assert value_and_limit(high)[1] == value_and_limit(low)[1] == "3.6% to 6.4%"
    middle = with_truth(run, np.full(2000, 50))
    wide = np.tile(np.arange(200)[:, None], (1, 2000)).astype(np.int32)
    found = rows(judged_otherwise(middle, purchases=wide), "randomised_pits")[:2]
    assert [in_words(row)[:2] for row in found] == [("failed", "0.0%")] * 2
    assert all("too seldom" in row.consequence for row in found)


def test_rates_that_are_a_sixth_too_low_fail_though_the_middle_of_the_forecasts_holds_nearly_90_percent():
    """The share in the middle 90% has no power: outcomes leave the one end of too low a forecast and fill the other."""
    for factor, result in ((1.0, "passed"), (0.85, "failed")):
        judgement = Judgement(poisson_judged(6000, 400, factor))
        assert 0.87 < judgement.middle_share < 0.93
        assert check_rows.pit_shares(judgement)[1].result == result


def test_customers_who_are_misjudged_in_one_group_alone_fail_there():
    """Half of the customers are forecast too low, half too high: all together, the curve of neither is seen."""
    rng = np.random.default_rng(5)
    rates = rng.gamma(2.0, 4.0, 4000)
    actual, groups = rng.poisson(rates), np.tile([0, 3], 2000)
    customers = pd.DataFrame({"frequency": groups}, index=pd.Index([f"c{i:06d}" for i in range(4000)]))
    for factors, inside in (((1.0, 1.0), 2), ((0.8, 1.25), 0)):
        own = rates * np.where(groups == 0, *factors)
        judged = make_judged(rng.poisson(own, (300, 4000)), actual, customers=Customers(customers, "week", END))
        row = check_rows.pit_groups(Judgement(judged))
        assert (row.value, row.of, row.result) == (inside, 2, "passed" if inside == 2 else "failed")


def test_with_few_customers_chance_is_allowed_for():
    limits = {n: value_and_limit(rows(the_run(n), "randomised_pits")[0])[1] for n in (100, 400)}
    assert limits == {100: "0% to 11.1%", 400: "1.9% to 8.1%"}


def test_weeks_and_groups_off_their_band_fail():
    run = the_run()
    assert [row.entry for row in rows(run, "inside")] == ["pareto", "pareto"]
    judged = run.entries["pareto"].judged
    weekly = judged.weekly.assign(purchases=np.where(judged.weekly["held_out"], 5000, judged.weekly["purchases"]))
    wrong = with_truth(judged_otherwise(run, weekly=weekly), judged.actual + 20)
    weeks, groups = rows(wrong, "inside")
    assert (weeks.result, groups.result) == ("failed", "failed")
    assert (weeks.value, weeks.of, value_and_limit(weeks)[0]) == (0, 26, "0 of 26")
    assert value_and_limit(weeks)[1] == f"{weeks.at_least:.0f} or more" and weeks.at_least > 0
    assert groups.value == 0 and value_and_limit(groups)[0].startswith("0 of ")


def test_customers_whose_loo_is_unsure_are_looked_at():
    run = the_run(100)
    assert rows(run, "loo") == []
    index = run.split.customers.table.index
    for bad, result in ((0, "passed"), (3, "look")):
        pareto_k = np.where(np.arange(100) < bad, 0.9, 0.1)
        elpd = pd.DataFrame({"elpd_i": -1.0, "pareto_k": pareto_k}, index=index)
        found = rows(judged_otherwise(run, elpd=elpd), "loo")
        assert [(row.entry, row.result, row.value, *value_and_limit(row)) for row in found] == [
            (name, result, bad, str(bad), "0") for name in ("pareto", "bg", "last")
        ]


def test_an_entry_that_leave_one_out_scores_put_above_the_recommended_one_is_looked_at():
    run = the_run(100)
    assert rows(run, "elpd_agrees") == []  # nothing is known of the scores
    of = {"elpd_difference": [0.0, 30.0, 50.0], "elpd_lower90": 0.0, "elpd_upper90": 60.0}
    for disagrees, expected in (([False, True, True], ("look", 50.0)), ([False] * 3, ("passed", 0.0))):
        comparison = run.comparison.assign(**of, elpd_disagrees=disagrees)
        (row,) = rows(dataclasses.replace(run, comparison=comparison), "elpd_agrees")
        assert (row.result, row.value, row.entry) == (*expected, run.recommended)
        assert row.result == "passed" or run.entries[comparison["entry"][2]].label in row.consequence


def test_money_is_judged_kind_by_kind_and_three_tenths_of_it_turn_red():
    run = the_run(2000)
    sound = rows(run, "money_totals")
    assert [(row.entry, row.check) for row in sound] == [
        (name, f"Held-out {kind} in its 90% interval") for name in run.entries for kind in ("spend", "profit")
    ]
    cut = {}
    for name, kind in run.entries["pareto"].judged.money.items():
        cut[name] = dataclasses.replace(kind, actual=0.3 * kind.actual)
    less = judged_otherwise(run, money=cut)
    assert {row.result for row in rows(less, "money_totals")} == {"failed"}
    assert all("below the forecast" in row.consequence for row in rows(less, "money_totals"))
    by_code = {row.code: row.result for row in rows(less, "money")}
    assert {by_code[code] for code in ("money_fifths", "money_pit")} == {"failed"}
    assert set(by_code) == {"money_fifths", "money_crps", "money_pit", "money_pit_share", "money_capture", "best_named"}
    assert rows(judged_otherwise(run, money={}), "money_totals") == []


# ---------------------------------------------------------------------------------------------- data


def test_warnings_of_the_data_are_each_told_once():
    run = the_run(100)
    assert [(row.result, row.kind) for row in rows(run, "data")] == [("passed", "data")]
    warned = dataclasses.replace(run.split.customers, warnings=("3 rows are late", "a gap"))
    later = dataclasses.replace(run.split.customers, warnings=("a gap",))
    run = dataclasses.replace(
        run, split=Split(warned, None, run.split.weekly), value_split=Split(later, None, run.split.weekly)
    )
    assert [(row.result, row.check) for row in rows(run, "data")] == [("look", "3 rows are late"), ("look", "a gap")]


def spending(amounts, frequency) -> Run:
    run = the_run(100)
    table = run.split.customers.table.assign(frequency=frequency, monetary_value=amounts)
    split = Split(dataclasses.replace(run.split.customers, table=table), None, run.split.weekly)
    return dataclasses.replace(run, split=split)


def test_spend_that_goes_with_frequency_is_looked_at():
    rng, frequency = np.random.default_rng(1), np.arange(100) + 1
    looks = {"up": 10.0 * frequency, "down": 1000.0 / frequency, "apart": rng.permutation(frequency) * 1.0}
    found = {name: rows(spending(amounts, frequency), "frequency_and_spend")[0] for name, amounts in looks.items()}
    minus = words.MINUS
    assert {name: in_words(row)[:2] for name, row in found.items() if name != "apart"} == {
        "up": ("look", "1.00 (90%: 1.00 to 1.00)"),
        "down": ("look", f"{minus}1.00 (90%: {minus}1.00 to {minus}1.00)"),
    }
    assert "pays more a purchase" in found["up"].consequence and "too low" in found["up"].consequence
    assert "pays less a purchase" in found["down"].consequence and "too high" in found["down"].consequence
    assert found["apart"].result == "passed" and value_and_limit(found["apart"])[1].startswith("−0.1 to 0.1")


def test_a_correlation_that_chance_could_bring_is_not_looked_at():
    """The same correlation, of few and of many customers."""
    rng, results = np.random.default_rng(2), {}
    frequency = np.arange(100) + 1
    amounts = np.exp(0.5 * stats.zscore(frequency) + rng.normal(size=100))
    for count in (8, 100):
        table = spending(amounts, frequency).split.customers.table.iloc[np.linspace(0, 99, count).astype(int)]
        run = the_run(100)
        split = Split(dataclasses.replace(run.split.customers, table=table), None, run.split.weekly)
        row = rows(dataclasses.replace(run, split=split), "frequency_and_spend")[0]
        results[count] = row.result, row.value
    assert results[100][0] == "look" and results[8][0] == "passed" and min(r for _, r in results.values()) > 0.1


def test_the_interval_of_a_rank_correlation_holds_the_truth():
    """Of bivariate normal samples: Spearman's rho is 6 / pi arcsin(r / 2); a 90% interval holds it 9 times in 10."""
    rng, held, count, r = np.random.default_rng(3), 0, 80, 0.5
    truth = 6 / np.pi * np.arcsin(r / 2)
    for _ in range(2000):
        x, noise = rng.normal(size=(2, count))
        found = stats.spearmanr(x, r * x + np.sqrt(1 - r**2) * noise).statistic
        lower, upper = correlation_interval(found, count)
        held += lower <= truth <= upper
    assert abs(held / 2000 - 0.9) < 4.5 * np.sqrt(0.09 / 2000)


@pytest.mark.parametrize(("amounts", "frequency"), [(0.0, 1), (10.0, np.arange(100)), (np.arange(100.0), 1)])
def test_where_nothing_differs_there_is_no_correlation(amounts, frequency):
    assert [row.result for row in rows(spending(amounts, frequency), "frequency_and_spend")] == ["not applicable"]


def test_without_amounts_their_check_is_not_applicable():
    run = the_run(100)
    table = run.split.customers.table.drop(columns="monetary_value")
    split = Split(dataclasses.replace(run.split.customers, table=table), None, run.split.weekly)
    row = rows(dataclasses.replace(run, split=split), "frequency_and_spend")[0]
    assert (row.result, row.consequence) == ("not applicable", "The amounts are not known")


# ---------------------------------------------------------------------------------------------- bands


def test_the_bands_of_pit_and_reliability_turn_red_where_nobody_buys():
    run = the_run()
    sound = {row.check: row.result for row in rows(run, "bands")}
    silent = {row.check: row.result for row in rows(with_truth(run, np.zeros(400)), "bands")}
    assert sound.keys() == silent.keys() and len(sound) == 2
    assert set(sound.values()) == {"passed"} and set(silent.values()) == {"failed"}
