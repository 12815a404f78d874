"""IPython in kernels and terminals: the first cell sees the seed's first numbers."""

c = get_config()  # noqa: F821  # IPython puts it there
c.InteractiveShellApp.default_extensions = ["storemagic", "repro_env.jupyter"]
