"""Where an array comes from that a model makes between its parts: a slice of an array known before, a sum, or several in a row.

A recurrent network puts the input of a step beside what the step before has left, [x[:, 1], h1_1], and hands slices of the
gradient back. No part of it tells the recorder, so it looks.
"""

import itertools

import numpy as np


def origin(array, known):
    """Return (text, {field: row}, {row: index}) of an array that is made of known ones, or None.

    known: (array, row) pairs, the latest first. index: where in the row each element stands, -1 for none; empty for a sum.
    """
    for other, row in known:
        if view := view_of(array, other):
            return f"{{x}}[{view[0]}]", {"x": row}, {row: view[1]}
    return combined(array, known, "+", np.add) or side_by_side(array, pieces(known))


def view_of(array, other):
    """Return (slice in words, flat index) of a view h[:, start:stop] of (N, H) or x[:, t] of (N, T, D), else None."""
    owner = other if other.base is None else other.base
    if array.base is not owner or array.ndim != 2 or array.dtype != other.dtype or not other.flags.c_contiguous:
        return None
    here, there = (a.__array_interface__["data"][0] for a in (array, other))
    first, width = (here - there) // other.itemsize, other.shape[-1]
    down, right = (np.arange(n) * step // other.itemsize for n, step in zip(array.shape, array.strides))
    index, stop = first + down[:, None] + right, first + array.shape[1]
    if other.ndim == 3 and array.shape == other[:, 0].shape:
        return f":, {first // width % other.shape[1]}", index
    if other.ndim == 2 and len(array) == len(other) and 0 <= first <= stop <= width:
        return columns_in_words(first, stop, width), index
    return None


def columns_in_words(start, stop, width):
    """Return the slice start:stop of this many columns, without the ends of the array: ":, :2"."""
    return f":, {start or ''}:{'' if stop == width else stop}"


def pieces(known):
    """Return [(array, row, its slice in words, its flat index in the row)] of known arrays and of their steps x[:, t]."""
    found = []
    for array, row in known:
        index = np.arange(array.size).reshape(array.shape)
        found.append((array, row, "", index))
        if array.ndim == 3:
            found += [(array[:, t], row, f"[:, {t}]", index[:, t]) for t in range(array.shape[1])]
    return found


def combined(array, known, sign, function):
    """Return the origin of a sum (+) or a difference (-) of two known arrays, or None."""
    alike = [piece for piece in pieces(known) if piece[0].shape == array.shape]
    for (a, row, where, _), (b, other, there, _) in itertools.permutations(alike, 2):
        if np.array_equal(function(a, b), array):
            return f"{{a}}{where} {sign} {{b}}{there}", {"a": row, "b": other}, {}
    return None


def side_by_side(array, pieces):
    """Return the origin of arrays beside each other, columns of zeros among them, or None."""
    pieces = [piece for piece in pieces if piece[0].ndim == array.ndim == 2 and len(piece[0]) == len(array)]
    texts, fields, indices, column = [], {}, {}, 0
    while column < array.shape[1]:
        piece = next((piece for piece in pieces if stands_at(piece[0], array, column)), None)
        if piece is None and array[:, column].any():
            return None
        if piece is None:
            texts += ["0"] * (texts[-1:] != ["0"])
            column += 1
            continue
        found, row, where, index = piece
        texts.append(f"{{p{len(texts)}}}{where}")
        fields[f"p{len(texts) - 1}"] = row
        indices.setdefault(row, np.full(array.shape, -1))[:, column:column + found.shape[1]] = index
        column += found.shape[1]
    text = ", ".join(texts)
    return (text if len(texts) == 1 else f"[{text}]", fields, indices) if fields else None


def stands_at(piece, array, column):
    """Return whether a piece is found in the array from this column on."""
    return piece.any() and np.array_equal(piece, array[:, column:column + piece.shape[1]])
