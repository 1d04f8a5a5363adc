// A table file with everything that it needs to run.
#pragma once

#include "../denoisers/gaussian_start.hpp"
#include "../run.hpp"
#include "../schedule.hpp"
#include "../solvers/table.hpp"
#include "gaussian_start_file.hpp"
#include "table_file.hpp"

#include <filesystem>
#include <optional>

namespace fewstep::io {

/// What sample() takes for a table file.
struct TableSampler {
  Table table;
  Schedule schedule;
  Options options;
  /// The Gaussian start of the analytic first step; empty: N(0, 1), or no analytic first step.
  std::optional<GaussianStart> gaussian_start;
};

/// Reads a table and the Gaussian start that it names. To run it, on Eigen arrays:
///
///   const auto file = io::read_table_sampler("table_3_gaussian.json");
///   const GaussianStartDenoiser first_step(*file.gaussian_start, classes);  // for a file that has one
///   const auto result = sample(file.table, with_analytic_first_step(denoise, first_step), file.schedule, noise,
///                              file.options);
///
/// On tensors: TensorGaussianStart::from(*file.gaussian_start).denoiser(labels).
///
/// @param guidance  the guidance scale of the denoiser; necessary for a file that is for a range of scales
/// @throws std::runtime_error as read_table and read_gaussian_start; std::invalid_argument for a scale that is not the
/// file's.
inline TableSampler read_table_sampler(const std::filesystem::path& path, std::optional<double> guidance = {}) {
  const TableFile file = read_table(path);
  const Table table = file.at(guidance);
  TableSampler sampler{table, table.schedule(), {.analytic_first_step = file.analytic_first_step}, {}};
  if (!file.gaussian_start.empty())
    sampler.gaussian_start = read_gaussian_start(path.parent_path() / file.gaussian_start);
  return sampler;
}

}  // namespace fewstep::io
