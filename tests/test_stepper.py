"""The stepper's numbers are right, whatever can be traced has a page, and the page works in a browser."""

import functools
import html
import re

import numpy as np
import pytest

from numpyae import (ELU, IWAE, VAE, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Contraction, Dense, DiagonalGaussian, Dropout,
                     FullGaussian, GaussianNLL, GaussianNoise, GaussianPrior, HeteroscedasticGaussianNLL, KLSparsity,
                     MaskingNoise, MixturePrior, PolynomialBasis, Regression, ReLU, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy,
                     Softplus, SquaredError, Tanh, TiedDense, TopK, WeightDecay, mlp, trace)
from numpyae.course.examples import tiny_vae, two_two_two
from numpyae.tableau.page import Drawing, fragment
from numpyae.tableau.rows import in_numbers
from tests import browser

RNG = np.random.default_rng(0)
ONE, TWO = RNG.normal(size=(1, 3)), RNG.normal(size=(1, 2))
X, T = RNG.normal(size=(7, 5)), RNG.normal(size=(7, 3))
INSIDE = np.linspace(0.1, 0.9, 3)[None]


def tied(corruption=GaussianNoise(0.1), penalties=(KLSparsity(0.1, 2.0),)):
    dense = Dense(3, 2, rng=1)
    return Autoencoder(Sequential(dense, Sigmoid()), Sequential(TiedDense(dense)), SquaredError(), corruption, penalties)


def tiny(bound=VAE, likelihood=None, size=2, posterior=DiagonalGaussian, **options):
    return bound(mlp([2, 2, size], rng=3), mlp([1, 2, 2], rng=4), likelihood or GaussianNLL(), posterior(1), **options)


def vae(bound=VAE, posterior=DiagonalGaussian, size=4, likelihood=None, outputs=3, prior=None, **options):
    likelihood = likelihood or GaussianNLL(0.7)
    return bound(mlp([3, 3, size], rng=1), mlp([2, 3, outputs], rng=2), likelihood, posterior(2), prior, **options)


def units(*layers):
    return trace(Sequential(Dense(3, 3, rng=0), *layers, Dense(3, 2, rng=1)), ONE, TWO, rng=0)


CASES = {
    "2-2-2": lambda: trace(*two_two_two()), "tiny vae": lambda: trace(*tiny_vae(), rng=0),
    "tied": lambda: trace(tied(), ONE, rng=0),
    "penalties": lambda: trace(tied(MaskingNoise(0.5), [Contraction(0.1), WeightDecay(0.1), KLSparsity(0.1, 2.0)]), ONE, rng=0),
    "two draws": lambda: trace(tiny(samples=2), TWO, rng=0), "one number full": lambda: trace(tiny(posterior=FullGaussian), TWO, rng=0),
    "tiny learnt": lambda: trace(tiny(likelihood=GaussianNLL(0.7, learn=True)), TWO, rng=0),
    "two masks": lambda: units(Dropout(0.5), Dense(3, 3, rng=2), Dropout(0.2), Dense(3, 3, rng=3), TopK(1)),
    "batch of two": lambda: trace(mlp([2, 3, 2], rng=0), X[:2, :2], T[:2, :2]),
    "batch of seven": lambda: trace(mlp([5, 4, 3], rng=0), X, T),
    "learnt sigma": lambda: trace(vae(likelihood=GaussianNLL(0.7, learn=True), beta=0.5), ONE, rng=0),
    "heteroscedastic": lambda: trace(vae(likelihood=HeteroscedasticGaussianNLL(), outputs=6), ONE, rng=0),
    "bernoulli": lambda: trace(vae(likelihood=BernoulliNLL()), INSIDE.round(), rng=0),
    "continuous": lambda: trace(vae(likelihood=ContinuousBernoulliNLL()), INSIDE, rng=0),
    "full": lambda: trace(vae(posterior=FullGaussian, size=5), ONE, rng=0),
    "three draws": lambda: trace(vae(samples=3), X[:, :3], rng=0),
    "iwae": lambda: trace(vae(IWAE, samples=3), ONE, rng=0),
    "mixture": lambda: trace(vae(prior=MixturePrior(2, 3, 0), kl="sampled"), ONE, rng=0),
    "other prior": lambda: trace(vae(prior=GaussianPrior(2, 0.5, 2.0)), ONE, rng=0),
    "classes": lambda: trace(Regression(mlp([3, 4], rng=0), SoftmaxCrossEntropy()), ONE, np.array([2])),
    "relu": lambda: units(ReLU()), "softplus": lambda: units(Softplus()), "elu": lambda: units(ELU()),
    "softmax": lambda: units(Softmax()),
    "tanh": lambda: units(Tanh()), "top-k": lambda: units(TopK(2)), "dropout": lambda: units(Dropout(0.5)),
    "basis": lambda: trace(Sequential(PolynomialBasis(3), Dense(4, 2, rng=0)), ONE[:, :1], TWO),
    "layer alone": lambda: trace(Tanh(), TWO, TWO),
    "large": lambda: trace(VAE(mlp([300, 50, 20], rng=1), mlp([10, 50, 300], rng=2), GaussianNLL(), DiagonalGaussian(10),
                               samples=2), np.full((100, 300), -1e5), rng=0),
}


@functools.cache
def tableau_of(name):
    return CASES[name]()


def value_of(expression):
    """What a formula in numbers comes to."""
    as_python = {"·": "*", "²": "**2", "½": "0.5", "[": "(", "]": ")", "π": "*pi", "σ(": "sigmoid(", "e^(": "exp("}
    for written, meant in as_python.items():
        expression = expression.replace(written, meant)
    expression = re.sub(r"(.*) where (.*), else (.*)", r"(\1) if (\2) else (\3)", expression)
    expression = re.sub(r"e\^([\d.]+(?:e-\d+)?|min\([^)]*\))", r"exp(\1)", expression)
    functions = {name: getattr(np, name) for name in ("tanh", "log", "exp", "pi")} | {"max": max, "min": min}
    return eval(expression, {"__builtins__": {}}, functions | {"sigmoid": lambda a: 1 / (1 + np.exp(-a))})


@pytest.mark.parametrize("name", CASES)
def test_every_formula_in_numbers_comes_to_what_it_says(name):
    """Read back and computed anew, from the rounded numbers that are printed."""
    checked = 0
    for row, lines in in_numbers(tableau_of(name)):
        result = (row.gradient if row.backward else row.value).ravel()
        written = [line.split(" = ") for line in lines]
        if not lines or not all(re.search(r"[\d)\]²]$", parts[1]) and len(parts) == 3 and " where > " not in parts[1] for parts in written):
            continue
        if re.fullmatch(r"[a-z]\w*", written[0][1]):
            continue                                                 # a slice: mu = a2₁ = 0.66
        assert len(written) == result.size, row
        for (_, expression, shown), number in zip(written, result):
            assert float(shown) == pytest.approx(number, rel=1e-5)
            assert value_of(expression) == pytest.approx(number, rel=2e-4, abs=1e-5), (row, expression)
            checked += 1
    assert checked >= {"2-2-2": 26, "tiny vae": 40, "large": 0, "batch of seven": 7, "classes": 5, "layer alone": 7,
                       "three draws": 7}.get(name, 8)


def test_the_worked_example_as_on_paper():
    lines = {row.step: lines for row, lines in in_numbers(tableau_of("2-2-2"))}
    assert lines["a1"] == ["a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775", "a1₂ = 0.05 · 0.25 + 0.1 · 0.3 + 0.35 = 0.3925"]
    assert lines["E"] == ["E = ½ · [(0.01 - 0.751365)² + (0.99 - 0.772928)²] = 0.298371"]
    assert lines["dW1"][2] == "dW1₂₁ = 0.1 · 0.00877135 = 0.000877135"
    assert lines["dh1"][0] == "dh1₁ = 0.138499 · 0.4 + (-0.0380982) · 0.5 = 0.0363503"
    vae = {row.step: lines for row, lines in in_numbers(tableau_of("tiny vae"))}
    assert vae["mu"] == ["mu = a2₁ = 0.666058"] and vae["epsilon"] == ["epsilon = 0.12573"]
    assert vae["z"] == ["z = 0.666058 + 1.29462 · 0.12573 = 0.828832"]
    assert vae["da2"][0] == "da2₁ = 0.0695331 + 0.666058 = 0.735591"
    two = {row.step: lines for row, lines in in_numbers(tableau_of("batch of two"))}
    assert two["a1"][4].startswith("a1₂₂ = ") and two["db2"][1].startswith("db2₂ = ") and " + " in two["db2"][1]


def test_what_is_no_number_of_the_row_does_not_stand_in_its_formula():
    """A likelihood's logvar is not that of q; the second mask is not the first; 0 has no sign."""
    learnt = tableau_of("tiny learnt")
    lines = {row.step: lines for row, lines in in_numbers(learnt)}
    step = "dlogvar of the likelihood"
    assert lines[step] == [f"{step} = {learnt[step].gradient.item():.6g}"]
    lines = {row.step: lines for row, lines in in_numbers(tableau_of("iwae"))}
    assert [line[:7] for line in lines["dlogvar|log q"]] == ["dlogvar"]                      # not log q: dlog q
    two = tableau_of("two masks")
    assert two["h2"].formula == "a2 mask' / keep'" and two["da3"].formula == "dh3 mask''" and two.constants["keep'"] == 0.8
    assert not any("-0 " in line + " " or "(-0)" in line for row, lines in in_numbers(two) for line in lines)


def test_large_arrays_are_norms_and_a_name_is_what_was_last_called_so():
    lines = {row.step: lines for row, lines in in_numbers(tableau_of("batch of seven"))}
    assert lines["da1"][0].startswith("dh1 = ‖") and lines["da1"][-1].startswith("da1 = ‖")
    full = [(row, lines) for row, lines in in_numbers(tableau_of("full"))]
    [draw] = [lines for row, lines in full if row.step == "z"]               # L is Σ's factor there, and the loss later
    assert draw[1].startswith("L = ‖") or draw[1].startswith("L = "), draw
    assert [lines for row, lines in full if row.step == "L"][1][0].startswith("L = 1/1 · [")


@pytest.mark.parametrize("name", CASES)
def test_whatever_is_traced_has_a_page(name):
    tableau = tableau_of(name)
    page = tableau.to_html()
    rows = re.findall(r'<tr class="(\w+)" data-lit="([\d ]*)"><td><button type="button">(.*?)</button>', page)
    assert [(html.unescape(step), way) for way, _, step in rows] == [
        (row.step, "backward" if row.backward else "forward") for row in tableau.rows]
    parts = set(re.findall(r'data-part="(\d+)"', page))
    assert all(lit and set(lit.split()) <= parts for _, lit, _ in rows), [row for row in rows if not row[1]]
    assert not re.search(r"\b(nan|inf|None)\b", page.split("<table>")[0].split("<svg")[1])
    assert len(page.encode()) < 200_000 and browser.from_outside(page) == []
    shown = re.findall(r'data-at="(\d+)"', page)
    assert set(map(int, shown)) >= {k for k, row in enumerate(tableau.rows) if not row.backward and row.value.size}


def test_what_is_lit():
    tableau = tableau_of("tiny vae")
    drawing = Drawing(tableau)
    names = list(drawing.parts)
    lit = {row.step: [names[k] for k in drawing.lit(row)] for row in tableau.rows}
    assert lit["a1"] == ["a1", ("x", "a1")] and lit["z"] == ["z", ("mu", "z"), ("sigma", "z"), ("epsilon", "z")]
    assert lit["dW3"] == lit["db3"] == ["a3", ("z", "a3")] and lit["dh1"] == ["h1", ("h1", "a2")]
    assert lit["dmu|KL"] == ["mu", ("mu", "KL")] and lit["dmu|draw"] == ["mu", ("mu", "z")]
    assert drawing.by_unit and not Drawing(tableau_of("large")).by_unit and not Drawing(tableau_of("batch of two")).by_unit
    places = {(drawing.column[name], drawing.lane[name]) for name in drawing.nodes}
    assert len(places) == len(drawing.nodes) and all(drawing.column[a] < drawing.column[b] for a, b in drawing.edges)


def lit_of(name):
    drawing = Drawing(tableau_of(name))
    names = list(drawing.parts)
    return drawing, {row.step: [names[k] for k in drawing.lit(row)] for row in drawing.rows}


def test_edges_and_lights_of_penalties_priors_and_masks():
    drawing, lit = lit_of("penalties")
    assert drawing.sources["sparsity"] == drawing.sources["contraction"] == ["h1"] and drawing.sources["weight decay"] == []
    assert lit["dh1|sparsity"] == ["h1", ("h1", "sparsity")] and lit["dW1|weight decay"] == ["weight decay"]
    assert lit["dW1|contraction"] == ["contraction", ("h1", "contraction")] and lit["da1|contraction"] == ["a1", "contraction"]
    assert lit["dW1|tied"] == ["o", ("h1", "o")] and lit["dW1"] == ["a1", ("seen", "a1")]
    assert lit["seen"] == ["seen", ("noise", "seen"), ("x", "seen")] and drawing.pairs("noise", "seen", None) == [(0, 0), (1, 1), (2, 2)]
    drawing, lit = lit_of("mixture")
    assert lit["dz"] == ["z", ("z", "a3")] and lit["dz|prior"] == ["z", ("z", "log p(z)")]
    assert lit_of("other prior")[1]["dlogvar|KL"] == ["logvar", ("logvar", "KL")]
    drawing, lit = lit_of("top-k")
    assert lit["da1"] == ["a1", ("a1", "h1")] and len(drawing.pairs("a1", "h1", None)) == 3
    assert len(drawing.pairs("a1", "mask", None)) == len(lit_of("softmax")[0].pairs("a1", "h1", None)) == 9
    drawing = Drawing(tableau_of("tiny learnt"))
    assert len(drawing.gradients(drawing.nodes["logvar"], (0, 0), 0, 0)) == 2           # by the draw, then with the KL
    assert not Drawing(tableau_of("two draws")).by_unit and Drawing(tableau_of("one number full")).by_unit


DRIVE = """
const root = document.querySelector(".stepper"), said = [];
const note = () => said.push([root.querySelector(".count").textContent, root.querySelector(".big").textContent,
  root.querySelector(".numbers").textContent, root.classList.contains("backward"), root.querySelectorAll(".lit").length]);
const press = key => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
note(); root.querySelector(".next").click(); root.querySelector(".next").click(); note();
press("ArrowRight"); note(); press("ArrowLeft"); note(); root.querySelector(".previous").click(); note();
root.querySelectorAll("tbody tr")[8].click(); note(); press("End"); press("ArrowRight"); note();
const slider = root.querySelector("input"); slider.value = 10; slider.dispatchEvent(new Event("input")); note();
const values = [...root.querySelectorAll(".value")].filter(text => getComputedStyle(text).visibility == "hidden").length;
return {said, values};
"""


@pytest.mark.skipif(browser.PROGRAM is None, reason=browser.WITHOUT)
def test_in_a_browser_buttons_keys_slider_and_table_change_the_step(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(tableau_of("2-2-2").to_html(), encoding="utf-8")
    seen = browser.visit(page, tmp_path, DRIVE, (390, 844))
    assert seen["console"] == [] and seen["loaded"] == [] and seen["scrolls"] <= 0
    said, steps = seen["result"]["said"], [entry[0] for entry in seen["result"]["said"]]
    assert steps == [f"step {k} of 16" for k in (1, 3, 4, 3, 2, 9, 16, 11)]
    assert said[1][1] == "a1 = x W1 + b1" and said[1][3] is False
    assert said[1][2].startswith("a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775a1₂ = 0.05")
    assert said[5][1] == "do = (o - t) / N" and said[5][3] is True and all(entry[4] > 0 for entry in said)
    assert seen["result"]["values"] == 0                             # on the way back all values stand there


def test_an_address_outside_would_be_seen():
    assert browser.from_outside('<img src="http://a.b/c.png"><p>no src="x"</p>') == ["http://a.b/c.png"]
    assert browser.from_outside("<style>@import 'x'; a { background: url(y.png) }</style>") == ["@import 'x'", "y.png"]


def test_a_fragment_is_no_page():
    assert "<html" not in fragment(tableau_of("2-2-2")) and 'class="stepper "' in fragment(tableau_of("2-2-2"))
