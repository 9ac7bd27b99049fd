"""The log densities of amounts with their derivatives, as loops over numbers; see `histories.py`.

Who has bought nothing again, or for nothing, gives no likelihood: 0, with derivatives 0. The second place of `out` is 1
for everybody, since what is paid says nothing of who is alive.
"""

from __future__ import annotations

import math

import numba

LOG_2PI = math.log(2.0 * math.pi)
FAR = 10.0
"""From where on the seven terms of Stirling's series give every digit of a double."""

loop = numba.njit(cache=True, nogil=True, error_model="numpy")
inlined = numba.njit(error_model="numpy", forceinline=True)


@inlined
def stirling_error(z):  # pragma: no cover - compiled
    """log Gamma(z) less ((z - 1/2) log z - z + log(2 pi) / 2), and its derivative, for z > 0.

    Abramowitz & Stegun (1964), eq. 6.1.40: from 10 on by the series; below, from it by the recurrence.
    """
    near, product, reciprocals = z, 1.0, 0.0
    while z < FAR:
        product *= z
        reciprocals += 1.0 / z
        z += 1.0
    inverse = 1.0 / z
    square = inverse * inverse
    series = 1 / 156
    series = series * square - 691 / 360360
    series = series * square + 1 / 1188
    series = series * square - 1 / 1680
    series = series * square + 1 / 1260
    series = series * square - 1 / 360
    series = series * square + 1 / 12
    slope = 1 / 12
    slope = slope * square - 691 / 32760
    slope = slope * square + 1 / 132
    slope = slope * square - 1 / 240
    slope = slope * square + 1 / 252
    slope = slope * square - 1 / 120
    slope = slope * square + 1 / 12
    if near >= FAR:
        return series * inverse, -slope * square
    log_gamma = (z - 0.5) * math.log(z) - z + series * inverse - math.log(product)
    digamma = math.log(z) - 0.5 * inverse - slope * square - reciprocals
    return log_gamma - ((near - 0.5) * math.log(near) - near), digamma - math.log(near) + 0.5 / near


@inlined
def of_number(n, p, q):  # pragma: no cover - compiled
    """What of log f(s / n) does not depend on s (`gamma_gamma.log_density_of_mean`), its derivatives by p and q."""
    a = p * n
    error_both, slope_both = stirling_error(a + q)
    error_a, slope_a = stirling_error(a)
    error_q, slope_q = stirling_error(q)
    q_beside_a, a_beside_q = math.log1p(q / a), math.log1p(a / q)
    value = a * q_beside_a + q * a_beside_q + (math.log(a) - a_beside_q - LOG_2PI) / 2.0
    value += error_both - error_a - error_q
    # what a and q do inside the two logarithms cancels
    by_a = q_beside_a + 0.5 * q / (a * (a + q)) + slope_both - slope_a
    by_q = a_beside_q + 0.5 * a / (q * (a + q)) + slope_both - slope_q
    return value, n * by_a, by_q


@inlined
def at_its_level(first, level, chance):  # pragma: no cover - compiled
    """The first amount at its own level (`first_amounts`): how many it is, 1 or 0; itself at the level of the others
    and its log, 0 where it is none; the log of the chance that it is one or none, and its derivative."""
    if first > 0.0:
        amount = first / level
        return 1.0, amount, math.log(amount), math.log(chance), 1.0 / chance
    return 0.0, 0.0, 0.0, math.log1p(-chance), -1.0 / (1.0 - chance)


@loop
def gamma_gamma(rows, theta, variant, out):  # pragma: no cover - compiled
    """Both Gamma-Gammas: rows are n, s and the sum of logs for the density `of_amounts` (1), x and the mean for that of
    the mean (0), n and s for that of the mean of those purchases that brought money (2).

    Rows come sorted by n: what depends on that alone is computed once for each.
    """
    with_slopes = out.shape[2] > 2
    shared = theta.shape[1] == 1
    of_amounts, with_first = variant
    for d in range(theta.shape[0]):
        last_n = last_p = last_q = math.nan
        number = number_by_p = number_by_q = 0.0
        given = given_by_p = 0.0
        for i in range(rows.shape[0]):
            m = 0 if shared else i
            p, q, v = theta[d, m, 0], theta[d, m, 1], theta[d, m, 2]
            n, total = rows[i, 0], rows[i, 1]
            logs = rows[i, 2] if of_amounts == 1 else 0.0
            has_first, level, log_chance = 0.0, 1.0, 0.0
            if with_first == 1:
                level = theta[d, m, 3]
                has_first, first, log_first, log_chance, by_chance = at_its_level(rows[i, 3], level, theta[d, m, 4])
                n, total, logs = n + has_first, total + first, logs + log_first
            paid = n > 0.0 and (of_amounts > 0 or total > 0.0)
            out[d, i, 1] = 1.0
            if not paid:
                out[d, i, 0] = log_chance
                out[d, i, 2:] = 0.0
                if with_first == 1 and with_slopes:
                    out[d, i, 6] = by_chance
                continue
            if of_amounts == 0:
                total *= n
            if n != last_n or p != last_p or q != last_q:
                number, number_by_p, number_by_q = of_number(n, p, q)
                if of_amounts == 1:
                    given, given_by_p = given_mean(n, p)
                last_n, last_p, last_q = n, p, q
            log_mean = math.log(total / n)
            v_beside_total, total_beside_v = math.log1p(v / total), math.log1p(total / v)
            log_prob = number - p * n * v_beside_total - q * total_beside_v - log_mean
            unlike = 0.0
            if of_amounts == 1:
                unlike = logs - n * log_mean
                log_prob += given + p * unlike + log_mean - logs
            out[d, i, 0] = log_prob
            if with_first == 1:
                out[d, i, 0] += log_chance - has_first * math.log(level)
            if with_slopes:
                out[d, i, 2] = number_by_p - n * v_beside_total + given_by_p + unlike
                out[d, i, 3] = number_by_q - total_beside_v
                out[d, i, 4] = (q * total / v - p * n) / (v + total)
                if with_first == 1:
                    # a higher level takes from the sum of the amounts and from that of their logs
                    out[d, i, 5] = has_first * ((p * n + q) / (v + total) * first - p) / level
                    out[d, i, 6] = by_chance


@inlined
def given_mean(n, p):  # pragma: no cover - compiled
    """What of the density of the amounts given their mean does not depend on them
    (`gamma_gamma.log_density_given_mean`), with its derivative by p."""
    error_all, slope_all = stirling_error(p * n)
    error_one, slope_one = stirling_error(p)
    value = (n - 1.0) * (math.log(p) - LOG_2PI) / 2.0 + error_all - n * error_one - math.log(n) / 2.0
    return value, (n - 1.0) / (2.0 * p) + n * slope_all - n * slope_one


@loop
def lognormal_spend(rows, theta, variant, out):  # pragma: no cover - compiled
    """Log-normal spend: of n logs with sum y and sum of squares about their mean ss."""
    (with_first,) = variant
    with_slopes = out.shape[2] > 2
    shared = theta.shape[1] == 1
    for d in range(theta.shape[0]):
        for i in range(rows.shape[0]):
            n, logs, squares = rows[i, 0], rows[i, 1], rows[i, 2]
            out[d, i, 1] = 1.0
            k = 0 if shared else i
            has_first, level, log_chance, apart, weight = 0.0, 1.0, 0.0, 0.0, 0.0
            if with_first == 1:
                level = theta[d, k, 3]
                has_first, _, log_first, log_chance, by_chance = at_its_level(rows[i, 3], level, theta[d, k, 4])
                apart = log_first - logs / max(n, 1.0)
                weight = has_first * n / (n + 1.0)
                n, logs, squares = n + has_first, logs + log_first, squares + weight * apart**2
            if n <= 0.0:
                out[d, i, 0] = log_chance
                out[d, i, 2:] = 0.0
                if with_first == 1 and with_slopes:
                    out[d, i, 6] = by_chance
                continue
            m, tau, sigma = theta[d, k, 0], theta[d, k, 1], theta[d, k, 2]
            variance = n * tau**2 + sigma**2
            away = logs / n - math.log(m)
            chi = n * away**2 / variance
            log_sigmas = 2.0 * (n - 1.0) * math.log(sigma)
            within = squares / sigma**2
            out[d, i, 0] = (-chi - math.log(variance) - log_sigmas - within - n * LOG_2PI) / 2.0 - logs
            if with_first == 1:
                out[d, i, 0] += log_chance - has_first * math.log(level)
            if with_slopes:
                by_variance = 0.5 * (chi - 1.0) / variance
                out[d, i, 2] = n * away / (variance * m)
                out[d, i, 3] = by_variance * 2.0 * n * tau
                out[d, i, 4] = by_variance * 2.0 * sigma + (within - (n - 1.0)) / sigma
                if with_first == 1:
                    out[d, i, 5] = (has_first * away / variance + weight * apart / sigma**2) / level
                    out[d, i, 6] = by_chance


@loop
def add_paid_share(rows, theta, out):  # pragma: no cover - compiled
    """Adds the density of which purchases brought money (`free_orders`): of the rows the last column is all purchases,
    the first those that brought some; the last parameters are the mean share and the precision.

    The chance of each purchase given those before it: k paid ones, then n - k free ones.
    """
    with_slopes = out.shape[2] > 2
    shared = theta.shape[1] == 1
    for d in range(theta.shape[0]):
        for i in range(rows.shape[0]):
            m = 0 if shared else i
            n, k = int(rows[i, -1]), int(rows[i, 0])
            mu, phi = theta[d, m, -2], theta[d, m, -1]
            log_share, by_a, by_b, by_both = 0.0, 0.0, 0.0, 0.0
            for j in range(n):
                before = float(j if j < k else j - k)
                mass = (mu if j < k else 1.0 - mu) * phi + before
                log_share += math.log(mass / (phi + j))
                by_both += 1.0 / (phi + j)
                if j < k:
                    by_a += 1.0 / mass
                else:
                    by_b += 1.0 / mass
            out[d, i, 0] += log_share
            if with_slopes:
                out[d, i, -2] = phi * (by_a - by_b)
                out[d, i, -1] = mu * by_a + (1.0 - mu) * by_b - by_both


@loop
def gamma_gamma_with_share(rows, theta, variant, out):  # pragma: no cover - compiled
    """`gamma_gamma`, which reads its own columns, and the share of purchases that brought money."""
    gamma_gamma(rows, theta, variant, out)
    add_paid_share(rows, theta, out)


@loop
def lognormal_spend_with_share(rows, theta, variant, out):  # pragma: no cover - compiled
    """`lognormal_spend` and the share of purchases that brought money."""
    lognormal_spend(rows, theta, variant, out)
    add_paid_share(rows, theta, out)


WITH_SHARE = {gamma_gamma: gamma_gamma_with_share, lognormal_spend: lognormal_spend_with_share}
"""The loop of a model's amounts beside that of the same with a share of purchases that bring money."""
WITH_FIRST = frozenset({gamma_gamma, lognormal_spend})
"""The loops that read the first amount where the last number of the variant is 1: in the fourth column of the rows, its
level and its chance the fourth and the fifth parameter."""
