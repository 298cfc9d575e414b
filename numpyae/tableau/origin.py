"""The origin of an array that a model makes between its parts: a slice of a known one, a sum, or several side by side.

A recurrent network puts the input of a step beside what the step before has left, [x[:, 1], h1_1], and hands a slice of
the gradient back. No part of it tells the recorder, so it looks.
"""

import itertools

import numpy as np

from numpyae.tableau.rows import Row


def origin(array, rows):
    """Return (text, {field: row}) of an array that is made of known rows, the latest first, or None."""
    alike = [row for row in rows if row.shape == array.shape]
    for row in alike:
        if np.array_equal(row.result, array):
            return "{a}", {"a": row}
    for a, b in itertools.combinations(alike[::-1], 2):
        if np.array_equal(a.result + b.result, array):
            return "{a} + {b}", {"a": a, "b": b}
    return side_by_side(array, [row for row in rows if row.result.ndim == 2 and row.result.any()])


def side_by_side(array, rows):
    """Return the origin of arrays beside each other, columns of zeros among them, or None."""
    texts, fields, column = [], {}, 0
    while array.ndim == 2 and column < array.shape[1]:
        row = next((row for row in rows if np.array_equal(row.result, array[:, column:column + row.shape[1]])), None)
        if row is None and array[:, column].any():
            return None
        field = f"p{column}"
        fields |= {field: row} if row else {}
        texts.append(f"{{{field}}}" if row else "0")
        column += row.shape[1] if row else 1
    texts = [text for text, _ in itertools.groupby(texts)]
    return (f"[{', '.join(texts)}]", fields) if fields else None


def cuts(shape, width=None):
    """Return {words: slice} of the steps x[:, t] of an array (N, T, D), or of the columns of this width of (N, D)."""
    if len(shape) == 3:
        return {f":, {t}": np.s_[:, t] for t in range(shape[1])}
    if len(shape) == 2 and width is not None:
        ends = [(start, start + width) for start in range(shape[1] - width + 1)]
        return {f":, {start or ''}:{'' if stop == shape[1] else stop}": np.s_[:, start:stop] for start, stop in ends}
    return {}


def slices_of(row, width=None):
    """Return such slices of a row, as rows that have no line."""
    return [Row(f"{row}[{words}]", "", row.result[cut], kind="slice", sources=[row])
            for words, cut in cuts(row.shape, width).items()]


def view_of(array, other):
    """Return (slice in words, flat index) where an array looks into some columns of another, else ("", None)."""
    index = np.arange(other.size).reshape(other.shape)
    for words, cut in cuts(other.shape, array.shape[1] if array.ndim == 2 else None).items():
        if other[cut].__array_interface__ == array.__array_interface__:
            return words, index[cut]
    return "", None
