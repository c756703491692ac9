# Compiler and linker flags of every target, in one place.
add_library(hw_flags INTERFACE)
target_compile_definitions(hw_flags INTERFACE _GNU_SOURCE HW_VERSION="${PROJECT_VERSION}")
target_compile_options(hw_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wformat=2 -Wstrict-prototypes
  -Wmissing-prototypes -Wvla -Wundef -Wwrite-strings -fno-strict-aliasing)
if(HW_WERROR)
  target_compile_options(hw_flags INTERFACE -Werror)
endif()

# Asserts stay on in every build: an assert marks a bug, and a bug must not go on.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_options(hw_flags INTERFACE -fstack-protector-strong -fstack-clash-protection
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64")
    target_compile_options(hw_flags INTERFACE -fcf-protection)
  endif()
  target_link_options(hw_flags INTERFACE -Wl,-z,relro,-z,now)
endif()
if(HW_SANITIZE)
  add_compile_options(-fsanitize=${HW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${HW_SANITIZE})
  if(HW_SANITIZE MATCHES "address")
    add_library(hw_lsan OBJECT ${CMAKE_SOURCE_DIR}/cmake/lsan.c)
    target_sources(hw_flags INTERFACE
      $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:$<TARGET_OBJECTS:hw_lsan>>)
  endif()
endif()
if(HW_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
