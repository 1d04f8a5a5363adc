// Runs schedulers of diffusers on the exact denoiser of two peaks: one case per line of standard input, a JSON object
// with `config`, `steps`, `mu` and `sigmas`; prints per line the samples and the evaluations, or the error. The program
// behind diffusers_differential.py.
#include "support/diffusers_run.hpp"

#include <cstdio>
#include <iostream>
#include <string>

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    nlohmann::json answer;
    try {
      answer = fewstep::test::diffusers_run(fewstep::io::parse_scheduler(line));
    } catch (const std::exception& error) {
      answer = {{"error", error.what()}};
    }
    std::printf("%s\n", fewstep::io::dump_json(answer).c_str());
    std::fflush(stdout);
  }
}
