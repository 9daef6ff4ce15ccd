"""A reaction of four molecules out of 140 each, four conditions and a solvent mixture, and the time of three points.

SMILES are made from four cores and twelve substituents at two places that differ, so all are distinct. The yield falls
off with the distance of size, polarity and lipophilicity from what the seed says, by molecule, and with that of the
conditions; it is smooth in what RDKit knows of molecules, and in nothing else.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from quality_runs import peak_mb
from torch import Tensor

from bbo import Study
from bbo.acquisition.belief import Belief, Judge
from bbo.acquisition.fantasies import Fantasies
from bbo.acquisition.joint import DRAWS_TOGETHER
from bbo.acquisition.utilities import log_ei
from bbo.objective import Maximize
from bbo.space import Float, Molecule, Simplex, Space
from bbo.strategies import ModelBased

_CORES = {
    "halide": "Brc1cc({a})ccc1{b}",
    "amine": "Nc1cc({a})ccc1{b}",
    "ligand": "c1ccc(cc1)P(c1ccccc1)c1cc({a})ccc1{b}",
    "additive": "c1c({a})onc1{b}",
}
_SUBSTITUENTS = (
    *("C", "CC", "C(C)C", "C(C)(C)C", "OC", "F"),
    *("Cl", "C#N", "C(F)(F)F", "N(C)C", "C(C)=O", "S(C)(=O)=O"),
)
N_TOLD = 1000
N_TOGETHER = 3
_N_RANDOM = 2000
_WIDTH = 2.0


def smiles(core: str) -> list[str]:
    """Of one kind of molecule, all 144, canonical as RDKit writes them."""
    from rdkit import Chem

    written = [_CORES[core].format(a=a, b=b) for a in _SUBSTITUENTS for b in _SUBSTITUENTS]
    return [Chem.MolToSmiles(Chem.MolFromSmiles(text)) for text in written]


@cache
def _known(core: str) -> dict[str, NDArray[np.float64]]:
    """Lipophilicity, polarity and size by SMILES, each in standard deviations over all of its kind."""
    from rdkit import Chem
    from rdkit.Chem import Crippen, rdMolDescriptors

    all_of_them = smiles(core)
    molecules = [Chem.MolFromSmiles(text) for text in all_of_them]
    of = (Crippen.MolLogP, rdMolDescriptors.CalcTPSA, Crippen.MolMR)
    K = np.array([[f(m) for f in of] for m in molecules])
    return dict(zip(all_of_them, (K - K.mean(0)) / K.std(0), strict=True))


@cache
def _space(n_of_each: int) -> Space:
    return Space(
        [
            *(Molecule(core, smiles(core)[:n_of_each]) for core in _CORES),
            Float("temperature", 20.0, 120.0, unit="degC"),
            Float("hours", 0.5, 48.0, log=True),
            Float("loading", 0.1, 10.0, log=True, unit="mol%"),
            Float("concentration", 0.05, 1.0, unit="mol/L"),
            Simplex("solvent", ["toluene", "DMF", "water"], total=100.0),
        ]
    )


@dataclass(frozen=True)
class FourMolecules:
    """Yield of the reaction; to be maximized, 100 at most."""

    seed: int
    n_of_each: int = 140
    objectives: ClassVar[tuple[Maximize, ...]] = (Maximize("yield"),)

    @property
    def space(self) -> Space:
        return _space(self.n_of_each)

    @cached_property
    def _best(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What is known of the best molecules, `4 x 3`, and the best conditions, positions, `7`."""
        rng = np.random.default_rng([self.seed, 4])
        return rng.standard_normal((len(_CORES), 3)), rng.uniform(0.2, 0.8, 7)

    def evaluate(
        self, params: Mapping[str, Any], *, fidelity: Mapping[str, float] | None = None, seed: int = 0
    ) -> dict[str, float]:
        point = self.space.check(params)
        molecules, conditions = self._best
        off = np.array([_known(core)[point[core]] for core in _CORES]) - molecules
        u = self.space.encode([point])[0, len(_CORES) :] - conditions
        squares = float((off * off).sum()) / off.size + float((u * u).sum()) / 0.5
        return {"yield": 100.0 * float(np.exp(-squares / _WIDTH))}


class Watched:
    """Log expected improvement as the default strategy has it, which remembers how it judged."""

    judges: ClassVar[list[Judge]] = []

    def judge(self, belief: Belief, pending: Tensor, part: Tensor | None, *, n_more: int, seed: int) -> Judge:
        n_draws = {"n_draws": DRAWS_TOGETHER} if n_more else {}
        self.judges.append(Fantasies.of(log_ei, belief, pending, part, n_more=n_more, seed=seed, **n_draws))
        return self.judges[-1]


@dataclass(frozen=True)
class Batch:
    """What asking for some points gave.

    Args:
        seconds: of CPU, of the ask; one thread, so that of an idle machine they are the time.
        peak_mb: the most memory of the process, after it.
        ahead: by how much the acquisition of each point, the ones before it pending, is above that of the best of 2,000
            points at random; it is the logarithm of an expected improvement.
    """

    seconds: float
    peak_mb: int | None
    ahead: list[float]


def asked_together(seed: int) -> Batch:
    """Three points after 1,000 at random, on the problem of a seed."""
    return asked_after(FourMolecules(seed), N_TOLD, seed)


def asked_after(problem: FourMolecules, n_told: int, seed: int) -> Batch:
    """As `asked_together`, after so many."""
    rng = np.random.default_rng([seed, n_told])
    study = Study(problem.space, problem.objectives, strategy=ModelBased(acquisition=Watched()), seed=seed)
    points = problem.space.sample(n_told, rng)
    study.add(pd.DataFrame([problem.space.flat(p) | problem.evaluate(p) for p in points]))
    Watched.judges.clear()
    began = time.process_time()
    trials = study.ask(N_TOGETHER)
    seconds, peak = time.process_time() - began, peak_mb("self")
    judge = Watched.judges[-1]
    ahead = []
    random = torch.tensor(problem.space.encode(problem.space.sample(_N_RANDOM, rng)), dtype=torch.float64)
    with torch.no_grad():
        for trial in trials:
            x = torch.tensor(problem.space.encode([trial.params]), dtype=torch.float64)
            best = max(float(judge(part).max()) for part in torch.split(random, 100))
            ahead.append(float(judge(x)) - best)
            judge = judge.with_pending(x)
    return Batch(seconds, peak, ahead)
