"""Train a model, leave a checkpoint and pictures.

Train a model and leave pictures and a checkpoint in a fresh folder.

  regression   x -> t: a curve through noisy points, or classes when the targets are integers
  ae           autoencoder: x -> code -> x, the code as small as --latent says; denoising, sparse, contractive
  vae          variational autoencoder: learns a distribution of x, so it can draw new ones
"""

import os

from numpyae.cli import layout
from numpyae.corruption import Corruption
from numpyae.lab import settings
from numpyae.layers import Layer
from numpyae.penalties import Penalty
from numpyae.training import Diverged

FOLDERS = {
    "--out": "where results go; must be new or empty (runs/TASK-DATA-TIME)",
    "--resume": "go on from the last whole epoch of that run, in a fresh folder; only --epochs and --out may be given "
                "with it (with other epochs the rate falls anew, to a tenth at the new end)"}


def add_options(parser):
    """Add a parser for each task, with an option for each setting. An option that is left out keeps its default."""
    tasks = parser.add_subparsers(dest="task", metavar="{regression,ae,vae}", required=True)
    forms = {"penalties": settings.forms(Penalty), "corruptions": settings.forms(Corruption),
             "codes": ", ".join(settings.codes()), "activations": ", ".join(settings.known(Layer))}
    for task, words in settings.TASKS.items():
        part = tasks.add_parser(task, help=words, description=f"Train {words}.", formatter_class=layout)
        for option in settings.OPTIONS:
            if task in option.tasks:
                option.add_to(part, task, forms)
        for name, text in FOLDERS.items():
            part.add_argument(name, metavar="FOLDER", help=text)


def run(arguments):
    """Announce, train, judge on held-out data, draw."""
    from numpyae.lab.runs import Run

    chosen, checkpoint = chosen_settings(arguments)
    run = Run(chosen, checkpoint)
    folder = settings.fresh_folder(chosen, arguments.out)
    print(run.announce(folder), flush=True)
    kept = os.path.join(folder, "checkpoint.npz")
    try:
        history = run.train(folder)
    except Diverged as error:
        if os.path.exists(kept):
            raise Diverged(f"{error} They are in {kept}.") from None
        os.remove(os.path.join(folder, "run.json"))
        if not os.listdir(folder):
            os.rmdir(folder)
        raise Diverged(f"{error} There was no whole epoch to keep.") from None
    interrupted = history.stopped == "interrupted"
    if interrupted:
        print(f"interrupted in epoch {history.epochs + 1}: number and pictures are of that moment, "
              "the checkpoint is of the last whole epoch")
    print(run.result(history))
    for path in run.write_pictures(folder, history):
        print(f"wrote {path}")
    if os.path.exists(kept):
        print(f"wrote {kept}")
    return 130 if interrupted else 0


def chosen_settings(arguments):
    """Return (settings, checkpoint or None): the defaults, or those of a run to go on with, and the options given."""
    task, options = arguments.task, vars(arguments)
    given = {name: options[name] for name in settings.DEFAULTS[task] if options.get(name) is not None}
    if arguments.resume is None:
        return {"task": task, **settings.DEFAULTS[task], **given}, None
    chosen, checkpoint = settings.resumed_settings(arguments.resume)
    if chosen["task"] != task or given.keys() - {"epochs"}:
        raise ValueError(f"--resume {arguments.resume} goes on with what that run was: train {chosen['task']}, with no "
                         "other options than --epochs and --out")
    return chosen | given, checkpoint
