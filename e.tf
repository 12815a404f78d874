/dev/fd/3: line 77: ./q: No such file or directory
