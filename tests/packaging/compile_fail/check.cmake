# One mistake. With WRONG defined the file must not compile, and the compiler must say what each of its comments
# `// error: REGEX` says, in at most 30 lines; without WRONG, as its own twin, it must compile.
file(STRINGS ${case} errors REGEX "^// error: ")
list(TRANSFORM errors REPLACE "^// error: " "")

set(ENV{LC_ALL} C)  # plain quotation marks
set(compile ${compiler} -std=c++20 -fsyntax-only -fdiagnostics-color=never
  -I ${source_dir}/include -isystem ${eigen_dir} ${case})

execute_process(COMMAND ${compile} OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "the twin does not compile:\n${said}")
endif()

execute_process(COMMAND ${compile} -D WRONG OUTPUT_VARIABLE said ERROR_VARIABLE said RESULT_VARIABLE failed)
if(NOT failed)
  message(FATAL_ERROR "the mistake compiles")
endif()
if(NOT errors)
  message(FATAL_ERROR "the file says no error to expect")
endif()
foreach(error IN LISTS errors)
  if(NOT said MATCHES "${error}")
    message(FATAL_ERROR "nothing says '${error}':\n${said}")
  endif()
endforeach()
string(REGEX REPLACE "[^\n]" "" lines "${said}")
string(LENGTH "${lines}" lines)
if(lines GREATER 30)
  message(FATAL_ERROR "${lines} lines, more than 30:\n${said}")
endif()
message(STATUS "${lines} lines")
