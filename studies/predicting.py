"""Predictions for given conditions, as a table: a row per point, two columns per metric."""

from typing import TYPE_CHECKING, Any

from bbo.errors import SpaceError, StrategyError
from bbo.history import History
from bbo.protocols import Prediction, Strategy
from bbo.space import Params, Space
from bbo.studies.cells import columns_of
from bbo.studies.frames import bookkeeping, params_of

if TYPE_CHECKING:
    import pandas as pd


def predict(strategy: Strategy, history: History, frame: "pd.DataFrame") -> "pd.DataFrame":
    """What the strategy's model expects at the points of a table; see `Study.predict`."""
    import pandas as pd

    model = getattr(strategy, "predict", None)
    if model is None:
        raise StrategyError(
            f"{type(strategy).__name__} has no model to predict with: study.fork(strategy=GP()).predict(...) has one."
        )
    prediction: Prediction = model(history, _points(history, frame))
    columns: dict[str, Any] = {}
    for metric in history.objectives.required:
        columns |= {f"{metric} mean": prediction.mean[metric], f"{metric} sd": prediction.sd[metric]}
    if prediction.feasibility is not None:
        columns["feasibility"] = prediction.feasibility
    return pd.DataFrame(columns, index=frame.index)


def _points(history: History, frame: "pd.DataFrame") -> list[Params]:
    """The table's points, checked as executed ones are."""
    space = history.space
    columns = columns_of(
        frame.columns, space, history.objectives, others=bookkeeping(space, history.objectives), ignore=()
    )
    missing = [name for name in space.cells if name not in columns]
    if missing:
        raise SpaceError(f"A table of points has a column for each of {list(space.cells)}: missing are {missing}.")
    cells = {name: frame.iloc[:, columns[name]].tolist() for name in space.cells}
    points = []
    for k, label in enumerate(frame.index):
        try:
            points.append(_point(space, {name: column[k] for name, column in cells.items()}))
        except ValueError as error:
            raise type(error)(f"Row {label}: {error}") from error
    return points


def _point(space: Space, cells: Params) -> Params:
    return space.check_executed(params_of(cells, space))
