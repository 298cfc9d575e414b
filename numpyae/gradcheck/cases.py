"""List what there is to check: every class at the examples that it gives of itself, and in models around them.

No list is kept by hand. A class is found as a subclass of Layer, Loss, Penalty …, and its `examples` say where
it is to be checked. `python -m numpyae gradcheck` goes through `cases`. For classes of your own it is

    for name, target, batch in cases(np.random.default_rng(0), MyLayer, MyLoss):
        assert gradcheck.check(target, *batch).ok, name
"""

import inspect

import numpy as np

from numpyae.corruption import Corruption
from numpyae.described import Described, with_subclasses
from numpyae.gradcheck.contexts import in_models
from numpyae.gradcheck.subjects import kind_of
from numpyae.latent import DiagonalGaussian
from numpyae.layers import Layer
from numpyae.losses import Loss
from numpyae.models import Model
from numpyae.parameters import Parametric
from numpyae.penalties import Penalty
from numpyae.priors import Prior

CONTRACTS = (Layer, Loss, Prior, Penalty, Corruption, Model)
ROOMS = ("numpyae.gradcheck", "numpyae.course")          # their classes are wrong on purpose, or help to check others

# the batch of an example, for each kind of class; that of a layer for the rest
BATCHES = {Loss: "rng.standard_normal((7, 5)), rng.random((7, 5))", DiagonalGaussian: "rng.standard_normal((7, 4))",
           Prior: "rng.standard_normal((7, 2))", Penalty: "mlp([5, 2], rng=rng), rng.standard_normal((7, 5))"}


def classes(*modules):
    """Return all classes of these modules that can be checked; without names those of the library.

    Classes in ROOMS are left out then. A class that is `abstract` has nothing to be checked before its subclasses.
    """
    found = dict.fromkeys(cls for root in (*CONTRACTS, DiagonalGaussian) for cls in with_subclasses(root))
    found = [cls for cls in found if cls not in CONTRACTS and not vars(cls).get("abstract", False)]
    if modules:
        return [cls for cls in found if cls.__module__ in modules]
    return [cls for cls in found if cls.__module__.startswith("numpyae.") and not cls.__module__.startswith(ROOMS)]


def examples_of(cls, rng):
    """Return [(instance, *batch), ...], the examples that a class gives of itself, with noise on all parameters.

    TypeError, with the line to write, where it gives none, or inherits some that do not suit it.
    """
    found, reason = [], ""
    try:
        found = list(cls.examples(rng))
    except Exception as error:
        if "examples" in vars(cls):
            raise
        reason = f" ({type(error).__name__}: {error})"
    if not found:
        given = [name for name, argument in inspect.signature(cls).parameters.items()
                 if argument.default is argument.empty and argument.kind is argument.POSITIONAL_OR_KEYWORD]
        batch = next((BATCHES[kind] for kind in BATCHES if issubclass(cls, kind)), "rng.standard_normal((7, 5))")
        raise TypeError(f"{cls.__name__} gives no example of itself to be checked at{reason}: write in its body\n"
                        "    @classmethod\n    def examples(cls, rng):\n"
                        f"        yield cls({', '.join(given)}), {batch}")
    for part in (part for example in found for part in example if isinstance(part, Parametric)):
        part.w += 0.1 * rng.standard_normal(part.w.size)
    return found


def missing(cls):
    """Return what a class does not say about itself: sentences, each with the line to write; [] when it says all."""
    try:
        part, *_ = examples_of(cls, np.random.default_rng(0))[0]
    except TypeError as error:
        return [str(error)]
    name, rows = cls.__name__, missing_rows(cls, part)
    line = ", ".join(f'"{row}": "…"' for row in rows)
    found = [f"{name} has no formula of {', '.join(rows)} for the tableau: write in its body\n    formula = {{{line}}}"]
    found = found if rows else []
    found += [f"{name} keeps the argument {argument} of its constructor in no attribute, so that no checkpoint can "
              f"build it again: write in __init__\n    self.{argument} = {argument}"
              for argument in part.arguments if not hasattr(part, argument)]
    own = [id(inside) for inside in getattr(part, "_parts", {}).values()]
    found += [f"{name} does not say that its {attribute} is a layer whose parameters it uses, too: write in its body\n"
              f'    shares = ("{attribute}",)' for attribute, value in vars(part).items()
              if isinstance(value, Parametric) and not attribute.startswith("_") and attribute not in part.shares
              and id(value) not in own]
    return found


def missing_rows(cls, part):
    """Return the keys that the formula of a layer or loss lacks, for what its own forward and backward compute."""
    if not isinstance(part, (Layer, Loss)) or part._parts:
        return []
    forward, back = ("y", "dx") if isinstance(part, Layer) else ("values", "do")
    wanted = [forward] * ("forward" in vars(cls)) + [back] * ("backward" in vars(cls))
    if isinstance(part, Layer) and "backward" in vars(cls):
        wanted += [f"d{name}" for name in part._shapes if name in vars(cls)]
    return [row for row in wanted if row not in {key.partition("|")[0] for key in vars(cls).get("formula", {})}]


def cases(rng, *chosen):
    """Return [(name, target, batch), ...]: the examples of these classes, or of the library, and models around them."""
    found = []
    for cls in chosen or classes():
        for part, *batch in examples_of(cls, rng):
            if kind_of(part) and getattr(part, "exact", True):
                found.append((name_of(part), part, batch))
            found += [(f"{type(model).__name__}, {part!r}", model, seen) for model, seen in in_models(part, batch, rng)]
    return found


def name_of(target):
    """Return the repr of a part; for a model of parts its class and its settings, without networks and usual values."""
    if not (isinstance(target, Model) and target._parts):
        return repr(target)
    usual = {name: argument.default for name, argument in inspect.signature(type(target)).parameters.items()}
    settings = {name: getattr(target, name, usual[name]) for name in target.arguments}
    told = {name: value for name, value in settings.items() if not isinstance(value, Layer) and value != usual[name]}
    return ", ".join([type(target).__name__, *(repr(value) if isinstance(value, Described) else f"{name}={value!r}"
                                               for name, value in told.items())])
