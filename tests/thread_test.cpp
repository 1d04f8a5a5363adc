// A solver, a denoiser and a schedule may be shared between threads: no run writes to them.
#include "support/catch.hpp"
#include "support/types.hpp"

#include <atomic>
#include <cstddef>
#include <latch>
#include <thread>
#include <vector>

using namespace fewstep;
using test::Array;

TEST_CASE("sixteen threads that share solver, denoiser and schedule give the samples of one thread, bit by bit") {
  const MixtureDenoiser denoise(test::mixture());
  const Schedule schedule = karras({.steps = 6, .end = End::zero});
  const std::vector<Array> noises{noise({1, 2, 3}, 4), noise({4}, 4), noise({5, 6}, 4)};

  const auto check = [&](const std::string& label, const auto& solver) {
    const auto draw = [&](const Array& z) { return sample(solver, denoise, schedule, z).x; };
    std::vector<Array> alone;
    for (const Array& z : noises) alone.push_back(draw(z));

    std::atomic<int> different = 0;
    std::latch all_are_there(16);
    std::vector<std::jthread> threads;
    for (int i = 0; i < 16; ++i)
      threads.emplace_back([&] {
        all_are_there.arrive_and_wait();
        for (std::size_t k = 0; k < noises.size(); ++k)
          if (!(draw(noises[k]) == alone[k]).all()) ++different;
      });
    threads.clear();  // joins
    INFO(label);
    CHECK(different == 0);
  };
  for (const auto& [label, solver] : test::configurations<Array>()) check(label, solver);
}
