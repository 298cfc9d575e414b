"""Sentences: a mistake is put into words here, for the check, the judges of exercises and the bug hunts alike.

A mistake becomes a finding, a dict with the place, the array, a cause of one or two words and a sentence. An array is
said by the form that it must have, an exception by its words and by the line at which it arose.
"""

import linecache
import traceback

import numpy as np

SWAPPED = ": is a transpose missing, or are the operands of a product swapped?"
PLAINER = {SystemExit: "the code ends the program, with exit()", RecursionError: "a function calls itself without end"}


def finding(cause, sentence, array=None, factor=None):
    """Return the finding of one thing that is wrong; whoever knows the place fills it in."""
    return {"place": "", "layer": "", "array": array, "cause": cause, "sentence": sentence, "factor": factor}


def ended(sentence):
    """Return the sentence with a full stop, unless it has one or ends with a question mark."""
    return sentence if sentence.endswith(("?", ".")) else sentence + "."


def coefficient(c):
    """Return the factor c as it stands before a name: "" for 1, "-" for -1, else the number and a space."""
    return "" if abs(c - 1) < 1e-6 else "-" if abs(c + 1) < 1e-6 else f"{c:.6g} "


def apart(a, b):
    """Return two numbers as texts, with at least six digits, and with as many as show that they differ."""
    digits = next((digits for digits in range(6, 17) if f"{a:.{digits}g}" != f"{b:.{digits}g}"), 17)
    digits = digits if digits == 6 else digits + 1
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def place_of(flat, shape):
    """Return the index of an element as a list of numbers, which prints as [1, 2]."""
    return [int(i) for i in np.unravel_index(flat, shape)]


def wrong_form(found, shape, samples=0):
    """Return a sentence if `found` is no real array of this shape, else "". A sum over `samples` may be missing."""
    try:
        real = np.asarray(found).dtype.kind in "fiub"
    except ValueError:                                   # a nest of unequal lengths
        real = False
    if not real:
        return ("must be an array" + " of real numbers" * isinstance(found, np.ndarray)
                + f", got {getattr(found, 'dtype', type(found).__name__)}")
    got = np.shape(found)
    hint = (f": is the sum over the {samples} samples missing?" if samples > 1 and got == (samples, *shape) else
            ": is it transposed?" if got == shape[::-1] else "")
    return "" if got == shape else f"must have shape {shape}, got {got}{hint}"


def raised(error, is_theirs, name=""):
    """Return a sentence about an exception: its kind, its words, and the last line of theirs that it passed, if any.

    is_theirs(frame) tells which code is theirs. The sentence begins with `name`, the function that raises; without a
    name it begins with the number of the line.
    """
    steps = [(error.filename, error.lineno or 0)] if isinstance(error, SyntaxError) else []
    steps += [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)
              if is_theirs(frame)]
    file, line = steps[-1] if steps else ("", 0)
    code = linecache.getline(file, line).strip()
    kind, words = type(error).__name__, " ".join(str(error).split())
    words += SWAPPED if "matmul" in words else ""
    if name:
        return f"{name} raises {kind}" + f" at `{code}`" * bool(code) + f": {words}" * bool(words)
    said = (f"it asks for more memory than a task may have ({words})" if isinstance(error, MemoryError) else
            PLAINER.get(type(error), kind + f": {words}" * bool(words)))
    return (f"line {line}" + f", `{code}`" * bool(code) + ": ") * bool(line) + said
