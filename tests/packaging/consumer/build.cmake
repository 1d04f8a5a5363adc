# Builds and runs the project beside this file against fewstep, found in one of the ways its CMakeLists.txt names.
file(REMOVE_RECURSE ${work_dir})

set(world FETCHCONTENT_FULLY_DISCONNECTED=ON)
if(way STREQUAL "core_alone")  # as on a machine that has none of the libraries
  foreach(library Eigen3 nlohmann_json Torch Caffe2)
    list(APPEND world CMAKE_DISABLE_FIND_PACKAGE_${library}=ON)
  endforeach()
endif()
list(TRANSFORM world PREPEND -D)

function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${ARGV}\n${said}")
  endif()
endfunction()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work_dir} -G ${generator} -D CMAKE_CXX_COMPILER=${compiler}
  -D way=${way} -D source=${source_dir} -D version=${version} -D CMAKE_PREFIX_PATH=${prefix} ${world})
run(${CMAKE_COMMAND} --build ${work_dir})
run(${work_dir}/core)
if(NOT way STREQUAL "core_alone")
  run(${work_dir}/eigen)
endif()
