"""The course: its syllabus names every heading of the five documents, its lectures have one form, and its helpers work."""

import ast
import importlib.util
import pathlib
import re
import sys

import matplotlib.figure
import pytest

from numpyae import course, plots
from numpyae.cli import main
from numpyae.course import lectures

FOLDER = pathlib.Path(__file__).parents[1] / "lectures"
SYLLABUS = (FOLDER / "README.md").read_text(encoding="utf-8")
PATHS = sorted(FOLDER.glob("[0-9][0-9]_*.py"))
NAMES = [path.name for path in PATHS]

# Every title of a slide or section, by hand; where it is shared by several slides, or lost, words of the slide tell them apart.
HEADINGS = {
    "[000]": """A brief introduction to (variational) autoencoders
                Can we learn a latent representation of our data?
                A noisy real-valued function
                Model: 0th, 1st, and 3rd order polynomial
                Problem definition
                Towards nonlinear systems
                The multi-layered perceptron = neural network
                The deep neural network
                How do we find w?
                Algorithm for backprop ("on-line" aka "stochastic" learning)
                Unsupervised learning with neural networks
                Autoencoder networks
                Autoencoder example: face compression
                Autoencoder example: text categorisation
                Limitations of autoencoders
                The probabilistic perspective is crucial
                Generating photorealistic faces
                Generating coherent paragraphs of text
                Beyond visualisation: taking advantage of the latent representation
                Variational autoencoder—getting an intuition
                KL divergence as regulariser
                Deriving the evidence lower bound
                Deterministic vs. variational autoencoder—Gaussian case
                One important detail: backpropagation through random sampling?
                The popular MNIST dataset
                Learning process of a variational autoencoder
                Some results from our lab: human motion
                Some results from our lab: pendulum (sequential data)
                What we learned""",
    "[001]": """Variational Autoencoders
                Review of Variational Inference
                Setting
                Review of Variational Inference (2)
                Review of Variational Inference (3)
                Variational Auto Encoders: Notation Note
                Purpose of VAEs
                Basic VAE Setup
                The Latent Variables
                The Reparameterization Trick
                The Reparameterization Trick (2)
                Interpretation of σ
                The Encoder
                The Decoder
                Training the Model
                The Loss Function
                Tasks we can accomplish after training
                Pseudo-code
                Sampling of papers
                MNIST Example (on github)
                MNIST Example (2)""",
    "[002]": """Deep Learning and Neural Networks
                Part 5 Autoencoders
                Autoencoders: "compress (encode) input data"
                Autoencoders: "three blocks"
                Autoencoders vs Encoder-decoders
                Autoencoders: "a very specific subset of encoder-decoder architectures"
                (no title): "trained to discover the latent variables"
                Autoencoders - History
                Autoencoders: "flexible neural networks"
                Autoencoders: "Applications include"
                Autoencoders - Architecture: "very similar to a feedforward neural network"
                Autoencoders - Architecture: "in two parts"
                (no title): "minimize some loss function"
                (no title): "the empirical distribution given by a dataset"
                (no title): "encoder and the decoder functions are defined as a one-layer-MLP"
                What does an autoencoder learn?
                Autoencoders - Training: "4 hyperparameters"
                Autoencoders - Training: "3. Number of nodes per layer"
                (no title): "undercomplete autoencoder"
                (no title): "the same subspace as Principal Component Analysis (PCA)"
                (no title): "only two codings"
                Undercomplete Autoencoders
                Autoencoder failings
                (no title): "Regularized autoencoders"
                (no title): "Denoising AutoEncoder (DAE)"
                (no title): "The corruption process"
                (no title): "an application of a DAE"
                (no title): "Sparse autoencoders"
                (no title): "k-sparse autoencoder"
                (no title): "sparsity regularization loss"
                Contractive Autoencoders
                Autoencoders - Manifold Learning
                (no title): "families of variational Bayesian methods"
                (no title): "learn the probability distribution"
                (no title): "VAEs are useful in applications such as"
                Variational autoencoder - Loss function
                Mathematical formulation
                (no title): "we will use variational inference"
                (no title): "evidence lower bound (ELBO)"
                (no title): "To generate a new sample"
                (no title): "We train a VAE to be used as a generative model"
                Variational Autoencoder (VAE) — PyTorch Tutorial
                Variational Autoencoders - Generative models""",
    "[003]": """Tutorial on Autoencoders and VAEs
                1 Introduction
                2 Autoencoders
                3 Regularized Autoencoders
                3.1 Sparse Autoencoders
                3.2 Denoising Autoencoders
                3.3 Contractive Autoencoders
                4 Latent variables models
                5 Training procedure
                6 How to generate new data
                7 Reparametrization trick
                8 References""",
    "[004]": """5.4. Probabilistic autoencoders
                Autoencoders as probabilistic generative models
                Training
                Example 5.4.1 (Bernoulli outputs, Gaussian latent variables)
                Why does it even work?""",
}


def table(title):
    """The rows of the syllabus' table under the heading that begins with this title, as lists of cells."""
    text = re.search(rf"^#+ {re.escape(title)}.*?\n(.*?)(?=^#|\Z)", SYLLABUS, re.M | re.S)[1]
    rows = [re.split(r"(?<!\\)\|", line)[1:-1] for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def cells(path):
    """[(is it prose, lines), ...] of a lecture."""
    parts = re.split(r"^# %%(.*)\n", path.read_text(encoding="utf-8"), flags=re.M)
    assert parts[0] == "", f"{path.name} must begin with a cell"
    return [(mark.strip() == "[markdown]", body.rstrip().splitlines()) for mark, body in zip(parts[1::2], parts[2::2])]


def prose(path):
    """All lines of prose of a lecture, without their "# "."""
    return [line[2:] for is_prose, lines in cells(path) if is_prose for line in lines]


def sections(path):
    """The titles of its sections."""
    return [line[3:] for line in prose(path) if line.startswith("## ")]


# the syllabus

@pytest.mark.parametrize("document", HEADINGS)
def test_every_heading_of_the_documents_has_a_row_and_no_row_is_unknown(document):
    headings = [line.strip() for line in HEADINGS[document].splitlines()]
    assert len(set(headings)) == len(headings)
    assert list(dict.fromkeys(row[0] for row in table(document))) == headings


@pytest.mark.parametrize("document", HEADINGS)
def test_rows_lead_to_sections_that_exist_or_say_why_not(document):
    known = {path.name[:2]: sections(path) for path in PATHS}
    planned = {row[0] for row in table("The lectures")}
    for heading, lecture, section in table(document):
        if lecture == "out of scope":
            assert section.startswith("because "), heading
        elif lecture in known:
            assert section in known[lecture], f"{heading}: lecture {lecture} has no section {section!r}, but {known[lecture]}"
        else:
            assert lecture in planned and section, heading


def test_every_lecture_is_in_the_list_and_only_planned_ones_are_missing():
    listed = {row[0]: "(planned)" in row[1] for row in table("The lectures")}
    assert list(listed) == [f"{number:02}" for number in range(1, 15)]
    assert {name[:2] for name in NAMES} == {number for number, planned in listed.items() if not planned}


def test_the_table_of_symbols_is_complete():
    rows = table("One table of symbols")
    assert all(len(row) == 7 and all(row) for row in rows)
    assert len({row[0] for row in rows}) == len(rows)


# the form of the lectures

@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_first_cell_has_number_title_time_and_full(path):
    (is_prose, first), *rest = cells(path)
    assert is_prose and first[0].startswith(f"# # {int(path.name[:2])}. ")
    text = " ".join(line[2:] for line in first)
    assert re.search(r"Takes about \d+ s", text) and "`--full`" in text, text
    assert any("course.full()" in line for is_prose, lines in rest if not is_prose for line in lines)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_prose_is_comments_and_nothing_richer(path):
    for is_prose, lines in cells(path):
        assert not is_prose or all(line == "#" or line.startswith("# ") for line in lines), lines
    for line in prose(path):
        assert not re.search(r"\$|\]\(|!\[|\|\s*:?-{3,}|</?[a-z]+\d?(\s[^<>]*)?/?>", line), f"$, a link, image, table or HTML: {line}"


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_every_section_with_code_asserts_something(path):
    section, code = None, {}
    for is_prose, lines in cells(path):
        for line in lines:
            if is_prose and line.startswith("# ## "):
                section = line[5:]
        if not is_prose and section:
            code.setdefault(section, []).extend(lines)
    assert code
    for section, lines in code.items():
        assert any(re.match(r"\s*assert ", line) for line in lines), f"{path.name}: nothing is asserted in {section!r}"


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_it_compiles_and_its_lines_are_not_too_long(path):
    source = path.read_text(encoding="utf-8")
    compile(source, path.name, "exec")
    long = [f"{number} ({len(line)})" for number, line in enumerate(source.splitlines(), 1) if len(line) > 130]
    assert not long, f"{path.name}: more than 130 characters in lines {', '.join(long)}"


# the helpers

def test_find(tmp_path, monkeypatch):
    monkeypatch.setattr(lectures, "FOLDER", tmp_path)
    with pytest.raises(FileNotFoundError, match="there are no lectures here"):
        course.find()
    (tmp_path / "02_second.py").write_text("# %% [markdown]\n# # 2. Second: a title\n#\n# # no title\n", encoding="utf-8")
    (tmp_path / "11_last.py").write_text("# %% [markdown]\n# # 11. Last\n", encoding="utf-8")
    (tmp_path / "step_through.py").write_text("")
    assert course.find() == {2: (tmp_path / "02_second.py", "2. Second: a title"), 11: (tmp_path / "11_last.py", "11. Last")}


def test_a_lecture_says_number_title_and_time_in_its_head(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lectures, "FOLDER", tmp_path)
    path = tmp_path / "15_mine.py"
    path.write_text("# %% [markdown]\n# # 15. Mine: a title\n#\n# Takes about 5 s; with `--full` the same.\n", encoding="utf-8")
    assert course.find()[15].title == "15. Mine: a title" and course.find()[15].seconds == 5
    assert main(["lecture"]) == 0
    assert re.fullmatch(r"15\. Mine: a title\n    .*15_mine\.py, about 5 s\n", capsys.readouterr().out)
    path.write_text("# %% [markdown]\n# # 15. Mine\n", encoding="utf-8")
    assert course.find()[15].seconds is None
    path.write_text("print(1)\n", encoding="utf-8")
    with pytest.raises(ValueError, match="15_mine.py: the first cell must say number and title: # # 15. Title"):
        course.find()


def test_full(monkeypatch):
    monkeypatch.delattr(sys, "ps1", raising=False)
    for argv, expected in ((["01.py"], False), (["01.py", "--full"], True)):
        monkeypatch.setattr(sys, "argv", argv)
        assert course.full() is expected
    monkeypatch.setattr(sys, "argv", ["lectures/01.py", "--full", "--fast"])
    with pytest.raises(SystemExit, match="01.py: expected no argument or --full, got --fast"):
        course.full()
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)                   # a notebook's own arguments are not the lecture's
    assert course.full() is False


def test_show(tmp_path, monkeypatch, capsys):
    monkeypatch.delattr(sys, "ps1", raising=False)
    monkeypatch.setattr(lectures, "FOLDER", tmp_path)
    figure = plots.new_figure("A caption that says what to see.", 2, 1)
    assert isinstance(figure, matplotlib.figure.Figure)
    course.show(figure, "01_name")
    assert (tmp_path / "figures" / "01_name.png").read_bytes()[:4] == b"\x89PNG"
    assert "01_name.png" in capsys.readouterr().out
    course.show(figure, "01_name")                                           # again: written over


def test_run_stops_at_the_first_lecture_that_fails(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(lectures, "FOLDER", tmp_path)
    for number, last in ((1, "print('ran', sys.argv[1:])"), (2, "sys.exit(3)"), (3, "print('not reached')")):
        (tmp_path / f"0{number}_x.py").write_text(f"# # {number}. Title\nimport sys\n{last}\n")
    assert course.run([1, 2, 3], full=True) == 3
    out = capfd.readouterr().out
    assert "== 1. Title\nran ['--full']" in out and "not reached" not in out
    assert course.run([1]) == 0


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_all_that_a_lecture_imports_is_there(path):
    """So that a name that is moved is missed here, not in the third minute of a lecture."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "numpyae":
            module = importlib.import_module(node.module)
            for alias in node.names:
                assert hasattr(module, alias.name) or importlib.util.find_spec(f"{node.module}.{alias.name}") is not None, alias.name
