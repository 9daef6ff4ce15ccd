"""Molecules, by their SMILES; likeness by fingerprints and descriptors of RDKit (the extra `chem`)."""

from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic.dataclasses import dataclass

from bbo.declared import refused_as
from bbo.errors import SpaceError
from bbo.space.descriptors import SPREAD, spots
from bbo.space.listed import Listed
from bbo.space.values import CONFIG, When, require

_RADIUS = 2
# Of RDKit; each is defined for every molecule, and people know what it says.
_DESCRIPTORS = (
    *("MolWt", "MolLogP", "MolMR", "TPSA", "LabuteASA", "FractionCSP3", "HeavyAtomCount", "NumHeteroatoms"),
    *("NumHDonors", "NumHAcceptors", "NumRotatableBonds", "RingCount", "NumAromaticRings", "NumValenceElectrons"),
)
# A part of the likeness that is smaller than this is rounding.
_LEAST = 1e-9


@refused_as(SpaceError)
@dataclass(frozen=True, config=CONFIG)
class Molecule(Listed):
    """One of some molecules, by SMILES: `Molecule("ligand", ["c1ccccc1P", "CCP(CC)CC"])`.

    What the model learns of one says something of those like it. Needs RDKit: `pip install bbo[chem]`.
    """

    name: str
    smiles: tuple[str, ...] = Field(strict=False)
    when: When | None = Field(default=None, kw_only=True, strict=False)
    kind: Literal["molecule"] = Field(default="molecule", kw_only=True, repr=False)
    is_ordered: ClassVar[bool] = False

    @property
    def listed(self) -> tuple[Any, ...]:
        return self.smiles

    @model_validator(mode="after")
    def _validate(self) -> Self:
        self._check_list("smiles")
        from rdkit import Chem

        seen: dict[str, str] = {}
        for smiles, molecule in zip(self.smiles, self._molecules, strict=True):
            require(molecule is not None, f"Molecule {self.name!r}: {smiles!r} is no SMILES that RDKit can read.")
            canonical = Chem.MolToSmiles(molecule)
            require(
                canonical not in seen,
                f"Molecule {self.name!r}: {smiles!r} and {seen.get(canonical)!r} are one molecule; keep one of them.",
            )
            seen[canonical] = smiles
        return self

    @cached_property
    def _molecules(self) -> list[Any]:
        try:
            from rdkit import Chem, rdBase
        except ImportError as error:
            raise ValueError(f"Molecule {self.name!r} needs RDKit: pip install bbo[chem].") from error
        with rdBase.BlockLogs():
            return [Chem.MolFromSmiles(smiles) for smiles in self.smiles]

    @cached_property
    def spots(self) -> tuple[NDArray[np.float64], ...]:
        """Where fingerprints put the molecules, and where descriptors do, each `n_levels x k`."""
        if self.n_levels < 2:
            return ()
        from rdkit.Chem import Descriptors

        values = {
            name: [float(f(m)) for m in self._molecules] for name, f in Descriptors.descList if name in _DESCRIPTORS
        }
        return tuple(at for at in (_by_likeness(self._likeness), spots(values)) if at.size)

    @property
    def _likeness(self) -> NDArray[np.float64]:
        """Tanimoto similarity of the counts of Morgan fragments, `n_levels x n_levels`.

        sum min(a, b) / sum max(a, b), which is positive definite: Ralaivola, Swamidass, Saigo & Baldi, Neural Networks
        18 (2005).
        """
        from rdkit.Chem import rdFingerprintGenerator
        from rdkit.DataStructs import BulkTanimotoSimilarity

        generator = rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS)
        counts = [generator.GetSparseCountFingerprint(m) for m in self._molecules]
        return np.array([BulkTanimotoSimilarity(one, counts) for one in counts])


def _by_likeness(T: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points whose squared distances are 2 - 2 T, but for a factor, `n x k`: the kernel's own features."""
    values, vectors = np.linalg.eigh(T)
    at = (vectors * np.sqrt(values.clip(min=0.0)))[:, values > _LEAST]
    n = len(T)
    mean_square = float((2 - 2 * T).sum()) / (n * (n - 1))
    placed: NDArray[np.float64] = at * np.sqrt(SPREAD / mean_square) if mean_square > _LEAST else at[:, :0]
    return placed
