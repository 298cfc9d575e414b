"""Published settings: what is listed, what a run says and leaves, that a stopped one goes on as if it had not been."""

import csv
import json
import os
from dataclasses import replace

import numpy as np
import pytest

from numpyae import Adam, Autoencoder, Dense, Sequential, SquaredError, TopK, datasets, fit, mlp
from numpyae.cli import main
from numpyae.lab import published, published as gabor, reproduce, reproduce as records


@pytest.fixture(scope="module")
def small():
    """130 grey pictures of three kinds to learn from, with an empty margin, and 20 new ones."""
    rng, y = np.random.default_rng(0), np.arange(150) % 3
    x = np.zeros((150, 28, 28), np.float32)
    x[:, 2:-2, 2:-2] = np.clip(rng.random((3, 24, 24))[y] + 0.1 * rng.standard_normal((150, 24, 24)), 0, 1)
    x = x.reshape(150, 784)
    return datasets.Dataset("three kinds", x[:130], y[:130], x[130:], y[130:], (28, 28), "grey levels in [0, 1]")


@pytest.fixture
def little(monkeypatch):
    """hinton-mnist with a network of a few units, and a k that falls, for what does not depend on the network."""
    def prepare(data, rng):
        encoder = Sequential(Dense(784, 9, rng=rng), TopK(9))
        model = Autoencoder(encoder, mlp([9, 784], rng=rng), SquaredError()).astype(np.float32)

        def schedule(model, optimizer, epoch, epochs):
            published.cooled(1e-3, model, optimizer, epoch, epochs)
            model.encoder.layers[1].k = 9 - epoch

        def look(model):
            return published.mean_and_error(published.squared_errors(model, data.x_test))

        return published.Job(model, (data.x,), rng, look, lambda model: (*look(model), "little"), Adam(1e-3), 50,
                             schedule, published.shifted)

    monkeypatch.setitem(published.SETTINGS, "hinton-mnist", replace(published.SETTINGS["hinton-mnist"], prepare=prepare))


@pytest.fixture
def unrecorded(tmp_path, monkeypatch):
    """A place for results.md and results.csv in which there is nothing yet."""
    folder = tmp_path / "lectures"
    folder.mkdir()
    monkeypatch.setattr(records, "FOLDER", folder)
    return folder


def stop_at(monkeypatch, epoch, error):
    """Let a run end at the look after this epoch, before its checkpoint is written."""
    keep = reproduce.Watch.keep

    def stopping(watch, at, *values):
        if at == epoch:
            raise error
        keep(watch, at, *values)

    monkeypatch.setattr(reproduce.Watch, "keep", stopping)


def same_bits(one, other):
    """Whether two checkpoints hold the same arrays; the record has times in it and is left out."""
    a, b = np.load(one / "checkpoint.npz"), np.load(other / "checkpoint.npz")
    assert a.files == b.files
    return all(a[name].tobytes() == b[name].tobytes() for name in a.files if name != "checkpoint")


def refused(capsys, *words):
    """The one line on standard error, after status 1."""
    assert main(["reproduce", *words]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "Traceback" not in error
    return error


def test_listing_has_every_setting_with_both_values(capsys):
    assert main(["reproduce"]) == 0
    said = capsys.readouterr().out
    for name, setting in published.SETTINGS.items():
        assert f"{name}\n    published  {setting.published}: {setting.source}\n" in said
    assert "ours       2.45 ± 0.02 after 40 of 40 epochs, 20 minutes" in said
    assert "ours       1.65 ± 0.01 after 700 of 700" in said               # the best of two rows
    assert "0.48)\n    ours       not run" in said


def test_unknown_names_and_options_without_a_name(capsys):
    error = refused(capsys, "resnet")
    assert all(name in error for name in published.SETTINGS) and "got 'resnet'" in error
    assert "need the name" in refused(capsys, "--epochs", "3")


def test_what_is_recorded_fits_together():
    rows = records.recorded_results()
    with open(records.FOLDER / "results.csv", encoding="utf-8") as file:
        curves = {(row["setting"], int(row["epochs"])) for row in csv.DictReader(file)}
    assert {name for name, _ in curves} <= set(rows)
    for name, epochs in curves:
        curve = records.recorded_curve(name, epochs, "value")
        finals = [float(row[6].split()[0]) for row in rows[name] if row[5] == f"{epochs} of {epochs}"]
        if curve and curve[-1][0] == epochs and finals and not published.SETTINGS[name].estimate:
            assert min(abs(curve[-1][1] - final) for final in finals) < 0.006       # the rows have two decimals


def test_expected_value_is_on_the_line_between_two_epochs(unrecorded):
    curve = [(10, 4.0), (20, 3.0), (40, 2.5)]
    assert records.expected(curve, 10) == 4 and records.expected(curve, 15) == 3.5 and records.expected(curve, 30) == 2.75
    assert records.expected(curve, 9) is records.expected(curve, 41) is records.expected([], 1) is None
    assert records.recorded_curve("hinton-mnist", 40, "value") == []
    table = unrecorded / "results.csv"
    table.write_text("setting,epochs,epoch,loss,value\nhinton-mnist,40,20,5.5,3\nhinton-mnist,40,10,,4\nhinton-mnist,30,10,,7\n")
    assert records.recorded_curve("hinton-mnist", 40, "value") == [(10, 4), (20, 3)]
    assert records.recorded_curve("hinton-mnist", 40, "loss") == [(20, 5.5)]
    table.write_text("setting,epochs,epoch,loss,value\nhinton-mnist,40,ten,,4\n")
    with pytest.raises(ValueError, match="results.csv: expected columns"):
        records.recorded_curve("hinton-mnist", 40, "value")


@pytest.mark.usefixtures("little")
def test_killed_and_resumed_is_bit_identical_to_not_killed(small, tmp_path, monkeypatch, capsys):
    """All must come back: a layer's k, the rate, the optimizer's arrays, the state of the rng."""
    class Killed(BaseException):
        """Nothing catches it."""

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert reproduce.rerun("hinton-mnist", str(whole), epochs=7, data=small) == 0
    with monkeypatch.context() as patch:
        stop_at(patch, 5, Killed())
        with pytest.raises(Killed):
            reproduce.rerun("hinton-mnist", str(killed), epochs=7, data=small)
    assert json.loads(str(np.load(killed / "checkpoint.npz")["checkpoint"]))["epoch"] == 4
    assert reproduce.rerun("hinton-mnist", resume=str(killed), data=small) == 0
    assert same_bits(whole, killed)
    rows = [[cell.strip() for cell in (folder / "results.md").read_text().splitlines()[-1].split("|")] for folder in (whole, killed)]
    assert rows[0][:4] + rows[0][5:] == rows[1][:4] + rows[1][5:]                # all but the minutes
    assert "epoch 7/7" in capsys.readouterr().out


@pytest.mark.usefixtures("little")
def test_ctrl_c_gives_a_row_and_the_rest_can_follow(small, tmp_path, monkeypatch, capsys, unrecorded):
    folder = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop_at(patch, 2, KeyboardInterrupt())
        assert reproduce.rerun("hinton-mnist", str(folder), epochs=3, data=small) == 130
    said = capsys.readouterr().out
    assert "| 2 of 3 |" in said and f"--resume {folder} goes on" in said and "no run of 3 epochs is recorded" in said
    assert "ours        not run" in said
    (unrecorded / "results.csv").write_text("setting,epochs,epoch,loss,value\nhinton-mnist,3,1,9,60\nhinton-mnist,3,3,7,50\n")
    assert reproduce.rerun("hinton-mnist", resume=str(folder), data=small) == 0
    said = capsys.readouterr().out
    assert "epoch 1/3" not in said and "(expected 55.00)" in said and "(expected 8.00)" in said
    lines = (folder / "results.md").read_text().splitlines()
    assert lines[0] == records.HEAD and len(lines) == 4
    assert [line.split("|")[6].strip() for line in lines[2:]] == ["2 of 3", "3 of 3"]
    assert reproduce.rerun("hinton-mnist", resume=str(folder), data=small) == 0              # only measures again
    assert (folder / "results.md").read_text().splitlines()[-1] == lines[-1]


def test_rows_are_read_as_they_are_written(unrecorded):
    rows = [records.result_row("burda-table-1", "float32", 31.4, "800 of 800", 86.7, 0.05, "20 of 50 units active"),
            records.result_row("burda-table-1", "float32", 3.14, "100 of 800", 80.0, 0.5, "stopped; an estimate"),
            records.result_row("sutskever-curves", "float32", 300, "9 of 9", 0.0961, 0.0004, ""),
            "| hwalsuklee | – | – | – | – | – | not run | pictures | |"]
    (unrecorded / "results.md").write_text("\n".join([records.HEAD, *rows]))
    assert records.best_recorded("burda-table-1").startswith("86.70 ± 0.05 after 800 of 800 epochs, 31 minutes on ")
    assert records.best_recorded("sutskever-curves").startswith("0.096 ± 0.000 after 9 of 9 epochs, 300 minutes on ")
    assert records.best_recorded("hwalsuklee") == "not run"
    assert "| 3.1 |" in rows[1]


def test_folders_that_are_refused(small, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mine = tmp_path / "runs" / "reproduce-hinton-mnist"
    mine.mkdir(parents=True)
    (mine / "mine.txt").write_text("keep")
    assert "there already and not empty: --resume" in refused(capsys, "hinton-mnist")
    assert os.listdir(mine) == ["mine.txt"]
    assert "there is no run.json" in refused(capsys, "hinton-mnist", "--resume", str(mine))
    (mine / "run.json").write_text('{"task": "vae"}')
    assert "not of a `reproduce`" in refused(capsys, "hinton-mnist", "--resume", str(mine))
    (mine / "run.json").write_text('{"reproduce": "hinton-mnist", "epochs": 9}')
    assert "expected hinton-mnist over 9 epochs" in refused(capsys, "hinton-curves", "--resume", str(mine))
    assert "got hinton-mnist over 8" in refused(capsys, "hinton-mnist", "--resume", str(mine), "--epochs", "8")
    assert "expected no --out" in refused(capsys, "hinton-mnist", "--resume", str(mine), "--out", "other")


def test_without_the_data_one_line_and_nothing_left_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def nowhere(name, dtype):
        raise ConnectionError(f"{name}: no mirror delivered")

    monkeypatch.setattr(datasets, "load", nowhere)
    assert refused(capsys, "hinton-mnist") == "numpyae reproduce: mnist: no mirror delivered\n"
    assert os.listdir(tmp_path) == []


def test_burda_is_the_setting_of_the_table(small, tmp_path, capsys):
    """Sizes, start at the mean image, rate to a tenth, K; and a whole run, whose number is of 5000 samples."""
    job = published.SETTINGS["burda-table-1-iwae-5"].prepare(small, np.random.default_rng(0))
    assert type(job.model).__name__ == "IWAE" and job.model.samples == 5 and job.model.dtype == np.float32
    assert job.model.encoder.n_out == 100 and job.model.decoder.n_in == 50 and job.batch_size == 100
    p = small.x.mean(axis=0)
    np.testing.assert_allclose(1 / (1 + np.exp(-job.model.decoder.layers[-1].b)), np.clip(p, 1e-3, 1 - 1e-3), rtol=1e-5)
    job.schedule(job.model, job.optimizer, 400, 560)
    assert job.optimizer.alpha == pytest.approx(1e-3 / np.sqrt(10))
    few = small._replace(x_test=small.x_test[:2], y_test=small.y_test[:2])
    assert reproduce.rerun("burda-table-1", str(tmp_path / "run"), epochs=1, data=few) == 0
    said = capsys.readouterr().out
    assert "published   86.76" in said and "5000 importance samples" in said and "estimate by 50 samples" in said
    row = said.splitlines()[-1].split("|")
    job = published.SETTINGS["burda-table-1"].prepare(few, np.random.default_rng(0))
    with np.load(tmp_path / "run" / "checkpoint.npz") as kept:
        for name, array in job.model.named_parameters().items():
            array[...] = kept[f"model/{name}"]
    test = datasets.binarize(np.random.default_rng(0), few.x_test)
    log_p = job.model.log_likelihood(test, 5000, np.random.default_rng(1))
    assert row[6:9] == [" 1 of 1 ", f" {-log_p.mean():.2f} ± {log_p.std() / np.sqrt(2):.2f} ", " 86.76 "]
    assert "of 50 units active" in row[9]


def test_makhzani_keeps_fewer_units_and_probes_with_more(small):
    job = published.makhzani(small, np.random.default_rng(0))
    top = job.model.encoder.layers[1]
    for epoch, k in ((0, 100), (15, 62), (30, 25), (60, 25)):
        job.schedule(job.model, job.optimizer, epoch, 60)
        assert top.k == k and job.optimizer.alpha == pytest.approx(1e-6 + 5e-4 * (1 + np.cos(np.pi * epoch / 60)))
    value, error = job.look(job.model)
    assert top.k == 25 and 0 <= value < 20 and error == pytest.approx(np.sqrt(value * (100 - value) / 20))
    assert job.model.decoder.layers[0].dense is job.model.encoder.layers[0]


def test_momentum_rises_as_published_and_falls_at_the_end():
    few = datasets.curves(210, np.random.default_rng(0), np.float32)[0]
    data = datasets.Dataset("curves", few[:200], None, few[200:], None, (28, 28), "grey")
    job = published.sutskever_curves(data, np.random.default_rng(0))
    for t, epoch, mu in ((0, 1, 0.5), (249, 3, 0.5), (250, 4, 0.75), (1000, 9, 0.9), (20000, 200, 0.99), (750000, 7490, 0.9)):
        job.optimizer.t = t
        job.schedule(job.model, job.optimizer, epoch, 7500)
        assert job.optimizer.mu == pytest.approx(mu)
    assert (np.count_nonzero(job.model.encoder.layers[0].W, axis=0) == 15).all()
    value, error = job.look(job.model)
    assert value == pytest.approx(np.sum((job.model.reconstruct(data.x) - data.x)**2) / 200, rel=1e-5) and error > 0


def test_a_gabor_function_passes_and_noise_does_not():
    edge = gabor.waves((0.3, -0.8, 0.7, 0.17, 1.4, 2.2)) @ np.array([1.0, 0.5, 0.2])
    shares = gabor.gabor_shares([edge, np.random.default_rng(0).normal(size=64)])
    assert shares[0] > 0.99 and shares[1] < 0.6


def test_cs294a_runs_in_one_piece(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path: open(path, "x").close())
    x = np.random.default_rng(0).uniform(0.1, 0.9, (50, 64))
    data = datasets.Dataset("noise", x, None, x, None, (8, 8), "in [0.1, 0.9]")
    assert reproduce.rerun("cs294a", str(tmp_path / "run"), epochs=3, data=data) == 0
    said = capsys.readouterr().out
    assert "nothing: L-BFGS runs in one piece" in said and "3 of 3" in said and "held out" not in said
    assert (tmp_path / "run" / "filters.png").exists()


def test_moved_pictures_are_the_same_pictures_elsewhere(small):
    x = small.x[:8]
    for move in (published.shifted, published.mirrored):
        moved = move(np.random.default_rng(1), x)
        assert not np.array_equal(moved, x)
        np.testing.assert_array_equal(np.sort(moved, axis=1), np.sort(x, axis=1))


def test_hwalsuklee_is_the_network_of_the_example(small):
    job = published.hwalsuklee(small, np.random.default_rng(0))
    names = [type(layer).__name__ for layer in job.model.encoder.layers]
    assert names == ["Dense", "ELU", "Dropout", "Dense", "Tanh", "Dropout", "Dense"]
    assert [type(layer).__name__ for layer in job.model.decoder.layers] == ["Dense", "Tanh", "Dropout", "Dense", "ELU", "Dropout", "Dense"]
    value, error, remark = job.judge(job.model)
    assert 400 < value < 700 and 0 < error < 30 and "pictures" in remark        # 784 log 2 = 543 nats for a fair coin


def test_the_average_is_the_mean_of_all_steps_after_the_first():
    """Of w after steps 3 ... 10, and the steps are Adam's."""
    rng, w, plain = np.random.default_rng(0), np.zeros(5, np.float32), np.zeros(5, np.float32)
    averaged, adam, seen = published.AveragedAdam(0.1, start=2), Adam(0.1), []
    for _ in range(10):
        grad = rng.standard_normal(5).astype(np.float32)
        averaged.step(w, grad)
        adam.step(plain, grad)
        seen.append(w.copy())
    np.testing.assert_array_equal(w, plain)
    np.testing.assert_allclose(averaged.average, np.mean(seen[2:], axis=0), rtol=1e-5)
    assert averaged.average.dtype == np.float32


def test_burda_measures_the_average_once_there_is_one(small):
    """Before epoch `start` the model itself, after it the mean; the model that is trained stays as it is."""
    job = published.burda(small, np.random.default_rng(0), start=1)
    history = fit(job.model, *job.data, optimizer=job.optimizer, epochs=1, batch_size=100, rng=0, each_epoch=job.each_epoch)
    assert history.epochs == 1 and job.look(job.model) == job.look(job.model)
    alone = job.look(job.model)
    trained = job.model.w.copy()
    job.optimizer.step(job.model.w, job.model.grad)
    job.optimizer.average[...] = trained
    assert job.look(job.model) == alone and not np.array_equal(job.model.w, trained)
