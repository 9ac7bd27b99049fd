"""Values whose parts are multiplied, draw by draw: a correction that all customers share.

In each draw every customer's part is multiplied by the same factor, so that customers still add up to the base, parts
to the value, and whoever was ahead of another in a part still is.
Shapes: D = draw, C = customer_id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clvmodels.draws import Array, draw_blocks, let_go
from clvmodels.valuation.valuation import Discounted, Values


def corrected(values: Values, factors: Mapping[str, Array], of_sales: Array) -> Values:
    """The values, each part times its factor; the arrays of `values` are written over, since a second set of them may
    fit neither memory nor disk.

    Parameters
    ----------
    factors : part -> [D]
        Of every part that there is; values without parts are gross margin alone.
    of_sales : [D]
        Of what customers are to spend.
    """
    whole = Discounted(*(getattr(values, kind) for kind in Discounted._fields))
    # one part alone is the value itself, and so are its arrays
    is_one = len(factors) == 1
    parts = {name: whole if is_one else values.parts[name] for name in factors}
    for name, part in parts.items():
        for array in part:
            _multiply(array, factors[name])
    if not is_one:
        for kind in Discounted._fields:
            _add_up(getattr(values, kind), [getattr(part, kind) for part in parts.values()])
    sales = None if values.sales is None else values.sales * of_sales.mean()
    return replace(values, sales=sales)


def _multiply(array: np.ndarray, factor: Array) -> None:
    for block in draw_blocks(*array.shape):
        array[block] *= factor[block, None].astype(array.dtype)
    let_go(array)


def _add_up(total: np.ndarray, parts: list[np.ndarray]) -> None:
    """The sum of the parts, added in their order."""
    for block in draw_blocks(*total.shape):
        total[block] = sum(np.asarray(part[block], dtype=float) for part in parts)
    let_go(total, *parts)
