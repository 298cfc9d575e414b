"""Losses: how badly the output o misses the target t, one number per sample.

Most of them are negative log-likelihoods. Neural networks are, as [004] says, "just probability models": the output o
sets the parameters of a distribution, and the loss is -log p(t | o), in nats:

    GaussianNLL                   t is real         o is the mean
    HeteroscedasticGaussianNLL    t is real         o is mean and log-variance
    BernoulliNLL                  t is 0 or 1       σ(o) is the probability of 1; o is called a logit
    ContinuousBernoulliNLL        t is in [0, 1]    the same formula, normalised to a density
    SoftmaxCrossEntropy           t is a class      softmax(o) are the probabilities
    SquaredError                  t is real         a Gaussian of σ² = ½ without its constants

`forward(o, t)` gives values (N,), one per sample, **summed over features**. The model takes the mean over samples: it
gives `backward` the weight of each sample, 1/N, and gets delta = ∂L/∂o. `mean(o)` is the expected t, in the units of
the data; `sample(o, rng)` draws one.

np.add.reduce(v, axis=1) is v.sum(axis=1), but runs no Python code of NumPy, in which a debugger would stop.
"""

import math

import numpy as np

from numpyae.activations import Sigmoid, Softmax
from numpyae.checks import check_positive
from numpyae.parameters import Parametric, parameter
from numpyae.windows import Windows


class Loss(Parametric):
    """The contract: forward(output, target) -> values (N,), backward(weight) -> delta; weight = ∂L/∂values (N,)."""

    takes_logits = False              # whether it applies Sigmoid or Softmax itself: none may stand before it
    takes_labels = False              # whether targets may be integers (N,)
    is_likelihood = True              # whether values are -log p(t | o), in nats
    convention = "a density of real data"                # what p(t | o) is
    outputs_per_feature = 1

    def forward(self, o, t):
        """Return values (N,), one per sample, summed over features."""
        raise NotImplementedError(f"{type(self).__name__}.forward")

    def backward(self, weight):
        """Return delta = ∂L/∂o for L = Σ_n weight_n value_n; add the gradients of own parameters."""
        raise NotImplementedError(f"{type(self).__name__}.backward")

    def mean(self, o):
        """Return E[t | o], in the units of the data."""
        return o

    def constant(self, t, width):
        """Return the output (width,) that is best for these targets, (N, D) or labels (N,), if it is one for all.

        Set a learnt σ to the spread that is then left. `Model.start_at` begins there.
        """
        return t.mean(axis=0)

    def check_target(self, t, width=None):
        """Raise ValueError unless the loss is defined for every target; `width` is the network's number of outputs.

        `fit` calls this once, at its start.
        """

    def _check_shapes(self, o, t):
        if not isinstance(t, np.ndarray):
            raise TypeError(f"{type(self).__name__}: target must be an array, got {type(t).__name__}")
        if o.ndim != 2:
            raise ValueError(f"{type(self).__name__}: output must have shape (N, D), got {o.shape}")
        expected = (o.shape[0], o.shape[1] // self.outputs_per_feature)
        if t.shape != expected:
            raise ValueError(f"{type(self).__name__}: target must have shape {expected}, as the output says, "
                             f"got {t.shape}")
        if t.dtype != o.dtype:
            raise TypeError(f"{type(self).__name__}: target must be {o.dtype}, as the output is, got {t.dtype}: "
                            f"write t.astype(np.{o.dtype})")

    @classmethod
    def examples(cls, rng):
        """Yield (loss, output, target), at which the class is checked; targets in [0, 1] suit all losses."""
        for arguments in cls.example_arguments:
            yield cls(*arguments), rng.standard_normal((7, 5 * cls.outputs_per_feature)), rng.random((7, 5))


class SquaredError(Loss):
    """Σ_d (t_d - o_d)², without ½ and without a mean over d ([000], the slides' loss; [002] with 1/N)."""

    formula = {"values": "Σ_d ({o} - {t})²", "do": "2 ({o} - {t}) / {n}"}
    option = "squared-error"
    is_likelihood = False

    def forward(self, o, t):
        """Return values_n = Σ_d (o_nd - t_nd)²."""
        self._check_shapes(o, t)
        self.r = r = o - t
        return np.add.reduce(r * r, axis=1)

    def backward(self, weight):
        """Return delta = 2 (o - t) weight."""
        return self.r * (weight + weight)[:, None]


class SoftmaxCrossEntropy(Loss):
    """-Σ_k t_k log p_k with p = softmax(o), in nats: the negative log-likelihood of a class.

    Targets: integers (N,) from 0 to K - 1, or rows (N, K) of probabilities, one-hot or soft, that sum to 1.
    """

    formula = {"values": "-Σ_k {t} log softmax({o})", "do": "(softmax({o}) - {t}) / {n}",
               "values of labels": "-log softmax({o})_{t}", "do of labels": "(softmax({o}) - [k = {t}]) / {n}"}
    option = "classes"
    convention = "a probability of a class"
    takes_logits = takes_labels = True

    def forward(self, o, t):
        """Return values_n = log Σ_k e^(o_nk) - Σ_k t_nk o_nk."""
        if isinstance(t, np.ndarray) and t.ndim == 1 and t.dtype.kind in "iu" and len(t) == len(o):
            self.check_target(t, o.shape[1])
            t = (t[:, None] == np.arange(o.shape[1])).astype(o.dtype)
        self._check_shapes(o, t)
        self.t = t
        highest = np.maximum.reduce(o, axis=1, keepdims=True)
        e = np.exp(o - highest)
        total = np.add.reduce(e, axis=1, keepdims=True)
        self.p = e / total
        return np.add.reduce(t * (np.log(total) - (o - highest)), axis=1)

    def backward(self, weight):
        """Return delta = (p Σ_k t_k - t) weight.

        For rows that sum to 1 it is (p - t) weight: softmax and logarithm cancel.
        """
        total = np.add.reduce(self.t, axis=1, keepdims=True)
        return (self.p * total - self.t) * weight[:, None]

    def mean(self, o):
        """Return p = softmax(o), (N, K)."""
        return Softmax().forward(o)

    def sample(self, o, rng):
        """Draw one-hot rows (N, K), class k with probability p_k."""
        below = np.cumsum(self.mean(o), axis=1)
        k = (rng.random((len(o), 1)) * below[:, -1:] > below).sum(axis=1)
        return np.eye(o.shape[1], dtype=o.dtype)[k]

    def constant(self, t, width):
        """Return log p_k, the shares of the classes, counting half a sample more in each: none is impossible."""
        counts = np.bincount(t, minlength=width) if t.ndim == 1 else t.sum(axis=0)
        return np.log((counts + 0.5) / (len(t) + 0.5 * width))

    def check_target(self, t, width=None):
        """Raise ValueError unless t is integers from 0 to `width` - 1, or rows of probabilities that sum to 1."""
        if t.ndim == 1 and t.dtype.kind in "iu":
            if t.size and (np.minimum.reduce(t) < 0 or (width is not None and np.maximum.reduce(t) >= width)):
                most = "" if width is None else f" and at most {width - 1}"
                raise ValueError(f"SoftmaxCrossEntropy: integer targets must be at least 0{most}, "
                                 f"got {t.min()} to {t.max()}")
        elif t.ndim != 2 or not (t.min() >= 0 and np.abs(t.sum(axis=1) - 1).max() <= 1e-5):
            sums = f", rows that sum to {t.sum(axis=1).min():.3g} to {t.sum(axis=1).max():.3g}" if t.ndim == 2 else ""
            raise ValueError("SoftmaxCrossEntropy: targets must be integers (N,), or rows (N, K) of probabilities that "
                             f"sum to 1, got dtype {t.dtype}, shape {t.shape}{sums}")

    @classmethod
    def examples(cls, rng):
        """Yield targets of three kinds: classes, probabilities, and rows whose sum is not 1."""
        t = rng.random((7, 5))
        for target in (rng.integers(0, 5, 7), t / t.sum(axis=1, keepdims=True), t):
            yield cls(), rng.standard_normal((7, 5)), target


class BernoulliNLL(Loss):
    """-Σ_d [t log p + (1 - t) log(1 - p)], p = σ(o), in nats ([004] example 5.4.1), for logits o and t in [0, 1].

    In terms of o it is Σ_d log(1 + e^o) - t o. It is computed as log(1 + e^-|o|) + o ([o > 0] - t), which loses no
    digit and takes no logarithm of 0. exp(-value) is a probability for t in {0, 1} only. Grey targets are accepted, as
    is usual, but then it is no density (see ContinuousBernoulliNLL).
    """

    formula = {"values": "Σ_d [log(1 + e^{o}) - {t} {o}]", "do": "(σ({o}) - {t}) / {n}"}
    option = "bernoulli"
    convention = "a probability of 0/1 data"
    takes_logits = True

    def forward(self, o, t):
        """Return values_n = Σ_d log(1 + e^(o_nd)) - t_nd o_nd."""
        self._check_shapes(o, t)
        self.o, self.t = o, t
        self.e = e = np.exp(-np.abs(o))
        return np.add.reduce(np.log1p(e) + o * ((o > 0) - t), axis=1)

    def backward(self, weight):
        """Return delta = (σ(o) - t) weight: the sigmoid's derivative has cancelled."""
        o, s = self.o, self.e / (1 + self.e)             # s = σ(-|o|), so σ(o) = s below 0 and 1 - s above:
        residual = (~np.signbit(o) - self.t) - np.copysign(s, o)               # no digit is lost where σ(o) is nearly t
        return residual * weight[:, None]

    def mean(self, o):
        """Return p = σ(o)."""
        return Sigmoid().forward(o)

    def sample(self, o, rng):
        """Draw 0 or 1 for every feature, 1 with probability σ(o)."""
        return (rng.random(o.shape, dtype=o.dtype) < self.mean(o)).astype(o.dtype)

    def constant(self, t, width):
        """Return the log-odds of the mean, counting half a 0 and half a 1 more: no pixel is impossible."""
        p = (t.sum(axis=0) + 0.5) / (len(t) + 1)
        return np.log(p / (1 - p))

    def check_target(self, t, width=None):
        """Raise ValueError unless all targets lie in [0, 1]."""
        if t.size and not (t.min() >= 0 and t.max() <= 1):
            raise ValueError(f"{type(self).__name__}: targets must lie in [0, 1], got {t.min():.4g} to {t.max():.4g}: "
                             "scale the data, or take a Gaussian likelihood")


class ContinuousBernoulliNLL(Loss):
    """-Σ_d log of the density C(λ) λ^t (1 - λ)^(1 - t) on [0, 1], λ = σ(o), in nats (Loaiza-Ganem 2019).

    In terms of the logit o the density is e^(o t - A(o)), with A(o) = log ∫_0^1 e^(o t) dt = log((e^o - 1) / o) and
    A(0) = 0. A is smooth, but its formula is 0/0 at o = 0 (λ = ½), so near 0 its series is used. Its derivative A'(o)
    is the mean.
    """

    formula = {"values": "Σ_d [A({o}) - {t} {o}]", "do": "(A'({o}) - {t}) / {n}"}
    option = "continuous-bernoulli"
    convention = "a density of data in [0, 1]"
    takes_logits = True
    check_target = BernoulliNLL.check_target

    def forward(self, o, t):
        """Return values_n = Σ_d A(o_nd) - t_nd o_nd."""
        self._check_shapes(o, t)
        self.o, self.t = o, t
        size, square = np.maximum(np.abs(o), 0.25), o * o
        far = np.log(-np.expm1(-size) / size) + o * (o > 0)                 # A(o)
        near = o / 2 + square * (1 / 24 - square * (1 / 2880 - square * (
            1 / 181440 - square * (1 / 9676800 - square / 479001600))))
        return np.add.reduce(np.where(square < 0.0625, near, far) - o * t, axis=1)

    def backward(self, weight):
        """Return delta = (A'(o) - t) weight."""
        return (self.mean(self.o) - self.t) * weight[:, None]

    def mean(self, o):
        """Return E[t] = A'(o) = 1 / (1 - e^-o) - 1 / o; near 0, where both terms diverge, ½ + o/12 - o³/720 + ..."""
        size, square = np.maximum(np.abs(o), 0.25), o * o
        less = np.expm1(-size)                           # e^-|o| - 1
        low = 1 / size + (1 + less) / less               # A'(-|o|), and A'(o) = 1 - A'(-o)
        near = 0.5 + o * (1 / 12 - square * (1 / 720 - square * (
            1 / 30240 - square * (1 / 1209600 - square / 47900160))))
        return np.where(square < 0.0625, near, np.where(o > 0, 1 - low, low))

    def constant(self, t, width):
        """Return the o at which the mean A'(o) is that of the targets, by bisection: A' rises."""
        wanted = np.clip(t.mean(axis=0), 1e-3, 1 - 1e-3)
        low, high = np.full(width, -1e4), np.full(width, 1e4)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.mean(middle) < wanted
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return low

    def sample(self, o, rng):
        """Draw t in [0, 1] by the inverse of the distribution function.

        t = 1 + log(1 - u (1 - e^-|o|)) / |o| for o > 0, and 1 - t for o < 0.
        """
        u = rng.random(o.shape, dtype=o.dtype)           # below 1, so the logarithm is finite
        size = np.maximum(np.abs(o), 1e-30)
        t = np.clip(1 + np.log1p(u * np.expm1(-size)) / size, 0, 1)
        return np.where(o > 0, t, 1 - t)

    @classmethod
    def examples(cls, rng):
        """Yield logits on both sides of ±1/4, between which the series is used, and logits inside."""
        yield cls(), rng.standard_normal((7, 5)), rng.random((7, 5))
        yield cls(), rng.uniform(-0.2495, 0.2495, (7, 5)), rng.random((7, 5))


class GaussianNLL(Loss):
    """½ Σ_d (t - o)² / σ² + ½ D log(2π σ²), in nats: t ~ N(o, σ² I), one σ for all features.

    `sigma` is fixed. With learn=True it is the initial value, and `logvar` = log σ² is a parameter of the model
    ([004]: ρ "might be another parameter to be trained"). Raise ValueError unless sigma > 0.
    """

    formula = {"values": "½ Σ_d [({o} - {t})² / {sigma}² + log 2π{sigma}²]", "do": "({o} - {t}) / {sigma}² / {n}"}
    option = "gaussian"
    example_arguments = ((0.7, False), (0.7, True))
    logvar, dlogvar = parameter("logvar", "log σ², one number ()")

    def __init__(self, sigma=1.0, learn=False):
        self.learn, self._sigma = bool(learn), check_positive("GaussianNLL: sigma", sigma)
        self._windows = Windows(logvar=np.array(2 * math.log(sigma)), dlogvar=np.zeros(()))
        if learn:
            self.add_parameters(logvar=self.logvar)

    @property
    def sigma(self):
        """The standard deviation, in the units of the data."""
        return float(np.exp(0.5 * self.logvar)) if self.learn else self._sigma

    def forward(self, o, t):
        """Return values_n = ½ Σ_d (o_nd - t_nd)² / σ² + ½ D log(2π σ²)."""
        self._check_shapes(o, t)
        logvar = float(self.logvar)
        self.precision = float(np.exp(-logvar))          # 1/σ²
        self.r = o - t
        self.squares = np.add.reduce(self.r * self.r, axis=1) * self.precision
        return 0.5 * self.squares + 0.5 * o.shape[1] * (math.log(2 * math.pi) + logvar)

    def backward(self, weight):
        """Return delta = (o - t) / σ² weight.

        Where σ is learnt, add dlogvar += Σ_n weight_n (½ D - ½ Σ_d (o - t)² / σ²).
        """
        if self.learn:
            dlogvar = self.dlogvar
            dlogvar += weight @ (0.5 * self.r.shape[1] - 0.5 * self.squares)
        return self.r * (self.precision * weight)[:, None]

    def constant(self, t, width):
        """Return the mean of the targets; set a learnt σ to the root mean square of what is left, over all features."""
        mean = t.mean(axis=0)
        left = np.mean((t - mean) ** 2, dtype=np.float64)
        if self.learn and left > 0:
            self.logvar = math.log(left)
        return mean

    def sample(self, o, rng):
        """Draw o + σ ε, ε ~ N(0, I)."""
        return o + self.sigma * rng.standard_normal(o.shape, dtype=o.dtype)


class HeteroscedasticGaussianNLL(Loss):
    """½ Σ_d [(t - μ)² / σ² + log σ² + log 2π], in nats: t ~ N(μ, diag σ²); the network predicts its own uncertainty.

    The output (N, 2D) holds μ, then logvar = log σ²: a decoder for D features has 2D outputs. A feature that is
    constant in the data has no best σ: its likelihood grows without bound as logvar falls, until 1/σ² overflows and
    training diverges.
    """

    formula = {"values": "½ Σ_d [(μ - {t})² / σ² + log 2πσ²], {o} = (μ, log σ²)",
               "do": "(μ - {t}) / σ² / {n}, and [½ - ½ (μ - {t})² / σ²] / {n}"}
    option = "heteroscedastic"
    outputs_per_feature = 2

    def forward(self, o, t):
        """Return values_n = ½ Σ_d [(μ - t)² e^-logvar + logvar + log 2π]."""
        self._check_shapes(o, t)
        D = t.shape[1]
        mu, logvar = o[:, :D], o[:, D:]
        self.precision = np.exp(-logvar)                 # 1/σ²
        self.r = mu - t
        return 0.5 * np.add.reduce(self.r * self.r * self.precision + logvar + math.log(2 * math.pi), axis=1)

    def backward(self, weight):
        """Return [dmu, dlogvar], (N, 2D): dmu = (μ - t) / σ² weight, dlogvar = ½ (1 - (μ - t)² / σ²) weight."""
        dmu = self.r * self.precision
        dlogvar = 0.5 * (1 - self.r * dmu)
        return np.concatenate([dmu, dlogvar], axis=1) * weight[:, None]

    def constant(self, t, width):
        """Return the mean and the log of the variance of each feature; a constant one gets that of the widest."""
        variance = t.var(axis=0, dtype=np.float64)
        return np.concatenate([t.mean(axis=0), np.log(np.where(variance > 0, variance, variance.max() or 1.0))])

    def mean(self, o):
        """Return μ, the first half of the output."""
        return o[:, :o.shape[1] // 2]

    def sample(self, o, rng):
        """Draw μ + σ ε, ε ~ N(0, I)."""
        mu, logvar = np.split(o, 2, axis=1)
        return mu + np.exp(0.5 * logvar) * rng.standard_normal(mu.shape, dtype=o.dtype)
