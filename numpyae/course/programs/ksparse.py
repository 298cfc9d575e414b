"""A k-sparse autoencoder: of every sample the K strongest units stay, all others are set to 0.

    a = x W1 + b1      h = a mask      o = h W2 + b2      L = 1/N Σ_n Σ_d (o - x)²

x (N, D); mask (N, H) is 1 for the K units of a sample with the largest |a|, else 0. There is no other activation.
Only the winners pass the gradient on; which units win does not change under a small step.
"""

import numpy as np

D, H, K = 6, 10, 3                    # features, hidden units, of which so many stay


def parameters(rng, D=D, H=H):
    """w: weights N(0, 1/n_in), biases 0."""
    return {"W1": rng.normal(0, 1 / np.sqrt(D), (D, H)), "b1": np.zeros(H),
            "W2": rng.normal(0, 1 / np.sqrt(H), (H, D)), "b2": np.zeros(D)}


def top_k(a):
    """mask (N, H): 1 for the K largest |a| of each row, else 0."""
    order = np.argsort(-np.abs(a), axis=1)
    mask = np.zeros_like(a)
    np.put_along_axis(mask, order[:, :K], 1, axis=1)
    return mask


def forward(w, x):
    """L, and what backward needs."""
    W1, b1, W2, b2 = w.values()
    a = x @ W1 + b1
    mask = top_k(a)
    h = a * mask
    o = h @ W2 + b2
    r = o - x
    L = np.sum(r**2) / len(x)
    return L, (x, a, mask, h, r)


def backward(w, cache):
    """∂L/∂w."""
    W1, b1, W2, b2 = w.values()
    x, a, mask, h, r = cache
    do = 2 * r / len(x)
    db2 = np.sum(do, axis=0)
    dW2 = h.T @ do
    dh = do @ W2.T
    da = dh * mask
    db1 = np.sum(da, axis=0)
    dW1 = x.T @ da
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def encode(w, x):
    """The code h (N, H): K numbers of each row are not 0."""
    code = x @ w["W1"] + w["b1"]
    return code * top_k(code)


def used(w, x):
    """Return for every unit the share of samples in which it is among the winners, (H,)."""
    return np.mean(encode(w, x) != 0, axis=0)


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    x = (rng.random((200, 8)) < 0.2) @ rng.normal(0, 0.5, size=(8, D))
    w = parameters(rng)
    for k in range(1001):
        L, cache = forward(w, x)
        w = {name: w[name] - 0.05 * dw for name, dw in backward(w, cache).items()}
        if k % 200 == 0:
            print(f"step {k:4}   L = {L:.5f}   {np.sum(used(w, x) > 0)} of {H} units are used")
