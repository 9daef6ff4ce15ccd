import json
from collections import Counter

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from bbo.objective import Maximize
from bbo.space import Float, Molecule, Simplex, Space
from bbo.space.descriptors import SPREAD
from bbo.studies.study import Study

pytest.importorskip("rdkit")

SMILES = ["CCO", "CCCO", "CCCCCCO", "c1ccccc1", "Cc1ccccc1", "CC(=O)O", "CN(C)C=O", "O"]


def test_distances_are_those_of_fragments_counted_by_hand():
    """sum min / sum max of how often each Morgan fragment occurs, with counters of Python."""
    from rdkit import Chem
    from rdkit.Chem import rdFingerprintGenerator

    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2)
    counts = [Counter(generator.GetSparseCountFingerprint(Chem.MolFromSmiles(s)).GetNonzeroElements()) for s in SMILES]
    likeness = np.array([[(a & b).total() / (a | b).total() for b in counts] for a in counts])
    by_fingerprint, by_descriptor = Molecule("m", SMILES).spots
    apart = squareform(pdist(by_fingerprint) ** 2)
    off = ~np.eye(len(SMILES), dtype=bool)
    assert apart[off] == pytest.approx((2 - 2 * likeness[off]) * SPREAD / (2 - 2 * likeness[off]).mean())
    assert (pdist(by_descriptor) ** 2).mean() == pytest.approx(SPREAD)
    assert apart[0, 1] < apart[0, 3]


def test_what_is_no_smiles_and_what_stands_twice_is_refused_by_name():
    with pytest.raises(ValueError, match="'C1CC' is no SMILES"):
        Molecule("m", ["CCO", "C1CC"])
    with pytest.raises(ValueError, match="'OCC' and 'CCO' are one molecule"):
        Molecule("m", ["CCO", "OCC"])


def test_molecules_floats_and_a_mixture_are_searched_together():
    space = Space([Molecule("m", SMILES), Float("x", 0, 1), Simplex("mix", ["a", "b", "c"])])
    assert Space.from_dict(json.loads(json.dumps(space.to_dict()))) == space
    study = Study(space, Maximize("y"), seed=0)
    for _ in range(16):
        trial = study.ask()
        assert trial.params in space
        study.tell(trial, -abs(len(trial["m"]) - 4) - (trial["x"] - 0.3) ** 2 + trial["mix"]["b"])
    assert len(study.best.params["m"]) in (3, 4, 5)
    assert study.best.values["y"] > 0.5
