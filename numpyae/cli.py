"""The command line: `python -m numpyae train vae`, `explore`, `gradcheck`, `trace`, `lecture`, `handout`, `exercise`,
`grade`, `bughunt`, `reproduce`, `data`; each with --help.

Exit status 0 only on success. An error is one line on standard error: what was expected, what came.
"""

import argparse
import os
import sys

import numpy as np

EXPECTED = (ValueError, TypeError, OSError, ArithmeticError, MemoryError)     # whose message is the one line to print


def main(argv=None):
    """Run one command; returns the exit status."""
    parser = make_parser()
    arguments = parser.parse_args(argv)
    if arguments.command is None:
        parser.print_help()
        return 2
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        return 1
    except EXPECTED as error:
        print(f"numpyae {arguments.command}: {' '.join(str(error).split())}", file=sys.stderr)
        return 1


def make_parser():
    """All commands and their options."""
    parser = argparse.ArgumentParser(prog="python -m numpyae", description="Networks with every gradient written by hand, in NumPy.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    train = commands.add_parser("train", help="train a model, leave a checkpoint and pictures", formatter_class=raw, description=(
        "Train a model and leave pictures and a checkpoint in a fresh folder.\n\n"
        "  regression   x -> t: a curve through noisy points, or classes when the targets are integers\n"
        "  ae           autoencoder: x -> code -> x, the code as small as --latent says; denoising, sparse, contractive\n"
        "  vae          variational autoencoder: learns a distribution of x, so it can draw new ones"))
    tasks = train.add_subparsers(dest="task", metavar="{regression,ae,vae}", required=True)
    for task, words in (("regression", "a network from x to t"), ("ae", "an autoencoder"), ("vae", "a variational autoencoder")):
        add_train_options(tasks.add_parser(task, help=words, description=f"Train {words}.", formatter_class=raw), task)
    explore = commands.add_parser("explore", help="a window on the code of a trained model", formatter_class=raw, description=(
        "Move the mouse over the code plane of a trained autoencoder or VAE, and see what the decoder makes of each place.\n"
        "The points are the codes of held-out data. What lies between two of them, and what where there are none?\n"
        "A code of more than 2 numbers has sliders for the others; a slider that changes nothing is a number that the\n"
        "decoder has learnt to ignore.\n\n"
        "  python -m numpyae explore runs/FOLDER\n"
        "  python -m numpyae explore runs/FOLDER --axes 3,7 --save plane.png"))
    explore.add_argument("checkpoint", metavar="CHECKPOINT", help="the folder of a run, or a checkpoint that fit has written")
    explore.add_argument("--data", metavar="NAME", help="whose codes to draw, as in train (those of the run; without any, circles for the prior)")
    explore.add_argument("--shape", type=sizes, metavar="ROWS,COLUMNS", help="of the images, where the data do not say so")
    explore.add_argument("--axes", type=sizes, metavar="I,J", help="the two numbers of the code, from 1, that span the plane (the two that "
                                                                   "change x most)")
    explore.add_argument("--save", metavar="PICTURE", help="write the picture of the window into a new file, and open none")
    explore.set_defaults(run=run_explore)
    check = commands.add_parser("gradcheck", help="check every gradient of the library", formatter_class=raw, description=(
        "Compare every hand-written gradient of every layer, loss and model with finite differences.\n"
        "Exit status 1 when one disagrees.\n\n"
        "With --mutants the check itself is checked: hundreds of mistakes are put into right backward code, one at a\n"
        "time, and the table shows which were found, and whether the cause was named. Exit status 1 when one was not\n"
        "found. It takes some minutes."))
    check.add_argument("--seed", type=at_least(0), default=0, help="of the random points (0)")
    check.add_argument("--mutants", action="store_true", help="put mistakes into right code; are they found, and named?")
    check.set_defaults(run=run_gradcheck)
    trace = commands.add_parser("trace", help="every step of forward and backward, in numbers", formatter_class=raw, description=(
        "Print the tableau of a network small enough to be followed by hand: every step of one forward and one backward\n"
        "pass, its formula, its value and its gradient.\n\n"
        "  2-2-2   two inputs, two logistic hidden units, two outputs: the worked example of M. Mazur (2015)\n"
        "  vae     a variational autoencoder with one code number for two pixels, with ε, σ and KL"))
    trace.add_argument("--model", choices=["2-2-2", "vae"], default="2-2-2", help="whose steps (2-2-2)")
    trace.add_argument("--seed", type=at_least(0), default=0, help="of the ε that the vae draws (0)")
    trace.add_argument("--html", metavar="PAGE", help="write it as a page for the browser, into a new file: the network drawn, a "
                                                      "click goes on by a step, and every formula also with its numbers")
    trace.set_defaults(run=run_trace)
    add_teaching(commands)
    reproduce = commands.add_parser("reproduce", help="run a published setting, or list them", formatter_class=raw, description=(
        "Without a name: list the published settings, with their values and our best so far. With one: run it, and say on the\n"
        "way what is expected at this epoch, from our own recorded run. Stopped at any moment (Ctrl-C, kill), it can go on.\n\n"
        "  burda-table-1            the VAE of Burda et al. 2016, Table 1 (K = 1)\n"
        "  burda-table-1-iwae-5     the column IWAE of the same table, K = 5; -iwae-50: K = 50\n"
        "  hinton-mnist, hinton-curves, sutskever-curves, makhzani-25, cs294a, hwalsuklee"))
    reproduce.add_argument("name", nargs="?", metavar="NAME", help="of the setting")
    reproduce.add_argument("--epochs", type=at_least(1), help="others than the setting's; its schedule is stretched over them")
    reproduce.add_argument("--out", metavar="FOLDER", help="where results go; must be new or empty (runs/reproduce-NAME)")
    reproduce.add_argument("--resume", metavar="FOLDER", help="go on with the run in that folder, from its last whole epoch")
    reproduce.set_defaults(run=run_reproduce)
    data = commands.add_parser("data", help="fetch, verify and show a data set", formatter_class=raw, description=(
        "Fetch a data set where it is not there yet, verify its checksums, and show what is in it."))
    data.add_argument("name", metavar="NAME", help="digits, mnist, two_moons, curves … (a wrong name lists all), or a file "
                                                   "(.npz, .csv, .mat, IDX)")
    data.set_defaults(run=run_data)
    return parser


def add_teaching(commands):
    """The commands of the course: lectures, hand-outs, exercises and their grades, bug hunts."""
    lecture = commands.add_parser("lecture", help="list the lectures, or run some", formatter_class=raw, description=(
        "Without a number: list the lectures. With one: run it; its figures go to lectures/figures/."))
    lecture.add_argument("number", nargs="?", help="of the lecture, or: all")
    lecture.add_argument("--full", action="store_true", help="real data and longer training; each lecture says how long it takes")
    lecture.set_defaults(run=run_lecture)
    handout = commands.add_parser("handout", help="write a lecture as a page for the browser", formatter_class=raw, description=(
        "Run a lecture and write it as one HTML page: prose, code, what the code prints, figures. It opens without a network,\n"
        "on a phone too, and prints. With `all`: every lecture, and index.html, which leads to them. That takes some minutes.\n"
        "A page that this command has made is replaced; any other file stays, with an error."))
    handout.add_argument("number", help="of the lecture, or: all")
    handout.add_argument("--to", metavar="FOLDER", default="handouts", help="where pages go (handouts)")
    handout.add_argument("--full", action="store_true", help="real data and longer training; each lecture says how long it takes")
    handout.set_defaults(run=run_handout)
    exercise = commands.add_parser("exercise", help="write exercises out, or list them", formatter_class=raw, description=(
        "Without a number: list the exercises. With one: write files to work on, one for each exercise. In each a function of\n"
        "the library is missing, and its docstring says what to do. Files that are there already stay as they are.\n\n"
        "  python -m numpyae exercise 4                all of lecture 4, into the folder exercises/\n"
        "  python -m numpyae exercise 4b --to mine     one of them\n"
        "  python -m numpyae grade exercises           what is right, and what is wrong with the rest"))
    exercise.add_argument("number", nargs="?", help="4b, or 4 for all of lecture 4, or: all")
    exercise.add_argument("--to", metavar="FOLDER", default="exercises", help="where the files go (exercises)")
    exercise.add_argument("--solution", action="store_true", help="print the files with the library's own code in them, and write none")
    exercise.set_defaults(run=run_exercise)
    grade = commands.add_parser("grade", help="grade exercises and bug hunts", formatter_class=raw, description=(
        "Grade a file, a folder of files, or a folder of submissions, one folder in it for each student. Each task is passed,\n"
        "not yet done, or wrong, and then a sentence says what is wrong with it. Exit status 0 when all that is there is passed.\n\n"
        "  python -m numpyae grade exercises/04b_dense_layer_backward.py\n"
        "  python -m numpyae grade exercises\n"
        "  python -m numpyae grade submissions --json > scores.json\n"
        "  python -m pytest -p numpyae.course.graded exercises -k 4b      the same, as tests\n\n"
        "Every task runs in a process of its own, on a copy of its folder, with limits of time and memory; an endless loop, exit() or\n"
        "a crash of one does not stop the rest. That bounds mistakes and simple mischief, and is no sandbox: what is graded runs with\n"
        "your rights, and can read and delete what you can. Grade strangers' code in a container, or as another user."))
    grade.add_argument("path", metavar="FILE_OR_FOLDER", help="what to grade")
    grade.add_argument("--seed", type=at_least(0), default=0, help="draws the points at which is judged: the same seed, the same points (0)")
    grade.add_argument("--seconds", type=at_least(1), default=10, help="that a task may take (10)")
    grade.add_argument("--json", action="store_true", help="all that is known, for programs, and nothing else on standard output")
    grade.set_defaults(run=run_grade)
    hunt = commands.add_parser("bughunt", help="a program with one wrong line: find it", formatter_class=raw, description=(
        "Write a small network as one file that needs numpy alone, with one wrong line in it. Find it and repair it; then\n"
        "`grade` tells. Without options: how many hunts there are of each level. The same level and seed are always the same\n"
        "hunt, and consecutive seeds are different ones. Three hints, from general to precise, one at a time.\n\n"
        "  python -m numpyae bughunt --level 1 --seed 7\n"
        "  python -m numpyae bughunt --level 1 --seed 7 --hint 1\n"
        "  python -m numpyae grade bughunt_1_7.py\n\n"
        "The levels: 1 loud, 2 scale and bias, 3 forgotten or in the wrong place, 4 shared paths and state, 5 no gradient\n"
        "check sees it."))
    hunt.add_argument("--level", type=at_least(1), metavar="1..5", help="how well it hides")
    hunt.add_argument("--seed", type=at_least(0), help="which of them")
    hunt.add_argument("--to", metavar="FOLDER", help="where the file goes (here); an existing file is never overwritten")
    hunt.add_argument("--hint", type=at_least(1), metavar="K", help="print hint K of this hunt, and write nothing")
    hunt.set_defaults(run=run_bughunt, help_of=hunt)


def raw(prog):
    """Help texts keep their lines."""
    return argparse.RawDescriptionHelpFormatter(prog, max_help_position=26, width=110)


def add_train_options(parser, task):
    """The options of `train TASK`; those left out keep the defaults of runs.DEFAULTS."""
    from numpyae.runs import DEFAULTS, LIKELIHOODS

    default = DEFAULTS[task]
    choices = [name for name in LIKELIHOODS if not (task == "vae" and name in ("squared-error", "classes"))
               and not (task == "ae" and name == "classes")]
    hidden = ",".join(map(str, default["hidden"]))
    parser.add_argument("--data", help="digits, mnist, two_moons, curves … (a wrong name lists all), or a file: "
                        f".npz or .mat with x and, for targets, y; .csv, .npy, IDX with x only ({default['data']})")
    parser.add_argument("--epochs", type=at_least(0), help=f"passes over the data ({default['epochs']})")
    parser.add_argument("--batch-size", type=at_least(1), help=f"samples per step ({default['batch_size']})")
    if task != "regression":
        parser.add_argument("--latent", type=at_least(1), help=f"size of the code ({default['latent']}); 2 can be drawn")
    parser.add_argument("--hidden", type=sizes, metavar="H1,H2,...",
                        help=f"hidden layers, tanh{'' if task == 'regression' else '; the decoder mirrors them'} ({hidden})")
    parser.add_argument("--lr", type=rate, help=f"learning rate of Adam ({default['lr']})")
    special = {"regression": "squared-error on integers regresses them", "ae": "bernoulli and others: data in [0, 1]",
               "vae": "bernoulli draws 0/1 pixels anew each epoch"}[task]
    parser.add_argument("--likelihood", choices=choices, help="what the output means "
                        f"({default['likelihood'] or 'classes for integer targets, else squared-error'}); "
                        f"gaussian learns one σ; {special}")
    if task == "ae":
        add_variant_options(parser)
    if task != "regression":
        parser.add_argument("--corruption", metavar="NAME:NUMBER", help="denoising: the net sees a damaged x, its target stays the clean "
                            "one: gaussian:SIGMA, masking:P or masking:P:VALUE, salt-and-pepper:P (none)")
    if task == "vae":
        parser.add_argument("--dropout", type=share, metavar="P", help="while training, drop each hidden unit of encoder and decoder "
                                                                       "with this probability, in [0, 1) (0)")
        parser.add_argument("--plots", type=names, metavar="NAMES", help="draw these after every epoch into the folder epochs/, of more "
                            "than 20 epochs about 20: reconstruction (originals beside what the model makes of them), manifold (the decoder "
                            "over a grid of codes from -2 to 2, --latent 2), map (codes, coloured by class); animation makes a film of the "
                            "training, learning.gif (--latent 2). Commas between, as in reconstruction,manifold,map (none)")
    parser.add_argument("--seed", type=at_least(0), help=f"same seed, same run ({default['seed']})")
    parser.add_argument("--dtype", choices=["float32", "float64"], help=f"of parameters and data ({default['dtype']})")
    parser.add_argument("--out", metavar="FOLDER", help="where results go; must be new or empty (runs/TASK-DATA-TIME)")
    parser.add_argument("--resume", metavar="FOLDER", help="go on from the last whole epoch of that run, in a fresh folder; "
                                                           "only --epochs and --out may be given with it (with other epochs the rate "
                                                           "falls anew, to a tenth at the new end)")
    parser.set_defaults(run=run_train)


def add_variant_options(parser):
    """The options that make another member of the family of an autoencoder."""
    parser.add_argument("--code", help="the last layer of the encoder: linear, sigmoid, tanh, relu, or top-K, such as top-25, which keeps "
                                       "the K strongest units of each sample (linear)")
    parser.add_argument("--tied", action="store_true", default=None, help="the decoder uses the encoder's weights, transposed")
    parser.add_argument("--penalty", action="append", metavar="NAME:NUMBERS", help="a term of the loss, may be given several times: "
                        "kl:RHO:WEIGHT, l1:RHO:WEIGHT, l2:RHO:WEIGHT (sparsity of the code; kl needs --code sigmoid), "
                        "contraction:WEIGHT, decay:WEIGHT (none)")


def at_least(least):
    """An argparse type: a whole number of at least `least`."""
    def whole_number(text):
        if not text.lstrip("-").isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"expected a whole number of at least {least}, got {text!r}")
        return int(text)
    return whole_number


def sizes(text):
    """An argparse type: 500,500 -> [500, 500]."""
    return [at_least(1)(part) for part in text.split(",")]


def names(text):
    """An argparse type: map,manifold -> ["map", "manifold"]."""
    return text.split(",")


def share(text):
    """An argparse type: a number in [0, 1)."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 <= value < 1:
        raise argparse.ArgumentTypeError(f"expected a number in [0, 1), got {text!r}")
    return value


def rate(text):
    """An argparse type: a positive number."""
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not 0 < value < np.inf:
        raise argparse.ArgumentTypeError(f"expected a positive number, got {text!r}")
    return value


def run_train(arguments):
    """Announce, train, judge on held-out data, draw."""
    from numpyae import runs
    from numpyae.training import Diverged

    given = {name: value for name in runs.DEFAULTS["vae"] if (value := getattr(arguments, name, None)) is not None}
    checkpoint = None
    settings = {"task": arguments.task, **runs.DEFAULTS[arguments.task], **given}
    if arguments.resume is not None:
        settings, checkpoint = runs.resumed_settings(arguments.resume)
        if settings["task"] != arguments.task or given.keys() - {"epochs"}:
            raise ValueError(f"--resume {arguments.resume} goes on with what that run was: train {settings['task']}, with no other "
                             "options than --epochs and --out")
        settings.update(given)
    run = runs.Run(settings)
    if checkpoint is not None:
        run.check_resume(checkpoint)
    folder = runs.fresh_folder(settings, arguments.out)
    print(run.announce(folder) + (f"\nresumed     from {checkpoint}" if checkpoint else ""), flush=True)
    kept = os.path.join(folder, "checkpoint.npz")
    try:
        history = run.train(folder, checkpoint)
    except Diverged as error:
        if os.path.exists(kept):
            where = f"They are in {kept}."
        else:
            where = "There was no whole epoch to keep."
            runs.withdraw(folder)
        raise Diverged(f"{error} {where}") from None
    if history.stopped == "interrupted":
        print(f"interrupted in epoch {history.epochs + 1}: number and pictures are of that moment, "
              "the checkpoint is of the last whole epoch")
    print(run.result())
    for path in run.draw(folder, history):
        print(f"wrote {path}")
    if os.path.exists(kept):
        print(f"wrote {kept}")
    return 130 if history.stopped == "interrupted" else 0


def run_explore(arguments):
    """Open the window, or save its picture."""
    from numpyae.explore import open_window

    for line in open_window(arguments.checkpoint, arguments.data, arguments.shape, arguments.axes, arguments.save):
        print(line, flush=True)
    return 0


def run_gradcheck(arguments):
    """A table of everything checked; 1 when anything disagrees. With --mutants, the score of the check."""
    from numpyae import gradcheck

    if arguments.mutants:
        from numpyae.gradcheck import score

        text, status = score.of_all(count_aloud("mutants"))
        print(text)
        return status
    from numpyae.gradcheck.cases import cases

    reports = []
    print(f"{'checked':52} {'arrays':>6} {'elements':>8} {'median relative error':>22}  verdict")
    for name, target, batch in cases(np.random.default_rng(arguments.seed)):
        report = gradcheck.check(target, *batch)
        reports.append(report)
        name = name if len(name) <= 52 else name[:49] + "..."
        whole = [row for row in report.rows if row["term"] is None]
        print(f"{name:52} {len(whole):6} {sum(row['elements'] for row in whole):8} {report.median_error:22.1e}  "
              f"{report.verdict if report.ok else report.verdict.upper()}")
    wrong = [report for report in reports if not report.ok]
    for report in wrong:
        print(f"\n{report}")
    print(f"{len(reports) - len(wrong)} of {len(reports)} agree")
    return 1 if wrong else 0


def count_aloud(what):
    """progress(done, of) that keeps a live line, such as 3 of 800 mutants, on a terminal; None where there is none."""
    def progress(done, of):
        print(f"\r{done} of {of} {what}", end="\n" if done == of else "", file=sys.stderr, flush=True)
    return progress if sys.stderr.isatty() else None


def run_trace(arguments):
    """The tableau of one of the two small examples."""
    from numpyae.course import examples
    from numpyae.tableau import trace

    model, *batch = examples.tiny_vae() if arguments.model == "vae" else examples.two_two_two()
    tableau = trace(model, *batch, rng=arguments.seed)
    if arguments.html is None:
        print(tableau)
        return 0
    if os.path.exists(arguments.html):
        raise ValueError(f"--html {arguments.html}: expected the name of a new file, got one that is there")
    with open(arguments.html, "x", encoding="utf-8") as file:
        file.write(tableau.to_html())
    print(f"wrote {arguments.html}")
    return 0


def run_lecture(arguments):
    """List the lectures, or run one, or all until one fails."""
    from numpyae import course

    lectures = course.find()
    if arguments.number is None:
        if arguments.full:
            raise ValueError("--full needs the number of a lecture, or: all")
        for path, title in lectures.values():
            print(f"{title}\n    {os.path.relpath(path)}")
        return 0
    return course.run(course.chosen(arguments.number, lectures), arguments.full)


def run_handout(arguments):
    """Write one page, or all and an index."""
    from numpyae.course import handout

    return handout.write(arguments.number, arguments.to, arguments.full)


def run_reproduce(arguments):
    """List the published settings, or run one."""
    from numpyae import reproduce

    if arguments.name is not None:
        return reproduce.run(arguments.name, arguments.out, arguments.resume, arguments.epochs)
    if arguments.out or arguments.resume or arguments.epochs:
        raise ValueError("--epochs, --out and --resume need the name of a setting")
    print(reproduce.listing())
    return 0


def run_exercise(arguments):
    """List the exercises, write some out, or print their solutions."""
    from numpyae.course import exercises

    if arguments.number is None:
        print(exercises.listing())
        return 0
    if arguments.solution:
        print("\n\n".join(exercises.solution(exercise.number) for exercise in exercises.find(arguments.number)), end="")
        return 0
    written, kept = exercises.write(arguments.number, arguments.to)
    for path in kept:
        print(f"{path} is there already, and stays as it is")
    for path in written:
        print(f"wrote {path}")
    return 0 if written else 1


def run_grade(arguments):
    """Grade, print the table or JSON; 0 when all is passed."""
    import json

    from numpyae.course import grading

    if grading.unlimited():
        print(grading.unlimited(), file=sys.stderr)
    if folders := grading.overlooked(arguments.path):
        print(f"{arguments.path}: graded as one submission, since it has tasks itself; those in {len(folders)} of its folders are left out",
              file=sys.stderr)
    outcomes = grading.grade(arguments.path, arguments.seed, arguments.seconds, count_aloud("tasks"))
    print(json.dumps(grading.as_dict(outcomes, arguments.seed), indent=1) if arguments.json else grading.report(outcomes))
    return 0 if grading.all_passed(outcomes) else 1


def run_data(arguments):
    """Fetch, verify, describe; images also as characters."""
    from numpyae import datasets

    data = datasets.load(arguments.name, dtype=np.float32)
    for name in ("x", "y", "x_test", "y_test"):
        array = getattr(data, name)
        if array is not None:
            missing = f", {np.isnan(array).mean():.1%} missing" if np.isnan(array).any() else ""
            print(f"{name:8} {str(array.shape):14} {array.dtype}  {np.nanmin(array):.4g} to {np.nanmax(array):.4g}, "
                  f"mean {np.nanmean(array):.4g}{missing}")
    print(f"{data.name}: {data.convention}")
    if data.image_shape:
        shades = np.array(list(" .:-=+*#%@"))
        step = max(1, -(-4 * data.image_shape[1] // 256))                # every step-th pixel: at most 256 columns
        image = np.concatenate([row.reshape(data.image_shape)[:, ::step] for row in data.x[:4]], axis=1)
        for line in shades[np.clip(image * 9.99, 0, 9).astype(int)][::2 * step]:
            print("".join(line))
    return 0


def run_bughunt(arguments):
    """Write a hunt, or print one of its hints; without options, the help and how many there are."""
    from numpyae.course import hunts

    level, seed = arguments.level, arguments.seed
    if level is None and seed is None and arguments.to is None and arguments.hint is None:
        arguments.help_of.print_help()
        print("\nlevel  hunts")
        for level, number in hunts.count().items():
            print(f"{level:5} {number:6}   {hunts.LEVELS[level]}")
        return 0
    if level is None or seed is None:
        raise ValueError("--level and --seed are needed, as in: python -m numpyae bughunt --level 1 --seed 7")
    if arguments.hint is None:
        path = hunts.write(level, seed, "." if arguments.to is None else arguments.to)
        print(f"wrote {path}: one line is wrong. When it is repaired: python -m numpyae grade {path}")
        return 0
    found = hunts.hints(level, seed)
    if arguments.hint > len(found):
        raise ValueError(f"there are {len(found)} hints, and {arguments.hint} is none of them")
    print(found[arguments.hint - 1])
    return 0
