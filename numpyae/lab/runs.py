"""One training run, from settings to a folder of results: what `python -m numpyae train` does.

From the settings come the data, the model and what to announce before the first step; after the last one, a number on
held-out data with its unit and its convention, and pictures. Every run has a fresh folder. Nothing that exists is
overwritten or deleted.
"""

import os
import warnings
from functools import partial

import numpy as np

import numpyae                        # numpyae.plots is loaded when the first picture is drawn
from numpyae import Adam, Dense, datasets, fit
from numpyae.checkpoints import read_checkpoint
from numpyae.checks import check_data, must
from numpyae.evaluation import kl_of_units
from numpyae.lab import choices, results
from numpyae.lab.building import architecture, build_model, check_vae
from numpyae.lab.settings import known
from numpyae.losses import Loss
from numpyae.training import History, check_arguments

# For a name in --plots the picture that is drawn after an epoch, a file name in Run.pictures; the film comes last.
PLOTS = {"reconstruction": "reconstructions", "manifold": "manifold", "map": "code_map", "animation": None}
SCALED = {"none": "none, the data are taken as they are",
          "centred": "centred: each feature loses its mean, and all keep their proportions; results are in the units "
                     "of the data",
          "standardised": "standardised: each feature loses its mean and is divided by its spread; results are in the "
                          "units of the data"}
MOST_CLASSES = 1000
MOST_DRAWN = 20                       # epochs, about, whose pictures --plots draws
HELD_OUT = 0.1                        # of data that come without a test set


class Run:
    """Data, model and words of one run, which may go on from a checkpoint.

    Attributes: settings, dataset, data, held_out, labels, model, each_epoch; `convention` says what the
    numbers of the training mean, `judged` what the held-out number means. Raise ValueError, before anything is
    written, for settings that do not fit the data and for a checkpoint of another model.
    """

    def __init__(self, settings, checkpoint=None):
        if os.path.exists(settings["data"]) and settings["data"] not in datasets.NAMES:
            settings["data"] = os.path.abspath(settings["data"])     # found again from another folder
        self.settings, self.resumed = settings, checkpoint
        dtype = np.dtype(settings["dtype"])
        self.dataset = load_split(settings["data"], dtype, settings["seed"])
        x, y, x_test, y_test = self.dataset[1:5]
        self.labels = labels_of(self.dataset)
        self.convention = self.judged = self.dataset.convention
        self.data, self.held_out, self.each_epoch, self.film, self.unit_kl = (x,), (x_test,), None, None, []
        check_plots(settings, self.dataset.image_shape)
        if settings["task"] == "regression":
            y, y_test = targets(settings, y, dtype), targets(settings, y_test, dtype)
            must(len(y) < 2 or np.any(y != y[0]),
                 f"{settings['data']}: all targets to learn from are {y.flat[0]:g}: there is nothing to predict")
            self.data, self.held_out = (x, y), (x_test, y_test)
        self.settle(x)
        if settings["task"] == "vae":
            check_vae(settings)
        self.model = build_model(settings, self.scalings, x.shape[1], y, y_test).astype(dtype)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*values between 0 and 1", UserWarning)       # they are binarised below
            check_arguments(self.model, self.data, Adam(settings["lr"]), settings["epochs"], settings["batch_size"],
                            self.held_out)
        if settings["task"] != "regression" and settings["likelihood"] == "bernoulli":
            self.convention += ", binarised anew each epoch: a pixel is 1 with the probability of its grey level"
            self.judged += ", binarised once"
            self.each_epoch = datasets.binarize
            self.held_out = (datasets.binarize(np.random.default_rng(settings["seed"]), x_test),)
        if checkpoint is None:
            self.model.start_at(*self.data)
        else:
            done = read_checkpoint(checkpoint, self.model, Adam(settings["lr"]), np.random.default_rng(0), History)[0]
            must(done.epochs < settings["epochs"],
                 f"{checkpoint}: its {done.epochs} epochs are done, there is nothing to train: more --epochs go on")

    def settle(self, x):
        """Choose, by the data, the settings that nobody gave; keep (centre, spread) of x and of the targets.

        None stands for a side that is not scaled.
        """
        settings, task, n, image = self.settings, self.settings["task"], len(x), self.dataset.image_shape
        settings["likelihood"] = settings["likelihood"] or choices.likelihood(task, x, image)
        settings["batch_size"] = settings["batch_size"] or choices.batch_size(task, n)
        if settings["epochs"] is None:
            settings["epochs"] = choices.epochs(task, n, x.shape[1], settings["batch_size"])
        if settings["decay"] is None:
            settings["decay"] = choices.decay(task, n, x.shape[1], settings["likelihood"])
        loss = known(Loss)[settings["likelihood"]]
        bounded = loss.takes_logits                      # its targets, in [0, 1] or classes, have no units
        density = loss.is_likelihood and not bounded and task != "regression"
        word, *scale = choices.scaling(x, image, density, settings["scaling"], bounded and task != "regression")
        targets = scale
        if task == "regression" and not bounded:
            targets = choices.scaling(self.data[1], None, False, settings["scaling"])[1:]
        settings["scaling"] = word
        self.scalings = [None if np.all(spread == 1) and not np.any(centre) else (centre, spread)
                         for centre, spread in (scale, targets)]
        if bounded:
            self.scalings[1] = None

    def announce(self, folder):
        """Return lines that say how the model will be trained, and on which data."""
        settings, (N, D) = self.settings, self.data[0].shape
        image = self.dataset.image_shape
        shape = "×".join(map(str, image)) + " images" if image else f"rows of {D} numbers"
        steps = -(-N // settings["batch_size"])
        return "\n".join([
            f"data        {settings['data']}: {N} to train on, {len(self.held_out[0])} held out; {shape}",
            f"            {self.convention}",
            *([f"targets     {self.of_targets()}"] if settings["task"] == "regression" else []),
            f"scaling     {SCALED[settings['scaling']]}",
            f"model       {architecture(settings, D, self.model)}",
            f"            {self.model.w.size} parameters, {settings['dtype']}",
            f"training    Adam, rate {settings['lr']:g} falling to a tenth, {settings['epochs']} epochs of {steps} "
            f"batches of {settings['batch_size']}, seed {settings['seed']}",
            *[f"plots       {', '.join(settings['plots'])}"] * bool(settings["plots"]),
            f"results     {folder}",
            *[f"resumed     from {self.resumed}"] * bool(self.resumed)])

    def of_targets(self):
        """Return in words what is predicted."""
        y = self.data[1]
        if y.ndim == 1:
            return f"{len(np.unique(y))} classes, the commonest in {np.bincount(y).max() / len(y):.1%} of the samples"
        return f"{y.shape[1]} number{'s' * (y.shape[1] > 1)}, from {y.min():.4g} to {y.max():.4g}"

    def train(self, folder):
        """Train the model, with a checkpoint after every epoch; return the History."""
        settings = self.settings
        lr, epochs = settings["lr"], settings["epochs"]

        def falling_rate(model, history, optimizer):
            optimizer.alpha = lr * 0.1 ** (history.epochs / max(epochs, 1))

        def warmer(model, history, optimizer):
            model.beta = settings["beta"] * min(1, (history.epochs + 1) / settings["warm_up"])

        def watching(model, history, optimizer):
            self.unit_kl.append(kl_of_units(model, self.held_out[0][:400]))

        callbacks = [falling_rate] + [warmer] * bool(settings["warm_up"]) + [watching] * (settings["task"] == "vae")
        if settings["plots"]:
            callbacks.append(partial(self.draw_epoch, os.path.join(folder, "epochs")))
        if "animation" in settings["plots"]:
            self.film = numpyae.plots.Recorder(self.held_out[0], self.dataset.image_shape, self.labels)
            if self.resumed is None:
                self.film.add(self.model, 0)
            callbacks.append(self.film)
        return fit(self.model, *self.data, optimizer=Adam(lr), epochs=epochs, patience=settings["patience"] or None,
                   clip=settings["clip"] or None, batch_size=settings["batch_size"],
                   rng=np.random.default_rng(settings["seed"]), each_epoch=self.each_epoch, validation=self.held_out,
                   callbacks=callbacks, checkpoint=os.path.join(folder, "checkpoint.npz"), resume=self.resumed,
                   progress=True)

    def result(self, history):
        """Return lines: how good the model is on data it has not seen, with unit and convention, and the baselines."""
        return results.of_run(self, history)

    def draw_epoch(self, folder, model, history, optimizer):
        """Write the pictures of --plots into the folder, after those epochs that are drawn: fit calls this."""
        epochs = self.settings["epochs"]
        if history.epochs not in drawn_epochs(epochs):
            return
        os.makedirs(folder, exist_ok=True)
        pictures, digits = self.pictures(history), max(3, len(str(epochs)))
        for name in filter(PLOTS.get, self.settings["plots"]):
            save(pictures[PLOTS[name]], os.path.join(folder, f"{name}-{history.epochs:0{digits}}.png"))

    def write_pictures(self, folder, history):
        """Write the pictures that fit the model, each as soon as it is drawn; yield their paths."""
        for name, make in self.pictures(history).items():
            yield save(make, os.path.join(folder, name + ".png"))
        if self.film and self.film.last:
            yield save(lambda: numpyae.plots.learning_animation(self.film), os.path.join(folder, "learning.gif"))
        if os.path.isdir(os.path.join(folder, "epochs")):
            yield os.path.join(folder, "epochs")

    def pictures(self, history):
        """Return {file name: function that draws it} of the pictures that fit the model."""
        plots, settings = numpyae.plots, self.settings
        model, shape, x = self.model, self.dataset.image_shape, self.held_out[0]
        task, code, latent = settings["task"], settings["code"], settings["latent"] or 0
        unit = "squared error per sample" if settings["likelihood"] == "squared-error" else "nats per sample"
        rng = np.random.default_rng(settings["seed"])
        curve = task == "regression" and self.data[0].shape[1] == 1 and self.data[1].shape[1:] == (1,)
        sparse = code.startswith("top") or any(penalty.term == "sparsity" for penalty in model.penalties)
        grid = x if task == "ae" else None               # an autoencoder has no prior: its codes say where to look
        pictures = {
            "learning_curve": (history.epochs, lambda: plots.learning_curve(history, unit=unit)),
            "fit": (curve, lambda: plots.regression(model, *self.data)),
            "code_map": (latent >= 2, lambda: plots.code_map(model, x, self.labels)),
            "reconstructions": (latent and shape, lambda: plots.reconstructions(model, x, shape)),
            "denoised": (settings["corruption"] and shape, lambda: plots.denoised(model, x, shape, rng=rng)),
            "activity": (sparse and self.labels is not None, lambda: plots.activity(model, x, self.labels)),
            "samples": (task == "vae" and shape, lambda: plots.samples(model, shape, rng=rng)),
            "manifold": (latent == 2 and shape, lambda: plots.manifold(model, shape, x=grid)),
            "unit_kl": (latent > 2 and len(self.unit_kl) > 1, lambda: plots.unit_kl(self.unit_kl)),
            "filters": (shape, lambda: plots.filters(first_dense(model), shape))}
        return {name: draw for name, (fits, draw) in pictures.items() if fits}


def first_dense(model):
    """Return the first layer with weights."""
    return next(leaf for leaf in model.leaves().values() if isinstance(leaf, Dense))


def save(make, path):
    """Write the figure, or for a .gif the film, that `make` draws, and free it; return the path."""
    import matplotlib.pyplot as plt

    drawn = make()
    if path.endswith(".gif"):
        drawn.save(path, writer="pillow")
    else:
        drawn.savefig(path)
    plt.close()
    return path


def drawn_epochs(epochs):
    """Return the epochs whose pictures are drawn: all, or about MOST_DRAWN, most of them early, and the last."""
    if epochs <= MOST_DRAWN:
        return set(range(1, epochs + 1))
    return set((np.linspace(1, np.sqrt(epochs), MOST_DRAWN)**2).round().astype(int).tolist())


def check_plots(settings, image_shape):
    """Raise ValueError, before the training, unless each name in --plots can be drawn for these data and this code."""
    for name in settings["plots"]:
        for wrong, sentence in (
                (name not in PLOTS,
                 f"must be names out of {', '.join(PLOTS)}, with commas between, got {name!r}"),
                (name != "map" and not image_shape,
                 f"{name} needs data that are images, got {settings['data']}, which are rows of numbers"),
                (name in ("manifold", "animation") and settings["latent"] != 2,
                 f"{name} needs a code of 2 numbers, --latent 2, got {settings['latent']}"),
                (name == "map" and settings["latent"] < 2,
                 f"map needs a code of at least 2 numbers, --latent 2 or more, got {settings['latent']}")):
            must(not wrong, f"--plots {sentence}")


def load_split(name, dtype, seed):
    """Load a data set with a test set: its own, or a tenth of the rows, drawn with the seed."""
    data = datasets.load(name, dtype=dtype)
    check_data(f"{name}: x", data.x, None, dtype)
    if data.x_test is not None:
        return data
    must(len(data.x) >= 2, f"{name}: expected at least 2 rows, one of them to hold out, got {len(data.x)}")
    test, train = np.split(np.random.default_rng(seed).permutation(len(data.x)), [max(1, int(HELD_OUT * len(data.x)))])
    return data._replace(x=data.x[train], x_test=data.x[test], y=None if data.y is None else data.y[train],
                         y_test=None if data.y is None else data.y[test])


def labels_of(data):
    """Return the classes of the held-out rows, (N,), or None."""
    return data.y_test if data.y_test is not None and data.y_test.ndim == 1 else None


def targets(settings, y, dtype):
    """Return the targets of a regression: labels (N,) or numbers (N, M). Settles settings["likelihood"]."""
    name = settings["data"]
    must(y is not None, f"{name}: regression needs targets: an .npz or .mat with an array y beside x")
    settings["likelihood"] = settings["likelihood"] or ("classes" if are_classes(y) else "squared-error")
    if settings["likelihood"] != "classes":
        return y.reshape(len(y), -1).astype(dtype)
    must(y.ndim == 1 and y.min() >= 0 and y.max() < MOST_CLASSES,
         f"{name}: classes must be whole numbers from 0 to {MOST_CLASSES - 1}, "
         f"got {y.min():g} to {y.max():g}: --likelihood squared-error takes them as numbers")
    return y


def are_classes(y):
    """Return whether y holds classes: whole numbers, few, or from 0 or 1 without gaps and five or more of each."""
    if y.ndim != 1:
        return False
    found = np.unique(y)
    whole = found[0] in (0, 1) and len(found) > 0.9 * (found[-1] - found[0])
    return len(found) <= 20 or whole and len(y) >= 5 * len(found)
