#include "tensor_cache.hpp"

#include "tensor_file.hpp"

namespace fewstep::examples {

TensorCache::Tensors TensorCache::operator()(const std::string& description,
                                             const std::function<Tensors()>& make) const {
  if (!stored_) return make();
  return tensors_of(cache_(description, [&] { return arrays_of(make()); }));
}

}  // namespace fewstep::examples
