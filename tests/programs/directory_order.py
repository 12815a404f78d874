"""Reads files in the order in which their folder lists them."""

import os

for number in range(12):
    os.makedirs("parts", exist_ok=True)
    with open(f"parts/{number}", "w") as file:
        file.write(f"{number} ")
with open("all.txt", "w") as target:
    for name in os.listdir("parts"):
        with open(f"parts/{name}") as file:
            target.write(file.read())
