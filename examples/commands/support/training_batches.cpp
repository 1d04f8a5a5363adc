#include "training_batches.hpp"

#include "noise_numbers.hpp"

#include <fewstep/fitting/teacher.hpp>

#include <sstream>
#include <utility>

namespace fewstep::examples {

namespace {
constexpr std::int64_t part_size = 50;  // samples
}

TrainingBatches::TrainingBatches(const Subject& subject, double guidance, std::int64_t seed, const Teacher& teacher,
                                 const std::filesystem::path& cache)
    : subject_(&subject),
      network_text_(subject.text() + Condition{.guidance = guidance}.text()),
      guidance_(guidance),
      seed_(seed),
      teacher_(teacher),
      solver_(samples_solver(teacher.solver, teacher.settings)),
      cache_(cache) {}

Batch TrainingBatches::without_teacher(std::int64_t first, std::int64_t count, const AroundEvaluation& around) const {
  const std::vector<std::uint64_t> numbers = training_numbers(seed_, first, count);
  const torch::Tensor x = subject_->noise(numbers) * teacher_.schedule[0];
  const std::int64_t class_count = subject_->config() ? subject_->config()->label_dim : 0;
  if (class_count == 0) return {x, subject_->denoiser({.guidance = guidance_}, first, count, around), {}};
  std::vector<torch::Tensor> classes;
  for (const std::uint64_t number : numbers)
    classes.push_back(torch::randint(class_count, {1}, at::detail::createCPUGenerator(~number), torch::kInt64));
  const torch::Tensor labels = class_rows(torch::cat(classes), class_count).to(subject_->device());
  return {x, subject_->labelled(labels, guidance_, around), {}};
}

Batch TrainingBatches::operator()(std::int64_t first, std::int64_t count) {
  Batch batch = without_teacher(first, count, {});
  std::vector<torch::Tensor> parts;
  for (std::int64_t part = first / part_size; part * part_size < first + count; ++part)
    parts.push_back(teacher_states(part));
  const torch::Tensor states = torch::cat(parts, 1).narrow(1, first % part_size, count).to(subject_->device());
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
    const Batch batch = without_teacher(part * part_size, part_size, interruptible());
    const std::vector<torch::Tensor> states =
        record_teacher(solver_, batch.denoise, teacher_.schedule, batch.x, {.stride = teacher_.stride}).states;
    return TensorCache::Tensors{{"states", torch::stack(at::TensorList(states).slice(1)).to(torch::kCPU)}};
  };
  last_states_ = cache_(text.str(), make).at("states");
  last_part_ = part;
  return last_states_;
}

}  // namespace fewstep::examples
