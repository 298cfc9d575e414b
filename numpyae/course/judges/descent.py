"""Judges of lectures 5 to 7: numerical gradients, optimizers, PCA, tied weights."""

import contextlib
import functools
import math

import numpy as np

from numpyae.activations import Tanh
from numpyae.autoencoder import Autoencoder
from numpyae.course.judges import tools
from numpyae.course.judges.tools import Wrong, gradients, hold, near, primes, returned, table
from numpyae.gradcheck import numerical
from numpyae.layers import Dense, Sequential, TiedDense
from numpyae.linear import PCA
from numpyae.losses import SquaredError
from numpyae.optimizers import Adam, Momentum, Nesterov, RMSProp


def central_difference(rng):
    for _ in range(tools.DRAWS):
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
    for _ in range(tools.DRAWS):
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
        for _ in range(tools.DRAWS):
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
    for _ in range(tools.DRAWS):
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


JUDGES = {
    "5a": central_difference, "5b": complex_step,
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
    "7a": principal_components, "7b": gradients(a_tied),
}
