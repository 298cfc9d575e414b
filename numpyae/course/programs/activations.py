"""A stack of different activations: tanh, softplus, ELU, and a softmax that stands alone.

    h1 = tanh(x W1 + b1)              tanh' = 1 - tanh²
    h2 = softplus(h1 W2 + b2)         softplus(a) = log(1 + e^a), its slope is σ(a)
    h3 = ELU(h2 W3 + b3)              ELU(a) = a above 0, e^a - 1 below; its slope is 1 above, e^a = h + 1 below
    o  = softmax(h3 W4 + b4)          do_k/da_j = o_k ([k = j] - o_j): every output depends on every a
    L  = 1/N Σ_n Σ_d (o - t)²

x (N, D), t (N, M). With a squared error behind it, nothing of the softmax cancels: da4 = o (do - Σ_k do_k o_k).
"""

import numpy as np

D, H, J, K, M = 2, 6, 5, 4, 3         # inputs, units of the three hidden layers, outputs


def parameters(rng, D=D, H=H, J=J, K=K, M=M):
    """w: weights N(0, 1/n_in), biases 0."""
    w, sizes = {}, [D, H, J, K, M]
    for k in range(1, 5):
        w[f"W{k}"] = rng.normal(0, 1 / np.sqrt(sizes[k - 1]), (sizes[k - 1], sizes[k]))
        w[f"b{k}"] = np.zeros(sizes[k])
    return w


def forward(w, x, t):
    """L, and what backward needs."""
    W1, b1, W2, b2, W3, b3, W4, b4 = w.values()
    a1 = x @ W1 + b1
    h1 = np.tanh(a1)
    a2 = h1 @ W2 + b2
    h2 = np.logaddexp(0, a2)
    a3 = h2 @ W3 + b3
    h3 = np.where(a3 > 0, a3, np.exp(np.minimum(a3, 0)) - 1)
    a4 = h3 @ W4 + b4
    e = np.exp(a4 - np.max(a4, axis=1, keepdims=True))
    o = e / np.sum(e, axis=1, keepdims=True)
    L = np.sum((o - t)**2) / len(x)
    return L, (x, t, a1, h1, a2, h2, a3, h3, o)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2, W3, b3, W4, b4 = w.values()
    x, t, a1, h1, a2, h2, a3, h3, o = cache
    do = 2 * (o - t) / len(x)
    da4 = o * (do - np.sum(do * o, axis=1, keepdims=True))
    dW4 = h3.T @ da4
    db4 = np.sum(da4, axis=0)
    dh3 = da4 @ W4.T
    da3 = dh3 * np.where(a3 > 0, 1, h3 + 1)
    dW3 = h2.T @ da3
    db3 = np.sum(da3, axis=0)
    dh2 = da3 @ W3.T
    da2 = dh2 / (1 + np.exp(-a2))
    dW2 = h1.T @ da2
    db2 = np.sum(da2, axis=0)
    dh1 = da2 @ W2.T
    da1 = dh1 * (1 - h1**2)
    dW1 = x.T @ da1
    db1 = np.sum(da1, axis=0)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2, "W3": dW3, "b3": db3, "W4": dW4, "b4": db4}


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, D))
    t = np.eye(M)[np.argmax(x @ rng.normal(size=(D, M)), axis=1)]
    w = parameters(rng)
    for k in range(1001):
        L, cache = forward(w, x, t)
        w = {name: w[name] - 0.5 * dw for name, dw in backward(w, cache).items()}
        if k % 200 == 0:
            print(f"step {k:4}   L = {L:.5f}")
