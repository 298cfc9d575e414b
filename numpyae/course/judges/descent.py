"""Exercises of lectures 5 to 7: numerical gradients, optimizers, PCA, tied weights."""

import contextlib
import math
from functools import partial

import numpy as np

from numpyae.activations import Tanh
from numpyae.autoencoder import Autoencoder
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import Wrong, gradients, hold, must, near, primes, returned, table
from numpyae.gradcheck import numerical
from numpyae.layers import Dense, Sequential, TiedDense
from numpyae.linear import PCA
from numpyae.losses import SquaredError
from numpyae.optimizers import Adam, Momentum, Nesterov, RMSProp


@exercise("5a", "gradcheck.numerical.central", "central difference", 'lecture 5, "Finite differences"', """
  The second opinion on every gradient: move one element w[index] by h up and down and see what f does. Return the
  slope (f(w + h e_i) - f(w - h e_i)) / step and the rounding error to expect of it, (|f(w + h e_i)| + |f(w - h e_i)|)
  EPS / step, where step is the distance between the two numbers w[index] really had (rounding makes it not quite 2h).
  w must be afterwards what it was, also when f raises an exception.""")
def central_difference(rng):
    def f(w):
        """A function whose slope is not small anywhere, and whose third derivative is."""
        return float(np.sum(np.sin(0.3 * w) + 0.5 * w + 0.1 * w**2))

    def fails(w):
        raise ArithmeticError("f is not defined here")

    w = rng.standard_normal(tuple(primes(rng, 2)))
    kept, index, h = w.copy(), (1, 2), float(rng.uniform(1e-5, 2e-5))
    up, down = kept.copy(), kept.copy()
    up[index] += h
    down[index] -= h
    step = up[index] - down[index]
    slope, digit = (f(up) - f(down)) / step, (abs(f(up)) + abs(f(down))) * np.finfo(float).eps / step
    found = numerical.central(f, w, index, h)
    must(isinstance(found, (tuple, list, np.ndarray)) and len(found) == 2,
         f"central must return two numbers, the slope and its rounding error, got "
         f"{found if found is None else type(found).__name__}")
    must(np.array_equal(w, kept), "w is not what it was: keep the old w[index] and put it back"
         + (". To add h again is not enough, since it is rounded" if near(w, kept, 1e-12) else ""))
    hold("the slope", float(found[0]), slope, {
        "this is a one-sided difference, (f(w + h) - f(w)) / h": (f(up) - f(kept)) / h,
        "this is a one-sided difference, (f(w) - f(w - h)) / h": (f(kept) - f(down)) / h,
        "it is divided by h where the step is 2h": (f(up) - f(down)) / h,
        "all of w is moved, and only w[index] must be": (f(kept + h) - f(kept - h)) / (2 * h),
        "it is not divided by the step": f(up) - f(down)}, tolerance=2e-7 if abs(slope) > 0.01 else 1e-4)
    hold("the rounding error", float(found[1]), digit, tolerance=1e-6)
    with contextlib.suppress(ArithmeticError):
        numerical.central.__wrapped__(fails, w, index, h)
    must(np.array_equal(w, kept), "w is not what it was after f has raised an exception: restore it in a `finally:`")


@exercise("5b", "gradcheck.numerical.complex_step", "complex step", 'lecture 5, "Finite differences"', """
  A derivative without a difference: for an f that accepts complex numbers ∂f/∂w_i = Im f(w + i h e_i) / h with h =
  1e-30. Nothing is subtracted, so nothing cancels. w is a float array of any shape and stays as it is; the gradient
  has its shape. ValueError when f gives no complex number.""")
def complex_step(rng):
    w = rng.standard_normal(tuple(primes(rng, 2)))

    def f(v):
        return np.sum(np.exp(0.3 * v) * np.sin(v))

    truth = np.exp(0.3 * w) * (0.3 * np.sin(w) + np.cos(w))
    hold("the gradient", returned("complex_step", lambda w: numerical.complex_step(f, w), w), truth, {
        "it is not divided by h": 1e-30 * truth,
        "the real part is taken where the imaginary part is meant": np.full(w.shape, f(w) / 1e-30)}, tolerance=1e-13)
    try:
        numerical.complex_step.__wrapped__(lambda v: float(np.sum(v.real)), w)
    except ValueError:
        return
    raise Wrong("an f that gives no complex number must be a ValueError: its slope would be taken for 0")


def an_optimizer(kind, spans, reference, mistakes, rng):
    """Judge five steps along given gradients, held against those of `reference`, one number at a time.

    spans: {setting of the optimizer: (least, most)}; mistakes: {sentence: the options with which reference makes it}.
    """
    P, steps = primes(rng, 1)[0], 5
    w, grads = rng.standard_normal(P), rng.standard_normal((steps, P)) * rng.uniform(0.5, 2, P)
    settings = {name: float(rng.uniform(*span)) for name, span in spans.items()}
    for done in range(1, steps + 1):
        found = after(kind(**settings), w, grads[:done])
        truth, *wrong = (follow(reference, w, grads[:done], settings | options)
                         for options in ({}, *mistakes.values()))
        hold(f"w after {done} step{'s' * (done > 1)}", found, truth, dict(zip(mistakes, wrong)), tolerance=1e-7)


def after(optimizer, w, grads):
    """Return w after a step of the optimizer along each gradient. Raise Wrong if it changes a gradient, or not w."""
    moved = w.copy()
    for grad in grads:
        before = grad.copy()
        optimizer.step(moved, grad)
        must(np.array_equal(grad, before), "step changes grad, which it may only read")
    must(not np.array_equal(moved, w),
         "w has not changed: it must change in place, w -= ... or w += ..., not w = w - ...")
    return moved


def follow(reference, w, grads, settings):
    """Return w after these gradients; reference(g, t, kept, …) is step t of a single weight, `kept` its memory."""
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


exercise("6a", "optimizers.Momentum.step", "momentum", 'lecture 6, "Why it is slow, and what momentum buys"', """
  Give w a velocity, with a friction that keeps the part mu of it: v <- mu v - alpha grad, then w <- w + v. w (P,)
  changes in place, grad (P,) is only read; `velocity` is v.""",
          given=2,
         judge=partial(an_optimizer, Momentum, {"alpha": (0.01, 0.1), "mu": (0.6, 0.9)}, momentum, {
    "it goes up: the gradient is subtracted": {"share": -1.0},
    "v is forgotten after each step: change `velocity` in place": {"forget": True},
    "v is updated after w, and must be before": {"late": True}}))


def nesterov(g, t, kept, alpha, mu, plain=False, old=False):
    before = kept.get("v", 0)
    kept["v"] = mu * before - alpha * g
    return kept["v"] if plain else mu * (before if old else kept["v"]) - alpha * g


exercise("6b", "optimizers.Nesterov.step", "nesterov", 'lecture 6, "Why it is slow, and what momentum buys"', """
  Momentum with the gradient taken where the velocity is about to lead. w holds the look-ahead point itself: the
  velocity becomes mu v - alpha grad as before, and w moves by mu times the new velocity, minus alpha grad. w (P,)
  changes in place; `velocity` is v.""", given=2,
         judge=partial(an_optimizer, Nesterov, {"alpha": (0.01, 0.1), "mu": (0.6, 0.9)}, nesterov, {
    "this is plain momentum, without the look ahead": {"plain": True},
    "it looks ahead by the old velocity; the new one is meant": {"old": True}}))


def rmsprop(g, t, kept, alpha, rho, epsilon, exchange=False, power=2, inside=False, root=True, average=True,
            forget=False):
    old, new = (1 - rho, rho) if exchange else (rho, 1 - rho) if average else (1, 1)
    kept["s"] = s = old * (0 if forget else kept.get("s", 0)) + new * abs(g) ** power
    return -alpha * g / (math.sqrt(s + epsilon) if inside else (math.sqrt(s) if root else s) + epsilon)


exercise("6c", "optimizers.RMSProp.step", "rmsprop", 'lecture 6, "Seven ways down"', """
  Divide by how large the gradients lately were, element by element: s <- rho s + (1 - rho) g², w <- w - alpha g / (√s
  + epsilon). w (P,) changes in place; `squares` is s.""", given=2,
         judge=partial(an_optimizer, RMSProp, {"alpha": (0.01, 0.1), "rho": (0.6, 0.9), "epsilon": (1e-2, 1e-2)},
                       rmsprop, {
    "rho and 1 - rho are exchanged": {"exchange": True},
    "s is forgotten after each step: change `squares` in place": {"forget": True},
    "the root is missing": {"root": False},
    "epsilon belongs outside the root": {"inside": True},
    "the gradient itself is averaged; its square is meant": {"power": 1},
    "this is AdaGrad: the squares must be averaged, with rho and 1 - rho": {"average": False}}))


def adam(g, t, kept, alpha, beta1, beta2, epsilon, m_hat=True, v_hat=True, inside=False, root=True, forget=False,
         keep=False, share=True):
    old = {} if forget else kept
    kept["m"] = m = beta1 * old.get("m", 0) + (1 - beta1 if share else 1) * g
    kept["v"] = v = beta2 * old.get("v", 0) + (1 - beta2 if share else 1) * g * g
    m, v = m / (1 - beta1**t if m_hat else 1), v / (1 - beta2**t if v_hat else 1)
    if keep:
        kept["m"], kept["v"] = m, v
    return -alpha * m / (math.sqrt(v + epsilon) if inside else (math.sqrt(v) if root else v) + epsilon)


exercise("6d", "optimizers.Adam.step", "adam", 'lecture 6, "Seven ways down"', """
  Decaying averages of g and of g², both corrected for their start at 0 in step t = 1, 2, ...:

      m <- beta1 m + (1 - beta1) g      v <- beta2 v + (1 - beta2) g²
      w <- w - alpha m̂ / (√v̂ + epsilon),   m̂ = m / (1 - beta1^t),   v̂ = v / (1 - beta2^t)

  w (P,) changes in place. self.t is t, already counted up for this step. m and v begin as zeros and are yours: keep in
  them what you like (the library leaves the factors 1 - beta out of them, for speed).""",
          given=2, unused=("piece", "scratch"),
         judge=partial(an_optimizer, Adam, {"alpha": (0.01, 0.1), "beta1": (0.6, 0.8), "beta2": (0.85, 0.95),
                                   "epsilon": (1e-2, 1e-2)}, adam, {
    "m and v are forgotten after each step: change them in place": {"forget": True},
    "the corrected m̂ and v̂ are kept; they are for this step only, and m and v go on": {"keep": True},
    "the factors 1 - beta in m and v are missing, and the corrections 1 - beta^t need them": {"share": False},
    "the corrections 1 - beta^t are missing": {"m_hat": False, "v_hat": False},
    "the correction 1 - beta1^t of m is missing": {"m_hat": False},
    "the correction 1 - beta2^t of v is missing": {"v_hat": False},
    "epsilon belongs outside the root": {"inside": True},
    "the root of v̂ is missing": {"root": False}}))


@exercise("7a", "linear.PCA.fit", "principal component analysis",
          '[002] "the same subspace as Principal Component Analysis (PCA)"', """
  The best linear autoencoder. For x (N, D) find and keep self.mean μ (D,); self.components V (D, K), orthonormal
  columns, the K directions of largest variance; and self.eigenvalues (D,) of the covariance 1/N (X - μ)ᵀ(X - μ),
  falling. The code is then (x - μ) V and its reconstruction μ + z Vᵀ. End with `return self`.""", given=2)
def principal_components(rng):
    K, D, N = sorted(primes(rng, 3))
    x = 3 + rng.standard_normal((N + D, D)) @ rng.standard_normal((D, D))
    N = len(x)
    pca = PCA(K)
    must(returned("fit", pca.fit, x) is pca, "fit must end with `return self`")
    for name in ("mean", "components", "eigenvalues"):
        must(hasattr(pca, name), f"fit must keep self.{name}")
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
    must(np.shape(V) != (K, D), f"components are transposed: they are the columns of an array (D, K), here {(D, K)}")
    must(np.shape(V) == (D, K), f"components must have shape (D, K), here {(D, K)}, got {np.shape(V)}")
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


exercise("7b", "layers.TiedDense.backward", "tied weights, backward",
          '[003] 2 "Autoencoders"; lecture 7, "Autoencoder networks"', """
  A decoder with the weights of the encoder, transposed: a = x Wᵀ + b, W (n_out, n_in) that of `dense`, x (N, n_in).
  delta is ∂L/∂a. Return dx (N, n_in), add ∂L/∂b to db, and add this layer's share of ∂L/∂W to dW, which is the
  gradient of the other layer's W: W is used twice, so its gradient has two summands; the other layer adds its own.""",
          given=1, judge=gradients(a_tied))
