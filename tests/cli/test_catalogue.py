"""`bbo problems` and `bbo strategies`, and what the quick commands load."""

import subprocess
import sys

import pytest

from bbo.problems import PROBLEMS, make
from bbo.strategies import STRATEGIES


def test_every_problem_is_listed_with_its_dimension_goal_and_best_known_value(bbo):
    said = bbo("problems").stdout
    assert all(name in said for name in PROBLEMS)
    row = next(line for line in said.splitlines() if line.split()[:1] == ["welded-beam"])
    assert row.split() == ["welded-beam", "4", "minimize", "cost,", "5", "constraints", "2.38113"]
    assert all(family in said.splitlines() for family in ("synthetic", "engineering", "machine learning"))
    assert max(map(len, said.splitlines())) <= 80


def test_plain_lists_are_a_name_a_line(bbo):
    assert bbo("problems", "--plain").stdout.splitlines() == list(PROBLEMS)
    assert bbo("strategies", "--plain").stdout.splitlines() == list(STRATEGIES)


def test_every_strategy_is_listed_with_what_it_is(bbo):
    said = bbo("strategies").stdout
    assert all(name in said.splitlines() for name in STRATEGIES)
    assert "Scrambled Sobol points" in said


def test_strategies_for_a_problem_say_which_take_it_and_why_others_do_not(bbo, monkeypatch):
    class Two:
        """A problem with two objectives."""

        space, objectives = PROBLEMS["branin"]().space, ()

    from bbo.objective import Maximize, Minimize

    Two.objectives = (Minimize("cost"), Maximize("strength"))
    monkeypatch.setitem(PROBLEMS, "two", Two)
    said = bbo("strategies", "--for", "two").stdout
    assert "GP  refuses it" in said
    assert "takes one objective, the study has ['cost', 'strength']" in " ".join(said.split())
    assert "SobolSearch  takes it" in said
    assert "GP" not in bbo("strategies", "--for", "two", "--plain").stdout.split()


def test_strategies_for_an_unknown_problem_is_an_error_with_near_names(bbo):
    result = bbo("strategies", "--for", "brannin")
    assert result.exit_code == 2
    assert result.stderr.startswith("error: There is no problem named 'brannin'. Did you mean 'branin'")


@pytest.mark.parametrize("arguments", [["--help"], ["problems", "--plain"], ["run", "--help"], ["problems"]])
def test_quick_commands_load_neither_torch_nor_pandas(arguments):
    code = (
        "import sys\n"
        "from bbo.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print([m for m in ('torch', 'pandas', 'matplotlib', 'sklearn') if m in sys.modules], file=sys.stderr)"
    )
    child = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert child.stderr.strip() == "[]"


def test_the_help_names_every_command_and_the_version_is_the_packages(bbo):
    said = bbo("--help").stdout
    laboratory = "new ask tell pending fail cancel amend note rank predict budget"
    for command in f"{laboratory} run worker status best export plot verify copy problems strategies".split():
        assert f"\n  {command} " in said
    assert bbo("-h").stdout == said
    assert bbo("--version").stdout.startswith("bbo ")


def test_the_installed_command_is_this_one():
    from importlib.metadata import entry_points

    from bbo.cli import main

    (installed,) = entry_points(group="console_scripts", name="bbo")
    assert installed.load() is main


@pytest.mark.parametrize("name", ["welded-beam", "branin", "car-side-impact"])
def test_a_card_says_what_is_known_of_a_problem(bbo, name):
    said = " ".join(bbo("problems", name).stdout.split())
    problem = make(name)
    assert all(p in said for p in problem.space.names)
    assert problem.card.source in said
    assert problem.card.known in said
    assert "one evaluation" in said
    assert f"bbo run {name}" in said


def test_a_card_of_a_table_has_its_fidelities_costs_and_licence(bbo, generated_tables):
    said = " ".join(bbo("problems", "regmix").stdout.split())
    assert "model_size 1e+06, 6e+07 parameters" in said
    assert "at the least fidelity 0.0166667, in training runs of the large model" in said
    assert "MIT, of the repository sail-sg/regmix" in said
    assert "https://arxiv.org/abs/2407.01492" in said


def test_a_card_is_printed_where_the_table_cannot_be_had(bbo, monkeypatch):
    monkeypatch.setenv("BBO_DATA", "nowhere")
    said = " ".join(bbo("problems", "admire").stdout.split())
    assert "one evaluation cannot be had here: BBO_DATA=nowhere has no" in said
    assert "CC BY-NC-SA 4.0: no commercial use" in said


def test_a_card_of_an_unknown_problem_is_an_error_with_near_names(bbo):
    result = bbo("problems", "brannin")
    assert (result.exit_code, result.stderr.startswith("error: There is no problem named 'brannin'")) == (2, True)
