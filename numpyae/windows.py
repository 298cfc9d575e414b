"""Windows: a layer's W and dW are views of the vectors w and grad of the model that the layer is in.

A window is a NumPy view, not a copy. An ordinary attribute would lose it at `dense.W = new_array`: the name would be
bound to another array, and w would not change. Therefore a class declares its parameters with `W, dW = parameter("W")`,
and an assignment copies into the window. Reading `dense.W` runs no Python function, so a debugger never stops there.

The windows of a layer are kept in one small object, which all uses of the layer share (`layer.again()`).
"""

import operator


def parameter(name, meaning="parameters"):
    """Declare a parameter and its gradient in a class body: `W, dW = parameter("W", "weights (n_in, n_out)")`.

    Reading an attribute returns the window into w (or grad). Assigning checks the shape and copies into the window.
    """
    return (_window(name, f"{name}: {meaning}, a window into w. Assigning checks the shape and copies into it."),
            _window("d" + name, f"d{name} = ∂L/∂{name}, a window into grad. backward adds to it."))


def _window(name, doc):
    def copy_in(self, value):
        self._copy_in(name, getattr(self, name), value)

    return property(operator.attrgetter("_windows." + name), copy_in, doc=doc)


def setting(name, meaning="a setting that a callback may change while training"):
    """Declare a setting that a layer shares with its uses, in a class body: `k = setting("k")`."""
    def change(self, value):
        if isinstance(self._windows, NoWindows):
            self._windows = Windows()
        setattr(self._windows, name, value)

    return property(operator.attrgetter("_windows." + name), change, doc=f"{name}: {meaning}.")


class Windows:
    """The windows of a layer into w and grad, and its settings: one object for the layer and all its uses."""

    def __init__(self, **values):
        vars(self).update(values)

    def __getstate__(self):           # without the views: the owner of a copy places its windows itself
        return {name: value for name, value in vars(self).items() if getattr(value, "base", None) is None}


class NoWindows:
    """The windows of a layer without a parameter: a class of its own, since Windows is faster without __getattr__."""

    def __getattr__(self, name):
        raise AttributeError(f"{name} has no value yet: write self.add_parameters({name.removeprefix('d')}=...) in "
                             "__init__")
