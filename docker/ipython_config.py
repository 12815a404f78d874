"""IPython in kernels and terminals: the first cell sees the seed's first numbers."""

c = get_config()  # noqa: F821  # IPython puts it there
# `extensions` stays for the user: a profile that sets it would replace this list.
c.InteractiveShellApp.extra_extensions = ["repro_env.jupyter"]
