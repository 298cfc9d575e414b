"""The code around the gradient: standardised data, mini-batches, momentum, Adam.

    o = x W + b      L = 1/N Σ_n Σ_d (o - t)²
    standardise   (x - mean) / std, feature by feature, both measured on the training data only
    momentum      v = μ v - α g,      w = w + v
    Adam          m = β1 m + (1 - β1) g,      v = β2 v + (1 - β2) g²      (g² element by element)
                  w = w - α m̂ / (√v̂ + ε),     m̂ = m / (1 - β1^k),  v̂ = v / (1 - β2^k),  in step k = 1, 2, ...

x (N, D), t (N, M). m and v begin at 0, which makes them too small in the first steps: the division repairs that.
"""

import numpy as np

D, M = 3, 1                           # inputs, outputs
MU = 0.9                              # momentum
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8         # Adam


def parameters(rng, D=D, M=M):
    """w: weights N(0, 1/n_in), bias 0."""
    return {"W": rng.normal(0, 1 / np.sqrt(D), (D, M)), "b": np.zeros(M)}


def standardise(x, x_test):
    """Both, in units in which the training data x have mean 0 and standard deviation 1."""
    mean = np.mean(x, axis=0)
    std = np.std(x, axis=0)
    return (x - mean) / std, (x_test - mean) / std


def batches(rng, x, t, size):
    """A list of (x, t) of `size` rows each, the last may have fewer: all samples once, in random order."""
    order = rng.permutation(len(x))
    found = []
    for start in range(0, len(x), size):
        rows = order[start:start + size]
        found.append((x[rows], t[rows]))
    return found


def forward(w, x, t):
    """L, and what backward needs."""
    W, b = w.values()
    o = x @ W + b
    r = o - t
    L = np.sum(r**2) / len(x)
    return L, (x, r)


def backward(w, cache):
    """∂L/∂w."""
    x, r = cache
    do = 2 * r / len(x)
    db = np.sum(do, axis=0)
    dW = x.T @ do
    return {"W": dW, "b": db}


def momentum(w, grads, v, alpha):
    """One step: the new w, and the new velocity v, a dict like w."""
    v_new = {name: MU * v[name] - alpha * grads[name] for name in w}
    w_new = {name: w[name] + v_new[name] for name in w}
    return w_new, v_new


def adam(w, grads, m, v, k, alpha):
    """Step k = 1, 2, ...: the new w, m and v, dicts like w."""
    m_new = {name: BETA1 * m[name] + (1 - BETA1) * grads[name] for name in w}
    v_new = {name: BETA2 * v[name] + (1 - BETA2) * grads[name]**2 for name in w}
    w_new = {}
    for name in w:
        m_hat = m_new[name] / (1 - BETA1**k)
        v_hat = v_new[name] / (1 - BETA2**k)
        w_new[name] = w[name] - alpha * m_hat / (np.sqrt(v_hat) + EPSILON)
    return w_new, m_new, v_new


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(5, [1, 10, 100], size=(200, 3))
    t = (x @ np.array([[3], [0.2], [-0.01]])) + 0.1 * rng.normal(size=(200, 1))
    x, x_test = standardise(x[:150], x[150:])
    w = parameters(rng, D=3, M=1)
    m, v, k = {name: 0 * w[name] for name in w}, {name: 0 * w[name] for name in w}, 0
    for epoch in range(100):
        for some_x, some_t in batches(rng, x, t[:150], 25):
            k += 1
            L, cache = forward(w, some_x, some_t)
            w, m, v = adam(w, backward(w, cache), m, v, k, 0.1)
        if epoch % 20 == 0:
            print(f"epoch {epoch:3}   L = {L:.5f}   new data {forward(w, x_test, t[150:])[0]:.5f}")
