"""Priors: p(z), the distribution of a code before any x was seen.

N(0, I) is the usual one. It loses nothing in principle, since the decoder can turn it into any distribution ([001],
[004]), and its KL has a closed form. Another prior moves work from the decoder to the code: N(μ₀, diag σ₀²) only
changes the units of the axes, while a mixture has a mode for each kind of x. The KL to a mixture has no closed form.
It is estimated from the z drawn:

    KL(q ‖ p) ≈ log q(z|x) - log p(z),   z ~ q(z|x)          (Kingma & Welling 2014, eq. 6)
"""

import math

import numpy as np

from numpyae.checks import check_size
from numpyae.parameters import Parametric, parameter


class Prior(Parametric):
    """The contract: log_density(z) -> log p(z); backward(dlog_p) -> dz, which adds the gradients of own parameters."""

    example_arguments = ((2,),)

    def log_density(self, z):
        """Return log p(z) in nats, (N,) or (K, N), for z (N, d) or (K, N, d)."""
        raise NotImplementedError(f"{type(self).__name__}.log_density")

    def backward(self, dlog_p):
        """Return ∂L/∂z, of the shape of z, for dlog_p = ∂L/∂log p(z)."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def sample(self, n, rng=None, dtype=np.float64):
        """Draw n codes z ~ p(z), (n, d)."""
        raise NotImplementedError(f"{type(self).__name__}.sample")

    @classmethod
    def examples(cls, rng):
        """Yield (prior, z), at which the class is checked: with one draw for each sample, and with three."""
        for arguments in cls.example_arguments:
            for draws in ((), (3,)):
                yield cls(*arguments), rng.standard_normal((*draws, 7, 2))


class GaussianPrior(Prior):
    """p(z) = N(μ₀, diag σ₀²) in d dimensions, fixed; N(0, I) by default.

    μ₀ and σ₀ are numbers, or lists of d numbers. Raise ValueError unless μ₀ is finite and σ₀ positive.
    """

    formula = {"log p(z)": "-½ Σ_j [(({z} - μ₀) / σ₀)² + log 2πσ₀²]", "dz": "-dlog p ({z} - μ₀) / σ₀²"}
    example_arguments = ((2,), (2, 0.5, 1.7))

    def __init__(self, d, mu=0.0, sigma=1.0):
        self.d = check_size("GaussianPrior: d", d)
        self.mu, self.sigma = self.numbers("mu", mu, -np.inf), self.numbers("sigma", sigma, 0)

    def numbers(self, name, value, above):
        """Return value as a float or a list of d floats; raise ValueError unless they are finite and above this."""
        try:
            array = np.asarray(value, dtype=float)
        except (TypeError, ValueError):
            array = np.full(0, np.nan)
        if array.shape not in ((), (self.d,)) or not np.all(np.isfinite(array) & (array > above)):
            kind = "positive" if above == 0 else "finite"
            raise ValueError(f"GaussianPrior: {name} must be a {kind} number, or {self.d} of them, got {value!r}")
        return array.tolist()

    def extent(self):
        """Return the mean and the standard deviation of each z_j, both (d,)."""
        return np.zeros(self.d) + self.mu, np.zeros(self.d) + self.sigma

    def log_density(self, z):
        """Return log p(z) = -½ Σ_j [((z_j - μ₀) / σ₀)² + log 2π σ₀²], in nats: (N,) or, for z (K, N, d), (K, N)."""
        mu, sigma = np.asarray(self.mu, dtype=z.dtype), np.asarray(self.sigma, dtype=z.dtype)
        self.slope = -(z - mu) / sigma / sigma
        normalizer = math.log(2 * math.pi) + 2 * np.log(sigma)
        return 0.5 * np.add.reduce(self.slope * (z - mu) - normalizer, axis=-1)

    def backward(self, dlog_p):
        """Return dz = dlog_p ∂log p/∂z = -dlog_p (z - μ₀) / σ₀², of the shape of z."""
        return dlog_p[..., None] * self.slope

    def sample(self, n, rng=None, dtype=np.float64):
        """Draw n codes z ~ p(z), (n, d)."""
        rng = np.random.default_rng(rng)
        mu, sigma = np.asarray(self.mu, dtype=dtype), np.asarray(self.sigma, dtype=dtype)
        return mu + sigma * rng.standard_normal((n, self.d), dtype=dtype)


class MixturePrior(Prior):
    """p(z) = Σ_c π_c N(z; μ_c, diag σ_c²): C Gaussians in d dimensions, learnt; π = softmax(logits), σ² = e^logvar.

    At the start the π_c are equal, the σ_c are 1, and the μ_c are drawn from N(0, I). Raise ValueError unless d and C
    are at least 1.
    """

    formula = {"log p(z)": "log Σ_c π_c N({z}; μ_c, σ_c²)", "dz": "-dlog p Σ_c p(c|z) ({z} - μ_c) / σ_c²"}
    example_arguments = ((2, 3, 0),)                     # the last is rng
    logits, dlogits = parameter("logits", "log π_c up to a constant, (C,)")
    mu, dmu = parameter("mu", "means (C, d)")
    logvar, dlogvar = parameter("logvar", "log σ_c², (C, d)")

    def __init__(self, d, C, rng=None):
        self.d, self.C = check_size("MixturePrior: d", d), check_size("MixturePrior: C", C)
        mu = np.random.default_rng(rng).standard_normal((self.C, self.d))
        self.add_parameters(logits=np.zeros(self.C), mu=mu, logvar=np.zeros((self.C, self.d)))

    def log_pi(self):
        """Return log π_c, (C,): the logarithm of softmax(logits)."""
        return self.logits - np.logaddexp.reduce(self.logits)

    def extent(self):
        """Return the mean Σ_c π_c μ_c and the standard deviation of each z_j under the whole mixture, both (d,)."""
        pi = np.exp(self.log_pi())[:, None]
        mean = (pi * self.mu).sum(axis=0)
        return mean, np.sqrt((pi * (np.exp(self.logvar) + self.mu**2)).sum(axis=0) - mean**2)

    def log_density(self, z):
        """Return log p(z) = log Σ_c e^(a_c), in nats: (N,) or, for z (K, N, d), (K, N).

        a_c = log π_c - ½ Σ_j [(z_j - μ_cj)² / σ_cj² + logvar_cj + log 2π]
        """
        self.precision = np.exp(-self.logvar)
        self.r = z[..., None, :] - self.mu                              # (..., C, d)
        squares = self.r**2 * self.precision + self.logvar + math.log(2 * math.pi)
        a = self.log_pi() - 0.5 * np.add.reduce(squares, axis=-1)
        log_p = np.logaddexp.reduce(a, axis=-1)
        self.share = np.exp(a - log_p[..., None])                       # p(c|z): the Gaussian that z is from
        return log_p

    def backward(self, dlog_p):
        """Add the gradients of logits, mu and logvar, sums over all samples and draws; return dz = Σ_c dr.

        da_c = dlog_p p(c|z),   dr = -da r / σ²   with r = z - μ_c
        dlogits = Σ (da - dlog_p π),   dmu = -Σ dr,   dlogvar = Σ da ½ (r² / σ² - 1)
        """
        dlogits, dmu, dlogvar = self.dlogits, self.dmu, self.dlogvar
        pi = np.exp(self.log_pi())
        over = tuple(range(dlog_p.ndim))                                # the axes of samples and draws
        da = dlog_p[..., None] * self.share
        dr = -da[..., None] * self.r * self.precision
        half = 0.5 * (self.r**2 * self.precision - 1)
        dlogits += np.add.reduce(da, axis=over) - np.add.reduce(dlog_p, axis=over) * pi
        dmu -= np.add.reduce(dr, axis=over)
        dlogvar += np.add.reduce(da[..., None] * half, axis=over)
        return np.add.reduce(dr, axis=-2)

    def sample(self, n, rng=None, dtype=np.float64):
        """Draw n codes z ~ p(z), (n, d): first one of the Gaussians, then z from it."""
        rng = np.random.default_rng(rng)
        pi = np.exp(self.log_pi()).astype(np.float64)
        c = rng.choice(self.C, n, p=pi / pi.sum())
        return (self.mu[c] + np.exp(0.5 * self.logvar[c]) * rng.standard_normal((n, self.d))).astype(dtype)
