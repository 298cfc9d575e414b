"""A case: one array that is wrong, and the truth beside it."""

import numpy as np

from numpyae.gradcheck.sentences import apart, place_of
from numpyae.gradcheck.verdicts import DISAGREE, SAFETY

EXACT = 1e-9                          # relative rounding of what is computed without finite differences,
LAST = 1e-13                          # and what summands as large as the largest element can leave in any other


class Case:
    """One array that is wrong, in those elements that could be judged. All arrays here are flat.

    `yours`, `truth` and the `error` of the truth; `index`, where the elements stand in an array of this `shape`;
    `wrong` and `kinked`, which of them are; `terms`, {name: the truth of one term of the loss}. `not_finite` holds the
    places where yours is NaN or infinite; they are left out of the rest. `whole` is True when every element is there.
    """

    def __init__(self, shape, index, yours, truth, error, wrong, kinked, terms=None):
        good = np.isfinite(yours) & np.isfinite(truth)
        self.shape, self.not_finite = tuple(shape), index[~np.isfinite(yours)]
        self.index, self.yours, self.truth, self.error = index[good], yours[good], truth[good], error[good]
        self.wrong, self.kinked = wrong[good], kinked[good]
        self.terms = {term: part[good] for term, part in (terms or {}).items()}
        self.whole = len(self.index) == np.prod(shape, dtype=int)

    @classmethod
    def of(cls, found, truth, tolerance):
        """Return the case of two arrays of one shape; a difference counts above this share of the largest number."""
        yours, exact = (np.ravel(array).astype(np.float64) for array in (found, truth))
        allowed = tolerance * np.max(np.abs(exact), initial=0) + 1e-300
        with np.errstate(invalid="ignore"):
            wrong = ~(np.abs(yours - exact) <= allowed)
        return cls(np.shape(truth), np.arange(yours.size), yours, exact, np.full(yours.size, allowed / SAFETY), wrong,
                   np.zeros_like(wrong))

    @classmethod
    def of_row(cls, row, columns=None):
        """Return the case of a row of the check, or of some columns, (first, behind the last), of its array."""
        values, shape = row["values"], tuple(row["shape"])
        index, judged = values["index"], values["verdict"] <= DISAGREE
        if columns is not None:
            first, behind = columns
            sample, column = np.divmod(index, shape[-1])
            judged = judged & (first <= column) & (column < behind)
            index, shape = sample * (behind - first) + column - first, (*shape[:-1], behind - first)
        yours, truth, error, kinked = (values[key][judged] for key in ("yours", "numerical", "error", "kinked"))
        return cls(shape, index[judged], yours, truth, error, values["verdict"][judged] == DISAGREE, kinked,
                   {term: part[judged] for term, part in values.get("by_name", {}).items()})

    @property
    def differs(self):
        """True when anything is wrong."""
        return bool(self.wrong.any() or self.not_finite.size)

    def narrowed(self):
        """Return the case of the wrong elements alone."""
        return Case(self.shape, *(array[self.wrong] for array in (self.index, self.yours, self.truth, self.error,
                                                                  self.wrong, self.kinked)))

    def at(self, array):
        """Return the elements of an array of the whole shape that are here."""
        return np.asarray(array, dtype=np.float64).reshape(-1)[self.index]

    def fits(self, candidate, error, target=None):
        """Return whether the target, `yours` by default, is `candidate` to within this error and rounding."""
        target = self.yours if target is None else target
        return bool(np.all(np.abs(target - candidate) <= SAFETY * error + rounding(candidate)))

    def constant(self, basis, error, target=None):
        """Return c if the target, `yours` by default, is c times the basis to within |c| error, else None."""
        target = self.yours if target is None else target
        size = np.abs(basis)
        if not size.size or not size.max() > 0:
            return None
        sure = size > 0.1 * size.max()
        c = float(np.median(target[sure] / basis[sure]))
        slack = SAFETY * abs(c) * error + rounding(np.maximum(np.abs(target), abs(c) * size))
        slack = slack + size * SAFETY * abs(c) * np.max(error / size.max())
        if target is not self.yours:                     # it has the error of the truth, and so has c
            slack = slack + SAFETY * (self.error + size * np.median(self.error[sure] / size[sure]))
        return c if np.isfinite(c) and c != 0 and np.all(np.abs(target - c * basis) <= slack) else None

    def multiples(self, bases, error=0.0, target=None):
        """Return, one by one, (name, c) for every (name, basis) of which the target is c times, to within |c| error."""
        return ((name, c) for name, basis in bases if (c := self.constant(basis, error, target)) is not None)

    def share(self):
        """Return in words how many elements are wrong: `in 2 of 15 elements`."""
        return f"in {self.wrong.sum()} of {len(self.yours)} elements"

    def stretch(self):
        """Return in words which elements are wrong: `rows 0, 3` where these are wrong as a whole, `at [1, 2]`."""
        at = np.array(np.unravel_index(self.index[self.wrong], self.shape)).T
        rest = np.array(np.unravel_index(self.index[~self.wrong], self.shape)).T
        for axis, word in enumerate(("row", "column")[:at.shape[1]]):
            lines = sorted(set(at[:, axis]))
            if not set(lines) & set(rest[:, axis]):
                return word + "s" * (len(lines) > 1) + f" {', '.join(map(str, lines[:5]))}" + " ..." * (len(lines) > 5)
        return f"at {at[0].tolist()}" if len(at) == 1 else f"the first at {at[0].tolist()}"

    def worst(self):
        """Return in words what the element that is most wrong must be: `worst at [1, 2]: it must be 3, and is 4`."""
        i = int(np.argmax(self.wrong * np.abs(self.yours - self.truth)))
        words = "must be {}, and is {}".format(*apart(self.truth[i], self.yours[i]))
        return f"worst at {place_of(self.index[i], self.shape)}: it {words}" if self.shape else words


def rounding(array):
    """Return the rounding of each element of what is computed without finite differences.

    It is measured by the element itself: one large element must not make room for errors in the others.
    """
    size = np.abs(array)
    return EXACT * size + LAST * size.max(initial=0)
