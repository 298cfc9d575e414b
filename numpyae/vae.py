"""Variational autoencoders: learn a distribution p(x), with a code z that was never observed.

The model: draw z ~ N(0, I), let the decoder turn it into the parameters of p(x|z), draw x. Its likelihood
p(x) = ∫ p(x|z) p(z) dz has no closed form, so we maximise a lower bound of it ([000], "Deriving the evidence lower
bound"):

    log p(x) >= ELBO(x) = E_q(z|x)[log p(x|z)] - KL(q(z|x) ‖ p(z))
                          reconstruction         regularisation

where the encoder gives q(z|x). The loss is -ELBO, in nats per sample. The KL has a closed form for a Gaussian prior.
It can also be estimated from the z drawn, as it must be for a mixture (Kingma & Welling 2014, eq. 7 and 6). The
forward and the backward pass:

    x ─▶ encoder ─▶ h = (μ, logvar) ─▶ z = μ + σ ε ─▶ decoder ─▶ o ─▶ -log p(x|z)
    encoder ◀─ dh = (dmu, dlogvar) ◀──── dz ◀──────── decoder ◀─ do ◀─┘     and from the KL directly into dh
"""

import warnings

import numpy as np

from numpyae.activations import mlp
from numpyae.checks import check_data, check_number, check_part, check_size, must
from numpyae.corruption import Corruption, MaskingNoise
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Layer
from numpyae.losses import BernoulliNLL, Loss
from numpyae.models import Model, as_network, check_fit_together, replayed, start_at
from numpyae.penalties import L2Sparsity
from numpyae.priors import GaussianPrior, MixturePrior, Prior

CHUNK = 4096                          # rows that an evaluation sends through a network at once


class VAE(Model):
    """encoder h(x), posterior q(z|x), decoder o(z), likelihood p(x|z), prior p(z): loss = -ELBO for beta = 1, in nats.

    The encoder must have `posterior.size` outputs. `prior` is N(0, I) by default. `samples` is the number of ε per x
    in the loss ([004]: "just a single sample (!)"). `beta` multiplies the KL in the loss (1: the ELBO; Higgins 2017);
    `elbo` and `log_likelihood` ignore it. `kl` is "analytic", or "sampled" from the same z. `corruption` damages the
    encoder's input in training; the target stays clean. Raise ValueError or TypeError for parts that do not fit.
    """

    formula = {"kl": "({log q} - {log p(z)})"}                       # where it is sampled
    adjustable = ("beta",)
    analytic_only = False             # whether the KL must be in closed form
    _warned = False                   # whether `check` has warned of grey data

    def __init__(self, encoder, decoder, likelihood, posterior, prior=None, *, samples=1, beta=1.0, kl="analytic",
                 corruption=None, penalties=()):
        kind = type(self).__name__
        for name, part, wanted in (("encoder", encoder, Layer), ("decoder", decoder, Layer),
                                   ("likelihood", likelihood, Loss), ("posterior", posterior, DiagonalGaussian)):
            check_part(f"{kind}: {name}", part, wanted)
        prior = GaussianPrior(posterior.d) if prior is None else prior
        if corruption is not None:
            check_part(f"{kind}: corruption", corruption, Corruption)
        check_size(f"{kind}: samples", samples)
        check_posterior(kind, encoder, posterior, likelihood, prior, kl, self.analytic_only)
        check_fit_together(kind, encoder, posterior.d, decoder, likelihood)
        self.encoder, self.decoder = as_network(encoder), as_network(decoder)
        self.likelihood, self.posterior, self.prior, self.corruption = likelihood, posterior, prior, corruption
        self.samples, self.beta, self.kl, self._sampled = int(samples), beta, kl, kl == "sampled"
        self.check_settings()
        self.add_parts(encoder=self.encoder, decoder=self.decoder, likelihood=likelihood, posterior=posterior,
                       prior=prior)
        self.add_penalties(penalties)

    def loss(self, x, rng=None, noise=None, training=True):
        """Return 1/N Σ_n 1/K Σ_k [-log p(x_n|z_kn) + beta KL_n], -ELBO for beta = 1, plus the penalties; K = samples.

        terms: "reconstruction", "kl" (multiplied by beta), and those of the penalties.
        """
        rng = self.begin(rng, noise, training)
        N, K, d = len(x), self.samples, self.posterior.d
        seen = self.corrupt(x)
        h = self.encoder.forward(seen)
        epsilon = self.draw_epsilon(h, rng, noise)
        z = self.posterior.sample(h, epsilon)
        o = self.decoder.forward(z.reshape(K * N, d))
        self.nll = nll = self.likelihood.forward(o, x if K == 1 else repeated(x, K))
        if self._sampled:
            kl = self.posterior.log_density() - self.prior.log_density(z)
        else:
            kl = self.posterior.kl(self.prior.mu, self.prior.sigma)
        self.term("reconstruction", nll, over=K * N)
        self.term("kl", kl, over=kl.size, factor=float(self.beta))
        return self.total()

    def check_settings(self):
        """Raise ValueError unless beta is a number of at least 0."""
        check_number(f"{type(self).__name__}: beta", self.beta, 0, np.inf, "a finite number of at least 0")

    def draw_epsilon(self, h, rng, noise):
        """Draw or replay ε ~ N(0, I), (N, d), or (K, N, d) where K > 1; keep it in `noise["epsilon"]`."""
        shape = (len(h), self.posterior.d) if self.samples == 1 else (self.samples, len(h), self.posterior.d)
        epsilon = (np.random.default_rng(rng).standard_normal(shape, dtype=h.dtype) if noise is None else
                   replayed(noise, "epsilon", shape, h.dtype))
        self.noise["epsilon"] = epsilon
        return epsilon

    def backward(self):
        """Go back from do through the decoder to dz, through the draw and the KL to dh, and through the encoder."""
        added = self.from_zero()
        dkl = self.weights["kl"]
        do = self.likelihood.backward(self.weights["reconstruction"])
        dz = self.decoder.backward(do, added=added["decoder"]).reshape(self.posterior.z.shape)
        if self._sampled:
            dz = dz + self.prior.backward(-dkl)
            dh = self.posterior.backward(dz, dlog_q=dkl)
        else:
            dh = self.posterior.backward(dz, dkl)
        self.encoder.backward(dh, added=added["encoder"], input_gradient=False)
        return self._grad

    def start_at(self, x):
        check_data("VAE.start_at: x", x, self.encoder.n_in, self.dtype)
        self.likelihood.check_target(x, self.decoder.n_out)
        start_at(self.decoder, self.likelihood, x)

    def encode(self, x):
        """Return the mean code μ(x), (N, d); `posterior.mu` and `posterior.sigma` have the whole q(z|x)."""
        h = self.evaluate(self.encoder, x)
        return self.posterior.sample(h, np.zeros((len(x), self.posterior.d), dtype=h.dtype))

    def decode(self, z):
        """Return E[x|z], (N, D), in the units of the data."""
        return self.likelihood.mean(self.evaluate(self.decoder, z))

    def reconstruct(self, x):
        """Return decode(encode(x)), (N, D), without noise."""
        return self.decode(self.encode(x))

    def sample(self, n, rng=None, mean=True):
        """Draw n new samples, (n, D): z ~ p(z), then E[x|z], or, with mean=False, x ~ p(x|z)."""
        check_size("VAE.sample: n", n)
        rng = np.random.default_rng(rng)
        o = self.evaluate(self.decoder, self.prior.sample(n, rng, self.dtype))
        return self.likelihood.mean(o) if mean else self.likelihood.sample(o, rng)

    def elbo(self, x, samples=1, rng=None):
        """Return the ELBO of every row of x, (N,), in nats: log p(x|z) averaged over draws of z, minus the KL.

        It is an estimate, whose expectation is at most log p(x).
        """
        return -sum(self.bound_terms(x, samples, rng))

    def bound_terms(self, x, samples=1, rng=None):
        """Return the two parts of -ELBO for every row of x, each (N,), in nats.

        They are -log p(x|z), averaged over draws of z, and the KL: exact for a GaussianPrior, for a mixture averaged
        over the same draws.
        """
        self.check(x)
        check_size("VAE.elbo: samples", samples)
        rng = np.random.default_rng(rng)
        reconstruction, kl = np.zeros(len(x)), np.zeros(len(x))
        for rows in chunks(len(x), CHUNK):
            h = self.evaluate(self.encoder, x[rows])
            for _ in range(samples):
                z, nll = self._draw(x[rows], h, 1, rng)
                reconstruction[rows] += nll[0] / samples
                if not isinstance(self.prior, GaussianPrior):
                    kl[rows] += (self.posterior.log_density() - self.prior.log_density(z))[0] / samples
            if isinstance(self.prior, GaussianPrior):
                kl[rows] = self.posterior.kl(self.prior.mu, self.prior.sigma)
        return reconstruction, kl

    def log_likelihood(self, x, samples=5000, rng=None):
        """Return an estimate of log p(x) for every row, (N,), in nats, by importance sampling from q(z|x).

        It is log 1/S Σ_s p(x|z_s) p(z_s) / q(z_s|x), z_s ~ q(z|x) (Burda 2016, eq. 8): too low on average, and exact in
        the limit of many samples S.
        """
        self.check(x)
        check_size("VAE.log_likelihood: samples", samples)
        rng = np.random.default_rng(rng)
        total = np.full(len(x), -np.inf)
        for rows in chunks(len(x), 64):
            h = self.evaluate(self.encoder, x[rows])
            for draws in chunks(samples, max(1, CHUNK // len(h))):
                z, nll = self._draw(x[rows], h, draws.stop - draws.start, rng)
                log_weight = (self.prior.log_density(z) - nll - self.posterior.log_density()).astype(np.float64)
                total[rows] = np.logaddexp(total[rows], np.logaddexp.reduce(log_weight, axis=0))
        return total - np.log(samples)

    def _draw(self, x, h, K, rng):
        """Draw K codes for each row of x, with the encoder's output h: return z (K, N, d) and -log p(x|z) (K, N)."""
        N, d = len(x), self.posterior.d
        z = self.posterior.sample(h, rng.standard_normal((K, N, d), dtype=h.dtype))
        o = self.evaluate(self.decoder, z.reshape(K * N, d))
        return z, self.likelihood.forward(o, repeated(x, K)).reshape(K, N)

    def check(self, x):
        """Raise ValueError or TypeError unless x (N, D) is finite, of the model's dtype, and fits the likelihood.

        Warn once of grey data under BernoulliNLL.
        """
        check_data("VAE: x", x, self.encoder.n_in, self.dtype)
        self.likelihood.check_target(x, self.decoder.n_out)
        if isinstance(self.likelihood, BernoulliNLL) and not self._warned and ((x > 0) & (x < 1)).any():
            self._warned = True
            warnings.warn("VAE: x has values between 0 and 1, for which BernoulliNLL gives a bound that is no "
                          "probability of x: binarise (datasets.binarize), or take ContinuousBernoulliNLL or "
                          "GaussianNLL(learn=True)", stacklevel=3)

    @classmethod
    def examples(cls, rng):
        for options in ({}, {"samples": 3, "beta": 0.5}, {"prior": GaussianPrior(2, 0.5, 1.7)},
                        {"prior": GaussianPrior(2, 0.5, 1.7), "kl": "sampled"},
                        {"prior": MixturePrior(2, 3, rng), "kl": "sampled", "samples": 3,
                         "corruption": MaskingNoise(0.3)}):
            encoder, decoder = mlp([5, 4], rng=rng), mlp([2, 5], rng=rng)
            yield cls(encoder, decoder, BernoulliNLL(), DiagonalGaussian(2), **options), rng.random((7, 5))


class IWAE(VAE):
    """The importance-weighted bound (Burda 2016, eq. 8): loss = -1/N Σ_n log 1/K Σ_k w_kn, in nats, K = samples, with

        w_k = p(x|z_k) p(z_k) / q(z_k|x),   z_k ~ q(z|x)

    With K = 1 it is the ELBO with its KL estimated by sampling. It rises with K, towards log p(x). It has no KL term to
    multiply, so there is no beta.
    """

    formula = {"share": "w_k / Σ_k w_k, w_k = {log p(z):p(z)} / (e^{NLL} {log q:q})",
               "bound": "-log 1/{samples:g} Σ_k {log p(z):p(z)} / (e^{NLL} {log q:q})"}
    adjustable = ()

    def __init__(self, encoder, decoder, likelihood, posterior, prior=None, *, samples=5, penalties=()):
        super().__init__(encoder, decoder, likelihood, posterior, prior, samples=samples, kl="sampled",
                         penalties=penalties)

    def check_settings(self):
        """Raise ValueError unless beta is 1."""
        must(self.beta == 1, f"IWAE: beta must stay 1, there is no KL to weigh, got {self.beta}")

    def loss(self, x, rng=None, noise=None, training=True):
        """Return -1/N Σ_n log 1/K Σ_k w_kn, the term "bound", which does not split into parts, plus the penalties."""
        rng = self.begin(rng, noise, training)
        N, K, d = len(x), self.samples, self.posterior.d
        h = self.encoder.forward(x)
        epsilon = self.draw_epsilon(h, rng, noise)
        z = self.posterior.sample(h, epsilon)
        o = self.decoder.forward(z.reshape(K * N, d))
        nll = self.likelihood.forward(o, x if K == 1 else repeated(x, K))
        log_ratio = self.prior.log_density(z) - self.posterior.log_density()
        log_w = (log_ratio.reshape(K * N) - nll).reshape(K, N)
        largest = np.maximum.reduce(log_w, axis=0)
        w = np.exp(log_w - largest)                      # at most 1
        total = np.add.reduce(w, axis=0)
        self.share = w / total                           # of each draw: ∂ log Σ_k w_k / ∂ log w_k
        bound = largest + np.log(total) - float(np.log(K))
        self.term("bound", -bound, over=N)
        return self.total()

    def backward(self):
        """Give dnll = share / N to each draw, and the same to log q - log p(z); go on from there as in the VAE."""
        added = self.from_zero()
        z = self.posterior.z
        dnll = self.share * self.weights["bound"]
        dlog_q = dnll.reshape(z.shape[:-1])
        do = self.likelihood.backward(dnll.reshape(-1))
        dz = self.decoder.backward(do, added=added["decoder"]).reshape(z.shape)
        dz = dz + self.prior.backward(-dlog_q)
        dh = self.posterior.backward(dz, dlog_q=dlog_q)
        self.encoder.backward(dh, added=added["encoder"], input_gradient=False)
        return self._grad

    @classmethod
    def examples(cls, rng):
        for posterior, prior, samples in ((FullGaussian(3), None, 2),
                                          (DiagonalGaussian(2), MixturePrior(2, 3, rng), 3)):
            encoder, decoder = mlp([5, posterior.size], rng=rng), mlp([posterior.d, 5], rng=rng)
            yield cls(encoder, decoder, BernoulliNLL(), posterior, prior, samples=samples), rng.random((7, 5))


class ScoreFunctionVAE(VAE):
    """A VAE whose encoder learns by the score function: ∇ E_q[f(z)] = E_q[f(z) ∇ log q(z|x)], f = -log p(x|z).

    Its gradient (Williams 1992) has the same mean over ε as the VAE's, but it is not the gradient of the loss at the ε
    drawn: a check by finite differences must disagree. It needs no ∂f/∂z; the price is a larger variance. The KL must
    be analytic.
    """

    no_trace = "has no way back through z to show: trace the VAE of the same parts"
    analytic_only = True
    exact = False

    def backward(self):
        """Go back through the decoder for its own parameters; the encoder gets dh = Σ_k nll_k ∇ log q(z_k|x) / K N."""
        added = self.from_zero()
        z, weight = self.posterior.z, self.weights["reconstruction"]
        do = self.likelihood.backward(weight)
        self.decoder.backward(do, input_gradient=False)
        dz = np.zeros_like(z)
        if added["decoder"]:          # a penalty on the decoder is no part of f: its gradient goes through z
            dz = self.decoder.backward(0 * do, added=added["decoder"]).reshape(z.shape)
        f = self.nll * weight
        dh = self.posterior.score_backward(f.reshape(z.shape[:-1]))
        dh = dh + self.posterior.backward(dz, self.weights["kl"])
        self.encoder.backward(dh, added=added["encoder"], input_gradient=False)
        return self._grad

    @classmethod
    def examples(cls, rng):
        penalties = [L2Sparsity(0.1, 0.7, at="decoder.1")]
        for posterior, options in ((DiagonalGaussian(2), {"samples": 3}), (FullGaussian(3), {"samples": 3}),
                                   (DiagonalGaussian(2), {"penalties": penalties})):
            encoder, decoder = mlp([5, posterior.size], rng=rng), mlp([posterior.d, 3, 5], rng=rng)
            yield cls(encoder, decoder, BernoulliNLL(), posterior, **options), rng.random((7, 5))


def check_posterior(model, encoder, posterior, likelihood, prior, kl, analytic_only):
    """Raise TypeError or ValueError unless these parts fit the posterior, and its KL can be computed as `kl` says."""
    must(isinstance(prior, Prior),
         f"{model}: prior must be a GaussianPrior or a MixturePrior, got {type(prior).__name__}", TypeError)
    closed = isinstance(prior, GaussianPrior)
    kind = type(prior).__name__
    for wrong, sentence in (
            (prior.d != posterior.d,
             f"prior must have {posterior.d} dimensions, as {posterior!r} has, got {prior.d}"),
            (kl not in ("analytic", "sampled"),
             f"kl must be 'analytic' or 'sampled', got {kl!r}"),
            (analytic_only and not closed,
             f"prior must be a GaussianPrior, whose KL has a closed form, got a {kind}"),
            (analytic_only and kl == "sampled",
             "kl must be 'analytic', got 'sampled'"),
            (kl == "analytic" and not closed,
             f"kl must be 'sampled' for a {kind}, whose KL has no closed form, got 'analytic'"),
            (not likelihood.is_likelihood,
             f"likelihood must be the negative log of a density, got {likelihood!r}: GaussianNLL(sigma) is the "
             "likelihood behind a squared error"),
            (encoder.n_out not in (None, posterior.size),
             f"the encoder must have {posterior.size} outputs for {posterior!r}, got {encoder.n_out}")):
        must(not wrong, f"{model}: {sentence}")


def repeated(x, K):
    """Return K copies of x (N, D) below each other, (K N, D): a target for each draw."""
    return x[None].repeat(K, axis=0).reshape(K * len(x), -1)


def chunks(n, size):
    """Return slices that cut range(n) into pieces of at most `size`."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
