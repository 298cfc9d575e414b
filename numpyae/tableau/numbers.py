"""A formula with its numbers: a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775, a line for each element.

A row knows the rows that its formula names, so a number is put in the place of each, and a · between two factors. Where
that cannot be, because numbers are too many, or words are no arithmetic, lines say what goes in and what comes out.
"""

import contextlib
import itertools

import numpy as np

from numpyae.tableau.rows import MARK, shown

MOST_LINES, MOST_TERMS = 8, 6         # of a formula that is written out in numbers
SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
WORDS = {"tanh", "log", "max", "min", "σ", "e", "where", "else", "π"}        # of formulas that numbers can stand in
OPERATORS = ("+", "-", "/", "·", "<", ">", "where", "else")


def in_numbers(tableau):
    """Return (row, its formula in numbers as lines) for every row."""
    return [(row, filled(row)) for row in tableau.rows]


def filled(row):
    """Return the formula of a row in numbers, a line for each element, or else what goes in and what comes out."""
    if row.result.size <= MOST_LINES and row.kind not in ("given", "draw"):
        with contextlib.suppress(LookupError):                       # words that are no arithmetic
            lines = [[element(row, place), written_out(row, place), number(row.result[place])]
                     for place in np.ndindex(row.shape)]
            return [" = ".join(dict.fromkeys(line)) for line in lines]
    rows = dict.fromkeys([*(row.named or row.sources), row])
    return [f"{row.step} = {', '.join(shown(row.result)) if row.result.ndim else number(row.result)}" for row in rows]


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
    pairs = list(zip(A.T[place[0]] if A_transposed else A[place[0]], B[place[1]] if B_transposed else B.T[place[1]]))
    if len(pairs) > MOST_TERMS:
        raise LookupError("too many terms")
    terms = [f"{inside(number(a)) if k else number(a)} · {inside(number(b))}" for k, (a, b) in enumerate(pairs)]
    return joined(terms + [number(np.broadcast_to(row.result, shape)[place]) for row in added])


def total(row, place):
    """Return a sum over samples (Σ_n), draws (Σ_k) or features (Σ_d), each term in numbers."""
    before, _, term = row.spelled.partition("Σ_")
    index, term = term[0], term[2:]
    closing = {"(": ")", "[": "]"}.get(term[0])
    closed = term.rfind(closing) + 1 if closing else 0
    rest, _, after = term[closed:].partition(" + ")
    term = term[:closed] + rest if rest else term[1:closed - 1]                                # without its brackets
    start = before.count(MARK)
    stop = start + term.count(MARK)
    shape = max((row.shape for row in row.named[start:stop]), key=len, default=(0,))
    terms = shape[0] if index in "nk" else shape[-1]
    if not 0 < terms <= MOST_TERMS:
        raise LookupError("too many terms")
    places = [(k, *place) if index in "nk" else (*place, k) for k in range(terms)]
    text = joined([elementwise(term, row.named[start:stop], at, shape) for at in places])
    if before:
        text = f"[{text}]" if " " in text else text
        text = f"{elementwise(before.strip(), row.named[:start], (), ())} · {text}"
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
        if before.endswith("log"):
            text += f"({inner}){word[len(inner):]}"
        elif before in OPERATORS or before.endswith(",") or word in OPERATORS:
            text += f" {word}"
        else:
            text += f" · {word}"
    return text.replace(f"π{MARK}", f"π · {MARK}")
