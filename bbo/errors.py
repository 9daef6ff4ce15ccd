"""The exceptions of bbo, in one tree.

BBOError
├── SpaceError(ValueError)        parameters or a point that cannot be
│   └── NoPointError              hardly any point satisfies the constraints, if any does
├── SpaceExhaustedError           every point of a finite space was tried
├── ObjectiveError(ValueError)    values that do not fit the objectives
│   └── NonFiniteError            a value that is NaN or infinite
├── BudgetError(ValueError)       a budget that cannot be
├── FidelityError(ValueError)     a fidelity that cannot be, or a value that is none of it
├── TrialError(ValueError)        an unknown trial, or one that has ended
│   └── AlreadyToldError          another value for a trial that has one
├── WaitForTells                  the strategy has nothing to suggest before pending trials end
├── StudyFinished                 its budget is spent, or a stop rule holds
├── StudyExistsError(ValueError)  the name is taken, by a study that is the same or another
├── StudyFileError(ValueError)    a study file that cannot be read
├── TableError(ValueError)        a file of a table that cannot be read or written
├── StudyNotFoundError(KeyError)  no study of that name in the storage
├── StorageError                  the log cannot be read or written
│   ├── ConflictError             another event has this key
│   ├── StaleLeaseError           somebody else holds the lease by now
│   ├── BusyError                 the study is at work, or another process holds a lock for too long
│   ├── DamagedError              the log was truncated, corrupted or changed by other hands
│   ├── TooLargeError             an event of more than 64 KB
│   └── NewerFormatError          written by a later version of bbo
├── StrategyError(ValueError)     a strategy that cannot take this study, or that cannot be rebuilt
├── DataError                     a table that cannot be fetched, or is not what it should be
├── EvaluationError               a problem that gave no value, on purpose
│   └── InvalidPointError         a problem that says of a point that it is invalid
├── FitError                      no rung of the ladder gave a surrogate
└── LostTrialError                the executor died under running trials
"""


class BBOError(Exception):
    """Whatever bbo raises on purpose."""


class SpaceError(BBOError, ValueError):
    """A parameter that cannot be, or a point outside the space."""


class NoPointError(SpaceError):
    """Hardly any point satisfies the constraints, if any does."""


class SpaceExhaustedError(BBOError):
    """Every point of a finite space was tried and none is pending."""


class ObjectiveError(BBOError, ValueError):
    """Values that do not fit the objectives: an unknown metric, a missing one, one that is not a finite number."""


class NonFiniteError(ObjectiveError):
    """A value that is NaN or infinite: the evaluation has failed and should be told so."""


class BudgetError(BBOError, ValueError):
    """A budget or a stop rule that cannot be."""


class FidelityError(BBOError, ValueError):
    """A fidelity that cannot be, or a value that is none of it."""


class TrialError(BBOError, ValueError):
    """A trial that the study does not have, or that has ended."""


class AlreadyToldError(TrialError):
    """The trial has ended with something else; the first tell wins."""


class WaitForTells(BBOError):  # noqa: N818 - a situation, not a fault
    """Nothing to suggest until pending trials are told."""


class StudyFinished(BBOError):  # noqa: N818 - a situation, not a fault
    """The budget is spent or a stop rule holds; says which, and how to go on."""


class StudyExistsError(BBOError, ValueError):
    """The name is taken: by this study under `if_exists="fail"`, or by one with another specification."""


class StudyFileError(BBOError, ValueError):
    """A study file that cannot be read, or says what cannot be; names the file, the table and the field."""


class TableError(BBOError, ValueError):
    """A file of a table that cannot be read or written; names the file and, where there is one, the line."""


class StudyNotFoundError(BBOError, KeyError):
    """No study of that name in the storage."""

    def __str__(self) -> str:  # KeyError would print the repr
        return str(self.args[0])


class StorageError(BBOError):
    """The log cannot be read or written; says where and what to do."""


class ConflictError(StorageError):
    """An event with this key and another body is in the log already; `key` names it, `body` is what stands there."""

    def __init__(self, message: str, *, key: str, kind: str, body: str) -> None:
        super().__init__(message)
        self.key = key
        self.kind = kind
        self.body = body


class StaleLeaseError(StorageError):
    """The lease ran out and somebody else took it; nothing was written."""


class BusyError(StorageError):
    """The study is at work and should be at rest, or a lock was held for too long; nothing was written."""


class DamagedError(StorageError):
    """The log was truncated, corrupted or changed by other hands; says from where on."""


class TooLargeError(StorageError):
    """An event whose body is larger than the log takes."""


class NewerFormatError(StorageError):
    """Written by a later version of bbo."""


class StrategyError(BBOError, ValueError):
    """A strategy that cannot take this study, or that cannot be rebuilt from its specification."""


class DataError(BBOError):
    """A table of a problem that cannot be fetched, or is not what it should be."""


class EvaluationError(BBOError):
    """An evaluation that gave no value, on purpose: see `bbo.problems.wrappers.Failing`."""


class InvalidPointError(EvaluationError):
    """The point is invalid, and the evaluation says so: the trial fails for this reason, without a traceback."""


class FitError(BBOError):
    """No rung of the ladder gave a surrogate; carries the last message."""


class LostTrialError(BBOError):
    """The executor died under running trials; they are logged as lost and run again on resume."""
