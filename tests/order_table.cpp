// order_table [DOCUMENT]: measures the order of every solver and prints the two tables of
// include/fewstep/solvers/README.md. With that document as the argument, it fails if a declared order differs by more
// than 0.2 from the measured one, or if a solver has no row.
#include "support/configurations.hpp"

#include <fewstep/laws/order.hpp>

#include <cmath>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace fewstep;

namespace {

struct Row {
  std::string solver;
  std::vector<double> orders;  // two per grid: from exact starting values, and of a run as users start it
};

std::vector<Row> measure(const laws::TwoPeaks& problem) {
  std::vector<Row> rows;
  test::for_each_configuration([&](const std::string& label, const auto& solver) {
    rows.push_back({label, {}});
    for (const auto& grid : laws::grids())
      for (const auto start : {laws::Start::exact, laws::Start::shipped})
        rows.back().orders.push_back(laws::order(AnySolver<double>(solver), problem, grid, start));
  });
  return rows;
}

std::string head(const std::string& problem) {
  std::string line = "| " + problem + " |", rule = "|---|";
  for (const auto& grid : laws::grids()) {
    line += " " + std::string(grid.name) + " |";
    rule += "---|";
  }
  return line + "\n" + rule + "\n";
}

std::string text(const Row& row) {
  std::string line = "| " + row.solver + " |";
  for (std::size_t i = 0; i < row.orders.size(); i += 2) {
    char cell[32];
    std::snprintf(cell, sizeof cell, " %.1f / %.1f |", row.orders[i], row.orders[i + 1]);
    line += cell;
  }
  return line;
}

constexpr double tolerance = 0.2;

/// Returns the number of rows of the table under `head` in `page` that are missing or differ from those measured.
int differences(const std::string& page, const std::string& head, const std::vector<Row>& rows) {
  const auto at = page.find(head);
  if (at == std::string::npos) {
    std::fprintf(stderr, "the document lacks the table\n%s", head.c_str());
    return 1;
  }
  int wrong = 0;
  std::istringstream every(page.substr(at + head.size()));
  std::size_t declared_rows = 0;
  for (std::string line; std::getline(every, line) && line.rfind('|', 0) == 0;) ++declared_rows;
  if (declared_rows != rows.size()) {
    std::fprintf(stderr, "%zu rows declared, %zu solvers\n", declared_rows, rows.size());
    ++wrong;
  }
  for (const Row& row : rows) {
    std::istringstream table(page.substr(at + head.size()));
    std::string line, name = "| " + row.solver + " |";
    while (std::getline(table, line) && line.rfind('|', 0) == 0 && line.rfind(name, 0) != 0) {
    }
    bool good = line.rfind(name, 0) == 0;
    std::istringstream cells(good ? line.substr(name.size()) : "");
    for (const double measured : row.orders) {
      double declared = 0;
      char mark;
      good = good && cells >> declared >> mark && std::abs(declared - measured) <= tolerance;
    }
    if (good) continue;
    std::fprintf(stderr, "declared  %s\nmeasured  %s\n", line.c_str(), text(row).c_str());
    ++wrong;
  }
  return wrong;
}

std::string content_of(const char* path) {
  std::ifstream file(path);
  std::ostringstream all;
  all << file.rdbuf();
  return file ? all.str() : "";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string page = argc > 1 ? content_of(argv[1]) : "";
  if (argc > 1 && page.empty()) {
    std::fprintf(stderr, "error: %s cannot be read\n", argv[1]);
    return 1;
  }
  int wrong = 0;
  for (const auto& [name, problem] :
       {std::pair{"two peaks", laws::TwoPeaks{}}, std::pair{"Gaussian", laws::TwoPeaks{.peak = 0}}}) {
    const auto rows = measure(problem);
    std::printf("%s", head(name).c_str());
    for (const Row& row : rows) std::printf("%s\n", text(row).c_str());
    std::printf("\n");
    if (argc > 1) wrong += differences(page, head(name), rows);
  }
  return wrong ? 1 : 0;
}
