"""Writes down on which machine, in which folder, zone and locale it ran."""

import json
import os
import socket
import time

facts = {
    "host-name": socket.gethostname(),
    "folder": os.path.basename(os.path.dirname(os.getcwd())),
    "time-zone": time.tzname,
    "locale": os.environ.get("LC_ALL"),
}
with open("facts.json", "w") as file:
    json.dump({name: facts[name] for name in os.environ["REPRO_PARAM_FACTS"].split()}, file)
