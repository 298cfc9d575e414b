"""All parameters of a model are one vector w, and its gradient is one vector grad.

The slides write the loss as L(w) and the training step as w_new = w_old - alpha grad L(w) ([000]). So do we: a model keeps
one flat array `w` of length P and one flat array `grad` of the same length. A layer's `W` and `b` are windows into `w` (NumPy
views: no copy), its `dW` and `db` are windows into `grad`:

    w     [ W of layer 0 | b of layer 0 | W of layer 2 | b of layer 2 | ... ]
    grad  [ dW           | db           | dW           | db           | ... ]

`w -= alpha * grad` is then a whole training step, an optimizer needs no loop over layers, and a gradient check perturbs `w[i]`.

Windows come apart silently when somebody writes `dense.W = new_array`: the name would point to another array and `w` would
never hear of it. Therefore a parameter is declared by `W, dW = parameter("W")`, which makes assignment copy into the window, and
copying, pickling and `astype` build the windows anew. Reading `dense.W` costs no Python frame, so a debugger never stops here.
"""

import copy
import math
import operator
import os

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def parameter(name):
    """Declare a parameter and its gradient in a class body: `W, dW = parameter("W")`.

    Reading gives the window into w (or grad); assigning checks the shape and copies into it.
    """
    return _window(name), _window("d" + name)


def _window(name):
    def copy_in(self, value):
        self._copy_in(name, "_" + name, value)

    return property(operator.attrgetter("_" + name), copy_in)


class Parametric:
    """Whatever has parameters: a layer, a loss, a network, a model.

    `w` (P,) holds all parameters, `grad` (P,) their gradient. A leaf declares its own with `add_parameters`, a container takes
    those of its parts with `add_parts`: the parts' windows then look into the container's vectors.
    """

    _shapes = {}                      # of a leaf's own parameters, by name
    _parts = {}                       # a container's parts, by name
    _w = _grad = np.zeros(0)
    _leaves = ()                      # a container's parts without parts, however deep
    _owner = None                     # the container whose vectors our windows look into
    _taken = None                     # why this container may no longer be used
    adjustable = ()                   # settings that a callback may change while training
    arguments = ()                    # the constructor's arguments that rebuild it, names of attributes

    def add_parameters(self, **values):
        """Give this layer parameters of its own, such as `W=array, b=array`; each must be declared by `parameter`."""
        undeclared = [name for name in values if not isinstance(getattr(type(self), name, None), property)]
        if undeclared or not values:
            raise TypeError(f"{type(self).__name__}: add_parameters needs parameters declared in the class, such as "
                            f"g, dg = parameter(\"g\"); got {', '.join(undeclared) or 'none'}")
        values = {name: np.asarray(value) for name, value in values.items()}
        self._shapes = {name: value.shape for name, value in values.items()}
        w = np.concatenate([value.ravel() for value in values.values()]).astype(np.float64)
        self._place(w, np.zeros_like(w))

    def add_parts(self, **parts):
        """Take the parameters of the parts into one w and one grad. The last container built from a part owns it."""
        leaves = leaves_of(parts)
        for name, leaf in leaves.items():
            twin = next(other for other in leaves if leaves[other] is leaf)
            if twin != name:
                raise ValueError(f"{type(self).__name__}: {leaf!r} is in it twice, as {twin} and {name}: "
                                 "build the second from copy.deepcopy, or share its weights with TiedDense")
        dtypes = {part._w.dtype for part in parts.values() if part._w.size}
        if len(dtypes) > 1:
            raise TypeError(f"{type(self).__name__}: its parts must have one dtype, got "
                            + " and ".join(sorted(map(str, dtypes))) + ": use astype on a part first")
        for part in parts.values():
            part._check_use()
        for part in parts.values():   # from here on nothing can fail: parts are taken all together or not at all
            if part._owner is not None:
                part._owner._take_away(part, self)
            part._owner = self
        self._parts, self._leaves = parts, list(leaves.values())
        w = np.concatenate([part._w for part in parts.values() if part._w.size] or [np.zeros(0)])
        grad = np.concatenate([part._grad for part in parts.values() if part._w.size] or [np.zeros(0)])
        self._place(w, grad)

    def _place(self, w, grad):
        """Aim all windows, here and in the parts, at these two vectors."""
        self._w, self._grad = w, grad
        start = 0
        for name, shape in self._shapes.items():
            stop = start + math.prod(shape)
            setattr(self, "_" + name, w[start:stop].reshape(shape))
            setattr(self, "_d" + name, grad[start:stop].reshape(shape))
            start = stop
        for part in self._parts.values():
            stop = start + part._w.size
            part._place(w[start:stop], grad[start:stop])
            start = stop

    def _take_away(self, part, taker):
        self._taken = (f"{type(self).__name__}: its part {part!r} now belongs to another {type(taker).__name__}; "
                       "build that one from copy.deepcopy of the part to use both")
        if self._owner is not None:
            self._owner._take_away(part, taker)

    def _check_use(self):
        if self._taken:
            raise ValueError(self._taken)

    def _copy_in(self, name, slot, value):
        window = getattr(self, slot)
        if value is window:           # `layer.dW += ...` assigns the window back to itself
            return
        value = np.asarray(value)
        if value.shape != window.shape:
            raise ValueError(f"{self!r}: {name} must have shape {window.shape}, got {value.shape}")
        if not np.can_cast(value.dtype, np.float64, "same_kind"):
            raise TypeError(f"{self!r}: {name} must hold real numbers, got dtype {value.dtype}")
        window[...] = value

    @property
    def w(self):
        """All parameters as one flat vector (P,), the slides' **w**: live, so that `w -= alpha * grad` trains."""
        self._check_use()
        return self._w

    @w.setter
    def w(self, value):
        self._check_use()
        self._copy_in("w", "_w", value)

    @property
    def grad(self):
        """The gradient of the loss with respect to w, (P,): live, overwritten by the next backward."""
        self._check_use()
        return self._grad

    @grad.setter
    def grad(self, value):
        self._check_use()
        self._copy_in("grad", "_grad", value)

    @property
    def dtype(self):
        """float32 or float64, the dtype of w."""
        return self._w.dtype

    def zero_grad(self):
        """Set grad to zero."""
        self._check_use()
        self._grad.fill(0)

    def leaves(self):
        """The parts without parts, by name: {"encoder.0": Dense(784 -> 500), ...}; of a leaf {"": itself}."""
        return leaves_of(self._parts) if self._parts else {"": self}

    def named_parameters(self):
        """{"encoder.0.W": W, ...}: live windows into w."""
        return self._named("")

    def named_gradients(self):
        """The same keys as named_parameters: live windows into grad."""
        return self._named("d")

    def _named(self, prefix):
        self._check_use()
        return {f"{name}.{own}".lstrip("."): getattr(leaf, prefix + own)
                for name, leaf in self.leaves().items() for own in leaf._shapes}

    def astype(self, dtype):
        """A new model with parameters of another dtype, np.float32 or np.float64; this one stays as it is."""
        if np.dtype(dtype) not in FLOATS:
            raise TypeError(f"{type(self).__name__}.astype: dtype must be float32 or float64, got {np.dtype(dtype)}")
        new = copy.deepcopy(self)
        new._place(new._w.astype(dtype), new._grad.astype(dtype))
        for leaf in new.leaves().values():
            partner = getattr(leaf, "dense", leaf)       # of a TiedDense taken out of its model
            partner._place(partner._w.astype(dtype, copy=False), partner._grad.astype(dtype, copy=False))
        return new

    def save(self, path):
        """Write the parameters as one .npz of named arrays: atomically, so that a killed save leaves the old file."""
        write_arrays(path, self.named_parameters())

    def load(self, path):
        """Read parameters written by `save` into w. ValueError unless every name and shape fits; then nothing has changed."""
        fill(self.named_parameters(), read_arrays(path), path)

    def __getstate__(self):
        self._check_use()
        windows = {"_" + prefix + name for name in self._shapes for prefix in ("", "d")}
        left_out = {"_w", "_grad", "_owner", "_leaves"} | windows
        state = {name: value for name, value in vars(self).items() if name not in left_out}
        if not self._parts:
            state |= {"_w": self._w.copy(), "_grad": self._grad.copy()}
        return state

    def __setstate__(self, state):
        vars(self).update(state)
        if self._parts:
            self.add_parts(**self._parts)
        else:
            self._place(self._w, self._grad)

    def __copy__(self):
        return copy.deepcopy(self)    # two models cannot share their layers

    def __repr__(self):
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.arguments)})"


def leaves_of(parts):
    """The parts without parts of a dict of parts, by their dotted names."""
    return {f"{name}.{rest}".rstrip("."): leaf for name, part in parts.items() for rest, leaf in part.leaves().items()}


def write_arrays(path, arrays):
    """Write named arrays to an .npz. A reader sees the old file or the new one, whatever kills this process.

    It does not wait for the disk (a power cut may cost the newest file), so that short epochs stay short.
    """
    path = os.fspath(path)
    part = path + ".part"
    if os.path.isdir(path):
        raise IsADirectoryError(f"{path}: expected a file to write, got a folder")
    try:
        with open(part, "wb") as file:
            np.savez(file, **arrays)
        os.replace(part, path)
    except BaseException as error:
        if os.path.exists(part):
            os.remove(part)
        if isinstance(error, OSError):
            raise type(error)(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


def read_arrays(path):
    """The named arrays of an .npz, as a dict. No pickle; ValueError for whatever is not a whole .npz of arrays."""
    try:
        file = open(path, "rb")
    except FileNotFoundError:
        raise FileNotFoundError(f"{path}: there is no such file") from None
    with file:
        if file.read(2) != b"PK":
            raise ValueError(f"{path}: expected an .npz file of arrays, got another kind of file")
        file.seek(0)
        try:
            with np.load(file, allow_pickle=False) as arrays:
                return {name: arrays[name] for name in arrays.files}
        except Exception as error:    # zipfile, zlib, numpy and the system each have their own for a damaged file
            raise ValueError(f"{path}: expected an .npz file of arrays, got a damaged or other file ({error})") from error


def fill(targets, arrays, source):
    """Copy named arrays into the arrays of the same names, after every name, shape and dtype was checked."""
    missing, unknown = targets.keys() - arrays.keys(), arrays.keys() - targets.keys()
    if missing or unknown:
        raise ValueError(f"{source}: its arrays are of another architecture: "
                         + "; ".join(f"{word} {', '.join(sorted(names)[:3])}{' ...' if len(names) > 3 else ''}"
                                     for word, names in (("missing", missing), ("unknown", unknown)) if names))
    for name, target in targets.items():
        if arrays[name].shape != target.shape:
            raise ValueError(f"{source}: {name} must have shape {target.shape}, got {arrays[name].shape}")
        if arrays[name].dtype not in FLOATS:
            raise ValueError(f"{source}: {name} must be float32 or float64, got {arrays[name].dtype}")
        with np.errstate(over="ignore"):
            finite = np.isfinite(arrays[name].astype(target.dtype, copy=False)).all()
        if not finite:
            raise ValueError(f"{source}: {name} contains NaN, infinity, or what is too large for {target.dtype}")
    for name, target in targets.items():
        target[...] = arrays[name]
