# One mistake. With WRONG defined the file must not compile, and the compiler's output must match each of the file's
# comments `// error: REGEX` and have at most 30 lines. Without WRONG the file must compile.
file(STRINGS ${case} errors REGEX "^// error: ")
list(TRANSFORM errors REPLACE "^// error: " "")

set(most_lines 30)

set(ENV{LC_ALL} C)  # plain quotation marks
set(compile ${compiler} -std=c++20 -fsyntax-only -fdiagnostics-color=never
  -I ${source_dir}/include -isystem ${eigen_dir} ${case})

execute_process(COMMAND ${compile} OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "does not compile without WRONG:\n${output}")
endif()

execute_process(COMMAND ${compile} -D WRONG OUTPUT_VARIABLE output ERROR_VARIABLE output RESULT_VARIABLE failed)
if(NOT failed)
  message(FATAL_ERROR "compiles with WRONG")
endif()
if(NOT errors)
  message(FATAL_ERROR "the file has no comment '// error: REGEX'")
endif()
foreach(error IN LISTS errors)
  if(NOT output MATCHES "${error}")
    message(FATAL_ERROR "no match for '${error}' in\n${output}")
  endif()
endforeach()
string(REGEX REPLACE "[^\n]" "" lines "${output}")
string(LENGTH "${lines}" lines)
if(lines GREATER most_lines)
  message(FATAL_ERROR "${lines} lines; allowed: at most ${most_lines}\n${output}")
endif()
message(STATUS "${lines} lines")
