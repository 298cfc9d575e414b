"""Activations: the non-linear functions φ between the layers, h = φ(a).

[000] draws them as circles. Without them a deep network would be one matrix. Each acts on every element alone, so its
Jacobian is diagonal, and the backward pass is one product: da = delta φ'(a). Softmax is the exception: each of its
outputs depends on all inputs.

An elementwise activation also has `derivative()`, φ'(a), and, except for ReLU, `second_derivative()`, φ''(a). Both are
taken at the a of the last forward. Penalties on the slope of the code need them (contractive autoencoders). All
functions are stable for any finite input: no overflow, no warning.
"""

import numpy as np

from numpyae.layers import Dense, Layer, Sequential


class Identity(Layer):
    """h = a: a linear unit."""

    formula = {"y": "{x}", "dx": "d{y}"}

    def forward(self, a):
        """Return h = a."""
        self.h = a
        return a

    def backward(self, delta):
        """Return da = delta."""
        return delta

    def derivative(self):
        """Return φ'(a) = 1."""
        return np.ones_like(self.h)

    def second_derivative(self):
        """Return φ''(a) = 0."""
        return np.zeros_like(self.h)


class Sigmoid(Layer):
    """h = σ(a) = 1 / (1 + e^-a), in (0, 1).

    With e = e^-|a| it is 1 / (1 + e) for a >= 0 and e / (1 + e) for a < 0. So nothing overflows, and no digit is lost
    where h is tiny.
    """

    formula = {"y": "σ({x})", "dx": "d{y} {y} (1 - {y})"}
    option = "sigmoid"

    def forward(self, a):
        """Return h = σ(a)."""
        e = np.exp(-np.abs(a))
        self.h = h = np.maximum(e, a >= 0) / (1 + e)
        return h

    def backward(self, delta):
        """Return da = delta h (1 - h)."""
        h = self.h
        return delta * (h * (1 - h))

    def derivative(self):
        """Return φ'(a) = h (1 - h)."""
        return self.h * (1 - self.h)

    def second_derivative(self):
        """Return φ''(a) = h (1 - h) (1 - 2h)."""
        return self.h * (1 - self.h) * (1 - 2 * self.h)


class Tanh(Layer):
    """h = tanh(a), in (-1, 1)."""

    formula = {"y": "tanh({x})", "dx": "d{y} (1 - {y}²)"}
    option = "tanh"

    def forward(self, a):
        """Return h = tanh(a)."""
        self.h = h = np.tanh(a)
        return h

    def backward(self, delta):
        """Return da = delta (1 - h²), computed as delta - delta h².

        NumPy is quicker with two arrays than with an array and a number.
        """
        h = self.h
        return delta - delta * h * h

    def derivative(self):
        """Return φ'(a) = 1 - h²."""
        return 1 - self.h**2

    def second_derivative(self):
        """Return φ''(a) = -2 h (1 - h²)."""
        return -2 * self.h * (1 - self.h**2)


class ReLU(Layer):
    """h = max(a, 0). At a = 0, where no derivative exists, we take 0. Elsewhere its second derivative is 0."""

    formula = {"y": "max({x}, 0)", "dx": "d{y} where {x} > 0, else 0"}
    option = "relu"

    def forward(self, a):
        """Return h = max(a, 0)."""
        self.h = h = np.maximum(a, 0)
        return h

    def backward(self, delta):
        """Return da = delta where a > 0, else 0."""
        return delta * (self.h > 0)

    def derivative(self):
        """Return φ'(a) = 1 where a > 0, else 0."""
        return (self.h > 0).astype(self.h.dtype)

    def active_set(self):
        """Return a > 0: on which side of its kink each unit is."""
        return self.h > 0


class Softplus(Layer):
    """h = log(1 + e^a) > 0, a smooth ReLU. Computed as max(a, 0) + log(1 + e^-|a|), it does not overflow."""

    formula = {"y": "log(1 + e^{x})", "dx": "d{y} σ({x})"}

    def forward(self, a):
        """Return h = log(1 + e^a)."""
        self.a = a
        self.e = e = np.exp(-np.abs(a))
        self.h = h = np.maximum(a, 0) + np.log1p(e)
        return h

    def backward(self, delta):
        """Return da = delta σ(a)."""
        e = self.e
        return delta * (np.maximum(e, self.a >= 0) / (1 + e))

    def derivative(self):
        """Return φ'(a) = σ(a)."""
        return np.maximum(self.e, self.a >= 0) / (1 + self.e)

    def second_derivative(self):
        """Return φ''(a) = σ(a) (1 - σ(a)) = e / (1 + e)² with e = e^-|a|."""
        return self.e / (1 + self.e) ** 2


class ELU(Layer):
    """h = a where a > 0, else e^a - 1 (Clevert 2016, α = 1). Its slope is continuous, so it has no kink."""

    formula = {"y": "{x} where {x} > 0, else e^{x} - 1", "dx": "d{y} e^min({x}, 0)"}

    def forward(self, a):
        """Return h = max(a, 0) + e^min(a, 0) - 1."""
        self.a = a
        self.h = h = np.maximum(a, 0) + np.expm1(np.minimum(a, 0))
        return h

    def backward(self, delta):
        """Return da = delta where a > 0, else delta e^a."""
        return delta * np.exp(np.minimum(self.a, 0))

    def derivative(self):
        """Return φ'(a) = 1 where a > 0, else e^a."""
        return np.exp(np.minimum(self.a, 0))

    def second_derivative(self):
        """Return φ''(a) = 0 where a > 0, else e^a; it jumps at a = 0."""
        return np.exp(np.minimum(self.a, 0)) * (self.a <= 0)

    active_set = ReLU.active_set      # a > 0 where h > 0; the second derivative jumps at a = 0


class Softmax(Layer):
    """p_k = e^(a_k) / Σ_j e^(a_j): positive numbers that sum to 1 in each row. Every output depends on every input.

    Do not put it before SoftmaxCrossEntropy: that loss takes logits and applies softmax itself.
    """

    formula = {"y": "softmax({x})", "dx": "{y} (d{y} - Σ_k {y} d{y})"}

    def forward(self, a):
        """Return p (N, K); its rows sum to 1."""
        e = np.exp(a - np.maximum.reduce(a, axis=1, keepdims=True))
        self.p = e / np.add.reduce(e, axis=1, keepdims=True)
        return self.p

    def backward(self, delta):
        """Return da = (diag(p) - p pᵀ) delta = p (delta - Σ_k p_k delta_k), row by row."""
        p = self.p
        return p * (delta - np.add.reduce(p * delta, axis=1, keepdims=True))


def mlp(sizes, hidden=Tanh, output=None, rng=None):
    """Return a multi-layer perceptron: Dense layers of these sizes, with an activation after each but the last.

    `mlp([784, 500, 2])` is Sequential(Dense(784, 500), Tanh(), Dense(500, 2)). `hidden` and `output` are classes of
    activations. With output=None the last layer is linear ([000], the deep neural network). Raise ValueError for fewer
    than two sizes.
    """
    if len(sizes) < 2:
        raise ValueError(f"mlp: sizes must name at least an input and an output, got {list(sizes)}")
    for name, activation in (("hidden", hidden), ("output", output)):
        if isinstance(activation, (str, Layer)):
            given = activation if isinstance(activation, str) else type(activation).__name__
            meant = [cls.__name__ for cls in Layer.__subclasses__() if cls.__name__.lower() == given.lower()]
            hint = f": write {meant[0]}" if meant else ", such as Tanh"
            raise TypeError(f"mlp: {name} must be a class of activations{hint}, got {activation!r}")
    rng = np.random.default_rng(rng)
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [Dense(n_in, n_out, rng=rng), hidden()]
    layers[-1:] = [output()] if output else []
    return Sequential(*layers)
