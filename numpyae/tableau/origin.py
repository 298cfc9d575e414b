"""The origin of an array that a model makes between its parts: a slice of a known one, a sum, or several side by side.

A recurrent network puts the input of a step beside what the step before has left, [x[:, 1], h1_1], and hands a slice of
the gradient back. No part of it tells the recorder, so it looks.
"""

import itertools

import numpy as np

from numpyae.tableau.rows import Row


def origin(array, rows, sign="+"):
    """Return (text, {field: row}) of an array that is made of known rows, the latest first, else ("", {}).

    With sign="-" a difference is looked for instead of a sum; columns are cut only from gradients of such arrays.
    """
    for row in rows:
        width = array.shape[-1] if row.backward and row.of.kind == "made" else None
        rows = rows + [Row(f"{row}[{words}]", "", row.result[cut], kind="slice", sources=[row])
                       for words, cut in cuts(row.shape, width).items()]
    alike = [row for row in rows if row.shape == array.shape]
    for row in sorted(alike, key=lambda row: row.array is not array):                          # itself before an equal one
        if np.array_equal(row.result, array):
            return "{a}", {"a": row}
    for a, b in itertools.permutations(alike[::-1], 2):
        if np.array_equal(a.result + b.result if sign == "+" else a.result - b.result, array):
            return f"{{a}} {sign} {{b}}", {"a": a, "b": b}
    return side_by_side(array, [row for row in rows if row.result.ndim == 2 and row.result.any()])


def side_by_side(array, rows):
    """Return the origin of arrays beside each other, columns of zeros among them, else ("", {})."""
    texts, fields, column = [], {}, 0
    while array.ndim == 2 and column < array.shape[1]:
        row = next((row for row in rows if np.array_equal(row.result, array[:, column:column + row.shape[1]])), None)
        if row is None and array[:, column].any():
            return "", {}
        fields |= {f"p{column}": row} if row else {}
        texts.append(f"{{p{column}}}" if row else "0")
        column += row.shape[1] if row else 1
    texts = [text for text, _ in itertools.groupby(texts)]
    return (f"[{', '.join(texts)}]", fields) if fields else ("", {})


def cuts(shape, width):
    """Return {words: slice} of the steps x[:, t] of an array (N, T, D), or of the columns of this width of (N, D)."""
    if len(shape) == 3:
        return {f":, {t}": np.s_[:, t] for t in range(shape[1])}
    starts = range(shape[1] - width + 1) if len(shape) == 2 and width is not None else ()
    return {f":, {start or ''}:{'' if start + width == shape[1] else start + width}": np.s_[:, start:start + width]
            for start in starts}


def view_of(array, other):
    """Return (slice in words, flat index) where an array looks into some columns of another, else ("", None)."""
    index = np.arange(other.size).reshape(other.shape)
    for words, cut in cuts(other.shape, array.shape[1] if array.ndim == 2 else None).items():
        if other[cut].__array_interface__ == array.__array_interface__:
            return words, index[cut]
    return "", None
