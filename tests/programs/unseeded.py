"""Draws from a generator that nobody seeds."""

import json
import random

with open("drawn.json", "w") as file:
    json.dump({"seeded": random.random(), "unseeded": random.SystemRandom().random()}, file)
