"""What each exercise is held against.

The student's function takes the place of the library's own while it is judged. So super() is no solution, what is said
speaks of the library's names, and no judge may take the function in question for the truth:

    a backward            against finite differences, by `gradcheck.check`, whose sentence is the diagnosis
    a forward             against its definition in slow plain Python, a theorem, or the moments of many draws; what comes out
                          is also compared with what the usual mistakes give, so that the sentence can name the mistake

Points and sizes are drawn anew for every judgement, several times; sizes are different primes, so that a factor tells its
cause. This is for honest work: somebody who wants to deceive it can, and can look the solution up in the library.
"""

import contextlib
import functools
import linecache
import math
import re
import sys
import types

import numpy as np

from numpyae import gradcheck
from numpyae.activations import ELU, ReLU, Sigmoid, Softmax, Softplus, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.basis import FourierBasis, GaussianBasis, PolynomialBasis
from numpyae.corruption import MaskingNoise
from numpyae.course.exercises import EXERCISES
from numpyae.gradcheck import numerical
from numpyae.latent import DiagonalGaussian, FullGaussian
from numpyae.layers import Dense, Dropout, Sequential, TiedDense, TopK
from numpyae.linear import PCA
from numpyae.losses import BernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, SoftmaxCrossEntropy, SquaredError
from numpyae.optimizers import Adam, Momentum, Nesterov, RMSProp
from numpyae.penalties import Contraction, KLSparsity, L2Sparsity, WeightDecay
from numpyae.priors import GaussianPrior
from numpyae.vae import IWAE, VAE

DRAWS = 2                             # points at which a function is judged
ONE_EACH = ": one value for each sample is asked for"
WITHOUT = "the column φ₀ ≡ 1 is there, and this basis is one without it (bias=False): return self.with_bias(phi)"


class Wrong(Exception):
    """The sentence that says what is wrong."""


def judge(number, module, rng):
    """("passed" or "not yet" or "wrong", sentence) for the student's module of this exercise; rng draws the hidden points."""
    errors = []
    try:
        with installed(EXERCISES[number], module, errors), np.errstate(all="ignore"):
            JUDGES[number](rng)
        outcome = "passed", ""
    except Wrong as wrong:
        outcome = "wrong", str(wrong)
    except Exception:
        if not errors:                # else it is the student's, and said below
            raise
    if errors and isinstance(errors[0], NotImplementedError) and str(errors[0]).startswith("Exercise "):
        return "not yet", str(errors[0])
    if errors:
        return "wrong", raised(errors[0], module.__file__)
    return outcome


@contextlib.contextmanager
def blocked(number):
    """While a student's file is read, the function of this exercise cannot be had from the library; afterwards it is back."""
    exercise = EXERCISES[number]
    name, right = exercise.names[2], getattr(exercise.owner, exercise.names[2])

    def missing(*arguments, **options):
        raise RuntimeError(f"{exercise.path} is what exercise {number} asks you to write")

    places = [exercise.owner, *(other for key, other in list(sys.modules.items()) if key.partition(".")[0] == "numpyae"
                                and vars(other).get(name) is right)]
    for place in places:
        setattr(place, name, missing)
    try:
        yield
    finally:
        for place in places:
            setattr(place, name, right)


@contextlib.contextmanager
def installed(exercise, module, errors):
    """The student's function in the place of the library's own; what it raises goes into errors. Wrong without one."""
    module_name, kind, name = exercise.names
    owner, found = exercise.owner, {}
    if kind is None:
        found[name] = vars(module).get(name)
        where = f"def {name}(...)"
    else:
        own = vars(module).get(kind)
        where = f"class {kind} with def {name}(...)"
        if isinstance(own, type) and own is not owner:
            found = {key: value for key, value in vars(own).items() if not (key.startswith("__") and key.endswith("__"))
                     or isinstance(value, types.FunctionType)}
    if not isinstance(found.get(name), types.FunctionType):
        raise Wrong(f"the file must have {where}, as it was written out")
    others = sorted(key for key in found if key != name and hasattr(owner, key))
    if others:
        raise Wrong(f"only {kind}.{name} is yours to write, and the file also has {', '.join(others)}")
    before = {key: vars(owner)[key] for key in found if key in vars(owner)}
    for key, value in found.items():
        setattr(owner, key, watched(value, errors) if key == name else value)
    try:
        yield
    finally:
        for key in found:
            if key in before:
                setattr(owner, key, before[key])
            else:
                delattr(owner, key)


def watched(function, errors):
    """The function; what it raises is noted."""
    @functools.wraps(function)
    def run(*arguments, **options):
        try:
            return function(*arguments, **options)
        except BaseException as error:
            errors.append(error)
            raise
    return run


def raised(error, path):
    """An exception of a student's code as a sentence, with the line."""
    line, step = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None, error.__traceback__
    while step is not None:
        line = step.tb_lineno if step.tb_frame.f_code.co_filename == path else line
        step = step.tb_next
    words = " ".join(str(error).split())
    hint = ": is a transpose missing, or are the operands of a product swapped?" if "matmul" in words else ""
    if isinstance(error, SystemExit):
        words = "the code ends the program, with exit()"
    elif isinstance(error, MemoryError):
        words = f"it asks for more memory than a task may have ({words})"
    elif isinstance(error, RecursionError):
        words = "a function calls itself without end"
    elif isinstance(error, TypeError) and words.startswith("super(type, obj)"):
        words = "super() is not there: it would be the solution"
    else:
        words = type(error).__name__ + f": {words}{hint}" * bool(words)
    code = linecache.getline(path, line).strip() if line else ""
    return (f"line {line}" + f", `{code}`" * bool(code) + f": {words}") if line else words


# what the judges are made of


def primes(rng, n):
    """n different sizes."""
    return [int(size) for size in rng.permutation([3, 5, 7, 11, 13])[:n]]


def gradients(make, names=()):
    """A judge: `make(rng)` -> [(target, *batch), ...], each held against finite differences.

    names: {how the check calls something: how the task does}.
    """
    def run(rng):
        for _ in range(DRAWS):
            for target, *batch in make(rng):
                report = gradcheck.check(target, *batch, rng=rng)
                if not report.ok:
                    lines = str(report).split("\n\n")[0].splitlines()
                    said = " ".join(line.replace("  also: ", "Also: ") for line in lines[:3])
                    for name, own in dict(names).items():
                        said = re.sub(rf"\b{name}\b", own, said)
                    raise Wrong(said)
    return run


def of_activation(kind):
    """A judge of its backward."""
    return gradients(an_activation(kind), {"dx": "da", "gradient of x": "gradient of a"})


def of_loss(make):
    """A judge of its backward."""
    return gradients(make, {"doutput": "∂L/∂o", "gradient of output": "gradient of o",
                            "whatever delta is": "whatever weight is"})


def returned(name, call, *arrays):
    """call(*arrays), which must leave them as they are, and return something. Wrong otherwise."""
    before = [np.copy(array) for array in arrays]
    found = call(*arrays)
    for k, (array, old) in enumerate(zip(arrays, before)):
        if isinstance(array, np.ndarray) and not np.array_equal(array, old):
            raise Wrong(f"{name} changes its argument{f' {k + 1}' * (len(arrays) > 1)} in place; others may still need it")
    if found is None:
        raise Wrong(f"{name} returns None: is the `return` missing?")
    return found


def hold(name, found, truth, mistakes=(), sizes=(), tolerance=1e-9):
    """Wrong unless found is the array `truth`. mistakes: {what is wrong: the array it gives}; sizes: {name: number}."""
    truth = np.asarray(truth)
    if not isinstance(found, (np.ndarray, np.floating, float)):
        raise Wrong(f"{name} must be an array, got {type(found).__name__}")
    found = np.asarray(found)
    if found.shape == truth.shape and found.dtype.kind == "f" and found.dtype != truth.dtype and near(found, truth, 1e-2):
        raise Wrong(f"{name} must be {truth.dtype}, as what it is made of, got {found.dtype}")
    if found.shape == truth.shape and found.dtype.kind == "f" and near(found, truth, tolerance):
        return
    for sentence, array in dict(mistakes).items():
        if np.shape(array) == found.shape and np.all(np.isfinite(array)) and near(found, array, tolerance):
            raise Wrong(f"{name}: {sentence}")
    if found.shape != truth.shape:
        turned = ": is it transposed?" if found.shape == truth.shape[::-1] else ""
        raise Wrong(f"{name} must have shape {truth.shape}, got {found.shape}{turned}")
    if found.dtype.kind != "f":
        raise Wrong(f"{name} must be an array of floats, got {found.dtype}")
    if not np.all(np.isfinite(found)):
        at = tuple(int(i) for i in np.argwhere(~np.isfinite(found))[0])
        raise Wrong(f"{name} is {found[at]} at {list(at)}, and {truth[at]:.6g} is right: does something overflow, or is a "
                    f"logarithm taken of 0?")
    raise Wrong(f"{name} {difference(found, truth, dict(sizes), tolerance)}")


def near(found, truth, tolerance):
    """Equal up to rounding."""
    size = np.max(np.abs(truth), initial=0)
    return np.all(np.abs(found - truth) <= tolerance * size + 1e-300)


def difference(found, truth, sizes, tolerance):
    """How found differs from truth, in a few words: sign, factor, a constant, or where most."""
    if near(found, 0 * truth, tolerance):
        return "is 0 everywhere"
    if near(found, -truth, tolerance):
        return "has the wrong sign"
    if near(found, truth, 1e-4):
        part = np.max(np.abs(found - truth)) / np.max(np.abs(truth))
        return f"is right but for a part of {part:.0e}: is a small number added where none belongs, or are digits lost?"
    c = float(np.vdot(truth, found) / np.vdot(truth, truth))
    if c and near(found, c * truth, 10 * tolerance):
        number = max(abs(c), 1 / abs(c))
        names = [meaning for meaning, size in {**sizes, "1 / log 2: nats are asked for, not bits": 1 / math.log(2)}.items()
                 if abs(number / size - 1) < 1e-6]
        return (f"is {number:.6g} times too "
                f"{'large' if abs(c) > 1 else 'small'}{' and has the wrong sign' if c < 0 else ''}"
                + (f", and {number:.6g} is {' or '.join(names)}" if names else ""))
    shift = float(np.median(found - truth))
    if found.size > 1 and near(found - shift, truth, 10 * tolerance):
        return f"is off by {shift:.6g} everywhere: is a constant forgotten, or one too many?"
    off = np.abs(found - truth)
    at = tuple(int(i) for i in np.unravel_index(np.argmax(off), off.shape))
    count = int(np.sum(off > tolerance * np.max(np.abs(truth), initial=0)))
    place = f" at {list(at)}" if at else ""
    return f"is wrong in {count} of {off.size} elements, most{place}: yours is {found[at]:.6g}, and {truth[at]:.6g} is right"


def table(shape, element):
    """An array of this shape by a function of its indices, one number at a time."""
    return np.array([element(*index) for index in np.ndindex(shape)], dtype=float).reshape(shape)


# lectures 1 and 2: basis functions


def polynomial_basis(rng):
    N, = primes(rng, 1)
    for order, n_in, bias in ((5, 1, True), (3, 2, True), (2, 3, False)):
        basis = PolynomialBasis(order, n_in, bias=bias)
        x = rng.uniform(0.3, 1.7, (N, n_in)) * rng.choice([-1, 1], (N, n_in))
        phi = table((N, len(basis.powers)), lambda n, j: math.prod(x[n, d] ** int(basis.powers[j, d]) for d in range(n_in)))
        one = np.ones((N, int(bias)))
        sums = (x[:, None] ** basis.powers).sum(axis=2)
        found = returned("forward", basis.forward, x)
        hold("Φ", found, np.hstack([one, phi]), {
            "the column φ₀ ≡ 1 is missing: return self.with_bias(phi)": phi,
            "the column φ₀ ≡ 1 is there twice: powers does not have it": np.hstack([one, one, phi]),
            WITHOUT: np.hstack([np.ones((N, 1)), phi]),
            "the powers of the inputs are added; a monomial is their product": np.hstack([one, sums]),
            "it has powers times x where x to the power is meant": np.hstack([one, x @ basis.powers.T]),
            "every power is too high by one": np.hstack([one, phi * x.prod(axis=1, keepdims=True)]),
            "the columns are in reverse order": np.hstack([one, phi])[:, ::-1],
            "the column φ₀ ≡ 1 belongs in front": np.hstack([phi, one])})


def least_squares(rng):
    from numpyae import linear

    for _ in range(DRAWS):
        M, K, N = sorted(primes(rng, 3))
        M, K = rng.permutation([M, K])
        phi, t = rng.standard_normal((N, M)), rng.standard_normal((N, K))
        q = np.linalg.qr(phi)[0]
        found = returned("least_squares", linear.least_squares, phi, t)
        w = np.linalg.solve(phi.T @ phi, phi.T @ t)
        hold("w", found, w, {
            "this is Φᵀt: it must still be multiplied by (ΦᵀΦ)⁻¹": phi.T @ t,
            "this is Φ w, the fitted curve: w itself is asked for": q @ (q.T @ t),
            "a ridge λ‖w‖² with λ = 1 is added; plain least squares are asked for":
                np.linalg.solve(phi.T @ phi + np.eye(M), phi.T @ t)},
            {"the number of samples": N}, 1e-7)


def gaussian_basis(rng):
    for bias in (True, False):
        N, M, D = primes(rng, 3)
        width = rng.uniform(1.1, 2.0)
        c, x = rng.standard_normal((M, D)), rng.standard_normal((N, D))
        basis, one = GaussianBasis(c, width, bias=bias), np.ones((N, int(bias)))
        r2 = table((N, M), lambda n, j: sum((x[n, d] - c[j, d]) ** 2 for d in range(D)))
        phi = np.exp(-r2 / (2 * width**2))
        found = returned("forward", basis.forward, x)
        hold("Φ", found, np.hstack([one, phi]), {
            "the column φ₀ ≡ 1 is missing: return self.with_bias(phi)": phi,
            WITHOUT: np.hstack([np.ones((N, 1)), phi]),
            "the 2 under the width is missing: exp(-‖x - c‖² / (2 width²))": np.hstack([one, np.exp(-r2 / width**2)]),
            "the width must be squared": np.hstack([one, np.exp(-r2 / (2 * width))]),
            "it has the distance itself; its square is meant": np.hstack([one, np.exp(-np.sqrt(r2) / (2 * width**2))]),
            "it is the distance and not yet the bump": np.hstack([one, r2 / (2 * width**2)]),
            "it is normalised as a density; a bump has height 1":
                np.hstack([one, phi / (2 * math.pi * width**2) ** (D / 2)])})


def fourier_basis(rng):
    for order, n_in, bias in ((3, 1, True), (1, 2, False)):
        N, = primes(rng, 1)
        period = rng.uniform(2, 5)
        basis, x = FourierBasis(order, n_in, period=period, bias=bias), rng.standard_normal((N, n_in))
        kx = table((N, basis.k.shape[1]), lambda n, j: sum(basis.k[d, j] * x[n, d] for d in range(n_in)))
        a, one = 2 * math.pi * kx / period, np.ones((N, int(bias)))

        def columns(a):
            return np.hstack([one, np.cos(a), np.sin(a)])

        found = returned("forward", basis.forward, x)
        hold("Φ", found, columns(a), {
            "the column φ₀ ≡ 1 is missing: return self.with_bias(phi)": columns(a)[:, int(bias):],
            WITHOUT: np.hstack([np.ones((N, 1)), columns(a)]),
            "the sines come first; all cosines belong before them": np.hstack([one, np.sin(a), np.cos(a)]),
            "cosines and sines alternate; first come all cosines, then all sines":
                np.hstack([one, np.stack([np.cos(a), np.sin(a)], axis=2).reshape(N, -1)]),
            "the 2π is missing": columns(a / (2 * math.pi)),
            "it has π where 2π belongs": columns(a / 2),
            "it is multiplied by the period where it must be divided": columns(a * period**2),
            "the period is missing": columns(a * period)})


# lecture 3: layers and losses, forward


def dense_forward(rng):
    for _ in range(DRAWS):
        N, D, H = primes(rng, 3)
        dense, x = Dense(D, H, rng=rng), rng.standard_normal((N, D))
        dense.b = b = rng.standard_normal(H)
        W = dense.W.copy()
        a = table((N, H), lambda n, j: b[j] + sum(x[n, i] * W[i, j] for i in range(D)))
        found = returned("forward", dense.forward, x)
        mistakes = {
            "the bias b is missing": a - b, "the bias b is subtracted, and must be added": a - 2 * b,
            "the bias b is multiplied, and must be added": (a - b) * b,
            "the sum over all inputs is taken without W": x.sum(axis=1, keepdims=True) + b,
            "an activation, the sigmoid, is applied here; it is a layer of its own": 1 / (1 + np.exp(-a)),
            "an activation, tanh, is applied here; it is a layer of its own": np.tanh(a),
            "an activation, the ReLU, is applied here; it is a layer of its own": np.maximum(a, 0),
            "the bias is added once for each of the inputs": a + (D - 1) * b,
            "this is aᵀ: rows are samples": a.T}
        hold("a", found, a, mistakes, {"the batch size": N, "the number of inputs": D})
        if not np.array_equal(dense.W, W) or not np.array_equal(dense.b, b):
            raise Wrong("forward changes the weights: it must only read W and b")


def softmax_forward(rng):
    for _ in range(DRAWS):
        N, K = primes(rng, 2)
        a = rng.standard_normal((N, K))
        e = table((N, K), lambda n, k: math.exp(a[n, k]))
        p = table((N, K), lambda n, k: e[n, k] / sum(e[n]))
        found = returned("forward", Softmax().forward, a)
        hold("p", found, p, {
            "the sum in the denominator is over all elements; it must be over each row": e / e.sum(),
            "the sum in the denominator is over the samples; it must be over the classes of each row": e / e.sum(axis=0),
            "it is not divided by the sum of the row: a row of probabilities sums to 1": e,
            "this is the logarithm of the probabilities": np.log(p),
            "the exponential is missing: these are shares of a": a / a.sum(axis=1, keepdims=True),
            "each number goes through a sigmoid of its own; a softmax divides by the sum of the row": 1 / (1 + np.exp(-a)),
            "after the largest is subtracted it is not divided by the sum": np.exp(a - a.max(axis=1, keepdims=True)),
            "it is divided by the largest; divide by the sum": e / e.max(axis=1, keepdims=True),
            "e^-a stands where e^a belongs": 1 / e / (1 / e).sum(axis=1, keepdims=True)})
        shift = rng.choice([-1000.0, 1000.0], (N, 1))
        found = returned("forward", Softmax().forward, a + shift)
        if isinstance(found, np.ndarray) and not np.all(np.isfinite(found)):
            raise Wrong(f"for a row of about {shift[np.argwhere(~np.isfinite(found))[0][0], 0]:.0f} p is not finite: e^a "
                        f"overflows, or is 0 throughout; subtract the largest of each row first")
        hold("p for a of about ±1000", found, p)


def squared_error_forward(rng):
    for _ in range(DRAWS):
        N, D = primes(rng, 2)
        o, t = rng.standard_normal((N, D)), rng.standard_normal((N, D))
        values = table((N,), lambda n: sum((t[n, d] - o[n, d]) ** 2 for d in range(D)))
        found = returned("forward", SquaredError().forward, o, t)
        hold("the value of each sample", found, values, {
            f"the mean over the features is taken where their sum belongs ({D} of them)": values / D,
            "there is a ½, which this loss does not have": values / 2,
            "the differences are not squared": (o - t).sum(axis=1),
            "the absolute value is taken where the square belongs": np.abs(o - t).sum(axis=1),
            "this is the root of the sum of squares, the distance": np.sqrt(values),
            "the differences are summed and then squared; square first": (o - t).sum(axis=1) ** 2,
            "the sum is over the samples too" + ONE_EACH: values.sum(),
            "the mean over the samples is taken, and that is the model's business" + ONE_EACH: values.mean(),
            "the mean over everything is taken" + ONE_EACH: values.mean() / D,
            "the sum is over the samples; it must be over the features of each sample": ((o - t) ** 2).sum(axis=0),
            "the mean is over the samples; it must be the sum over the features of each sample": ((o - t) ** 2).mean(axis=0),
            "the sum over the features is missing": (o - t) ** 2})


def bernoulli_forward(rng):
    for _ in range(DRAWS):
        N, D = primes(rng, 2)
        o, t = rng.standard_normal((N, D)), (rng.random((N, D)) < 0.5).astype(float)
        p = table((N, D), lambda n, d: 1 / (1 + math.exp(-o[n, d])))
        ones, zeros = t * np.log(p), (1 - t) * np.log(1 - p)
        each = table((N, D), lambda n, d: -math.log(p[n, d] if t[n, d] else 1 - p[n, d]))
        values = each.sum(axis=1)
        twice = 1 / (1 + np.exp(-p))
        found = returned("forward", BernoulliNLL().forward, o, t)
        hold("the value of each sample", found, values, {
            "this is log p(t | o), and the loss is minus that": -values,
            "only the term t log p is there: where t is 0, -log(1 - p) counts": -ones.sum(axis=1),
            "only the term (1 - t) log(1 - p) is there: where t is 1, -log p counts": -zeros.sum(axis=1),
            "t and 1 - t are exchanged": -((1 - t) * np.log(p) + t * np.log(1 - p)).sum(axis=1),
            "the sigmoid is applied twice": -(t * np.log(twice) + (1 - t) * np.log(1 - twice)).sum(axis=1),
            f"the mean over the features is taken where their sum belongs ({D} of them)": values / D,
            "the sum is over the samples too" + ONE_EACH: values.sum(),
            "the mean over the samples is taken, and that is the model's business" + ONE_EACH: values.mean(),
            "the mean over everything is taken" + ONE_EACH: each.mean(),
            "the sum is over the samples; it must be over the features of each sample": each.sum(axis=0),
            "the sum over the features is missing": each,
            "t o is missing in log(1 + e^o) - t o": np.log1p(np.exp(o)).sum(axis=1),
            "it has + t o where - t o belongs": (np.log1p(np.exp(o)) + t * o).sum(axis=1),
            "the term of t = 0 is added where it must be subtracted: both have a minus": (zeros - ones).sum(axis=1)})
        far = rng.choice([-1000.0, 1000.0], (N, D))
        found = returned("forward", BernoulliNLL().forward, far, t)
        if isinstance(found, np.ndarray) and not np.all(np.isfinite(found)):
            raise Wrong("for o of ±1000 values are not finite: e^o overflows, or a logarithm is taken of 0. With e^-|o| "
                        "nothing does: log(1 + e^o) = "
                        "max(o, 0) + log(1 + e^-|o|)")
        truth = table((N,), lambda n: sum(max(far[n, d], 0) - t[n, d] * far[n, d] for d in range(D)))
        hold("the value of each sample for o of ±1000 (are logits or probabilities clipped?)", found, truth)


def cross_entropy_forward(rng):
    for _ in range(DRAWS):
        N, K = primes(rng, 2)
        o, label = rng.standard_normal((N, K)), rng.integers(0, K, N)
        t = np.eye(K)[label]
        p = table((N, K), lambda n, k: math.exp(o[n, k]) / sum(math.exp(o[n, j]) for j in range(K)))
        values = table((N,), lambda n: -math.log(p[n, label[n]]))
        pp = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
        s = 1 / (1 + np.exp(-o))
        given, found = (t, label)[int(rng.integers(2))], None
        found = returned("forward", SoftmaxCrossEntropy().forward, o, given)
        hold("the value of each sample", found, values, {
            "this is log p(t | o), and the loss is minus that": -values,
            "the logarithm is missing: this is the probability of the class": np.exp(-values),
            "the logarithm is missing: this is minus the probability of the class": -np.exp(-values),
            "softmax is missing: this is minus the logit of the class": -(t * o).sum(axis=1),
            "softmax is applied twice": -np.log(pp[np.arange(N), label]),
            "a sigmoid is applied where a softmax belongs": -np.log(s[np.arange(N), label]),
            "the terms (1 - t) log(1 - p) belong to coins; a class has Σ_k t_k log p_k alone":
                -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum(axis=1),
            f"the mean over the classes is taken where their sum belongs ({K} of them)": values / K,
            "the softmax is over the samples; it must be over the classes of each row":
                -np.log((np.exp(o) / np.exp(o).sum(axis=0))[np.arange(N), label]),
            "it has the sum of all log p_k: only that of the class counts, by t": -np.log(p).sum(axis=1),
            "this is log Σ_k e^(o_k): the logit of the class is not subtracted": np.log(np.exp(o).sum(axis=1)),
            "the sum is over the samples too" + ONE_EACH: values.sum(),
            "the mean over the samples is taken, and that is the model's business" + ONE_EACH: values.mean(),
            "the sum over the classes is missing": -t * np.log(p)})
        shift = rng.choice([-1000.0, 1000.0], (N, 1))
        for far, truth in ((o + shift, values), (o + 2000 * (1 - t), table((N,), lambda n: 2000 + math.log(sum(
                math.exp(o[n, k]) for k in range(K) if k != label[n])) - o[n, label[n]]))):
            found = returned("forward", SoftmaxCrossEntropy().forward, far, given)
            if isinstance(found, np.ndarray) and not np.all(np.isfinite(found)):
                raise Wrong("for o of about ±1000 values are not finite: e^o overflows, or a logarithm is taken of a p "
                            "that is 0. Subtract the largest of each "
                            "row first, and write log p_k = o_k - log Σ_j e^(o_j)")
            hold("the value of each sample for o of about ±1000", found, truth)


# lecture 4: backward


def an_activation(kind):
    """[(layer, x)], with units on both sides of 0 and no unit at it."""
    def make(rng):
        N, H = primes(rng, 2)
        return [(kind(), rng.uniform(0.1, 2.5, (N, H)) * rng.choice([-1.0, 1.0], (N, H)))]
    return make


def a_dense(rng):
    N, D, H = primes(rng, 3)
    dense = Dense(D, H, rng=rng)
    dense.b = 0.3 * rng.standard_normal(H)
    return [(dense, rng.standard_normal((N, D)))]


def a_real_loss(kind, **options):
    def make(rng):
        N, D = primes(rng, 2)
        loss = kind(**options)
        return [(loss, rng.standard_normal((N, D * loss.outputs_per_feature)), rng.standard_normal((N, D)))]
    return make


def a_bernoulli(rng):
    N, D = primes(rng, 2)
    return [(BernoulliNLL(), rng.standard_normal((N, D)), rng.random((N, D)))]


def a_cross_entropy(rng):
    N, K = primes(rng, 2)
    soft = rng.random((N, K))
    return [(SoftmaxCrossEntropy(), rng.standard_normal((N, K)), target)
            for target in (soft / soft.sum(axis=1, keepdims=True), rng.integers(0, K, N))]


def online(rng):
    """The slides' loop in lists of numbers."""
    from numpyae import training

    for _ in range(DRAWS):
        N, D, H, M = primes(rng, 4)
        epochs, alpha = 3, float(rng.uniform(0.02, 0.05))
        x, t = rng.standard_normal((N, D)), rng.standard_normal((N, M))
        network = mlp([D, H, M], hidden=Tanh, output=Sigmoid, rng=rng)
        network.w += 0.1 * rng.standard_normal(network.w.size)
        start = network.w.copy()

        def path(**variant):
            return online_in_lists(network, start, x, t, alpha, epochs, **variant)

        truth, errors = path()
        network.w = start
        history = returned("online_backprop", lambda x, t: training.online_backprop(network, x, t, alpha, epochs), x, t)
        if np.array_equal(network.w, start):
            raise Wrong("the weights have not changed: W and b must be updated in place, W += ..., not W = W + ...")
        hold("w after 3 epochs", network.w.copy(), truth, {
            "it goes up: the residual is t - o and the update +=, or both the other way round": path(factor=-1)[0],
            "δ is propagated back by the weights after their update; use them as they were": path(early=True)[0],
            "δ is propagated back without φ': the repair that deeper networks need": path(repair=False)[0],
            "φ' is missing in the update": path(slope=False)[0],
            "the biases are not updated": path(biases=False)[0],
            "only one epoch is done, and epochs were asked for": online_in_lists(network, start, x, t, alpha, 1)[0],
            "the step is twice as large: alpha times δ, without the 2 of the derivative": path(factor=2)[0]})
        if getattr(history, "epochs", None) != epochs:
            raise Wrong(f"history has {getattr(history, 'epochs', None)} epochs where {epochs} were done: call "
                        f"history.add once in each")
        hold("the errors in history", np.array(history.loss), np.array(errors), {
            "the mean over the samples is missing": N * np.array(errors)}, {"the number of samples": N})


def online_in_lists(network, start, x, t, alpha, epochs, factor=1, early=False, repair=True, slope=True, biases=True):
    """(w, mean error of each epoch) of the slides' algorithm, one number at a time, with the mistakes that can be made."""
    network.w = start
    layers = [(layer.W.tolist(), layer.b.tolist()) for layer in network.layers[::2]]
    phis = [(math.tanh, lambda h: 1 - h * h), (lambda a: 1 / (1 + math.exp(-a)), lambda h: h * (1 - h))]
    errors = []
    for _ in range(epochs):
        error = 0.0
        for x_n, t_n in zip(x.tolist(), t.tolist()):
            values = [x_n]
            for (W, b), (phi, _) in zip(layers, phis):
                values.append([phi(b[j] + sum(h * row[j] for h, row in zip(values[-1], W))) for j in range(len(b))])
            delta = [target - o for target, o in zip(t_n, values[-1])]
            error += sum(r * r for r in delta)
            for (W, b), (_, dphi), inputs, h in reversed(list(zip(layers, phis, values, values[1:]))):
                step = [r * (dphi(value) if slope else 1) for r, value in zip(delta, h)]
                back = step if repair else delta
                new = [[w + factor * alpha * i * s for w, s in zip(row, step)] for i, row in zip(inputs, W)]
                delta = [sum(w * s for w, s in zip(row, back)) for row in (new if early else W)]
                W[:] = new
                b[:] = [b_j + factor * alpha * s for b_j, s in zip(b, step)] if biases else b
        errors.append(error / len(x))
    flat = [np.concatenate([np.ravel(W), b]) for W, b in layers]
    return np.concatenate(flat), errors


# lectures 5 to 7


def central_difference(rng):
    for _ in range(DRAWS):
        w = rng.standard_normal(tuple(primes(rng, 2)))
        kept, index, h = w.copy(), (1, 2), float(rng.uniform(1e-5, 2e-5))
        f = smooth
        up, down = kept.copy(), kept.copy()
        up[index] += h
        down[index] -= h
        step = up[index] - down[index]
        slope, digit = (f(up) - f(down)) / step, (abs(f(up)) + abs(f(down))) * np.finfo(float).eps / step
        found = numerical.central(f, w, index, h)
        if not (isinstance(found, (tuple, list, np.ndarray)) and len(found) == 2):
            raise Wrong(f"central must return two numbers, the slope and its rounding error, got "
                        f"{found if found is None else type(found).__name__}")
        if not np.array_equal(w, kept):
            raise Wrong("w is not what it was: keep the old w[index] and put it back"
                        + (". To add h again is not enough, since it is rounded" if near(w, kept, 1e-12) else ""))
        hold("the slope", float(found[0]), slope, {
            "this is a one-sided difference, (f(w + h) - f(w)) / h": (f(up) - f(kept)) / h,
            "this is a one-sided difference, (f(w) - f(w - h)) / h": (f(kept) - f(down)) / h,
            "it is divided by h where the step is 2h": (f(up) - f(down)) / h,
            "all of w is moved, and only w[index] must be": (f(kept + h) - f(kept - h)) / (2 * h),
            "it is not divided by the step": f(up) - f(down)}, tolerance=2e-7 if abs(slope) > 0.01 else 1e-4)
        hold("the rounding error", float(found[1]), digit, tolerance=1e-6)

        def fails(w):
            raise ArithmeticError("f is not defined here")

        with contextlib.suppress(ArithmeticError):
            numerical.central.__wrapped__(fails, w, index, h)
        if not np.array_equal(w, kept):
            raise Wrong("w is not what it was after f has raised an exception: restore it in a `finally:`")


def smooth(w):
    """A function whose slope is not small anywhere, and whose third derivative is."""
    return float(np.sum(np.sin(0.3 * w) + 0.5 * w + 0.1 * w**2))


def complex_step(rng):
    for _ in range(DRAWS):
        w = rng.standard_normal(tuple(primes(rng, 2)))

        def f(v):
            return np.sum(np.exp(0.3 * v) * np.sin(v))

        found = returned("complex_step", lambda w: numerical.complex_step(f, w), w)
        truth = np.exp(0.3 * w) * (0.3 * np.sin(w) + np.cos(w))
        hold("the gradient", found, truth, {
            "it is not divided by h": 1e-30 * truth,
            "the real part is taken where the imaginary part is meant": np.full(w.shape, f(w) / 1e-30)}, tolerance=1e-13)
        try:
            numerical.complex_step.__wrapped__(lambda v: float(np.sum(v.real)), w)
        except ValueError:
            continue
        raise Wrong("an f that gives no complex number must be a ValueError: its slope would be taken for 0")


def an_optimizer(make, reference, mistakes):
    """A judge: five steps along given gradients against `reference(w, g, t, memory, settings)`, one number at a time."""
    def run(rng):
        for _ in range(DRAWS):
            P, steps = primes(rng, 1)[0], 5
            w, grads = rng.standard_normal(P), rng.standard_normal((steps, P)) * rng.uniform(0.5, 2, P)
            optimizer, settings = make(rng)
            for done in range(1, steps + 1):
                def at(reference):
                    return follow(reference, w, grads[:done], settings)

                moved = w.copy()
                fresh = make_again(optimizer)
                for grad in grads[:done]:
                    before = grad.copy()
                    fresh.step(moved, grad)
                    if not np.array_equal(grad, before):
                        raise Wrong("step changes grad, which it may only read")
                if np.array_equal(moved, w):
                    raise Wrong("w has not changed: it must change in place, w -= ... or w += ..., not w = w - ...")
                hold(f"w after {done} step{'s' * (done > 1)}", moved, at(reference),
                     {sentence: at(wrong) for sentence, wrong in mistakes.items()}, tolerance=1e-7)
    return run


def make_again(optimizer):
    """A new optimizer with the same settings."""
    return type(optimizer)(**{name: getattr(optimizer, name) for name in optimizer.arguments})


def follow(reference, w, grads, settings):
    """w after these gradients; reference is a generator of steps for a single weight."""
    w = w.copy()
    for i in range(len(w)):
        memory = {}
        for t, grad in enumerate(grads, 1):
            w[i] += reference(float(grad[i]), t, memory, **settings)
    return w


def momentum(g, t, kept, alpha, mu, share=1.0, forget=False, late=False):
    old = 0 if forget else kept.get("v", 0)
    kept["v"] = mu * old - share * alpha * g
    return old if late else kept["v"]


def nesterov(g, t, kept, alpha, mu, old=False):
    before = kept.get("v", 0)
    kept["v"] = mu * before - alpha * g
    return mu * (before if old else kept["v"]) - alpha * g


def rmsprop(g, t, kept, alpha, rho, epsilon, power=2, inside=False, root=True, average=True, forget=False):
    old = 0 if forget else kept.get("s", 0)
    kept["s"] = s = (rho if average else 1) * old + (1 - rho if average else 1) * abs(g) ** power
    return -alpha * g / (math.sqrt(s + epsilon) if inside else (math.sqrt(s) if root else s) + epsilon)


def adam(g, t, kept, alpha, beta1, beta2, epsilon, m_hat=True, v_hat=True, inside=False, root=True, forget=False, keep=False,
         share=True):
    old = {} if forget else kept
    kept["m"] = m = beta1 * old.get("m", 0) + (1 - beta1 if share else 1) * g
    kept["v"] = v = beta2 * old.get("v", 0) + (1 - beta2 if share else 1) * g * g
    m, v = m / (1 - beta1**t if m_hat else 1), v / (1 - beta2**t if v_hat else 1)
    if keep:
        kept["m"], kept["v"] = m, v
    return -alpha * m / (math.sqrt(v + epsilon) if inside else (math.sqrt(v) if root else v) + epsilon)


def a_momentum(kind):
    def make(rng):
        settings = {"alpha": float(rng.uniform(0.01, 0.1)), "mu": float(rng.uniform(0.6, 0.9))}
        return kind(**settings), settings
    return make


def an_rmsprop(rng):
    settings = {"alpha": float(rng.uniform(0.01, 0.1)), "rho": float(rng.uniform(0.6, 0.9)), "epsilon": 1e-2}
    return RMSProp(**settings), settings


def an_adam(rng):
    settings = {"alpha": float(rng.uniform(0.01, 0.1)), "beta1": float(rng.uniform(0.6, 0.8)),
                "beta2": float(rng.uniform(0.85, 0.95)), "epsilon": 1e-2}
    return Adam(**settings), settings


def with_(reference, **variant):
    """The reference with a mistake."""
    return functools.partial(reference, **variant)


def principal_components(rng):
    for _ in range(DRAWS):
        K, D, N = sorted(primes(rng, 3))
        x = 3 + rng.standard_normal((N + D, D)) @ rng.standard_normal((D, D))
        N = len(x)
        pca = PCA(K)
        found = returned("fit", pca.fit, x)
        if found is not pca:
            raise Wrong("fit must end with `return self`")
        for name in ("mean", "components", "eigenvalues"):
            if not hasattr(pca, name):
                raise Wrong(f"fit must keep self.{name}")
        mean = table((D,), lambda d: sum(x[:, d]) / N)
        covariance = table((D, D), lambda i, j: sum((x[n, i] - mean[i]) * (x[n, j] - mean[j]) for n in range(N)) / N)
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = values[::-1], vectors[:, ::-1]
        hold("mean", pca.mean, mean)
        hold("eigenvalues", pca.eigenvalues, values, {
            "x is not centred: subtract the mean first": np.linalg.eigvalsh(x.T @ x / N)[::-1],
            "these are the singular values; the eigenvalues are their squares over N": np.sqrt(N * values),
            "these are the squares of the singular values, not yet divided by N": N * values,
            "they rise; the largest comes first": values[::-1],
            "they are divided by N - 1 where the covariance is 1/N": values * N / (N - 1),
            f"there must be all D of them, and these are the first K = {K}": values[:K]}, tolerance=1e-8)
        V = pca.components
        if np.shape(V) == (K, D):
            raise Wrong(f"components are transposed: they are the columns of an array (D, K), here {(D, K)}")
        if np.shape(V) != (D, K):
            raise Wrong(f"components must have shape (D, K), here {(D, K)}, got {np.shape(V)}")
        hold("V Vᵀ of the components V", V @ V.T, vectors[:, :K] @ vectors[:, :K].T, {
            "these are the K directions of smallest variance": vectors[:, -K:] @ vectors[:, -K:].T}, tolerance=1e-7)
        hold("the variances along the components, in order", np.diag(V.T @ covariance @ V).copy(), values[:K],
             tolerance=1e-7)


def a_tied(rng):
    N, D, H = primes(rng, 3)
    tied = TiedDense(Dense(D, H, rng=rng))
    dense = Dense(D, H, rng=rng)
    whole = Autoencoder(Sequential(dense, Tanh()), Sequential(TiedDense(dense)), SquaredError())
    whole.w += 0.1 * rng.standard_normal(whole.w.size)
    return [(tied, rng.standard_normal((N, H))), (whole, rng.standard_normal((N, D)))]


# lecture 8


def masking_noise(rng):
    p = float(rng.uniform(0.2, 0.4))
    noise, seed, shape = MaskingNoise(p), int(rng.integers(2**32)), (311, 97)
    x = rng.standard_normal(shape)
    found = returned("draw", lambda x: noise.draw(x, np.random.default_rng(seed)), x)
    again = noise.draw(x, np.random.default_rng(seed))
    others = [noise.draw(x, np.random.default_rng(seed + k)) for k in (1, 2, 3)]
    if not isinstance(found, np.ndarray) or found.shape != shape:
        raise Wrong(f"draw must return an array of the shape of x, {shape}, got "
                    f"{getattr(found, 'shape', type(found).__name__)}")
    if not np.array_equal(found, again):
        raise Wrong("the same rng gives two different masks: draw with rng.random, not with np.random")
    if np.array_equal(found, others[0]):
        raise Wrong("two different rng give the same mask: draw with rng.random")
    if not np.all((found == 0) | (found == 1)):
        raise Wrong("the mask must have nothing but 0 and 1" + (": this is x with its mask, which `apply` makes"
                                                                if np.isin(found, x).mean() > 0.5 else ""))
    if found.dtype != x.dtype:
        raise Wrong(f"the mask must be {x.dtype}, as x is, got {found.dtype}")
    share, off = found.mean(), 6 * math.sqrt(p * (1 - p) / found.size)
    if abs(share - p) > off and abs(share - (1 - p)) <= off:
        raise Wrong(f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for: 1 where it is masked, so the comparison "
                    f"is the wrong way round")
    rows, columns = found.mean(axis=1), found.mean(axis=0)
    if np.ptp(rows) == 1 and set(rows) <= {0, 1} or np.ptp(columns) == 1 and set(columns) <= {0, 1}:
        raise Wrong("whole rows or columns are masked together: each element is masked on its own")
    if np.ptp(rows) == 0 or np.ptp(columns) == 0:
        raise Wrong("all rows, or all columns, have equally many masked elements: each element is masked on its own")
    if abs(share - p) > off:
        raise Wrong(f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for")
    if all(other.sum() == found.sum() for other in others):
        raise Wrong("every mask has equally many ones: each element is masked on its own, so their number is left to chance")


def kl_sparsity(rng):
    for _ in range(DRAWS):
        H, = primes(rng, 1)
        rho, m = float(rng.uniform(0.05, 0.3)), rng.uniform(0.1, 0.9, H)
        one, other = rho * np.log(rho / m), (1 - rho) * np.log((1 - rho) / (1 - m))
        truth = table((H,), lambda j: rho * math.log(rho / m[j]) + (1 - rho) * math.log((1 - rho) / (1 - m[j])))
        hold("KL(ρ ‖ m)", returned("distance", KLSparsity(rho, 0.7).distance, m), truth, {
            "this is KL(m ‖ ρ): the target ρ comes first": m * np.log(m / rho) + (1 - m) * np.log((1 - m) / (1 - rho)),
            "only the term ρ log ρ/m is there: being off counts too": one,
            "only the term (1 - ρ) log (1 - ρ)/(1 - m) is there": other,
            "the two terms are subtracted from each other, and must be added": one - other,
            "the fractions are upside down": -one - other,
            "this is the cross-entropy: ρ log ρ + (1 - ρ) log(1 - ρ) is missing":
                -rho * np.log(m) - (1 - rho) * np.log(1 - m),
            "the weight is in it, which is put in elsewhere": 0.7 * truth,
            "it is summed over the units, which is done elsewhere": truth.sum()})


def an_autoencoder(penalty, activation=Sigmoid):
    """One layer, with this penalty on its code."""
    def make(rng):
        N, D, H = primes(rng, 3)
        model = Autoencoder(mlp([D, H], output=activation, rng=rng), mlp([H, D], rng=rng), SquaredError(),
                            penalties=[penalty(rng)])
        model.w += 0.1 * rng.standard_normal(model.w.size)
        return [(model, rng.standard_normal((N, D)))]
    return make


def a_penalty(make):
    """A judge: first what backward returns, and that weight is used, which is 1 in an autoencoder; then gradients."""
    def run(rng):
        for model, x in make(rng):
            model.loss(x)
            penalty, shape, found = model.penalties[0], model.encoder.layers[-1].h.shape, []
            for weight in (1.0, 3.0):
                model.from_zero()
                added = returned("backward", penalty.backward, weight)
                if not isinstance(added, dict):
                    raise Wrong(f"backward must return a dict, {{index: array}} or {{}}, got {type(added).__name__}")
                for delta in added.values():
                    if np.shape(delta) != shape:
                        raise Wrong(f"the array of {{index: array}} must have shape {shape}, like h, got {np.shape(delta)}")
                found.append(np.concatenate([model.grad, *map(np.ravel, added.values())]))
            if np.any(found[0]) and not near(found[1], 3 * found[0], 1e-9):
                raise Wrong("three times the weight does not give three times the gradients: ∂L/∂penalty, the argument "
                            "weight, is a factor of all of them")
        gradients(make)(rng)
    return run


def kl_slope(rng):
    """First the slope alone, against the distance, which is the library's; then in an autoencoder."""
    for _ in range(DRAWS):
        penalty, m = KLSparsity(float(rng.uniform(0.05, 0.3)), 0.7), rng.uniform(0.1, 0.9, primes(rng, 1)[0])
        found = returned("slope", penalty.slope, m)
        h, rho = 1e-30, penalty.rho
        truth = np.imag(rho * np.log(rho / (m + 1j * h)) + (1 - rho) * np.log((1 - rho) / (1 - m - 1j * h))) / h
        hold("the slope", found, truth, {
            "the term of m = 1, (1 - ρ)/(1 - m), is missing": -rho / m,
            "the term of m = 0, -ρ/m, is missing": (1 - rho) / (1 - m),
            "the derivative of log(1 - m) has a minus of its own": -rho / m - (1 - rho) / (1 - m),
            "this is the distance itself, and its derivative is asked for":
                rho * np.log(rho / m) + (1 - rho) * np.log((1 - rho) / (1 - m)),
            "the logarithms are still there: d/dm log m is 1/m": np.log((1 - rho) / (1 - m)) - np.log(rho / m),
            "the weight is in it, which is put in elsewhere": 0.7 * truth})
    gradients(an_autoencoder(lambda rng: KLSparsity(0.2, 0.7)))(rng)


def a_sparsity(rng):
    return [case for over in ("batch", "units") for penalty in (KLSparsity, L2Sparsity)
            for case in an_autoencoder(lambda rng: penalty(0.2, 0.7, over=over))(rng)]


def topk_forward(rng):
    for by, strength in (("magnitude", abs), ("value", float)):
        N, H = primes(rng, 2)
        k = int(rng.integers(1, H))
        layer, x = TopK(k, by=by), rng.standard_normal((N, H)) - 0.3

        def kept(k, strength=strength, sign=-1):
            ranks = [sorted(range(H), key=lambda j: sign * strength(row[j])) for row in x]
            return table((N, H), lambda n, j: j in ranks[n][:k])

        mask = kept(k)
        found = returned("forward", layer.forward, x)
        over = np.argsort(-np.abs(x) if by == "magnitude" else -x, axis=0)
        columns = np.zeros_like(x)
        np.put_along_axis(columns, over[:min(k, N)], 1, axis=0)
        hold("y", found, x * mask, {
            "this is the mask: return x mask": mask,
            "the k weakest units are kept": x * kept(k, sign=1),
            f"{k + 1} units are kept where k is {k}": x * kept(k + 1),
            f"{k - 1} units are kept where k is {k}": x * kept(k - 1),
            "the strongest are sought among the samples; it must be among the units of each row": x * columns,
            "the winners are set to 0, and the others kept": x * (1 - mask),
            "the sign of the winners is lost": np.abs(x) * mask,
            **({"the largest x are kept where the largest |x| are meant: ask self.strength": x * kept(k, float)}
               if by == "magnitude" else
               {"the largest |x| are kept where the largest x are meant: ask self.strength": x * kept(k, abs)})})
        if not hasattr(layer, "mask"):
            raise Wrong("forward must keep self.mask, which backward reads")
        hold("self.mask", layer.mask.astype(float) if isinstance(layer.mask, np.ndarray) else layer.mask, mask)
        layer.forward(np.ones((N, H)))
        ones = int(np.sum(np.asarray(layer.mask)[0] != 0))
        if ones != k:
            raise Wrong(f"where all units are equally strong {ones} are kept, and k is {k}: of equal ones any may win, but "
                        f"exactly k do")


def a_topk(rng):
    N, H = primes(rng, 2)
    return [(TopK(2), rng.standard_normal((N, H)))]


def a_contraction(rng):
    return [an_autoencoder(lambda rng: Contraction(0.3), activation)(rng)[0] for activation in (Tanh, Sigmoid)]


def a_dropout(rng):
    N, H = primes(rng, 2)
    x = rng.standard_normal((N, H))
    return [(Dropout(0.4), x)]


def dropout_backward(rng):
    gradients(a_dropout)(rng)
    layer, x, delta = Dropout(0.4), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    layer.training = False
    layer.forward(x)
    hold("dx without training", returned("backward", layer.backward, delta), delta)


# lectures 11 to 14


def log_prior(rng):
    for _ in range(DRAWS):
        K, N, d = primes(rng, 3)
        mu, sigma = rng.standard_normal(d), rng.uniform(0.5, 2, d)
        prior, z = GaussianPrior(d, mu, sigma), rng.standard_normal((K, N, d))
        one = GaussianPrior(d, 0.5, 2.0)
        squares, logs = ((z - mu) ** 2 / sigma**2).sum(axis=-1), math.log(2 * math.pi)
        truth = table((K, N), lambda k, n: sum(-0.5 * ((z[k, n, j] - mu[j]) / sigma[j]) ** 2 - math.log(sigma[j]) - 0.5 * logs
                                               for j in range(d)))
        for z_, pick in ((z, slice(None)), (z[0], 0)):
            found = returned("log_density", prior.log_density, z_)
            hold("log p(z)", found, truth[pick], {
                "the constant -½ log 2π of each number is missing": truth[pick] + 0.5 * d * logs,
                "the normaliser -log σ - ½ log 2π of each number is missing": -0.5 * squares[pick],
                "log σ is missing": truth[pick] + np.log(sigma).sum(),
                "log σ² must be halved": truth[pick] - np.log(sigma).sum(),
                "the ½ in front of the squares is missing": truth[pick] - 0.5 * squares[pick],
                "the squares are divided by σ where σ² belongs":
                    truth[pick] + 0.5 * squares[pick] - 0.5 * ((z_ - mu) ** 2 / sigma).sum(axis=-1),
                "this is the density of N(0, I): μ and σ are not used": -0.5 * (z_**2).sum(axis=-1) - 0.5 * d * logs,
                "this is -log p(z)": -truth[pick], "this is p(z); its logarithm is asked for": np.exp(truth[pick]),
                "it is summed over the samples too": truth[pick].sum(),
                "the mean over the numbers is taken where their sum belongs": truth[pick] / d}, {"the size of the code": d})
            if not hasattr(prior, "slope"):
                raise Wrong("log_density must keep self.slope = ∂log p/∂z, which backward reads")
            hold("self.slope", prior.slope, -(z_ - mu) / sigma**2,
                 {"it is divided by σ where σ² belongs": -(z_ - mu) / sigma})
        hold("log p(z) for one number σ", returned("log_density", one.log_density, z),
             -0.5 * (((z - 0.5) / 2) ** 2 + logs).sum(axis=-1) - d * math.log(2),
             {"log σ counts for each of the d numbers": -0.5 * (((z - 0.5) / 2) ** 2 + logs).sum(axis=-1) - math.log(2)})


def draw(rng):
    for _ in range(DRAWS):
        K, N, d = primes(rng, 3)
        h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
        mu, logvar = h[:, :d], h[:, d:]
        for eps in (epsilon[0], epsilon):
            posterior = DiagonalGaussian(d)
            found = returned("sample", posterior.sample, h, eps)
            truth = table(eps.shape, lambda *index: mu[index[-2:]] + math.exp(logvar[index[-2:]] / 2) * eps[index])
            hold("z", found, truth, {
                "σ is e^(½ logvar), and this has e^logvar, which is σ²": mu + np.exp(logvar) * eps,
                "logvar itself is taken for σ; σ = e^(½ logvar)": mu + logvar * eps,
                "½ logvar is taken for σ; σ = e^(½ logvar)": mu + 0.5 * logvar * eps,
                "σ is missing: ε must be multiplied by it": mu + eps, "ε is missing": mu + np.exp(0.5 * logvar) + 0 * eps,
                "μ is missing": np.exp(0.5 * logvar) * eps, "this is μ without noise": mu + 0 * eps,
                "σ ε is subtracted: the right distribution, but backward has z = μ + σ ε": mu - np.exp(0.5 * logvar) * eps,
                "μ and logvar are exchanged: h holds μ first": logvar + np.exp(0.5 * mu) * eps})
            missing = [name for name in ("mu", "logvar", "sigma", "epsilon", "z") if not hasattr(posterior, name)]
            if missing:
                raise Wrong(f"sample must keep self.{', self.'.join(missing)}, which the way back reads")
            for name, kept in (("mu", mu), ("logvar", logvar), ("sigma", np.exp(0.5 * logvar)), ("epsilon", eps),
                               ("z", truth)):
                hold(f"self.{name}", getattr(posterior, name), kept)


def alone(kind):
    """[(posterior, h)]."""
    def make(rng):
        N, = rng.choice([5, 7, 11, 13], 1)
        posterior = kind(3)
        return [(posterior, rng.standard_normal((N, posterior.size)))]
    return make


def a_vae(posterior, **options):
    """A small VAE, its noise drawn anew."""
    def make(rng):
        N, D, H = rng.permutation([5, 7, 11, 13])[:3]    # d is 3, and draws are 4: no two sizes are the same
        q = posterior(3)
        prior = GaussianPrior(q.d, rng.standard_normal(q.d), rng.uniform(0.5, 2, q.d))
        model = VAE(mlp([D, H, q.size], rng=rng), mlp([q.d, H, D], rng=rng), GaussianNLL(0.8), q, prior, **options)
        model.w += 0.1 * rng.standard_normal(model.w.size)
        return [(model, rng.standard_normal((N, D)))]
    return make


def divergence(rng):
    for _ in range(DRAWS):
        N, d = primes(rng, 2)
        h = rng.standard_normal((N, 2 * d))
        mu, logvar = h[:, :d], h[:, d:]
        for mu0, sigma0 in ((0.0, 1.0), (rng.standard_normal(d), rng.uniform(0.5, 2, d))):
            posterior = DiagonalGaussian(d)
            posterior.sample(h, np.zeros((N, d)))
            m0, s0 = np.zeros(d) + mu0, np.zeros(d) + sigma0
            truth = table((N,), lambda n: sum(math.log(s0[j]) - logvar[n, j] / 2 - 0.5 + (
                math.exp(logvar[n, j]) + (mu[n, j] - m0[j]) ** 2) / (2 * s0[j] ** 2) for j in range(d)))

            def formula(m, v, of_v=np.exp):
                return 0.5 * (m**2 + of_v(v) - v - 1).sum(axis=1)

            m, v = (mu - m0) / s0, logvar - 2 * np.log(s0)
            found = returned("kl", lambda: posterior.kl(mu0, sigma0))
            hold("KL" if np.ndim(mu0) == 0 else "KL to N(μ₀, diag σ₀²)", found, truth, {
                "logvar is taken for log σ: σ² is e^logvar": formula(m, v, lambda v: np.exp(2 * v)),
                "logvar is taken for log σ: log σ² is logvar itself": 0.5 * (m**2 + np.exp(2 * v) - 2 * v - 1).sum(axis=1),
                "σ stands where σ² belongs": formula(m, v, lambda v: np.exp(0.5 * v)),
                "this is -KL": -truth, "the ½ is missing": 2 * truth, "the -1 of each number is missing": truth + 0.5 * d,
                "μ must be squared": 0.5 * (m + np.exp(v) - v - 1).sum(axis=1), "the term μ² is missing": formula(0 * m, v),
                "the terms of σ are missing": 0.5 * (m**2).sum(axis=1),
                "the sign of the logarithm is wrong": 0.5 * (m**2 + np.exp(v) + v - 1).sum(axis=1),
                "this is the KL to N(0, I): mu0 and sigma0 are not used": formula(mu, logvar),
                "μ - μ₀ is not divided by σ₀": formula(mu - m0, v),
                "log σ₀² must be subtracted from logvar": formula(m, logvar),
                "log σ₀ is subtracted where log σ₀² belongs": formula(m, logvar - np.log(s0)),
                "the mean over the numbers of a code is taken where their sum belongs": truth / d,
                "it is summed over the samples too": truth.sum(),
                "the mean over the samples is taken, and that is the model's business": truth.mean(),
                "this is the KL of p from q, the wrong way round": 0.5 * ((1 + m**2) * np.exp(-v) + v - 1).sum(axis=1)},
                {"the size of the code": d, "the batch size": N})
            missing = [name for name in ("m", "v") if not hasattr(posterior, name)]
            if missing:
                raise Wrong(f"kl must keep self.{', self.'.join(missing)}, which the way back reads")
            hold("self.m", posterior.m, m)
            hold("self.v", posterior.v, v)


def log_draw(rng):
    for _ in range(DRAWS):
        K, N, d = primes(rng, 3)
        h, epsilon = rng.standard_normal((N, 2 * d)), rng.standard_normal((K, N, d))
        mu, logvar, logs = h[:, :d], h[:, d:], math.log(2 * math.pi)
        for eps in (epsilon[0], epsilon):
            posterior = DiagonalGaussian(d)
            z = posterior.sample(h, eps)
            each = table(eps.shape, lambda *i: -0.5 * (
                (z[i] - mu[i[-2:]]) ** 2 / math.exp(logvar[i[-2:]]) + logvar[i[-2:]] + logs))
            truth = each.sum(axis=-1)
            hold("log q", returned("log_density", posterior.log_density), truth, {
                "the constant -½ log 2π of each number is missing": truth + 0.5 * d * logs,
                "logvar is missing: the normaliser of a density depends on σ": truth + 0.5 * logvar.sum(axis=-1),
                "logvar must be halved: it is log σ²": truth - 0.5 * logvar.sum(axis=-1),
                "the ½ in front of ε² is missing": truth - 0.5 * (eps**2).sum(axis=-1),
                "ε² is divided by σ² once more: ε is (z - μ)/σ already":
                    truth + 0.5 * (eps**2).sum(axis=-1) - 0.5 * (eps**2 / np.exp(logvar)).sum(axis=-1),
                "this is -log q": -truth, "this is q; its logarithm is asked for": np.exp(truth),
                "it is summed over the samples too": truth.sum(),
                "the mean over the numbers is taken where their sum belongs": truth / d,
                "the sum over the numbers of a code is missing": each}, {"the size of the code": d})


def both(name, call, shapes):
    """call(), which must be arrays of these shapes, {what: shape}."""
    found = returned(name, call)
    if not isinstance(found, (tuple, list)) or len(found) != len(shapes):
        raise Wrong(f"{name} must return ({', '.join(shapes)}), got {type(found).__name__}")
    for (what, shape), array in zip(shapes.items(), found):
        if np.shape(array) != shape:
            raise Wrong(f"{what} must have shape {shape}, got {np.shape(array)}"
                        + (": the gradients of the draws must be added up" if np.shape(array)[1:] == shape else ""))
    return found


def a_posterior(kind, rng):
    """(posterior, its h, shapes of the gradients); one or several draws are still to be made."""
    N, d = primes(rng, 2)
    posterior = kind(min(d, 5))
    d = posterior.d
    shapes = {"dmu": (N, d), "dlogvar": (N, d), "dbelow": (N, d * (d - 1) // 2)}
    return posterior, rng.standard_normal((N, posterior.size)), dict(list(shapes.items())[:2 + (kind is FullGaussian)])


def draw_backward(kind):
    """A judge of sample_backward: the shapes of what it returns, for one draw and for several; gradients."""
    def run(rng):
        posterior, h, shapes = a_posterior(kind, rng)
        for draws in ((), (4,)):
            dz, epsilon = rng.standard_normal((2, *draws, *shapes["dmu"]))
            posterior.sample(h, epsilon)
            found = both("sample_backward", lambda: posterior.sample_backward(dz), shapes)
        gradients(alone(kind))(rng)
        hold("dmu of 4 draws", found[0], dz.sum(axis=0), {
            "the mean over the draws is taken where their sum belongs": dz.mean(axis=0)})
        gradients(a_vae(kind, samples=4))(rng)
    return run


def kl_backward(kind):
    """A judge of kl_backward: gradients, and the closed form for N(μ₀, diag σ₀²), where σ₀ can be forgotten."""
    def run(rng):
        posterior, h, shapes = a_posterior(kind, rng)
        d = posterior.d
        mu0, sigma0 = rng.standard_normal(d), rng.uniform(0.5, 2, d)
        posterior.sample(h, np.zeros(shapes["dmu"]))
        posterior.kl(mu0, sigma0)
        dkl = rng.standard_normal(len(h))
        column, mu, variance = dkl[:, None], h[:, :d], np.exp(h[:, d:2 * d])
        found = both("kl_backward", lambda: posterior.kl_backward(dkl), shapes)
        gradients(alone(kind))(rng)
        numbers = mu - mu0, 0.5 * (variance - sigma0**2), h[:, 2 * d:]           # over σ₀², these are the derivatives
        rows = np.tril_indices(d, -1)[0]
        for name, array, number, unit in zip(shapes, found, numbers, (sigma0, sigma0, sigma0[rows])):
            hold(name, array, column * number / unit**2, {
                "it must still be divided by σ₀: by the chain rule through m, or through l": column * number / unit,
                "it is divided by σ₀ once too often": column * number / unit**3})
        gradients(a_vae(kind))(rng)
    return run


def elbo_backward(rng):
    for options in ({}, {"beta": 0.4}, {"samples": 4}, {"kl": "sampled", "samples": 4}):
        gradients(a_vae(DiagonalGaussian, **options))(rng)


def learnt_noise(rng):
    of_loss(a_real_loss(GaussianNLL, sigma=0.7, learn=True))(rng)
    loss, (o, t) = GaussianNLL(0.7), rng.standard_normal((2, 3, 5))
    loss.forward(o, t)
    loss.backward(np.ones(3))
    if np.any(loss.dlogvar):
        raise Wrong("dlogvar changes although `learn` is False: then σ is fixed")


def importance_weights(rng):
    for K in (5, 1):
        N, D, H = primes(rng, 3)
        model = IWAE(mlp([D, H, 4], rng=rng), mlp([2, H, D], rng=rng), GaussianNLL(0.03), DiagonalGaussian(2), samples=K)
        model.w += 0.1 * rng.standard_normal(model.w.size)
        x = rng.standard_normal((N, D))
        value = returned("loss", lambda x: model.loss(x, rng=int(rng.integers(2**32))), x)
        nll = model.likelihood.forward(model.decoder.forward(model.posterior.z.reshape(-1, 2)),
                                       np.tile(x, (K, 1))).reshape(K, N)
        z, h = model.posterior.z.reshape(K, N, 2), model.encoder.forward(x)
        mu, logvar, logs = h[:, :2], h[:, 2:], math.log(2 * math.pi)
        log_p = -0.5 * (z**2 + logs).sum(axis=-1)
        log_q = -0.5 * ((z - mu) ** 2 / np.exp(logvar) + logvar + logs).sum(axis=-1)

        def bound(log_w):
            return -np.mean([max(column) + math.log(math.fsum(math.exp(w - max(column)) for w in column) / K)
                             for column in log_w.T.tolist()])

        log_w = log_p - nll - log_q
        hold("the loss", float(value), bound(log_w), {
            "the 1/K of the mean over the draws is missing": bound(log_w) - math.log(K),
            "this is the ELBO, the mean of log w: the logarithm comes after the mean over the draws": -log_w.mean(),
            "q stands in the numerator: w = p(x|z) p(z) / q(z|x)": bound(log_p - nll + log_q),
            "p(z) is missing in w": bound(-nll - log_q), "q(z|x) is missing in w": bound(log_p - nll),
            "p(x|z) is missing in w": bound(log_p - log_q),
            "it has p(x|z) upside down: nll is -log p(x|z)": bound(log_p + nll - log_q), "the sign is wrong": -bound(log_w),
            "the weights are upside down: w = p(x|z) p(z) / q(z|x)": bound(-log_w),
            "nll is sorted wrongly into (K, N): it is K rows of N": bound(log_p - nll.reshape(-1).reshape(N, K).T - log_q),
            "the largest log w was taken out and not put back": bound(log_w - log_w.max(axis=0))})
        share = np.exp(log_w - log_w.max(axis=0))
        if not hasattr(model, "share"):
            raise Wrong("loss must keep self.share, which backward reads")
        hold("self.share", model.share, share / share.sum(axis=0), {
            "the shares are normalised over the samples; those of the K draws of a sample sum to 1":
                share / share.sum(axis=1, keepdims=True),
            "the shares are not divided by their sum": share})


JUDGES = {
    "1a": polynomial_basis, "1b": least_squares, "2a": gaussian_basis, "2b": fourier_basis,
    "3a": dense_forward, "3b": softmax_forward, "3c": squared_error_forward, "3d": bernoulli_forward,
    "3e": cross_entropy_forward,
    "4a": of_loss(a_real_loss(SquaredError)), "4b": gradients(a_dense), "4c": of_activation(Sigmoid),
    "4d": of_activation(Tanh), "4e": of_activation(ReLU), "4f": of_activation(Softplus), "4g": of_activation(ELU),
    "4h": of_activation(Softmax), "4i": of_loss(a_bernoulli), "4j": of_loss(a_cross_entropy),
    "4k": online, "5a": central_difference, "5b": complex_step,
    "6a": an_optimizer(a_momentum(Momentum), momentum, {
        "it goes up: the gradient is subtracted": with_(momentum, share=-1.0),
        "v is forgotten after each step: change `velocity` in place": with_(momentum, forget=True),
        "v is updated after w, and must be before": with_(momentum, late=True)}),
    "6b": an_optimizer(a_momentum(Nesterov), nesterov, {
        "this is plain momentum, without the look ahead": momentum,
        "it looks ahead by the old velocity; the new one is meant": with_(nesterov, old=True)}),
    "6c": an_optimizer(an_rmsprop, rmsprop, {
        "rho and 1 - rho are exchanged":
            lambda g, t, kept, alpha, rho, epsilon: rmsprop(g, t, kept, alpha, 1 - rho, epsilon),
        "s is forgotten after each step: change `squares` in place": with_(rmsprop, forget=True),
        "the root is missing": with_(rmsprop, root=False), "epsilon belongs outside the root": with_(rmsprop, inside=True),
        "the gradient itself is averaged; its square is meant": with_(rmsprop, power=1),
        "this is AdaGrad: the squares must be averaged, with rho and 1 - rho": with_(rmsprop, average=False)}),
    "6d": an_optimizer(an_adam, adam, {
        "m and v are forgotten after each step: change them in place": with_(adam, forget=True),
        "the corrected m̂ and v̂ are kept; they are for this step only, and m and v go on": with_(adam, keep=True),
        "the factors 1 - beta in m and v are missing, and the corrections 1 - beta^t need them": with_(adam, share=False),
        "the corrections 1 - beta^t are missing": with_(adam, m_hat=False, v_hat=False),
        "the correction 1 - beta1^t of m is missing": with_(adam, m_hat=False),
        "the correction 1 - beta2^t of v is missing": with_(adam, v_hat=False),
        "epsilon belongs outside the root": with_(adam, inside=True), "the root of v̂ is missing": with_(adam, root=False)}),
    "7a": principal_components, "7b": gradients(a_tied), "8a": masking_noise, "8b": kl_sparsity, "8c": kl_slope,
    "8d": a_penalty(a_sparsity), "8e": topk_forward, "8f": gradients(a_topk), "8g": a_penalty(a_contraction),
    "8h": a_penalty(an_autoencoder(lambda rng: WeightDecay(0.3), Tanh)), "8i": dropout_backward, "11a": log_prior,
    "12a": draw, "12b": draw_backward(DiagonalGaussian), "12c": divergence, "12d": kl_backward(DiagonalGaussian),
    "12e": log_draw, "13a": elbo_backward, "14a": draw_backward(FullGaussian), "14b": kl_backward(FullGaussian),
    "14c": learnt_noise, "14d": gradients(a_real_loss(HeteroscedasticGaussianNLL)), "14e": importance_weights,
}
