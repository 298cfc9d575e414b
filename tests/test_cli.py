"""The command line, as a user meets it: what it says, what it leaves, what it refuses, and with which exit status."""

import json
import os
import pkgutil
import re
import signal
import subprocess
import sys

import matplotlib.animation
import matplotlib.pyplot as plt
import numpy as np
import pytest

from numpyae import GaussianNoise, SquaredError, cli, datasets
from numpyae.checkpoints import load_model
from numpyae.cli import main
from numpyae.lab.runs import Run, drawn_epochs
from numpyae.penalties import KLSparsity, Penalty
from numpyae.training import Progress


@pytest.fixture
def blobs(tmp_path):
    """A file of 60 small grey pictures of three kinds, 6x5 pixels, with labels."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 3
    kinds = rng.random((3, 6, 5))
    x = np.clip(kinds[y] + 0.05 * rng.standard_normal((60, 6, 5)), 0, 1)
    path = tmp_path / "blobs.npz"
    np.savez(path, x=x, y=y)
    return str(path)


@pytest.fixture
def unrendered(monkeypatch):
    """Pictures are made, but not turned into pixels, which takes most of the time of a small run."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path: open(path, "x").close())


@pytest.fixture
def undrawn(monkeypatch):
    """Files stand for the pictures, where a test is about something else."""
    monkeypatch.setattr("numpyae.lab.runs.save", lambda make, path: open(path, "x").close() or path)


def run(*words):
    """main in a process of its own."""
    return subprocess.run([sys.executable, "-m", "numpyae", *words], capture_output=True, text=True,
                          env=os.environ | {"MPLBACKEND": "Agg"})


def wait_for(process, words):
    """Read what a process prints until a line has these words; it ends when the process does."""
    for line in process.stdout:
        if words in line:
            return
    raise AssertionError(f"the process ended without saying {words!r}")


def refused(capsys, *words):
    """The one line on standard error, after a status that is not 0."""
    assert main(list(words)) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    return error


@pytest.mark.usefixtures("unrendered")
def test_train_vae_says_what_it_does_and_leaves_what_it_says(blobs, tmp_path, capsys):
    out = tmp_path / "results"
    assert main(["train", "vae", "--data", blobs, "--epochs", "3", "--batch-size", "9", "--hidden", "7", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    for words in ("54 to train on, 6 held out; 6×5 images", "binarised anew each epoch", "VAE 30-7-[2]-7-30, tanh, bernoulli",
                  f"{30 * 7 + 7 + 7 * 4 + 4 + 2 * 7 + 7 + 7 * 30 + 30} parameters, float32", "3 epochs of 6 batches of 9", str(out),
                  "epoch 3/3"):
        assert words in said, said
    assert re.search(r"held-out ELBO -\d+\.\d\d ± \d+\.\d\d nats per image", said)
    written = {name for name in os.listdir(out)}
    assert written == {"run.json", "checkpoint.npz", "learning_curve.png", "reconstructions.png", "code_map.png", "samples.png",
                       "manifold.png", "filters.png"}
    assert {os.path.basename(line[6:]) for line in said.splitlines() if line.startswith("wrote ")} == written - {"run.json"}
    assert load_model(out / "checkpoint.npz").encode(np.zeros((1, 30), np.float32)).shape == (1, 2)


@pytest.mark.parametrize("likelihood", ["continuous-bernoulli", "gaussian", "heteroscedastic"])
@pytest.mark.usefixtures("unrendered")
def test_train_vae_with_every_likelihood(blobs, tmp_path, likelihood, capsys):
    assert main(["train", "vae", "--data", blobs, "--epochs", "1", "--batch-size", "54", "--hidden", "5", "--latent", "3",
                 "--dtype", "float64", "--likelihood", likelihood, "--out", str(tmp_path / "out")]) == 0
    assert "binarised" not in capsys.readouterr().out


@pytest.mark.usefixtures("unrendered")
def test_train_ae(blobs, tmp_path, capsys):
    assert main(["train", "ae", "--data", blobs, "--epochs", "2", "--batch-size", "54", "--out", str(tmp_path / "out")]) == 0
    assert "held-out squared-error loss" in capsys.readouterr().out
    assert {"reconstructions.png", "code_map.png", "manifold.png"} <= set(os.listdir(tmp_path / "out"))


@pytest.mark.parametrize("words, architecture, pictures", [
    (["--corruption", "salt-and-pepper:0.3"], "salt-and-pepper:0.3", {"denoised.png"}),
    (["--tied", "--corruption", "masking:0.2:1", "--penalty", "decay:1e-4"], "tied, decay:1e-4, masking:0.2:1",
     {"denoised.png"}),
    (["--code", "sigmoid", "--penalty", "kl:0.1:1", "--penalty", "contraction:0.1"], "sigmoid code, kl:0.1:1, contraction:0.1",
     {"activity.png"}),
    (["--code", "top-3", "--corruption", "gaussian:0.1"], "top-3 code, gaussian:0.1", {"denoised.png", "activity.png"}),
    (["--code", "relu", "--tied", "--penalty", "l1:0:0.1", "--penalty", "l2:0.1:1"], "relu code, tied, l1:0:0.1, l2:0.1:1",
     {"activity.png"})])
@pytest.mark.usefixtures("unrendered")
def test_train_ae_with_every_variant(words, architecture, pictures, blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "ae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--hidden", "5", "--latent", "4", *words,
                 "--out", str(out)]) == 0
    assert f", {architecture}\n" in capsys.readouterr().out
    assert {"denoised.png", "activity.png"} & {path.name for path in out.iterdir()} == pictures
    model = load_model(out / "checkpoint.npz")
    assert model.loss(np.full((2, 30), 0.5, dtype=np.float32), rng=0) > 0
    if "l1:0:0.1" in words:                # once is enough: it costs the pictures again
        assert main(["train", "ae", "--resume", str(out), "--epochs", "2", "--out", str(tmp_path / "more")]) == 0


@pytest.mark.usefixtures("undrawn")
def test_the_held_out_loss_of_variants_is_that_of_the_reconstruction(blobs, tmp_path, capsys):
    """Once a bug: with the penalties in it no two variants could be compared."""
    out = tmp_path / "out"
    assert main(["train", "ae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--hidden", "5", "--code", "sigmoid",
                 "--penalty", "kl:0.01:1000", "--out", str(out)]) == 0
    said = float(re.search(r"held-out \S+ loss ([\d.]+) per image", capsys.readouterr().out)[1])
    assert said < 50                       # nats of 30 pixels; the penalty alone is over 1000


@pytest.mark.usefixtures("undrawn")
def test_a_run_from_before_the_variants_can_be_resumed(blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "vae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--hidden", "5", "--out", str(out)]) == 0
    settings = json.loads((out / "run.json").read_text())
    for name in ("code", "tied", "corruption", "penalty", "dropout", "plots"):
        del settings[name]
    (out / "run.json").write_text(json.dumps(settings))
    assert main(["train", "vae", "--resume", str(out), "--epochs", "2", "--out", str(tmp_path / "more")]) == 0


@pytest.mark.parametrize("words, message", [
    (["--corruption", "fog:1"], "--corruption must be one of gaussian, masking, salt-and-pepper, with its numbers, such as gaussian:0.3, "
                                "got 'fog:1'"),
    (["--corruption", "masking"], "--corruption masking takes numbers for p and value, written masking:p:value, got 'masking'"),
    (["--corruption", "masking:2"], "MaskingNoise: p must be in [0, 1], got 2.0"),
    (["--penalty", "kl:0.1"], "--penalty kl takes numbers for rho and weight, written kl:rho:weight, got 'kl:0.1'"),
    (["--penalty", "decay:much"], "--penalty decay takes numbers for weight, written decay:weight, got 'decay:much'"),
    (["--penalty", "kl:0.1:1"], "activations must lie in (0, 1), got Dense"),
    (["--code", "top-9"], "--code must be linear, sigmoid, tanh, relu, or top-K with K from 1 to 2, got 'top-9'"),
    (["--code", "top-2", "--penalty", "contraction:1"], "second derivative (Sigmoid, Tanh, Softplus, ELU, Identity), got TopK")])
def test_bad_variants(words, message, blobs, tmp_path, capsys):
    assert message in refused(capsys, "train", "ae", "--data", blobs, "--epochs", "1", *words, "--out", str(tmp_path / "out"))


@pytest.fixture
def pictures(monkeypatch):
    """The pictures of a run are empty figures, under the names that they have."""
    names = Run.pictures
    monkeypatch.setattr(Run, "pictures", lambda run, history: dict.fromkeys(names(run, history), plt.figure))


@pytest.mark.usefixtures("unrendered", "pictures")
def test_the_example_of_001_draws_after_every_epoch(blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "vae", "--data", blobs, "--epochs", "3", "--batch-size", "9", "--hidden", "5,4", "--dropout", "0.25", "--latent",
                 "2", "--corruption", "salt-and-pepper:0.3", "--plots", "reconstruction,manifold,map", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert ", dropout 0.25, salt-and-pepper:0.3\n" in said and f"wrote {out / 'epochs'}\n" in said
    expected = {f"{name}-00{k}.png" for name in ("reconstruction", "manifold", "map") for k in (1, 2, 3)}
    assert set(os.listdir(out / "epochs")) == expected
    assert {"denoised.png", "manifold.png", "code_map.png", "reconstructions.png"} <= set(os.listdir(out))
    model = load_model(out / "checkpoint.npz")
    scaling, *kinds = [type(layer).__name__ for layer in model.encoder.layers]
    assert scaling == "Standardise"
    assert kinds == ["Dense", "Tanh", "Dropout"] * 2 + ["Dense"] == [type(layer).__name__ for layer in model.decoder.layers]
    assert model.encoder.layers[3].p == 0.25
    x = np.full((500, 30), 0.5, dtype=np.float32)
    model.loss(x, rng=0)
    damage = model.corruption.apply(x, model.noise["corruption"])
    assert set(np.unique(damage)) == {0, 0.5, 1}                   # the program that [001] shows made a 2 of some
    assert main(["train", "vae", "--resume", str(out), "--epochs", "4", "--out", str(tmp_path / "more")]) == 0
    assert sorted(os.listdir(tmp_path / "more" / "epochs")) == [f"{name}-004.png" for name in ("manifold", "map", "reconstruction")]
    assert len(os.listdir(out / "epochs")) == 9
    assert main(["train", "vae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--out", str(tmp_path / "plain")]) == 0
    assert not (tmp_path / "plain" / "epochs").exists()


@pytest.mark.usefixtures("unrendered", "pictures")
def test_of_many_epochs_about_twenty_are_drawn(blobs, tmp_path, monkeypatch, capsys):
    assert drawn_epochs(20) == set(range(1, 21)) and drawn_epochs(0) == set()
    for epochs in (21, 40, 150, 2000):
        drawn = sorted(drawn_epochs(epochs))
        assert 14 <= len(drawn) <= 20 and drawn[0] == 1 and drawn[-1] == epochs and max(np.diff(drawn)) < 0.12 * epochs
    monkeypatch.setattr("numpyae.lab.runs.MOST_DRAWN", 3)
    assert main(["train", "vae", "--data", blobs, "--epochs", "5", "--batch-size", "54", "--hidden", "2", "--plots", "map", "--out",
                 str(tmp_path / "out")]) == 0
    assert sorted(os.listdir(tmp_path / "out" / "epochs")) == ["map-001.png", "map-003.png", "map-005.png"]


@pytest.mark.usefixtures("pictures", "unrendered")
def test_animation_is_a_film_and_leaves_the_training_as_it_is(blobs, tmp_path, monkeypatch, capsys):
    films = []
    monkeypatch.setattr(matplotlib.animation.Animation, "save", lambda film, path, writer: films.append((film, path)))
    words = ["train", "vae", "--data", blobs, "--epochs", "3", "--batch-size", "9", "--hidden", "5", "--dropout", "0.1"]
    assert main([*words, "--out", str(tmp_path / "still")]) == 0
    assert main([*words, "--plots", "animation", "--out", str(tmp_path / "film")]) == 0
    assert f"wrote {tmp_path / 'film' / 'learning.gif'}" in capsys.readouterr().out
    (film, path), = films
    assert path == str(tmp_path / "film" / "learning.gif") and list(film.new_frame_seq())[:4] == [0, 1, 2, 3]
    film._draw_was_started = True                                  # it is not shown, and that is no mistake
    still, moved = np.load(tmp_path / "still" / "checkpoint.npz"), np.load(tmp_path / "film" / "checkpoint.npz")
    for name in set(still.files) - {"checkpoint"}:
        assert still[name].tobytes() == moved[name].tobytes(), name


@pytest.mark.parametrize("words, message", [
    (["--plots", "map,film"], "--plots must be names out of reconstruction, manifold, map, animation, with commas between, got 'film'"),
    (["--plots", ""], "with commas between, got ''"),
    (["--plots", "manifold", "--latent", "3"], "--plots manifold needs a code of 2 numbers, --latent 2, got 3"),
    (["--plots", "animation", "--latent", "3"], "--plots animation needs a code of 2 numbers, --latent 2, got 3"),
    (["--plots", "map", "--latent", "1"], "--plots map needs a code of at least 2 numbers, --latent 2 or more, got 1"),
    (["--plots", "reconstruction", "--data", "two_moons", "--likelihood", "gaussian"],
     "--plots reconstruction needs data that are images, got two_moons, which are rows of numbers"),
    (["--corruption", "salt-and-pepper:2"], "SaltAndPepper: p must be in [0, 1], got 2.0")])
def test_what_cannot_be_drawn_is_said_before_the_training(words, message, blobs, tmp_path, capsys):
    assert message in refused(capsys, "train", "vae", "--data", blobs, *words, "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("unrendered")
def test_train_regression_fits_the_sine(tmp_path, capsys):
    assert main(["train", "regression", "--epochs", "50", "--out", str(tmp_path / "out")]) == 0
    assert "fit.png" in os.listdir(tmp_path / "out")
    assert "Regression 1-20-1, tanh, squared-error" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_train_regression_on_labels_is_a_classifier(blobs, tmp_path, capsys):
    assert main(["train", "regression", "--data", blobs, "--epochs", "80", "--out", str(tmp_path / "out")]) == 0
    assert "0.00 % of 6 wrong" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_default_folder_is_fresh_each_time(blobs, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert main(["train", "vae", "--data", blobs, "--epochs", "0", "--batch-size", "9", "--latent", "1", "--hidden", "3"]) == 0
    folders = os.listdir(tmp_path / "runs")
    assert len(folders) == 2 and all(name.startswith("vae-blobs-") for name in folders)


def test_existing_files_are_never_overwritten(blobs, tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    error = refused(capsys, "train", "vae", "--data", blobs, "--batch-size", "9", "--out", str(out))
    assert "expected a new or empty folder" in error
    assert os.listdir(out) == ["mine.txt"]


@pytest.mark.usefixtures("undrawn")
def test_killed_and_resumed_is_bit_identical_to_not_killed(blobs, tmp_path):
    words = ["train", "vae", "--data", blobs, "--epochs", "30", "--batch-size", "6", "--hidden", "9"]
    process = subprocess.Popen([sys.executable, "-m", "numpyae", *words, "--out", str(tmp_path / "killed")],
                               stdout=subprocess.PIPE, text=True, env=os.environ | {"MPLBACKEND": "Agg"})
    wait_for(process, "epoch 4/")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = json.loads(str(np.load(tmp_path / "killed" / "checkpoint.npz")["checkpoint"]))["epoch"]
    assert 0 < done < 30
    assert main(["train", "vae", "--resume", str(tmp_path / "killed"), "--out", str(tmp_path / "resumed")]) == 0
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    a, b = np.load(tmp_path / "resumed" / "checkpoint.npz"), np.load(tmp_path / "whole" / "checkpoint.npz")
    assert set(a.files) == set(b.files)
    for name in set(a.files) - {"checkpoint"}:
        assert a[name].tobytes() == b[name].tobytes(), name


@pytest.mark.usefixtures("undrawn")
def test_resume_takes_no_other_options(blobs, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert main(["train", "ae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--out", out]) == 0
    assert "no other options than --epochs" in refused(capsys, "train", "ae", "--resume", out, "--lr", "0.1")
    assert "train ae" in refused(capsys, "train", "vae", "--resume", out)
    assert main(["train", "ae", "--resume", out, "--epochs", "2", "--out", str(tmp_path / "more")]) == 0
    assert "epoch 2/2" in capsys.readouterr().out


def test_resume_of_what_is_no_run(tmp_path, capsys):
    assert "there is no checkpoint" in refused(capsys, "train", "vae", "--resume", str(tmp_path))
    (tmp_path / "checkpoint.npz").write_bytes(b"PK\x03\x04 not really")
    assert "damaged or other file" in refused(capsys, "train", "vae", "--resume", str(tmp_path))


@pytest.mark.usefixtures("unrendered")
def test_ctrl_c_ends_cleanly_with_pictures(blobs, tmp_path, capsys, monkeypatch):
    """A real signal, sent to this process while it trains."""
    out, shown = tmp_path / "out", Progress.epoch

    def press(progress, history):
        shown(progress, history)
        if history.epochs == 3:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Progress, "epoch", press)
    assert main(["train", "vae", "--data", blobs, "--epochs", "2000", "--batch-size", "6", "--out", str(out)]) == 130
    said, error = capsys.readouterr()
    assert error == "" and "interrupted in epoch 4" in said and (out / "samples.png").exists()


def test_divergence_is_one_sentence(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "wild.npz", x=1e3 * rng.standard_normal((40, 6)))
    error = refused(capsys, "train", "vae", "--data", str(tmp_path / "wild.npz"), "--likelihood", "heteroscedastic", "--lr", "50",
                    "--batch-size", "4", "--epochs", "200", "--out", str(tmp_path / "out"))
    assert re.search(r"diverged in epoch \d+, step \d+: the term .* the largest \|gradient\| .* Hint.* no whole epoch to keep", error)


@pytest.mark.parametrize("words, message", [
    (["--data", "nothing.npz"], "nothing.npz"),
    (["--batch-size", "100000"], "batch_size must be at most the number of samples"),
])
def test_bad_train_input(words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets, "load", small_digits if "--batch-size" in words else datasets.load)
    assert message in refused(capsys, "train", "vae", *words)


def small_digits(name, dtype):
    x = np.random.default_rng(0).random((30, 784)).astype(dtype)
    y = np.arange(30) % 10
    return datasets.Dataset("digits", x[:20], y[:20], x[20:], y[20:], (28, 28), "grey")


@pytest.mark.parametrize("array, message", [
    (np.full((20, 4), 2.0), "targets must lie in [0, 1], got 2 to 2"),
    (np.where(np.eye(20, 4) > 0, np.nan, 0.5), "bad.npz: x must be finite, got nan in row 0, column 0"),
])
def test_bad_data_for_a_bernoulli_vae(array, message, tmp_path, capsys):
    np.savez(tmp_path / "bad.npz", x=array)
    error = refused(capsys, "train", "vae", "--data", str(tmp_path / "bad.npz"), "--likelihood", "bernoulli", "--batch-size", "5", "--out", str(tmp_path / "out"))
    assert message in error and not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", [["--epochs", "-1"], ["--batch-size", "0"], ["--lr", "0"], ["--lr", "nan"], ["--hidden", "5,,5"],
                                   ["--hidden", "-3"], ["--latent", "0"], ["--likelihood", "poisson"], ["--dtype", "float16"], ["--dropout", "1"],
                                   ["--dropout", "much"]])
def test_bad_options_are_usage_errors(words, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["train", "vae", *words])
    assert stop.value.code == 2
    assert words[0] in capsys.readouterr().err


def test_out_that_cannot_be_written(blobs, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert "file" in refused(capsys, "train", "ae", "--data", blobs, "--batch-size", "9", "--out", str(tmp_path / "file" / "out"))


def test_gradcheck_command(capsys, monkeypatch):
    """A few of the cases; test_gradcheck goes through all of them."""
    from numpyae.gradcheck import cases

    names = ("Dense(5 -> 11)", "TopK(k=2", "BernoulliNLL()", "DiagonalGaussian(d=2)", "VAE, GaussianNLL")
    few = [case for case in cases.cases(np.random.default_rng(0)) if case[0].startswith(names)]
    monkeypatch.setattr(cases, "cases", lambda rng: few)
    assert main(["gradcheck"]) == 0
    said = capsys.readouterr().out
    assert all(name in said for name in names) and f"\n{len(few)} of {len(few)} agree\n" in said


def test_gradcheck_command_fails_when_a_backward_is_broken(capsys, monkeypatch):
    from numpyae import Softplus
    from numpyae.gradcheck import cases

    monkeypatch.setattr(Softplus, "backward", lambda self, delta: 2 * delta)
    few = [case for case in cases.cases(np.random.default_rng(0)) if case[0].startswith(("Softplus", "Tanh"))]
    monkeypatch.setattr(cases, "cases", lambda rng: few)
    assert main(["gradcheck"]) == 1
    said = capsys.readouterr().out
    assert "DISAGREE" in said and f"{len(few) - 1} of {len(few)} agree" in said and "\nSoftplus(): dx " in said


def test_data_command(capsys, blobs):
    assert main(["data", "two_moons"]) == 0 and main(["data", blobs]) == 0
    said = capsys.readouterr().out
    assert "plane coordinates" in said and "(60, 30)" in said and "@" in said


def test_data_command_of_an_unknown_name(capsys):
    assert "name must be one of digits" in refused(capsys, "data", "cifar")


def test_help_and_no_command(capsys):
    assert main([]) == 2
    for words in (["--help"], ["train", "--help"], ["train", "vae", "--help"], ["gradcheck", "--help"], ["data", "--help"],
                  ["explore", "--help"]):
        with pytest.raises(SystemExit) as stop:
            main(words)
        assert stop.value.code == 0


@pytest.mark.usefixtures("undrawn")
def test_resuming_what_is_done_says_so_and_more_epochs_go_on(blobs, tmp_path, capsys):
    folders = [str(tmp_path / name) for name in ("one", "two")]
    assert main(["train", "ae", "--data", blobs, "--epochs", "2", "--batch-size", "9", "--out", folders[0]]) == 0
    assert main(["train", "ae", "--resume", folders[0], "--out", folders[1]]) == 1
    assert "its 2 epochs are done, there is nothing to train: more --epochs go on" in capsys.readouterr().err
    assert not os.path.exists(folders[1])
    assert main(["train", "ae", "--data", blobs, "--epochs", "2", "--batch-size", "9", "--out", folders[1]]) == 0
    folders.append(str(tmp_path / "three"))
    capsys.readouterr()
    assert main(["train", "ae", "--resume", folders[0], "--epochs", "3", "--out", folders[2]]) == 0
    folders = folders[2:]
    assert capsys.readouterr().out.count("wrote") == sum(len(os.listdir(folder)) - 1 for folder in folders)


@pytest.mark.usefixtures("undrawn")
def test_resume_with_damaged_settings_names_the_file(blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "vae", "--data", blobs, "--epochs", "1", "--batch-size", "54", "--hidden", "3", "--latent", "1",
                 "--out", str(out)]) == 0
    capsys.readouterr()
    settings = json.loads((out / "run.json").read_text())
    for name, value in (("likelihood", "foo"), ("lr", None), ("latent", None), ("hidden", 8), ("hidden", ["x"]), ("task", "gan"),
                        ("dtype", "float16"), ("data", 3), ("seed", -1), ("tied", "yes"), ("penalty", "kl:0.1:1"), ("corruption", 3),
                        ("dropout", 1), ("dropout", True), ("plots", "map"), ("plots", [2])):
        (out / "run.json").write_text(json.dumps(settings | {name: value}))
        assert "run.json: expected the settings of a run" in refused(capsys, "train", "vae", "--resume", str(out)), (name, value)


@pytest.mark.usefixtures("undrawn")
def test_targets_that_are_numbers(tmp_path, capsys):
    rng = np.random.default_rng(0)
    path = str(tmp_path / "ages.npz")
    np.savez(path, x=rng.random((60, 4)), y=np.arange(60) * 1000)
    words = ["train", "regression", "--data", path, "--epochs", "2", "--out"]
    assert "--likelihood squared-error takes them as numbers" in refused(capsys, *words, str(tmp_path / "a"), "--likelihood", "classes")
    assert main([*words, str(tmp_path / "b")]) == 0
    assert "targets     1 number, from 0 to 5.9e+04" in capsys.readouterr().out
    assert main(["train", "vae", "--data", path, "--epochs", "1", "--batch-size", "9", "--out", str(tmp_path / "c")]) == 0


@pytest.mark.usefixtures("undrawn")
def test_a_class_that_only_the_held_out_rows_have(tmp_path, capsys):
    y = np.arange(40) % 2
    y[np.random.default_rng(0).permutation(40)[0]] = 7           # the first row that is held out with seed 0
    np.savez(tmp_path / "rare.npz", x=np.random.default_rng(0).random((40, 3)), y=y)
    assert main(["train", "regression", "--data", str(tmp_path / "rare.npz"), "--epochs", "1", "--out", str(tmp_path / "out")]) == 0
    np.savez(tmp_path / "rare.npz", x=np.random.default_rng(0).random((40, 3)), y=y // 7)
    error = refused(capsys, "train", "regression", "--data", str(tmp_path / "rare.npz"), "--out", str(tmp_path / "more"))
    assert "all targets to learn from are 0: there is nothing to predict" in error


@pytest.mark.usefixtures("unrendered")
def test_a_run_that_came_to_nothing_can_be_tried_again_in_the_same_folder(tmp_path, capsys):
    np.savez(tmp_path / "data.npz", x=np.random.default_rng(0).standard_normal((40, 6)))
    words = ["train", "vae", "--data", str(tmp_path / "data.npz"), "--likelihood", "gaussian", "--batch-size", "4", "--epochs", "2",
             "--out", str(tmp_path / "out")]
    assert "diverged in epoch 1" in refused(capsys, *words, "--lr", "1000")
    assert main(words) == 0


@pytest.mark.usefixtures("unrendered")
def test_a_checkpoint_of_another_architecture_is_refused_before_anything_is_written(blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "ae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--hidden", "3", "--out", str(out)]) == 0
    settings = json.loads((out / "run.json").read_text()) | {"hidden": [4]}
    (out / "run.json").write_text(json.dumps(settings))
    assert "must have shape" in refused(capsys, "train", "ae", "--resume", str(out), "--out", str(tmp_path / "more"))
    assert not (tmp_path / "more").exists()


def test_trace_prints_the_worked_example_and_a_vae(capsys):
    assert main(["trace"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert any(line.startswith("L ") and line.rstrip().endswith("0.298371") for line in lines)
    assert main(["trace", "--model", "vae", "--seed", "3"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n{step} " in text for step in ("epsilon", "sigma", "KL", "dmu|draw", "dlogvar|KL", "dW1"))
    assert main(["trace", "--model", "vae", "--seed", "4"]) == 0
    assert capsys.readouterr().out != text


def test_trace_writes_the_stepper_into_a_new_file(capsys, tmp_path):
    page = tmp_path / "page.html"
    assert main(["trace", "--html", str(page)]) == 0
    assert capsys.readouterr().out == f"wrote {page}\n"
    first = page.read_text(encoding="utf-8")
    assert first.startswith("<!DOCTYPE html>") and "a1₁ = 0.05 · 0.15 + 0.1 · 0.2 + 0.35 = 0.3775" in first
    assert "expected the name of a new file, got one that is there" in refused(capsys, "trace", "--model", "vae", "--html", str(page))
    assert page.read_text(encoding="utf-8") == first
    assert "No such file" in refused(capsys, "trace", "--html", str(tmp_path / "no" / "page.html"))
    assert main(["trace", "--model", "vae", "--seed", "1", "--html", str(tmp_path / "vae.html")]) == 0
    assert "mu + sigma epsilon" in (tmp_path / "vae.html").read_text(encoding="utf-8")


def test_handout_refuses(capsys, tmp_path):
    assert "number must be one of 1, 2, 3" in refused(capsys, "handout", "77", "--to", str(tmp_path))
    (tmp_path / "04_backpropagation.html").write_text("my own")
    said = refused(capsys, "handout", "4", "--to", str(tmp_path))
    assert "04_backpropagation.html is there and was not made by this command" in said
    assert os.listdir(tmp_path) == ["04_backpropagation.html"]


def test_lecture_lists_runs_and_refuses(capsys, tmp_path, monkeypatch):
    (tmp_path / "01_first.py").write_text("# %% [markdown]\n# # 1. First: it works\nimport sys\nprint(sys.argv[1:])\n")
    (tmp_path / "02_second.py").write_text("# %% [markdown]\n# # 2. Second: it fails\nassert 1 == 2\n")
    monkeypatch.setattr("numpyae.course.lectures.FOLDER", tmp_path)
    assert main(["lecture"]) == 0
    listed = capsys.readouterr().out
    assert "1. First: it works" in listed and "02_second.py" in listed
    assert main(["lecture", "1"]) == main(["lecture", "01", "--full"]) == 0
    assert main(["lecture", "all"]) == 1
    assert "number must be one of 1, 2, or all, got '7'" in refused(capsys, "lecture", "7")
    assert "--full needs the number of a lecture" in refused(capsys, "lecture", "--full")
    monkeypatch.setattr("numpyae.course.lectures.FOLDER", tmp_path / "nowhere")
    assert "no lectures here; they come with a clone" in refused(capsys, "lecture")


COMMAND = '''"""Say hello.

Say hello as often as one likes.
"""


def add_options(parser):
    parser.add_argument("--times", type=int, default=1, help="how often (1)")


def run(arguments):
    print("hello " * arguments.times)
    return 7
'''


def test_a_command_is_a_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "hello.py").write_text(COMMAND)
    monkeypatch.setattr(cli, "__path__", [*cli.__path__, str(tmp_path)])
    assert main(["hello", "--times", "2"]) == 7
    assert capsys.readouterr().out == "hello hello \n"
    assert main([]) == 2
    assert re.search(r"\n +hello +say hello\n", capsys.readouterr().out)
    with pytest.raises(SystemExit):
        main(["hello", "--help"])
    said = capsys.readouterr().out
    assert "Say hello as often as one likes." in said and "--times" in said


def test_every_command_helps(capsys):
    commands = [module.name for module in pkgutil.iter_modules(cli.__path__)]
    assert {"train", "explore", "gradcheck", "trace", "lecture", "handout", "exercise", "grade", "bughunt", "reproduce",
            "data"} <= set(commands)
    for command in commands:
        with pytest.raises(SystemExit) as stop:
            main([command, "--help"])
        assert stop.value.code == 0 and capsys.readouterr().out.count("\n") > 8


@pytest.mark.usefixtures("undrawn")
def test_a_penalty_a_corruption_and_a_loss_of_ones_own_are_available_by_their_word(blobs, tmp_path, capsys):
    """Written here alone: the word on the class, the numbers in its constructor."""
    class Shrink(Penalty):
        option = term = "shrink"
        on_weights = True

        def __init__(self, power, weight, floor=0.0):
            super().__init__(weight)
            self.power, self.floor = power, floor

        def forward(self, layers, noise=None):
            return self.weight * self.power

        def backward(self, weight):
            return {}

    class Fog(GaussianNoise):
        option = "fog"

    class Absent(Fog):                     # a subclass does not inherit the word
        pass

    class Halved(SquaredError):
        option = "halved"

        def forward(self, output, target):
            return 0.5 * super().forward(output, target)

        def backward(self, weight):
            return 0.5 * super().backward(weight)

    out = tmp_path / "out"
    words = ["train", "ae", "--data", blobs, "--epochs", "1", "--batch-size", "9", "--hidden", "3", "--likelihood", "halved"]
    assert main([*words, "--penalty", "shrink:2:0.5", "--corruption", "fog:0.1", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "halved, shrink:2:0.5, fog:0.1\n" in said and "shrink 1  validation" in said and "held-out halved loss" in said
    with pytest.raises(SystemExit):
        main(["train", "ae", "--help"])
    said = " ".join(capsys.readouterr().out.split())
    assert "shrink:POWER:WEIGHT[:FLOOR]" in said and "fog:SIGMA" in said and "absent" not in said
    assert "written shrink:power:weight:floor, got 'shrink:1'" in refused(capsys, *words, "--penalty", "shrink:1")


def test_a_word_that_another_class_has_is_refused():
    from numpyae.lab import settings

    class Sparse(KLSparsity):
        option = "decay"

    with pytest.raises(ValueError, match="option must be a word that no other class has; two have that of"):
        settings.known(Penalty)
    del Sparse.option


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("words, said, holds", [
    (["--beta", "4"], "beta 4", lambda model: model.beta == 4),
    (["--beta", "4", "--warm-up", "8"], "warm-up 8 epochs", lambda model: model.beta == 1.5),       # that of the third epoch
    (["--iwae", "3"], "importance-weighted, 3 draws", lambda model: type(model).__name__ == "IWAE" and model.samples == 3),
    (["--covariance", "full"], "full covariance", lambda model: type(model.posterior).__name__ == "FullGaussian"),
    (["--prior", "mixture:4"], "prior mixture:4", lambda model: model.prior.mu.shape == (4, 2) and model.kl == "sampled"),
    (["--iwae", "3", "--prior", "mixture:4", "--covariance", "full"], "prior mixture:4", lambda model: model.prior.mu.shape == (4, 2)),
    (["--decay", "0.5"], "decay 0.5", lambda model: model.penalties[0].weight == 0.5),
    (["--activation", "relu"], ", relu, ", lambda model: sum("ReLU" in repr(leaf) for leaf in model.leaves().values()) == 2),
    (["--clip", "0.001"], "clip 0.001", lambda model: True)])
def test_options_of_a_vae(words, said, holds, blobs, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["train", "vae", "--data", blobs, "--epochs", "2", "--batch-size", "27", "--hidden", "5", "--out", str(out), *words]) == 0
    text = capsys.readouterr().out
    assert said in text and "units of the code are active" in text and "the mean image alone" in text
    assert holds(load_model(out))                                            # the folder of a run stands for its checkpoint


@pytest.mark.parametrize("words, message", [
    (["--iwae", "3", "--beta", "2"], "--iwae has no KL to weigh"), (["--iwae", "3", "--corruption", "masking:0.2"], "leave out --corruption"),
    (["--warm-up", "3", "--patience", "2"], "--patience compares losses of one beta"), (["--prior", "mixture:x"], "such as mixture:10"),
    (["--activation", "gelu"], "expected the word of an activation, got 'gelu'"), (["--clip", "-1"], "expected a number of at least 0"),
    (["--scaling", "big"], "expected none, centred or standardised, got 'big'")])
def test_options_that_make_no_sense(words, message, blobs, tmp_path, capsys):
    try:
        assert main(["train", "vae", "--data", blobs, *words, "--out", str(tmp_path / "out")]) == 1
    except SystemExit as error:
        assert error.code == 2
    assert message in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.usefixtures("undrawn")
def test_patience_keeps_the_best_epoch_and_without_it_a_worse_end_is_said(tmp_path, capsys):
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "noise.npz", x=rng.standard_normal((40, 6)), y=rng.standard_normal((40, 1)))
    words = ["train", "regression", "--data", str(tmp_path / "noise.npz"), "--epochs", "150", "--decay", "0", "--out"]
    assert main([*words, str(tmp_path / "a")]) == 0
    assert "the held-out loss was lowest in epoch" in (said := capsys.readouterr().out) and "--patience keeps the best" in said
    assert main([*words, str(tmp_path / "b"), "--patience", "5"]) == 0
    found = [float(text.split("held-out squared-error loss ")[1].split()[0]) for text in (said, capsys.readouterr().out)]
    assert found[1] < found[0]


@pytest.mark.usefixtures("undrawn")
def test_a_table_in_raw_units_is_standardised_and_judged_in_its_units(tmp_path, capsys):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((300, 3)) * [1e-3, 1, 1e4] + [0, 50, 1e5]
    y = x @ [[1e6], [300], [0.2]] + rng.standard_normal((300, 1)) * 50 + 1e6
    np.savez(tmp_path / "prices.npz", x=x, y=y)
    out = tmp_path / "out"
    assert main(["train", "regression", "--data", str(tmp_path / "prices.npz"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    mine, mean, least = (float(re.search(pattern, said)[1]) for pattern in (r"loss (\S+) per", r"(\S+)  the mean alone", r"(\S+)  least sq"))
    assert mine < 2 * least < 0.01 * mean and "scaling     standardised" in said
    model = load_model(out)
    assert np.mean((model.predict(x) - y) ** 2) < 0.01 * y.var()             # a prediction takes and gives raw units
