"""Who has lost money, why and whether it goes on: by hand, by brute force, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from fakes.tiny import made, values
from fakes.worth import make_values, random_values, with_credit

from clvmodels.decisions import gini, losses
from clvmodels.decisions.concentration import concentration_so_far, gini_draws
from clvmodels.decisions.losses import largest_cost, profit_table
from clvmodels.errors import DataError


def so_far(profit, **parts) -> pd.DataFrame:
    """What customers brought, of the parts that are named and a margin that makes up the profit."""
    profit = np.asarray(profit, dtype=float)
    ids = pd.Index([f"c{i:05d}" for i in range(len(profit))], name="customer_id")
    table = pd.DataFrame(parts, index=ids, dtype=float)
    table.insert(0, "gross margin", profit - table.sum(axis=1))
    return table.assign(revenue=1.0, purchases=1.0, profit=profit)


def test_ten_customers_by_hand():
    """Of `tiny.made`: c6, c8 and c9 have lost 7, 4 and 37; c9 costs 5 in every draw to come, the others bring money."""
    found = losses(made(), values())
    lost = found.customers[found.customers["profit_made"] < 0]
    assert lost["profit_made"].to_dict() == {"c6": -7.0, "c8": -4.0, "c9": -37.0}
    assert lost["largest_cost"].to_dict() == {"c6": "acquisition", "c8": "service", "c9": "service"}
    assert lost["largest_cost_amount"].tolist() == [-12.0, -4.0, -30.0]
    assert lost["made_before_acquisition"].tolist() == [5.0, -4.0, -25.0]
    assert lost["odds_of_loss"].tolist() == [0.0, 0.0, 1.0]
    assert lost["to_come"].tolist() == [20.0, 5.0, -5.0]
    assert found.causes["cause"].tolist() == ["service", "acquisition"]
    assert found.causes[["customers", "lost", "sure", "q5", "q95"]].to_numpy().tolist() == [
        [2, -41.0, 1, 1, 1],
        [1, -7.0, 0, 0, 0],
    ]
    together = found.together.iloc[0]
    assert together[["customers", "lost", "sure", "without_acquisition"]].tolist() == [3, -48.0, 1, 2]
    assert together[["q5", "q50", "q95"]].tolist() == [1, 1, 1]


def test_losses_by_brute_force():
    values = random_values(draws=60, customers=80)
    values.realised[:] -= 15.0
    rng = np.random.default_rng(3)
    parts = {"service": -rng.gamma(1.0, 10.0, 80), "acquisition": -rng.gamma(1.0, 10.0, 80)}
    table = so_far(rng.normal(0.0, 20.0, 80), **parts).sample(frac=1, random_state=1)  # another order than the values'
    found = losses(table, values)
    again = {"service": np.zeros(60, dtype=int), "acquisition": np.zeros(60, dtype=int), "gross margin": np.zeros(60)}
    for place, customer in enumerate(values.customer_id):
        row = table.loc[customer]
        draws = values.realised[:, place]
        cost = row[["gross margin", "service", "acquisition"]].astype(float).idxmin()
        found_row = found.customers.loc[customer]
        assert found_row["odds_of_loss"] == pytest.approx((draws < 0).mean())
        assert found_row["to_come"] == pytest.approx(draws.mean(dtype=float))
        assert found_row["largest_cost"] == cost
        assert found_row["made_before_acquisition"] == pytest.approx(row["profit"] - row["acquisition"])
        if row["profit"] < 0:
            again[cost] = again[cost] + (draws < 0)
    for line in found.causes.itertuples():
        of_cause = found.customers.query("profit_made < 0 and largest_cost == @line.cause")
        assert line.customers == len(of_cause)
        assert line.lost == pytest.approx(of_cause["profit_made"].sum())
        assert line.sure == (of_cause["odds_of_loss"] >= 0.8).sum()
        assert [line.q5, line.q50, line.q95] == pytest.approx(np.percentile(again[line.cause], [5, 50, 95]).tolist())
    assert found.causes["customers"].sum() == found.together["customers"].item() == (table["profit"] < 0).sum()
    together = sum(again.values())
    assert found.together["q95"].item() == pytest.approx(np.percentile(together, 95))


def test_the_credit_for_referrals_is_left_out():
    plain = make_values([[5.0, -2.0], [5.0, 1.0]])
    table = so_far([-1.0, -1.0], service=[-3.0, -3.0])
    with_it = losses(table, with_credit(plain, [[9.0, 9.0], [9.0, 9.0]]))
    assert with_it.customers["odds_of_loss"].tolist() == [0.0, 0.5]
    pd.testing.assert_frame_equal(with_it.customers, losses(table, plain).customers)


def test_nothing_to_come_is_no_loss_and_nothing_paid_has_no_cost():
    found = losses(so_far([0.0, 3.0]), make_values(np.zeros((4, 2))))
    assert found.customers["odds_of_loss"].tolist() == [0.0, 0.0]
    assert found.customers["largest_cost"].tolist() == [None, None]
    assert found.causes.empty and found.together["customers"].item() == 0


def test_of_equal_costs_the_first_in_the_order_of_the_parts():
    names, amounts = largest_cost(so_far([-6.0], returns=[-3.0], service=[-3.0]))
    assert names.tolist() == ["returns"] and amounts.tolist() == [-3.0]


def test_customers_who_were_not_counted_are_refused():
    with pytest.raises(DataError, match="no profit made of 1 customers who are valued; got first 'c00001'"):
        losses(so_far([1.0]), make_values([[1.0, 2.0]]))


def test_the_file_has_every_part_so_far_and_to_come():
    found = values(shares={"service": -0.5})
    table = profit_table(made(), found, losses(made(), found))
    assert table["purchases"].dtype == int
    so_far = table[["made_gross_margin", "made_service", "made_acquisition"]].sum(axis=1)
    assert so_far.to_numpy() == pytest.approx(table["profit_made"].to_numpy())
    ahead = table[["to_come_gross_margin", "to_come_service"]].sum(axis=1)
    assert ahead["c0"] == pytest.approx(200.0) and ahead["c9"] == pytest.approx(-5.0)


def test_gini_by_hand_and_by_brute_force():
    assert gini(np.full(7, 3.0)) == pytest.approx(0.0)
    assert gini(np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(0.75)
    amounts = np.random.default_rng(2).gamma(0.5, 3.0, 40)
    pairs = np.abs(amounts[:, None] - amounts[None]).mean()
    assert gini(amounts) == pytest.approx(pairs / (2 * amounts.mean()))
    assert gini(amounts[::-1]) == pytest.approx(gini(amounts))
    assert gini(np.array([-1.0, 0.0, 2.0])) > 1  # losses carry it beyond


@pytest.mark.parametrize("amounts", [[0.0, 0.0], [1.0, -1.0], [1.0, -3.0]])
def test_a_total_that_is_not_positive_has_no_gini_and_no_shares(amounts):
    with pytest.raises(DataError, match="the total is not positive"):
        gini(np.array(amounts))
    with pytest.raises(DataError, match="the total is not positive"):
        concentration_so_far(np.array(amounts), np.array([0, 1]))


def test_gini_of_draws_leaves_out_totals_that_are_not_positive():
    found = gini_draws(make_values([[1.0, -1.0], [3.0, 1.0], [-5.0, 1.0]]), "worth")
    assert np.isnan(found).tolist() == [True, False, True]
    assert found[1] == pytest.approx(0.25)


def test_the_share_of_the_best_so_far():
    amounts = np.array([1.0, 6.0, -1.0, 4.0])
    assert concentration_so_far(amounts, np.array([0, 1, 2, 3, 4])).tolist() == [0.0, 0.6, 1.0, 1.1, 1.0]
