// The results of `evaluate`: a row for each method; tables, CSV files and a plot.
#pragma once

#include "metrics.hpp"

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// The figures of a method. Each is the mean over the sets of noise.
struct Row {
  std::string name;
  std::string text = {};  // the setting of a classic solver; empty for a fitted sampler
  bool fitted = false;    // a predictor or a table; false: a classic solver
  int nfe = 0;
  Figure rms = {}, median = {};   // distance to the reference solution of the same noise
  Figure frechet_reference = {};  // Frechet distance to the reference solution of other noise
  Figure frechet_real = {};       // Frechet distance to test images
  Figure sliced = {};             // sliced Wasserstein distance to the reference solution of other noise
  bool has_frechet = true;        // false: the two are not measured, and not shown
  double seconds = 0;             // per 1,000 images
  torch::Tensor distance = {};    // [sets, images], squared distances to the reference solution
};

/// The figures by their names in CSV files.
inline constexpr std::pair<const char*, Figure Row::*> figures[] = {{"rms", &Row::rms},
                                                                    {"median", &Row::median},
                                                                    {"frechet_reference", &Row::frechet_reference},
                                                                    {"frechet_real", &Row::frechet_real},
                                                                    {"sliced_wasserstein", &Row::sliced}};

/// In all of these, rows[0] is the reference solution itself, and figures that were not measured are left out.
/// @{
void print_table(const std::vector<Row>& rows, std::int64_t images, std::int64_t seeds);
/// Differences between a fitted sampler and each row of the same NFE before it, or each classic solver.
void print_differences(const std::vector<Row>& rows);
/// Distances of fitted samplers relative to those of the best classic solver. Frechet distances are taken in excess of
/// the reference's own.
void print_ratios(const std::vector<Row>& rows);
/// RMS distances by class.
/// @param labels  names of the classes, which take turns
void print_classes(const std::vector<Row>& rows, const std::vector<std::string>& labels);
void write_csv(const std::filesystem::path& path, const std::vector<Row>& rows, std::int64_t images,
               std::int64_t seeds);
void write_differences(const std::filesystem::path& path, const std::vector<Row>& rows);
/// Distances over NFE: a line for each classic solver, at its best setting, and for each kind of fitted sampler (amed_5
/// and amed_7 are one kind).
void write_plot(const std::filesystem::path& path, const std::vector<Row>& rows);
/// @}

}  // namespace fewstep::examples
