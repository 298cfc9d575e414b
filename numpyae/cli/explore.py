"""A window on the code of a trained model.

Move the mouse over the code plane of a trained autoencoder or VAE, and see what the decoder makes of each place.
The points are the codes of held-out data. What lies between two of them, and what where there are none?
A code of more than 2 numbers has sliders for the others; a slider that changes nothing is a number that the
decoder has learnt to ignore.

  python -m numpyae explore runs/FOLDER
  python -m numpyae explore runs/FOLDER --axes 3,7 --save plane.png
"""

from numpyae.lab.settings import SIZES


OPTIONS = {
    "checkpoint": dict(metavar="CHECKPOINT", help="the folder of a run, or a checkpoint that fit has written"),
    "--data": dict(metavar="NAME",
                   help="whose codes to draw, as in train (those of the run; without any, circles for the prior)"),
    "--shape": dict(type=SIZES, metavar="ROWS,COLUMNS", help="of the images, where the data do not say so"),
    "--axes": dict(type=SIZES, metavar="I,J",
                   help="the two numbers of the code, from 1, that span the plane (the two that change x most)"),
    "--save": dict(metavar="PICTURE", help="write the picture of the window into a new file, and open none")}


def run(arguments):
    """Open the window, or save its picture."""
    from numpyae.lab.explore import open_window

    for line in open_window(arguments.checkpoint, arguments.data, arguments.shape, arguments.axes, arguments.save):
        print(line, flush=True)
