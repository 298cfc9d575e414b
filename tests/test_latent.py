"""The posterior: sampler moments, the KL against integration and Monte Carlo, both ways back, the slides' formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from numpyae import VAE, Adam, DiagonalGaussian, FullGaussian, GaussianNLL, fit, gradcheck, mlp
from numpyae.checkpoints import load_model
from tests.numerical import numerical_gradient

some = settings(deadline=None, max_examples=30, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 4)


def h_of(mu, logvar):
    return np.concatenate([np.atleast_2d(mu), np.atleast_2d(logvar)], axis=1)


@pytest.mark.parametrize("mu, sigma", [(0.0, 1.0), (1.5, 0.3), (-2.0, 2.5), (0.1, 0.02), (3.0, 1.0)])
def test_kl_against_integration(mu, sigma):
    q = DiagonalGaussian(1)
    q.sample(h_of(mu, 2 * np.log(sigma)), np.zeros((1, 1)))
    density, prior = stats.norm(mu, sigma), stats.norm()
    expected = integrate.quad(lambda z: density.pdf(z) * (density.logpdf(z) - prior.logpdf(z)), mu - 12 * sigma, mu + 12 * sigma,
                              epsabs=1e-12, limit=200)[0]
    assert q.kl()[0] == pytest.approx(expected, abs=1e-9)


@some
@given(sizes, sizes, seeds)
def test_kl_against_the_general_formula(N, d, seed):
    """KL(N(μ, Σ) ‖ N(0, I)) = ½ (tr Σ + μᵀμ - d - log det Σ), with matrices."""
    rng = np.random.default_rng(seed)
    mu, logvar = rng.standard_normal((2, N, d))
    q = DiagonalGaussian(d)
    q.sample(h_of(mu, logvar), rng.standard_normal((N, d)))
    expected = []
    for n in range(N):
        Sigma = np.diag(np.exp(logvar[n]))
        expected.append(0.5 * (np.trace(Sigma) + mu[n] @ mu[n] - d - np.linalg.slogdet(Sigma)[1]))
    np.testing.assert_allclose(q.kl(), expected, rtol=1e-10, atol=1e-12)
    assert q.kl().shape == (N,) and (q.kl() >= -1e-12).all()


@pytest.mark.parametrize("d", [2, 5, 10])
def test_kl_against_monte_carlo(d):
    rng, K = np.random.default_rng(d), 40_000
    h = 0.8 * rng.standard_normal((3, 2 * d))
    q = DiagonalGaussian(d)
    z = q.sample(h, rng.standard_normal((K, 3, d)))
    ratio = q.log_density() - stats.norm.logpdf(z).sum(axis=2)
    assert ratio.shape == (K, 3)
    np.testing.assert_array_less(np.abs(ratio.mean(axis=0) - q.kl()), 4 * ratio.std(axis=0) / np.sqrt(K))


def test_sampler_moments():
    """Covariance diag σ², σ² = e^logvar: with σ = e^logvar, the classical mistake, it would be 0.0025 and 81."""
    mu, sigma, K = np.array([1.0, -2.0, 0.0]), np.array([0.05**0.5, 1.0, 3.0]), 100_000
    q = DiagonalGaussian(3)
    z = q.sample(h_of(mu, np.log(sigma**2)), np.random.default_rng(0).standard_normal((K, 1, 3)))[:, 0]
    np.testing.assert_array_less(np.abs(z.mean(axis=0) - mu), 4 * sigma / np.sqrt(K))
    np.testing.assert_allclose(z.var(axis=0), sigma**2, rtol=4 * np.sqrt(2 / K))
    correlation = np.corrcoef(z.T) - np.eye(3)
    assert np.abs(correlation).max() < 4 / np.sqrt(K)
    np.testing.assert_allclose(q.sigma[0], sigma)


@some
@given(st.integers(1, 3), sizes, sizes, seeds, st.sampled_from([np.float32, np.float64]), st.booleans())
def test_sample_and_its_density(K, N, d, seed, dtype, several):
    rng = np.random.default_rng(seed)
    h, epsilon = rng.standard_normal((N, 2 * d)).astype(dtype), rng.standard_normal((K, N, d) if several else (N, d)).astype(dtype)
    kept = h.copy(), epsilon.copy()
    q = DiagonalGaussian(d)
    z = q.sample(h, epsilon)
    mu, sigma = h[:, :d].astype(float), np.exp(h[:, d:].astype(float) / 2)
    tolerance = {"rtol": 1e-4, "atol": 1e-4} if dtype is np.float32 else {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(z, mu + sigma * epsilon, **tolerance)
    np.testing.assert_allclose(q.log_density(), stats.norm(mu, sigma).logpdf(mu + sigma * epsilon).sum(axis=-1), **tolerance)
    assert z.shape == epsilon.shape and q.log_density().shape == epsilon.shape[:-1]
    kl, dh = q.kl(), q.backward(np.ones_like(z), np.ones(N, dtype))
    assert z.dtype == kl.dtype == q.log_density().dtype == dh.dtype == dtype and dh.shape == h.shape
    np.testing.assert_array_equal(h, kept[0])
    np.testing.assert_array_equal(epsilon, kept[1])


@some
@given(st.integers(1, 3), sizes, sizes, seeds, st.booleans())
def test_the_ways_back_against_finite_differences(K, N, d, seed, several):
    rng = np.random.default_rng(seed)
    shape = (K, N, d) if several else (N, d)
    h, epsilon, dz, dkl = rng.standard_normal((N, 2 * d)), *rng.standard_normal((2, *shape)), rng.standard_normal(N)
    kept = dz.copy(), dkl.copy()
    q = DiagonalGaussian(d)

    def draw():
        return float(np.sum(dz * q.sample(h, epsilon)))

    def divergence():
        q.sample(h, epsilon)
        return float(dkl @ q.kl())

    divergence()
    through_draw, through_kl = np.hstack(q.sample_backward(dz)), np.hstack(q.kl_backward(dkl))
    both = q.backward(dz, dkl)
    np.testing.assert_array_equal(both, through_draw + through_kl)
    np.testing.assert_allclose(through_draw, numerical_gradient(draw, h), rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(through_kl, numerical_gradient(divergence, h), rtol=1e-7, atol=1e-8)
    np.testing.assert_array_equal(dz, kept[0])
    np.testing.assert_array_equal(dkl, kept[1])


def test_the_slides_formulas():
    """dmu = dz, dlogvar = ½ dz ε σ; and the KL's mu and ½ (σ² - 1), times the weight of the sample."""
    rng = np.random.default_rng(0)
    h, epsilon, dz = rng.standard_normal((4, 6)), rng.standard_normal((4, 3)), rng.standard_normal((4, 3))
    q = DiagonalGaussian(3)
    q.sample(h, epsilon)
    sigma = np.sqrt(np.exp(h[:, 3:]))
    dmu, dlogvar = q.sample_backward(dz)
    np.testing.assert_array_equal(dmu, dz)
    np.testing.assert_allclose(dlogvar, 0.5 * dz * epsilon * sigma, rtol=1e-14)
    q.kl()
    dmu, dlogvar = q.kl_backward(np.full(4, 0.25))
    np.testing.assert_allclose(dmu, 0.25 * h[:, :3], rtol=1e-14)
    np.testing.assert_allclose(dlogvar, 0.25 * 0.5 * (sigma**2 - 1), rtol=1e-13)


def test_the_prior_itself_costs_nothing():
    q = DiagonalGaussian(4)
    q.sample(np.zeros((3, 8)), np.random.default_rng(0).standard_normal((3, 4)))
    np.testing.assert_array_equal(q.kl(), np.zeros(3))
    assert not np.hstack(q.kl_backward(np.ones(3))).any()


@pytest.mark.parametrize("d", [0, -2, 1.5, True, "2"])
def test_sizes(d):
    assert DiagonalGaussian(3).size == 6 and repr(DiagonalGaussian(3)) == "DiagonalGaussian(d=3)"
    with pytest.raises(ValueError, match="DiagonalGaussian: d must be a whole number of at least 1, got"):
        DiagonalGaussian(d)


# the full covariance

def full_h(d, n, seed):
    q, rng = FullGaussian(d), np.random.default_rng(seed)
    return q, 0.7 * rng.standard_normal((n, q.size))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
def test_the_kl_of_a_full_covariance_is_that_of_the_matrix(d):
    q, h = full_h(d, 4, d)
    q.sample(h, np.zeros((4, d)))
    for mu, L, kl in zip(q.mu, q.L, q.kl()):
        Sigma = L @ L.T
        assert kl == pytest.approx(0.5 * (np.trace(Sigma) + mu @ mu - d - np.linalg.slogdet(Sigma)[1]), rel=1e-12)


@pytest.mark.parametrize("d", [2, 4])
def test_draws_of_a_full_covariance_have_it_and_their_density(d):
    q, h = full_h(d, 1, d)
    K = 100_000
    z = q.sample(h, np.random.default_rng(1).standard_normal((K, 1, d)))[:, 0]
    Sigma = q.L[0] @ q.L[0].T
    spread = np.sqrt((np.outer(np.diag(Sigma), np.diag(Sigma)) + Sigma**2) / K)                # of a sample covariance
    np.testing.assert_array_less(np.abs(np.cov(z.T) - Sigma), 4 * spread)
    np.testing.assert_allclose(q.log_density()[:50, 0], stats.multivariate_normal(q.mu[0], Sigma).logpdf(z[:50]), rtol=1e-9)
    ratio = q.log_density()[:, 0] - stats.norm.logpdf(z).sum(axis=1)
    assert abs(ratio.mean() - q.kl()[0]) < 4 * ratio.std() / np.sqrt(K)


@pytest.mark.parametrize("shape", [(5, 3), (4, 5, 3)])
def test_the_way_back_through_a_full_covariance(shape):
    q, h = full_h(3, 5, 0)
    rng = np.random.default_rng(1)
    epsilon, dz, dkl = rng.standard_normal(shape), rng.standard_normal(shape), rng.standard_normal(5)

    def loss():
        return np.sum(dz * q.sample(h, epsilon)) + dkl @ q.kl()

    expected = numerical_gradient(loss, h)
    loss()
    np.testing.assert_allclose(q.backward(dz, dkl), expected, rtol=1e-7, atol=1e-8)


def test_without_anything_below_the_diagonal_it_is_the_diagonal_one():
    q, diagonal, rng = FullGaussian(3), DiagonalGaussian(3), np.random.default_rng(0)
    h, epsilon = rng.standard_normal((4, 6)), rng.standard_normal((2, 4, 3))
    assert np.allclose(q.sample(np.hstack([h, np.zeros((4, 3))]), epsilon), diagonal.sample(h, epsilon), rtol=1e-15)
    assert np.array_equal(q.kl(), diagonal.kl()) and np.array_equal(q.log_density(), diagonal.log_density())


def test_a_vae_with_full_covariance_checks_trains_and_is_saved(tmp_path):
    rng = np.random.default_rng(0)
    model = VAE(mlp([4, 5, 9], rng=rng), mlp([3, 5, 4], rng=rng), GaussianNLL(), FullGaussian(3))
    x = rng.standard_normal((40, 4))
    gradcheck.assert_gradients(model, x[:7])
    fit(model, x, optimizer=Adam(0.01), epochs=1, batch_size=10, rng=0, checkpoint=tmp_path / "c.npz")
    assert load_model(tmp_path / "c.npz").loss(x, rng=1) == model.loss(x, rng=1)
    assert np.isfinite(model.log_likelihood(x[:3], 50, rng=0)).all()
