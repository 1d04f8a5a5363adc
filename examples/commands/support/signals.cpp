#include "signals.hpp"

#include <time.h>

#include <atomic>
#include <csignal>

namespace fewstep::examples {

namespace {

constexpr int caught[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t received = 0;
std::atomic<double> received_at;  // seconds of the monotonic clock
static_assert(std::atomic<double>::is_always_lock_free);

double seconds_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

extern "C" void remember_signal(int number) {
  if (received == 0) {
    received_at = seconds_now();  // first, since another signal may come in between
    received = number;
  } else if (seconds_now() - received_at > 1) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
}

}  // namespace

void catch_signals() {
  received = 0;
  for (const int each : caught) {
    struct sigaction action = {};
    if (sigaction(each, nullptr, &action) != 0 || action.sa_handler == SIG_IGN) continue;
    action = {};
    action.sa_handler = remember_signal;
    action.sa_flags = SA_RESTART;
    sigaction(each, &action, nullptr);
  }
}

int caught_signal() { return received; }

void throw_if_interrupted() {
  if (interrupted()) throw Interrupted();
}

std::string kept_in(const std::filesystem::path& state) {
  if (!std::filesystem::exists(state)) return "nothing was written";
  return "the same command continues from " + state.string();
}

void run_keeping(const std::function<std::string()>& kept, const std::function<void()>& work) {
  try {
    work();
  } catch (const Interrupted&) {
    throw Interrupted(kept());
  }
}

}  // namespace fewstep::examples
