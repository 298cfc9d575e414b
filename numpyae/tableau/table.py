"""The tableau: every step of one forward and one backward pass, as a table.

[000] writes the chain rule f(x) = u(v(x)), f'(x) = u'(v(x)) v'(x). On paper one does it in two rows: the values from
left to right, the slopes from right to left. `trace(model, x, t)` is that, for a whole network, downwards:

    step   formula           shape   value                 gradient
    a1     x W1 + b1         (1, 2)  0.3775 0.3925
    h1     σ(a1)             (1, 2)  0.59327 0.596884                               forward: values
    ...
    da1    dh1 h1 (1 - h1)   (1, 2)  0.3775 0.3925         0.00877135 0.00995425    backward: gradients
    dW1    xᵀ da1            (2, 2)  0.15 0.25             0.000438568 ...          beside what they belong to

In the backward part the value is that of the quantity whose gradient stands beside it: dW1 = ∂L/∂W1 with W1. Layers
with parameters are numbered in the order of computation, from the encoder on through the decoder; `a` is a
pre-activation, `h` the output of an activation, `o` the output that meets the target. A layer that is used several
times has a number for each use: a1_2 is the pre-activation of layer 1 at its second use, dW1|a1_2 its share of dW1.

Two traces can be compared: `ours.compare(theirs)` names the first line that differs, which is where a mistake sits.
"""

import textwrap

import numpy as np

from numpyae.tableau.page import page
from numpyae.tableau.rows import shown

WIDTH = 100                           # columns of a printed tableau


class Tableau:
    """The result of `trace`: rows in the order of computation, forward then backward. Print, index or compare it.

    constants: {name: number} of what the formulas name and no row shows: N, and σ of a Gaussian.
    """

    def __init__(self, title, rows, constants=()):
        self.title, self.rows, self.constants = title, rows, dict(constants)

    def __getitem__(self, step):
        """Return the row of that name, such as tableau["dW1"]. KeyError, with the names there are, for another."""
        for row in self.rows:
            if row.step == step:
                return row
        raise KeyError(f"there is no step {step!r}, only {', '.join(row.step for row in self.rows)}")

    def __len__(self):
        return len(self.rows)

    def compare(self, other, tolerance=1e-9):
        """Return a sentence about the first line whose numbers differ by more than tolerance, relative to its largest.

        Lines are compared by their place, so a layer of your own can be held against ours. TypeError for anything else.
        """
        if not isinstance(other, Tableau):
            raise TypeError(f"Tableau.compare: expected another Tableau, got {type(other).__name__}")
        for number, (mine, theirs) in enumerate(zip(self.rows, other.rows), 1):
            line = f"line {number}, {mine.step} = {mine.formula}:"
            if mine.shape != theirs.shape or mine.backward != theirs.backward:
                return (f"{line} there it is {theirs.step} = {theirs.formula}, shape {theirs.shape}, "
                        f"here shape {mine.shape}")
            for what in ("value", "gradient"):
                a, b = getattr(mine, what), getattr(theirs, what)
                place = largest_gap(a, b, tolerance)
                if place is not None:
                    where = list(map(int, place)) or ""
                    return f"{line} {what}{where} is {a[place]:.12g} here and {b[place]:.12g} there"
        if len(self) != len(other):
            least = min(len(self), len(other))
            return f"the first {least} lines agree, but there are {len(self)} here and {len(other)} there"
        return f"all {len(self)} lines agree"

    def to_html(self):
        """Return the backprop stepper, the text of a page that needs no network: see `numpyae.tableau.page`."""
        return page(self)

    def __str__(self):
        steps = 2 + max(4, *(len(row.step) for row in self.rows))
        shapes = 2 + max(5, *(len(str(row.shape)) for row in self.rows))
        cells = [shown(array) for row in self.rows for array in (row.value, row.gradient)]
        cell = 2 + max(8, *(len(line) for lines in cells for line in lines))
        formulas = min(2 + max(7, *(len(row.formula) for row in self.rows)), WIDTH - steps - shapes - 2 * cell + 2)
        widths = (steps, formulas, shapes, cell, cell - 2)
        heads = [["step"], ["formula"], ["shape"], ["value"], ["gradient"]]
        lines = [textwrap.fill(self.title, WIDTH), "", in_columns(heads, widths)]
        backward = None
        for row in self.rows:
            if row.backward != backward:
                backward = row.backward
                lines.append(f"-- {'backward' if backward else 'forward'} ".ljust(sum(widths), "-"))
            formula = textwrap.wrap(row.formula, formulas - 2)
            arrays = [shown(row.value), shown(row.gradient)]
            lines.append(in_columns([[row.step], formula, [str(row.shape)], *arrays], widths))
        if any(line.startswith("‖") for lines_of in cells for line in lines_of):
            lines += ["", "‖norm‖ min … max of arrays that are too large to print"]
        return "\n".join(lines)

    def __repr__(self):
        return f"Tableau({self.title}; {len(self)} lines)"


def largest_gap(a, b, tolerance):
    """Return where two arrays differ most, as an index; None where none exceeds tolerance times the largest number."""
    if a is None:
        return None
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    both = np.isfinite(a) & np.isfinite(b)
    same = both | (a == b) | (np.isnan(a) & np.isnan(b))
    gap = np.where(same, np.abs(np.where(both, a, 0) - np.where(both, b, 0)), np.inf)
    size = max(np.abs(a[both]).max(initial=0), np.abs(b[both]).max(initial=0))
    if gap.size == 0 or not gap.max() > tolerance * size:
        return None
    return np.unravel_index(np.argmax(gap), gap.shape)


def in_columns(cells, widths):
    """Return cells of several lines side by side."""
    height = max(map(len, cells))
    padded = [cell + [""] * (height - len(cell)) for cell in cells]
    lines = ["".join(text.ljust(width) for text, width in zip(line, widths)).rstrip() for line in zip(*padded)]
    return "\n".join(lines)
