"""Checkpoints: killed at any moment and resumed, a run ends bit for bit where it would have ended; damaged files are refused."""

import inspect
import json
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from numpyae import (ELU, VAE, AdaGrad, Adam, Autoencoder, BernoulliNLL, ContinuousBernoulliNLL, Dense, DiagonalGaussian, Dropout,
                     GaussianNLL, GradientDescent, HeteroscedasticGaussianNLL, Identity, Layer, Momentum, Nesterov, Regression, ReLU,
                     RMSProp, Sequential, Sigmoid, Softmax, SoftmaxCrossEntropy, Softplus, SquaredError, Tanh, TiedDense, TopK, fit, mlp)
from numpyae import RBM, Contraction, GaussianNoise, KLSparsity, L1Sparsity, MaskingNoise, SaltAndPepper, WeightDecay
from numpyae.checkpoints import load_model, read_checkpoint
from numpyae.training import History


def vae(seed=0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return VAE(Sequential(Dropout(0.1), mlp([6, 5, 4], rng=rng)), mlp([2, 5, 6], rng=rng), BernoulliNLL(),
               DiagonalGaussian(2)).astype(dtype)


def data(dtype=np.float64):
    rng = np.random.default_rng(1)
    return (rng.random((40, 6)) < np.where(rng.random((40, 1)) < 0.5, 0.9, 0.1)).astype(dtype)


def train(model, epochs, optimizer=None, rng=0, **options):
    x = data(model.dtype)
    return fit(model, x[:30], optimizer=optimizer or Adam(0.01), epochs=epochs, batch_size=8, rng=rng, validation=x[30:], **options)


# --------------------------------------------------------------------------------------------- resume, in one process

OPTIMIZERS = [GradientDescent, Momentum, Nesterov, AdaGrad, RMSProp, Adam]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", OPTIMIZERS, ids=lambda make: make.__name__)
def test_resumed_is_bit_identical(make, dtype, tmp_path):
    path = tmp_path / "run.npz"
    whole, first, second = vae(dtype=dtype), vae(dtype=dtype), vae(seed=9, dtype=dtype)
    options = {"each_epoch": lambda rng, x: (rng.random(x.shape) < x).astype(x.dtype)}
    long = train(whole, 5, make(0.01), **options)
    train(first, 2, make(0.01), checkpoint=path, **options)
    optimizer = make(0.5)                                # the rate comes from the checkpoint
    history = train(second, 5, optimizer, rng=123, resume=path, checkpoint=path, **options)
    np.testing.assert_array_equal(second.w, whole.w)
    assert history.loss == long.loss and history.validation == long.validation and history.terms == long.terms
    assert optimizer.alpha == 0.01 and optimizer.t == 20
    assert [file.name for file in tmp_path.iterdir()] == ["run.npz"]


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.Philox, np.random.SFC64, np.random.PCG64DXSM])
def test_every_generator_of_numpy_resumes(bits, tmp_path):
    path, whole, other = tmp_path / "run.npz", vae(), vae()
    train(whole, 4, rng=np.random.Generator(bits(3)))
    train(vae(), 2, rng=np.random.Generator(bits(3)), checkpoint=path)
    train(other, 4, rng=np.random.Generator(bits(4)), resume=path)
    np.testing.assert_array_equal(other.w, whole.w)


def test_a_rate_from_numpy_resumes_bit_identically(tmp_path):
    """Once a bug: alpha as np.float64 (np.logspace gives such) computes in float64 before, as a Python float in float32 after resuming."""
    path, alpha = tmp_path / "run.npz", np.float64(0.01)
    whole, other = vae(dtype=np.float32), vae(dtype=np.float32)
    train(whole, 6, Adam(alpha))
    train(vae(dtype=np.float32), 2, Adam(alpha), checkpoint=path)
    train(other, 6, Adam(alpha), resume=path)
    np.testing.assert_array_equal(other.w, whole.w)


def schedule(model, history, optimizer):
    optimizer.alpha = 0.02 * 0.7**history.epochs
    model.beta = min(1.0, 0.3 * history.epochs)


def decay(model, history, optimizer):
    """Once a bug or trap: the checkpoint holds the rate after the callback, and resuming called the callback once more."""
    optimizer.alpha *= 0.7


@pytest.mark.parametrize("callback", [schedule, decay])
def test_what_callbacks_set_resumes(callback, tmp_path):
    path, whole, other = tmp_path / "run.npz", vae(), vae()
    train(whole, 6, callbacks=[callback])
    train(vae(), 3, callbacks=[callback], checkpoint=path)
    train(other, 6, callbacks=[callback], resume=path)
    np.testing.assert_array_equal(other.w, whole.w)


def test_early_stopping_resumes_with_its_best(tmp_path):
    path = tmp_path / "run.npz"
    whole, other = vae(), vae(seed=5)
    long = train(whole, 200, Adam(0.2), patience=4)
    assert long.stopped == "early" and long.epochs > 5
    train(vae(), long.epochs - 2, Adam(0.2), patience=4, checkpoint=path)
    history = train(other, 200, Adam(0.2), patience=4, resume=path, checkpoint=path)
    np.testing.assert_array_equal(other.w, whole.w)
    assert history.stopped == "early" and history.epochs == long.epochs and history.best == long.best
    done = vae(seed=6)
    assert train(done, 200, Adam(0.2), patience=4, resume=path).epochs == long.epochs
    np.testing.assert_array_equal(done.w, whole.w)


def test_validation_that_begins_at_the_resume(tmp_path):
    """Once a bug: a checkpoint without validation cannot go on with patience: TypeError, None in exhausted()."""
    path = tmp_path / "run.npz"
    x, model = data(), vae()
    fit(model, x, optimizer=Adam(), epochs=2, batch_size=8, rng=0, checkpoint=path)
    before = model.w.copy()
    other = vae(seed=3)
    try:
        history = train(other, 4, patience=5, resume=path)
    except ValueError:                                   # to refuse is as good
        return
    assert history.epochs == 4 and (other.w != before).any() and history.best is not None


def test_validation_that_begins_at_the_resume_restores_no_old_parameters(tmp_path):
    """Once a bug: validation[i] then is not of epoch i: best never moves, and with patience the very first parameters come back."""
    path = tmp_path / "run.npz"
    start = vae()
    fit(vae(), data(), optimizer=Adam(), epochs=2, batch_size=8, rng=0, checkpoint=path)
    other = vae(seed=3)
    try:
        train(other, 4, resume=path, checkpoint=path)    # validation without patience
        train(other, 6, patience=50, resume=path)
    except ValueError:
        return
    assert (other.w != start.w).any()


def test_resume_needs_the_same_kind_of_everything(tmp_path):
    path, model = tmp_path / "run.npz", vae(seed=7)
    train(vae(), 1, checkpoint=path)
    before = model.w.copy()
    for words, call in {"was trained with Adam, cannot go on with Momentum": lambda: train(model, 2, Momentum(0.1), resume=path),
                        "random generator is PCG64, cannot go on with Philox":
                            lambda: train(model, 2, rng=np.random.Generator(np.random.Philox(0)), resume=path),
                        "its parameters are float64, those of the model float32":
                            lambda: train(vae(dtype=np.float32), 2, resume=path)}.items():
        with pytest.raises(ValueError, match=words):
            call()
    other = VAE(mlp([6, 4], rng=0), mlp([2, 6], rng=0), BernoulliNLL(), DiagonalGaussian(2))
    with pytest.raises(ValueError, match="another architecture|must have shape"):
        train(other, 2, resume=path)
    with pytest.raises(FileNotFoundError):
        train(model, 2, resume=tmp_path / "none.npz")
    model.save(tmp_path / "parameters.npz")
    with pytest.raises(ValueError, match="expected a checkpoint, got an .npz of decoder.0.W, decoder.0.b"):
        train(model, 2, resume=tmp_path / "parameters.npz")
    np.testing.assert_array_equal(model.w, before)


# -------------------------------------------------------------------------------------------- a real kill, SIGKILL

SCRIPT = textwrap.dedent("""
    import sys
    import numpy as np
    from numpyae import VAE, Adam, BernoulliNLL, DiagonalGaussian, Dropout, Sequential, fit, mlp
""") + inspect.getsource(vae) + inspect.getsource(data) + textwrap.dedent("""
    dtype, path, resume, epochs = sys.argv[1], sys.argv[2], sys.argv[3] == "resume", int(sys.argv[4])
    model, x = vae(dtype=dtype), data(dtype)
    alpha = lambda model, history, optimizer: setattr(optimizer, "alpha", 0.02 / history.epochs)
    def say(model, history, optimizer):
        print("epoch", history.epochs, flush=True)
    fit(model, x[:30], optimizer=Adam(0.02), epochs=epochs, batch_size=3, rng=0, validation=x[30:], callbacks=[alpha, say],
        checkpoint=path, resume=path if resume else None, each_epoch=lambda rng, x: (rng.random(x.shape) < 0.9 * x).astype(x.dtype))
    np.save(path + ".npy", model.w)
""")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_and_resumed_is_bit_identical(tmp_path, dtype="float32"):
    """Killed at a random moment while it trains and saves, then resumed, against a run that nobody disturbed."""
    rng, epochs = np.random.default_rng(0), 60
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).parent.parent), "OMP_NUM_THREADS": "1",
                                "OPENBLAS_NUM_THREADS": "1"}

    def run(name, resume=False, **options):
        command = [sys.executable, "-c", SCRIPT, dtype, str(tmp_path / name), "resume" if resume else "anew", str(epochs)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, **options)

    calm = run("calm")
    killed = run("killed")
    for _ in range(3):                                   # at least one epoch of its own is on disk
        killed.stdout.readline()
    time.sleep(rng.uniform(0, 0.1))
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    with np.load(tmp_path / "killed") as file:           # whole, whenever the kill came
        record = json.loads(str(file["checkpoint"]))
    assert 1 <= record["epoch"] <= epochs
    last = run("killed", resume=True)
    for process in (last, calm):
        process.communicate(timeout=60)
        assert process.returncode == 0
    np.testing.assert_array_equal(np.load(tmp_path / "killed.npy"), np.load(tmp_path / "calm.npy"))
    with np.load(tmp_path / "killed") as one, np.load(tmp_path / "calm") as two:
        for name in one.files:
            if name != "checkpoint":
                np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    left = {file.name for file in tmp_path.iterdir()} - {"killed.part"}
    assert left == {"calm", "calm.npy", "killed", "killed.npy"}


def test_a_checkpoint_that_cannot_be_written_leaves_the_old_one(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    train(vae(), 1, checkpoint=path)
    old = path.read_bytes()
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        train(vae(), 2, resume=path, checkpoint=path)
    assert path.read_bytes() == old and [file.name for file in tmp_path.iterdir()] == ["run.npz"]


# ------------------------------------------------------------------------------------------------- load_model

def tied():
    first = Dense(6, 5, rng=0)
    return Autoencoder(Sequential(Dropout(0.2), Sequential(first, ELU()), TopK(3, by="value")),
                       Sequential(Sequential(Identity()), TiedDense(first), Softplus()), SquaredError())


def regularised(corruption, penalties):
    return Autoencoder(mlp([6, 5, 4], Tanh, Sigmoid, rng=0), mlp([4, 6], rng=1), SquaredError(), corruption, penalties)


MODELS = {
    "masking": lambda: regularised(MaskingNoise(0.3, 1.0), [KLSparsity(0.1, 0.5), L1Sparsity(0.2, 0.3, "encoder.1", "units")]),
    "salt and pepper": lambda: regularised(SaltAndPepper(0.3), [Contraction(0.1, samples=2), WeightDecay(0.01)]),
    "gaussian noise": lambda: regularised(GaussianNoise(0.3), [Contraction(0.1, "encoder.1")]).astype(np.float32),
    "rbm": lambda: RBM(6, 4, hidden="gaussian", k=2, rng=0),
    "vae": vae, "float32": lambda: vae(dtype=np.float32), "tied": tied, "tied float32": lambda: tied().astype(np.float32),
    "softmax": lambda: Regression(mlp([6, 4, 6], hidden=ReLU, rng=0), SoftmaxCrossEntropy()),
    "activations": lambda: Autoencoder(Sequential(Dense(6, 6, rng=0), Sigmoid(), Softmax(), Tanh()), Dense(6, 6, rng=0),
                                       ContinuousBernoulliNLL()),
    "learnt": lambda: VAE(Dense(6, 6, rng=0), Dense(3, 6, rng=0), GaussianNLL(0.3, learn=True), DiagonalGaussian(3), samples=2, beta=0.5),
    "fixed": lambda: VAE(Dense(6, 6, rng=0), Dense(3, 6, rng=0), GaussianNLL(0.3), DiagonalGaussian(3)),
    "heteroscedastic": lambda: VAE(Dense(6, 2, rng=0), Dense(1, 12, rng=0), HeteroscedasticGaussianNLL(), DiagonalGaussian(1))}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_load_model_rebuilds_every_kind(make, tmp_path):
    model, path = make(), tmp_path / "run.npz"
    x = np.random.default_rng(0).dirichlet(np.ones(6), 30).astype(model.dtype)
    batch = (x, x) if isinstance(model, Regression) else (x,)
    fit(model, *batch, optimizer=Adam(0.01), epochs=2, batch_size=10, rng=0, checkpoint=path)
    other = load_model(path)
    assert type(other) is type(model) and repr(other) == repr(model) and other.dtype == model.dtype
    np.testing.assert_array_equal(other.w, model.w)
    loss = model.loss(*batch, rng=np.random.default_rng(1))
    assert other.loss(*batch, rng=np.random.default_rng(1)) == loss
    np.testing.assert_array_equal(other.backward(), model.backward())
    if any(isinstance(leaf, TiedDense) for leaf in other.leaves().values()):
        assert other.decoder.layers[1].dense is other.encoder.layers[1].layers[0]
        assert other.encoder.layers[2].by == "value" and other.encoder.layers[0].p == 0.2
    fit(other, *batch, optimizer=Adam(0.5), epochs=3, batch_size=10, rng=4, resume=path)      # and it can go on


def test_a_tied_layer_before_its_partner_is_rebuilt(tmp_path):
    """Once a bug: build() makes the layers in their order, so a TiedDense whose Dense comes later cannot be rebuilt."""
    dense, path = Dense(4, 6, rng=0), tmp_path / "run.npz"
    model = Autoencoder(TiedDense(dense), dense, SquaredError())
    fit(model, data(), optimizer=Adam(), epochs=1, batch_size=20, rng=0, checkpoint=path)
    np.testing.assert_array_equal(load_model(path).w, model.w)


def test_sizes_from_numpy_can_be_saved(tmp_path):
    """Once a bug: check_size accepts np.int64, but json does not: fit dies after the first epoch, at the first checkpoint."""
    x, path = data(), tmp_path / "run.npz"
    model = VAE(Sequential(Dense(6, 5, rng=0), TopK(np.int64(3)), Dense(5, 4, rng=0)), Dense(2, 6, rng=0), BernoulliNLL(),
                DiagonalGaussian(np.int64(2)), samples=np.int64(2), beta=np.float32(0.5))
    fit(model, x, optimizer=Adam(), epochs=1, batch_size=10, rng=0, checkpoint=path)
    assert repr(load_model(path)) == repr(model)


class Doubled(Layer):
    def forward(self, x):
        return 2 * x

    def backward(self, delta):
        return 2 * delta


def test_a_layer_of_ones_own_is_saved_and_named_when_it_cannot_be_built(tmp_path):
    path, x = tmp_path / "run.npz", data()
    model = Regression(Sequential(Dense(6, 6, rng=0), Doubled()), SquaredError())
    fit(model, x, x, optimizer=Adam(), epochs=1, batch_size=10, rng=0, checkpoint=path)
    with pytest.raises(ValueError, match="cannot build 'Doubled': no class of numpyae; build the model yourself"):
        load_model(path)
    other = Regression(Sequential(Dense(6, 6, rng=1), Doubled()), SquaredError())
    fit(other, x, x, optimizer=Adam(), epochs=1, batch_size=10, rng=0, resume=path)
    np.testing.assert_array_equal(other.w, model.w)


# --------------------------------------------------------------------------------------------- damaged checkpoints

@pytest.fixture
def checkpoint(tmp_path):
    path = tmp_path / "run.npz"
    train(vae(), 2, checkpoint=path)
    return path


def state(model, optimizer, rng):
    return model.w.copy(), optimizer.t, optimizer.alpha, optimizer.m, rng.bit_generator.state


def resume_or_refuse(path):
    """True when read_checkpoint took the file; else it must be a ValueError, with everything as it was."""
    model, optimizer, rng = vae(seed=7), Adam(0.3), np.random.default_rng(5)
    before = state(model, optimizer, rng)
    try:
        read_checkpoint(path, model, optimizer, rng, History)
        return True
    except ValueError:
        after = state(model, optimizer, rng)
        np.testing.assert_array_equal(after[0], before[0])
        assert after[1:] == before[1:]
        return False


def load_or_refuse(path):
    try:
        load_model(path)
        return True
    except ValueError:
        return False


def test_truncated(checkpoint):
    whole = checkpoint.read_bytes()
    for length in [0, 1, 10, 100, *range(200, len(whole), len(whole) // 40), len(whole) - 30, len(whole) - 1]:
        checkpoint.write_bytes(whole[:length])
        assert not resume_or_refuse(checkpoint) and not load_or_refuse(checkpoint), length


def test_flipped_bytes(checkpoint):
    """Where the file is taken nonetheless, nothing that matters has changed. Once a bug: the last 22 bytes say where the zip's directory
    is, and a wrong place there comes out as OSError (see test_parameters)."""
    whole, rng = checkpoint.read_bytes(), np.random.default_rng(0)
    trained = load_model(checkpoint).w.copy()
    directory = whole.index(b"PK\x01\x02")
    for place in [*rng.integers(0, len(whole), 12), *rng.integers(directory, len(whole), 12),
                  *range(len(whole) - 22, len(whole))]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        checkpoint.write_bytes(damaged)
        resume_or_refuse(checkpoint)
        if load_or_refuse(checkpoint):
            np.testing.assert_array_equal(load_model(checkpoint).w, trained)


def rewrite(path, change):
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    record = json.loads(str(arrays["checkpoint"]))
    text = change(record)
    arrays["checkpoint"] = np.array(text if isinstance(text, str) else json.dumps(record))
    np.savez(path, **arrays)


def changed(*keys, value):
    """Set record[key][key]... to the value, in the record of a checkpoint."""
    def change(record):
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value
    return change


@pytest.mark.parametrize("change", [
    lambda record: "", lambda record: "{", lambda record: "[]", lambda record: "3", lambda record: "null", lambda record: '"text"',
    lambda record: json.dumps(record)[:-5], lambda record: "{}", lambda record: '{"format": 1}', changed("format", value=2),
    changed("format", value="1"), lambda record: record.pop("rng") and None, lambda record: record.pop("optimizer") and None])
def test_records_that_are_none(checkpoint, change):
    rewrite(checkpoint, change)
    assert not resume_or_refuse(checkpoint) and not load_or_refuse(checkpoint)


@pytest.mark.parametrize("change", [
    changed("history", value={"loss": [1.0], "colour": [2]}), changed("history", value=3), changed("history", value={"loss": 3}),
    changed("optimizer", value={}), changed("optimizer", value={"class": "Adam"}), changed("optimizer", "t", value="ten"),
    changed("optimizer", "arguments", "alpha", value=None), changed("optimizer", "arguments", "alpha", value=-1.0), changed("optimizer", value=3),
    changed("rng", value=None), changed("rng", value={}), changed("rng", value={"bit_generator": "PCG64"}),
    changed("rng", "state", value={"state": "x", "inc": 3}), changed("dtype", value=[1]), changed("dtype", value=None)], ids=range(15))
def test_records_with_garbage_inside_are_refused_by_resume(checkpoint, change):
    """Once a bug: KeyError and TypeError come through, some after model and optimizer have been changed already."""
    rewrite(checkpoint, change)
    assert not resume_or_refuse(checkpoint)


@pytest.mark.parametrize("value", [
    None, 3, "VAE", [], {}, {"class": None}, {"class": "VAE"}, {"class": "Model"}, {"class": "Layer"}, {"class": "Adam"},
    {"class": "fit"}, {"class": "__builtins__"}, {"class": ["VAE"]}, {"class": "VAE", "encoder": 3},
    {"class": "Dense", "n_in": -1, "n_out": 2}, {"class": "Dense", "n_in": 3, "n_out": 2}, {"class": "TiedDense", "dense": "encoder.0"},
    {"class": "Sequential", "layers": 3}, {"class": "Sequential", "layers": [{"class": "Tanh"}]},
    {"class": "Regression", "network": {"class": "Sequential", "layers": [{"class": "Sequential", "layers": []}]}, "criterion": 1}])
def test_descriptions_that_describe_no_model(checkpoint, value):
    rewrite(checkpoint, changed("model", value=value))
    assert not load_or_refuse(checkpoint)


@pytest.mark.parametrize("dtype", ["float16", "int64", "garbage", 3])
def test_other_dtypes(checkpoint, dtype):
    rewrite(checkpoint, changed("dtype", value=dtype))
    assert not load_or_refuse(checkpoint) and not resume_or_refuse(checkpoint)


@pytest.mark.parametrize("name, array", [("best", None), ("best", np.zeros(3)), ("optimizer/m", None), ("optimizer/v", np.full(76, np.nan)),
                                         ("optimizer/u", np.zeros(3)), ("model/decoder.0.W", np.zeros((5, 2))),
                                         ("model/decoder.0.b", np.full(5, np.inf)), ("checkpoint", np.zeros(3)), ("checkpoint", None)])
def test_arrays_that_do_not_fit(checkpoint, name, array):
    with np.load(checkpoint) as file:
        arrays = {key: file[key] for key in file.files if key != name}
    np.savez(checkpoint, **arrays | ({} if array is None else {name: array}))
    assert not resume_or_refuse(checkpoint)
    if name.startswith("model") or name == "checkpoint":
        assert not load_or_refuse(checkpoint)
