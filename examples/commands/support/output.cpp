#include "output.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/io/atomic_write.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <list>
#include <ostream>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace fewstep::examples {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail_writing(const fs::path& path, int reason) {
  throw std::runtime_error("writing " + io::printable(path.string()) +
                           " failed: " + std::error_code(reason ? reason : EIO, std::generic_category()).message());
}

/// An exclusive lock on a path, held by the file PATH.lock. The system releases it when the process ends.
class Lock {
 public:
  /// @throws std::runtime_error if the lock's file cannot be created.
  explicit Lock(const fs::path& path) : file_(path.string() + ".lock") {
    do {
      if (descriptor_ >= 0) close(descriptor_);
      descriptor_ = open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
      if (descriptor_ < 0) fail_writing(path, errno);
      if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        close(std::exchange(descriptor_, -1));
        return;
      }
    } while (!is_in_place());  // an earlier holder has just removed the file
  }
  ~Lock() {
    if (!held()) return;
    unlink(file_.c_str());
    close(descriptor_);
  }
  Lock(const Lock&) = delete;
  Lock& operator=(const Lock&) = delete;

  bool held() const { return descriptor_ >= 0; }

 private:
  bool is_in_place() const {
    struct stat opened{}, named{};
    return fstat(descriptor_, &opened) == 0 && stat(file_.c_str(), &named) == 0 && opened.st_dev == named.st_dev &&
           opened.st_ino == named.st_ino;
  }

  fs::path file_;
  int descriptor_ = -1;
};

/// Locks a path until the process ends. @return false: another process, or another option, has it
bool lock(const fs::path& path) {
  static std::list<Lock> locks;
  if (locks.emplace_back(path).held()) return true;
  locks.pop_back();
  return false;
}

/// Writes a file beside a path and removes it.
void try_writing(const fs::path& path) {
  constexpr std::size_t block = 4'096;  // bytes; an empty file fits even on a full disk
  const fs::path trial = path.string() + ".write-test";
  try {
    io::atomic_write(trial, [](std::ostream& out) { out << std::string(block, '\0'); });
  } catch (const std::exception& error) {
    const std::string text = error.what(), failed = " failed: ";
    const std::size_t at = text.rfind(failed);
    throw std::runtime_error("writing " + io::printable(path.string()) + (at == text.npos ? failed : text.substr(at)));
  }
  std::error_code ignored;
  fs::remove(trial, ignored);
}

}  // namespace

void check_output(const std::string& option, const fs::path& path, const std::string& extension,
                  const fs::path& input) {
  if (path.empty()) return;
  require(extension.empty() || path.extension() == extension, option, path.string(), "files that end in " + extension);
  const fs::path folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  require(fs::is_directory(folder) && path.has_filename(), option, path.string(), "files in a folder that exists");
  require(!fs::is_directory(path), option, path.string(), "files: this is a folder");
  std::error_code missing;
  require(input.empty() || !fs::equivalent(path, input, missing), option, path.string(),
          "another file than the one that is read");
  require(lock(path), option, path.string(), "files that no other process or option writes");
  try_writing(path);
}

void check_output_folder(const std::string& option, const fs::path& folder) {
  if (folder.empty()) return;
  require(!fs::exists(folder) || fs::is_directory(folder), option, folder.string(), "folders: this is a file");
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) fail_writing(folder, error.value());
  try_writing(folder / "cache");
}

Log::Log(fs::path path) : path_(std::move(path)) {
  errno = 0;
  file_.open(path_, std::ios::app);
  require_success();
}

void Log::write(const std::string& text) {
  errno = 0;
  file_ << text << std::endl;
  require_success();
}

void Log::require_success() const {
  if (!file_) fail_writing(path_, errno);
}

}  // namespace fewstep::examples
