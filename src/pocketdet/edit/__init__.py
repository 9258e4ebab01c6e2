"""What an edit of a detector does: changes, costs, and which trained weights it keeps."""

from pocketdet.edit.comparison import EditReport, compare
from pocketdet.edit.config_changes import Change, changes_between
from pocketdet.edit.transfer import TransferPlan, carry, carry_from, plan_transfer

__all__ = [
    "Change",
    "EditReport",
    "TransferPlan",
    "carry",
    "carry_from",
    "changes_between",
    "compare",
    "plan_transfer",
]
