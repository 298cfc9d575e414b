"""A sparse autoencoder: every hidden unit is to be active rarely.

    h = σ(x W1 + b1)      o = h W2 + b2      m_j = 1/N Σ_n h_nj
    L = 1/N Σ_n Σ_d (o - x)² + β Σ_j KL(ρ ‖ m_j),     KL(ρ ‖ m) = ρ log(ρ/m) + (1 - ρ) log((1 - ρ)/(1 - m))

x (N, D). m (H,) is the mean activation of each unit over the samples, ρ what it should be. The penalty reaches h
through m, of which every h_nj is 1/N: so dh has a second summand, dm / N, the same for all samples.
"""

import numpy as np

D, H = 6, 9                           # features, hidden units
RHO = 0.1                             # how active a unit should be
BETA = 0.5                            # how much the penalty counts


def sigmoid(a):
    """σ(a) = 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def parameters(rng, D=D, H=H):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, D)), "b2": np.zeros(D)}


def forward(w, x):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a = x @ W1 + b1
    h = sigmoid(a)
    o = h @ W2 + b2
    r = o - x
    m = np.mean(h, axis=0)
    kl = RHO * np.log(RHO / m) + (1 - RHO) * np.log((1 - RHO) / (1 - m))
    L = np.sum(r**2) / len(x) + BETA * np.sum(kl)
    return L, (x, h, r, m)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, h, r, m = cache
    do = 2 * r / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = h.T @ do
    dm = BETA * ((1 - RHO) / (1 - m) - RHO / m)
    dh = do @ W2.T + dm / len(x)
    da = dh * h * (1 - h)
    db1 = np.sum(da, axis=0)
    dW1 = x.T @ da
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def activity(w, x):
    """The mean activation of every unit, (H,)."""
    return np.mean(sigmoid(x @ w["W1"] + w["b1"]), axis=0)


def most_active(w, x):
    """The index of the most active unit for each sample, (N,)."""
    return np.argmax(sigmoid(x @ w["W1"] + w["b1"]), axis=1)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = (rng.random((200, 3)) < 0.2) @ rng.normal(size=(3, D))               # few causes at a time
    w = parameters(rng)
    for k in range(2001):
        L, cache = forward(w, x)
        w = {name: w[name] - 0.2 * dw for name, dw in backward(w, cache).items()}
        if k % 400 == 0:
            print(f"step {k:4}   L = {L:.5f}   mean activity {np.mean(activity(w, x)):.3f}")
