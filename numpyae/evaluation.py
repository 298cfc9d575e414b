"""Evaluation: how good a model is, and how useful its code is, as numbers on held-out data.

A low reconstruction error says that the code keeps much of x. It does not say that the code is useful. `probe` tests
this with a linear classifier: softmax regression on the codes, fitted by L-BFGS, and its error on held-out samples.
`cluster_purity` compares the labels with clusters that were found without them.

A VAE is judged by log p(x). The estimates are lower bounds, each higher than the one before: the ELBO, the
importance-weighted bound with 5 draws, the bound with 5000 (`model.log_likelihood`), and annealed importance sampling,
which needs no encoder. `evaluate` prints numbers with standard errors, and says to what kind of data they belong: nats
of 0/1 pixels cannot be compared with nats of a density of grey values.
"""

import warnings
from collections import namedtuple
from typing import NamedTuple

import numpy as np

from numpyae import VAE, Dense, GaussianPrior, Regression, Sequential, SoftmaxCrossEntropy, lbfgs
from numpyae.checks import check_data, check_part, check_size, must

ACTIVE = 0.01                         # a unit is active when its mean code varies by more than this variance


def probe(z, y, z_test, y_test, iterations=200):
    """Return the error rate, in [0, 1], of softmax regression on codes: fitted to z, y and measured on z_test, y_test.

    z (N, K) and z_test (M, K) are codes, y (N,) and y_test (M,) their classes 0 … C - 1. The codes are centred and
    divided by one number, the mean of their standard deviations. The number of L-BFGS `iterations` is the only
    regulariser. Raise ValueError unless each code has a class, a whole number from 0, and y has every class of y_test.
    """
    y, y_test = np.asarray(y), np.asarray(y_test)
    for name, labels, codes in (("y", y, z), ("y_test", y_test, z_test)):
        if labels.shape != (len(codes),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(f"probe: {name} must be {len(codes)} whole numbers from 0, got {labels.dtype} of shape "
                             f"{labels.shape}")
    classes = np.unique(y)
    must(np.isin(y_test, classes).all(),
         f"probe: y must have every class of y_test, lacks {np.setdiff1d(y_test, classes)[:5].tolist()}")
    mean, scale = z.mean(axis=0), z.std(axis=0).mean() or 1
    model = Regression(Sequential(Dense(z.shape[1], int(classes.max()) + 1, init="zeros")),
                       SoftmaxCrossEntropy()).astype(z.dtype)
    lbfgs(model, (z - mean) / scale, y, iterations=iterations, tolerance=0)
    return float(np.mean(model.predict((z_test - mean) / scale).argmax(axis=1) != y_test))


def cluster_purity(z, y, C, rng=None):
    """Return the share of codes, in [0, 1], whose class is the most frequent class of their cluster.

    z (N, K) are codes, y (N,) their classes, whole numbers from 0. The clusters come from k-means with C centres, the
    best of 10 starts. More clusters are purer (C = N always gives 1): compare at equal C. Raise ValueError unless
    1 <= C <= N.
    """
    from scipy.cluster.vq import kmeans2

    y = np.asarray(y)
    check_data("cluster_purity: z", z, None, getattr(z, "dtype", None))
    check_size("cluster_purity: C", C)
    must(y.shape == (len(z),) and y.dtype.kind in "iu" and y.min() >= 0,
         f"cluster_purity: y must be {len(z)} whole numbers from 0, got {y.dtype} of shape {y.shape}")
    must(C <= len(z), f"cluster_purity: C must be from 1 to {len(z)}, the number of codes, got {C}")
    rng = np.random.default_rng(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                  # equal codes give 0/0 and empty clusters
        starts = [kmeans2(z, C, minit="++", seed=rng) for _ in range(10)]
    centres, cluster = min(starts, key=lambda start: np.sum((z - start[0][start[1]]) ** 2))
    commonest = [np.bincount(y[cluster == c]).max() for c in range(C) if np.any(cluster == c)]
    return float(np.sum(commonest) / len(z))


class Evaluation(NamedTuple):
    """The result of `evaluate`, one number per sample, in nats; it prints as a table."""

    convention: str                   # the kind of data
    reconstruction: np.ndarray        # -log p(x|z), (N,)
    kl: np.ndarray                    # KL(q ‖ p), (N,)
    elbo: np.ndarray                  # -reconstruction - kl, (N,)
    log_p: np.ndarray                 # log p(x) by importance sampling, (N,)
    samples: int                      # draws of z for each x in log_p
    kl_of_unit: np.ndarray            # KL of each z_j alone, mean over the samples, (d,)
    variance_of_unit: np.ndarray      # variance of each mean code over the samples, (d,)

    def __str__(self):
        terms = {"ELBO": self.elbo, "reconstruction": self.reconstruction, "KL": self.kl,
                 f"-log p(x), {self.samples} draws": -self.log_p}
        active, kl = np.count_nonzero(self.variance_of_unit > ACTIVE), np.sort(self.kl_of_unit)[::-1]
        return "\n".join([f"{len(self.elbo)} held-out samples; {self.convention}", *(
            f"{name:24} {values.mean():9.2f}"
            + f" ± {values.std() / np.sqrt(len(values)):.2f}" * (len(values) > 1) + " nats"
            for name, values in terms.items()),
            f"{'active units':24} {active:6} of {len(kl)}   KL of each: "
            + " ".join(f"{value:.2f}" for value in kl[:12]) + " …" * (len(kl) > 12)])


def evaluate(model, x, convention, samples=5000, rng=None):
    """Return the Evaluation of a VAE on held-out x (N, D); it prints means ± standard errors over the samples.

    `convention` says what x is, such as "MNIST, binarised once"; the kind of likelihood is added to it. `samples` is
    the number of draws of z for each x in -log p(x). Raise ValueError or TypeError for x that the model cannot be
    trained on.
    """
    check_part("evaluate: model", model, VAE)
    rng = np.random.default_rng(rng)
    reconstruction, kl = model.bound_terms(x, rng=rng)
    log_p = model.log_likelihood(x, samples, rng)
    return Evaluation(f"{convention}; {model.likelihood.convention}", reconstruction, kl, -reconstruction - kl, log_p,
                      samples, kl_of_units(model, x), active_units(model, x))


def kl_of_units(model, x):
    """Return KL(q(z_j|x) ‖ p(z_j)) for each latent dimension j alone, its mean over x (N, D), (d,), in nats.

        KL_j = ½ (m² + s² - log s² - 1),   m = (μ_j - μ₀) / σ₀,   s = σ_j / σ₀

    For a diagonal q the KL_j add up to the KL, for a full q to less. A mixture prior has no such formula: the KL from
    N(0, 1) is returned instead.
    """
    check_part("kl_of_units: model", model, VAE)
    q, prior = model.posterior, model.prior
    mu0, sigma0 = (np.asarray(prior.mu), np.asarray(prior.sigma)) if isinstance(prior, GaussianPrior) else (0.0, 1.0)
    model.encode(x)
    m, s2 = (q.mu - mu0) / sigma0, q.variance() / sigma0**2
    return np.mean(0.5 * (m**2 + s2 - np.log(s2) - 1), axis=0)


def active_units(model, x):
    """Return the variance of each mean code μ_j(x) over the data x (N, D), (d,).

    A unit is active when its variance is above ACTIVE = 0.01 (Burda 2016, §5). A unit whose q(z_j|x) equals the prior
    for every x carries no information about x, and the decoder has learnt to ignore it (posterior collapse).
    """
    return model.encode(x).var(axis=0)


# The state of n annealing chains: codes z (n, d), log p(x|z) and log p(z) (n,), and the gradients of both (n, d).
Chains = namedtuple("Chains", ["z", "log_likelihood", "log_prior", "slope", "prior_slope"])


def annealed_importance_sampling(model, x, chains=16, steps=500, leaps=10, rng=None):
    """Return log p(x_n), (N,), of a VAE, by annealing from the prior to p(z) p(x|z) without the encoder.

        f_t(z) = p(z) p(x|z)^β_t,   β rising from 0 to 1 in `steps` steps
        weight = Π_t p(x|z_t)^(β_t+1 - β_t),   p(x) ≈ the mean weight of the chains

    Each chain starts at z ~ p(z) and makes one Hamiltonian move of `leaps` leapfrog steps for each β (Neal 2001; Wu et
    al. 2017). The mean weight is p(x) in expectation, except for a small bias: the step sizes adapt to the chain's
    history. Its logarithm is therefore too low on average. The decoder is run N · chains · steps · leaps times, so use
    small networks. Steep likelihoods need float64. Raise ValueError or TypeError for x that the model cannot be trained
    on.
    """
    check_part("annealed_importance_sampling: model", model, VAE)
    for name, count in (("chains", chains), ("steps", steps), ("leaps", leaps)):
        check_size(f"annealed_importance_sampling: {name}", count)
    model.check(x)
    rng, N = np.random.default_rng(rng), len(x)
    x = np.repeat(x, chains, axis=0)                     # row n becomes the rows from n · chains on
    t = np.linspace(-4, 4, steps + 1)
    beta = (np.tanh(t) - np.tanh(-4)) / (2 * np.tanh(4))                     # slow at both ends
    here = chains_at(model, x, model.prior.sample(len(x), rng, model.dtype))
    log_weight, size = np.zeros(len(x)), np.full((len(x), 1), 0.1, model.dtype)
    for before, after in zip(beta[:-1].tolist(), beta[1:].tolist()):
        log_weight += (after - before) * here.log_likelihood
        p = rng.standard_normal(here.z.shape).astype(model.dtype)
        there, new_p = leapfrog(model, x, here, p, after, size, leaps)
        gain = log_joint(there, new_p, after) - log_joint(here, p, after)
        accept = np.log(rng.random(len(x)))[:, None] < gain[:, None]
        here = Chains(*(np.where(accept if new.ndim == 2 else accept[:, 0], new, old) for new, old in zip(there, here)))
        size *= np.where(accept, 1.02, 0.96).astype(model.dtype)             # accepts about two of three moves
    return np.logaddexp.reduce(log_weight.reshape(N, chains), axis=1) - np.log(chains)


def chains_at(model, x, z):
    """Return the Chains at the codes z (n, d) of the rows of x (n, D)."""
    o = model.evaluate(model.decoder, z)
    nll, log_prior = model.likelihood.forward(o, x), model.prior.log_density(z)
    one = np.ones_like(nll)
    slope = -model.decoder.backward(model.likelihood.backward(one))
    return Chains(z, -nll, log_prior, slope, model.prior.backward(one))


def leapfrog(model, x, here, p, beta, size, leaps):
    """Return the Chains and the momenta (n, d) after `leaps` leapfrog steps of length size (n, 1) in p(z) p(x|z)^β."""
    for _ in range(leaps):
        p = p + 0.5 * size * (beta * here.slope + here.prior_slope)
        here = chains_at(model, x, here.z + size * p)
        p = p + 0.5 * size * (beta * here.slope + here.prior_slope)
    return here, p


def log_joint(here, p, beta):
    """Return log p(z) + β log p(x|z) - ½ ‖p‖², (n,): the log density of a Hamiltonian move, up to a constant."""
    return beta * here.log_likelihood + here.log_prior - 0.5 * (p * p).sum(axis=1)
