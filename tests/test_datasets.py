"""Data sets: generators against closed forms, readers against damaged files, downloads against bad servers."""

import gzip
import hashlib
import http.server
import io
import os
import re
import subprocess
import sys
import threading
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numpyae import datasets
from numpyae.cli import main
from numpyae.datasets import download, typeset
from numpyae.datasets.records import RECORDS, Record
from tests.conftest import DATA_SETS

FLOATS = (np.float32, np.float64)
CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}


def idx_bytes(array):
    """The IDX file of an array, written from the format's description and independently of the reader."""
    head = bytes([0, 0, CODES[array.dtype.name], array.ndim])
    counts = b"".join(count.to_bytes(4, "big") for count in array.shape)
    return head + counts + array.astype(array.dtype.newbyteorder(">")).tobytes()


def refused(path, *words):
    """Reading the file is a ValueError of one sentence that names the file and says all these words."""
    with pytest.raises(ValueError) as error:
        datasets.read(path)
    message = str(error.value)
    assert "\n" not in message and path.name in message and "expected" in message and "got" in message
    for word in words:
        assert word in message, message


def write(path, content):
    path.write_bytes(content)
    return path


# generated sets

def test_noisy_sine_is_the_slides_formula():
    x, t = datasets.noisy_sine(11, sigma=0, rng=np.random.default_rng(0))
    assert x.shape == t.shape == (11, 1) and x.dtype == t.dtype == np.float64
    np.testing.assert_allclose(x[:, 0], np.arange(11) / 10, atol=1e-15)
    np.testing.assert_allclose(t, np.sin(2 * np.pi * x), atol=1e-15)


def test_noisy_sine_has_the_noise_it_says():
    x, t = datasets.noisy_sine(100_000, sigma=0.3, rng=np.random.default_rng(0))
    noise = t - np.sin(2 * np.pi * x)
    assert abs(noise.mean()) < 5 * 0.3 / np.sqrt(1e5)
    assert abs(noise.std() - 0.3) < 5 * 0.3 / np.sqrt(2e5)
    assert abs((noise**4).mean() / 0.3**4 - 3) < 5 * np.sqrt(96 / 1e5)       # normal: kurtosis 3, of variance 96 / n


def test_two_moons_has_the_moments_of_two_half_circles():
    n, sigma = 200_000, 0.1
    x, y = datasets.two_moons(n, sigma, np.random.default_rng(0))
    assert x.shape == (n, 2) and y.shape == (n,) and y.dtype == np.int64
    assert np.bincount(y).tolist() == [n // 2, n // 2]
    mean = {0: [0, 2 / np.pi], 1: [1, 0.5 - 2 / np.pi]}
    variance = np.array([0.5, 0.5 - 4 / np.pi**2]) + sigma**2
    for moon in (0, 1):
        points = x[y == moon]
        np.testing.assert_allclose(points.mean(axis=0), mean[moon], atol=5 * np.sqrt(0.51 / (n / 2)))
        np.testing.assert_allclose(points.var(axis=0), variance, rtol=0.02)
        assert abs(np.cov(points.T)[0, 1]) < 0.01


def test_two_moons_without_noise_lie_on_their_circles():
    x, y = datasets.two_moons(1001, sigma=0, rng=np.random.default_rng(1))
    upper, lower = x[y == 0], x[y == 1]
    np.testing.assert_allclose(np.hypot(*upper.T), 1, atol=1e-12)
    np.testing.assert_allclose(np.hypot(*(lower - [1, 0.5]).T), 1, atol=1e-12)
    assert upper[:, 1].min() >= 0 and lower[:, 1].max() <= 0.5
    assert len(upper) == 501


@pytest.mark.parametrize("dtype", FLOATS)
def test_binarize_draws_each_pixel_with_its_own_probability(dtype):
    p = np.linspace(0, 1, 11, dtype=dtype)
    x = np.tile(p, (40_000, 1))
    kept = x.copy()
    b = datasets.binarize(np.random.default_rng(0), x)
    assert b.dtype == dtype and b.shape == x.shape and b is not x
    assert set(np.unique(b)) == {0, 1} and np.array_equal(x, kept)
    assert np.all(b[:, 0] == 0) and np.all(b[:, -1] == 1)                # 0 and 1 stay what they are
    np.testing.assert_allclose(b.mean(axis=0), p, atol=5 * 0.5 / np.sqrt(40_000))
    correlation = np.corrcoef(b[:, 1:-1].T) - np.eye(9)
    assert np.abs(correlation).max() < 6 / np.sqrt(40_000)               # and independently of its neighbours


def test_binarize_chunks_are_an_independent_draw_each_and_any_shape_works():
    rng = np.random.default_rng(0)
    x = np.full((3000, 28, 28), 0.5, np.float32)      # more than one chunk
    b = datasets.binarize(rng, x)
    assert abs(b.mean() - 0.5) < 5 * 0.5 / np.sqrt(x.size)
    packed = {row.tobytes() for row in b.reshape(3000, -1)}
    assert len(packed) == 3000
    assert not np.array_equal(b, datasets.binarize(rng, x))
    assert datasets.binarize(rng, x[:, ::2, 3].T).shape == (14, 3000)
    assert datasets.binarize(rng, np.zeros((0, 784))).shape == (0, 784)
    same = [datasets.binarize(np.random.default_rng(3), x[:5]) for _ in range(2)]
    assert np.array_equal(*same)


@pytest.mark.parametrize("bad", [np.nan, -0.01, 1.01, np.inf])
def test_binarize_refuses_what_is_no_probability(bad):
    x = np.zeros((2000, 784))
    x[1999, 3] = bad
    with pytest.raises(ValueError, match=r"binarize: x must lie in \[0, 1\], got"):
        datasets.binarize(None, x)


@pytest.mark.parametrize("bad", [np.zeros((2, 2), int), np.zeros((2, 2), np.float16), [[0.5]], np.float64(0.5), None])
def test_binarize_refuses_other_types(bad):
    with pytest.raises(TypeError, match="^binarize: "):
        datasets.binarize(None, bad)


@pytest.mark.parametrize("make", [datasets.noisy_sine, datasets.two_moons, datasets.digits])
@pytest.mark.parametrize("n, error, words", [
    (0, ValueError, "must be at least 1, got 0"), (-3, ValueError, "must be at least 1, got -3"),
    (2.0, TypeError, "must be an integer, got 2.0"), ("3", TypeError, "must be an integer, got '3'"),
    (True, TypeError, "must be an integer, got True"), (None, TypeError, "must be an integer"),
    (np.ones(3), TypeError, "must be an integer")])
def test_number_of_samples_is_checked(make, n, error, words):
    with pytest.raises(error) as raised:
        make(n)
    assert str(raised.value).startswith(f"{make.__name__}: n {words}")


@pytest.mark.parametrize("make", [datasets.noisy_sine, datasets.two_moons])
@pytest.mark.parametrize("sigma, error", [(-0.1, ValueError), (np.nan, ValueError), (np.inf, ValueError),
                                          ("x", TypeError), (None, TypeError)])
def test_sigma_is_checked(make, sigma, error):
    with pytest.raises(error, match=f"^{make.__name__}: sigma must be"):
        make(5, sigma)


def test_numpy_integers_are_integers_and_no_rng_means_fresh_entropy():
    assert datasets.two_moons(np.int32(4))[0].shape == (4, 2)
    state = np.random.get_state()[1].copy()
    a, b = datasets.noisy_sine()[1], datasets.noisy_sine()[1]
    assert not np.array_equal(a, b)
    assert not np.array_equal(datasets.digits(3)[0], datasets.digits(3)[0])
    assert np.array_equal(np.random.get_state()[1], state)               # the global state is nobody's


# typeset digits

@pytest.fixture(scope="module")
def sheet():
    return datasets.digits(3000, np.random.default_rng(0), factors=True)


def moments(pictures):
    """Centre of mass (up and right of the middle) and second moments uu, ur, rr of grey pictures (n, 784)."""
    images = pictures.reshape(-1, 28, 28)
    up, right = np.meshgrid(13.5 - np.arange(28), np.arange(28) - 13.5, indexing="ij")
    mass = images.sum(axis=(1, 2))
    mean = [(images * grid).sum(axis=(1, 2)) / mass for grid in (up, right)]
    second = [(images * a * b).sum(axis=(1, 2)) / mass - mean[i] * mean[j]
              for a, b, i, j in ((up, up, 0, 0), (up, right, 0, 1), (right, right, 1, 1))]
    return mean, second


def test_digits_are_grey_pictures_of_all_classes(sheet):
    x, y, _ = sheet
    assert x.shape == (3000, 784) and x.dtype == np.float64 and y.shape == (3000,) and y.dtype == np.int64
    assert x.min() == 0 and x.max() == 1 and np.all(np.isfinite(x))
    assert np.bincount(y, minlength=10).min() > 220
    assert np.all(x.max(axis=1) > 0.6)                                    # ink everywhere, and not too much of it
    assert 0.1 < x.mean() < 0.2
    assert np.mean((x > 0) & (x < 1)) > 0.05                              # anti-aliased
    assert x.reshape(-1, 28, 28)[:, [0, -1], :].max() < 0.2               # nothing is cut off at the border
    assert x.reshape(-1, 28, 28)[:, :, [0, -1]].mean() < 1e-3


def test_digits_come_from_their_rng_alone():
    x, y, factors = datasets.digits(600, np.random.default_rng(0), factors=True)
    again, labels, same = datasets.digits(600, np.random.default_rng(0), factors=True)
    assert np.array_equal(x, again) and np.array_equal(y, labels)
    assert all(np.array_equal(factors[name], same[name]) for name in factors)
    assert not np.array_equal(x, datasets.digits(600, np.random.default_rng(1))[0])
    single = datasets.digits(600, np.random.default_rng(0), dtype=np.float32)
    assert len(single) == 2 and single[0].dtype == np.float32 and np.array_equal(single[0], x.astype(np.float32))


def test_factors_are_returned_within_their_ranges(sheet):
    factors = sheet[2]
    assert set(factors) == set(typeset.RANGES) | {"typeface"}
    for name, (low, high) in typeset.RANGES.items():
        assert factors[name].shape == (3000,) and low <= factors[name].min() < factors[name].max() <= high
        assert np.ptp(factors[name]) > 0.95 * (high - low)
    assert np.bincount(factors["typeface"]).min() > 250 and factors["typeface"].max() == len(typeset.TYPEFACES) - 1


def drawn(y, **given):
    """The digits y undistorted but for the factors given, each a number or an array."""
    neutral = dict.fromkeys(typeset.RANGES, 0.0) | {"scale": 1.0, "width": 1.0, "typeface": 0}
    made_by = {name: np.broadcast_to(value, len(y)) for name, value in (neutral | given).items()}

    class Still:
        def standard_normal(self, shape):
            return np.zeros(shape)
    return typeset.draw(y, made_by, Still())


@pytest.mark.parametrize("face", range(len(typeset.TYPEFACES)))
def test_undistorted_digits_are_twenty_pixels_tall_and_centred(face):
    images = drawn(np.arange(10), typeface=face).reshape(10, 28, 28)
    rows = images.max(axis=2) > 0.4
    columns = images.max(axis=1) > 0.4
    assert np.all(np.abs(rows.sum(axis=1) - 20) <= 1) and np.all(columns.sum(axis=1) <= 18)
    for lines in (rows, columns):
        first, last = lines.argmax(axis=1), 27 - lines[:, ::-1].argmax(axis=1)
        assert np.all(np.abs(first + last - 27) <= 1)


def test_each_factor_does_exactly_what_its_name_says():
    y = np.arange(10)
    still = moments(drawn(y))
    moved = moments(drawn(y, shift_right=2.0, shift_down=1.0))
    np.testing.assert_allclose(moved[0][1] - still[0][1], 2, atol=0.02)
    np.testing.assert_allclose(moved[0][0] - still[0][0], -1, atol=0.02)
    leaning = moments(drawn(y, slant=0.3))[1]                             # right' = right + s up, so ur' = ur + s uu
    np.testing.assert_allclose(leaning[1], still[1][1] + 0.3 * still[1][0], rtol=0.05, atol=0.5)
    uu, ur, rr = still[1]                  # counter-clockwise by a: ur' = ur cos 2a + (rr - uu)/2 sin 2a
    turned = moments(drawn(y, rotation=0.3))[1]
    np.testing.assert_allclose(turned[1], ur * np.cos(0.6) + (rr - uu) / 2 * np.sin(0.6), atol=0.5)
    wide = moments(drawn(y, width=1.2))[1]
    np.testing.assert_allclose(wide[2] / rr, 1.44, rtol=0.05)
    np.testing.assert_allclose(wide[0] / uu, 1, rtol=0.05)
    large = moments(drawn(y, scale=1.1))[1]
    np.testing.assert_allclose([large[0] / uu, large[2] / rr], 1.21, rtol=0.05)


def test_thickness_adds_that_many_pixels_to_a_stroke():
    foot = [drawn(np.array([1]), thickness=t).reshape(28, 28)[13].sum() for t in (-0.5, 0.0, 0.5, 1.0)]
    np.testing.assert_allclose(np.diff(foot), 0.5, atol=0.02)             # the stem of DejaVu's 1, cut across


def test_factors_can_be_measured_in_the_distorted_pictures(sheet):
    x, y, factors = sheet
    (up, right), (uu, ur, rr) = moments(x)

    def within_class(a, b):
        """Correlation of a and b inside the groups of one digit in one typeface."""
        a, b = a.copy(), b.copy()
        for group in np.unique(10 * factors["typeface"] + y):
            members = 10 * factors["typeface"] + y == group
            a[members] -= a[members].mean()
            b[members] -= b[members].mean()
        return np.corrcoef(a, b)[0, 1]

    ink = x.sum(axis=1)
    assert within_class(ink, factors["thickness"]) > 0.65                 # scale and width add ink too
    assert within_class(ink / uu**0.25 / rr**0.25, factors["thickness"]) > 0.85
    assert within_class(ur / uu, factors["slant"]) > 0.5                  # rotation leans a picture too
    assert within_class(ur / uu, factors["slant"] - factors["rotation"]) > 0.85
    assert within_class(right, factors["shift_right"]) > 0.5
    assert within_class(up, -factors["shift_down"]) > 0.5
    assert within_class(np.sqrt(uu), factors["scale"]) > 0.6


def test_elastic_displacement_is_smooth_and_small():
    u = typeset.displacement(400, np.random.default_rng(0)).reshape(2, 400, 28, 28)
    assert abs(u.mean()) < 0.02 and 0.5 * typeset.ELASTIC < u.std() < typeset.ELASTIC
    assert np.abs(np.diff(u, axis=3)).max() < 0.8                         # below 1: the paper does not fold


def test_digit_classes_can_be_learnt_from_their_neighbours(sheet):
    x, y, _ = sheet
    train, test = slice(0, 2500), slice(2500, 3000)
    distance = (x[train]**2).sum(axis=1) - 2 * x[test] @ x[train].T
    assert np.mean(y[train][distance.argmin(axis=1)] == y[test]) > 0.95


@pytest.mark.parametrize("dtype", [np.float16, int, "complex128", "nonsense", object])
def test_other_dtypes_are_refused(dtype):
    with pytest.raises(TypeError, match="^digits: dtype must be float32 or float64, got"):
        datasets.digits(1, dtype=dtype)
    with pytest.raises(TypeError, match="^load: dtype must be float32 or float64, got"):
        datasets.load("two_moons", dtype)


# IDX

def arrays():
    dtypes = st.sampled_from(sorted(CODES))
    shapes = st.lists(st.integers(0, 4), min_size=1, max_size=4)
    seeds = st.integers(0, 2**32 - 1)

    def build(name, shape, seed):
        raw = np.random.default_rng(seed).bytes(int(np.prod(shape)) * np.dtype(name).itemsize)
        return np.frombuffer(raw, name).reshape(shape)
    return st.builds(build, dtypes, shapes, seeds)


@settings(max_examples=30, deadline=None)
@given(array=arrays(), packed=st.booleans())
def test_idx_round_trip(tmp_path_factory, array, packed):
    content = idx_bytes(array)
    path = write(tmp_path_factory.getbasetemp() / "a.idx", gzip.compress(content) if packed else content)
    found = datasets.read_idx(path)
    assert found.dtype == array.dtype and found.dtype.isnative and found.shape == array.shape
    assert found.tobytes() == array.tobytes() and found.flags.writeable     # bytes: NaNs must survive too


@settings(max_examples=80, deadline=None)
@given(array=arrays(), packed=st.booleans(), data=st.data())
def test_a_damaged_idx_reads_or_is_a_value_error(tmp_path_factory, array, packed, data):
    content = bytearray(gzip.compress(idx_bytes(array)) if packed else idx_bytes(array))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content) - 1)):]
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = write(tmp_path_factory.getbasetemp() / "damaged-ubyte", bytes(content))
    try:
        datasets.read_idx(path)
    except ValueError as error:
        assert "damaged-ubyte" in str(error) and "expected" in str(error)


IMAGES = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("change, words", [
    (lambda c: c[:-1], ["24 bytes", "(2, 3, 4)"]),
    (lambda c: c[:20], ["24 bytes"]),
    (lambda c: c[:16], ["24 bytes"]),
    (lambda c: c[:9], ["header of 16 bytes", "9"]),
    (lambda c: c[:3], ["IDX", "00 00 08"]),
    (lambda c: c + b"\0", ["24 bytes", "trailing"]),
    (lambda c: b"\1" + c[1:], ["IDX", "01 00 08 03"]),
    (lambda c: c[:2] + b"\x0a" + c[3:], ["IDX", "00 00 0a 03"]),
    (lambda c: c[:3] + b"\0" + c[4:], ["dimensions"]),
    (lambda c: c[:3] + b"\xff" + c[4:], ["dimensions"]),
    (lambda c: c[:7] + b"\3" + c[8:], ["36 bytes"]),                        # 3 rows promised, 2 there
    (lambda c: c[:7] + b"\1" + c[8:], ["12 bytes", "counts"]),              # 1 promised, 2 there
    (lambda c: c[:4] + b"\x80\0\0\0" + c[8:], [str(2**31 * 12), "holds at most"]),
    (lambda c: c[:4] + b"\xff" * 12 + c[16:], ["holds at most"]),
    (lambda c: c[:4] + b"\0" * 4 + b"\xff" * 8, ["no array"]),
    (lambda c: b"<html>not found</html>", ["IDX"])])
def test_each_kind_of_bad_idx(tmp_path, packed, change, words):
    content = change(idx_bytes(IMAGES))
    refused(write(tmp_path / "x-ubyte.gz", gzip.compress(content) if packed else content), *words)


def test_bad_gzip_streams(tmp_path):
    whole = gzip.compress(idx_bytes(np.random.default_rng(0).integers(0, 255, (50, 20), dtype=np.uint8)))
    path = tmp_path / "x.gz"
    for length in (2, 5, 10, 12, 40, len(whole) // 2, len(whole) - 8, len(whole) - 1):
        refused(write(path, whole[:length]), "gzip")
    refused(write(path, whole[:60] + bytes(30) + whole[90:]))
    refused(write(path, whole[:-8] + bytes(4) + whole[-4:]), "gzip")           # the checksum at its end
    refused(write(path, whole + b"rubbish"), "gzip")
    assert datasets.read_idx(write(path, whole)).shape == (50, 20)


def test_a_gzip_bomb_is_not_unpacked(tmp_path):
    header = idx_bytes(np.zeros((1, 1), np.uint8))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb") as file:
        file.write(header)
        for _ in range(64):
            file.write(bytes(2**20))
    path = write(tmp_path / "bomb.gz", packed.getvalue())
    read, limit = gzip.GzipFile.read, []

    def counting(self, size=-1):
        got = read(self, size)
        limit.append(len(got))
        return got
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gzip.GzipFile, "read", counting)
        refused(path, "trailing")
    assert sum(limit) < 100


def test_a_header_of_many_gigabytes_costs_no_memory(tmp_path):
    resource = pytest.importorskip("resource")
    content = bytes([0, 0, 8, 2]) + (2**31).to_bytes(4, "big") + (1).to_bytes(4, "big") + bytes(3 * 2**20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(write(tmp_path / "a.idx", content), "2147483648")
    refused(write(tmp_path / "a.gz", gzip.compress(content, 1)), "2147483648")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000


# other files

def test_missing_empty_unknown_and_folders(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.idx: there is no such file"):
        datasets.read(tmp_path / "nothing.idx")
    with pytest.raises(FileNotFoundError):
        datasets.read_idx(str(tmp_path / "nothing.idx"))
    for suffix in ("a.idx", "a.gz", "a.npz", "a.npy", "a.csv", "a.mat", "a-ubyte"):
        refused(write(tmp_path / suffix, b""), "empty file")
    refused(write(tmp_path / "a.xlsx", b"x"), ".npz", "suffix '.xlsx'")
    (tmp_path / "folder.csv").mkdir()
    refused(tmp_path / "folder.csv", "a file")


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["u1", ">i4", "<f4", ">f8", "?"])
def test_npy_round_trip(tmp_path, dtype, order):
    array = np.asarray(np.random.default_rng(0).integers(0, 2, (3, 4, 5)), dtype, order=order)
    np.save(tmp_path / "a.npy", array)
    x, y = datasets.read(tmp_path / "a.npy")
    assert y is None and np.array_equal(x, array) and x.dtype.isnative and x.dtype == array.dtype.newbyteorder("=")


def npy_bytes(array, **change):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    content = buffer.getvalue()
    for old, new in change.items():
        content = content.replace(old.encode(), new.encode())
    return content


def test_bad_npy(tmp_path):
    path = tmp_path / "a.npy"
    whole = npy_bytes(np.arange(6.0).reshape(2, 3))
    refused(write(path, whole[:-1]), "48 bytes")
    refused(write(path, whole + b"\0"), "trailing")
    refused(write(path, whole[:30]), "header")
    refused(write(path, b"x" + whole[1:]), "header")
    refused(write(path, whole.replace(b"(2, 3)", b"(9, 3)")), "216 bytes")
    refused(write(path, whole.replace(b"(2, 3), }         ", b"(2147483648, 3), }")), "holds at most")
    refused(write(path, whole.replace(b"(2, 3), } ", b"(-2, -3), }")), "negative")
    refused(write(path, npy_bytes(np.array([[1, None]], object))), "dtype object")
    refused(write(path, npy_bytes(np.array([["a"]]))), "numbers")


class Trap:
    """Unpickling this leaves a trace."""
    sprung = False

    def __reduce__(self):
        return (setattr, (Trap, "sprung", True))


def test_nothing_is_ever_unpickled(tmp_path):
    array = np.array([[Trap()]], object)
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=array)
    refused(tmp_path / "a.npy", "dtype object")
    refused(tmp_path / "a.npz", "x", "dtype object")
    refused(write(tmp_path / "b.npz", b"\x80\x04" + bytes(40)), "zip")
    assert not Trap.sprung


def test_npz_finds_x_and_y(tmp_path):
    path, x, y = tmp_path / "a.npz", np.random.default_rng(0).standard_normal((5, 4)), np.arange(5)
    for name in ("x", "X", "data", "images", "anything"):
        for save in (np.savez, np.savez_compressed):
            save(path, **{name: x, "y": y, "more": np.arange(3), "words": np.array(["a", "b"])})
            found = datasets.read(path)
            assert np.array_equal(found[0], x) and np.array_equal(found[1], y)
    np.savez(path, a=x, b=x)
    refused(path, "a (5, 4), b (5, 4)")
    np.savez(path, y=y)
    refused(path, "y (5,)")
    np.savez(path)
    refused(path)


def zip_bytes(method, **members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name + ".npy", content)
    return buffer.getvalue()


def test_bad_npz(tmp_path):
    path = tmp_path / "a.npz"
    refused(write(path, b"no zip at all"), "zip")
    array = npy_bytes(np.zeros((20, 30)))
    whole = zip_bytes(zipfile.ZIP_DEFLATED, x=array)
    refused(write(path, whole[:-30]))
    refused(write(path, whole[:len(whole) // 2]))
    refused(write(path, zip_bytes(zipfile.ZIP_STORED, x=array[:-8])), "4800 bytes")
    refused(write(path, zip_bytes(zipfile.ZIP_STORED, x=array + b"\0")), "trailing")
    refused(write(path, zip_bytes(zipfile.ZIP_STORED, x=b"text")), "header")
    stored = bytearray(zip_bytes(zipfile.ZIP_STORED, x=array))
    stored[1000] ^= 1
    refused(write(path, bytes(stored)), "damaged", "CRC")
    refused(write(path, zip_bytes(zipfile.ZIP_DEFLATED, x=array.replace(b"(20, 30), }      ", b"(2147483648, 30),}"))))


@settings(max_examples=80, deadline=None)
@given(kind=st.sampled_from(["npz", "npy", "mat", "csv"]), data=st.data())
def test_damaged_files_read_or_are_value_errors(tmp_path_factory, kind, data):
    import scipy.io
    array, buffer = np.arange(12.0).reshape(4, 3), io.BytesIO()
    if kind == "npz":
        np.savez_compressed(buffer, x=array, y=np.arange(4))
    elif kind == "npy":
        np.save(buffer, array)
    elif kind == "mat":
        scipy.io.savemat(buffer, {"X": array, "y": np.arange(4)}, do_compression=data.draw(st.booleans()))
    else:
        np.savetxt(buffer, array, delimiter=",")
    content = bytearray(buffer.getvalue())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(1, len(content) - 1)):]
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path = write(tmp_path_factory.getbasetemp() / f"damaged.{kind}", bytes(content))
    try:
        datasets.read(path)
    except ValueError as error:
        assert "damaged." in str(error) and "\n" not in str(error)


@pytest.mark.parametrize("text, table", [
    ("1,2\n3,4\n", [[1, 2], [3, 4]]),
    ("a,b\r\n1, 2.5e1\r\n-3,?\r\n\r\n", [[1, 25], [-3, np.nan]]),
    ("\ufeff1,,3\n?,5,6", [[1, np.nan, 3], [np.nan, 5, 6]]),
    ("?,\n1,2\n", None),
    ("7\n\n8\n", [[7], [8]])])
def test_csv(tmp_path, text, table):
    x, y = datasets.read(write(tmp_path / "a.csv", text.encode()))
    assert y is None and x.dtype == np.float64
    np.testing.assert_array_equal(x, [[np.nan, np.nan], [1, 2]] if table is None else table)


@pytest.mark.parametrize("text, words", [
    ("1,2\n3\n", ["line 2", "2 cells", "got 1"]), ("1,2\n3,4,5\n", ["line 2", "got 3"]), ("a,b\n1\n", ["line 2"]),
    ("1,2\n3,x\n", ["line 2", "column 2", "'x'"]),
    ("a,b\n\n1,2_0\n", ["line 3", "'2_0'"]), ("1,b\n2,3\n", ["line 1", "'b'"]),
    ("a,b\n", ["lines of numbers"]), ("\n\n", ["lines of numbers"]), ("a,b\nc,d\n", ["line 2", "'c'"])])
def test_bad_csv(tmp_path, text, words):
    refused(write(tmp_path / "a.csv", text.encode()), *words)


def test_csv_that_is_not_text(tmp_path):
    refused(write(tmp_path / "a.csv", b"1,2\n\xff\xfe\n"), "text")


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "i8", "f4", "f8"])
def test_mat_reads_what_scipy_writes(tmp_path, dtype, compressed):
    import scipy.io
    array = np.arange(24).reshape(2, 3, 4).astype(dtype)
    others = {"text": "abc", "cell": np.array([1, "a"], object), "complex": np.array([[1j]]), "none": np.zeros((0, 0))}
    scipy.io.savemat(tmp_path / "a.mat", {"text": "abc", "images": array, **others}, do_compression=compressed)
    x, y = datasets.read(tmp_path / "a.mat")
    assert y is None and x.dtype == array.dtype and np.array_equal(x, array)


def test_mat(tmp_path):
    import scipy.io
    path, x = tmp_path / "a.mat", np.random.default_rng(0).standard_normal((5, 3))
    scipy.io.savemat(path, {"X": x, "y": np.array([0, 1, 0, 1, 1.0])})       # y becomes a row of MATLAB's
    data = datasets.load(path)
    assert np.array_equal(data.x, x) and data.y.tolist() == [0, 1, 0, 1, 1] and data.y.dtype == np.int64
    whole = path.read_bytes()
    refused(write(path, whole[:200]))
    refused(write(path, b"rubbish" * 40), "MATLAB")
    scipy.io.savemat(path, {"X": np.array([[{}]], object)})
    refused(path)


# load

@pytest.mark.parametrize("name, n, held_out, d, image_shape, dtype", [
    ("digits", 10000, 2000, 784, (28, 28), np.float32), ("two_moons", 1000, 1000, 2, None, np.float32),
    ("two_moons", 1000, 1000, 2, None, np.float64), ("noisy_sine", 10, 100, 1, None, np.float32)])
def test_generated_sets_by_name(name, n, held_out, d, image_shape, dtype, monkeypatch):
    monkeypatch.setattr("numpyae.datasets.sets.digits",                  # whose pictures are examined above
                        lambda n, rng, dtype: (np.zeros((n, 784), dtype), rng.integers(10, size=n)))
    data = datasets.load(name, dtype)
    assert data.name == name and data.x.shape == (n, d) and data.x_test.shape == (held_out, d)
    assert data.x.dtype == data.x_test.dtype == dtype and data.x.flags.c_contiguous and data.image_shape == image_shape
    if name == "noisy_sine":
        assert data.y.shape == (10, 1) and data.y_test.shape == (100, 1) and data.y.dtype == data.y_test.dtype == dtype
    else:
        assert data.y.shape == (n,) and data.y_test.shape == (held_out,) and data.y.dtype == np.int64
    assert isinstance(data.convention, str) and data.convention


def test_a_name_means_the_same_data_to_everybody_unless_an_rng_is_given():
    a, b = datasets.load("two_moons"), datasets.load("two_moons")
    c = datasets.load("two_moons", rng=np.random.default_rng(7))
    assert np.array_equal(a.x, b.x) and np.array_equal(a.x_test, b.x_test) and not np.array_equal(a.x, c.x)
    assert not np.array_equal(a.x, a.x_test)
    assert set(datasets.NAMES) == {"digits", "two_moons", "noisy_sine", "swiss_roll", "curves", *DATA_SETS}


@pytest.mark.parametrize("name", ["minst", "", "no/such/file.npz"])
def test_unknown_names_list_the_known_ones(name):
    with pytest.raises(ValueError, match="must be one of digits, two_moons, noisy_sine, swiss_roll, curves, mnist, fashion-mnist") as error:
        datasets.load(name)
    assert repr(name) in str(error.value)
    with pytest.raises(TypeError, match="load: name must be"):
        datasets.load(3)


def test_load_of_files(tmp_path):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (7, 4, 5), dtype=np.uint8)
    data = datasets.load(str(write(tmp_path / "a.idx", idx_bytes(images))), np.float32)
    assert data.x.shape == (7, 20) and data.x.dtype == np.float32 and data.image_shape == (4, 5)
    assert np.array_equal(data.x, (images.reshape(7, 20) / 255).astype(np.float32)) and "255" in data.convention
    assert data.y is data.x_test is data.y_test is None
    np.savez(tmp_path / "a.npz", x=np.asfortranarray(rng.standard_normal((7, 3))), y=rng.standard_normal((7, 2)))
    data = datasets.load(tmp_path / "a.npz", np.float32)
    assert data.y.shape == (7, 2) and data.y.dtype == np.float32
    assert data.x.flags.c_contiguous and data.image_shape is None


def test_load_refuses_files_that_are_no_table(tmp_path):
    labels = write(tmp_path / "labels.idx", idx_bytes(np.arange(5, dtype=np.uint8)))
    with pytest.raises(ValueError, match=r"labels.idx: expected .* got shape \(5,\)"):
        datasets.load(labels)
    with pytest.raises(ValueError, match=r"none.idx: expected at least one sample .* got shape \(0, 28, 28\)"):
        datasets.load(write(tmp_path / "none.idx", idx_bytes(np.zeros((0, 28, 28), np.uint8))))
    for y in (np.arange(4), np.array(3), np.zeros((0, 5))):
        np.savez(tmp_path / "a.npz", x=np.zeros((5, 2)), y=y)
        with pytest.raises(ValueError, match=re.escape(f"expected y for each of 5 samples, got shape {y.shape}")):
            datasets.load(tmp_path / "a.npz")


def test_grey_levels_become_exact_quotients_without_a_float64_detour(tmp_path):
    import tracemalloc
    grey = np.arange(256, dtype=np.uint8)
    path = write(tmp_path / "a.idx", idx_bytes(np.tile(grey, (8000, 1))))
    tracemalloc.start()
    x = datasets.load(path, np.float32).x
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert np.array_equal(x[0], (grey / 255.0).astype(np.float32)) and x.max() == 1
    assert peak < x.nbytes * 1.25 + 2e6                                      # the bytes read and the result, no more


def test_importing_datasets_imports_numpy_only_and_digits_are_the_same_in_another_process():
    code = ("import sys, numpyae.datasets; print(sorted({name.split('.')[0] for name in sys.modules} & "
            "{'scipy', 'matplotlib', 'gzip', 'hashlib', 'zipfile'}), 'urllib.request' in sys.modules); "
            "import numpy; print(numpyae.datasets.digits(10, numpy.random.default_rng(0))[0].sum())")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules, total = out.splitlines()
    assert modules == "[] False" and float(total) == datasets.digits(10, np.random.default_rng(0))[0].sum()


# downloads, from a server on this machine

BODY = np.random.default_rng(0).bytes(300_000)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY at any path; the first part of the path says how badly."""

    def do_GET(self):
        manner, sent = self.path.split("/")[1], self.headers.get("Range")
        self.server.requests.append((manner, sent))
        body, start = (bytes(len(BODY)) if manner == "wrong" else BODY), 0
        if manner == "missing":
            return self.send_error(404)
        if sent and manner != "norange":
            start = int(sent.removeprefix("bytes=").rstrip("-"))
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        if manner == "html":
            body = b"<html>please log in</html>"
        if manner != "nolength":
            self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start:100_000] if manner == "breaks" and start < 100_000 else body[start:])

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.requests = []
    threading.Thread(target=running.serve_forever, daemon=True).start()
    yield running
    running.shutdown()
    running.server_close()


class Place:
    """A data set "toy" of one file, its cache, and a server with several manners."""

    def __init__(self, server, monkeypatch, tmp_path):
        self.server, self.monkeypatch, self.cache = server, monkeypatch, tmp_path / "cache" / "numpyae" / "toy"
        self.file, self.part = self.cache / "a.gz", self.cache / "a.gz.part"
        self.requests = server.requests
        self.requests.clear()
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        monkeypatch.delenv("NUMPYAE_DATA", raising=False)
        files = {"a.gz": (len(BODY), hashlib.sha256(BODY).hexdigest())}
        monkeypatch.setitem(RECORDS, "toy", Record("toy", "bytes", lambda folder, dtype: None, files=files))

    def fetch(self, *manners, part=None, **options):
        mirrors = tuple(f"http://127.0.0.1:{self.server.server_port}/{manner}/" for manner in manners)
        self.monkeypatch.setitem(RECORDS, "toy", RECORDS["toy"]._replace(mirrors=mirrors))
        if part is not None:
            self.cache.mkdir(parents=True, exist_ok=True)
            self.part.write_bytes(part)
        return download.fetch("toy", **options)

    def complete(self):
        return self.file.read_bytes() == BODY and [path.name for path in self.cache.iterdir()] == ["a.gz"]


@pytest.fixture
def place(server, monkeypatch, tmp_path):
    return Place(server, monkeypatch, tmp_path)


def test_download_into_the_cache_happens_once(place, capsys):
    assert place.fetch("good") == place.cache and place.complete()
    assert place.fetch("good") == place.cache and place.requests == [("good", None)]
    assert capsys.readouterr() == ("", "")                                   # not a terminal: nothing is printed


def test_progress_lines(place, capsys):
    place.fetch("good", progress=True)
    lines = capsys.readouterr().err.splitlines()
    assert 1 < len(lines) <= 10 and lines[-1].endswith("a.gz: 100 % of 0.3 MB")


def test_download_resumes_where_it_broke_off(place):
    with pytest.raises(ConnectionError, match="broke off after 100000 of 300000 bytes"):
        place.fetch("breaks")
    assert place.part.read_bytes() == BODY[:100_000] and not place.file.exists()
    place.fetch("good")
    assert place.complete() and place.requests[-1] == ("good", "bytes=100000-")


def test_the_next_mirror_continues_what_the_first_began(place):
    place.fetch("breaks", "good")
    assert place.complete() and place.requests == [("breaks", None), ("good", "bytes=100000-")]


def test_server_that_ignores_range(place):
    place.fetch("norange", part=b"x" * 1000)
    assert place.complete() and place.requests == [("norange", "bytes=1000-")]


def test_wrong_beginning_is_replaced_after_the_checksum(place):
    place.fetch("good", part=b"x" * 1000)
    assert place.complete() and place.requests == [("good", "bytes=1000-"), ("good", None)]


@pytest.mark.parametrize("part", [BODY + b"x", b"x" * len(BODY), b""])
def test_part_that_is_too_long_or_whole_but_wrong_or_empty(place, part):
    place.fetch("good", part=part)
    assert place.complete() and place.requests == [("good", None)]


def test_part_that_is_whole_needs_no_server(place):
    place.fetch("good", part=BODY)
    assert place.complete() and place.requests == []


@pytest.mark.parametrize("manner", ["missing", "wrong", "html", "breaks", "nolength"])
def test_after_any_failure_the_next_mirror_is_asked(place, manner):
    place.fetch(manner, "good")
    assert place.complete()


def test_wrong_file_from_every_mirror_leaves_nothing(place):
    with pytest.raises(ConnectionError, match="sent a file with another SHA-256"):
        place.fetch("wrong", "wrong")
    assert list(place.cache.iterdir()) == []


def test_html_does_not_spoil_what_was_there(place):
    with pytest.raises(ConnectionError, match="offered"):
        place.fetch("html", part=BODY[:5000])
    assert place.part.read_bytes() == BODY[:5000]


def test_without_a_network_one_sentence_says_what_to_put_where(place, monkeypatch):
    nobody = RECORDS["mnist"]._replace(mirrors=("http://127.0.0.1:9/",))           # the discard port: nobody listens
    monkeypatch.setitem(RECORDS, "mnist", nobody)
    with pytest.raises(ConnectionError) as error:
        datasets.load("mnist")
    message = str(error.value)
    assert "\n" not in message and "$NUMPYAE_DATA/mnist" in message and str(place.cache.parent / "mnist") in message
    assert all(file in message for file in RECORDS["mnist"].files)


def test_own_folder_is_preferred_checked_and_never_changed(place, monkeypatch, tmp_path):
    own = tmp_path / "own" / "toy"
    own.mkdir(parents=True)
    monkeypatch.setenv("NUMPYAE_DATA", str(tmp_path / "own"))
    write(own / "a.gz", BODY)
    assert place.fetch("good") == own and place.requests == [] and not place.cache.exists()
    write(own / "a.gz", b"other")
    with pytest.raises(ValueError, match="a.gz: expected the file with SHA-256"):
        place.fetch("good")
    assert (own / "a.gz").read_bytes() == b"other" and place.requests == []
    (own / "a.gz").unlink()
    assert place.fetch("good") == place.cache and list(own.iterdir()) == []


def test_wrong_file_in_the_cache_is_named_and_kept(place):
    place.fetch("good")
    write(place.file, BODY[:-1])
    with pytest.raises(ValueError, match="a.gz: expected the file with SHA-256"):
        place.fetch("good")
    assert place.file.read_bytes() == BODY[:-1]


def test_cache_that_cannot_be_written_is_an_error_of_one_sentence(place, tmp_path):
    write(tmp_path / "cache", b"a file where a folder should be")
    with pytest.raises(OSError, match="toy: cannot write .*a.gz.part"):
        place.fetch("good")


def test_a_killed_download_leaves_only_its_part(place):
    blocks = []

    def killed(*_, **__):
        blocks.append(1)
        if len(blocks) == 3:
            raise KeyboardInterrupt
    place.monkeypatch.setattr("builtins.print", killed)
    with pytest.raises(KeyboardInterrupt):
        place.fetch("good", progress=True)
    place.monkeypatch.undo()
    assert [path.name for path in place.cache.iterdir()] == ["a.gz.part"]


def test_unknown_name_cannot_be_fetched():
    with pytest.raises(ValueError, match="fetch: name must be one of mnist, fashion-mnist, 20news, .*, got 'digits'"):
        download.fetch("digits")


# records


@pytest.fixture
def records():
    """The records; those that a test registers are forgotten after it."""
    before = dict(RECORDS)
    yield RECORDS
    RECORDS.clear()
    RECORDS.update(before)


def test_a_set_of_ones_own_loads_is_listed_and_shown(records, capsys):
    @datasets.data_set("circle", "300 + 100 points on a circle", convention="plane coordinates, radius 1")
    def circle(rng, dtype):
        a = rng.uniform(0, 2 * np.pi, 400)
        x = np.column_stack([np.cos(a), np.sin(a)]).astype(dtype)
        return x[:300], None, x[300:], None

    data = datasets.load("circle", np.float32)
    assert data.x.shape == (300, 2) and data.x_test.shape == (100, 2) and data.x.dtype == np.float32
    assert data.name == "circle" and data.y is data.image_shape is None and data.convention == "plane coordinates, radius 1"
    assert np.array_equal(data.x, datasets.load("circle", np.float32).x)
    assert datasets.listing().splitlines()[-1].split(maxsplit=1) == ["circle", "300 + 100 points on a circle; generated"]
    assert main(["data", "circle"]) == 0
    shown = capsys.readouterr().out
    assert "(300, 2)" in shown and "circle: plane coordinates, radius 1" in shown
    assert main(["data"]) == 0 and capsys.readouterr().out == datasets.listing() + "\n"
    with pytest.raises(ValueError, match="name must be one of digits, .*, circle, or the path"):
        datasets.load("square")


def test_a_set_of_ones_own_with_files_is_found_verified_and_read(records, monkeypatch, tmp_path):
    content = npy_bytes(np.arange(12, dtype=np.uint8).reshape(3, 2, 2))

    @datasets.data_set("tiny", "3 pictures, 2 x 2 grey", convention="grey levels", image_shape=(2, 2), source="my drawer",
                       licence="CC0", files={"tiny.npy": (len(content), hashlib.sha256(content).hexdigest())})
    def tiny(folder, dtype):
        return datasets.read(folder / "tiny.npy")[0].reshape(3, 4).astype(dtype), None, None, None

    monkeypatch.setenv("NUMPYAE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match="tiny: there is no tiny.npy in .*the files come from: my drawer"):
        datasets.load("tiny")
    with pytest.raises(ValueError, match="fetch: name must be one of mnist, .*, tiny, got 'square'"):
        download.fetch("square")
    (tmp_path / "tiny").mkdir()
    path = write(tmp_path / "tiny" / "tiny.npy", content)
    data = datasets.load("tiny")
    assert data.x.tolist() == np.arange(12.0).reshape(3, 4).tolist() and data.image_shape == (2, 2)
    assert "tiny" in datasets.listing() and datasets.listing().endswith("3 pictures, 2 x 2 grey; your own copy")
    write(path, content[:-1] + b"?")
    with pytest.raises(ValueError, match="tiny.npy: expected the file with SHA-256"):
        datasets.load("tiny")


@pytest.mark.parametrize("about, sentence", [
    ({}, 'data set \'toy\': its record must say the convention, such as convention="plane coordinates, radius 1"'),
    ({"convention": "grey", "files": {"a": (1, "")}, "licence": "MIT"}, "must say the source, such as source=\"UCI"),
    ({"convention": "grey", "files": {"a": (1, "")}, "source": "me"}, "must say the licence, such as licence=\"CC BY 4.0\""),
    ({"convention": "grey", "summary": ""}, "must say the summary, such as summary="),
    ({"convention": "grey", "name": "mnist"}, "data set 'mnist': there is one of that name already: 60 000 . 10 000 handwritten")])
def test_a_record_that_says_too_little_is_a_sentence_with_the_line_to_write(records, about, sentence):
    with pytest.raises(ValueError, match=sentence):
        datasets.data_set(**{"name": "toy", "summary": "a toy", **about})(lambda rng, dtype: None)
    assert "toy" not in records


def test_every_record_says_what_the_readme_of_a_set_says():
    for name, record in RECORDS.items():
        assert record.name == name and record.convention and record.origin in datasets.listing()
        assert record.files or record.origin == "generated"
        assert all(len(sha) == 64 and size > 0 for size, sha in record.files.values())
    assert [record.origin for record in RECORDS.values() if record.mirrors] == ["12 MB to download", "31 MB to download"]


# real data

def stored(name):
    if not os.path.isdir(os.path.join(os.environ.get("NUMPYAE_DATA", ""), name)) or not os.environ.get("NUMPYAE_DATA"):
        pytest.skip(f"data set {name} is not in $NUMPYAE_DATA")
    return datasets.load(name, np.float32)


def test_mnist():
    data = stored("mnist")
    assert data.x.shape == (60000, 784) and data.x_test.shape == (10000, 784) and data.image_shape == (28, 28)
    assert data.x.dtype == np.float32 and data.x.min() == 0 and data.x.max() == 1
    assert data.y[:5].tolist() == [5, 0, 4, 1, 9] and data.y_test[:3].tolist() == [7, 2, 1]
    assert data.y.dtype == np.int64 and np.bincount(data.y)[0] == 5923
    assert data.x.mean(dtype=np.float64) == pytest.approx(0.1307, abs=5e-5)


def test_fashion_mnist():
    data = stored("fashion-mnist")
    assert data.x.shape == (60000, 784) and data.x_test.shape == (10000, 784)
    assert np.bincount(data.y).tolist() == [6000] * 10 and data.y[:3].tolist() == [9, 0, 0]
    assert data.x.mean(dtype=np.float64) == pytest.approx(0.2860, abs=5e-5)


def test_swiss_roll_is_a_flat_sheet_rolled_up():
    x, place = datasets.swiss_roll(500, rng=0)
    angle, height = place.T
    assert np.allclose(np.hypot(x[:, 0], x[:, 2]), angle / 10) and np.allclose(x[:, 1], height / 10)
    assert np.allclose(np.cos(angle) * np.hypot(x[:, 0], x[:, 2]), x[:, 0])
    noisy, _ = datasets.swiss_roll(500, sigma=0.1, rng=0)
    assert abs((noisy - x).std() - 0.1) < 0.01


def test_curves_go_through_their_three_points():
    x, points = datasets.curves(50, rng=0)
    assert x.shape == (50, 784) and x.min() >= 0 and x.max() <= 1 and datasets.curves(3, 0, np.float32)[0].dtype == np.float32
    for picture, (row, column) in zip(np.repeat(x, 3, axis=0), points.reshape(-1, 2)):
        nearest = np.hypot(row - round(row), column - round(column))
        assert picture.reshape(28, 28)[round(row), round(column)] >= np.exp(-nearest**2 / 2) - 1e-9          # the curve is no farther than its point
    far = np.abs(x.reshape(50, 28, 28)[:, 0, 0])
    assert far.max() < 0.5 and 0.02 < x.mean() < 0.2


def test_whitened_photographs_have_no_favourite_frequency_and_patches_are_pieces():
    picture = datasets.photograph()
    white = datasets.whiten(picture[None])[0]
    assert picture.ndim == 2 and 0 <= picture.min() < picture.max() <= 1
    assert white.var() == pytest.approx(0.1) and abs(white.mean()) < 1e-12                                      # f = 0 is gone

    def power(image):
        f = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
        spectrum = np.abs(np.fft.fft2(image))**2
        return [spectrum[(f > low) & (f < 1.5 * low)].mean() for low in (0.02, 0.2)]
    before, after = (low / high for low, high in (power(picture), power(white)))
    assert before > 100 and after < before / 20
    assert datasets.whiten([picture, 0.1 * picture]).var() == pytest.approx(0.1)
    pieces = datasets.patches([white], 20, 8, rng=0)
    assert pieces.shape == (20, 64)
    everywhere = np.lib.stride_tricks.sliding_window_view(white, (8, 8))
    assert (everywhere == pieces[0].reshape(8, 8)).all(axis=(2, 3)).any()


def test_the_filter_of_whitening_is_the_papers():
    """Two waves of one height: what comes out of them are f exp(-(f / 0.4)⁴) at their frequencies, up to one factor."""
    waves = {f: np.cos(2 * np.pi * f * np.arange(64))[None, :] for f in (4 / 64, 20 / 64)}
    white = datasets.whiten([np.tile(waves[4 / 64] + waves[20 / 64], (64, 1))])[0]
    heights = [np.sum(white * wave) / np.sum(np.tile(wave, (64, 1))**2) for wave in waves.values()]
    expected = [f * np.exp(-(f / 0.4)**4) for f in waves]
    assert heights[1] / heights[0] == pytest.approx(expected[1] / expected[0], rel=1e-12)


@pytest.mark.parametrize("call, sentence", [
    (lambda: datasets.whiten(np.zeros((8, 8))), r"whiten: pictures must have shape \(n, rows, columns\), got \(8, 8\)"),
    (lambda: datasets.whiten(np.full((1, 8, 8), 0.3)), "whiten: pictures must vary, got constant ones"),
    (lambda: datasets.patches(np.zeros((8, 8)), 5, 3), r"patches: pictures must have shape \(m, rows, columns\), got \(8, 8\)"),
    (lambda: datasets.swiss_roll(0), "swiss_roll: n must be at least 1, got 0"), (lambda: datasets.swiss_roll(5, -1), "swiss_roll: sigma must be finite"),
    (lambda: datasets.curves(2.5), "curves: n must be an integer, got 2.5"),
    (lambda: datasets.patches(np.zeros((1, 10, 8)), 5, 9), "patches: side must be at most 8, the smaller side of the pictures, got 9")])
def test_bad_arguments_of_the_new_generators(call, sentence):
    with pytest.raises((ValueError, TypeError), match=sentence):
        call()


SHAPES = {"binarized-mnist": ((50000, 784), 10000), "frey-faces": ((1600, 560), 365), "olivetti": ((300, 4096), 100), "optdigits": ((3823, 64), 1797),
          "20news": ((11314, 2000), 7532), "kodak": ((24, 262144), None), "ecg5000": ((2500, 140), 2500), "odds": ((1831, 21), None),
          "horse-colic": ((300, 28), None)}


@pytest.mark.parametrize("name", SHAPES)
def test_stored_sets(name):
    if not any(folder.is_dir() for folder in download.folders(name)):
        pytest.skip(f"data set {name} is not in $NUMPYAE_DATA")
    data, (shape, held_out) = datasets.load(name, dtype=np.float32), SHAPES[name]
    assert data.x.shape == shape and data.x.dtype == np.float32
    assert (None if data.x_test is None else len(data.x_test)) == held_out
    assert data.y is None or len(data.y) == len(data.x)
    known = {"20news": lambda: data.x.max() == 800 and data.x.sum(dtype=float) + data.x_test.sum(dtype=float) == 1572531,
             "olivetti": lambda: data.y[10] == 1 and data.y_test[0] == 30, "odds": lambda: data.y.sum() == 176,
             "ecg5000": lambda: data.y.sum() == 0 and data.y_test.sum() == 2081,
             "horse-colic": lambda: np.bincount(data.y).tolist() == [1, 178, 77, 44]}
    assert known.get(name, lambda: True)()
    if name == "horse-colic":
        assert round(float(np.isnan(data.x).mean()), 3) == 0.191
    else:
        assert np.isfinite(data.x).all()
    if data.image_shape:
        assert 0 <= data.x.min() and data.x.max() <= 1


def test_a_stored_set_that_is_not_there_says_where_it_comes_from(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMPYAE_DATA", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(FileNotFoundError, match="no cardio.mat in .*nothing can be downloaded, the files come from: ODDS library"):
        datasets.load("odds")
    (tmp_path / "odds").mkdir()
    (tmp_path / "odds" / "cardio.mat").write_bytes(b"something else")
    with pytest.raises(ValueError, match="expected the file with SHA-256 5e568b6a"):
        datasets.load("odds")
