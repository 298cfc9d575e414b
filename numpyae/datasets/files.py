"""Read arrays from files, and refuse files that are not what they say.

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

from numpyae.checks import must

IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_LIMIT = 1032     # the most that one compressed byte can unpack to (zlib's "maximally compressed" case)
MISSING = ("", "?")      # cells of a csv file that become NaN
GREY = "grey levels 0..255 divided by 255, so in [0, 1]"


class BadFile(ValueError):
    """The sentence about a file that is not what it should be."""

    def __init__(self, where, expected, got):
        super().__init__(f"{where}: expected {expected}, got {got}")


def demand(right, where, expected, got):
    """Raise BadFile unless it is right."""
    if not right:
        raise BadFile(where, expected, got)


def read(path):
    """Return the data and the labels or targets of a file: (x, y), y None where the file has none.

    By suffix: IDX (.gz, .idx, …-ubyte); .npy; .npz and .mat with x called x, X, data or images, or being the only
    array of two or more dimensions, and y called y; .csv (x float64, "?" and empty cells NaN, a first line without
    numbers is a header). x keeps the file's shape and type, its first axis being the samples. Errors: see the module.
    """
    path = existing(path)
    suffix = path.suffix.lower()
    if suffix in (".gz", ".idx") or path.name.lower().endswith("ubyte"):
        return read_idx(path), None
    demand(suffix in READERS, path, f"a file called .gz, .idx, -ubyte, {', '.join(READERS)}", f"suffix '{suffix}'")
    return READERS[suffix](path)


def existing(path):
    """Return path as a Path. FileNotFoundError when nothing is there, ValueError for a folder or an empty file."""
    path = Path(path)
    must(path.exists(), f"{path}: there is no such file", FileNotFoundError)
    demand(path.is_file(), path, "a file", "a folder or a device")
    demand(path.stat().st_size > 0, path, "data", "an empty file")
    return path


def read_idx(path):
    """Return the array of an IDX file, plain or gzip-compressed.

    The first bytes tell which: a browser may have unpacked the file and kept its name.

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
            raise BadFile(path, "a whole gzip stream", f"a damaged or truncated one ({error})") from error


def read_idx_stream(stream, path, at_most):
    """Return the array in an open IDX stream, which cannot hold more than `at_most` bytes."""
    head = stream.read(4)
    demand(len(head) == 4 and head[:2] == b"\0\0" and head[2] in IDX_TYPES and 1 <= head[3] <= 32, path,
           "an IDX file, which starts with 00 00, a type 08 09 0b 0c 0d 0e and 1 to 32 dimensions",
           head.hex(" ") or "nothing")
    counts = stream.read(4 * head[3])
    demand(len(counts) == 4 * head[3], path,
           f"a header of {4 + 4 * head[3]} bytes for {head[3]} dimensions", f"{4 + len(counts)} bytes")
    shape = struct.unpack(f">{head[3]}I", counts)
    dtype = np.dtype(IDX_TYPES[head[2]])
    array = read_numbers(stream, path, shape, dtype, at_most - 4 - len(counts))
    return array if dtype.isnative else array.byteswap(inplace=True).view(dtype.newbyteorder("="))


def read_numbers(stream, path, shape, dtype, at_most):
    """Return an array of this shape and dtype from the rest of a stream, which must hold exactly that.

    The stream cannot hold more than `at_most` bytes.
    """
    expected = math.prod(shape) * dtype.itemsize
    claim = f"{expected} bytes, since its header claims shape {shape} of {dtype.name}"
    demand(expected <= at_most, path, claim, f"a file that holds at most {max(0, at_most)}")
    demand(math.prod(count or 1 for count in shape) < 2**60,   # not so (0, 2³², 2³²): no data, and yet no array
           path, claim, "a shape that no array can have")
    try:
        data = np.empty(expected, np.uint8)      # the memory is not touched, so not used, before data comes to fill it
    except MemoryError as error:
        raise BadFile(path, claim, "a machine without memory for them") from error
    view, done = memoryview(data), 0
    while done < expected:
        got = stream.readinto(view[done:done + 2**20])
        demand(got, path, claim, f"{done}: the file is truncated or its counts are wrong")
        done += got
    demand(not stream.read(1), path, claim, "more: trailing bytes, or its counts are wrong")
    return data.view(dtype).reshape(shape)


def read_npy(path):
    """Return the array of a .npy file, as (x, None)."""
    with open(path, "rb") as file:
        return read_npy_stream(file, path, path.stat().st_size), None


def read_npy_stream(stream, path, size):
    """Return the array in an open .npy stream of `size` bytes; never a pickled one."""
    shape, column_major, dtype, length = npy_header(stream, path)
    demand(dtype.kind in "biuf", path, "an array of numbers", f"dtype {dtype}")
    array = read_numbers(stream, path, shape[::-1] if column_major else shape, dtype, size - length)
    array = array.T if column_major else array
    return array if dtype.isnative else array.astype(dtype.newbyteorder("="))


def npy_header(stream, path, size=None):
    """Return the claims of a .npy header, shape, column-major order or not, dtype, and the header's length in bytes."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        shape, column_major, dtype = readers[np.lib.format.read_magic(stream)](stream)
    except Exception as error:          # the header is Python source, and there are many ways of not being that
        raise BadFile(path, "an array saved by NumPy", f"a damaged header ({first_line(error)})") from error
    demand(min(shape, default=0) >= 0, path, "counts that are not negative", f"shape {shape}")
    return shape, column_major, dtype, stream.tell()


def read_npz(path):
    """Return x and y of a .npz file."""
    import zipfile
    try:
        with zipfile.ZipFile(path) as archive:
            members = {member.filename.removesuffix(".npy"): member for member in archive.infolist()}
            shapes = {name: read_member(archive, path, member, npy_header)[0] for name, member in members.items()}
            return tuple(None if name is None else read_member(archive, path, members[name], read_npy_stream)
                         for name in choose(path, shapes))
    except BadFile:
        raise
    except Exception as error:          # zipfile has a dozen, from BadZipFile to UnicodeDecodeError
        raise BadFile(path, "a .npz file, a zip of arrays", f"a damaged one ({first_line(error)})") from error


def read_member(archive, path, member, reader):
    """Return what reader(stream, where, size) makes of one member of an open .npz archive."""
    with archive.open(member) as stream:
        return reader(stream, f"{path}: {member.filename.removesuffix('.npy')}", member.file_size)


def choose(path, shapes):
    """Return the names of x and y (or None) among arrays of these shapes, a dict."""
    named = [name for name in ("x", "X", "data", "images") if name in shapes]
    tables = named[:1] or [name for name, shape in shapes.items() if len(shape) >= 2 and name != "y"]
    demand(len(tables) == 1, path, "an array called x, X, data or images, or a single one of two or more dimensions",
           ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "no array")
    return tables[0], "y" if "y" in shapes else None


def read_mat(path):
    """Return x and y of a MATLAB file of version 5 to 7.2 (7.3 is HDF5)."""
    try:
        found = mat_arrays(path.read_bytes())
    except ValueError as error:
        raise BadFile(path, "a MATLAB file of version 5 to 7.2", f"another or a damaged one ({error})") from error
    return tuple(found.get(name) for name in choose(path, {name: array.shape for name, array in found.items()}))


def read_csv(path):
    """Return the table of a .csv file, (rows, columns) float64, as (x, None)."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            lines = [(f"{path}: line {count}", [cell.strip() for cell in line.split(",")])
                     for count, line in enumerate(file, 1) if line.strip()]
    except UnicodeDecodeError as error:
        raise BadFile(path, "lines of text", f"bytes that are not ({error})") from error
    header = bool(lines) and all(cell_number(cell) is None for cell in lines[0][1])
    rows = [numbers(cells, len(lines[0][1]), where) for where, cells in lines[header:]]
    demand(rows, path, "lines of numbers", "none")
    return np.array(rows), None


def numbers(cells, width, where):
    """Return the cells of one line as an array (width,)."""
    demand(len(cells) == width, where, f"{width} cells as in the first line", len(cells))
    values = [cell_number(cell) for cell in cells]
    if None in values:
        index = values.index(None)
        raise BadFile(where, f"a number, '?' or nothing in column {index + 1}", repr(cells[index][:40]))
    return np.array(values)


def cell_number(cell):
    """Return the number in a cell, NaN when it is missing, None when it is something else."""
    if cell in MISSING:
        return math.nan
    try:
        return None if "_" in cell else float(cell)      # float("1_000") is 1000 in Python, but not in a table
    except ValueError:
        return None


def as_table(x, dtype):
    """Return x (N, ...) as (N, D) in `dtype`, grey levels divided by 255; written straight into its only copy."""
    x = x.reshape(len(x), -1)
    if x.dtype != np.uint8:
        with np.errstate(over="ignore"):                 # too large for float32 becomes infinite, refused later
            return x.astype(dtype, order="C", copy=False)
    return np.divide(x, dtype.type(255), dtype=dtype)


def as_labels(path, y, n, dtype):
    """Return y as labels (n,) int64 if it is n whole numbers, else as targets (n, T) in `dtype`."""
    if y.shape == (1, n):               # MATLAB has no vectors, only rows and columns
        y = y.T
    must(y.ndim > 0 and len(y) == n, f"{path}: expected y for each of {n} samples, got shape {y.shape}")
    y = y.reshape(n, -1)
    whole = y.shape[1] == 1 and np.all(np.isfinite(y)) and np.all(y == np.rint(y))
    return y[:, 0].astype(np.int64) if whole else y.astype(dtype)


def first_line(error):
    """Return the first line of an error's message, or its name when it has none."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

# MATLAB files (version 5 to 7.2), as far as they hold tables of numbers. The format is a list of elements, each a type,
# a size and so many bytes, padded to a multiple of 8. An element may be compressed (zlib), and a matrix is an element
# made of elements: flags, shape, name, numbers. The numbers may be stored in a narrower type than the matrix has, and
# column by column. Text, cells, structures, sparse and complex matrices are passed over.
#
# Why not scipy.io.loadmat? It believes the file, and one wrong byte can end the whole process with a segmentation
# fault, which no `except` catches. Here every size is compared with what is there before it is used. Source: MathWorks,
# "MAT-File Format", chapter 1, level 5.

MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x800      # a bit of the flags


def mat_arrays(content):
    """Return {name: array} of the numeric matrices in the bytes of a MATLAB file; ValueError for a bad one."""
    must(len(content) >= 128 and content[124:128] in (b"\0\1IM", b"\1\0MI"), "no header of version 5")
    order = "<" if content[126:128] == b"IM" else ">"
    data, at, found = memoryview(content), 128, {}
    try:
        while at < len(data):
            kind, body, at = element(data, at, order)
            if kind == COMPRESSED:
                kind, body, _ = element(inflate(body, order), 0, order)
            if kind == MATRIX:
                found |= matrix(body, order)
    except (struct.error, zlib.error) as error:
        raise ValueError(str(error)) from error
    return found


def element(data, at, order):
    """Return the element at byte `at`: its type, its bytes, and where the next one starts."""
    word, = struct.unpack_from(order + "I", data, at)
    if word >> 16:                      # the short form: two bytes of size, two of type, four of data
        kind, size, start, following = word & 0xFFFF, word >> 16, at + 4, at + 8
    else:
        kind, start = word, at + 8
        size, = struct.unpack_from(order + "I", data, at + 4)
        following = start + size + (0 if kind == COMPRESSED else -size % 8)
    must(start + size <= min(len(data), following), f"an element of {size} bytes where {len(data) - start} are left")
    return kind, data[start:start + size], following


def inflate(packed, order):
    """Unpack a compressed element, no further than its own size says."""
    stream = zlib.decompressobj()
    head = stream.decompress(packed, 8)
    _, size = struct.unpack(order + "II", head)
    rest = stream.decompress(stream.unconsumed_tail, size + 1)
    must(len(rest) == size, f"a compressed element of {size} bytes that holds {len(rest)} or more")
    return memoryview(head + rest)


def matrix(body, order):
    """Return {name: array} of one matrix element, {} if it holds anything else than real numbers."""
    _, flags, at = element(body, 0, order)
    _, dimensions, at = element(body, at, order)
    _, name, at = element(body, at, order)
    word, = struct.unpack_from(order + "I", flags)
    name = bytes(name).decode("ascii", "replace")
    if word & 0xFF not in CLASSES or word & COMPLEX:
        return {}
    kind, data, _ = element(body, at, order)
    must(kind in STORED and len(data) % np.dtype(STORED[kind]).itemsize == 0,
         f"{name!r} stored as type {kind} in {len(data)} bytes")
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    stored = np.frombuffer(bytes(data), order + STORED[kind])
    must(min(shape, default=-1) >= 0 and math.prod(shape) == stored.size,
         f"{name!r} of shape {shape} with {stored.size} numbers")
    with np.errstate(all="ignore"):     # numbers that do not fit their class are the file's own business
        return {name: stored.astype(CLASSES[word & 0xFF]).reshape(shape[::-1]).T}


READERS = {".npy": read_npy, ".npz": read_npz, ".mat": read_mat, ".csv": read_csv}
