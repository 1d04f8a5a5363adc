// What `evaluate` shows: a row for each solver; tables, CSV, plot.
#pragma once

#include "fashion_mnist.hpp"
#include "metrics.hpp"
#include "plot.hpp"

#include <fewstep/io/atomic_write.hpp>

#include <torch/torch.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <ostream>
#include <regex>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace fewstep::examples {

/// One row of the table. Each figure is the mean over the seeds.
struct Row {
  std::string name, text;
  bool predicted = false;
  int nfe = 0;
  Figure rms, median, frechet_reference, frechet_real, sliced;
  double seconds = 0;      // for 1,000 images
  torch::Tensor distance;  // [seeds, images] mean squares
};

inline constexpr std::pair<const char*, Figure Row::*> figures[] = {{"rms", &Row::rms},
                                                                    {"median", &Row::median},
                                                                    {"frechet_reference", &Row::frechet_reference},
                                                                    {"frechet_real", &Row::frechet_real},
                                                                    {"sliced_wasserstein", &Row::sliced}};

inline void print_table(const std::vector<Row>& rows, std::int64_t images, std::int64_t seeds) {
  std::printf("%lld images, %lld seeds; +- is half of a bootstrapped 95%% interval\n\n", static_cast<long long>(images),
              static_cast<long long>(seeds));
  std::printf(
      "| evaluations | solver | rms | median | Frechet to reference | Frechet to test images | sliced Wasserstein | "
      "seconds per 1,000 | settings |\n"
      "|---|---|---|---|---|---|---|---|---|\n");
  for (const Row& r : rows) {
    std::printf("| %d | %s ", r.nfe, r.name.c_str());
    for (const auto& [name, figure] : figures)
      std::printf("| %.4g +- %.2g ", (r.*figure).value(), (r.*figure).margin());
    std::printf("| %.1f | %s |\n", r.seconds, r.text.c_str());
  }
}

/// A predictor and a classic solver, or a predictor that comes before it, of the same evaluations and noise: how much
/// less its distances are, and its share of the other's Frechet distance above what the reference's own leaves over.
struct Difference {
  const Row *predictor, *against;
  Figure rms, frechet, share;
};
inline std::vector<Difference> differences(const std::vector<Row>& rows) {
  const Figure& floor = rows.front().frechet_reference;
  std::vector<Difference> all;
  for (const Row& p : rows)
    for (const Row& c : rows)
      if (p.predicted && c.nfe == p.nfe && (!c.predicted || &c < &p))
        all.push_back({&p, &c, p.rms - c.rms, p.frechet_reference - c.frechet_reference,
                       (p.frechet_reference - floor) / (c.frechet_reference - floor)});
  return all;
}

inline void print_differences(const std::vector<Row>& rows) {
  const std::vector<Difference> all = differences(rows);
  if (all.empty()) return;
  std::printf(
      "\nPaired differences (negative: the predictor is better)\n\n| evaluations | predictor | against | rms | Frechet "
      "to reference | share of it above the reference's own |\n|---|---|---|---|---|---|\n");
  for (const Difference& d : all)
    std::printf("| %d | %s | %s | %.4f +- %.4f | %.3f +- %.3f | %.3f +- %.3f |\n", d.predictor->nfe,
                d.predictor->name.c_str(), d.against->name.c_str(), d.rms.value(), d.rms.margin(), d.frechet.value(),
                d.frechet.margin(), d.share.value(), d.share.margin());
}

/// How much of the best classic solver's distance a predictor leaves. Of Frechet distances what the reference's own
/// leaves over counts.
inline void print_shares(const std::vector<Row>& rows) {
  const Figure& floor = rows.front().frechet_reference;
  const auto shares = [&](const char* what, const auto& figure) {
    for (const Row& p : rows) {
      const Row* best = nullptr;
      for (const Row& c : rows)
        if (&c != &rows.front() && !c.predicted && c.nfe == p.nfe &&
            (!best || figure(c).value() < figure(*best).value()))
          best = &c;
      if (!p.predicted || !best) continue;
      const Figure share = figure(p) / figure(*best);
      std::printf("| %d | %s | %s | %.3f +- %.3f | %s's %.3f +- %.3f |\n", p.nfe, p.name.c_str(), what, share.value(),
                  share.margin(), best->name.c_str(), figure(*best).value(), figure(*best).margin());
    }
  };
  if (std::none_of(rows.begin(), rows.end(), [](const Row& r) { return r.predicted; })) return;
  std::printf(
      "\nShares of the best classic solver's distance\n\n| evaluations | predictor | distance | share | of "
      "|\n|---|---|---|---|---|\n");
  shares("median", [](const Row& r) { return r.median; });
  shares("Frechet to reference above the reference's own", [&](const Row& r) { return r.frechet_reference - floor; });
}

/// Of pictures whose classes take turns.
inline void print_classes(const std::vector<Row>& rows) {
  const auto classes = static_cast<std::int64_t>(fashion_mnist_labels.size());
  std::printf("\nrms distance to the reference by class\n\n| evaluations | solver ");
  for (const char* label : fashion_mnist_labels) std::printf("| %s ", label);
  std::printf("|\n|---|---|---|---|---|---|---|---|---|---|---|---|\n");
  const torch::Tensor kinds = torch::arange(rows.front().distance.size(1)) % classes;
  for (const Row& r : rows) {
    if (&r == &rows.front()) continue;
    std::printf("| %d | %s ", r.nfe, r.name.c_str());
    for (std::int64_t c = 0; c < classes; ++c)
      std::printf("| %.3f ",
                  r.distance.index_select(1, (kinds == c).nonzero().squeeze(1)).mean().sqrt().item<double>());
    std::printf("|\n");
  }
}

inline void write_csv(const std::filesystem::path& path, const std::vector<Row>& rows, std::int64_t images,
                      std::int64_t seeds) {
  io::atomic_write(path, [&](std::ostream& out) {
    out << "evaluations,solver,settings,images,seeds,seconds_per_1000";
    for (const auto& [name, figure] : figures) out << "," << name << "," << name << "_margin";
    for (const Row& r : rows) {
      out << "\n" << r.nfe << "," << r.name << ",\"" << r.text << "\"," << images << "," << seeds << "," << r.seconds;
      for (const auto& [name, figure] : figures) out << "," << (r.*figure).value() << "," << (r.*figure).margin();
    }
    out << "\n";
  });
  std::printf("\nwrote %s\n", path.c_str());
}

inline void write_differences(const std::filesystem::path& path, const std::vector<Row>& rows) {
  io::atomic_write(path, [&](std::ostream& out) {
    out << "evaluations,predictor,against,its_settings,rms,rms_margin,frechet_reference,frechet_reference_margin,share_"
           "above_reference,share_above_reference_margin\n";
    for (const Difference& d : differences(rows))
      out << d.predictor->nfe << "," << d.predictor->name << "," << d.against->name << ",\"" << d.against->text << "\","
          << d.rms.value() << "," << d.rms.margin() << "," << d.frechet.value() << "," << d.frechet.margin() << ","
          << d.share.value() << "," << d.share.margin() << "\n";
  });
  std::printf("wrote %s\n", path.c_str());
}

/// A line per solver, of its settings the nearest; predictors of one kind, amed_5 and amed_7, table_5_rank_6 and
/// table_7_rank_6, are one line, a thick one.
inline void write_plot(const std::filesystem::path& path, const std::vector<Row>& rows) {
  const auto kind = [](const Row& r) {
    return r.predicted ? std::regex_replace(r.name, std::regex("_[0-9]+"), "", std::regex_constants::format_first_only)
                       : r.name;
  };
  std::map<std::string, std::vector<const Row*>> lines;
  for (const Row& r : rows)
    if (r.name != "reference") lines[kind(r)].push_back(&r);
  std::ostringstream data, titles[2];
  int number = 0;
  for (auto& [name, line] : lines) {
    std::map<int, std::pair<double, double>> nearest;
    for (const Row* r : line) {
      const auto [at, fresh] = nearest.try_emplace(r->nfe, r->rms.value(), r->frechet_reference.value());
      if (!fresh)
        at->second = {(std::min)(at->second.first, r->rms.value()),
                      (std::min)(at->second.second, r->frechet_reference.value())};
    }
    data << "$line" << number << " << END\n";
    for (const auto& [nfe, distance] : nearest) data << nfe << " " << distance.first << " " << distance.second << "\n";
    data << "END\n";
    std::string title = name;
    std::replace(title.begin(), title.end(), '_', ' ');
    for (int k : {0, 1})
      titles[k] << (number ? ", " : "plot ") << "$line" << number << " using 1:" << k + 2
                << " with linespoints linewidth " << (line.front()->predicted ? 3 : 1) << " pointtype "
                << number % 15 + 1 << " dashtype " << (line.front()->predicted ? 1 : 2) << " title '" << title << "'";
    ++number;
  }
  std::ostringstream commands;
  commands
      << data.str()
      << "set multiplot layout 1,2\nset logscale y\nset grid\nset xlabel 'network evaluations'\nset xtics 1\n"
      << "unset key\nset lmargin at screen 0.06\nset rmargin at screen 0.41\n"
      << "set ylabel 'rms distance to the reference solution'\n"
      << titles[0].str()
      << "\nset key outside right center font ',9'\nset lmargin at screen 0.5\nset rmargin at screen 0.87\n"  // one
                                                                                                              // key,
                                                                                                              // beside
                                                                                                              // both
      << "set ylabel 'Frechet distance to the reference solution'\n"
      << titles[1].str() << ", " << rows.front().frechet_reference.value()
      << " with lines dashtype 2 linecolor 'black' title 'reference'\nunset multiplot\n";
  plot(path, "1300,500", commands.str());
}

}  // namespace fewstep::examples
