"""Bug hunts: the programs are right, each hunt has one bug, each is caught. All of them: `python -m tests.benchmarks.hunts`."""

import ast
import importlib.util
import re

import numpy as np
import pytest

from numpyae import (ELU, IWAE, VAE, Adam, Autoencoder, BernoulliNLL, Contraction, Dense, DiagonalGaussian, Dropout,
                     FullGaussian, GaussianNLL, KLSparsity, Momentum, ReLU, Regression, SaltAndPepper, Sequential, Sigmoid,
                     Softmax, SoftmaxCrossEntropy, Softplus, SquaredError, Tanh, TiedDense, TopK, gradcheck, mlp, online_backprop)
from numpyae.cli import main
from numpyae.course import examination, hunts
from numpyae.course.bugs import BUGS, KINDS
from tests.benchmarks.hunts import caught, hints_are_steps, in_memory

PROGRAMS = sorted({bug.program for bug in BUGS})
RIGHT = {name: in_memory((hunts.FOLDER / f"{name}.py").read_text(encoding="utf-8")) for name in PROGRAMS}


def loaded(path):
    """A student's file as a module, as the grader loads it."""
    spec = importlib.util.spec_from_file_location("student", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def edited(path, *pairs):
    """The file with these texts replaced, loaded, and judged."""
    text = path.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    level, seed = map(int, re.match(r'"""Bug hunt, level (\d), seed (\d+): ', text).groups())
    return hunts.judge(level, seed, loaded(path), np.random.default_rng(0))


def seed_of(program, kind, wrong=""):
    """(level, seed) of a hunt."""
    bug = next(bug for bug in BUGS if bug.program == program and bug.kind == kind and wrong in bug.wrong)
    return bug.level, next(seed for seed in range(len(BUGS)) if hunts.find(bug.level, seed) == bug)


# The programs: right by our check, right by the library

@pytest.mark.parametrize("name", PROGRAMS)
def test_a_right_program_passes(name):
    assert hunts.examined(name, RIGHT[name], RIGHT[name], np.random.default_rng(1)) is None


def as_columns(*names):
    """Of the library's model w in its order, from w of a program: arrays side by side where two names stand together."""
    return lambda w: np.concatenate([np.concatenate([w[one] for one in name.split()], axis=-1).ravel() for name in names])


def in_order(w):
    return np.concatenate([array.ravel() for array in w.values()])


def tied(s):
    dense = Dense(s["D"], s["K"])
    return Autoencoder(Sequential(dense, Tanh()), TiedDense(dense), SquaredError())


def classifier(s):
    return Regression(mlp([s["D"], s["H"], s["C"]]), SoftmaxCrossEntropy())


def stack(s):
    sizes = [s[name] for name in "DHJKM"]
    layers = [layer for k, phi in enumerate((Tanh, Softplus, ELU, Softmax)) for layer in (Dense(sizes[k], sizes[k + 1]), phi())]
    return Regression(Sequential(*layers), SquaredError())


CODE = ("Wm Wv", "bm bv")
LIBRARY = {                           # the model, how w is ordered in it, how its noise is called
    "regression": (lambda s, m: Regression(mlp([s["D"], s["H"], s["M"]]), SquaredError()), in_order, None),
    "numerical": (lambda s, m: Regression(mlp([s["D"], s["H"], s["M"]]), SquaredError()), in_order, None),
    "binary": (lambda s, m: Regression(mlp([s["D"], s["H"], 1], hidden=Sigmoid), BernoulliNLL()), in_order, None),
    "layers": (lambda s, m: classifier(s), in_order, None),
    "activations": (lambda s, m: stack(s), in_order, None),
    "training": (lambda s, m: Regression(Sequential(Dense(s["D"], s["M"])), SquaredError()), in_order, None),
    "dropout": (lambda s, m: Regression(Sequential(Dense(s["D"], s["H"]), ReLU(), Dropout(1 - m.KEEP), Dense(s["H"], s["M"])),
                                        SquaredError()), in_order, "network.2.mask"),
    "tied": (lambda s, m: tied(s), in_order, None),
    "denoising": (lambda s, m: Autoencoder(mlp([s["D"], s["H"]], output=Sigmoid), mlp([s["H"], s["D"]]), BernoulliNLL(),
                                           SaltAndPepper(m.P)), in_order, "corruption"),
    "sparse": (lambda s, m: Autoencoder(mlp([s["D"], s["H"]], output=Sigmoid), mlp([s["H"], s["D"]]), SquaredError(),
                                        penalties=[KLSparsity(m.RHO, m.BETA)]), in_order, None),
    "ksparse": (lambda s, m: Autoencoder(Sequential(Dense(s["D"], s["H"]), TopK(m.K)), mlp([s["H"], s["D"]]), SquaredError()),
                in_order, None),
    "contractive": (lambda s, m: Autoencoder(mlp([s["D"], s["H"]], output=Sigmoid), mlp([s["H"], s["D"]]), SquaredError(),
                                             penalties=[Contraction(m.LAMBDA)]), in_order, None),
    "vae": (lambda s, m: VAE(mlp([s["D"], s["H"], 2 * s["K"]]), mlp([s["K"], s["H"], s["D"]]), BernoulliNLL(),
                             DiagonalGaussian(s["K"])),
            as_columns("W1", "b1", *CODE, "W2", "b2", "W3", "b3"), "epsilon"),
    "gaussian_vae": (lambda s, m: VAE(mlp([s["D"], 2 * s["K"]]), mlp([s["K"], s["H"], s["D"]]), GaussianNLL(1.0, learn=True),
                                      DiagonalGaussian(s["K"])), as_columns(*CODE, "W1", "b1", "W2", "b2", "rho"), "epsilon"),
    "iwae": (lambda s, m: IWAE(mlp([s["D"], 2 * s["J"]]), mlp([s["J"], s["D"]]), BernoulliNLL(), DiagonalGaussian(s["J"]),
                               samples=11),
             as_columns(*CODE, "W", "b"), "epsilon"),
    "full_vae": (lambda s, m: VAE(mlp([s["D"], 5]), mlp([2, s["D"]]), GaussianNLL(), FullGaussian(2)),
                 as_columns("Wm Wv Wc", "bm bv bc", "W", "b"), "epsilon"),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_a_program_is_what_the_library_is(name):
    make, ordered, noise = LIBRARY[name]
    module, exam = RIGHT[name], examination.EXAMS[name]
    w, batch = examination.drawn(exam, module, np.random.default_rng(2))
    L, cache = module.forward(w, *batch.values())
    grads = module.backward(w, cache)
    model = make(exam.sizes, module)
    model.w = ordered(w)
    data = [batch[key] if batch[key].ndim == 2 else batch[key][:, None] for key in ("x", "t") if key in batch]
    frozen = {noise: batch[list(batch)[-1]]} if noise else None
    assert abs(model.loss(*data, noise=frozen) - L) < 1e-12 * abs(L)
    assert np.abs(model.backward() - ordered(grads)).max() < 1e-12


def test_the_weight_decay_of_the_classifier_and_the_layer_that_is_used_twice():
    for name in ("classifier", "shared"):
        module = RIGHT[name]
        w, batch = examination.drawn(examination.EXAMS[name], module, np.random.default_rng(2))
        assert gradcheck.check_function(lambda w: module.forward(w, *batch.values())[0],
                                        lambda w: module.backward(w, module.forward(w, *batch.values())[1]), w).ok
    module = RIGHT["classifier"]
    w, batch = examination.drawn(examination.EXAMS["classifier"], module, np.random.default_rng(2))
    model = classifier(examination.EXAMS["classifier"].sizes)
    model.w = in_order(w)
    decay = module.LAMBDA * (np.sum(w["W1"]**2) + np.sum(w["W2"]**2))
    assert abs(model.loss(*batch.values()) + decay - module.forward(w, *batch.values())[0]) < 1e-12


def test_the_optimizers_and_the_online_algorithm_are_the_librarys():
    rng, module = np.random.default_rng(3), RIGHT["training"]
    w, zero = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}, {"W": np.zeros((3, 2)), "b": np.zeros(2)}
    ours, adams = (w, zero), (w, zero, zero)
    flat, other, momentum = in_order(w), in_order(w), Momentum(0.01, module.MU)
    adam = Adam(0.01, module.BETA1, module.BETA2, module.EPSILON)
    for k in range(1, 5):
        grads = {"W": rng.normal(size=(3, 2)), "b": rng.normal(size=2)}
        ours = module.momentum(ours[0], grads, ours[1], 0.01)
        adams = module.adam(adams[0], grads, adams[1], adams[2], k, 0.01)
        momentum.step(flat, in_order(grads))
        adam.step(other, in_order(grads))
    assert np.abs(in_order(ours[0]) - flat).max() < 1e-14 and np.abs(in_order(adams[0]) - other).max() < 1e-14
    module, network = RIGHT["online"], mlp([2, 5, 5, 3], rng=rng)
    x, t = rng.normal(size=(6, 2)), rng.normal(size=(6, 3))
    w = dict(zip(("W1", "b1", "W2", "b2", "W3", "b3"), [array.copy() for array in network.named_parameters().values()]))
    w = module.epoch(w, x, t, 0.05)
    online_backprop(network, x, t, 0.1, epochs=1)        # the slides' rate is 2 α
    assert np.abs(in_order(w) - network.w).max() < 1e-14


# The bugs

SAMPLE = {"sign": "regression", "order": "sparse", "bias_mean": "layers", "decay": "classifier",
          "derivative_lost": "online",
          "mask_lost": "ksparse", "updated": "online", "redrawn": "dropout", "not_zeroed": "layers", "overwrite": "tied",
          "target": "denoising", "constant": "sparse", "twice": "layers", "broadcast": "binary", "leak": "training",
          "difference": "numerical", "bound": "iwae", "sampler": "dropout", "covariance": "full_vae", "sigma": "gaussian_vae"}


def test_there_are_enough_and_all_are_distinct():
    assert len(BUGS) == len({(bug.program, bug.right, bug.wrong) for bug in BUGS}) >= 120
    assert all(number >= 20 for number in hunts.count().values())
    numbers = {kind.number for kind in KINDS.values()} - {None}
    assert len(numbers) >= 30 and numbers <= set(range(1, 39))
    assert {bug.kind for bug in BUGS} == set(KINDS)


def test_every_bug_is_one_line_of_its_program():
    for bug in BUGS:
        text = (hunts.FOLDER / f"{bug.program}.py").read_text(encoding="utf-8")
        lines, wrong = text.splitlines(), hunts.planted(bug, text).splitlines()
        other = [i for i in range(len(lines)) if lines[i] != wrong[i]]
        assert len(lines) == len(wrong) and [lines[i].strip() for i in other] == [bug.right] and bug.right != bug.wrong
        assert lines[:5] == wrong[:5]


def test_a_line_that_is_not_there_once_is_an_error():
    with pytest.raises(ValueError, match="once, and has it 0 times"):
        hunts.planted(BUGS[0], "x = 1\n")


def test_hints_do_not_say_it_all_at_once():
    for bug in BUGS:
        kind = KINDS[bug.kind]
        assert bug.right not in kind.hint + kind.closer and bug.wrong not in kind.hint + kind.closer
        assert len({kind.hint, kind.closer, kind.why}) == 3
    assert all(hints_are_steps(level, seed) for level, number in hunts.count().items() for seed in range(0, number, 5))


@pytest.mark.parametrize("bug", {bug.kind: bug for bug in BUGS if SAMPLE.get(bug.kind) == bug.program}.values(),
                         ids=lambda bug: f"{bug.program}-{bug.kind}")
def test_a_sample_is_caught(bug):
    """Levels 1 to 4 by the gradient check; at level 5 it agrees, and another test sees it."""
    assert caught(bug, np.random.default_rng(5)).caught


@pytest.mark.parametrize("program, kind, wrong, words", [
    ("vae", "one_path", "dh1 = dmu", "dh1 is off by -1 times dlogvar Wvᵀ: a summand is missing"),      # and not da1, behind it
    ("binary", "bias_operand", "", "db1 is Σ_n dh1, where Σ_n da1 belongs"),                           # dh1 is right
    ("binary", "batch", "", "the loss is not the one in the text: at data of ours L must be"),
    ("contractive", "kl_batch", "", "db1 is right for a batch of one sample, and for no larger one: has one of its summands a 1/N"),
    ("regression", "batch_one", "", "for no larger one: what is summed, or averaged?"),
    ("sparse", "penalty_scale", "dh", "dh is off by 0.857143 dm, as if it lacked a factor 0.142857, or had one too many, and 7 is"),
    ("tied", "batch_twice", "", "has xᵀ da 0.142857 times in it, where once is right, and 7 is the batch size"),
    ("iwae", "term_lost", "", "off by the same number, 0.0714286, in every element, and 14 is 2 times the batch size: a summand is"),
    ("iwae", "one_of_many", "dmu", "dmu is 11 times too small, and 11 is the number of draws"),
    ("shared", "in_place", "", "h1 is wrong")])
def test_the_first_wrong_array_is_named_and_the_mistake_in_it(program, kind, wrong, words):
    bug = next(bug for bug in BUGS if bug.program == program and bug.kind == kind and wrong in bug.wrong)
    outcome = caught(bug, np.random.default_rng(5))
    assert outcome.caught and words in outcome.sentence


# The files

def test_the_same_hunt_always_and_every_bug_before_any_comes_again():
    for level, number in hunts.count().items():
        found = [hunts.find(level, seed) for seed in range(3, 3 + number)]
        assert len(set(found)) == number and hunts.find(level, 3 + number) == found[0]
        assert hunts.source(level, 4) == hunts.source(level, 4) != hunts.source(level, 5)
    around = hunts.count()[2]
    assert sum(hunts.right_source(2, seed) != hunts.right_source(2, seed + around) for seed in range(10)) > 5        # other sizes


def test_a_file_says_its_task_and_nothing_of_the_bug(tmp_path):
    for level in hunts.LEVELS:
        for seed in range(0, hunts.count()[level], 6):
            bug, text = hunts.find(level, seed), hunts.source(level, seed)
            assert text.startswith(f'"""Bug hunt, level {level}, seed {seed}: ') and text.splitlines()[0].endswith(".")
            assert bug.right not in [line.strip() for line in text.splitlines()] and KINDS[bug.kind].why not in text
            assert "numpyae" not in hunts.code(text)
            planted = hunts.planted(bug, hunts.right_source(level, seed))
            assert text.split("import numpy as np")[1] == planted.split("import numpy as np")[1]
            assert ast.get_docstring(ast.parse(text)).count("One line of the code below is wrong") == 1


@pytest.fixture(scope="module")
def repaired(tmp_path_factory):
    """Some hunts, judged as written and as repaired."""
    found = []
    for level, seed in ((1, 4), (3, 8), (5, 3)):
        path = tmp_path_factory.mktemp("hunt")
        path = path / hunts.write(level, seed, path).rpartition("/")[2]
        bug = hunts.find(level, seed)
        found.append((bug, edited(path), edited(path, (bug.wrong, bug.right))))
    return found


def test_as_written_it_is_not_yet_and_repaired_it_has_passed_with_an_explanation(repaired):
    for bug, (first, _), (status, sentence) in repaired:
        assert first == "not yet" and status == "passed", sentence
        assert KINDS[bug.kind].why in sentence and f"`{bug.wrong}` for `{bug.right}`" in sentence


def test_another_repair_passes_another_mistake_does_not(tmp_path):
    level, seed = seed_of("regression", "derivative_lost")
    path = tmp_path / f"bughunt_{level}_{seed}.py"
    hunts.write(level, seed, tmp_path)
    assert edited(path, ("    da1 = dh1\n", "    da1 = dh1  # a remark\n"))[0] == "not yet"
    status, sentence = edited(path, ("    da1 = dh1  # a remark\n", "    da1 = dh1 * h1\n"))
    assert status == "wrong" and "da1 is dh1 h1" in sentence and "dh1 (1 - h1²)" in sentence
    assert edited(path, ("    da1 = dh1 * h1\n", "    slope = 1 / np.cosh(a1)**2\n    da1 = slope * dh1\n"))[0] == "passed"
    status, sentence = edited(path, ("x @ w[\"W1\"]", "2 * x @ w[\"W1\"]"))
    assert status == "wrong" and sentence.startswith("predict(w, x) is not what the text says")


@pytest.mark.parametrize("old, new, words", [
    ("def predict(w, x):", "def guess(w, x):", "no function predict any more"),
    ("return L, (x, a1, h1, r)", "return L", "forward raises"),
    ("return L, (x, a1, h1, r)", "return L + rng, (x, a1, h1, r)", "forward raises NameError"),
    ('return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}', 'return {"W1": dW1, "b1": db1, "W2": dW2}', "no gradient of b2"),
    ('return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}', "return None", "backward"),
    ("db1 = np.sum(da1, axis=0)", "db1 = da1", "is the sum over the 7 samples missing?"),
    ("L = np.sum(r**2) / len(x)", "L = np.sum(r**2) / len(x) + 1", "the loss is not the one in the text"),
    ("do = 2 * r / len(x)", "do = 2 * r / len(x); x += 1", "in place"),
    ("W1, b1, W2, b2 = w.values()\n    a1", "W1, b1, W2, b2 = w.values(); L = np.random.rand()\n    a1", ""),
    ("L = np.sum(r**2) / len(x)", "L = np.random.default_rng().random()", "forward raises ValueError")])
def test_whatever_else_goes_wrong_gets_a_sentence(old, new, words, tmp_path):
    level, seed = seed_of("regression", "mean_axis")
    path = tmp_path / f"bughunt_{level}_{seed}.py"
    hunts.write(level, seed, tmp_path)
    status, sentence = edited(path, ("np.mean(t))**2", "np.mean(t, axis=0))**2"), (old, new))
    assert (status == "wrong" and words in sentence and "\n" not in sentence) if words else status == "passed", sentence


# The command

def test_the_command_writes_once_hints_one_at_a_time_and_lists(tmp_path, capsys):
    assert main(["bughunt", "--level", "2", "--seed", "3", "--to", str(tmp_path / "new")]) == 0
    path = tmp_path / "new" / "bughunt_2_3.py"
    assert f"wrote {path}" in capsys.readouterr().out and path.read_text(encoding="utf-8") == hunts.source(2, 3)
    path.write_text("mine", encoding="utf-8")
    assert main(["bughunt", "--level", "2", "--seed", "3", "--to", str(tmp_path / "new")]) == 1
    assert "exists already" in capsys.readouterr().err and path.read_text(encoding="utf-8") == "mine"
    for k, hint in enumerate(hunts.hints(2, 3), 1):
        assert main(["bughunt", "--level", "2", "--seed", "3", "--hint", str(k)]) == 0
        assert capsys.readouterr().out == hint + "\n"
    for words, said in ((["--level", "2", "--seed", "3", "--hint", "4"], "there are 3 hints"),
                        (["--level", "6", "--seed", "0"], "level must be"), (["--level", "2"], "--seed are needed")):
        assert main(["bughunt", *words]) == 1
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert main(["bughunt"]) == 0
    said = capsys.readouterr().out
    assert "one at a time" in said and all(f"{level:5} {number:6}   " in said for level, number in hunts.count().items())
