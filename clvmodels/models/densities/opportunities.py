"""The log density of purchases at opportunities with its derivatives, as a loop over numbers; see `histories.py`."""

from __future__ import annotations

import math

import numba

from clvmodels.models.parts.beta_ratio import _digamma_difference, _log_beta_ratio

BETA_RATIO = "39c82705fbe31952"
"""The beginning of the SHA-256 of the file of these two: Numba, which keeps the loop on disk, looks at this file alone,
which so changes with that one. A test holds it."""

loop = numba.njit(cache=True, nogil=True, error_model="numpy")
inlined = numba.njit(error_model="numpy", forceinline=True)


@loop
def beta_bernoulli_until_beta_geometric(rows, theta, variant, out):  # pragma: no cover - compiled
    """BG/BB. Terms of the ended branch are relative to that of i = t_x; from i to i + 1 each is multiplied by

    (beta + i - x) / (alpha + beta + i) (delta + i) / (gamma + delta + i + 1).
    """
    with_slopes = out.shape[2] > 2
    shared = theta.shape[1] == 1
    for d in range(theta.shape[0]):
        for row in range(rows.shape[0]):
            x, t_x, n = rows[row, 0], rows[row, 1], rows[row, 2]
            m = 0 if shared else row
            alpha, beta, gamma, delta = theta[d, m, 0], theta[d, m, 1], theta[d, m, 2], theta[d, m, 3]
            bought, bought_by_beta, bought_by_alpha = beta_ratio(beta, alpha, x)
            passed, passed_by_alpha, passed_by_beta = beta_ratio(alpha + x, beta, n - x)
            stayed, stayed_by_gamma, stayed_by_delta = beta_ratio(gamma, delta, n)
            alive = bought + passed + stayed
            if t_x >= n:
                out[d, row, 0], out[d, row, 1] = alive, 1.0
                if with_slopes:
                    out[d, row, 2] = bought_by_alpha + passed_by_alpha
                    out[d, row, 3] = bought_by_beta + passed_by_beta
                    out[d, row, 4], out[d, row, 5] = stayed_by_gamma, stayed_by_delta
                continue
            first_passed, first_by_alpha, first_by_beta = beta_ratio(alpha + x, beta, t_x - x)
            first_stayed, first_by_gamma, first_by_delta = beta_ratio(gamma, delta, t_x)
            term = total = 1.0
            term_by_alpha = term_by_beta = term_by_gamma = term_by_delta = 0.0
            total_by_alpha = total_by_beta = total_by_gamma = total_by_delta = 0.0
            for step in range(int(n - t_x) - 1):
                i = t_x + step
                passing, staying = beta + i - x, delta + i
                term *= passing / (alpha + beta + i) * (staying / (gamma + delta + i + 1.0))
                total += term
                if with_slopes:
                    term_by_alpha -= 1.0 / (alpha + beta + i)
                    term_by_beta += difference_of_inverses(passing, alpha + x)
                    term_by_gamma -= 1.0 / (gamma + delta + i + 1.0)
                    term_by_delta += difference_of_inverses(staying, gamma + 1.0)
                    total_by_alpha += term * term_by_alpha
                    total_by_beta += term * term_by_beta
                    total_by_gamma += term * term_by_gamma
                    total_by_delta += term * term_by_delta
            first = bought + first_passed + first_stayed - math.log1p((delta + t_x) / gamma)
            ended = first + math.log(total)
            smaller = math.exp(-abs(alive - ended))
            larger_share = 1.0 / (1.0 + smaller)
            p_alive = larger_share if alive >= ended else smaller * larger_share
            out[d, row, 0], out[d, row, 1] = max(alive, ended) + math.log1p(smaller), p_alive
            if with_slopes:
                p_ended = 1.0 - p_alive
                whole = gamma + delta + t_x
                ended_by_alpha = first_by_alpha + total_by_alpha / total
                ended_by_beta = first_by_beta + total_by_beta / total
                ended_by_gamma = first_by_gamma + (delta + t_x) / (gamma * whole) + total_by_gamma / total
                ended_by_delta = first_by_delta - 1.0 / whole + total_by_delta / total
                out[d, row, 2] = bought_by_alpha + p_alive * passed_by_alpha + p_ended * ended_by_alpha
                out[d, row, 3] = bought_by_beta + p_alive * passed_by_beta + p_ended * ended_by_beta
                out[d, row, 4] = p_alive * stayed_by_gamma + p_ended * ended_by_gamma
                out[d, row, 5] = p_alive * stayed_by_delta + p_ended * ended_by_delta


@inlined
def difference_of_inverses(a, b):  # pragma: no cover - compiled
    """1 / a - 1 / (a + b)."""
    return b / (a * (a + b))


@inlined
def beta_ratio(a, z, h):  # pragma: no cover - compiled
    """`log_beta_ratio` and its derivatives by a and z."""
    smaller, larger = min(a, h), max(a, h)
    by_z = _digamma_difference(z, smaller) - _digamma_difference(z + larger, smaller)
    return _log_beta_ratio(a, z, h), -_digamma_difference(z + a, h), by_z
