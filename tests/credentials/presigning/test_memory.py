"""A bounded memory: what is kept, and what is let go first."""

import threading

from credentials.presigning.memory import BoundedMemory


def test_value_is_found_until_it_is_forgotten() -> None:
    memory: BoundedMemory[str, int] = BoundedMemory(2)
    memory.keep("a", 1)
    assert memory.find("a") == 1
    memory.forget("a")
    memory.forget("a")
    assert memory.find("a") is None


def test_longest_unused_goes_first() -> None:
    memory: BoundedMemory[str, int] = BoundedMemory(2)
    memory.keep("a", 1)
    memory.keep("b", 2)
    memory.find("a")
    memory.keep("c", 3)
    assert [memory.find(key) for key in "abc"] == [1, None, 3]


def test_keeping_again_replaces_and_renews() -> None:
    memory: BoundedMemory[str, int] = BoundedMemory(2)
    for key, value in (("a", 1), ("b", 2), ("a", 3), ("c", 4)):
        memory.keep(key, value)
    assert [memory.find(key) for key in "abc"] == [3, None, 4]


def test_everything_can_be_let_go() -> None:
    memory: BoundedMemory[str, int] = BoundedMemory(2)
    memory.keep("a", 1)
    memory.clear()
    assert memory.find("a") is None


def test_many_threads_keep_within_the_limit() -> None:
    memory: BoundedMemory[int, int] = BoundedMemory(5)

    def work(start: int) -> None:
        for number in range(start, start + 500):
            memory.keep(number, number)
            memory.find(number - 1)
            memory.forget(number - 2)

    threads = [threading.Thread(target=work, args=[1000 * each]) for each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(memory.find(number) is not None for number in range(5000)) <= 5
