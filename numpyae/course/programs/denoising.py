"""A denoising autoencoder: it sees a damaged x, and is to give the clean one back.

    seen = x with some features set to 0 or 1      h = σ(seen W1 + b1)      o = h W2 + b2
    L = 1/N Σ_n Σ_d [log(1 + e^o) - x o]

x (N, D) in [0, 1]; o are logits, the reconstruction is σ(o). The noise is salt and pepper: noise (N, D) is -1 where a
feature becomes 0 (probability P/2), 1 where it becomes 1 (P/2), and 0 where it stays: seen has no value outside the
range of the data. Copying does not help, since the target is clean.
"""

import numpy as np

D, H = 8, 5                           # features, hidden units
P = 0.3                               # the share of the features that are damaged


def sigmoid(a):
    """σ(a) = 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def parameters(rng, D=D, H=H):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, D)), "b2": np.zeros(D)}


def draw_noise(rng, shape):
    """-1 with probability P/2, 1 with probability P/2, else 0."""
    u = rng.random(shape)
    return np.where(u < P / 2, -1.0, np.where(u > 1 - P / 2, 1.0, 0.0))


def corrupt(x, noise):
    """0 where noise is -1, 1 where it is 1, else x."""
    return np.where(noise < 0, 0.0, np.where(noise > 0, 1.0, x))


def forward(w, x, noise):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    seen = corrupt(x, noise)
    target = x
    a = seen @ W1 + b1
    h = sigmoid(a)
    o = h @ W2 + b2
    L = np.sum(np.logaddexp(0, o) - target * o) / len(x)
    return L, (seen, target, a, h, o)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    seen, target, a, h, o = cache
    do = (sigmoid(o) - target) / len(seen)
    db2 = np.sum(do, axis=0)
    dW2 = h.T @ do
    dh = do @ W2.T
    da = dh * h * (1 - h)
    db1 = np.sum(da, axis=0)
    dW1 = seen.T @ da
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def reconstruct(w, x):
    """σ(o) (N, D), in the units of the data; x is taken as it is."""
    return sigmoid(sigmoid(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(4), 2, axis=1)[rng.integers(4, size=200)]            # one of four pairs of pixels is white
    w = parameters(rng, D=8)
    for k in range(2001):
        noise = draw_noise(rng, x.shape)
        L, cache = forward(w, x, noise)
        w = {name: w[name] - 0.3 * dw for name, dw in backward(w, cache).items()}
        if k % 400 == 0:
            gap = np.mean(np.abs(reconstruct(w, corrupt(x, noise)) - x))
            print(f"step {k:4}   L = {L:.5f}   repaired to {gap:.4f}")
