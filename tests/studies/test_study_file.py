"""Study files: what they may say, what they may not, and that the same file gives the same study."""

import contextlib
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bbo.acquisition.optimism import UCB, Thompson
from bbo.acquisition.utilities import log_pi
from bbo.budget import Budget, GainBelow, GainBelowNoise
from bbo.errors import StudyExistsError, StudyFileError
from bbo.objective import Maximize, OutcomeConstraint, Target, Tracked
from bbo.space import Categorical, Float, Int, Ordinal
from bbo.storage import MemoryStorage
from bbo.strategies import GP, LatinHypercube, RandomSearch
from bbo.studies.study_file import read_study_file
from bbo.surrogates.exact_gp import ExactGP
from bbo.surrogates.priors import SAAS

EVERYTHING = """
[study]
name = "coupling"
seed = 7
storage = "lab.db"

[[parameter]]
kind = "float"
name = "temperature"
low = 40
high = 120
step = 5.0
unit = "degC"

[[parameter]]
kind = "float"
name = "catalyst"
low = 0.5
high = 5
log = true

[[parameter]]
kind = "int"
name = "washes"
low = 1
high = 4

[[parameter]]
kind = "ordinal"
name = "stirring"
values = [200, 400, 800]
unit = "rpm"

[[parameter]]
kind = "categorical"
name = "solvent"
choices = ["DMF", "toluene", "dioxane"]

[[objective]]
kind = "maximize"
metric = "yield"
unit = "%"

[[constraint]]
metric = "selectivity"
lower = 90
unit = "%"

[[tracked]]
metric = "colour"

[strategy]
name = "GP"
n_first = 6
first = {name = "LatinHypercube", size = 6}
surrogate = {name = "ExactGP", subset = 300}

[budget]
trials = 40
cost = 1500
hours = 12

[[budget.stop]]
kind = "gain_below"
gain = 0.5

[[budget.stop]]
kind = "gain_below_noise"
patience = 4
"""
SMALL = """
[[parameter]]
kind = "float"
name = "x"
low = 0
high = 1

[[objective]]
kind = "minimize"
metric = "y"

[strategy]
name = "RandomSearch"
"""


@pytest.fixture
def file(tmp_path):
    """Writes a study file and gives its path."""

    def write(text, name="study.toml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_a_file_says_what_its_objects_say_in_python(file):
    found = read_study_file(file(EVERYTHING))
    assert found.space.parameters == (
        Float("temperature", 40.0, 120.0, step=5.0, unit="degC"),
        Float("catalyst", 0.5, 5.0, log=True),
        Int("washes", 1, 4),
        Ordinal("stirring", [200, 400, 800], unit="rpm"),
        Categorical("solvent", ["DMF", "toluene", "dioxane"]),
    )
    assert found.objectives.wanted == (
        Maximize("yield", unit="%"),
        OutcomeConstraint("selectivity", lower=90.0, unit="%"),
        Tracked("colour"),
    )
    assert (found.name, found.seed, found.storage) == ("coupling", 7, "lab.db")
    assert isinstance(found.strategy, GP)
    assert (found.strategy.n_first, found.strategy.first) == (6, LatinHypercube(size=6))
    assert found.strategy.surrogate.subset == 300
    rules = (GainBelow(0.5), GainBelowNoise(patience=4))
    assert found.budget == Budget(trials=40, cost=1500.0, seconds=12 * 3600.0, stop=rules)


def test_what_a_file_leaves_open_is_left_open_and_the_name_is_the_files(file):
    found = read_study_file(file(SMALL.partition("[strategy]")[0], "first try.toml"))
    assert found.name == "first try"
    assert (found.strategy, found.budget, found.seed, found.storage) == (None, None, None, None)


def test_a_prior_is_given_by_its_name_with_its_options(file):
    sparse = 'surrogate = {name = "ExactGP", length_scale = {name = "SAAS", alpha = 0.03}}'
    found = read_study_file(file(EVERYTHING.replace('surrogate = {name = "ExactGP", subset = 300}', sparse)))
    assert found.strategy.surrogate == ExactGP(length_scale=SAAS(0.03))
    with pytest.raises(StudyFileError, match="ExactGP takes for noise a prior"):
        read_study_file(file(EVERYTHING.replace("subset = 300", 'noise = {name = "SAAS"}')))


def test_an_acquisition_is_given_by_its_name_with_its_options(file):
    bare = EVERYTHING.replace(
        'surrogate = {name = "ExactGP", subset = 300}', 'acquisition = {name = "UCB", beta = 2.0}'
    )
    assert read_study_file(file(bare)).strategy.acquisition == UCB(beta=2.0)
    for name, meant in (("log_pi", log_pi), ("Thompson", Thompson())):
        named = bare.replace('{name = "UCB", beta = 2.0}', f'{{name = "{name}"}}')
        assert read_study_file(file(named)).strategy.acquisition == meant
    with pytest.raises(StudyFileError, match="acquisition"):
        read_study_file(file(bare.replace("UCB", "ExactGP")))


@pytest.mark.parametrize(("word", "seconds"), [("seconds = 90", 90.0), ("hours = 0.5", 1800.0), ("days = 2", 172800.0)])
def test_time_is_given_in_seconds_hours_or_days(file, word, seconds):
    assert read_study_file(file(f"{SMALL}\n[budget]\n{word}\n")).budget == Budget(seconds=seconds)


def test_a_target_has_its_value_and_tolerance(file):
    text = SMALL.replace('"minimize"', '"target"').replace('metric = "y"', 'metric = "y"\nvalue = 7\ntolerance = 0.5')
    assert read_study_file(file(text)).objectives.aims == (Target("y", 7.0, 0.5),)


WRONG = [
    ("low = 40", 'low = "warm"', "1st [[parameter]] 'temperature': low should be a valid number, got 'warm'."),
    ("low = 40", "lov = 40", "1st [[parameter]] 'temperature' has an unknown key 'lov', did you mean low"),
    ("low = 0.5", "", "2nd [[parameter]] 'catalyst': low is missing."),
    ("high = 4", "high = 0", "3rd [[parameter]] 'washes': Int 'washes': low must be below high"),
    ('kind = "int"', 'kind = "intt"', "3rd [[parameter]] 'washes' needs a kind, one of float, int, ordinal, "),
    ("values = [200, 400, 800]", "values = [200, [4]]", "4th [[parameter]] 'stirring': values[1] cannot be [4]."),
    ("values = [200, 400, 800]", "values = 2026-01-01", "4th [[parameter]] 'stirring': values should be "),
    ('"toluene"', '"DMF"', "5th [[parameter]] 'solvent': Categorical 'solvent': 'DMF' stands twice in choices."),
    ('name = "catalyst"', 'name = "temperature"', "[[parameter]]: Two parameters are named 'temperature'"),
    ("[[constraint]]", "[constraint]", "write [[constraint]], in two brackets, before each of them"),
    ("[study]", "[[study]]", "write [study], in one bracket, once"),
    ("lower = 90", "", "1st [[constraint]] 'selectivity': OutcomeConstraint 'selectivity': give lower=, upper="),
    ('metric = "yield"', 'metric = "washes"', "'washes' is both a parameter and a metric"),
    ("n_first", "n_frist", "[strategy] GP has an unknown key 'n_frist', did you mean n_first"),
    ("n_first = 6", 'n_first = "six"', "[strategy] GP: n_first: it should be a valid integer, got 'six'."),
    ("n_first = 6", "n_first = {size = 6}", "[strategy] GP: n_first takes no table"),
    ("size = 6", "size = 0", "[strategy]: LatinHypercube needs a size of at least 1: got 0."),
    ('name = "LatinHypercube", size = 6', 'name = "ExactGP"', "[strategy] GP: first needs a name, one of GP, "),
    ('{name = "LatinHypercube", size = 6}', '"sobol"', "[strategy] GP: first is written as a table"),
    ("subset", "subsett", "[strategy] GP: surrogate ExactGP has an unknown key 'subsett', did you mean subset"),
    ('name = "GP"', 'name = "gp"', "[strategy] needs a name, one of GP, ModelBased, SobolSearch"),
    ('name = "GP"', 'name = "os.system"', "[strategy] needs a name, one of GP, ModelBased, SobolSearch"),
    ("trials = 40", "trials = 0", "[budget]: trials should be greater than or equal to 1, got 0."),
    ("hours = 12", "hours = 12\ndays = 1", "[budget]: give one of seconds, hours, days, got hours and days."),
    ("hours = 12", "hours = -1", "[budget] hours should be a number above 0, got -1."),
    ("[budget]", "[bugdet]", "the file has an unknown table 'bugdet', did you mean budget?"),
    ("gain = 0.5", "", "1st [[budget.stop]]: gain is missing."),
    ('"gain_below_noise"', '"gian_below"', "2nd [[budget.stop]] needs a kind, one of gain_below, gain_below_noise"),
    ("seed = 7", "seed = -7", "[study] seed: A seed is a whole number of at least 0: got -7."),
    ('name = "coupling"', "name = 3", "[study] name should be text, got 3."),
    ("[study]", "[study", "it is not TOML: "),
    ("low = 40", "low = nan", "1st [[parameter]] 'temperature': low should be a finite number, got nan."),
]


@pytest.mark.parametrize(("before", "after", "said"), WRONG, ids=[f"{row[0]} to {row[1]}" for row in WRONG])
def test_what_is_wrong_is_named_with_file_table_and_field(file, before, after, said):
    assert before in EVERYTHING
    path = file(EVERYTHING.replace(before, after, 1))
    with pytest.raises(StudyFileError, match=re.escape(f"{path}: ")) as raised:
        read_study_file(path)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xfe[\0s\0", "line 1 is not UTF-8 text"),
        (b"[study]\nname = '\xe9'", "line 2 is not UTF-8 text"),
        (b"", "A space needs at least one parameter, got none."),
        (b"x = " + b"[" * 100_000, "nested too deeply"),
        (b"#" * 1_100_000, "it has more than 1,000 kB"),
    ],
)
def test_a_file_that_is_no_study_file_is_an_error(tmp_path, content, said):
    path = tmp_path / "study.toml"
    path.write_bytes(content)
    with pytest.raises(StudyFileError, match=re.escape(said)):
        read_study_file(path)


def test_a_missing_file_and_a_folder_are_errors(tmp_path):
    with pytest.raises(StudyFileError, match="it cannot be read"):
        read_study_file(tmp_path / "none.toml")
    with pytest.raises(StudyFileError, match="it is a folder"):
        read_study_file(tmp_path)


def test_the_same_file_again_gives_the_same_study_and_an_unchanged_log(file):
    storage, path = MemoryStorage(), file(EVERYTHING.replace('name = "GP"', 'name = "GP"  # as ever'))
    with read_study_file(path).open(storage) as study:
        study.ask(2)
        before = storage.events("coupling")
    with read_study_file(path).open(storage) as again:
        assert len(again.trials) == 2
    assert storage.events("coupling") == before


CHANGED = [
    ("high = 1", "high = 2", "high=1.0"),
    ('"minimize"', '"maximize"', "Minimize"),
    ('metric = "y"', 'metric = "y"\n[[tracked]]\nmetric = "z"', "Tracked"),
    ('"RandomSearch"', '"SobolSearch"', "strategy: RandomSearch against SobolSearch"),
    ("trials = 8", "trials = 9", "budget: Budget(trials=8"),
    ("seed = 1", "seed = 2", "seed: 1 against 2"),
]


@pytest.mark.parametrize(("before", "after", "said"), CHANGED, ids=[after for _, after, _ in CHANGED])
def test_a_changed_file_is_an_error_that_says_in_what(file, before, after, said):
    storage = MemoryStorage()
    text = f'[study]\nname = "s"\nseed = 1\n[budget]\ntrials = 8\n{SMALL}'
    read_study_file(file(text)).open(storage).close()
    events = storage.events("s")
    changed = read_study_file(file(text.replace(before, after, 1)))
    with pytest.raises(StudyExistsError, match=re.escape(said)):
        changed.open(storage)
    assert storage.events("s") == events


def test_what_a_file_leaves_open_is_no_difference(file):
    storage = MemoryStorage()
    text = f'[study]\nname = "s"\nseed = 1\n{SMALL}'
    with read_study_file(file(text)).open(storage) as study:
        study.set_budget(Budget(trials=3))
    bare = text.replace("seed = 1\n", "").replace('[strategy]\nname = "RandomSearch"', "")
    with read_study_file(file(bare)).open(storage) as again:
        assert again.budget == Budget(trials=3)
        assert isinstance(again.strategy, RandomSearch)


PIECES = re.findall(r"\w+|[^\w\s]|\s+", EVERYTHING)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PIECES), inner, max_size=3),
    max_leaves=6,
)


def toml(value):
    """A value as TOML text; None, which TOML lacks, as text."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(str(value) if value is None else value, ensure_ascii=True)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, len(PIECES) - 1), span=st.integers(0, 4), piece=st.sampled_from(PIECES) | st.text(max_size=3))
def test_a_mutated_file_is_read_or_gives_the_documented_error(tmp_path, at, span, piece):
    text = "".join([*PIECES[:at], piece, *PIECES[at + span :]])
    path = tmp_path / "study.toml"
    path.write_bytes(text.encode("utf-8", "replace"))
    with contextlib.suppress(StudyFileError):
        read_study_file(path)


LINES = [line for line in EVERYTHING.splitlines() if line]


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.sampled_from([k for k, line in enumerate(LINES) if "=" in line]), value=JSON)
def test_a_value_of_any_form_is_taken_or_gives_the_documented_error(tmp_path, at, value):
    key = LINES[at].partition("=")[0]
    path = tmp_path / "study.toml"
    path.write_text("\n".join([*LINES[:at], f"{key} = {toml(value)}", *LINES[at + 1 :]]), encoding="utf-8")
    with contextlib.suppress(StudyFileError):
        read_study_file(path)
