"""Hand-outs: a lecture as one page for the browser, with its prose, its code, what the code prints, and its figures.

    python -m numpyae handout 4                       # handouts/04_backpropagation.html
    python -m numpyae handout all --to site           # all of them, and site/index.html

A page needs no network and no other file. The lecture runs for it, in a process of its own. Of Markdown the converter knows what
the lectures use: headings, paragraphs, lists with `- `, formulas (four more spaces), `code`, *emphasis* and **more of it**.
"""

import base64
import contextlib
import html
import io
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

from numpyae.course import examples, lectures
from numpyae.tableau import NOTHING_FROM_OUTSIDE, fragment, trace

MARKER = "<!-- made by: python -m numpyae handout -->"              # in its second line: such a page may be replaced
LARGE = 2_000_000                     # bytes: a page with more than that gets pictures of 256 colours
# Where a stepper stands: {lecture: (section, the network and its batch, a sentence)}, at the end of the section's first cell that
# names the example, or of the section.
STEPPERS = {
    4: ("A worked example, number by number", examples.two_two_two, "The same pass to step through."),
    12: ("One important detail: backpropagation through random sampling?", examples.tiny_vae,
         "The smallest variational autoencoder, two pixels and one code number, to step through: z = mu + sigma epsilon "
         "forward, and backward the two ways into mu and logvar, by the draw and by the KL."),
}
PLAIN = r"(?![#>]|[-*+] |1[.)] |  ).+"                   # a line that Markdown takes for nothing else than text
FORMS = {"h1": r"# .*", "h2": r"## .*", "formula": r"    .*(\n    .*)*", "list": r"- .*(\n(- |  (?!  )).*)*",
         "p": rf"{PLAIN}(\n{PLAIN})*"}


# What is in a lecture

def cells(text):
    """[(is it prose?, number of its first line, lines)] of a script in cells, without empty lines at their ends."""
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
    """The lines of a cell of prose without their "# "."""
    return [line[2:] for line in lines]


def blocks(lines):
    """[(kind, lines)] of prose: "h1", "h2", "formula", "list" (an item is one entry), "p". ValueError for anything else."""
    found = []
    for text in re.split(r"\n\n+", "\n".join(lines).strip("\n")):
        kind = next((kind for kind, form in FORMS.items() if re.fullmatch(form, text)), None)
        if kind is None:
            raise ValueError(f"a hand-out has no form for this line of prose: {text!r}")
        block = text.split("\n")
        if kind == "list":
            block = [re.sub(r"\n +", " ", item.removeprefix("- ")) for item in re.split(r"\n(?=- )", text)]
        elif kind == "formula" and found and found[-1][0] == "formula":      # with a gap in it
            block = [*found.pop()[1], "", *block]
        found.append((kind, [text.lstrip("# ")] if kind in ("h1", "h2") else block))
    return found


def inline(text):
    """`code`, **strong** and *emphasis* of a line of prose as HTML; a star as in q* is a star."""
    pieces = re.split(r"(`[^`]*`)", text)
    for k, piece in enumerate(pieces):
        pieces[k] = html.escape(piece, quote=False)
        if piece.startswith("`"):
            pieces[k] = f"<code>{pieces[k][1:-1]}</code>"
    text = "".join(pieces)
    text = re.sub(r"(?<![\w*])\*\*(?=\S)([^*]+?)(?<=\S)\*\*(?![\w*])", r"<strong>\1</strong>", text)
    return re.sub(r"(?<![\w*])\*(?=\S)([^*]+?)(?<=\S)\*(?![\w*])", r"<em>\1</em>", text)


def anchor(title):
    """The name by which a section can be linked to."""
    return re.sub(r"\W+", "-", title.lower()).strip("-")


def prose_html(lines):
    """Prose as HTML."""
    return "".join(block_html(kind, block) for kind, block in blocks(lines))


def block_html(kind, block):
    """One block of prose as HTML."""
    if kind in ("h1", "h2"):
        return f'<{kind} id="{anchor(block[0])}">{inline(block[0])}</{kind}>\n'
    if kind == "formula":
        return f'<pre class="formula">{html.escape(textwrap.dedent(chr(10).join(block)), quote=False)}</pre>\n'
    if kind == "list":
        return "<ul>" + "".join(f"<li>{inline(item)}</li>" for item in block) + "</ul>\n"
    return f"<p>{inline(' '.join(block))}</p>\n"


def code_html(lines, first):
    """Code with the script's own line numbers; keywords, strings, numbers and comments have a class."""
    marks = {}
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        name = tokenize.tok_name[token.type]
        kind = ("k" if name == "NAME" and keyword.iskeyword(token.string) else "s" if name.startswith("FSTRING") else
                {"STRING": "s", "NUMBER": "n", "COMMENT": "c"}.get(name))
        if kind:
            for number in range(token.start[0], token.end[0] + 1):
                begin = token.start[1] if number == token.start[0] else 0
                end = token.end[1] if number == token.end[0] else len(lines[number - 1])
                marks.setdefault(number, []).append((begin, end, kind))
    out = []
    for number, line in enumerate(lines, 1):
        text, at = "", 0
        for begin, end, kind in sorted(marks.get(number, [])):
            if begin >= at and end > begin:
                marked = html.escape(line[begin:end], quote=False)
                text += f'{html.escape(line[at:begin], quote=False)}<span class="{kind}">{marked}</span>'
                at = end
        out.append(f'<span class="line" data-n="{first + number - 1}">{text}{html.escape(line[at:], quote=False)}\n</span>')
    return f'<pre class="code">{"".join(out)}</pre>\n'


# What a lecture does

def run(path, full):
    """Run a lecture in a process of its own: for each cell of code what it prints and the figures it shows, in their order.

    [[("text", string) or ("figure", what it shows, {type: bytes})]]. ChildProcessError, with the line, for a lecture that fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        command = "from numpyae.course import handout; handout.record()"
        done = subprocess.run([sys.executable, "-c", command, str(path), folder] + ["--full"] * full, stderr=subprocess.PIPE,
                              encoding="utf-8", errors="replace",
                              env=os.environ | {"MPLBACKEND": "Agg", "PYTHONIOENCODING": "utf-8"})
        written = pathlib.Path(folder) / "results.json"
        if done.returncode or not written.exists():
            lines = re.findall(rf'File "{re.escape(str(path))}", line (\d+)', done.stderr)
            last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
            raise ChildProcessError(f"{path.name} failed{f' in line {lines[-1]}' if lines else ''}: {last[0]}")
        results = json.loads(written.read_text(encoding="utf-8"))
        return [[(kind, what, {name: written.with_name(name).read_bytes() for name in files}) if kind == "figure" else (kind, what)
                 for kind, what, files in cell] for cell in results]


def record():
    """In the process of a lecture: run its cells one after the other in __main__, keep what they print and show."""
    import __main__
    from numpyae import course

    path, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    sys.argv = [str(path), *sys.argv[3:]]
    __main__.__file__ = str(path)
    results, printed = [], io.StringIO()

    def flush():
        if printed.getvalue():
            results[-1].append(("text", printed.getvalue(), []))
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
    """Write an animation as a GIF, a figure as PNG and, where that could be smaller, as SVG: what it shows, names of files."""
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
    """Of the files of one figure the smallest, as (type, bytes); few_colours: a PNG gets 256 of them."""
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
    """One lecture as the text of a page. around: (address, words) of links above and below it."""
    parts, results = cells(path.read_text(encoding="utf-8")), iter(run(path, full))
    done = [next(results) if not is_prose else None for is_prose, _, _ in parts]
    text = build(number, title, parts, done, around, False)
    return text if len(text.encode()) <= LARGE else build(number, title, parts, done, around, True)


def build(number, title, parts, done, around, few_colours):
    """The page, from the cells of a lecture and what they did."""
    out, sections = [], []
    wanted, example, words = STEPPERS.get(number, (None, None, None))

    def show_stepper_once(due):
        nonlocal example
        if due and example and sections[-1:] == [wanted]:
            out.append(stepper(example, words))
            example = None

    for (is_prose, first, lines), results in zip(parts, done):
        for kind, block in blocks(prose(lines)) if is_prose else ():
            if kind == "h2":
                show_stepper_once(True)                  # no cell of the section names the example
                sections.append(block[0])
            out.append(block_html(kind, block))
        if not is_prose:
            out += [code_html(lines, first), *(result_html(result, few_colours) for result in results)]
            show_stepper_once(example and any(f"{example.__name__}(" in line for line in lines))
    contents = "".join(f'<li><a href="#{anchor(name)}">{inline(name)}</a></li>' for name in sections)
    body = "".join(out)
    heading, rest = body.split("</h1>", 1) if "</h1>" in body else (f"<h1>{html.escape(title)}", body)
    intro, mark, rest = rest.partition("<h2")
    links = navigation(around)
    contents = f'<details open class="contents"><summary>Sections</summary><ul>{contents}</ul></details>'
    return frame(title, f"{links}{heading}</h1>\n{intro}{contents}\n{mark}{rest}{links}")


def result_html(result, few_colours):
    """What a cell has printed, or a figure that it has shown, as HTML."""
    kind, what, *files = result
    if kind == "text":
        return f'<pre class="output">{html.escape(what.rstrip(chr(10)), quote=False)}</pre>\n'
    form, data = smaller(files[0], few_colours)
    source = f"data:image/{form};base64,{base64.b64encode(data).decode()}"
    return f'<figure><img src="{source}" alt="{html.escape(what)}"></figure>\n'


def stepper(example, words):
    """The backprop stepper of an example, with a sentence above it."""
    model, *batch = example()
    return f'<section class="step"><p>{html.escape(words)}</p>\n{fragment(trace(model, *batch, rng=0))}</section>\n'


def navigation(around):
    """Links to other pages."""
    links = " ".join(f'<a href="{address}">{html.escape(words)}</a>' for address, words in around)
    return f"<nav>{links}</nav>\n" if around else ""


def frame(title, body):
    """A whole page around its body."""
    return (f'<!DOCTYPE html>\n{MARKER}\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{html.escape(title)}</title>\n'
            f"{NOTHING_FROM_OUTSIDE}\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n")


def index(found, pages):
    """The page that leads to the others: of every lecture the title, its first paragraph and its time."""
    syllabus = (lectures.FOLDER / "README.md").read_text(encoding="utf-8") if (lectures.FOLDER / "README.md").exists() else ""
    lines = dict(re.findall(r"^\| (\d\d) \| [^|]* \| (.*) \|$", syllabus, re.M))
    documents = re.findall(r"^\| (\[\d{3}\]) \| (.*) \|$", syllabus, re.M)
    entries = []
    for number, (path, title) in found.items():
        first = [" ".join(block) for kind, block in blocks(prose(cells(path.read_text(encoding="utf-8"))[0][2])) if kind == "p"]
        short = lines.get(f"{number:02}", "").replace("\\|", "|")
        seconds = re.search(r"Takes about [^;.]*", " ".join(first))
        entries.append(f'<article><h2><a href="{pages[number].name}">{inline(title)}</a></h2>\n'
                       + (f'<p class="short">{inline(short)}</p>\n' if short else "") + f"<p>{inline(first[0])}</p>\n"
                       + (f'<p class="time">Runs by itself: <code>python -m numpyae lecture {number}</code>. {seconds[0]}.</p>\n'
                          if seconds else "") + "</article>\n")
    cited = "".join(f"<li>{html.escape(name)} {inline(words)}</li>" for name, words in documents)
    documents = f"<h2>The documents they follow</h2>\n<ul>{cited}</ul>\n" if cited else ""
    return frame("How networks learn", "<h1>How networks learn</h1>\n<p>From a polynomial to a variational autoencoder, in lectures "
                 "that are also programs. Every page here is a whole lecture: prose, code, its output and its figures.</p>\n"
                 + "".join(entries) + documents)


def write(words, folder, full):
    """The command: `words` is the number of a lecture, or "all". Replaces only pages that it has made itself."""
    found = lectures.find()
    numbers, folder = lectures.chosen(words, found), pathlib.Path(folder)
    pages = {number: folder / f"{found[number][0].stem}.html" for number in numbers}
    targets = [*pages.values()] + [folder / "index.html"] * (words == "all")
    for target in targets:
        if target.exists() and not ours(target):
            raise FileExistsError(f"{target} is there and was not made by this command: it stays as it is; choose another folder "
                                  "with --to")
    folder.mkdir(parents=True, exist_ok=True)
    for number, target in pages.items():
        path, title = found[number]
        print(f"{title} ... ", end="", flush=True)
        start = time.perf_counter()
        replace(target, page(number, path, title, full, links(number, found, pages) if words == "all" else ()))
        print(f"{time.perf_counter() - start:.0f} s, {target.stat().st_size / 1e6:.2f} MB\n    wrote {target}", flush=True)
    if words == "all":
        replace(targets[-1], index(found, pages))
        print(f"wrote {targets[-1]}")
    return 0


def links(number, found, pages):
    """To the lecture before, to the index, to the lecture after."""
    before, after = pages.get(number - 1), pages.get(number + 1)
    return ([(before.name, f"← {found[number - 1][1]}")] if before else []) + [("index.html", "All lectures")] + (
        [(after.name, f"{found[number + 1][1]} →")] if after else [])


def ours(path):
    """Was this page made here?"""
    with open(path, encoding="utf-8", errors="replace") as file:
        return MARKER in file.read(200)


def replace(path, text):
    """Write a page whole or not at all."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    with open(part, "x", encoding="utf-8") as file:
        file.write(text)
    os.replace(part, path)


STYLE = """:root { color-scheme: light; }
body { margin: 0; color: #1a1a1a; background: #fff; font: 17px/1.55 "DejaVu Serif", Georgia, "Times New Roman", serif; }
main { max-width: 60rem; margin: 0 auto; padding: 0.5rem 1.2rem 3rem; }
h1, h2, nav, summary, .contents, .step > p { font-family: system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.7rem; line-height: 1.25; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 2.4rem 0 0.6rem; border-bottom: 1px solid #ccc; padding-bottom: 0.2rem; }
p, ul { max-width: 46rem; overflow-wrap: break-word; }
a { color: #0b5cad; }
pre, code { font-family: "DejaVu Sans Mono", ui-monospace, Menlo, Consolas, monospace; }
code { font-size: 0.85em; background: #f1f1f1; padding: 0.05em 0.25em; border-radius: 3px; }
pre { overflow-x: auto; font-size: 0.78rem; line-height: 1.45; margin: 0.8rem 0; padding: 0.7rem 0.9rem; border-radius: 6px; }
pre.formula { font-size: 0.9rem; background: none; border-left: 3px solid #8fb4d9; border-radius: 0; padding: 0.3rem 1rem; }
pre.code { background: #f6f7f9; border: 1px solid #e2e5e9; padding-left: 0; }
pre.output { border: 1px solid #e2e5e9; border-left: 5px solid #7a8590; }
pre .line::before { content: attr(data-n); display: inline-block; width: 2.6em; padding-right: 1em; text-align: right;
  color: #6d7681; }
.k { color: #7a1fa2; font-weight: 600; }
.s { color: #1b6e2d; }
.n { color: #9c3f00; }
.c { color: #5f6b76; font-style: italic; }
figure { margin: 1rem 0; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
nav { display: flex; flex-wrap: wrap; gap: 0.4rem 1.6rem; justify-content: space-between; font-size: 0.85rem; padding: 0.6rem 0; }
.contents { background: #f6f7f9; border-radius: 6px; padding: 0.6rem 1rem; font-size: 0.9rem; }
.contents ul { margin: 0.4rem 0 0; padding-left: 1.2rem; }
summary { cursor: pointer; font-weight: 600; }
.step { border: 2px solid #8fb4d9; border-radius: 8px; padding: 0.4rem 1rem 1rem; margin: 1.2rem 0; }
.short { font-style: italic; margin-bottom: 0; }
.time { color: #555; font-size: 0.85rem; }
@media (max-width: 44rem) {
  body { font-size: 16px; }
  main { padding: 0.3rem 0.8rem 2rem; }
  .step { padding: 0.2rem 0.5rem 0.6rem; }
  pre.formula { font-size: 0.8rem; padding: 0.3rem 0.6rem; }
  figure { overflow-x: auto; }
  figure img { max-width: none; width: 44rem; }
}
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  p, ul { max-width: none; }
  pre { white-space: pre-wrap; overflow: visible; font-size: 7.4pt; }
  pre .line { display: block; padding-left: 4em; text-indent: -4em; }
  pre .line::before { width: 2.4em; text-indent: 0; }
  figure, tr, li { break-inside: avoid; }
  h2, .step > p { break-after: avoid; }
  nav { display: none; }
  a { color: inherit; }
}
"""
