"""The hasher bounds concurrency and waiting, and its timing does not reveal who has an account."""

import asyncio
import os
import sys
import threading
import time

import pytest

from auth.service.hasher import LOW_PRIORITY, RESERVE, Hasher, HashParameters
from shared.errors import Unavailable
from shared.testing.fixtures import eventually


def hasher(**options) -> Hasher:
    return Hasher(HashParameters(**{"time_cost": 1, "memory_kib": 8, **options}))


async def test_right_and_wrong_passwords():
    made = hasher()
    kept = await made.hash("correct horse", origin="here")
    assert kept.startswith("$argon2id$")
    assert await made.matches(kept, "correct horse", origin="here")
    assert not await made.matches(kept, "wrong horse", origin="here")
    assert not await made.matches(None, "correct horse", origin="here")
    assert not await made.matches("", "", origin="here")
    assert not await made.matches("no hash", "correct horse", origin="here")
    made.close()


async def test_concurrency_and_waiting_are_bounded():
    made, running, most, gate = hasher(workers=2, queue=3), 0, 0, threading.Event()
    lock = threading.Lock()

    def work() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        gate.wait(5)
        with lock:
            running -= 1

    tasks = [asyncio.create_task(made._run(f"{number}", work)) for number in range(12)]
    await eventually(lambda: running == 2 and sum(task.done() for task in tasks) >= 2)
    refused = [task for task in tasks if task.done()]
    assert len(refused) == 12 - RESERVE * (2 + 3)
    for task in refused:
        problem = task.exception()
        assert isinstance(problem, Unavailable)
        assert problem.retry_after
    gate.set()
    await asyncio.gather(*(task for task in tasks if task not in refused))
    assert most == 2
    made.close()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a priority for each thread")
async def test_hashing_has_a_lower_priority_than_the_event_loop():
    made = hasher(workers=1)

    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    assert await made._run("here", niceness) == max(LOW_PRIORITY, niceness())
    made.close()


async def test_an_origin_with_many_requests_delays_only_itself():
    """Strangers who guess from one address, beside a person who signs in from another."""
    made, finished, gate = hasher(workers=1, queue=40), list[str](), threading.Event()

    async def run(origin: str) -> None:
        await made._run(origin, lambda: gate.wait(5))
        finished.append(origin)

    guesses = [asyncio.create_task(run("there")) for _ in range(14)]
    await eventually(lambda: sum(task.done() for task in guesses) == 3)  # one hashes and ten wait
    mine = asyncio.create_task(run("here"))
    await asyncio.sleep(0)
    gate.set()
    await mine
    assert finished in (["there", "here"], ["there", "there", "here"])
    await asyncio.wait(guesses)
    assert sum(isinstance(task.exception(), Unavailable) for task in guesses) == 3
    made.close()


async def test_a_full_queue_keeps_places_for_others():
    made, gate = hasher(workers=1, queue=8), threading.Event()
    full = [asyncio.create_task(made._run(f"there {number % 5}", lambda: gate.wait(5))) for number in range(9)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await made.hash("correct horse", origin="there 0")
    mine = asyncio.create_task(made.hash("correct horse", origin="here"))
    await asyncio.sleep(0)
    gate.set()
    assert await mine
    await asyncio.gather(*full)
    made.close()


async def test_waiting_ends_in_time_and_a_cancelled_request_frees_its_slot():
    made, started, gate = hasher(workers=1, wait_s=0.05), threading.Event(), threading.Event()

    def work() -> None:
        started.set()
        gate.wait(5)

    first = asyncio.create_task(made._run("here", work))
    await eventually(started.is_set)
    with pytest.raises(Unavailable):
        await made.hash("correct horse", origin="here")
    first.cancel()
    with pytest.raises(Unavailable):  # the thread is still running
        await made.hash("correct horse", origin="here")
    gate.set()

    async def can_hash() -> bool:
        try:
            return bool(await made.hash("correct horse", origin="here"))
        except Unavailable:
            return False

    await eventually(can_hash)
    made.close()


async def test_an_unknown_account_takes_as_long_as_a_wrong_password():
    made = hasher(memory_kib=8192, time_cost=2)
    kept = await made.hash("correct horse", origin="here")

    async def fastest(password_hash: str | None) -> float:
        times = []
        for _ in range(5):
            began = time.process_time()  # independent of the load of the machine
            assert not await made.matches(password_hash, "wrong horse", origin="here")
            times.append(time.process_time() - began)
        return min(times)

    assert await fastest(None) > 0.5 * await fastest(kept)
    made.close()
