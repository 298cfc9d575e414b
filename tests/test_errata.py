"""The experiments of lectures/errata.md: what the five documents say, done, and what comes out.

    python -m pytest tests/test_errata.py -k delta

One function, one finding: its docstring. Each would fail if the document were right.
"""

import copy
import math
import os
import pathlib
import re

import numpy as np
import pytest
from scipy import optimize

from numpyae import (VAE, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL,
                     Regression, ReLU, Sigmoid, SquaredError, TopK, datasets, gradcheck, lbfgs, mlp)
from tests.numerical import numerical_gradient

LOG_2PI = math.log(2 * math.pi)
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(80)


# [000] a brief introduction to (variational) autoencoders

def slides_backprop(network, x, z, fold=False):
    """The pseudo-code of [000] for one sample x (D,), z (M,): the "∂L/∂w" it prints for each weight matrix, lowest first.

    fold=True is the other reading: φ' belongs to δ.
    """
    dense, phi = network.layers[::2], network.layers[1::2]
    inputs, slopes, o = [], [], x
    for k, layer in enumerate(dense):                            # compute o = y(w, x) (forward pass)
        inputs.append(o)
        o = o @ layer.W + layer.b
        if k < len(phi):
            o = phi[k].forward(o)
        slopes.append(phi[k].derivative() if k < len(phi) else np.ones_like(o))
    delta = z - o                                                # calculate residual δ = z - o at the output units
    printed = []
    for k in range(len(dense) - 1, -1, -1):                      # for all k:
        if fold:
            delta = delta * slopes[k]
        printed.insert(0, np.outer(inputs[k], delta * slopes[k]))            # "∂L/∂w_kij" = δ_kj φ'(·) x_i
        delta = dense[k].W @ delta                               # δ_{k-1,i} = Σ_j δ_kj w_ij, and no φ'
    return printed


def one_sample(sizes, output=None):
    """A tanh network, a sample, and the true ∂L/∂W of L = Σ (z - o)² for each of its matrices, lowest first."""
    rng = np.random.default_rng(11)
    network = mlp(sizes, output=output)
    network.w = rng.normal(size=network.w.size)
    x, z = rng.normal(size=(1, sizes[0])), rng.normal(size=(1, sizes[-1]))
    model = Regression(network, SquaredError())
    model.loss(x, z)
    model.backward()
    return model, x, z, [layer.dW.copy() for layer in network.layers[::2]]


def test_the_printed_delta_is_minus_half_the_gradient():
    """True gradient / printed "∂L/∂w" = -2 in every element, so w - α · printed climbs."""
    model, x, z, true = one_sample([3, 5, 2])
    printed = slides_backprop(model.network, x[0], z[0])
    for k in (0, 1):
        np.testing.assert_allclose(true[k] / printed[k], -2, rtol=1e-10)
    before = model.loss(x, z)
    for layer, step in zip(model.network.layers[::2], printed):
        layer.W -= 0.01 * step
    assert model.loss(x, z) > before + 0.01


def test_propagation_without_phi_prime_is_right_for_one_hidden_layer():
    """One hidden layer and a linear output: -2 · printed is the gradient, to 1e-10."""
    model, x, z, true = one_sample([3, 5, 2])
    for printed, dW in zip(slides_backprop(model.network, x[0], z[0]), true):
        assert np.max(np.abs(-2 * printed - dW)) < 1e-10


def test_propagation_without_phi_prime_is_wrong_below_two_hidden_layers():
    """Two hidden layers: the upper two matrices are right, the lowest is wrong by factors from -1.1 to 1.6."""
    model, x, z, true = one_sample([3, 5, 7, 2])
    printed = slides_backprop(model.network, x[0], z[0])
    for k in (1, 2):
        assert np.max(np.abs(-2 * printed[k] - true[k])) < 1e-10
    factor = true[0] / (-2 * printed[0])
    assert (factor.min(), factor.max()) == (pytest.approx(-1.10, abs=0.01), pytest.approx(1.64, abs=0.01))


def test_a_nonlinear_output_breaks_even_one_hidden_layer():
    """With a sigmoid at the output the top matrix is right and the one below it wrong."""
    model, x, z, true = one_sample([3, 5, 2], output=Sigmoid)
    printed = slides_backprop(model.network, x[0], z[0])
    assert np.max(np.abs(-2 * printed[1] - true[1])) < 1e-10
    assert np.max(np.abs(-2 * printed[0] - true[0])) > 0.5 * np.max(np.abs(true[0]))


def test_phi_prime_folded_into_delta_is_counted_twice():
    """δ = (z - o) φ' makes the propagation right and the update line wrong, by exactly one φ' too many."""
    model, x, z, true = one_sample([3, 5, 7, 2])
    printed = slides_backprop(model.network, x[0], z[0], fold=True)
    for k, phi in enumerate(model.network.layers[1::2]):
        np.testing.assert_allclose(printed[k], -0.5 * true[k] * phi.derivative(), rtol=1e-10)
        assert np.max(np.abs(-2 * printed[k] - true[k])) > 0.01


def test_updating_a_layer_before_propagating_through_it_changes_the_layers_below():
    """The two lines must be run in the printed order: δ through the already updated weights is another δ."""
    model, x, z, true = one_sample([3, 5, 2])
    top = model.network.layers[2]
    delta = 2 * (model.o - z)
    before = delta @ top.W.T
    top.W -= 0.1 * true[1]
    after = delta @ top.W.T
    assert np.max(np.abs(after - before)) > 0.1 * np.max(np.abs(before))


def test_the_mean_squared_error_of_the_slides_is_a_sum():
    """Its gradient is N times that of a mean: a rate with which the mean converges makes the sum diverge."""
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(50, 1)), rng.normal(size=(50, 1))

    def descend(weight, alpha=0.1):
        layer, error = Dense(1, 1, rng=np.random.default_rng(1)), SquaredError()
        losses = []
        for _ in range(20):
            losses.append(weight @ error.forward(layer.forward(x), t))
            layer.zero_grad()
            layer.backward(error.backward(weight))
            layer.W -= alpha * layer.dW
            layer.b -= alpha * layer.db
        return losses, layer.dW
    mean, _ = descend(np.full(50, 1 / 50))
    total, _ = descend(np.ones(50))
    assert mean[-1] < mean[0] and total[-1] > 1e6 * total[0]
    _, dW = descend(np.full(50, 1 / 50), alpha=0)
    _, summed = descend(np.ones(50), alpha=0)
    np.testing.assert_allclose(summed, 50 * dW, rtol=1e-12)


def test_a_zero_gradient_is_no_minimum():
    """All weights 0, the output bias at the mean target: the gradient is 0, and a straight line is already better."""
    x, t = datasets.noisy_sine(20, rng=np.random.default_rng(0))
    model = Regression(mlp([1, 8, 1]), SquaredError())
    model.w = np.zeros(model.w.size)
    model.network.layers[2].b = t.mean(axis=0)
    stationary = model.loss(x, t)
    assert np.max(np.abs(model.backward())) < 1e-14
    line = np.polynomial.Polynomial.fit(x[:, 0], t[:, 0], 1)(x[:, 0])
    assert np.mean((t[:, 0] - line)**2) < 0.7 * stationary


def test_relu_has_no_derivative_at_zero():
    """From the left the difference quotient at 0 is 0, from the right 1; every unit that rests there has no derivative."""
    relu = ReLU()
    at = [relu.forward(np.array([[a]]))[0, 0] for a in (-1e-6, 0.0, 1e-6)]
    assert (at[1] - at[0]) / 1e-6 == 0 and (at[2] - at[1]) / 1e-6 == 1


def test_a_taylor_series_can_diverge_where_its_basis_fits():
    """1/(1 + 25x²) is smooth; its Taylor sums explode at x = ½, while least squares with the same powers converges."""
    x = np.linspace(-1, 1, 401)
    f = 1 / (1 + 25 * x**2)
    taylor, fitted = [], []
    for order in (4, 8, 16, 32):
        taylor.append(abs(sum((-25 * 0.25)**k for k in range(order // 2 + 1)) - 1 / 7.25))
        fitted.append(np.max(np.abs(np.polynomial.Chebyshev.fit(x, f, order)(x) - f)))
    assert all(b > 10 * a for a, b in zip(taylor, taylor[1:])) and taylor[-1] > 1e12
    assert all(b < a for a, b in zip(fitted, fitted[1:])) and fitted[-1] < 0.01


def test_finitely_many_basis_functions_only_approximate():
    """|x| by polynomials: the largest error falls about as 1/order, and is 0 for none; a Taylor series at 0 does not exist."""
    x = np.linspace(-1, 1, 2001)
    error = {order: np.max(np.abs(np.polynomial.Chebyshev.fit(x, np.abs(x), order)(x) - np.abs(x))) for order in (8, 16, 32)}
    assert error[32] > 0.005
    assert 1.7 < error[8] / error[16] < 2.3 and 1.7 < error[16] / error[32] < 2.3
    assert (abs(1e-6) - 0) / 1e-6 == 1 and (0 - abs(-1e-6)) / 1e-6 == -1


def test_a_fourier_sum_misses_a_function_whose_ends_differ():
    """f(x) = x on [0, 1]: the mean error of a Fourier sum falls with M, its largest error stays near ½."""
    x = np.linspace(0, 1, 1001)
    largest, mean = [], []
    for M in (9, 33, 129):
        k = np.arange(1, M // 2 + 1)
        phi = np.column_stack([np.ones_like(x), np.cos(2 * np.pi * np.outer(x, k)), np.sin(2 * np.pi * np.outer(x, k))])
        error = phi @ np.linalg.lstsq(phi, x, rcond=None)[0] - x
        largest.append(np.max(np.abs(error)))
        mean.append(np.mean(error**2))
    assert min(largest) > 0.45 and mean[2] < mean[1] / 2 < mean[0] / 4


def test_proportional_in_footnote_2_means_up_to_a_constant():
    """log p(x|z) and -½ ‖x - μ‖² differ by -(D/2) ln 2π, whatever x; their ratio is not constant."""
    rng = np.random.default_rng(0)
    x, mu = rng.normal(size=(5, 7)), rng.normal(size=(5, 7))
    log_p = -GaussianNLL(1.0).forward(mu, x)
    short = -0.5 * SquaredError().forward(mu, x)
    np.testing.assert_allclose(log_p - short, -3.5 * LOG_2PI, rtol=1e-12)
    assert np.ptp(log_p / short) > 0.1


def test_without_noise_and_kl_the_vae_gradient_is_half_that_of_the_autoencoder():
    """∇L_VAE with σ = 0 and no KL is ½ ∇L_AE: the two losses on the slide differ by the ½ as well."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(11, 5))
    plain = Autoencoder(mlp([5, 7, 2], rng=rng), mlp([2, 7, 5], rng=rng), SquaredError())
    encoder = mlp([5, 7, 4], rng=rng)
    model = VAE(encoder, copy.deepcopy(plain.decoder), GaussianNLL(1.0), DiagonalGaussian(2), beta=0.0)
    encoder.layers[0].W, encoder.layers[0].b = plain.encoder.layers[0].W, plain.encoder.layers[0].b
    encoder.layers[2].W = np.hstack([plain.encoder.layers[2].W, np.zeros((7, 2))])
    plain.loss(x)
    plain.backward()
    model.loss(x, noise={"epsilon": np.zeros((11, 2))})
    model.backward()
    for name, gradient in plain.named_gradients().items():
        half = model.named_gradients()[name]
        half = half[..., :2] if name.startswith("encoder.2") else half
        np.testing.assert_allclose(half, 0.5 * gradient, rtol=1e-10, atol=1e-14)


def test_an_autoencoder_generates_once_its_codes_have_a_distribution():
    """A linear autoencoder rebuilds unseen points; draws from a Gaussian fitted to its codes decode to new data."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4000, 2)) @ np.array([[3.0, 1.0, 0.5], [0.0, 0.5, -1.0]]) + [5.0, 0.0, 0.0]
    train, unseen = x[:2000], x[2000:]
    direction = np.linalg.svd(train - train.mean(axis=0), full_matrices=False)[2][:2].T
    codes = (train - train.mean(axis=0)) @ direction
    rebuilt = (unseen - train.mean(axis=0)) @ direction @ direction.T + train.mean(axis=0)
    assert np.max(np.abs(rebuilt - unseen)) < 1e-10
    z = rng.multivariate_normal(codes.mean(axis=0), np.cov(codes.T), 4000)
    new = z @ direction.T + train.mean(axis=0)
    np.testing.assert_allclose(np.cov(new.T), np.cov(x.T), atol=0.8)         # 9 ± 0.2: two sample covariances
    blind = rng.normal(size=(4000, 2)) @ direction.T + train.mean(axis=0)    # any random code: another distribution
    assert np.max(np.abs(np.cov(blind.T) - np.cov(x.T))) > 7


def test_sigma_has_more_than_one_l():
    """L and L Q with any rotation Q give the same Σ = LLᵀ; only a triangle with a positive diagonal is unique."""
    L = np.array([[1.0, 0.0], [0.8, 0.6]])
    Q = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose((L @ Q) @ (L @ Q).T, L @ L.T, rtol=1e-14)
    assert np.max(np.abs(L @ Q - L)) > 0.3
    np.testing.assert_allclose(np.linalg.cholesky((L @ Q) @ (L @ Q).T), L, atol=1e-15)


# a model in which everything is known: z ~ N(0, 1), x ~ N(θz, 1), q(z) = N(m, v)

def log_normal(x, m, v):
    """log N(x; m, v), v the variance."""
    return -0.5 * (LOG_2PI + np.log(v) + (x - m)**2 / v)


def expectation(f, m, v):
    """E[f(z)] for z ~ N(m, v), by Gauss-Hermite quadrature: exact for polynomials, 1e-12 for what is used here."""
    return float(WEIGHTS @ f(m + np.sqrt(v) * NODES) / WEIGHTS.sum())


def log_joint(x, z, theta):
    """log p(x, z)."""
    return log_normal(x, theta * z, 1) + log_normal(z, 0, 1)


def log_evidence(x, theta):
    """log p(x): x is Gaussian of variance θ² + 1."""
    return log_normal(x, 0, theta**2 + 1)


def posterior(x, theta):
    """Mean and variance of p(z|x)."""
    return theta * x / (theta**2 + 1), 1 / (theta**2 + 1)


def kl_normal(m, v, m0, v0):
    """KL(N(m, v) ‖ N(m0, v0)), v the variances."""
    return 0.5 * (v / v0 + (m - m0)**2 / v0 - 1 - np.log(v / v0))


def elbo(x, theta, m, v):
    """E_q[log p(x, z)] - E_q[log q(z)]."""
    return expectation(lambda z: log_joint(x, z, theta) - log_normal(z, m, v), m, v)


# [001] variational autoencoders, slides of 2017

def test_the_first_elbo_line_has_the_wrong_sign():
    """E[log q] - E[log p(x, z)] is minus the slide's own third line: 1.66 against -1.66, where log p(x) = -1.52."""
    x, theta, m, v = 1.0, 1.0, 0.2, 0.3
    first = expectation(lambda z: log_normal(z, m, v) - log_joint(x, z, theta), m, v)
    third = expectation(lambda z: log_normal(x, theta * z, 1), m, v) - kl_normal(m, v, 0, 1)
    assert (first, third) == (pytest.approx(1.661, abs=1e-3), pytest.approx(-1.661, abs=1e-3))
    assert third < log_evidence(x, theta) < first


def test_z_variance_is_a_log_variance():
    """With z_variance = 0.25 the draws have variance e^0.25 = 1.28, and the KL of the pseudo-code is theirs."""
    z_mean, z_variance = 0.5, 0.25
    z = z_mean + np.exp(z_variance / 2) * np.random.default_rng(0).normal(size=100_000)
    assert np.var(z) == pytest.approx(math.exp(0.25), abs=0.03)              # 5 standard errors
    kl = -0.5 * (1 + z_variance - z_mean**2 - math.exp(z_variance))
    assert kl == pytest.approx(kl_normal(z_mean, math.exp(z_variance), 0, 1), rel=1e-12)
    assert abs(kl - kl_normal(z_mean, z_variance, 0, 1)) > 0.2


def test_input_size_times_crossentropy_is_a_sum_only_if_crossentropy_is_a_mean():
    """784 times the mean over pixels is the sum over pixels: a crossentropy that sums already would count 784-fold."""
    rng = np.random.default_rng(0)
    p, x = rng.uniform(0.01, 0.99, (3, 784)), (rng.random((3, 784)) < 0.5).astype(float)
    crossentropy = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    np.testing.assert_allclose(784 * crossentropy.mean(axis=1), BernoulliNLL().forward(np.log(p / (1 - p)), x), rtol=1e-12)


def test_a_kl_summed_over_the_batch_grows_with_it():
    """sum(...) over all elements gives B times the KL of a sample: beside a loss per sample the batch size becomes a β."""
    z_mean, z_variance = np.random.default_rng(0).normal(size=(2, 20, 3))
    q = DiagonalGaussian(3)
    q.sample(np.hstack([z_mean, z_variance]), np.zeros((20, 3)))
    kl_loss = -0.5 * np.sum(1 + z_variance - np.square(z_mean) - np.exp(z_variance))
    assert kl_loss == pytest.approx(20 * q.kl().mean(), rel=1e-12)


def test_dense_layers_without_activation_are_one_matrix():
    """Two Dense layers as printed are one affine map: the encoder's hidden layer adds nothing."""
    rng = np.random.default_rng(0)
    first, second = Dense(7, 11, rng=rng), Dense(11, 2, rng=rng)
    first.b = rng.normal(size=11)
    x = rng.normal(size=(5, 7))
    one = x @ (first.W @ second.W) + first.b @ second.W + second.b
    np.testing.assert_allclose(second.forward(first.forward(x)), one, rtol=1e-10, atol=1e-12)


def test_cross_entropy_of_a_linear_output_is_not_a_number():
    """decoder_output without a sigmoid leaves (0, 1), and the logarithm with it: 0 of 10 random samples have a finite loss."""
    rng = np.random.default_rng(0)
    o = Dense(5, 20, rng=rng).forward(rng.normal(size=(10, 5)))
    x = (rng.random((10, 20)) < 0.5).astype(float)
    with np.errstate(invalid="ignore"):
        crossentropy = -np.sum(x * np.log(o) + (1 - x) * np.log(1 - o), axis=1)
    assert np.isnan(crossentropy).all()
    assert np.isfinite(BernoulliNLL().forward(o, x)).all()                   # the same outputs read as logits


def test_one_epsilon_for_a_batch_does_not_average_out():
    """With one ε for all B samples the mean of z over the batch varies B times as much as with an ε for each."""
    rng = np.random.default_rng(0)
    shared = (0.5 * rng.normal(size=(4000, 1)) * np.ones(25)).mean(axis=1)
    own = (0.5 * rng.normal(size=(4000, 25))).mean(axis=1)
    assert np.var(shared) / np.var(own) == pytest.approx(25, rel=0.15)       # 5 standard errors of a ratio of variances


def test_a_prior_with_the_parameters_of_the_encoder_costs_nothing():
    """To a prior N(μ, σ²I) with the encoder's μ, σ the KL is 0 for every x; the pseudo-code's is that to N(0, I)."""
    for m, v in ((0.0, 1.0), (3.0, 0.01), (-2.0, 5.0)):
        assert kl_normal(m, v, m, v) == 0
        z_variance = math.log(v)
        assert -0.5 * (1 + z_variance - m**2 - math.exp(z_variance)) == pytest.approx(kl_normal(m, v, 0, 1), abs=1e-12)


def test_mu_plus_sigma_epsilon_has_variance_sigma_squared():
    """z = μ + σ ⊙ ε with σ = 0.5 is a draw from N(μ, σ²I), of variance 0.25, not from N(μ, σI), of variance 0.5."""
    q = DiagonalGaussian(1)
    h = np.tile([1.0, 2 * math.log(0.5)], (100_000, 1))
    z = q.sample(h, np.random.default_rng(0).normal(size=(100_000, 1)))
    assert np.var(z) == pytest.approx(0.25, abs=0.006)                       # 5 standard errors


def test_sigma_alone_limits_no_information():
    """Codes σ apart are confused in 31 % of draws; with μ ten times larger in none. σ is the same, the KL is not."""
    rng = np.random.default_rng(0)
    wrong, kl = [], []
    for scale in (1, 10):
        mu = scale * np.array([-0.5, 0.5])                                   # σ = 1
        z = mu + rng.normal(size=(100_000, 2))
        wrong.append(np.mean((z > 0) != (mu > 0)))
        kl.append(kl_normal(mu[0], 1.0, 0, 1))
    assert wrong[0] == pytest.approx(0.3085, abs=0.006)                      # Φ(-½), 5 standard errors
    assert wrong[1] < 1e-4 and kl[1] == pytest.approx(100 * kl[0])


def test_one_network_for_every_x_is_worse_than_the_best_q_for_each():
    """p(x|z) = N(z + ½z², ¼): the best Gaussian q of each x, and its μ and log σ² as the best linear functions of x: nats are lost."""
    z, dz = np.linspace(-8, 8, 801), 0.02
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    weights = weights / weights.sum()
    x = np.linspace(-0.5, 4, 30)

    def minus_elbo(x, mu, logvar):
        code = mu + np.exp(0.5 * logvar) * nodes
        return np.sum(weights * 2 * (x - code - 0.5 * code**2)**2) + kl_normal(mu, math.exp(logvar), 0, 1)

    best = [optimize.minimize(lambda q: minus_elbo(each, *q), [each / 2, -2.0]) for each in x]
    each = np.array([found.fun for found in best])
    lines = np.polyfit(x, np.array([found.x for found in best]), 1)
    shared = np.array([minus_elbo(one, *q) for one, q in zip(x, x[:, None] * lines[0] + lines[1])])
    evidence = [-np.log(np.sum(np.exp(-2 * (one - z - 0.5 * z**2)**2 - 0.5 * z**2)) * dz / math.sqrt(2 * math.pi)) for one in x]
    assert (shared > each).all() and np.median(shared - each) > 0.05 and (each > evidence).all()


# [002] deep learning and neural networks, part 5

def test_the_squared_distance_is_no_distance():
    """d(x, x') = ‖x - x'‖² breaks the triangle inequality: from 0 to 2 it is 4, by way of 1 only 1 + 1."""
    d = SquaredError().forward(np.array([[0.0], [0.0], [1.0]]), np.array([[2.0], [1.0], [2.0]]))
    assert d[0] > d[1] + d[2]


def test_the_cross_entropy_of_a_perfect_copy_is_not_zero():
    """With grey x in [0, 1] the loss of x' = x is the entropy of x, 0.69 nats for a pixel of ½: its zero is nowhere."""
    x = np.array([[0.5, 0.5, 0.1]])
    perfect = BernoulliNLL().forward(np.log(x / (1 - x)), x)[0]
    assert perfect == pytest.approx(2 * 0.6931 + 0.3251, abs=1e-4)
    assert BernoulliNLL().forward(np.array([[0.1, 0.0, -2.2]]), x)[0] > perfect
    assert SquaredError().forward(x, x)[0] == 0


def angle(a, b):
    """The angle between two directions, in radians."""
    return math.acos(min(1.0, abs(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)))


def test_a_linear_autoencoder_without_biases_misses_pca():
    """Off-centre data, one linear unit: with biases PCA's direction to 1e-3 rad, without them 0.79 rad away."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2)) * [1.0, 0.2] + [2.0, 2.0]
    pca = np.linalg.svd(x - x.mean(axis=0))[2][0]
    model = Autoencoder(Dense(2, 1, rng=rng), Dense(1, 2, rng=rng), SquaredError())
    lbfgs(model, x)
    assert angle(model.decoder.layers[0].W[0], pca) < 1e-3
    W = rng.normal(size=(1, 2))
    for _ in range(50):                                                      # without biases, by alternating least squares
        z = x @ np.linalg.pinv(W)
        W = np.linalg.lstsq(z, x, rcond=None)[0]
    assert angle(W[0], pca) == pytest.approx(0.79, abs=0.05)


def test_a_memory_of_the_training_set_is_not_the_identity():
    """An index as the code rebuilds N stored points exactly, and new points worse than the mean of all does."""
    rng = np.random.default_rng(0)
    stored, new = rng.normal(size=(2, 100, 30))

    def reconstruct(x):
        h = np.argmin(((x[:, None] - stored)**2).sum(axis=2), axis=1)        # h = f(x⁽ⁱ⁾) = i
        return stored[h]
    assert np.array_equal(reconstruct(stored), stored)
    assert np.mean((reconstruct(new) - new)**2) > np.mean((stored.mean(axis=0) - new)**2)


def test_a_dropout_layer_is_not_masking_noise():
    """Dropout(½) doubles what it keeps and does nothing in evaluation; masking noise leaves it as it was."""
    x = np.random.default_rng(0).uniform(1, 2, (4, 50))
    dropout = Dropout(0.5)
    dropout.rng = np.random.default_rng(1)
    y = dropout.forward(x)
    kept = dropout.mask == 1
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(y[kept], 2 * x[kept])
    dropout.training = False
    assert np.array_equal(dropout.forward(x), x)


def kl_bernoulli(rho, rho_hat):
    """KL between Bernoulli distributions of these means."""
    return rho * np.log(rho / rho_hat) + (1 - rho) * np.log((1 - rho) / (1 - rho_hat))


def test_the_sparsity_penalties_do_not_count_active_units():
    """One unit at 0.9 or nine at 0.1: KL, L1 and L2 are the same, the number of active units is 1 or 9."""
    one, nine = np.zeros(10), np.full(10, 0.1)
    one[0], nine[0] = 0.9, 0
    for s in (kl_bernoulli, lambda rho, rho_hat: abs(rho - rho_hat), lambda rho, rho_hat: abs(rho - rho_hat)**2):
        assert s(0.05, one.mean()) == pytest.approx(s(0.05, nine.mean())) and s(0.05, one.mean()) > 1e-3
    assert (np.count_nonzero(one), np.count_nonzero(nine)) == (1, 9)


def test_top_k_by_magnitude_is_not_top_k_by_value():
    """The formula keeps the largest |x|, the sentence the largest x: of (-3, 1, 2) with k = 1 they keep -3 and 2."""
    x = np.array([[-3.0, 1.0, 2.0]])
    assert TopK(1).forward(x).tolist() == [[-3, 0, 0]]
    assert TopK(1, by="value").forward(x).tolist() == [[0, 0, 2]]


def test_top_k_is_no_relu():
    """ReLU looks at each unit alone. Top-k keeps negative units, and drops a positive one when a rival grows."""
    x = np.array([[-3.0, -1.0, -2.0]])
    assert not ReLU().forward(x).any()
    assert np.count_nonzero(TopK(2).forward(x)) == np.count_nonzero(TopK(2, by="value").forward(x)) == 2
    assert TopK(1).forward(np.array([[1.0, 0.5]]))[0, 0] == 1
    assert TopK(1).forward(np.array([[1.0, 1.5]]))[0, 0] == 0


def test_sparse_in_every_sample_is_not_sparse_in_every_unit():
    """[002] averages over the units of a sample, [003] over the samples of a unit: perfect for one, bad for the other."""
    always = np.full((20, 10), 0.01)
    always[:, 0] = 0.91                                                      # one unit always on, the others never
    assert np.sum(kl_bernoulli(0.1, always.mean(axis=1))) < 1e-12
    assert np.sum(kl_bernoulli(0.1, always.mean(axis=0))) > 2
    by_turns = np.full((20, 10), 0.01)
    by_turns[::2] = 0.19                                                     # all units on for every second sample
    assert np.sum(kl_bernoulli(0.1, by_turns.mean(axis=0))) < 1e-12
    assert np.mean(kl_bernoulli(0.1, by_turns.mean(axis=1))) > 0.05


def test_swapped_hats_are_another_divergence():
    """With target .05 and average .2: KL(target ‖ average) = .094, the other way round .140. [002]'s letters allow both."""
    assert kl_bernoulli(0.05, 0.2) == pytest.approx(0.0940, abs=1e-4)
    assert kl_bernoulli(0.2, 0.05) == pytest.approx(0.1398, abs=1e-4)


def test_the_sparsity_penalty_of_a_mini_batch_is_biased_upward():
    """KL is convex in the average: over batches of 20 its mean is .0174, for the whole set .0148."""
    rng = np.random.default_rng(0)
    a = 1 / (1 + np.exp(3 - 1.5 * rng.normal(size=(5000, 20))))              # 5000 batches of one unit's activation
    whole = kl_bernoulli(0.05, a.mean())
    batches = kl_bernoulli(0.05, a.mean(axis=1))
    error = batches.std() / math.sqrt(5000)
    assert batches.mean() > whole + 10 * error
    assert (batches.mean(), whole) == (pytest.approx(0.0174, abs=5e-5), pytest.approx(0.0148, abs=5e-5))


def test_the_kl_penalty_needs_activations_between_0_and_1():
    """s is defined on [0, 1]²: a tanh unit of negative average has no penalty, a dead ReLU an infinite one."""
    with np.errstate(invalid="ignore", divide="ignore"):
        assert np.isnan(kl_bernoulli(0.05, np.tanh([-0.5, -0.3, 0.2]).mean()))
        assert np.isinf(kl_bernoulli(0.05, np.maximum([-0.5, -0.3, -0.2], 0).mean()))


def test_the_contraction_inequality_holds_to_first_order_only():
    """f = x² at 0, δx = 1: 1 <= 0 is false; a saturated sigmoid at -2, δx = 2, moves 1000 times what its slope allows."""
    def f(x):
        return x**2
    assert abs(f(0 + 1) - f(0)) > abs(2 * 0) * 1
    unit = Sigmoid()
    low, high = (unit.forward(np.array([[5 * x]])) for x in (-2.0, 0.0))
    unit.forward(np.array([[-10.0]]))
    slope = 5 * unit.derivative()
    assert (high - low)[0, 0] > 1000 * slope[0, 0] * 2
    low, near = (unit.forward(np.array([[5 * x]])) for x in (-2.0, -2.0 + 1e-6))
    assert (near - low)[0, 0] == pytest.approx(slope[0, 0] * 1e-6, rel=1e-4)


def test_the_frobenius_norm_is_no_average_gain():
    """The identity of R⁹ has the gain 1 in every direction and the Frobenius norm 3: √n times the root mean square gain."""
    rng = np.random.default_rng(0)
    v = rng.normal(size=(1000, 9))
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    np.testing.assert_allclose(np.linalg.norm(v @ np.eye(9), axis=1), 1, rtol=1e-12)
    assert np.linalg.norm(np.eye(9)) == pytest.approx(3)


def test_the_codes_of_a_plain_autoencoder_are_not_discrete():
    """A little of x is a little of z, never a jump and never nothing: the code of a plain autoencoder is continuous too."""
    rng = np.random.default_rng(0)
    model = Autoencoder(mlp([5, 7, 2], rng=rng), mlp([2, 7, 5], rng=rng), SquaredError())
    x, step = rng.normal(size=(50, 5)), rng.normal(size=(50, 5))
    moved = [np.linalg.norm(model.encode(x + h * step) - model.encode(x), axis=1) / h for h in (1e-4, 1e-5)]
    assert moved[0].min() > 0
    np.testing.assert_allclose(moved[0], moved[1], rtol=0.01)                # a derivative


def test_the_marginal_of_a_gaussian_decoder_is_not_gaussian():
    """p(x) is a mixture over all z: f(z) = 3 tanh(5z) gives it two humps and 12 times less density between them."""
    x = np.array([-3.0, 0.0, 3.0])
    z = np.linspace(-8, 8, 16001)
    p = [np.trapezoid(np.exp(log_normal(value, 3 * np.tanh(5 * z), 0.25) + log_normal(z, 0, 1)), z) for value in x]
    assert p[0] == pytest.approx(p[2]) and p[0] > 10 * p[1]


def test_the_kl_does_not_keep_reconstructions_diverse():
    """The KL is at its best, 0, when all x have one posterior, and then all reconstructions are the same picture."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 5))
    model = VAE(mlp([5, 7, 4], rng=rng), mlp([2, 7, 5], rng=rng), GaussianNLL(1.0), DiagonalGaussian(2))
    assert np.ptp(model.reconstruct(x), axis=0).max() > 0.1 and model.posterior.kl().min() > 0
    model.encoder.w = np.zeros(model.encoder.w.size)
    assert not np.ptp(model.reconstruct(x), axis=0).any() and not model.posterior.kl().any()


def test_loss_and_elbo_share_a_symbol_with_opposite_signs():
    """L_θ,φ(x) is first -E[ln p(x|z)] + KL, to be minimised, later the ELBO, to be maximised: one is minus the other."""
    x, theta, m, v = 1.0, 1.0, 0.2, 0.3
    loss = -expectation(lambda z: log_normal(x, theta * z, 1), m, v) + kl_normal(m, v, 0, 1)
    later = log_evidence(x, theta) - kl_normal(m, v, *posterior(x, theta))
    assert loss == pytest.approx(-later, abs=1e-10) and loss > 1


def test_raising_the_elbo_can_lower_log_p():
    """From the best θ, with a poor q, the ELBO climbs from -3.19 to -2.64 while log p falls from -2.11 to -2.39."""
    x, m, v, theta = 2.0, 0.5, 1.0, math.sqrt(3)
    assert all(log_evidence(x, theta) > log_evidence(x, theta + step) for step in (-0.1, 0.1))
    before, log_p = elbo(x, theta, m, v), log_evidence(x, theta)
    for _ in range(100):
        theta += 0.1 * expectation(lambda z: (x - theta * z) * z, m, v)      # ∂ELBO/∂θ
    assert (before, elbo(x, theta, m, v)) == (pytest.approx(-3.187, abs=1e-3), pytest.approx(-2.644, abs=1e-3))
    assert (log_p, log_evidence(x, theta)) == (pytest.approx(-2.112, abs=1e-3), pytest.approx(-2.386, abs=1e-3))


def test_an_isotropic_posterior_costs_nats():
    """To a posterior N(0, diag(1, .01)) the best σ²I is 1.62 nats away, the best diagonal one 0."""
    v = np.array([1.0, 0.01])
    isotropic = [np.sum(kl_normal(0, s2, 0, v)) for s2 in np.geomspace(0.001, 10, 4001)]
    assert min(isotropic) == pytest.approx(1.62, abs=0.005)
    assert np.sum(kl_normal(0, v, 0, v)) == 0


def test_a_prior_sample_needs_no_shift_and_no_scale():
    """z ~ N(0, 1) decodes to the distribution of the data; shifted by μ and scaled by σ² only near one sample."""
    rng = np.random.default_rng(0)
    theta = 2.0
    z = rng.normal(size=100_000)
    generated = theta * z + rng.normal(size=100_000)
    assert generated.mean() == pytest.approx(0, abs=0.04)
    assert generated.var() == pytest.approx(theta**2 + 1, rel=0.03)          # the variance of the data
    mu, variance = posterior(3.0, theta)
    as_printed = theta * (mu + variance * z) + rng.normal(size=100_000)
    assert as_printed.mean() == pytest.approx(2.4, abs=0.04) and as_printed.var() < 1.3


def test_the_reparameterisation_is_there_for_backpropagation():
    """With ε held the encoder has a gradient through the draw; a z that is only a number gives it none."""
    rng = np.random.default_rng(0)
    model = VAE(mlp([5, 7, 4], rng=rng), mlp([2, 3, 5], rng=rng), GaussianNLL(1.0), DiagonalGaussian(2), beta=0.0)
    x = rng.normal(size=(11, 5))
    model.loss(x, rng=rng)
    model.backward()
    assert np.linalg.norm(model.encoder.layers[0].dW) > 0.1
    gradcheck.assert_gradients(model, x)
    z = model.posterior.z.copy()                                 # only a number
    loss = model.likelihood.forward(model.decoder.forward(z), x).sum()
    model.encoder.w = model.encoder.w + 0.1
    assert model.likelihood.forward(model.decoder.forward(z), x).sum() == loss           # no slope for the encoder


def test_an_encoder_has_two_outputs_per_latent_dimension():
    """μ and σ² are d numbers each: for a two-dimensional code the encoder ends in 4 units; 2 are refused."""
    assert DiagonalGaussian(2).size == 4
    with pytest.raises(ValueError, match="the encoder must have 4 outputs"):
        VAE(mlp([784, 3, 2]), mlp([2, 3, 784]), BernoulliNLL(), DiagonalGaussian(2))


# [003] tutorial on autoencoders and VAEs

def test_against_little_noise_the_identity_is_nearly_the_best_denoiser():
    """On N(0, I) the best linear denoiser gains 50 % on the identity at σ = 1, and 1 % at σ = 0.1."""
    rng = np.random.default_rng(0)
    x, epsilon = rng.normal(size=(2, 20_000, 3))
    gain = []
    for sigma in (1.0, 0.1):
        noisy = x + sigma * epsilon
        best = noisy @ np.linalg.lstsq(noisy, x, rcond=None)[0]
        gain.append(1 - np.sum((best - x)**2) / np.sum((noisy - x)**2))
    assert gain == [pytest.approx(0.5, abs=0.02), pytest.approx(0.01, abs=0.003)]


def test_a_contractive_autoencoder_can_learn_to_copy():
    """Encoder x/1000, decoder 1000 h: a perfect copy, and ‖J‖_F falls from 1.73 to .0017."""
    x = np.random.default_rng(0).normal(size=(20, 3))
    norms = []
    for scale in (1, 1000):
        encoder, decoder = Dense(3, 3), Dense(3, 3)
        encoder.W, decoder.W = np.eye(3) / scale, np.eye(3) * scale
        np.testing.assert_allclose(decoder.forward(encoder.forward(x)), x, rtol=1e-14)
        norms.append(np.linalg.norm([encoder.backward(np.tile(row, (20, 1)))[0] for row in np.eye(3)]))
    assert norms == [pytest.approx(1.732, abs=1e-3), pytest.approx(0.001732, abs=1e-6)]


def test_equations_10_to_13_need_their_logs():
    """With p(x) for log p(x) equation 13 gives 1.88 where the KL is 0.15; with the log it is right."""
    x, theta, m, v = 1.0, 1.0, 0.2, 0.3
    first = expectation(lambda z: log_normal(z, m, v) - log_joint(x, z, theta), m, v)
    kl = kl_normal(m, v, *posterior(x, theta))
    assert first + log_evidence(x, theta) == pytest.approx(kl, abs=1e-10)
    assert first + math.exp(log_evidence(x, theta)) > kl + 1


def test_log_p_depends_on_the_decoder():
    """The left side of equation 14 moves with the decoder's θ: its slope is 0.17 here."""
    h, x = 1e-5, 2.0
    slope = (log_evidence(x, 1.4 + h) - log_evidence(x, 1.4 - h)) / (2 * h)
    assert slope == pytest.approx(0.166, abs=1e-3)
    m, v = 0.3, 0.5
    for theta in (1.4, 0.7):                                                 # equation 14, for every θ with another left side
        assert elbo(x, theta, m, v) + kl_normal(m, v, *posterior(x, theta)) == pytest.approx(log_evidence(x, theta), abs=1e-10)


def test_the_kl_is_zero_when_q_is_the_posterior():
    """KL >= 0, not "always positive": for q = p(z|x) it is 0 and the ELBO is log p(x)."""
    m, v = posterior(2.0, 1.4)
    assert elbo(2.0, 1.4, m, v) == pytest.approx(log_evidence(2.0, 1.4), abs=1e-10)
    assert elbo(2.0, 1.4, m + 0.1, v) < log_evidence(2.0, 1.4) - 0.01


def test_the_kl_is_no_distance():
    """It is not symmetric: from N(0, 1) to N(0, 4) 0.32, back 0.81."""
    assert kl_normal(0, 1, 0, 4) == pytest.approx(0.318, abs=1e-3) and kl_normal(0, 4, 0, 1) == pytest.approx(0.807, abs=1e-3)


def test_a_standard_deviation_of_sigma_squared_is_another_distribution():
    """σ² = 0.25 used as the standard deviation it is called gives draws of variance 0.0625."""
    z = 0.25 * np.random.default_rng(0).normal(size=100_000)
    assert np.var(z) == pytest.approx(0.0625, abs=0.0015)                    # 5 standard errors


def test_epsilon_times_the_covariance_has_the_squared_covariance():
    """z = μ + εΣ has the covariance Σ²; with L, Σ = LLᵀ, it is Σ."""
    Sigma = np.array([[4.0, 1.0], [1.0, 0.5]])
    epsilon = np.random.default_rng(0).normal(size=(200_000, 2))
    np.testing.assert_allclose(np.cov((epsilon @ Sigma).T), Sigma @ Sigma, rtol=0.03)
    np.testing.assert_allclose(np.cov((epsilon @ np.linalg.cholesky(Sigma).T).T), Sigma, rtol=0.03)


def test_a_lower_bound_is_no_approximation():
    """With a poor q the ELBO is 53 nats below log p(x), and still a bound; even the best is far from p(x) itself."""
    x, theta = 2.0, 1.4
    poor = elbo(x, theta, -5.0, 0.1)
    assert log_evidence(x, theta) - poor == pytest.approx(52.6, abs=0.1)
    m, v = posterior(x, theta)
    assert math.exp(elbo(x, theta, m, v)) == pytest.approx(math.exp(log_evidence(x, theta)), rel=1e-9)
    assert elbo(x, theta, m, v) < math.exp(log_evidence(x, theta)) - 2       # even the best ELBO is far from p(x) itself


def test_likely_z_need_weights():
    """The mean of p(x|z) over z ~ q(z|x) is not p(x), but 0.24 for 0.12; with the weights p(z)/q(z|x) it is."""
    x, theta = 2.0, 1.4
    m, v = posterior(x, theta)[0], 0.6
    p = math.exp(log_evidence(x, theta))
    unweighted = expectation(lambda z: np.exp(log_normal(x, theta * z, 1)), m, v)
    weighted = expectation(lambda z: np.exp(log_joint(x, z, theta) - log_normal(z, m, v)), m, v)
    assert (unweighted, p) == (pytest.approx(0.2435, abs=1e-4), pytest.approx(0.1180, abs=1e-4))
    assert weighted == pytest.approx(p, rel=1e-6)


def test_the_squared_error_beside_a_kl_is_a_gaussian_of_variance_one_half():
    """‖x - x̄‖² without ½ is the reconstruction term for σ² = ½: the same gradient, the value off by (D/2) ln π."""
    rng = np.random.default_rng(0)
    x, o = rng.normal(size=(2, 11, 5))
    square, gauss = SquaredError(), GaussianNLL(math.sqrt(0.5))
    np.testing.assert_allclose(gauss.forward(o, x) - square.forward(o, x), 2.5 * math.log(math.pi), rtol=1e-12)
    np.testing.assert_allclose(gauss.backward(np.ones(11)), square.backward(np.ones(11)), rtol=1e-12)


# [004] probabilistic autoencoders

def test_one_dimension_is_enough_for_plain_monte_carlo_to_fail():
    """x = z + ρ ε, 1000 draws of z ~ p(z): the effective sample size (Σw)²/Σw² is near 1 for d = 1, ρ = 0.0002, and dozens for d = 4, ρ = ½."""
    rng, size = np.random.default_rng(0), {}
    for d, rho in ((1, 2e-4), (4, 0.5)):
        z = rng.standard_normal((200, 1000, d))
        x = rng.standard_normal((200, 1, d)) * math.sqrt(1 + rho**2)
        log_w = -0.5 * np.sum((x - z)**2, axis=2) / rho**2
        w = np.exp(log_w - log_w.max(axis=1, keepdims=True))
        size[d] = np.median(w.sum(axis=1)**2 / (w**2).sum(axis=1))
    assert size[1] < 1.5 and size[4] > 24


def test_the_bernoulli_likelihood_of_grey_pixels_has_no_normaliser():
    """∫₀¹ p^x (1-p)^(1-x) dx is ½ at p = ½ and .36 at p = .9; the continuous Bernoulli's is 1."""
    x = np.linspace(0, 1, 2001)[:, None]
    for p, area in ((0.5, 0.5), (0.9, 0.3641)):
        o = np.full_like(x, math.log(p / (1 - p)))
        assert np.trapezoid(np.exp(-BernoulliNLL().forward(o, x)), x[:, 0]) == pytest.approx(area, abs=1e-4)
        assert np.trapezoid(np.exp(-ContinuousBernoulliNLL().forward(o, x)), x[:, 0]) == pytest.approx(1, abs=1e-6)


def test_how_grey_mnist_is():
    """18.5 % of the pixels lie strictly between black and white, 44 % of those in the top tenth of the range."""
    folder = pathlib.Path(os.environ.get("NUMPYAE_DATA") or os.devnull) / "mnist"
    files = sorted(folder.glob("train-images*"))
    if not files:
        pytest.skip("data set mnist is not in $NUMPYAE_DATA")
    count = np.bincount(datasets.read_idx(files[0]).ravel(), minlength=256)
    share = count / count.sum()
    assert share[1:255].sum() == pytest.approx(0.1845, abs=5e-5)
    assert share[26:230].sum() == pytest.approx(0.0866, abs=5e-5)
    assert share[31:225].sum() == pytest.approx(0.0808, abs=5e-5)
    assert share[230:255].sum() / share[1:255].sum() == pytest.approx(0.438, abs=5e-4)
    assert (share[0], share[255]) == (pytest.approx(0.8088, abs=5e-5), pytest.approx(0.0067, abs=5e-5))


def test_a_draw_is_not_blurred_but_speckled():
    """Pixels are independent given z: beside its mean p(1-p) is the variance of each pixel, whatever its neighbours have. Of a grey
    ramp the mean is smooth, and neighbours in a draw differ in more than a third of the places."""
    p = np.linspace(0.3, 0.7, 100)[None]
    o = np.log(p / (1 - p))
    draw = BernoulliNLL().sample(np.repeat(o, 500, axis=0), np.random.default_rng(0))
    assert np.abs(np.diff(BernoulliNLL().mean(o))).max() < 0.005
    assert np.mean(np.abs(np.diff(draw)) == 1) > 1 / 3 and set(np.unique(draw)) == {0, 1}


def test_sigma_zero_costs_infinitely_many_nats():
    """σ ∈ R≥0 allows σ = 0, where the KL has no finite value: it grows by ln 10 for each factor of 10."""
    kl = [kl_normal(0.0, sigma**2, 0, 1) for sigma in (1e-50, 1e-100, 1e-150)]
    np.testing.assert_allclose(np.diff(kl), 50 * math.log(10))


def test_there_is_no_np_random_binom():
    """rx() raises AttributeError; the function is np.random.binomial."""
    assert not hasattr(np.random, "binom") and hasattr(np.random, "binomial")


def test_the_listing_loses_its_numbers_in_float32():
    """Line 12 gives nan at a logit of 20, line 29 inf at τ = -110; in logits and log σ² both are finite."""
    one = np.ones((1, 1), dtype=np.float32)
    logit, tau = 20 * one, -110 * one
    with np.errstate(divide="ignore", invalid="ignore"):
        xr = Sigmoid().forward(logit)
        assert np.isnan(one * np.log(xr) + (1 - one) * np.log(1 - xr))
        sigma = np.exp(tau / 2)
        assert np.isinf(0.5 * (sigma**2 - np.log(sigma**2) - 1))
    assert BernoulliNLL().forward(logit, one)[0] == pytest.approx(2.06e-9, rel=1e-2)
    q = DiagonalGaussian(1)
    q.sample(np.hstack([0 * one, tau]), 0 * one)
    assert q.kl()[0] == pytest.approx(54.5)


def test_perfectly_distributed_codes_still_pay_kl():
    """q(z|x) = N(.9x, .19), x ~ N(0, 1): all z together are N(0, 1), yet the KL is .83 nats: what z knows of x."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100_000, 1))
    q = DiagonalGaussian(1)
    z = q.sample(np.hstack([0.9 * x, np.full_like(x, math.log(0.19))]), rng.normal(size=x.shape))
    assert z.mean() == pytest.approx(0, abs=0.016) and z.var() == pytest.approx(1, abs=0.023)        # 5 standard errors
    assert q.kl().mean() == pytest.approx(-0.5 * math.log(0.19), abs=0.01)
    assert -0.5 * math.log(0.19) == pytest.approx(0.83, abs=0.001)


# across the documents

def test_a_mean_over_pixels_is_a_beta():
    """Mean squared error over D pixels + KL is, times D/2, a VAE with σ = 1 and β = D/2: 392 for 784 pixels."""
    rng = np.random.default_rng(0)
    D = 6
    model = VAE(mlp([D, 4], rng=rng), mlp([2, D], rng=rng), GaussianNLL(1.0), DiagonalGaussian(2), beta=D / 2)
    x, noise = rng.normal(size=(5, D)), {"epsilon": rng.normal(size=(5, 2))}

    def mean_squared_error_plus_kl():
        z = model.posterior.sample(model.encoder.forward(x), noise["epsilon"])
        return float(np.mean((model.decoder.forward(z) - x)**2) + model.posterior.kl().mean())
    model.loss(x, noise=noise)
    gradient = model.backward().copy()
    np.testing.assert_allclose(numerical_gradient(mean_squared_error_plus_kl, model.w), 2 / D * gradient, rtol=1e-6, atol=1e-9)


# the page

def test_the_page_and_the_experiments_name_each_other():
    page = (pathlib.Path(__file__).parents[1] / "lectures" / "errata.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    here = {name for name, value in globals().items() if name.startswith("test_") and callable(value)}
    here.remove("test_the_page_and_the_experiments_name_each_other")
    assert named - here == set() and here - named == set()
