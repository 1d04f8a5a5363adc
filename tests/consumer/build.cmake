# Builds and runs the small project beside this file against fewstep, as installed or as a subdirectory.
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()

file(REMOVE_RECURSE ${work_dir})
if(way STREQUAL "installed")
  run(${CMAKE_COMMAND} --install ${build_dir} --prefix ${work_dir}/prefix)
  set(where -D fewstep_DIR=${work_dir}/prefix/share/cmake/fewstep)
else()
  set(where -D FEWSTEP_SUBDIRECTORY=${source_dir})
endif()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work_dir}/build -G ${generator}
  -D CMAKE_CXX_COMPILER=${compiler} -D CMAKE_BUILD_TYPE=Release ${where})
run(${CMAKE_COMMAND} --build ${work_dir}/build)
run(${work_dir}/build/core)
run(${work_dir}/build/eigen)
