"""A gradient check, and a small network to try it on.

    numerical gradient    g_i = (f(w + h e_i) - f(w - h e_i)) / 2h,     e_i: 1 at place i, else 0
    relative error        ‖a - g‖ / (‖a‖ + ‖g‖),     0 for equal ones, 1 for opposite ones
    the network           h1 = tanh(x W1 + b1)      o = h1 W2 + b2      L = 1/N Σ_n Σ_d (o - t)²

x (N, D), t (N, M). f is a function of one array of any shape, the gradient has the same shape, and w is afterwards
what it was. The error of the numerical gradient has two parts: rounding, about 1e-16 |f| / h, and what the formula
leaves out, which goes with h².
"""

import numpy as np

D, H, M = 3, 4, 2                     # inputs, hidden units, outputs


def numerical_gradient(f, w, h=1e-5):
    """∂f/∂w by central differences, an array of the shape of w."""
    w = w.copy()
    g = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        old = w[i]
        w[i] = old + h
        above = f(w)
        w[i] = old - h
        below = f(w)
        w[i] = old
        g[i] = (above - below) / (2 * h)
    return g


def relative_error(a, g):
    """‖a - g‖ / (‖a‖ + ‖g‖); 0 where both are 0."""
    size = np.linalg.norm(a) + np.linalg.norm(g)
    return np.linalg.norm(a - g) / size if size > 0 else 0.0


def parameters(rng, D=D, H=H, M=M):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, M)), "b2": np.zeros(M)}


def forward(w, x, t):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    h1 = np.tanh(x @ W1 + b1)
    r = h1 @ W2 + b2 - t
    L = np.sum(r**2) / len(x)
    return L, (x, h1, r)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, h1, r = cache
    do = 2 * r / len(x)
    da1 = do @ W2.T * (1 - h1**2)
    return {"W1": x.T @ da1, "b1": np.sum(da1, axis=0), "W2": h1.T @ do, "b2": np.sum(do, axis=0)}


def check(w, x, t):
    """{name: relative error} of every array of w, at w."""
    grads = backward(w, forward(w, x, t)[1])
    numerical = {name: numerical_gradient(lambda array: forward({**w, name: array}, x, t)[0], w[name]) for name in w}
    return {name: relative_error(grads[name], numerical[name]) for name in w}


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    w = parameters(rng)
    for name, error in check(w, rng.normal(size=(7, D)), rng.normal(size=(7, M))).items():
        print(f"{name}: relative error {error:.1e}")
