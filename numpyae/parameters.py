"""All parameters of a model are one vector w, and its gradient is one vector grad.

The slides write the loss as L(w) and the training step as w_new = w_old - alpha grad L(w) ([000]). In the same way a
model has one flat array `w` of length P and one flat array `grad` of the same length. A layer's `W` and `b` are windows
into `w` (NumPy views, no copies), and its `dW` and `db` are windows into `grad`:

    w     [ W of layer 0 | b of layer 0 | W of layer 2 | b of layer 2 | ... ]
    grad  [ dW           | db           | dW           | db           | ... ]

`w -= alpha * grad` is then a whole training step. An optimizer needs no loop over layers, and a gradient check perturbs
`w[i]`. Copying, pickling and `astype` make new vectors and place the windows in them.
"""

import copy
import math
import operator

import numpy as np

from numpyae.arrays import fill, read_arrays, write_arrays
from numpyae.checks import FLOATS, must
from numpyae.described import Described
from numpyae.taken import give_up
from numpyae.windows import NoWindows, Windows, parameter, setting

__all__ = ["Parametric", "leaves_of", "parameter", "setting"]


class Parametric(Described):
    """The base class of everything with parameters: layers, losses, networks, models.

    A leaf has parameters of its own, added by `add_parameters`. A container has parts, added by `add_parts`: their
    windows are then placed in the container's vectors.
    """

    _windows = NoWindows()            # each object with parameters gets Windows of its own
    _shapes = {}                      # a leaf's own parameters, by name
    _parts = {}                       # a container's parts, by name
    _w = _grad = np.zeros(0)
    _container = None                 # the container in whose vectors the windows are
    adjustable = ()                   # names of the settings that a callback may change while training
    decays = ()                       # names of the parameters that weight decay penalises

    w = property(operator.attrgetter("_w"), lambda self, value: self._copy_in("w", self._w, value), doc=(
        "All parameters as one flat vector (P,), the slides' **w**. It is live: `w -= alpha * grad` is a step."))
    grad = property(operator.attrgetter("_grad"), lambda self, value: self._copy_in("grad", self._grad, value), doc=(
        "The gradient of the loss with respect to w, (P,). It is live: the next backward overwrites it."))

    def add_parameters(self, **values):
        """Give this layer its own parameters, such as `W=array, b=array`; the class declares each by `parameter`."""
        undeclared = [name for name in values if not isinstance(getattr(type(self), name, None), property)]
        if undeclared or not values:
            raise TypeError(f"{type(self).__name__}: add_parameters needs parameters declared in the class, such as "
                            f"g, dg = parameter(\"g\"); got {', '.join(undeclared) or 'none'}")
        self._refuse_both(self._parts)
        values = {name: np.asarray(value) for name, value in values.items()}
        self._shapes = {name: value.shape for name, value in values.items()}
        w = np.concatenate([value.ravel() for value in values.values()]).astype(np.float64)
        self._place(w, np.zeros_like(w))

    def add_parts(self, **parts):
        """Put the parameters of the parts into one w and one grad. The last container built from a part owns it."""
        self._refuse_both(self._shapes)
        leaves = leaves_of(parts)
        for name, leaf in leaves.items():
            twin = next(other for other in leaves if leaves[other] is leaf)
            if twin != name:
                raise ValueError(f"{type(self).__name__}: {leaf!r} is in it twice, as {twin} and {name}: build the "
                                 "second from copy.deepcopy, or share its weights with again() or TiedDense")
        dtypes = {leaf.owner.dtype for leaf in leaves.values() if leaf.owner.w.size}
        must(len(dtypes) <= 1, f"{type(self).__name__}: its parts must have one dtype, got "
             f"{' and '.join(sorted(map(str, dtypes)))}: use astype on a part first", TypeError)
        for part in parts.values():   # nothing can fail from here on: all parts are taken, or none
            if part._container is not None:
                give_up(part._container, part, self)
            part._container = self
        self._parts = parts
        dtype = next(iter(dtypes), np.dtype(float))
        w = np.concatenate([part.w for part in parts.values()] or [np.zeros(0)], dtype=dtype)
        grad = np.concatenate([part.grad for part in parts.values()] or [np.zeros(0)], dtype=dtype)
        self._place(w, grad)

    def _refuse_both(self, others):
        if others:
            raise TypeError(f"{type(self).__name__}: it has parts and parameters of its own: put those parameters into "
                            "a layer, and make that layer one of the parts")

    def _place(self, w, grad):
        """Place all windows, of this object and of its parts, in these two vectors."""
        self._w, self._grad, start = w, grad, 0
        self._windows = Windows() if isinstance(self._windows, NoWindows) else self._windows
        for name, shape in self._shapes.items():
            stop = start + math.prod(shape)
            setattr(self._windows, name, w[start:stop].reshape(shape))
            setattr(self._windows, "d" + name, grad[start:stop].reshape(shape))
            start = stop
        for part in self._parts.values():
            stop = start + part._w.size
            part._place(w[start:stop], grad[start:stop])
            start = stop

    def _copy_in(self, name, window, value):
        if value is window:           # `layer.dW += ...` assigns the window to itself
            return
        value = np.asarray(value)
        if value.shape != window.shape:
            raise ValueError(f"{self!r}: {name} must have shape {window.shape}, got {value.shape}")
        if not np.can_cast(value.dtype, np.float64, "same_kind"):
            raise TypeError(f"{self!r}: {name} must hold real numbers, got dtype {value.dtype}")
        window[...] = value

    @property
    def dtype(self):
        """The dtype of the parameters, float32 or float64."""
        return self._w.dtype

    def zero_grad(self):
        """Set grad to zero."""
        self._grad.fill(0)

    def again(self):
        """Return a second use of the same parameters, with a cache of its own; both must be in one model.

        A container is copied, with a use in place of each leaf. A use has no parameters of its own. Its backward adds
        to the same gradient, so the gradient of a parameter is the sum over its uses.
        """
        if self._parts:
            return copy.deepcopy(self, {id(leaf): leaf.again() for leaf in self.leaves().values()})
        for name in self.adjustable:
            must(isinstance(getattr(type(self), name, None), property),
                 f"{self!r}.again: {name} would be changed in one use alone: declare {name} = setting(\"{name}\")",
                 TypeError)
        use = object.__new__(type(self))
        vars(use).update(vars(self), first=self.owner, shares=(*type(self).shares, "first"), _container=None,
                         _shapes={}, _w=self._w[:0], _grad=self._grad[:0])
        return use

    def partners(self):
        """Return {attribute: part} for the parts whose parameters this one uses, such as the Dense of a TiedDense."""
        return {name: getattr(self, name) for name in self.shares}

    def leaves(self):
        """Return the leaves by name, {"encoder.0": Dense(784 -> 500), ...}; for a leaf {"": itself}."""
        return leaves_of(self._parts) if self._parts else {"": self}

    def named_parameters(self):
        """Return {"encoder.0.W": W, ...}, live windows into w."""
        return self._named("")

    def named_gradients(self):
        """Return {"encoder.0.W": dW, ...}, live windows into grad with the keys of named_parameters."""
        return self._named("d")

    def _named(self, prefix):
        return {f"{name}.{own}".lstrip("."): getattr(leaf, prefix + own)
                for name, leaf in self.leaves().items() for own in leaf._shapes}

    def astype(self, dtype):
        """Return a copy with parameters of another dtype, np.float32 or np.float64; this object stays as it is."""
        must(np.dtype(dtype) in FLOATS,
             f"{type(self).__name__}.astype: dtype must be float32 or float64, got {np.dtype(dtype)}", TypeError)
        new = copy.deepcopy(self)
        new._place(new._w.astype(dtype), new._grad.astype(dtype))
        for leaf in new.leaves().values():
            for part in leaf.partners().values():        # a leaf outside its model brings its partners along
                part._place(part._w.astype(dtype, copy=False), part._grad.astype(dtype, copy=False))
        return new

    def save(self, path):
        """Write the parameters as one .npz of named arrays, atomically: a killed save leaves the old file whole."""
        write_arrays(path, self.named_parameters())

    def load(self, path):
        """Read the parameters of a file written by `save`; raise ValueError, and change nothing, unless they fit."""
        fill(self.named_parameters(), read_arrays(path), path)

    def __getstate__(self):
        state = {name: value for name, value in vars(self).items() if name not in ("_w", "_grad", "_container")}
        return state if self._parts else state | {"_w": self._w.copy(), "_grad": self._grad.copy()}

    def __setstate__(self, state):
        parts = state.pop("_parts", {})
        for name, value in state.items():                # CPython reads attributes slower after vars(self)
            setattr(self, name, value)
        if parts:
            self.add_parts(**parts)
        else:
            self._place(self._w, self._grad)

    def __copy__(self):
        return copy.deepcopy(self)    # two models cannot share their layers


def leaves_of(parts):
    """Return {dotted name: leaf} for a dict of parts; a leaf is a part without parts."""
    return {f"{name}.{rest}".rstrip("."): leaf for name, part in parts.items() for rest, leaf in part.leaves().items()}
