"""A posterior's file as it was written: a sum over all that it holds, and what reading it may end in.

A bit that flips in a file changes a draw and nothing else: only a sum tells it. Whatever a library says of a damaged
file is told as one error, with the file's name.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import xarray as xr

from clvmodels.errors import Problem, ResultsError

SUM = "content_sha256"
"""The attribute that holds the sum; `SUMMED` among what is told of the posterior says that it must be there."""
SUMMED = "summed"
LARGEST = 1e100
"""No parameter of a posterior is beyond it: what is, would keep simulations from ending."""
AGAIN = "Fit it again, or take another copy of the file"


def content_sum(tree: xr.DataTree, about: str) -> str:
    """SHA-256 of the variables of all groups, their names, dimensions and values, and of what is told beside them."""
    digest = hashlib.sha256(about.encode())
    for group in sorted(node.path for node in tree.subtree):
        data = tree[group].to_dataset()
        attributes = {name: value for name, value in tree[group].attrs.items() if group != "/"}
        for name in sorted(attributes):
            digest.update(f"{group}@{name}={np.asarray(attributes[name]).tolist()!r}".encode())
        for name in sorted(map(str, data.variables)):
            variable = data[name]
            digest.update(f"{group}/{name}{variable.dims}{variable.shape}".encode())
            digest.update(_bytes(variable.to_numpy()))
    return digest.hexdigest()


def _bytes(values: np.ndarray) -> bytes:
    """Numbers as doubles and anything else as text: a file may store them in another width."""
    if values.dtype.kind in "fiub":
        return np.ascontiguousarray(values, dtype=float).tobytes()
    return "\x1f".join(map(str, values.ravel().tolist())).encode()


def check_content(tree: xr.DataTree, about: str, is_summed: bool, where: str) -> None:
    """Refuse a posterior that is not what was written, or whose draws no model has.

    Raises
    ------
    ResultsError
        The content has another sum than it was stored with; or a draw is not finite, or beyond `LARGEST`.
    """
    if is_summed and tree.attrs.get(SUM) != content_sum(tree, about):
        what = "the posterior is damaged: its content is not what was written"
        raise ResultsError(Problem(what, where, known=AGAIN))
    for name, variable in tree["posterior"].data_vars.items():
        values = variable.to_numpy()
        if values.dtype.kind == "f" and not bool((np.abs(values) < LARGEST).all()):
            what = f"draws of '{name}' are not finite, or beyond {LARGEST:g}"
            raise ResultsError(Problem(what, where, known=AGAIN))


def damaged(path: Path, error: Exception) -> ResultsError:
    """The error of a file that is no posterior in full, in place of a library's."""
    text = (str(error).splitlines() or [""])[0]
    reason = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return ResultsError(Problem("the posterior is damaged, or was not written in full", str(path), reason[:200], AGAIN))
