"""The gradient check: right on functions with known gradients, loud on wrong ones, and it never touches what it checks."""

import json
import pickle

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der

from numpyae import (Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL, Layer, Model, ReLU,
                     Regression, Sequential, Sigmoid, Softmax, Softplus, SquaredError, Tanh, TiedDense, TopK, VAE, gradcheck, mlp, parameter,
                     plots)
from numpyae.gradcheck.cases import AROUND, cases, classes
from numpyae.gradcheck.numerical import noise_of, richardson
from tests.benchmarks import gradcheck as statistics


def test_numerical_gradient_of_the_quadratic_of_cs294a():
    h = lambda x: x[0] ** 2 + 3 * x[0] * x[1]
    point = np.array([4.0, 10.0])
    for method, tolerance in (("central", 1e-8), ("richardson", 1e-10), ("complex", 1e-14)):
        gradient = gradcheck.numerical_gradient(h, point, method)
        np.testing.assert_allclose(gradient, [38, 12], rtol=tolerance)
        np.testing.assert_array_equal(point, [4, 10])


def test_numerical_gradient_of_rosenbrock_and_its_error_bar():
    w = np.random.default_rng(0).normal(size=7)
    gradient, error = richardson(rosen, w, np.random.default_rng(0))
    gap = np.abs(gradient - rosen_der(w))
    assert np.all(gap <= error)                          # the bar is honest
    assert np.median(error / np.abs(gradient)) < 1e-8    # and not merely long


def test_noise_is_measured():
    rng = np.random.default_rng(0)
    w = rng.normal(size=20)
    smooth = noise_of(lambda w: float(np.sum(w**2)), w, np.abs(w), rng)
    coarse = noise_of(lambda w: float(np.sum(w.astype(np.float32) ** 2)), w, np.abs(w), rng)
    assert smooth < 1e-12 < 1e-7 < coarse


def test_numerical_gradient_restores_w_when_f_raises():
    w = np.array([1.0, 2.0])

    def f(point):
        if point[1] != 2:
            raise RuntimeError("on purpose")
        return point.sum()

    with pytest.raises(RuntimeError, match="on purpose"):
        gradcheck.numerical_gradient(f, w)
    np.testing.assert_array_equal(w, [1, 2])


@pytest.mark.parametrize("w", [np.ones(2, np.float32), np.ones(2, int), np.ones(2, complex), [1.0, 2.0]])
def test_numerical_gradient_refuses_what_is_not_float64(w):
    with pytest.raises(TypeError, match="w must be a float64 array"):
        gradcheck.numerical_gradient(lambda w: 0.0, w)


def test_numerical_gradient_refuses_another_method():
    with pytest.raises(ValueError, match='must be "central", "richardson" or "complex", got .forward.'):
        gradcheck.numerical_gradient(lambda w: 0.0, np.ones(1), "forward")


def test_all_of_the_library_agrees():
    """A sample of the command `python -m numpyae gradcheck`: every class, and each kind of model around each kind of part."""
    medians, chosen = [], {}
    for cls in classes():
        kind = next(kind for kind in AROUND if issubclass(cls, kind))
        for k, case in enumerate(cases(np.random.default_rng(0), cls)):
            chosen.setdefault((kind, type(case[1]).__name__ * isinstance(case[1], Model)) if k else cls, case)
    for name, target, batch in chosen.values():
        report = gradcheck.check(target, *batch)
        assert report.ok, f"{name}: {report}"
        assert not any(row["cannot_tell"] for row in report.rows), name
        medians.append(report.median_error)
    assert max(medians) < 1e-9 and len(medians) >= 57                   # more come with every class of the library


class Wrong(Dense):
    """A Dense layer with a mistake in backward, chosen by name."""

    def __init__(self, mistake):
        super().__init__(5, 3, rng=0)
        self.mistake = mistake

    def backward(self, delta, input_gradient=True):
        dx = super().backward(delta)
        if self.mistake == "sign of db":
            self.db *= -1
        if self.mistake == "mean instead of sum":
            self.dW /= len(delta)
        if self.mistake == "one element":
            self.dW[4, 2] *= 1 + 1e-6
        if self.mistake == "dx of the first sample":
            dx[0] = 0
        if self.mistake == "db from one number":
            self.db[:] = self.db.sum()
        return dx


@pytest.mark.parametrize("mistake, array", [("sign of db", "b"), ("mean instead of sum", "W"), ("one element", "W"),
                                            ("dx of the first sample", "x"), ("db from one number", "b")])
def test_a_wrong_gradient_is_found_in_the_right_array(mistake, array):
    report = gradcheck.check(Wrong(mistake), np.random.default_rng(0).normal(size=(7, 5)))
    assert not report.ok
    assert [row["array"] for row in report.rows if row["verdict"] == "disagree"] == [array]
    assert report.findings[0]["array"] == array and f"d{array} " in report.sentence()


def test_the_worst_element_is_named():
    report = gradcheck.check(Wrong("one element"), np.random.default_rng(0).normal(size=(7, 5)))
    row = next(row for row in report.rows if row["array"] == "W")
    assert row["index"] == [4, 2] and row["disagree"] == 1 and row["elements"] == 15


class LazySoftmax(Softmax):
    """Passes under an upstream gradient of ones: its rows sum to a constant."""

    def backward(self, delta):
        return 0 * delta


def test_upstream_gradient_is_not_uniform():
    assert not gradcheck.check(LazySoftmax(), np.random.default_rng(0).normal(size=(4, 5))).ok


class Scale(Layer):
    """y = g x, one learnt factor per feature: the README's layer."""

    g, dg = parameter("g")

    def __init__(self, n):
        self.add_parameters(g=np.ones(n))

    def forward(self, x):
        self.x = x
        return x * self.g

    def backward(self, delta):
        self.dg += np.sum(delta * self.x, axis=0)
        return delta * self.g


def test_a_layer_of_ones_own():
    x = np.random.default_rng(0).normal(size=(7, 5))
    gradcheck.assert_gradients(Scale(5), x)
    model = Regression(Sequential(Scale(5), Dense(5, 2, rng=0), Tanh()), SquaredError())
    gradcheck.assert_gradients(model, x, x[:, :2].copy())


def test_assert_gradients_raises_with_the_report():
    with pytest.raises(AssertionError, match=r"Wrong\(5 -> 3\): db has the wrong sign"):
        gradcheck.assert_gradients(Wrong("sign of db"), np.random.default_rng(0).normal(size=(7, 5)))


def test_checking_changes_nothing():
    rng = np.random.default_rng(0)
    x = rng.random((7, 5)).astype(np.float32)
    network = Sequential(Dense(5, 3, rng=rng), ReLU(), Dropout(0.3), Dense(3, 2, rng=rng))
    model = VAE(network, mlp([1, 5], rng=rng), BernoulliNLL(), DiagonalGaussian(1)).astype(np.float32)
    model.loss(x, rng=rng)
    model.backward()
    before = [model.w.copy(), model.grad.copy(), model.noise["epsilon"].copy(), x.copy(), model.encoder.layers[0].x.copy()]
    state = rng.bit_generator.state
    assert gradcheck.check(model, x).ok
    after = [model.w, model.grad, model.noise["epsilon"], x, model.encoder.layers[0].x]
    for a, b in zip(before, after):
        assert a.dtype == b.dtype and a.tobytes() == b.tobytes()
    assert rng.bit_generator.state == state


def test_check_is_repeatable():
    x = np.random.default_rng(0).normal(size=(7, 5))
    layer = Sequential(Dense(5, 6, rng=0), Dropout(0.5))
    assert str(gradcheck.check(layer, x)) == str(gradcheck.check(layer, x))


def test_report_as_dict_is_json():
    report = gradcheck.check(Dense(5, 3, rng=0), np.random.default_rng(0).normal(size=(7, 5)))
    record = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert record["ok"] is True and [row["array"] for row in record["rows"]] == ["x", "W", "b"]


def test_check_function():
    w = np.random.default_rng(0).normal(size=(2, 3))
    report = gradcheck.check_function(lambda w: np.sum(np.sin(w)), np.cos, w)
    assert report.ok
    wrong = gradcheck.check_function(lambda w: np.sum(np.sin(w)), lambda w: -np.cos(w), w)
    assert not wrong.ok and wrong.rows[0]["disagree"] == 6


def test_a_gradient_of_zero_agrees_and_a_tiny_one_beside_a_huge_one_is_seen():
    f = lambda w: 1e6 * w[0] + 1e-3 * np.sin(w[1]) + 0 * w[2]
    right = lambda w: np.array([1e6, 1e-3 * np.cos(w[1]), 0.0])
    flipped = lambda w: np.array([1e6, -1e-3 * np.cos(w[1]), 0.0])
    w = np.array([0.5, 0.25, 2.0])
    assert gradcheck.check_function(f, right, w).ok
    assert not gradcheck.check_function(f, flipped, w).ok


@pytest.mark.parametrize("call, message", [
    (lambda: gradcheck.check("a string"), "expected a Layer, Loss, posterior or Model, got str"),
    (lambda: gradcheck.check(Dense(2, 2), np.ones((3, 2), complex)), "x must be a float array, got complex128"),
    (lambda: gradcheck.check(Dense(2, 2), np.array([[1.0, np.nan]])), "must be finite"),
    (lambda: gradcheck.check_function(lambda w: w, lambda w: w, np.ones(2)), "f must return one number"),
])
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_sigmoid_saturated_does_not_raise_false_alarm():
    x = np.random.default_rng(0).normal(size=(7, 5)) * 30
    assert gradcheck.check(Sequential(Dense(5, 4, rng=0), Sigmoid()), x).ok


X = np.random.default_rng(3).normal(size=(7, 5))


@pytest.mark.parametrize("seed", range(2))
def test_units_that_sit_on_the_kink_are_no_false_alarm(seed):
    """Zero biases behind dead units: the pre-activation is exactly 0, and every slope between 0 and 1 is right."""
    network = Sequential(Dense(5, 4, rng=seed), ReLU(), Dropout(0.5), Dense(4, 4, rng=seed), ReLU(), Dense(4, 2, rng=seed))
    gradcheck.assert_gradients(Regression(network, SquaredError()), X, X[:, :2].copy())
    with_zero_row = X.copy()
    with_zero_row[2] = 0
    gradcheck.assert_gradients(Regression(mlp([5, 6, 2], hidden=ReLU, rng=seed), SquaredError()), with_zero_row, X[:, :2].copy())
    gradcheck.assert_gradients(ReLU(), np.array([[0.0, 1, -1], [0, 0, 2]]))


class SteepReLU(ReLU):
    def backward(self, delta):
        return 1.5 * delta * (self.h > 0) - 0.5 * delta * (self.h == 0)


def test_a_slope_outside_the_kink_does_not_pass():
    report = gradcheck.check(SteepReLU(), np.zeros((2, 3)))
    assert not report.ok and report.findings[0]["cause"] == "kink" and "only where f has a kink" in report.sentence()


@pytest.mark.parametrize("scale", [1e-5, 1e-7, 1e-9, 1e-12, 0])
def test_logits_near_0_are_no_false_alarm(scale):
    report = gradcheck.check(ContinuousBernoulliNLL(), scale * X, np.abs(np.sin(X)))
    assert all(row["disagree"] == 0 for row in report.rows)


@pytest.mark.parametrize("target, batch", [
    (Sigmoid(), (np.array([[-25.0, 25.0, -36.0]]),)), (Softplus(), (np.array([[-25.0, 25.0, -36.0]]),)),
    (Tanh(), (np.array([[-12.0, 12.0]]),)),
    (BernoulliNLL(), (np.array([[-30.0, 30.0, -30.0, 30.0]]), np.array([[0.0, 1.0, 1.0, 0.0]])))])
def test_saturated_units_keep_their_digits(target, batch):
    assert not any(row["disagree"] for row in gradcheck.check(target, *batch).rows)


class Redrawing(Layer):
    def forward(self, x):
        return x * np.random.default_rng().standard_normal(x.shape)

    def backward(self, delta):
        return delta


def test_noise_drawn_anew_is_said():
    with pytest.raises(ValueError, match="same value at the same point, got .* noise drawn anew"):
        gradcheck.check(Redrawing(), X)
    with pytest.raises(ValueError, match="f must be finite at the point of the check, got nan"):
        gradcheck.check_function(lambda w: np.nan, lambda w: w, np.ones(2))


class Overwriting(Scale):
    def backward(self, delta):
        self.dg = np.sum(delta * self.x, axis=0)
        return delta * self.g


class Greedy(Scale):
    def backward(self, delta):
        super().backward(delta)
        delta *= self.g
        return delta


@pytest.mark.parametrize("layer, words", [(Overwriting(5), "must add to dg"), (Greedy(5), "changed its delta in place")])
def test_what_no_difference_quotient_sees(layer, words):
    layer.g = np.arange(1, 6)
    report = gradcheck.check(layer, X)
    assert not report.ok and words in str(report)


class Forgetful(Regression):
    def from_zero(self):
        kept = self.grad.copy()
        added = super().from_zero()
        self.grad += kept
        return added


def test_a_model_that_does_not_start_from_zero():
    report = gradcheck.check(Forgetful(mlp([5, 3], rng=0), SquaredError()), X, X[:, :3].copy())
    assert not report.ok and "does it start from zero" in str(report)


class MasklessDropout(Dropout):
    def backward(self, delta):
        return delta / self.keep


def test_dropout_is_checked_in_training_also_after_an_evaluation():
    layer = MasklessDropout(0.5)
    model = Regression(Sequential(Dense(5, 4, rng=0), layer, Dense(4, 3, rng=0)), SquaredError())
    model.predict(X)
    assert not gradcheck.check(layer, X).ok and not gradcheck.check(model, X, X[:, :3].copy()).ok


def test_a_tied_layer_of_float32_alone():
    assert gradcheck.check(TiedDense(Dense(3, 5, rng=0).astype(np.float32)), X.astype(np.float32)).ok


def test_wrong_number_of_arrays():
    with pytest.raises(ValueError, match=r"a Dense is checked at \(x\), got 0 arrays"):
        gradcheck.check(Dense(5, 2))


@pytest.mark.parametrize("f, grad, w", [
    (lambda w: np.sum(np.log(w)), lambda w: 1 / w, [1e-6, 1.0, 1e3]),
    (lambda w: np.sum(w * np.log(w)), lambda w: np.log(w) + 1, [1e-6, 1e3]),
    (lambda w: np.sum(np.sqrt(w)), lambda w: 0.5 / np.sqrt(w), [1e-9, 4.0])])
def test_mixed_scales_at_the_border_of_the_domain(f, grad, w):
    assert gradcheck.check_function(f, grad, w).ok
    assert not gradcheck.check_function(f, lambda w: 1.01 * grad(w), w).ok


def test_a_kink_of_a_single_number():
    assert gradcheck.check_function(lambda w: abs(w), lambda w: np.array(0.5), 0.0).ok
    assert not gradcheck.check_function(lambda w: abs(w), lambda w: np.array(1.5), 0.0).ok


@pytest.mark.parametrize("target, batch", [(Tanh(), (np.arange(6).reshape(2, 3),)), (DiagonalGaussian(1), (np.ones((3, 2), int),)),
                                           (SquaredError(), (np.ones((2, 3)), np.ones((2, 3), int)))])
def test_integers_are_refused_where_they_are_no_labels(target, batch):
    with pytest.raises(TypeError, match="must be a float array, got int64"):
        gradcheck.check(target, *batch)


@pytest.mark.parametrize("seed", range(3))
def test_ties_of_sparse_units_are_no_false_alarm(seed):
    encoder = Sequential(Dense(4, 6, rng=seed), Tanh(), TopK(2))
    model = Autoencoder(encoder, Dense(6, 4, rng=seed + 1), BernoulliNLL())
    x = np.vstack([np.zeros((1, 4)), np.random.default_rng(seed).random((4, 4))])
    assert not any(row["disagree"] for row in gradcheck.check(model, x).rows)


class InPlaceTanh(Tanh):
    def forward(self, a):
        self.h = np.tanh(a, out=a)
        return self.h


class CarelessGaussian(GaussianNLL):
    def backward(self, weight):
        delta = super().backward(weight)
        self.dlogvar = weight @ (0.5 * self.r.shape[1] - 0.5 * self.squares)
        self.r *= 2
        return delta


def test_changes_in_place_are_named():
    assert "changed its x in place" in str(gradcheck.check(InPlaceTanh(), X))
    report = gradcheck.check(CarelessGaussian(0.7, learn=True), X, X + 1)
    assert not report.ok and "changed r in place" in str(report) and "must add to dlogvar" in str(report)


@pytest.mark.parametrize("target, batch", [(Wrong("sign of db"), (X,)), (ReLU(), (np.array([[0.0, 1, -1], [0, 0, 2]]),)),
                                           (VAE(mlp([5, 4], rng=0), mlp([2, 5], rng=0), BernoulliNLL(), DiagonalGaussian(2)),
                                            (np.abs(np.sin(X)),))])
def test_a_report_can_be_drawn_and_written_as_json(target, batch):
    report = gradcheck.check(target, *batch)
    figure = plots.gradient_check(report)
    assert len(figure.axes) == 2
    plt.close(figure)
    record = json.loads(json.dumps(report.as_dict(), allow_nan=False))
    assert record["sentence"] == report.sentence() and record["verdict"] == report.verdict


def test_the_taylor_test_has_slope_1_and_2():
    for target, slope in ((Tanh(), 2), (Wrong("sign of db"), 1)):
        taylor = gradcheck.check(target, X).taylor
        clear = np.array(taylor["second"]) > 1e3 * taylor["noise"]
        h, first, second = (np.log10(np.array(taylor[key])[clear]) for key in ("h", "first", "second"))
        assert np.polyfit(h, second, 1)[0] == pytest.approx(slope, abs=0.1)
        assert np.polyfit(h[2:], first[2:], 1)[0] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("model, message", [
    (Regression(Sequential(Tanh()), SquaredError()), "a model must have parameters to check, Regression has none")])
def test_a_model_without_parameters_is_refused(model, message):
    with pytest.raises(ValueError, match=message):
        gradcheck.check(model, X, X.copy())


class Vector(Regression):
    def loss(self, x, t, rng=None, noise=None, training=True):
        super().loss(x, t, rng, noise, training)
        return np.ones(3)


def test_a_loss_that_is_no_number_and_parameters_that_are_none():
    with pytest.raises(ValueError, match=r"Vector.loss must return one float, got an array of shape \(3,\)"):
        gradcheck.check(Vector(mlp([5, 3], rng=0), SquaredError()), X, X[:, :3].copy())
    layer = Dense(5, 3, rng=0)
    layer.W[1, 2] = np.nan
    with pytest.raises(ValueError, match="W must be finite, got NaN or infinity"):
        gradcheck.check(layer, X)


class Interrupting(Tanh):
    calls = 0

    def forward(self, a):
        Interrupting.calls += 1
        if Interrupting.calls == 60:
            raise KeyboardInterrupt
        return super().forward(a)


def test_an_interrupted_check_leaves_everything_as_it_was():
    model = Regression(Sequential(Dense(5, 4, rng=0), Interrupting(), Dense(4, 2, rng=1)), SquaredError()).astype(np.float32)
    x, rng = X.astype(np.float32), np.random.default_rng(7)
    before, state = pickle.dumps(model), rng.bit_generator.state
    with pytest.raises(KeyboardInterrupt):
        gradcheck.check(model, x, x[:, :2].copy(), rng=rng)
    assert pickle.dumps(model) == before and rng.bit_generator.state == state and x.tobytes() == X.astype(np.float32).tobytes()


def test_kink_means_that_the_point_sits_on_one():
    """A unit a billionth of its scale away from 0 is judged; at 0 it is counted."""
    x = np.array([[1e-9, 1.0, -1.0], [-1e-9, 2.0, 0.5]])
    report = gradcheck.check(ReLU(), x)
    assert report.ok and report.rows[0]["kinks"] == 0 and report.rows[0]["cannot_tell"] == 0
    x[0, 0] = 0
    assert gradcheck.check(ReLU(), x).rows[0]["kinks"] == 1


@pytest.mark.parametrize("family, seed", [("moderate", 6), ("100", 1), ("1e6", 1)])
def test_random_networks_raise_no_alarm_and_a_thousandth_is_found(family, seed):
    """A sample of `python -m tests.benchmarks.gradcheck`."""
    found = statistics.measure((family, seed, family == "moderate"))
    assert found["alarm"] is None and found["error"] is None, found
    assert found["planted"] in (None, (True, True)), found


class Centred(Layer):
    """y = x - mean over the batch: takes any constant away."""

    def forward(self, x):
        return x - x.mean(axis=0)

    def backward(self, delta):
        return delta - delta.mean(axis=0)


def test_a_bias_that_a_normalisation_takes_away_does_not_fail_the_check():
    model = Regression(Sequential(Dense(5, 4, rng=0), Centred(), Tanh(), Dense(4, 2, rng=1)), SquaredError())
    report = gradcheck.check(model, X, X[:, :2].copy())
    assert report.ok and "elements cannot be told" in report.sentence()


def test_delta_is_not_x_when_both_are_drawn_with_seed_0():
    class Swapped(Tanh):
        def backward(self, delta):
            return self.x * (1 - self.h**2)

        def forward(self, a):
            self.x = a
            return super().forward(a)

    assert not gradcheck.check(Swapped(), np.random.default_rng(0).normal(size=(7, 5))).ok
