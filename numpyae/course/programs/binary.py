"""Yes or no: logistic units, and the cross-entropy of a coin.

    a1 = x W1 + b1      h1 = σ(a1)      o = h1 W2 + b2      L = 1/N Σ_n [log(1 + e^o) - t o]

x (N, D); t (N,) is 0 or 1. The output o (N,) is a logit: p = σ(o) is the probability of 1, and L is the mean of -log
of the probability of what came. σ' = σ (1 - σ). Behind the cross-entropy of σ(o) it has cancelled: ∂L/∂o = (σ(o) - t)
/ N.
"""

import numpy as np

D, H = 2, 6                           # inputs, hidden units


def sigmoid(a):
    """σ(a) = 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def parameters(rng, D=D, H=H):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, 1)), "b2": np.zeros(1)}


def forward(w, x, t):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a1 = x @ W1 + b1
    h1 = sigmoid(a1)
    a2 = h1 @ W2 + b2
    o = a2[:, 0]
    L = np.mean(np.logaddexp(0, o) - t * o)
    return L, (x, t, a1, h1, o)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, t, a1, h1, o = cache
    do = (sigmoid(o) - t) / len(x)
    da2 = do[:, None]
    db2 = np.sum(da2, axis=0)
    dW2 = h1.T @ da2
    dh1 = da2 @ W2.T
    da1 = dh1 * h1 * (1 - h1)
    db1 = np.sum(da1, axis=0)
    dW1 = x.T @ da1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def probability(w, x):
    """p (N,), of t = 1."""
    o = sigmoid(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]
    return sigmoid(o[:, 0])


def accuracy(w, x, t):
    """The share of the samples whose more probable answer is t (N,)."""
    yes = probability(w, x) > 0.5
    return np.mean(yes == (t > 0.5))


def bits(w, x, t):
    """The mean cross-entropy in bits: L / ln 2."""
    return forward(w, x, t)[0] / np.log(2)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 2))
    t = (np.sum(x**2, axis=1) > 1.4).astype(float)       # 1 outside a circle
    w = parameters(rng, D=2)
    for k in range(3001):
        L, cache = forward(w, x, t)
        w = {name: w[name] - 1.0 * dw for name, dw in backward(w, cache).items()}
        if k % 500 == 0:
            print(f"step {k:4}   L = {L:.5f}   {accuracy(w, x, t):.1%} right")
