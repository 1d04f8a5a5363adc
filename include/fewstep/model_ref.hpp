#pragma once

#include "algebra.hpp"
#include "branches.hpp"
#include "errors.hpp"

#include <concepts>
#include <type_traits>

namespace fewstep {

/// The model as a solver sees it: evaluates the solver's target at states and noise levels of the solver's choice.
/// Refers to the model behind two function pointers, so that a solver's step is compiled once per state type, whatever
/// the denoiser.
template <State X>
class ModelRef {
 public:
  /// @param model  outlives this object; has the two members below, with out as `X&`
  template <class M>
    requires(!std::same_as<std::remove_const_t<M>, ModelRef>)
  explicit ModelRef(M& model)
      : model_(&model),
        evaluate_([](void* m, const X& x, const Level<X>& network_sigma, const Level<X>& sigma, X& out) {
          (*static_cast<M*>(m))(x, network_sigma, sigma, out);
        }),
        branches_([](void* m, const Level<X>& network_sigma, const Level<X>& sigma, BranchCall<X>& call) {
          if constexpr (requires(M& whole) { whole.branches(network_sigma, sigma, call); })
            static_cast<M*>(m)->branches(network_sigma, sigma, call);
          else refuse("the branches of the model", 1, call.outputs.size());
        }),
        features_([](void* m) { return static_cast<M*>(m)->features(); }) {}

  /// out <- the target at (x, sigma): one evaluation. x and out must be different objects.
  void operator()(const X& x, const Level<X>& sigma, X& out) const { evaluate_(model_, x, sigma, sigma, out); }

  /// The same, with the network evaluated at `network_sigma` while slopes still divide by sigma (AMED's sigma_scale).
  void operator()(const X& x, const Level<X>& network_sigma, const Level<X>& sigma, X& out) const {
    evaluate_(model_, x, network_sigma, sigma, out);
  }

  /// The targets of several branches at one state, by one call of the denoiser; see BranchCall.
  void branches(const Level<X>& network_sigma, const Level<X>& sigma, BranchCall<X>& call) const {
    branches_(model_, network_sigma, sigma, call);
  }

  /// Features of the latest evaluation; null where there are none.
  const Features<X>* features() const { return features_(model_); }

 private:
  void* model_;
  void (*evaluate_)(void*, const X&, const Level<X>&, const Level<X>&, X&);
  void (*branches_)(void*, const Level<X>&, const Level<X>&, BranchCall<X>&);
  const Features<X>* (*features_)(void*);
};

}  // namespace fewstep
