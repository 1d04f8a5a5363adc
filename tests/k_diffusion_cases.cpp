// Runs samplers of k-diffusion on the exact denoiser of two peaks: one case per line of standard input, a JSON object;
// prints per line the samples and the evaluations, or the error. The program behind k_diffusion_differential.py.
#include "support/k_diffusion_run.hpp"

#include <cstdio>
#include <iostream>
#include <string>

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json answer;
    try {
      answer = fewstep::test::k_diffusion_run(nlohmann::json::parse(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::printf("%s\n", answer.dump().c_str());
    std::fflush(stdout);
  }
}
