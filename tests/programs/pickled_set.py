"""Pickles a set: the same content in other bytes."""

import pickle

with open("words.pkl", "wb") as file:
    pickle.dump({f"word {number}" for number in range(20)}, file)
