"""Priors: densities that integrate to 1, samples that have them, every gradient, and the KL by both estimators."""

import numpy as np
import pytest
from scipy import stats

from numpyae import (IWAE, VAE, DiagonalGaussian, FullGaussian, GaussianNLL, GaussianPrior, MixturePrior, ScoreFunctionVAE, fit, gradcheck,
                     mlp)
from numpyae.checkpoints import load_model
from numpyae.evaluation import annealed_importance_sampling
from numpyae.optimizers import Adam
from tests.numerical import numerical_gradient

POSTERIORS = pytest.mark.parametrize("posterior", [DiagonalGaussian, FullGaussian])


def mixture(d=2, C=3, seed=0):
    rng = np.random.default_rng(seed)
    prior = MixturePrior(d, C, rng)
    prior.w += 0.5 * rng.standard_normal(prior.w.size)
    return prior


def shifted(d=2):
    return GaussianPrior(d, np.linspace(-0.5, 1, d), np.linspace(0.6, 2, d))


@pytest.mark.parametrize("prior", [GaussianPrior(1), GaussianPrior(1, 0.5, 3.0), mixture(1)], ids=["standard", "shifted", "mixture"])
def test_a_density_integrates_to_one_and_is_that_of_its_samples(prior):
    z = np.linspace(-30, 30, 60_001)
    density = np.exp(prior.log_density(z[:, None]))
    assert np.trapezoid(density, z) == pytest.approx(1, abs=1e-10)           # the trapezoid rule is exact to rounding for smooth tails
    below = np.cumsum(density) * (z[1] - z[0])
    draws = prior.sample(20_000, np.random.default_rng(1))[:, 0]
    gap = stats.kstest(draws, lambda t: np.interp(t, z, below)).statistic
    assert gap < 1.95 / np.sqrt(20_000)                                      # 1.95: exceeded once in a thousand


@pytest.mark.parametrize("shape", [(5, 2), (3, 5, 2)])
@pytest.mark.parametrize("make", [shifted, mixture])
def test_the_way_back_through_a_density(make, shape):
    prior, rng = make(), np.random.default_rng(0)
    z, dlog_p = rng.standard_normal(shape), rng.standard_normal(shape[:-1])
    kept = z.copy(), dlog_p.copy()

    def loss():
        return np.sum(dlog_p * prior.log_density(z))

    loss()
    prior.zero_grad()
    dz, dw = prior.backward(dlog_p), prior.grad.copy()
    np.testing.assert_allclose(dz, numerical_gradient(loss, z), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(dw, numerical_gradient(loss, prior.w), rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(z, kept[0])
    np.testing.assert_array_equal(dlog_p, kept[1])


def test_a_gaussian_prior_and_a_mixture_against_scipy():
    z = np.random.default_rng(0).standard_normal((6, 2))
    one = stats.multivariate_normal([1.0, -1.0], np.diag([4.0, 0.25]))
    np.testing.assert_allclose(GaussianPrior(2, [1, -1], [2, 0.5]).log_density(z), one.logpdf(z), rtol=1e-12)
    prior = mixture()
    pi = np.exp(prior.logits) / np.exp(prior.logits).sum()
    expected = sum(share * stats.multivariate_normal(mu, np.diag(np.exp(logvar))).pdf(z)
                   for share, mu, logvar in zip(pi, prior.mu, prior.logvar))
    np.testing.assert_allclose(prior.log_density(z), np.log(expected), rtol=1e-12)


@POSTERIORS
@pytest.mark.parametrize("prior", [GaussianPrior(3), shifted(3), MixturePrior(3, 1, 0)], ids=["standard", "shifted", "one hill"])
def test_monte_carlo_kl_is_the_closed_form(posterior, prior):
    """Within 4 standard errors; and the closed form is that of the matrices."""
    rng, K = np.random.default_rng(0), 100_000
    q = posterior(3)
    h = 0.7 * rng.standard_normal((2, q.size))
    z = q.sample(h, rng.standard_normal((K, 2, 3)))
    ratio = q.log_density() - prior.log_density(z)
    if isinstance(prior, MixturePrior):
        mu0, sigma0 = prior.mu[0], np.exp(0.5 * prior.logvar[0])
    else:
        mu0, sigma0 = prior.mu * np.ones(3), prior.sigma * np.ones(3)
    kl = q.kl(mu0, sigma0)
    np.testing.assert_array_less(np.abs(ratio.mean(axis=0) - kl), 4 * ratio.std(axis=0) / np.sqrt(K))
    for n in range(2):
        Sigma = q.L[n] @ q.L[n].T if posterior is FullGaussian else np.diag(q.sigma[n]**2)
        r, P = q.mu[n] - mu0, np.diag(1 / sigma0**2)
        expected = 0.5 * (np.trace(P @ Sigma) + r @ P @ r - 3 - np.linalg.slogdet(P @ Sigma)[1])
        assert kl[n] == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("posterior, K", [(DiagonalGaussian, 1), (FullGaussian, 3)])
@pytest.mark.parametrize("prior", [shifted, mixture])
def test_gradients_with_a_prior(posterior, prior, K):
    """VAE with the KL sampled, IWAE, and where there is a closed form the VAE with that."""
    rng, x = np.random.default_rng(0), np.random.default_rng(1).standard_normal((7, 3))
    kinds = [(VAE, {"kl": "sampled", "beta": 0.7}), (IWAE, {})] + [(VAE, {})] * (prior is shifted)
    for kind, options in kinds:
        model = kind(mlp([3, posterior(2).size], rng=rng), mlp([2, 3], rng=rng), GaussianNLL(0.8), posterior(2), prior(), samples=K, **options)
        model.w += 0.1 * rng.standard_normal(model.w.size)
        gradcheck.assert_gradients(model, x)


def test_both_estimators_of_the_bound_have_one_mean():
    rng, x = np.random.default_rng(0), np.random.default_rng(1).standard_normal((5, 3))
    encoder, decoder = mlp([3, 4], rng=rng), mlp([2, 3], rng=rng)
    analytic = VAE(encoder, decoder, GaussianNLL(), DiagonalGaussian(2), shifted(), samples=20_000)
    exact, exact_kl = analytic.loss(x, rng=0), analytic.terms["kl"]
    sampled = VAE(encoder, decoder, GaussianNLL(), DiagonalGaussian(2), shifted(), samples=20_000, kl="sampled")
    estimate = sampled.loss(x, rng=0)
    assert estimate - exact == pytest.approx(sampled.terms["kl"] - exact_kl, abs=1e-12)              # the same draws
    kl = sampled.posterior.log_density() - sampled.prior.log_density(sampled.posterior.z)
    assert abs(kl.mean() - exact_kl) < 4 * kl.mean(axis=1).std() / np.sqrt(20_000) and kl.std() > 0.1


def test_a_mixture_learns_the_hills_that_are_there():
    """Codes from two hills, and log p(z) raised by the way back alone: maximum likelihood."""
    rng = np.random.default_rng(0)
    x = np.where(rng.random((400, 1)) < 0.25, -2.0, 2.0) + 0.3 * rng.standard_normal((400, 1))
    prior = MixturePrior(1, 2, rng)
    alpha = 0.2
    for _ in range(300):                                                     # by maximum likelihood, with the way back alone
        prior.log_density(x)
        prior.zero_grad()
        prior.backward(np.full(400, 1 / 400))
        prior.w += alpha * prior.grad
    order = np.argsort(prior.mu[:, 0])
    np.testing.assert_allclose(prior.mu[order, 0], [-2, 2], atol=0.1)
    share = np.exp(prior.logits[order]) / np.exp(prior.logits).sum()
    assert share[0] == pytest.approx(np.mean(x < 0), abs=0.03)


@POSTERIORS
def test_a_vae_with_a_mixture_trains_is_saved_evaluates_and_keeps_float32(posterior, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 3)).astype(np.float32)
    parts = mlp([3, posterior(2).size], rng=rng), mlp([2, 3], rng=rng), GaussianNLL(), posterior(2), MixturePrior(2, 3, rng)
    model = VAE(*parts, kl="sampled").astype(np.float32)
    fit(model, x, optimizer=Adam(0.01), epochs=2, batch_size=10, rng=0, checkpoint=tmp_path / "c.npz")
    again = load_model(tmp_path / "c.npz")
    assert again.loss(x, rng=1) == model.loss(x, rng=1) and repr(again.prior) == "MixturePrior(d=2, C=3)"
    assert model.posterior.z.dtype == model.prior.log_density(model.posterior.z).dtype == model.backward().dtype == np.float32
    assert model.sample(5, 0).shape == (5, 3) and model.sample(5, 0).dtype == np.float32
    kl = model.bound_terms(x, 2000, 0)[1]
    h = model.evaluate(model.encoder, x)
    z = model.posterior.sample(h, np.random.default_rng(1).standard_normal((2000, 40, 2), dtype=np.float32))
    ratio = (model.posterior.log_density() - model.prior.log_density(z)).astype(float)
    error = ratio.std(axis=0) / np.sqrt(2000)
    np.testing.assert_array_less(np.abs(kl - ratio.mean(axis=0)) / error, np.full(40, 4 * np.sqrt(2)))        # two estimates, two errors
    assert np.isfinite(annealed_importance_sampling(model, x[:3], 2, 3, 2, rng=0)).all()             # in float32


@pytest.mark.parametrize("make, error, words", [
    (lambda: GaussianPrior(0), ValueError, "GaussianPrior: d must be a whole number of at least 1, got 0"),
    (lambda: GaussianPrior(2, 0.0, -1.0), ValueError, "GaussianPrior: sigma must be a positive number, or 2 of them, got -1.0"),
    (lambda: GaussianPrior(2, [1, 2, 3]), ValueError, "GaussianPrior: mu must be a finite number, or 2 of them"),
    (lambda: GaussianPrior(2, np.nan), ValueError, "GaussianPrior: mu must be a finite number, or 2 of them, got nan"),
    (lambda: MixturePrior(2, 0), ValueError, "MixturePrior: C must be a whole number of at least 1, got 0"),
    (lambda: tiny(VAE, MixturePrior(2, 3)), ValueError, "VAE: kl must be 'sampled' for a MixturePrior, whose KL has no closed form"),
    (lambda: tiny(VAE, GaussianPrior(3)), ValueError, "VAE: prior must have 2 dimensions, as DiagonalGaussian.* has, got 3"),
    (lambda: tiny(VAE, "N(0, 1)"), TypeError, "VAE: prior must be a GaussianPrior or a MixturePrior, got str"),
    (lambda: tiny(VAE, kl="exact"), ValueError, "VAE: kl must be 'analytic' or 'sampled', got 'exact'"),
    (lambda: tiny(VAE, corruption=0.3), TypeError, "VAE: corruption must be a Corruption, got float"),
    (lambda: tiny(IWAE, samples=0), ValueError, "IWAE: samples must be a whole number of at least 1, got 0"),
    (lambda: tiny(ScoreFunctionVAE, kl="sampled"), ValueError, "ScoreFunctionVAE: kl must be 'analytic', got 'sampled'"),
    (lambda: tiny(ScoreFunctionVAE, MixturePrior(2, 3)), ValueError, "ScoreFunctionVAE: prior must be a GaussianPrior, whose KL"),
    (lambda: GaussianPrior(2, "a"), ValueError, "GaussianPrior: mu must be a finite number, or 2 of them, got 'a'"),
    (lambda: tiny(VAE, beta=None), ValueError, "VAE: beta must be a finite number of at least 0, got None")])
def test_what_cannot_be_built(make, error, words):
    with pytest.raises(error, match=words):
        make()


def tiny(kind, prior=None, **options):
    return kind(mlp([3, 4], rng=0), mlp([2, 3], rng=1), GaussianNLL(), DiagonalGaussian(2), prior, **options)


@pytest.mark.parametrize("prior", [shifted(), mixture()], ids=["shifted", "mixture"])
def test_the_extent_is_that_of_samples(prior):
    z = prior.sample(100_000, 1)
    mean, sigma = prior.extent()
    np.testing.assert_array_less(np.abs(z.mean(axis=0) - mean), 4 * sigma / np.sqrt(100_000))
    np.testing.assert_allclose(z.std(axis=0), sigma, rtol=0.02)              # 4 standard errors are 0.9 % for a Gaussian
