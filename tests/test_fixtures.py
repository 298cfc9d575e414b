"""Checkpoints and run folders of an older version (tests/fixtures): they load, give the same numbers, and go on with the same bits."""

import json
import pathlib

import matplotlib.pyplot as plt
import numpy as np
import pytest

from numpyae.checkpoints import load_model
from numpyae.cli import main
from tests.fixtures import write

FOLDER = pathlib.Path(__file__).parent / "fixtures"
EXPECTED = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))


def assert_same(found, wanted):
    """Equal bit for bit where the machine's arithmetic is that of the machine that wrote the fixtures; else up to rounding."""
    if write.fingerprint() == EXPECTED["fingerprint"]:
        np.testing.assert_array_equal(found, wanted)
    else:
        np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-6)


def resumed(name):
    with np.load(FOLDER / "resumed.npz") as arrays:
        return arrays[name]


@pytest.mark.parametrize("name", write.MODELS)
def test_an_older_checkpoint_is_the_model_that_was_saved(name):
    model, wanted = load_model(FOLDER / f"{name}.npz"), EXPECTED[name]
    assert type(model).__name__ == wanted["class"]
    found = write.numbers(name, model)
    assert found["terms"].keys() == wanted["terms"].keys()
    for key in ("w", "loss", "gradient", "prediction"):
        assert_same(found[key], wanted[key])
    assert_same(list(found["terms"].values()), list(wanted["terms"].values()))


@pytest.mark.parametrize("name", write.MODELS)
def test_an_older_checkpoint_goes_on_as_it_would_have(name):
    path = FOLDER / f"{name}.npz"
    for model in (load_model(path), write.MODELS[name][0]().astype(load_model(path).dtype)):
        optimizer = write.go_on(name, model, 4, resume=path)
        assert_same(write.flat(model, optimizer), resumed(name))


@pytest.mark.parametrize("task", write.RUNS)
def test_an_older_run_goes_on_as_it_would_have(task, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path: None)
    arrays = write.run_resumed(task, FOLDER, tmp_path / "out")
    assert_same(np.concatenate([arrays[key].ravel() for key in sorted(arrays)]), resumed("run-" + task))
    assert "resumed     from" in capsys.readouterr().out


def test_an_older_run_is_explored(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(FOLDER)
    assert main(["explore", "run-ae", "--save", str(tmp_path / "window.png")]) == 0
    assert "tiny.npz\nwrote " in capsys.readouterr().out
    plt.close("all")
