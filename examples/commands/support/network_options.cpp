#include "network_options.hpp"

namespace fewstep::examples {

void NetworkOptions::add_model(CommandLine& line, [[maybe_unused]] bool described) {
#ifdef FEWSTEP_TORCH
  line.option("--model", model,
              described ? "weights of the network (.safetensors), or the description of an exported one (.json)"
                        : "weights of the network (.safetensors)")
      .required();
#else
  line.option("--model", model, "description of an exported network (.json)").required();
#endif
}

void NetworkOptions::add_device(CommandLine& line) {
  line.option("--device", device, "cpu, cuda, cuda:1, ...");
  line.flag("--bf16", bf16, "run the network in bfloat16");
}

void NetworkOptions::add_device_and_dtype(CommandLine& line) {
  line.option("--device", device, "cpu, cuda, cuda:1, ...");
  line.option("--dtype", dtype, "type that the network computes in")
      .one_of({"float32", "float64", "bfloat16", "float16"});
}

}  // namespace fewstep::examples
