"""The VAE: loss and gradients against a derivation of their own, the bound against what it bounds."""

import copy
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from numpyae import (IWAE, VAE, Adam, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, Dropout, FullGaussian, GaussianNLL,
                     HeteroscedasticGaussianNLL, MaskingNoise, ScoreFunctionVAE, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy,
                     SquaredError, Tanh, datasets, evaluation, fit, gradcheck, mlp)
from tests.numerical import assert_model_gradient, numerical_gradient

some = settings(deadline=None, max_examples=20, derandomize=True)
LIKELIHOODS = {"bernoulli": BernoulliNLL, "continuous": ContinuousBernoulliNLL, "gaussian": lambda: GaussianNLL(0.5),
               "learnt": lambda: GaussianNLL(0.8, learn=True), "heteroscedastic": HeteroscedasticGaussianNLL,
               "softmax": SoftmaxCrossEntropy}
every = pytest.mark.parametrize("make", LIKELIHOODS.values(), ids=LIKELIHOODS)


def build(D=6, H=5, d=2, likelihood=None, seed=0, **options):
    rng = np.random.default_rng(seed)
    likelihood = likelihood or BernoulliNLL()
    vae = VAE(mlp([D, H, 2 * d], rng=rng), mlp([d, H, D * likelihood.outputs_per_feature], rng=rng), likelihood,
              DiagonalGaussian(d), **options)
    vae.w += 0.2 * rng.standard_normal(vae.w.size)
    return vae


def grey(N=7, D=6, seed=1):
    return np.random.default_rng(seed).random((N, D))


# ------------------------------------------------------------------------------------ a derivation of its own

def plain_vae(p, x, epsilon, beta):
    """-ELBO of a tanh VAE with Bernoulli outputs and its gradients, sample by sample and draw by draw, without the library.

    p: W1 b1 W2 b2 (encoder), V1 c1 V2 c2 (decoder); epsilon (K, N, d). Written from [000]'s formulas with 1-D arrays only.
    """
    loss, g = 0.0, {name: np.zeros_like(value) for name, value in p.items()}
    K, N, d = epsilon.shape
    for n in range(N):
        u = np.tanh(p["b1"] + p["W1"].T @ x[n])
        s = p["b2"] + p["W2"].T @ u
        m, l = s[:d], s[d:]
        loss += beta * 0.5 * np.sum(m * m + np.exp(l) - l - 1) / N
        ds = beta * np.concatenate([m, 0.5 * np.exp(l) - 0.5]) / N
        for k in range(K):
            z = m + np.sqrt(np.exp(l)) * epsilon[k, n]
            v = np.tanh(p["c1"] + p["V1"].T @ z)
            o = p["c2"] + p["V2"].T @ v
            q = 1 / (1 + np.exp(-o))
            loss -= np.sum(x[n] * np.log(q) + (1 - x[n]) * np.log(1 - q)) / (K * N)
            do = (q - x[n]) / (K * N)
            g["V2"] += np.outer(v, do)
            g["c2"] += do
            dv = (p["V2"] @ do) * (1 - np.tanh(p["c1"] + p["V1"].T @ z)**2)
            g["V1"] += np.outer(z, dv)
            g["c1"] += dv
            dz = p["V1"] @ dv
            ds += np.concatenate([dz, dz * epsilon[k, n] * np.exp(l / 2) / 2])
        g["W2"] += np.outer(u, ds)
        g["b2"] += ds
        du = (p["W2"] @ ds) * (1 - u * u)
        g["W1"] += np.outer(x[n], du)
        g["b1"] += du
    return loss, g


NAMES = {"W1": "encoder.0.W", "b1": "encoder.0.b", "W2": "encoder.2.W", "b2": "encoder.2.b",
         "V1": "decoder.0.W", "c1": "decoder.0.b", "V2": "decoder.2.W", "c2": "decoder.2.b"}


@some
@given(st.integers(1, 3), st.integers(1, 5), st.integers(1, 3), st.sampled_from([0.0, 0.3, 1.0, 4.0]), st.integers(0, 1000))
def test_loss_and_every_gradient_against_an_independent_derivation(K, N, d, beta, seed):
    vae, x = build(d=d, seed=seed, samples=K, beta=beta), grey(N, seed=seed)
    loss = vae.loss(x, rng=np.random.default_rng(seed))
    vae.backward()
    p = {name: vae.named_parameters()[ours] for name, ours in NAMES.items()}
    expected, gradients = plain_vae(p, x, vae.noise["epsilon"].reshape(K, N, d), beta)
    assert loss == pytest.approx(expected, rel=1e-10, abs=1e-10)
    assert set(vae.named_gradients()) == set(NAMES.values())
    for name, ours in NAMES.items():
        np.testing.assert_allclose(vae.named_gradients()[ours], gradients[name], rtol=1e-10, atol=1e-12, err_msg=ours)


def test_the_derivation_itself_by_complex_step():
    """The oracle is checked too: its loss is analytic in p, so Im L(p + ih) / h is its derivative to the last digit."""
    vae, x = build(), grey(3)
    epsilon = np.random.default_rng(0).standard_normal((2, 3, 2))
    p = {name: vae.named_parameters()[ours].astype(complex) for name, ours in NAMES.items()}
    gradients = plain_vae({name: value.real for name, value in p.items()}, x, epsilon, 0.7)[1]
    for name, value in p.items():
        for index in [(0,) * value.ndim, (-1,) * value.ndim]:
            value[index] += 1e-30j
            slope = plain_vae(p, x, epsilon, 0.7)[0].imag / 1e-30
            value[index] -= 1e-30j
            assert slope == pytest.approx(gradients[name][index], rel=1e-11, abs=1e-14)


@every
@pytest.mark.parametrize("samples, beta", [(1, 1.0), (3, 0.5)])
def test_gradients_of_every_likelihood(make, samples, beta):
    rng = np.random.default_rng(0)
    vae = build(D=3, H=3, likelihood=make(), samples=samples, beta=beta)
    x = rng.dirichlet(np.ones(3), 4)
    assert_model_gradient(vae, x, rng=rng)
    assert_model_gradient(vae, x[:2], rng=rng)           # another number of rows


def test_gradients_through_dropout_on_both_sides():
    rng = np.random.default_rng(0)
    vae = VAE(Sequential(Dropout(0.2), Dense(6, 5, rng=rng), Tanh(), Dropout(0.4), Dense(5, 4, rng=rng)),
              Sequential(Dense(2, 5, rng=rng), Tanh(), Dropout(0.4), Dense(5, 6, rng=rng)), BernoulliNLL(), DiagonalGaussian(2), samples=2)
    x = grey()
    assert_model_gradient(vae, x, rng=rng)
    assert set(vae.noise) == {"epsilon", "encoder.0.mask", "encoder.3.mask", "decoder.2.mask"}
    loss = vae.loss(x, rng=rng, training=False)
    assert set(vae.noise) == {"epsilon"} and vae.noise["epsilon"].shape == (2, 7, 2)
    assert vae.loss(x, noise=vae.noise, training=False) == loss


# ------------------------------------------------------------------------------------------------- noise and terms

@every
def test_noise_is_replayed_bit_by_bit_and_terms_add_up(make):
    vae, x = build(likelihood=make(), samples=2, beta=0.3), np.random.default_rng(0).dirichlet(np.ones(6), 7)
    rng = np.random.default_rng(1)
    loss = vae.loss(x, rng=rng)
    noise, terms, gradient = vae.noise, dict(vae.terms), vae.backward().copy()
    assert isinstance(loss, float) and list(terms) == ["reconstruction", "kl"] and sum(terms.values()) == loss
    assert vae.loss(x, rng=rng) != loss
    assert vae.loss(x, noise=noise) == loss and vae.terms == terms
    np.testing.assert_array_equal(vae.backward(), gradient)
    assert noise["epsilon"].shape == (2, 7, 2)
    assert vae.loss(x, rng=np.random.default_rng(1)) == loss and vae.loss(x) != vae.loss(x)
    vae.beta = 0.6
    vae.loss(x, noise=noise)
    assert vae.terms["kl"] == pytest.approx(2 * terms["kl"]) and vae.terms["reconstruction"] == terms["reconstruction"]


def test_noise_of_another_shape_is_refused():
    vae = build()
    with pytest.raises(ValueError, match=r"noise\['epsilon'\] must have shape \(7, 2\), got \(6, 2\)"):
        vae.loss(grey(), noise={"epsilon": np.zeros((6, 2))})
    with pytest.raises(ValueError, match="noise must hold 'epsilon', got nothing"):
        vae.loss(grey(), noise={})


def test_many_samples_average_the_single_one():
    many, one, x = build(samples=4), build(), grey()
    loss = many.loss(x, rng=np.random.default_rng(0))
    epsilon, gradient = many.noise["epsilon"], many.backward()
    losses, gradients = [], []
    for k in range(4):
        losses.append(one.loss(x, noise={"epsilon": epsilon[k]}))
        gradients.append(one.backward().copy())
    assert loss == pytest.approx(np.mean(losses), rel=1e-12)
    np.testing.assert_allclose(gradient, np.mean(gradients, axis=0), atol=1e-13)


def test_a_beta_from_numpy_keeps_float32():
    """Once a bug: beta as np.float64, which any schedule written with NumPy gives, makes dh and every delta before it float64."""
    vae, x = build().astype(np.float32), grey().astype(np.float32)
    vae.beta = np.float64(0.5)
    seen = []
    backward = vae.encoder.backward
    vae.encoder.backward = lambda dh, **options: (seen.append(dh.dtype), backward(dh, **options))[1]
    vae.loss(x, rng=np.random.default_rng(0))
    vae.backward()
    assert seen == [np.float32]


# ------------------------------------------------------------------------------------- evaluation in data units

@every
def test_evaluation_is_free_of_noise_and_in_data_units(make):
    vae, x = build(likelihood=make()), np.random.default_rng(0).dirichlet(np.ones(6), 7)
    p = vae.named_parameters()
    h = np.tanh(x @ p["encoder.0.W"] + p["encoder.0.b"]) @ p["encoder.2.W"] + p["encoder.2.b"]
    z = vae.encode(x)
    np.testing.assert_allclose(z, h[:, :2])
    np.testing.assert_allclose(vae.posterior.sigma, np.exp(h[:, 2:] / 2))
    o = np.tanh(z @ p["decoder.0.W"] + p["decoder.0.b"]) @ p["decoder.2.W"] + p["decoder.2.b"]
    mean = vae.decode(z)
    assert mean.shape == x.shape
    np.testing.assert_array_equal(mean, vae.likelihood.mean(o))
    np.testing.assert_array_equal(vae.reconstruct(x), vae.reconstruct(x))
    np.testing.assert_array_equal(vae.reconstruct(x), mean)
    if isinstance(vae.likelihood, BernoulliNLL):
        np.testing.assert_allclose(mean, special.expit(o))
    drawn = vae.sample(500, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(drawn, vae.decode(np.random.default_rng(2).standard_normal((500, 2))))
    noisy = vae.sample(500, rng=np.random.default_rng(2), mean=False)
    assert noisy.shape == (500, 6) and (noisy != drawn).any()
    assert vae.elbo(x, rng=np.random.default_rng(0)).shape == vae.log_likelihood(x, samples=10, rng=np.random.default_rng(0)).shape == (7,)


def test_evaluation_switches_dropout_off():
    rng = np.random.default_rng(0)
    vae = VAE(Sequential(Dropout(0.5), Dense(6, 4, rng=rng)), Sequential(Dense(2, 6, rng=rng), Dropout(0.5)), BernoulliNLL(),
              DiagonalGaussian(2))
    x = grey()
    vae.loss(x, rng=rng)
    np.testing.assert_array_equal(vae.encode(x), vae.encode(x))
    vae.loss(x, rng=rng)
    np.testing.assert_array_equal(vae.sample(4, rng=np.random.default_rng(3)), vae.sample(4, rng=np.random.default_rng(3)))
    vae.loss(x, rng=rng)
    one = vae.elbo(x, rng=np.random.default_rng(4))
    np.testing.assert_array_equal(one, vae.elbo(x, rng=np.random.default_rng(4)))


def test_elbo_is_minus_the_loss():
    vae, x = build(beta=3.0), grey()
    bound = vae.elbo(x, samples=1, rng=np.random.default_rng(0))
    plain = build()
    plain.w = vae.w
    assert bound.mean() == pytest.approx(-plain.loss(x, rng=np.random.default_rng(0)), rel=1e-12)


def test_elbo_against_its_monte_carlo_estimate():
    """E_q[log p(x|z) + log p(z) - log q(z|x)] with a sampled KL, in plain NumPy, against the analytic KL."""
    vae, x, S = build(), (grey(3) > 0.5).astype(float), 20_000
    rng, p = np.random.default_rng(0), vae.named_parameters()
    mu = vae.encode(x)
    sigma = vae.posterior.sigma.copy()
    z = mu + sigma * rng.standard_normal((S, 3, 2))
    o = np.tanh(z @ p["decoder.0.W"] + p["decoder.0.b"]) @ p["decoder.2.W"] + p["decoder.2.b"]
    f = (stats.bernoulli(special.expit(o)).logpmf(x).sum(axis=2) + stats.norm.logpdf(z).sum(axis=2)
         - stats.norm(mu, sigma).logpdf(z).sum(axis=2))
    bound = vae.elbo(x, samples=2000, rng=np.random.default_rng(1))
    error = f.std(axis=0) * np.sqrt(1 / S + 1 / 2000)
    np.testing.assert_array_less(np.abs(bound - f.mean(axis=0)), 4 * error)
    exact = special.logsumexp(f, axis=0) - np.log(S)
    weights = np.exp(f - special.logsumexp(f, axis=0))
    np.testing.assert_allclose(vae.log_likelihood(x, samples=5000, rng=np.random.default_rng(2)), exact,
                               atol=4 * np.sqrt((weights**2).sum(axis=0).max() * (1 + S / 5000)))


# ----------------------------------------------------------------------------------------- against the exact log p(x)

def linear_gaussian(seed=0, D=4, d=2, sigma=0.6, best=False):
    """Probabilistic PCA: z ~ N(0, I), x = z V + c + sigma noise, whose p(x) is N(c, VᵀV + σ² I) and whose p(z|x) is Gaussian too.

    `best`: V has orthogonal rows, so p(z|x) is diagonal, and the encoder gives exactly it. Else the mean is right, the spread too wide.
    """
    rng = np.random.default_rng(seed)
    encoder, decoder = Dense(D, 2 * d, rng=rng), Dense(d, D, rng=rng)
    decoder.b = rng.standard_normal(D)
    if best:
        decoder.W = np.linalg.qr(rng.standard_normal((D, d)))[0].T * np.array([[1.5], [0.7]])
    V, c = decoder.W.copy(), decoder.b.copy()
    spread = np.linalg.inv(V @ V.T / sigma**2 + np.eye(d))
    encoder.W = np.hstack([V.T @ spread / sigma**2, np.zeros((D, d))])
    encoder.b = np.r_[-c @ V.T @ spread / sigma**2, np.log(np.diag(spread)) + (0.0 if best else 0.5)]
    vae = VAE(encoder, decoder, GaussianNLL(sigma), DiagonalGaussian(d))
    x = rng.standard_normal((6, d)) @ V + c + sigma * rng.standard_normal((6, D))
    return vae, x, stats.multivariate_normal(c, V.T @ V + sigma**2 * np.eye(D)).logpdf(x)


def test_the_bound_is_tight_at_the_true_posterior():
    vae, x, exact = linear_gaussian(best=True)
    bound = vae.elbo(x, samples=10_000, rng=np.random.default_rng(0))
    np.testing.assert_allclose(bound, exact, atol=0.05)
    # one weight is already exact: log p(x|z) p(z) / q(z|x) = log p(x) for every z
    np.testing.assert_allclose(vae.log_likelihood(x, samples=1, rng=np.random.default_rng(0)), exact, rtol=1e-9)
    np.testing.assert_allclose(vae.log_likelihood(x, samples=300, rng=np.random.default_rng(0)), exact, rtol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_log_likelihood_of_probabilistic_pca(seed):
    vae, x, exact = linear_gaussian(seed)
    estimate = vae.log_likelihood(x, samples=20_000, rng=np.random.default_rng(1))
    np.testing.assert_allclose(estimate, exact, atol=0.05)
    bound = vae.elbo(x, samples=500, rng=np.random.default_rng(2))
    assert (bound < estimate + 0.05).all() and bound.mean() < exact.mean() - 0.02
    single = vae.astype(np.float32)
    rough = single.log_likelihood(x.astype(np.float32), samples=20_000, rng=np.random.default_rng(1))
    np.testing.assert_allclose(rough, exact, atol=0.05)


def test_chunks_do_not_show(monkeypatch):
    """More rows than a chunk, a number of draws that no chunk divides: one value per row, each as good as alone."""
    vae, x, exact = linear_gaussian(best=True)
    monkeypatch.setattr("numpyae.vae.CHUNK", 70)
    many, truth = np.tile(x, (30, 1)), np.tile(exact, 30)
    np.testing.assert_allclose(vae.log_likelihood(many, samples=7, rng=np.random.default_rng(0)), truth, rtol=1e-9)
    bound = vae.elbo(many, samples=200, rng=np.random.default_rng(0))
    assert bound.shape == (180,)
    np.testing.assert_allclose(bound, truth, atol=1.0)
    assert np.mean(bound - truth) == pytest.approx(0, abs=0.05)


def linear_vae(x, d, likelihood, seed=0):
    """Train encoder Dense, decoder Dense on x without any noise in the loss: with the 2d points ε = ±√d e_j in place of draws the mean of
    a quadratic is exact, so L-BFGS can go to the end. Returns the model and its exact ELBO, a mean over x."""
    rng = np.random.default_rng(seed)
    model = VAE(Dense(x.shape[1], 2 * d, rng=rng), Dense(d, x.shape[1], rng=rng), likelihood, DiagonalGaussian(d), samples=2 * d)
    points = np.sqrt(d) * np.concatenate([np.eye(d), -np.eye(d)])
    noise = {"epsilon": np.repeat(points[:, None], len(x), axis=1)}

    def value_and_slope(w):
        model.w = w
        return model.loss(x, noise=noise), model.backward().copy()

    found = optimize.minimize(value_and_slope, model.w.copy(), jac=True, method="L-BFGS-B",
                              options={"maxiter": 3000, "maxfun": 6000, "ftol": 1e-15, "gtol": 1e-9})
    model.w = found.x
    return model, -found.fun


def gaussian_data(eigenvalues, N=400, seed=1):
    """x whose covariance (1/N) has exactly these eigenvalues."""
    rng = np.random.default_rng(seed)
    D = len(eigenvalues)
    white = rng.standard_normal((N, D))
    white -= white.mean(axis=0)
    white = white @ np.linalg.inv(np.linalg.cholesky(white.T @ white / N).T)
    return white * np.sqrt(eigenvalues) @ np.linalg.qr(rng.standard_normal((D, D)))[0] + rng.standard_normal(D)


def test_the_linear_vae_is_probabilistic_pca():
    """At the optimum the bound is the exact log-likelihood (Tipping & Bishop 1999), σ² the mean of the dropped eigenvalues."""
    eigenvalues = np.array([5.0, 3.0, 1.2, 0.5, 0.3, 0.1])
    x, d, D = gaussian_data(eigenvalues), 2, 6
    model, elbo = linear_vae(x, d, GaussianNLL(1.0, learn=True))
    sigma2 = eigenvalues[d:].mean()
    best = -0.5 * (D * np.log(2 * np.pi) + np.log(eigenvalues[:d]).sum() + (D - d) * np.log(sigma2) + D)
    assert model.likelihood.sigma**2 == pytest.approx(sigma2, rel=1e-3)
    assert abs(elbo - best) < 1e-3
    V, c = model.decoder.layers[0].W, model.decoder.layers[0].b
    exact = stats.multivariate_normal(c, V.T @ V + model.likelihood.sigma**2 * np.eye(D)).logpdf(x).mean()
    assert abs(elbo - exact) < 1e-3 and (evaluation.active_units(model, x) > 0.01).all()


@pytest.mark.parametrize("sigma, active", [(0.9, 3), (1.3, 2), (2.0, 1), (2.4, 0)])
def test_collapse_is_known_in_advance(sigma, active):
    """With σ fixed, as many units are active as there are eigenvalues above σ²; the others' q is the prior (Lucas 2019)."""
    x = gaussian_data(np.array([5.0, 3.0, 1.2, 0.5, 0.3]))
    model, _ = linear_vae(x, 4, GaussianNLL(sigma))
    assert np.count_nonzero(evaluation.active_units(model, x) > 0.01) == active
    assert np.count_nonzero(evaluation.kl_of_units(model, x) > 0.01) == active


def test_a_full_covariance_closes_the_gap_that_a_diagonal_one_must_leave():
    """p(x|z) = N(z V, σ² I): the posterior's precision P = I + V Vᵀ/σ² is the same for all x; the best diagonal q misses
    ½ (Σ_j log P_jj - log det P) nats, the full one nothing."""
    rng = np.random.default_rng(0)
    V, sigma = np.array([[1.0, 0.8, 0.3], [0.9, 1.0, -0.2]]), 0.5
    P = np.eye(2) + V @ V.T / sigma**2
    Sigma = np.linalg.inv(P)
    x = rng.standard_normal((5, 2)) @ V + sigma * rng.standard_normal((5, 3))
    exact = stats.multivariate_normal(np.zeros(3), V.T @ V + sigma**2 * np.eye(3)).logpdf(x)
    points = np.sqrt(2) * np.concatenate([np.eye(2), -np.eye(2)])
    L = np.linalg.cholesky(Sigma)
    rest = {DiagonalGaussian: -np.log(np.diag(P)), FullGaussian: np.r_[2 * np.log(np.diag(L)), L[1, 0]]}
    for posterior, predicted in ((DiagonalGaussian, 0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1])), (FullGaussian, 0.0)):
        encoder, decoder = Dense(3, posterior(2).size, rng=rng), Dense(2, 3, rng=rng)
        encoder.W, encoder.b, decoder.W = np.zeros_like(encoder.W), np.r_[0, 0, rest[posterior]], V
        encoder.W[:, :2] = V.T @ Sigma / sigma**2
        model = VAE(encoder, decoder, GaussianNLL(sigma), posterior(2), samples=4)
        elbo = -model.loss(x, noise={"epsilon": np.repeat(points[:, None], 5, axis=1)})
        assert exact.mean() - elbo == pytest.approx(predicted, abs=1e-12)
        assert np.abs(model.backward()[:encoder.W.size + encoder.b.size]).max() < 1e-12              # no better q of this kind nearby
    assert 0.5 * (np.log(np.diag(P)).sum() - np.linalg.slogdet(P)[1]) > 0.3


# ----------------------------------------------------------------------------------------------- what is refused

def parts(code=4, latent=2, outputs=6):
    return Dense(6, code, rng=0), Dense(latent, outputs, rng=0)


@pytest.mark.parametrize("make, error, words", [
    (lambda: VAE(parts()[0], Sequential(parts()[1], Sigmoid()), BernoulliNLL(), DiagonalGaussian(2)), ValueError,
     r"ends in Sigmoid\(\), but BernoulliNLL takes logits.*remove the last layer, Sigmoid\(\)"),
    (lambda: VAE(parts()[0], Sequential(parts()[1], Sequential(Softmax())), SoftmaxCrossEntropy(), DiagonalGaussian(2)), ValueError,
     r"remove the last layer, Softmax\(\)"),
    (lambda: VAE(parts()[0], Sequential(parts()[1], Sigmoid()), ContinuousBernoulliNLL(), DiagonalGaussian(2)), ValueError, "logits"),
    (lambda: VAE(*parts(), SquaredError(), DiagonalGaussian(2)), ValueError,
     r"must be the negative log of a density, got SquaredError\(\): GaussianNLL\(sigma\) is the likelihood"),
    (lambda: VAE(*parts(code=2), BernoulliNLL(), DiagonalGaussian(2)), ValueError, "the encoder must have 4 outputs for .*, got 2"),
    (lambda: VAE(*parts(latent=4), BernoulliNLL(), DiagonalGaussian(2)), ValueError, "the code has 2 numbers, but the decoder takes 4"),
    (lambda: VAE(*parts(outputs=5), BernoulliNLL(), DiagonalGaussian(2)), ValueError, "decoder must give 6 outputs, got 5"),
    (lambda: VAE(*parts(), HeteroscedasticGaussianNLL(), DiagonalGaussian(2)), ValueError, "decoder must give 12 outputs, got 6"),
    (lambda: VAE(*parts(), BernoulliNLL(), DiagonalGaussian(2), samples=0), ValueError, "VAE: samples must be a whole number"),
    (lambda: VAE(*parts(), BernoulliNLL(), DiagonalGaussian(2), beta=-1), ValueError, "VAE: beta must be a finite number of at least 0, got -1"),
    (lambda: VAE(*parts(), BernoulliNLL(), DiagonalGaussian(2), beta=np.nan), ValueError, "VAE: beta must be a finite number of at least 0, got nan"),
    (lambda: VAE(np.tanh, parts()[1], BernoulliNLL(), DiagonalGaussian(2)), TypeError, "VAE: encoder must be a Layer, got")])
def test_a_vae_that_cannot_be_built(make, error, words):
    with pytest.raises(error, match=words):
        make()


def test_sigmoid_before_a_gaussian_is_fine():
    VAE(parts()[0], Sequential(parts()[1], Sigmoid()), GaussianNLL(), DiagonalGaussian(2))


def set_beta(value):
    def callback(model, history, optimizer):
        model.beta = value
    return callback


def test_an_iwae_has_no_beta():
    rng = np.random.default_rng(0)
    model = IWAE(mlp([6, 4], rng=rng), mlp([2, 6], rng=rng), GaussianNLL(), DiagonalGaussian(2))
    with pytest.raises(ValueError, match="IWAE: beta must stay 1"):
        fit(model, grey(), optimizer=Adam(), epochs=2, batch_size=7, rng=0, callbacks=[set_beta(0.5)])


def test_beta_may_warm_up():
    """A callback sets beta for the next epoch; the KL's weight follows, and the loss is the one of that beta."""
    vae, seen = build(beta=0.0, likelihood=GaussianNLL()), []

    def warm_up(model, history, optimizer):
        seen.append(history.terms["kl"][-1])
        model.beta = min(1.0, history.epochs / 2)

    fit(vae, grey(), optimizer=Adam(1e-3), epochs=4, batch_size=7, rng=0, callbacks=[warm_up])
    assert vae.beta == 1.0 and seen[0] == 0 and 0 < seen[1] < 0.7 * seen[2] and seen[3] == pytest.approx(seen[2], rel=0.2)


@pytest.mark.parametrize("use, error, words", [
    (lambda vae: vae.backward(), RuntimeError, "VAE.backward: call loss right before"),
    (lambda vae: vae.encode(np.zeros((2, 5))), ValueError, r"VAE: x must have shape \(N, 6\), got \(2, 5\)"),
    (lambda vae: vae.decode(np.zeros((2, 3))), ValueError, r"must have shape \(N, 2\), got \(2, 3\)"),
    (lambda vae: vae.elbo(np.zeros((0, 6))), ValueError, "at least one row, got none"),
    (lambda vae: vae.elbo(np.full((2, 6), 2.0)), ValueError, r"targets must lie in \[0, 1\], got 2 to 2"),
    (lambda vae: vae.log_likelihood(np.full((2, 6), np.nan)), ValueError, "must be finite, got nan in row 0, column 0"),
    (lambda vae: vae.log_likelihood(np.zeros((2, 6)), samples=0), ValueError, "samples must be a whole number"),
    (lambda vae: vae.encode(np.zeros((2, 6), np.float32)), TypeError, r"write x.astype\(np.float64\), or model.astype\(np.float32\)"),
    (lambda vae: vae.loss(np.zeros((2, 6), np.float32)), TypeError, r"Dense\(6 -> 5\): x must be float64"),
    (lambda vae: vae.loss(np.zeros((2, 5))), ValueError, r"Dense\(6 -> 5\): x must have shape \(N, 6\), got \(2, 5\)"),
    (lambda vae: fit(vae, np.zeros((7, 6)), optimizer=Adam(), epochs=2, batch_size=7, rng=0, callbacks=[set_beta(-1)]), ValueError,
     "VAE: beta must be a finite number of at least 0, got -1"),
    (lambda vae: vae.sample(0), ValueError, "VAE.sample: n must be a whole number"),
    (lambda vae: vae.sample(-3), ValueError, "VAE.sample: n must be a whole number")])
def test_wrong_use(use, error, words):
    with pytest.raises(error, match=words):
        use(build())


def test_grey_data_under_bernoulli_are_warned_of_once_and_binarised_ones_never():
    x = grey()
    vae = build()
    with pytest.warns(UserWarning, match="no probability of x: binarise .datasets.binarize., or take ContinuousBernoulliNLL"):
        vae.elbo(x)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vae.elbo(x)
        build().elbo((x > 0.5).astype(float))
        build(likelihood=GaussianNLL()).elbo(x)
        fit(build(), x, optimizer=Adam(), epochs=1, batch_size=7, rng=0, each_epoch=datasets.binarize)


def test_a_corrupted_input_and_a_clean_target():
    """The encoder sees the noise that was drawn, the likelihood the clean x; evaluation sees no noise."""
    x = (grey() > 0.5).astype(float)
    vae = build(corruption=MaskingNoise(0.5))
    loss = vae.loss(x, rng=0)
    seen = np.where(vae.noise["corruption"] == 1, 0.0, x)
    plain = build()
    h = plain.encoder.forward(seen)
    o = plain.decoder.forward(plain.posterior.sample(h, vae.noise["epsilon"]))
    assert loss == pytest.approx((plain.likelihood.forward(o, x) + plain.posterior.kl()).mean(), rel=1e-12)
    assert vae.loss(x, noise=vae.noise) == loss and "corruption" in vae.noise
    assert vae.loss(x, rng=0, training=False) == plain.loss(x, rng=0, training=False)
    assert_model_gradient(vae, x, rng=np.random.default_rng(0))
    np.testing.assert_array_equal(vae.elbo(x, rng=0), plain.elbo(x, rng=0))


@pytest.mark.parametrize("posterior", [DiagonalGaussian, FullGaussian])
def test_score_function_and_reparameterised_gradients_have_the_exact_mean(posterior):
    """p(x|z) = N(z v, 1) with one x, so E_q[-log p(x|z)] is a polynomial of μ and Σ, and its gradient known: both within 4 standard
    errors of it, and the reparameterised one closer."""
    rng = np.random.default_rng(0)
    K, v, x = 40_000, np.array([[0.8], [-0.5]]), np.array([[1.3]])
    q = posterior(2)
    h = 0.5 * rng.standard_normal((1, q.size))
    z = q.sample(h, rng.standard_normal((K, 1, 2)))
    nll = 0.5 * (x - z @ v)[..., 0]**2
    dz = -(x - z @ v) @ v.T
    draws = {}
    for name, way in (("score", lambda k: q.score_backward(nll[k])), ("reparameterised", lambda k: np.hstack(q.sample_backward(dz[k])))):
        each = []
        for k in range(0, K, 400):                                           # batches of 400 draws, whose means are compared
            q.sample(h, q_epsilon(z, q, h, slice(k, k + 400)))
            each.append(way(slice(k, k + 400))[0] / 400)
        draws[name] = np.array(each)

    def expected(h):
        q.sample(h, np.zeros((1, 2)))
        L = q.L[0] if posterior is FullGaussian else np.diag(q.sigma[0])
        return 0.5 * float((x - q.mu @ v)[0, 0]**2 + (v.T @ L @ L.T @ v)[0, 0])

    exact = numerical_gradient(lambda: expected(h), h)[0]
    for each in draws.values():
        np.testing.assert_array_less(np.abs(each.mean(axis=0) - exact), 4 * each.std(axis=0) / np.sqrt(len(each)))
    assert (draws["score"].var(axis=0) > draws["reparameterised"].var(axis=0)).all()


def q_epsilon(z, q, h, rows):
    """The ε of those draws."""
    q.sample(h, np.zeros((1, 2)))
    L = q.L[0] if isinstance(q, FullGaussian) else np.diag(q.sigma[0])
    return (z[rows] - q.mu) @ np.linalg.inv(L).T


def test_the_score_function_vae_moves_the_encoder_as_the_vae_does_on_average():
    """The same ε for both; the decoder's gradient is the same to the bit, the encoder's agrees within 4 standard errors."""
    rng = np.random.default_rng(0)
    x = (grey() > 0.5).astype(float)
    score, plain = build_kind(ScoreFunctionVAE), build_kind(VAE)
    gradients = []
    for seed in range(300):
        noise = {"epsilon": rng.standard_normal((50, 7, 2))}
        assert score.loss(x, noise=noise) == plain.loss(x, noise=noise)
        gradients.append(score.backward() - plain.backward())
    gap = np.array(gradients)
    decoder = np.array([name.startswith("decoder") for name, array in plain.named_parameters().items() for _ in range(array.size)])
    assert not gap[:, decoder].any()
    gap = gap[:, ~decoder]
    z = gap.mean(axis=0) / (gap.std(axis=0) / np.sqrt(300))
    assert np.abs(z).max() < 4.2 and z.std() < 1.3                            # 79 numbers: 4.2 for 4


def build_kind(kind):
    rng = np.random.default_rng(3)
    return kind(mlp([6, 5, 4], rng=rng), mlp([2, 5, 6], rng=rng), BernoulliNLL(), DiagonalGaussian(2), samples=50)


# the importance-weighted bound

@pytest.mark.parametrize("posterior, K", [(DiagonalGaussian(2), 1), (DiagonalGaussian(2), 5), (FullGaussian(3), 4)])
@pytest.mark.parametrize("likelihood", [BernoulliNLL, lambda: GaussianNLL(0.7, learn=True)], ids=["bernoulli", "gaussian"])
def test_iwae_gradients(posterior, K, likelihood):
    rng = np.random.default_rng(0)
    d, posterior = posterior.d, type(posterior)(posterior.d)
    model = IWAE(mlp([3, 4, posterior.size], rng=rng), mlp([d, 4, 3], rng=rng), likelihood(), posterior, samples=K)
    model.w += 0.1 * rng.standard_normal(model.w.size)
    gradcheck.assert_gradients(model, rng.random((5, 3)))


def test_iwae_of_one_draw_is_the_elbo_with_its_kl_sampled_and_more_draws_come_closer_to_the_exact_log_p():
    """p(x|z) = N(W z + b, σ² I), p(z) = N(0, I): log p(x) = log N(b, W Wᵀ + σ² I) is known; the posterior here is a poor one."""
    rng = np.random.default_rng(1)
    decoder, sigma = Dense(2, 3, rng=rng), 0.6
    decoder.b = rng.standard_normal(3)
    x = rng.standard_normal((4, 3))
    exact = stats.multivariate_normal(decoder.b, decoder.W.T @ decoder.W + sigma**2 * np.eye(3)).logpdf(x).mean()
    encoder, bounds = Dense(3, 4, rng=rng), {}
    for K in (1, 5, 50):
        model = IWAE(copy.deepcopy(encoder), copy.deepcopy(decoder), GaussianNLL(sigma), DiagonalGaussian(2), samples=K)
        bounds[K] = np.array([-model.loss(x, rng=seed) for seed in range(400)])
    model = VAE(copy.deepcopy(encoder), copy.deepcopy(decoder), GaussianNLL(sigma), DiagonalGaussian(2))
    elbo = model.elbo(x, samples=400, rng=0).mean()
    error = {K: values.std() / 20 for K, values in bounds.items()}
    assert abs(bounds[1].mean() - elbo) < 4 * error[1] + 0.05
    assert bounds[1].mean() + 4 * error[1] < bounds[5].mean() - 4 * error[5]
    assert bounds[5].mean() + 4 * error[5] < bounds[50].mean() < exact + 4 * error[50]


def test_iwae_weights_do_not_overflow_and_float32_stays():
    rng = np.random.default_rng(0)
    model = IWAE(Dense(3, 4, rng=rng), Dense(2, 3, rng=rng), GaussianNLL(1e-3), DiagonalGaussian(2), samples=3).astype(np.float32)
    x = rng.standard_normal((5, 3)).astype(np.float32)
    assert np.isfinite(model.loss(x, rng=0)) and np.isfinite(model.backward()).all() and model.share.dtype == np.float32
