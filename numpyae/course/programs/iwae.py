"""The importance-weighted bound: K draws for each x, and the logarithm of their mean weight.

    μ = x Wm + bm,  logvar = x Wv + bv      z_k = μ + σ ε_k,  σ = e^(½ logvar)      o_k = z_k W + b, logits
    log w_k = log p(x|z_k) + log p(z_k) - log q(z_k|x)
    L = -1/N Σ_n log 1/K Σ_k w_k

x (N, D) of 0 and 1; ε, z (K, N, J); o (K, N, D); log w (K, N). With log p(x|z) = Σ_d [x o - log(1 + e^o)], log p(z) =
-½ Σ_j (z² + log 2π) and log q(z|x) = -½ Σ_j (ε² + logvar + log 2π). With K = 1 this is -ELBO; with more draws the
bound is closer to log p(x). The gradient of log Σ w_k is that of each log w_k, times the share w_k / Σ w.
"""

import numpy as np

D, J = 6, 2                           # features, numbers in the code


def parameters(rng, D=D, J=J):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"Wm": rng.normal(0, 1 / np.sqrt(D), (D, J)), "bm": np.zeros(J),
            "Wv": rng.normal(0, 1 / np.sqrt(D), (D, J)), "bv": np.zeros(J),
            "W": rng.normal(0, 1 / np.sqrt(J), (J, D)), "b": np.zeros(D)}


def forward(w, x, epsilon):
    """L, and what backward needs."""
    Wm, bm, Wv, bv, W, b = w.values()
    mu = x @ Wm + bm
    logvar = x @ Wv + bv
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * epsilon
    o = z @ W + b
    log_like = np.sum(x * o - np.logaddexp(0, o), axis=2)
    log_p = -0.5 * np.sum(z**2 + np.log(2 * np.pi), axis=2)
    log_q = -0.5 * np.sum(epsilon**2 + logvar + np.log(2 * np.pi), axis=2)
    log_w = log_like + log_p - log_q
    most = np.max(log_w, axis=0)
    total = np.sum(np.exp(log_w - most), axis=0)
    bound = most + np.log(total) - np.log(len(epsilon))
    L = -np.mean(bound)
    return L, (x, epsilon, sigma, z, o, log_w, most, total)


def backward(w, cache):
    """∂L/∂w, for the ε of forward."""
    Wm, bm, Wv, bv, W, b = w.values()
    x, epsilon, sigma, z, o, log_w, most, total = cache
    share = np.exp(log_w - most) / total
    dlog_w = -share / len(x)
    do = dlog_w[:, :, None] * (x - 1 / (1 + np.exp(-o)))                     # x - σ(o)
    dW = np.sum(np.swapaxes(z, 1, 2) @ do, axis=0)
    db = np.sum(do, axis=(0, 1))
    dz = do @ W.T - dlog_w[:, :, None] * z
    dmu = np.sum(dz, axis=0)
    dsigma = np.sum(dz * epsilon, axis=0)
    dlogvar = dsigma * 0.5 * sigma + 0.5 * np.sum(dlog_w, axis=0)[:, None]
    dWm, dbm = x.T @ dmu, np.sum(dmu, axis=0)
    dWv, dbv = x.T @ dlogvar, np.sum(dlogvar, axis=0)
    return {"Wm": dWm, "bm": dbm, "Wv": dWv, "bv": dbv, "W": dW, "b": db}


def log_likelihood(log_w):
    """The estimate of log p(x) from the log weights (K, N) of K draws: log 1/K Σ_k w_k, (N,)."""
    highest = np.max(log_w, axis=0)
    return highest + np.log(np.mean(np.exp(log_w - highest), axis=0))


def effective_draws(log_w):
    """How many of the K draws count, (N,): (Σ w)² / Σ w², between 1 and K."""
    weight = np.exp(log_w - np.max(log_w, axis=0))
    return np.sum(weight, axis=0)**2 / np.sum(weight**2, axis=0)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(3), 2, axis=1)[rng.integers(3, size=200)]            # one of three pairs of pixels is white
    w = parameters(rng, D=6)
    for k in range(1501):
        L, cache = forward(w, x, rng.standard_normal((5, len(x), J)))
        w = {name: w[name] - 0.2 * dw for name, dw in backward(w, cache).items()}
        if k % 300 == 0:
            print(f"step {k:4}   L = {L:.4f}   {np.mean(effective_draws(cache[5])):.2f} of 5 draws count")
