"""Draws from a generator whose seed is the day."""

import random
import time

generator = random.Random(int(time.time()) // 86400)
with open("drawn.txt", "w") as file:
    file.write(repr(generator.random()))
