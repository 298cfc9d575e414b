"""Exercises: a stub has nothing of its solution, fails by its name, and its solution passes; the usual mistakes are named.

Here the judges run in this process; `tests.test_grading` and `python -m tests.benchmarks.grading` run them as students do.
"""

import ast
import functools
import importlib
import subprocess
import sys
import types
import zlib

import numpy as np
import pytest

from numpyae import layers, mlp
from numpyae.cli import main
from numpyae.course import exercises, grading, judges
from numpyae.course.exercises import EXERCISES
from numpyae.course.judges.record import exercise


solution, stub = functools.cache(exercises.solution), functools.cache(exercises.stub)


@pytest.fixture(autouse=True)
def one_small_draw(monkeypatch):
    """One point of small sizes for each judgement, VAEs without hidden layers, to save time; the benchmark takes all."""
    monkeypatch.setattr(judges.tools, "DRAWS", 1)
    monkeypatch.setattr(judges.latent, "mlp", lambda sizes, **options: mlp([sizes[0], sizes[-1]], **options))
    for module in (judges.latent, judges.networks, judges.training):
        monkeypatch.setattr(module, "primes", lambda rng, n: [int(size) for size in rng.permutation([3, 5, 7, 11, 13][:max(n, 3)])[:n]])


def module(number, text):
    """A student's file, read as the grader reads it."""
    found = types.ModuleType("submission")
    found.__file__ = EXERCISES[number].file
    with judges.blocked(number):
        exec(compile(text, found.__file__, "exec"), vars(found))
    return found


def judged(number, text, seed=0):
    """(status, sentence)."""
    return judges.judge(number, module(number, text), np.random.default_rng([seed, zlib.crc32(number.encode())]))


def stub_with(number, code):
    """The stub with this code in the place of `raise`."""
    lines = stub(number).splitlines()
    at = next(k for k, line in enumerate(lines) if line.strip().startswith("raise NotImplementedError"))
    indent = lines[at][:len(lines[at]) - len(lines[at].lstrip())]
    return "\n".join([*lines[:at], *(indent + line for line in code.splitlines()), *lines[at + 1:]]) + "\n"


@pytest.mark.parametrize("number", EXERCISES)
def test_a_stub_is_not_done_and_says_its_name_and_the_solution_passes(number):
    assert judged(number, stub(number)) == ("not yet", f"Exercise {number}: {EXERCISES[number].title}")
    assert judged(number, solution(number)) == ("passed", "")


def body_of(text, name):
    """The statements of the function behind its docstring, one string each."""
    function = next(node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef) and node.name == name)
    return [ast.unparse(node) for node in function.body[1:]]


def statements(code):
    """All statements of this code, however deep, one string each."""
    return {ast.unparse(node) for node in ast.walk(ast.parse(code)) if isinstance(node, ast.stmt)}


def is_unpacking(code):
    """Whether these are names for attributes: x, W = self.x, self.W."""
    node = ast.parse(code).body[0]
    if not isinstance(node, ast.Assign):
        return False
    values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
    return all(isinstance(value, ast.Attribute) and ast.unparse(value).startswith("self.") for value in values)


@pytest.mark.parametrize("number", EXERCISES)
def test_no_line_of_the_solution_is_left_in_a_stub(number):
    exercise, text = EXERCISES[number], stub(number)
    left, whole = body_of(text, exercise.names[2]), body_of(solution(number), exercise.names[2])
    given, closing = whole[:exercise.given], whole[len(whole) - exercise.closing:]
    own = left[len(given):len(left) - len(closing)]
    assert left == [*given, *own, *closing]
    assert own[-1] == f"raise NotImplementedError('Exercise {number}: {exercise.title}')"
    assert all(map(is_unpacking, own[:-1]))
    cut = {code for line in whole[len(given):len(whole) - len(closing)] for code in statements(line)
           if not is_unpacking(code)}
    assert cut and cut.isdisjoint(statements(text))


def test_at_least_twenty_along_the_lectures_each_about_one_function_of_the_library():
    lectures = {exercise.lecture for exercise in EXERCISES.values()}
    assert len(EXERCISES) >= 20 and lectures == {1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14}
    assert len({exercise.path for exercise in EXERCISES.values()}) == len(EXERCISES)
    assert len({exercise.file for exercise in EXERCISES.values()}) == len(EXERCISES)
    assert all(callable(exercise.judge) for exercise in EXERCISES.values())
    for lecture in lectures:
        letters = "".join(exercise.number[-1] for exercise in EXERCISES.values() if exercise.lecture == lecture)
        assert letters == "abcdefghijklmn"[:len(letters)]


def test_files_that_are_written_are_self_contained(tmp_path):
    for number, exercise in EXERCISES.items():
        text = stub(number)
        task = text[:text.index('"""', 3)]
        assert task.startswith(f'"""Exercise {number}: {exercise.title}.\n') and max(map(len, task.splitlines())) <= 125
        assert f"python -m numpyae grade {exercise.file}" in text
        imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, (ast.Import, ast.ImportFrom))]
        packages = {(getattr(node, "module", None) or node.names[0].name).partition(".")[0] for node in imports}
        assert packages <= {"numpy", "numpyae", "math", "time"}
    (tmp_path / EXERCISES["4b"].file).write_text(stub("4b"))
    code = ("import importlib.util; spec = importlib.util.spec_from_file_location('mine', '04b_dense_layer_backward.py')\n"
            "mine = importlib.util.module_from_spec(spec); spec.loader.exec_module(mine)\n"
            "import numpy as np; dense = mine.Dense(2, 3); dense.forward(np.ones((4, 2))); dense.backward(np.ones((4, 3)))")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert "NotImplementedError: Exercise 4b" in done.stderr


MISTAKES = {
    "1a": {"return self.with_bias(np.add.reduce(x[:, None] ** powers, axis=2))": "a monomial is their product",
           "return np.prod(x[:, None] ** powers, axis=2)": "φ₀ ≡ 1 is missing",
           "return self.with_bias(np.prod(x[:, None] * powers, axis=2))": "x to the power is meant",
           "return np.hstack([np.ones((len(x), 1)), np.prod(x[:, None] ** powers, axis=2)])": "bias=False"},
    "1b": {"return phi.T @ t": "(ΦᵀΦ)⁻¹",
           "return np.linalg.solve(phi.T @ phi, phi.T @ t) / len(t)": "is the number of samples",
           "return np.linalg.lstsq(phi, t)": "w must be an array, got tuple"},
    "2a": {"return self.with_bias(np.exp(-np.sum((x[:, None] - centres)**2, axis=2) / width**2))":
               "the 2 under the width is missing",
           "return self.with_bias(np.exp(-np.sum((x[:, None] - centres)**2, axis=2) / (2 * width)))": "must be squared"},
    "2b": {"a = x @ k / period\nreturn self.with_bias(np.concatenate([np.cos(a), np.sin(a)], axis=1))": "the 2π is missing",
           "a = 2 * np.pi * x @ k / period\nreturn self.with_bias(np.concatenate([np.sin(a), np.cos(a)], axis=1))":
               "the sines come first"},
    "3a": {"return x @ W": "the bias b is missing", "return np.tanh(x @ W + b)": "tanh, is applied here",
           "return x @ W.T + b": "is a transpose missing, or are the operands of a product swapped?",
           "return W @ x + b": "operands of a product swapped",
           "return (x @ W + b).T": "this is aᵀ",
           "return (x @ W + b).astype(np.float32)": "must be float64", "x += 1\nreturn x @ W + b": "changes its argument",
           "a = x @ W + b": "returns None",
           "W += 1\nreturn x @ W - x.sum(axis=1, keepdims=True) + b": "changes the weights"},
    "3b": {"e = np.exp(a)\nreturn e / e.sum()": "it must be over each row",
           "e = np.exp(a)\nreturn e / e.sum(axis=0)": "over the samples",
           "return np.exp(a)": "not divided by the sum",
           "e = np.exp(a)\nreturn e / e.sum(axis=1, keepdims=True)": "subtract the largest of each row",
           "e = np.exp(a - a.max())\nreturn e / e.sum(axis=1, keepdims=True)": "subtract the largest of each row",
           "e = np.exp(a)\nreturn e / (e.sum(axis=1, keepdims=True) + 1e-6)": "is a small number added",
           "e = np.exp(a)\nreturn e / e.sum(axis=1)": "ValueError"},
    "3c": {"return np.mean((o - t)**2, axis=1)": "mean over the features",
           "return 0.5 * np.sum((o - t)**2, axis=1)": "there is a ½",
           "return np.sum((o - t)**2)": "one value for each sample",
           "return np.sum((o - t)**2, axis=0)": "over the features of each sample",
           "return np.abs(o - t).sum(axis=1)": "the absolute value",
           "return np.mean((o - t)**2)": "one value for each sample",
           "return np.linalg.norm(o - t, axis=1)": "the root"},
    "3d": {"p = 1 / (1 + np.exp(-o))\nreturn np.sum(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)": "minus that",
           "p = 1 / (1 + np.exp(-o))\nreturn -np.sum(t * np.log(p), axis=1)": "only the term t log p",
           "p = 1 / (1 + np.exp(-o))\nreturn -np.mean(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)": "mean over the features",
           "p = 1 / (1 + np.exp(-o))\nreturn -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p), axis=1)": "not finite",
           "p = 1 / (1 + np.exp(-o))\nreturn -np.sum(t * np.log2(p) + (1 - t) * np.log2(1 - p), axis=1)": "not bits",
           "return -np.sum(t * np.log(o) + (1 - t) * np.log(1 - o), axis=1)": "a logarithm taken of"},
    "3e": {"p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)\nreturn -np.sum(t * p, axis=1)": "the logarithm is missing",
           "p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)\nreturn np.sum(t * np.log(p), axis=1)": "minus that",
           "p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)\nreturn -np.mean(t * np.log(p), axis=1)":
               "mean over the classes",
           "p = np.exp(o) / np.exp(o).sum(axis=1, keepdims=True)\nreturn -np.sum(t * np.log(p), axis=1)": "Subtract the largest",
           "return -np.sum(t * o, axis=1)": "softmax is missing"},
    "4a": {"return r * weight[:, None]": "∂L/∂o is 2 times too small", "return 2 * r": "whatever weight is",
           "return -2 * r * weight[:, None]": "wrong sign"},
    "4b": {"dW += x.T @ delta / len(x)\ndb += delta.sum(axis=0)\nreturn delta @ W.T": "the batch size",
           "dW += x.T @ delta\ndb += delta.mean(axis=0)\nreturn delta @ W.T": "the batch size",
           "dW = x.T @ delta\ndb += delta.sum(axis=0)\nreturn delta @ W.T": "dW is 0 everywhere",
           "dW += x.T @ delta\ndb += delta.sum(axis=0)\nreturn delta @ W": "is a transpose missing",
           "dW += x.T @ delta\ndb += delta\nreturn delta @ W.T": "line",
           "return super().backward(delta)": "super() is not there",
           "dW += x.T @ delta\ndb += delta.sum(axis=0)": "no gradient of x"},
    "4c": {"return h * (1 - h)": "da is φ'(a), whatever delta is", "return delta": "φ'(a)", "return delta * h": ""},
    "4d": {"return delta * (1 - h)": "", "return delta": "φ'(a)"},
    "4h": {"return delta * p * (1 - p)": "diagonal"},
    "4i": {"p = 1 / (1 + np.exp(-o))\nreturn (t - p) * weight[:, None]": "wrong sign",
           "p = 1 / (1 + np.exp(-o))\nreturn p - t": ""},
    "4k": {"pass": "have not changed"},
    "5a": {"return (f(w) - f(w)) / h": "must return two numbers",
           "return (f(w + h) - f(w - h)) / (2 * h), 0": "all of w is moved",
           "w += h\na = f(w)\nw -= 2 * h\nb = f(w)\nw += h\nreturn (a - b) / (2 * h), 0.0": "it is rounded"},
    "6a": {"w -= alpha * grad": "v is forgotten", "velocity *= mu\nvelocity += alpha * grad\nw += velocity": "it goes up",
           "w = w - alpha * grad": "in place", "grad *= 2\nw -= alpha * grad": "only read"},
    "6b": {"velocity *= mu\nvelocity -= alpha * grad\nw += velocity": "plain momentum"},
    "6c": {"squares *= rho\nsquares += (1 - rho) * grad**2\nw -= alpha * grad / (squares + epsilon)": "the root is missing",
           "squares = rho * squares + (1 - rho) * grad**2\n"
           "w -= alpha * grad / (np.sqrt(squares) + epsilon)": "s is forgotten",
           "squares += grad**2\nw -= alpha * grad / (np.sqrt(squares) + epsilon)": "AdaGrad"},
    "6d": {"m *= beta1\nm += (1 - beta1) * grad\nv *= beta2\nv += (1 - beta2) * grad**2\nw -= alpha * m / (np.sqrt(v) + "
           "epsilon)": "corrections",
           "m = beta1 * m + (1 - beta1) * grad\nv = beta2 * v + (1 - beta2) * grad**2\n"
           "w -= alpha * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)": "m and v are forgotten",
           "m *= beta1\nm += (1 - beta1) * grad\nv *= beta2\nv += (1 - beta2) * grad**2\n"
           "w -= alpha * (m / (1 - beta1**t)) / np.sqrt(v / (1 - beta2**t) + epsilon)": "outside the root"},
    "7a": {"self.mean = x.mean(axis=0)\nU, S, V = np.linalg.svd(x, full_matrices=False)\nself.eigenvalues = S**2 / len(x)\n"
           "self.components = V[:K].T\nreturn self": "not centred",
           "self.mean = x.mean(axis=0)\nU, S, V = np.linalg.svd(x - self.mean, full_matrices=False)\nself.eigenvalues = "
           "S**2 / len(x)\n"
           "self.components = V[:K]\nreturn self": "transposed"},
    "7b": {"db += delta.sum(axis=0)\nreturn delta @ W": "is 0 everywhere: backward never computes it"},
    "8a": {"return (rng.random(x.shape) >= p) * 1.0": "the wrong way round",
           "return np.random.rand(*x.shape) < p": "two different masks",
           "return rng.random(x.shape) < p": "float64, as x is",
           "m = np.arange(x.size) < p * x.size\nreturn rng.permutation(m.astype(x.dtype)).reshape(x.shape)": "left to chance",
           "return np.zeros_like(x) + (rng.random((len(x), 1)) < p)": "on its own"},
    "8b": {"return m * np.log(m / rho) + (1 - m) * np.log((1 - m) / (1 - rho))": "KL(m ‖ ρ)",
           "return rho * np.log(rho / m)": "only the term"},
    "8c": {"return -rho / m": "is missing", "return -(1 - rho) / (1 - m) - rho / m": "minus of its own"},
    "8d": {"return {index: weight * self.slope(m) / len(h)}": "must have shape"},
    "8e": {"s = self.strength(x)\nself.mask = 1.0 * (s >= np.sort(s, axis=1)[:, [-k]])\nreturn x * self.mask": "exactly k do",
           "from numpy import argsort\nself.mask = np.zeros_like(x)\nnp.put_along_axis(self.mask, argsort(x, axis=1)[:, "
           "-k:], 1, axis=1)\n"
           "return x * self.mask": "ask self.strength"},
    "8f": {"return delta": "mask"},
    "8h": {"for dense in denses:\n    dense.dW += 2 * weight * own_weight * dense.W": "returns None",
           "for dense in denses:\n    dense.dW += 2 * own_weight * dense.W\nreturn {}": "the argument weight"},
    "11a": {"self.slope = -(z - mu) / sigma**2\nreturn -0.5 * np.sum(((z - mu) / sigma)**2, axis=-1)": "normaliser",
            "self.slope = -(z - mu) / sigma**2\nd = z.shape[-1]\nreturn -0.5 * np.sum(((z - mu) / sigma)**2, axis=-1) - "
            "np.log(sigma).sum() - d * math.log(2 * np.pi) / 2": "each of the d numbers"},
    "12a": {"mu, logvar = h[:, :d], h[:, d:]\nreturn mu + np.exp(logvar) * epsilon": "which is σ²",
            "mu, logvar = h[:, :d], h[:, d:]\nreturn mu + np.exp(0.5 * logvar) * epsilon": "must keep self.mu"},
    "12b": {"return dz, 0.5 * dz * epsilon * sigma": "the draws must be added up",
            "if dz.ndim == 2:\n    dz, epsilon = dz[None], self.epsilon[None]\n"
            "return dz.sum(axis=0), (dz * epsilon).sum(axis=0) * "
            "sigma": "2 times too large",
            "if dz.ndim == 2:\n    dz, epsilon = dz[None], self.epsilon[None]\n"
            "return dz.mean(axis=0), (dz * epsilon).mean(axis=0) * "
            "sigma / 2": "the mean over the draws"},
    "12c": {"return 0.5 * np.sum(mu**2 + np.exp(2 * logvar) - 2 * logvar - 1, axis=1)": "logvar is taken for log σ",
            "return -0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1, axis=1)": "this is -KL",
            "self.m, self.v = mu, logvar\nreturn 0.5 * np.sum(mu**2 + np.exp(logvar) - logvar - 1, axis=1)":
                "mu0 and sigma0 are not used"},
    "12d": {"return dkl[:, None] * m / sigma0, dkl[:, None] * (np.exp(v) - 1)": "2 times too large",
            "return dkl[:, None] * m, 0.5 * dkl[:, None] * (np.exp(v) - 1)": "must still be divided by σ₀"},
    "12e": {"return -0.5 * np.sum(epsilon**2 + np.log(2 * np.pi), axis=-1)": "logvar is missing"},
    "14a": {"if dz.ndim == 2:\n    dz, epsilon = dz[None], self.epsilon[None]\ndL = np.einsum('kni,knj->nij', dz, epsilon)\n"
            "return dz.sum(axis=0), np.einsum('nii->ni', dL) * sigma, dL[:, rows, columns]":
                "dlogvar, in the term draw, is 2 times too large"},
    "14b": {"d = dkl[:, None]\nreturn d * m / sigma0, 0.5 * d * (np.exp(v) - 1), d * l":
                "dbelow: it must still be divided by σ₀"},
    "14c": {"dlogvar += 0.5 * weight @ (r.shape[1] - squares)\nreturn r * precision * weight[:, None]": "`learn` is False",
            "return r * precision * weight[:, None]": "dlogvar is 0 everywhere"},
    "14e": {"log_w = (prior.log_density(z) - posterior.log_density() - nll.reshape(z.shape[:-1]))\nbound = "
            "log_w.mean(axis=0)": "this is the ELBO"},
}


@pytest.mark.parametrize("number", MISTAKES)
def test_a_usual_mistake_is_wrong_and_named(number):
    for code, words in MISTAKES[number].items():
        status, sentence = judged(number, stub_with(number, code))
        assert status == "wrong" and words in sentence and len(sentence) > 10, (code, status, sentence)


def test_three_mistakes_of_each_exercise_of_lecture_3():
    assert all(len(MISTAKES[number]) >= 3 for number in EXERCISES if number[0] == "3" and len(number) == 2)


def test_the_library_is_as_it_was_afterwards():
    before = vars(layers.Dense)["backward"]
    judged("4b", stub_with("4b", "1 / 0"))
    assert vars(layers.Dense)["backward"] is before
    with pytest.raises(ZeroDivisionError):
        module("4b", "1 / 0")
    assert vars(layers.Dense)["backward"] is before


@pytest.mark.parametrize("text, words", [
    ("x = 1", "must have class Dense with def backward"),
    ("class Dense:\n    def forward(self, x): pass", "must have class Dense with def backward"),
    ("class Dense:\n    def backward(self, delta): pass\n    def forward(self, x): pass", "also has forward"),
    ("class Dense:\n    def backward(self, delta):\n        return [][0]", "line 3: IndexError"),
    ("class Dense:\n    def backward(self, delta):\n        assert not len(delta)", "line 3: AssertionError"),
    ("from numpyae import layers\nclass Dense(layers.Dense):\n    def backward(self, delta):\n        return "
     "layers.Dense.backward(self, delta)",
     "calls itself without end")])
def test_files_that_are_something_else(text, words):
    status, sentence = judged("4b", text)
    assert status == "wrong" and words in sentence and not sentence.endswith(": ")


def test_a_helper_of_ones_own_may_be_used():
    text = stub_with("4d", "return delta * self.slope()") + "\n    def slope(self):\n        return 1 - self.h**2\n"
    assert judged("4d", text) == ("passed", "")
    text = stub_with("4d", "return delta * self.slope(h, self.one)") + (
        "\n    one = 1\n\n    @staticmethod\n    def slope(h, one):\n        return one - h**2\n")
    assert judged("4d", text) == ("passed", "")


def test_what_is_right_may_be_written_in_another_way():
    for number, code in {
            "8a": "return rng.binomial(1, p, x.shape).astype(x.dtype)",
            "5a": "up, down = w.copy(), w.copy()\nup[index] += h\ndown[index] -= h\na, b = f(up), f(down)\n"
                  "return [(a - b) / (2 * h), (abs(a) + abs(b)) * EPS / (2 * h)]",
            "11a": "from scipy.stats import norm\nself.slope = (mu - z) / sigma**2\n"
                   "return norm.logpdf(z, mu, sigma).sum(axis=-1)",
            "12b": "K = dz.reshape(-1, *sigma.shape)\nreturn [K.sum(axis=0), 0.5 * sigma * (K * epsilon).sum(axis=0)]",
            "8d": "spread = np.expand_dims(self.slope(m), axis) * np.ones(h.shape)\n"
                  "return {index: weight * own_weight * spread / h.size * (h.shape[1] if over == 'batch' else 1)}"}.items():
        assert judged(number, stub_with(number, code)) == ("passed", ""), number


def test_the_function_itself_cannot_be_had_from_the_library():
    text = ("from numpyae.linear import least_squares as theirs\n"
            "def least_squares(phi, t):\n    return theirs(phi, t)\n")
    assert "is what exercise 1b asks you to write" in judged("1b", text)[1]


def test_find():
    assert [exercise.number for exercise in exercises.find("04b")] == ["4b"]
    assert {exercise.lecture for exercise in exercises.find("14")} == {14} and len(exercises.find("all")) == len(EXERCISES)
    for number in ("9z", "b", "", "99", "4B", "ALL"):
        with pytest.raises(ValueError, match="number must be"):
            exercises.find(number)


# an exercise of one's own

OWN = '''"""A record, in a file of its own."""
import numpy as np

from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import hold, returned
from numpyae.layers import Dropout


@exercise("8z", "layers.Dropout.forward", "dropout, forward", "lecture 8", """
  While training, y = x mask / keep.""", given=GIVEN)
def dropout_forward(rng):
    layer, x = Dropout(0.4), np.abs(rng.standard_normal((7, 5)))
    y = returned("forward", layer.forward, x)
    hold("y", y, x * layer.mask / layer.keep, {"the factor 1/keep is missing": x * layer.mask})
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Imports a file with the record 8z; afterwards there is no such exercise."""
    before = dict(EXERCISES)
    (tmp_path / "my_exercises.py").write_text(OWN.replace("GIVEN", "1"), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("my_exercises")
    yield "8z"
    del sys.modules["my_exercises"]
    EXERCISES.clear()
    EXERCISES.update(before)


def test_an_exercise_of_ones_own_is_listed_written_and_graded(own, tmp_path, capsys):
    assert list(EXERCISES)[list(EXERCISES).index("8z") - 1] == "8i"             # among those of its lecture
    assert "  8z   dropout, forward" in exercises.listing() and exercises.listing().count("lecture 8\n") == 1
    assert main(["exercise", "8z", "--to", str(tmp_path / "mine")]) == 0
    path = tmp_path / "mine" / "08z_dropout_forward.py"
    assert path.read_text() == exercises.stub("8z") and "While training" in exercises.stub("8z")
    assert judged("8z", exercises.stub("8z")) == ("not yet", "Exercise 8z: dropout, forward")
    path.write_text(exercises.solution("8z"))
    path.with_name("wrong.py").write_text(exercises.solution("8z").replace(" / self.keep", ""))
    assert main(["grade", str(tmp_path / "mine")]) == 0                         # of several files the best counts
    said = capsys.readouterr().out
    assert "8z  passed   08z_dropout_forward.py" in said and "8z  wrong    wrong.py\n    y: the factor 1/keep is missing" in said


def test_an_exercise_that_cannot_be_judged_is_a_sentence(own, tmp_path):
    without = EXERCISES["8z"]._replace(judge=None)
    text = exercises.solution("8z")
    EXERCISES["8z"] = without
    with pytest.raises(judges.Wrong, match='exercise 8z has no judge, .*: put its record above one, @exercise\\("8z", ...\\)'):
        module("8z", text)
    del EXERCISES["8z"]
    status, sentence = judges.judge("8z", types.ModuleType("submission"), np.random.default_rng(0))
    assert status == "wrong" and sentence.startswith("there is no exercise 8z here")
    path = tmp_path / "08z.py"
    path.write_text(text)
    EXERCISES["8z"] = without._replace(home=None)                               # in the worker there is none of that number
    outcome = grading.grade_task(grading.recognise(path))
    assert outcome.status == "wrong" and outcome.sentence.startswith("there is no exercise 8z here")


@pytest.mark.parametrize("number, sentence", [("4b", "exercise 4b: there is one of that number already, dense layer, backward"),
                                              ("b4", "exercise 'b4': a number must be that of a lecture and a letter, such as 4b")])
def test_a_number_that_is_taken_or_none(number, sentence):
    with pytest.raises(ValueError, match=sentence):
        exercise(number, "layers.Dense.forward", "title", "source", "task")
