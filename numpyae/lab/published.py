"""Published settings, one record each: the value, where it stands, how it is run and how it is judged.

A number in a paper is of one network, one data set, one schedule and one way of measuring. SETTINGS, at the end, has a
record of each. Its function makes a Job of the data: all that `fit` needs and two ways to measure, a quick one for on
the way and the one whose number stands beside the published one.
"""

import copy
import itertools
import math
from collections import namedtuple
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

import numpyae                        # numpyae.plots is loaded when the first picture is drawn
from numpyae import (ELU, IWAE, VAE, Adam, Autoencoder, BernoulliNLL, Dense, DiagonalGaussian, Dropout, KLSparsity,
                     Nesterov, Sequential, Sigmoid, SquaredError, Tanh, TiedDense, TopK, WeightDecay,
                     datasets, mlp)
from numpyae.datasets.generated import curves, mirrored, patches, photograph, shifted, whiten
from numpyae.evaluation import ACTIVE, active_units, probe

SEED = 0
NATS = "nats per image, -log p(x) by 5000 importance samples; 10 000 MNIST test images, pixels drawn once as 0 or 1"
QUICK = "estimate by 50 samples on every tenth test image, about 1 nat above the value"
GABOR = [-6, -6, -9, 0, 0.5, 0.5], [6, 6, 9, 0.5, 6, 6]                      # limits of x₀, y₀, θ, f, s, t
SUM = "squared error, summed over pixels, mean over {}; grey levels in [0, 1]"


class Job(namedtuple("Job", "model data rng look judge optimizer batch_size schedule each_epoch pictures",
                     defaults=[None, 100, lambda *now: None, None, lambda model: {}])):
    """The arguments of `fit` that run a setting on its data, and two ways to measure.

    data         a tuple of arrays
    look         model -> (value, standard error), on the way
    judge        model -> (value, standard error, remark), at the end
    optimizer    None for L-BFGS, in one piece
    schedule     (model, optimizer, epoch, epochs) sets the rates after each epoch
    pictures     model -> {file name: function that draws the figure}
    """


@dataclass(frozen=True)
class Setting:
    """A published setting: its value, where it stands, what it measures, and how to run it."""
    published: str
    source: str
    measure: str                      # unit and convention of the published value and of ours at the end
    load: Callable                    # rng -> Dataset
    prepare: Callable                 # (Dataset, rng) -> Job
    epochs: int                       # of L-BFGS: iterations
    every: int                        # epochs between two looks
    estimate: str = ""                # what `look` measures, where that is not the same
    better: Callable = min


def load_mnist(rng):
    """Return grey digits, float32."""
    return datasets.load("mnist", dtype=np.float32)


def load_curves(rng):
    """Return 20 000 curves and 10 000 new ones, drawn with rng, which goes on to the network."""
    x, points = curves(30000, rng, np.float32)
    return datasets.Dataset("curves", x[:20000], points[:20000], x[20000:], points[20000:], (28, 28),
                            "grey levels in [0, 1]")


def load_patches(rng):
    """Return 10 000 pieces, 8 x 8, of whitened photographs: Kodak's 24, or else the one that comes with Matplotlib.

    Each piece has mean 0, is cut at 3 standard deviations, and moved to [0.1, 0.9] (CS294A).
    """
    try:
        name, photos = "24 photographs (Kodak)", datasets.load("kodak").x.reshape(-1, 512, 512)
    except FileNotFoundError:
        name, photos = "1 photograph (Matplotlib's; Kodak's 24 are not there)", photograph()[None]
    x = patches(whiten(photos), 10000, 8, np.random.default_rng(8))
    x = x - x.mean(axis=1, keepdims=True)
    limit = 3 * x.std()
    x = 0.5 + 0.4 * np.clip(x, -limit, limit) / limit
    return datasets.Dataset(name, x, None, x, None, (8, 8), "whitened, in [0.1, 0.9]; nothing is held out")


def mean_and_error(values):
    """Return the mean of one value per sample, (N,), and its standard error."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def squared_errors(model, x):
    """Return Σ_d (y_d - x_d)² of every row, (N,); in blocks, since a deep network keeps all its layers."""
    return np.concatenate([np.sum((model.reconstruct(block) - block)**2, axis=1)
                           for block in np.array_split(x, max(1, len(x) // 1000))])


def by_error(x, others, said):
    """Return look and judge of a Job: the squared error on x; at the end also that on the others, in the words."""
    def look(model):
        return mean_and_error(squared_errors(model, x))

    return look, lambda model: (*look(model), said.format(squared_errors(model, others).mean()))


class AveragedAdam(Adam):
    """Adam, and beside it `average`, the mean of w over all steps after the first `start` (Polyak & Juditsky 1992).

    Single steps are noisy, their mean is less so: it is the better model, and costs nothing but a vector.
    """

    memory = (*Adam.memory, "average")
    average = None

    def __init__(self, alpha=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, start=0):
        super().__init__(alpha, beta1, beta2, epsilon)
        self.start = int(start)

    def step(self, w, grad):
        """A step of Adam; then average += (w - average) / (t - start)."""
        super().step(w, grad)
        if self.t > self.start:
            self.average += (w - self.average) / (self.t - self.start)

    def averaged(self, model):
        """Return a copy of the model with the averaged w, once there is one."""
        mean = copy.deepcopy(model)
        if self.t > self.start:
            mean.w = self.average
        return mean


def burda(data, rng, samples=1, fall=1000, start=600):
    """784-200-200-[50]-200-200-784 tanh, Bernoulli, pixels drawn anew each epoch; a VAE, or for samples > 1 an IWAE.

    Adam's rate is 1e-3 and falls to a tenth in every `fall` epochs. The mean of w after epoch `start` is measured.
    """
    D = data.x.shape[1]
    encoder, decoder = mlp([D, 200, 200, 100], rng=rng), mlp([50, 200, 200, D], rng=rng)
    p = np.clip(data.x.mean(axis=0, dtype=np.float64), 1e-3, 1 - 1e-3)
    decoder.layers[-1].b = np.log(p / (1 - p))               # start at the mean image: the net learns how images differ
    parts = encoder, decoder, BernoulliNLL(), DiagonalGaussian(50)
    model = (VAE(*parts) if samples == 1 else IWAE(*parts, samples=samples)).astype(np.float32)
    test = datasets.binarize(np.random.default_rng(0), data.x_test)
    optimizer = AveragedAdam(1e-3, start=start * math.ceil(len(data.x) / 100))

    def schedule(model, optimizer, epoch, epochs):
        optimizer.alpha = 1e-3 * 0.1**(epoch / fall)

    def nats(model, x, samples):
        return mean_and_error(-optimizer.averaged(model).log_likelihood(x, samples, np.random.default_rng(1)))

    def judge(model):
        active = int(np.sum(active_units(optimizer.averaged(model), test) > ACTIVE))
        return *nats(model, test, 5000), f"{active} of 50 units active"

    return Job(model, (data.x,), rng, partial(nats, x=test[::10], samples=50), judge, optimizer, 100, schedule,
               datasets.binarize)


def cooled(alpha, model, optimizer, epoch, epochs):
    """Let the rate fall from alpha to almost 0 along half a cosine."""
    optimizer.alpha = alpha * (0.5 + 0.5 * math.cos(math.pi * epoch / epochs)) + 1e-6


def hinton_mnist(data, rng):
    """784-1000-500-250-30 and its mirror image, ELU, linear code, sigmoid output, squared error.

    Each epoch shows the digits moved by a pixel. The paper: logistic units, cross-entropy, pre-trained layer by layer.
    """
    sizes = [data.x.shape[1], 1000, 500, 250, 30]
    decoder = mlp(sizes[::-1], hidden=ELU, output=Sigmoid, rng=rng)
    model = Autoencoder(mlp(sizes, hidden=ELU, rng=rng), decoder, SquaredError()).astype(np.float32)
    return Job(model, (data.x,), rng, *by_error(data.x_test, data.x[:10000], "{:.2f} on training images"),
               Adam(1e-3), 128, partial(cooled, 1e-3), shifted)


def hinton_curves(data, rng):
    """784-400-200-100-50-25-6 and its mirror image, ELU, linear code, cross-entropy; each epoch shows mirrored curves.

    The paper: logistic units, pre-trained layer by layer, on curves of its own.
    """
    sizes = [data.x.shape[1], 400, 200, 100, 50, 25, 6]
    encoder, decoder = mlp(sizes, hidden=ELU, rng=rng), mlp(sizes[::-1], hidden=ELU, rng=rng)
    model = Autoencoder(encoder, decoder, BernoulliNLL()).astype(np.float32)
    return Job(model, (data.x,), rng, *by_error(data.x_test, data.x[:5000], "{:.2f} on training images"),
               Adam(2e-3), 50, partial(cooled, 2e-3), mirrored)


def logistic(sizes, rng):
    """Return Dense layers of these sizes, 15 incoming weights per unit, a logistic unit after each but the last."""
    return Sequential(*[layer for n_in, n_out in itertools.pairwise(sizes)
                        for layer in (Dense(n_in, n_out, rng=rng, init="sparse"), Sigmoid())][:-1])


def sutskever_curves(data, rng):
    """784-400-200-100-50-25-6 and its mirror image, logistic, sparse start, Nesterov's momentum rising to 0.99.

    Batches of 200, 750 000 steps, momentum at step t: min(1 - 1 / (2 ⌊t/250⌋ + 2), 0.99), and 0.9 in the last 1000
    (section 3). The paper took the best of several rates; ours, 0.01, is not tuned.
    """
    sizes = [data.x.shape[1], 400, 200, 100, 50, 25, 6]
    model = Autoencoder(logistic(sizes, rng), logistic(sizes[::-1], rng), BernoulliNLL()).astype(np.float32)

    def schedule(model, optimizer, epoch, epochs):
        optimizer.mu = 0.9 if epoch >= epochs - 10 else min(1 - 1 / (2 * (optimizer.t // 250) + 2), 0.99)

    return Job(model, (data.x,), rng, *by_error(data.x, data.x_test, "{:.3f} on new curves"), Nesterov(0.01, 0.5), 200,
               schedule)


def makhzani(data, rng):
    """784-1000-784, linear, tied; of 1000 units the 25 strongest are kept, at first 100; digits moved by a pixel."""
    dense = Dense(data.x.shape[1], 1000, rng=rng)
    model = Autoencoder(Sequential(dense, TopK(100, by="value")), TiedDense(dense), SquaredError()).astype(np.float32)

    def schedule(model, optimizer, epoch, epochs):
        progress = epoch / epochs
        model.encoder.layers[1].k = max(25, round(100 + (25 - 100) * 2 * progress))
        optimizer.alpha = float((0.5 + 0.5 * np.cos(np.pi * progress)) * 1e-3 + 1e-6)

    def probed(model, kept):
        top = model.encoder.layers[1]
        k, top.k = top.k, kept
        z, z_test = model.encode(data.x), model.encode(data.x_test)
        top.k = k
        wrong = probe(z, data.y, z_test, data.y_test, iterations=20)
        return 100 * wrong, 100 * math.sqrt(wrong * (1 - wrong) / len(z_test))

    def judge(model):
        dead = int(np.sum(np.max(model.encode(data.x) != 0, axis=0) == 0))
        return *probed(model, 75), f"75 units kept; with 25 kept {probed(model, 25)[0]:.2f}; {dead} units dead"

    return Job(model, (data.x,), np.random.default_rng(1), partial(probed, kept=75), judge, Adam(1e-3), 128, schedule,
               shifted)


def gabor_shares(filters):
    """Return the share of the variance of each filter (K, 64) that the best Gabor function, a windowed wave, explains:

    e^(-u²/2s² - v²/2t²) (A cos 2πfu + B sin 2πfu) + C,    u, v: pixels turned by θ around (x₀, y₀)

    A, B, C by linear least squares; x₀, y₀, θ, f, s, t from the best of 2000 starts, improved by nonlinear least
    squares.
    """
    from scipy.optimize import least_squares

    def rest(q, w):
        basis = waves(q)
        return basis @ np.linalg.lstsq(basis, w, rcond=None)[0] - w

    starts = [(x0, y0, theta, f, s, 1.5 * s) for x0 in np.arange(-3, 4, 1.5) for y0 in np.arange(-3, 4, 1.5)
              for theta in np.arange(8) * np.pi / 8 for f in (0.06, 0.12, 0.2, 0.3, 0.4) for s in (1.0, 2.0)]
    bases, shares = np.linalg.qr(np.stack([waves(q) for q in starts]))[0], []
    for w in filters:
        start = starts[np.argmax(np.sum((np.swapaxes(bases, 1, 2) @ w)**2, axis=1))]
        found = least_squares(rest, start, bounds=GABOR, max_nfev=12, args=(w,))
        shares.append(1 - 2 * found.cost / np.sum((w - w.mean())**2))
    return np.array(shares)


def waves(q):
    """Return cosine and sine under the window of q = (x₀, y₀, θ, f, s, t), and a constant: (64, 3)."""
    row, column = np.indices((8, 8)) - 3.5
    x0, y0, theta, f, s, t = q
    u = (column - x0) * np.cos(theta) + (row - y0) * np.sin(theta)
    v = (row - y0) * np.cos(theta) - (column - x0) * np.sin(theta)
    window = np.exp(-u**2 / (2 * s**2) - v**2 / (2 * t**2))
    wave = 2 * np.pi * f * u
    return np.stack([window * np.cos(wave), window * np.sin(wave), np.ones((8, 8))], axis=-1).reshape(64, 3)


def cs294a(data, rng):
    """64-25-64 logistic, λ = 10⁻⁴, ρ = 0.01, β = 3, L-BFGS on all patches at once.

    Their loss is ½ of ours, so ours has λ Σ W² and 2β.
    """
    rng = np.random.default_rng(9)
    encoder, decoder = mlp([64, 25], output=Sigmoid, rng=rng), mlp([25, 64], output=Sigmoid, rng=rng)
    model = Autoencoder(encoder, decoder, SquaredError(), penalties=[WeightDecay(1e-4), KLSparsity(0.01, 6.0)])

    def look(model):
        return mean_and_error(100.0 * (gabor_shares(model.encoder.layers[0].W.T) >= 0.7))

    def judge(model):
        return *look(model), f"{data.name}; mean activation {model.encode(data.x).mean():.3f}"

    return Job(model, (data.x,), rng, look, judge, pictures=lambda model: {
        "filters": lambda: numpyae.plots.filters(model.encoder.layers[0], (8, 8))})


def hwalsuklee(data, rng):
    """784-500 ELU-500 tanh-[2]-500 tanh-500 ELU-784, dropout 0.1, Adam 1e-3, batches of 128: [001]'s example.

    Its pixels are grey, under a Bernoulli likelihood; ours are drawn anew each epoch, so that the bound is one.
    """
    D = data.x.shape[1]
    encoder = Sequential(Dense(D, 500, rng=rng), ELU(), Dropout(0.1), Dense(500, 500, rng=rng), Tanh(), Dropout(0.1),
                         Dense(500, 4, rng=rng))
    decoder = Sequential(Dense(2, 500, rng=rng), Tanh(), Dropout(0.1), Dense(500, 500, rng=rng), ELU(), Dropout(0.1),
                         Dense(500, D, rng=rng))
    model = VAE(encoder, decoder, BernoulliNLL(), DiagonalGaussian(2)).astype(np.float32)
    test = datasets.binarize(np.random.default_rng(0), data.x_test)

    def look(model):
        return mean_and_error(-model.elbo(test, rng=np.random.default_rng(1)))

    return Job(
        model, (data.x,), rng, look, lambda model: (*look(model), "judged by its pictures"), Adam(1e-3), 128,
        each_epoch=datasets.binarize, pictures=lambda model: {
            "reconstructions": lambda: numpyae.plots.reconstructions(model, data.x_test, data.image_shape),
            "manifold": lambda: numpyae.plots.manifold(model, data.image_shape),
            "code_map": lambda: numpyae.plots.code_map(model, data.x_test, data.y_test)})


SETTINGS = {
    "burda-table-1": Setting(
        "86.76", "Burda et al. 2016, Table 1, VAE, one stochastic layer, K = 1; 3280 epochs",
        NATS, load_mnist, burda, 800, 10, QUICK),
    "burda-table-1-iwae-5": Setting(
        "85.54", "Burda et al. 2016, Table 1, IWAE, one stochastic layer, K = 5; 3280 epochs",
        NATS, load_mnist, partial(burda, samples=5, fall=800, start=420), 560, 5, QUICK),
    "burda-table-1-iwae-50": Setting(
        "84.78", "Burda et al. 2016, Table 1, IWAE, one stochastic layer, K = 50; 3280 epochs",
        NATS, load_mnist, partial(burda, samples=50, fall=300, start=225), 300, 1, QUICK),
    "hinton-mnist": Setting(
        "3.00", "Hinton & Salakhutdinov 2006, digits, 30 numbers",
        SUM.format("10 000 MNIST test images"), load_mnist, hinton_mnist, 40, 1),
    "hinton-curves": Setting(
        "1.44", "Hinton & Salakhutdinov 2006, curves, 6 numbers",
        SUM.format("10 000 new curves"), load_curves, hinton_curves, 700, 10),
    "sutskever-curves": Setting(
        "0.096", "Sutskever et al. 2013, Table 1, curves, Nesterov 0.99 (plain descent: 0.48)",
        SUM.format("the 20 000 training curves, as in the paper"), load_curves, sutskever_curves, 7500, 25),
    "makhzani-25": Setting(
        "1.35", "Makhzani & Frey 2013, k-sparse, 1000 units, k = 25",
        "% of 10 000 MNIST test images that softmax regression on the codes gets wrong", load_mnist, makhzani, 60, 5),
    "cs294a": Setting(
        "oriented edges", "CS294A lecture notes (A. Ng), sparse autoencoder; L-BFGS, 400 iterations",
        "% of 25 filters of which a Gabor function explains at least 70 %", load_patches, cs294a, 400, 400, better=max),
    "hwalsuklee": Setting(
        "pictures", "hwalsuklee/tensorflow-mnist-VAE, the example of [001]",
        "nats per image, -ELBO; 10 000 MNIST test images, pixels drawn once as 0 or 1",
        load_mnist, hwalsuklee, 60, 1)}
