// A solver chosen at run time.
#pragma once

#include "solver.hpp"

#include <concepts>
#include <cstddef>
#include <memory>
#include <utility>

namespace fewstep {

/// Any solver of states X behind one type, for programs that choose at run time. Costs one virtual call per step and
/// one allocation per run. A denoiser of shared levels only is rejected at run time, when such a solver first asks for
/// one level per sample.
template <State X>
class AnySolver {
  struct ErasedMemory {
    virtual ~ErasedMemory() = default;
    virtual std::unique_ptr<ErasedMemory> clone() const = 0;
    virtual void detach() = 0;
  };
  template <class M>
  struct HeldMemory final : ErasedMemory {
    M memory;
    explicit HeldMemory(M m) : memory(std::move(m)) {}
    std::unique_ptr<ErasedMemory> clone() const override { return std::make_unique<HeldMemory>(memory); }
    void detach() override { memory.detach(); }
  };
  struct Interface {
    virtual ~Interface() = default;
    virtual Target target() const = 0;
    virtual bool multistep() const = 0;
    virtual bool fuses_slope() const = 0;
    virtual bool reaches_zero() const = 0;
    virtual int evaluations() const = 0;
    virtual int evaluations(StepCount& at) const = 0;
    virtual double sigma_scale(std::size_t index) const = 0;
    virtual std::size_t branches() const = 0;
    virtual std::size_t branch_evaluations(std::size_t index) const = 0;
    virtual void validate() const = 0;
    virtual std::unique_ptr<ErasedMemory> memory(const X& x) const = 0;
    virtual void step(const Step<X>& n, X& x, X& first, ModelRef<X>& model, ErasedMemory& memory) const = 0;
  };
  template <class S>
  struct Held final : Interface {
    using M = fewstep::Memory<S, X>;
    S solver;
    explicit Held(S s) : solver(std::move(s)) {}
    Target target() const override { return target_of(solver); }
    bool multistep() const override { return is_multistep(solver); }
    bool fuses_slope() const override { return detail::fuses_slope<X>(solver); }
    bool reaches_zero() const override { return fewstep::reaches_zero(solver); }
    int evaluations() const override { return solver.evaluations(); }
    int evaluations(StepCount& at) const override { return detail::step_evaluations(solver, at); }
    double sigma_scale(std::size_t index) const override { return detail::sigma_scale(solver, index); }
    std::size_t branches() const override { return branches_of(solver); }
    std::size_t branch_evaluations(std::size_t index) const override {
      return detail::branch_evaluations(solver, index);
    }
    void validate() const override { detail::validate(solver); }
    std::unique_ptr<ErasedMemory> memory(const X& x) const override {
      return std::make_unique<HeldMemory<M>>(solver.memory(x));
    }
    void step(const Step<X>& n, X& x, X& first, ModelRef<X>& model, ErasedMemory& memory) const override {
      solver.step(n, x, first, model, static_cast<HeldMemory<M>&>(memory).memory);
    }
  };

 public:
  /// What the held solver remembers within one run.
  class Memory {
   public:
    explicit Memory(std::unique_ptr<ErasedMemory> held) : held_(std::move(held)) {}
    Memory(const Memory& o) : held_(o.held_->clone()) {}
    Memory(Memory&&) noexcept = default;
    void detach() { held_->detach(); }

   private:
    friend class AnySolver;
    std::unique_ptr<ErasedMemory> held_;
  };

  template <class S>
    requires(!std::same_as<S, AnySolver> && Solver<S, X>)
  AnySolver(S solver) : held_(std::make_shared<const Held<S>>(std::move(solver))) {}

  Target target() const { return held_->target(); }
  bool multistep() const { return held_->multistep(); }
  bool fuses_slope() const { return held_->fuses_slope(); }
  bool reaches_zero() const { return held_->reaches_zero(); }
  int evaluations() const { return held_->evaluations(); }
  int evaluations(StepCount& at) const { return held_->evaluations(at); }
  double sigma_scale(std::size_t index) const { return held_->sigma_scale(index); }
  std::size_t branches() const { return held_->branches(); }
  std::size_t branch_evaluations(std::size_t index) const { return held_->branch_evaluations(index); }
  void validate() const { held_->validate(); }
  Memory memory(const X& x) const { return Memory(held_->memory(x)); }

  template <class M>
  void step(const Step<X>& n, X& x, X& first, M& model, Memory& memory) const {
    ModelRef<X> erased(model);
    held_->step(n, x, first, erased, *memory.held_);
  }

 private:
  std::shared_ptr<const Interface> held_;
};

}  // namespace fewstep
