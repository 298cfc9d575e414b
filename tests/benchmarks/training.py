"""Where the time of a training step goes: `python -m tests.benchmarks.training [--rounds 15]`.

For every network: a whole step (loss, backward, optimizer) of numpyae; the matrix products of that step alone, on arrays of the
same shapes; their ratio. Where torch is installed, also the same step in torch (eager, CPU) and the ratio torch/ours. Below,
what each variant of an autoencoder costs beside the plain one, and what a contraction penalty adds, in units of a step of the
encoder alone (its forward and backward pass). All in float32 with 2 threads, in alternation, so that a machine whose speed
drifts slows all of them: the ratios are medians over pairs.
"""

import argparse
import os
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "2")

import numpy as np

from numpyae import (VAE, Adam, Autoencoder, BernoulliNLL, Contraction, DiagonalGaussian, GradientDescent, KLSparsity,
                     L1Sparsity, MaskingNoise, Regression, Sequential, Sigmoid, SquaredError, Tanh, TiedDense, TopK, mlp)

try:
    import torch
except ImportError:
    torch = None

#        name                                  kind   sizes (encoder of a VAE)       code  batch optimizer least torch/ours
ROWS = [("1-8-1 tanh, 1, SGD",                 "net", [1, 8, 1],                      None, 1,   "sgd",    10.0),
        ("1-20-20-1 tanh, 32, Adam",           "net", [1, 20, 20, 1],                 None, 32,  "adam",   9.7),
        ("64-32-8-32-64, 32, Adam",            "net", [64, 32, 8, 32, 64],            None, 32,  "adam",   8.2),
        ("784-128-32-128-784, 64, Adam",       "net", [784, 128, 32, 128, 784],       None, 64,  "adam",   1.4),
        ("VAE 784-200-200-[50], 20, Adam",     "vae", [784, 200, 200],                50,   20,  "adam",   1.2),
        ("VAE 784-500-500-[2], 128, Adam",     "vae", [784, 500, 500],                2,    128, "adam",   0.9),
        ("VAE 784-400-[20], 128, Adam",        "vae", [784, 400],                     20,   128, "adam",   0.8),
        ("784-1000-500-250-30 and mirror, 100, Adam", "net",
         [784, 1000, 500, 250, 30, 250, 500, 1000, 784], None, 100, "adam", 0.78)]

#           name                      arguments of the Autoencoder; "code": what stands behind the encoder
VARIANTS = {"plain": {}, "tied": {"tied": True}, "masking noise": {"corruption": MaskingNoise(0.3)},
            "KL sparsity": {"penalties": [KLSparsity(0.1, 1.0)]},
            "L1 sparsity over units": {"penalties": [L1Sparsity(0.1, 1.0, over="units")]},
            "top 5 of 30": {"code": [TopK(5)]}, "contraction, exact": {"penalties": [Contraction(0.1)]},
            "contraction, 1 direction": {"penalties": [Contraction(0.1, samples=1)]}}


def networks(kind, sizes, code):
    """Sizes of the chains of Dense layers: one network, or encoder and decoder."""
    return [sizes] if kind == "net" else [[*sizes, 2 * code], [code, *sizes[::-1]]]


def data(kind, sizes, batch):
    rng = np.random.default_rng(0)
    x = rng.random((batch, sizes[0]), dtype=np.float32)
    t = rng.random((batch, sizes[-1]), dtype=np.float32)
    return (x, t) if kind == "net" else ((x < 0.2).astype(np.float32),)


def our_step(kind, sizes, code, batch, optimizer):
    rng = np.random.default_rng(0)
    if kind == "net":
        model = Regression(mlp(sizes, rng=rng), SquaredError())
    else:
        encoder, decoder = (mlp(chain, rng=rng) for chain in networks(kind, sizes, code))
        model = VAE(encoder, decoder, BernoulliNLL(), DiagonalGaussian(code))
    model = model.astype(np.float32)
    optimizer = GradientDescent(0.01) if optimizer == "sgd" else Adam(1e-3)
    arrays = data(kind, sizes, batch)

    def step():
        model.loss(*arrays, rng=rng)
        optimizer.step(model.w, model.backward())

    return step


def products_alone(kind, sizes, code, batch):
    """The matrix products of one step: x W, xᵀ delta, and delta Wᵀ except for the first layer of the data."""
    rng = np.random.default_rng(0)
    layers = []
    for chain in networks(kind, sizes, code):
        for n_in, n_out in zip(chain[:-1], chain[1:]):
            x, delta, W = (rng.random(shape, dtype=np.float32) for shape in ((batch, n_in), (batch, n_out), (n_in, n_out)))
            layers.append((x, delta, W, np.empty_like(W)))

    def step():
        for index, (x, delta, W, dW) in enumerate(layers):
            x @ W
            np.matmul(x.T, delta, out=dW)
            if index:
                delta @ W.T

    return step


def torch_step(kind, sizes, code, batch, optimizer):
    torch.set_num_threads(2)
    torch.manual_seed(0)
    chains = []
    for chain in networks(kind, sizes, code):
        layers = []
        for n_in, n_out in zip(chain[:-1], chain[1:]):
            layers += [torch.nn.Linear(n_in, n_out), torch.nn.Tanh()]
        chains.append(torch.nn.Sequential(*layers[:-1]))
    arrays = [torch.from_numpy(array) for array in data(kind, sizes, batch)]
    parameters = [p for chain in chains for p in chain.parameters()]
    optimizer = torch.optim.SGD(parameters, 0.01) if optimizer == "sgd" else torch.optim.Adam(parameters, 1e-3)
    bce = torch.nn.functional.binary_cross_entropy_with_logits

    def loss():
        if kind == "net":
            x, t = arrays
            return ((chains[0](x) - t) ** 2).sum(1).mean()
        x, = arrays
        mu, logvar = chains[0](x).chunk(2, dim=1)
        z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        kl = 0.5 * (mu**2 + logvar.exp() - logvar - 1).sum(1).mean()
        return bce(chains[1](z), x, reduction="sum") / len(x) + kl

    def step():
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def variant(code=(), tied=False, corruption=None, penalties=()):
    """784-300-30-300-784, logistic code; a step of Adam on 50 samples."""
    encoder = mlp([784, 300, 30], Tanh, Sigmoid, rng=0)
    decoder = Sequential(TiedDense(encoder.layers[2]), Tanh(), TiedDense(encoder.layers[0])) if tied else mlp([30, 300, 784], rng=1)
    model = Autoencoder(Sequential(*encoder.layers, *code), decoder, SquaredError(), corruption, penalties).astype(np.float32)
    x = np.random.default_rng(0).random((50, 784), dtype=np.float32)
    optimizer, rng = Adam(1e-3), np.random.default_rng(1)

    def step():
        model.loss(x, rng=rng)
        optimizer.step(model.w, model.backward())

    return step


def encoder_step():
    """Forward and backward of 784-300-30 alone, on 50 samples."""
    model = Regression(mlp([784, 300, 30], Tanh, Sigmoid, rng=0), SquaredError()).astype(np.float32)
    rng = np.random.default_rng(0)
    x, t = rng.random((50, 784), dtype=np.float32), rng.random((50, 30), dtype=np.float32)

    def step():
        model.loss(x, t)
        model.backward()

    return step


def seconds(step, repeats):
    start = time.perf_counter()
    for _ in range(repeats):
        step()
    return (time.perf_counter() - start) / repeats


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15, help="pairs of runs per row (15)")
    rounds = parser.parse_args().rounds
    print(f"NumPy {np.__version__}, torch {torch.__version__ if torch else 'not installed'}, float32, 2 threads, "
          f"medians of {rounds} paired runs")
    print(f"{'net, batch, optimizer':42} {'ours µs':>9} {'products':>9} {'ratio':>6} {'torch µs':>9} {'torch/ours':>10} {'least':>6}")
    for name, kind, sizes, code, batch, optimizer, least in ROWS:
        steps = [our_step(kind, sizes, code, batch, optimizer), products_alone(kind, sizes, code, batch)]
        steps += [torch_step(kind, sizes, code, batch, optimizer)] if torch else []
        repeats = max(3, int(0.15 / min(seconds(steps[0], 3), 0.05)))
        for step in steps:
            seconds(step, max(3, repeats // 3))                  # warm up
        times = np.array([[seconds(step, repeats) for step in steps] for _ in range(rounds)]) * 1e6
        ours, products = np.median(times[:, 0]), np.median(times[:, 1])
        line = f"{name:42} {ours:9.1f} {products:9.1f} {np.median(times[:, 0] / times[:, 1]):6.2f}"
        if torch:
            line += f" {np.median(times[:, 2]):9.1f} {np.median(times[:, 2] / times[:, 0]):10.2f} {least:6.2f}"
        print(line, flush=True)

    steps = {name: variant(**arguments) for name, arguments in VARIANTS.items()}
    encoder = encoder_step()
    print(f"\n{'autoencoder 784-300-30, 50, Adam':42} {'ours µs':>9} {'/ plain':>9} {'what it adds, in encoder steps':>31}")
    for step in (*steps.values(), encoder):
        seconds(step, 5)
    times = {name: [] for name in (*steps, "encoder")}
    for _ in range(rounds):
        for name, step in (*steps.items(), ("encoder", encoder)):
            times[name].append(1e6 * seconds(step, 10))
    times = {name: np.array(values) for name, values in times.items()}
    for name in steps:
        added = np.median((times[name] - times["plain"]) / times["encoder"])
        print(f"{name:42} {np.median(times[name]):9.1f} {np.median(times[name] / times['plain']):9.2f} {added:31.1f}")


if __name__ == "__main__":
    main()
