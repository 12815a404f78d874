"""Goes on from what it finds in a cache outside of the project, which it leaves there."""

import json
import os
import sys

cache = sys.argv[1]
value = 1
if os.path.exists(cache):
    with open(cache) as file:
        value += json.load(file)
with open(cache, "w") as file:
    json.dump(value, file)
with open("result.json", "w") as file:
    json.dump(value, file)
