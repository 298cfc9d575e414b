"""Every bug of the catalogue: the check sees it, names it and finds its place; what no check sees, another test does."""

import functools

import numpy as np
import pytest

from numpyae import (Dense, DiagonalGaussian, Regression, Sequential, Softmax, SoftmaxCrossEntropy, SquaredError, TiedDense, TopK,
                     gradcheck)
from numpyae.gradcheck import common_bugs as catalogue
from numpyae.gradcheck.common_bugs import BUGS

VISIBLE = [bug for bug in BUGS if not bug.invisible]
INVISIBLE = [bug for bug in BUGS if bug.invisible]


def number_and_name(bug):
    return f"{bug.number} {bug.name}"


def test_all_38_are_there_once():
    assert [bug.number for bug in BUGS] == list(range(1, 39))
    assert [bug.number for bug in INVISIBLE] == [17, 26, 28, 37]
    assert len({bug.name for bug in BUGS}) == 38
    for bug in BUGS:
        assert (bug.cause is None) == (bug.invisible is not None)
        assert bug.place.endswith(str(bug.number))       # the class that has the bug


@functools.cache
def report_of(bug_number):
    target, batch = BUGS[bug_number - 1].make(np.random.default_rng(0))
    return gradcheck.check(target, *batch)


@pytest.mark.parametrize("bug", VISIBLE, ids=number_and_name)
def test_a_visible_bug_is_seen(bug):
    assert not report_of(bug.number).ok


@pytest.mark.parametrize("bug", VISIBLE, ids=number_and_name)
def test_a_visible_bug_is_named_and_placed(bug):
    findings = report_of(bug.number).findings
    first = findings[0]
    causes = {finding["cause"] for finding in findings if finding["place"] == first["place"]}
    assert first["layer"].startswith(bug.place)
    assert causes == {bug.cause}


@pytest.mark.parametrize("bug", INVISIBLE, ids=number_and_name)
def test_an_invisible_bug_passes_the_gradient_check(bug):
    report = report_of(bug.number)
    assert report.ok, report


# What sees the four

def is_minus_log_of_its_probability(loss):
    o, t = np.array([[2.0, 0, -1], [0.5, 0.5, 0.5]]), np.array([0, 2])
    return np.allclose(loss.forward(o, t), [np.log(1 + np.exp(-2) + np.exp(-3)), np.log(3)], rtol=1e-12)


def test_17_softmax_applied_twice():
    assert not is_minus_log_of_its_probability(catalogue.CrossEntropy17())
    assert is_minus_log_of_its_probability(SoftmaxCrossEntropy())
    with pytest.raises(ValueError, match=r"the network ends in Softmax\(\), but SoftmaxCrossEntropy takes logits"):
        Regression(Sequential(Dense(5, 3), Softmax()), SoftmaxCrossEntropy())


def draws(posterior, n=20000):
    """(h, z): n draws of one code whose σ is far from 1."""
    h = np.array([[0.3, -0.7, -1.4, 0.9]])
    z = posterior.sample(h, np.random.default_rng(0).standard_normal((n, 1, 2)))
    return h, z[:, 0]


def sampler_has_its_moments(posterior):
    h, z = draws(posterior)
    return np.allclose(z.mean(axis=0), h[0, :2], atol=0.05) and np.allclose(z.std(axis=0), np.exp(0.5 * h[0, 2:]), rtol=0.03)


def test_26_sigma_is_not_the_variance():
    assert not sampler_has_its_moments(catalogue.Gaussian26(2))
    assert sampler_has_its_moments(DiagonalGaussian(2))


def kl_is_its_expectation(posterior):
    _, z = draws(posterior)
    ratios = posterior.log_density()[:, 0] + 0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=1)       # log q(z) - log p(z)
    return abs(ratios.mean() - posterior.kl()[0]) < 5 * ratios.std() / np.sqrt(len(ratios))


def test_28_the_kl_against_monte_carlo():
    assert not kl_is_its_expectation(catalogue.Gaussian28(2))
    assert kl_is_its_expectation(DiagonalGaussian(2))


def test_37_a_target_that_is_no_column():
    o, t = np.array([[1.0], [2.0], [4.0]]), np.array([1.0, 3.0, 4.0])
    assert not np.allclose(catalogue.SquaredError37().forward(o, t), [0, 1, 0])
    np.testing.assert_array_equal(SquaredError().forward(o, t[:, None]), [0, 1, 0])
    with pytest.raises(ValueError, match=r"SquaredError: target must have shape \(3, 1\), as the output says, got \(3,\)"):
        SquaredError().forward(o, t)


# But for the marked line they are right

class RightDenseTanh(catalogue.DenseTanh10):
    def backward(self, delta):
        return Dense.backward(self, delta * (1 - self.h**2))


class RightSquaredError(catalogue.SquaredError5):
    def backward(self, weight):
        return super().backward(weight) / self.r.shape[1]


class RightLeakyReLU(catalogue.LeakyReLU22):
    def backward(self, delta):
        return delta * np.where(self.h > 0, 1, 0.1)


class RightSparseAutoencoder(catalogue.SparseAutoencoder32):
    def backward(self):
        self.from_zero()
        n = len(self.h)
        dz = self.decoder.backward(self.criterion.backward(np.full(n, 1 / n)))
        self.encoder.backward(dz + self.beta / n * ((1 - self.rho) / (1 - self.rho_hat) - self.rho / self.rho_hat))
        return self.grad


class RightContractiveAutoencoder(catalogue.ContractiveAutoencoder34):
    def backward(self):
        super().backward()
        dense, phi = self.encoder.layers
        dense.dW += 2 * self.strength / len(dense.x) * dense.W * np.sum(phi.derivative() ** 2, axis=0)
        return self.grad


class RightRegression(catalogue.Regression36):
    def backward(self):
        super().backward()
        for name, b in self.named_parameters().items():
            if name.endswith(".b"):
                self.named_gradients()[name][...] -= self.decay * b
        return self.grad


@pytest.mark.parametrize("make", [
    catalogue.loss(RightSquaredError), catalogue.alone(lambda rng: RightDenseTanh(5, 11, rng=rng)),
    lambda rng: (RightLeakyReLU(), catalogue.at_zero(rng)[1]),
    catalogue.autoencoder(RightSparseAutoencoder), catalogue.autoencoder(RightContractiveAutoencoder),
    catalogue.regression(RightRegression), catalogue.regression(), catalogue.autoencoder(top=lambda: TopK(3)),
    catalogue.autoencoder(tied=TiedDense), catalogue.vae()])
def test_with_the_line_put_right_they_pass(make):
    target, batch = make(np.random.default_rng(0))
    gradcheck.assert_gradients(target, *batch)


def test_22_shows_only_where_a_unit_is_exactly_0():
    target, (x,) = catalogue.at_zero(np.random.default_rng(0))
    x[x == 0] = 0.1
    gradcheck.assert_gradients(target, x)
