"""One line for every habit: how code of other people is handed to the check, and what is said when it is handed wrongly."""

import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import types

import numpy as np
import pytest
from scipy import optimize

from numpyae import gradcheck
from numpyae.gradcheck import assert_function, assert_layer, assert_object

RNG = np.random.default_rng(0)
X, T, W, B = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3)), RNG.normal(size=(5, 3)), RNG.normal(size=3)

# what somebody's module holds; c is 1 in right code
THEIRS = '''
def forward(x, w, b): return x @ w + b, (x, w, b)
def backward(dout, cache):
    x, w, b = cache
    return dout @ w.T, x.T @ dout, c * dout.sum(axis=0)

def scaled_forward(x, axis, power=1): return x / (x**2).sum(axis=axis, keepdims=True) ** power, (x, axis, power)
def scaled_backward(dout, cache):
    x, axis, power = cache
    s = (x**2).sum(axis=axis, keepdims=True)
    return dout / s**power - c * 2 * power * x * (dout * x).sum(axis=axis, keepdims=True) / s ** (power + 1)

def embed(idx, E): return E[idx], (idx, E.shape)
def embed_backward(dout, cache):
    dE = np.zeros(cache[1])
    np.add.at(dE, cache[0], c * dout)
    return dE

def masked(x, mask): return x * mask, mask
def masked_backward(dout, mask): return c * dout * mask, None

def product(a, b): return a * b, (a, b)
def product_backward(dout, cache): return dout * cache[1], c * dout * cache[0]

def cell(x, w): return (x @ w, np.tanh(x)), (x, w)
def cell_backward(douts, cache):
    x, w = cache
    return douts[0] @ w.T + c * douts[1] * (1 - np.tanh(x) ** 2), x.T @ douts[0]

def mean_square(x, w): return float(np.mean((x @ w) ** 2)), (x, w)
def mean_square_backward(dout, cache):
    x, w = cache
    r = 2 * dout * (x @ w) / len(x) / w.shape[1]
    return r @ w.T, c * x.T @ r

def nested(x, net): return np.tanh(x @ net["first"]["W"]) @ net["layers"][0], (x, net)
def nested_backward(dout, cache):
    x, net = cache
    h = np.tanh(x @ net["first"]["W"])
    da = c * (dout @ net["layers"][0].T) * (1 - h**2)
    return da @ net["first"]["W"].T, {"net": {"first": {"W": x.T @ da}, "layers": [h.T @ dout]}}

@dataclasses.dataclass
class Params:
    w: np.ndarray
    b: np.ndarray
def of_params(x, p): return forward(x, p.w, p.b)
def of_params_backward(dout, cache):
    dx, dw, db = backward(dout, cache)
    return dx, Params(dw, db)

def single(x): return np.tanh(x.astype(np.float32)), np.tanh(x.astype(np.float32))
def single_backward(dout, h): return dout.astype(np.float32) * (1 - h**2) * np.float32(1 + 0.1 * (c - 1))

def doubling(x): return np.tanh(x), x
def doubling_backward(dout, x):
    dout *= 1 - np.tanh(x) ** 2
    return c * dout

def loss(w): return np.sum((x @ w - t) ** 2)
def gradient(w): return 2 * c * x.T @ (x @ w - t)
def both(w): return loss(w), gradient(w)
def of_dict(p): return np.sum(np.sin(p["W"])) + np.sum(p["b"] ** 2)
def of_dict_gradient(p): return {"W": c * np.cos(p["W"]), "b": None}
def power(z): return np.sum(abs(z) ** 2)
def power_gradient(z): return 2 * c * z
def scaled(w, factor, exponent=2): return factor * np.sum(w**exponent)
def scaled_gradient(w, factor, exponent=2): return c * factor * exponent * w ** (exponent - 1)

class ByName:
    def __init__(self): self.W, self.b = w.copy(), b.copy()
    def forward(self, x): self.x = x; return x @ self.W + self.b
    def backward(self, dout):
        self.dW, self.db = c * self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.W.T
class ByDict:
    def __init__(self): self.params, self.grads = {"W": w.copy(), "b": b.copy()}, {"W": 0 * w, "b": 0 * b}
    def forward(self, x): self.x = x; return x @ self.params["W"] + self.params["b"]
    def backward(self, dout):
        self.grads["W"] += c * self.x.T @ dout
        self.grads["b"] += dout.sum(axis=0)
        return dout @ self.params["W"].T
class ByList:
    def __init__(self): self.params, self.grads = [w.copy(), b.copy()], [0 * w, 0 * b]
    def forward(self, x): self.x = x; return x @ self.params[0] + self.params[1]
    def backward(self, dout):
        self.grads[0][...], self.grads[1][...] = c * self.x.T @ dout, dout.sum(axis=0)
        return dout @ self.params[0].T
class Parameter:
    def __init__(self, value): self.value, self.grad = value, 0 * value
class ByParameter:
    def __init__(self): self.weight = Parameter(w.copy())
    def parameters(self): return [self.weight]
    def forward(self, x): self.x = x; return x @ self.weight.value
    def backward(self, dout):
        self.weight.grad += c * self.x.T @ dout
        return dout @ self.weight.value.T
class Without:
    def forward(self, x): self.h = np.tanh(x); return self.h
    def backward(self, dout): return c * dout * (1 - self.h**2)
'''

HABITS = {
    "a pair": "assert_layer(forward, backward, x, {'w': w, 'b': b})",
    "params in a list": "assert_layer(forward, backward, x, [w, b])",
    "params in a dataclass": "assert_layer(of_params, of_params_backward, x, Params(w, b))",
    "params in a nest": "assert_layer(nested, nested_backward, x, {'net': {'first': {'W': w}, 'layers': [t.T @ x]}})",
    "further arguments": "assert_layer(scaled_forward, scaled_backward, x, args=(1,), kwargs={'power': 2}, name='scaled')",
    "indices": "assert_layer(embed, embed_backward, np.array([1, 3, 1]), {'E': w})",
    "an array without a gradient": "assert_layer(masked, masked_backward, (x, 1.0 * (x > 0)), fixed='x[1]')",
    "several inputs": "assert_layer(product, product_backward, (x, x - 1))",
    "several outputs": "assert_layer(cell, cell_backward, x, {'w': w})",
    "a float as output": "assert_layer(mean_square, mean_square_backward, x, {'w': w})",
    "float32": "assert_layer(single, single_backward, x, dtype=np.float32)",
    "dout is changed": "assert_layer(doubling, doubling_backward, x, in_place=True)",
    "a function": "assert_function(loss, gradient, w)",
    "loss and gradient in one": "assert_function(both, True, w)",
    "a dict with a frozen array": "assert_function(of_dict, of_dict_gradient, {'W': w, 'b': b})",
    "complex numbers": "assert_function(power, power_gradient, w + 1j * w[::-1])",
    "scipy's objectives": "assert_function(optimize.rosen, lambda w: c * optimize.rosen_der(w), t[0])",
    "scipy's args": "assert_function(scaled, scaled_gradient, w, args=(3.0,), kwargs={'exponent': 3})",
    "an object's attributes": "assert_object(ByName(), x, params=('W', 'b'), grads=('dW', 'db'))",
    "an object's dicts": "assert_object(ByDict(), x)",
    "an object's lists": "assert_object(ByList(), x)",
    "an object's Parameters": "values = lambda layer: [p.value for p in layer.parameters()]\n"
                              "grads = lambda layer: [p.grad for p in layer.parameters()]\n"
                              "assert_object(ByParameter(), x, values, grads)",
    "an object without parameters": "assert_object(Without(), x, params=(), grads=())",
}

def namespace(c):
    """Return what somebody's module holds: right for c = 1, wrong in one factor otherwise."""
    found = {"np": np, "optimize": optimize, "dataclasses": dataclasses, "c": c, "x": X, "t": T, "w": W, "b": B, "__name__": "theirs"}
    sys.modules.setdefault("theirs", types.ModuleType("theirs"))
    exec(THEIRS, found)
    return found | {"assert_layer": assert_layer, "assert_function": assert_function, "assert_object": assert_object}


@pytest.mark.parametrize("habit", HABITS)
def test_a_habit_takes_one_line_and_a_wrong_factor_is_seen(habit):
    exec(HABITS[habit], namespace(1.0))
    with pytest.raises(AssertionError, match="numerical"):
        exec(HABITS[habit], namespace(1.5))


def test_the_documentation_shows_every_habit_as_it_is_tested_here():
    text = (pathlib.Path(gradcheck.__file__).parent / "README.md").read_text(encoding="utf-8")
    adapters = [*HABITS.values(), TORCH_FUNCTION, TORCH_MODULE, JAX_VJP]
    assert [line for adapter in adapters for line in adapter.strip().splitlines() if line not in text] == []


def test_the_median_habit_takes_one_line_and_none_more_than_three():
    lines = [len(text.splitlines()) for text in HABITS.values()]
    assert statistics.median(lines) == 1 and max(lines) <= 3


TORCH = """
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, w):
        ctx.save_for_backward(x, w)
        return x**2 * w
    @staticmethod
    def backward(ctx, dout):
        x, w = ctx.saved_tensors
        return c * 2 * x * w * dout, (x**2 * dout).sum(0)
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = torch.nn.Linear(5, 3)
    def forward(self, x): return Square.apply(self.inner(x), torch.ones(3, dtype=x.dtype))
"""
TORCH_FUNCTION = """
def forward(*x): leaves = [torch.tensor(a, requires_grad=True) for a in x]; out = Square.apply(*leaves); return out.detach(), (out, leaves)
def backward(dout, cache): return torch.autograd.grad(*cache, torch.tensor(dout))
assert_layer(forward, backward, (x, b5))
"""
TORCH_MODULE = """
def forward(*x, **p): out = torch.func.functional_call(net, cache := {k: torch.tensor(a, requires_grad=True) for k, a in p.items()}, torch.tensor(x[0])); return out.detach(), (out, [*cache.values()])
def backward(dout, cache): return None, *torch.autograd.grad(*cache, torch.tensor(dout))
assert_layer(forward, backward, x, {name: array.numpy() for name, array in net.state_dict().items()}, fixed="x")
"""
JAX = """
@jax.custom_vjp
def square(x, w): return x**2 * w
square.defvjp(lambda x, w: (square(x, w), (x, w)), lambda kept, dout: (c * 2 * kept[0] * kept[1] * dout, (kept[0] ** 2 * dout).sum(0)))
"""
JAX_VJP = "assert_layer(lambda *x: jax.vjp(square, *x), lambda dout, pull: pull(dout), (x, b5), dtype=np.float32)"


@pytest.mark.parametrize("library, theirs, adapter", [("torch", TORCH, TORCH_FUNCTION), ("torch", TORCH, TORCH_MODULE), ("jax", JAX, JAX_VJP)],
                         ids=["torch Function", "torch Module", "jax custom_vjp"])
def test_other_libraries_take_three_lines_where_they_are_installed(library, theirs, adapter):
    assert len(adapter.strip().splitlines()) <= 3
    other = pytest.importorskip(library)
    for c in (1.0, 1.5):
        found = namespace(c) | {library: other, "b5": X[0]}
        exec(theirs, found)
        found["net"] = found["Net"]() if "Net" in found else None
        if c == 1:
            exec(adapter, found)
            continue
        with pytest.raises(AssertionError, match="1.5 times too large"):
            exec(adapter, found)


# Manners, titles, files

def test_manners_are_no_numbers():
    theirs = namespace(1.0)
    report = gradcheck.check_layer(theirs["doubling"], theirs["doubling_backward"], X)
    assert (report.ok, report.verdict, len(report.manners)) == (False, "agree", 1)
    assert "write in_place=True if it may" in report.sentence() and "all numbers agree" in str(report)
    as_dict = report.as_dict()
    assert as_dict["version"] == 1 and not as_dict["manners_hold"] and as_dict["findings"][0]["about"] == "manners"
    allowed = gradcheck.check_layer(theirs["doubling"], theirs["doubling_backward"], X, in_place=True)
    assert allowed.ok and allowed.as_dict()["manners_hold"] and "in_place=True allows" in allowed.warnings[0]
    wrong = namespace(2.0)
    report = gradcheck.check_layer(wrong["doubling"], wrong["doubling_backward"], X, in_place=True)
    assert report.verdict == "disagree" and "2 times too large" in report.sentence()
    json.dumps(report.as_dict(), allow_nan=False)


def test_in_place_allows_no_change_of_a_parameter():
    def forward(x, w):
        return x @ w, (x, w)

    def backward(dout, cache):
        x, w = cache
        dx, dw = dout @ w.T, x.T @ dout
        w -= 0.1 * dw
        return dx, dw

    report = gradcheck.check_layer(forward, backward, X, {"w": W}, in_place=True)
    assert not report.ok and "changed the parameter w" in report.sentence()


def test_a_lambda_gets_another_title_and_a_name_counts():
    assert gradcheck.check_function(lambda w: np.sum(w**2), lambda w: 2 * w, X).name == "function"
    assert gradcheck.check_function(np.sum, np.ones_like, X, name="total").name == "total"
    assert gradcheck.check_layer(lambda x: (2 * x, None), lambda dout, _: 2 * dout, X).name == "layer"


def test_a_seed_and_a_generator_are_repeatable_and_the_generator_is_not_used_up():
    rng = np.random.default_rng(5)
    first, second = (gradcheck.check_function(np.sum, lambda w: 1.1 + 0 * w, X, rng=rng) for _ in range(2))
    assert str(first) == str(second) == str(gradcheck.check_function(np.sum, lambda w: 1.1 + 0 * w, X, rng=5))


def test_the_check_of_other_code_loads_no_model_loss_or_data_set():
    code = ("import sys, numpyae.gradcheck as g; g.check_layer(lambda x: (x * 2, x), lambda d, x: d * 3, 2.0 + g.check.__globals__['np'].arange(6.0))\n"
            "print([name for name in sys.modules if name.split('.')[0] in ('numpyae', 'scipy') and name.split('.')[-1] in\n"
            "       ('scipy', 'library', 'layers', 'models', 'losses', 'vae', 'rbm', 'datasets', 'penalties', 'latent')])")
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_pytest_shows_the_whole_report(tmp_path):
    (tmp_path / "test_theirs.py").write_text("import numpy as np\nfrom numpyae.gradcheck import assert_layer\n\n\ndef test_it():\n"
                                             "    assert_layer(lambda x: (np.sin(x), x), lambda d, x: d * np.sin(x), np.arange(1.0, 7.0))\n")
    said = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_theirs.py"], cwd=tmp_path, capture_output=True,
                          text=True).stdout
    shown = said.partition("E  ")[2].partition("test_theirs.py:")[0]
    assert "verdict" in shown and "disagree (6 of 6)" in shown and "..." not in shown
    assert "check.py" not in said                                           # the frames of the check are not shown


# Bad input

def pair(x, w):
    return x @ w, (x, w)


def without(x):
    return 2 * x, None


BAD = [
    (lambda: gradcheck.check_layer(pair, None, X, {"w": W}), "check_layer: backward must be a function, got NoneType"),
    (lambda: gradcheck.check_layer(pair, pair, X, {"w": W, "x": X}), "params contains x, which is the name of an input: leave it out of params"),
    (lambda: gradcheck.check_layer(pair, pair, X, "w"), "params must be a dict, list or dataclass of arrays, got str"),
    (lambda: gradcheck.check_layer(lambda x: (x, x, x), pair, X), r"got a tuple of 3: write \(\(h, c\), cache\) for several outputs"),
    (lambda: gradcheck.check_layer(lambda x: x, pair, X), r"must return \(out, cache\), got an array of shape \(7, 5\): write \(out, cache\)"),
    (lambda: gradcheck.check_layer(lambda x: None, pair, X), r"must return \(out, cache\), got None"),
    (lambda: gradcheck.check_layer(lambda x: (x > 0, x), pair, X), "must return a float array out, got bool"),
    (lambda: gradcheck.check_layer(pair, pair, X, {"w": W}, fixed="mask"), "fixed names mask, and there is only x, w"),
    (lambda: gradcheck.check_layer(without, pair, X, fixed="x"), "x must be a float array, got float64 that is fixed"),
    (lambda: gradcheck.check_layer(without, pair, np.zeros((0, 3))), r"x has no elements, shape \(0, 3\): nothing would be checked"),
    (lambda: gradcheck.check_layer(without, pair, X, dtype=np.float16), "dtype must be np.float32 or np.float64, got float16"),
    (lambda: gradcheck.check_layer(without, pair, X, accuracy=2), "accuracy must be a number above 0, at most 0.1, got 2"),
    (lambda: gradcheck.check_layer(without, pair, X, seconds=-1), "seconds must be a number above 0, got -1"),
    (lambda: gradcheck.check_layer(without, pair, X, args="axis"), "args must be a tuple of further arguments, got str"),
    (lambda: gradcheck.check_function(lambda w: (1.0, w), lambda w: w, X), "got a tuple of 2: write grad=True where f returns its value and its"),
    (lambda: gradcheck.check_function(lambda w: 1.0, True, X), r"with grad=True f must return \(value, gradient\), got float"),
    (lambda: gradcheck.check_function(lambda w: 1.0, None, X), "f and grad must be functions, got function and NoneType"),
    (lambda: gradcheck.check_function(lambda w: w, lambda w: w, X), r"f must return one number, got an array of shape \(7, 5\)"),
    (lambda: gradcheck.check_function(lambda w: np.nan, lambda w: w, X), "f must be finite at the point of the check, got nan"),
    (lambda: gradcheck.check_function(np.sum, np.ones_like, np.zeros(0)), "w has no elements"),
    (lambda: gradcheck.check_object(np.tanh, X), "ufunc must have a method forward; for other names use check_layer"),
    (lambda: gradcheck.check_object(namespace(1)["ByName"](), X), r"no attribute 'params'; its arrays are W, b: name those that hold the parameters, as in params="),
]


@pytest.mark.parametrize("call, message", BAD)
def test_bad_input_is_one_sentence(call, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


RETURNS = [
    (lambda d, c: None, "backward must return dx and 1 gradients (w), got None"),
    (lambda d, c: d @ c[1].T, "must return dx and 1 gradients (w), got dx and 0"),
    (lambda d, c: (d @ c[1].T, c[0].T @ d, d), "must return dx and 1 gradients (w), got dx and 2"),
    (lambda d, c: (d @ c[1].T, None), "backward returns no gradient of w"),
    (lambda d, c: (d @ c[1].T, d), "the gradient of w must have shape (5, 3), got (7, 3)"),
    (lambda d, c: (d @ c[1].T, {"w": c[0].T @ d, "b": 1.0}), "returns a gradient of b, but there is no such array, only w"),
    (lambda d, c: (d @ c[1].T, {}), "backward returns no gradient of w"),
    (lambda d, c: (d @ c[1].T, "w"), "the gradient of w must be an array"),
]


@pytest.mark.parametrize("backward, message", RETURNS)
def test_what_backward_returns_wrongly_is_said(backward, message):
    report = gradcheck.check_layer(pair, backward, X, {"w": W})
    assert not report.ok and message in report.sentence(), report.sentence()


def test_an_object_that_keeps_no_gradients_is_told_so():
    class Forgetful(namespace(1)["ByName"]):
        def backward(self, dout):
            return dout @ self.W.T

    report = gradcheck.check_object(Forgetful(), X, params=("W", "b"), grads=("dW", "db"))
    assert not report.ok and "no attribute 'dW'" in report.sentence()


def test_what_is_checked_is_left_as_it_was():
    layer = namespace(1)["ByDict"]()
    before = {name: array.copy() for name, array in layer.params.items()}
    gradcheck.check_object(layer, X)
    assert all(np.array_equal(before[name], layer.params[name]) for name in before) and not layer.grads["W"].any()
