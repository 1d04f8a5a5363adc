# Installs the package in one place and moves it to another, so that nothing in it can depend on the first place.
file(REMOVE_RECURSE ${work_dir} ${prefix})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${build_dir} --prefix ${work_dir}
  OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${work_dir} ${prefix})
