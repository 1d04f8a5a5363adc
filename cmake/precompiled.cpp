// Deliberately empty: compiling it makes the precompiled header of LibTorch that every other program reuses.
