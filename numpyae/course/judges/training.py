"""Exercises of lectures 5 to 8: numerical gradients, optimizers, PCA, tied weights; corruption, sparsity, dropout."""

import contextlib
import math
from functools import partial

import numpy as np

from numpyae import (PCA, Adam, Autoencoder, Contraction, Dense, Dropout, KLSparsity, L2Sparsity, MaskingNoise,
                     Momentum, Nesterov, RMSProp, Sequential, Sigmoid, SquaredError, Tanh, TiedDense, TopK,
                     WeightDecay, mlp)
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import Wrong, gradients, hold, keeps, moved, must, near, primes, returned, table
from numpyae.gradcheck import numerical


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
    """Judge five steps along given gradients, held against those of `reference`.

    spans: {setting of the optimizer: (least, most)}; mistakes: {sentence: the options with which reference makes it}.
    """
    P, steps = primes(rng, 1)[0], 5
    w, grads = rng.standard_normal(P), rng.standard_normal((steps, P)) * rng.uniform(0.5, 2, P)
    settings = {name: float(rng.uniform(*span)) for name, span in spans.items()}
    optimizer, moved = kind(**settings), w.copy()
    for done, grad in enumerate(grads, 1):
        before = grad.copy()
        optimizer.step(moved, grad)
        must(np.array_equal(grad, before), "step changes grad, which it may only read")
        must(not np.array_equal(moved, w),
             "w has not changed: it must change in place, w -= ... or w += ..., not w = w - ...")
        truth, *wrong = (follow(reference, w, grads[:done], settings | options)
                         for options in ({}, *mistakes.values()))
        hold(f"w after {done} step{'s' * (done > 1)}", moved, truth, dict(zip(mistakes, wrong)), tolerance=1e-7)


def follow(reference, w, grads, settings):
    """Return w after these gradients; reference(g, t, kept, …) is what step t adds to w, `kept` its memory."""
    memory = {}
    return w + sum(reference(g, t, memory, **settings) for t, g in enumerate(grads, 1))


def momentum(g, t, kept, alpha, mu, by="v", share=1.0, forget=False):
    old = 0 if forget else kept.get("v", 0)
    kept["v"] = v = mu * old - share * alpha * g
    return {"v": v, "old v": old, "ahead": mu * v - alpha * g, "ahead by old v": mu * old - alpha * g}[by]


exercise("6a", "optimizers.Momentum.step", "momentum", 'lecture 6, "Why it is slow, and what momentum buys"', """
  Give w a velocity, with a friction that keeps the part mu of it: v <- mu v - alpha grad, then w <- w + v. w (P,)
  changes in place, grad (P,) is only read; `velocity` is v.""",
          given=2,
         judge=partial(an_optimizer, Momentum, {"alpha": (0.01, 0.1), "mu": (0.6, 0.9)}, momentum, {
    "it goes up: the gradient is subtracted": {"share": -1.0},
    "v is forgotten after each step: change `velocity` in place": {"forget": True},
    "v is updated after w, and must be before": {"by": "old v"}}))

exercise("6b", "optimizers.Nesterov.step", "nesterov", 'lecture 6, "Why it is slow, and what momentum buys"', """
  Momentum with the gradient taken where the velocity is about to lead. w holds the look-ahead point itself: the
  velocity becomes mu v - alpha grad as before, and w moves by mu times the new velocity, minus alpha grad. w (P,)
  changes in place; `velocity` is v.""", given=2,
         judge=partial(an_optimizer, Nesterov, {"alpha": (0.01, 0.1), "mu": (0.6, 0.9)},
                       partial(momentum, by="ahead"), {
    "this is plain momentum, without the look ahead": {"by": "v"},
    "it looks ahead by the old velocity; the new one is meant": {"by": "ahead by old v"}}))


def rmsprop(g, t, kept, alpha, rho, epsilon, exchange=False, power=2, inside=False, root=True, average=True,
            forget=False):
    old, new = (1 - rho, rho) if exchange else (rho, 1 - rho) if average else (1, 1)
    kept["s"] = s = old * (0 if forget else kept.get("s", 0)) + new * abs(g) ** power
    return -alpha * g / (np.sqrt(s + epsilon) if inside else (np.sqrt(s) if root else s) + epsilon)


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
    return -alpha * m / (np.sqrt(v + epsilon) if inside else (np.sqrt(v) if root else v) + epsilon)


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
    whole = moved(Autoencoder(Sequential(dense, Tanh()), Sequential(TiedDense(dense)), SquaredError()), rng)
    return [(tied, rng.standard_normal((N, H))), (whole, rng.standard_normal((N, D)))]


exercise("7b", "layers.TiedDense.backward", "tied weights, backward",
          '[003] 2 "Autoencoders"; lecture 7, "Autoencoder networks"', """
  A decoder with the weights of the encoder, transposed: a = x Wᵀ + b, W (n_out, n_in) that of `dense`, x (N, n_in).
  delta is ∂L/∂a. Return dx (N, n_in), add ∂L/∂b to db, and add this layer's share of ∂L/∂W to dW, which is the
  gradient of the other layer's W: W is used twice, so its gradient has two summands; the other layer adds its own.""",
          given=1, judge=gradients(a_tied))


# lecture 8: corruption, sparsity, contraction, dropout


def an_autoencoder(penalty, rng, activation=Sigmoid):
    """Return (autoencoder, x): one layer, with this penalty on its code."""
    N, D, H = primes(rng, 3)
    model = Autoencoder(mlp([D, H], output=activation, rng=rng), mlp([H, D], rng=rng), SquaredError(),
                        penalties=[penalty])
    return moved(model, rng), rng.standard_normal((N, D))


def a_penalty(make, rng):
    """Judge a backward: its result, whether `weight`, 1 in an autoencoder, is used; then gradients."""
    for model, x in make(rng):
        model.loss(x)
        once, thrice = penalty_gradient(model, 1.0), penalty_gradient(model, 3.0)
        must(not np.any(once) or near(thrice, 3 * once, 1e-9),
             "three times the weight does not give three times the gradients: ∂L/∂penalty, the argument weight, is "
             "a factor of all of them")
    gradients(make)(rng)


def penalty_gradient(model, weight):
    """Return in one vector all that the backward of the model's penalty gives. Raise Wrong where a shape is wrong."""
    model.zero_grad()
    shape = model.encoder.layers[-1].h.shape
    added = returned("backward", model.penalties[0].backward, weight)
    must(isinstance(added, dict), f"backward must return a dict, {{index: array}} or {{}}, got {type(added).__name__}")
    for delta in added.values():
        must(np.shape(delta) == shape,
             f"the array of {{index: array}} must have shape {shape}, like h, got {np.shape(delta)}")
    return np.concatenate([model.grad, *map(np.ravel, added.values())])


@exercise("8a", "corruption.MaskingNoise.draw", "masking noise", '[002] "The corruption process"', """
  "A fraction of the input set to zeros or ones": draw for each element of x (N, D), independently, 1 with probability
  p, when it will be masked, else 0. An array of the shape and dtype of x, drawn with rng.random, not with np.random.
  """)
def masking_noise(rng):
    p = float(rng.uniform(0.2, 0.4))
    noise, seed, shape = MaskingNoise(p), int(rng.integers(2**32)), (311, 97)
    x = rng.standard_normal(shape)
    found = returned("draw", lambda x: noise.draw(x, np.random.default_rng(seed)), x)
    again, *others = (noise.draw(x, np.random.default_rng(seed + k)) for k in range(4))
    must(isinstance(found, np.ndarray) and found.shape == shape,
         f"draw must return an array of the shape of x, {shape}, got {getattr(found, 'shape', type(found).__name__)}")
    means = found.mean(axis=1), found.mean(axis=0)
    share, off = found.mean(), 6 * math.sqrt(p * (1 - p) / found.size)
    asked = f"a share of {share:.3f} is 1, and p = {p:.3f} was asked for"
    for right, sentence in (
            (np.array_equal(found, again),
             "the same rng gives two different masks: draw with rng.random, not with np.random"),
            (not np.array_equal(found, others[0]), "two different rng give the same mask: draw with rng.random"),
            (np.all((found == 0) | (found == 1)), "the mask must have nothing but 0 and 1" + (
                ": this is x with its mask, which `apply` makes" if np.isin(found, x).mean() > 0.5 else "")),
            (found.dtype == x.dtype, f"the mask must be {x.dtype}, as x is, got {found.dtype}"),
            (abs(share - p) <= off or abs(share - (1 - p)) > off,
             f"{asked}: 1 where it is masked, so the comparison is the wrong way round"),
            (not any(np.ptp(mean) == 1 and set(mean) <= {0, 1} for mean in means),
             "whole rows or columns are masked together: each element is masked on its own"),
            (all(np.ptp(mean) for mean in means),
             "all rows, or all columns, have equally many masked elements: each element is masked on its own"),
            (abs(share - p) <= off, asked),
            (any(other.sum() != found.sum() for other in others),
             "every mask has equally many ones: each element is masked on its own, so their number is left to chance")):
        must(right, sentence)


@exercise("8b", "penalties.KLSparsity.distance", "kl sparsity",
          '[003] 3.1 "Sparse Autoencoders"; [002] "sparsity regularization loss"', """
  What it costs, in nats, that a unit is active with probability m where rho was wanted: the divergence between two
  coins, KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m), element by element, for m (H,) in (0, 1). The target ρ
  comes first.""", given=1)
def kl_sparsity(rng):
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


@exercise("8c", "penalties.KLSparsity.slope", "kl sparsity, slope", '[003] 3.1 "Sparse Autoencoders"', """
  The derivative of KL(ρ ‖ m) = ρ log ρ/m + (1 - ρ) log (1 - ρ)/(1 - m) with respect to m (H,), element by element.""",
          given=1)
def kl_slope(rng):
    penalty, m = KLSparsity(float(rng.uniform(0.05, 0.3)), 0.7), rng.uniform(0.1, 0.9, primes(rng, 1)[0])
    h, rho = 1e-30, penalty.rho
    truth = np.imag(rho * np.log(rho / (m + 1j * h)) + (1 - rho) * np.log((1 - rho) / (1 - m - 1j * h))) / h
    hold("the slope", returned("slope", penalty.slope, m), truth, {
        "the term of m = 1, (1 - ρ)/(1 - m), is missing": -rho / m,
        "the term of m = 0, -ρ/m, is missing": (1 - rho) / (1 - m),
        "the derivative of log(1 - m) has a minus of its own": -rho / m - (1 - rho) / (1 - m),
        "this is the distance itself, and its derivative is asked for":
            rho * np.log(rho / m) + (1 - rho) * np.log((1 - rho) / (1 - m)),
        "the logarithms are still there: d/dm log m is 1/m": np.log((1 - rho) / (1 - m)) - np.log(rho / m),
        "the weight is in it, which is put in elsewhere": 0.7 * truth})
    gradients(lambda rng: [an_autoencoder(KLSparsity(0.2, 0.7), rng)])(rng)


exercise("8d", "penalties.Sparsity.backward", "sparsity penalty, backward",
          '[003] 3.1 "Sparse Autoencoders"; [002] "Sparse autoencoders"', """
  The penalty is own_weight Σ_j s(m_j) with the mean activation m_j = 1/N Σ_n h_nj of unit j (over="batch"), or
  own_weight 1/N Σ_n s(m_n) with m_n = 1/H Σ_j h_nj of sample n (over="units"). h is (N, H), m and its slope s'(m) =
  self.slope(m) are (H,) or (N,). Return {index: ∂L/∂h}, (N, H), where weight is ∂L/∂penalty. A mean has 1/N (or 1/H)
  in its derivative, and every h in it the same share. `axis` is that of the mean: 0 for the batch, else 1.""",
          judge=partial(a_penalty, lambda rng: [an_autoencoder(penalty(0.2, 0.7, over=over), rng) for over in
                                                ("batch", "units") for penalty in (KLSparsity, L2Sparsity)]))


@exercise("8e", "layers.TopK.forward", "k sparse, forward", '[002] "k-sparse autoencoder"', """
  Keep the k strongest units of each sample, set the others to 0: y = x mask, x (N, H), mask (N, H) with k ones in
  every row. `self.strength(x)` says how strong each unit is: |x| in [002]'s formula. Keep the mask as self.mask, an
  array of 0 and 1 like x, for the way back.""", given=2)
def topk_forward(rng):
    for by, strength, wrong, meant, other in (("magnitude", abs, float, "|x|", "x"), ("value", float, abs, "x", "|x|")):
        N, H = primes(rng, 2)
        k = int(rng.integers(1, H))
        layer, x = TopK(k, by=by), rng.standard_normal((N, H)) - 0.3

        def kept(k, strength=strength, sign=-1):
            ranks = [sorted(range(H), key=lambda j: sign * strength(row[j])) for row in x]
            return table((N, H), lambda n, j: j in ranks[n][:k])

        mask = kept(k)
        over = np.argsort(-np.abs(x) if by == "magnitude" else -x, axis=0)
        columns = np.zeros_like(x)
        np.put_along_axis(columns, over[:min(k, N)], 1, axis=0)
        hold("y", returned("forward", layer.forward, x), x * mask, {
            "this is the mask: return x mask": mask,
            "the k weakest units are kept": x * kept(k, sign=1),
            f"{k + 1} units are kept where k is {k}": x * kept(k + 1),
            f"{k - 1} units are kept where k is {k}": x * kept(k - 1),
            "the strongest are sought among the samples; it must be among the units of each row": x * columns,
            "the winners are set to 0, and the others kept": x * (1 - mask),
            "the sign of the winners is lost": np.abs(x) * mask,
            f"the largest {other} are kept where the largest {meant} are meant: ask self.strength": x * kept(k, wrong)})
        if isinstance(getattr(layer, "mask", None), np.ndarray):
            layer.mask = layer.mask.astype(float)
        keeps("forward", layer, {"mask": mask})
        layer.forward(np.ones((N, H)))
        ones = int(np.sum(np.asarray(layer.mask)[0] != 0))
        must(ones == k, f"where all units are equally strong {ones} are kept, and k is {k}: of equal ones any may win, "
                        f"but exactly k do")


exercise("8f", "layers.TopK.backward", "k sparse, backward", '[002] "k-sparse autoencoder"', """
  "Keep the gradient of the winners": delta is ∂L/∂y of y = x mask, return dx = ∂L/∂x, (N, H). Forward has kept mask.
  """, judge=gradients(TopK.examples))

exercise("8g", "penalties.Contraction.backward", "contraction, one layer, backward",
          '[002] "Contractive Autoencoders"; [003] 3.3', """
  For a code of one layer, h = φ(a), a = x W + b, the Jacobian is J_nij = W_ij φ'(a_nj), and the penalty own_weight 1/N
  Σ_n ‖J_n‖²_F = own_weight 1/N Σ_n Σ_j φ'(a_nj)² ‖w_j‖², w_j a column of W. It depends on W in two ways: directly, and
  through a in φ'(a). weight is ∂L/∂penalty. Add the first to dense.dW, and return the second as {index: ∂L/∂a}: its
  own way back goes through the layer.

      index, dense, phi = chain[0]
      dense.x (N, D),   dense.W (D, K),   phi.derivative() and phi.second_derivative() (N, K)""",
          unused=("E", "EG", "P", "G"),
          judge=partial(a_penalty, lambda rng: [an_autoencoder(Contraction(0.3), rng, activation)
                                                for activation in (Tanh, Sigmoid)]))

exercise("8h", "penalties.WeightDecay.backward", "weight decay, backward", '[002] "Regularized autoencoders"', """
  The penalty is own_weight Σ W² over the weight matrices of all `denses`, without ½; biases are left alone. weight is
  ∂L/∂penalty. Add ∂L/∂W to the dW of each, and return {}, since no activation is involved.""",
          judge=partial(a_penalty, lambda rng: [an_autoencoder(WeightDecay(0.3), rng, Tanh)]))


@exercise("8i", "layers.Dropout.backward", "dropout, backward",
          'lecture 8, "All variants, trained" (noise inside the network)', """
  Forward computes y = x mask / keep while training, mask 0 or 1, and y = x otherwise: then mask is None. delta is
  ∂L/∂y, return dx = ∂L/∂x.""")
def dropout_backward(rng):
    gradients(Dropout.examples)(rng)
    layer, x, delta = Dropout(0.4), rng.standard_normal((3, 5)), rng.standard_normal((3, 5))
    layer.training = False
    layer.forward(x)
    hold("dx without training", returned("backward", layer.backward, delta), delta)
