"""Arrays in the form in which somebody's code takes them: an array, a dict, a list, a dataclass, or a nest of these.

The check needs named arrays that it can change one by one. The code that is checked needs its own form back. A `Nest`
holds both: `{"cell": {"W": W}, "layers": [b]}` has the arrays `cell.W` and `layers[0]`.
"""

import copy
import dataclasses
import numbers
import types

import numpy as np


class WrongReturn(TypeError):
    """A backward that returned something else than gradients; the message goes on after "backward"."""


class Nest:
    """Named arrays and the form in which they were given.

    `leaves`: {name: array, or whatever else stood there}; `arrays`: those with a gradient, as float64 views into the
    leaves, a complex one as two, its `.real` and its `.imag`; `still`: the arrays without a gradient, those of integers
    and those named in `fixed`. Raise TypeError or ValueError, one sentence that begins with `call`, for an array of
    text or objects, one with NaN or infinity, or one without elements.
    """

    def __init__(self, call, name, form, fixed=()):
        self.name, self.form = name, form
        self.leaves = {path: as_leaf(f"{call}: {path}", leaf) for path, leaf in flattened(form, name).items()}
        self.arrays, self.still = {}, {}
        for path, leaf in self.leaves.items():
            if isinstance(leaf, np.ndarray):
                frozen = path in fixed or leaf.dtype.kind in "iub"
                (self.still if frozen else self.arrays).update(real_views(path, leaf))

    def built(self, dtype=None, copied=True):
        """Return the arrays in the form in which they were given, of another float dtype if one is named."""
        leaves = (cast(leaf, dtype, copied) if isinstance(leaf, np.ndarray) else leaf for leaf in self.leaves.values())
        return rebuilt(self.form, leaves)

    @property
    def moving(self):
        """The names of the leaves that have a gradient."""
        return [path for path, leaf in self.leaves.items() if real_views(path, leaf).keys() & self.arrays.keys()]

    def gradients(self, found, path=None, form=None):
        """Return {name: gradient} from gradients in this form; None stands where there is none.

        Raise WrongReturn, a sentence, for another form, a key too many or one too few.
        """
        path, form = (self.name, self.form) if path is None else (path, form)
        if children(form) is None:
            return self.of_leaf(path, found)
        if children(found) is None:
            raise WrongReturn(f"must return the gradients as {form_of(form)}, got {form_of(found)}")
        theirs, top = dict(children(found)), top_of(form, path)
        surplus = [f"{top}{key}".lstrip(".") for key in theirs if key not in dict(children(form))]
        if surplus:
            raise WrongReturn(f"returns a gradient of {', '.join(surplus)}, but there is no such array, only "
                              + ", ".join(self.leaves))
        return {name: gradient for key, child in children(form) if key in theirs
                for name, gradient in self.gradients(theirs[key], f"{top}{key}", child).items()}

    def of_leaf(self, path, gradient):
        """Return {name: gradient} of one leaf, a complex one as its two parts."""
        name = path.lstrip(".")
        if name not in self.leaves or not isinstance(self.leaves[name], np.ndarray):
            return {}
        if hasattr(gradient, "__array__"):               # of another library
            gradient = np.asarray(gradient)
        if gradient is None or self.leaves[name].dtype.kind != "c":
            return {view: gradient for view in real_views(name, self.leaves[name])}
        return {f"{name}.real": np.real(gradient), f"{name}.imag": np.imag(gradient)}


def children(form):
    """Return [(how to name it, what stands there), ...] of what a dict, list, tuple or dataclass holds, else None."""
    if isinstance(form, dict):
        return [(f".{key}", value) for key, value in form.items()]
    if isinstance(form, (list, tuple)) and not holds_numbers(form):
        return [(f"[{i}]", value) for i, value in enumerate(form)]
    if dataclasses.is_dataclass(form) and not isinstance(form, type):
        return [(f".{field.name}", getattr(form, field.name)) for field in dataclasses.fields(form)]
    return None


def holds_numbers(form):
    """Return whether a list or tuple is an array of numbers in Python's own words: [1.0, 2.0], [[1.0], [2.0]]."""
    return bool(form) and all(isinstance(one, (list, tuple)) and holds_numbers(one)
                              or isinstance(one, numbers.Number) for one in form)


def flattened(form, name):
    """Return {name: leaf} of a nest. What a dict or a dataclass holds at the top goes by its own name."""
    below = children(form)
    if below is None:
        return {name.lstrip("."): form}
    return {path: leaf for key, child in below
            for path, leaf in flattened(child, top_of(form, name) + key).items()}


def top_of(form, name):
    """Return what names begin with below this form: nothing for what a dict or a dataclass holds at the top."""
    return name if isinstance(form, (list, tuple)) or "." in name or "[" in name else ""


def rebuilt(form, leaves):
    """Return a nest of this form with the next of these leaves in each place."""
    leaves, below = iter(leaves), children(form)
    if below is None:
        return next(leaves)
    values = [rebuilt(child, leaves) for _, child in below]
    if isinstance(form, dict):
        return dict(zip(form, values))
    if isinstance(form, (list, tuple)):
        return type(form)(*values) if hasattr(form, "_fields") else type(form)(values)
    other = copy.copy(form)
    for field, value in zip(dataclasses.fields(form), values):
        object.__setattr__(other, field.name, value)     # a frozen dataclass, too
    return other


def form_of(value):
    """Return in words what something is: `an array`, `a dict of W, b`, `a tuple of 2`, `None`."""
    if isinstance(value, dict):
        return "a dict of " + (", ".join(map(str, value)) or "nothing")
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None:
        return "None"
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


def as_leaf(name, value):
    """Return a float64, complex or integer copy of an array or a float; anything else as it is: it is a setting."""
    if not isinstance(value, (float, complex, list, tuple)) and not hasattr(value, "__array__"):
        return value
    try:
        array = np.array(np.asarray(value))
    except ValueError:
        raise TypeError(f"{name} must be a float array, got a nest of lists of unequal lengths") from None
    if array.dtype.kind not in "fciub":
        raise TypeError(f"{name} must be a float array, got {array.dtype}")
    if not np.all(np.isfinite(array)):
        raise ValueError(f"{name} must be finite, got NaN or infinity")
    if not array.size:
        raise ValueError(f"{name} has no elements, shape {array.shape}: nothing would be checked")
    return array.astype({"f": np.float64, "c": np.complex128}.get(array.dtype.kind, array.dtype))


def real_views(name, leaf):
    """Return {name: array} of a real array, {name.real: view, name.imag: view} of a complex one, {} of a setting."""
    if not isinstance(leaf, np.ndarray):
        return {}
    return {f"{name}.real": leaf.real, f"{name}.imag": leaf.imag} if leaf.dtype.kind == "c" else {name: leaf}


def cast(array, dtype, copied):
    """Return the array for the user's code; real numbers of another float dtype, if one is named."""
    if dtype is not None and array.dtype.kind == "f":
        return array.astype(dtype)
    return (array.copy() if copied else array) if array.ndim else array[()]


def within(name, value, depth=4):
    """Return the arrays of a nest of tuples, lists, dicts and dataclasses: `cache[0]`, `cache['x']`."""
    if isinstance(value, np.ndarray):
        return {name: value}
    if isinstance(value, dict):
        items = [(f"[{key!r}]" if name else str(key), one) for key, one in value.items()]
    elif isinstance(value, (tuple, list)):
        items = [(f"[{i}]", one) for i, one in enumerate(value)]
    elif isinstance(value, types.SimpleNamespace):
        items = [(f".{key}", one) for key, one in vars(value).items()]
    else:
        items = children(value) or ()
    return {path: array for key, one in items if depth for path, array in within(name + key, one, depth - 1).items()}
