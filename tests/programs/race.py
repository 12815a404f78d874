"""Adds numbers in the order in which threads are done with them."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor, as_completed

WORK = bytes(400_000)


def digest(number):
    return int.from_bytes(hashlib.sha256(WORK + bytes([number])).digest()[:7], "big") / 2.0**20


with ThreadPoolExecutor(4 * (os.cpu_count() or 1)) as pool:
    tasks = {pool.submit(digest, number): number for number in range(200)}
    done = [tasks[one] for one in as_completed(tasks)]
with open("order.txt", "w") as file:
    file.write(" ".join(map(str, done)))
