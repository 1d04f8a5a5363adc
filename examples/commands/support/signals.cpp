#include "signals.hpp"

#include <csignal>

namespace fewstep::examples {

namespace {

constexpr int caught[] = {SIGINT, SIGTERM, SIGHUP};
volatile std::sig_atomic_t received = 0;

extern "C" void remember_signal(int number) {
  received = number;
  for (const int each : caught)
    if (struct sigaction now; sigaction(each, nullptr, &now) == 0 && now.sa_handler == remember_signal)
      std::signal(each, SIG_DFL);
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
