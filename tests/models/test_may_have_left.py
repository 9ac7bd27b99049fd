"""Where a model lets nobody leave, P(alive) is 1 by construction; elsewhere it is an inference."""

from __future__ import annotations

import numpy as np
import pytest
from contracts.cases import CASES, posterior_of, table_of

from clvmodels.futures.individuals import present, rows_of
from clvmodels.models import MODELS, PurchaseModel

PURCHASES = [
    name for name, model in MODELS.items() if isinstance(model, PurchaseModel) and model.counts == "continuous"
]


@pytest.mark.parametrize("name", PURCHASES)
def test_where_nobody_can_have_left_everybody_is_there(name):
    model, table = MODELS[name], table_of()
    may_have_left = np.broadcast_to(model.may_have_left(rows_of(table, model.observes)), (1, len(table)))[0]
    p_alive = present(posterior_of(model, CASES[name].theta, 20), table, 20, 1).p_alive
    assert (p_alive[:, ~may_have_left] == 1).all()
    is_silent = (table["T"] - table["recency"] > 1).to_numpy()
    assert (p_alive[:, may_have_left & is_silent] < 1).all()


def test_which_models_cannot_tell_of_whom():
    once, again = {"frequency": np.array([[0.0]])}, {"frequency": np.array([[1.0]])}
    models = {name: model for name, model in MODELS.items() if isinstance(model, PurchaseModel)}
    assert {name for name, model in models.items() if not model.may_have_left(once)} == {
        "nbd",
        "bg_nbd",
        "bg_cnbd_k",
        "bb",
    }
    assert {name for name, model in models.items() if not model.may_have_left(again)} == {"nbd", "bb"}
