# Shared by tests and examples. Nothing here is installed or affects a project that uses fewstep.

if(PROJECT_IS_TOP_LEVEL)
  get_property(multi_config GLOBAL PROPERTY GENERATOR_IS_MULTI_CONFIG)
  if(NOT multi_config AND NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release, RelWithDebInfo or MinSizeRel" FORCE)
  endif()

  set(CMAKE_CXX_SCAN_FOR_MODULES OFF)  # there are none; newer compilers would be run twice per file

  find_program(FEWSTEP_CCACHE ccache)
  mark_as_advanced(FEWSTEP_CCACHE)
  if(FEWSTEP_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    # Without these settings ccache does not cache files that use a precompiled header.
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${FEWSTEP_CCACHE})
  endif()
endif()

# No version is requested, since Eigen 5's own version check rejects a request for 3.4.
find_package(Eigen3 REQUIRED)
if(Eigen3_VERSION VERSION_LESS 3.4)
  message(FATAL_ERROR "fewstep: Eigen ${Eigen3_VERSION} is too old; allowed: 3.4 or later")
endif()
find_package(nlohmann_json 3 REQUIRED)

# What needs one of these is built where it is found.
find_package(onnxruntime QUIET)
find_package(OpenVINO QUIET COMPONENTS Runtime)

# stb has no CMake package; Debian puts its headers one folder down.
find_path(FEWSTEP_STB_INCLUDE_DIR stb_image_write.h PATH_SUFFIXES stb REQUIRED)
mark_as_advanced(FEWSTEP_STB_INCLUDE_DIR)

add_library(fewstep_develop INTERFACE)
target_include_directories(fewstep_develop INTERFACE ${PROJECT_SOURCE_DIR})
target_include_directories(fewstep_develop SYSTEM INTERFACE ${FEWSTEP_STB_INCLUDE_DIR})
target_compile_definitions(fewstep_develop INTERFACE
  FEWSTEP_SOURCE_DIR="${PROJECT_SOURCE_DIR}" FEWSTEP_BINARY_DIR="${PROJECT_BINARY_DIR}")
target_compile_options(fewstep_develop INTERFACE
  -Wall -Wextra
  # GCC 12 warns of overlapping copies in "text" + std::string (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # A batch must equal single runs bit by bit; a fused multiply-add in only one of them would break that.
  -ffp-contract=off
  # The string ABI of LibTorch, which is the old one in old Python packages, must be the same everywhere.
  ${TORCH_CXX_FLAGS})

# Not for files that use LibTorch, whose macros trigger these two warnings in our own files.
add_library(fewstep_strict INTERFACE)
target_compile_options(fewstep_strict INTERFACE -Wshadow -Wconversion)

# fewstep_use_torch(target): for a target that links fewstep_develop.
# -O1: LibTorch itself is optimised, and the other code hardly counts. -fPIC, also for executables: they share the
# precompiled header with libraries, and GCC accepts it only with the same options.
function(fewstep_use_torch target)
  target_link_libraries(${target} PUBLIC fewstep::torch fewstep::io)
  target_compile_options(${target} PRIVATE -fPIC $<$<CONFIG:Release>:-O1>)
  if(NOT target STREQUAL fewstep_torch_headers)
    target_precompile_headers(${target} REUSE_FROM fewstep_torch_headers)
  endif()
endfunction()

if(FEWSTEP_TORCH)
  # LibTorch's tensors as a precompiled header: a file that includes them takes some 10 s to compile without it.
  add_library(fewstep_torch_headers OBJECT ${CMAKE_CURRENT_LIST_DIR}/precompiled.cpp)
  target_link_libraries(fewstep_torch_headers PRIVATE fewstep_develop)
  fewstep_use_torch(fewstep_torch_headers)
  target_precompile_headers(fewstep_torch_headers PRIVATE <torch/types.h> <torch/utils.h>)
endif()

# fewstep_program(name sources... [TORCH] [LIBRARIES libraries...]); without LibTorch a TORCH program is left out.
function(fewstep_program name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "TORCH" "" "LIBRARIES")
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE fewstep::eigen fewstep_develop ${arg_LIBRARIES})
  if(arg_TORCH)
    fewstep_use_torch(${name})
  else()
    target_link_libraries(${name} PRIVATE fewstep_strict)
  endif()
endfunction()
