#include "loaded_sampler.hpp"

#include <fewstep/errors.hpp>
#include <fewstep/io/table_file.hpp>

#ifdef FEWSTEP_TORCH
#include "predictor_file.hpp"
#endif

namespace fewstep::examples {

namespace {

LoadedSampler load_table(const std::filesystem::path& path, const Subject& subject, double guidance) {
  const io::TableFile file = io::read_table(path);
  const Table table = file.at(guidance);
  require(table.branches() == 1 || guidance != 1, "guidance", guidance,
          "other scales for " + path.string() + ", which weighs the two outputs apart");
  LoadedSampler loaded{"calibrated", {table, table.schedule(), {.analytic_first_step = file.analytic_first_step}}};
  if (table.branches() == 1) loaded.sequential_nfe = table.rounds(file.analytic_first_step);
  if (file.gaussian_start.empty()) return loaded;
  require(subject.config(), "table", path.string(), "tables without a Gaussian start for a described network");
#ifdef FEWSTEP_TORCH
  loaded.gaussian_start_file = path.parent_path() / file.gaussian_start;
  loaded.sampler.gaussian_start =
      load_gaussian_start(loaded.gaussian_start_file, shape_of(*subject.config()), subject.device());
#endif
  return loaded;
}

}  // namespace

LoadedSampler load_sampler(const std::filesystem::path& path, const Subject& subject, double guidance,
                           [[maybe_unused]] CallTimes* times) {
  if (path.extension() == ".json") return load_table(path, subject, guidance);
#ifdef FEWSTEP_TORCH
  const NetworkShape shape{subject.sample_shape(), subject.feature_size(), 0};
  return load_predictor(path, shape, subject.device(), times);
#else
  refuse("predictor", path.string(), "none: this program was built without LibTorch");
#endif
}

}  // namespace fewstep::examples
