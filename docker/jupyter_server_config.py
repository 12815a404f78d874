"""JupyterLab in the container: reached only with a token, in the project's folder."""

import os

from repro_env.startup import enable_children

c = get_config()  # noqa: F821  # Jupyter puts it there

# Popped, so that no kernel or terminal inherits it. An empty one set here would mean "no login":
# left unset, Jupyter makes a random one and prints it.
token = os.environ.pop("JUPYTER_TOKEN", "")
if token:
    c.IdentityProvider.token = token
c.ServerApp.custom_display_url = os.environ.get("JUPYTER_URL", "http://127.0.0.1:8888") + "/lab"
c.ServerApp.ip = "0.0.0.0"  # of the container: what reaches it is compose's BIND_ADDRESS
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = "/workspace"
c.ServerApp.allow_root = os.getuid() == 0  # only for a project folder that belongs to root
c.ServerApp.terminado_settings = {"shell_command": ["/bin/bash", "--login"]}

enable_children()
