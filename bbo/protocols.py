"""What each kind of part must offer. A class needs no base: it fits when it has these methods.

`Surrogate` stands with the surrogates (`bbo.surrogates.protocol`), where torch starts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from bbo.history import Array, History
from bbo.objective import Objective, OutcomeConstraint, Tracked
from bbo.space import Space
from bbo.trial import Suggestion


@dataclass(frozen=True)
class Prediction:
    """What a model expects at some points, `n`.

    Args:
        mean, sd: by metric, in the user's units, without noise, each `n`.
        feasibility: probability that the evaluation succeeds and satisfies every constraint, `n`; None where there are
            no constraints and nothing failed.
    """

    mean: dict[str, Array]
    sd: dict[str, Array]
    feasibility: Array | None


class Strategy(Protocol):
    """Proposes points.

    May also have:

    | name | gives |
    |---|---|
    | `refuses(space, objectives) -> str or None` | why it cannot take a study, and what can |
    | `recommend(history) -> int or None` | number of the trial to use in the end |
    | `predict(history, points) -> Prediction` | what its model expects at points that were checked |
    | `leave_one_out(history) -> Prediction` | what it expects of each completed trial from all the others |
    | `foretells`, a set of names | those of the notes `gain`, `noise`, `regret` that it leaves for stop rules |
    """

    def suggest(self, history: History, n: int, *, seed: int) -> list[Suggestion]:
        """At most `n` points, distinct and untried; a function of its arguments alone.

        Args:
            history: what is known, pending trials included; what is given for this ask is fixed in its space, and where
                it is a context, its `incumbent` is that of the context.
            seed: of this call; the only source of randomness beside `history.seed`.
        Returns:
            `n` suggestions, or fewer (even none) when it must wait for pending trials or the space has no more.
        """
        ...


class Problem(Protocol):
    """A pure function and what is known about it.

    May also have:

    | name | gives |
    |---|---|
    | `name` | the class's name otherwise |
    | `best_value` | of the best feasible point known, in the user's direction, at full fidelity |
    | `optima` | points that attain it, values in the order of the space |
    | `card` | what is known of it, for people: a `bbo.problems.card.Card` |
    | `fidelities` | ways to pay for less, `bbo.fidelity.Fidelity` each; `evaluate` takes values by their names |
    | `cost(params, fidelity) -> float` | what an evaluation costs, in the unit of `card.cost_unit` |
    | `curve(params, *, fidelity, seed)` | yields (step, values) on the way of one evaluation: see below |

    A step of a curve is a whole number and a value of the first fidelity. An evaluation at that fidelity gives the same
    values, to the bit, and the last step is that which is paid for: `trial.report(values, step)` for each, and the
    trial has its learning curve.
    """

    @property
    def space(self) -> Space: ...

    @property
    def objectives(self) -> Sequence[Objective | OutcomeConstraint | Tracked]: ...

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        """Values by metric, a function of the arguments alone.

        Raises:
            SpaceError: params outside the space.
            FidelityError: where it has `fidelities`, another one or a value that is none of them; without any it may
                pass over the argument.
        """
        ...
