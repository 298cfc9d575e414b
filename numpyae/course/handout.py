"""Hand-outs: a lecture as one page for the browser, with its prose, its code, what the code prints, and its figures.

    python -m numpyae handout 4                       # handouts/04_backpropagation.html
    python -m numpyae handout all --to site           # all of them, and site/index.html

A page needs no network and no other file. The lecture runs for it, in a process of its own. The converter knows the
Markdown that the lectures use: headings, paragraphs, lists with `- `, formulas (four more spaces), `code`, *emphasis*
and **more of it**.
"""

import base64
import contextlib
import html
import io
import itertools
import json
import keyword
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import textwrap
import time
import tokenize
from importlib import resources

from numpyae.checks import must
from numpyae.course import examples, lectures
from numpyae.tableau import NOTHING_FROM_OUTSIDE, fragment, trace

MARKER = "<!-- made by: python -m numpyae handout -->"              # in its second line: such a page may be replaced
LARGE = 2_000_000                     # bytes: a page with more than that gets pictures of 256 colours
# Where a stepper stands, at the end of the section's first cell that names the example, or of the section:
# {lecture: (section, the network and its batch, a sentence)}
STEPPERS = {
    4: ("A worked example, number by number", examples.two_two_two, "The same pass to step through."),
    12: ("One important detail: backpropagation through random sampling?", examples.tiny_vae,
         "The smallest variational autoencoder, two pixels and one code number, to step through: z = mu + sigma "
         "epsilon forward, and backward the two ways into mu and logvar, by the draw and by the KL."),
}
STYLE = resources.files(__package__).joinpath("handout.css").read_text(encoding="utf-8")
PLAIN = r"(?![#>]|[-*+] |1[.)] |  ).+"                   # a line that Markdown takes for nothing else than text
FORMS = {"h1": r"# .*", "h2": r"## .*", "formula": r"    .*(\n    .*)*", "list": r"- .*(\n(- |  (?!  )).*)*",
         "p": rf"{PLAIN}(\n{PLAIN})*"}


# What is in a lecture

def cells(text):
    """Return [(is it prose?, number of its first line, lines)] of a script in cells, no empty lines at their ends."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("# %%"):
            found.append(("[markdown]" in line, number + 1, []))
        elif found:
            found[-1][2].append(line)
    for is_prose, _, lines in found:
        while lines and not lines[-1].strip("# "):
            lines.pop()
    return found


def prose(lines):
    """Return the lines of a cell of prose without their "# "."""
    return [line[2:] for line in lines]


def blocks(lines):
    """Return [(kind, lines)] of prose: h1, h2, formula, list (an item is one entry), p. Raise ValueError for others."""
    found = []
    for text in re.split(r"\n\n+", "\n".join(lines).strip("\n")):
        kind = next((kind for kind, form in FORMS.items() if re.fullmatch(form, text)), None)
        must(kind is not None, f"a hand-out has no form for this line of prose: {text!r}")
        block = text.split("\n")
        if kind == "list":
            block = [re.sub(r"\n +", " ", item.removeprefix("- ")) for item in re.split(r"\n(?=- )", text)]
        elif kind == "formula" and found and found[-1][0] == "formula":      # with a gap in it
            block = [*found.pop()[1], "", *block]
        found.append((kind, [text.lstrip("# ")] if kind in ("h1", "h2") else block))
    return found


def inline(text):
    """Return a line of prose with its `code`, **strong** and *emphasis* as HTML; a star as in q* is a star."""
    text = re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text, quote=False))
    text = re.sub(r"(?<![\w*])\*\*(?=\S)([^*]+?)(?<=\S)\*\*(?![\w*])", r"<strong>\1</strong>", text)
    return re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])", r"<em>\1</em>", text)


def anchor(title):
    """Return the name by which a section can be linked to."""
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def block_html(kind, block):
    """Return one block of prose as HTML."""
    if kind in ("h1", "h2"):
        return f'<{kind} id="{anchor(block[0])}">{inline(block[0])}</{kind}>\n'
    if kind == "formula":
        return f'<pre class="formula">{html.escape(textwrap.dedent(chr(10).join(block)), quote=False)}</pre>\n'
    if kind == "list":
        return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in block) + "</ul>\n"
    return f"<p>{inline(' '.join(block))}</p>\n"


def code_html(lines, first):
    """Return code with the script's own line numbers; keywords, strings, numbers and comments have a class."""
    text = "\n".join(lines) + "\n"
    starts = [0, *itertools.accumulate(len(line) + 1 for line in lines)]
    kinds = [""] * len(text)                             # of each character
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        name = tokenize.tok_name[token.type]
        kind = ("k" if name == "NAME" and keyword.iskeyword(token.string) else "s" if name.startswith("FSTRING") else
                {"STRING": "s", "NUMBER": "n", "COMMENT": "c"}.get(name, ""))
        begin, end = (starts[row - 1] + column for row, column in (token.start, token.end))
        kinds[begin:end] = [kind] * (end - begin)
    out = []
    for number, (line, start) in enumerate(zip(lines, starts), first):
        out.append(f'<span class="line" data-n="{number}">')
        for kind, group in itertools.groupby(zip(line, kinds[start:start + len(line)]), lambda pair: pair[1]):
            piece = html.escape("".join(character for character, _ in group), quote=False)
            out.append(f'<span class="{kind}">{piece}</span>' if kind else piece)
        out.append("\n</span>")
    return f'<pre class="code">{"".join(out)}</pre>\n'


# What a lecture does

def run(path, full):
    """Run a lecture in a process of its own, and return for each cell of code what it prints and shows, in order.

    [[("text", string) or ("figure", what it shows, {type: bytes})]]. Raise ChildProcessError, with the line, if the
    lecture fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", "from numpyae.course import handout; handout.record()", str(path),
                               folder] + ["--full"] * full, stderr=subprocess.PIPE, encoding="utf-8", errors="replace",
                              env=os.environ | {"MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"})
        written = pathlib.Path(folder) / "results.json"
        if done.returncode or not written.exists():
            lines = re.findall(rf'File "{re.escape(str(path))}", line (\d+)', done.stderr)
            last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise ChildProcessError(f"{path.name} failed{f' in line {lines[-1]}' if lines else ''}: {last[0]}")
        results = json.loads(written.read_text(encoding="utf-8"))
        return [[(kind, what, *([{name: written.with_name(name).read_bytes() for name in files}] if files else []))
                 for kind, what, files in cell] for cell in results]


def record():
    """Run the cells of a lecture one after the other in __main__, in its process, and keep what they print and show."""
    import __main__
    from numpyae import course

    path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sys.argv = [str(path), *sys.argv[3:]]
    __main__.__file__ = str(path)
    results, printed = [], io.StringIO()

    def flush():
        if text := printed.getvalue():
            results[-1].append(("text", text, []))
            printed.seek(0)
            printed.truncate()

    def show(figure, name):
        flush()
        results[-1].append(("figure", *keep(figure, folder, name)))

    course.show = show
    for is_prose, first, lines in cells(path.read_text(encoding="utf-8")):
        if not is_prose:
            results.append([])
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * (first - 1) + "\n".join(lines), str(path), "exec"), __main__.__dict__)
            flush()
    (folder / "results.json").write_text(json.dumps(results), encoding="utf-8")


def keep(figure, folder, name):
    """Write an animation as a GIF, a figure as PNG and as SVG; return what it shows, and the names of the files."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import Animation

    if isinstance(figure, Animation):
        figure.save(folder / f"{name}.gif", writer="pillow")
        return f"Animation: {name[3:].replace('_', ' ')}", [f"{name}.gif"]
    figure.savefig(folder / f"{name}.png")
    with plt.rc_context({"svg.hashsalt": name}):                          # the same figure, the same bytes
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    plt.close(figure)
    return " ".join(figure.get_supxlabel().split()) or name[3:].replace("_", " "), [f"{name}.png", f"{name}.svg"]


def smaller(files, few_colours):
    """Return (type, bytes) of the smallest file of a figure; few_colours: a PNG gets 256 of them."""
    best = []
    for name, data in files.items():
        kind = name.rsplit(".", 1)[1]
        if kind == "png" and few_colours:
            from PIL import Image

            out = io.BytesIO()
            Image.open(io.BytesIO(data)).convert("RGB").quantize(256).save(out, "png", optimize=True)
            data = min(data, out.getvalue(), key=len)
        best.append(({"svg": "svg+xml"}.get(kind, kind), data))
    return min(best, key=lambda pair: len(pair[1]))


# The pages

def page(number, path, title, full=False, around=()):
    """Return one lecture as the text of a page. around: (address, words) of links above and below it."""
    parts, results = cells(path.read_text(encoding="utf-8")), iter(run(path, full))
    done = [None if is_prose else next(results) for is_prose, _, _ in parts]
    text = build(number, title, parts, done, around, few_colours=False)
    return text if len(text.encode()) <= LARGE else build(number, title, parts, done, around, few_colours=True)


def build(number, title, parts, done, around, few_colours):
    """Return the page, from the cells of a lecture and what they did."""
    wanted, example, words = STEPPERS.get(number, ("", None, ""))
    out, sections = [], [""]                             # out: (section, HTML, is the example named there?)
    for (is_prose, first, lines), results in zip(parts, done):
        for kind, block in blocks(prose(lines)) if is_prose else ():
            sections += [block[0]] * (kind == "h2")
            out.append((sections[-1], block_html(kind, block), False))
        if not is_prose:
            shown = "".join(result_html(result, few_colours) for result in results)
            out.append((sections[-1], code_html(lines, first) + shown,
                        example and any(f"{example.__name__}(" in line for line in lines)))
    within = [k for k, (section, *_) in enumerate(out) if example and section == wanted]
    if within:
        model, *batch = example()
        last = next((k for k in within if out[k][2]), within[-1])
        out.insert(last + 1, (wanted, f'<section class="step"><p>{html.escape(words)}</p>\n'
                              f"{fragment(trace(model, *batch, rng=0))}</section>\n", True))
    body = "".join(text for _, text, _ in out)
    heading, rest = body.split("</h1>", 1) if "</h1>" in body else (f"<h1>{html.escape(title)}", body)
    intro, mark, rest = rest.partition("<h2")
    links = " ".join(f'<a href="{address}">{html.escape(name)}</a>' for address, name in around)
    links = f"<nav>{links}</nav>\n" if around else ""
    contents = "".join(f'<li><a href="#{anchor(name)}">{inline(name)}</a></li>' for name in sections[1:])
    return frame(title, f"{links}{heading}</h1>\n{intro}<details open class=\"contents\"><summary>Sections</summary>"
                 f"<ul>{contents}</ul></details>\n{mark}{rest}{links}")


def result_html(result, few_colours):
    """Return as HTML a text that a cell has printed, or a figure that it has shown."""
    kind, what, *files = result
    if kind == "text":
        return f'<pre class="output">{html.escape(what.rstrip(chr(10)), quote=False)}</pre>\n'
    form, data = smaller(files[0], few_colours)
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{html.escape(what)}"></figure>\n'


def frame(title, body):
    """Return a whole page around its body."""
    return (f'<!DOCTYPE html>\n{MARKER}\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(title)}</title>\n{NOTHING_FROM_OUTSIDE}\n<style>\n{STYLE}</style>\n</head>\n"
            f"<body>\n<main>\n{body}</main>\n</body>\n</html>\n")


def index(found, pages):
    """Return the page that leads to the others, with the title, the first paragraph and the time of every lecture."""
    readme = lectures.FOLDER / "README.md"
    syllabus = readme.read_text(encoding="utf-8") if readme.exists() else ""
    lines = dict(re.findall(r"^\| (\d\d) \| [^|]* \| (.*) \|$", syllabus, re.M))
    documents = re.findall(r"^\| (\[\d{3}\]) \| (.*) \|$", syllabus, re.M)
    entries = []
    for number, (path, title) in found.items():
        _, _, opening = cells(path.read_text(encoding="utf-8"))[0]
        first = [" ".join(block) for kind, block in blocks(prose(opening)) if kind == "p"]
        short = lines.get(f"{number:02}", "").replace("\\|", "|")
        seconds = re.search(r"Takes about [^;.]*", " ".join(first))
        entries.append(f'<article><h2><a href="{pages[number].name}">{inline(title)}</a></h2>\n'
                       + (f'<p class="short">{inline(short)}</p>\n' if short else "") + f"<p>{inline(first[0])}</p>\n"
                       + (f'<p class="time">Runs by itself: <code>python -m numpyae lecture {number}</code>. '
                          f"{seconds[0]}.</p>\n" if seconds else "")
                       + "</article>\n")
    cited = "".join(f"<li>{html.escape(name)} {inline(words)}</li>" for name, words in documents)
    documents = f"<h2>The documents they follow</h2>\n<ul>{cited}</ul>\n" if cited else ""
    title = "How networks learn"
    return frame(title, f"<h1>{title}</h1>\n<p>From a polynomial to a variational autoencoder, in lectures that are "
                 "also programs. Every page here is a whole lecture: prose, code, its output and its figures.</p>\n"
                 + "".join(entries) + documents)


def write(words, folder, full):
    """Write the page of a lecture, by its number, or of "all". Replace only pages that were made here. Return 0."""
    found = lectures.find()
    numbers, folder = lectures.chosen(words, found), pathlib.Path(folder)
    pages = {number: folder / f"{found[number][0].stem}.html" for number in numbers}
    targets = [*pages.values()] + [folder / "index.html"] * (words == "all")
    for target in targets:
        must(not (target.exists() and MARKER not in target.read_text(encoding="utf-8", errors="replace")[:200]),
             f"{target} is there and was not made by this command: it stays as it is; choose another "
             "folder with --to", FileExistsError)
    folder.mkdir(parents=True, exist_ok=True)
    for number, target in pages.items():
        path, title = found[number]
        print(f"{title} ... ", end="", flush=True)
        start = time.perf_counter()
        replace(target, page(number, path, title, full, links(number, found, pages) if words == "all" else ()))
        print(f"{time.perf_counter() - start:.0f} s, {target.stat().st_size / 1e6:.2f} MB\n    wrote {target}",
              flush=True)
    if words == "all":
        replace(targets[-1], index(found, pages))
        print(f"wrote {targets[-1]}")
    return 0


def links(number, found, pages):
    """Return links to the lecture before, to the index and to the lecture after."""
    before, after = pages.get(number - 1), pages.get(number + 1)
    return ([(before.name, f"← {found[number - 1][1]}")] if before else []) + [("index.html", "All lectures")] + (
        [(after.name, f"{found[number + 1][1]} →")] if after else [])


def replace(path, text):
    """Write a page whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
