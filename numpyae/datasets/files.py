"""Reading arrays from files, and refusing files that are not what they say.

IDX, the format of MNIST, is the simplest there is, and shows what reading a file means. Two bytes are 0, one byte
names the type, one the number of dimensions, then each dimension is a big-endian 32-bit count, then come the numbers:

    00 00 08 03 | 00 00 ea 60 | 00 00 00 1c | 00 00 00 1c | 47 040 000 bytes     (60000, 28, 28) unsigned bytes

A header is a claim. Sixteen bytes can claim 2³¹ rows, so no memory is allocated for it before the size of the file
has made it possible, and a file that holds less *or more* than it claims is refused. Nothing is ever unpickled: a
pickle is a program, and opening a data file must not run one.

Every function raises FileNotFoundError for a missing file and ValueError, one sentence naming the file, for any bad
one.
"""

import math
import struct
import zlib
from pathlib import Path

import numpy as np

from numpyae.datasets.matlab import mat_arrays

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_LIMIT = 1032     # the most that one compressed byte can unpack to (zlib's "maximally compressed" case)
MISSING = ("", "?")      # cells of a csv file that become NaN


def read(path):
    """The data and the labels or targets of a file: (x, y), y None where the file has none.

    By suffix: IDX (.gz, .idx, …-ubyte); .npy; .npz and .mat with x called x, X, data or images, or being the only
    array of two or more dimensions, and y called y; .csv (x float64, "?" and empty cells NaN, a first line without
    numbers is a header). x keeps the file's shape and type, its first axis being the samples. Errors: see the module.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix in (".gz", ".idx") or path.name.lower().endswith("ubyte"):
        return read_idx(path), None
    if suffix not in READERS:
        raise bad(path, f"a file called .gz, .idx, -ubyte, {', '.join(READERS)}", f"suffix '{suffix}'")
    return READERS[suffix](path)


def existing(path):
    """path as a Path; FileNotFoundError when nothing is there, ValueError for a folder or an empty file."""
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not path.is_file():
        raise bad(path, "a file", "a folder or a device")
    if path.stat().st_size == 0:
        raise bad(path, "data", "an empty file")
    return path


def read_idx(path):
    """The array of an IDX file, plain or gzip-compressed (told by its first bytes, since browsers unpack and keep the
    name).

    Types 08 uint8, 09 int8, 0B int16, 0C int32, 0D float32, 0E float64, in the machine's own byte order. Errors: see
    the module. Source: the format's description on the MNIST page of LeCun, Cortes & Burges.
    """
    import gzip
    path = existing(path)
    size = path.stat().st_size
    with open(path, "rb") as file:
        packed = file.read(2) == GZIP_MAGIC
        file.seek(0)
        if not packed:
            return read_idx_stream(file, path, size)
        try:
            with gzip.open(file) as stream:
                return read_idx_stream(stream, path, size * DEFLATE_LIMIT)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise bad(path, "a whole gzip stream", f"a damaged or truncated one ({error})") from error


def read_idx_stream(stream, path, at_most):
    """The array in an open IDX stream, which cannot hold more than `at_most` bytes."""
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in IDX_TYPES or not 1 <= head[3] <= 32:
        raise bad(path, "an IDX file, which starts with 00 00, a type 08 09 0b 0c 0d 0e and 1 to 32 dimensions",
                  head.hex(" ") or "nothing")
    counts = stream.read(4 * head[3])
    if len(counts) < 4 * head[3]:
        raise bad(path, f"a header of {4 + 4 * head[3]} bytes for {head[3]} dimensions", f"{4 + len(counts)} bytes")
    shape = struct.unpack(f">{head[3]}I", counts)
    dtype = np.dtype(IDX_TYPES[head[2]])
    array = read_numbers(stream, path, shape, dtype, at_most - 4 - len(counts))
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def read_numbers(stream, path, shape, dtype, at_most):
    """An array of this shape and dtype from the rest of a stream, which must hold exactly that; see `at_most` above."""
    expected = math.prod(shape) * dtype.itemsize
    claim = f"{expected} bytes, since its header claims shape {shape} of {dtype.name}"
    if expected > at_most:
        raise bad(path, claim, f"a file that holds at most {max(0, at_most)}")
    if math.prod(count or 1 for count in shape) >= 2**60:      # as in (0, 2³², 2³²): no data, and yet no array
        raise bad(path, claim, "a shape that no array can have")
    try:
        data = np.empty(expected, np.uint8)      # the memory is not touched, so not used, before data comes to fill it
    except MemoryError as error:
        raise bad(path, claim, "a machine without memory for them") from error
    view, done = memoryview(data), 0
    while done < expected:
        got = stream.readinto(view[done:done + 2**20])
        if not got:
            raise bad(path, claim, f"{done}: the file is truncated or its counts are wrong")
        done += got
    if stream.read(1):
        raise bad(path, claim, "more: trailing bytes, or its counts are wrong")
    return data.view(dtype).reshape(shape)


def read_npy(path):
    """The array of a .npy file, as (x, None)."""
    with open(path, "rb") as file:
        return read_npy_stream(file, path, path.stat().st_size), None


def read_npy_stream(stream, path, size):
    """The array in an open .npy stream of `size` bytes; never a pickled one."""
    shape, column_major, dtype, length = npy_header(stream, path)
    if dtype.kind not in "biuf":
        raise bad(path, "an array of numbers", f"dtype {dtype}")
    array = read_numbers(stream, path, shape[::-1] if column_major else shape, dtype, size - length)
    array = array.T if column_major else array
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def npy_header(stream, path):
    """What a .npy header says: shape, whether it is in column-major order, dtype; and the header's length in bytes."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(stream)
        shape, column_major, dtype = readers[version](stream)
        length = stream.tell()
    except Exception as error:          # the header is Python source, and there are many ways of not being that
        raise bad(path, "an array saved by NumPy", f"a damaged header ({first_line(error)})") from error
    if min(shape, default=0) < 0:
        raise bad(path, "counts that are not negative", f"shape {shape}")
    return shape, column_major, dtype, length


def read_npz(path):
    """x and y of a .npz file."""
    import zipfile
    try:
        with zipfile.ZipFile(path) as archive:
            found = {}
            for member in archive.infolist():
                with archive.open(member) as stream:
                    found[member.filename.removesuffix(".npy")] = npy_header(stream, f"{path}: {member.filename}")
            x_name, y_name = choose(path, {name: header[0] for name, header in found.items()})
            return tuple(None if name is None else read_member(archive, path, name) for name in (x_name, y_name))
    except Exception as error:          # zipfile has a dozen, from BadZipFile to UnicodeDecodeError
        if str(error).startswith(f"{path}: "):
            raise                       # our own sentence already
        raise bad(path, "a .npz file, a zip of arrays", f"a damaged one ({first_line(error)})") from error


def read_member(archive, path, name):
    """The array called `name` in an open .npz archive."""
    member = archive.getinfo(name + ".npy")
    with archive.open(member) as stream:
        return read_npy_stream(stream, f"{path}: {name}", member.file_size)


def choose(path, shapes):
    """The names of x and y (or None) among arrays of these shapes, a dict."""
    y_name = "y" if "y" in shapes else None
    for name in ("x", "X", "data", "images"):
        if name in shapes:
            return name, y_name
    tables = [name for name, shape in shapes.items() if len(shape) >= 2 and name != "y"]
    if len(tables) != 1:
        raise bad(path, "an array called x, X, data or images, or a single one of two or more dimensions",
                  ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no array")
    return tables[0], y_name


def read_mat(path):
    """x and y of a MATLAB file of version 5 to 7.2 (7.3 is HDF5)."""
    try:
        found = mat_arrays(path.read_bytes())
    except ValueError as error:
        raise bad(path, "a MATLAB file of version 5 to 7.2", f"another or a damaged one ({error})") from error
    x_name, y_name = choose(path, {name: array.shape for name, array in found.items()})
    return found[x_name], None if y_name is None else found[y_name]


def read_csv(path):
    """The table of a .csv file, (rows, columns) float64, as (x, None)."""
    rows, width = [], None
    with open(path, encoding="utf-8-sig") as file:
        try:
            for count, line in enumerate(file, 1):
                cells = [cell.strip() for cell in line.split(",")]
                if cells == [""]:
                    continue
                if width not in (None, len(cells)):
                    raise bad(f"{path}: line {count}", f"{width} cells as in the first line", len(cells))
                if width is not None or any(number(cell) is not None for cell in cells):
                    rows.append(numbers(cells, f"{path}: line {count}"))
                width = len(cells)
        except UnicodeDecodeError as error:
            raise bad(path, "lines of text", f"bytes that are not ({error})") from error
    if not rows:
        raise bad(path, "lines of numbers", "none")
    return np.array(rows), None


def numbers(cells, where):
    """The cells of one line as an array (columns,)."""
    values = [number(cell) for cell in cells]
    if None in values:
        index = values.index(None)
        raise bad(where, f"a number, '?' or nothing in column {index + 1}", repr(cells[index][:40]))
    return np.array(values)


def number(cell):
    """The number in a cell, NaN when it is missing, None when it is something else."""
    if cell in MISSING:
        return math.nan
    try:
        return None if "_" in cell else float(cell)      # float("1_000") is 1000 in Python, but not in a table
    except ValueError:
        return None


def bad(where, expected, got):
    """The ValueError for a file that is not what it should be."""
    return ValueError(f"{where}: expected {expected}, got {got}")


def first_line(error):
    """The first line of an error's message, or its name when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


READERS = {".npy": read_npy, ".npz": read_npz, ".mat": read_mat, ".csv": read_csv}
