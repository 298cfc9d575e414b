"""Evaluation: how good a model is, and what its code is good for, as numbers on held-out data.

A low reconstruction error says that little was lost, not that what is left is useful. `probe` asks how far a straight cut
gets: softmax regression on the codes, fitted by L-BFGS, its error on held-out samples. `cluster_purity` asks without labels.

Of a VAE the number is log p(x), and there is a ladder of lower bounds of it, each higher than the one before: the ELBO, the
importance-weighted bound with 5 draws, with 5000 (`model.log_likelihood`), and annealing, which does without the encoder.
`evaluate` prints them with standard errors, and with the words that say what kind of data they are for: nats of 0/1 pixels and
nats of a density of grey ones cannot be compared.
"""

import warnings
from typing import NamedTuple

import numpy as np

from numpyae.checks import check_data, check_part, check_size
from numpyae.layers import Dense, Sequential
from numpyae.losses import SoftmaxCrossEntropy
from numpyae.models import Regression
from numpyae.optimizers import lbfgs
from numpyae.priors import GaussianPrior
from numpyae.vae import VAE

ACTIVE = 0.01                         # the variance of a mean code above which its unit counts as active


def probe(z, y, z_test, y_test, iterations=200):
    """The share of held-out samples that softmax regression on codes gets wrong, in [0, 1].

    z (N, K) and z_test (M, K) codes, y and y_test their classes 0 … C - 1. Codes are centred and divided by one number, the
    mean of their standard deviations. `iterations` of L-BFGS are the only regulariser. ValueError for labels that are not as
    many whole numbers from 0 as there are codes, or for classes that y lacks.
    """
    y, y_test = np.asarray(y), np.asarray(y_test)
    for name, labels, codes in (("y", y, z), ("y_test", y_test, z_test)):
        if labels.shape != (len(codes),) or labels.dtype.kind not in "iu" or labels.min() < 0:
            raise ValueError(f"probe: {name} must be {len(codes)} whole numbers from 0, got {labels.dtype} of shape {labels.shape}")
    classes = np.unique(y)
    if not np.isin(y_test, classes).all():
        lacking = np.setdiff1d(y_test, classes)[:5].tolist()
        raise ValueError(f"probe: y must have every class of y_test, lacks {lacking}")
    mean, scale = z.mean(axis=0), z.std(axis=0).mean() or 1
    network = Sequential(Dense(z.shape[1], int(classes.max()) + 1, init="zeros"))
    model = Regression(network, SoftmaxCrossEntropy()).astype(z.dtype)
    lbfgs(model, (z - mean) / scale, y, iterations=iterations, tolerance=0)
    return float(np.mean(model.predict((z_test - mean) / scale).argmax(axis=1) != y_test))


def cluster_purity(z, y, C, rng=None):
    """The share of codes whose class y is the commonest in their cluster, in [0, 1]: k-means with C clusters, from 10 starts.

    z (N, K) codes, y (N,) whole numbers. One cluster for each code would be pure; compare at equal C. ValueError unless 1 <= C <= N.
    """
    from scipy.cluster.vq import kmeans2

    y = np.asarray(y)
    check_data("cluster_purity: z", z, None, getattr(z, "dtype", None))
    check_size("cluster_purity: C", C)
    if y.shape != (len(z),) or y.dtype.kind not in "iu" or y.min() < 0:
        raise ValueError(f"cluster_purity: y must be {len(z)} whole numbers from 0, got {y.dtype} of shape {y.shape}")
    if C > len(z):
        raise ValueError(f"cluster_purity: C must be from 1 to {len(z)}, the number of codes, got {C}")
    rng = np.random.default_rng(rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")                  # of 0/0 and empty clusters, as equal codes must leave
        starts = [kmeans2(z, C, minit="++", seed=rng) for _ in range(10)]
    centres, cluster = min(starts, key=lambda start: np.sum((z - start[0][start[1]]) ** 2))
    commonest = [np.bincount(y[cluster == c]).max() for c in range(C) if np.any(cluster == c)]
    return float(np.sum(commonest) / len(z))


class Evaluation(NamedTuple):
    """What `evaluate` found, one number per sample, in nats; prints as a table."""

    convention: str                   # what the data are
    reconstruction: np.ndarray        # -log p(x|z), (N,)
    kl: np.ndarray                    # KL(q ‖ p), (N,)
    elbo: np.ndarray                  # (N,)
    log_p: np.ndarray                 # log p(x) by importance sampling, (N,)
    samples: int                      # of them
    kl_of_unit: np.ndarray            # of each z_j alone, mean over the samples, (d,)
    variance_of_unit: np.ndarray      # of each mean code over the samples, (d,)

    def __str__(self):
        lines = [f"{len(self.elbo)} held-out samples; {self.convention}"]
        for name, values in (("ELBO", self.elbo), ("reconstruction", self.reconstruction), ("KL", self.kl),
                             (f"-log p(x), {self.samples} draws", -self.log_p)):
            error = f" ± {values.std() / np.sqrt(len(values)):.2f}" * (len(values) > 1)
            lines.append(f"{name:24} {values.mean():9.2f}{error} nats")
        active, kl = np.count_nonzero(self.variance_of_unit > ACTIVE), np.sort(self.kl_of_unit)[::-1]
        lines.append(f"{'active units':24} {active:6} of {len(kl)}   KL of each: " + " ".join(f"{value:.2f}" for value in kl[:12])
                     + " …" * (len(kl) > 12))
        return "\n".join(lines)


def evaluate(model, x, convention, samples=5000, rng=None):
    """All numbers of a VAE on held-out x (N, D), an `Evaluation` to print: means ± standard errors over the samples.

    `convention` says what x is, "MNIST, binarised once", say; the kind of likelihood is added. `samples` draws of z for each x in
    -log p(x). ValueError or TypeError for x that the model would not train on.
    """
    check_part("evaluate: model", model, VAE)
    rng = np.random.default_rng(rng)
    reconstruction, kl = model.bound_terms(x, rng=rng)
    log_p = model.log_likelihood(x, samples, rng)
    of_unit, variance = kl_of_units(model, x), active_units(model, x)
    return Evaluation(f"{convention}; {model.likelihood.convention}", reconstruction, kl, -reconstruction - kl, log_p, samples,
                      of_unit, variance)


def kl_of_units(model, x):
    """KL(q(z_j|x) ‖ p(z_j)) of each code number alone, mean over x, (d,), in nats: ½ (m² + s² - log s² - 1) in units of the prior.

    With a diagonal q they add up to the KL, with a full one to less. A mixture has no such form: there it is measured against N(0, I).
    """
    check_part("kl_of_units: model", model, VAE)
    q, prior = model.posterior, model.prior
    mu0, sigma0 = (np.asarray(prior.mu), np.asarray(prior.sigma)) if isinstance(prior, GaussianPrior) else (0.0, 1.0)
    model.encode(x)
    m, s2 = (q.mu - mu0) / sigma0, q.variance() / sigma0**2
    return np.mean(0.5 * (m**2 + s2 - np.log(s2) - 1), axis=0)


def active_units(model, x):
    """The variance over the data of each mean code μ_j(x), (d,). A unit is called active above ACTIVE = 0.01 (Burda 2016, §5).

    A unit whose q(z_j|x) is N(0, 1) for every x says nothing about x: the decoder has learnt to ignore it.
    """
    return model.encode(x).var(axis=0)


def annealed_importance_sampling(model, x, chains=16, steps=500, leaps=10, rng=None):
    """log p(x_n) (N,) of a VAE without its encoder: by annealing from the prior to p(z) p(x|z) (Wu et al. 2017; Neal 2001).

    Each chain starts at z ~ p(z) and moves through f_t(z) = p(z) p(x|z)^β_t, β rising from 0 to 1, by one Hamiltonian move of
    `leaps` leapfrog steps for each β; its weight is Π_t p(x|z_t)^(β_t+1 - β_t). In expectation the mean weight is p(x), up
    to what it does that each chain fits its step to its own past; so the log is on average too low. Needs float64 for steep likelihoods, N · chains · steps · leaps passes through the decoder, and so
    small nets. ValueError or TypeError for x that the model would not train on.
    """
    check_part("annealed_importance_sampling: model", model, VAE)
    for name, count in (("chains", chains), ("steps", steps), ("leaps", leaps)):
        check_size(f"annealed_importance_sampling: {name}", count)
    model.check(x)
    rng, N = np.random.default_rng(rng), len(x)
    x = np.repeat(x, chains, axis=0)                     # rows n · chains … of one x
    t = np.linspace(-4, 4, steps + 1)
    beta = (np.tanh(t) - np.tanh(-4)) / (2 * np.tanh(4))                     # slow at both ends
    z = model.prior.sample(len(x), rng, model.dtype)
    log_weight, size = np.zeros(len(x)), np.full((len(x), 1), 0.1, model.dtype)

    def both(z):
        """log p(x|z) and log p(z), (N · chains,), each with its gradient with respect to z."""
        o = model.evaluate(model.decoder, z)
        nll, log_p = model.likelihood.forward(o, x), model.prior.log_density(z)
        one = np.ones_like(nll)
        return -nll, -model.decoder.backward(model.likelihood.backward(one)), log_p, model.prior.backward(one)

    value, slope, log_p, pull = both(z)
    for before, after in zip(beta[:-1].tolist(), beta[1:].tolist()):
        log_weight += (after - before) * value
        p = rng.standard_normal(z.shape).astype(model.dtype)
        start = after * value + log_p - 0.5 * np.sum(p * p, axis=1)
        new, now = z, (value, slope, log_p, pull)
        for _ in range(leaps):
            p = p + 0.5 * size * (after * now[1] + now[3])
            new = new + size * p
            now = both(new)
            p = p + 0.5 * size * (after * now[1] + now[3])
        end = after * now[0] + now[2] - 0.5 * np.sum(p * p, axis=1)
        accept = np.log(rng.random(len(z))) < end - start
        z = np.where(accept[:, None], new, z)
        value, log_p = np.where(accept, now[0], value), np.where(accept, now[2], log_p)
        slope, pull = np.where(accept[:, None], now[1], slope), np.where(accept[:, None], now[3], pull)
        size *= np.where(accept, 1.02, 0.96)[:, None].astype(model.dtype)    # so that about two of three moves are accepted
    log_weight = log_weight.reshape(N, chains)
    return np.logaddexp.reduce(log_weight, axis=1) - np.log(chains)
