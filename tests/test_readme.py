"""The README's examples run as they stand there, and its first screen says what CI does."""

import pathlib
import re
import subprocess
import sys
import types

import pytest

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def test_examples_run(tmp_path, monkeypatch, capsys):
    *blocks, foreign = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) == 4
    monkeypatch.chdir(tmp_path)
    exec("\n".join(blocks), {"__name__": "__main__"})
    said = capsys.readouterr().out
    assert "all gradients agree" in said
    assert (tmp_path / "line.npz").exists() and "dW1" in said
    assert (tmp_path / "learning_curve.png").exists() and (tmp_path / "fit.png").exists()


def test_the_test_of_another_project_runs_and_fails_when_it_should(monkeypatch):
    foreign = re.findall(r"```python\n(.*?)```", README, re.S)[-1]
    assert len([line for line in foreign.splitlines() if line.strip()]) <= 8
    theirs = """
def affine_forward(x, w, b):
    return x @ w + b, (x, w)

def affine_backward(dout, cache):
    x, w = cache
    return dout @ w.T, x.T @ dout, dout.sum(axis=0)
"""
    namespace = {}
    for text in (theirs, theirs.replace("dout.sum", "dout.mean")):
        monkeypatch.setitem(sys.modules, "their_layers", types.ModuleType("their_layers"))
        exec(text, vars(sys.modules["their_layers"]))
        exec(foreign, namespace)
        if text == theirs:
            namespace["test_affine"]()
    with pytest.raises(AssertionError, match="db is 7 times too small, and 7 is the batch size"):
        namespace["test_affine"]()


def test_examples_are_as_short_as_announced():
    ten, _, own, model, _ = re.findall(r"```python\n(.*?)```", README, re.S)
    lines = [line for line in ten.splitlines() if line.strip()]
    assert len(lines) <= 10
    for text, end, most in ((own, "print", 10), (model, "line =", 17)):
        text = text[text.index("class"):text.index(end)]
        assert len([line for line in text.splitlines() if line.strip() and '"""' not in line]) <= most


def test_two_commands_on_the_first_screen():
    screen = README.splitlines()[:25]
    assert sum(line.startswith("    python -m pip install -e") for line in screen) == 2


def test_import_loads_numpy_only():
    code = "import sys, numpyae; print(sorted({'scipy', 'matplotlib', 'argparse'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"
