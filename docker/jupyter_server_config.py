"""JupyterLab in the container: reached only with a token, in the project's folder."""

import os
import secrets

from repro_env.startup import enable_children

c = get_config()  # noqa: F821  # Jupyter puts it there

# An empty token would mean "no login"; popped, so that no kernel or terminal inherits it.
c.IdentityProvider.token = os.environ.pop("JUPYTER_TOKEN", "") or secrets.token_hex(24)
c.ServerApp.custom_display_url = os.environ.get("JUPYTER_URL", "http://127.0.0.1:8888") + "/lab"
c.ServerApp.ip = "0.0.0.0"  # of the container: what reaches it is compose's BIND_ADDRESS
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.root_dir = "/workspace"
c.ServerApp.allow_root = os.getuid() == 0  # only for a project folder that belongs to root
c.TerminalManager.shell_command = ["/bin/bash", "--login"]

enable_children()
