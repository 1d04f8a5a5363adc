// SIGINT, SIGTERM and SIGHUP in long commands: the work ends where its state can be kept.
#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>

namespace fewstep::examples {

/// From now on the first SIGINT, SIGTERM or SIGHUP only makes interrupted() true; one more than a second later ends the
/// process at once. In that second all count as one: `timeout` and launchers of jobs signal a process and its group.
/// Signals that the process ignores, as under nohup, stay ignored.
void catch_signals();

/// The number of the signal that was caught; 0: none.
int caught_signal();
inline bool interrupted() { return caught_signal() != 0; }

/// Thrown to end a command after a signal; its text says what was kept.
struct Interrupted : std::runtime_error {
  explicit Interrupted(const std::string& kept = "nothing was written") : std::runtime_error(kept) {}
};

/// @throws Interrupted after a signal. For use between two steps, and before each evaluation of a network.
void throw_if_interrupted();

/// Says, for Interrupted, whether the command left its state in a file.
std::string kept_in(const std::filesystem::path& state);

/// Calls `work`. @throws Interrupted with the text of `kept()` in place of another.
void run_keeping(const std::function<std::string()>& kept, const std::function<void()>& work);

}  // namespace fewstep::examples
