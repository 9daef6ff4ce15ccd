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
    "michalewicz": Entry("synthetic", "Michalewicz"),
    "rastrigin": Entry("synthetic", "Rastrigin"),
    "rosenbrock": Entry("synthetic", "Rosenbrock"),
    "shekel": Entry("synthetic", "Shekel"),
    "six-hump-camel": Entry("synthetic", "SixHumpCamel"),
    "styblinski-tang": Entry("synthetic", "StyblinskiTang"),
    "constrained-ackley": Entry("constrained", "ConstrainedAckley"),
    "g06": Entry("constrained", "G06"),
    "g09": Entry("constrained", "G09"),
    "gkxwc1": Entry("constrained", "GKXWC1"),
    "gkxwc2": Entry("constrained", "GKXWC2"),
    "jlh1": Entry("constrained", "JLH1"),
    "jlh2": Entry("constrained", "JLH2"),
    "keane-bump": Entry("constrained", "KeaneBump"),
    "cantilever-beam": Entry("engineering.cantilever_beam", "CantileverBeam"),
    "car-side-impact": Entry("engineering.car_side_impact", "CarSideImpact"),
    "car-side-impact-yu": Entry("engineering.car_side_impact", "CarSideImpactYu"),
    "compression-spring": Entry("engineering.compression_spring", "CompressionSpring"),
    "compression-spring-yu": Entry("engineering.compression_spring", "CompressionSpringYu"),
    "concrete-beam": Entry("engineering.concrete_beam", "ConcreteBeam"),
    "concrete-beam-yu": Entry("engineering.concrete_beam", "ConcreteBeamYu"),
    "four-bar-truss": Entry("engineering.four_bar_truss", "FourBarTruss"),
    "four-bar-truss-tanabe": Entry("engineering.four_bar_truss", "FourBarTrussTanabe"),
    "heat-exchanger": Entry("engineering.heat_exchanger", "HeatExchanger"),
    "heat-exchanger-yu": Entry("engineering.heat_exchanger", "HeatExchangerYu"),
    "hot-plate": Entry("engineering.hot_plate", "HotPlate"),
    "pressure-vessel": Entry("engineering.pressure_vessel", "PressureVessel"),
    "pressure-vessel-yu": Entry("engineering.pressure_vessel", "PressureVesselYu"),
    "speed-reducer": Entry("engineering.speed_reducer", "SpeedReducer"),
    "speed-reducer-yu": Entry("engineering.speed_reducer", "SpeedReducerYu"),
    "tapered-cantilever": Entry("engineering.tapered_cantilever", "TaperedCantilever"),
    "three-bar-truss": Entry("engineering.three_bar_truss", "ThreeBarTruss"),
    "vehicle-crashworthiness": Entry("engineering.vehicle_crashworthiness", "VehicleCrashworthiness"),
    "welded-beam": Entry("engineering.welded_beam", "WeldedBeam"),
    "welded-beam-coello": Entry("engineering.welded_beam", "WeldedBeamCoello"),
    "welded-beam-yu": Entry("engineering.welded_beam", "WeldedBeamYu"),
    "alkylation-deprotection": Entry("chemistry.reactions", "AlkylationDeprotection", data=True),
    "amide-coupling": Entry("chemistry.reactions", "AmideCoupling", data=True),
    "buchwald-hartwig": Entry("chemistry.reactions", "BuchwaldHartwig", data=True),
    "chan-lam": Entry("chemistry.reactions", "ChanLam", data=True),
    "chan-lam-selectivity": Entry("chemistry.reactions", "ChanLamSelectivity", data=True),
    "reductive-amination": Entry("chemistry.reactions", "ReductiveAmination", data=True),
    "snar-reactor": Entry("chemistry.snar", "SnArReactor"),
    "suzuki-conversion": Entry("chemistry.reactions", "SuzukiConversion", data=True),
    "suzuki-yield": Entry("chemistry.reactions", "SuzukiYield", data=True),
    "admire": Entry("mixtures.recorded", "Admire", data=True),
    "grammar-mixture": Entry("mixtures.trained", "GrammarMixture"),
    "grammar-mixture-worst": Entry("mixtures.trained", "GrammarMixtureWorst"),
    "mixing-laws": Entry("mixtures.recorded", "MixingLaws", data=True),
    "mixing-laws-redpajama": Entry("mixtures.recorded", "MixingLawsRedPajama", data=True),
    "regmix": Entry("mixtures.recorded", "RegMix", data=True),
    "regmix-law": Entry("mixtures.laws", "RegMixLaw", data=True),
    "slimpajama": Entry("mixtures.recorded", "SlimPajama", data=True),
    "deep-sea-treasure": Entry("reinforcement_learning.deep_sea_treasure", "DeepSeaTreasure", extra="rl"),
    "dqn-cartpole": Entry("reinforcement_learning.dqn", "DQNCartPole", extra="rl"),
    "ppo-acrobot": Entry("reinforcement_learning.ppo", "PPOAcrobot", extra="rl"),
    "ppo-cartpole": Entry("reinforcement_learning.ppo", "PPOCartPole", extra="rl"),
    "ppo-enduro": Entry("reinforcement_learning.curves", "PPOEnduro", data=True),
    "ppo-enduro-schedules": Entry("reinforcement_learning.curves", "PPOEnduroSchedules", data=True),
    "ppo-pendulum": Entry("reinforcement_learning.ppo", "PPOPendulum", extra="rl"),
    "ppo-pong": Entry("reinforcement_learning.curves", "PPOPong", data=True),
    "forest-digits-nodes": Entry("machine_learning.forests", "ForestDigitsNodes", extra="sklearn"),
    "gradient-boosting-diabetes": Entry(
        "machine_learning.gradient_boosting", "GradientBoostingDiabetes", extra="sklearn"
    ),
    "gradient-boosting-rows": Entry("machine_learning.gradient_boosting", "GradientBoostingRows", extra="sklearn"),
    "mlp-digits": Entry("machine_learning.networks", "MLPDigits", extra="sklearn"),
    "mlp-friedman": Entry("machine_learning.friedman", "MLPFriedman"),
    "pipeline-breast-cancer": Entry("machine_learning.pipelines", "PipelineBreastCancer", extra="sklearn"),
    "random-forest-breast-cancer": Entry("machine_learning.forests", "RandomForestBreastCancer", extra="sklearn"),
    "sgd-digits": Entry("machine_learning.linear", "SGDDigits", extra="sklearn"),
    "svm-digits": Entry("machine_learning.svm", "SVMDigits", extra="sklearn"),
    "astrasim": Entry("hardware", "AstraSim", data=True),
    "astrasim-reward": Entry("hardware", "AstraSimReward", data=True),
    "cg-preconditioner": Entry("solvers.conjugate_gradients", "CGPreconditioner"),
    "sor-context": Entry("solvers.relaxation", "SORContext"),
    "sor-stream": Entry("solvers.relaxation", "SORStream"),
    "step-law": Entry("scaling", "StepLaw"),
}

_WRAPPERS = (
    "Categorized",
    "Costly",
    "Delayed",
    "Embedded",
    "EvaluationError",
    "Failing",
    "Moved",
    "Noisy",
    "Relabelled",
)
_OWN = {"Card": "card", "Patterns": "program", "Program": "program", "Proxy": "proxy", "Tabular": "tabular"}
_CLASSES = {
    **{entry.class_name: entry for entry in PROBLEMS.values()},
    **{name: Entry("wrappers", name) for name in _WRAPPERS},
    **{name: Entry(module, name) for name, module in _OWN.items()},
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
