"""Put a mistake into words, in one voice: the check, the judges of exercises and the examination of bug hunts all speak here.

A mistake becomes a finding, a dict with the place, the array, a cause of one or two words and a sentence. A number is said as a
factor with its name (7 is the batch size), an array by what it must be, an exception by the line at which it arose.
"""

import linecache
import traceback

import numpy as np

SWAPPED = ": is a transpose missing, or are the operands of a product swapped?"
STRANGE = {SystemExit: "the code ends the program, with exit()", RecursionError: "a function calls itself without end"}


def finding(cause, sentence, array=None, factor=None):
    """Make the finding of one thing that is wrong; the place is filled in by whoever knows it."""
    return {"place": "", "layer": "", "array": array, "cause": cause, "sentence": sentence, "factor": factor}


def ended(sentence):
    """Return the sentence with a full stop, unless it ends in a question."""
    return sentence if sentence.endswith(("?", ".")) else sentence + "."


def coefficient(c):
    """Return what stands before a name for c times it: nothing for 1, "-" for -1, else the number and a space."""
    return "" if abs(c - 1) < 1e-6 else "-" if abs(c + 1) < 1e-6 else f"{c:.6g} "


def place_of(flat, shape):
    """Return the index of an element as a list of numbers: it prints as [1, 2]."""
    return [int(i) for i in np.unravel_index(flat, shape)]


def wrong_form(found, shape, rows=0):
    """Say why `found` is no array of this shape, "" where it is one. `rows`: of so many samples a sum may be missing."""
    if not is_real(found):
        wanted = "an array of real numbers" if isinstance(found, np.ndarray) else "an array"
        return f"must be {wanted}, got {getattr(found, 'dtype', type(found).__name__)}"
    if np.shape(found) == shape:
        return ""
    hint = ": is it transposed?" if np.shape(found) == shape[::-1] else ""
    if rows > 1 and np.shape(found) == (rows, *shape):
        hint = f": is the sum over the {rows} samples missing?"
    return f"must have shape {shape}, got {np.shape(found)}{hint}"


def is_real(array):
    """Return whether this is an array of real numbers, or a nest of numbers that makes one."""
    try:
        return np.asarray(array).dtype.kind in "fiub"
    except ValueError:
        return False


def raised(error, is_theirs, name=""):
    """Say an exception: its kind, its words, and the last line of theirs that it passed, when there is one.

    is_theirs(frame) tells the code in question. `name`, the function that raises it, begins the sentence; without one the number
    of the line does.
    """
    steps = [(error.filename, error.lineno or 0)] if isinstance(error, SyntaxError) else []
    steps += [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__) if is_theirs(frame)]
    file, line = steps[-1] if steps else ("", 0)
    code = linecache.getline(file, line).strip()
    kind, words = type(error).__name__, " ".join(str(error).split())
    words += SWAPPED if "matmul" in words else ""
    if name:
        return f"{name} raises {kind}" + f" at `{code}`" * bool(code) + f": {words}" * bool(words)
    if isinstance(error, MemoryError):
        said = f"it asks for more memory than a task may have ({words})"
    else:
        said = STRANGE.get(type(error), kind + f": {words}" * bool(words))
    return (f"line {line}" + f", `{code}`" * bool(code) + ": ") * bool(line) + said
