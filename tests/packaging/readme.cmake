# Builds a small program in each way of including the library that README.md shows: the command for pkg-config, and the
# CMake snippets in their order (installed, as a folder, fetched).
file(READ ${source_dir}/README.md readme)

# Small, and compiled without optimisation: the test is that it finds fewstep and Eigen.
set(program [=[
#include <fewstep/eigen/algebra.hpp>
#include <fewstep/run.hpp>
#include <fewstep/schedules/karras.hpp>
#include <fewstep/solvers/euler.hpp>

#include <cstdio>

int main() {
  using X = Eigen::ArrayXXd;
  const auto denoise = [](const X& x, double) -> X { return 0 * x; };
  const auto result = fewstep::sample(fewstep::Euler{}, denoise, fewstep::karras({.steps = 5}), X(X::Ones(2, 3)));
  std::printf("%d evaluations, end at %.3f\n", result.evaluations, result.x(0));
}
]=])
set(expected "5 evaluations, end at 0.002\n")  # a denoised image of 0 takes noise of 1 to sigma_min

function(run)
  execute_process(COMMAND ${ARGV} WORKING_DIRECTORY ${project} OUTPUT_VARIABLE output ERROR_VARIABLE errors
    RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${ARGV}\n${output}${errors}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

# next(language): sets `snippet` to the next block of this language in README.md.
function(next language)
  string(FIND "${readme}" "```${language}\n" begin)
  if(begin EQUAL -1)
    message(FATAL_ERROR "README.md has too few ${language} snippets")
  endif()
  string(LENGTH "```${language}\n" fence)
  math(EXPR begin "${begin} + ${fence}")
  string(SUBSTRING "${readme}" ${begin} -1 rest)
  string(FIND "${rest}" "```" length)
  string(SUBSTRING "${rest}" 0 ${length} snippet)
  set(readme "${rest}" PARENT_SCOPE)
  set(snippet "${snippet}" PARENT_SCOPE)
endfunction()

function(compare)
  run(${ARGV})
  if(NOT output STREQUAL expected)
    message(FATAL_ERROR "${project}: prints\n${output}instead of\n${expected}")
  endif()
endfunction()

# begin(way): makes an empty project with the program, as `project`.
function(begin way)
  set(project ${work_dir}/${way})
  file(REMOVE_RECURSE ${project})
  file(WRITE ${project}/my_sampler.cpp "${program}")
  set(project ${project} PARENT_SCOPE)
endfunction()

string(FIND "${readme}" "## Include it" at)
string(SUBSTRING "${readme}" ${at} -1 readme)

next(sh)
if(pkg_config)
  begin(pkg_config)
  set(ENV{PKG_CONFIG_PATH} ${prefix}/share/pkgconfig:$ENV{PKG_CONFIG_PATH})
  string(REPLACE "c++ " "${compiler} -O0 " snippet "${snippet}")
  run(sh -c "${snippet}")
  compare(${project}/my_sampler)
endif()

foreach(way installed folder fetched)
  begin(${way})
  next(cmake)
  if(NOT way STREQUAL "installed")
    string(PREPEND snippet "find_package(Eigen3 REQUIRED)\n")
  endif()
  file(WRITE ${project}/CMakeLists.txt "cmake_minimum_required(VERSION 3.24)
project(readme LANGUAGES CXX)
add_executable(my_sampler my_sampler.cpp)
${snippet}target_link_libraries(my_sampler PRIVATE fewstep::eigen)\n")
  file(CREATE_LINK ${source_dir} ${project}/fewstep SYMBOLIC)
  run(${CMAKE_COMMAND} -S ${project} -B ${project}/build -G ${generator} -D CMAKE_CXX_COMPILER=${compiler}
    -D CMAKE_CXX_FLAGS=-O0 -D CMAKE_PREFIX_PATH=${prefix} -D FETCHCONTENT_SOURCE_DIR_FEWSTEP=${source_dir})
  run(${CMAKE_COMMAND} --build ${project}/build)
  compare(${project}/build/my_sampler)
endforeach()
