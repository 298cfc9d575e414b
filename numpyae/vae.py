"""Variational autoencoders: learn a distribution p(x), with a code z that was never observed.

The model: draw z ~ N(0, I), let the decoder turn it into the parameters of p(x|z), draw x. Its likelihood
p(x) = ∫ p(x|z) p(z) dz has no closed form, so we raise a lower bound of it instead ([000], "Deriving the evidence lower bound"):

    log p(x) >= ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) ‖ p(z))
                          reconstruction         regularisation

where the encoder gives q(z|x). The loss is -ELBO, in nats per sample. The way forward and the way back:

    x ─▶ encoder ─▶ h = (μ, logvar) ─▶ z = μ + σ ε ─▶ decoder ─▶ o ─▶ -log p(x|z)
    encoder ◀─ dh = (dmu, dlogvar) ◀──── dz ◀──────── decoder ◀─ do ◀─┘     and the KL's own way into dh
"""

import numpy as np

from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer, check_size
from numpyae.losses import Loss
from numpyae.models import Model, as_network, check_data, check_fit_together, recorded, require_part

CHUNK = 4096                          # rows that an evaluation sends through a network at once


class VAE(Model):
    """encoder h(x), posterior q(z|x), decoder o(z), likelihood p(x|z): loss = -ELBO for beta = 1, in nats.

    The encoder must have `posterior.size` outputs. `beta` multiplies the KL in the loss (1: the ELBO; Higgins 2017),
    `samples` is the number of ε per x in the loss ([004]: "just a single sample (!)"); `elbo` and `log_likelihood` ignore beta.
    """

    arguments = ("encoder", "decoder", "likelihood", "posterior", "samples", "beta")
    adjustable = ("beta",)

    def __init__(self, encoder, decoder, likelihood, posterior, *, samples=1, beta=1.0):
        require_part("VAE: encoder", encoder, Layer)
        require_part("VAE: decoder", decoder, Layer)
        require_part("VAE: likelihood", likelihood, Loss)
        require_part("VAE: posterior", posterior, DiagonalGaussian)
        if not likelihood.is_likelihood:
            raise ValueError(f"VAE: likelihood must be the negative log of a density, got {likelihood!r}: "
                             "GaussianNLL(sigma) is the likelihood behind a squared error")
        check_size("VAE: samples", samples)
        if not beta >= 0:
            raise ValueError(f"VAE: beta must not be negative, got {beta}")
        if encoder.n_out not in (None, posterior.size):
            raise ValueError(f"VAE: the encoder must have {posterior.size} outputs for {posterior!r}, got {encoder.n_out}")
        check_fit_together("VAE", encoder, posterior.d, decoder, likelihood)
        self.encoder, self.decoder = as_network(encoder), as_network(decoder)
        self.likelihood, self.posterior = likelihood, posterior
        self.samples, self.beta = int(samples), float(beta)
        self.own(encoder=self.encoder, decoder=self.decoder, likelihood=likelihood, posterior=posterior)

    def loss(self, x, rng=None, noise=None, training=True):
        """1/N Σ_n [1/K Σ_k -log p(x_n|z_kn) + beta KL_n] with K = samples: -ELBO for beta = 1.

        terms: "reconstruction" and "kl", the latter with its beta.
        """
        rng = self.begin(rng, noise, training)
        N, K, d = len(x), self.samples, self.posterior.d
        h = self.encoder.forward(x)
        shape = (N, d) if K == 1 else (K, N, d)
        if noise is None:
            epsilon = np.random.default_rng(rng).standard_normal(shape, dtype=h.dtype)
        else:
            epsilon = recorded(noise, "epsilon", shape, h.dtype)
        z = self.posterior.sample(h, epsilon)
        o = self.decoder.forward(z.reshape(K * N, d))
        nll = self.likelihood.forward(o, x if K == 1 else repeated(x, K))
        kl = self.posterior.kl()
        self.noise["epsilon"] = epsilon
        self.end(K * N, "reconstruction")
        self._weights["kl"] = self._mean[:N] * (float(self.beta) * K)      # beta / N each
        self.terms = {"reconstruction": float(np.add.reduce(nll)) / (K * N), "kl": float(self.beta) * float(np.add.reduce(kl)) / N}
        return self.terms["reconstruction"] + self.terms["kl"]

    def backward(self):
        """do, back through the decoder to dz, through the draw and the KL to dh = (dmu, dlogvar), back through the encoder."""
        self.from_zero()
        do = self.likelihood.backward(self._weights["reconstruction"])
        dz = self.decoder.backward(do).reshape(self.posterior.z.shape)
        dh = self.posterior.backward(dz, self._weights["kl"])
        self.encoder.backward(dh, input_gradient=False)
        return self._grad

    def encode(self, x):
        """The mean code μ(x), (N, d). The whole posterior of the last call is in `posterior.mu`, `posterior.sigma`."""
        h = self.evaluate(self.encoder, x)
        return self.posterior.sample(h, np.zeros((len(x), self.posterior.d), dtype=h.dtype))

    def decode(self, z):
        """E[x|z], in the units of the data, (N, D)."""
        return self.likelihood.mean(self.evaluate(self.decoder, z))

    def reconstruct(self, x):
        """decode(encode(x)), (N, D): free of noise."""
        return self.decode(self.encode(x))

    def sample(self, n, rng=None, mean=True):
        """n new samples, (n, D): z ~ N(0, I), then E[x|z], or with mean=False a draw from p(x|z)."""
        check_size("VAE.sample: n", n)
        rng = np.random.default_rng(rng)
        z = rng.standard_normal((n, self.posterior.d), dtype=self.dtype)
        o = self.evaluate(self.decoder, z)
        return self.likelihood.mean(o) if mean else self.likelihood.sample(o, rng)

    def elbo(self, x, samples=1, rng=None):
        """The ELBO of every row of x, (N,), in nats: log p(x|z) averaged over draws of z, minus the KL.

        An estimate, whose expectation is at most log p(x).
        """
        self.check(x)
        check_size("VAE.elbo: samples", samples)
        rng = np.random.default_rng(rng)
        bounds = np.zeros(len(x))
        for rows in chunks(len(x), CHUNK):
            h = self.evaluate(self.encoder, x[rows])
            for _ in range(samples):
                _, nll = self._draw(x[rows], h, 1, rng)
                bounds[rows] -= nll[0] / samples
            bounds[rows] -= self.posterior.kl()
        return bounds

    def log_likelihood(self, x, samples=5000, rng=None):
        """log p(x) of every row, (N,), in nats, estimated by importance sampling from q(z|x):

        log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x) (Burda 2016, eq. 8). On average too low, and exact as S grows.
        """
        self.check(x)
        check_size("VAE.log_likelihood: samples", samples)
        rng = np.random.default_rng(rng)
        total = np.full(len(x), -np.inf)
        for rows in chunks(len(x), 64):
            h = self.evaluate(self.encoder, x[rows])
            for draws in chunks(samples, max(1, CHUNK // len(h))):
                z, nll = self._draw(x[rows], h, draws.stop - draws.start, rng)
                log_prior = -0.5 * np.add.reduce(z * z + float(np.log(2 * np.pi)), axis=2)
                log_weight = (log_prior - nll - self.posterior.log_density()).astype(np.float64)
                total[rows] = np.logaddexp(total[rows], np.logaddexp.reduce(log_weight, axis=0))
        return total - np.log(samples)

    def _draw(self, x, h, K, rng):
        """K draws for each row of x, whose code is h: z (K, N, d) and -log p(x|z) (K, N)."""
        N, d = len(x), self.posterior.d
        z = self.posterior.sample(h, rng.standard_normal((K, N, d), dtype=h.dtype))
        o = self.evaluate(self.decoder, z.reshape(K * N, d))
        return z, self.likelihood.forward(o, repeated(x, K)).reshape(K, N)

    def check(self, x):
        """x (N, D) finite, of the model's dtype, and what the likelihood is defined for."""
        check_data("VAE: x", x, self.encoder.n_in, self.dtype)
        self.likelihood.check_target(x, self.decoder.n_out)


class IWAE(VAE):
    """The importance-weighted bound (Burda 2016, eq. 8): loss = -1/N Σ_n log 1/K Σ_k w_kn, in nats, K = samples, and

        w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    With K = 1 it is the ELBO, with its KL estimated by sampling; it rises with K, towards log p(x). There is no KL that could be
    weighted, so beta must be 1. ValueError otherwise.
    """

    arguments = ("encoder", "decoder", "likelihood", "posterior", "samples")
    adjustable = ()

    def __init__(self, encoder, decoder, likelihood, posterior, *, samples=5):
        super().__init__(encoder, decoder, likelihood, posterior, samples=samples)

    def loss(self, x, rng=None, noise=None, training=True):
        """-1/N Σ_n log 1/K Σ_k w_kn; terms: "bound", all of it: the weights tie its parts together."""
        rng = self.begin(rng, noise, training)
        N, K, d = len(x), self.samples, self.posterior.d
        h = self.encoder.forward(x)
        if noise is None:
            epsilon = np.random.default_rng(rng).standard_normal((K, N, d), dtype=h.dtype)
        else:
            epsilon = recorded(noise, "epsilon", (K, N, d), h.dtype)
        z = self.posterior.sample(h, epsilon)
        o = self.decoder.forward(z.reshape(K * N, d))
        nll = self.likelihood.forward(o, repeated(x, K)).reshape(K, N)
        log_prior = -0.5 * np.add.reduce(z * z + float(np.log(2 * np.pi)), axis=2)
        log_w = log_prior - nll - self.posterior.log_density()
        largest = np.maximum.reduce(log_w, axis=0)
        w = np.exp(log_w - largest)                      # at most 1
        total = np.add.reduce(w, axis=0)
        self.share = w / total                           # of each draw in the sum: the gradient of log Σ_k w_k
        bound = largest + np.log(total) - float(np.log(K))
        self.noise["epsilon"] = epsilon
        self.end(N, "bound")
        self.terms = {"bound": -float(np.add.reduce(bound)) / N}
        return self.terms["bound"]

    def backward(self):
        """dlog_w = -share; dnll = share, dz = share z from p(z), dlog_q = share; then as in the VAE."""
        self.from_zero()
        dnll = self.share * self._weights["bound"]
        z = self.posterior.z
        do = self.likelihood.backward(dnll.reshape(-1))
        dz = self.decoder.backward(do).reshape(z.shape)
        dz = dz + dnll[:, :, None] * z
        dh = self.posterior.backward(dz, np.zeros_like(dnll[0]))
        dh[:, self.posterior.d:2 * self.posterior.d] += self.posterior.density_backward(dnll)
        self.encoder.backward(dh, input_gradient=False)
        return self._grad


def repeated(x, K):
    """K copies of x (N, D) below each other, (K N, D): a target for each draw."""
    return x[None].repeat(K, axis=0).reshape(K * len(x), -1)


def chunks(n, size):
    """Slices that cut range(n) into pieces of at most `size`."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
