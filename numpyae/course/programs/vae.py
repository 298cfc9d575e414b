"""A variational autoencoder for black and white pixels.

    h1 = tanh(x W1 + b1)     μ = h1 Wm + bm,  logvar = h1 Wv + bv      the encoder: q(z|x) = N(μ, σ²), σ = e^(½ logvar)
    z = μ + σ ε                                                         the draw, ε ~ N(0, I)
    h2 = tanh(z W2 + b2)     o = h2 W3 + b3                             the decoder: logits
    L = 1/N Σ_n [ Σ_d (log(1 + e^o) - x o)   +   ½ Σ_j (μ² + σ² - logvar - 1) ]

x (N, D) of 0 and 1, ε (N, K). L is -ELBO in nats per sample: the reconstruction, and KL(q ‖ N(0, I)).
"""

import numpy as np

D, H, K = 8, 6, 2                     # features, hidden units, numbers in the code


def sigmoid(a):
    """σ(a) = 1 / (1 + e^-a)."""
    return 1 / (1 + np.exp(-a))


def parameters(rng, D=D, H=H, K=K):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "Wm": rng.normal(0, 1 / np.sqrt(H), (H, K)), "bm": np.zeros(K),
            "Wv": rng.normal(0, 1 / np.sqrt(H), (H, K)), "bv": np.zeros(K),
            "W2": rng.normal(0, 1 / np.sqrt(K), (K, H)), "b2": np.zeros(H),
            "W3": rng.normal(0, 1 / np.sqrt(H), (H, D)), "b3": np.zeros(D)}


def draw_epsilon(rng, shape):
    """ε ~ N(0, 1)."""
    return rng.standard_normal(shape)


def forward(w, x, epsilon):
    """L, and what backward needs."""
    W1, b1, Wm, bm, Wv, bv, W2, b2, W3, b3 = w.values()
    h1 = np.tanh(x @ W1 + b1)
    mu = h1 @ Wm + bm
    logvar = h1 @ Wv + bv
    sigma = np.exp(0.5 * logvar)
    z = mu + sigma * epsilon
    h2 = np.tanh(z @ W2 + b2)
    o = h2 @ W3 + b3
    nll = np.sum(np.logaddexp(0, o) - x * o, axis=1)
    kl = 0.5 * np.sum(mu**2 + sigma**2 - logvar - 1, axis=1)
    L = np.mean(nll + kl)
    return L, (x, epsilon, h1, mu, logvar, sigma, z, h2, o)


def backward(w, cache):
    """∂L/∂w, for the ε of forward."""
    W1, b1, Wm, bm, Wv, bv, W2, b2, W3, b3 = w.values()
    x, epsilon, h1, mu, logvar, sigma, z, h2, o = cache
    do = (sigmoid(o) - x) / len(x)
    dW3, db3 = h2.T @ do, np.sum(do, axis=0)
    dh2 = do @ W3.T
    da2 = dh2 * (1 - h2**2)
    dW2, db2 = z.T @ da2, np.sum(da2, axis=0)
    dz = da2 @ W2.T
    dmu = dz + mu / len(x)
    dsigma = dz * epsilon
    dlogvar = dsigma * 0.5 * sigma + 0.5 * (sigma**2 - 1) / len(x)
    dWm, dbm = h1.T @ dmu, np.sum(dmu, axis=0)
    dWv, dbv = h1.T @ dlogvar, np.sum(dlogvar, axis=0)
    dh1 = dmu @ Wm.T + dlogvar @ Wv.T
    da1 = dh1 * (1 - h1**2)
    dW1, db1 = x.T @ da1, np.sum(da1, axis=0)
    return {"W1": dW1, "b1": db1, "Wm": dWm, "bm": dbm, "Wv": dWv, "bv": dbv,
            "W2": dW2, "b2": db2, "W3": dW3, "b3": db3}


def draw_codes(w, x, rng):
    """One z ~ q(z|x) for every row of x, each with an ε of its own, (N, K)."""
    hidden = np.tanh(x @ w["W1"] + w["b1"])
    center, spread = hidden @ w["Wm"] + w["bm"], np.exp(0.5 * (hidden @ w["Wv"] + w["bv"]))
    return center + spread * rng.standard_normal(center.shape)


def generate(w, n, rng):
    """n new samples: z ~ N(0, I), then the probabilities σ(o), (n, D)."""
    code = rng.standard_normal((n, len(w["W2"])))
    return sigmoid(np.tanh(code @ w["W2"] + w["b2"]) @ w["W3"] + w["b3"])


def information(w, x):
    """The KL of every sample, in nats, (N,): what the code of this x costs."""
    hidden = np.tanh(x @ w["W1"] + w["b1"])
    center, log_variance = hidden @ w["Wm"] + w["bm"], hidden @ w["Wv"] + w["bv"]
    return 0.5 * np.sum(center**2 + np.exp(log_variance) - log_variance - 1, axis=1)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(4), 2, axis=1)[rng.integers(4, size=200)]            # one of four pairs of pixels is white
    w = parameters(rng, D=8)
    for k in range(3001):
        L, cache = forward(w, x, draw_epsilon(rng, (len(x), K)))
        w = {name: w[name] - 0.1 * dw for name, dw in backward(w, cache).items()}
        if k % 500 == 0:
            print(f"step {k:4}   -ELBO = {L:.4f}   KL = {np.mean(information(w, x)):.4f} nats")
