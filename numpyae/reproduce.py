"""Published settings, run as published: what `python -m numpyae reproduce NAME` does.

A number in a paper is of one network, one data set, one schedule and one way of measuring. The functions up to SETTINGS are
such settings: each makes a Job of its data, all that `fit` needs and two ways to measure, a quick one for on the way and the
one whose number stands beside the published one. After SETTINGS comes one loop for all: train, look up every few epochs,
compare with our own recorded run, keep what is needed to go on.

What we got so far is recorded in `lectures/results.md` (a row per run) and `lectures/results.csv` (the way there). A run
leaves rows for both in its folder.
"""

import copy
import csv
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from numpyae import datasets
from numpyae.activations import ELU, Sigmoid, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.course.lectures import FOLDER
from numpyae.datasets.generated import curves, mirrored, patches, photograph, shifted, whiten
from numpyae.evaluation import ACTIVE, active_units, probe
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Dense, Dropout, Sequential, TiedDense, TopK
from numpyae.losses import BernoulliNLL, SquaredError
from numpyae.models import Model
from numpyae.optimizers import Adam, Nesterov, Optimizer, lbfgs
from numpyae.penalties import KLSparsity, WeightDecay
from numpyae.training import fit
from numpyae.vae import IWAE, VAE

SEED = 0
HEAD = "| setting | date | seed | minutes of training | machine | epochs | ours ± standard error | published | remark |"
COLUMNS = ["setting", "epochs", "epoch", "loss", "value"]
STOPPED = "stopped"                   # begins the remark of a row whose number is a look on the way


@dataclass(frozen=True)
class Job:
    """What a setting makes of its data.

    look(model) -> (value, standard error), on the way; judge(model) -> (value, standard error, remark), at the end.
    schedule(model, optimizer, epoch, epochs) sets the rates after each epoch. optimizer=None: L-BFGS, in one piece.
    """
    model: Model
    data: tuple
    rng: np.random.Generator
    look: Callable
    judge: Callable
    optimizer: Optimizer | None = None
    batch_size: int = 100
    schedule: Callable | None = None
    each_epoch: Callable | None = None
    pictures: Callable | None = None          # model -> {file name: figure}


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
    """Grey digits, float32."""
    return datasets.load("mnist", dtype=np.float32)


def load_curves(rng):
    """20 000 curves and 10 000 new ones, drawn with rng, which goes on to the network."""
    x, points = curves(30000, rng, np.float32)
    return datasets.Dataset("curves", x[:20000], points[:20000], x[20000:], points[20000:], (28, 28), "grey levels in [0, 1]")


def load_patches(rng):
    """10 000 pieces, 8 x 8, of whitened photographs: Kodak's 24 where they are, else the one that comes with Matplotlib.

    Without their means, cut at 3 standard deviations, in [0.1, 0.9] (CS294A).
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
    """Mean of one value per sample, (N,), and its standard error."""
    values = np.asarray(values, np.float64)
    return float(values.mean()), float(values.std() / math.sqrt(len(values)))


def share_and_error(share, n):
    """A share of n as a percentage, and its standard error √(p (1 - p) / n)."""
    return 100 * share, 100 * math.sqrt(share * (1 - share) / n)


def squared_errors(model, x):
    """Σ_d (y_d - x_d)² of every row, (N,); in blocks, since a deep network keeps all its layers."""
    blocks = np.array_split(x, max(1, len(x) // 1000))
    return np.concatenate([np.sum((model.reconstruct(block) - block)**2, axis=1) for block in blocks])


def by_error(x, others, said):
    """look and judge of a Job: the squared error on x; at the end also that on the others, put into the words."""
    def look(model):
        return mean_and_error(squared_errors(model, x))

    def judge(model):
        return *look(model), said.format(squared_errors(model, others).mean())

    return look, judge


def gabor_shares(filters):
    """The share of the variance of each filter (K, 64) that the best Gabor function explains, a wave under a Gaussian window:

    e^(-u²/2s² - v²/2t²) (A cos 2πfu + B sin 2πfu) + C,    u, v: pixels turned by θ around (x₀, y₀)

    A, B, C by linear least squares; x₀, y₀, θ, f, s, t from the best of 2000 starts, improved by nonlinear least squares.
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
        found = least_squares(rest, start, bounds=([-6, -6, -9, 0, 0.5, 0.5], [6, 6, 9, 0.5, 6, 6]), max_nfev=12, args=(w,))
        shares.append(1 - 2 * found.cost / np.sum((w - w.mean())**2))
    return np.array(shares)


def waves(q):
    """Cosine and sine under the window of q = (x₀, y₀, θ, f, s, t), and a constant: (64, 3)."""
    row, column = np.indices((8, 8)) - 3.5
    x0, y0, theta, f, s, t = q
    u = (column - x0) * np.cos(theta) + (row - y0) * np.sin(theta)
    v = (row - y0) * np.cos(theta) - (column - x0) * np.sin(theta)
    window = np.exp(-u**2 / (2 * s**2) - v**2 / (2 * t**2))
    wave = 2 * np.pi * f * u
    return np.stack([window * np.cos(wave), window * np.sin(wave), np.ones((8, 8))], axis=-1).reshape(64, 3)


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


def burda(data, rng, samples=1, fall=1000, start=600):
    """784-200-200-[50]-200-200-784 tanh, Bernoulli, pixels drawn anew each epoch; a VAE, or for samples > 1 an IWAE.

    Adam's rate is 1e-3 and falls to a tenth in every `fall` epochs. What is measured is the mean of w after epoch `start`.
    """
    D = data.x.shape[1]
    encoder, decoder = mlp([D, 200, 200, 100], rng=rng), mlp([50, 200, 200, D], rng=rng)
    p = np.clip(data.x.mean(axis=0, dtype=np.float64), 1e-3, 1 - 1e-3)
    decoder.layers[-1].b = np.log(p / (1 - p))               # start at the mean image: what is learnt is what differs
    parts = encoder, decoder, BernoulliNLL(), DiagonalGaussian(50)
    model = (VAE(*parts) if samples == 1 else IWAE(*parts, samples=samples)).astype(np.float32)
    test = datasets.binarize(np.random.default_rng(0), data.x_test)
    optimizer = AveragedAdam(1e-3, start=start * math.ceil(len(data.x) / 100))

    def schedule(model, optimizer, epoch, epochs):
        optimizer.alpha = 1e-3 * 0.1**(epoch / fall)

    def averaged(model):
        mean = copy.deepcopy(model)
        if optimizer.t > optimizer.start:
            mean.w = optimizer.average
        return mean

    def look(model):
        return mean_and_error(-averaged(model).log_likelihood(test[::10], 50, np.random.default_rng(1)))

    def judge(model):
        model = averaged(model)
        active = int(np.sum(active_units(model, test) > ACTIVE))
        return *mean_and_error(-model.log_likelihood(test, 5000, np.random.default_rng(1))), f"{active} of 50 units active"

    return Job(model, (data.x,), rng, look, judge, optimizer, 100, schedule, datasets.binarize)


def cooled(alpha, model, optimizer, epoch, epochs):
    """The rate falls from alpha to almost 0 along half a cosine."""
    optimizer.alpha = alpha * (0.5 + 0.5 * math.cos(math.pi * epoch / epochs)) + 1e-6


def hinton_mnist(data, rng):
    """784-1000-500-250-30 and its mirror image, ELU, linear code, sigmoid output, squared error, digits moved by a pixel.

    The paper: logistic units, cross-entropy, pre-trained layer by layer.
    """
    sizes = [data.x.shape[1], 1000, 500, 250, 30]
    decoder = mlp(sizes[::-1], hidden=ELU, output=Sigmoid, rng=rng)
    model = Autoencoder(mlp(sizes, hidden=ELU, rng=rng), decoder, SquaredError()).astype(np.float32)
    look, judge = by_error(data.x_test, data.x[:10000], "{:.2f} on training images")
    return Job(model, (data.x,), rng, look, judge, Adam(1e-3), 128, partial(cooled, 1e-3), shifted)


def hinton_curves(data, rng):
    """784-400-200-100-50-25-6 and its mirror image, ELU, linear code, cross-entropy; each epoch shows mirrored curves.

    The paper: logistic units, pre-trained layer by layer, on curves of its own.
    """
    sizes = [data.x.shape[1], 400, 200, 100, 50, 25, 6]
    encoder, decoder = mlp(sizes, hidden=ELU, rng=rng), mlp(sizes[::-1], hidden=ELU, rng=rng)
    model = Autoencoder(encoder, decoder, BernoulliNLL()).astype(np.float32)
    look, judge = by_error(data.x_test, data.x[:5000], "{:.2f} on training images")
    return Job(model, (data.x,), rng, look, judge, Adam(2e-3), 50, partial(cooled, 2e-3), mirrored)


def logistic(sizes, rng):
    """Dense layers of these sizes with 15 incoming weights per unit, a logistic unit after each but the last."""
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [Dense(n_in, n_out, rng=rng, init="sparse"), Sigmoid()]
    return Sequential(*layers[:-1])


def sutskever_curves(data, rng):
    """784-400-200-100-50-25-6 and its mirror image, logistic, sparse start, Nesterov's momentum rising to 0.99.

    Batches of 200, 750 000 steps, momentum at step t: min(1 - 1 / (2 ⌊t/250⌋ + 2), 0.99), and 0.9 in the last 1000
    (section 3). The paper took the best of several rates; ours, 0.01, is not tuned.
    """
    sizes = [data.x.shape[1], 400, 200, 100, 50, 25, 6]
    model = Autoencoder(logistic(sizes, rng), logistic(sizes[::-1], rng), BernoulliNLL()).astype(np.float32)

    def schedule(model, optimizer, epoch, epochs):
        optimizer.mu = 0.9 if epoch >= epochs - 10 else min(1 - 1 / (2 * (optimizer.t // 250) + 2), 0.99)

    look, judge = by_error(data.x, data.x_test, "{:.3f} on new curves")
    return Job(model, (data.x,), rng, look, judge, Nesterov(0.01, 0.5), 200, schedule)


def makhzani(data, rng):
    """784-1000-784, linear, tied, of 1000 units the 25 strongest are kept, at first 100; digits moved by a pixel."""
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
        return share_and_error(probe(z, data.y, z_test, data.y_test, iterations=20), len(z_test))

    def judge(model):
        dead = int(np.sum(np.max(model.encode(data.x) != 0, axis=0) == 0))
        return *probed(model, 75), f"75 units kept; with 25 kept {probed(model, 25)[0]:.2f}; {dead} units dead"

    return Job(model, (data.x,), np.random.default_rng(1), partial(probed, kept=75), judge, Adam(1e-3), 128, schedule, shifted)


def cs294a(data, rng):
    """64-25-64 logistic, λ = 10⁻⁴, ρ = 0.01, β = 3, L-BFGS on all patches at once.

    Their loss is ½ of ours, so ours has λ Σ W² and 2β.
    """
    from numpyae import plots

    rng = np.random.default_rng(9)
    encoder, decoder = mlp([64, 25], output=Sigmoid, rng=rng), mlp([25, 64], output=Sigmoid, rng=rng)
    model = Autoencoder(encoder, decoder, SquaredError(), penalties=[WeightDecay(1e-4), KLSparsity(0.01, 6.0)])

    def look(model):
        shares = gabor_shares(model.encoder.layers[0].W.T)
        return share_and_error(float(np.mean(shares >= 0.7)), len(shares))

    def judge(model):
        return *look(model), f"{data.name}; mean activation {model.encode(data.x).mean():.3f}"

    def pictures(model):
        return {"filters": plots.filters(model.encoder.layers[0], (8, 8))}

    return Job(model, (data.x,), rng, look, judge, pictures=pictures)


def hwalsuklee(data, rng):
    """784-500 ELU-500 tanh-[2]-500 tanh-500 ELU-784, dropout 0.1, Adam 1e-3, batches of 128: [001]'s example.

    Its pixels are grey, under a Bernoulli likelihood; ours are drawn anew each epoch, so that the bound is one.
    """
    from numpyae import plots

    D = data.x.shape[1]
    encoder = Sequential(Dense(D, 500, rng=rng), ELU(), Dropout(0.1), Dense(500, 500, rng=rng), Tanh(), Dropout(0.1),
                         Dense(500, 4, rng=rng))
    decoder = Sequential(Dense(2, 500, rng=rng), Tanh(), Dropout(0.1), Dense(500, 500, rng=rng), ELU(), Dropout(0.1),
                         Dense(500, D, rng=rng))
    model = VAE(encoder, decoder, BernoulliNLL(), DiagonalGaussian(2)).astype(np.float32)
    test = datasets.binarize(np.random.default_rng(0), data.x_test)

    def look(model):
        return mean_and_error(-model.elbo(test, rng=np.random.default_rng(1)))

    def judge(model):
        return *look(model), "judged by its pictures"

    def pictures(model):
        return {"reconstructions": plots.reconstructions(model, data.x_test, data.image_shape),
                "manifold": plots.manifold(model, data.image_shape),
                "code_map": plots.code_map(model, data.x_test, data.y_test)}

    return Job(model, (data.x,), rng, look, judge, Adam(1e-3), 128, each_epoch=datasets.binarize, pictures=pictures)


NATS = "nats per image, -log p(x) by 5000 importance samples; 10 000 MNIST test images, pixels drawn once as 0 or 1"
QUICK = "estimate by 50 samples on every tenth test image, about 1 nat above the value"
SUM = "squared error, summed over pixels, mean over {}; grey levels in [0, 1]"
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
        "nats per image, -ELBO; 10 000 MNIST test images, pixels drawn once as 0 or 1", load_mnist, hwalsuklee, 60, 1),
}


def recorded_results():
    """{name: [row as a list of cells, ...]} of lectures/results.md: those with a number."""
    found = {name: [] for name in SETTINGS}
    for line in read_lines("results.md"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if cells[0] in found and len(cells) == HEAD.count("|") - 1 and cells[6] != "not run":
            found[cells[0]].append(cells)
    return found


def best_recorded(name):
    """Our best value in lectures/results.md, as a sentence; estimates do not count."""
    rows = [cells for cells in recorded_results()[name] if not (SETTINGS[name].estimate and cells[8].startswith(STOPPED))]
    if not rows:
        return "not run"
    best = SETTINGS[name].better(rows, key=lambda cells: float(cells[6].split()[0]))
    return f"{best[6]} after {best[5]} epochs, {best[3]} minutes on {best[4]} ({best[1]}); {best[8]}"


def recorded_curve(name, epochs, column):
    """[(epoch, value), ...] of lectures/results.csv, column "loss" or "value", of a run of as many epochs; maybe none."""
    try:
        rows = [row for row in csv.DictReader(read_lines("results.csv")) if row["setting"] == name]
        return sorted((int(row["epoch"]), float(row[column])) for row in rows if int(row["epochs"]) == epochs and row[column])
    except (KeyError, ValueError, TypeError) as error:
        raise ValueError(f"{FOLDER / 'results.csv'}: expected columns {', '.join(COLUMNS)}, all but the first numbers, got "
                         f"{error!r}") from None


def read_lines(name):
    """The lines of a file beside the lectures; none when the package was installed without them."""
    try:
        return (FOLDER / name).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []


def expected(curve, epoch):
    """The value at this epoch of a curve [(epoch, value), ...], on straight lines between its points; None outside of it."""
    if not curve or not curve[0][0] <= epoch <= curve[-1][0]:
        return None
    return float(np.interp(epoch, *zip(*curve)))


def listing():
    """All settings: published value, our best, what is measured and where it stands."""
    lines = []
    for name, setting in SETTINGS.items():
        lines += [name, f"    published  {setting.published}: {setting.source}", f"    ours       {best_recorded(name)}",
                  f"    measured   {setting.measure}"]
    return "\n".join(lines)


def number(value, error=None):
    """Two decimals, three for small values, and as many for its error."""
    decimals = 2 if abs(value) >= 1 else 3
    return f"{value:.{decimals}f}" if error is None else f"{value:.{decimals}f} ± {error:.{decimals}f}"


class Watch:
    """Looks at a run after every few epochs, says what it sees beside what was recorded, and keeps it in the folder."""

    def __init__(self, name, job, folder, epochs):
        self.name, self.job, self.folder, self.epochs = name, job, folder, epochs
        self.setting = SETTINGS[name]
        self.curves = {column: recorded_curve(name, epochs, column) for column in ("loss", "value")}
        self.start, self.first = time.perf_counter(), None
        self.last = None              # (epoch, value, error, minutes) of the last look

    def __call__(self, model, history, optimizer):
        """A callback of fit."""
        epoch = history.epochs
        if self.job.schedule is not None:
            self.job.schedule(model, optimizer, epoch, self.epochs)
        self.first = epoch - 1 if self.first is None else self.first
        if epoch % self.setting.every and epoch != self.epochs:
            return
        value, error = self.job.look(model)
        loss = history.loss[-1]
        left = (time.perf_counter() - self.start) / (epoch - self.first) * (self.epochs - epoch)
        print(f"epoch {epoch}/{self.epochs}  {number(value, error)}{self.beside('value', epoch)}  "
              f"training loss {number(loss)}{self.beside('loss', epoch)}  {left / 60:.0f} minutes left", flush=True)
        self.last = epoch, value, error, sum(history.seconds) / 60
        self.keep(epoch, loss, value)

    def beside(self, column, epoch):
        """What the recorded run had at this epoch."""
        value = expected(self.curves[column], epoch)
        return "" if value is None else f" (expected {number(value)})"

    def keep(self, epoch, loss, value):
        """A row of results.csv in the folder."""
        path = os.path.join(self.folder, "results.csv")
        fresh = not os.path.exists(path)
        with open(path, "a", encoding="utf-8") as file:
            file.write(",".join(COLUMNS) + "\n" if fresh else "")
            file.write(f"{self.name},{self.epochs},{epoch},{loss:.6g},{value:.6g}\n")


def run(name, out=None, resume=None, epochs=None, data=None):
    """Train the setting of that name until it is done or stopped; results are in the folder. Returns the exit status.

    A new run gets the folder `out` (runs/reproduce-NAME), which must be new or empty; `resume` is the folder of one to go on
    with, which ends with the same bits as if it had not been stopped. epochs: others than the setting's, with its schedule
    stretched over them. data: a Dataset instead of the setting's. ValueError for an unknown name or a wrong folder, the
    errors of datasets.load where the data are not there.
    """
    if name not in SETTINGS:
        raise ValueError(f"NAME must be one of {', '.join(SETTINGS)}, got {name!r}")
    setting = SETTINGS[name]
    folder, epochs = choose_folder(name, out, resume, epochs)
    rng = np.random.default_rng(SEED)
    data = setting.load(rng) if data is None else data
    job = setting.prepare(data, rng)
    watch = Watch(name, job, folder, epochs)
    print(announce(name, data, job, watch), flush=True)
    if resume is None:
        os.makedirs(folder, exist_ok=True)
        with open(os.path.join(folder, "run.json"), "x", encoding="utf-8") as file:
            json.dump({"reproduce": name, "epochs": epochs}, file)
    done, minutes = train(job, watch)
    if done:
        print(f"done, now measuring {setting.measure}{', which takes minutes' if setting.estimate else ''}", flush=True)
        try:
            value, error, remark = job.judge(job.model)
        except KeyboardInterrupt:
            done = False
    if done:
        row = result_row(name, job.model.dtype, minutes, f"{epochs} of {epochs}", value, error, remark)
        print(f"ours {number(value, error)} ({remark}), published {setting.published}")
        draw(job, folder)
    elif watch.last is not None:
        epoch, value, error, minutes = watch.last
        remark = f"{STOPPED}; {setting.estimate}" if setting.estimate else STOPPED
        row = result_row(name, job.model.dtype, minutes, f"{epoch} of {epochs}", value, error, remark)
    else:
        row = None
    if row is not None:
        keep_row(folder, row)
    if not done:
        print(f"stopped; --resume {folder} goes on")
    return 0 if done else 130


def train(job, watch):
    """fit, from the checkpoint in the folder if there is one, or L-BFGS. Returns (is it done?, minutes)."""
    path = os.path.join(watch.folder, "checkpoint.npz")
    if job.optimizer is None:
        start = time.perf_counter()
        try:
            lbfgs(job.model, *job.data, iterations=watch.epochs, tolerance=0)
        except KeyboardInterrupt:
            return False, 0
        return True, (time.perf_counter() - start) / 60
    history = fit(job.model, *job.data, optimizer=job.optimizer, epochs=watch.epochs, batch_size=job.batch_size, rng=job.rng,
                  each_epoch=job.each_epoch, callbacks=[watch], checkpoint=path, resume=path if os.path.exists(path) else None,
                  progress=False)
    return history.stopped == "epochs", sum(history.seconds) / 60


def choose_folder(name, out, resume, epochs):
    """(folder, epochs): a new one, not made yet, or that of a run of the same setting to go on with. Else ValueError."""
    if resume is None:
        folder = out or os.path.join("runs", f"reproduce-{name}")
        if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
            raise ValueError(f"{folder} is there already and not empty: --resume {folder} goes on with a run, "
                             "--out FOLDER starts another")
        return folder, SETTINGS[name].epochs if epochs is None else epochs
    if out is not None:
        raise ValueError(f"--resume {resume} goes on in that folder: expected no --out, got {out}")
    try:
        with open(os.path.join(resume, "run.json"), encoding="utf-8") as file:
            found = json.load(file)
        known, planned = found["reproduce"], int(found["epochs"])
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"--resume {resume}: there is no run.json, which says what was begun") from None
    except (KeyError, ValueError, TypeError):
        raise ValueError(f"--resume {resume}: its run.json is not of a `reproduce`") from None
    if known != name or epochs not in (None, planned):
        raise ValueError(f"--resume {resume}: expected {known} over {planned} epochs, as it was begun, got {name}"
                         + (f" over {epochs}" if epochs is not None else ""))
    return resume, planned


def announce(name, data, job, watch):
    """What will be done, as lines, before it starts."""
    setting, held_out = watch.setting, f", {len(data.x_test)} held out" if data.x_test is not data.x else ""
    if job.optimizer is None:
        steps, way = "iterations", "nothing: L-BFGS runs in one piece, and stopped it begins anew"
    else:
        often = "every epoch" if setting.every == 1 else f"every {setting.every} epochs"
        known = "from our recorded run" if any(watch.curves.values()) else f"nothing, no run of {watch.epochs} epochs is recorded"
        steps, way = "epochs", f"{often}: {setting.estimate or 'the same'}; expected: {known}"
    return "\n".join([
        f"published   {setting.published}: {setting.source}",
        f"measured    {setting.measure}",
        f"ours        {best_recorded(name)}",
        f"data        {data.name}: {len(data.x)} to train on{held_out}; {data.convention}",
        f"model       {type(job.model).__name__} of {job.model.w.size} parameters, {job.model.dtype}",
        f"training    {watch.epochs} {steps}, seed {SEED}",
        f"on the way  {way}",
        f"folder      {watch.folder}"])


def result_row(name, dtype, minutes, epochs, value, error, remark):
    """A row of the table in lectures/results.md."""
    minutes = f"{minutes:.0f}" if minutes >= 10 else f"{minutes:.1f}"
    cells = [name, time.strftime("%Y-%m-%d"), str(SEED), minutes, f"{os.cpu_count()} cores, {dtype}", epochs,
             f"{number(value, error)}", SETTINGS[name].published, remark]
    return f"| {' | '.join(cells)} |"


def keep_row(folder, row):
    """Print the row, and append it to results.md in the folder."""
    path = os.path.join(folder, "results.md")
    fresh = not os.path.exists(path)
    with open(path, "a", encoding="utf-8") as file:
        file.write(f"{HEAD}\n{'|---' * (HEAD.count('|') - 1)}|\n" if fresh else "")
        file.write(row + "\n")
    print(f"for lectures/results.md, also in {path}:\n{row}", flush=True)


def draw(job, folder):
    """The setting's pictures, if it has some, into the folder."""
    import matplotlib.pyplot as plt

    for name, figure in (job.pictures(job.model) if job.pictures is not None else {}).items():
        path = os.path.join(folder, name + ".png")
        figure.savefig(path)
        plt.close(figure)
        print(f"wrote {path}")
