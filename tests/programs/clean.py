"""Does all that may look like chance, and isn't."""

import hashlib
import json
import os
import random
import tempfile
import threading
import uuid

found = sorted({f"word {number}" for number in range(20)}, key=str)
with tempfile.NamedTemporaryFile() as scratch:  # a name that no other run has
    scratch.write(uuid.uuid4().bytes)
    scratch.flush()
    size = os.path.getsize(scratch.name)
sums = [0] * 4


def work(number):
    sums[number] = int(hashlib.sha256(bytes([number])).hexdigest(), 16) % 1000


threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
os.makedirs("out", exist_ok=True)
with open("out/metrics.json", "w") as file:
    json.dump({"words": found, "size": size, "sums": sums, "loss": random.random()}, file)
for name in sorted(os.listdir("out")):
    print(name)
