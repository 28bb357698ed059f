# Every header compiles alone, as C11 and as C++ (a room's own, *_internal.h, as C11 only): one
# generated source each, compiled into a library that nothing links.
file(GLOB headers RELATIVE ${PROJECT_SOURCE_DIR} CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/base/*.h ${PROJECT_SOURCE_DIR}/store/*.h ${PROJECT_SOURCE_DIR}/ingest/*.h
  ${PROJECT_SOURCE_DIR}/kernels/*.h ${PROJECT_SOURCE_DIR}/train/*.h)
set(sources)
foreach(header ${headers})
  string(MAKE_C_IDENTIFIER ${header} name)
  set(languages c cpp)
  if(header MATCHES "_internal\\.h$")
    set(languages c)
  endif()
  foreach(language ${languages})
    set(source ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.${language})
    if(NOT EXISTS ${source})
      file(WRITE ${source} "#include \"${header}\"\nextern int ${name}_${language};\nint ${name}_${language} = 1;\n")
    endif()
    list(APPEND sources ${source})
  endforeach()
endforeach()
add_library(headers_alone OBJECT ${sources})
target_link_libraries(headers_alone PRIVATE ${rooms})
# A struct and a function of one name, as stat(2) has them, is no mistake.
target_compile_options(headers_alone PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wno-shadow>)
