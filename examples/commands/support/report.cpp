#include "report.hpp"

#include "plot.hpp"

#include <fewstep/io/atomic_write.hpp>

#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <map>
#include <ostream>
#include <sstream>

namespace fewstep::examples {

namespace {

/// Two rows of the same NFE and noise: differences between the fitted one and the other, and the ratio of their Frechet
/// distances in excess of the reference's own.
struct Difference {
  const Row *fitted, *other;
  Figure rms, frechet, ratio;
};

std::vector<Difference> differences(const std::vector<Row>& rows) {
  const Figure& floor = rows.front().frechet_reference;
  std::vector<Difference> all;
  for (const Row& p : rows)
    for (const Row& c : rows)
      if (p.fitted && c.nfe == p.nfe && (!c.fitted || &c < &p))
        all.push_back({&p, &c, p.rms - c.rms, p.frechet_reference - c.frechet_reference,
                       (p.frechet_reference - floor) / (c.frechet_reference - floor)});
  return all;
}

/// Calls f(name, figure) for the figures that were measured.
template <class F>
void for_each_figure(const std::vector<Row>& rows, F f) {
  for (const auto& [name, figure] : figures) {
    const bool frechet = figure == &Row::frechet_reference || figure == &Row::frechet_real;
    if (!frechet || rows.front().has_frechet) f(std::string(name), figure);
  }
}

/// Without the first number: "amed_5" -> "amed", "table_7_rank_6" -> "table_rank_6".
std::string kind_of(const std::string& name) {
  const auto is_digit = [](char c) { return std::isdigit(static_cast<unsigned char>(c)) != 0; };
  for (std::size_t at = name.find('_'); at != name.npos; at = name.find('_', at + 1)) {
    std::size_t end = at + 1;
    while (end < name.size() && is_digit(name[end])) ++end;
    if (end > at + 1) return name.substr(0, at) + name.substr(end);
  }
  return name;
}

/// The smallest RMS and Frechet distances by NFE.
using Line = std::map<int, std::pair<double, double>>;
Line best_distances(const std::vector<const Row*>& rows) {
  Line line;
  for (const Row* r : rows) {
    const double rms = r->rms.value(), frechet = r->frechet_reference.value();
    const auto [at, fresh] = line.try_emplace(r->nfe, rms, frechet);
    if (!fresh) at->second = {(std::min)(at->second.first, rms), (std::min)(at->second.second, frechet)};
  }
  return line;
}

/// The part of gnuplot's `plot` command for one line: `column` of its data.
std::string line_command(int number, int column, bool fitted, std::string title) {
  constexpr int point_types = 15;
  std::replace(title.begin(), title.end(), '_', ' ');
  std::ostringstream text;
  text << (number > 0 ? ", " : "plot ") << "$line" << number << " using 1:" << column << " with linespoints linewidth "
       << (fitted ? 3 : 1) << " pointtype " << number % point_types + 1 << " dashtype " << (fitted ? 1 : 2)
       << " title '" << title << "'";
  return text.str();
}

}  // namespace

void print_table(const std::vector<Row>& rows, std::int64_t images, std::int64_t seeds) {
  std::printf("%lld images, %lld seeds; +- is half of a bootstrapped 95%% interval; all distances: lower is better\n\n",
              static_cast<long long>(images), static_cast<long long>(seeds));
  const std::map<std::string, const char*> titles{{"rms", "RMS"},
                                                  {"median", "median"},
                                                  {"frechet_reference", "Frechet to reference"},
                                                  {"frechet_real", "Frechet to test images"},
                                                  {"sliced_wasserstein", "sliced Wasserstein"}};
  std::string head = "| NFE | solver ", rule = "|---|---|";
  for_each_figure(rows, [&](const std::string& name, auto) {
    head += std::string("| ") + titles.at(name) + " ";
    rule += "---|";
  });
  std::printf("%s| seconds per 1,000 | settings |\n%s---|---|\n", head.c_str(), rule.c_str());
  for (const Row& r : rows) {
    std::printf("| %d | %s ", r.nfe, r.name.c_str());
    for_each_figure(rows, [&](const std::string&, auto figure) {
      std::printf("| %.4g +- %.2g ", (r.*figure).value(), (r.*figure).margin());
    });
    std::printf("| %.1f | %s |\n", r.seconds, r.text.c_str());
  }
}

void print_differences(const std::vector<Row>& rows) {
  const std::vector<Difference> all = differences(rows);
  if (all.empty()) return;
  if (!rows.front().has_frechet) {
    std::printf(
        "\nPaired differences (negative: the fitted sampler is better)\n\n| NFE | fitted | against | RMS "
        "|\n|---|---|---|---|\n");
    for (const Difference& d : all)
      std::printf("| %d | %s | %s | %.4f +- %.4f |\n", d.fitted->nfe, d.fitted->name.c_str(), d.other->name.c_str(),
                  d.rms.value(), d.rms.margin());
    return;
  }
  std::printf(
      "\nPaired differences (negative: the fitted sampler is better), and the ratio of Frechet distances above the "
      "reference's own\n\n| NFE | fitted | against | RMS | Frechet to reference | ratio "
      "|\n|---|---|---|---|---|---|\n");
  for (const Difference& d : all)
    std::printf("| %d | %s | %s | %.4f +- %.4f | %.3f +- %.3f | %.3f +- %.3f |\n", d.fitted->nfe,
                d.fitted->name.c_str(), d.other->name.c_str(), d.rms.value(), d.rms.margin(), d.frechet.value(),
                d.frechet.margin(), d.ratio.value(), d.ratio.margin());
}

void print_ratios(const std::vector<Row>& rows) {
  const Figure& floor = rows.front().frechet_reference;
  const auto print = [&](const char* what, const auto& figure) {
    for (const Row& p : rows) {
      const Row* best = nullptr;
      for (const Row& c : rows)
        if (&c != &rows.front() && !c.fitted && c.nfe == p.nfe && (!best || figure(c).value() < figure(*best).value()))
          best = &c;
      if (!p.fitted || !best) continue;
      const Figure ratio = figure(p) / figure(*best);
      std::printf("| %d | %s | %s | %.3f +- %.3f | %s: %.3f +- %.3f |\n", p.nfe, p.name.c_str(), what, ratio.value(),
                  ratio.margin(), best->name.c_str(), figure(*best).value(), figure(*best).margin());
    }
  };
  if (std::none_of(rows.begin(), rows.end(), [](const Row& r) { return r.fitted; })) return;
  std::printf(
      "\nDistances relative to the best classic solver's\n\n| NFE | fitted | distance | ratio | best classic solver "
      "|\n|---|---|---|---|---|\n");
  print("median", [](const Row& r) { return r.median; });
  if (rows.front().has_frechet)
    print("Frechet to reference above the reference's own", [&](const Row& r) { return r.frechet_reference - floor; });
}

void print_classes(const std::vector<Row>& rows, const std::vector<std::string>& labels) {
  const std::int64_t classes = std::ssize(labels);
  std::printf("\nRMS distance to the reference by class\n\n| NFE | solver ");
  for (const std::string& label : labels) std::printf("| %s ", label.c_str());
  std::printf("|\n|---|---|");
  for (std::int64_t c = 0; c < classes; ++c) std::printf("---|");
  std::printf("\n");
  const torch::Tensor class_of = torch::arange(rows.front().distance.size(1)) % classes;
  for (const Row& r : rows) {
    if (&r == &rows.front()) continue;
    std::printf("| %d | %s ", r.nfe, r.name.c_str());
    for (std::int64_t c = 0; c < classes; ++c)
      std::printf("| %.3f ",
                  r.distance.index_select(1, (class_of == c).nonzero().squeeze(1)).mean().sqrt().item<double>());
    std::printf("|\n");
  }
}

void write_csv(const std::filesystem::path& path, const std::vector<Row>& rows, std::int64_t images,
               std::int64_t seeds) {
  io::atomic_write(path, [&](std::ostream& out) {
    out << "evaluations,solver,settings,images,seeds,seconds_per_1000";
    for_each_figure(rows, [&](const std::string& name, auto) { out << "," << name << "," << name << "_margin"; });
    for (const Row& r : rows) {
      out << "\n" << r.nfe << "," << r.name << ",\"" << r.text << "\"," << images << "," << seeds << "," << r.seconds;
      for_each_figure(rows, [&](const std::string&, auto figure) {
        out << "," << (r.*figure).value() << "," << (r.*figure).margin();
      });
    }
    out << "\n";
  });
  std::printf("\nwrote %s\n", path.c_str());
}

void write_differences(const std::filesystem::path& path, const std::vector<Row>& rows) {
  io::atomic_write(path, [&](std::ostream& out) {
    out << "evaluations,predictor,against,its_settings,rms,rms_margin";
    const bool frechet = rows.front().has_frechet;
    if (frechet)
      out << ",frechet_reference,frechet_reference_margin,share_above_reference,share_above_reference_margin";
    for (const Difference& d : differences(rows)) {
      out << "\n"
          << d.fitted->nfe << "," << d.fitted->name << "," << d.other->name << ",\"" << d.other->text << "\","
          << d.rms.value() << "," << d.rms.margin();
      if (frechet)
        out << "," << d.frechet.value() << "," << d.frechet.margin() << "," << d.ratio.value() << ","
            << d.ratio.margin();
    }
    out << "\n";
  });
  std::printf("wrote %s\n", path.c_str());
}

void write_plot(const std::filesystem::path& path, const std::vector<Row>& rows) {
  std::map<std::string, std::vector<const Row*>> lines;
  for (const Row& r : rows)
    if (r.name != "reference") lines[r.fitted ? kind_of(r.name) : r.name].push_back(&r);
  std::ostringstream data;
  std::string rms_lines, frechet_lines;
  int number = 0;
  for (const auto& [name, of_line] : lines) {
    data << "$line" << number << " << END\n";
    for (const auto& [nfe, distances] : best_distances(of_line))
      data << nfe << " " << distances.first << " " << distances.second << "\n";
    data << "END\n";
    rms_lines += line_command(number, 2, of_line.front()->fitted, name);
    frechet_lines += line_command(number, 3, of_line.front()->fitted, name);
    ++number;
  }
  std::ostringstream commands;
  commands << data.str() << "set logscale y\nset grid\nset xlabel 'NFE'\nset xtics 1\n";
  const char* rms_label = "set ylabel 'RMS distance to the reference solution'\n";
  const std::string key = "set key outside right center font ',9'\n";
  if (!rows.front().has_frechet) {
    plot(path, "800,500", commands.str() + key + rms_label + rms_lines + "\n");
    return;
  }
  // One key, to the right of both plots.
  commands << "set multiplot layout 1,2\nunset key\nset lmargin at screen 0.06\nset rmargin at screen 0.41\n"
           << rms_label << rms_lines << "\n"
           << key << "set lmargin at screen 0.5\nset rmargin at screen 0.87\n"
           << "set ylabel 'Frechet distance to the reference solution'\n"
           << frechet_lines << ", " << rows.front().frechet_reference.value()
           << " with lines dashtype 2 linecolor 'black' title 'reference'\nunset multiplot\n";
  plot(path, "1300,500", commands.str());
}

}  // namespace fewstep::examples
