"""Optimizers against their textbook formulas, written here element by element."""

import copy
import math

import numpy as np
import pytest
from scipy.optimize import minimize

from numpyae import (VAE, AdaGrad, Adam, BernoulliNLL, Dense, DiagonalGaussian, Dropout, GradientDescent, Momentum, Nesterov, Regression,
                     RMSProp, Sequential, SquaredError, Tanh, lbfgs, mlp)

ALL = {"GradientDescent": lambda: GradientDescent(0.05), "Momentum": lambda: Momentum(0.02, mu=0.8),
       "Nesterov": lambda: Nesterov(0.02, mu=0.8), "AdaGrad": lambda: AdaGrad(0.1, epsilon=1e-3),
       "RMSProp": lambda: RMSProp(0.01, rho=0.8, epsilon=1e-3), "Adam": lambda: Adam(0.03, beta1=0.7, beta2=0.95, epsilon=1e-2)}
every = pytest.mark.parametrize("make", ALL.values(), ids=ALL)
A = np.array([[3.0, 1.0, 0.2], [1.0, 2.0, 0.3], [0.2, 0.3, 0.5]])


def slope(w):
    """The gradient of something that is no bowl: ½ wᵀAw + Σ sin w."""
    return A @ w + np.cos(w)


def textbook(name, w, steps, gradient=slope):
    """The path of w, one list of numbers per step, by the formula of the paper."""
    w = [float(value) for value in w]
    P, path = len(w), []
    m, v = [0.0] * P, [0.0] * P
    for t in range(1, steps + 1):
        if name == "Nesterov":                           # Sutskever 2013, eq. 3-4: the gradient at w + mu velocity
            g = gradient(np.array([w[i] + 0.8 * v[i] for i in range(P)]))
        else:
            g = gradient(np.array(w))
        for i in range(P):
            if name == "GradientDescent":
                w[i] = w[i] - 0.05 * g[i]
            elif name in ("Momentum", "Nesterov"):
                v[i] = 0.8 * v[i] - 0.02 * g[i]
                w[i] = w[i] + v[i]
            elif name == "AdaGrad":
                v[i] = v[i] + g[i]**2
                w[i] = w[i] - 0.1 * g[i] / (math.sqrt(v[i]) + 1e-3)
            elif name == "RMSProp":
                v[i] = 0.8 * v[i] + 0.2 * g[i]**2
                w[i] = w[i] - 0.01 * g[i] / (math.sqrt(v[i]) + 1e-3)
            else:                                        # Kingma & Ba 2015, algorithm 1
                m[i] = 0.7 * m[i] + (1 - 0.7) * g[i]
                v[i] = 0.95 * v[i] + (1 - 0.95) * g[i]**2
                m_hat = m[i] / (1 - 0.7**t)
                v_hat = v[i] / (1 - 0.95**t)
                w[i] = w[i] - 0.03 * m_hat / (math.sqrt(v_hat) + 1e-2)
        # our Nesterov keeps the look-ahead point in w
        path.append([w[i] + 0.8 * v[i] for i in range(P)] if name == "Nesterov" else list(w))
    return np.array(path)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_fifty_steps_against_the_textbook(name, dtype):
    optimizer, w = ALL[name](), np.array([1.0, -2.0, 0.5], dtype)
    start, path = w.copy(), []
    for _ in range(50):
        g = slope(w).astype(dtype)
        kept = g.copy()
        assert optimizer.step(w, g) is None
        np.testing.assert_array_equal(g, kept)           # only read
        path.append(w.copy())
    assert optimizer.t == 50 and w.dtype == dtype
    assert all(getattr(optimizer, memory).dtype == dtype for memory in optimizer.memory)
    expected = textbook(name, start, 50)
    np.testing.assert_allclose(path, expected, rtol=1e-10 if dtype is np.float64 else 1e-4, atol=1e-12 if dtype is np.float64 else 1e-4)
    assert np.abs(expected[-1] - start).max() > 0.1


@every
@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_001])
def test_long_vectors_step_like_their_elements(make, size):
    """More than one piece of 65536, and pieces that are not full: every element is treated the same."""
    rng = np.random.default_rng(0)
    whole, few = make(), make()
    w = rng.standard_normal(size)
    places = np.unique(np.r_[0, size - 1, min(65535, size - 1), min(65536, size - 1), rng.integers(0, size, 5)])
    part = w[places].copy()
    for _ in range(3):
        g = rng.standard_normal(size)
        whole.step(w, g)
        few.step(part, g[places])
    np.testing.assert_allclose(w[places], part, rtol=1e-14)
    assert len(places) == size or (w != 0).all()


@every
def test_the_rate_may_be_changed(make):
    one, two = make(), make()
    w, v, g = np.ones(3), np.ones(3), np.array([1.0, -2.0, 3.0])
    one.step(w, g)
    one.alpha *= 0.5
    two.alpha *= 0.5
    two.step(v, g)
    np.testing.assert_allclose(1 - v, (1 - w) / 2)
    before = w.copy()
    if not one.memory or isinstance(one, (AdaGrad, RMSProp)):
        one.alpha = 1e-12
        one.step(w, g)
        np.testing.assert_allclose(w, before, atol=1e-10)


@every
def test_zero_gradient_moves_nothing(make):
    optimizer, w = make(), np.ones(4)
    for _ in range(3):
        optimizer.step(w, np.zeros(4))
    np.testing.assert_array_equal(w, np.ones(4))


def test_the_first_step_of_adam_is_alpha():
    for scale in (1e-4, 1.0, 1e4):
        w = np.zeros(3)
        Adam(0.01, epsilon=1e-12).step(w, scale * np.array([1.0, -2.0, 3.0]))
        np.testing.assert_allclose(w, [-0.01, 0.01, -0.01], rtol=1e-6)


@every
def test_an_optimizer_belongs_to_one_model(make):
    optimizer = make()
    optimizer.step(np.ones(4), np.ones(4))
    for w in (np.ones(5), np.ones(4, np.float32)):
        if optimizer.memory:
            with pytest.raises(ValueError, match="use one optimizer per model"):
                optimizer.step(w, np.ones_like(w))


@every
def test_a_copied_optimizer_goes_its_own_way(make):
    one, w = make(), np.ones(3)
    one.step(w, slope(w))
    two, v = copy.deepcopy(one), w.copy()
    kept = {name: getattr(one, name).copy() for name in one.memory}
    two.step(v, slope(v))
    for name, array in kept.items():
        np.testing.assert_array_equal(getattr(one, name), array)
    one.step(w, slope(w))
    np.testing.assert_array_equal(w, v)
    assert repr(one).startswith(type(one).__name__ + "(alpha=")


@pytest.mark.parametrize("make, words", [
    (lambda: GradientDescent(0), "GradientDescent: alpha must be a positive number, got 0"), (lambda: Adam(-1e-3), "Adam: alpha must"),
    (lambda: Adam(np.nan), "alpha"), (lambda: Momentum(np.inf), "alpha"), (lambda: Nesterov(np.ones(2)), "alpha"),
    (lambda: Momentum(0.1, mu=1.0), r"Momentum: mu must be in \[0, 1\), got 1.0"), (lambda: Nesterov(0.1, mu=-0.1), "mu"),
    (lambda: RMSProp(rho=1), "RMSProp: rho"), (lambda: Adam(beta1=1), "beta1"), (lambda: Adam(beta2=np.nan), "beta2"),
    (lambda: Adam(epsilon=0), "epsilon must be a positive"), (lambda: AdaGrad(epsilon=-1), "epsilon")])
def test_bad_numbers(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# --------------------------------------------------------------------------------------------------- scipy

def least_squares(dtype=np.float64):
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((40, 5)).astype(dtype), rng.standard_normal((40, 2)).astype(dtype)
    solution = np.linalg.lstsq(np.c_[x, np.ones(40)].astype(np.float64), t.astype(np.float64), rcond=None)[0]
    return Regression(Dense(5, 2, rng=rng), SquaredError()).astype(dtype), x, t, solution.ravel()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_lbfgs_solves_least_squares(dtype):
    model, x, t, solution = least_squares(dtype)
    result = lbfgs(model, x, t)
    np.testing.assert_allclose(model.w, solution, atol=1e-4 if dtype is np.float64 else 1e-3)
    assert result.fun == pytest.approx(model.loss(x, t), rel=1e-6) and result.nit > 1 and model.w.dtype == dtype


def test_lbfgs_holds_the_noise():
    rng = np.random.default_rng(0)
    x = (rng.random((20, 6)) > 0.5).astype(float)
    vae = VAE(Sequential(Dense(6, 5, rng=rng), Tanh(), Dropout(0.2), Dense(5, 4, rng=rng)), mlp([2, 5, 6], rng=rng), BernoulliNLL(),
              DiagonalGaussian(2))
    before = vae.loss(x, rng=np.random.default_rng(1))
    noise = vae.noise
    result = lbfgs(vae, x, iterations=50, rng=np.random.default_rng(1))
    assert result.nit <= 50 and result.fun < before - 0.5
    assert vae.loss(x, noise=noise) == pytest.approx(result.fun, rel=1e-12)
    with pytest.raises(ValueError, match="finite"):
        lbfgs(vae, x * np.nan)


@pytest.mark.parametrize("method", ["BFGS", "CG", "L-BFGS-B"])
def test_scipy_on_a_model(method):
    """BFGS and CG keep the gradient they get: model.backward().copy()."""
    model, x, t, solution = least_squares()

    def loss(w):
        model.w = w
        return model.loss(x, t)

    def gradient(w):
        loss(w)
        return model.backward().copy()

    result = minimize(lambda w: loss(w), model.w, jac=lambda w: gradient(w), method=method, tol=1e-10)
    np.testing.assert_allclose(result.x, solution, atol=1e-5)
    model.w = result.x
    np.testing.assert_allclose(model.predict(x), np.c_[x, np.ones(40)] @ solution.reshape(6, 2), atol=1e-4)
