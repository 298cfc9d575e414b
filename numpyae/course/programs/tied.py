"""An autoencoder with tied weights: the decoder uses the encoder's W, transposed.

    a = x W + b      h = tanh(a)      o = h Wᵀ + c      r = o - x      L = 1/N Σ_n Σ_d r²

x (N, D) is input and target; the code h (N, K) is smaller. W (D, K) is used twice, so dW has two summands: xᵀ da from
the encoder, doᵀ h from the decoder.
"""

import numpy as np

D, K = 6, 2                           # features, numbers in the code


def parameters(rng, D=D, K=K):
    """w: weights N(0, 1/D), biases 0."""
    return {"W": rng.normal(0, 1 / np.sqrt(D), (D, K)), "b": np.zeros(K), "c": np.zeros(D)}


def forward(w, x):
    """L, and what backward needs."""
    W, b, c = w.values()
    a = x @ W + b
    h = np.tanh(a)
    o = h @ W.T + c
    r = o - x
    L = np.sum(r**2) / len(x)
    return L, (x, a, h, r)


def backward(w, cache):
    """∂L/∂w."""
    W, b, c = w.values()
    x, a, h, r = cache
    do = 2 * r / len(x)
    dc = np.sum(do, axis=0)
    dW = do.T @ h
    dh = do @ W
    da = dh * (1 - h**2)
    db = np.sum(da, axis=0)
    dW += x.T @ da
    return {"W": dW, "b": db, "c": dc}


def encode(w, x):
    """The code h (N, K)."""
    return np.tanh(x @ w["W"] + w["b"])


def reconstruct(w, x):
    """o (N, D)."""
    return encode(w, x) @ w["W"].T + w["c"]


def error_per_feature(w, x):
    """The mean of (o - x)² over the samples, (D,)."""
    return np.mean((reconstruct(w, x) - x)**2, axis=0)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)) @ rng.normal(0, 0.3, size=(2, D))          # flat: two directions explain it all
    w = parameters(rng)
    for k in range(1001):
        L, cache = forward(w, x)
        w = {name: w[name] - 0.1 * dw for name, dw in backward(w, cache).items()}
        if k % 200 == 0:
            print(f"step {k:4}   L = {L:.5f}")
