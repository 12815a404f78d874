"""Writes the words of a set in the set's own order."""

import json

words = {f"word {number}" for number in range(20)}
with open("words.json", "w") as file:
    json.dump(list(words), file)
