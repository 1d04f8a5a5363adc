# Builds and runs core.cpp with the flags of pkg-config, and checks that it includes no library but the standard library.
set(ENV{PKG_CONFIG_PATH} ${prefix}/share/pkgconfig)
file(MAKE_DIRECTORY ${work_dir})

function(run result)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output ERROR_VARIABLE errors RESULT_VARIABLE failed
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    message(FATAL_ERROR "${ARGN}\n${output}${errors}")
  endif()
  set(${result} ${output} PARENT_SCOPE)
endfunction()

run(modversion ${pkg_config} --modversion fewstep)
if(NOT modversion STREQUAL version)
  message(FATAL_ERROR "the version in fewstep.pc is ${modversion}, that of the project ${version}")
endif()

run(flags ${pkg_config} --cflags fewstep)
separate_arguments(flags)
set(compile ${compiler} -std=c++20 -DPACKAGE_VERSION="${version}" ${flags} ${CMAKE_CURRENT_LIST_DIR}/core.cpp)
run(nothing ${compile} -o ${work_dir}/core)
run(nothing ${work_dir}/core)

run(included ${compile} -M)
if(NOT included MATCHES "/fewstep/fewstep\\.hpp")
  message(FATAL_ERROR "the list of included files lacks fewstep.hpp:\n${included}")
endif()
string(REGEX MATCHALL "[^ ]*/(Eigen|ATen|c10|nlohmann|fewstep/eigen|fewstep/torch|fewstep/io)[./][^ ]*" foreign "${included}")
if(foreign)
  list(JOIN foreign "\n  " foreign)
  message(FATAL_ERROR "the core includes\n  ${foreign}")
endif()
