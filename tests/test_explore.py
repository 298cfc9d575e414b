"""The window on a code, without a screen: mouse, sliders and keys do what the caption says; the command refuses in one sentence."""

import json
import os
import shutil

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.backend_bases import KeyEvent, MouseEvent

from numpyae import (VAE, Adam, Autoencoder, BernoulliNLL, DiagonalGaussian, GaussianNLL, Regression, SquaredError, fit, mlp, plots)
from numpyae.cli import main
from numpyae.lab.explore import Explorer
from tests.test_plots import D, SHAPE, assert_texts_can_be_read, data


@pytest.fixture(autouse=True)
def free_figures():
    yield
    plt.close("all")


@pytest.fixture
def undrawn(monkeypatch):
    """The window is laid out and drawn only when a test says so, which takes most of its time."""
    monkeypatch.setattr("matplotlib.backend_bases.FigureCanvasBase.draw_idle", lambda canvas: None)
    monkeypatch.setattr("matplotlib.layout_engine.ConstrainedLayoutEngine.execute", lambda engine, figure: None)


def vae(d=2, D=D, likelihood=BernoulliNLL):
    return VAE(mlp([D, 8, 2 * d], rng=0), mlp([d, 8, D], rng=1), likelihood(), DiagonalGaussian(d))


def mouse(explorer, what, u, v):
    """A mouse at (u, v) of the code plane."""
    x, y = explorer.plane.transData.transform((u, v))
    MouseEvent(what, explorer.figure.canvas, x, y, button=1)._process()


def shown(explorer):
    return np.asarray(explorer.artist.get_array()).ravel()


@pytest.mark.usefixtures("undrawn")
def test_the_mouse_over_the_plane_shows_what_the_decoder_makes_of_the_place():
    model = vae()
    explorer = Explorer(model, SHAPE)
    for u, v in ((0.5, -1), (-2, 2.5)):
        mouse(explorer, "motion_notify_event", u, v)
        np.testing.assert_allclose(shown(explorer), model.decode(np.array([[u, v]]))[0], rtol=1e-6)
        np.testing.assert_allclose(explorer.cross.get_xydata(), [[u, v]], atol=1e-9)
    assert explorer.plane.get_title() == "z = (\N{MINUS SIGN}2.00, 2.50)"
    x, y = explorer.picture.transAxes.transform((0.5, 0.5))
    MouseEvent("motion_notify_event", explorer.figure.canvas, x, y)._process()             # over the image: nothing moves
    np.testing.assert_allclose(explorer.z, [-2, 2.5], atol=1e-9)


@pytest.mark.usefixtures("undrawn")
def test_a_click_holds_the_place_until_the_next_and_0_leads_back():
    explorer = Explorer(vae(), SHAPE, data())
    mouse(explorer, "button_press_event", 0.1, 0.2)
    mouse(explorer, "motion_notify_event", 0, 0)
    np.testing.assert_allclose(explorer.z, [0.1, 0.2], atol=1e-9)
    assert explorer.plane.get_title().endswith(", held")
    mouse(explorer, "button_press_event", 0.1, 0.2)
    mouse(explorer, "motion_notify_event", 0, 0.1)
    np.testing.assert_allclose(explorer.z, [0, 0.1], atol=1e-9)
    KeyEvent("key_press_event", explorer.figure.canvas, "0")._process()
    np.testing.assert_allclose(explorer.z, explorer.model.encode(data()).mean(axis=0), rtol=1e-12)


def test_what_the_mouse_leaves_on_the_screen_is_the_whole_window_drawn_anew():
    explorer = Explorer(vae(), SHAPE, data(), np.arange(120) % 3)
    canvas = explorer.figure.canvas
    canvas.draw()
    start = np.array(canvas.buffer_rgba())
    mouse(explorer, "motion_notify_event", 0.05, 0.05)
    moved = np.array(canvas.buffer_rgba())
    canvas.draw()
    np.testing.assert_array_equal(moved, np.asarray(canvas.buffer_rgba()))
    assert np.any(moved != start)


@pytest.mark.usefixtures("undrawn")
def test_the_plane_and_the_sliders_are_the_numbers_that_matter_most():
    model = vae(20)
    matters = np.zeros(20)
    matters[[13, 4, 9]] = 3, 2, 1
    model.decoder.layers[0].W = model.decoder.layers[0].W * matters[:, None]
    explorer = Explorer(model, SHAPE)
    assert (explorer.i, explorer.j) == (4, 13) and next(iter(explorer.sliders)) == 9 and len(explorer.sliders) == 12
    explorer.move(0.5, -1)
    explorer.sliders[9].set_val(2)
    z = np.zeros((1, 20))
    z[0, [4, 13, 9]] = 0.5, -1, 2
    np.testing.assert_allclose(shown(explorer), model.decode(z)[0], rtol=1e-6)
    KeyEvent("key_press_event", explorer.figure.canvas, "0")._process()
    assert explorer.sliders[9].val == 0 and not explorer.z.any()
    explorer = Explorer(model, SHAPE, dims=(2, 9))
    assert (explorer.i, explorer.j) == (2, 9) and list(explorer.sliders)[:2] == [13, 4]


@pytest.mark.usefixtures("undrawn")
def test_codes_of_data_are_drawn_else_the_prior():
    model, x = vae(5), data()
    explorer = Explorer(model, SHAPE, x, np.arange(120) % 3)
    np.testing.assert_allclose(explorer.plane.collections[0].get_offsets(), model.encode(x)[:, [explorer.i, explorer.j]], rtol=1e-12)
    assert {text.get_text() for text in explorer.plane.texts} == {"0", "1", "2"} and not explorer.plane.patches
    for k, slider in explorer.sliders.items():
        codes = model.encode(x)[:, k]
        np.testing.assert_allclose([slider.valmin, slider.valmax], [codes.mean() - 3 * codes.std(), codes.mean() + 3 * codes.std()])
    assert [(ellipse.width, ellipse.height) for ellipse in Explorer(model, SHAPE).plane.patches] == [(2, 2), (4, 4), (6, 6)]
    ae = Autoencoder(mlp([D, 8, 2], rng=0), mlp([2, 8, D], rng=1), BernoulliNLL())
    assert not Explorer(ae, SHAPE).plane.patches                                           # it has no prior


@pytest.mark.usefixtures("undrawn")
def test_what_is_no_image_is_a_line_or_a_point():
    model = vae(3, 7, GaussianNLL)
    explorer = Explorer(model)
    explorer.move(1, -1)
    np.testing.assert_allclose(explorer.artist.get_ydata(), model.decode(explorer.z[None])[0], rtol=1e-12)
    assert list(explorer.artist.get_xdata()) == list(range(1, 8))
    model, x = vae(2, 2, GaussianNLL), data()[:, :2]
    explorer = Explorer(model, None, x)
    explorer.move(1, -1)
    np.testing.assert_allclose(explorer.artist.get_xydata(), model.decode(np.array([[1.0, -1.0]])), rtol=1e-12)
    np.testing.assert_array_equal(explorer.picture.lines[0].get_xydata(), x)


@pytest.mark.parametrize("model, shape, x", [(vae(16), SHAPE, data()), (vae(3, 7), None, None)])
def test_every_text_is_whole_large_enough_and_uncovered(model, shape, x):
    assert_texts_can_be_read(Explorer(model, shape, x, None if x is None else np.arange(120) % 10).figure)


@pytest.mark.parametrize("error, message, call", [
    (TypeError, "explore: the model must have a decoder, as a VAE or an Autoencoder has, got Regression",
     lambda: Explorer(Regression(mlp([3, 2], rng=0), SquaredError()))),
    (ValueError, "explore: the code must have at least 2 numbers, got 1", lambda: Explorer(vae(1))),
    (ValueError, "explore: image_shape (3, 3) has 9 pixels, but the model gives 20 features", lambda: Explorer(vae(), (3, 3))),
    (ValueError, "explore: x must have shape (N, 20), got (120, 19)", lambda: Explorer(vae(), SHAPE, data()[:, 1:])),
    (ValueError, "explore: labels must have shape (120,), one for each row of x, got (3,)",
     lambda: Explorer(vae(), SHAPE, data(), [1, 2, 3])),
    (ValueError, "explore: dims must be two different numbers from 0 to 1, got 1, 2", lambda: Explorer(vae(), SHAPE, dims=(1, 2)))])
def test_bad_input_is_one_sentence_and_leaves_no_figure(error, message, call):
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value) == message and not plt.get_fignums()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What is left of a run on pictures of 5x4 pixels: checkpoint and run.json."""
    folder = tmp_path_factory.mktemp("run")
    np.savez(folder / "x.npz", x=data().reshape(-1, *SHAPE), y=np.arange(120) % 3)
    fit(vae(3), data().round(), optimizer=Adam(1e-3), epochs=1, batch_size=60, rng=0, checkpoint=folder / "checkpoint.npz")
    settings = dict(task="vae", data=str(folder / "x.npz"), epochs=1, batch_size=60, latent=3, hidden=[8], lr=1e-3,
                    likelihood="bernoulli", seed=0, dtype="float64")
    (folder / "run.json").write_text(json.dumps(settings))
    return folder


def refused(capsys, *words):
    assert main(["explore", *map(str, words)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error and not plt.get_fignums()
    return error


def test_the_command_finds_the_data_of_a_run_and_writes_the_window_into_a_new_file(folder, tmp_path, capsys):
    save = str(tmp_path / "window.png")
    assert main(["explore", str(folder), "--axes", "3,1", "--save", save]) == 0
    assert capsys.readouterr().out == f"codes of held-out data of {folder / 'x.npz'}\nwrote {save}\n"
    picture = plt.imread(save)
    assert picture.shape[:2] == (900, 1600) and picture[:, :, :3].min() < 0.1
    assert "--save" in refused(capsys, folder, "--save", save) and plt.imread(save).shape == picture.shape


@pytest.mark.usefixtures("undrawn")
def test_the_command_opens_a_window_where_there_is_one(folder, capsys, monkeypatch):
    assert "there is no window here: Matplotlib's backend is agg" in refused(capsys, folder).replace("Agg", "agg")
    made = []
    monkeypatch.setattr(plt, "get_backend", lambda: "QtAgg")
    monkeypatch.setattr(plt, "show", lambda: made.append(plt.gcf()))
    assert main(["explore", str(folder / "checkpoint.npz")]) == 0
    assert len(made) == 1 and made[0].axes[0].collections                                  # with the codes of the data


@pytest.mark.usefixtures("undrawn")
def test_a_checkpoint_without_a_run_is_shown_without_data_or_with_those_that_are_named(folder, tmp_path, capsys, monkeypatch):
    shutil.copy(folder / "checkpoint.npz", tmp_path / "c.npz")
    monkeypatch.setattr(plots.plt.Figure, "savefig", lambda figure, path: None)
    words = ["explore", str(tmp_path / "c.npz"), "--save", "none.png"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "no codes of data: there is no " in said and "drawn as a line of 20 numbers" in said
    assert main([*words, "--data", str(folder / "x.npz")]) == 0
    assert "codes of held-out data of" in capsys.readouterr().out
    assert "the model takes 20 features, got 2" in refused(capsys, *words[1:], "--data", "two_moons")


@pytest.mark.parametrize("words, message", [
    (["--shape", "4,4"], "--shape must be ROWS,COLUMNS with ROWS times COLUMNS the 20 features that the model gives, got 4,4"),
    (["--shape", "20"], "--shape must be ROWS,COLUMNS with ROWS times COLUMNS the 20 features that the model gives, got 20"),
    (["--axes", "1,4"], "--axes must be two different numbers from 1 to 3, with a comma between, got 1,4"),
    (["--axes", "2,2"], "--axes must be two different numbers from 1 to 3, with a comma between, got 2,2")])
def test_bad_options_are_one_sentence(words, message, folder, capsys):
    assert message in refused(capsys, folder, *words, "--save", "none.png")


def test_what_is_no_checkpoint_of_a_model_with_a_decoder(folder, tmp_path, capsys):
    assert "there is no such file" in refused(capsys, tmp_path)
    assert "expected an .npz file of arrays, got another kind of file" in refused(capsys, folder / "run.json")
    assert "expected a checkpoint, got an .npz of x, y" in refused(capsys, folder / "x.npz")
    model = Regression(mlp([2, 1], rng=0), SquaredError())
    fit(model, np.zeros((4, 2)), np.zeros((4, 1)), optimizer=Adam(1e-3), epochs=1, batch_size=4, checkpoint=tmp_path / "r.npz")
    assert "must have a decoder, as a VAE or an Autoencoder has, got Regression" in refused(capsys, tmp_path / "r.npz")
    (tmp_path / "run.json").write_text(json.dumps({"task": "gan"}))
    os.rename(tmp_path / "r.npz", tmp_path / "checkpoint.npz")
    shutil.copy(folder / "checkpoint.npz", tmp_path)
    assert "expected the settings of a run" in refused(capsys, tmp_path, "--save", "none.png")
