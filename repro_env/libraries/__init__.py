"""One module a library: how it is seeded, and how it is made deterministic.

Each function expects its library to be imported already, by the user.
"""
