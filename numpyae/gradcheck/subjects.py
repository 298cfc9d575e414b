"""The form into which all that is checked is turned: a function f of some arrays, and what its backward says.

A model's f is its loss. A layer has many outputs, so f = Σ u y with a random u, and backward(u) must give ∂f/∂x and
∂f/∂W: all outputs are tested at once, and a mistake in one of them cannot hide behind equal weights. A posterior has
two outputs, the draw and its KL. A model whose loss has several terms has a gradient for each of them. Noise is drawn
once and frozen.

Every subject works on a float64 copy; what the user gave is not touched.
"""

import contextlib
import itertools

import numpy as np


class Subject:
    """One thing to check.

    `inputs` and `parameters`: the named arrays with a gradient; `windows`: where backward adds to them; `fixed`: what
    else f reads; `terms`: names of the parts of f that have a gradient of their own; `parts`: the leaves, by name,
    whose caches backward may not change; `keepers`: what else keeps something from forward; `pieces`: {array: [(title,
    start, stop), ...]}, the columns of an array that holds several things side by side. `deltas` is what backward gets
    in the check.

    A subclass has `run(inputs)`, which returns the list of outputs. A loss or a model has `f()`, which returns the
    value, or with terms an array (1 + terms,) of the value and its parts.
    """

    batch_names = ()                  # the names of the arrays at which it is checked
    tapped = ("forward",)             # the methods that give the outputs of a part of a model
    terms = names = ()                # of those with a gradient by backward; of all that `f` tells apart
    inputs, parameters, windows, fixed, parts, keepers, pieces, deltas = {}, {}, {}, {}, {}, {}, {}, ()
    words = ("", "", "")              # names of what backward receives, of what forward gets and of what it gives
    latent = False                    # its target has d latent dimensions
    linear = True                     # backward(deltas) is linear in deltas
    adds = True                       # backward adds to the gradients of the parameters
    in_place, allowed = False, ()     # backward may change its deltas and what forward kept; what it did
    dtype = deadline = None           # the float type in which it is called, the end of the check in time
    digits = 0.0                      # the relative error up to which gradients are right: that of float32, or accuracy

    @property
    def arrays(self):
        """The arrays that f has a gradient for, by name."""
        return {**self.inputs, **self.parameters}

    def values(self):
        """Return copies of all that f reads, to be put back by `restore`, whatever a wrong backward has done to it."""
        return copies(self.fixed | self.arrays)

    def restore(self, values):
        """Put these values back."""
        for name, array in (self.fixed | self.arrays).items():
            array[...] = values[name]

    def value(self):
        """Return f, or NaN where it is not defined: a step may leave its domain, and code says so by any exception."""
        try:
            return self.f()
        except Exception:
            return np.nan

    def forward(self):
        """Return the outputs at the present values of all arrays."""
        return self.run(self.inputs)

    def f(self):
        """Return the value; a forward that changes what it gets changes a copy."""
        sums = [(delta * output).sum() for delta, output in zip(self.deltas, self.run(copies(self.inputs)))]
        return np.array([sum(sums), *sums]) if self.terms else float(sum(sums))

    def backward(self, deltas, from_zero=True):
        """Return {name: gradient}: what comes back for the first input, and what was added for the parameters."""
        for window in self.windows.values() if from_zero else ():
            window.fill(0)
        return {next(iter(self.inputs)): self.way_back(*deltas), **copies(self.windows)}

    def way_back(self, *deltas):
        """Return what the backward of the target returns."""
        return self.target.backward(*deltas)

    def gradients(self, term=None):
        """Return {name: gradient} of f, or of one of its terms, by a forward and a backward, which gets copies."""
        self.forward()
        return self.backward([delta.copy() if term in (None, name) else 0 * delta
                              for delta, name in itertools.zip_longest(self.deltas, self.terms)])

    def cached(self):
        """Return {name: array} of what forward keeps for backward, beside what stands in the parts."""
        return {}

    def notes(self):
        """Return sentences about what was taken for granted."""
        return []

    def active_sets(self):
        """Return {name: on which side of its kink every unit was} for the parts that have kinks."""
        found = {}
        for name, leaf in self.parts.items():
            with contextlib.suppress(AttributeError):    # it has none, or keeps something else than its base class
                found[name] = leaf.active_set()
        return {name: side for name, side in found.items() if side is not None}


def copies(arrays):
    """Return {name: copy}."""
    return {name: array.copy() for name, array in arrays.items()}
