"""A kernel as an operation of a graph, with its derivatives: what NUTS and effects differentiate through."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_and_cache_key

from clvmodels.models.contract import Model
from clvmodels.models.densities.evaluation import LEADING, Kernel
from clvmodels.models.parameters import Graph, Rows, Theta


def log_prob(model: Model, rows: Rows[Graph], theta: Theta[Graph], differentiable: bool = True) -> Graph:
    """The model's log density of each row in a graph: by its kernel, where it has one. [R]

    differentiable
        Whether gradients may be taken: without the derivatives a pass over the rows takes two thirds of the time.
    """
    if model.kernel is None:
        return model.log_prob(rows, theta)
    statistics = pt.stack([rows[name] for name in model.observes], axis=1)
    parameters = [pt.as_tensor(theta[parameter.name]) for parameter in model.parameters]
    if all(parameter.ndim == 0 for parameter in parameters):
        stacked = pt.stack(parameters)[None]  # one row, which all customers share
    else:
        every_row = pt.zeros_like(statistics[:, 0])
        stacked = pt.stack([parameter + every_row for parameter in parameters], axis=1)
    each = KernelLogProb(model.kernel, differentiable)(statistics, stacked)
    return each[0] if differentiable else each


class KernelLogProb(Op):
    """Rows [R, O] and parameters [M, K] to log densities [R] and, if asked for, their derivatives [R, K], in one pass.

    Both come together because whoever takes gradients takes the value, too; the derivatives have none of their own.
    """

    __props__ = ("kernel", "differentiable")

    def __init__(self, kernel: Kernel, differentiable: bool = True):
        self.kernel, self.differentiable = kernel, differentiable

    def make_node(self, rows: Graph, theta: Graph) -> Apply:
        outputs = [pt.vector(dtype="float64")]
        if self.differentiable:
            outputs.append(pt.matrix(dtype="float64", shape=(None, theta.type.shape[1])))
        return Apply(self, [rows, theta], outputs)

    def perform(self, node: Apply, inputs: Any, output_storage: Any) -> None:
        rows, theta = (np.array(values, dtype=float, order="C") for values in inputs)
        each = self.kernel.each(rows, theta[None], derivatives=self.differentiable)[0]
        output_storage[0][0] = each[:, 0].copy()
        if self.differentiable:
            output_storage[1][0] = each[:, LEADING:].copy()

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Rows are data."""
        return [[False, False], [True, True]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Graph]:
        theta = inputs[1]
        by_theta = cotangents[0][:, None] * outputs[1]
        if theta.type.broadcastable[0]:
            by_theta = by_theta.sum(axis=0, keepdims=True)
        return [DisconnectedType()(), by_theta]


@register_funcify_and_cache_key(KernelLogProb)
def _compiled(op: KernelLogProb, node: Apply, **_: Any) -> tuple[Any, str]:
    loop, variant = op.kernel

    @numba_njit
    def log_prob_alone(rows, theta):
        rows, theta = np.ascontiguousarray(rows), np.ascontiguousarray(theta)
        out = np.empty((1, rows.shape[0], LEADING))
        loop(rows, theta.reshape((1, theta.shape[0], theta.shape[1])), variant, out)
        return out[0, :, 0].copy()

    @numba_njit
    def log_prob_and_slopes(rows, theta):
        rows, theta = np.ascontiguousarray(rows), np.ascontiguousarray(theta)
        out = np.empty((1, rows.shape[0], LEADING + theta.shape[1]))
        loop(rows, theta.reshape((1, theta.shape[0], theta.shape[1])), variant, out)
        return out[0, :, 0].copy(), out[0, :, LEADING:].copy()

    # PyTensor keeps compiled code on disk, in which the loop stands: the key has to change with its file
    source = Path(loop.py_func.__code__.co_filename).read_bytes() + Path(__file__).read_bytes()
    name = f"{loop.py_func.__module__}.{loop.py_func.__qualname__}{variant}{op.differentiable}"
    compiled = log_prob_and_slopes if op.differentiable else log_prob_alone
    return compiled, hashlib.sha256(name.encode() + source).hexdigest()
