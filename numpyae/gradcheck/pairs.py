"""Code that is not ours, as subjects of the check: a function and its gradient, a forward and a backward, an object.

    f(w) -> number, grad(w) -> array                                      FunctionSubject
    out, cache = forward(x, **params); dx, *grads = backward(dout, cache) PairSubject
    out = layer.forward(x); dx = layer.backward(dout)                     ObjectSubject

Everybody writes these in another habit. So arrays may stand in dicts, lists and dataclasses, inputs and outputs may be
several, indices have no gradient, and some code computes in float32. `Settings` holds what was said about that.
"""

import copy
import dataclasses
import operator
import time

import numpy as np

from numpyae.gradcheck.nests import Nest, WrongReturn, cast, children, flattened, form_of, rebuilt, within
from numpyae.gradcheck.subjects import Subject

SINGLE = 64 * float(np.finfo(np.float32).eps)            # relative error of a gradient computed in float32


@dataclasses.dataclass
class Settings:
    """Say how somebody's code is to be called and judged.

    `call`: the name of the check, for messages; `args`, `kwargs`: further arguments; `fixed`: names of arrays without a
    gradient; `in_place`: backward may change dout; `dtype`: the float type in which the code computes; `accuracy`: the
    relative error up to which it is right; `seconds`: the time that the check may take.
    """

    call: str
    args: tuple = ()
    kwargs: dict = None
    fixed: tuple = ()
    in_place: bool = False
    dtype: type = None
    accuracy: float = None
    seconds: float = None

    def __post_init__(self):
        self.kwargs = dict(self.kwargs or {})
        self.fixed = (self.fixed,) if isinstance(self.fixed, str) else tuple(self.fixed)
        if isinstance(self.args, (str, np.ndarray)) or not isinstance(self.args, (tuple, list)):
            raise TypeError(f"{self.call}: args must be a tuple of further arguments, got {type(self.args).__name__}")
        if self.dtype is not None:
            self.dtype = np.dtype(self.dtype)
            if self.dtype not in (np.float32, np.float64):
                raise ValueError(f"{self.call}: dtype must be np.float32 or np.float64, got {self.dtype}")
        for name, most in (("accuracy", 0.1), ("seconds", np.inf)):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, (int, float)) and 0 < value <= most):
                raise ValueError(f"{self.call}: {name} must be a number above 0" + ", at most 0.1" * (most < 1)
                                 + f", got {value!r}")


class ForeignSubject(Subject):
    """Code that is not ours, at arrays in the form in which it takes them: `given` and, for a layer, `entered`."""

    adds = False                      # its backward gives gradients and need not add to any

    def prepare(self, settings, *nests):
        """Take over the settings and the named arrays of these nests, the inputs first."""
        self.settings, self.in_place, self.allowed = settings, settings.in_place, []
        self.dtype = settings.dtype
        self.digits = max(settings.accuracy or 0.0, SINGLE if settings.dtype == np.float32 else 0.0)
        self.deadline = None if settings.seconds is None else time.monotonic() + settings.seconds
        names = [name for nest in nests for name in nest.leaves]
        double = [name for name in names if names.count(name) > 1]
        if double:
            raise ValueError(f"{settings.call}: params contains {double[0]}, which is the name of an input: leave it "
                             "out of params, or give it another name")
        unknown = [name for name in settings.fixed if name not in names]
        if unknown:
            raise ValueError(f"{settings.call}: fixed names {', '.join(unknown)}, and there is only "
                             + ", ".join(names))
        self.inputs, self.parameters = nests[0].arrays if nests[1:] else {}, nests[-1].arrays
        self.fixed = {name: array for nest in nests for name, array in nest.still.items()}
        if isinstance(nests[-1].form, str):
            raise TypeError(f"{settings.call}: {nests[-1].name} must be a dict, list or dataclass of arrays, got str")
        if not self.arrays:
            leaf = next(iter(nests[0].leaves.values()), None)
            got = f"{getattr(leaf, 'dtype', form_of(leaf))}{' that is fixed' * bool(settings.fixed)}"
            raise TypeError(f"{settings.call}: {names[0] if names else 'w'} must be a float array, got {got}: nothing "
                            "would be checked")

    def notes(self):
        """Return sentences for the report about what was taken for granted."""
        whole = [name for name, array in self.fixed.items() if name not in self.settings.fixed
                 and array.dtype.kind in "iub"]
        single = ["it computes in float32, and is judged to the digits of float32"] * (self.digits == SINGLE)
        indices = [f"{', '.join(whole)}: whole numbers, such as indices or labels, have no gradient: not checked"]
        return self.allowed + single + indices * bool(whole)


class FunctionSubject(ForeignSubject):
    """Foreign code: f(w) -> float and grad(w), or f(w) -> (float, gradient) where grad is True.

    Raise ValueError or TypeError for an f that fails at w, gives no single real number, or changes w.
    """

    linear = False

    def __init__(self, function, grad, given, settings):
        self.target, self.grad, self.given, self.frozen = function, grad, given, []
        self.prepare(settings, given)
        self.both = grad is True
        if not callable(function) or not (self.both or callable(grad)):
            raise TypeError("check_function: f and grad must be functions, got "
                            f"{type(function).__name__} and {type(grad).__name__}")
        point = given.built(self.dtype)
        try:
            found = function(point, *settings.args, **settings.kwargs)
        except Exception as error:
            raise ValueError(f"check_function: f raises {type(error).__name__} at w: {error}") from error
        self.check_value(found)
        for (name, leaf), now in zip(given.leaves.items(), flattened(point, given.name).values()):
            if isinstance(leaf, np.ndarray) and not np.array_equal(cast(leaf, self.dtype, True), now):
                raise ValueError(f"check_function: f must not change its argument, and it changes {name} in place")

    def check_value(self, found):
        """Raise TypeError or ValueError unless f has given one real number."""
        if self.both:
            if not (isinstance(found, (tuple, list)) and len(found) == 2):
                raise TypeError("check_function: with grad=True f must return (value, gradient), got "
                                + form_of(found))
            found = found[0]
        if isinstance(found, (tuple, list)):
            hint = ": write grad=True where f returns its value and its gradient" * (len(found) == 2)
            raise TypeError(f"check_function: f must return one number, got {form_of(found)}{hint}")
        if np.ndim(found):
            raise ValueError(f"check_function: f must return one number, got an array of shape {np.shape(found)}")
        if np.iscomplexobj(found):
            raise TypeError(f"check_function: f must return a real number, got {type(found).__name__}: take its real "
                            "part")
        if not (isinstance(found, (int, float, np.number)) or hasattr(found, "__array__")):
            raise TypeError(f"check_function: f must return a real number, got {type(found).__name__}")

    def called(self, function, copied=True):
        """Return what this function gives at the present values."""
        return function(self.given.built(self.dtype, copied), *self.settings.args, **self.settings.kwargs)

    def f(self):
        found = self.called(self.target)
        return float(found[0] if self.both else found)

    def forward(self):
        return [self.f()]

    def backward(self, deltas=(), from_zero=True):
        """Return {name: gradient}. An array whose gradient is None is frozen, and is no longer among the parameters."""
        found = self.called(self.target, copied=False)[1] if self.both else self.called(self.grad, copied=False)
        gradients = self.given.gradients(found)
        frozen = [name for name in self.parameters if name in gradients and gradients[name] is None]
        if len(frozen) == len(self.parameters):
            raise WrongReturn(f"must return the gradient of {', '.join(self.given.leaves)}, and returned None")
        for name in frozen:
            del self.parameters[name]
        self.frozen += frozen
        return {name: gradient for name, gradient in gradients.items() if gradient is not None}

    def notes(self):
        return super().notes() + [f"{name}: its gradient is None, so it is taken as frozen and not checked"
                                  for name in self.frozen]


class PairSubject(ForeignSubject):
    """A pair in the habit of CS231n: out, cache = forward(x, **params); dx, *grads = backward(dout, cache).

    x may be a tuple of inputs and out a tuple of outputs; then dx and dout are tuples, too.
    """

    def __init__(self, forward, backward, entered, given, settings, rng):
        self.target, self.run_backward, self.entered, self.given = forward, backward, entered, given
        self.prepare(settings, entered, given)
        for name, function in (("forward", forward), ("backward", backward)):
            if not callable(function):
                raise TypeError(f"{settings.call}: {name} must be a function, got {type(function).__name__}")
        self.begin(rng)

    def begin(self, rng):
        """Run forward once, look at what it returns, and draw the deltas."""
        call = self.settings.call
        try:
            out = self.output_of(self.called())
        except WrongReturn as error:
            raise TypeError(f"{call}: forward {error}") from None
        except Exception as error:
            raise ValueError(f"{call}: forward raises {type(error).__name__}: {error}") from error
        self.out_form = out
        outputs = flattened(out, "out")
        for name, array in outputs.items():
            kind = np.asarray(array).dtype.kind if array is not None else "O"
            if kind not in "fc":
                raise TypeError(f"{call}: forward must return a float array {name}, got "
                                + (type(array).__name__ if kind == "O" else str(np.asarray(array).dtype)))
        self.deltas = [drawn(rng, np.asarray(array)) for array in outputs.values()]
        if any(np.asarray(array).dtype == np.float32 for array in outputs.values()):
            self.digits = max(self.digits, SINGLE)
        if not any(delta.size for delta in self.deltas):
            raise ValueError(f"{call}: forward must return an out with elements, got shape {np.shape(out)}: nothing "
                             "would be checked")
        self.words = (" ".join(name.replace("out", "dout", 1) for name in outputs),
                      " ".join([*self.inputs, *self.fixed]), " ".join(outputs))

    def called(self, copied=True):
        """Return what forward gives at the present values."""
        given = self.given.built(self.dtype, copied)
        places = list(given) if isinstance(given, (list, tuple)) else [] if isinstance(given, dict) else [given]
        named = given if isinstance(given, dict) else {}
        return self.target(*self.entered_as_tuple(copied), *self.settings.args, *places, **named,
                           **self.settings.kwargs)

    def entered_as_tuple(self, copied):
        """Return the inputs at their present values, a tuple also where it is one alone."""
        entered = self.entered.built(self.dtype, copied)
        return entered if isinstance(self.entered.form, tuple) else (entered,)

    def output_of(self, found):
        """Return out of (out, cache), and keep the cache."""
        if not (isinstance(found, (tuple, list)) and len(found) == 2):
            hint = (": write ((h, c), cache) for several outputs" if isinstance(found, tuple) and len(found) > 2 else
                    ": write (out, cache), with what backward needs as the cache")
            raise WrongReturn(f"must return (out, cache), got {form_of(found)}{hint}")
        out, self.cache = found
        return out

    def forward(self):
        return self.outputs(self.called(copied=False))

    def run(self, inputs):
        return self.outputs(self.called())

    def outputs(self, found):
        """Return the list of output arrays of what forward has given."""
        return [np.asarray(out) for out in flattened(self.output_of(found), "out").values()]

    def f(self):
        return float(sum(np.vdot(delta, out).real for delta, out in zip(self.deltas, self.run(self.inputs))))

    def dout(self, deltas):
        """Return the deltas in the form of out."""
        return rebuilt(self.out_form, (cast(np.asarray(delta), self.dtype, False) for delta in deltas))

    def backward(self, deltas, from_zero=True):
        return self.named(self.run_backward(self.dout(deltas), self.cache))

    def named(self, found):
        """Return {name: gradient} from what backward has returned: `dx, *grads`, `dx, dict`, or one dict of all."""
        several, names = isinstance(self.entered.form, tuple), list(self.entered.leaves)
        if isinstance(found, dict) and (found.keys() & set(names) or not self.inputs):
            loose = {name: found[name] for name in names if name in found}
            rest = {name: found[name] for name in found if name not in names}
            return self.of_inputs(loose) | self.given.gradients(rest if self.given.leaves else loose and {})
        items = list(found) if isinstance(found, (tuple, list)) else [found]
        if several and items and isinstance(items[0], (tuple, list)) and len(items[0]) == len(names):
            items = [*items[0], *items[1:]]
        return self.in_order(items, names)

    def in_order(self, items, names):
        """Return {name: gradient} from gradients in the order of x and params; arrays without one may be left out."""
        for entered in (names, self.entered.moving):
            heads, rest = items[:len(entered)], items[len(entered):]
            if len(heads) < len(entered):
                continue
            inputs = self.of_inputs(dict(zip(entered, heads)))
            if len(rest) == 1 and children(rest[0]) is not None and children(self.given.form) is not None:
                return inputs | self.given.gradients(rest[0])
            for leaves in (list(self.given.leaves), self.given.moving):
                if len(rest) == len(leaves):
                    return inputs | {view: part for name, gradient in zip(leaves, rest)
                                     for view, part in self.given.of_leaf(name, gradient).items()}
        if len(items) == 1 and items[0] is None:
            items = []
        heads, given = "dx" if len(names) == 1 else f"{len(names)} gradients of the inputs", self.given.leaves
        got = (f"{heads} and {len(items) - len(names)}" if len(items) >= len(names) else
               form_of(tuple(items)) if items else "None")
        raise WrongReturn(f"must return {heads} and {len(given)} gradients ({', '.join(given)}), got {got}")

    def of_inputs(self, loose):
        """Return {name: gradient} of the inputs."""
        return {view: part for name, gradient in loose.items()
                for view, part in self.entered.of_leaf(name, gradient).items()}

    def cached(self):
        return within("cache", getattr(self, "cache", None))


class ObjectSubject(PairSubject):
    """An object that keeps parameters and gradients: out = layer.forward(x); dx = layer.backward(dout).

    `params` and `grads` say where: the name of an attribute or method, the names of several, or a function of the
    object. The check works on a copy of it, whose arrays it changes in place.
    """

    def __init__(self, layer, x, params, grads, settings, rng):
        for name in ("forward", "backward"):
            if not callable(getattr(layer, name, None)):
                raise TypeError(f"{settings.call}: {type(layer).__name__} must have a method {name}; for other names "
                                "use check_layer with two functions")
        self.layer, self.gradients_at = copy.deepcopy(layer), grads
        self.theirs = self.read(params, "params", settings.call)
        leaves = flattened(self.theirs, "params")
        loose = [name for name, leaf in leaves.items() if isinstance(leaf, float)]
        if loose:
            raise TypeError(f"{settings.call}: the parameter {loose[0]} is a float, which cannot be changed in place: "
                            "make it an array")
        single = any(getattr(leaf, "dtype", None) == np.float32 for leaf in leaves.values())
        settings.dtype = np.dtype(np.float32) if single else settings.dtype
        given = Nest(settings.call, "params", self.theirs, settings.fixed)
        super().__init__(self.layer.forward, self.layer.backward, Nest(settings.call, "x", x, settings.fixed), given,
                         settings, rng)

    def read(self, where, argument, call):
        """Return what the object keeps there, {name: attribute} where several are named."""
        try:
            if callable(where):
                return where(self.layer)
            if isinstance(where, str):
                found = operator.attrgetter(where)(self.layer)
                return found() if callable(found) else found
            return {name: operator.attrgetter(name)(self.layer) for name in where}
        except AttributeError as error:
            arrays = [name for name, value in vars(self.layer).items() if isinstance(value, np.ndarray)]
            what, names = {"params": ("parameters", '"W", "b"'), "grads": ("gradients", '"dW", "db"')}[argument]
            raise TypeError(f"{call}: {error}; its arrays are {', '.join(arrays) or 'none'}: name those that hold the "
                            f"{what}, as in {argument}=({names}), or write {argument}=() if there are none") from None

    def called(self, copied=True):
        for leaf, theirs in zip(self.given.leaves.values(), flattened(self.theirs, "params").values()):
            if isinstance(leaf, np.ndarray):
                theirs[...] = leaf
        return self.target(*self.entered_as_tuple(copied), *self.settings.args, **self.settings.kwargs)

    def output_of(self, found):
        return found

    def backward(self, deltas, from_zero=True):
        """Return {name: gradient}; what the object has added up before is set to 0 first."""
        for array in self.gradients_before().values():
            array[...] = 0
        found = self.run_backward(self.dout(deltas))
        items = list(found) if isinstance(found, (tuple, list)) else [found]
        if isinstance(self.entered.form, tuple) and len(items) == 1 and isinstance(items[0], (tuple, list)):
            items = list(items[0])
        names = list(self.entered.leaves) if len(items) == len(self.entered.leaves) else self.entered.moving
        if len(items) != len(names):
            raise WrongReturn(f"must return {len(names)} gradients ({', '.join(names)}), got {form_of(found)}")
        return self.of_inputs(dict(zip(names, items))) | self.given.gradients(self.gradients_kept())

    def gradients_before(self):
        """Return {name: array} of the gradients that the object has now; some have none before the first backward."""
        try:
            return within("", self.read(self.gradients_at, "grads", self.settings.call))
        except TypeError:
            return {}

    def gradients_kept(self):
        """Return the gradients that the object keeps, in the form of its parameters."""
        found = self.read(self.gradients_at, "grads", self.settings.call)
        if isinstance(found, dict) and isinstance(self.theirs, dict):
            names = {f"d{name}": name for name in self.theirs} | {name: name for name in self.theirs}
            if all(name in names for name in found):
                return {names[name]: gradient for name, gradient in found.items()}
        gradients = list(flattened(found, "grads").values())
        if len(gradients) != len(self.given.leaves):
            raise WrongReturn(f"must leave {len(self.given.leaves)} gradients ({', '.join(self.given.leaves)}) in the "
                              f"object, and leaves {form_of(found)}")
        return rebuilt(self.theirs, gradients)

    def cached(self):
        known = [*within("", self.theirs).values(), *self.gradients_before().values()]
        return {name: array for name, array in within("", vars(self.layer)).items()
                if not any(np.may_share_memory(array, other) for other in known)}


def drawn(rng, output):
    """Return a random delta for an output, complex where that is."""
    delta = rng.standard_normal(output.shape)
    return delta + 1j * rng.standard_normal(output.shape) if output.dtype.kind == "c" else delta
