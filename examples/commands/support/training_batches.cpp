#include "training_batches.hpp"

#include "noise_numbers.hpp"

#include <fewstep/fitting/teacher.hpp>

#include <sstream>
#include <utility>

namespace fewstep::examples {

namespace {
constexpr std::int64_t part_size = 50;  // samples
}

TrainingBatches::TrainingBatches(std::shared_ptr<const EdmDenoiser> network, torch::Device device,
                                 const std::string& network_text, std::int64_t seed, const Teacher& teacher,
                                 const std::filesystem::path& cache)
    : network_(plain(network)),
      teacher_network_(interruptible(network)),
      config_(network->config()),
      device_(device),
      network_text_(network_text),
      seed_(seed),
      teacher_(teacher),
      solver_(tensor_solver(teacher.solver, teacher.settings)),
      cache_(cache) {}

Batch TrainingBatches::without_teacher(std::int64_t first, std::int64_t count, const Network& network) const {
  const std::vector<std::uint64_t> numbers = training_numbers(seed_, first, count);
  torch::Tensor labels;
  if (config_.label_dim > 0) {
    std::vector<torch::Tensor> classes;
    for (const std::uint64_t number : numbers)
      classes.push_back(torch::randint(config_.label_dim, {1}, at::detail::createCPUGenerator(~number), torch::kInt64));
    labels = class_rows(torch::cat(classes), config_.label_dim).to(device_);
  }
  return {noise_of(numbers, config_, device_) * teacher_.schedule[0], ConditionalDenoiser(network, labels), {}};
}

Batch TrainingBatches::operator()(std::int64_t first, std::int64_t count) {
  Batch batch = without_teacher(first, count, network_);
  std::vector<torch::Tensor> parts;
  for (std::int64_t part = first / part_size; part * part_size < first + count; ++part)
    parts.push_back(teacher_states(part));
  const torch::Tensor states = torch::cat(parts, 1).narrow(1, first % part_size, count).to(device_);
  batch.teacher.push_back(batch.x);
  for (std::int64_t i = 0; i < states.size(0); ++i) batch.teacher.push_back(states[i]);
  return batch;
}

/// @return [states, part_size, C, H, W], without the start
torch::Tensor TrainingBatches::teacher_states(std::int64_t part) {
  if (part == last_part_) return last_states_;
  std::ostringstream text;
  text << "states of " << teacher_.solver << " of order " << teacher_.settings.order.value_or(0) << ", model "
       << network_text_ << ", seed " << seed_ << ", samples " << part * part_size << " + " << part_size << ", every "
       << teacher_.stride << " of levels";
  for (const double level : teacher_.schedule) text << " " << level;
  const auto make = [&] {
    const Batch batch = without_teacher(part * part_size, part_size, teacher_network_);
    const std::vector<torch::Tensor> states =
        record_teacher(solver_, batch.denoise, teacher_.schedule, batch.x, {.stride = teacher_.stride}).states;
    return Cache::Tensors{{"states", torch::stack(at::TensorList(states).slice(1)).to(torch::kCPU)}};
  };
  last_states_ = cache_(text.str(), make).at("states");
  last_part_ = part;
  return last_states_;
}

}  // namespace fewstep::examples
