"""The paired comparison of entries by log score: its numbers, its verdicts, what it refuses."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from fakes.judging import make_judged, poisson_judged, reordered, with_log_prob

from clvmodels.errors import DataError
from clvmodels.metrics.compare import PURCHASES, PURCHASES_AND_MONEY, compare, compared_by, elpd_against


def test_comparison_by_hand():
    judged = poisson_judged(100, 5)
    base = np.full(100, -1.0)
    step = np.where(np.arange(100) % 2, -0.3, -0.1)
    noise = np.where(np.arange(100) % 2, -3.0, 2.9)
    entries = {"worse": base + step, "best": base, "noisy": base + noise, "near": base - 0.039}
    got = compare({name: with_log_prob(judged, log_prob) for name, log_prob in entries.items()}).set_index("entry")
    assert list(got.index) == ["best", "near", "noisy", "worse"]
    assert got["verdict"].to_dict() == {
        "best": "recommended",
        "near": "same within noise",  # 3.9, and no noise at all
        "noisy": "same within noise",  # 5.0, and its interval holds 0
        "worse": "worse",
    }
    worse = got.loc["worse"]
    se = np.sqrt(100 * step.var(ddof=1))
    assert (worse["difference"], worse["se"]) == pytest.approx((-20.0, se))
    assert (worse["lower90"], worse["upper90"]) == pytest.approx((-20 - 1.6448536 * se, -20 + 1.6448536 * se))
    assert (worse["lower50"], worse["upper50"]) == pytest.approx((-20 - 0.6744898 * se, -20 + 0.6744898 * se))
    assert (got.loc["best", ["difference", "se", "lower90", "upper90"]] == 0).all()


def test_comparison_pairs_by_label():
    judged = poisson_judged(300, 5)
    other = with_log_prob(judged, judged.futures.log_prob - 0.1)
    shuffled = reordered(other, np.random.default_rng(1).permutation(300))
    pd.testing.assert_frame_equal(compare({"a": judged, "b": shuffled}), compare({"a": judged, "b": other}))
    assert compare({"a": judged, "b": shuffled})["se"].max() < 1e-9


def test_the_true_rates_are_recommended_and_pairing_narrows():
    true, wrong = poisson_judged(), poisson_judged(factor=1.3)
    got = compare({"wrong": wrong, "true": true})
    assert got["entry"].tolist() == ["true", "wrong"] and got["verdict"].tolist() == ["recommended", "worse"]
    unpaired = np.sqrt(4000 * (true.futures.log_prob.var() + wrong.futures.log_prob.var()))
    assert got["se"][1] < unpaired / 2


def test_comparison_of_one_entry_and_of_one_customer():
    assert compare({"only": poisson_judged(20, 5)})["verdict"].tolist() == ["recommended"]
    one = make_judged([[1], [2]], [1])
    got = compare({"a": one, "b": with_log_prob(one, one.futures.log_prob - 50)})
    assert got["verdict"].tolist() == ["recommended", "same within noise"] and np.isnan(got["lower90"][1])


def test_unlike_entries_are_not_compared():
    judged = poisson_judged(20, 5)
    f = judged.futures
    others = make_judged(f.purchases, judged.actual, ids=[f"x{i}" for i in range(20)])
    truth = make_judged(f.purchases, judged.actual + 1)
    window = dataclasses.replace(judged, holdout=dataclasses.replace(judged.holdout, periods=52.0))
    with pytest.raises(DataError) as caught:
        compare({"a": judged, "b": others, "c": truth, "d": window})
    assert [problem.where for problem in caught.value.problems] == ["entry 'b'", "entry 'c'", "entry 'd'"]
    with pytest.raises(DataError, match="no entries"):
        compare({})
    with pytest.raises(DataError, match="no log probabilities"):
        compare({"a": dataclasses.replace(judged, futures=dataclasses.replace(f, log_prob=None))})


def test_entries_are_compared_by_purchases_and_money_where_all_tell_of_both():
    """An entry that is 5 better on purchases and 9 worse on their amounts is not the best."""
    judged = poisson_judged(100, 5)
    ids = judged.futures.customer_id
    step = np.where(np.arange(100) < 50, 0.1, 0.0)
    on_counts = with_log_prob(judged, judged.futures.log_prob + step)
    density = pd.Series(-3.0, index=ids)
    counts = dataclasses.replace(on_counts, amounts_log_prob=density - 0.18 * (step == 0))
    amounts = dataclasses.replace(judged, amounts_log_prob=density.iloc[::-1])  # by label
    got = compare({"counts": counts, "amounts": amounts}).set_index("entry")
    assert list(got.index) == ["amounts", "counts"] and compared_by({"a": counts, "b": amounts}) == PURCHASES_AND_MONEY
    assert got.loc["counts", "difference"] == pytest.approx(5 - 9)
    paired = step - 0.18 * (step == 0)
    assert got.loc["counts", "se"] == pytest.approx(np.sqrt(100 * paired.var(ddof=1)))
    untold = dataclasses.replace(amounts, amounts_log_prob=None)
    got = compare({"counts": counts, "untold": untold})
    assert got["entry"].tolist() == ["counts", "untold"] and compared_by({"a": counts, "b": untold}) == PURCHASES
    assert got["difference"][1] == pytest.approx(-5)


def with_elpd(judged, histories, amounts=None, density_of="amounts"):
    index = judged.futures.customer_id
    tables = [
        None if scores is None else pd.DataFrame({"elpd_i": scores}, index=index) for scores in (histories, amounts)
    ]
    return dataclasses.replace(judged, elpd=tables[0], spend_elpd=tables[1], spend_density_of=density_of)


def test_leave_one_out_scores_that_name_another_entry_are_told():
    judged = poisson_judged(100, 5)
    step = np.where(np.arange(100) % 2, 0.3, 0.1)
    best, same = with_elpd(judged, np.full(100, -2.0), np.full(100, -5.0)), np.full(100, -5.0)
    other = with_elpd(judged, -2.0 + step, same)
    got = elpd_against({"best": best, "other": other}, "best").set_index("entry")
    reach = 1.6448536 * np.sqrt(100 * step.var(ddof=1))
    columns = ["elpd_difference", "elpd_lower90", "elpd_upper90"]
    assert got.loc["other", columns].tolist() == pytest.approx([20.0, 20 - reach, 20 + reach])
    assert got["elpd_disagrees"].tolist() == [False, True]
    # with the amounts the other is 10 worse; not told where one of the two has a density of means
    worse = with_elpd(judged, -2.0 + step, same - 0.3)
    assert elpd_against({"best": best, "other": worse}, "best")["elpd_difference"].tolist() == pytest.approx([0, -10])
    means = with_elpd(judged, -2.0 + step, same - 0.3, "means")
    assert elpd_against({"best": best, "other": means}, "best")["elpd_difference"].tolist() == pytest.approx([0, 20])
    near = with_elpd(judged, np.full(100, -1.97), same)  # 3 better, for certain
    assert not elpd_against({"best": best, "near": near}, "best")["elpd_disagrees"].any()
    assert elpd_against({"best": best, "none": with_elpd(judged, None)}, "best") is None
