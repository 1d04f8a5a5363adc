// Deliberately empty: compiling it makes the precompiled headers that other programs reuse.
