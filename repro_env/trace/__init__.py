"""Inside the user's process, during a verify: what it computes step by step, and what it reads."""
