"""One layer used twice, with a way around it: what two places share gets a summand from each.

    a1 = x W + b      h1 = tanh(a1)      a2 = h1 W + b      h2 = h1 + tanh(a2)      o = h2 U + c
    L = 1/N Σ_n Σ_d (o - t)²

x (N, H), t (N, M); W (H, H) and b (H,) stand in two places. h1 is used twice as well: inside a2, and beside it (a
residual connection). The gradient of whatever is used twice is the sum of what comes back from both places.
"""

import numpy as np

H, M = 4, 2                           # inputs and hidden units, outputs


def parameters(rng, H=H, M=M):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W": rng.normal(0, 1 / np.sqrt(H), (H, H)), "b": np.zeros(H),
            "U": rng.normal(0, 1 / np.sqrt(H), (H, M)), "c": np.zeros(M)}


def forward(w, x, t):
    """L, and what backward needs."""
    W, b, U, c = w.values()
    a1 = x @ W + b
    h1 = np.tanh(a1)
    a2 = h1 @ W + b
    u2 = np.tanh(a2)
    h2 = h1 + u2
    o = h2 @ U + c
    r = o - t
    L = np.sum(r**2) / len(x)
    return L, (x, h1, u2, h2, r)


def backward(w, cache):
    """∂L/∂w."""
    W, b, U, c = w.values()
    x, h1, u2, h2, r = cache
    do = 2 * r / len(x)
    dc = np.sum(do, axis=0)
    dU = h2.T @ do
    dh2 = do @ U.T
    da2 = dh2 * (1 - u2**2)
    dW = h1.T @ da2
    db = np.sum(da2, axis=0)
    dh1 = da2 @ W.T
    dh1 += dh2
    da1 = dh1 * (1 - h1**2)
    dW += x.T @ da1
    db += np.sum(da1, axis=0)
    return {"W": dW, "b": db, "U": dU, "c": dc}


def predict(w, x):
    """o (N, M)."""
    once = np.tanh(x @ w["W"] + w["b"])
    twice = once + np.tanh(once @ w["W"] + w["b"])
    return twice @ w["U"] + w["c"]


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, H))
    t = np.column_stack([np.sin(x[:, 0] + x[:, 1]), x[:, 2] * x[:, 3]])
    w = parameters(rng, M=2)
    for k in range(2001):
        L, cache = forward(w, x, t)
        w = {name: w[name] - 0.1 * dw for name, dw in backward(w, cache).items()}
        if k % 400 == 0:
            print(f"step {k:4}   L = {L:.5f}")
