"""Where an array comes from that a model makes between its parts: a slice of an array known before, a sum, or several in a row.

A recurrent network puts the input of a step beside what the step before has left, [x[:, 1], h1_1], and hands slices of the
gradient back. No part of it tells the recorder, so it looks.
"""

import itertools

import numpy as np


def origin(array, known, sign="+"):
    """Return (text, {field: row}, {row: index}) of an array that is made of known ones, or None.

    known: (array, row) pairs, the latest first. index: where in the row each element stands, -1 for none; empty for a sum,
    or, with sign="-", a difference.
    """
    pieces = []                       # (row, its slice in words, values, flat index): all of it, and the steps of (N, T, D)
    for values, row in known:
        index = np.arange(values.size).reshape(values.shape)
        pieces.append((row, "", values, index))
        if values.ndim == 3:
            pieces += [(row, f"[:, {t}]", values[:, t], index[:, t]) for t in range(values.shape[1])]
    alike = [piece for piece in pieces if piece[2].shape == array.shape]
    for (row, where, a, _), (other, there, b, _) in itertools.permutations(alike[::-1], 2):
        if np.array_equal(a + b if sign == "+" else a - b, array):
            return f"{{a}}{where} {sign} {{b}}{there}", {"a": row, "b": other}, {}
    return side_by_side(array, [piece for piece in pieces if piece[2].ndim == array.ndim == 2 and piece[2].any()])


def side_by_side(array, pieces):
    """Return the origin of arrays beside each other, columns of zeros among them, or None."""
    texts, fields, picked, column = [], {}, {}, 0
    zeros = None, "0", np.zeros((len(array), 1)), -1
    while column < array.shape[-1]:
        fits = (piece for piece in [*pieces, zeros] if np.array_equal(piece[2], array[:, column:column + piece[2].shape[1]]))
        row, where, values, index = next(fits, [None] * 4)
        if values is None:
            return None
        texts.append(f"{{p{column}}}{where}" if row else where)
        fields[f"p{column}"] = row
        picked.setdefault(row, np.full(array.shape, -1))[:, column:column + values.shape[1]] = index
        column += values.shape[1]
    texts = [text for text, _ in itertools.groupby(texts)]
    picked.pop(None, None)
    return (texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]", fields, picked) if picked else None


def columns_of(array, other):
    """Return (slice in words, flat index) where an array is a view of some columns of another, else (None, None)."""
    index = np.arange(other.size).reshape(other.shape)
    for start in range(other.shape[1]) if array.ndim == other.ndim == 2 else ():
        stop = start + array.shape[1]
        if other[:, start:stop].__array_interface__ == array.__array_interface__:
            return in_words(start, stop, other.shape[1]), index[:, start:stop]
    return None, None


def in_words(start, stop, most):
    """Return a slice of columns, ":, :2", without the ends of the array."""
    return f":, {start or ''}:{'' if stop == most else stop}"
