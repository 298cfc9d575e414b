"""What there is to check: every class of the library, at the examples that it gives of itself, and in models around them.

No list is kept by hand. A class is found because it is a subclass of a layer, a loss, a penalty …, and `examples` on the class says
where it is to be checked. `python -m numpyae gradcheck` goes through `cases`; so does, with classes of your own,

    for name, target, batch in cases(np.random.default_rng(0), MyLayer, MyLoss):
        assert gradcheck.check(target, *batch).ok, name
"""

import inspect

import numpy as np

from numpyae.corruption import Corruption
from numpyae.described import Described
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


def classes(*modules):
    """Return all classes of these modules that can be checked; without names those of the library, but none planted in ROOMS.

    A class that is `abstract` says that there is nothing to check before its subclasses.
    """
    found = dict.fromkeys(cls for root in (*CONTRACTS, DiagonalGaussian) for cls in with_subclasses(root))
    found = [cls for cls in found if cls not in CONTRACTS and not vars(cls).get("abstract", False)]
    if modules:
        return [cls for cls in found if cls.__module__ in modules]
    return [cls for cls in found if cls.__module__.startswith("numpyae.") and not cls.__module__.startswith(ROOMS)]


def with_subclasses(cls):
    """The class, and all below it."""
    return [cls, *(other for below in cls.__subclasses__() for other in with_subclasses(below))]


def examples_of(cls, rng):
    """[(instance, *batch), ...], the examples that the class gives of itself, with no bias at 0.

    TypeError, with the line to write, where it gives none, or where those that it inherits do not suit it.
    """
    try:
        found = list(cls.examples(rng))
    except Exception as error:
        if "examples" in vars(cls):
            raise
        found, reason = [], f" ({type(error).__name__}: {error})"
    else:
        reason = ""
    if not found:
        raise TypeError(f"{cls.__name__} gives no example of itself to be checked at{reason}: write in its body\n"
                        f"    @classmethod\n    def examples(cls, rng):\n        yield {line_to_write(cls)}")
    for part in (part for example in found for part in example if isinstance(part, Parametric)):
        part.w += 0.1 * rng.standard_normal(part.w.size)
    return found


def line_to_write(cls):
    """An example of this class, such as `cls(n), rng.standard_normal((7, 5))`."""
    arguments = [name for name, argument in inspect.signature(cls).parameters.items()
                 if argument.default is argument.empty and argument.kind is argument.POSITIONAL_OR_KEYWORD]
    batch = {Loss: "rng.standard_normal((7, 5)), rng.random((7, 5))", Penalty: "mlp([5, 2], rng=rng), rng.standard_normal((7, 5))",
             DiagonalGaussian: "rng.standard_normal((7, 4))", Prior: "rng.standard_normal((7, 2))"}
    kind = next((kind for kind in batch if issubclass(cls, kind)), None)
    return f"cls({', '.join(arguments)}), {batch.get(kind, 'rng.standard_normal((7, 5))')}"


def missing(cls):
    """Return what a class does not say about itself, a list of sentences, each with the line to write; [] when it says all."""
    try:
        part, *_ = examples_of(cls, np.random.default_rng(0))[0]
    except TypeError as error:
        return [str(error)]
    found, rows = [], missing_rows(cls, part)
    if rows:
        line = ", ".join(f'"{row}": "…"' for row in rows)
        found.append(f"{cls.__name__} has no formula of {', '.join(rows)} for the tableau: write in its body\n    formula = {{{line}}}")
    for name in part.arguments:
        if not hasattr(part, name):
            found.append(f"{cls.__name__} does not keep the argument {name} of its constructor, from which a checkpoint builds it again: "
                         f"write in __init__\n    self.{name} = {name}")
    for name, value in vars(part).items():
        inside = name.startswith("_") or name in part.shares or any(value is own for own in getattr(part, "_parts", {}).values())
        if isinstance(value, Parametric) and not inside:
            found.append(f"{cls.__name__} does not say that the parameters of its {name} are another layer's too: write in its body\n"
                         f'    shares = ("{name}",)')
    return found


def missing_rows(cls, part):
    """Return the keys that the formula of a layer or loss lacks: of what its own forward and backward compute."""
    if not isinstance(part, (Layer, Loss)) or part._parts:
        return []
    forward, back = ("y", "dx") if isinstance(part, Layer) else ("values", "do")
    wanted = [forward] * ("forward" in vars(cls))
    if "backward" in vars(cls):
        wanted += [back, *(f"d{name}" for name in part._shapes if name in vars(cls) and isinstance(part, Layer))]
    return [row for row in wanted if row not in {key.partition("|")[0] for key in vars(cls).get("formula", {})}]


def cases(rng, *chosen):
    """[(name, target, batch), ...] of these classes, or of all of the library: their examples, and models around those."""
    found = []
    for cls in chosen or classes():
        for part, *batch in examples_of(cls, rng):
            if kind_of(part) and getattr(part, "exact", True):
                found.append((name_of(part), part, batch))
            found += [(f"{type(model).__name__}, {part!r}", model, seen) for model, seen in in_models(part, batch, rng)]
    return found


def name_of(target):
    """The repr of a part; of a model of parts its class, and those of its settings that are neither networks nor usual."""
    if not (isinstance(target, Model) and target._parts):
        return repr(target)
    usual = {name: argument.default for name, argument in inspect.signature(type(target)).parameters.items()}
    settings = {name: getattr(target, name, usual[name]) for name in target.arguments}
    return ", ".join([type(target).__name__, *(repr(value) if isinstance(value, Described) else f"{name}={value!r}" for name, value
                                               in settings.items() if not isinstance(value, Layer) and value != usual[name])])
