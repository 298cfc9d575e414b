"""Checks of arguments: each raises one sentence that names the argument, what was expected, and what came.

Each function takes the name to print, such as "Dense: n_in", and the value.
"""

import numpy as np

FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def must(right, sentence, error=ValueError):
    """Raise the error with this sentence unless it is right."""
    if not right:
        raise error(sentence)


def is_number(value):
    """Return whether value is a real number; True and False are not."""
    return isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool)


def check_size(name, size, least=1):
    """Return size as an int; raise ValueError unless it is a whole number of at least `least`."""
    must(isinstance(size, (int, np.integer)) and not isinstance(size, bool) and size >= least,
         f"{name} must be a whole number of at least {least}, got {size!r}")
    return int(size)


def check_number(name, value, low, high, wanted):
    """Return value as a float; raise ValueError unless it is a finite number in [low, high].

    `wanted` says this in words: "name must be wanted, got value".
    """
    number = isinstance(value, (int, float, np.number))
    must(number and np.isfinite(value) and low <= value <= high,
         f"{name} must be {wanted}, got {value if number else repr(value)}")
    return float(value)


def check_positive(name, value):
    """Return value as a float; raise ValueError unless it is a positive finite number."""
    number = np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    must(number and 0 < value < np.inf,
         f"{name} must be a positive number, got {value if number else repr(value)}")
    return float(value)


def check_choice(name, value, choices):
    """Raise ValueError unless value is one of these strings."""
    if value not in choices:
        *others, last = [f'"{choice}"' for choice in choices]
        raise ValueError(f"{name} must be {', '.join(others)} or {last}, got {value!r}")


def check_part(name, part, kind):
    """Raise TypeError unless part is an instance of kind; add a hint where the parentheses of a class are missing."""
    if not isinstance(part, kind):
        hint = f": write {part.__name__}()" if isinstance(part, type) and issubclass(part, kind) else ""
        raise TypeError(f"{name} must be a {kind.__name__}, got {part.__name__ if hint else type(part).__name__}{hint}")


# Arrays with another arithmetic, which pass for arrays and give wrong values, and what to write instead
OTHERS = {np.matrix: "np.asarray({})", np.ma.MaskedArray: "{0}.filled(...), with what shall stand for a missing value"}


def check_data(name, x, width, dtype):
    """Raise ValueError or TypeError unless x is an array (N, width), N >= 1, finite, and of this dtype.

    Any width is right where `width` is None.
    """
    if type(x) in OTHERS or hasattr(x, "toarray"):
        write = OTHERS.get(type(x), "{}.toarray()").format(name.split()[-1])
        raise TypeError(f"{name} must be a NumPy array, got {type(x).__name__}: write {write}")
    if not isinstance(x, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(x).__name__}")
    if x.dtype not in FLOATS:
        hint = "" if x.dtype.kind in "cOSUV" else f": write {name.split()[-1]}.astype(np.{dtype})"
        raise TypeError(f"{name} must be {dtype}, got {x.dtype}{hint}")
    if x.dtype != dtype:
        raise TypeError(f"{name} must be {dtype}, as the parameters are, got {x.dtype}: write "
                        f"{name.split()[-1]}.astype(np.{dtype}), or model.astype(np.{x.dtype}) for another model")
    if x.ndim != 2 or (width is not None and x.shape[1] != width):
        raise ValueError(f"{name} must have shape (N, {'D' if width is None else width}), got {x.shape}")
    if len(x) == 0:
        raise ValueError(f"{name} must have at least one row, got none")
    if not (np.isfinite(x.min()) and np.isfinite(x.max())):
        row, column = np.argwhere(~np.isfinite(x))[0]
        raise ValueError(f"{name} must be finite, got {x[row, column]} in row {row}, column {column}")
