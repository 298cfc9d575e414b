"""Dropout: a ReLU network that loses hidden units at random while it trains.

    a1 = x W1 + b1      h1 = max(a1, 0)      y1 = h1 mask / keep      o = y1 W2 + b2      L = 1/N Σ_n Σ_d (o - t)²

x (N, D), t (N, M); mask (N, H) is 1 with probability keep, else 0. Dividing by keep makes the mean of y1 over all
masks h1: so nothing has to be scaled when the network predicts, without a mask. A unit that is dropped passes nothing
back.
"""

import numpy as np

D, H, M = 3, 12, 1                    # inputs, hidden units, outputs
KEEP = 0.8                            # the share of the units that stay
SCALE = 1 / KEEP


def parameters(rng, D=D, H=H, M=M):
    """w: weights N(0, 2/n_in), since a ReLU loses half of the signal; biases 0."""
    return {"W1": rng.normal(0, np.sqrt(2 / D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, np.sqrt(2 / H), (H, M)), "b2": np.zeros(M)}


def draw_mask(rng, shape):
    """1 with probability KEEP, else 0, for every unit of every sample by itself."""
    return (rng.random(shape) < KEEP).astype(float)


def forward(w, x, t, mask):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a1 = x @ W1 + b1
    h1 = np.maximum(a1, 0)
    y1 = h1 * mask * SCALE
    o = y1 @ W2 + b2
    r = o - t
    L = np.sum(r**2) / len(x)
    return L, (x, a1, h1, mask, y1, r)


def backward(w, cache):
    """∂L/∂w, for the mask of forward."""
    W1, b1, W2, b2 = w.values()
    x, a1, h1, mask, y1, r = cache
    do = 2 * r / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = y1.T @ do
    dy1 = do @ W2.T
    dh1 = dy1 * mask * SCALE
    da1 = dh1 * (a1 > 0)
    db1 = np.sum(da1, axis=0)
    dW1 = x.T @ da1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def predict(w, x):
    """o (N, M) of the whole network: no unit is dropped."""
    hidden = np.maximum(x @ w["W1"] + w["b1"], 0)
    return hidden @ w["W2"] + w["b2"]


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, D))
    t = np.abs(x[:, :1]) - x[:, 1:2]
    w = parameters(rng, M=1)
    for k in range(2001):
        L, cache = forward(w, x, t, draw_mask(rng, (len(x), H)))
        w = {name: w[name] - 0.02 * dw for name, dw in backward(w, cache).items()}
        if k % 400 == 0:
            print(f"step {k:4}   L = {L:.5f}   without noise {np.mean((predict(w, x) - t)**2):.5f}")
