// The number of threads that networks should use.
#pragma once

namespace fewstep::examples {

/// The physical cores that this process may use: those of its CPU set, and no more than its control group's quota. Two
/// threads of one core share its arithmetic units, so that more threads gain nothing.
int usable_cores();

/// The threads of ONNX Runtime's and OpenVINO's sessions that are loaded from now on; 0: their own default.
void set_runtime_threads(int threads);
int runtime_threads();

}  // namespace fewstep::examples
