"""How far the gradient checker is to be believed: `python -m tests.benchmarks.gradcheck [--networks 2000] [--scale all]`.

A checker can fail in three ways, and each needs its own measurement over networks that nobody chose by hand:

    false alarm    it accuses a right gradient. All networks here are right (the library's own), so every "disagree" is one.
    abstention     it says "cannot tell", or "kink", where it should have judged: the share of such elements.
    blindness      it passes a wrong gradient: one element of a right one is multiplied by 1.001; the check must name its array.

The networks are random in all that the library has: kind of model, depth, widths, batch, activations, loss. Their weights and
their data are standard normal (weights over the root of the fan-in) times a scale each, from one of three families:

    moderate  0.5-2   both scales log-uniform between 0.5 and 2
    100       1e±2    each scale 0.01 or 100, independently
    1e6       1e±6    each scale 1e-6 or 1e6

Numbers come from --seed alone; each network has a seed of its own: `--only SEED --family NAME` shows the report of that one
(and with --planted 1 that of the wrong one).
Last, the cost: a full check against a bare loop of central differences over the same function, in turns, the minimum of each.
Exit status 1 when something is worse than was asked.
"""

import argparse
import copy
import multiprocessing
import os
import sys
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from numpyae import (ELU, VAE, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, Dropout, GaussianNLL,
                     HeteroscedasticGaussianNLL, Identity, Regression, ReLU, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy,
                     Softplus, SquaredError, Tanh, TiedDense, TopK, gradcheck, mlp)
from numpyae.gradcheck.check import fresh

FAMILIES = {"moderate": "0.5-2", "100": "1e±2", "1e6": "1e±6"}
ABSTENTION = {"moderate": 0.005, "100": 0.15}        # asked: at most this share of elements is a kink or cannot be told
COST = 4                                             # asked: a check takes at most this many bare loops
FACTOR = 1 + 1e-3                                    # of the planted error
ACTIVATIONS = (Identity, Sigmoid, Tanh, ReLU, Softplus, ELU, Softmax)
UNIT = (BernoulliNLL, ContinuousBernoulliNLL)        # their targets lie in [0, 1]


# Random networks

def random_network(rng, scale):
    """(model, batch, description) of a right network; `scale` names the family."""
    weights, data = scales(rng, scale)
    kind = rng.choice(["regression", "autoencoder", "tied", "vae"], p=[0.5, 0.15, 0.1, 0.25])
    model, batch, words = {"regression": regression, "autoencoder": autoencoder, "tied": tied, "vae": vae}[kind](rng, data)
    for leaf in model.leaves().values():
        if isinstance(leaf, Dense):
            leaf.W = weights * rng.standard_normal(leaf.W.shape) / np.sqrt(leaf.n_in)
        if isinstance(leaf, (Dense, TiedDense)):
            leaf.b = weights * rng.standard_normal(leaf.b.shape)
    return model, batch, f"{words}; N = {len(batch[0])}, scale of weights {weights:.3g}, of data {data:.3g}"


def scales(rng, family):
    """The scale of the weights and the scale of the data."""
    if family == "moderate":
        return 2 ** rng.uniform(-1, 1, 2)
    return float(family) ** rng.choice([-1.0, 1.0], 2)


def regression(rng, data):
    """A network of 1 to 5 Dense layers under any loss."""
    loss = random_loss(rng, data)
    width = int(rng.integers(1, 14))                 # features of the target
    network = chain(rng, int(rng.integers(1, 6)), None, width * loss.outputs_per_feature, loss)
    N = int(rng.integers(1, 8))
    if isinstance(loss, SoftmaxCrossEntropy) and rng.random() < 0.5:
        t = rng.integers(0, width, N)
    else:
        t = target(rng, loss, N, width, data)
    batch = data * rng.standard_normal((N, network.n_in)), t
    return Regression(network, loss), batch, f"Regression: {words(network)} | {loss!r}" + (" on labels" if t.ndim == 1 else "")


def autoencoder(rng, data):
    """Encoder and decoder of 1 to 3 Dense layers each."""
    loss = random_loss(rng, data)
    D, H, N = (int(size) for size in rng.integers(1, [14, 14, 8]))
    encoder = chain(rng, int(rng.integers(1, 4)), D, H)
    encoder = Sequential(*encoder.layers, *hidden(rng, H)) if rng.random() < 0.5 else encoder
    decoder = chain(rng, int(rng.integers(1, 3)), H, D * loss.outputs_per_feature, loss)
    batch = target(rng, loss, N, D, data),
    return Autoencoder(encoder, decoder, loss), batch, f"Autoencoder: {words(encoder)} | {words(decoder)} | {loss!r}"


def tied(rng, data):
    """An autoencoder whose decoder shares the weights of its encoder, one or two layers of them."""
    loss = random_loss(rng, data, with_variance=False)
    *widths, N = (int(size) for size in rng.integers(1, [14, 14, 14, 8]))
    first, second = Dense(*widths[:2], rng=rng), Dense(*widths[1:], rng=rng)
    if rng.random() < 0.5:
        encoder, decoder = [first, *hidden(rng, widths[1])], [TiedDense(first)]
    else:
        encoder = [first, *hidden(rng, widths[1]), second, *hidden(rng, widths[2])]
        decoder = [TiedDense(second), *hidden(rng, widths[1]), TiedDense(first)]
    encoder, decoder = Sequential(*encoder), Sequential(*decoder, *last(rng, loss))
    batch = target(rng, loss, N, widths[0], data),
    return Autoencoder(encoder, decoder, loss), batch, f"Autoencoder, tied: {words(encoder)} | {words(decoder)} | {loss!r}"


def vae(rng, data):
    """A VAE under any likelihood, with 1 to 3 samples and some beta."""
    loss = random_loss(rng, data, likelihood=True)
    D, d, N = (int(size) for size in rng.integers(1, [14, 6, 8]))
    encoder = chain(rng, int(rng.integers(1, 4)), D, 2 * d)
    decoder = chain(rng, int(rng.integers(1, 3)), d, D * loss.outputs_per_feature, loss)
    samples, beta = int(rng.integers(1, 4)), float(rng.choice([1, 1, 0.3, 4, 0]))
    model = VAE(encoder, decoder, loss, DiagonalGaussian(d), samples=samples, beta=beta)
    batch = target(rng, loss, N, D, data),
    return model, batch, f"VAE: {words(encoder)} | {words(decoder)} | {loss!r}, samples={samples}, beta={beta:g}"


def chain(rng, depth, n_in, n_out, loss=None):
    """`depth` Dense layers from n_in (None: any width) to n_out, something between them; after them too where a loss is given."""
    widths = [int(width) for width in rng.integers(1, 14, depth)] + [n_out]
    widths[0] = n_in or widths[0]
    layers = []
    for index in range(depth):
        layers.append(Dense(*widths[index:index + 2], rng=rng))
        layers += hidden(rng, widths[index + 1]) if index < depth - 1 else []
    return Sequential(*layers, *(last(rng, loss) if loss else []))


def hidden(rng, width):
    """What stands after a hidden layer: an activation, sometimes dropout, sometimes only the strongest units."""
    layers = [ACTIVATIONS[rng.integers(len(ACTIVATIONS))]()]
    if rng.random() < 0.12:
        layers.append(Dropout(round(rng.uniform(0.1, 0.6), 2)))
    if rng.random() < 0.12:
        layers.append(TopK(int(rng.integers(1, width + 1)), by=str(rng.choice(["magnitude", "value"]))))
    return layers


def last(rng, loss):
    """What stands after the last layer: mostly nothing, and no Sigmoid or Softmax under a loss that takes logits."""
    if rng.random() < 0.7:
        return []
    allowed = [activation for activation in ACTIVATIONS if not (loss.takes_logits and activation in (Sigmoid, Softmax))]
    return [allowed[rng.integers(len(allowed))]()]


def random_loss(rng, data, likelihood=False, with_variance=True):
    """Any loss; σ of a Gaussian in units of the data."""
    sigma = float(f"{data * 2 ** rng.uniform(-1, 1):.3g}")
    losses = [SoftmaxCrossEntropy(), BernoulliNLL(), ContinuousBernoulliNLL(), GaussianNLL(sigma), GaussianNLL(sigma, learn=True)]
    losses += [] if likelihood else [SquaredError()]
    losses += [HeteroscedasticGaussianNLL()] if with_variance else []
    return losses[rng.integers(len(losses))]


def target(rng, loss, N, width, data):
    """Targets (N, width) that the loss is defined for; half of the probabilities are 0 or 1."""
    if isinstance(loss, UNIT):
        t = rng.random((N, width))
        return np.round(t) if rng.random() < 0.5 else t
    if isinstance(loss, SoftmaxCrossEntropy):
        return np.eye(width)[rng.integers(0, width, N)] if rng.random() < 0.3 else rng.dirichlet(np.ones(width), N)
    return data * rng.standard_normal((N, width))


def words(network):
    """The layers of a Sequential in one line."""
    return " ".join(repr(layer) for layer in network.layers)


def network_of(seed, family):
    """(model, batch, description, how many were redrawn because their loss is not finite) of this seed."""
    rng = np.random.default_rng([seed, list(FAMILIES).index(family)])
    for redrawn in range(10000):
        model, batch, description = random_network(rng, family)
        if np.isfinite(model.loss(*batch, rng=fresh(np.random.default_rng(seed)))):          # the noise that the check will draw
            return model, batch, description, redrawn
    raise RuntimeError(f"no network of family {family}, seed {seed}, has a finite loss")


# What the checker says of one

def measure(job):
    """A dict of all that is counted for one network. job = (family, seed, plant an error too)."""
    family, seed, plant = job
    with np.errstate(all="ignore"):
        model, batch, description, redrawn = network_of(seed, family)
        found = {"family": family, "seed": seed, "description": description, "redrawn": redrawn, "elements": 0, "cannot_tell": 0,
                 "kinks": 0, "alarm": None, "error": None, "planted": None}
        start, place = time.perf_counter(), "the check"
        try:
            report = gradcheck.check(model, *batch, rng=seed)
            found["seconds"] = time.perf_counter() - start
            count(found, report)
            place = "the check with an error planted"
            found["planted"] = planted(model, batch, seed, report) if plant and not found["alarm"] else None
        except Exception as error:                   # whatever it is, the other networks are still to be measured
            found["error"] = f"in {place}: {type(error).__name__}: {error}"
            found.setdefault("seconds", time.perf_counter() - start)
    return found


def count(found, report):
    """Elements by verdict, of the whole loss; a false alarm, of anything."""
    for row in whole(report):
        found["elements"] += row["checked"]
        found["cannot_tell"] += row["cannot_tell"]
        found["kinks"] += row["kinks"]
    if report.verdict == "disagree":
        wrong = [f"{row['array']}{'' if row.get('term') is None else ' in ' + row['term']} {row['disagree']} of {row['elements']}"
                 for row in report.rows if row["disagree"]]
        found["alarm"] = f"{', '.join(wrong)}; {str(report).splitlines()[0]}"


def whole(report):
    """The rows of the whole loss, not those of its terms."""
    return [row for row in report.rows if row["term"] is None]


def planted(model, batch, seed, right):
    """(found, clear): was the wrong element's array reported, and was there no doubt about any of that array's elements before?

    None where the whole gradient is 0, so that no factor makes it wrong.
    """
    wrong, place = with_mistake(model, np.random.default_rng([seed, 1]))
    report = gradcheck.check(wrong, *batch, rng=seed)
    if "index" not in place:
        return None
    array = array_of(model, place["index"])
    before = sum(row["cannot_tell"] + row["kinks"] for row in whole(right) if row["array"] == array)
    here = sum(row["disagree"] for row in report.rows if row["array"] == array)
    return report.verdict == "disagree" and here >= 1, before == 0


def with_mistake(model, rng):
    """A copy whose backward multiplies one element of the gradient by FACTOR, and a dict that will hold its index.

    The element is chosen at the first backward, when the noise of the check is drawn: any whose size is at least the median.
    The class is the copy's own, so that copies of the copy, and astype, make the same mistake.
    """
    right, place = type(model), {}

    def backward(self, *arguments, **options):
        grad = right.backward(self, *arguments, **options)
        if "index" not in place:
            size = np.abs(grad)
            large = np.flatnonzero((size >= np.median(size)) & (size > 0) & np.isfinite(size))
            if not large.size:
                return grad
            place["index"] = int(rng.choice(large))
        grad[place["index"]] *= FACTOR
        return grad

    wrong = copy.deepcopy(model)
    wrong.__class__ = type("Planted", (right,), {"backward": backward})
    return wrong, place


def array_of(model, index):
    """The name of the array that holds w[index]."""
    for name, array in model.named_parameters().items():
        if index < array.size:
            return name
        index -= array.size


def run(jobs, processes, missed=False):
    """The measurements of all jobs, in their order; a failure is printed when it is met, a planted error missed if asked for."""
    found = []
    with multiprocessing.Pool(processes) as pool:
        for result in pool.imap(measure, jobs, chunksize=4):
            found.append(result)
            for kind in ("alarm", "error"):
                if result[kind]:
                    print(f"{kind}: --only {result['seed']} --family {result['family']}: {result['description']}\n"
                          f"       {result[kind]}", flush=True)
            if missed and result["planted"] == (False, True):
                print(f"missed: --only {result['seed']} --family {result['family']} --planted 1: {result['description']}",
                      flush=True)
            if sys.stderr.isatty():
                print(f"\r{len(found)} of {len(jobs)}", end="\n" if len(found) == len(jobs) else "\r", file=sys.stderr)
    return found


# Cost

def costs(rounds):
    """Prints seconds of a check and of the bare loop, for a model and for its network alone; returns the ratios."""
    rng = np.random.default_rng(0)
    x, t = rng.standard_normal((2, 7, 20))
    network = mlp([20, 30, 5, 30, 20], rng=rng)
    network.w += 0.1 * rng.standard_normal(network.w.size)           # no bias at 0
    layer, u = copy.deepcopy(network), rng.standard_normal((7, 20))
    model = Regression(network, SquaredError())
    cases = [("Regression", lambda: gradcheck.check(model, x, t), lambda: bare(lambda: model.loss(x, t), model.w)),
             ("its mlp alone", lambda: gradcheck.check(layer, x), lambda: bare(lambda: np.sum(u * layer.forward(x)), layer.w, x))]
    ratios = []
    for name, check, loop in cases:
        times = np.array([[seconds(check), seconds(loop)] for _ in range(rounds)]).min(axis=0)
        rows = whole(check())
        checked, elements = (sum(row[key] for row in rows) for key in ("checked", "elements"))
        print(f"cost, {name}: check {times[0] * 1e3:.1f} ms, bare loop {times[1] * 1e3:.1f} ms, ratio {times[0] / times[1]:.2f} "
              f"(at most {COST}); {checked} of {elements} elements checked")
        ratios.append(times[0] / times[1])
    return ratios


def bare(f, *arrays):
    """Central differences of f with respect to every element, and nothing else."""
    gradients = []
    for array in arrays:
        w, gradient = array.reshape(-1), np.empty(array.size)
        for i in range(w.size):
            value = w[i]
            w[i] = value + 1e-5
            above = f()
            w[i] = value - 1e-5
            gradient[i] = (above - f()) / 2e-5
            w[i] = value
        gradients.append(gradient)
    return gradients


def seconds(function):
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


# The table

def summary(found, family):
    """Print the row of a family; returns the sentences about broken limits."""
    found = [result for result in found if result["family"] == family]
    elements = sum(result["elements"] for result in found)
    unclear, kinks = (sum(result[key] for result in found) / max(elements, 1) for key in ("cannot_tell", "kinks"))
    alarms, errors = (sum(result[key] is not None for result in found) for key in ("alarm", "error"))
    plants = [result["planted"] for result in found if result["planted"]]
    clear = [hit for hit, certain in plants if certain]
    limit = ABSTENTION.get(family)
    print(f"{FAMILIES[family]:>7} {len(found):8d} {elements:9d} {alarms:6d} {errors:6d} {unclear:11.3%} {kinks:8.3%} "
          f"{'' if limit is None else f'{limit:.1%}':>6} {share([hit for hit, _ in plants]):>19} {share(clear):>19} "
          f"{sum(result['redrawn'] for result in found):7d} {sum(result['seconds'] for result in found):8.1f}")
    broken = [f"{FAMILIES[family]}: {number} {word}, asked: 0"
              for number, word in ((alarms, "false alarms"), (errors, "errors")) if number]
    if limit is not None and unclear + kinks > limit:
        broken.append(f"{FAMILIES[family]}: cannot tell + kink {unclear + kinks:.2%}, asked: at most {limit:.1%}")
    return broken


def share(hits):
    """3 of 4 as a percentage."""
    return f"{sum(hits)}/{len(hits)} {sum(hits) / len(hits):.1%}" if hits else "-"


def family_name(text):
    """moderate, 100 or 1e6, from that or from the label of the table."""
    names = {**{name: name for name in FAMILIES}, **{label: name for name, label in FAMILIES.items()}}
    if text not in names:
        raise argparse.ArgumentTypeError(f"expected {', '.join(names)}, got {text}")
    return names[text]


def show(seed, family, plant):
    """The report of one network, and of the same with an error planted."""
    with np.errstate(all="ignore"):
        model, batch, description, _ = network_of(seed, family)
        print(f"{description}\n\n{gradcheck.check(model, *batch, rng=seed)}")
        if plant:
            wrong, place = with_mistake(model, np.random.default_rng([seed, 1]))
            report = gradcheck.check(wrong, *batch, rng=seed)
            index = place.get("index")
            where = "nowhere: the gradient is 0" if index is None else f"in {array_of(model, index)}, w[{index}]"
            print(f"\nplanted {where}\n\n{report}")


def arguments():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gradcheck", description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=2000, help="of scale 0.5-2 (2000)")
    parser.add_argument("--networks-100", type=int, default=400, help="of scale 1e±2 (400)")
    parser.add_argument("--networks-1e6", type=int, default=400, help="of scale 1e±6 (400)")
    parser.add_argument("--scale", choices=["all", *FAMILIES], default="all", help="family of networks (all)")
    parser.add_argument("--seed", type=int, default=0, help="of all random numbers (0)")
    parser.add_argument("--planted", type=float, help="share of networks in which an error is planted too (1; of --only: 0)")
    parser.add_argument("--missed", action="store_true", help="name the networks whose planted error was missed in a clear array")
    parser.add_argument("--rounds", type=int, default=5, help="of the measurement of cost; 0: none (5)")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help=f"({os.cpu_count()})")
    parser.add_argument("--only", type=int, metavar="SEED", help="show the report of one network, with --family")
    parser.add_argument("--family", type=family_name, default="moderate", help="of --only: " + ", ".join(FAMILIES))
    return parser.parse_args()


def main():
    options = arguments()
    if options.only is not None:
        return show(options.only, options.family, options.planted)
    numbers = {"moderate": options.networks, "100": options.networks_100, "1e6": options.networks_1e6}
    chosen = [family for family in FAMILIES if options.scale in ("all", family)]
    planted_share = 1 if options.planted is None else options.planted
    jobs = [(family, options.seed * 1_000_000 + k, int((k + 1) * planted_share) > int(k * planted_share))
            for family in chosen for k in range(numbers[family])]
    start = time.perf_counter()
    found = run(jobs, options.processes, options.missed)
    print(f"{len(found)} networks, {time.perf_counter() - start:.0f} s with {options.processes} processes, "
          f"NumPy {np.__version__}, seed {options.seed}")
    ratios = costs(options.rounds) if options.rounds else []
    print(f"\n{'scale':>7} {'networks':>8} {'elements':>9} {'alarms':>6} {'errors':>6} {'cannot tell':>11} {'kink':>8} "
          f"{'asked':>6} {'planted found':>19} {'in clear arrays':>19} {'redrawn':>7} {'seconds':>8}")
    broken = [sentence for family in chosen for sentence in summary(found, family)]
    broken += [f"cost: ratio {ratio:.2f}, asked: at most {COST}" for ratio in ratios if ratio > COST]
    print("alarms and errors are networks (asked: 0); asked: the most of cannot tell + kink; clear arrays: no element of the "
          "array was a kink or untold before")
    for sentence in broken:
        print(f"broken: {sentence}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
