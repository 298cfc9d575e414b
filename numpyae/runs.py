"""One training run, from settings to a folder of results: what `python -m numpyae train` does.

Settings are a small dict (task, data, hidden, latent, likelihood, epochs, ...), written into the folder as run.json. From them come
the data, the model and what to announce before the first step; after the last one, a number on held-out data with its unit
and its convention, and pictures. Every run has a fresh folder. Nothing that exists is overwritten or deleted.
"""

import json
import os
import time
import warnings

import numpy as np

from numpyae import datasets
from numpyae.activations import ReLU, Sigmoid, Tanh, mlp
from numpyae.autoencoder import Autoencoder
from numpyae.checkpoints import read_checkpoint, read_record
from numpyae.corruption import GaussianNoise, MaskingNoise, SaltAndPepper
from numpyae.described import arguments_of
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Dense, Dropout, Sequential, TiedDense, TopK
from numpyae.losses import (BernoulliNLL, ContinuousBernoulliNLL, GaussianNLL, HeteroscedasticGaussianNLL, SoftmaxCrossEntropy,
                            SquaredError)
from numpyae.models import Regression, check_data
from numpyae.optimizers import Adam
from numpyae.penalties import Contraction, KLSparsity, L1Sparsity, L2Sparsity, WeightDecay
from numpyae.training import History, check_arguments, fit
from numpyae.vae import VAE

DEFAULTS = {
    "vae": dict(data="digits", epochs=40, batch_size=100, latent=2, hidden=[256, 256], lr=3e-3, likelihood="bernoulli", seed=0,
                dtype="float32"),
    "ae": dict(data="digits", epochs=40, batch_size=100, latent=2, hidden=[256, 256], lr=3e-3, likelihood="squared-error", seed=0,
               dtype="float32"),
    "regression": dict(data="noisy_sine", epochs=2000, batch_size=10, latent=None, hidden=[20], lr=1e-2, likelihood=None, seed=0,
                       dtype="float64")}
LIKELIHOODS = {"bernoulli": BernoulliNLL, "continuous-bernoulli": ContinuousBernoulliNLL, "gaussian": GaussianNLL,
               "heteroscedastic": HeteroscedasticGaussianNLL, "squared-error": SquaredError, "classes": SoftmaxCrossEntropy}
VARIANTS = dict(code="linear", tied=False, corruption=None, penalty=[], dropout=0.0, plots=[])           # the plain one
DEFAULTS = {task: values | VARIANTS for task, values in DEFAULTS.items()}
# For a --penalty or --corruption such as kl:0.05:3 the class and how many numbers follow, the least and the most.
PENALTIES = {"kl": (KLSparsity, 2, 2), "l1": (L1Sparsity, 2, 2), "l2": (L2Sparsity, 2, 2), "contraction": (Contraction, 1, 1),
             "decay": (WeightDecay, 1, 1)}
CORRUPTIONS = {"gaussian": (GaussianNoise, 1, 1), "masking": (MaskingNoise, 1, 2), "salt-and-pepper": (SaltAndPepper, 1, 1)}
CODES = {"linear": None, "sigmoid": Sigmoid, "tanh": Tanh, "relu": ReLU}
# For a name in --plots: the picture that is drawn after an epoch, a file name in Run.pictures; the film is made at the end.
PLOTS = {"reconstruction": "reconstructions", "manifold": "manifold", "map": "code_map", "animation": None}
MOST_CLASSES = 1000
MOST_DRAWN = 20                       # epochs, about, whose pictures --plots draws
HELD_OUT = 0.1                        # of data that come without a test set


class Run:
    """Data, model and words of one run. Attributes: settings, dataset, data, held_out, labels, model, each_epoch,
    and what the numbers mean: `convention` while training, `judged` when held out."""

    def __init__(self, settings):
        if os.path.exists(settings["data"]) and settings["data"] not in datasets.NAMES:
            settings["data"] = os.path.abspath(settings["data"])     # found again from another folder
        self.settings = settings
        dtype = np.dtype(settings["dtype"])
        self.dataset = load_split(settings["data"], dtype, settings["seed"])
        x, y, x_test, y_test = self.dataset[1:5]
        self.labels = y_test if y_test is not None and y_test.ndim == 1 else None
        self.convention = self.judged = self.dataset.convention
        self.data, self.held_out, self.each_epoch, self.film = (x,), (x_test,), None, None
        check_plots(settings, self.dataset.image_shape)
        if settings["task"] == "regression":
            y, y_test = targets(settings, y, dtype), targets(settings, y_test, dtype)
            self.data, self.held_out = (x, y), (x_test, y_test)
        self.model = build_model(settings, x.shape[1], y, y_test).astype(dtype)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*values between 0 and 1", UserWarning)               # they are binarised below
            check_arguments(self.model, self.data, Adam(settings["lr"]), settings["epochs"], settings["batch_size"], self.held_out)
        if settings["task"] != "regression" and settings["likelihood"] == "bernoulli":
            self.convention += ", binarised anew each epoch: a pixel is 1 with the probability of its grey level"
            self.judged += ", binarised once"
            self.each_epoch = datasets.binarize
            self.held_out = (datasets.binarize(np.random.default_rng(settings["seed"]), x_test),)

    def announce(self, folder):
        """What will be done, as lines, before it starts."""
        settings, N, D = self.settings, len(self.data[0]), self.data[0].shape[1]
        shape = "×".join(map(str, self.dataset.image_shape)) + " images" if self.dataset.image_shape else f"rows of {D} numbers"
        steps = -(-N // settings["batch_size"])
        drawn = [f"plots       {', '.join(settings['plots'])}"] * bool(settings["plots"])
        return "\n".join([
            f"data        {settings['data']}: {N} to train on, {len(self.held_out[0])} held out; {shape}",
            f"            {self.convention}",
            f"model       {architecture(settings, D, self.model)}",
            f"            {self.model.w.size} parameters, {settings['dtype']}",
            f"training    Adam, rate {settings['lr']:g} falling to a tenth, {settings['epochs']} epochs of {steps} batches of "
            f"{settings['batch_size']}, seed {settings['seed']}",
            *drawn, f"results     {folder}"])

    def check_resume(self, checkpoint):
        """ValueError unless the checkpoint is of this run's model: before anything is written."""
        read_checkpoint(checkpoint, self.model, Adam(self.settings["lr"]), np.random.default_rng(0), History)

    def train(self, folder, resume=None):
        """fit, with a checkpoint after every epoch. Returns the History."""
        settings = self.settings

        def falling_rate(model, history, optimizer):
            optimizer.alpha = settings["lr"] * 0.1 ** (history.epochs / max(settings["epochs"], 1))

        callbacks, shown = [falling_rate], drawn_epochs(settings["epochs"])
        digits = max(3, len(str(settings["epochs"])))

        def draw_epoch(model, history, optimizer):
            pictures = self.pictures(history)
            for name in settings["plots"]:
                if PLOTS[name] and history.epochs in shown:
                    os.makedirs(os.path.join(folder, "epochs"), exist_ok=True)
                    save(pictures[PLOTS[name]], os.path.join(folder, "epochs", f"{name}-{history.epochs:0{digits}}.png"))

        if settings["plots"]:
            callbacks.append(draw_epoch)
        if "animation" in settings["plots"]:
            from numpyae.plots import Recorder

            self.film = Recorder(self.held_out[0], self.dataset.image_shape, self.labels)
            if resume is None:
                self.film.add(self.model, 0)
            callbacks.append(self.film)
        return fit(self.model, *self.data, optimizer=Adam(settings["lr"]), epochs=settings["epochs"],
                   batch_size=settings["batch_size"], rng=np.random.default_rng(settings["seed"]), each_epoch=self.each_epoch,
                   validation=self.held_out, callbacks=callbacks, checkpoint=os.path.join(folder, "checkpoint.npz"),
                   resume=resume, progress=True)

    def result(self):
        """One sentence: how good the model is on data it has not seen, with unit and convention."""
        n = len(self.held_out[0])
        unit = "image" if self.dataset.image_shape else "sample"
        if self.settings["task"] == "vae":
            bounds = self.model.elbo(*self.held_out, rng=np.random.default_rng(self.settings["seed"]))
            return (f"held-out ELBO {bounds.mean():.2f} ± {bounds.std() / np.sqrt(n):.2f} nats per {unit} "
                    f"(mean and standard error over {n}; {self.judged})")
        loss = self.model.loss(*self.held_out, training=False)
        loss = self.model.terms.get("reconstruction", loss)                  # without penalties, to compare variants by
        if self.settings["likelihood"] == "classes":
            wrong = np.mean(self.model.predict(self.held_out[0]).argmax(axis=1) != self.held_out[1])
            return f"held-out cross-entropy {loss:.4f} nats per {unit}, {100 * wrong:.2f} % of {n} wrong"
        return f"held-out {self.settings['likelihood']} loss {loss:.5g} per {unit} (sum over features, mean over {n}; {self.judged})"

    def draw(self, folder, history):
        """Write the pictures that fit the model, each as soon as it is drawn; gives their paths one by one."""
        for name, make in self.pictures(history).items():
            yield save(make, os.path.join(folder, name + ".png"))
        if self.film and self.film.last:
            yield save_film(self.film, os.path.join(folder, "learning.gif"))
        if os.path.isdir(os.path.join(folder, "epochs")):
            yield os.path.join(folder, "epochs")

    def pictures(self, history):
        """{file name: function that draws it}."""
        from numpyae import plots

        model, shape, latent, x = self.model, self.dataset.image_shape, self.settings["latent"], self.held_out[0]
        unit = "squared error per sample" if self.settings["likelihood"] == "squared-error" else "nats per sample"
        rng = np.random.default_rng(self.settings["seed"])
        pictures = {}
        if history.epochs:
            pictures["learning_curve"] = lambda: plots.learning_curve(history, unit=unit)
        if self.settings["task"] == "regression":
            if self.data[0].shape[1] == 1 and self.data[1].shape[1:] == (1,):
                pictures["fit"] = lambda: plots.regression(model, *self.data)
            first = model.network.layers[0]
        else:
            first = model.encoder.layers[0]
            if latent >= 2:
                pictures["code_map"] = lambda: plots.code_map(model, x, self.labels)
            if shape:
                pictures["reconstructions"] = lambda: plots.reconstructions(model, x, shape)
            if shape and self.settings["corruption"]:
                pictures["denoised"] = lambda: plots.denoised(model, x, shape, rng=rng)
            sparse = self.settings["code"].startswith("top") or any(text[:2] in ("kl", "l1", "l2") for text in self.settings["penalty"])
            if self.labels is not None and sparse:
                pictures["activity"] = lambda: plots.activity(model, x, self.labels)
            if shape and self.settings["task"] == "vae":
                pictures["samples"] = lambda: plots.samples(model, shape, rng=rng)
            if shape and latent == 2:                    # an autoencoder has no prior: its codes say where to look
                pictures["manifold"] = lambda: plots.manifold(model, shape, x=x if self.settings["task"] == "ae" else None)
        if shape:
            pictures["filters"] = lambda: plots.filters(first, shape)
        return pictures


def save(make, path):
    """Write the figure that `make` draws, and free it. Returns the path."""
    import matplotlib.pyplot as plt

    figure = make()
    figure.savefig(path)
    plt.close(figure)
    return path


def save_film(recorder, path):
    """Write what a Recorder has seen as a GIF. Returns the path."""
    import matplotlib.pyplot as plt

    from numpyae import plots

    animation = plots.learning_animation(recorder)
    figure = plt.gcf()
    animation.save(path, writer="pillow")
    plt.close(figure)
    return path


def drawn_epochs(epochs):
    """The epochs whose pictures are drawn: each, or MOST_DRAWN, more of the beginning, where more happens, and the last."""
    if epochs <= MOST_DRAWN:
        return set(range(1, epochs + 1))
    return set((np.linspace(1, np.sqrt(epochs), MOST_DRAWN)**2).round().astype(int).tolist())


def check_plots(settings, image_shape):
    """ValueError unless each name in --plots can be drawn for these data and this code: before the training starts."""
    for name in settings["plots"]:
        if name not in PLOTS:
            raise ValueError(f"--plots must be names out of {', '.join(PLOTS)}, with commas between, got {name!r}")
        if name != "map" and not image_shape:
            raise ValueError(f"--plots {name} needs data that are images, got {settings['data']}, which are rows of numbers")
        if name in ("manifold", "animation") and settings["latent"] != 2:
            raise ValueError(f"--plots {name} needs a code of 2 numbers, --latent 2, got {settings['latent']}")
        if name == "map" and settings["latent"] < 2:
            raise ValueError(f"--plots map needs a code of at least 2 numbers, --latent 2 or more, got {settings['latent']}")


def load_split(name, dtype, seed):
    """A data set with a test set: its own, or a tenth of the rows, drawn with the seed."""
    data = datasets.load(name, dtype=dtype)
    check_data(f"{name}: x", data.x, None, dtype)
    if data.x_test is not None:
        return data
    order = np.random.default_rng(seed).permutation(len(data.x))
    count = max(1, int(HELD_OUT * len(data.x)))
    if len(order) < 2:
        raise ValueError(f"{name}: expected at least 2 rows, one of them to hold out, got {len(order)}")
    test, train = order[:count], order[count:]
    return data._replace(x=data.x[train], x_test=data.x[test], y=None if data.y is None else data.y[train],
                         y_test=None if data.y is None else data.y[test])


def targets(settings, y, dtype):
    """The targets of a regression: labels (N,) for classes, else numbers (N, M). Settles settings["likelihood"]."""
    if y is None:
        raise ValueError(f"{settings['data']}: regression needs targets: an .npz or .mat with an array y beside x")
    settings["likelihood"] = settings["likelihood"] or ("classes" if y.ndim == 1 else "squared-error")
    if settings["likelihood"] != "classes":
        return y.reshape(len(y), -1).astype(dtype)
    if y.ndim != 1 or y.min() < 0 or y.max() >= MOST_CLASSES:
        raise ValueError(f"{settings['data']}: classes must be whole numbers from 0 to {MOST_CLASSES - 1}, got {y.min():g} to "
                         f"{y.max():g}: --likelihood squared-error takes them as numbers")
    return y


def build_model(settings, D, y, y_test):
    """The model of the settings for data of D features; y and y_test matter for regression only."""
    rng = np.random.default_rng(settings["seed"])
    hidden, latent = settings["hidden"], settings["latent"]
    if settings["task"] == "regression":
        criterion = likelihood(settings)
        outputs = int(max(y.max(), y_test.max())) + 1 if y.ndim == 1 else y.shape[1] * criterion.outputs_per_feature
        return Regression(mlp([D, *hidden, outputs], rng=rng), criterion)
    criterion = likelihood(settings)
    outputs = D * criterion.outputs_per_feature
    corruption = None if settings["corruption"] is None else named("--corruption", CORRUPTIONS, settings["corruption"])
    if settings["task"] == "ae":
        encoder = encoder_of(settings, [D, *hidden, latent], rng)
        decoder = mirror(encoder) if settings["tied"] else mlp([latent, *hidden[::-1], outputs], rng=rng)
        penalties = [named("--penalty", PENALTIES, text) for text in settings["penalty"]]
        return Autoencoder(encoder, decoder, criterion, corruption, penalties)
    encoder, decoder = mlp([D, *hidden, 2 * latent], rng=rng), mlp([latent, *hidden[::-1], outputs], rng=rng)
    if settings["dropout"]:
        encoder, decoder = with_dropout(encoder, settings["dropout"]), with_dropout(decoder, settings["dropout"])
    return VAE(encoder, decoder, criterion, DiagonalGaussian(latent), corruption=corruption)


def with_dropout(network, p):
    """The network with a Dropout after each hidden activation."""
    layers = []
    for layer in network.layers:
        layers += [layer] if isinstance(layer, Dense) else [layer, Dropout(p)]
    return Sequential(*layers)


def encoder_of(settings, sizes, rng):
    """Tanh layers and a code that is linear, bounded, rectified, or of which only the k strongest are kept ("top-25")."""
    code = settings["code"]
    if code in CODES:
        return mlp(sizes, output=CODES[code], rng=rng)
    k = code.removeprefix("top-")
    if not (code.startswith("top-") and k.isdecimal() and 1 <= int(k) <= sizes[-1]):
        raise ValueError(f"--code must be {', '.join(CODES)}, or top-K with K from 1 to {sizes[-1]}, got {code!r}")
    return Sequential(*mlp(sizes, rng=rng).layers, TopK(int(k)))


def mirror(encoder):
    """The decoder that shares the encoder's weights: its Dense layers backwards, transposed, tanh between."""
    layers = [layer for dense in encoder.layers[::-1] if isinstance(dense, Dense) for layer in (TiedDense(dense), Tanh())]
    return Sequential(*layers[:-1])


def named(option, known, text):
    """The object that an option such as kl:0.05:3 stands for."""
    name, *numbers = text.split(":")
    if name not in known:
        raise ValueError(f"{option} must be one of {', '.join(known)}, with its numbers, such as {example(known)}, got {text!r}")
    cls, least, most = known[name]
    try:
        values = [float(number) for number in numbers]
    except ValueError:
        values = []
    if not least <= len(values) <= most:
        wanted = ":".join(arguments_of(cls)[:most])
        raise ValueError(f"{option} {name} takes numbers for {wanted.replace(':', ' and ')}, written {name}:{wanted}, got {text!r}")
    return cls(*values)


def example(known):
    """One option that is right."""
    return {"kl": "kl:0.05:3", "gaussian": "gaussian:0.3"}[next(iter(known))]


def likelihood(settings):
    """The loss of that name; a Gaussian learns its σ."""
    name = settings["likelihood"]
    return GaussianNLL(learn=True) if name == "gaussian" else LIKELIHOODS[name]()


def architecture(settings, D, model):
    """Such as: VAE 784-256-256-[2]-256-256-784, tanh, bernoulli."""
    hidden = "".join(f"-{size}" for size in settings["hidden"])
    if settings["task"] == "regression":
        return f"Regression {D}{hidden}-{model.network.n_out}, tanh, {settings['likelihood']}"
    back = "".join(f"{size}-" for size in settings["hidden"][::-1])
    name = {"ae": "Autoencoder", "vae": "VAE"}[settings["task"]]
    variants = [f"{settings['code']} code"] * (settings["code"] != "linear") + ["tied"] * settings["tied"] + settings["penalty"]
    variants += [f"dropout {settings['dropout']:g}"] * bool(settings["dropout"]) + [settings["corruption"]] * bool(settings["corruption"])
    return ", ".join([f"{name} {D}{hidden}-[{settings['latent']}]-{back}{model.decoder.n_out}, tanh, {settings['likelihood']}", *variants])


def fresh_folder(settings, out=None):
    """A new, empty folder for the results, holding run.json. Never one that has files in it."""
    if out is None:
        name = os.path.splitext(os.path.basename(settings["data"]))[0]
        base = os.path.join("runs", f"{settings['task']}-{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        out = next(path for path in (base, *(f"{base}-{i}" for i in range(2, 1000))) if not os.path.exists(path))
    try:
        os.makedirs(out, exist_ok=True)
        if os.listdir(out):
            raise ValueError(f"--out {out}: expected a new or empty folder, got one with files in it")
        with open(os.path.join(out, "run.json"), "x") as file:
            json.dump(settings, file, indent=1)
    except OSError as error:
        raise ValueError(f"--out {out}: expected a folder that can be made and written to, got: {error.strerror}") from error
    return out


def withdraw(folder):
    """Take back what fresh_folder has written, after a run that came to nothing."""
    os.remove(os.path.join(folder, "run.json"))
    if not os.listdir(folder):
        os.rmdir(folder)


def resumed_settings(path):
    """(settings, checkpoint path) of a run to go on with: its folder, or the checkpoint in it."""
    checkpoint, source = files_of(path)
    if not os.path.exists(checkpoint):
        raise FileNotFoundError(f"--resume {path}: there is no checkpoint {checkpoint}")
    read_record(checkpoint)           # a damaged one is refused before the data are loaded
    try:
        return read_settings(source), checkpoint
    except FileNotFoundError:
        raise FileNotFoundError(f"--resume {path}: there is no {source}, which says what to build") from None


def files_of(path):
    """(checkpoint, run.json) of a run: its folder, or the checkpoint in it. Whether they are there is another question."""
    folder = path if os.path.isdir(path) else os.path.dirname(path)
    checkpoint = os.path.join(folder, "checkpoint.npz") if os.path.isdir(path) else path
    return checkpoint, os.path.join(folder, "run.json")


def read_settings(source):
    """The settings in a run.json, checked; those that an older run did not have are the plain ones."""
    try:
        with open(source) as file:
            settings = json.load(file)
        settings = {name: (VARIANTS | settings)[name] for name in ("task", *DEFAULTS["vae"])}
        check_settings(settings)
        return settings
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{source}: expected the settings of a run, got a damaged or other file ({error})") from None


def check_settings(settings):
    """ValueError unless every setting is of the kind that the command line makes."""
    least = {"epochs": 0, "seed": 0, "batch_size": 1} | ({} if settings["task"] == "regression" else {"latent": 1})
    fits = {"task": settings["task"] in DEFAULTS,
            "data": isinstance(settings["data"], str),
            "hidden": all(isinstance(size, int) and size >= 1 for size in settings["hidden"]),
            "lr": isinstance(settings["lr"], (int, float)) and 0 < settings["lr"] < np.inf,
            "likelihood": settings["likelihood"] in LIKELIHOODS,
            "code": isinstance(settings["code"], str), "tied": isinstance(settings["tied"], bool),
            "corruption": isinstance(settings["corruption"], (str, type(None))),
            "penalty": isinstance(settings["penalty"], list) and all(isinstance(text, str) for text in settings["penalty"]),
            "dropout": type(settings["dropout"]) in (int, float) and 0 <= settings["dropout"] < 1,
            "plots": isinstance(settings["plots"], list) and all(isinstance(name, str) for name in settings["plots"]),
            "dtype": settings["dtype"] in ("float32", "float64"),
            **{name: isinstance(settings[name], int) and settings[name] >= value for name, value in least.items()}}
    bad = [name for name, fit_in in fits.items() if not fit_in]
    if bad:
        raise ValueError(f"{bad[0]} is {settings.get(bad[0])!r}")
