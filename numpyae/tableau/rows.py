"""Rows: one for each step of a pass. A row knows the rows that it was computed from, so nobody has to read its formula.

The formula of a row is a text with a field for each row that it names, "{x} {W} + {b}", and the rows for the fields. A
d in front of a field means the gradient: "d{y} {W}ᵀ". "{log q:q}" writes the row log q as q, "{sigma:g}" a number.
"""

import string

import numpy as np

CELL = 24                             # columns of a printed tableau for a value, and for a gradient
MARK = "\0"                           # the place of a row in a formula


class Row:
    """One step: its name, its formula, its value, and on the way back the gradient beside it.

    kind      "given", "draw", "made", "layer", "activation", "attribute", "loss", "posterior", "prior", "penalty",
              "total", "gradient"; "parameter", "constant" or "slice" for what formulas name though it has no line
    operands  {field: row, or number} of the formula
    sources   the rows that it was computed from: those that the formula names, else those given here
    spelled   the formula with a MARK in the place of each row, named: these rows
    weights   the parameters that the formula names
    picked    {row: index} where every element is one of another row: for each its place in that row, -1 for none
    of, way   on the way back: the row whose gradient it is, and by which way: "KL" in dmu|KL
    through   on the way back: the forward rows that the gradient came through
    """

    def __init__(self, step, text, value, gradient=None, *, kind="", operands=None, sources=(), picked=None, of=None,
                 way="", through=()):
        self.step, self.text, self.kind, self.operands = step, text, kind, operands or {}
        self.of, self.way, self.through, self.picked = of, way, through, picked or {}
        self.array, self.value = np.asarray(value), np.array(value)
        self.gradient = None if gradient is None else np.array(gradient)
        self.shape, self.backward = self.value.shape, of is not None
        self.result = self.gradient if self.backward else self.value
        self.spelled, self.named = self.spell()
        self.weights = [row for row in self.named if row.kind == "parameter"]
        named = [row.sources[0] if row.kind == "slice" else row
                 for row in self.named if row.kind not in ("parameter", "constant")]
        self.sources = list(dict.fromkeys(named or sources))

    @property
    def formula(self):
        """The formula, with the names of the rows in it."""
        return self.text.format(**self.operands)

    def spell(self):
        """Return the formula with a MARK in the place of each row, and the rows in their order."""
        spelled, rows = "", []
        for literal, field, spec, _ in string.Formatter().parse(self.text):
            spelled, operand = spelled + literal, self.operands.get(field, "")
            if isinstance(operand, Row) and literal.endswith("d") and not literal[-2:-1].isalpha():
                spelled, operand = spelled[:-1], self.operands.get(f"d{field}", f"d{operand}")
            if isinstance(operand, Row):
                rows.append(operand)
            spelled += MARK if isinstance(operand, Row) else format(operand, spec or "")
        return spelled, rows

    def product(self):
        """Return (A, is it transposed, B, is it transposed, rows added) of a matrix product, else None."""
        factors, *added = self.spelled.split(" + ")
        left, _, right = factors.partition(" ")
        if not {left, right} <= {MARK, f"{MARK}ᵀ"} or not set(added) <= {MARK}:
            return None
        A, B, *added = self.named
        is_product = left != MARK or B.kind == "parameter" and B.value.ndim == 2
        return (A, left != MARK, B, right != MARK, added) if is_product else None

    def __format__(self, spec):
        return spec or self.step

    def __repr__(self):
        return f"Row({self.step} = {self.formula}, shape {self.shape})"


def shown(array, most_rows=3):
    """Return the lines of a cell: all numbers where they fit, else norm, smallest and largest."""
    if array is None or np.size(array) == 0:
        return [""]
    rows = np.reshape(array, (-1, np.shape(array)[-1] if np.ndim(array) else 1)) + 0           # 0 for -0
    if len(rows) <= most_rows and rows.shape[1] <= 4:
        for digits in (6, 5, 4, 3):
            lines = [" ".join(f"{number:.{digits}g}" for number in row) for row in rows]
            if max(map(len, lines)) <= CELL:
                return lines
    norm, ends = f"‖{np.linalg.norm(array):.3g}‖", f"{np.min(rows):.3g} … {np.max(rows):.3g}"
    return [f"{norm} {ends}"] if len(norm) + len(ends) < CELL else [norm, ends]
