#include "archive.hpp"

#include "process.hpp"

#include <fewstep/io/atomic_write.hpp>

#include <exception>
#include <ostream>
#include <sstream>

namespace fewstep::examples {

void save_archive(const std::filesystem::path& path, torch::serialize::OutputArchive& archive) {
  std::ostringstream memory;
  archive.save_to(memory);
  io::atomic_write(path, [&](std::ostream& out) { out << memory.str(); });
}

void load_archive(const std::filesystem::path& path, const std::function<void(torch::serialize::InputArchive&)>& read) {
  io::require_regular_file(path);
  try {
    torch::serialize::InputArchive archive;
    archive.load_from(path.string());
    read(archive);
  } catch (const std::exception& error) {
    throw io::file_error(path, first_line(error) + "; remove it to start over");
  }
}

}  // namespace fewstep::examples
