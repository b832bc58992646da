"""What the garbage collector needn't look at: objects that are in no circle of references."""


def in_no_cycle(thing: object) -> None:
    """Let the collector pass an object over; compiled code does so (`cycles.pxd`)."""
