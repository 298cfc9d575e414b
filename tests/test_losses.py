"""Losses: the values against scipy's distributions and quadrature, the gradients against finite differences."""

import copy
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special, stats

from numpyae import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, SoftmaxCrossEntropy,
                     SquaredError)
from tests.numerical import numerical_gradient

some = settings(deadline=None, max_examples=30, derandomize=True)
seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 5)
LOSSES = {"squared": SquaredError, "softmax": SoftmaxCrossEntropy, "bernoulli": BernoulliNLL, "continuous": ContinuousBernoulliNLL,
          "gaussian": lambda: GaussianNLL(0.6), "learnt": lambda: GaussianNLL(1.7, learn=True),
          "heteroscedastic": HeteroscedasticGaussianNLL}
every = pytest.mark.parametrize("make", LOSSES.values(), ids=LOSSES)


def make_target(loss, rng, N, D, dtype=np.float64):
    if isinstance(loss, SoftmaxCrossEntropy):
        return rng.dirichlet(np.ones(D), N).astype(dtype)
    if loss.takes_logits:
        return rng.random((N, D)).astype(dtype)
    return rng.standard_normal((N, D)).astype(dtype)


def reference(loss, o, t):
    """-log p(t | o) from scipy, in float64; the squared error spelt out."""
    o, t = o.astype(np.float64), t.astype(np.float64)
    D = t.shape[1]
    if isinstance(loss, SquaredError):
        return ((t - o)**2).sum(axis=1)
    if isinstance(loss, SoftmaxCrossEntropy):
        return -(t * special.log_softmax(o, axis=1)).sum(axis=1)
    if isinstance(loss, BernoulliNLL):
        return -(t * special.log_expit(o) + (1 - t) * special.log_expit(-o)).sum(axis=1)
    if isinstance(loss, ContinuousBernoulliNLL):
        norm = np.vectorize(lambda logit: np.log(integrate.quad(lambda u: np.exp(logit * u), 0, 1)[0]))
        return (norm(o) - o * t).sum(axis=1)
    if isinstance(loss, GaussianNLL):
        return -stats.norm(o, loss.sigma).logpdf(t).sum(axis=1)
    return -stats.norm(o[:, :D], np.exp(0.5 * o[:, D:])).logpdf(t).sum(axis=1)


@every
@settings(deadline=None, max_examples=20, derandomize=True)
@given(sizes, sizes, seeds, st.sampled_from([np.float32, np.float64]))
def test_values(make, N, D, seed, dtype):
    rng, loss = np.random.default_rng(seed), make()
    o = (2 * rng.standard_normal((N, D * loss.outputs_per_feature))).astype(dtype)
    t = make_target(loss, rng, N, D, dtype)
    if loss.w.size:
        loss = loss.astype(dtype)
    kept = o.copy(), t.copy()
    values = loss.forward(o, t)
    delta = loss.backward(np.full(N, 1 / N, dtype))
    assert values.shape == (N,) and delta.shape == o.shape and values.dtype == delta.dtype == loss.mean(o).dtype == dtype
    np.testing.assert_allclose(values, reference(loss, o, t), rtol=1e-4 if dtype is np.float32 else 1e-10,
                               atol=1e-4 if dtype is np.float32 else 1e-10)
    for now, then in ((o, kept[0]), (t, kept[1])):
        np.testing.assert_array_equal(now, then)
    assert loss.mean(o).shape == t.shape


@every
@settings(deadline=None, max_examples=20, derandomize=True)
@given(sizes, sizes, seeds)
def test_gradients(make, N, D, seed):
    rng, loss = np.random.default_rng(seed), make()
    o, t = rng.standard_normal((N, D * loss.outputs_per_feature)), make_target(loss, rng, N, D)
    weight = rng.standard_normal(N)                      # such as IWAE's: another for each sample
    loss.forward(o, t)
    kept = weight.copy()
    loss.zero_grad()
    delta = loss.backward(weight)
    gradient = loss.grad.copy()
    np.testing.assert_array_equal(weight, kept)
    total = lambda: float(weight @ loss.forward(o, t))   # noqa: E731
    np.testing.assert_allclose(delta, numerical_gradient(total, o), rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(gradient, numerical_gradient(total, loss.w), rtol=1e-6, atol=1e-8)
    assert gradient.size == (1 if getattr(loss, "learn", False) else 0)


def test_the_gradient_of_a_learnt_sigma_adds():
    rng, loss = np.random.default_rng(0), GaussianNLL(0.5, learn=True)
    loss.forward(rng.standard_normal((4, 3)), rng.standard_normal((4, 3)))
    loss.zero_grad()
    loss.backward(np.full(4, 0.25))
    once = loss.grad.copy()
    loss.backward(np.full(4, 0.25))
    np.testing.assert_allclose(loss.grad, 2 * once)


def test_a_learnt_sigma():
    loss = GaussianNLL(0.3, learn=True)
    assert loss.sigma == pytest.approx(0.3) and loss.w[0] == pytest.approx(2 * np.log(0.3))
    loss.logvar = 2 * np.log(2.0)
    assert loss.sigma == pytest.approx(2.0) and copy.deepcopy(loss).sigma == pytest.approx(2.0)
    assert GaussianNLL(0.3).w.size == 0 and repr(GaussianNLL(0.25)) == "GaussianNLL(sigma=0.25, learn=False)"


@pytest.mark.parametrize("sigma", [0, -1, np.nan, np.inf, np.ones(2)])
def test_sigma_must_be_positive(sigma):
    with pytest.raises(ValueError, match="GaussianNLL: sigma must be a positive number, got"):
        GaussianNLL(sigma)


# ----------------------------------------------------------------------------------------------- huge outputs

@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", [SoftmaxCrossEntropy, BernoulliNLL, ContinuousBernoulliNLL])
def test_huge_logits_without_a_warning(make, dtype):
    o = np.array([[1e4, -1e4], [-1e4, 1e4], [1e4, 1e4], [-1e4, -1e4], [0, 1e4], [-1e4, 0], [-0.0, 1e-30]], dtype)
    t = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 0], [0, 1], [0, 1]], dtype)
    loss = make()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values, delta, mean = loss.forward(o, t), loss.backward(np.ones(len(o), dtype)), loss.mean(o)
        draw = loss.sample(o, np.random.default_rng(0))
    for result in (values, delta, mean, draw):
        assert np.isfinite(result).all() and result.dtype == dtype
    tolerance = {"rtol": 1e-6, "atol": 1e4 * np.finfo(dtype).eps}            # differences of numbers of 1e4
    if make is SoftmaxCrossEntropy:
        np.testing.assert_allclose(values, [0, 2e4, np.log(2), np.log(2), 1e4, 0, np.log(2)], **tolerance)
    elif make is BernoulliNLL:
        np.testing.assert_allclose(values, [0, 2e4, 1e4, 1e4, np.log(2) + 1e4, np.log(2), 2 * np.log(2)], **tolerance)
    else:                                                # log((e^1e4 - 1) / 1e4) = 1e4 - log 1e4 and its mirror image
        log = np.log(1e4)
        np.testing.assert_allclose(values, [-2 * log, 2e4 - 2 * log, 1e4 - 2 * log, 1e4 - 2 * log, 1e4 - log, -log, 0],
                                   **tolerance)
    assert (mean >= 0).all() and (mean <= 1).all() and (draw >= 0).all() and (draw <= 1).all()


# ------------------------------------------------------------------------------------------------ Bernoulli, softmax

def test_bernoulli_is_scipys():
    o = np.linspace(-5, 5, 11)[:, None]
    for t in (0.0, 1.0):
        values = BernoulliNLL().forward(o, np.full_like(o, t))
        np.testing.assert_allclose(values, -stats.bernoulli(special.expit(o[:, 0])).logpmf(int(t)), rtol=1e-12)


@some
@given(sizes, st.integers(2, 6), seeds, st.sampled_from([np.int64, np.int32, np.uint8]))
def test_integer_targets_are_one_hot_targets(N, K, seed, kind):
    rng = np.random.default_rng(seed)
    o, k = rng.standard_normal((N, K)), rng.integers(0, K, N).astype(kind)
    one, two = SoftmaxCrossEntropy(), SoftmaxCrossEntropy()
    values = one.forward(o, k)
    np.testing.assert_array_equal(values, two.forward(o, np.eye(K)[k]))
    np.testing.assert_allclose(values, -special.log_softmax(o, axis=1)[np.arange(N), k], rtol=1e-12)
    weight = rng.standard_normal(N)
    np.testing.assert_array_equal(one.backward(weight), two.backward(weight))


@pytest.mark.parametrize("wrong", [3, -1])
def test_a_class_that_is_none_is_refused(wrong):
    """Once a bug: forward turns such a target into a row of zeros: loss 0, and a gradient that pushes every logit down."""
    with pytest.raises(ValueError):
        SoftmaxCrossEntropy().forward(np.zeros((2, 3)), np.array([0, wrong]))


# ---------------------------------------------------------------------------------------------- continuous Bernoulli

LOGITS = [0.0, 1e-12, -1e-12, 1e-6, -1e-6, 1e-3, -1e-3, 0.1, 0.2499999, 0.25, 0.2500001, -0.2499999, -0.25, -0.2500001, 1.0, -1.0, 5.0,
          -5.0, 50.0, -50.0]


def density(logit):
    loss = ContinuousBernoulliNLL()
    return lambda t: np.exp(-loss.forward(np.array([[logit]]), np.array([[t]]))[0])


@pytest.mark.parametrize("logit", LOGITS)
def test_continuous_bernoulli_integrates_to_one_and_has_its_mean(logit):
    p = density(logit)
    options = {"epsabs": 1e-12, "epsrel": 1e-12, "points": [0.02, 0.1, 0.5, 0.9, 0.98]}
    assert integrate.quad(p, 0, 1, **options)[0] == pytest.approx(1, rel=1e-9)
    mean = ContinuousBernoulliNLL().mean(np.array([[logit]]))[0, 0]
    assert mean == pytest.approx(integrate.quad(lambda t: t * p(t), 0, 1, **options)[0], rel=1e-9)
    rough = ContinuousBernoulliNLL().mean(np.array([[logit]], np.float32))[0, 0]
    assert rough == pytest.approx(mean, abs=2e-6)
    lam = special.expit(logit)                           # Loaiza-Ganem 2019, eq. 7 and 8, away from the hole at ½
    if 0.1 <= abs(logit) < 10:
        C = 2 * np.arctanh(1 - 2 * lam) / (1 - 2 * lam)
        assert p(0.3) == pytest.approx(C * lam**0.3 * (1 - lam)**0.7, rel=1e-9)
        assert mean == pytest.approx(lam / (2 * lam - 1) + 1 / (2 * np.arctanh(1 - 2 * lam)), rel=1e-9)
        assert mean == pytest.approx(-1 / np.expm1(-logit) - 1 / logit, rel=1e-13)            # the series is as exact as the formula


def test_continuous_bernoulli_has_no_jump():
    """Through 0, and where the series hands over to the formula, at ±¼: neighbours differ by slope times distance."""
    loss = ContinuousBernoulliNLL()
    for centre in (0.0, 0.25, -0.25):
        o = centre + np.linspace(-1e-5, 1e-5, 2001)[:, None]
        for curve, slope in ((loss.forward(o, np.full_like(o, 0.3)), loss.mean(np.array([[centre]]))[0, 0] - 0.3),
                             (loss.mean(o)[:, 0], 1 / 12)):
            np.testing.assert_allclose(np.diff(curve), slope * 1e-8, rtol=0.02, atol=2e-14)


def test_continuous_bernoulli_samples():
    loss, n = ContinuousBernoulliNLL(), 20_000
    for seed, logit in enumerate([0.0, 1e-9, 1e-3, 0.2, -0.3, 2.0, -8.0, 60.0]):
        o = np.full((n, 1), logit)
        t = loss.sample(o, np.random.default_rng(seed))[:, 0]
        cdf = (lambda u: u) if abs(logit) < 1e-6 else (lambda u: np.expm1(logit * u) / np.expm1(logit))
        assert stats.kstest(t, cdf).pvalue > 1e-3, logit
        assert t.mean() == pytest.approx(loss.mean(o)[0, 0], abs=4 * t.std() / np.sqrt(n))


class Lowest:
    """A generator whose uniform numbers are the lowest and highest that there are."""

    def random(self, shape, dtype=np.float64):
        return np.resize(np.array([0.0, 1 - np.finfo(dtype).epsneg], dtype), shape)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_continuous_bernoulli_sample_at_the_ends(dtype):
    """Once a bug: u = 0 (one float32 draw in 16 million) makes log1p(-1) at large logits, with a divide-by-zero warning."""
    o = np.array([[100.0, 100.0], [-100.0, -100.0], [0.0, 0.0], [1e4, 1e4]], dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        t = ContinuousBernoulliNLL().sample(o, Lowest())
    assert (t >= 0).all() and (t <= 1).all()


# ------------------------------------------------------------------------------------------------------------ samples

@pytest.mark.parametrize("make", [SoftmaxCrossEntropy, BernoulliNLL, lambda: GaussianNLL(0.4), HeteroscedasticGaussianNLL])
def test_samples_have_the_mean_and_the_spread(make):
    loss, n, rng = make(), 40_000, np.random.default_rng(0)
    o = np.array([0.5, -1.0, 2.0, 0.3])
    t = loss.sample(np.tile(o, (n, 1)), rng)
    mean = loss.mean(o[None])[0]
    expected = {SoftmaxCrossEntropy: special.softmax(o), BernoulliNLL: special.expit(o), GaussianNLL: o,
                HeteroscedasticGaussianNLL: o[:2]}[type(loss)]
    np.testing.assert_allclose(mean, expected)
    variance = {SoftmaxCrossEntropy: mean * (1 - mean), BernoulliNLL: mean * (1 - mean), GaussianNLL: np.full(4, 0.16),
                HeteroscedasticGaussianNLL: np.exp(o[2:])}[type(loss)]
    np.testing.assert_array_less(np.abs(t.mean(axis=0) - mean), 4 * np.sqrt(variance / n))
    np.testing.assert_allclose(t.var(axis=0), variance, rtol=0.05)
    loss.check_target(t)
    if isinstance(loss, SoftmaxCrossEntropy):
        assert (t.sum(axis=1) == 1).all() and set(np.unique(t)) == {0, 1}


@every
def test_samples_keep_the_dtype(make):
    loss = make()
    if hasattr(loss, "sample"):
        draw = loss.sample(np.zeros((3, 4), np.float32), np.random.default_rng(0))
        assert draw.dtype == np.float32 and draw.shape == (3, 4 // loss.outputs_per_feature)
    else:
        assert isinstance(loss, SquaredError) and not loss.is_likelihood


# -------------------------------------------------------------------------------------------------- what is refused

@every
def test_a_column_against_a_row_is_refused(make):
    """(N,) against (N, 1) would broadcast to (N, N), and no gradient check can see it."""
    loss = make()
    o = np.zeros((4, loss.outputs_per_feature))
    with pytest.raises(ValueError, match=r"NLL|Error|Entropy: target must have shape \(4, 1\), as the output says, got \(4,\)"):
        loss.forward(o, np.zeros(4))
    for t in (np.zeros((4, 2)), np.zeros((1, 1)), np.zeros((3, 1)), np.zeros((4, 1, 1))):
        with pytest.raises(ValueError, match=r"target must have shape \(4, 1\), as the output says, got"):
            loss.forward(o, t)


@every
def test_another_dtype_is_refused(make):
    loss = make()
    for o, t in ((np.float64, np.float32), (np.float32, np.float64), (np.float64, np.int64)):
        with pytest.raises(TypeError, match=rf"target must be {o.__name__}, as the output is, got {t.__name__}: write t.astype"):
            loss.forward(np.zeros((4, 3 * loss.outputs_per_feature), o), np.zeros((4, 3), t))


@pytest.mark.parametrize("make", [BernoulliNLL, ContinuousBernoulliNLL])
def test_targets_outside_the_unit_interval(make):
    make().check_target(np.array([[0.0, 1.0, 0.5]]))
    for t in ([[0.0, 1.0001]], [[-1e-9, 1.0]], [[np.nan, 0.5]], [[255.0, 0.0]]):
        with pytest.raises(ValueError, match=r"NLL: targets must lie in \[0, 1\], got .* to "):
            make().check_target(np.array(t))


def test_targets_of_the_softmax():
    loss = SoftmaxCrossEntropy()
    loss.check_target(np.array([0, 2, 1]), 3)
    loss.check_target(np.eye(3))
    loss.check_target(np.full((2, 4), 0.25, np.float32))
    for t in ([0, 3], [-1, 0]):
        with pytest.raises(ValueError, match="integer targets must be at least 0 and at most 2, got"):
            loss.check_target(np.array(t), 3)
    for t in (np.array([[0.5, 0.4]]), np.array([[1.5, -0.5]]), np.array([0.0, 1.0]), np.zeros((2, 3))):
        with pytest.raises(ValueError, match="targets must be integers .* or rows"):
            loss.check_target(t, 3)


def test_a_negative_class_is_named_rightly_without_a_number_of_classes():
    """Once a bug: without `classes` the sentence says "must lie between 0 and -1"."""
    with pytest.raises(ValueError) as caught:
        SoftmaxCrossEntropy().check_target(np.array([-2, 1]))
    assert "between 0 and -1" not in str(caught.value)
