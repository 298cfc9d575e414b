"""A lecture becomes a page with everything in it; nothing of the user's is replaced; all lectures have a form that it knows."""

import html
import io
import re

import pytest
from PIL import Image

from numpyae import course
from numpyae.course import handout, lectures
from tests import browser
from tests.test_course import NAMES, PATHS

LECTURE = '''# %% [markdown]
# # 4. A small lecture: x < y & more
#
# It has *emphasis*, **more of
# it**, `code * and <b>`, a q* and α_slides. Takes about 1 s; with `--full` the same.

# %%
import sys

from numpyae import course, plots

FULL = course.full()


# %% [markdown]
# ## First: a list, and a formula
#
# - one item
#   of two lines;
# - another.
#
#     a = x W + b
#       indented <
#
#     after a gap

# %%
"""A string
of two lines."""
print("before", FULL, __name__, sys.argv[1:])
course.show(plots.new_figure("What to see.", 2, 1), "04_small")
print("after <tag> & so")

# %% [markdown]
# ## A worked example, number by number
#
# Nothing is printed below.

# %%
def two_two_two():
    return 1                              # a comment


for k in range(2):
    if two_two_two() + 1e3 > k:
        pass
'''


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with this lecture alone."""
    monkeypatch.setattr(lectures, "FOLDER", tmp_path / "lectures")
    (tmp_path / "lectures").mkdir()
    (tmp_path / "lectures" / "04_small.py").write_text(LECTURE, encoding="utf-8")
    return tmp_path


def text_of(page):
    """What stands on a page, without its marks."""
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def test_a_page_has_prose_code_output_figures_and_stepper_in_their_order(folder, capsys):
    assert handout.write("4", folder / "out", True) == 0
    said = capsys.readouterr().out
    page = (folder / "out" / "04_small.html").read_text(encoding="utf-8")
    assert "4. A small lecture" in said and f"wrote {folder / 'out' / '04_small.html'}" in said
    assert '<h1 id="4-a-small-lecture-x-y-more">4. A small lecture: x &lt; y &amp; more</h1>' in page
    assert "<em>emphasis</em>, <strong>more of it</strong>, <code>code * and &lt;b&gt;</code>, a q* and α_slides." in page
    assert "<ul><li>one item of two lines;</li><li>another.</li></ul>" in page
    assert '<pre class="formula">a = x W + b\n  indented &lt;\n\nafter a gap</pre>' in page
    assert page.count('<a href="#first-a-list-and-a-formula">First: a list, and a formula</a>') == 1
    number = LECTURE.splitlines().index('print("before", FULL, __name__, sys.argv[1:])') + 1
    assert f'<span class="line" data-n="{number}">print(<span class="s">&quot;before&quot;</span>'.replace("&quot;", '"') in page
    assert '<span class="k">def</span> two_two_two' in page and '<span class="c"># a comment</span>' in page
    assert '<span class="n">1e3</span>' in page and '<span class="s">of two lines."""</span>' in page
    places = [page.index(words) for words in ('"before"', '<pre class="output">before True __main__ [\'--full\']</pre>',
                                              '<img src="data:image/', 'alt="What to see."',
                                              '<pre class="output">after &lt;tag&gt; &amp; so</pre>',
                                              "Nothing is printed below", "a comment", "The same pass to step through")]
    assert places == sorted(places)
    assert browser.from_outside(page) == [] and list((folder / "lectures").iterdir()) == [folder / "lectures" / "04_small.py"]
    if browser.PROGRAM is not None:
        script = """document.querySelector(".stepper .next").click();
            document.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight"}));
            document.querySelector(".stepper").dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
            return [document.querySelector(".stepper .count").textContent, document.querySelector("img").naturalWidth > 0];"""
        seen = browser.visit(folder / "out" / "04_small.html", folder, script, (390, 844))
        assert seen["console"] == [] and seen["loaded"] == [] and seen["scrolls"] <= 0
        assert seen["result"] == ["step 3 of 16", True]              # outside of the stepper the keys belong to the page


def test_only_pages_of_its_own_are_replaced(folder, monkeypatch, capsys):
    monkeypatch.setattr(handout, "run", lambda path, full: [[("text", "printed\n")]] * 3)
    out = folder / "out"
    assert handout.write("all", out, False) == 0 and handout.write("all", out, False) == 0
    assert sorted(path.name for path in out.iterdir()) == ["04_small.html", "index.html"]
    for name in ("04_small.html", "index.html"):
        mine = (out / name).read_text(encoding="utf-8")
        (out / name).write_text("mine", encoding="utf-8")
        with pytest.raises(FileExistsError, match=f"{name} is there and was not made by this command: it stays as it is"):
            handout.write("all", out, False)
        assert (out / name).read_text(encoding="utf-8") == "mine"
        (out / name).write_text(mine, encoding="utf-8")
    with pytest.raises(ValueError, match="number must be one of 4, or all, got '5'"):
        handout.write("5", out, False)


@pytest.mark.parametrize("cell, sentence", [("1 / 0", "04_small.py failed in line 7: ZeroDivisionError: division by zero"),
                                            ("import os\nos._exit(3)", "04_small.py failed: exit status 3"),
                                            ("raise SystemExit", "04_small.py failed: exit status 0")])
def test_a_lecture_that_fails_leaves_no_page(folder, cell, sentence):
    lecture = f"# %% [markdown]\n# # 4. Small\n#\n# Takes.\n\n# %%\n{cell}\n"
    (folder / "lectures" / "04_small.py").write_text(lecture, encoding="utf-8")
    with pytest.raises(ChildProcessError) as error:
        handout.write("4", folder / "out", False)
    assert str(error.value) == sentence and list((folder / "out").iterdir()) == []


@pytest.mark.parametrize("line", ["  two spaces", "### deeper", "text\n- no list", "- item\ntext", "1. item", "text\n+ no list"])
def test_other_prose_is_refused(line):
    with pytest.raises(ValueError, match="a hand-out has no form for this line of prose"):
        handout.blocks(line.split("\n"))


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_every_lecture_has_only_prose_that_the_converter_knows(path):
    for is_prose, _, lines in handout.cells(path.read_text(encoding="utf-8")):
        if is_prose:
            page = "".join(handout.block_html(*block) for block in handout.blocks(handout.prose(lines)))
            left = re.sub(r"<pre.*?</pre>|<code>.*?</code>", "", page, flags=re.S)
            assert "`" not in left and not re.search(r"(?<!\w)\*|\*\*", left), left
            words = re.sub(r"[`*\s]|^#+ |^- ", "", "\n".join(handout.prose(lines)), flags=re.M)
            assert re.sub(r"[`*\s]", "", text_of(page)) == words


def test_all_lectures_and_their_index(tmp_path, monkeypatch, capsys):
    def silent(path, full):
        return [[] for is_prose, *_ in handout.cells(path.read_text(encoding="utf-8")) if not is_prose]

    monkeypatch.setattr(handout, "run", silent)
    assert handout.write("all", tmp_path, False) == 0
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert set(pages) == {name.replace(".py", ".html") for name in NAMES} | {"index.html"}
    for path in PATHS:                                               # no line of code is lost, and each has its number
        source, page = path.read_text(encoding="utf-8").splitlines(), pages[path.name.replace(".py", ".html")]
        for line, text in re.findall(r'<span class="line" data-n="(\d+)">(.*?)\n</span>', page):
            assert text_of(text) == source[int(line) - 1]
        code = sum(len(lines) for is_prose, _, lines in handout.cells("\n".join(source)) if not is_prose)
        assert page.count('<span class="line"') == code
    for name, page in pages.items():
        places = set(re.findall(r'id="([^"]+)"', page))
        for address in re.findall(r'<a href="([^"]*)"', page):
            file, _, place = address.partition("#")
            assert (file in pages if file else place in places), (name, address)
        sections = re.findall(r"<h2 id=\"([^\"]+)\"", page)
        assert len(sections) == len(set(sections)) and browser.from_outside(page) == []
    assert [name for name in pages if 'class="stepper "' in pages[name]] and all(
        ('class="stepper "' in page) == (name[:2] in ("04", "12")) for name, page in pages.items())
    index = text_of(pages["index.html"])
    for path, title in course.find().values():
        assert title in index
    assert "Takes about" in index and "[000]" in index and "The chain rule from two rows to the slides' algorithm" in index


def test_the_steppers_stand_in_sections_that_there_are():
    for number, (section, _, _) in handout.STEPPERS.items():
        assert f"# ## {section}\n" in course.find()[number][0].read_text(encoding="utf-8")


def test_the_smaller_form_of_a_figure_is_taken():
    assert handout.smaller({"a.png": b"12345", "a.svg": b"123"}, False) == ("svg+xml", b"123")
    assert handout.smaller({"a.png": b"12", "a.svg": b"123"}, False) == ("png", b"12")
    assert handout.smaller({"a.gif": b"1"}, True) == ("gif", b"1")
    out = io.BytesIO()
    Image.effect_noise((60, 60), 50).convert("RGB").save(out, "png")
    kind, data = handout.smaller({"a.png": out.getvalue()}, True)
    assert kind == "png" and data[:4] == b"\x89PNG" and len(data) < len(out.getvalue())
