"""Run a published setting, or list them.

Without a name: list the published settings, with their values and our best so far. With one: run it, and say on the
way what is expected at this epoch, from our own recorded run. Stopped at any moment (Ctrl-C, kill), it can go on.
"""

from numpyae.lab.settings import at_least


OPTIONS = {
    "name": dict(nargs="?", metavar="NAME", help="of the setting"),
    "--epochs": dict(type=at_least(1), help="others than the setting's; its schedule is stretched over them"),
    "--out": dict(metavar="FOLDER", help="where results go; must be new or empty (runs/reproduce-NAME)"),
    "--resume": dict(metavar="FOLDER", help="go on with the run in that folder, from its last whole epoch")}


def add_options(parser):
    """Add the names of the settings to the description."""
    from numpyae.lab.published import SETTINGS

    parser.description += "".join(f"\n  {name:22} {setting.source}" for name, setting in SETTINGS.items())


def run(arguments):
    """List the published settings, or run one."""
    from numpyae.lab import reproduce

    if arguments.name is not None:
        return reproduce.rerun(arguments.name, arguments.out, arguments.resume, arguments.epochs)
    if arguments.out or arguments.resume or arguments.epochs:
        raise ValueError("--epochs, --out and --resume need the name of a setting")
    print(reproduce.listing())
