"""Which of several classes: softmax and cross-entropy, with weight decay.

    a1 = x W1 + b1      h1 = tanh(a1)      o = h1 W2 + b2      p = softmax(o), p_k = e^(o_k) / Σ_j e^(o_j)
    L = -1/N Σ_n Σ_k t_k log p_k + λ (Σ W1² + Σ W2²)

x (N, D); t (N, C) has a 1 at the class and else 0. Softmax and logarithm cancel: of the first term, ∂L/∂o = (p - t) /
N. The decay is about weights, not biases; of λ W² the slope is 2 λ W.
"""

import numpy as np

D, H, C = 2, 10, 3                    # inputs, hidden units, classes
LAMBDA = 0.003                        # weight decay


def parameters(rng, D=D, H=H, C=C):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, C)), "b2": np.zeros(C)}


def softmax(o):
    """p (N, C): every row sums to 1. Taking away the largest o changes nothing but the overflow."""
    e = np.exp(o - np.max(o, axis=1, keepdims=True))
    return e / np.sum(e, axis=1, keepdims=True)


def one_hot(labels, C=C):
    """t (N, C) from whole numbers 0 ... C - 1."""
    return np.eye(C)[labels]


def forward(w, x, t):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a1 = x @ W1 + b1
    h1 = np.tanh(a1)
    o = h1 @ W2 + b2
    p = softmax(o)
    error = -np.sum(t * np.log(p)) / len(x)
    L = error + LAMBDA * (np.sum(W1**2) + np.sum(W2**2))
    return L, (x, t, h1, p)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, t, h1, p = cache
    do = (p - t) / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = h1.T @ do + 2 * LAMBDA * W2
    dh1 = do @ W2.T
    da1 = dh1 * (1 - h1**2)
    db1 = np.sum(da1, axis=0)
    dW1 = x.T @ da1 + 2 * LAMBDA * W1
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def probabilities(w, x):
    """p (N, C)."""
    o = np.tanh(x @ w["W1"] + w["b1"]) @ w["W2"] + w["b2"]
    return softmax(o)


def accuracy(w, x, labels):
    """The share of the samples whose most probable class is the label."""
    return np.mean(np.argmax(probabilities(w, x), axis=1) == labels)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    labels = rng.integers(C, size=240)
    angle = 2 * np.pi * labels / C
    x = np.column_stack([np.cos(angle), np.sin(angle)]) + 0.35 * rng.normal(size=(240, 2))
    w = parameters(rng, D=2)
    for k in range(601):
        L, cache = forward(w, x, one_hot(labels))
        w = {name: w[name] - 0.5 * dw for name, dw in backward(w, cache).items()}
        if k % 100 == 0:
            print(f"step {k:4}   L = {L:.5f}   {accuracy(w, x, labels):.1%} right")
