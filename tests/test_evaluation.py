"""Evaluation: the probe against a closed form, and what it must not depend on."""

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from numpyae import PCA, VAE, Dense, DiagonalGaussian, FullGaussian, GaussianNLL, GaussianPrior, MixturePrior
from numpyae.evaluation import active_units, annealed_importance_sampling, cluster_purity, evaluate, kl_of_units, probe


def two_clouds(n, distance, rng):
    """n codes (n, 3): N(0, I), the second half shifted by distance along the first axis."""
    y = np.arange(n) % 2
    z = rng.normal(size=(n, 3))
    z[:, 0] += distance * y
    return z, y


@pytest.mark.parametrize("distance", [0.5, 2.0])
def test_two_gaussians_are_separated_as_well_as_any_classifier_can(distance):
    """The best classifier of N(0, I) against N(d, I) is a plane and wrong in Φ(-d/2) of the cases. 20 000 test codes: 4 standard errors."""
    rng = np.random.default_rng(0)
    best = norm.cdf(-distance / 2)
    wrong = probe(*two_clouds(20000, distance, rng), *two_clouds(20000, distance, rng))
    assert abs(wrong - best) < 4 * np.sqrt(best * (1 - best) / 20000)


def test_units_of_the_codes_do_not_matter():
    rng = np.random.default_rng(1)
    (z, y), (z_test, y_test) = two_clouds(300, 1.0, rng), two_clouds(300, 1.0, rng)
    assert probe(1000 * z + 7, y, 1000 * z_test + 7, y_test) == probe(z, y, z_test, y_test)


def test_codes_that_know_nothing_are_guessed():
    rng = np.random.default_rng(2)
    y = rng.integers(4, size=4000)
    assert abs(probe(rng.normal(size=(4000, 2)), y, rng.normal(size=(4000, 2)), rng.permutation(y)) - 0.75) < 0.03


def test_codes_without_any_difference_are_guessed():
    assert probe(np.ones((40, 2)), np.arange(40) % 2, np.ones((10, 2)), np.arange(10) % 2) == 0.5


@pytest.mark.parametrize("labels", [[0], [[0], [1], [0], [1]], [0, 1, 0, -1], [0.0, 1.0, 0.0, 1.0]])
def test_labels_that_do_not_fit_are_refused(labels):
    with pytest.raises(ValueError, match="probe: y_test must be 4 whole numbers from 0, got"):
        probe(np.zeros((4, 2)), [0, 1, 0, 1], np.zeros((4, 2)), labels)


def test_a_class_that_was_never_seen_is_refused():
    with pytest.raises(ValueError, match=r"probe: y must have every class of y_test, lacks \[2\]"):
        probe(np.zeros((4, 2)), [0, 1, 0, 1], np.zeros((3, 2)), [0, 1, 2])


def linear_model(sigma, seed=1):
    """p(z) = N(0, I), p(x|z) = N(z V + b, σ² I), so p(x) = N(b, VᵀV + σ² I); and 4 x drawn from it."""
    rng = np.random.default_rng(seed)
    decoder = Dense(2, 5, rng=rng)
    decoder.b = rng.standard_normal(5)
    model = VAE(Dense(5, 4, rng=rng), decoder, GaussianNLL(sigma), DiagonalGaussian(2))
    x = rng.standard_normal((4, 2)) @ decoder.W + decoder.b + sigma * rng.standard_normal((4, 5))
    return model, x, multivariate_normal(decoder.b, decoder.W.T @ decoder.W + sigma**2 * np.eye(5))


@pytest.mark.parametrize("sigma, steps", [(1.0, 100), (0.3, 400)])
def test_annealing_finds_the_exact_log_p_without_an_encoder(sigma, steps):
    """The error of a log mean of 200 weights is about their relative spread / √200: below 0.1 here for half a nat of spread."""
    model, x, exact = linear_model(sigma)
    x = x[:2]
    found = annealed_importance_sampling(model, x, chains=200, steps=steps, rng=0)
    assert np.abs(found - exact.logpdf(x)).max() < 0.15


def test_annealing_leaves_no_gradient_behind():
    model, x, _ = linear_model(1.0)
    annealed_importance_sampling(model, x, chains=2, steps=3, rng=0)
    with pytest.raises(RuntimeError, match="call loss right before it"):
        model.backward()
    model.loss(x, rng=0)
    first = model.backward().copy()
    annealed_importance_sampling(model, x, chains=2, steps=3, rng=0)
    model.loss(x, rng=0)
    assert np.array_equal(model.backward(), first)


def test_a_unit_whose_mean_code_never_moves_is_not_active():
    model, x, _ = linear_model(1.0)
    model.encoder.layers[0].W[:, 1] = 0
    variances = active_units(model, x)
    assert variances[0] > 0.01 and variances[1] == 0


def test_clusters_that_are_classes_are_pure_and_noise_is_not():
    rng = np.random.default_rng(0)
    y = np.arange(300) % 3
    z = 10 * np.eye(3)[y] + rng.standard_normal((300, 3))
    assert cluster_purity(z, y, 3, rng=0) == 1.0
    assert cluster_purity(rng.standard_normal((300, 2)), y, 3, rng=0) < 0.5
    assert cluster_purity(z[:5], y[:5], 5, rng=0) == 1.0
    with pytest.raises(ValueError, match="C must be from 1 to 300, the number of codes, got 301"):
        cluster_purity(z, y, 301)
    assert 0.3 < cluster_purity(np.ones((300, 2)), y, 3, rng=0) < 0.4                                # all codes equal
    with pytest.raises(ValueError, match="y must be 300 whole numbers from 0, got float64"):
        cluster_purity(z, y / 2, 3)


@pytest.mark.parametrize("posterior", [DiagonalGaussian, FullGaussian])
def test_the_parts_of_the_kl(posterior):
    """Of a diagonal q they add up to the KL; of a full one each is that of its marginal, by Monte Carlo within 4 standard errors."""
    rng = np.random.default_rng(0)
    prior = GaussianPrior(2, [0.5, -1.0], [1.5, 0.7])
    model = VAE(Dense(3, posterior(2).size, rng=rng), Dense(2, 3, rng=rng), GaussianNLL(), posterior(2), prior)
    x = rng.standard_normal((1, 3))
    parts, kl = kl_of_units(model, x), model.bound_terms(x, rng=0)[1]
    if posterior is DiagonalGaussian:
        assert parts.sum() == pytest.approx(kl[0], rel=1e-12)
    q = model.posterior
    h = model.evaluate(model.encoder, x)
    z = q.sample(h, rng.standard_normal((100_000, 1, 2)))[:, 0]
    spread = np.sqrt(q.variance()[0])
    ratio = norm(q.mu[0], spread).logpdf(z) - norm(prior.mu, prior.sigma).logpdf(z)
    assert (np.abs(ratio.mean(axis=0) - parts) < 4 * ratio.std(axis=0) / np.sqrt(100_000)).all()


def test_all_numbers_at_once_with_errors_and_what_they_are_of():
    model, x, exact = linear_model(2.0)
    model.encoder.w = 0 * model.encoder.w                # q(z|x) is the prior, good enough for a σ of 2
    x = exact.rvs(200, random_state=1)
    found = evaluate(model, x, "drawn from the model", samples=3000, rng=0)
    assert np.allclose(found.elbo, -found.reconstruction - found.kl)
    assert found.log_p.mean() == pytest.approx(exact.logpdf(x).mean(), abs=0.05) and found.elbo.mean() < found.log_p.mean()
    text = str(found)
    assert "200 held-out samples; drawn from the model; a density of real data" in text and "active units" in text
    error = found.elbo.std() / np.sqrt(200)
    assert f"{found.elbo.mean():9.2f} ± {error:.2f} nats" in text and "-log p(x), 3000 draws" in text


def test_annealing_with_a_mixture_for_a_prior():
    """p(x) by quadrature over a code of one number."""
    rng = np.random.default_rng(0)
    prior = MixturePrior(1, 2, rng)
    prior.mu = np.array([[-2.0], [1.5]])
    model = VAE(Dense(2, 2, rng=rng), Dense(1, 2, rng=rng), GaussianNLL(0.5), DiagonalGaussian(1), prior, kl="sampled")
    x = model.sample(3, rng, mean=False)
    z = np.linspace(-12, 12, 4001)[:, None]
    o = model.evaluate(model.decoder, z)
    joint = [prior.log_density(z) - model.likelihood.forward(o, np.repeat(row[None], len(z), axis=0)) for row in x]
    exact = np.logaddexp.reduce(joint, axis=1) + np.log(z[1, 0] - z[0, 0])
    assert np.abs(annealed_importance_sampling(model, x, chains=200, steps=100, rng=0) - exact).max() < 0.15
    assert np.abs(model.log_likelihood(x, 20_000, rng=0) - exact).max() < 0.1


@pytest.mark.parametrize("use, error, words", [
    (lambda model, x: annealed_importance_sampling(model, x, steps=0), ValueError, "steps must be a whole number of at least 1, got 0"),
    (lambda model, x: annealed_importance_sampling(model, x, leaps=-1), ValueError, "leaps must be a whole number of at least 1, got -1"),
    (lambda model, x: annealed_importance_sampling(model, x, chains=1.5), ValueError, "chains must be a whole number"),
    (lambda model, x: evaluate(PCA(1), x, ""), TypeError, "evaluate: model must be a VAE, got PCA"),
    (lambda model, x: kl_of_units(PCA(1), x), TypeError, "kl_of_units: model must be a VAE, got PCA"),
    (lambda model, x: evaluate(model, x, "", samples=0), ValueError, "samples must be a whole number"),
    (lambda model, x: cluster_purity(x, np.full(4, -1), 2), ValueError, "y must be 4 whole numbers from 0"),
    (lambda model, x: cluster_purity(x, np.zeros(4, int), 1.5), ValueError, "C must be a whole number")])
def test_wrong_use(use, error, words):
    model, x, _ = linear_model(1.0)
    with pytest.raises(error, match=words):
        use(model, x)
