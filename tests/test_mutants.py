"""The mutants of the library's own backward code: there are enough, they are undone, and the check finds them."""

import numpy as np
import pytest

from numpyae import Dense, Layer, Sigmoid, gradcheck, parameter
from numpyae.gradcheck import mutants, score
from numpyae.gradcheck.cases import classes
from numpyae.gradcheck.operators import FORWARD, sigma
from numpyae.losses import Loss

OPERATORS = {"negate", "times 2", "times N", "times D", "divided by 2", "divided by N", "divided by D", "drop a summand",
             "drop a factor", "+= to =", "drop .T",
             "swap the operands of @", "sum over another axis", "sum over all axes", "sum to mean",
             "another cached value", "mask to ones", "drop the scale", "1/2 to 1", "exp(logvar / 2) to exp(logvar)", "in place",
             "> to >=", "cast to float32", "another constant", "drop a call"}


@pytest.fixture(scope="module")
def methods():
    return mutants.methods()


@pytest.fixture(scope="module")
def everything(methods):
    """The mutants of all methods that only the way back runs, and of the draws, the only ways forward that have some."""
    return [mutant for (cls, method), (trials, operators) in methods.items() if operators is not FORWARD or method == "sample"
            for mutant in mutants.mutants_of(cls, method, trials, operators)]


def test_there_are_enough_no_two_are_the_same_and_every_operator_and_method_has_some(everything, methods):
    assert len(everything) >= 150
    assert len({(mutant.name, mutant.source) for mutant in everything}) == len(everything)
    assert {mutant.operator for mutant in everything} == OPERATORS
    assert {mutant.name for mutant in everything} >= {f"{cls.__name__}.{method}" for (cls, method), (_, operators)
                                                      in methods.items() if operators is not FORWARD}
    assert all(mutant.line != mutant.mutated for mutant in everything)
    assert set(mutants.EQUIVALENT) <= {(mutant.name, mutant.operator, mutant.mutated) for mutant in everything}


def test_every_backward_of_the_library_has_mutants(everything):
    """Every method with backward in its name, those of classes that leave it to others aside; and what only they call."""
    written = {f"{base.__name__}.{name}" for cls in classes() for base in cls.__mro__ for name, method in vars(base).items()
               if "backward" in name and "NotImplementedError" not in method.__code__.co_names}
    mutated = {mutant.name for mutant in everything}
    assert len(written) >= 41 and written <= mutated
    assert mutated - written == {"DiagonalGaussian.sample", "FullGaussian.sample", "Basis.without_bias", "Model.from_zero", "RBM.encode",
                                 "ContinuousBernoulliNLL.mean", *(f"{name}Sparsity.slope" for name in ("KL", "L1", "L2")),
                                 *(f"{name}.second_derivative" for name in ("Identity", "Sigmoid", "Tanh", "Softplus", "ELU"))}


def test_a_method_is_what_it_was_afterwards_also_after_an_exception(everything):
    mutant = next(mutant for mutant in everything if mutant.name == "Sigmoid.backward" and mutant.operator == "negate")
    original, layer = vars(Sigmoid)["backward"], Sigmoid()
    layer.forward(np.zeros((1, 1)))
    with mutant.apply():
        assert vars(Sigmoid)["backward"] is not original and layer.backward(np.ones((1, 1)))[0, 0] == -0.25
    assert vars(Sigmoid)["backward"] is original and layer.backward(np.ones((1, 1)))[0, 0] == 0.25
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error):
            with mutant.apply():
                raise error
        assert vars(Sigmoid)["backward"] is original


def test_a_method_that_nobody_can_read_fails_loudly(monkeypatch):
    with pytest.raises(RuntimeError, match="Sigmoid.sideways cannot be read"):
        mutants.mutants_of(Sigmoid, "sideways")
    monkeypatch.setattr(Dense, "backward", eval("lambda self, delta: delta"))
    with pytest.raises(RuntimeError, match="Dense.backward"):
        mutants.mutants_of(Dense, "backward")


def test_a_method_with_nothing_to_mutate_fails_loudly():
    with pytest.raises(RuntimeError, match="nothing to mutate in Sigmoid.backward"):
        mutants.mutants_of(Sigmoid, "backward", operators=(sigma,))


def test_exact_causes_knows_the_factor_and_the_sign(everything):
    for operator, factor in (("times N", 7), ("divided by D", 1 / 5), ("negate", -1)):
        mutant = next(mutant for mutant in everything if mutant.name == "Tanh.backward" and mutant.operator == operator)
        causes, factors, explained = score.exact_causes(mutant)
        assert causes == {"sign" if factor == -1 else "factor"} and explained
        assert score.known(factor, factors) and not score.known(factor * (1 + 1e-5), factors)


def test_a_diagnosis_is_wrong_when_one_finding_is():
    right, wrong, mute = ({"place": "", "cause": cause, "factor": 2.0} for cause in ("factor", "sign", "unexplained"))
    assert score.judge([right, mute], {"factor"}, [2.0]) == "right"
    assert score.judge([right, wrong], {"factor"}, [2.0]) == score.judge([right], {"factor"}, [3.0]) == "wrong"
    assert score.judge([mute], {"factor"}, [2.0]) == score.judge([], {"factor"}, [2.0]) == "unexplained"


def test_a_sample_is_killed_and_few_of_its_causes_are_wrong(everything):
    chosen = [mutant for mutant in everything if issubclass(mutant.cls, (Layer, Loss)) and mutant.method == "backward"]
    outcomes = score.run(score.sample(chosen, 25), enough=1)
    assert [outcome for outcome in outcomes if outcome.fate == "survived"] == []
    assert sum(outcome.diagnosis == "wrong" for outcome in outcomes) == 0
    assert sum(outcome.diagnosis == "right" for outcome in outcomes) >= 0.9 * len(outcomes)
    assert all(outcome.place for outcome in outcomes)
    text = score.in_words(outcomes)
    assert text.startswith("25 mutants: ") and "survived: 0" in text
