"""One voice for mistakes: values, forms and exceptions are put into words in one place, for the check, judges and hunts."""

import numpy as np
import pytest

from numpyae.gradcheck import catalogue, common_bugs
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.diagnosis import difference
from numpyae.gradcheck.sentences import ended, raised, wrong_form

TRUTH = np.random.default_rng(0).normal(size=(7, 5))
HOLE = np.where(np.arange(5) == 3, np.nan, TRUTH)


@pytest.mark.parametrize("found, words", [
    (TRUTH, ""),
    (TRUTH * (1 + 1e-12), ""),
    (-TRUTH, "has the wrong sign"),
    (0 * TRUTH, "is 0 everywhere"),
    (7 * TRUTH, "is 7 times too large, and 7 is the batch size: is the mean over the batch missing?"),
    (TRUTH / 2, "is 2 times too small: is the 2 of the square's derivative missing, or a ½ too many?"),
    (1.37 * TRUTH, "is 1.37 times too large, the same factor in every element"),
    (TRUTH + 0.3, "is off by the same number, 0.3, in every element"),
    (TRUTH + 1e-6, "is right but for a part of"),
    (TRUTH.T.reshape(7, 5), "was it reshaped instead of transposed?"),
    (np.full((7, 5), TRUTH.sum()), "holds the sum over all its elements in every place"),
    (TRUTH.T, "must have shape (7, 5), got (5, 7): is it transposed?"),
    (HOLE, "is NaN or infinite in 7 of 35 elements, the first at [0, 3]"),
    ([1, [2, 3]], "must be an array, got list"),
    ("text", "must be an array, got str"),
    (1j * TRUTH, "must be an array of real numbers, got complex128"),
    (np.where(TRUTH > 1, TRUTH**2, TRUTH), "elements, worst at [")])
def test_how_an_array_differs(found, words):
    said = difference(found, TRUTH, {"the batch size": 7})
    assert words in said and bool(words) == bool(said)


def test_a_single_number_is_no_multiple_of_another():
    assert difference(6.0, 3.0) == "must be 3, and is 6"
    assert difference(np.nan, 3.0) == "is NaN or infinite: does something overflow, or is a logarithm taken of 0?"


def test_what_differs_in_a_nest_is_named():
    wanted = {"W": TRUTH, "parts": (TRUTH, 2.0)}
    assert difference({"W": TRUTH, "parts": [TRUTH, 2.0]}, wanted) == ""
    assert difference({"W": TRUTH, "parts": (TRUTH, 3.0)}, wanted) == "has a parts that has a part 1 that must be 2, and is 3"
    assert difference({"W": TRUTH}, wanted) == "must have W, parts"
    assert difference(None, (1, 2)) == "must have part 0, part 1"


def test_a_case_knows_which_elements_are_wrong():
    found = TRUTH.copy()
    found[2] *= 2
    case = Case.of(found, TRUTH, 1e-8)
    assert case.differs and case.whole and case.share() == "in 5 of 35 elements" and case.stretch() == "row 2"
    narrow = case.narrowed()
    assert narrow.wrong.all() and not narrow.whole and narrow.constant(narrow.truth, 0.0) == pytest.approx(2)
    assert not Case.of(TRUTH, TRUTH, 0).differs


def test_a_form_is_said_with_a_hint():
    assert wrong_form(TRUTH, (7, 5)) == ""
    assert wrong_form(TRUTH, (5,), samples=7) == "must have shape (5,), got (7, 5): is the sum over the 7 samples missing?"
    assert ended("is it?") == "is it?" and ended("it is") == "it is."


def failing(kind, *words):
    raise kind(*words)


@pytest.mark.parametrize("error, words", [
    (ValueError("matmul: no"), "ValueError: matmul: no: is a transpose missing"),
    (AssertionError(), "AssertionError"),
    (RecursionError("deep"), "a function calls itself without end"),
    (MemoryError("10 GB"), "it asks for more memory than a task may have (10 GB)"),
    (SystemExit(0), "the code ends the program, with exit()")])
def test_an_exception_is_said_with_its_line(error, words):
    def is_theirs(frame):
        return frame.f_code is failing.__code__

    with pytest.raises(type(error)) as caught:
        failing(type(error), *error.args)
    line = failing.__code__.co_firstlineno + 1
    assert raised(caught.value, is_theirs).startswith(f"line {line}, `raise kind(*words)`: {words}")
    assert raised(caught.value, is_theirs, "backward").startswith(
        f"backward raises {type(error).__name__} at `raise kind(*words)`")
    assert raised(caught.value, lambda frame: False).startswith(words)


def test_a_syntax_error_has_the_line_that_it_knows():
    with pytest.raises(SyntaxError) as caught:
        compile("x = 1\nthis is no Python\n", "student.py", "exec")
    assert raised(caught.value, lambda frame: False) == "line 2: SyntaxError: invalid syntax (student.py, line 2)"


def test_the_name_that_the_common_bugs_had_still_imports():
    assert catalogue.BUGS is common_bugs.BUGS and catalogue.Dense8 is common_bugs.Dense8
