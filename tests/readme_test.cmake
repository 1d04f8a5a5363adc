# The README shows what is in the repository: each program NAME.cpp whole, and what it prints.
#   names, programs   of the examples, in the same order
file(READ ${source_dir}/README.md readme)

foreach(name program IN ZIP_LISTS names programs)
  file(READ ${source_dir}/examples/${name}.cpp text)
  file(READ ${source_dir}/examples/${name}.out expected)
  execute_process(COMMAND ${program} OUTPUT_VARIABLE printed COMMAND_ERROR_IS_FATAL ANY)
  if(NOT printed STREQUAL expected)
    message(FATAL_ERROR "${name} prints\n${printed}instead of examples/${name}.out\n${expected}")
  endif()
  foreach(part text expected)
    string(FIND "${readme}" "${${part}}" found)
    if(found EQUAL -1)
      message(FATAL_ERROR "README.md lacks this text, to the letter:\n${${part}}")
    endif()
  endforeach()
endforeach()
