"""Rows: one for each step of a pass. A row knows the rows it was computed from, so nobody has to read its formula.

The formula of a row is a text with a field for each row that it names, "{x} {W} + {b}", and the rows for the fields. A
d in front of a field means the gradient: "d{y} {W}ᵀ". "{log q:q}" writes the row log q as q, "{sigma:g}" a number.

The formula is also written with numbers, a line for each element: a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775. A
number is put in the place of each row, and a · between two factors. Where that cannot be, because numbers are too many,
or words are no arithmetic, lines say what goes in and what comes out.
"""

import contextlib
import itertools
import string

import numpy as np

CELL = 24                             # columns of a printed tableau for a value, and for a gradient
MARK = "\0"                           # the place of a row in a formula
MOST_LINES, MOST_TERMS = 8, 6         # of a formula that is written out in numbers
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
WORDS = {"tanh", "log", "max", "min", "σ", "e", "where", "else", "π"}        # of formulas that numbers can stand in
OPERATORS = ("+", "-", "/", "·", "<", ">", "where", "else")


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
            rows += [operand] * isinstance(operand, Row)
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


# Formulas with their numbers

def in_numbers(tableau):
    """Return (row, its formula in numbers as lines) for every row."""
    return [(row, filled(row)) for row in tableau.rows]


def filled(row):
    """Return the formula of a row in numbers, a line for each element, or else what goes in and what comes out."""
    if row.result.size <= MOST_LINES and row.kind not in ("given", "draw"):
        with contextlib.suppress(LookupError):                       # words that are no arithmetic
            return [" = ".join(dict.fromkeys([element(row, place), written_out(row, place), number(row.result[place])]))
                    for place in np.ndindex(row.shape)]
    return [f"{row.step} = {', '.join(shown(row.result)) if row.result.ndim else number(row.result)}"
            for row in dict.fromkeys([*(row.named or row.sources), row])]


def element(row, place):
    """Return the name of an element, counted from 1, such as dW1₂₁; without the index of the only sample or element."""
    only = row.result.ndim > 1 and len(row.result) == 1 and (row.of or row).kind != "parameter"
    indices = [str(k + 1) for k in place[int(only):]] if row.result.size > 1 else []
    return row.step + "".join(indices).translate(SUBSCRIPTS)


def number(value):
    """Return a number as the tableau writes it, but 0 for -0."""
    return f"{value + 0:.6g}"


def written_out(row, place):
    """Return the right-hand side of an element of the result. LookupError where it has no such form."""
    if product := row.product():
        return matrix_product(*product, place, row.shape)
    for source, index in row.picked.items():
        return element(source, np.unravel_index(index[place], source.shape))
    if row.kind == "ways":
        here = np.ravel_multi_index(place, row.shape)
        return joined([number(value) for way in row.sources for value in way.gradient[way.of.picked[row.of] == here]])
    return total(row, place) if "Σ_" in row.spelled else elementwise(row.spelled, row.named, place, row.shape)


def matrix_product(A, A_transposed, B, B_transposed, added, place, shape):
    """Return Σ_k A_ik B_kj, and what is added."""
    A, B = (row.result.reshape(-1, row.shape[-1]) for row in (A, B))                           # z is (K, N, d)
    rows, columns = A.T if A_transposed else A, B if B_transposed else B.T
    pairs = list(zip(rows[place[0]], columns[place[1]]))
    if len(pairs) > MOST_TERMS:
        raise LookupError("too many terms")
    terms = [f"{inside(number(a)) if k else number(a)} · {inside(number(b))}" for k, (a, b) in enumerate(pairs)]
    return joined(terms + [number(np.broadcast_to(row.result, shape)[place]) for row in added])


def total(row, place):
    """Return a sum over samples (Σ_n), draws (Σ_k) or features (Σ_d), each term in numbers."""
    before, _, term = row.spelled.partition("Σ_")
    index, term = term[0], term[2:]
    closed = term.rfind({"(": ")", "[": "]"}.get(term[0], "no bracket")) + 1
    rest, _, after = term[closed:].partition(" + ")
    term = term[:closed] + rest if rest else term[1:closed - 1]                                # without its brackets
    start, stop = before.count(MARK), (before + term).count(MARK)
    shape = max((row.shape for row in row.named[start:stop]), key=len, default=(0,))
    terms = range(shape[0] if index in "nk" else shape[-1])
    if not 0 < len(terms) <= MOST_TERMS:
        raise LookupError("too many terms")
    text = joined([elementwise(term, row.named[start:stop], (k, *place) if index in "nk" else (*place, k), shape)
                   for k in terms])
    if before:
        factor = elementwise(before.strip(), row.named[:start], (), ())
        text = f"{factor} · [{text}]" if " " in text else f"{factor} · {text}"
    return text + (" + " + elementwise(after, row.named[stop:], place, row.shape) if after else "")


def joined(terms):
    """Return a sum in which negative terms stand in parentheses."""
    return " + ".join(inside(term) if k and " " not in term else term for k, term in enumerate(terms))


def inside(text):
    """Return a number within an expression: a negative one in parentheses."""
    return f"({text})" if text.startswith("-") else text


def elementwise(spelled, rows, place, shape):
    """Return a formula with a number for each row, and a · between factors. LookupError where it has other words.

    A single number, and one for each feature, stand at all places.
    """
    words = "".join(letter if letter.isalpha() else " " for letter in spelled).split()
    if not WORDS.issuperset(words):
        raise LookupError(f"{words} are no arithmetic")
    text, *pieces = with_times(spelled).split(MARK)
    for row, after in zip(rows, pieces):
        single = row.result.size == 1
        fits = single or row.shape == shape or row.kind == "parameter" and row.shape == shape[-1:]
        if not fits or len(place) != len(shape):
            raise LookupError(f"{row.step} has another shape")
        value = number(row.result.item() if single else np.broadcast_to(row.result, shape)[place])
        first = not text or text.endswith(("(", "[", "where ", "else "))
        text += (value if first and not after.startswith("²") else inside(value)) + after
    return text


def with_times(spelled):
    """Return a formula with a · where two factors stand side by side, and parentheses around what a log is of."""
    words = spelled.split(" ")
    text = words[0]
    for before, word in itertools.pairwise(words):
        inner = word.rstrip(")]")
        text += (f"({inner}){word[len(inner):]}" if before.endswith("log") else
                 f" {word}" if before in OPERATORS or before.endswith(",") or word in OPERATORS else
                 f" · {word}")
    return text.replace(f"π{MARK}", f"π · {MARK}")
