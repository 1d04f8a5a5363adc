#include "threads.hpp"

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <utility>

#if defined(__linux__)
#include <sched.h>
#endif

namespace fewstep::examples {

namespace {

/// Returns the number that a file of /sys begins with; -1 without one.
long number_in(const std::string& path) {
  long number = -1;
  std::ifstream(path) >> number;
  return number;
}

/// Returns the control group's CPU quota in cores, rounded up; without a quota, `otherwise`.
int quota(int otherwise) {
  std::ifstream in("/sys/fs/cgroup/cpu.max");
  double microseconds = 0, period = 0;
  if (!(in >> microseconds >> period) || microseconds <= 0 || period <= 0) return otherwise;
  return static_cast<int>(std::clamp((microseconds + period - 1) / period, 1., static_cast<double>(otherwise)));
}

int threads_of_sessions = 0;  // set once, by the command line

}  // namespace

void set_runtime_threads(int threads) { threads_of_sessions = threads; }
int runtime_threads() { return threads_of_sessions; }

int usable_cores() {
  const int processors = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
#if defined(__linux__)
  cpu_set_t usable;
  if (sched_getaffinity(0, sizeof usable, &usable) != 0) return quota(processors);
  std::set<std::pair<long, long>> cores;
  for (int k = 0; k < CPU_SETSIZE; ++k) {
    if (!CPU_ISSET(k, &usable)) continue;
    const std::string topology = "/sys/devices/system/cpu/cpu" + std::to_string(k) + "/topology/";
    const long core = number_in(topology + "core_id");
    cores.emplace(core < 0 ? -1 : number_in(topology + "physical_package_id"), core < 0 ? k : core);
  }
  return quota(std::max(1, static_cast<int>(cores.size())));
#else
  return processors;
#endif
}

}  // namespace fewstep::examples
