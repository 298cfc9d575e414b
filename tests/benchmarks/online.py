"""The slides' on-line algorithm against the same loop in torch: `python -m tests.benchmarks.online [--rounds 7]`.

A 1-8-1 tanh network, one step after every sample, in samples per second: `online_backprop`, the layered form (loss, backward,
step, one row at a time), and, where torch is installed, the same loop in torch (eager, CPU, SGD). All float64 on one thread, in
alternation; the ratios are medians over rounds.
"""

import argparse
import copy
import os
import time

for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np

from numpyae import GradientDescent, Regression, SquaredError, datasets, mlp, online_backprop

try:
    import torch
    torch.set_num_threads(1)
except ImportError:
    torch = None

SAMPLES, ALPHA, LEAST = 1000, 0.01, 5.0


def layered(model, x, t):
    optimizer = GradientDescent(ALPHA)
    for n in range(len(x)):
        model.loss(x[n:n + 1], t[n:n + 1])
        optimizer.step(model.w, model.backward())


def in_torch(network, optimizer, x, t):
    for n in range(len(x)):
        optimizer.zero_grad()
        loss = torch.sum((network(x[n]) - t[n])**2)
        loss.backward()
        optimizer.step()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    x, t = datasets.noisy_sine(SAMPLES, rng=np.random.default_rng(0))
    ours = mlp([1, 8, 1], rng=np.random.default_rng(1))
    model = Regression(copy.deepcopy(ours), SquaredError())
    loops = {"online_backprop": lambda: online_backprop(ours, x, t, 2 * ALPHA, 1), "layered": lambda: layered(model, x, t)}
    if torch is not None:
        theirs = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)).double()
        for parameter, start in zip(theirs.parameters(), (ours.layers[0].W.T, ours.layers[0].b, ours.layers[2].W.T, ours.layers[2].b)):
            parameter.data = torch.tensor(start.copy())
        sgd = torch.optim.SGD(theirs.parameters(), lr=ALPHA)
        xs, ts = torch.tensor(x), torch.tensor(t)
        loops["torch"] = lambda: in_torch(theirs, sgd, xs, ts)
    seconds = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            start = time.perf_counter()
            loop()
            seconds[name].append(time.perf_counter() - start)
    for name, times in seconds.items():
        ratio = np.median(np.divide(times, seconds["online_backprop"]))
        print(f"{name:16} {SAMPLES / np.median(times):9.0f} samples/s   time over online_backprop {ratio:5.1f}")
    if torch is None:
        print("torch is not installed: nothing to compare with")
    else:
        apart = np.abs(theirs[0].weight.detach().numpy().T - ours.layers[0].W).max()
        ratio = np.median(np.divide(seconds["torch"], seconds["online_backprop"]))
        print(f"weights apart by {apart:.1e} after {rounds * SAMPLES} samples; torch/ours {ratio:.1f}, asked for at least {LEAST}")


if __name__ == "__main__":
    main()
