"""A curve through points: one hidden layer of tanh units, squared error.

    a1 = x W1 + b1      h1 = tanh(a1)      o = h1 W2 + b2      L = 1/N Σ_n Σ_d (o - t)²

x (N, D) are the inputs, t (N, M) the targets. Behind a = x W + b the slopes are dW = xᵀ da, db = Σ_n da and dx = da Wᵀ.
"""

import numpy as np

D, H, M = 1, 8, 2                     # inputs, hidden units, outputs


def parameters(rng, D=D, H=H, M=M):
    """w: weights N(0, 1/n_in), so that all a are of size 1; biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, M)), "b2": np.zeros(M)}


def forward(w, x, t):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a1 = x @ W1 + b1
    h1 = np.tanh(a1)
    o = h1 @ W2 + b2
    r = o - t
    L = np.sum(r**2) / len(x)
    return L, (x, a1, h1, r)


def backward(w, cache):
    """∂L/∂w, the lines of forward in reverse order."""
    W1, b1, W2, b2 = w.values()
    x, a1, h1, r = cache
    do = 2 * r / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = h1.T @ do
    dh1 = do @ W2.T
    da1 = dh1 * (1 - h1**2)
    db1 = np.sum(da1, axis=0)
    dW1 = x.T @ da1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def step(w, grads, alpha):
    """One step of gradient descent: a new w."""
    return {name: w[name] - alpha * grads[name] for name in w}


def predict(w, x):
    """o (N, M)."""
    return np.tanh(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]


def explained(w, x, t):
    """R² = 1 - Σ (t - o)² / Σ (t - m)², m (M,) the mean of each output; 1 is perfect, 0 no better than m."""
    spread = np.sum((t - np.mean(t, axis=0))**2)
    return 1 - np.sum((t - predict(w, x))**2) / spread


if __name__ == "__main__":
    x = np.linspace(-2, 2, 30)[:, None]
    t = np.hstack([np.sin(2 * x), np.cos(2 * x)])
    w = parameters(np.random.default_rng(0), D=1, M=2)
    for k in range(3001):
        L, cache = forward(w, x, t)
        w = step(w, backward(w, cache), 0.1)
        if k % 500 == 0:
            print(f"step {k:4}   L = {L:.5f}   R² = {explained(w, x, t):.4f}")
