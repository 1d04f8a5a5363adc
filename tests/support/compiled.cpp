// The solvers, and the laws of solvers, on the states that several test programs use: compiled once, with optimisation.
#include "laws.hpp"

namespace fewstep {

template AnySolver<double> make_solver<double>(std::string_view, const SolverSettings&);
template AnySolver<test::Array> make_solver<test::Array>(std::string_view, const SolverSettings&);

namespace test {
template std::vector<Configuration<double>> configurations<double>();
template std::vector<Configuration<Array>> configurations<Array>();
template std::vector<Configuration<Eigen::ArrayXXf>> configurations<Eigen::ArrayXXf>();
template std::vector<Configuration<FixedArray>> configurations<FixedArray>();
template std::vector<Configuration<FixedColumn>> configurations<FixedColumn>();

template std::vector<laws::Verdict> verdicts<double>(const AnySolver<double>&);
}  // namespace test

}  // namespace fewstep
