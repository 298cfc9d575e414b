"""Small right programs, each a file of its own that needs numpy alone: `hunts.py` puts one mistake into one of them.

All have the same parts. `parameters(rng)` gives w, a dict of arrays; `forward(w, ...)` the loss and what backward
needs of it; `backward(w, cache)` the gradients, a dict with the names of w; noise is an argument of forward, drawn by
a function of its own.
"""
