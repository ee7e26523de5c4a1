"""Mixed precision: which layers stay float, and what that costs."""

from export.mixed.groups import expanded, groups_of
from export.mixed.plan import MixedPlan, Sensitivity, Step, Trial
from export.mixed.search import MOST_EVALUATIONS, search
from export.mixed.trials import Trials, candidates_of

__all__ = [
    "MOST_EVALUATIONS",
    "MixedPlan",
    "Sensitivity",
    "Step",
    "Trial",
    "Trials",
    "candidates_of",
    "expanded",
    "groups_of",
    "search",
]
