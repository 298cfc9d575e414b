"""The slides' algorithm: weights are updated after every single sample, on the way back.

    h1 = tanh(x W1 + b1)      h2 = tanh(h1 W2 + b2)      o = h2 W3 + b3      L = Σ_d (o - t)²

One sample: x (D,), t (M,); both hidden layers have H units. δ is the gradient of what goes into a layer's activation:

    δ3 = 2 (o - t)      δ2 = (W3 δ3) (1 - h2²)      δ1 = (W2 δ2) (1 - h1²)      W ← W - α h δ,   b ← b - α δ

The gradient is that at the weights with which o was computed, for all layers.
"""

import numpy as np

D, H, M = 1, 6, 1                     # inputs, units of each hidden layer, outputs


def parameters(rng, D=D, H=H, M=M):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, H)), "b2": np.zeros(H),
            "W3": rng.normal(0, 1 / np.sqrt(H), (H, M)), "b3": np.zeros(M)}


def forward(w, x, t):
    """L of one sample, and what the way back needs."""
    W1, b1, W2, b2, W3, b3 = w.values()
    h1 = np.tanh(x @ W1 + b1)
    h2 = np.tanh(h1 @ W2 + b2)
    o = h2 @ W3 + b3
    L = np.sum((o - t)**2)
    return L, (x, t, h1, h2, o)


def step(w, x, t, alpha):
    """One sample forward, back, and all weights updated: the new w."""
    W1, b1, W2, b2, W3, b3 = w.values()
    x, t, h1, h2, o = forward(w, x, t)[1]
    d3 = 2 * (o - t)
    W3_new = W3 - alpha * np.outer(h2, d3)
    b3_new = b3 - alpha * d3
    d2 = (W3 @ d3) * (1 - h2**2)
    W2_new = W2 - alpha * np.outer(h1, d2)
    b2_new = b2 - alpha * d2
    d1 = (W2 @ d2) * (1 - h1**2)
    W1_new = W1 - alpha * np.outer(x, d1)
    b1_new = b1 - alpha * d1
    return {"W1": W1_new, "b1": b1_new, "W2": W2_new, "b2": b2_new, "W3": W3_new, "b3": b3_new}


def epoch(w, x, t, alpha):
    """All samples x (N, D), t (N, M) once, in their order, a step after each: the new w."""
    for n in range(len(x)):
        w = step(w, x[n], t[n], alpha)
    return w


def mean_error(w, x, t):
    """L averaged over the samples x (N, D), t (N, M)."""
    return np.mean([forward(w, x[n], t[n])[0] for n in range(len(x))])


if __name__ == "__main__":
    x = np.linspace(-3, 3, 20)[:, None]
    t = np.sin(x)
    w = parameters(np.random.default_rng(0), D=1, M=1)
    for k in range(301):
        w = epoch(w, x, t, 0.02)
        if k % 50 == 0:
            print(f"epoch {k:3}   mean L = {mean_error(w, x, t):.5f}")
