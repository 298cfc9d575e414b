"""The README's examples run as they stand there, and its first screen says what CI does."""

import pathlib
import re
import subprocess
import sys

README = (pathlib.Path(__file__).parent.parent / "README.md").read_text()


def test_examples_run(tmp_path):
    *blocks, foreign = re.findall(r"```python\n(.*?)```", README, re.S)
    assert len(blocks) == 4
    done = subprocess.run([sys.executable, "-c", "import matplotlib; matplotlib.use('Agg')\n" + "\n".join(blocks)], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "all gradients agree" in done.stdout
    assert (tmp_path / "line.npz").exists() and "dW1" in done.stdout
    assert (tmp_path / "learning_curve.png").exists() and (tmp_path / "fit.png").exists()


def test_the_test_of_another_project_runs_and_fails_when_it_should(tmp_path):
    foreign = re.findall(r"```python\n(.*?)```", README, re.S)[-1]
    assert len([line for line in foreign.splitlines() if line.strip()]) <= 8
    (tmp_path / "test_theirs.py").write_text(foreign)
    for db, word in (("dout.sum(axis=0)", "1 passed"), ("dout.mean(axis=0)", "db is 7 times too small, and 7 is the batch size")):
        (tmp_path / "their_layers.py").write_text(
            "def affine_forward(x, w, b):\n    return x @ w + b, (x, w)\n\n"
            f"def affine_backward(dout, cache):\n    x, w = cache\n    return dout @ w.T, x.T @ dout, {db}\n")
        done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"], cwd=tmp_path, capture_output=True, text=True)
        assert word in done.stdout, done.stdout


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
