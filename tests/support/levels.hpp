// Comparing schedules, level by level.
#pragma once

#include "catch.hpp"
#include "message.hpp"

#include <fewstep/schedule.hpp>

#include <cmath>
#include <vector>

namespace fewstep::test {

inline void near(const Schedule& got, const std::vector<double>& want, double tolerance = 1e-12) {
  REQUIRE(got.size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    INFO("level " << i);
    CHECK(std::abs(got[i] - want[i]) <= tolerance * std::abs(want[i]));
  }
}

}  // namespace fewstep::test
