"""Checkpoints: everything that a killed training run needs to go on as if nothing had happened.

One .npz without pickle: the parameters under their names, the optimizer's arrays, the best parameters so far, and one JSON
string: format version, what to build, epoch, history, the state of the random generator, the optimizer's numbers, and what
callbacks may have set. It is written beside the old file and then renamed, so a kill at any moment leaves the last finished one.
Files are checked before they are believed: a ValueError says what is wrong, and then nothing in the model has changed.
"""

import copy
import json
import operator

import numpy as np

from numpyae.described import Described
from numpyae.layers import Sequential
from numpyae.arrays import fill, read_arrays, write_arrays

FORMAT = 1


def write_checkpoint(path, model, optimizer, rng, history, best):
    """Write the state after a whole epoch, atomically. `best`: the flat parameters with the lowest validation loss."""
    adjusted = [[part, name, getattr(owner, name)] for part, owner in owners(model) for name in owner.adjustable]
    record = {"format": FORMAT, "model": describe(model), "dtype": str(model.dtype), "epoch": history.epochs,
              "history": history.as_dict(), "rng": rng.bit_generator.state, "adjusted": adjusted,
              "optimizer": {"class": type(optimizer).__name__, "t": optimizer.t,
                            "arguments": {name: getattr(optimizer, name) for name in optimizer.arguments}}}
    arrays = {f"model/{name}": array for name, array in model.named_parameters().items()}
    arrays |= {f"optimizer/{name}": getattr(optimizer, name) for name in optimizer.memory}
    text = json.dumps(record, default=operator.methodcaller("tolist"))       # of NumPy's numbers and arrays
    write_arrays(path, arrays | {"best": best, "checkpoint": np.array(text)})


def read_checkpoint(path, model, optimizer, rng, history_class):
    """Put model, optimizer and rng into the state of the checkpoint. Returns (history, best)."""
    record, arrays = read_record(path)
    generator = rng.bit_generator.state["bit_generator"]
    try:
        stored = record["optimizer"]
        if stored["class"] != type(optimizer).__name__:
            raise ValueError(f"was trained with {stored['class']}, cannot go on with {type(optimizer).__name__}")
        if record["rng"]["bit_generator"] != generator:
            raise ValueError(f"its random generator is {record['rng']['bit_generator']}, cannot go on with {generator}")
        if not (isinstance(stored["t"], int) and stored["t"] >= 0):
            raise ValueError(f"expected a number of steps, got {stored['t']!r}")
        history = history_class(**record["history"])
        history.check()
        if history.epochs != record["epoch"]:
            raise ValueError(f"its history has {history.epochs} epochs, expected {record['epoch']}")
        probe = type(optimizer)(**stored["arguments"])   # the constructor refuses what cannot be
        copy.deepcopy(rng).bit_generator.state = record["rng"]
        settable = {(part, name): owner for part, owner in owners(model) for name in owner.adjustable}
        adjusted = [(settable[part, name], name, value) for part, name, value in record["adjusted"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: its record is no state to go on from: {error}") from error
    if record["dtype"] != str(model.dtype):
        raise ValueError(f"{path}: its parameters are {record['dtype']}, those of the model {model.dtype}")
    memory = {name: np.zeros_like(model.w) for name in optimizer.memory}
    best = np.zeros_like(model.w)
    targets = {f"model/{name}": window for name, window in model.named_parameters().items()}
    targets |= {f"optimizer/{name}": array for name, array in memory.items()} | {"best": best}
    fill(targets, arrays, path)
    for name, value in (vars(probe) | memory | {"t": stored["t"]}).items():
        setattr(optimizer, name, value)
    for owner, name, value in adjusted:
        setattr(owner, name, value)
    rng.bit_generator.state = record["rng"]
    return history, best


def owners(model):
    """(name, part) of the model itself and of its parts without parts."""
    return [("", model), *model.leaves().items()]


def load_model(path):
    """The trained model of a checkpoint, built anew, with its parameters. ValueError when it is not a whole checkpoint."""
    record, arrays = read_record(path)
    try:
        model = build(record["model"]).astype(record["dtype"])
    except (KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path}: describes no model that can be built ({error})") from error
    fill({f"model/{name}": window for name, window in model.named_parameters().items()},
         {name: array for name, array in arrays.items() if name.startswith("model/")}, path)
    return model


def read_record(path):
    """(the JSON record, the arrays) of a checkpoint."""
    arrays = read_arrays(path)
    text = arrays.pop("checkpoint", None)
    if text is None or text.dtype.kind != "U":
        raise ValueError(f"{path}: expected a checkpoint, got an .npz of {', '.join(sorted(arrays)[:3]) or 'nothing'}")
    try:
        record = json.loads(str(text))
        missing = {"format", "model", "dtype", "epoch", "history", "rng", "optimizer", "adjusted"} - record.keys()
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: its record is no JSON object ({error})") from error
    if missing or record["format"] != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}, got format {record.get('format')}"
                         + (f" without {', '.join(sorted(missing))}" if missing else ""))
    return record, arrays


def describe(part, names=None):
    """Return what to build as JSON-able values: class and constructor arguments; a use and a tied layer name their partner."""
    names = names or {id(leaf): name for name, leaf in part.leaves().items()}
    if part.owner is not part:
        return {"again": names.get(id(part.owner))}
    if isinstance(part, Sequential):
        return {"class": "Sequential", "layers": [describe(layer, names) for layer in part.layers]}
    values = {name: getattr(part, name) for name in part.arguments}
    return {"class": type(part).__name__, **{name: names.get(id(value)) if name in part.shares else described(value, names)
                                             for name, value in values.items()}}


def described(value, names):
    """Return an argument as JSON-able values; a part, a penalty or a row of them is described in turn."""
    if isinstance(value, Described):
        return describe(value, names)
    if isinstance(value, (list, tuple)):
        return [described(entry, names) for entry in value]
    return value


def build(description, built=None, name="", whole=None):
    """Return the model of a description, with fresh parameters. ValueError for classes that are not numpyae's own."""
    built, whole = {} if built is None else built, whole or description
    if name in built:                 # the partner of one that stood before it
        return built[name]
    inside = name + "." if name else ""
    if "again" in description:
        part = partner(description["again"], built, whole).again()
    elif description["class"] == "Sequential":
        part = Sequential(*[build(layer, built, f"{inside}{index}", whole) for index, layer in enumerate(description["layers"])])
    else:
        cls = classes().get(description["class"])
        if cls is None:
            raise ValueError(f"cannot build {description['class']!r}: no class of numpyae; build the model yourself and use "
                             "model.load")
        values = {key: value for key, value in description.items() if key != "class"}
        part = cls(**{key: partner(value, built, whole) if key in getattr(cls, "shares", ()) else
                      built_argument(value, built, inside + key, whole) for key, value in values.items()})
    built[name] = part
    return part


def classes():
    """Return {name: class} of numpyae's mathematics: the flat files, not the tools around them."""
    found, waiting = {}, [Described]
    while waiting:
        cls = waiting.pop()
        waiting += cls.__subclasses__()
        if cls.__module__.startswith("numpyae.") and cls.__module__.count(".") == 1:
            found[cls.__name__] = cls
    return found


def partner(name, built, whole):
    """Return the part of that dotted name, built now if it was not yet."""
    return build(described_at(whole, name), built, name, whole)


def built_argument(value, built, name, whole):
    """Return the argument that `described` made these JSON-able values of."""
    if isinstance(value, dict):
        return build(value, built, name, whole)
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [build(entry, built, f"{name}.{index}", whole) for index, entry in enumerate(value)]
    return value


def described_at(description, name):
    """The description of the part of that dotted name."""
    for key in name.split("."):
        description = description["layers"][int(key)] if description["class"] == "Sequential" else description[key]
    return description
