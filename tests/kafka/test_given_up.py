"""What aiokafka cancels because its connection closes ends no task of lineside's."""

import asyncio
import contextlib

import pytest

from streams.kafka.producer import translated_errors
from streams.log.writing import Lost


async def never() -> None:
    with translated_errors():
        await asyncio.get_running_loop().create_future()


async def test_an_answer_that_aiokafka_gives_up_is_a_loss() -> None:
    answer = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_soon(answer.cancel)
    with pytest.raises(Lost, match="its connection is gone"), translated_errors():
        await answer


async def test_a_task_that_is_cancelled_itself_ends() -> None:
    task = asyncio.ensure_future(never())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_limit_of_time_is_a_loss_and_not_a_cancellation() -> None:
    with pytest.raises(Lost, match="TimeoutError"), translated_errors():
        async with asyncio.timeout(0.01):
            await asyncio.get_running_loop().create_future()


async def test_a_limit_of_time_around_it_stays_one() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.01):
            await never()
        pytest.fail("the limit was passed")
