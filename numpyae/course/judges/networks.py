"""Exercises of lectures 1 to 4: basis functions; layers and losses, forward and backward; the slides' algorithm."""

import math
from functools import partial

import numpy as np

from numpyae import (ELU, BernoulliNLL, Dense, FourierBasis, GaussianBasis, PolynomialBasis, ReLU, Sigmoid, Softmax,
                     SoftmaxCrossEntropy, Softplus, SquaredError, Tanh, linear, mlp, training)
from numpyae.course.judges.record import exercise
from numpyae.course.judges.tools import (ACTIVATION, LOSS, ONE_EACH, Wrong, gradients, hold, moved, must, primes,
                                         returned, table)

WITHOUT = "the column φ₀ ≡ 1 is there, and this basis is one without it (bias=False): return self.with_bias(phi)"
MISSING = "the column φ₀ ≡ 1 is missing: return self.with_bias(phi)"


@exercise("1a", "basis.PolynomialBasis.forward", "basis matrix of a polynomial",
          '[000] "Model: 0th, 1st, and 3rd order polynomial"', """
  The model y(x, w) = Σ_j w_j φ_j(x) is linear in w. Turn x (N, D) into the design matrix Φ (N, M), one column for each
  monomial φ_j(x) = Π_d x_d^p_jd: row j of `powers` (M, D) has the exponents p_jd. The constant φ₀ ≡ 1 is not among
  them: `return self.with_bias(phi)` puts it in front of your columns where there is one.""", given=1)
def polynomial_basis(rng):
    N, = primes(rng, 1)
    for order, n_in, bias in ((5, 1, True), (3, 2, True), (2, 3, False)):
        basis = PolynomialBasis(order, n_in, bias=bias)
        x = rng.uniform(0.3, 1.7, (N, n_in)) * rng.choice([-1, 1], (N, n_in))
        phi = table((N, len(basis.powers)),
                    lambda n, j: math.prod(x[n, d] ** int(basis.powers[j, d]) for d in range(n_in)))
        one = np.ones((N, int(bias)))
        hold("Φ", returned("forward", basis.forward, x), np.hstack([one, phi]), {
            MISSING: phi,
            "the column φ₀ ≡ 1 is there twice: powers does not have it": np.hstack([one, one, phi]),
            WITHOUT: np.hstack([np.ones((N, 1)), phi]),
            "the powers of the inputs are added; a monomial is their product":
                np.hstack([one, (x[:, None] ** basis.powers).sum(axis=2)]),
            "it has powers times x where x to the power is meant": np.hstack([one, x @ basis.powers.T]),
            "every power is too high by one": np.hstack([one, phi * x.prod(axis=1, keepdims=True)]),
            "the columns are in reverse order": np.hstack([one, phi])[:, ::-1],
            "the column φ₀ ≡ 1 belongs in front": np.hstack([phi, one])})


@exercise("1b", "linear.least_squares", "least squares", '[000] "How do we find w?"', """
  "Usually we minimise the mean squared error": L(w) = Σ_n (t_n - y(x_n, w))². For y = Φ w this has a closed form: set
  the gradient 2 Φᵀ(Φ w - t) to zero and solve. phi is (N, M), t is (N, K), and the result w is (M, K), one column for
  each target.""")
def least_squares(rng):
    M, K, N = sorted(primes(rng, 3))
    M, K = rng.permutation([M, K])
    phi, t = rng.standard_normal((N, M)), rng.standard_normal((N, K))
    q = np.linalg.qr(phi)[0]
    w = np.linalg.solve(phi.T @ phi, phi.T @ t)
    hold("w", returned("least_squares", linear.least_squares, phi, t), w, {
        "this is Φᵀt: it must still be multiplied by (ΦᵀΦ)⁻¹": phi.T @ t,
        "this is Φ w, the fitted curve: w itself is asked for": q @ (q.T @ t),
        "a ridge λ‖w‖² with λ = 1 is added; plain least squares are asked for":
            np.linalg.solve(phi.T @ phi + np.eye(M), phi.T @ t)},
        {"the number of samples": N}, 1e-7)


@exercise("2a", "basis.GaussianBasis.forward", "basis matrix of Gaussians",
          '[000] "What about the following model?"', """
  Bumps instead of powers: x (N, D) -> Φ (N, M), φ_j(x) = exp(-‖x - c_j‖² / (2 width²)), with `centres` (M, D) and one
  width for all. `return self.with_bias(phi)` puts the column φ₀ ≡ 1 in front where there is one.""", given=1)
def gaussian_basis(rng):
    for bias in (True, False):
        N, M, D = primes(rng, 3)
        width = rng.uniform(1.1, 2.0)
        c, x = rng.standard_normal((M, D)), rng.standard_normal((N, D))
        basis, one = GaussianBasis(c, width, bias=bias), np.ones((N, int(bias)))
        r2 = table((N, M), lambda n, j: sum((x[n, d] - c[j, d]) ** 2 for d in range(D)))
        phi = np.exp(-r2 / (2 * width**2))
        hold("Φ", returned("forward", basis.forward, x), np.hstack([one, phi]), {
            MISSING: phi,
            WITHOUT: np.hstack([np.ones((N, 1)), phi]),
            "the 2 under the width is missing: exp(-‖x - c‖² / (2 width²))": np.hstack([one, np.exp(-r2 / width**2)]),
            "the width must be squared": np.hstack([one, np.exp(-r2 / (2 * width))]),
            "it has the distance itself; its square is meant": np.hstack([one, np.exp(-np.sqrt(r2) / (2 * width**2))]),
            "it is the distance and not yet the bump": np.hstack([one, r2 / (2 * width**2)]),
            "it is normalised as a density; a bump has height 1":
                np.hstack([one, phi / (2 * math.pi * width**2) ** (D / 2)])})


@exercise("2b", "basis.FourierBasis.forward", "basis matrix of waves",
          '[000] "Problem definition" (Taylor expansion, Fourier transform)', """
  x (N, D) -> Φ: first all cosines cos(2π kᵀx / period), then all sines of the same, where the columns of `k` (D, K)
  are the wave numbers. `return self.with_bias(phi)` puts the column φ₀ ≡ 1 in front where there is one.""", given=1)
def fourier_basis(rng):
    for order, n_in, bias in ((3, 1, True), (1, 2, False)):
        N, = primes(rng, 1)
        period = rng.uniform(2, 5)
        basis, x = FourierBasis(order, n_in, period=period, bias=bias), rng.standard_normal((N, n_in))
        kx = table((N, basis.k.shape[1]), lambda n, j: sum(basis.k[d, j] * x[n, d] for d in range(n_in)))
        a, one = 2 * math.pi * kx / period, np.ones((N, int(bias)))

        def columns(a):
            return np.hstack([one, np.cos(a), np.sin(a)])

        hold("Φ", returned("forward", basis.forward, x), columns(a), {
            MISSING: columns(a)[:, int(bias):],
            WITHOUT: np.hstack([np.ones((N, 1)), columns(a)]),
            "the sines come first; all cosines belong before them": np.hstack([one, np.sin(a), np.cos(a)]),
            "cosines and sines alternate; first come all cosines, then all sines":
                np.hstack([one, np.stack([np.cos(a), np.sin(a)], axis=2).reshape(N, -1)]),
            "the 2π is missing": columns(a / (2 * math.pi)),
            "it has π where 2π belongs": columns(a / 2),
            "it is multiplied by the period where it must be divided": columns(a * period**2),
            "the period is missing": columns(a * period)})


# lecture 3: layers and losses, forward


@exercise("3a", "layers.Dense.forward", "dense layer, forward",
          '[000] "The multi-layered perceptron = neural network"', """
  Every output is a weighted sum of all inputs and a bias: a = x W + b. Rows are samples: x is (N, n_in), W is (n_in,
  n_out), b is (n_out,), and a is (N, n_out). The activation is a layer of its own, behind this one.""", given=2)
def dense_forward(rng):
    N, D, H = primes(rng, 3)
    dense, x = Dense(D, H, rng=rng), rng.standard_normal((N, D))
    dense.b = b = rng.standard_normal(H)
    W = dense.W.copy()
    a = table((N, H), lambda n, j: b[j] + sum(x[n, i] * W[i, j] for i in range(D)))
    hold("a", returned("forward", dense.forward, x), a, {
        "the bias b is missing": a - b, "the bias b is subtracted, and must be added": a - 2 * b,
        "the bias b is multiplied, and must be added": (a - b) * b,
        "the sum over all inputs is taken without W": x.sum(axis=1, keepdims=True) + b,
        "an activation, the sigmoid, is applied here; it is a layer of its own": 1 / (1 + np.exp(-a)),
        "an activation, tanh, is applied here; it is a layer of its own": np.tanh(a),
        "an activation, the ReLU, is applied here; it is a layer of its own": np.maximum(a, 0),
        "the bias is added once for each of the inputs": a + (D - 1) * b,
        "this is aᵀ: rows are samples": a.T}, {"the batch size": N, "the number of inputs": D})
    must(np.array_equal(dense.W, W) and np.array_equal(dense.b, b),
         "forward changes the weights: it must only read W and b")


@exercise("3b", "activations.Softmax.forward", "softmax, forward",
          '[000] "Towards nonlinear systems"; lecture 3, "How do we find w?"', """
  From K numbers for each sample to K probabilities: p_k = e^(a_k) / Σ_j e^(a_j), row by row, a and p (N, K). It must
  hold for any finite a: e^1000 is infinite for a computer, but p does not change when a number is subtracted from a
  whole row.""")
def softmax_forward(rng):
    N, K = primes(rng, 2)
    a = rng.standard_normal((N, K))
    e = table((N, K), lambda n, k: math.exp(a[n, k]))
    p = table((N, K), lambda n, k: e[n, k] / sum(e[n]))
    hold("p", returned("forward", Softmax().forward, a), p, {
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


@exercise("3c", "losses.SquaredError.forward", "squared error, forward", '[000] "How do we find w?"', """
  L(w) = Σ_n (t_n - y(x_n, w))². A loss here gives one value for each sample, summed over the features: values (N,)
  from the output o and the target t, both (N, D), without ½. The mean over the samples is taken later, by the model.
  """, given=1)
def squared_error_forward(rng):
    N, D = primes(rng, 2)
    o, t = rng.standard_normal((N, D)), rng.standard_normal((N, D))
    values = table((N,), lambda n: sum((t[n, d] - o[n, d]) ** 2 for d in range(D)))
    hold("the value of each sample", returned("forward", SquaredError().forward, o, t), values, {
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
        "the mean is over the samples; it must be the sum over the features of each sample":
            ((o - t) ** 2).mean(axis=0),
        "the sum over the features is missing": (o - t) ** 2})


@exercise("3d", "losses.BernoulliNLL.forward", "sigmoid with cross-entropy, forward",
          "[004] example 5.4.1, Bernoulli outputs", """
  t is 0 or 1, and the output o is a logit: p = σ(o) = 1 / (1 + e^-o) is the probability of a 1. The value of a sample
  is -log p(t | o), in nats, summed over the features: values_n = -Σ_d [t log p + (1 - t) log(1 - p)], (N,) from o and
  t (N, D). It must hold for any finite o: for o = 1000 both e^o and log(1 - p) are infinite. Write it in o: Σ_d log(1
  + e^o) - t o.""", given=1)
def bernoulli_forward(rng):
    N, D = primes(rng, 2)
    o, t = rng.standard_normal((N, D)), (rng.random((N, D)) < 0.5).astype(float)
    p = table((N, D), lambda n, d: 1 / (1 + math.exp(-o[n, d])))
    ones, zeros = t * np.log(p), (1 - t) * np.log(1 - p)
    each = table((N, D), lambda n, d: -math.log(p[n, d] if t[n, d] else 1 - p[n, d]))
    values = each.sum(axis=1)
    twice = 1 / (1 + np.exp(-p))
    hold("the value of each sample", returned("forward", BernoulliNLL().forward, o, t), values, {
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
    hold("the value of each sample for o of ±1000 (are logits or probabilities clipped?)",
         returned("forward", BernoulliNLL().forward, far, t),
         table((N,), lambda n: sum(max(far[n, d], 0) - t[n, d] * far[n, d] for d in range(D))),
         infinite="for o of ±1000 values are not finite: e^o overflows, or a logarithm is taken of 0. With e^-|o| "
                  "nothing does: log(1 + e^o) = max(o, 0) + log(1 + e^-|o|)")


@exercise("3e", "losses.SoftmaxCrossEntropy.forward", "softmax with cross-entropy, forward",
          '[004] "Neural networks are just probability models"', """
  t says which of K classes it is, one row (N, K) of zeros with a single 1, and the output o (N, K) are logits: p =
  softmax(o). The value of a sample is -log p(t | o) in nats, values_n = -Σ_k t_nk log p_nk, (N,). It must hold for any
  finite o, also 1000 and -1000.""", given=3)
def cross_entropy_forward(rng):
    N, K = primes(rng, 2)
    o, label = rng.standard_normal((N, K)), rng.integers(0, K, N)
    t = np.eye(K)[label]
    p = table((N, K), lambda n, k: math.exp(o[n, k]) / sum(math.exp(o[n, j]) for j in range(K)))
    values = table((N,), lambda n: -math.log(p[n, label[n]]))
    pp = np.exp(p) / np.exp(p).sum(axis=1, keepdims=True)
    s = 1 / (1 + np.exp(-o))
    given = (t, label)[int(rng.integers(2))]
    hold("the value of each sample", returned("forward", SoftmaxCrossEntropy().forward, o, given), values, {
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
        hold("the value of each sample for o of about ±1000",
             returned("forward", SoftmaxCrossEntropy().forward, far, given), truth,
             infinite="for o of about ±1000 values are not finite: e^o overflows, or a logarithm is taken of a p that "
                      "is 0. Subtract the largest of each row first, and write log p_k = o_k - log Σ_j e^(o_j)")


# lecture 4: backward

exercise("4a", "losses.SquaredError.backward", "squared error, backward", '[000] "How do we find w?"', """
  The way back begins at the loss. For L = Σ_n weight_n value_n with value_n = Σ_d (o_nd - t_nd)² return delta = ∂L/∂o,
  (N, D). Forward has kept the residual r = o - t, (N, D); weight is (N,), 1/N for each sample when the model takes the
  mean. (The slides' δ = z - o is -½ of this.)""", judge=gradients(SquaredError.examples, LOSS))

exercise("4b", "layers.Dense.backward", "dense layer, backward",
          '[000] "Algorithm for backprop" ("propagate δ back one layer")', """
  delta is ∂L/∂a, (N, n_out), of a = x W + b. "Propagate δ back one layer": return dx = ∂L/∂x, (N, n_in), and add ∂L/∂W
  to dW (n_in, n_out) and ∂L/∂b to db (n_out,). Add, since W may be used twice. Every sample uses the same W and b:
  their gradients are sums over the samples. `input_gradient=False` says that nobody needs dx; you may ignore it.""",
          given=1, judge=gradients(Dense.examples))

exercise("4c", "activations.Sigmoid.backward", "sigmoid, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
  delta is ∂L/∂h of h = σ(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h, and σ' can be
  written in it.""", judge=gradients(Sigmoid.examples, ACTIVATION))

exercise("4d", "activations.Tanh.backward", "tanh, backward", '[000] "Algorithm for backprop" (φ\'(·))', """
  delta is ∂L/∂h of h = tanh(a). Return da = ∂L/∂a = delta φ'(a), (N, H). Forward has kept h.""",
          judge=gradients(Tanh.examples, ACTIVATION))

exercise("4e", "activations.ReLU.backward", "relu, backward",
          '[000] "Towards nonlinear systems" (ReLU, sigmoid, tanh)', """
  delta is ∂L/∂h of h = max(a, 0). Return da = ∂L/∂a, (N, H). Forward has kept h. At a = 0, where there is no
  derivative, take 0.""", judge=gradients(ReLU.examples, ACTIVATION))

exercise("4f", "activations.Softplus.backward", "softplus, backward",
          '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
  delta is ∂L/∂h of h = log(1 + e^a). Return da = ∂L/∂a, (N, H). Forward has kept a, and e = e^-|a|, which never
  overflows.""", judge=gradients(Softplus.examples, ACTIVATION))

exercise("4g", "activations.ELU.backward", "elu, backward",
          '[000] "Towards nonlinear systems" (nonlinear activation functions)', """
  delta is ∂L/∂h of h = a where a > 0, else e^a - 1. Return da = ∂L/∂a, (N, H). Forward has kept a.""",
          judge=gradients(ELU.examples, ACTIVATION))

exercise("4h", "activations.Softmax.backward", "softmax, backward", '[000] "How do we find w?" (the chain rule)', """
  delta is ∂L/∂p of p = softmax(a), row by row. Every p_k depends on every a_j: return da = ∂L/∂a, (N, K), by the whole
  Jacobian diag(p) - p pᵀ of each row, not by its diagonal alone. Forward has kept p (N, K).""",
          judge=gradients(Softmax.examples, ACTIVATION))

exercise("4i", "losses.BernoulliNLL.backward", "sigmoid with cross-entropy, backward",
          "[004] example 5.4.1, Bernoulli outputs", """
  The sigmoid and the logarithm are one function of the logit o, and what is left of both derivatives is short. For L =
  Σ_n weight_n value_n with value_n = Σ_d log(1 + e^(o_nd)) - t_nd o_nd return delta = ∂L/∂o, (N, D); weight is (N,).
  Forward has kept o, t, and e = e^-|o|.""", judge=gradients(BernoulliNLL.examples, LOSS))

exercise("4j", "losses.SoftmaxCrossEntropy.backward", "softmax with cross-entropy, backward",
          '[004] "Neural networks are just probability models"', """
  For L = Σ_n weight_n value_n with value_n = -Σ_k t_nk log p_nk, p = softmax(o), return delta = ∂L/∂o, (N, K); weight
  is (N,). Forward has kept p and t, both (N, K). The rows of t sum to 1 in training; the general formula needs their
  sum.""", judge=gradients(SoftmaxCrossEntropy.examples, LOSS))


@exercise("4k", "training.online_backprop", "online backprop",
          '[000] "Algorithm for backprop (on-line aka stochastic learning)"', """
  The slides' algorithm for a network with any number of layers. For each epoch and each sample n, in order:

      forward     compute o, keep the input of each layer: for (W, b, phi) in layers: o = phi.forward(o @ W + b)
      residual    delta = t[n] - o at the output units (not o - t)
      for all k, from the last layer: step = delta φ'(·), by phi.derivative()
                  propagate back by W as it was, delta_i = Σ_j w_ij step_j, and only then
                  update the weights in place, W += alpha x_i step_j and b += alpha step_j

  Work on one sample x[n], (D,), at a time. After an epoch call history.add({"error": mean of Σ(t - o)² over the
  samples}, None, seconds). You may leave out the tolerance and what is to be done when the error is no longer a
  number.""", given=3, closing=2)
def online(rng):
    N, D, H, M = primes(rng, 4)
    epochs, alpha = 3, float(rng.uniform(0.02, 0.05))
    x, t = rng.standard_normal((N, D)), rng.standard_normal((N, M))
    network = moved(mlp([D, H, M], hidden=Tanh, output=Sigmoid, rng=rng), rng)
    start = network.w.copy()
    path = partial(online_by_sample, network, start, x, t, alpha, epochs=epochs)
    truth, errors = path()
    network.w = start
    history = returned("online_backprop", lambda x, t: training.online_backprop(network, x, t, alpha, epochs), x, t)
    must(not np.array_equal(network.w, start),
         "the weights have not changed: W and b must be updated in place, W += ..., not W = W + ...")
    hold("w after 3 epochs", network.w.copy(), truth, {
        "it goes up: the residual is t - o and the update +=, or both the other way round": path(factor=-1)[0],
        "δ is propagated back by the weights after their update; use them as they were": path(early=True)[0],
        "δ is propagated back without φ': the repair that deeper networks need": path(repair=False)[0],
        "φ' is missing in the update": path(slope=False)[0],
        "the biases are not updated": path(biases=False)[0],
        "only one epoch is done, and epochs were asked for": path(epochs=1)[0],
        "the step is twice as large: alpha times δ, without the 2 of the derivative": path(factor=2)[0]})
    counted = getattr(history, "epochs", None)
    must(counted == epochs, f"history has {counted} epochs where {epochs} were done: call history.add once in each")
    hold("the errors in history", np.array(history.loss), errors, {
        "the mean over the samples is missing": N * errors}, {"the number of samples": N})


def online_by_sample(network, start, x, t, alpha, epochs, factor=1, early=False, repair=True, slope=True, biases=True):
    """Return (w, mean error of each epoch) of the slides' algorithm; the options are mistakes."""
    network.w = start
    layers = [(layer.W.copy(), layer.b.copy()) for layer in network.layers[::2]]
    phis = [(np.tanh, lambda h: 1 - h * h), (lambda a: 1 / (1 + np.exp(-a)), lambda h: h * (1 - h))]
    errors = np.zeros(epochs)
    for epoch in range(epochs):
        for x_n, t_n in zip(x, t):
            h = [x_n]
            for (W, b), (phi, _) in zip(layers, phis):
                h.append(phi(h[-1] @ W + b))
            delta = t_n - h[-1]
            errors[epoch] += delta @ delta / len(x)
            for (W, b), (_, dphi), below, above in reversed(list(zip(layers, phis, h, h[1:]))):
                step = delta * dphi(above) if slope else delta
                before = W.copy()
                W += factor * alpha * np.outer(below, step)
                b += factor * alpha * step * biases
                delta = (W if early else before) @ (step if repair else delta)
    return np.concatenate([array.ravel() for layer in layers for array in layer]), errors
