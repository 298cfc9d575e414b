"""Checkpoints: the whole state of a training run, so that a killed run can be resumed and ends with the same bits.

A checkpoint is one .npz without pickle. It holds the parameters under their names, the optimizer's arrays, the best
parameters so far, and one JSON string: the format version, a description of the model, the epoch, the history, the
state of the random generator, the optimizer's numbers, and the settings that callbacks may have changed. The file is
written under another name and then renamed, so a kill at any moment leaves the previous checkpoint whole.

A file is checked before it is used. A ValueError says what is wrong with it, and the model is then unchanged.
"""

import copy
import json
import operator
import os

import numpy as np

from numpyae.arrays import fill, read_arrays, write_arrays
from numpyae.checks import must
from numpyae.described import Described, with_subclasses
from numpyae.layers import Sequential

FORMAT = 1


def write_checkpoint(path, model, optimizer, rng, history, best):
    """Write the state after a whole epoch, atomically. `best` (P,): the parameters with the lowest validation loss."""
    record = {"format": FORMAT, "model": describe(model), "dtype": str(model.dtype), "epoch": history.epochs,
              "history": history.as_dict(), "rng": rng.bit_generator.state,
              "adjusted": [[part, name, getattr(owner, name)] for part, owner in owners(model)
                           for name in owner.adjustable],
              "optimizer": {"class": type(optimizer).__name__, "t": optimizer.t,
                            "arguments": {name: getattr(optimizer, name) for name in optimizer.arguments}}}
    arrays = ({f"model/{name}": array for name, array in model.named_parameters().items()}
              | {f"optimizer/{name}": getattr(optimizer, name) for name in optimizer.memory})
    text = json.dumps(record, default=operator.methodcaller("tolist"))       # for NumPy numbers and arrays
    write_arrays(path, arrays | {"best": best, "checkpoint": np.array(text)})


def read_checkpoint(path, model, optimizer, rng, history_class):
    """Put model, optimizer and rng into the state of the checkpoint; return (history, best).

    Raise ValueError, and change nothing, unless the checkpoint is whole and fits model, optimizer and rng.
    """
    record, arrays = read_record(path)
    generator = rng.bit_generator.state["bit_generator"]
    try:
        stored = record["optimizer"]
        must(stored["class"] == type(optimizer).__name__,
             f"was trained with {stored['class']}, cannot go on with {type(optimizer).__name__}")
        if record["rng"]["bit_generator"] != generator:
            raise ValueError(f"its random generator is {record['rng']['bit_generator']}, cannot go on with {generator}")
        if not (isinstance(stored["t"], int) and stored["t"] >= 0):
            raise ValueError(f"expected a number of steps, got {stored['t']!r}")
        history = history_class(**record["history"])
        history.check()
        must(history.epochs == record["epoch"], f"its history has {history.epochs} epochs, expected {record['epoch']}")
        probe = type(optimizer)(**stored["arguments"])   # the constructor refuses impossible values
        copy.deepcopy(rng).bit_generator.state = record["rng"]
        settable = {(part, name): owner for part, owner in owners(model) for name in owner.adjustable}
        must({(part, name) for part, name, _ in record["adjusted"]} <= settable.keys(),
             "was trained with another architecture")
        adjusted = [(settable[part, name], name, value) for part, name, value in record["adjusted"]]
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path}: cannot resume from its record: {error}") from error
    if record["dtype"] != str(model.dtype):
        raise ValueError(f"{path}: its parameters are {record['dtype']}, those of the model {model.dtype}")
    memory = {name: np.zeros_like(model.w) for name in optimizer.memory}
    best = np.zeros_like(model.w)
    fill({f"model/{name}": window for name, window in model.named_parameters().items()}
         | {f"optimizer/{name}": array for name, array in memory.items()} | {"best": best}, arrays, path)
    for name, value in (vars(probe) | memory | {"t": stored["t"]}).items():
        setattr(optimizer, name, value)
    for owner, name, value in adjusted:
        setattr(owner, name, value)
    rng.bit_generator.state = record["rng"]
    return history, best


def owners(model):
    """Return [(name, part), ...]: the model itself under the name "", then its leaves."""
    return [("", model), *model.leaves().items()]


def load_model(path):
    """Return the model of a checkpoint, or of the run in a folder, built anew, with the parameters it had.

    Raise ValueError unless the file is a whole checkpoint of a model made of numpyae's classes.
    """
    path = os.path.join(path, "checkpoint.npz") if os.path.isdir(path) else path
    record, arrays = read_record(path)
    try:
        model = build(record["model"]).astype(record["dtype"])
    except (KeyError, TypeError, AttributeError, RecursionError, MemoryError) as error:
        raise ValueError(f"{path}: the model that it describes cannot be built ({error})") from error
    fill({f"model/{name}": window for name, window in model.named_parameters().items()},
         {name: array for name, array in arrays.items() if name.startswith("model/")}, path)
    return model


def read_record(path):
    """Return (the JSON record as a dict, the arrays as a dict) of a checkpoint; raise ValueError for any other file."""
    arrays = read_arrays(path)
    text = arrays.pop("checkpoint", None)
    if text is None or text.dtype.kind != "U":
        raise ValueError(f"{path}: expected a checkpoint, got an .npz of {', '.join(sorted(arrays)[:3]) or 'nothing'}")
    try:
        record = json.loads(str(text))
        missing = {"format", "model", "dtype", "epoch", "history", "rng", "optimizer", "adjusted"} - record.keys()
    except (ValueError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path}: its record must be a JSON object ({error})") from error
    if missing or record["format"] != FORMAT:
        raise ValueError(f"{path}: expected a checkpoint of format {FORMAT}, got format {record.get('format')}"
                         + (f" without {', '.join(sorted(missing))}" if missing else ""))
    return record, arrays


def describe(part, names=None):
    """Return a part as a dict for JSON: its class and constructor arguments, or the name of the part it is a use of.

    An argument that is a list of parts becomes a list of such dicts; any other value stays as it is. `names` gives the
    dotted name of each leaf by its id: a layer that shares parameters names its partner.
    """
    if isinstance(part, (list, tuple)):
        return [describe(entry, names) for entry in part]
    if not isinstance(part, Described):
        return part
    names = names or {id(leaf): name for name, leaf in part.leaves().items()}
    if part.owner is not part:
        return {"again": names.get(id(part.owner))}
    if isinstance(part, Sequential):
        return {"class": "Sequential", "layers": [describe(layer, names) for layer in part.layers]}
    values = [(name, getattr(part, name)) for name in part.arguments]
    return {"class": type(part).__name__} | {
        name: names.get(id(value)) if name in part.shares else describe(value, names) for name, value in values}


def build(description, built=None, name="", whole=None):
    """Return the part that `describe` has described, with fresh parameters; the inverse of `describe`.

    `built` holds the parts that exist already, by dotted name; `name` is the part's own, and `whole` the description of
    the whole model. Raise ValueError for a class that is not numpyae's own.
    """
    built, whole = {} if built is None else built, whole or description
    inside = name + "." if name else ""
    if isinstance(description, list):
        return [build(entry, built, f"{inside}{index}", whole) for index, entry in enumerate(description)]
    if not isinstance(description, dict):
        return description
    if name in built:                 # built already, as the partner of an earlier part
        return built[name]
    if "again" in description:
        part = partner(description["again"], built, whole).again()
    elif description["class"] == "Sequential":
        part = Sequential(*[build(layer, built, f"{inside}{index}", whole)
                            for index, layer in enumerate(description["layers"])])
    else:
        cls = next((cls for cls in with_subclasses(Described) if cls.__name__ == description["class"]
                    and cls.__module__.startswith("numpyae.") and cls.__module__.count(".") == 1), None)
        if cls is None:               # in the flat files of numpyae, its mathematics without the tools
            raise ValueError(f"cannot build {description['class']!r}: no class of numpyae; build the model yourself "
                             "and use model.load")
        part = cls(**{key: partner(value, built, whole) if key in cls.shares
                      else build(value, built, inside + key, whole)
                      for key, value in description.items() if key != "class"})
    built[name] = part
    return part


def partner(name, built, whole):
    """Return the part with this dotted name; build it now unless that was done before."""
    description = whole
    for key in name.split("."):
        description = description["layers"][int(key)] if description["class"] == "Sequential" else description[key]
    return build(description, built, name, whole)
