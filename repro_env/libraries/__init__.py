"""One module for each library: how to seed it, switch it, and keep its generators' states.

Each is imported only after the user's own import of the library. What they share, where it applies:

    seed(value)                    the plain seed, or 128 bits in a child
    make_deterministic(seeder)     the library's deterministic mode
    follow(seeder)                 whatever else must happen once it is imported
    wait()                         before a fork: for draws that are under way
    unlock()                       after it, in the child
    version()                      what the meaning of a state depends on
    generators()                   its global generators, by name
    is_generator(thing)            whether it is of a kind whose state can be kept
    get_state(generator)           a state as JSON's types
    set_state(generator, state)
    check_state(generator, state)  raises what set_state would, and changes nothing
"""
