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

import html
import itertools
import textwrap

import numpy as np

from numpyae.tableau.page import NOTHING_FROM_OUTSIDE, PAGE, fragment
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
        found = {row.step: row for row in reversed(self.rows)}              # of two of one name the first
        if step not in found:
            raise KeyError(f"there is no step {step!r}, only {', '.join(row.step for row in self.rows)}")
        return found[step]

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
            for what in ("value", "gradient")[:1 + mine.backward]:
                gap = largest_gap(getattr(mine, what), getattr(theirs, what), tolerance)
                if gap:
                    return f"{line} {what}{gap}"
        return f"all {len(self)} lines agree" if len(self) == len(other) else (
            f"the first {min(len(self), len(other))} lines agree, "
            f"but there are {len(self)} here and {len(other)} there")

    def to_html(self):
        """Return the backprop stepper, the text of a page that needs no network: see `numpyae.tableau.page`."""
        return PAGE.format(policy=NOTHING_FROM_OUTSIDE, title=html.escape(self.title),
                           stepper=fragment(self, everywhere=True))

    def __str__(self):
        heads = [["step"], ["formula"], ["shape"], ["value"], ["gradient"]]
        table = [[[row.step], [row.formula], [str(row.shape)], shown(row.value), shown(row.gradient)]
                 for row in self.rows]
        longest = [2 + max(len(line) for cell in column for line in cell) for column in zip(heads, *table)]
        steps, formulas, shapes, cell = *longest[:3], max(longest[3:])
        formulas = min(formulas, WIDTH - steps - shapes - 2 * cell + 2)
        widths = (steps, formulas, shapes, cell, cell - 2)
        lines = [textwrap.fill(self.title, WIDTH), "", in_columns(heads, widths)]
        for backward, pairs in itertools.groupby(zip(self.rows, table), lambda pair: pair[0].backward):
            lines.append(f"-- {'backward' if backward else 'forward'} ".ljust(sum(widths), "-"))
            for row, (step, formula, *cells) in pairs:
                lines.append(in_columns([step, textwrap.wrap(*formula, formulas - 2), *cells], widths))
        if any(line.startswith("‖") for _, _, _, *cells in table for cell in cells for line in cell):
            lines += ["", "‖norm‖ min … max of arrays that are too large to print"]
        return "\n".join(lines)

    def __repr__(self):
        return f"Tableau({self.title}; {len(self)} lines)"


def largest_gap(a, b, tolerance):
    """Return the place where two arrays differ most, in words; "" where none exceeds tolerance times the largest."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    size = max(np.abs(array[np.isfinite(array)]).max(initial=0) for array in (a, b))
    close = np.isclose(a, b, rtol=0, atol=tolerance * size, equal_nan=True)
    if close.all():
        return ""
    gap = np.abs(np.subtract(a, b, out=np.zeros_like(a), where=~close))
    place = np.unravel_index(np.argmax(gap), gap.shape)
    return f"{list(map(int, place)) or ''} is {a[place]:.12g} here and {b[place]:.12g} there"


def in_columns(cells, widths):
    """Return cells of several lines side by side."""
    return "\n".join("".join(text.ljust(width) for text, width in zip(line, widths)).rstrip()
                     for line in itertools.zip_longest(*cells, fillvalue=""))
