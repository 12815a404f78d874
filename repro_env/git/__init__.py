"""The exact code of a run, in the user's own repository."""
