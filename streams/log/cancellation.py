"""EDGE: asyncio's cancellation: was a task itself cancelled, or only a task that it waits for?"""

import asyncio


def asked_to_end() -> bool:
    """Return whether the running task itself was cancelled, and not just a task that it awaits.

    Clients cancel tasks of their own now and then, aiokafka's among them. A task that awaits one of
    those gets a `CancelledError`, too, and without this check it would end as if it had been
    cancelled itself.
    """
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0
