/dev/fd/3: line 76: ./q: No such file or directory
