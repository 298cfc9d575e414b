"""A VAE for real numbers, which learns how exact its reconstructions are.

    μ = x Wm + bm,  logvar = x Wv + bv       z = μ + σ ε,  σ = e^(½ logvar)       h = tanh(z W1 + b1)      o = h W2 + b2
    -log p(x|z) = ½ Σ_d r² / s² + ½ D (log s² + log 2π),  r = o - x              s² = e^rho, one s for all features
    L = 1/N Σ_n [ -log p(x|z) + ½ Σ_j (μ² + σ² - logvar - 1) ]

x (N, D), ε (N, K). rho (1,) is a parameter like the others.
"""

import numpy as np

D, H, K = 5, 8, 2                     # features, hidden units, numbers in the code


def parameters(rng, D=D, H=H, K=K):
    """w: weights N(0, 1/n_in), biases 0, s = 1."""
    return {"Wm": rng.normal(0, 1 / np.sqrt(D), (D, K)), "bm": np.zeros(K),
            "Wv": rng.normal(0, 1 / np.sqrt(D), (D, K)), "bv": np.zeros(K),
            "W1": rng.normal(0, 1 / np.sqrt(K), (K, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, D)), "b2": np.zeros(D), "rho": np.zeros(1)}


def forward(w, x, epsilon):
    """L, and what backward needs."""
    Wm, bm, Wv, bv, W1, b1, W2, b2, rho = w.values()
    mu = x @ Wm + bm
    logvar = x @ Wv + bv
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * epsilon
    h = np.tanh(z @ W1 + b1)
    o = h @ W2 + b2
    r = o - x
    squares = np.sum(r**2, axis=1) * np.exp(-rho)
    nll = 0.5 * squares + 0.5 * x.shape[1] * (rho + np.log(2 * np.pi))
    kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1)
    L = np.mean(nll + kl)
    return L, (x, epsilon, mu, sigma, z, h, r, squares)


def backward(w, cache):
    """∂L/∂w, for the ε of forward."""
    Wm, bm, Wv, bv, W1, b1, W2, b2, rho = w.values()
    x, epsilon, mu, sigma, z, h, r, squares = cache
    do = r * np.exp(-rho) / len(x)
    drho = np.mean(0.5 * x.shape[1] - 0.5 * squares, keepdims=True)
    dW2, db2 = h.T @ do, np.sum(do, axis=0)
    dh = do @ W2.T
    da = dh * (1 - h**2)
    dW1, db1 = z.T @ da, np.sum(da, axis=0)
    dz = da @ W1.T
    dmu = dz + mu / len(x)
    dsigma = dz * epsilon
    dlogvar = dsigma * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)
    dWm, dbm = x.T @ dmu, np.sum(dmu, axis=0)
    dWv, dbv = x.T @ dlogvar, np.sum(dlogvar, axis=0)
    return {"Wm": dWm, "bm": dbm, "Wv": dWv, "bv": dbv, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "rho": drho}


def draw(o, rho, rng):
    """x ~ N(o, s² I), of the shape of o (N, D)."""
    return o + np.exp(0.5 * rho) * rng.standard_normal(o.shape)


def active(w, x):
    """How far the mean of each number of the code moves over the data: the variance of μ over the samples, (K,)."""
    return np.var(x @ w["Wm"] + w["bm"], axis=0)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1)) @ rng.normal(size=(1, D)) + 0.2 * rng.normal(size=(200, D))
    w = parameters(rng)
    for k in range(3001):
        L, cache = forward(w, x, rng.standard_normal((len(x), K)))
        w = {name: w[name] - 0.02 * dw for name, dw in backward(w, cache).items()}
        if k % 500 == 0:
            print(f"step {k:4}   -ELBO = {L:.4f}   s = {np.exp(0.5 * w['rho'][0]):.4f}")
