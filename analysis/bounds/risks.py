"""Exact risks of simple protocols, one sample per server: what fixed formulas say a simulation must show.

p is a pmf (n,) float64 throughout, m the number of servers, b the bits per server, K = 2^b. Losses are
E||ph - p||_2^2 and E||ph - p||_1. Letters P1, P8, P9, ... are the propositions of docs/bounds.md, section R.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
WAVELET_MOST = 1 << 22  # coefficients times samples up to which the exact variance is worked out


def mean_deviation(trials: ArrayLike, q: ArrayLike) -> Floats:
    """Return E|Bin(N, q)/N - q| = 2 q (1-q) P(Bin(N-1, q) = floor(N q)), exactly, elementwise.

    N integers >= 1 and q in [0, 1] broadcast. The probability is computed by Stirling's series with its
    error terms kept apart, so nothing cancels: relative error about 1e-12 up to N = 1e9.

    Source: De Moivre, 1730; docs/bounds.md, Proposition P1.
    """
    n_trials, chance = np.broadcast_arrays(np.asarray(trials, np.float64), np.asarray(q, np.float64))
    if bool(np.any(n_trials < 1)) or bool(np.any((chance < 0) | (chance > 1))):
        raise ValueError("mean_deviation needs N >= 1 and 0 <= q <= 1")
    inner = np.clip(chance, 1e-300, 1.0 - 1e-16)
    hits = np.minimum(np.floor(n_trials * inner), n_trials - 1.0)
    return np.asarray(2.0 * chance * (1.0 - chance) * _binomial_pmf(hits, n_trials - 1.0, inner), np.float64)


def _binomial_pmf(hits: Floats, trials: Floats, q: Floats) -> Floats:
    """Return C(trials, hits) q^hits (1-q)^(trials-hits) in saddle-point form (Loader, 2000)."""
    misses = trials - hits
    edge = (hits == 0) | (misses == 0)
    at_edge = np.exp(hits * np.log(q) + misses * np.log1p(-q))
    x, y = np.where(edge, 1.0, hits), np.where(edge, 1.0, misses)
    total = x + y
    exponent = _stirling_error(total) - _stirling_error(x) - _stirling_error(y)
    exponent -= _deviance(x, total * q) + _deviance(y, total * (1.0 - q))
    inside = np.exp(exponent) * np.sqrt(total / (2.0 * math.pi * x * y))
    return np.where(edge, at_edge, inside)


def _deviance(x: Floats, mean: Floats) -> Floats:
    """Return x ln(x/mean) - (x - mean), accurate for x near the mean."""
    gap = (x - mean) / mean
    return x * np.log1p(gap) - mean * gap


def _stirling_error(x: Floats) -> Floats:
    """Return ln x! - (x + 1/2) ln x + x - ln(2 pi)/2 for integers x >= 1."""
    table = [0.0] + [math.lgamma(k + 1.0) - (k + 0.5) * math.log(k) + k for k in range(1, 16)]
    low = np.asarray(table) - 0.5 * math.log(2.0 * math.pi)
    square = x * x
    series = (1.0 / 12.0 - (1.0 / 360.0 - (1.0 / 1260.0 - 1.0 / (1680.0 * square)) / square) / square) / x
    return np.where(x < 16, low[np.minimum(x, 15).astype(np.int64)], series)


def empirical_l2(p: Floats, n_samples: int) -> float:
    """Return (1 - ||p||^2) / N, the squared l2 risk of the empirical pmf of N samples (P1)."""
    return (1.0 - _square_norm(p)) / n_samples


def empirical_l1(p: Floats, n_samples: int) -> float:
    """Return the exact l1 risk of the empirical pmf: the sum of De Moivre's terms (P1)."""
    return float(mean_deviation(n_samples, _pmf(p)).sum())


def minimax_l2(n: int, n_samples: int) -> float:
    """Return (1 - 1/n) / (sqrt(N) + 1)^2, the squared l2 risk of the constant-risk estimate (P1).

    The estimate is (N_x + sqrt(N)/n) / (N + sqrt(N)). No other has a smaller worst case (6.7).
    """
    return (1.0 - 1.0 / n) / (math.sqrt(n_samples) + 1.0) ** 2


def grouping_counts(n: int, m: int, b: int) -> NDArray[np.int64]:
    """Return n_x (n,) int64, the number of servers that look at symbol x (P8).

    Server i looks at the K-1 symbols from i (K-1) mod n on. Needs K - 1 <= n and m (K-1) >= n.
    """
    width = (1 << b) - 1
    if b < 1 or width > n:
        raise ValueError(f"grouping needs 1 <= 2^b - 1 <= n, got b={b} and n={n}; use the full sample instead")
    if m * width < n:
        raise ValueError(f"{m} servers of {b} bits see only {m * width} of {n} symbols")
    full, rest = divmod(m * width, n)
    return np.asarray(full + (np.arange(n) < rest), dtype=np.int64)


def grouping_l2(p: Floats, m: int, b: int) -> float:
    """Return sum p_x (1-p_x)/n_x, the squared l2 risk of grouping (P8).

    Equal to n (1-||p||^2)/(m (K-1)) if n divides m (K-1).
    """
    pmf = _pmf(p)
    return float((pmf * (1.0 - pmf) / grouping_counts(pmf.size, m, b)).sum())


def grouping_l1(p: Floats, m: int, b: int) -> float:
    """Return the exact l1 risk of grouping: De Moivre's terms with n_x servers each (P8)."""
    pmf = _pmf(p)
    return float(mean_deviation(grouping_counts(pmf.size, m, b), pmf).sum())


def grouping_l1_at_most(p: Floats, m: int, b: int) -> float:
    """Return sum sqrt(p_x (1-p_x)/n_x), an upper bound on the l1 risk of grouping at every size (P8).

    The smaller value with the factor sqrt(2/pi) is a normal approximation and not a bound.
    """
    pmf = _pmf(p)
    return float(np.sqrt(pmf * (1.0 - pmf) / grouping_counts(pmf.size, m, b)).sum())


def grouping_shift_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk of grouping followed by the shift ph + (1 - sum ph)/n, for every m (P8s).

    sum_x p_x(1-p_x)/n_x - (1/n) sum_i Var(sum over S_i of 1{X_i = x}/n_x). If n divides m (K-1), with
    n0 = m (K-1)/n: (1-||p||^2)/n0 - sum_i P(S_i)(1-P(S_i))/(n n0^2); for b = 1: (n-1)(1-||p||^2)/m.
    """
    pmf = _pmf(p)
    n, width = pmf.size, (1 << b) - 1
    counts = grouping_counts(n, m, b)
    period = n // math.gcd(n, width)  # servers i and i + period watch the same symbols
    firsts = (np.arange(min(m, period), dtype=np.int64) * width) % n
    times = m // period + (np.arange(firsts.size) < m % period)
    mean = _window_sums(pmf / counts, firsts, width)
    square = _window_sums(pmf / counts.astype(np.float64) ** 2, firsts, width)
    return grouping_l2(pmf, m, b) - float((times * (square - mean**2)).sum()) / n


def _window_sums(values: Floats, firsts: NDArray[np.int64], width: int) -> Floats:
    """Return sums of `width` cyclically consecutive values, one for each first position."""
    running = np.concatenate([[0.0], np.cumsum(np.concatenate([values, values]))])
    return np.asarray(running[firsts + width] - running[firsts], dtype=np.float64)


def hash_collision(n: int, b: int) -> float:
    """Return rho = (n'/K - 1)/(n' - 1), the chance that two symbols share a cell, n' = K ceil(n/K) (P9)."""
    cells = 1 << b
    cell_size = -(-n // cells)
    return (cell_size - 1) / (cells * cell_size - 1)


def hash_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk of balanced random hashing, summed over the n real symbols (P9).

    sum_x pi_x (1-pi_x) / (m (1-rho)^2), pi_x = rho + (1-rho) p_x, an independent partition per server.
    """
    return _counted_l2(_pmf(p), m, hash_collision(p.size, b))


def hash_l1(p: Floats, m: int, b: int) -> float:
    """Return the exact l1 risk of balanced random hashing: Z_x is Bin(m, pi_x) for every x (P9)."""
    return _counted_l1(_pmf(p), m, hash_collision(p.size, b))


def hash_l2_sup(n: int, m: int, b: int) -> float:
    """Return the worst squared l2 risk of balanced hashing, which is that of the uniform p (P9).

    Equal to (n-1)^2/(n m (K-1)) if K divides n.
    """
    return hash_l2(np.full(n, 1.0 / n), m, b)


def independent_hash_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk of hashing every symbol independently: P9 with rho = 1/K.

    At the uniform p it is 1 + K/(n-1) times the balanced one.
    """
    return _counted_l2(_pmf(p), m, 2.0**-b)


def linear_hash_collision(t: int, b: int) -> float:
    """Return rho = (2^(t-b) - 1)/(2^t - 1) of a uniform full-rank b x t binary matrix (P10)."""
    if not 1 <= b <= t:
        raise ValueError(f"a full-rank b x t matrix needs 1 <= b <= t, got b={b} and t={t}")
    return ((1 << (t - b)) - 1) / ((1 << t) - 1)


def linear_hash_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk, over the real symbols, of random full-rank linear hashes (P10).

    The domain is padded to n' = 2^t, the smallest power of two that is at least n and 2^b.
    """
    return _counted_l2(_pmf(p), m, linear_hash_collision(_log_size(p.size, b), b))


def linear_hash_l1(p: Floats, m: int, b: int) -> float:
    """Return the exact l1 risk, over the real symbols, of random full-rank linear hashes (P10)."""
    return _counted_l1(_pmf(p), m, linear_hash_collision(_log_size(p.size, b), b))


def cycle_length(n: int, b: int) -> int:
    """Return (K^r - 1)/(K - 1), the number of directions of the design on n' = K^r >= n symbols (P10c)."""
    return (_cycle_size(n, b) - 1) // ((1 << b) - 1)


def cycle_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk of the deterministic cycle over all linear functionals over GF(K) (P10c).

    (n-1)(1-||p||^2)/(m (K-1)), exact if n = K^r and m is a multiple of `cycle_length`. For b = 1 the risk
    summed over the real symbols is exact at every n. Otherwise use `cycle_l2_at_most`.
    """
    pmf = _pmf(p)
    n, n_padded = pmf.size, _cycle_size(pmf.size, b)
    if m % cycle_length(n, b):
        raise ValueError(f"the cycle of {cycle_length(n, b)} directions does not divide m={m}")
    if n == n_padded:
        return (n - 1) * (1.0 - _square_norm(pmf)) / (m * ((1 << b) - 1))
    if b != 1:
        raise ValueError(f"the exact risk of the cycle needs n to be a power of 2^b, got n={n} and b={b}")
    # Over GF(2) three distinct symbols share a cell with chance rho3 (no two differences are parallel).
    rho, rho3 = (n_padded / 2 - 1) / (n_padded - 1), (n_padded / 4 - 1) / (n_padded - 1)
    others = 1.0 - pmf
    other_squares = _square_norm(pmf) - pmf**2
    mean = pmf + rho * others
    square = pmf**2 + rho * (2.0 * pmf * others + other_squares) + rho3 * (others**2 - other_squares)
    return float((mean - square).sum()) / (m * (1.0 - rho) ** 2)


def cycle_l2_at_most(p: Floats, m: int, b: int) -> float:
    """Return (n'-1)(1-||p||^2)/(m (K-1)), an upper bound on the risk of the cycle, n <= n' = K^r (P10c)."""
    return (_cycle_size(p.size, b) - 1) * (1.0 - _square_norm(p)) / (m * ((1 << b) - 1))


def recursive_hadamard_l2(p: Floats, m: int, b: int) -> float:
    """Return the squared l2 risk, over the real symbols, of recursive Hadamard response without noise (P11).

    n' = 2^t >= n symbols in 2^(b-1) chunks of B0 = n'/2^(b-1), row j of the Hadamard matrix held by m_j of the
    m servers: sum over chunks c of (real symbols in c)/B0^2 * sum_j (P_c - a_cj^2)/m_j, exact for every m >=
    B0. If n = n' and B0 divides m it is B0 (1-||p||^2)/m.
    """
    pmf = _pmf(p)
    t = (pmf.size - 1).bit_length()
    if not 1 <= b <= t:
        raise ValueError(f"recursive Hadamard response on 2^{t} symbols takes 1 to {t} bits, got b={b}")
    length = 1 << (t - b + 1)
    if m < length:
        raise ValueError(f"{m} servers hold fewer than all {length} rows of the Hadamard matrix")
    chunks = np.zeros((1 << (b - 1), length))
    chunks.ravel()[: pmf.size] = pmf
    real = np.clip(pmf.size - length * np.arange(len(chunks)), 0, length)
    mass = chunks.sum(axis=1)
    means = chunks.copy()
    half = 1
    while half < length:
        pairs = means.reshape(len(means), -1, 2, half)
        pairs[:] = np.stack((pairs[:, :, 0] + pairs[:, :, 1], pairs[:, :, 0] - pairs[:, :, 1]), axis=2)
        half *= 2
    servers = m // length + (np.arange(length) < m % length)
    variance = ((mass[:, None] - means**2) / servers).sum(axis=1)
    return float((real * variance).sum()) / length**2


def simulation_success(p: Floats, b: int, split: bool) -> float:
    """Return the chance that a batch of 2t servers simulates a sample: prod_j (1 - P_j) (P12).

    P_j is the mass of the j-th block of K-1 symbols. split: on 2n symbols, x and x + n with half the mass of
    x each, where the chance is at least 1/4.
    """
    pmf = _pmf(p)
    width = (1 << b) - 1
    if not 1 <= width < pmf.size:
        raise ValueError(f"simulation needs 1 <= 2^b - 1 < n, got b={b} and n={pmf.size}; send the sample instead")
    masses = np.concatenate((pmf, pmf)) / 2.0 if split else pmf
    return float(np.prod(np.maximum(0.0, 1.0 - np.add.reduceat(masses, np.arange(0, masses.size, width)))))


def simulation_l2(p: Floats, m: int, b: int, split: bool) -> float:
    """Return the squared l2 risk of the empirical pmf of simulated samples, the uniform one if there are none (P12).

    sum_{a >= 1} P(A = a) (1-||p||^2)/a + P(A = 0) ||p - 1/n||^2 with A ~ Bin(batches, success).
    """
    pmf = _pmf(p)
    n, width = pmf.size, (1 << b) - 1
    success = simulation_success(pmf, b, split)
    batches = m // (2 * -(-(2 * n if split else n) // width))
    if batches < 1:
        raise ValueError(f"{m} servers of {b} bits are no batch")
    no_sample = float(((pmf - 1.0 / n) ** 2).sum())
    if success == 0.0:
        return no_sample
    middle, spread = batches * success, 12.0 * math.sqrt(batches * success) + 60.0
    low, high = max(1, math.floor(middle - spread)), min(batches, math.ceil(middle + spread))
    accepted = np.arange(low, high + 1, dtype=np.float64)
    chances = _binomial_pmf(accepted, np.full(accepted.size, float(batches)), np.full(accepted.size, success))
    none = math.exp(batches * math.log1p(-success))
    return (1.0 - _square_norm(pmf)) * float((chances / accepted).sum()) + none * no_sample


def gap_bits(p: Floats, s: int, lengths: ArrayLike) -> float:
    """Return the expected bits of the s gaps of s sorted samples of p, the first symbol being a gap from 0 (P6).

    lengths: bits of the code word of each gap 0..n-1, (n,). Takes n^2 steps.
    """
    pmf, bits = _pmf(p), np.asarray(lengths, np.float64)
    n = pmf.size
    below = np.minimum(np.concatenate([[0.0], np.cumsum(pmf)]), 1.0)
    below[-1] = 1.0
    empty_from_0 = (1.0 - below) ** s
    often = empty_from_0[:-1] - empty_from_0[1:]  # the first gap
    shorter, window = np.ones(n + 1), (1.0 - np.diff(below)) ** s  # P(no sample in g - 1, in g symbols from i on)
    for gap in range(1, n):
        longer = (1.0 - (below[gap + 1 :] - below[: n - gap])) ** s
        often[gap] += float((shorter[1 : n - gap + 1] - window[:-1] - window[1:] + longer).sum())
        shorter, window = window, longer
    often[0] = s - often[1:].sum()
    return float(often @ bits)


def sparse_hash_l2_at_most(p: Floats, m: int, b: int, support: int) -> float:
    """Return an upper bound on the squared l2 risk of the sparse projection of the linear hash (P14).

    For p with at most `support` symbols: the smaller of 4 times the risk of the linear hash and 4 support (1 +
    ln 2n)/(m (1-rho)^2), rho its chance of a collision. Raises ValueError for other p, where nothing is proved.
    """
    pmf = _pmf(p)
    if np.count_nonzero(pmf) > support:
        raise ValueError(f"the bound is for at most {support} symbols, p has {np.count_nonzero(pmf)}")
    rho = linear_hash_collision(_log_size(pmf.size, b), b)
    largest = (1.0 + math.log(2.0 * pmf.size)) / (2.0 * m * (1.0 - rho) ** 2)  # at least E max e_x^2
    return 4.0 * min(linear_hash_l2(pmf, m, b), 2.0 * support * largest)


def wavelet_l1(t: int) -> float:
    """Return the sum of the absolute Haar coefficients of a point mass on 2^t symbols, less the scaling one (P25).

    No law has more. It rises to 1 + sqrt(2) = 2.41421...
    """
    return float((2.0 ** (-0.5 * np.arange(1, t + 1))).sum())


def wavelet_rounding_at_most(lams: ArrayLike) -> float:
    """Return a bound, for every p, on the summed variance of the rounded Haar coefficients of one server (P25).

    lams: step at heights 1, 2, ..., (t,). A height has coefficients of sum 2^(-height/2) at most, each of which
    costs at most lam times its size, and at most lam^2/4.
    """
    steps = np.asarray(lams, np.float64)
    height = np.arange(1, steps.size + 1)
    return float(np.minimum(steps * 2.0 ** (-height / 2), steps**2 / 4.0 * 2.0 ** (steps.size - height)).sum())


def wavelet_rounding(p: Floats, s: int, steps: ArrayLike) -> float:
    """Return the expected squared l2 error on n symbols of rounding the Haar coefficients of s samples of p (P25).

    steps: what D, the samples in the left half of a node less those in its right half, is rounded to multiples
    of, at heights 1, 2, ..., (t,). The law of D comes from its characteristic function by a Fourier transform: 2^t s
    log s steps in all.
    """
    pmf, grid = _pmf(p), np.asarray(steps, np.float64)
    size = 1 << (2 * s).bit_length()
    turn = np.exp(2j * np.pi * np.arange(size) / size)
    excess = np.abs(np.concatenate([np.arange(size // 2), np.arange(-(size // 2), 0)])).astype(np.float64)
    total, mass = 0.0, np.pad(pmf, (0, (1 << grid.size) - pmf.size))
    inside = np.pad(np.ones(pmf.size), (0, mass.size - pmf.size))
    for height, step in enumerate(grid.tolist(), 1):
        left, right = mass[::2], mass[1::2]
        mass, inside = left + right, inside[::2] + inside[1::2]
        part = excess / step - np.floor(excess / step)
        loss = part * (1.0 - part) * (step / s) ** 2 / 4.0**height  # variance of a coefficient, a share of a symbol
        for i in range(0, mass.size, chunk := max(1, (1 << 20) // size)):
            a, b = left[i : i + chunk, None], right[i : i + chunk, None]
            law = np.fft.fft(((1.0 - a - b) + a * turn + b / turn) ** s, axis=1).real / size
            total += float((law @ loss) @ inside[i : i + chunk])
    return total


def localised_at_most(p: Floats, levels: int, way: int, end: int) -> tuple[float, float]:
    """Return bounds on the squared l2 and the l1 risk of counting the symbols that `levels` levels have found (P15).

    p: masses of the symbols, (k,), sum 1. way: watchers of a prefix at each level, at least. end: watchers of a
    symbol that was found, at least; both from 1.
    """
    pmf = np.asarray(p, np.float64)
    lost = np.minimum(1.0, levels * (1.0 - pmf) ** way)
    l2 = float((pmf * (1.0 - pmf)).sum()) / end + float((pmf**2 * lost).sum())
    return l2, float(mean_deviation(end, pmf).sum()) + float((pmf * lost).sum())


def localised_worst(support: int, levels: int, way: int, end: int) -> tuple[float, float]:
    """Return bounds on both for all laws on at most `support` symbols (P15); arguments as before."""
    lost = levels * math.exp(way * math.log(way / (way + 1.0))) / (way + 1.0)  # levels max q (1-q)^way
    l2 = (1.0 - 1.0 / support) / end + min(1.0, lost)
    return l2, math.sqrt((support - 1) / end) + min(1.0, support * lost)


def tight_budget_l2(p: Floats, first: int, second: int, least: int = 1) -> float:
    """Return the squared l2 risk of counting on N2 samples the symbols seen `least` times or more by N1 others (H7).

    sum_x P(seen) p_x (1-p_x)/N2 + P(not seen) p_x^2, exact, as the halves are independent. first: N1, second: N2.
    """
    pmf = _pmf(p)
    misses = np.zeros(pmf.size)
    inner = np.clip(pmf, 1e-300, 1.0 - 1e-16)
    for hits in range(min(least, first + 1)):
        misses += _binomial_pmf(np.full(pmf.size, float(hits)), np.full(pmf.size, float(first)), inner)
    return float(((1.0 - misses) * pmf * (1.0 - pmf) / second + misses * pmf**2).sum())


def tight_budget_l2_at_most(first: int, second: int) -> float:
    """Return 1/N2 + (N1/(N1+1))^N1/(N1+1), at least the risk above for every p and least = 1 (H7)."""
    return 1.0 / second + (first / (first + 1.0)) ** first / (first + 1.0)


def _counted_l2(pmf: Floats, m: int, rho: float) -> float:
    cell = rho + (1.0 - rho) * pmf
    return float((cell * (1.0 - cell)).sum()) / (m * (1.0 - rho) ** 2)


def _counted_l1(pmf: Floats, m: int, rho: float) -> float:
    return float(mean_deviation(m, rho + (1.0 - rho) * pmf).sum()) / (1.0 - rho)


def _log_size(n: int, b: int) -> int:
    return max(b, (n - 1).bit_length())


def _cycle_size(n: int, b: int) -> int:
    if b < 1:
        raise ValueError(f"the cycle needs at least one bit per server, got b={b}")
    return 1 << (b * max(1, -(-(n - 1).bit_length() // b)))


def _square_norm(p: Floats) -> float:
    return float((_pmf(p) ** 2).sum())


def _pmf(p: Floats) -> Floats:
    pmf = np.asarray(p, dtype=np.float64)
    if pmf.ndim != 1 or pmf.size < 2 or bool(np.any(pmf < 0)) or abs(float(pmf.sum()) - 1.0) > 1e-9:
        raise ValueError("a risk needs a pmf: at least 2 masses, none negative, sum 1")
    return pmf
