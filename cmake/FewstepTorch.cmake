# Finds LibTorch and defines the target `torch`. In this order:
#   1. what the user points to: Torch_DIR, CMAKE_PREFIX_PATH, LIBTORCH or TORCH (variables, or of the environment);
#   2. the `torch` that python3 imports, if it is 1.13 or later;
#   3. the system's package (Debian: libtorch-dev).
# `cmake -P FewstepTorch.cmake` only prints which one would be used, and fails if there is none (cmake/bootstrap.sh).

set(fewstep_torch_minimum 1.13)

# The folder of TorchConfig.cmake at or below one of the given prefixes.
function(fewstep_torch_config_dir result)
  foreach(prefix IN LISTS ARGN)
    file(GLOB found
      ${prefix}/TorchConfig.cmake
      ${prefix}/Torch/TorchConfig.cmake
      ${prefix}/share/cmake/Torch/TorchConfig.cmake
      ${prefix}/lib/cmake/Torch/TorchConfig.cmake
      ${prefix}/lib/*/cmake/Torch/TorchConfig.cmake)
    if(found)
      list(GET found 0 config)
      cmake_path(GET config PARENT_PATH dir)
      set(${result} ${dir} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${result} "" PARENT_SCOPE)
endfunction()

# Read before TorchConfig.cmake runs, since that of an old version may fail with an unrelated error.
function(fewstep_torch_version result dir)
  set(version 0)
  if(EXISTS ${dir}/TorchConfigVersion.cmake)
    file(STRINGS ${dir}/TorchConfigVersion.cmake line REGEX "set\\(PACKAGE_VERSION ")
    string(REGEX MATCH "[0-9]+(\\.[0-9]+)+" version "${line}")
  endif()
  set(${result} ${version} PARENT_SCOPE)
endfunction()

function(fewstep_locate_torch result_dir result_origin)
  foreach(name Torch_DIR LIBTORCH TORCH)
    set(value "${${name}}")
    if(NOT value)
      set(value "$ENV{${name}}")
    endif()
    if(value)
      fewstep_torch_config_dir(dir ${value})
      if(NOT dir)
        message(FATAL_ERROR "fewstep: ${name} is '${value}', where there is no TorchConfig.cmake; "
          "allowed: the folder of an unpacked LibTorch")
      endif()
      set(${result_dir} ${dir} PARENT_SCOPE)
      set(${result_origin} ${name} PARENT_SCOPE)
      return()
    endif()
  endforeach()

  string(REPLACE ":" ";" environment_prefixes "$ENV{CMAKE_PREFIX_PATH}")
  fewstep_torch_config_dir(dir ${CMAKE_PREFIX_PATH} ${environment_prefixes})
  if(dir)
    set(${result_dir} ${dir} PARENT_SCOPE)
    set(${result_origin} CMAKE_PREFIX_PATH PARENT_SCOPE)
    return()
  endif()

  # Prefers an active virtual environment, even if a launcher of CMake puts its own Python first in PATH.
  set(python python3)
  if(DEFINED ENV{VIRTUAL_ENV})
    set(python $ENV{VIRTUAL_ENV}/bin/python3)
  endif()
  execute_process(
    COMMAND ${python} -c "import torch; print(torch.__version__.split('+')[0] + ';' + torch.utils.cmake_prefix_path)"
    OUTPUT_VARIABLE version_and_prefix OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    list(GET version_and_prefix 0 version)
    list(GET version_and_prefix 1 prefix)
    fewstep_torch_config_dir(dir ${prefix})
    if(dir AND version VERSION_GREATER_EQUAL fewstep_torch_minimum)
      set(${result_dir} ${dir} PARENT_SCOPE)
      set(${result_origin} python3 PARENT_SCOPE)
      return()
    endif()
  endif()

  fewstep_torch_config_dir(dir /usr/local /usr ${CMAKE_SYSTEM_PREFIX_PATH})
  set(${result_dir} "${dir}" PARENT_SCOPE)
  set(${result_origin} system PARENT_SCOPE)
endfunction()

# TorchConfig.cmake of a CUDA build fails without the CUDA toolkit, which is needed only to write kernels.
function(fewstep_import_torch_without_toolkit dir prefix)
  set(libraries torch torch_cpu torch_cuda c10 c10_cuda)
  list(TRANSFORM libraries REPLACE "(.+)" "${prefix}/lib/lib\\1.so")
  add_library(torch INTERFACE IMPORTED GLOBAL)
  target_include_directories(torch INTERFACE ${prefix}/include ${prefix}/include/torch/csrc/api/include)
  # No symbol refers to the CUDA library, so the linker would leave it out without this.
  target_link_libraries(torch INTERFACE -Wl,--no-as-needed ${libraries} -Wl,--as-needed)
  file(STRINGS ${dir}/TorchConfig.cmake abi REGEX "_GLIBCXX_USE_CXX11_ABI=[01]" LIMIT_COUNT 1)
  if(abi)
    string(REGEX MATCH "-D_GLIBCXX_USE_CXX11_ABI=[01]" abi "${abi}")
    target_compile_options(torch INTERFACE ${abi})
    set(TORCH_CXX_FLAGS "${abi}" PARENT_SCOPE)
  endif()
endfunction()

fewstep_locate_torch(fewstep_torch_dir fewstep_torch_origin)
if(NOT fewstep_torch_dir)
  message(FATAL_ERROR "fewstep: no LibTorch found (Debian: apt-get install libtorch-dev libopenblas0-pthread); "
    "set LIBTORCH to its folder, or configure with -DFEWSTEP_TORCH=OFF")
endif()
fewstep_torch_version(fewstep_torch_version ${fewstep_torch_dir})
if(fewstep_torch_version VERSION_LESS fewstep_torch_minimum)
  message(FATAL_ERROR "fewstep: LibTorch ${fewstep_torch_version} in ${fewstep_torch_dir} is too old; "
    "allowed: ${fewstep_torch_minimum} or later (set LIBTORCH to the folder of one)")
endif()
message(STATUS "LibTorch ${fewstep_torch_version} (${fewstep_torch_origin}): ${fewstep_torch_dir}")

if(NOT CMAKE_SCRIPT_MODE_FILE)
  cmake_path(SET fewstep_torch_prefix NORMALIZE ${fewstep_torch_dir}/../../..)
  if(EXISTS ${fewstep_torch_prefix}/lib/libtorch_cuda.so)
    find_package(CUDAToolkit QUIET)
  endif()
  if(EXISTS ${fewstep_torch_prefix}/lib/libtorch_cuda.so AND NOT CUDAToolkit_FOUND)
    fewstep_import_torch_without_toolkit(${fewstep_torch_dir} ${fewstep_torch_prefix})
  else()
    # TorchConfig.cmake searches the system's folders before its own and would mix two LibTorch versions.
    find_library(TORCH_LIBRARY torch PATHS ${fewstep_torch_prefix}/lib NO_DEFAULT_PATH)
    find_library(c10_LIBRARY c10 PATHS ${fewstep_torch_prefix}/lib NO_DEFAULT_PATH)
    set(Torch_DIR ${fewstep_torch_dir} CACHE PATH "The folder of TorchConfig.cmake" FORCE)
    set(Caffe2_DIR ${fewstep_torch_dir}/../Caffe2 CACHE PATH "Beside Torch_DIR" FORCE)
    # A parent project that links fewstep::torch needs the target `torch`.
    set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
    find_package(Torch REQUIRED)
    unset(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
  endif()
endif()
