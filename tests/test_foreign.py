"""Code that is not ours: functions with known gradients, pairs of functions in the habit of CS231n, and bad input."""

import json
import re
import time

import numpy as np
import pytest
from scipy.optimize import rosen, rosen_der
from scipy.special import logsumexp, softmax

from numpyae import gradcheck

RNG = np.random.default_rng(0)
HILBERT = 1 / (1 + np.arange(8)[:, None] + np.arange(8))                     # condition number 1e10
SCALES = 10.0 ** np.arange(-6, 7, 2)

KNOWN = {
    "quadratic of CS294A": (lambda w: w[0] ** 2 + 3 * w[0] * w[1], lambda w: np.array([2 * w[0] + 3 * w[1], 3 * w[0]]), [4.0, 10.0]),
    "Rosenbrock": (rosen, rosen_der, RNG.normal(size=7)),
    "log-sum-exp": (logsumexp, softmax, RNG.normal(size=9)),
    "log-sum-exp, large": (logsumexp, softmax, 50 * RNG.normal(size=9)),
    "badly scaled": (lambda w: np.sum(SCALES * w**2), lambda w: 2 * SCALES * w, RNG.normal(size=7) / SCALES),
    "nearly singular": (lambda w: 0.5 * w @ HILBERT @ w, lambda w: HILBERT @ w, RNG.normal(size=8)),
    "gradient exactly 0": (lambda w: 3.0, lambda w: np.zeros(4), RNG.normal(size=4)),
    "minimum of a quadratic": (lambda w: np.sum((w - 2) ** 2), lambda w: 2 * (w - 2), np.full(3, 2.0)),
    "one number": (lambda w: np.sin(w), lambda w: np.cos(w), np.array(0.3)),
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_gradients_agree(name):
    f, grad, w = KNOWN[name]
    report = gradcheck.check_function(f, grad, w)
    assert report.ok and not report.findings, report


@pytest.mark.parametrize("name", [name for name in KNOWN if "0" not in name and "minimum" not in name])
def test_a_thousandth_and_a_sign_are_seen(name):
    f, grad, w = KNOWN[name]
    assert gradcheck.check_function(f, lambda w: 1.001 * grad(w), w).verdict == "disagree"
    assert "has the wrong sign" in gradcheck.check_function(f, lambda w: -grad(w), w).sentence() or np.ndim(w) == 0


def test_a_gradient_that_is_0_and_should_not_be_and_the_other_way_round():
    w = RNG.normal(size=4)
    assert not gradcheck.check_function(lambda w: 3.0, lambda w: np.ones(4), w).verdict == "agree"
    assert "is 0 everywhere" in gradcheck.check_function(lambda w: np.sum(np.sin(w)), lambda w: 0 * w, w).sentence()


def test_1e_minus_12_beside_1e6_cannot_be_told():
    f = lambda w: 1e6 * w[0] + 1e-12 * np.sin(w[1])
    for sign in (1, -1):
        report = gradcheck.check_function(f, lambda w: np.array([1e6, sign * 1e-12 * np.cos(w[1])]), np.array([0.5, 0.25]))
        assert report.rows[0]["cannot_tell"] == 1 and report.rows[0]["disagree"] == 0
        assert "1 element cannot be told" in report.sentence()


def test_float32_code():
    def f(w):
        return np.sum(w.astype(np.float32) ** 2)
    w = RNG.normal(size=6)
    right = gradcheck.check_function(f, lambda w: 2 * w.astype(np.float32), w)
    assert right.rows[0]["disagree"] == 0
    assert 1e-7 < np.median(right.rows[0]["values"]["error"]) < 1e-2        # the bar knows that f is rough
    assert gradcheck.check_function(f, lambda w: 2.2 * w, w).verdict == "disagree"


def test_kinks_of_foreign_functions():
    w = np.array([0.0, 1.0, -2.0, 0.0])
    for slope, kinks in ((0.0, 0), (0.7, 2), (-1.0, 2)):                     # 0 is what the central difference gives, too
        report = gradcheck.check_function(lambda w: np.sum(np.abs(w)), lambda w: np.where(w == 0, slope, np.sign(w)), w)
        assert report.ok and report.rows[0]["kinks"] == kinks
        assert ("2 elements are on a kink" in report.sentence()) == (kinks > 0)
    report = gradcheck.check_function(lambda w: np.sum(np.abs(w)), lambda w: np.where(w == 0, 1.2, np.sign(w)), w)
    assert report.findings[0]["cause"] == "kink" and "-1 and 1" in report.sentence()


def test_a_dict_of_arrays_and_weight_decay_left_out():
    w = {"W": RNG.normal(size=(5, 3)), "b": RNG.normal(size=3)}
    x, t = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3))

    def f(w):
        return np.sum((x @ w["W"] + w["b"] - t) ** 2) / 7 + 0.05 * np.sum(w["W"] ** 2)

    def grad(w, decay=0.1, scale=2 / 7):
        r = scale * (x @ w["W"] + w["b"] - t)
        return {"W": x.T @ r + decay * w["W"], "b": r.sum(axis=0)}

    assert gradcheck.check_function(f, grad, w).ok
    report = gradcheck.check_function(f, lambda w: grad(w, decay=0), w)
    assert [(found["array"], found["cause"]) for found in report.findings] == [("W", "term")]
    assert "dW is off by 0.1 W: a summand is missing" in report.sentence()
    json.dumps(report.as_dict(), allow_nan=False)


def affine_forward(x, w, b):
    return x @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)


X, PARAMS = RNG.normal(size=(7, 5)), {"w": RNG.normal(size=(5, 3)), "b": RNG.normal(size=3)}


def test_a_pair_of_functions():
    before = {name: array.copy() for name, array in PARAMS.items()}
    assert gradcheck.check_layer(affine_forward, affine_backward, X, PARAMS).ok
    as_dict = lambda dout, cache: (affine_backward(dout, cache)[0], dict(zip("wb", affine_backward(dout, cache)[1:])))
    assert gradcheck.check_layer(affine_forward, as_dict, X, PARAMS).ok
    assert gradcheck.check_layer(lambda x: (np.tanh(x), x), lambda dout, x: (dout * (1 - np.tanh(x) ** 2),), X).ok
    assert all(np.array_equal(before[name], PARAMS[name]) for name in before)


@pytest.mark.parametrize("words, backward", [
    ("db is 7 times too small, and 7 is the batch size", lambda dout, c: (dout @ c[1].T, c[0].T @ dout, dout.mean(axis=0))),
    ("dw has the wrong sign", lambda dout, c: (dout @ c[1].T, -c[0].T @ dout, dout.sum(axis=0))),
    ("db holds the sum over all its elements", lambda dout, c: (dout @ c[1].T, c[0].T @ dout, np.full(3, dout.sum()))),
    ("gradient of b must have shape (3,), got (7, 3): is the sum over the 7 samples missing",
     lambda dout, c: (dout @ c[1].T, c[0].T @ dout, dout)),
    ("must return dx and 2 gradients (w, b), got dx and 1", lambda dout, c: (dout @ c[1].T, c[0].T @ dout)),
    ("backward raises ValueError", lambda dout, c: (dout @ c[1], c[0].T @ dout, dout.sum(axis=0)))])
def test_a_wrong_pair_of_functions(words, backward):
    report = gradcheck.check_layer(affine_forward, backward, X, PARAMS)
    assert not report.ok and words in report.sentence()


def test_a_backward_that_changes_what_is_not_its_own():
    def greedy(dout, cache):
        dx, dw, db = affine_backward(dout, cache)
        cache[1][...] -= 0.1 * dw
        dout *= 2
        return dx, dw, db
    text = str(gradcheck.check_layer(affine_forward, greedy, X, PARAMS))
    assert "changed its delta in place" in text and "changed the parameter w" in text


def test_a_backward_that_zeroes_its_delta_in_place_is_found_though_a_second_call_changes_nothing():
    def relu_backward(dout, x):
        dout[x <= 0] = 0
        return (dout,)
    assert "changed its delta in place" in gradcheck.check_layer(lambda x: (np.maximum(x, 0), x), relu_backward, X, {}).sentence()


def test_a_missing_path_of_a_linear_layer_with_two_outputs_is_not_called_a_mixture():
    def backward(dout, cache):
        x, V, U = cache
        dmu, dlogvar = dout[:, :3], dout[:, 3:]
        return dmu @ V.T, x.T @ dmu, x.T @ dlogvar
    params = {"V": RNG.normal(size=(5, 3)), "U": RNG.normal(size=(5, 3))}
    report = gradcheck.check_layer(lambda x, V, U: (np.concatenate([x @ V, x @ U], axis=1), (x, V, U)), backward, X, params)
    assert not report.ok and "unexplained" in report.sentence()


class Shy:
    """A function that fails at the k-th call."""

    def __init__(self, k, error):
        self.calls, self.k, self.error = 0, k, error

    def __call__(self, w):
        self.calls += 1
        if self.calls == self.k:
            raise self.error
        return float(np.sum(w**2))


def drawing(w):
    return np.sum(w) + np.random.default_rng().normal()


def changing(w):
    w *= 2
    return float(np.sum(w))


@pytest.mark.parametrize("call, message", [
    (lambda: gradcheck.check_function(drawing, lambda w: w, np.ones(2)), "f must give the same value at the same point"),
    (lambda: gradcheck.check_function(changing, lambda w: w, np.ones(2)), "f must not change its argument, and it changes w in place"),
    (lambda: gradcheck.check_function(lambda w: w, lambda w: w, np.ones(2)), r"f must return one number, got an array of shape \(2,\)"),
    (lambda: gradcheck.check_function(lambda w: 1j, lambda w: w, np.ones(2)), "f must return a real number, got complex"),
    (lambda: gradcheck.check_function(lambda w: "1", lambda w: w, np.ones(2)), "f must return a real number, got str"),
    (lambda: gradcheck.check_function(lambda w: np.nan, lambda w: w, np.ones(2)), "f must be finite at the point of the check, got nan"),
    (lambda: gradcheck.check_function(np.sum, lambda w: w, np.array([1, 2])), "w must be a float array, got int64"),
    (lambda: gradcheck.check_function(np.sum, lambda w: w, np.ones(2, complex)), "f must return a real number, got complex128"),
    (lambda: gradcheck.check_function(np.sum, lambda w: w, np.array([1.0, np.inf])), "w must be finite, got NaN or infinity"),
    (lambda: gradcheck.check_function(Shy(1, ZeroDivisionError("division by zero")), lambda w: w, np.ones(2)),
     "f raises ZeroDivisionError at w: division by zero"),
    (lambda: gradcheck.check_layer(lambda x: x, lambda d, c: d, X), r"forward must return \(out, cache\), got an array of shape"),
    (lambda: gradcheck.check_layer(lambda x: x / 0 @ x, lambda d, c: d, X), "forward raises"),
    (lambda: gradcheck.check_layer(lambda x: (x * 1.0, x), lambda d, x: d, X.astype(int)), "x must be a float array, got int64"),
])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_gradient_of_another_shape_is_a_report():
    report = gradcheck.check_function(lambda w: 0.0, lambda w: w[:1], np.ones(2))
    assert not report.ok and report.sentence() == "function: the gradient of w must have shape (2,), got (1,)."
    assert "no gradient of b" in gradcheck.check_function(lambda w: 0.0, lambda w: {"a": w["a"]}, {"a": np.ones(2), "b": np.ones(1)}).sentence()


def test_an_error_inside_f_at_a_step_leaves_w_as_it_was():
    w = np.array([1.0, 2.0])
    with pytest.raises(KeyboardInterrupt):
        gradcheck.check_function(Shy(20, KeyboardInterrupt()), lambda w: 2 * w, w)
    np.testing.assert_array_equal(w, [1, 2])
    for error in (ValueError("outside the domain"), AssertionError(), np.linalg.LinAlgError("singular"), RuntimeError("no")):
        assert gradcheck.check_function(Shy(20, error), lambda w: 2 * w, w).rows[0]["disagree"] == 0


@pytest.mark.parametrize("e", [-1e-4, -1e-6, -1e-8, 1e-6])
def test_the_flat_side_of_a_kink_is_no_staircase(e):
    x = np.random.default_rng(0).normal(size=(7, 5))
    x[2, 1] = e
    assert gradcheck.check_layer(lambda x: (np.maximum(x, 0), x), lambda d, x: d * (x > 0), x).ok
    assert not gradcheck.check_layer(lambda x: (np.maximum(x, 0), x), lambda d, x: d * (x > 0) * 1.01, x).ok


def test_what_computes_in_float32_is_judged_to_its_digits():
    def forward(x, w):
        x, w = x.astype(np.float32), w.astype(np.float32)
        return x @ w, (x, w)

    def backward(dout, cache, c=1.0):
        x, w = cache
        return dout.astype(np.float32) @ w.T, x.T @ dout.astype(np.float32) * np.float32(c)

    report = gradcheck.check_layer(forward, backward, X, {"w": PARAMS["w"]})
    assert report.ok and "it computes in float32" in report.warnings[0]
    assert not gradcheck.check_layer(forward, lambda d, c: backward(d, c, 1.02), X, {"w": PARAMS["w"]}).ok
    tanh = (lambda x: (np.tanh(x), np.tanh(x))), (lambda d, h: d * (1 - h * h))
    assert gradcheck.check_layer(*tanh, X, dtype=np.float32).ok


def test_what_is_right_to_an_accuracy_only():
    y = np.random.default_rng(0).uniform(0.05, 1, (5, 3))
    pair = (lambda y: (-np.log(y + 1e-7), y)), (lambda dout, y: -dout / y)
    assert gradcheck.check_layer(*pair, y).verdict == "disagree" and gradcheck.check_layer(*pair, y, accuracy=1e-5).ok
    assert not gradcheck.check_layer(pair[0], lambda dout, y: -1.01 * dout / y, y, accuracy=1e-5).ok


# Causes, shapes, ties and cost

@pytest.mark.parametrize("large", [1e5, 1e7])
def test_one_large_element_makes_no_room_for_a_wrong_cause(large):
    W, c = np.random.default_rng(0).normal(size=(5, 3)), np.ones((5, 3))
    c[0, 0] = large
    report = gradcheck.check_function(lambda W: np.sum(c * np.sin(W)), lambda W: c * np.cos(W) + 1e-2 * np.eye(5, 3, -2), W)
    assert report.findings[0]["cause"] == "unexplained" and "3 of 15" in report.sentence()


def test_a_number_that_is_no_size_in_its_role_has_no_name():
    report = gradcheck.check_layer(affine_forward, lambda d, c: (d @ c[1].T, 2.5 * c[0].T @ d, d.sum(axis=0)), X, PARAMS)
    assert report.sentence() == "affine_forward: dw is 2.5 times too large, the same factor in every element."
    report = gradcheck.check_function(lambda w: np.sum(np.sin(w)), lambda w: 4 / 3 * np.cos(w), X[:3, :4])
    assert report.sentence().endswith("times too large, the same factor in every element.")


def test_any_number_of_dimensions_gets_a_report():
    def embed(W, idx):
        return W[idx], (idx, W.shape)

    def overwrites(dout, cache):
        dW = np.zeros(cache[1])
        dW[cache[0]] = dout
        return dW

    assert not gradcheck.check_layer(embed, overwrites, X, args=(np.array([1, 1, 4, 0]),)).ok
    assert not gradcheck.check_layer(lambda x: (x * np.ones(3), x), lambda dout, x: dout[0], np.array(0.3)).ok
    four = RNG.normal(size=(2, 3, 4, 5))
    assert not gradcheck.check_layer(lambda x: (np.tanh(x), x), lambda dout, x: dout * (1 - np.tanh(x)), four).ok


def test_nine_tenths_must_be_judged():
    c = np.r_[1.0, 1e-6 * np.ones(9)]
    w = np.random.default_rng(0).normal(size=10)
    report = gradcheck.check_function(lambda w: 1e9 + np.sum(c * np.sin(w)), lambda w: c * np.cos(w) * np.r_[1, -3 * np.ones(9)], w)
    assert report.verdict == "cannot tell" and "would help" in report.sentence()
    with pytest.raises(AssertionError, match="nothing can be said"):
        gradcheck.assert_function(lambda w: 1e9 + np.sum(c * np.sin(w)), lambda w: c * np.cos(w), w)


def test_a_tie_of_maxima_shares_one_gradient():
    w, first = np.zeros(6), np.eye(6)[0]
    assert gradcheck.check_function(np.max, np.ones_like, w).verdict == "disagree"
    for right in (first, np.ones(6) / 6):
        assert gradcheck.check_function(np.max, lambda w: right, w).verdict != "disagree"
    u = RNG.normal(size=4)                                                   # windows of both signs
    windows = lambda x: (x.reshape(4, 3).max(axis=1), None)
    assert gradcheck.check_layer(windows, lambda dout, _: np.kron(dout, [1.0, 0, 0]), np.zeros(12)).verdict != "disagree"
    assert gradcheck.check_layer(windows, lambda dout, _: np.kron(dout, [1.0, 1, 1]), np.zeros(12)).verdict == "disagree"


def test_a_scale_of_ones_and_a_mask_of_ones_are_doubted():
    scale = (lambda x, gamma: (x * gamma, (x, gamma))), (lambda dout, c: (dout, (c[0] * dout).sum(axis=0)))     # dx lacks gamma
    report = gradcheck.check_layer(*scale, X, {"gamma": np.ones(5)})
    assert report.ok and any(warning.startswith("gamma: all 1") for warning in report.warnings)
    assert not gradcheck.check_layer(*scale, X, {"gamma": 1 + X[0]}).ok
    mask = (lambda x, m: (x * m, m)), (lambda dout, m: (dout, None))
    assert any("x[1]: all 1" in warning for warning in gradcheck.check_layer(*mask, (X, np.ones_like(X)), fixed="x[1]").warnings)


def test_an_f_that_does_not_depend_on_w_is_said():
    sentence = gradcheck.check_function(lambda w: 3.0, lambda w: w, X).sentence()
    assert "f does not depend on it" in sentence and "nan" not in sentence


def test_as_many_digits_as_show_a_difference():
    report = gradcheck.check_function(lambda w: np.sum(np.sin(w)), lambda w: np.cos(w) + 1e-8 * np.eye(7)[3], X[:, 0])
    must, got = re.search(r"must be (\S+), and is (\S+)\.", report.sentence()).groups()
    assert must != got


def test_many_elements_take_few_calls_and_seconds_bound_a_check():
    calls = []

    def f(w):
        calls.append(1)
        return np.sum(np.sin(w))

    w = np.random.default_rng(0).normal(size=10**5)
    report = gradcheck.check_function(f, np.cos, w)
    assert report.ok and len(calls) <= 60 and "0 of 100000 elements sampled, and 2 directions" in str(report)
    wrong = np.cos(w)
    wrong[777] *= -1
    assert not gradcheck.check_function(f, lambda w: wrong, w).ok

    def slow(w):
        time.sleep(0.001)
        return np.sum(np.sin(w))

    start = time.perf_counter()
    report = gradcheck.check_function(slow, np.cos, w[:900], seconds=0.2)
    assert report.ok and "of 900 elements sampled" in str(report) and time.perf_counter() - start < 2
