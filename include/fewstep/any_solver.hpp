// A solver chosen at run time.
#pragma once

#include "solver.hpp"

#include <cstddef>
#include <memory>
#include <type_traits>
#include <utility>

namespace fewstep {

namespace detail {

/// The model behind two function pointers: what a type-erased solver may know of it.
template <State X>
class ModelRef {
 public:
  template <class M>
    requires(!std::same_as<std::remove_const_t<M>, ModelRef>)
  explicit ModelRef(M& model)
      : model_(&model),
        call_([](void* m, const X& x, const Level<X>& fed, const Level<X>& t, X& out) {
          (*static_cast<M*>(m))(x, fed, t, out);
        }),
        features_([](void* m) { return static_cast<M*>(m)->features(); }) {}

  void operator()(const X& x, const Level<X>& t, X& out) const { call_(model_, x, t, t, out); }
  void operator()(const X& x, const Level<X>& fed, const Level<X>& t, X& out) const { call_(model_, x, fed, t, out); }
  const Features<X>* features() const { return features_(model_); }

 private:
  void* model_;
  void (*call_)(void*, const X&, const Level<X>&, const Level<X>&, X&);
  const Features<X>* (*features_)(void*);
};

}  // namespace detail

/// Any solver of states X behind one type, for callers that choose at run time; costs two indirect calls a step.
/// A denoiser of shared levels only is refused when such a solver first asks it for per-sample ones.
template <State X>
class AnySolver {
  struct ErasedMemory {
    virtual ~ErasedMemory() = default;
    virtual std::unique_ptr<ErasedMemory> clone() const = 0;
    virtual void detach() = 0;
  };
  template <class M>
  struct ErasedMemoryOf final : ErasedMemory {
    M memory;
    explicit ErasedMemoryOf(M m) : memory(std::move(m)) {}
    std::unique_ptr<ErasedMemory> clone() const override { return std::make_unique<ErasedMemoryOf>(memory); }
    void detach() override { memory.detach(); }
  };
  struct Interface {
    virtual ~Interface() = default;
    virtual Target target() const = 0;
    virtual bool multistep() const = 0;
    virtual int evaluations() const = 0;
    virtual int evaluations(StepCount& at) const = 0;
    virtual double sigma_scale(std::size_t index) const = 0;
    virtual void validate() const = 0;
    virtual std::unique_ptr<ErasedMemory> memory(const X& x) const = 0;
    virtual void step(const Step<X>& n, X& x, X& first, detail::ModelRef<X>& model, ErasedMemory& memory) const = 0;
  };
  template <class S>
  struct Holder final : Interface {
    S solver;
    explicit Holder(S s) : solver(std::move(s)) {}
    Target target() const override { return target_of(solver); }
    bool multistep() const override { return is_multistep(solver); }
    int evaluations() const override { return solver.evaluations(); }
    int evaluations(StepCount& at) const override { return detail::step_evaluations(solver, at); }
    double sigma_scale(std::size_t index) const override { return detail::sigma_scale(solver, index); }
    void validate() const override { detail::validate(solver); }
    std::unique_ptr<ErasedMemory> memory(const X& x) const override {
      return std::make_unique<ErasedMemoryOf<fewstep::Memory<S, X>>>(solver.memory(x));
    }
    void step(const Step<X>& n, X& x, X& first, detail::ModelRef<X>& model, ErasedMemory& memory) const override {
      solver.step(n, x, first, model, static_cast<ErasedMemoryOf<fewstep::Memory<S, X>>&>(memory).memory);
    }
  };

 public:
  class AnyMemory {
   public:
    explicit AnyMemory(std::unique_ptr<ErasedMemory> r) : held_(std::move(r)) {}
    AnyMemory(const AnyMemory& o) : held_(o.held_->clone()) {}
    AnyMemory(AnyMemory&&) noexcept = default;
    void detach() { held_->detach(); }
    ErasedMemory& get() { return *held_; }

   private:
    std::unique_ptr<ErasedMemory> held_;
  };

  template <class S>
    requires(!std::same_as<S, AnySolver> && Solver<S, X>)
  AnySolver(S solver) : held_(std::make_shared<const Holder<S>>(std::move(solver))) {}

  Target target() const { return held_->target(); }
  bool multistep() const { return held_->multistep(); }
  int evaluations() const { return held_->evaluations(); }
  int evaluations(StepCount& at) const { return held_->evaluations(at); }
  double sigma_scale(std::size_t index) const { return held_->sigma_scale(index); }
  void validate() const { held_->validate(); }
  AnyMemory memory(const X& x) const { return AnyMemory(held_->memory(x)); }

  template <class M>
  void step(const Step<X>& n, X& x, X& first, M& model, AnyMemory& memory) const {
    detail::ModelRef<X> erased(model);
    held_->step(n, x, first, erased, memory.get());
  }

 private:
  std::shared_ptr<const Interface> held_;
};

}  // namespace fewstep
