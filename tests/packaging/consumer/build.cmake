# Builds and runs the project in this folder with fewstep, found in one of the ways that its CMakeLists.txt describes.
file(REMOVE_RECURSE ${work_dir})

set(definitions FETCHCONTENT_FULLY_DISCONNECTED=ON)
if(way STREQUAL "core_alone")  # as on a machine without these libraries
  foreach(library Eigen3 nlohmann_json Torch Caffe2)
    list(APPEND definitions CMAKE_DISABLE_FIND_PACKAGE_${library}=ON)
  endforeach()
endif()
list(TRANSFORM definitions PREPEND -D)

function(run)
  execute_process(COMMAND ${ARGV} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
  if(failed)
    message(FATAL_ERROR "${ARGV}\n${output}")
  endif()
endfunction()

run(${CMAKE_COMMAND} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work_dir} -G ${generator} -D CMAKE_CXX_COMPILER=${compiler}
  -D way=${way} -D source=${source_dir} -D version=${version} -D CMAKE_PREFIX_PATH=${prefix} ${definitions})
run(${CMAKE_COMMAND} --build ${work_dir})
run(${work_dir}/core)
if(NOT way STREQUAL "core_alone")
  run(${work_dir}/eigen)
endif()
