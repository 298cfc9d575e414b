"""Optimizers: rules that change the parameters by the gradient.

Every model has one flat vector w and one flat gradient. An optimizer is therefore a few lines about two vectors, with
no loop over layers: `step(w, grad)` changes w in place. All rules extend gradient descent, w_new = w_old - alpha grad
([000]), by a summary of the earlier gradients: a decaying sum (momentum), their squares (AdaGrad, RMSProp), or both
(Adam). `alpha`, the learning rate, may be changed between steps.
"""

import math

import numpy as np

from numpyae.checks import check_positive
from numpyae.described import Described, arguments_of

RATES = ("lr", "rate", "eta", "learning_rate", "step_size")           # names of alpha in other libraries


class Optimizer(Described):
    """The contract: step(w, grad) changes w in place. `memory` names the arrays kept between steps."""

    memory = ()
    t = 0                             # the number of steps done
    _stepped = None                   # the w of the first step

    def __new__(cls, *values, **named):
        for name in RATES:
            if name in named and name not in arguments_of(cls):
                raise TypeError(f"{cls.__name__}: there is no argument {name}: the learning rate is called alpha")
        return super().__new__(cls)

    def set_rates(self, **rates):
        """Set attributes that must be positive numbers, as Python floats; raise ValueError for any other value.

        A rate of type np.float64 would turn float32 arrays into float64.
        """
        for name, value in rates.items():
            setattr(self, name, check_positive(f"{type(self).__name__}: {name}", value))

    def step(self, w, grad):
        """Take one step: change w (P,) in place; grad (P,) is only read."""
        raise NotImplementedError(f"{type(self).__name__}.step")

    def __getstate__(self):
        return {name: value for name, value in vars(self).items() if name != "_stepped"}     # a copy's w is another

    def remember(self, w):
        """Make the arrays of `memory`, zeros like w, at the first step.

        Raise ValueError if w is not the w of the steps before: what it remembers belongs to that model.
        """
        if self._stepped is None:
            self._stepped = w
        elif w is not self._stepped and w.shape == self._stepped.shape and not np.may_share_memory(w, self._stepped):
            raise ValueError(f"{self!r}: w must be the array of its first step, got that of another model: its "
                             f"{' and '.join(self.memory)} would drive this one: use one optimizer per model")
        for name in self.memory:
            kept = getattr(self, name)
            if kept is None:
                setattr(self, name, np.zeros_like(w))
            elif kept.shape != w.shape or kept.dtype != w.dtype:
                raise ValueError(f"{self!r}: w must have shape {kept.shape} and dtype {kept.dtype} as in its first "
                                 f"step, got {w.shape} and {w.dtype}: use one optimizer per model")


class GradientDescent(Optimizer):
    """Gradient descent, w -= alpha grad ([000])."""

    def __init__(self, alpha):
        self.set_rates(alpha=alpha)

    def step(self, w, grad):
        """Take one step, w -= alpha grad."""
        self.t += 1
        w -= self.alpha * grad


class Momentum(Optimizer):
    """Momentum: velocity = mu velocity - alpha grad, w += velocity (Polyak 1964; Sutskever 2013, eq. 1-2)."""

    memory = ("velocity",)
    velocity = None

    def __init__(self, alpha, mu=0.9):
        self.set_rates(alpha=alpha)
        self.mu = check_decay(self, "mu", mu)

    def step(self, w, grad):
        """Take one step: velocity = mu velocity - alpha grad, then w += velocity."""
        self.t += 1
        self.remember(w)
        self.velocity *= self.mu
        self.velocity -= self.alpha * grad
        w += self.velocity


class Nesterov(Momentum):
    """Momentum with the gradient at the look-ahead point, w + mu velocity (Nesterov 1983; Sutskever 2013, eq. 3-4).

    Sutskever writes velocity = mu velocity - alpha ∇L(w + mu velocity), w += velocity. Here w is the look-ahead point
    itself, where the gradient is evaluated. The step is then w += mu velocity_new - alpha grad, and describes the same
    path.
    """

    def step(self, w, grad):
        """Take one step from look-ahead point to look-ahead point; grad is the gradient at w."""
        self.t += 1
        self.remember(w)
        descent = self.alpha * grad
        self.velocity *= self.mu
        self.velocity -= descent
        w += self.mu * self.velocity - descent


class AdaGrad(Optimizer):
    """A rate for each weight, which falls as its squared gradients add up (Duchi 2011):

        squares += grad²,   w -= alpha grad / (√squares + epsilon)
    """

    memory = ("squares",)
    squares = None

    def __init__(self, alpha=0.01, epsilon=1e-8):
        self.set_rates(alpha=alpha, epsilon=epsilon)

    def step(self, w, grad):
        """Take one step; the squares only grow."""
        self.t += 1
        self.remember(w)
        self.squares += grad * grad
        w -= self.alpha * grad / (np.sqrt(self.squares) + self.epsilon)


class RMSProp(AdaGrad):
    """AdaGrad with a moving average of the squares (Tieleman & Hinton 2012, lecture 6e):

        squares = rho squares + (1 - rho) grad²,   w -= alpha grad / (√squares + epsilon)
    """

    def __init__(self, alpha=1e-3, rho=0.9, epsilon=1e-8):
        self.set_rates(alpha=alpha, epsilon=epsilon)
        self.rho = check_decay(self, "rho", rho)

    def step(self, w, grad):
        """Take one step; the squares are a moving average."""
        self.t += 1
        self.remember(w)
        self.squares *= self.rho
        self.squares += (1 - self.rho) * grad * grad
        w -= self.alpha * grad / (np.sqrt(self.squares) + self.epsilon)


class Adam(Optimizer):
    """Momentum and RMSProp together, both corrected for their start at zero (Kingma & Ba 2015, algorithm 1):

        m = β1 m + (1 - β1) grad,      v = β2 v + (1 - β2) grad²
        w -= alpha m̂ / (√v̂ + epsilon),  m̂ = m / (1 - β1^t),  v̂ = v / (1 - β2^t)

    The arrays m and v hold m / (1 - β1) and v / (1 - β2), and the constants move into rate and epsilon. The step is the
    same, with fewer passes over memory. It goes through w in pieces that fit into the processor's cache.
    """

    memory = ("m", "v")               # m / (1 - β1) and v / (1 - β2) in the formulas
    m = v = None
    piece = 65536                     # elements; five such arrays of float32 fit into a cache of 2 MB
    scratch = np.zeros(0)

    def __init__(self, alpha=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8):
        self.set_rates(alpha=alpha, epsilon=epsilon)
        self.beta1, self.beta2 = check_decay(self, "beta1", beta1), check_decay(self, "beta2", beta2)

    def step(self, w, grad):
        """Take one step; m and v are kept without their factors (1 - β)."""
        self.t += 1
        if self.m is None or self.m.shape != w.shape or self.m.dtype != w.dtype:
            self.remember(w)
        root = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.t))            # √v̂ = root √v
        rate = self.alpha * (1 - self.beta1) / (1 - self.beta1**self.t) / root
        epsilon = self.epsilon / root
        if self.scratch.dtype != w.dtype or self.scratch.size != min(self.piece, w.size):
            self.scratch = np.empty(min(self.piece, w.size), w.dtype)
        for start in range(0, w.size, self.piece):
            part = slice(start, start + self.piece)
            p, g, m, v = w[part], grad[part], self.m[part], self.v[part]
            s = self.scratch[:g.size]
            m *= self.beta1
            m += g
            v *= self.beta2
            v += np.multiply(g, g, out=s)
            np.sqrt(v, out=s)
            s += epsilon
            np.divide(m, s, out=s)
            s *= rate
            p -= s                                       # a view of w; `w[part] -= s` would also copy it onto itself


def lbfgs(model, *data, iterations=400, tolerance=2e-9, rng=None):
    """Minimise model.loss(*data) over all data at once by scipy's L-BFGS; change w and return scipy's OptimizeResult.

    Noise is drawn once and then held, so that the loss is a function of w. The search stops after `iterations`
    iterations, or when one of them lowers the loss by less than `tolerance` times the loss; with tolerance 0, when none
    lowers it. The result has fun (the loss), nit (the iterations) and message. The search computes in float64. Raise
    ValueError or TypeError for data that the model cannot be trained on.
    """
    from scipy.optimize import minimize

    model.check(*data)
    model.loss(*data, rng=rng)
    noise = model.noise

    def loss_and_gradient(w):
        model.w = w
        return model.loss(*data, noise=noise), model.backward().astype(np.float64)    # a copy: scipy keeps what it gets

    result = minimize(loss_and_gradient, model.w.astype(np.float64), jac=True, method="L-BFGS-B",
                      options={"maxiter": iterations, "maxfun": 10 * iterations, "ftol": tolerance, "gtol": 1e-9})
    model.w = result.x
    return result


def check_decay(optimizer, name, value):
    """Return value as a float; raise ValueError unless it is in [0, 1)."""
    if not (np.ndim(value) == 0 and 0 <= value < 1):
        raise ValueError(f"{type(optimizer).__name__}: {name} must be in [0, 1), got {value}")
    return float(value)
