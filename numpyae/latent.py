"""The latent code of a VAE: a distribution q(z|x) instead of a number, how to draw from it, and its KL divergence.

The encoder's output h holds the parameters of q. To draw z and still have a gradient, the noise is drawn first, and z
is a deterministic function of it: the reparameterisation ([000], [001], [003] §7; Kingma & Welling 2014, §2.4).

    z = μ + σ ε,   ε ~ N(0, I)        so  ∂z/∂μ = 1,  ∂z/∂σ = ε

The loss of a VAE contains the divergence of q from the prior p(z), in nats. For N(0, I) ([004], derived there line by
line):

    KL(q ‖ p) = ½ Σ_j (μ_j² + σ_j² - log σ_j² - 1)

For a prior N(μ₀, diag σ₀²) the formula is the same, with μ - μ₀ and σ in units of σ₀.

The network gives logvar = log σ², so σ = e^(½ logvar): any real number is allowed. The ½ is often forgotten: e^(logvar)
is σ², not σ, and no gradient check sees the difference.
"""

import numpy as np

from numpyae.checks import check_size
from numpyae.parameters import Parametric


class DiagonalGaussian(Parametric):
    """q(z|x) = N(μ, diag σ²) with d latent dimensions; the encoder's output h (N, 2d) holds μ, then logvar = log σ².

    `size` = 2d is the width the encoder must have.
    """

    formula = {"mu": "{h}[{columns}]", "logvar": "{h}[{columns}], log σ²", "sigma": "e^(½ {logvar})",
               "epsilon": "drawn from N(0, I)", "z": "{mu} + {sigma} {epsilon}",
               "KL": "½ Σ_j ({mu}² + {sigma}² - {logvar} - 1)",
               "KL to another prior": "½ Σ_j (m² + e^v - v - 1), m and v: {mu} and {logvar} in units of the prior",
               "log q": "-½ Σ_j ({epsilon}² + {logvar} + log 2π)",
               "dmu|draw": "Σ_k d{z}", "dlogvar|draw": "Σ_k ½ d{z} {epsilon} {sigma}",
               "dmu|KL": "{mu} / {n}", "dlogvar|KL": "½ ({sigma}² - 1) / {n}",
               "dmu|KL to another prior": "m / sigma0 / {n}", "dlogvar|KL to another prior": "½ (e^v - 1) / {n}",
               "dlogvar|log q": "-½ Σ_k dlog q"}

    def __init__(self, d):
        self.d = check_size("DiagonalGaussian: d", d)
        self.size = 2 * self.d

    def sample(self, h, epsilon):
        """Return z = μ + σ ε, (N, d), for ε (N, d); for ε (K, N, d), K draws for each sample, z is (K, N, d)."""
        if h.shape[1] != self.size:
            raise ValueError(f"{self!r}: h must have shape (N, {self.size}), got {h.shape}")
        d = self.d
        self.mu, self.logvar = h[:, :d], h[:, d:]
        self.sigma = np.exp(0.5 * self.logvar)
        self.epsilon = epsilon
        self.z = self.mu + self.sigma * epsilon
        return self.z

    def kl(self, mu0=0.0, sigma0=1.0):
        """Return KL(q(z|x) ‖ N(μ₀, diag σ₀²)), (N,), in nats; μ₀ and σ₀ are numbers or (d,).

        ½ Σ_j (m² + e^v - v - 1),   m = (μ - μ₀) / σ₀,   v = logvar - log σ₀²

        ([003] §7; for N(0, I) [004] and Kingma & Welling 2014, appendix B). Near v = 0, where e^v - v - 1 is a
        difference of nearly equal numbers, its series is used.
        """
        zero = np.zeros(self.d, dtype=self.mu.dtype)
        self.sigma0 = np.asarray(sigma0, dtype=zero.dtype) + zero
        self.m = (self.mu - np.asarray(mu0, dtype=zero.dtype)) / self.sigma0
        self.v = self.logvar - 2 * np.log(self.sigma0)
        small = np.abs(self.v) < 1 / 64
        v = self.v * small
        series = v * v * (1 / 2 + v * (1 / 6 + v * (1 / 24 + v * (
            1 / 120 + v * (1 / 720 + v * (1 / 5040 + v / 40320)))))) if np.logical_or.reduce(v, axis=None) else v
        excess = (np.expm1(self.v) - self.v) * ~small + series
        return 0.5 * np.add.reduce(self.m**2 + excess, axis=1)

    def variance(self):
        """Return the variance of each z_j under q(z|x), (N, d)."""
        return self.sigma**2

    def log_density(self):
        """Return log q(z|x) of the z drawn, (N,) or (K, N): -½ Σ_j (ε² + logvar + log 2π)."""
        return -0.5 * np.add.reduce(self.epsilon**2 + self.logvar + np.log(2 * np.pi, dtype=self.mu.dtype), axis=-1)

    def backward(self, dz, dkl=None, dlog_q=None):
        """Return dh = [dmu, dlogvar], (N, size); for a FullGaussian [dmu, dlogvar, dbelow].

        It is the sum of two gradients. One comes through the draw, from dz = ∂L/∂z. The other comes through the KL,
        from dkl = ∂L/∂kl, (N,), or, where the KL is estimated from the z drawn, from dlog_q = ∂L/∂log q, (N,) or (K,
        N).
        """
        drawn = self.sample_backward(dz)
        cost = self.kl_backward(dkl) if dlog_q is None else self.density_backward(dlog_q)
        dh = np.empty((len(drawn[0]), self.size), dtype=drawn[0].dtype)
        start = 0
        for through_draw, through_cost in zip(drawn, cost):
            stop = start + through_draw.shape[1]
            dh[:, start:stop] = through_draw + through_cost
            start = stop
        return dh

    def sample_backward(self, dz):
        """Go back through z = μ + σ ε, σ = e^(½ logvar): return dmu = dz, dlogvar = ½ dz ε σ."""
        dmu = dz
        dlogvar = 0.5 * dz * self.epsilon * self.sigma
        if dz.ndim == 3:              # K draws share one μ and one σ: their gradients add up
            dmu, dlogvar = np.add.reduce(dmu, axis=0), np.add.reduce(dlogvar, axis=0)
        return dmu, dlogvar

    def kl_backward(self, dkl):
        """Go back through the KL: return dmu = dkl m / σ₀, dlogvar = dkl ½ (e^v - 1).

        For N(0, I) these are dkl μ and dkl ½ (σ² - 1).
        """
        dkl = dkl[:, None]
        dmu = dkl * self.m / self.sigma0
        dlogvar = dkl * (0.5 * np.expm1(self.v))             # e^v - 1; no digit is lost near v = 0
        return dmu, dlogvar

    def density_backward(self, dlog_q):
        """Go back through log q(z|x) of the z drawn, for constant ε.

        Return dmu = 0, dlogvar = -½ Σ_k dlog_q, and dbelow = 0, for FullGaussian. The caller adds the gradient through
        z to that of log p(z).
        """
        if dlog_q.ndim == 2:
            dlog_q = np.add.reduce(dlog_q, axis=0)
        return 0.0, -0.5 * dlog_q[:, None], 0.0

    def score_backward(self, f):
        """Return Σ_k f_k ∇_h log q(z_k|x) for constant z, (N, size), where f is (N,) or (K, N).

        This is the score-function estimator of ∇_h E_q[f(z)]: dmu = f ε / σ, dlogvar = f ½ (ε² - 1). It needs no
        gradient of f, but its variance is large (Williams 1992).
        """
        f = f[..., None]
        dmu = f * self.epsilon / self.sigma
        dlogvar = f * (0.5 * (self.epsilon**2 - 1))
        dh = np.concatenate([dmu, dlogvar], axis=-1)
        return np.add.reduce(dh, axis=0) if f.ndim == 3 else dh

    @classmethod
    def examples(cls, rng):
        """Yield (posterior, h), at which the class is checked: for two sizes of the code."""
        for d in (2, 3):
            posterior = cls(d)
            yield posterior, rng.standard_normal((7, posterior.size))


class FullGaussian(DiagonalGaussian):
    """q(z|x) = N(μ, Σ), Σ = L Lᵀ, L lower triangular with a positive diagonal ([000]: z = μ + L ε).

    The encoder's output h (N, 2d + d(d-1)/2) holds μ; then logvar, with L_jj = σ_j = e^(½ logvar_j); then the elements
    of L below the diagonal, row by row. Any h is allowed. With zeros below the diagonal q is the DiagonalGaussian.
    `size` = 2d + d(d-1)/2.
    """

    formula = {"mu": "{h}[{columns}]", "logvar": "{h}[{columns}], log σ²", "sigma": "e^(½ {logvar})",
               "below": "{h}[{columns}]", "L": "{sigma} on the diagonal, {below} beneath",
               "epsilon": "drawn from N(0, I)", "z": "{mu} + {L} {epsilon}",
               "KL": "½ Σ_j ({mu}² + {sigma}² - {logvar} - 1) + ½ Σ {below}²",
               "KL to another prior": "½ Σ_j (m² + e^v - v - 1) + ½ Σ {below}², m, v and below: {mu}, {logvar} and "
                                      "{below} in units of the prior",
               "dmu|draw": "Σ_k d{z}", "dlogvar|draw": "Σ_k ½ d{z} {epsilon} {sigma}",
               "dbelow|draw": "Σ_k below the diagonal of d{z} {epsilon}ᵀ",
               "dmu|KL": "{mu} / {n}", "dlogvar|KL": "½ ({sigma}² - 1) / {n}", "dbelow|KL": "{below} / {n}",
               "dmu|KL to another prior": "m / sigma0 / {n}", "dlogvar|KL to another prior": "½ (e^v - 1) / {n}",
               "dbelow|KL to another prior": "{below} / sigma0² / {n}"}

    def __init__(self, d):
        super().__init__(d)
        self.size = 2 * self.d + self.d * (self.d - 1) // 2
        self.rows, self.columns = np.tril_indices(self.d, -1)

    def sample(self, h, epsilon):
        """Return z = μ + L ε, (N, d), for ε (N, d); for ε (K, N, d), K draws for each sample, z is (K, N, d)."""
        if h.shape[1] != self.size:
            raise ValueError(f"{self!r}: h must have shape (N, {self.size}), got {h.shape}")
        d = self.d
        self.mu, self.logvar, self.below = h[:, :d], h[:, d:2 * d], h[:, 2 * d:]
        self.sigma = np.exp(0.5 * self.logvar)
        self.L = np.zeros((len(h), d, d), dtype=h.dtype)
        self.L[:, range(d), range(d)] = self.sigma
        self.L[:, self.rows, self.columns] = self.below
        self.epsilon = epsilon
        self.z = self.mu + (self.L @ epsilon[..., None])[..., 0]
        return self.z

    def kl(self, mu0=0.0, sigma0=1.0):
        """Return KL(q(z|x) ‖ N(μ₀, diag σ₀²)), (N,), in nats; for N(0, I) ½ (μᵀμ + Σ_jk L_jk² - d) - Σ_j log L_jj.

        It is the KL of the DiagonalGaussian plus ½ Σ_(j>k) (L_jk / σ₀_j)².
        """
        diagonal = super().kl(mu0, sigma0)
        self.l = self.below / self.sigma0[self.rows]
        return diagonal + 0.5 * np.add.reduce(self.l**2, axis=1)

    def variance(self):
        """Return the variance of each z_j under q(z|x), the diagonal of L Lᵀ, (N, d)."""
        return np.add.reduce(self.L**2, axis=2)

    def sample_backward(self, dz):
        """Go back through z = μ + L ε: return dmu = dz, dlogvar = ½ dL_jj σ_j, dbelow = dL below the diagonal.

        dL is the lower triangle of dz εᵀ.
        """
        dmu = dz
        dlogvar = 0.5 * dz * self.epsilon * self.sigma
        dbelow = dz[..., self.rows] * self.epsilon[..., self.columns]
        if dz.ndim == 3:              # K draws share one μ and one L: their gradients add up
            dmu, dlogvar = np.add.reduce(dmu, axis=0), np.add.reduce(dlogvar, axis=0)
            dbelow = np.add.reduce(dbelow, axis=0)
        return dmu, dlogvar, dbelow

    def kl_backward(self, dkl):
        """Go back through the KL: return dmu and dlogvar as in DiagonalGaussian, and dbelow = dkl L_jk / σ₀_j²."""
        dkl = dkl[:, None]
        dmu = dkl * self.m / self.sigma0
        dlogvar = dkl * (0.5 * np.expm1(self.v))
        dbelow = dkl * self.l / self.sigma0[self.rows]
        return dmu, dlogvar, dbelow

    def score_backward(self, f):
        """Return Σ_k f_k ∇_h log q(z_k|x) for constant z, (N, size), where f is (N,) or (K, N). With u = L⁻ᵀ ε:

        dmu = f u,   dL = f (the lower triangle of u εᵀ, minus 1 / L_jj on the diagonal)
        """
        u = np.linalg.solve(np.swapaxes(self.L, -1, -2), self.epsilon[..., None])[..., 0]
        f = f[..., None]
        dmu = f * u
        dlogvar = f * (0.5 * (u * self.epsilon * self.sigma - 1))
        dbelow = f * u[..., self.rows] * self.epsilon[..., self.columns]
        dh = np.concatenate([dmu, dlogvar, dbelow], axis=-1)
        return np.add.reduce(dh, axis=0) if f.ndim == 3 else dh
