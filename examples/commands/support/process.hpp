#pragma once

#include <exception>
#include <functional>
#include <string>

namespace fewstep::examples {

/// Returns the first line of an error message, its control characters escaped: LibTorch appends a stack trace.
std::string first_line(const std::exception& error);

/// Makes the process keep freed memory. A network's layers request the same large blocks again and again; glibc would
/// return each of them to the system, which zeroes it for the next request.
void keep_freed_memory();

/// The body of a main(): calls `work` and prints an error as one line "error: WHAT". SIGINT, SIGTERM and SIGHUP are
/// caught (signals.hpp). Results that cannot be printed, since stdout is full, are an error too.
/// @return the exit status: 0 on success, 1 after an error, 128 + N after signal N
int run_main(const std::function<void()>& work);

}  // namespace fewstep::examples
