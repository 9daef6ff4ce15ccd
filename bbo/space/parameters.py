"""The kinds of parameter, and what each of them offers.

A parameter has one column of the unit cube or more. A continuous column is an affine (or logarithmic) image of a range.
One with `n_levels` levels is divided into cells; a value sits at the centre of its cell and a whole cell decodes to it,
so uniform points in the cube are uniform over levels (over the logarithm, with `log=True`). Arrays have shape `n` for
kinds of one column and `n x k` for those of k.

| method | gives |
|---|---|
| `check(value)` | the value as the study stores it, or SpaceError |
| `check_executed(value)` | a value that was set instead: numbers may lie off the grid or outside the range |
| `columns` | names of its columns |
| `code(value)` | the numbers that stand for a value, one for each column; `value(code)` goes back |
| `place(codes)` | positions in [0, 1] |
| `decode(u)` | plain Python values at positions |
| `arrays(u)` | the same by the names of terms, as arrays |
| `centres()` | the positions of all values, in order, where these are no continuum |
| `same` | positions that differ by less are one value |
| `reach` | positions that are nearer to a level belong to it, where there are levels |
| `n_values` | how many values there are; None for a continuum |
| `n_levels`, `is_ordered` | the same of a kind of one column, None of others; and whether neighbours mean anything |
| `terms` | what each column holds, by which constraints and figures name it |
| `by_term(value)` | a value by the names of terms |
| `lines` | by term, the number at position 0 and what a step to 1 adds, where that is so |
| `cells` | what stands in a column of its own in a table: `name`, `unit` if any, and `parse(cell)` |
| `cell.parse(cell)` | the value that a cell of a table means, to be checked: text that spells it, or the value |
| `within(values)` | the values nearest to such of a wider parameter of its kind that are on its levels |
| `flat(value)` | a value by the names of cells; `gathered(cells)` goes back |
| `spread(u)`, `moved(u, j, to)` | of kinds of several columns: members from uniform positions, with one column moved |
"""

from typing import Annotated

from pydantic import Field

from bbo.space.listed import Categorical, Ordinal
from bbo.space.molecule import Molecule
from bbo.space.permutation import Permutation
from bbo.space.quantities import Float, Int
from bbo.space.simplex import Simplex

Parameter = Annotated[
    Float | Int | Ordinal | Categorical | Molecule | Simplex | Permutation, Field(discriminator="kind")
]

__all__ = ["Categorical", "Float", "Int", "Molecule", "Ordinal", "Parameter", "Permutation", "Simplex"]
