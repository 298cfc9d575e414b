"""A network of layers: every layer keeps what its backward needs, and adds up its own gradients.

    x ──▶ Dense ──▶ Tanh ──▶ Dense ──▶ o,     L = -1/N Σ_n Σ_k t_k log softmax(o)_k

x (N, D); t (N, C) has a 1 at the class. delta is the gradient of the output of a layer; backward returns that of its
input. Gradients are added to dW and db, since a layer may be used in several places; so they must be set to 0 before
each pass back. The softmax is in the loss, and nowhere else.
"""

import numpy as np

D, H, C = 2, 7, 3                     # inputs, hidden units, classes


class Dense:
    """a = x W + b."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def zero(self):
        self.dW[...] = 0
        self.db[...] = 0

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, delta):
        self.dW += self.x.T @ delta
        self.db += np.sum(delta, axis=0)
        return delta @ self.W.T


class Tanh:
    """h = tanh(a)."""

    def forward(self, a):
        self.h = np.tanh(a)
        return self.h

    def backward(self, delta):
        return delta * (1 - self.h**2)


class Softmax:
    """p = softmax(o)."""

    def forward(self, o):
        e = np.exp(o - np.max(o, axis=1, keepdims=True))
        self.p = e / np.sum(e, axis=1, keepdims=True)
        return self.p

    def backward(self, delta):
        return self.p * (delta - np.sum(delta * self.p, axis=1, keepdims=True))


def parameters(rng, D=D, H=H, C=C):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, C)), "b2": np.zeros(C)}


def network(w):
    """The layers, from the first to the last; the last gives logits."""
    return [Dense(w["W1"], w["b1"]), Tanh(), Dense(w["W2"], w["b2"])]


def forward(w, x, t):
    """L, and what backward needs: the layers, with all that they keep."""
    layers = network(w)
    o = x
    for layer in layers:
        o = layer.forward(o)
    p = Softmax().forward(o)
    L = -np.sum(t * np.log(p)) / len(x)
    return L, (layers, p, t)


def backward(w, cache):
    """∂L/∂w."""
    layers, p, t = cache
    first, last = (layer for layer in layers if isinstance(layer, Dense))
    for layer in (first, last):
        layer.zero()
    delta = (p - t) / len(t)
    for layer in reversed(layers):
        delta = layer.backward(delta)
    return {"W1": first.dW, "b1": first.db, "W2": last.dW, "b2": last.db}


def probabilities(w, x):
    """p (N, C)."""
    for layer in network(w) + [Softmax()]:
        x = layer.forward(x)
    return x


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, D))
    t = np.eye(C)[np.argmax(np.abs(x @ rng.normal(size=(D, C))), axis=1)]
    w = parameters(rng)
    for k in range(1001):
        L, cache = forward(w, x, t)
        w = {name: w[name] - 0.5 * dw for name, dw in backward(w, cache).items()}
        if k % 200 == 0:
            print(f"step {k:4}   L = {L:.5f}")
