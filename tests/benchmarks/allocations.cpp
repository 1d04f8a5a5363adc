// Counted at malloc, because Eigen does not use operator new.
#include "sections.hpp"
#include "steps.hpp"

#include <fewstep/fitting/tabulate.hpp>
#include <fewstep/registry.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdio>
#include <stdexcept>

namespace {
std::atomic<std::size_t> allocations = 0;
}

// glibc's malloc, which this program replaces.
extern "C" void* __libc_malloc(std::size_t size);
extern "C" void* malloc(std::size_t size) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(size);
}

namespace fewstep::benchmarks {

namespace {

template <class X>
void count_allocations(const char* state) {
  std::size_t solvers = 0, most = 0;
  const Schedule schedule = karras({.steps = 12});
  const auto count = [&](const AnySolver<X>& solver) {
    const Cheap<X> denoise;
    Run run(solver, denoise, schedule, constant<X>(112, 4, 80));
    run.advance();
    const std::size_t before = allocations;
    while (run.advance()) {
    }
    ++solvers;
    most = std::max<std::size_t>(most, allocations - before);
    if (before == 0) throw std::logic_error("allocations are not counted");
  };
  for_each_solver([&](const auto& entry) { count(entry.make({})); });
  count(tabulate(Ipndm{.order = 3}, schedule));
  std::printf("| %s | %zu and a table | %zu |\n", state, solvers - 1, most);
}

}  // namespace

void allocation_count() {
  std::printf("| state | solvers | most allocations in 11 steps |\n|---|---|---|\n");
  count_allocations<Eigen::ArrayXXf>("Eigen array");
  count_allocations<Buffer<float>>("buffer");
}

}  // namespace fewstep::benchmarks
