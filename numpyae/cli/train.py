"""Train a model, leave a checkpoint and pictures.

Train a model and leave pictures and a checkpoint in a fresh folder.

  regression   x -> t: a curve through noisy points, or classes when the targets are integers
  ae           autoencoder: x -> code -> x, the code as small as --latent says; denoising, sparse, contractive
  vae          variational autoencoder: learns a distribution of x, so it can draw new ones
"""

import os

from numpyae.cli import layout
from numpyae.lab import settings
from numpyae.training import Diverged

OUT = "where results go; must be new or empty (runs/TASK-DATA-TIME)"
RESUME = ("go on from the last whole epoch of that run, in a fresh folder; only --epochs and --out may be given with "
          "it (with other epochs the rate falls anew, to a tenth at the new end)")


def add_options(parser):
    """Add a parser for each task, with an option for each setting. An option that is left out keeps its default."""
    tasks = parser.add_subparsers(dest="task", metavar="{regression,ae,vae}", required=True)
    for task, words in settings.TASKS.items():
        part = tasks.add_parser(task, help=words, description=f"Train {words}.", formatter_class=layout)
        for option in settings.OPTIONS:
            if task in option.tasks:
                option.add_to(part, task)
        part.add_argument("--out", metavar="FOLDER", help=OUT)
        part.add_argument("--resume", metavar="FOLDER", help=RESUME)


def run(arguments):
    """Announce, train, judge on held-out data, draw."""
    from numpyae.lab.runs import Run

    chosen, checkpoint = chosen_settings(arguments)
    run = Run(chosen)
    if checkpoint is not None:
        run.check_resume(checkpoint)
    folder = settings.fresh_folder(chosen, arguments.out)
    print(run.announce(folder) + (f"\nresumed     from {checkpoint}" if checkpoint else ""), flush=True)
    kept = os.path.join(folder, "checkpoint.npz")
    try:
        history = run.train(folder, checkpoint)
    except Diverged as error:
        if os.path.exists(kept):
            where = f"They are in {kept}."
        else:
            where = "There was no whole epoch to keep."
            settings.withdraw(folder)
        raise Diverged(f"{error} {where}") from None
    if history.stopped == "interrupted":
        print(f"interrupted in epoch {history.epochs + 1}: number and pictures are of that moment, "
              "the checkpoint is of the last whole epoch")
    print(run.result())
    for path in run.write_pictures(folder, history):
        print(f"wrote {path}")
    if os.path.exists(kept):
        print(f"wrote {kept}")
    return 130 if history.stopped == "interrupted" else 0


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
