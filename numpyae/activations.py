"""Activations: the non-linear functions φ between the layers, h = φ(a).

[000] draws them as circles. Without them a deep network is one matrix. Each works element by element, so its Jacobian is
diagonal and the way back is one product: da = delta φ'(a). Softmax is the exception: each of its outputs depends on all inputs.

Every elementwise activation also has `derivative()`, φ'(a), and, where it exists everywhere that matters, `second_derivative()`,
φ''(a), both at the a of the last forward: a penalty on the slope of the code needs them (contractive autoencoders).
All are stable for any finite input: no overflow, no warning.
"""

import numpy as np

from numpyae.layers import Layer


def sigmoid(a):
    """σ(a) = 1 / (1 + e^-a), as ½ tanh(½a) + ½: the same function, without overflow and four times as fast."""
    return 0.5 * np.tanh(0.5 * a) + 0.5


def softplus(a):
    """log(1 + e^a), as max(a, 0) + log(1 + e^-|a|): nothing overflows."""
    return np.maximum(a, 0) + np.log1p(np.exp(-np.abs(a)))


class Identity(Layer):
    """h = a: a linear unit."""

    def forward(self, a):
        """h = a."""
        self.a = a
        return a

    def backward(self, delta):
        """da = delta."""
        return delta

    def derivative(self):
        """φ'(a) = 1."""
        return np.ones_like(self.a)

    def second_derivative(self):
        """φ''(a) = 0."""
        return np.zeros_like(self.a)


class Sigmoid(Layer):
    """h = σ(a) = 1 / (1 + e^-a), in (0, 1)."""

    def forward(self, a):
        """h = σ(a)."""
        self.h = h = sigmoid(a)
        return h

    def backward(self, delta):
        """da = delta h (1 - h)."""
        h = self.h
        return delta * (h * (1 - h))

    def derivative(self):
        """φ'(a) = h (1 - h)."""
        return self.h * (1 - self.h)

    def second_derivative(self):
        """φ''(a) = h (1 - h) (1 - 2h)."""
        return self.h * (1 - self.h) * (1 - 2 * self.h)


class Tanh(Layer):
    """h = tanh(a), in (-1, 1)."""

    def forward(self, a):
        """h = tanh(a)."""
        self.h = h = np.tanh(a)
        return h

    def backward(self, delta):
        """da = delta (1 - h²)."""
        h = self.h
        return delta * (1 - h * h)

    def derivative(self):
        """φ'(a) = 1 - h²."""
        return 1 - self.h**2

    def second_derivative(self):
        """φ''(a) = -2 h (1 - h²)."""
        return -2 * self.h * (1 - self.h**2)


class ReLU(Layer):
    """h = max(a, 0). At a = 0, where there is no derivative, we take 0. It has no second derivative to speak of."""

    def forward(self, a):
        """h = max(a, 0)."""
        self.h = h = np.maximum(a, 0)
        return h

    def backward(self, delta):
        """da = delta where a > 0, else 0."""
        return delta * (self.h > 0)

    def derivative(self):
        """φ'(a) = 1 where a > 0, else 0."""
        return (self.h > 0).astype(self.h.dtype)


class Softplus(Layer):
    """h = log(1 + e^a) > 0, a smooth ReLU."""

    def forward(self, a):
        """h = log(1 + e^a)."""
        self.a = a
        return softplus(a)

    def backward(self, delta):
        """da = delta σ(a)."""
        return delta * sigmoid(self.a)

    def derivative(self):
        """φ'(a) = σ(a)."""
        return sigmoid(self.a)

    def second_derivative(self):
        """φ''(a) = σ(a) (1 - σ(a))."""
        s = sigmoid(self.a)
        return s * (1 - s)


class ELU(Layer):
    """h = a where a > 0, else e^a - 1 (Clevert 2016, α = 1): its slope is continuous, so it has no kink."""

    def forward(self, a):
        """h = max(a, 0) + e^min(a, 0) - 1."""
        self.a = a
        return np.maximum(a, 0) + np.expm1(np.minimum(a, 0))

    def backward(self, delta):
        """da = delta where a > 0, else delta e^a."""
        return delta * np.exp(np.minimum(self.a, 0))

    def derivative(self):
        """φ'(a) = 1 where a > 0, else e^a."""
        return np.exp(np.minimum(self.a, 0))

    def second_derivative(self):
        """φ''(a) = 0 where a > 0, else e^a; it jumps at a = 0."""
        return np.exp(np.minimum(self.a, 0)) * (self.a <= 0)


class Softmax(Layer):
    """p_k = e^(a_k) / Σ_j e^(a_j): positive, and each row sums to 1. Every output depends on every input.

    As the last layer under SoftmaxCrossEntropy it would be applied twice: that loss takes logits.
    """

    def forward(self, a):
        """p (N, K), rows sum to 1."""
        e = np.exp(a - a.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, delta):
        """da = (diag(p) - p pᵀ) delta = p (delta - Σ_k p_k delta_k), row by row."""
        p = self.p
        return p * (delta - (p * delta).sum(axis=1, keepdims=True))
