"""Settings of a training run, one record each: its default, what it may be, its help.

`train TASK` has an option for each setting of the task; run.json, in the folder of a run, holds all of them.

A word such as kl:0.05:3 stands for an object, KLSparsity(0.05, 3). A penalty, a corruption, a loss or an activation
says its word itself, `option = "kl"` in its own body, and is available from then on. The numbers behind the word are
the arguments of its constructor, as far as they are numbers.
"""

import argparse
import inspect
import itertools
import json
import math
import os
import pathlib
import time
from collections import namedtuple

from numpyae.checkpoints import read_record
from numpyae.checks import must
from numpyae.described import with_subclasses
from numpyae.lab.choices import SCALINGS
from numpyae.layers import Layer
from numpyae.losses import Loss

TASKS = {"regression": "a network from x to t", "ae": "an autoencoder", "vae": "a variational autoencoder"}


class Kind(namedtuple("Kind", "read fits wanted")):
    """A kind of value: how to read it from a word, whether it fits, what is wanted, in words. It is argparse's type."""

    def __call__(self, word):
        """Return the value of a word of the command line; raise ArgumentTypeError unless it fits."""
        try:
            value = self.read(word)
        except ValueError:
            value = None
        must(self.fits(value), f"expected {self.wanted}, got {word!r}", argparse.ArgumentTypeError)
        return value


def at_least(least):
    """Return the kind of whole numbers of at least `least`."""
    return Kind(int, lambda value: type(value) is int and value >= least, f"a whole number of at least {least}")


def row_of(kind, wanted):
    """Return the kind of lists of such values, written with commas between."""
    return Kind(lambda word: list(map(kind.read, word.split(","))),
                lambda value: isinstance(value, list) and all(map(kind.fits, value)), wanted)


TEXT = Kind(str, lambda value: isinstance(value, str), "a text")
FLAG = Kind(bool, lambda value: isinstance(value, bool), "true or false")
TEXTS = row_of(TEXT, "names with commas between")
SIZES = row_of(at_least(1), "whole numbers of at least 1 with commas between")
RATE = Kind(float, lambda value: type(value) in (int, float) and 0 < value < math.inf, "a positive number")
WEIGHT = Kind(float, lambda value: type(value) in (int, float) and 0 <= value < math.inf, "a number of at least 0")
SHARE = Kind(float, lambda value: type(value) in (int, float) and 0 <= value < 1, "a number in [0, 1)")


class Option(namedtuple("Option", "name kind default help tasks argument", defaults=[tuple(TASKS), {}])):
    """A setting. `default` and `help` may be dicts {task: …}. The tasks in `tasks` have it as an option.

    `argument`: further arguments of argparse's add_argument.
    """

    def value(self, task):
        """Return the default for a task."""
        return self.default[task] if isinstance(self.default, dict) else self.default

    def add_to(self, parser, task, words):
        """Add the option to the parser of a task. `words`: {name in a help text: what stands for it}."""
        default, text = self.value(task), self.help[task] if isinstance(self.help, dict) else self.help
        shown = ",".join(map(str, default)) if isinstance(default, list) else default
        argument = {} if self.kind is FLAG else {"type": self.kind}
        if self.name == "likelihood":             # those that make sense for the task
            argument["choices"] = [word for word, loss in known(Loss).items() if task == "regression" or not (
                loss.takes_labels or task == "vae" and not loss.is_likelihood)]
        parser.add_argument("--" + self.name.replace("_", "-"), help=text.format(shown, **words),
                            **argument | self.argument)


MEANS = "what the output means ({}); gaussian learns one σ; "
OPTIONS = (
    Option("data", TEXT, {"vae": "digits", "ae": "digits", "regression": "noisy_sine"},
            "digits, mnist, two_moons, curves … (a wrong name lists all), or a file: .npz or .mat with x and, for "
            "targets, y; .csv, .npy, IDX with x only ({})"),
    Option("epochs", at_least(0), None, {
        "vae": "passes over the data (40, more of small data)", "ae": "passes over the data (40, more of small data)",
        "regression": "passes over the data (2000 of a curve, else 10 or more, so that there are 3000 steps)"}),
    Option("batch_size", at_least(1), None, "samples per step (a tenth of the data, from 10 to 100)"),
    Option("scaling", Kind(str, lambda value: value in SCALINGS, "none, centred or standardised"), None,
           "of each feature, and of numbers to predict: centred takes off the mean, standardised divides by the spread "
           "too; results are in the units of the data all the same (chosen by the data)",
           argument={"choices": SCALINGS}),
    Option("latent", at_least(1), {"vae": 2, "ae": 2, "regression": None}, "size of the code ({}); 2 can be drawn",
           ("ae", "vae")),
    Option("hidden", SIZES, {"vae": [256, 256], "ae": [256, 256], "regression": [20]},
            "hidden layers; a decoder mirrors them ({})", argument={"metavar": "H1,H2,..."}),
    Option("activation", Kind(str, lambda value: value in known(Layer), "the word of an activation"), "tanh",
           "of the hidden layers: {activations} ({})", argument={"metavar": "NAME"}),
    Option("lr", RATE, {"vae": 3e-3, "ae": 3e-3, "regression": 1e-2}, "learning rate of Adam ({})"),
    Option("likelihood", Kind(str, lambda value: value in known(Loss), "the word of a loss"),
            {"vae": None, "ae": "squared-error", "regression": None},
            {"vae": MEANS.format("bernoulli for pictures in [0, 1] and 0/1 data, else gaussian")
             + "bernoulli draws 0/1 pixels anew each epoch",
             "ae": MEANS + "bernoulli and others: data in [0, 1]",
             "regression": MEANS.format("classes for integer targets, else squared-error")
             + "squared-error on integers regresses them"}),
    Option("code", TEXT, "linear", "the last layer of the encoder: {codes}, or top-K, such as top-25, which keeps the "
           "K strongest units of each sample ({})", ("ae",)),
    Option("tied", FLAG, False, "the decoder uses the encoder's weights, transposed", ("ae",),
            {"action": "store_true", "default": None}),
    Option("penalty", TEXTS, [], "a term of the loss, may be given several times: {penalties} (none); kl, l1 and "
            "l2 are sparsity of the code, and kl needs --code sigmoid",
            ("ae",), {"action": "append", "type": str, "metavar": "NAME:NUMBERS"}),
    Option("corruption", TEXT, None, "denoising: the net sees a damaged x, its target stays the clean one: "
           "{corruptions} (none)", ("ae", "vae"), {"metavar": "NAME:NUMBER"}),
    Option("decay", WEIGHT, None, "weight decay: this times the sum of the squared weights is added to the loss (0; "
           "0.03 where there are more features than samples, 0.001 for the numbers to predict of a table)",
           argument={"metavar": "L"}),
    Option("beta", WEIGHT, 1.0, "weight of the KL in the loss; more than 1 disentangles, less reconstructs better (1)",
           ("vae",), {"metavar": "B"}),
    Option("warm_up", at_least(0), 0, "epochs in which beta rises from 0 to its value (0)", ("vae",),
           {"metavar": "EPOCHS"}),
    Option("iwae", at_least(0), 0, "train the importance-weighted bound with K draws instead of the ELBO (0: the ELBO)",
           ("vae",), {"metavar": "K"}),
    Option("covariance", Kind(str, lambda value: value in ("diagonal", "full"), "diagonal or full"), "diagonal",
           "of q(z|x): diagonal or full ({})", ("vae",), {"choices": ["diagonal", "full"]}),
    Option("prior", TEXT, "gaussian", "p(z): gaussian, which is N(0, I), or mixture:C, which is C Gaussians whose "
           "places are learnt ({})", ("vae",), {"metavar": "NAME"}),
    Option("patience", at_least(0), 0, "stop when the held-out loss has not improved for so many epochs, and take the "
           "best epoch; the held-out number is then an optimistic one (0: never)", argument={"metavar": "EPOCHS"}),
    Option("clip", WEIGHT, 0.0, "a gradient longer than this is shortened to it (0: never)", argument={"metavar": "C"}),
    Option("dropout", SHARE, 0.0, "while training, drop each hidden unit of encoder and decoder with this probability, "
           "in [0, 1) (0)", ("vae",), {"metavar": "P"}),
    Option("plots", TEXTS, [], "draw these after every epoch into the folder epochs/, of more than 20 epochs about 20: "
            "reconstruction (originals beside what the model makes of them), manifold (the decoder over a grid of "
            "codes from -2 to 2, --latent 2), map (codes, coloured by class); animation makes a film of the training, "
            "learning.gif (--latent 2). Commas between, as in reconstruction,manifold,map (none)", ("vae",),
           {"metavar": "NAMES"}),
    Option("seed", at_least(0), 0, "same seed, same run ({})"),
    Option("dtype", Kind(str, lambda value: value in ("float32", "float64"), "float32 or float64"),
            {"vae": "float32", "ae": "float32", "regression": "float64"}, "of parameters and data ({})",
            argument={"choices": ["float32", "float64"]}))
DEFAULTS = {task: {option.name: option.value(task) for option in OPTIONS} for task in TASKS}


def codes():
    """Return {word: activation} for the last layer of an encoder; a linear code has none."""
    return {"linear": None} | known(Layer)


def fresh_folder(settings, out=None):
    """Make a folder for the results, with run.json in it; raise ValueError for one that has files in it."""
    if out is None:
        name = os.path.splitext(os.path.basename(settings["data"]))[0]
        base = os.path.join("runs", f"{settings['task']}-{name}-{time.strftime('%Y%m%d-%H%M%S')}")
        out = next(path for path in (base, *(f"{base}-{i}" for i in range(2, 1000))) if not os.path.exists(path))
    try:
        os.makedirs(out, exist_ok=True)
        must(not os.listdir(out), f"--out {out}: expected a new or empty folder, got one with files in it")
        pathlib.Path(out, "run.json").write_text(json.dumps(settings, indent=1))
    except OSError as error:
        raise ValueError(f"--out {out}: expected a folder that can be made and written to, got: {error.strerror}") \
            from error
    return out


def resumed_settings(path):
    """Return (settings, checkpoint path) of a run to go on with: its folder, or the checkpoint in it."""
    checkpoint, source = files_of(path)
    must(os.path.exists(checkpoint), f"--resume {path}: there is no checkpoint {checkpoint}", FileNotFoundError)
    read_record(checkpoint)           # a damaged one is refused before the data are loaded
    must(os.path.exists(source), f"--resume {path}: there is no {source}, which says what to build", FileNotFoundError)
    return read_settings(source), checkpoint


def files_of(path):
    """Return the paths of checkpoint and run.json of a run, given its folder or the checkpoint; they need not exist."""
    checkpoint = os.path.join(path, "checkpoint.npz") if os.path.isdir(path) else path
    return checkpoint, os.path.join(os.path.dirname(checkpoint), "run.json")


def read_settings(source):
    """Return the settings in a run.json, checked; those that an older run did not have are the default of all tasks."""
    try:
        found = json.loads(pathlib.Path(source).read_text())
        plain = {option.name: option.default for option in OPTIONS if not isinstance(option.default, dict)}
        before = plain | {"scaling": "none", "decay": 0.0}                   # there was a time without these
        settings = {name: (before | found)[name] for name in ("task", *DEFAULTS["vae"])}
        for option in OPTIONS:
            value = settings[option.name]
            must(value == option.value(settings["task"]) or option.kind.fits(value), f"{option.name} is {value!r}")
        return settings
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{source}: expected the settings of a run, got a damaged or other file ({error})") from None


def known(kind):
    """Return {word: class} of the subclasses of `kind` that have a word."""
    classes = [cls for cls in with_subclasses(kind) if "option" in vars(cls)]
    found = {cls.option: cls for cls in classes}
    twice = {cls.__name__: cls.option for cls in classes if cls is not found[cls.option]}
    must(not twice, f"option must be a word that no other class has; two have that of {twice}")
    return found


def numbers(cls):
    """Return (the names of the numbers that the constructor takes first, how many of them it needs)."""
    taken = list(itertools.takewhile(lambda p: p.default is p.empty or type(p.default) in (int, float),
                                     inspect.signature(cls).parameters.values()))
    return [p.name for p in taken], sum(p.default is p.empty for p in taken)


def forms(kind):
    """Return what can be written for the subclasses of `kind`: kl:RHO:WEIGHT, masking:P[:VALUE], …"""
    written = []
    for word, cls in known(kind).items():
        names, needed = numbers(cls)
        optional = "".join(f"[:{name.upper()}" for name in names[needed:]) + "]" * len(names[needed:])
        written.append(":".join([word, *(name.upper() for name in names[:needed])]) + optional)
    return ", ".join(written)


def make(option, kind, text, example):
    """Return the object that a text such as kl:0.05:3 stands for. ValueError, with the option's name, for others."""
    word, *given = text.split(":")
    classes = known(kind)
    must(word in classes, f"{option} must be one of {', '.join(classes)}, with its numbers, such as {example}, "
                          f"got {text!r}")
    names, needed = numbers(classes[word])
    try:
        values = [float(number) for number in given]
    except ValueError:
        values = []
    must(needed <= len(values) <= len(names), f"{option} {word} takes numbers for {' and '.join(names)}, "
                                              f"written {':'.join([word, *names])}, got {text!r}")
    return classes[word](*values)
