"""The log density of a history and its gradient, a function a model, in mpmath and without the package's code.

A history may have come about in several ways (alive at the end, ended at one of many moments); a way is the tuple
(log density, derivative by the log of each parameter, in order). The ways' densities are added and their derivatives
averaged by them, so that every gradient is analytic. Parameters with a lower bound (q > 1) are differentiated by the
log of their excess. Notation and sources as in the models' papers: x, t_x, T; r, alpha; s, beta; a, b.
"""

from __future__ import annotations

from functools import cache

from mpmath import chop, e, exp, expm1, floor, inf, log, loggamma, mp, mpf, pi, psi, sqrt
from mpmath.calculus.quadrature import GaussLegendre

DIGITS = 60  # so that 50 are right where terms cancel


def mixture(ways):
    """log of the sum of the ways' densities, and its gradient: the mean of theirs, weighted by density."""
    top = max(way[0] for way in ways)
    weights = [exp(way[0] - top) for way in ways]
    total = sum(weights)
    gradient = [
        sum(w * way[1 + k] for w, way in zip(weights, ways, strict=True)) / total for k in range(len(ways[0]) - 1)
    ]
    return top + log(total), *gradient


def both(first, second):
    """Two independent parts of one way: log densities add, the parameters of the second follow the first's."""
    return first[0] + second[0], *first[1:], *second[1:]


# Purchases and what ends them -------------------------------------------------------------------------------


def poisson_gamma(count, r, alpha):
    """tau -> Gamma(r + n) / Gamma(r) alpha^r / (alpha + tau)^(r + n), with n = count events until tau."""
    constant = loggamma(r + count) - loggamma(r) + r * log(alpha)
    by_r = psi(0, r + count) - psi(0, r) + log(alpha)

    def until(tau):
        log_total = log(alpha + tau)
        return constant - (r + count) * log_total, r * (by_r - log_total), r - (r + count) * alpha / (alpha + tau)

    return until


def beta_ratio(a, b, m, n):
    """B(a + m, b + n) / B(a, b)."""
    value = loggamma(a + m) - loggamma(a) + loggamma(b + n) - loggamma(b) + loggamma(a + b) - loggamma(a + b + m + n)
    common = psi(0, a + b) - psi(0, a + b + m + n)
    return value, a * (psi(0, a + m) - psi(0, a) + common), b * (psi(0, b + n) - psi(0, b) + common)


class ExponentialGamma:
    """S(t) = (beta / (beta + t))^s; derivatives by s, beta."""

    def __init__(self, s, beta):
        self.s, self.beta = s, beta

    def survival(self, t):
        decline = log(self.beta) - log(self.beta + t)
        return self.s * decline, self.s * decline, self.s * t / (self.beta + t)

    def density(self, t):
        s, total = self.s, self.beta + t
        log_s, by_s, by_beta = self.survival(t)
        return log_s + log(s) - log(total), by_s + 1, by_beta - self.beta / total

    def roughness(self, t):
        """Distance of t to the nearest singularity of the density, and a bound of |d log density / dt| from t on."""
        return self.beta + t, (self.s + 1) / (self.beta + t)


class GompertzGamma:
    """S(t) = (beta / (beta - 1 + e^(b t)))^s, Bemmaor & Glady (2012); derivatives by b, s, beta."""

    def __init__(self, b, s, beta):
        self.b, self.s, self.beta = b, s, beta

    def survival(self, t):
        b, s, beta = self.b, self.s, self.beta
        total = beta + expm1(b * t)
        decline = log(beta) - log(total)
        return s * decline, -s * b * t * exp(b * t) / total, s * decline, s * expm1(b * t) / total

    def density(self, t):
        b, s, beta = self.b, self.s, self.beta
        total = beta + expm1(b * t)
        log_s, by_b, by_s, by_beta = self.survival(t)
        log_f = log_s + log(s) + log(b) + b * t - log(total)
        return log_f, by_b + 1 + b * t - b * t * exp(b * t) / total, by_s + 1, by_beta - beta / total

    def roughness(self, t):
        """As above: the poles are at e^(b t) = 1 - beta. The hazard, relative to b s, goes to 1; from below at first
        as e^(b t), where half a distance is kept to one e-fold."""
        b, s, beta = self.b, self.s, self.beta
        hazard = exp(b * t) / (beta + expm1(b * t))
        distance, later = inf, 1
        if beta != 1:
            distance = sqrt((b * t - log(abs(1 - beta))) ** 2 + (pi if beta > 1 else 0) ** 2) / b
        if e * hazard < 1:
            distance, later = min(distance, 2 / b), e * hazard
        return distance, b * max(abs(1 - (s + 1) * hazard), abs(1 - (s + 1) * later))


@cache
def gauss_legendre():
    """48 nodes and weights on (-1, 1)."""
    return GaussLegendre(mp).calc_nodes(5, mp.prec)


def ended_by_clock(count, buying, lifetime, alpha, r, start, end):
    """The ways to have ended between start and end, each a node of a quadrature over the moment of ending.

    Gauss-Legendre on pieces so short that the integrand is analytic well around each (half the distance to the
    nearest singularity) and changes by at most e^20 within; with 48 nodes the error is below 1e-60. The pieces stop
    where the integrand is e^-250 of its maximum: what rises again, Gompertz, rises by less than e^40.
    """
    ways, left, top = [], start, -inf
    while left < end:
        distance, slope = lifetime.roughness(left)
        slope += (r + count) / (alpha + left)
        right = min(end, left + min(min(distance, alpha + left) / 2, 20 / slope))
        half, middle = (right - left) / 2, (right + left) / 2
        piece = [(middle + half * node, log(half * weight)) for node, weight in gauss_legendre()]
        found = [both((buying(t)[0] + w, *buying(t)[1:]), lifetime.density(t)) for t, w in piece]
        ways += found
        peak = max(way[0] for way in found) - log(half)
        top = max(top, peak)
        if peak < top - 250:
            break
        left = right
    return ways


# Models of purchases in continuous time ---------------------------------------------------------------------


def nbd(r, alpha, *, frequency, recency, T):
    return poisson_gamma(frequency, r, alpha)(T)


def clock(lifetime, r, alpha, x, t_x, T):
    buying = poisson_gamma(x, r, alpha)
    alive = both(buying(T), lifetime.survival(T))
    return mixture([alive, *ended_by_clock(x, buying, lifetime, alpha, r, t_x, T)])


def pareto_nbd(r, alpha, s, beta, *, frequency, recency, T):
    return clock(ExponentialGamma(s, beta), r, alpha, frequency, recency, T)


def gg_nbd(r, alpha, b, s, beta, *, frequency, recency, T):
    return clock(GompertzGamma(b, s, beta), r, alpha, frequency, recency, T)


def coin(r, alpha, a, b, x, t_x, T, k, tosses):
    """Purchases at every k-th event of a Poisson process, a coin after each; alive: less than k events since t_x."""
    silent, ways = T - t_x, []
    for j in range(k if silent > 0 else 1):
        log_gap = j * log(silent) - loggamma(j + 1) if j else 0
        value, *scores = both(poisson_gamma(k * x + j, r, alpha)(T), beta_ratio(a, b, 0, tosses))
        ways.append((value + log_gap, *scores))
    if tosses > 0:
        ways.append(both(poisson_gamma(k * x, r, alpha)(t_x), beta_ratio(a, b, 1, tosses - 1)))
    return mixture(ways)


def bg_nbd(r, alpha, a, b, *, frequency, recency, T):
    return coin(r, alpha, a, b, frequency, recency, T, 1, frequency)


def mbg_nbd(r, alpha, a, b, *, frequency, recency, T):
    return coin(r, alpha, a, b, frequency, recency, T, 1, frequency + 1)


def erlang(k, x, sum_log_gaps):
    """What the gaps' own shape adds: (k - 1) sum of log gaps - x log((k - 1)!)."""
    return (k - 1) * sum_log_gaps - x * loggamma(k)


def bg_cnbd_k(r, alpha, a, b, *, k, frequency, recency, T, sum_log_gaps):
    value, *scores = coin(r, alpha, a, b, frequency, recency, T, int(k), frequency)
    return value + erlang(k, frequency, sum_log_gaps), *scores


def mbg_cnbd_k(r, alpha, a, b, *, k, frequency, recency, T, sum_log_gaps):
    value, *scores = coin(r, alpha, a, b, frequency, recency, T, int(k), frequency + 1)
    return value + erlang(k, frequency, sum_log_gaps), *scores


# Opportunities and renewals ---------------------------------------------------------------------------------


def bb(alpha, beta, *, frequency, recency, T):
    return beta_ratio(alpha, beta, frequency, T - frequency)


def bg_bb(alpha, beta, gamma, delta, *, frequency, recency, T):
    """Fader, Hardie & Shang (2010), eq. 6 without the binomial coefficient; the sum over the last opportunity alive,
    each term from the one before."""
    ways = [both(beta_ratio(alpha, beta, frequency, T - frequency), beta_ratio(gamma, delta, 0, T))]
    last = recency
    value, by_alpha, by_beta, by_gamma, by_delta = both(
        beta_ratio(alpha, beta, frequency, last - frequency), beta_ratio(gamma, delta, 1, last)
    )
    while last < T:
        ways.append((value, by_alpha, by_beta, by_gamma, by_delta))
        misses, bought, stayed, left = (
            beta + last - frequency,
            alpha + beta + last,
            delta + last,
            gamma + delta + 1 + last,
        )
        value += log(misses * stayed / (bought * left))
        by_alpha, by_beta = by_alpha - alpha / bought, by_beta + beta / misses - beta / bought
        by_gamma, by_delta = by_gamma - gamma / left, by_delta + delta / stayed - delta / left
        last += 1
    return mixture(ways)


def sbg(alpha, beta, *, frequency, T):
    return beta_ratio(alpha, beta, 0, T) if frequency == T else beta_ratio(alpha, beta, 1, frequency)


def bdw(alpha, beta, c, *, frequency, T):
    """P(alive after T renewals), or of ending at the next: S(x) - S(x + 1)."""
    if frequency == T:
        return bdw_survival(alpha, beta, c, T)
    stayed, renewed = (bdw_survival(alpha, beta, c, t) for t in (frequency, frequency + 1))
    ratio = exp(renewed[0] - stayed[0])
    scores = [(first - ratio * second) / (1 - ratio) for first, second in zip(stayed[1:], renewed[1:], strict=True)]
    return stayed[0] + log(1 - ratio), *scores


def bdw_survival(alpha, beta, c, t):
    """B(alpha, beta + t^c) / B(alpha, beta); more digits where t^c is huge and the gammas nearly cancel."""
    if t == 0:
        return mpf(0), mpf(0), mpf(0), mpf(0)
    constant = loggamma(alpha + beta) - loggamma(beta)
    before, after = psi(0, alpha + beta), psi(0, beta)
    with mp.workdps(DIGITS + 2 * int(abs(floor(c * log(t) / log(10))))):
        u = t**c
        value = loggamma(beta + u) - loggamma(alpha + beta + u)
        by_sum, by_beta = psi(0, alpha + beta + u), psi(0, beta + u)
        by_alpha, by_beta, by_c = -by_sum, by_beta - by_sum, u * (by_beta - by_sum)
    return value + constant, alpha * (by_alpha + before), beta * (by_beta + before - after), c * log(t) * by_c


# Spend ------------------------------------------------------------------------------------------------------


def gamma_gamma(p, q, v, *, amount_count, amount_sum, amount_log_sum):
    """The individual amounts: each Gamma(p, nu), nu ~ Gamma(q, v)."""
    shape, log_total = p * amount_count + q, log(v + amount_sum)
    value = (p - 1) * amount_log_sum - amount_count * loggamma(p) + loggamma(shape) - loggamma(q) + q * log(v)
    by_p = amount_log_sum + amount_count * (psi(0, shape) - psi(0, p) - log_total)
    by_q = psi(0, shape) - psi(0, q) + log(v) - log_total
    return value - shape * log_total, p * by_p, (q - 1) * by_q, q - shape * v / (v + amount_sum)


def gamma_gamma_mean(p, q, v, *, frequency, monetary_value):
    """Fader & Hardie (2013), eq. 1a: the density of the mean of x amounts."""
    x, m = frequency, monetary_value
    if x == 0:
        return mpf(0), mpf(0), mpf(0), mpf(0)
    shape, log_total = p * x + q, log(v + x * m)
    value = loggamma(shape) - loggamma(p * x) - loggamma(q) + q * log(v) + (p * x - 1) * log(m) + p * x * log(x)
    by_p = x * (psi(0, shape) - psi(0, p * x) + log(m) + log(x) - log_total)
    by_q = psi(0, shape) - psi(0, q) + log(v) - log_total
    return value - shape * log_total, p * by_p, (q - 1) * by_q, q - shape * v / (v + x * m)


def lognormal_spend(m, tau, sigma, *, amount_count, amount_log_sum, amount_log_ss):
    """The individual amounts: logs N(mu, sigma^2), mu ~ N(log m, tau^2)."""
    n, ss = amount_count, amount_log_ss
    if n == 0:
        return mpf(0), mpf(0), mpf(0), mpf(0)
    distance, variance = amount_log_sum / n - log(m), sigma**2 + n * tau**2
    value = -n * log(2 * pi) / 2 - (n - 1) * log(sigma) - log(variance) / 2 - ss / (2 * sigma**2)
    pull = n * distance**2 / variance
    by_variance = (pull - 1) / variance
    by_sigma = -(n - 1) + ss / sigma**2 + by_variance * sigma**2
    return value - pull / 2 - amount_log_sum, n * distance / variance, by_variance * n * tau**2, by_sigma


def truth(model, theta, history):
    """The model's log density of the history and its gradient, as doubles. theta and history: name -> number."""
    with mp.workdps(DIGITS):
        parameters = [mpf(value) for value in theta.values()]
        value, *gradient = globals()[model](*parameters, **{name: mpf(value) for name, value in history.items()})
        return float(value), [
            float(chop(g, tol=mpf(10) ** -50)) for g in gradient
        ]  # what the digits cannot tell from 0
