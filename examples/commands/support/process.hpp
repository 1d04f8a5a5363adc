#pragma once

#include <exception>
#include <string>

namespace fewstep::examples {

/// Returns the first line of an error message: LibTorch appends a stack trace.
std::string first_line(const std::exception& error);

/// Makes the process keep freed memory. A network's layers request the same large blocks again and again; glibc would
/// return each of them to the system, which zeroes it for the next request.
void keep_freed_memory();

}  // namespace fewstep::examples
