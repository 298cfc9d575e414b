"""Read MATLAB files (version 5 to 7.2), as far as they hold tables of numbers.

The format is a list of elements, each a type, a size and so many bytes, padded to a multiple of 8. An element may be
compressed (zlib), and a matrix is an element made of elements: flags, shape, name, numbers. The numbers may be stored
in a narrower type than the matrix has, and column by column. Text, cells, structures, sparse and complex matrices are
passed over.

Why not scipy.io.loadmat? It believes the file, and one wrong byte can end the whole process with a segmentation
fault, which no `except` catches. Here every size is compared with what is there before it is used. Source: MathWorks,
"MAT-File Format", chapter 1, level 5.
"""

import math
import struct
import zlib

import numpy as np

MATRIX, COMPRESSED = 14, 15
STORED = {1: "i1", 2: "u1", 3: "i2", 4: "u2", 5: "i4", 6: "u4", 7: "f4", 9: "f8", 12: "i8", 13: "u8"}
CLASSES = {6: "f8", 7: "f4", 8: "i1", 9: "u1", 10: "i2", 11: "u2", 12: "i4", 13: "u4", 14: "i8", 15: "u8"}
COMPLEX = 0x800      # a bit of the flags


def mat_arrays(content):
    """Return {name: array} of the numeric matrices in the bytes of a MATLAB file; ValueError for a bad one."""
    if len(content) < 128 or content[124:128] not in (b"\0\1IM", b"\1\0MI"):
        raise ValueError("no header of version 5")
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
    if start + size > len(data) or start + size > following:
        raise ValueError(f"an element of {size} bytes where {len(data) - start} are left")
    return kind, data[start:start + size], following


def inflate(packed, order):
    """Unpack a compressed element, no further than its own size says."""
    stream = zlib.decompressobj()
    head = stream.decompress(packed, 8)
    _, size = struct.unpack(order + "II", head)
    rest = stream.decompress(stream.unconsumed_tail, size + 1)
    if len(rest) != size:
        raise ValueError(f"a compressed element of {size} bytes that holds {len(rest)} or more")
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
    kind, numbers, _ = element(body, at, order)
    if kind not in STORED or len(numbers) % np.dtype(STORED[kind]).itemsize:
        raise ValueError(f"{name!r} stored as type {kind} in {len(numbers)} bytes")
    shape = struct.unpack(f"{order}{len(dimensions) // 4}i", dimensions)
    stored = np.frombuffer(bytes(numbers), order + STORED[kind])
    if min(shape, default=-1) < 0 or math.prod(shape) != stored.size:
        raise ValueError(f"{name!r} of shape {shape} with {stored.size} numbers")
    with np.errstate(all="ignore"):     # numbers that do not fit their class are the file's own business
        return {name: stored.astype(CLASSES[word & 0xFF]).reshape(shape[::-1]).T}
