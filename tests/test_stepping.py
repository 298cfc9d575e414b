"""Someone who follows the README's "Step through backprop" sees the numbers of the worked example."""

import json
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SCRIPT = "lectures/step_through.py"


def pdb(*commands):
    """What pdb prints when it is given these commands."""
    done = subprocess.run([sys.executable, "-m", "pdb", SCRIPT], input="\n".join([*commands, "quit"]), cwd=ROOT, capture_output=True, text=True)
    return done.stdout


def numbers(text):
    return [float(number) for number in re.findall(r"-?\d+\.\d+(?:e-?\d+)?", text)]


def test_the_readmes_commands_stop_in_backward_with_the_published_delta():
    commands = re.findall(r"^    \(Pdb\) (.*)$", README, re.M)
    assert len(commands) == 3 and f"python -m pdb {SCRIPT}" in README
    assert commands == re.findall(r"^    \(Pdb\) (.*)$", (ROOT / SCRIPT).read_text(), re.M)
    said = pdb(*commands, "p self", "p [float(v) for v in delta[0]]")
    assert "Dense(2 -> 2)" in said and "layers.py" in said
    assert numbers(said.split("Dense(2 -> 2)")[1]) == pytest.approx([0.13849856162855695, -0.03809823651655624], abs=1e-15)


def test_every_number_on_the_way_back():
    flat = "p [float(v) for v in {}.ravel()]"
    said = pdb("from numpyae import Dense", "break Dense.backward", "continue", "next", "next", "next", "next", flat.format("dW"), "continue",
               flat.format("delta"), "next", "next", "next", "next", flat.format("dW"), "clear 1", "continue")
    first, second, last, *_ = [numbers(line) for line in re.findall(r"\[.*\]", said)]
    w5_w7_w6_w8 = [0.08216704056423077, -0.02260254047747507, 0.08266762784753325, -0.02274024221597822]
    assert first == pytest.approx(w5_w7_w6_w8, abs=1e-15)
    assert abs(second[0] - 0.0363503063931446 * 0.24130070857232525) < 1e-15
    assert abs(last[0] - 0.00043856773447435) < 1e-15 and abs(last[3] - 0.00099542547052172) < 1e-15
    assert "E = 0.298371109 before the step, 0.291027774 after it" in said


def test_stepping_in_lands_in_the_arithmetic_without_a_frame_of_numpy():
    said = pdb("from numpyae import Sequential", "break Sequential.forward", "continue", *["step"] * 30)
    files = set(re.findall(r"^\(Pdb\) > (.*?)\(\d+\)|^> (.*?)\(\d+\)", said, re.M))
    names = {pathlib.Path(a or b).name for a, b in files}
    assert names == {"step_through.py", "layers.py", "activations.py"}, names        # where the file begins, and ours
    assert "-> a = x @ self.W" in said and "np.maximum(e, a >= 0) / (1 + e)" in said


def test_launch_json_is_what_the_readme_says():
    launch = json.loads((ROOT / ".vscode" / "launch.json").read_text())
    assert [entry["name"] for entry in launch["configurations"]] == ["Current file", "Tests of the current file", "A lecture"]
    assert all(entry["justMyCode"] for entry in launch["configurations"])        # no stepping into NumPy's own Python
    lectures = [path.name for path in sorted((ROOT / "lectures").glob("[0-9][0-9]_*.py"))]
    assert launch["inputs"][0]["options"] == ["step_through.py", *lectures]
    for name in re.findall(r'"name": "(.*?)"', json.dumps(launch)):
        assert f"*{name}*" in README


def test_pure_python_says_the_same():
    lists = {}
    exec((ROOT / "lectures" / "python_tutor.py").read_text(), lists)
    assert "import " not in (ROOT / "lectures" / "python_tutor.py").read_text().split('"""')[2]
    assert abs(lists["E"] - 0.2983711087600027) < 1e-15
    assert abs(lists["W1"][0][0] - 0.1497807161327628) < 1e-15 and abs(lists["W2"][1][1] - 0.5613701211079891) < 1e-15


def test_reprs_are_short_and_telling():
    from numpyae.course import examples

    model, *_ = examples.two_two_two()
    assert repr(model.network) == "Sequential(Dense(2 -> 2), Sigmoid(), Dense(2 -> 2), Sigmoid(); 12 parameters)"
