"""Who says which member of master data: what the setting `owners` may name."""

from collections.abc import Mapping

from streams.contract.reference import KINDS, told
from streams.contract.reference_key import EXTRA
from streams.contract.rejection import shown


def problem_of_owners(owners: Mapping[str, Mapping[str, str]]) -> str | None:
    """Return which member of master data can't be owned."""
    for kind, members in owners.items():
        if kind not in KINDS and kind not in EXTRA:
            kinds = ", ".join((*KINDS, *EXTRA))
            return f"owners has {shown(kind)}: no kind of master data ({kinds})"
        for member, source in members.items():
            if not source:
                return f"owners.{kind}.{member} is empty: it must be a source, e.g. '/erp'"
            if kind in EXTRA or member == "deleted":
                continue
            known = [each.name for each in told(KINDS[kind]) if each.name not in KINDS[kind].ID]
            if member not in known:
                return (
                    f"owners.{kind} has {shown(member)}: no member of {kind} beside its id "
                    f"({', '.join([*known, 'deleted'])})"
                )
    return None
