"""Programs: what they are given, what is read, and what is said when they fail."""

import json
import os
import pickle
import signal
import stat
import subprocess
import sys
import time

import pytest

from bbo.errors import EvaluationError, FidelityError, InvalidPointError, SpaceError
from bbo.fidelity import Fidelity
from bbo.objective import Minimize, OutcomeConstraint, Tracked
from bbo.problems import Patterns, Program
from bbo.space import Categorical, Float, Int, Simplex, Space
from bbo.strategies import RandomSearch
from bbo.studies.study import Study
from bbo.trial import FailureReason, Status

SPACE = Space(
    (Float("lr", 1e-6, 1.0, log=True), Int("depth", 1, 9), Categorical("kind", ("a b", "$HOME; echo x", None)))
)
POINT = {"lr": 1e-5, "depth": 3, "kind": "a b"}
LOSS = (Minimize("loss"),)
EPOCHS = Fidelity("epochs", 1, 50, is_whole=True)
SHOW_ARGUMENTS = "import json, sys; print(json.dumps(sys.argv[1:])); print(1.5)"


def python(code, *arguments, space=SPACE, objectives=LOSS, **options):
    return Program(
        [sys.executable, "-c", code.replace("{", "{{").replace("}", "}}"), *arguments], space, objectives, **options
    )


def printing(text, **options):
    return python(f"print({text!r})", **options)


def arguments_of(problem, params, **given):
    """The arguments that the program gets for a point."""
    told = []

    def parse(text):
        told.extend(json.loads(text.splitlines()[0]))
        return 1.5

    Program(**{**vars(problem), "parse": parse}).evaluate(params, **given)
    return told


def test_parameters_are_arguments_and_no_shell_reads_them():
    problem = python(SHOW_ARGUMENTS, "--lr={lr}", "{depth}", "--kind={kind}")
    assert arguments_of(problem, POINT) == ["--lr=1e-05", "3", "--kind=a b"]
    assert arguments_of(problem, {**POINT, "kind": "$HOME; echo x"})[2] == "--kind=$HOME; echo x"
    assert arguments_of(problem, {**POINT, "kind": None})[2] == "--kind=null"


def test_a_value_keeps_all_of_its_digits_unless_a_format_is_given():
    problem = python(SHOW_ARGUMENTS, "{lr}", "{lr:.2e}", "{depth:03d}", "{kind}")
    exact, *formatted, _ = arguments_of(problem, {**POINT, "lr": 0.1234567890123456})
    assert float(exact) == 0.1234567890123456
    assert formatted == ["1.23e-01", "003"]


def test_braces_stand_for_themselves_when_doubled():
    assert arguments_of(python(SHOW_ARGUMENTS, "{{lr}}={lr}", "{depth}{kind}"), POINT) == ["{lr}=1e-05", "3a b"]


def test_the_seed_and_fidelities_are_arguments_too():
    problem = python(SHOW_ARGUMENTS, "{lr}{depth}{kind}", "{epochs}", "{seed}", fidelities=(EPOCHS,))
    assert arguments_of(problem, POINT, seed=2**62)[1:] == ["50", str(2**62)]
    assert arguments_of(problem, POINT, fidelity={"epochs": 7.0})[1] == "7"
    with pytest.raises(FidelityError, match="epochs"):
        problem.evaluate(POINT, fidelity={"epochs": 99})


def test_parts_of_a_mixture_are_named_with_a_dot_or_given_as_json():
    space = Space((Simplex("mix", ("sand", "lime")),))
    problem = python(SHOW_ARGUMENTS, "{mix.sand}", "{mix}", space=space)
    assert arguments_of(problem, {"mix": {"sand": 0.25, "lime": 0.75}}) == ["0.25", '{"sand": 0.25, "lime": 0.75}']


def test_an_argument_of_a_parameter_that_is_not_there_is_left_out():
    space = Space((Categorical("optimizer", ("sgd", "adam")), Float("momentum", 0.0, 1.0, when={"optimizer": ["sgd"]})))
    problem = python(SHOW_ARGUMENTS, "--optimizer={optimizer}", "--momentum={momentum}", space=space)
    assert arguments_of(problem, {"optimizer": "sgd", "momentum": 0.5}) == ["--optimizer=sgd", "--momentum=0.5"]
    assert arguments_of(problem, {"optimizer": "adam"}) == ["--optimizer=adam"]
    with pytest.raises(ValueError, match=r"write the argument with a name in it, as '--momentum=\{momentum\}'"):
        python(SHOW_ARGUMENTS, "{optimizer}", "--momentum", "{momentum}", space=space)


ECHO = "import json, os, sys; said = json.load({}); said['env'] = os.environ['BBO_SEED']; print(json.dumps(said))"
ASKED = {"params": POINT, "fidelity": {"epochs": 5}, "seed": 11, "env": "11"}


@pytest.mark.parametrize(("source", "arguments"), [("sys.stdin", []), ("open(sys.argv[1])", ["{params_file}"])])
def test_a_command_without_parameters_has_them_as_json(source, arguments):
    problem = python(ECHO.format(source), *arguments, fidelities=(EPOCHS,), parse=_asked)
    problem.evaluate(POINT, fidelity={"epochs": 5}, seed=11)


def _asked(text):
    assert json.loads(text) == ASKED
    return 0.0


def test_a_program_with_arguments_has_nothing_on_its_input():
    problem = python("import sys; print(len(sys.stdin.read()))", "{lr}", "{depth}", "{kind}")
    assert problem.evaluate(POINT) == {"loss": 0.0}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('epoch 1\n{"loss": 0.5, "epoch": 1}\n\n', {"loss": 0.5, "memory": None}),
        ('{"memory": 3, "loss": 1}', {"loss": 1.0, "memory": 3.0}),
        ('{"loss": 7}\n0.25', {"loss": 0.25, "memory": None}),
    ],
)
def test_the_last_line_is_read_and_what_nobody_declared_passed_over(text, values):
    found = printing(text, objectives=(Minimize("loss"), Tracked("memory"))).evaluate(POINT)
    assert found == {metric: value for metric, value in values.items() if value is not None}
    assert all(type(value) is float for value in found.values())


def test_patterns_find_the_last_place_that_matches_on_either_side_of_a_megabyte():
    chatter = "print('loss = 9\\nloss = 1.5e-3 after ' + 'x' * 100); print('y' * 900_000); print('acc: 0.9')"
    parse = Patterns({"loss": r"^loss = (\S+)", "accuracy": r"acc: (\S+)"})
    wanted = (Minimize("loss"), OutcomeConstraint("accuracy", lower=0.5))
    assert python(chatter, objectives=wanted, parse=parse).evaluate(POINT) == {"loss": 1.5e-3, "accuracy": 0.9}
    far = chatter.replace("900_000", "1_100_000")
    with pytest.raises(EvaluationError, match=r"gave no \['loss'\]"):
        python(far, objectives=wanted, parse=parse).evaluate(POINT)
    with pytest.raises(EvaluationError, match="could not convert string to float: 'oops'"):
        printing("loss = oops", parse=Patterns({"loss": r"loss = (\S+)"})).evaluate(POINT)
    with pytest.raises(ValueError, match="one group"):
        Patterns({"loss": r"loss = \S+"})


def test_a_file_that_the_program_writes_is_read():
    write = "import sys; open(sys.argv[1], 'w').write(sys.argv[2]); print('99')"
    values = '{{\n "loss": 4\n}}'
    assert python(write, "{values_file}", values).evaluate(POINT) == {"loss": 4.0}
    assert python(write, "{values_file}", "loss 6", parse=Patterns({"loss": "loss (.)"})).evaluate(POINT) == {
        "loss": 6.0
    }
    with pytest.raises(EvaluationError, match="wrote no file of values"):
        python("pass", "{values_file}").evaluate(POINT)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "gave no JSON"),
        ("done", "gave no JSON.*got 'done'"),
        ('{"los": 1}', r"gave no \['loss'\]: got \{'los': 1\}"),
        ("[1]", r"no finite numbers: got \{'loss': \[1\]\}"),
        ('{"loss": NaN}', r"no finite numbers: got \{'loss': nan\}"),
        ('{"loss": -Infinity}', r"\{'loss': -inf\}"),
        ('{"loss": "0.5"}', r"\{'loss': '0.5'\}"),
        ('{"loss": null}', r"\{'loss': None\}"),
        ('{"loss": true}', r"\{'loss': True\}"),
        ('{"loss": 1%s}' % ("0" * 400), "no finite numbers"),
    ],
)
def test_what_is_no_value_is_an_error_that_names_the_metric(text, message):
    with pytest.raises(EvaluationError, match=f"(?s){message}"):
        printing(text).evaluate(POINT)


def test_a_bare_number_serves_one_metric_alone():
    with pytest.raises(EvaluationError, match=r"gave no \['loss', 'size'\]: got 0.5"):
        printing("0.5", objectives=(Minimize("loss"), OutcomeConstraint("size", upper=1))).evaluate(POINT)


def test_an_exit_code_is_told_with_the_last_lines_of_stderr():
    code = "import sys; print('0.5'); [print('line', k, file=sys.stderr) for k in range(40)]; sys.exit(4)"
    with pytest.raises(EvaluationError, match=r"(?s)ended with exit code 4\..*last:\nline 30\n.*line 39$") as caught:
        python(code).evaluate(POINT)
    assert not isinstance(caught.value, InvalidPointError)
    with pytest.raises(InvalidPointError, match="says by exit code 4 that the point is invalid"):
        python(code, invalid_codes=(3, 4)).evaluate(POINT)


@pytest.mark.skipif(os.name != "posix", reason="signals are those of POSIX")
def test_a_program_that_a_signal_ended_is_told_by_its_name():
    with pytest.raises(EvaluationError, match=r"was ended by SIGSEGV\.$"):
        python("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)").evaluate(POINT)


CHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
print(child.pid, flush=True)
"""


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks into /proc")  # noqa: PTH112
def test_what_takes_too_long_is_killed_with_what_it_had_started():
    begun = time.monotonic()
    with pytest.raises(EvaluationError, match=r"(?s)took more than 1 s and was killed\..*last:\n\d+$") as caught:
        python(CHILD + "child.wait()", timeout_s=1).evaluate(POINT)
    assert time.monotonic() - begun < 20
    child = int(str(caught.value).rsplit("\n", 1)[1])
    _until(lambda: not _is_alive(child))


def _is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
            return file.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="looks into /proc")  # noqa: PTH112
def test_a_program_does_not_outlive_the_process_that_waits_for_it(tmp_path):
    program = "import os, time; open('pid.txt', 'w').write(str(os.getpid())); time.sleep(60)"
    waits = f"""
import sys
from bbo import Float, Minimize, Space
from bbo.problems import Program
space = Space((Float("x", 0, 1),))
Program([sys.executable, "-c", {program!r}], space, [Minimize("y")]).evaluate({{"x": 0.5}})
"""
    waiting = subprocess.Popen([sys.executable, "-c", waits], cwd=tmp_path)
    pid = tmp_path / "pid.txt"
    _until(lambda: pid.exists() and pid.read_text())
    assert _is_alive(int(pid.read_text()))
    waiting.kill()
    waiting.wait()
    _until(lambda: not _is_alive(int(pid.read_text())))


def _until(condition):
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.mark.skipif(os.name != "posix", reason="kills by POSIX")
def test_a_child_that_outlives_its_program_is_not_waited_for():
    begun = time.monotonic()
    found = python(CHILD).evaluate(POINT)
    os.kill(int(found["loss"]), signal.SIGKILL)
    assert time.monotonic() - begun < 20


def test_a_program_that_is_not_there_or_cannot_be_started_is_named(tmp_path):
    with pytest.raises(EvaluationError, match="There is no program 'no-such-program' on this machine"):
        Program(["no-such-program"], SPACE, LOSS).evaluate(POINT)
    with pytest.raises(EvaluationError, match=r"There is no folder '.*nowhere' to run"):
        python("print(1)", folder=tmp_path / "nowhere").evaluate(POINT)
    script = tmp_path / "script"
    script.write_text("print(1)")
    script.chmod(stat.S_IRUSR)
    with pytest.raises(EvaluationError, match="cannot be started"):
        Program([str(script)], SPACE, LOSS).evaluate(POINT)


def test_it_runs_in_its_folder_with_its_environment(tmp_path):
    (tmp_path / "loss.txt").write_text("2")
    code = "import os; print(float(open('loss.txt').read()) + float(os.environ['MORE']))"
    assert python(code, folder=tmp_path, environment={"MORE": "0.5"}).evaluate(POINT) == {"loss": 2.5}


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train --lr={lr}", "A command is a list.*no shell reads it"),
        ([], "A command is a list"),
        (["train", "{lr}", "{depht}"], r"got \['depht'\]"),
        (["train", "{lr}"], r"leaves out \['depth', 'kind'\]"),
        (["train", "{lr}", "{depth}", "{kind.__class__}"], r"got \['kind.__class__'\]"),
        (["train", "{lr!r}", "{depth}", "{kind}"], r"got \['lr!r'\]"),
        (["train", "{lr"], r"'\{lr' in the command: .*Braces themselves are \{\{ and \}\}"),
        (["train", '{"lr": 1}'], "Braces themselves are"),
    ],
)
def test_an_impossible_command_is_refused(command, message):
    with pytest.raises(ValueError, match=f"(?s){message}"):
        Program(command, SPACE, LOSS)


def test_names_with_two_meanings_and_fidelities_that_nobody_hears_of_are_refused():
    space = Space((Float("seed", 0.0, 1.0),))
    with pytest.raises(ValueError, match=r"\['seed'\] can mean two things"):
        Program(["train", "{seed}"], space, LOSS)
    assert Program(["train"], space, LOSS).space == space
    with pytest.raises(ValueError, match=r"leaves out \['epochs'\]"):
        Program(["train", "{lr}{depth}{kind}"], SPACE, LOSS, fidelities=(EPOCHS,))


@pytest.mark.parametrize(("options", "message"), [({"timeout_s": 0}, "timeout_s"), ({"invalid_codes": (0,)}, "code 0")])
def test_impossible_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Program(["train"], SPACE, LOSS, **options)


def test_a_point_outside_the_space_starts_nothing():
    with pytest.raises(SpaceError):
        Program(["no-such-program"], SPACE, LOSS).evaluate({**POINT, "depth": 10})


def test_a_study_says_which_points_are_invalid():
    code = "import json, sys; lr = json.load(sys.stdin)['params']['lr']; sys.exit(3) if lr < 1e-3 else print(lr)"
    study = Study(SPACE, Minimize("loss"), strategy=RandomSearch(), seed=2)
    study.run(pickle.loads(pickle.dumps(python(code, invalid_codes=(3,)))), 6, progress=False)
    assert {t.status for t in study.trials} == {Status.COMPLETED, Status.FAILED}
    for trial in study.trials:
        assert (trial.status is Status.FAILED) == (trial["lr"] < 1e-3)
        if trial.status is Status.FAILED:
            assert trial.reason is FailureReason.INVALID
            assert "exit code 3" in trial.message
            assert "Traceback" not in trial.message
