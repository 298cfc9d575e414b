"""The examination of a repaired bug hunt, at data and sizes that the student has not seen.

The gradient is held against finite differences over every parameter, with the verdicts of `gradcheck`. A wrong one is
diagnosed in the names that the student's own forward and backward use: the first array that differs from that of the
right program is the one to look at, if the loss is the same. Every function must give the same values as that of the
right program, or the same distribution where it draws, and leave its arguments as they were. Sizes are different
primes, and no bias is 0.
"""

import copy
import functools
import types
from typing import Callable, NamedTuple

import numpy as np

from numpyae.gradcheck import invariants
from numpyae.gradcheck.case import Case
from numpyae.gradcheck.diagnosis import diagnose, difference
from numpyae.gradcheck.nests import within
from numpyae.gradcheck.numerical import steady
from numpyae.gradcheck.sentences import ended, finding, raised, wrong_form
from numpyae.gradcheck.sources import watch
from numpyae.gradcheck.subjects import Subject, copies
from numpyae.gradcheck.verdicts import DISAGREE, VERDICTS, compare
from numpyae.gradcheck.vocabulary import Vocabulary

N = 7                                 # samples
WORDS = {"D": "the number of features", "H": "the number of hidden units", "M": "the number of outputs",
         "C": "the number of classes"}
RATE = 0.37
ROUNDING = 1e-8                       # relative to the largest element
FUNCTIONS = ("forward", "backward", "step")              # those whose arrays are looked at
DRAWS = 3000                          # rows of numbers drawn, for each distribution that is compared
KOLMOGOROV = 3.2                      # sqrt(n / 2) times the distance of two distributions: above it once in 10^8 times


class Exam(NamedTuple):
    """The examination of one program.

    `sizes`: the arguments of `parameters`; `batch(rng, sizes)`: those of forward besides w, by name; `values`:
    functions and their arguments, as in "predict w x", that must give the same as those of the right program; `draws`:
    functions that draw, with `rng` among their arguments; `others`: tests of other functions, {name: (exam, right,
    module, rng) -> a sentence or None}; `gradient`: the function that gives the gradient, or makes a step with it.
    """

    sizes: dict
    batch: Callable
    values: tuple = ()
    draws: tuple = ()
    others: dict = {}
    gradient: str = "backward"


class Program(Subject):
    """A program as the gradient check sees it: f is its loss, the arrays are those of w, `settings` name factors."""

    linear = adds = False
    rate = RATE

    def __init__(self, module, w, batch, settings, gradient="backward"):
        self.module, self.parameters, self.fixed, self.stepping = module, w, batch, gradient == "step"
        self.target, self.cache = types.SimpleNamespace(**settings), None

    def f(self):
        return float(self.module.forward(copies(self.parameters), *copies(self.fixed).values())[0])

    def forward(self):
        L, kept = self.module.forward(self.parameters, *self.fixed.values())
        self.kept, self.cache = kept, dict(enumerate(kept)) if isinstance(kept, tuple) else kept
        return [np.array(L, dtype=np.float64)]

    def cached(self):
        return within("cache", self.cache)

    def backward(self, deltas=(), from_zero=True):
        if self.stepping:                                # an algorithm in which the gradient is a part of the step
            before = copies(self.parameters)
            after = self.module.step(self.parameters, *self.fixed.values(), self.rate)
            return {name: (before[name] - after[name]) / self.rate for name in before}
        if not from_zero:                                # twice with one cache: the second call must give the same
            self.module.backward(self.parameters, self.kept)
        return dict(self.module.backward(self.parameters, self.kept))


class Verdict(NamedTuple):
    """The outcome of the gradient check: its rows, and the findings, the more telling first."""

    rows: list
    findings: list

    @property
    def ok(self):
        return not self.findings

    def sentence(self):
        """Return what is wrong, or None."""
        if not self.findings:
            return None
        said, *more = [ended(one["sentence"]) for one in self.findings]
        if self.findings[0]["cause"] == "loss":
            also = f" As a gradient of this loss, {more[0]}" if self.findings[1]["cause"] != "unexplained" else ""
            return f"The gradient is not that of this loss, and the loss is not the one in the text: {said}{also}"
        wrong = [f"d{row['array']}" for row in self.rows if row["verdict"] == VERDICTS[DISAGREE]]
        right = [f"d{row['array']}" for row in self.rows if row["verdict"] != VERDICTS[DISAGREE]]
        arrays = f" (Wrong: {', '.join(wrong)}; right: {', '.join(right) or 'none'}.)" if wrong else ""
        return f"The gradient check: {said}{arrays}"


def missing(exam, module):
    """Return a sentence if a function is not there, else None."""
    names = ["forward", exam.gradient, "parameters"] + [call.split()[0] for call in exam.values + exam.draws]
    return next((f"There is no function {name} any more: the repair is one line, everything else must stay."
                 for name in names if not callable(getattr(module, name, None))), None)


def drawn(exam, right, rng):
    """Return w, off its initial values, and a batch, by name."""
    w = {name: array + 0.3 * rng.standard_normal(array.shape)
         for name, array in right.parameters(rng, **exam.sizes).items()}
    return w, exam.batch(rng, exam.sizes)


def numbers(exam, right, batch):
    """Return {name: number} of what a factor can be: the sizes and the settings of the program."""
    return {"the batch size": N, **{WORDS[name]: size for name, size in exam.sizes.items() if name in WORDS},
            **{"the number of draws": len(array) for array in batch.values() if array.ndim == 3},
            **{name: value for name, value in vars(right).items() if name.isupper() and isinstance(value, float)}}


# The gradient


def gradient(exam, right, module, rng):
    """Return the Verdict on the module's gradient."""
    w, batch = drawn(exam, right, rng)
    subject = Program(module, w, batch, numbers(exam, right, batch), exam.gradient)
    try:
        steady(subject.f)
        gradients, findings = invariants.run(subject, rng)
    except Exception as error:                           # whatever a student's code raises
        return Verdict([], [finding("raises", told(error, module, "forward"))])
    if gradients is None:
        return Verdict([], findings)
    rows = compare(subject, {None: gradients}, rng)
    wrong = [row for row in rows if row["verdict"] == VERDICTS[DISAGREE]]
    truth = Program(right, copies(w), copies(batch), {}, exam.gradient)
    return Verdict(rows, findings or (explained(subject, truth, wrong, rng) if wrong else []))


def explained(subject, right, wrong, rng):
    """Return findings for the wrong rows: on the first array on the way that is wrong, else on the gradients, last
    first.

    If the loss already is another one, that comes first, and the deltas behind it explain nothing.
    """
    words, off, findings = vocabulary(subject), difference(subject.f(), right.f()), []
    if off:
        findings.append(finding("loss", f"at data of ours L {off}"))
        words.deltas.clear()
    first = None if off else first_wrong(words, vocabulary(right))
    cases = [first] if first else [(f"d{row['array']}", Case.of_row(row), words) for row in reversed(wrong)]
    found = [diagnose(case, known, name, wrong[-1]["array"]) for name, case, known in cases]
    for some in found:
        if some[0]["cause"] != "unexplained":
            return findings + some
    title = cases[0][0]
    why = (subject.stepping and shrinks_with_the_rate(subject, title, wrong[-1])
           or right_for_one_sample(subject, title, rng))
    return findings + [one for some in ([why] if why else [], *found) for one in some]


def first_wrong(words, truth):
    """Return (name, Case, words before it) of the first array that differs from that of the right program, or None."""
    before = Vocabulary(parameters=words.parameters, numbers=words.numbers)
    for kind in ("rows", "deltas"):
        for name, array in getattr(words, kind).items():
            right = getattr(truth, kind).get(name)
            if np.shape(right) == array.shape and (case := Case.of(array, right, ROUNDING)).differs:
                return name, case, before
            getattr(before, kind)[name] = array
    return None


def shrinks_with_the_rate(subject, title, row):
    """Return a finding if the gradient that a step shows is ten times less wrong at a tenth of the rate, else None."""
    gaps = []
    for rate in (RATE / 10, RATE):
        subject.rate = rate
        gradient = subject.backward()[row["array"]].ravel()[row["values"]["index"]]
        gaps.append(np.max(np.abs(gradient - row["values"]["numerical"])))
    sentence = "has an error that shrinks with the learning rate: does it come from weights that were updated already?"
    return None if abs(gaps[1] / gaps[0] - 10) > 0.01 else finding("updates", f"{title} {sentence}")


def right_for_one_sample(subject, title, rng):
    """Return a finding if the gradient agrees for the first sample alone, else None.

    If the gradient of two samples is the mean of those of each taken twice, no sample sees another: then N is wrong.
    """
    if not all(len(array) == N for array in subject.fixed.values()):
        return None

    def of(*samples):
        batch = {name: array[list(samples)] for name, array in subject.fixed.items()}
        return Program(subject.module, copies(subject.parameters), batch, {})

    try:
        one = of(0)
        if any(row["verdict"] == VERDICTS[DISAGREE] for row in compare(one, {None: copies(one.gradients())}, rng)):
            return None
        first, second, both = (copies(of(*samples).gradients()) for samples in ((0, 0), (1, 1), (0, 1)))
    except Exception:                                    # a program that needs more
        return None
    mixed = difference(both, {name: (first[name] + second[name]) / 2 for name in both})
    why = "what is summed, or averaged?" if mixed else "has one of its summands a 1/N too few, or too many?"
    return finding("batch one", f"{title} is right for a batch of one sample, and for no larger one: {why}")


def vocabulary(subject):
    """Return the Vocabulary of the arrays in forward and backward, under the names that the student gave them."""
    words, file = Vocabulary(parameters=subject.parameters, numbers=vars(subject.target)), file_of(subject.module)

    def look(frame, event):
        function, inner = frame.f_code.co_name, "<" in frame.f_code.co_qualname
        if event != "return" or frame.f_code.co_filename != file or inner or function not in FUNCTIONS:
            return
        own = vars(frame.f_locals["self"]) if "self" in frame.f_locals else {}
        for name, array in {**frame.f_locals, **{f"self.{name}": value for name, value in own.items()}}.items():
            is_array = isinstance(array, np.ndarray) and array.dtype.kind in "fb" and array.ndim
            if not is_array or name.removesuffix("_new") in subject.parameters:
                continue
            if name.startswith("d") and function != "forward":
                again = f"{name} ({1 + len(words.deltas)})" if name in words.deltas else name
                words.deltas |= {} if name[1:] in subject.parameters else {again: array.copy()}
            elif not name.startswith("self.d"):
                words.rows.setdefault(name, array.copy())

    watch(look, subject.gradients)
    words.rows |= {f"tanh({name})": np.tanh(array) for name, array in words.rows.items()    # a derivative at the output
                   if array.dtype.kind == "f" and array.ndim == 2 and -1 <= array.min() < 0 < array.max() <= 1}
    return words


def file_of(module):
    """Return the file that a program was read from."""
    return getattr(module.forward, "__code__", file_of.__code__).co_filename


def told(error, module, name):
    """Return a sentence about what a function of a program raises, with the line."""
    return raised(error, lambda frame: frame.f_code.co_filename == file_of(module), name)


# The functions


def functions(exam, right, module, rng):
    """Return a sentence about the first function that does not do what that of the right program does, or None."""
    w, batch = drawn(exam, right, rng)
    scope = {**extras(w, rng, batch), **batch, **answers(right, w, rng, exam.sizes), "w": w}
    known = numbers(exam, right, batch)
    calls = {f"forward w {' '.join(batch)}": other_value, **dict.fromkeys(exam.values, other_value),
             **dict.fromkeys(exam.draws, other_draws)}
    tests = [(call.split()[0], functools.partial(test, call.split(), scope, right, module, known, rng))
             for call, test in calls.items()]
    tests += [(name, functools.partial(test, exam, right, module, rng))
              for name, test in {"parameters": initial_weights, **exam.others}.items()]
    for name, test in tests:
        try:
            sentence = test()
        except Exception as error:                       # whatever a student's code raises
            sentence = told(error, module, name)
        if sentence:
            return ended(sentence)
    return None


def extras(w, rng, batch):
    """Return arguments of the functions around the gradient, by name: gradients, velocities, labels ..."""
    like_w = [{name: rng.standard_normal(array.shape) for name, array in w.items()} for _ in range(3)]
    x = batch["x"]
    square = rng.standard_normal((3, 5))
    return {"grads": like_w[0], "m": like_w[1], "v": {name: array**2 for name, array in like_w[2].items()},
            "alpha": 0.013, "k": 3, "x_test": 3 + 2 * rng.standard_normal((5, x.shape[-1])),
            "xs": rng.standard_normal((N, x.shape[-1])), "labels": rng.permutation(np.arange(N) % 5), "classes": 5,
            "log_w": 3 * rng.standard_normal((5, N)), "many": DRAWS, "shape": (DRAWS, 5),
            "same_x": np.tile(x[:1], (DRAWS, 1)), "array": square, "other": rng.standard_normal((3, 5)),
            "opposite": -square, "mixed": square[::-1].copy(), "zeros": np.zeros((3, 5)),
            "f": lambda array: np.sum(array**3) + np.sin(np.sum(array * square)),
            "narrow": {name: array - 3 * (name == "bv") for name, array in w.items()},    # a σ far from its square
            "o": np.tile(rng.standard_normal(5), (DRAWS, 1)), "rho": np.array([1.3]),
            "ts": rng.standard_normal((N, batch["t"].shape[-1])) if "t" in batch else None}


def answers(right, w, rng, sizes):
    """Return x for a classifier, and the classes that the right program finds most probable, all but two."""
    found = {"more_x": rng.standard_normal((53, sizes.get("D", 1)))}
    if hasattr(right, "probabilities"):
        found["classes_of"] = np.argmax(right.probabilities(w, found["more_x"]), axis=1)
        found["classes_of"][:2] = (found["classes_of"][:2] + 1) % sizes["C"]
    if hasattr(right, "probability"):
        p = right.probability(w, found["more_x"])
        found["balanced"] = {**w, "b2": w["b2"] - np.median(np.log(p / (1 - p)))}        # as many yes as no
        found["yes_no"] = (right.probability(found["balanced"], found["more_x"]) > 0.5).astype(float)
        found["yes_no"][:2] = 1 - found["yes_no"][:2]
    return found


def other_value(call, scope, right, module, known, rng):
    """Return a sentence if a function gives something else than that of the right program, or changes an argument."""
    name, *given = call
    arguments = copy.deepcopy([scope[word] for word in given])
    wanted, found = getattr(right, name)(*copy.deepcopy(arguments)), getattr(module, name)(*arguments)
    for word, argument in zip(given, arguments):
        if difference(argument, scope[word]):
            return f"{name}({', '.join(given)}) changes its argument {word} in place"
    if name == "forward":
        what = difference(found[0], wanted[0])
        return what and ("The gradient is that of this loss, but the loss is not the one in the text: at data of ours "
                         f"L {what}")
    what = difference(found, wanted, known, 1e-6 if name == "numerical_gradient" else ROUNDING)
    return what and f"{name}({', '.join(given)}) is not what the text says: at data of ours the result {what}"


def other_draws(call, scope, right, module, known, rng):
    """Return a sentence if what a function draws has another distribution: in a column, or in the means of the rows."""
    name, *given = call
    scopes = [{**scope, "rng": np.random.default_rng(seed)} for seed in rng.integers(2**63, size=2)]
    wanted, found = (np.asarray(getattr(program, name)(*copy.deepcopy([its[word] for word in given])), dtype=np.float64)
                     for program, its in zip((right, module), scopes))
    if form := wrong_form(found, wanted.shape):
        return f"{name}({', '.join(given)}) {form}"
    for pair in [*zip(wanted.T, found.T), (wanted.mean(axis=1), found.mean(axis=1))]:
        if not apart(*pair) < KOLMOGOROV:
            ours, yours = (", ".join(f"{measure(values):.3g}" for measure in (np.mean, np.std, np.min, np.max))
                           for values in pair)
            return (f"{name} does not draw what the text says: mean, deviation, smallest and largest of {DRAWS} "
                    f"numbers are {yours}, and should be about {ours}")
    return None


def apart(one, other):
    """Return sqrt(n / 2) times the distance of Kolmogorov and Smirnov of two empirical distribution functions."""
    at = np.union1d(one, other)
    below = [np.searchsorted(np.sort(values), at, side="right") / len(values) for values in (one, other)]
    return np.sqrt(len(one) / 2) * np.max(np.abs(below[0] - below[1]))


def initial_weights(exam, right, module, rng):
    """Return a sentence if the initial weights of a large network have another deviation; biases must be exact."""
    sizes = {name: 40 + 5 * i for i, name in enumerate(exam.sizes)}
    wanted, found = (program.parameters(np.random.default_rng(seed), **sizes)
                     for program, seed in zip((right, module), rng.integers(2**63, size=2)))
    if not isinstance(found, dict) or found.keys() != wanted.keys():
        return f"parameters: w must be a dict with {', '.join(wanted)}"
    for name, array in wanted.items():
        if form := wrong_form(found[name], array.shape):
            return f"parameters: in these sizes {name} {form}"
        size, mean, std = np.std(array), np.mean(found[name]), np.std(found[name])
        if max(abs(std - size), abs(mean)) > 8 * size / np.sqrt(array.size):
            return (f"parameters: {name} of shape {array.shape} must have mean 0 and deviation {size:.3g} at the "
                    f"start, and has {mean:.3g} and {std:.3g}")
    return None


def all_samples_once(exam, right, module, rng):
    """Return a sentence if the mini-batches of an epoch do not have every sample once, with its t, in random order."""
    x = rng.standard_normal((11, 2))
    t = x[:, :1] + 100
    parts = module.batches(np.random.default_rng(rng.integers(2**63)), x.copy(), t.copy(), 3)
    sizes, together = [len(some_x) for some_x, _ in parts], np.concatenate([some_x for some_x, _ in parts])
    wrong = ((sizes != [3, 3, 3, 2],
              f"11 samples in batches of 3 are 3, 3, 3 and 2, and here {', '.join(map(str, sizes))}"),
             (any(difference(some_t, some_x[:, :1] + 100, tolerance=0) for some_x, some_t in parts),
              "a row of x has got the t of another row"),
             (not np.array_equal(np.sort(together[:, 0]), np.sort(x[:, 0])),
              "in an epoch every sample must be used once; here one is used twice, or never"),
             (np.array_equal(together, x), "the samples must come in random order"))
    return next((f"batches: {sentence}" for holds, sentence in wrong if holds), None)


def agrees_with_itself(exam, right, module, rng):
    """Return a sentence if the gradient check of the program finds fault with a right gradient."""
    w, batch = drawn(exam, right, rng)
    worst = max(module.check(w, *batch.values()).values())
    return None if worst < 1e-6 else f"check: a right gradient is said to have a relative error of {worst:.3g}"


def normal(*names):
    """Return batch(rng, sizes) of normal numbers, a row for each sample: names such as "x:D"."""
    return lambda rng, sizes: {name: rng.standard_normal((N, sizes[width]))
                               for name, width in (pair.split(":") for pair in names)}


def classes(rng, sizes):
    """Return a batch of x, and t one-hot."""
    return {"x": rng.standard_normal((N, sizes["D"])),
            "t": np.eye(sizes["C"])[rng.permutation(np.arange(N) % sizes["C"])]}


def pixels(*noise):
    """Return batch(rng, sizes) of an x of 0 and 1, and ε of the shape `noise`: numbers, or names of sizes."""
    return lambda rng, sizes: {"x": (rng.random((N, sizes["D"])) < 0.5).astype(float),
                               "epsilon": rng.standard_normal([sizes.get(size, size) for size in noise])}


EXAMS = {
    "regression": Exam({"D": 5, "H": 11, "M": 3}, normal("x:D", "t:M"),
                       ("predict w x", "explained w x t", "step w grads alpha")),
    "binary": Exam({"D": 5, "H": 11},
                   lambda rng, s: {**normal("x:D")(rng, s), "t": rng.permutation(np.arange(N) % 2.0)},
                   ("probability w x", "accuracy balanced more_x yes_no", "bits w x t")),
    "classifier": Exam({"D": 3, "H": 11, "C": 5}, classes,
                       ("one_hot labels classes", "probabilities w x", "accuracy w more_x classes_of")),
    "activations": Exam({"D": 5, "H": 11, "J": 2, "K": 13, "M": 3}, normal("x:D", "t:M")),
    "layers": Exam({"D": 3, "H": 11, "C": 5}, classes, ("probabilities w x",)),
    "dropout": Exam({"D": 5, "H": 11, "M": 3},
                    lambda rng, s: {**normal("x:D", "t:M")(rng, s),
                                    "mask": (rng.random((N, s["H"])) < 0.7).astype(float)},
                    ("predict w x",), ("draw_mask rng shape",)),
    "training": Exam({"D": 5, "M": 3}, normal("x:D", "t:M"),
                     ("standardise x x_test", "momentum w grads m alpha", "adam w grads m v k alpha"),
                     others={"batches": all_samples_once}),
    "online": Exam({"D": 5, "H": 11, "M": 3},
                   lambda rng, s: {"x": rng.standard_normal(s["D"]), "t": rng.standard_normal(s["M"])},
                   ("step w x t alpha", "epoch w xs ts alpha", "mean_error w xs ts"), gradient="step"),
    "shared": Exam({"H": 5, "M": 3}, normal("x:H", "t:M"), ("predict w x",)),
    "tied": Exam({"D": 5, "K": 3}, normal("x:D"), ("encode w x", "reconstruct w x", "error_per_feature w x")),
    "denoising": Exam({"D": 5, "H": 11},
                      lambda rng, s: {"x": rng.random((N, s["D"])),
                                      "noise": rng.integers(-1, 2, (N, s["D"])).astype(float)},
                      ("corrupt x noise", "reconstruct w x"), ("draw_noise rng shape",)),
    "sparse": Exam({"D": 5, "H": 11}, normal("x:D"), ("activity w x", "most_active w x")),
    "ksparse": Exam({"D": 5, "H": 11}, normal("x:D"), ("top_k log_w", "encode w x", "used w x")),
    "contractive": Exam({"D": 5, "H": 11}, normal("x:D"), ("jacobian w x", "stiffness w x")),
    "vae": Exam({"D": 5, "H": 11, "K": 3}, pixels(N, "K"), ("information w x",),
                ("draw_epsilon rng shape", "draw_codes narrow same_x rng", "generate w many rng")),
    "gaussian_vae": Exam({"D": 5, "H": 11, "K": 3}, normal("x:D", "epsilon:K"), ("active w x",), ("draw o rho rng",)),
    "iwae": Exam({"D": 5, "J": 3}, pixels(11, N, "J"),
                 ("log_likelihood log_w", "effective_draws log_w")),
    "full_vae": Exam({"D": 5},
                     lambda rng, s: {**normal("x:D")(rng, s), "epsilon": rng.standard_normal((N, 2))},
                     ("covariance w x", "correlation w x")),
    "numerical": Exam({"D": 5, "H": 11, "M": 3}, normal("x:D", "t:M"),
                      ("numerical_gradient f array", "relative_error array other", "relative_error array opposite",
                       "relative_error array mixed", "relative_error zeros zeros"),
                      others={"check": agrees_with_itself}),
}
