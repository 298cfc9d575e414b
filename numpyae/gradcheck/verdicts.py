"""The verdict on every element: agree, disagree, cannot tell, or kink.

No tolerance is picked by hand. The numerical gradient comes with an error bar: two gradients agree when they are
within a few bars of each other, disagree when they are not and a second, closer look confirms it, and where the bar
itself is a tenth of the gradient or more, nothing can be told. On a kink there is no gradient: every slope between the
one to the left and the one to the right is accepted there, and the element is counted.

Layers know on which side of their kinks every unit was (`active_set`). A step counts only when no unit changes its
side in it, so *kink* means that the point itself sits on one. For other code the slopes to both sides are compared.
"""

import time

import numpy as np

from numpyae.gradcheck.numerical import (confirmed, first_look, halved, noise_of, one_sided, scale_of, second_look,
                                         slopes, values_at)
from numpyae.gradcheck.sentences import place_of

AGREE, DISAGREE, CANNOT_TELL, KINK = range(4)
VERDICTS = ("agree", "disagree", "cannot tell", "kink")
SAFETY = 8                            # error bars within which two gradients agree
VAGUE = 1e-4                          # relative error above which an element is looked at again,
USELESS = 0.1                         # relative error above which it tells nothing
ALL = 2000                            # arrays of up to so many elements are checked in every element,
SAMPLE = 200                          # larger ones in so many, one from each of equal strata,
DIRECTIONS = 4                        # and along so many random directions;
HUGE = 20000                          # larger ones along directions alone
PATIENCE, LEAST, CALLS = 5.0, 4, 6    # seconds for an array of a slow f; elements at least; values of f for each
TIES = 12                             # so many elements on kinks are moved together, too
CONFIRM = 20                          # when so many second looks in an array end alike, the others need none;
CONFIRM_WRONG = 8                     # so many where they confirm a difference, since one element proves it


def compare(subject, gradients, rng):
    """Return the rows of the report, for each array and term. gradients: {term: {name: array}}, None for all of f."""
    return [row for name, array in subject.arrays.items() if array.size for row in
            compare_array(subject, name, array, [(term, found[name]) for term, found in gradients.items()], rng)]


def compare_array(subject, name, array, yours, rng):
    """Return the rows of one array: yours is [(term, gradient), ...], the first for the whole of f."""
    f = Component(subject, ...)
    with np.errstate(all="ignore"):                      # a step may leave the domain of f: then another one is taken
        scale = scale_of(array)
        start = time.perf_counter()
        noise = noise_of(f, array, scale, rng)
        flat = chosen(array.size, affordable(subject, (time.perf_counter() - start) / 9), rng)
        indices = [np.unravel_index(i, array.shape) for i in flat]
        R, error = first_look(f, array, indices, scale, noise, rng) if indices else np.zeros((2, 0, *np.shape(noise)))
        rows = []
        for term, gradient in yours:
            one = Component(subject, 1 + subject.names.index(term) if term else 0)
            values = {"index": np.array(flat, dtype=int), "numerical": one.of(R), "error": one.of(error),
                      "yours": np.array([gradient[index] for index in indices], dtype=np.float64),
                      "kinked": np.zeros(len(flat), dtype=bool)}
            values["error"] += subject.digits / SAFETY * largest(values["numerical"])
            if term is None and subject.names:
                values["by_name"] = {name: np.asarray(R)[:, 1 + k] for k, name in enumerate(subject.names)}
            roughness = float(one.of(noise))
            values["verdict"] = verdicts(one, array, indices, scale, roughness, values, rng)
            if not subject.adds:
                together(one, array, indices, scale, values)
            row = {"array": name, "term": term, "shape": list(array.shape), "elements": int(array.size),
                   "values": values}
            if len(flat) < array.size:
                row["directions"] = along_directions(one, array, gradient, scale, roughness, values, rng)
            rows.append(summed_up(row))
    return rows


def along_directions(f, array, gradient, scale, noise, values, rng):
    """Return (yours, numerical, error, verdict) of the slopes of f along random directions of the whole array.

    Where one is wrong and no element that was judged is, the wrong element is hunted down and put among the values.
    """
    found = [slope_along(f, array, gradient, scale * rng.standard_normal(array.shape), noise)
             for _ in range(DIRECTIONS if array.size <= HUGE else DIRECTIONS // 2)]
    if any(verdict == DISAGREE for *_, verdict in found) and not np.any(values["verdict"] == DISAGREE):
        flat = hunted_down(f, array, gradient, scale, noise, rng)
        index = np.unravel_index(flat, array.shape)
        fresh = {"index": flat, "yours": gradient[index], "numerical": np.nan, "error": np.inf, "verdict": AGREE,
                 "kinked": False}
        values |= {key: np.append(values[key], value) for key, value in fresh.items()}
        if "by_name" in values:
            values["by_name"] = {name: np.append(part, 0.0) for name, part in values["by_name"].items()}
        values["verdict"][-1] = look_again(f, array, index, scale[index], noise, values, -1)
    return found


class Component:
    """A function of an array that f reads: f itself or one of its terms, by its column in what f gives; `...`: all."""

    def __init__(self, subject, column):
        self.subject, self.column = subject, column

    def __call__(self, _):
        value = self.subject.value()
        return np.broadcast_to(value, 1 + len(self.subject.names))[self.column] if self.subject.names else value

    def of(self, values):
        """Return the column of this component in values that f with all its terms has given."""
        return np.array(np.asarray(values)[..., self.column] if self.subject.names else values, dtype=np.float64)

    def sides(self, w, index, *steps):
        """Return the active sets at w + h e_i for each of these steps h, or None where nobody knows of kinks."""
        def side(_):
            self.subject.value()
            return np.concatenate([np.zeros(0), *(side.ravel() for side in self.subject.active_sets().values())])

        found = values_at(side, w, index, [w[index] + h for h in steps])
        return found if found[0].size else None


def chosen(size, most, rng):
    """Return which elements are compared: all, or one from each of equal strata of a large array, at most `most`.

    Of an array with more than HUGE elements none is: it is judged along directions alone.
    """
    number = min(most, SAMPLE if size > ALL else size) if size <= HUGE else 0
    edges = np.linspace(0, size, number + 1).astype(int)
    return (range(size) if number == size else
            [int(rng.integers(low, high)) for low, high in zip(edges[:-1], edges[1:])])


def affordable(subject, seconds):
    """Return how many elements can be looked at in the time that is left, where one value of f takes these seconds.

    The parameters of the subject share what its deadline leaves. Without a deadline an array may take PATIENCE seconds.
    """
    left = PATIENCE
    if subject.deadline is not None:
        left = max(0.0, subject.deadline - time.monotonic()) / len(subject.arrays)
    return int(min(max(LEAST, left / (CALLS * max(seconds, 1e-9))), 2**31))


def verdicts(f, array, indices, scale, noise, values, rng):
    """Return the verdicts, (n,); where a second look was needed, `values` gets its numerical gradient and error."""
    yours, numerical, error = values["yours"], values["numerical"], values["error"]
    gap, size = np.abs(yours - numerical), np.maximum(np.abs(yours), np.abs(numerical))
    apart = ~(gap <= SAFETY * error)
    sure = (error <= VAGUE * size) & (gap <= np.maximum(error, 1e-9 * size))
    verdict = np.where(apart, DISAGREE, np.where((gap > 0) & ~(error <= USELESS * size), CANNOT_TELL, AGREE))
    for doubtful, enough in ((apart, CONFIRM_WRONG), (~apart & (gap > 0) & ~sure, CONFIRM)):
        alike = 0                     # how many second looks in a row have not changed the verdict
        for i in rng.permutation(np.flatnonzero(doubtful)):
            if alike == enough:
                break
            first = verdict[i]
            verdict[i] = look_again(f, array, indices[i], scale[indices[i]], noise, values, i)
            alike = alike + 1 if verdict[i] == first else -len(doubtful)
    return verdict


def look_again(f, array, index, scale, noise, values, i):
    """Return the verdict on one element after a second look."""
    yours = values["yours"][i]
    known = f.sides(array, index, -1e-12 * scale, 0.0, 1e-12 * scale)

    def same_side(h):
        return all(np.array_equal(side, known[1]) for side in f.sides(array, index, -h, h))

    with np.errstate(all="ignore"):
        R, error = values["numerical"][i], values["error"][i]
        floor = f.subject.digits / SAFETY * largest(values["numerical"])
        if not (abs(yours - R) > SAFETY * error and confirmed(f, array, index, scale, noise, R, error)):
            R, error = second_look(f, array, index, scale, noise, same_side if known else None)
            error = error + floor
        if abs(yours - values["numerical"][i]) <= SAFETY * values["error"][i] and not error < values["error"][i]:
            R, error = values["numerical"][i], values["error"][i]            # the first look was no worse
        if np.isfinite(error):
            values["numerical"][i], values["error"][i] = R, error
            gap, size = abs(yours - R), max(abs(yours), abs(R))
            if gap <= SAFETY * error:
                told = error <= USELESS * size or gap == 0
                if yours == 0 and not told:              # a 0 is measured by how steep f is beside it
                    told = error <= 1e-6 * max(map(abs, one_sided(f, array, index, 1e-2 * scale)))
                return AGREE if told else CANNOT_TELL
        return (on_a_kink(f, array, index, scale, noise, values, i, known)
                or (DISAGREE if np.isfinite(error) or np.isnan(yours) else CANNOT_TELL))


def on_a_kink(f, array, index, scale, noise, values, i, known):
    """Return KINK or DISAGREE where the slopes on both sides differ, KINK where winners tie, else None."""
    found = next(filter(None, (slopes(f, array, index, near, noise)
                               for near in {abs(array[index]) or scale, scale})), None)
    if found is not None and np.all(np.isfinite(found)):
        slack = 1e-4 * max(map(abs, found))
        values["numerical"][i], values["error"][i] = np.mean(found), (found[1] - found[0]) / 2
        values["kinked"][i] = True
        return KINK if found[0] - slack <= values["yours"][i] <= found[1] + slack else DISAGREE
    ties = known and not np.array_equal(known[0], known[1]) and not np.array_equal(known[1], known[2])
    return KINK if ties else None                        # on both sides other units win, and f has no gradient


def together(f, array, indices, scale, values):
    """Set the verdict of elements on kinks to DISAGREE where they agree one by one, and not together.

    At a tie of six maxima every slope from 0 to 1 is right for each, but a gradient that gives 1 to all six is not: six
    that rise together raise the maximum once. So elements whose slopes do not add up are moved together, and the slope
    of the gradient must lie between those to both sides.
    """
    kinks = np.flatnonzero(values["verdict"] == KINK)[:TIES]
    if len(kinks) < 2:
        return
    h = 1e-6 * max(scale[indices[i]] for i in kinks)
    alone = {i: sides_along(f, array, [indices[i]], h) for i in kinks}
    for i in kinks:
        pairs = {j: sides_along(f, array, [indices[i], indices[j]], h) for j in kinks if j != i}
        tied = [i] + [j for j, both in pairs.items()
                      if abs(both[1] - alone[i][1] - alone[j][1]) > 1e-3 * max(abs(both[1]), abs(alone[i][1]), 1e-300)]
        low, high = sorted(sides_along(f, array, [indices[j] for j in tied], h))
        yours = float(np.sum(values["yours"][tied]))
        slack = 1e-4 * max(abs(low), abs(high), abs(yours))
        if len(tied) > 1 and np.isfinite(high - low) and not low - slack <= yours <= high + slack:
            values["verdict"][tied] = DISAGREE


def sides_along(f, array, indices, h):
    """Return the slopes of f to the left and to the right where these elements move together."""
    v = np.zeros(array.shape)
    for index in indices:
        v[index] = 1.0
    return one_sided(along(f, array, v), np.zeros(1), (0,), h)


def along(f, array, v):
    """Return g with g([t]) = f(array + t v); it leaves the array as it was."""
    start = array.copy()

    def g(t):
        return values_at(f, array, ..., [start + t[0] * v])[0]

    return g


def slope_along(f, array, gradient, v, noise):
    """Return (yours, numerical, error, verdict) of the slope of f along v."""
    g, zero = along(f, array, v), np.zeros(1)
    yours = float(np.sum(gradient * v))
    R, error = halved(g, zero, (0,), 1e-4, noise)
    if not abs(yours - R) <= SAFETY * error <= VAGUE * abs(R):
        R, error = second_look(g, zero, (0,), 1.0, noise)
    error += max(1e-12, f.subject.digits / SAFETY) * float(np.sum(np.abs(gradient * v)))
    unclear = not np.isfinite(error) or error > USELESS * max(abs(yours), abs(R))
    return yours, float(R), float(error), (CANNOT_TELL if unclear else
                                           AGREE if abs(yours - R) <= SAFETY * error else DISAGREE)


def largest(values):
    """Return the largest finite absolute value, 0 where there is none."""
    return np.max(np.abs(values), initial=0, where=np.isfinite(values))


def hunted_down(f, array, gradient, scale, noise, rng):
    """Return the flat index of a wrong element that no sample met: directions are halved until one element is left."""
    low, high = 0, array.size
    while high - low > 1:
        middle = (low + high) // 2
        v = np.zeros(array.size)
        v[low:middle] = scale.ravel()[low:middle] * rng.choice([-1.0, 1.0], middle - low)
        *_, verdict = slope_along(f, array, gradient, v.reshape(array.shape), noise)
        low, high = (low, middle) if verdict == DISAGREE else (middle, high)
    return low


def summed_up(row):
    """Return the row with its counts, its verdict and its worst element."""
    values, verdict = row["values"], row["values"]["verdict"]
    counts = [int(np.sum(verdict == kind)) for kind in range(len(VERDICTS))]
    whole = next((kind for kind in (CANNOT_TELL, KINK) if counts[kind] == len(verdict)), AGREE)
    if counts[DISAGREE] or any(found[3] == DISAGREE for found in row.get("directions", ())):
        whole = DISAGREE
    if not len(verdict):
        return row | along_only(row, whole)
    doubt = np.nan_to_num(np.abs(values["yours"] - values["numerical"]) / (values["error"] + 1e-300), nan=np.inf)
    doubt[verdict != whole] = -1
    i = int(np.argmax(doubt))
    row |= {"checked": len(verdict), "disagree": counts[DISAGREE], "cannot_tell": counts[CANNOT_TELL],
            "kinks": counts[KINK], "verdict": VERDICTS[whole], "index": place_of(values["index"][i], row["shape"])}
    return row | {key: float(values[key][i]) for key in ("yours", "numerical", "error")}


def along_only(row, whole):
    """Return what a row says that was judged along directions alone: its first direction stands for the element."""
    found = row["directions"]
    if whole != DISAGREE:
        whole = AGREE if any(verdict == AGREE for *_, verdict in found) else CANNOT_TELL
    yours, numerical, error, _ = next((one for one in found if one[3] == whole), found[0])
    return {"checked": 0, "disagree": 0, "cannot_tell": 0, "kinks": 0, "verdict": VERDICTS[whole], "index": [],
            "yours": yours, "numerical": numerical, "error": error}
