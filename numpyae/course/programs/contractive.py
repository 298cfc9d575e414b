"""A contractive autoencoder: the code should hardly move when x does.

    h = σ(x W1 + b1)      o = h W2 + b2      L = 1/N Σ_n Σ_d (o - x)² + λ 1/N Σ_n ‖∂h/∂x‖²

x (N, D). With s = σ' = h (1 - h), ∂h_j/∂x_i = s_j W1_ij, so that ‖∂h/∂x‖² = Σ_j s_j² n_j with n_j = Σ_i W1_ij². The
penalty depends on the weights in two ways: through n, and through s, whose slope in h is 1 - 2 h.
"""

import numpy as np

D, H = 5, 7                           # features, hidden units
LAMBDA = 0.2                          # how much the penalty counts


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
    s = h * (1 - h)
    n = np.sum(W1**2, axis=0)
    penalty = np.sum(s**2 * n) / len(x)
    L = np.sum(r**2) / len(x) + LAMBDA * penalty
    return L, (x, h, r, s, n)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, h, r, s, n = cache
    do = 2 * r / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = h.T @ do
    ds = LAMBDA * 2 * s * n / len(x)
    dn = LAMBDA * np.sum(s**2, axis=0) / len(x)
    dh = do @ W2.T + ds * (1 - 2 * h)
    da = dh * s
    db1 = np.sum(da, axis=0)
    dW1 = x.T @ da + dn * 2 * W1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def jacobian(w, x):
    """∂h_j/∂x_i of every sample, (N, D, H)."""
    code = sigmoid(x @ w["W1"] + w["b1"])
    return (code * (1 - code))[:, None, :] * w["W1"]


def stiffness(w, x):
    """‖∂h/∂x‖², averaged over the samples."""
    return np.mean(np.sum(jacobian(w, x)**2, axis=(1, 2)))


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)) @ rng.normal(size=(2, D))
    w = parameters(rng)
    for k in range(2001):
        L, cache = forward(w, x)
        w = {name: w[name] - 0.05 * dw for name, dw in backward(w, cache).items()}
        if k % 400 == 0:
            print(f"step {k:4}   L = {L:.5f}   ‖∂h/∂x‖² = {stiffness(w, x):.4f}")
