"""Machine states (PackML, ISA-TR88.00.02) in which a work unit stands still unplanned.

They tell availability where the MES reports no stops. What waits for other machines (`Suspended`),
and what is ready (`Idle`, `Complete`), could produce: that it doesn't is effectiveness.
"""

from typing import Final

DOWN: Final = frozenset(
    ("Stopping", "Stopped", "Aborting", "Aborted", "Clearing", "Holding", "Held")
)

WAITING: Final = frozenset(("Suspending", "Suspended", "Unsuspending"))
"""The machine could work, and waits for what comes before or behind it: material, mostly."""
