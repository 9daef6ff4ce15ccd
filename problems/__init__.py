"""The list of problems, by the names of the command line, a family after the other.

`make("welded-beam")` gives the problem; `from bbo.problems import WeldedBeam` gives its class. A module is imported
when the first of its problems is asked for.
"""

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the protocols load the history, and listing the names needs neither
    from bbo.protocols import Problem


@dataclass(frozen=True)
class Entry:
    """Where a problem is defined; calling it makes the problem.

    Args:
        module: within `bbo.problems`; its first part is the family.
        class_name: makes the problem without arguments.
        extra: of bbo's optional dependencies that evaluating needs, as in pip install 'bbo[sklearn]'.
        data: whether it stands on a table that is fetched on first use; its space is not known before.
    """

    module: str
    class_name: str
    extra: str = ""
    data: bool = False

    def __call__(self) -> "Problem":
        problem: Problem = self.load()()
        return problem

    def load(self) -> Any:
        """The problem's class."""
        return getattr(importlib.import_module(f"bbo.problems.{self.module}"), self.class_name)

    @property
    def family(self) -> str:
        return self.module.partition(".")[0].replace("_", " ")

    @property
    def description(self) -> str:
        """What the problem is, in a line."""
        return str(self.load().__doc__).partition("\n")[0]


PROBLEMS: dict[str, Entry] = {
    "ackley": Entry("synthetic", "Ackley"),
    "branin": Entry("synthetic", "Branin"),
    "griewank": Entry("synthetic", "Griewank"),
    "hartmann3": Entry("synthetic", "Hartmann3"),
    "hartmann6": Entry("synthetic", "Hartmann6"),
    "levy": Entry("synthetic", "Levy"),
    "rastrigin": Entry("synthetic", "Rastrigin"),
    "rosenbrock": Entry("synthetic", "Rosenbrock"),
    "styblinski-tang": Entry("synthetic", "StyblinskiTang"),
    "g06": Entry("constrained", "G06"),
    "g09": Entry("constrained", "G09"),
    "compression-spring": Entry("engineering.compression_spring", "CompressionSpring"),
    "hot-plate": Entry("engineering.hot_plate", "HotPlate"),
    "pressure-vessel": Entry("engineering.pressure_vessel", "PressureVessel"),
    "speed-reducer": Entry("engineering.speed_reducer", "SpeedReducer"),
    "tapered-cantilever": Entry("engineering.tapered_cantilever", "TaperedCantilever"),
    "three-bar-truss": Entry("engineering.three_bar_truss", "ThreeBarTruss"),
    "welded-beam": Entry("engineering.welded_beam", "WeldedBeam"),
    "welded-beam-coello": Entry("engineering.welded_beam", "WeldedBeamCoello"),
    "snar-reactor": Entry("chemistry.snar", "SnArReactor"),
    "cg-preconditioner": Entry("solvers.conjugate_gradients", "CGPreconditioner"),
    "sor-context": Entry("solvers.relaxation", "SORContext"),
    "sor-stream": Entry("solvers.relaxation", "SORStream"),
    "step-law": Entry("scaling", "StepLaw"),
    "gradient-boosting-diabetes": Entry("machine_learning", "GradientBoostingDiabetes", extra="sklearn"),
    "mlp-digits": Entry("machine_learning", "MLPDigits", extra="sklearn"),
    "random-forest-breast-cancer": Entry("machine_learning", "RandomForestBreastCancer", extra="sklearn"),
    "svm-digits": Entry("machine_learning", "SVMDigits", extra="sklearn"),
}

_CLASSES = {entry.class_name: entry for entry in PROBLEMS.values()} | {
    name: Entry("wrappers", name)
    for name in ("Categorized", "Delayed", "Embedded", "EvaluationError", "Failing", "Moved", "Noisy")
}
__all__ = ["PROBLEMS", "Entry", "make", *_CLASSES]


def make(name: str) -> "Problem":
    """The problem of that name, with its defaults.

    Raises:
        ValueError: no such name; says which are near.
    """
    if name not in PROBLEMS:
        near = difflib.get_close_matches(name.lower().replace("_", "-"), PROBLEMS, cutoff=0.5)
        hint = f"Did you mean {' or '.join(map(repr, near))}?" if near else f"The names are: {', '.join(PROBLEMS)}."
        raise ValueError(f"There is no problem named {name!r}. {hint}")
    return PROBLEMS[name]()


def __getattr__(name: str) -> Any:
    if name not in _CLASSES:
        raise AttributeError(f"module 'bbo.problems' has no attribute {name!r}; it offers {', '.join(__all__)}.")
    value = _CLASSES[name].load()
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
