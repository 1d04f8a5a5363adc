// The number of threads that LibTorch should use.
#pragma once

namespace fewstep::examples {

/// The physical cores that this process may use: those of its CPU set, and no more than its control group's quota. Two
/// threads of one core share its arithmetic units, so that more threads gain nothing.
int usable_cores();

}  // namespace fewstep::examples
